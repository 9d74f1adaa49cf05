"""Results of a run and of a galaxy, in the form in which they are saved and plotted."""

from typing import NamedTuple

import numpy as np

from data_paths import output_path
from distances import FEATURES, feature_weights
from helper_functions.clustering import Clustering
from helper_functions.composite_seds import CompositeSEDs, composite_seds
from helper_functions.number_of_clusters import Scores
from helper_functions.other_regions.outskirts import Outskirts
from helper_functions.pixel_seds import Cutout, PixelSEDs, fill_image, select_complete
from helper_functions.population_seds import PopulationSEDs
from helper_functions.products.features import region_features
from helper_functions.products.labels import read_labels
from helper_functions.products.runs import Run
from helper_functions.products.sed_tables import read_populations
from helper_functions.psf import psf_area_pixels
from helper_functions.quality.compare_runs import Agreement
from helper_functions.quality.metrics import QUALITY
from plots.style import galaxy_name


class BandWeights(NamedTuple):
    """Weights of the bands in metric features."""

    bands: tuple  # n_bands names, of the bands used for clustering
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
    populations: PopulationSEDs | None  # None for methods that do not unmix blends
    quality: dict  # name in QUALITY -> value
    title: str
    labels: np.ndarray  # (ny, nx), 0 not selected, 1..n_clusters, -1 in no cluster
    regions: np.ndarray  # (n_clusters,), region number of each cluster, see `compare_runs`; sets its colour
    confidence: np.ndarray | None  # (ny, nx), probability of the label; None for methods without probabilities
    band_weights: BandWeights | None  # of metric features
    features: dict  # of its SEDs: "population" or "composite" -> name in SED_FEATURES -> Measured, (n_clusters,)
    maps: dict | None = None  # of the galaxy's pixels: name in SED_FEATURES -> value and error, (ny, nx)
    outskirts: Outskirts | None = None  # bins of the pixels that are not selected; None: not binned

    @property
    def small(self):
        """Whether each cluster has fewer pixels than the PSF covers, bool, (n_clusters,)."""
        return self.composites.n_pixels.max(axis=1, initial=0) < psf_area_pixels(self.seds.pixel, self.seds.psf_fwhm)

    def image(self, values):
        """Image of values of the selected pixels, float32 of shape (ny, nx), NaN elsewhere."""
        return fill_image(self.labels.shape, self.seds, values, np.nan).astype(np.float32)


def run_result(run, cutout, seds, clustering, composites, populations, quality, metric_features=None):
    """`RunResult` of a run, with region numbers equal to the labels.

    `metric_features` are the names of the features that metric `features` uses; None: all.
    """
    band_weights = None
    if run.metric == "features":
        used = seds.only(bands=clustering.bands_used)
        weights = feature_weights(used.edges, used.redshift, metric_features)
        band_weights = BandWeights(used.bands, used.edges, weights, used.redshift, FEATURES)
    result = RunResult(
        *(run, cutout, seds, clustering, composites, populations, quality),
        title=f"{galaxy_name(cutout)}: {run.title(clustering.n_clusters)}",
        labels=fill_image(cutout.segmap.shape, seds, clustering.labels, 0).astype(np.int16),
        regions=np.arange(1, clustering.n_clusters + 1),
        confidence=None,
        band_weights=band_weights,
        features=region_features(seds, composites, populations),
    )
    if clustering.confidence is None:
        return result
    return result._replace(confidence=result.image(clustering.confidence))


def number_record(clustering):
    """Scores and notes of the choice of the number of clusters, serialisable as JSON."""
    scores = {}
    for name, each in clustering.scores.items():
        error = None if each.error is None else each.error.tolist()
        scores[name] = each._replace(values=each.values.tolist(), error=error)._asdict()
    return {"scores": scores, "notes": list(clustering.k_notes), "is_final": clustering.is_final}


def read_scores(number):
    """Criterion -> `Scores`, from a `number_record`."""
    found = {}
    for name, each in number["scores"].items():
        arrays = {key: None if each[key] is None else np.array(each[key], dtype=float) for key in ("values", "error")}
        found[name] = Scores(**(each | arrays))
    return found


def read_run_result(output, run, row, number, cutout, seds, clustering_settings):
    """Read a `RunResult` from saved files, to draw its pictures again.

    Parameters
    ----------
    output : path
        Output folder.
    run : Run
    row : dict
        Of the summary.
    number : dict
        From `number_record`.
    cutout : Cutout
    seds : PixelSEDs
        Of the pixels that were clustered.
    clustering_settings : settings.Clustering
    """
    place = {"run": run.name, "id": cutout.id_dr3}
    found, where = read_labels(output_path(output, "labels", **place)), (seds.rows, seds.cols)
    labels = found.labels[where]
    confidence = None if found.confidence is None else found.confidence[where].astype(float)
    is_confident = None if confidence is None else confidence > clustering_settings.confidence
    clustering = Clustering(
        labels=labels,
        n_clusters=len(found.regions),
        k_choice=row["k_choice"],
        bands_used=select_complete(seds.flux)[1],
        n_incomplete=row["n_incomplete"],
        when_large="",
        probability=None,
        scores=read_scores(number),
        k_range=(row["k_low"], row["k_high"]),
        k_notes=number["notes"],
        names=found.names,
    )
    composites = composite_seds(seds, labels, is_confident, clustering_settings.seed)
    light = [None if each is None else each[:, *where].T for each in (found.light, found.deconvolved)]
    populations = read_populations(output_path(output, "populations", **place), *light, found.band)
    quality = {name: row[name] for name in QUALITY}
    result = run_result(run, cutout, seds, clustering, composites, populations, quality, clustering_settings.features)
    confidence = None if confidence is None else result.image(confidence)
    bins = None if found.bins is None else Outskirts(found.bins, found.bin_table["cluster"], found.bin_table["snr"])
    return result._replace(regions=found.regions, confidence=confidence, outskirts=bins)


class RunPanel(NamedTuple):
    """The data of one run in the comparison picture of all runs."""

    title: str
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_clusters,), region numbers, which set the colours
    composites: np.ndarray  # (n_clusters, n_bands)
    errors: np.ndarray  # (n_clusters, n_bands), of the composites
    judged: tuple = ()  # of str, the quality metrics


class VariantPanel(NamedTuple):
    """One of the clusterings in the picture of a comparison."""

    title: str
    labels: np.ndarray | None = None  # (ny, nx); here and below None where it failed
    regions: np.ndarray | None = None  # (n_clusters,), region numbers, which set the colours
    composites: np.ndarray | None = None  # (n_clusters, n_bands)
    errors: np.ndarray | None = None  # (n_clusters, n_bands), of the composites
    problem: str = ""  # why it failed


class VariantsResult(NamedTuple):
    """Clusterings of a galaxy with other options, see `variants`."""

    cutout: Cutout
    mask: np.ndarray  # bool, (ny, nx), the selected pixels
    title: str
    panels: dict  # (row, column) -> VariantPanel
    reference: tuple  # (row, column) that the others are compared to
    wavelengths: np.ndarray  # (n_bands,), of the composites, Angstrom
    edges: np.ndarray  # (n_bands, 2), blue and red edge of each of these bands, Angstrom


class GalaxyResult(NamedTuple):
    """One galaxy, with all its runs."""

    cutout: Cutout
    mask: np.ndarray  # bool, (ny, nx), the selected pixels
    snr: np.ndarray  # (ny, nx), median over the bands
    snr_thresh: float
    panels: tuple = ()  # of RunPanel, of successful runs
    wavelengths: np.ndarray | None = None  # (n_bands,), of the composites, Angstrom
    edges: np.ndarray | None = None  # (n_bands, 2), blue and red edge of each of these bands, Angstrom
    agreement: Agreement | None = None  # of the runs of the panels, in the same order
    maps: dict | None = None  # name in SED_FEATURES -> value and error, (ny, nx)
    snr_bands: dict | None = None  # band -> SNR that selected pixels exceed in this band


def run_panel(run, row, labels, regions, composites):
    """`RunPanel` of a run, from its row of the summary, its labels and regions, and its `CompositeSEDs`."""
    title = run.title(len(regions))
    return RunPanel(title, labels, regions, composites.flux, composites.error, quality_labels(row))


def variants_result(cutout, mask, seds, title, found, reference):
    """`VariantsResult` from the clusterings of `cluster_variants`."""
    panels = {}
    for cell, each in found.items():
        if isinstance(each, ValueError):
            panels[cell] = VariantPanel("", problem=str(each))
            continue
        index = f"ARI {each.rand_index:z.2f}, " if np.isfinite(each.rand_index) else ""
        words = f"{index}χ² {each.chi2:.2f}".replace("-", "\u2212")  # a minus sign
        labels = fill_image(mask.shape, seds, each.labels, 0)
        panels[cell] = VariantPanel(words, labels, each.regions, each.flux, each.error)
    title = f"{galaxy_name(cutout)}: {title}"
    return VariantsResult(cutout, mask, title, panels, reference, seds.wavelengths, seds.edges)


def quality_labels(figures):
    """Quality metrics, {name: value}, as texts for a picture."""
    return tuple(f"{entry.symbol} {entry.in_words(figures[name])}" for name, entry in QUALITY.items() if entry.symbol)
