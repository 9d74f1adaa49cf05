"""The interface of the clustering methods: their input, results and default options."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DENSITY = "density"  # name in place of a criterion where the method determines the number of clusters itself


class TooFewPixels(ValueError):
    """The galaxy has fewer pixels than the requested number of clusters."""

    status = "too few pixels"


class Populations(NamedTuple):
    """Unmixing of the pixels into populations: flux = light @ seds + shared."""

    seds: np.ndarray  # (n_populations, n_bands), component SEDs, those of labels 0, 1, ... first
    light: np.ndarray  # (n_pixels, n_populations), amplitude of each population in each pixel, not negative
    shared: np.ndarray  # (n_pixels, n_bands), fitted systematic errors, see `systematics`
    amplitudes: np.ndarray  # (n_patterns, n_bands), of the spatial patterns of `shared`

    def only(self, pixels):
        """The same for some of the pixels, or for all in another order."""
        return self._replace(light=self.light[pixels], shared=self.shared[pixels])

    def times(self, factor):
        """The same in another unit of the fluxes."""
        scaled = {name: getattr(self, name) * factor for name in ("light", "shared", "amplitudes")}
        return self._replace(**scaled)


class MethodResult(NamedTuple):
    """Result of a method for one number of clusters; rows are the pixels in the given order."""

    labels: np.ndarray  # (n_pixels,), cluster of each pixel, any integer from 0; below 0 for unassigned pixels
    probability: np.ndarray | None = None  # (n_pixels, n_labels), of labels 0, 1, ...; the rest to 1: unassigned
    log_likelihood: np.ndarray | None = None  # (n_pixels,), of the fluxes, where the method has a model of them
    residual: np.ndarray | None = None  # (n_pixels, n_bands), flux less model in units of the errors, likewise
    populations: Populations | None = None  # likewise
    model: tuple | None = None  # parameters that `Method.refine` needs

    def only(self, pixels):
        """The same for some of the pixels, or for all in another order."""
        arrays = MethodResult(*(None if values is None else values[pixels] for values in self[:4]))
        return arrays._replace(populations=self.populations and self.populations.only(pixels), model=self.model)


class Method(NamedTuple):
    """A clustering method with its default norm, metric and criterion.

    `label(distances, n_clusters, seed)` takes the `PixelDistances` of pixels without missing data, and returns a
    `MethodResult`.
    """

    label: Callable
    meaning: str  # for tables
    norm: str = "contrast"  # the best with most methods on the simulated galaxies of the recovery suite
    metric: str = "euclidean"
    takes_any_norm: bool = True  # False: it fits the amplitude of each pixel, and always uses its own norm
    takes_any_metric: bool = True  # False: it works with its own metric only
    alternative: str = "kmeans"  # suggested to a user who asks for another metric
    takes_recommended_number: bool = True  # False: its clusters are not populations
    criterion: str = "gap"  # for the number of clusters; DENSITY: the method determines it
    when_large: str = ""  # approximation where the distance matrix would exceed the memory limit
    # `label_several(distances, ks, seed)` returns {number of clusters: MethodResult}, faster than `label` for each.
    label_several: Callable | None = None
    # `refine(distances, model, seed)` is the final result for the `MethodResult.model` of the number that is chosen.
    refine: Callable | None = None
    models_fluxes: bool = False  # whether it models the fluxes, also with one cluster

    @property
    def finds_number(self):
        """Whether the method determines the number of clusters itself, whatever number is given."""
        return self.criterion == DENSITY
