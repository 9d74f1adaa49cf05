"""What every clustering method has in common: what it is given, what it gives, and what is known of it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DENSITY = "density"  # stands for a criterion where the method finds the number of clusters by itself


class TooFewPixels(ValueError):
    """The galaxy has fewer pixels than clusters were asked for."""

    status = "too few pixels"


class Populations(NamedTuple):
    """What pixels are made of, where a method takes them apart: flux = light @ seds + shared."""

    seds: np.ndarray  # (n_populations, n_bands), those of labels 0, 1, ... first
    light: np.ndarray  # (n_pixels, n_populations), brightness that each population gives, not negative
    shared: np.ndarray  # (n_pixels, n_bands), errors that the pixels of a band share, which the method fitted
    amplitudes: np.ndarray  # (n_patterns, n_bands), of the patterns that `shared` is made of

    def only(self, pixels):
        """The same for some of the pixels, or for all in another order."""
        return self._replace(light=self.light[pixels], shared=self.shared[pixels])

    def times(self, factor):
        """The same in another unit of the fluxes."""
        scaled = {name: getattr(self, name) * factor for name in ("light", "shared", "amplitudes")}
        return self._replace(**scaled)


class MethodResult(NamedTuple):
    """What a method found for one number of clusters; rows are the pixels in the order they were given."""

    labels: np.ndarray  # (n_pixels,), integers that tell clusters apart, below 0 for pixels in none
    probability: np.ndarray | None = None  # (n_pixels, n_labels), of labels 0, 1, ...; the rest to 1 is for none
    log_likelihood: np.ndarray | None = None  # (n_pixels,), of the fluxes, where the method has a model of them
    residual: np.ndarray | None = None  # (n_pixels, n_bands), flux less model in units of the errors, likewise
    populations: Populations | None = None  # likewise

    def only(self, pixels):
        """The same for some of the pixels, or for all in another order."""
        arrays = MethodResult(*(None if values is None else values[pixels] for values in self[:-1]))
        return arrays._replace(populations=self.populations and self.populations.only(pixels))


class Method(NamedTuple):
    """A clustering method, with the norm, metric and criterion that it uses unless others are named.

    `label(distances, n_clusters, seed)` takes the `PixelDistances` of pixels without missing data, and returns a
    `MethodResult`.
    """

    label: Callable
    meaning: str  # what it does, in a line of a table
    norm: str = "contrast"  # the best of all with most methods on the simulated galaxies of the recovery
    metric: str = "euclidean"
    takes_any_norm: bool = True  # False: it takes brightness out by itself, and its own norm is used whatever is asked
    takes_any_metric: bool = True  # False: it has a meaning with its own metric only
    alternative: str = "kmeans"  # the method to name to a user who asks for another metric than it takes
    criterion: str = "gap"  # chooses the number of clusters; DENSITY: the method does
    when_large: str = ""  # what it does differently where the distance matrix would exceed the memory limit
    # `label_several(distances, ks, seed)` returns {number of clusters: MethodResult}, faster than `label` for each.
    label_several: Callable | None = None
    models_fluxes: bool = False  # it fits the fluxes, so that with one cluster too there is something to find
    # `refit(seds, populations)` gives the `Populations` of other fluxes of the same pixels, starting from these.
    refit: Callable | None = None

    @property
    def finds_number(self):
        """Whether the method finds the number of clusters by itself, whatever number is asked for."""
        return self.criterion == DENSITY
