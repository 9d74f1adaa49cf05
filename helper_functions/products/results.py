"""Results of a run and of a galaxy, as they are saved and drawn."""

from typing import NamedTuple

import numpy as np

from distances import FEATURES, feature_weights
from helper_functions.clustering import Clustering
from helper_functions.composite_seds import CompositeSEDs
from helper_functions.pixel_seds import Cutout, PixelSEDs, fill_image
from helper_functions.population_seds import PopulationSEDs
from helper_functions.products.features import region_features
from helper_functions.products.runs import Run
from helper_functions.psf import psf_area_pixels
from helper_functions.quality.compare_runs import Agreement
from helper_functions.quality.metrics import QUALITY
from plots.style import galaxy_name


class BandWeights(NamedTuple):
    """How much each band counts in metric features."""

    bands: tuple  # n_bands names, of the bands clustered with
    edges: np.ndarray  # (n_bands, 2), Angstrom, observed
    weights: np.ndarray  # (n_bands,)
    redshift: float
    features: dict  # name -> rest-frame windows, Angstrom


class RunResult(NamedTuple):
    """The result of one run on one galaxy."""

    run: Run
    cutout: Cutout
    seds: PixelSEDs
    clustering: Clustering
    composites: CompositeSEDs
    populations: PopulationSEDs | None  # behind the clusters; None where the method does not take blends apart
    quality: dict  # name in QUALITY -> value
    title: str
    labels: np.ndarray  # (ny, nx), 0 not selected, 1..n_clusters, -1 in none
    regions: np.ndarray  # (n_clusters,), number of each cluster's region, see `compare_runs`: what its colour goes by
    confidence: np.ndarray | None  # (ny, nx), probability of the label; None where the method knows none
    band_weights: BandWeights | None  # of metric features
    features: dict  # of its SEDs: "population" or "composite" -> name in SED_FEATURES -> Measured, (n_clusters,)
    maps: dict | None = None  # of the galaxy's pixels: name in SED_FEATURES -> value and error, (ny, nx)

    @property
    def small(self):
        """Whether each cluster has fewer pixels than the PSF covers, bool, (n_clusters,)."""
        return self.composites.n_pixels.max(axis=1, initial=0) < psf_area_pixels(self.seds.pixel, self.seds.psf_fwhm)

    def image(self, values):
        """Image of values of the selected pixels, float32 of shape (ny, nx), NaN elsewhere."""
        return fill_image(self.labels.shape, self.seds, values, np.nan).astype(np.float32)


def run_result(run, cutout, seds, clustering, composites, populations, quality, settings):
    """`RunResult` of a run, with its images and its title; its regions are numbered like its clusters."""
    labels = fill_image(cutout.segmap.shape, seds, clustering.labels, 0).astype(np.int16)
    title = f"{galaxy_name(cutout)}: {run.title(clustering.n_clusters)}"
    found = run, cutout, seds, clustering, composites, populations, quality
    images = labels, np.arange(1, clustering.n_clusters + 1)
    features = region_features(seds, composites, populations)
    result = RunResult(*found, title, *images, confidence=None, band_weights=None, features=features)
    if clustering.confidence is not None:
        result = result._replace(confidence=result.image(clustering.confidence))
    if run.metric == "features":
        used = seds.only(bands=clustering.bands_used)
        weights = feature_weights(used.edges, used.redshift, settings.features)
        result = result._replace(band_weights=BandWeights(used.bands, used.edges, weights, used.redshift, FEATURES))
    return result


class RunPanel(NamedTuple):
    """A run, as it is drawn beside the other runs of its galaxy."""

    title: str
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_clusters,), what colours go by
    composites: np.ndarray  # (n_clusters, n_bands)
    errors: np.ndarray  # (n_clusters, n_bands), of the composites
    judged: tuple = ()  # of str: the figures of quality


class GalaxyResult(NamedTuple):
    """One galaxy, with all its runs."""

    cutout: Cutout
    mask: np.ndarray  # bool, (ny, nx), the selected pixels
    snr: np.ndarray  # (ny, nx), median over the bands
    snr_thresh: float
    panels: tuple = ()  # of RunPanel, those of runs that ended well
    wavelengths: np.ndarray | None = None  # (n_bands,), of the composites, Angstrom
    edges: np.ndarray | None = None  # (n_bands, 2), blue and red edge of each of these bands, Angstrom
    agreement: Agreement | None = None  # of the runs that the panels are of, in their order
    maps: dict | None = None  # name in SED_FEATURES -> value and error, (ny, nx)
    snr_bands: dict | None = None  # band -> SNR that selected pixels exceed in it, too


def run_panel(run, row, labels, regions, composites):
    """`RunPanel` of a run, from its row of the summary, what its label file holds, and its `CompositeSEDs`."""
    title = run.title(len(regions))
    return RunPanel(title, labels, regions, composites.flux, composites.error, quality_words(row))


def quality_words(figures):
    """The figures of quality, {name: value}, as they are written on a picture."""
    return tuple(f"{entry.symbol} {entry.in_words(figures[name])}" for name, entry in QUALITY.items() if entry.symbol)
