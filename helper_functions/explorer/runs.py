"""Content of a galaxy's page on its runs, read from an output folder."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

from data_paths import output_path
from helper_functions.explorer.fits import read_fits
from helper_functions.products.labels import read_labels
from helper_functions.products.runs import Run
from helper_functions.products.summary import EMPTY_ROW, SUMMARY_COLUMNS
from helper_functions.quality.metrics import QUALITY
from helper_functions.sed_features import SED_FEATURES
from plots.labels import FLUX, MASS, label_of

QUANTILES = ("p16", "p50", "p84")  # ends of the names of columns of fits


class Layer(NamedTuple):
    """A quantity of each selected pixel, for a map."""

    title: str
    values: np.ndarray  # (n_pixels,), NaN where it is not known
    error: np.ndarray | None = None  # (n_pixels,)
    unit: str = ""
    meaning: str = ""


class RunView(NamedTuple):
    """A run of a galaxy; pixels are the selected ones."""

    name: str
    title: str
    labels: np.ndarray  # (n_pixels,), 1..n_clusters, -1 in none
    regions: np.ndarray  # (n_clusters,), number of the region of each cluster, which sets its colour
    composites: np.ndarray  # (2, n_clusters, n_bands), flux and error, 10 nJy per pixel
    populations: np.ndarray | None  # the same of unmixed populations; None where the method does not unmix
    confidence: np.ndarray | None  # (n_pixels,), probability of the label
    fraction: np.ndarray | None  # (n_clusters, n_pixels), share of each population in the light of each pixel
    layers: tuple  # of Layer, maps of this run
    criteria: dict  # name -> (2, n_numbers), score and its error for 1, 2, ... clusters
    number: tuple  # how the number of clusters was chosen; range of numbers not distinguished from it
    quality: dict  # name and meaning of a quality metric -> formatted value
    features: dict  # column -> list of str, a row for each SED; empty where there are none
    fits: dict  # the same of fitted stellar populations
    models: tuple = ()  # of FitView: these fits with their data


def read_table(path):
    """Columns of an ECSV table, without reading its slow YAML header; empty if there is no file."""
    return Table.read(path, format="ascii.basic") if path.is_file() else Table()


def read_run(output, id_dr3, name, row, where, bands):
    """`RunView` of a successful run, from its files and its row of the summary.

    Parameters
    ----------
    output : path
        Output folder.
    id_dr3 : int
    name : str
        Of the run.
    row : dict
    where : tuple of ndarray
        Rows and columns of the selected pixels.
    bands : tuple of str
    """
    found = read_labels(output_path(output, "labels", run=name, id=id_dr3))
    regions = found.regions

    def pixels(image):
        return None if image is None else image[..., *where].astype(np.float32)

    layers = [Layer("similarity to the composite, 1 − b12", pixels(found.similarity))]
    for number, light in enumerate(() if found.light is None else found.light, start=1):
        layers.append(Layer(f"light of population {number} in {found.band}", pixels(light), unit="10 nJy"))
    layers += maps_of(output_path(output, "fit_maps", run=name, id=id_dr3), where)
    path = output_path(output, "populations", run=name, id=id_dr3)
    fitted = read_table(output_path(output, "fits", run=name, id=id_dr3))
    return RunView(
        name=name,
        title=Run(row["method"], row["norm"], row["metric"]).title(len(regions)),
        labels=found.labels[where],
        regions=regions,
        composites=read_seds(output_path(output, "composites", run=name, id=id_dr3), len(regions), bands),
        populations=read_seds(path, len(regions), bands) if path.is_file() else None,
        confidence=pixels(found.confidence),
        fraction=pixels(found.fraction),
        layers=tuple(layers),
        criteria=found.criteria,
        number=(row["k_choice"], row["k_low"], row["k_high"]),
        quality=figures_of_quality(row),
        features=feature_words(read_table(output_path(output, "region_features", run=name, id=id_dr3))),
        fits=fit_words(fitted),
        models=read_fits(output, id_dr3, name),
    )


def read_seds(path, n_clusters, bands):
    """Flux and error of a table of SEDs in these bands, (2, n_clusters, n_bands); NaN where the table has none."""
    table, seds = read_table(path), np.full((2, n_clusters, len(bands)), np.nan)
    if len(table):
        here = np.isin(table["band"], bands)
        at = [bands.index(band) for band in table["band"][here]]
        for values, name in zip(seds, ("flux", "flux_err"), strict=True):
            values[np.array(table["cluster"][here], dtype=int) - 1, at] = np.float32(
                table[name][here]
            )  # as they were saved
    return seds


def read_agreement(output, id_dr3, names, where):
    """Agreement of the runs: adjusted Rand indices, consensus region of each pixel, and the fraction of runs with it.

    Returns
    -------
    agreement : ndarray of shape (n_runs, n_runs), or None
        In the order of `names`; None if fewer than two runs, or other runs, were compared.
    consensus : ndarray of shape (n_pixels,), or None
    layers : tuple of Layer
        The share of runs, or nothing.
    """
    table = read_table(output_path(output, "agreement", id=id_dr3))
    path = output_path(output, "consensus", id=id_dr3)
    if len(table) < 2 or set(table["run"]) != set(names) or not path.is_file():
        return None, None, ()
    order = [list(table["run"]).index(name) for name in names]
    matrix = np.array([table[name][order] for name in names], dtype=float)
    with fits.open(path, memmap=False) as hdus:
        region, share = (hdu.data[where] for hdu in hdus[:2])
    return matrix, region.astype(int), (Layer("share of runs that agree on the region", share.astype(np.float32)),)


# ---- formatted numbers ------------------------------------------------------


def measured(value, error):
    """A value with its error as text, to two digits of the error."""
    if not np.isfinite(value):
        return "–"
    if not (np.isfinite(error) and 1e-4 < error < 1e5):
        return f"{value:.3g} ± {error:.2g}"
    digits = max(1 - int(np.floor(np.log10(error))), 0)
    return f"{value:z.{digits}f} ± {error:.{digits}f}"


def figures_of_quality(row):
    """Quality metrics in a row of the summary, {name and meaning: value}; older rows may lack some."""
    row = EMPTY_ROW | row
    values = {name: figure.in_words(row[name]) for name, figure in QUALITY.items()}
    values["bands_agree"] = measured(row["bands_agree"], row["bands_agree_err"])
    values["seeds_agree"] = QUALITY["stability"].in_words(row["seeds_agree"])
    values["distinct"] = QUALITY["stability"].in_words(row["distinct"])
    chi2 = QUALITY["reduced_chi2"].in_words(row["misfit_chi2"])
    values["misfit_chi2"] = f"{chi2}: bad fit in {row['misfit'].upper()}" if row["misfit"] else chi2
    return {f"{name.replace('_', ' ')}: {SUMMARY_COLUMNS[name][1]}": value for name, value in values.items()}


def in_unit(name, unit):
    """Title of a quantity with its unit."""
    return f"{name} [{unit}]" if unit else name


def feature_words(table):
    """Columns of the table of features as text."""
    words = {name: [str(value) for value in table[name]] for name in ("cluster", "kind") if name in table.colnames}
    for name in table.colnames:
        if f"{name}_err" in table.colnames and np.isfinite(table[name]).any():
            label = label_of(name, table[name].unit)
            pairs = zip(table[name] / label.scale, table[f"{name}_err"] / label.scale, strict=True)
            words[in_unit(label.name, label.unit)] = [measured(*pair) for pair in pairs]
    return words


def fit_words(table):
    """Columns of the table of fits as text: medians with the 16-84% range."""
    words = {"cluster": [str(value) if value else "all" for value in table["cluster"]]} if len(table) else {}
    for name in (each.removesuffix("_p50") for each in table.colnames if each.endswith("_p50")):
        columns = [np.ma.filled(np.ma.asarray(table[f"{name}_{end}"], dtype=float), np.nan) for end in QUANTILES]
        label = label_of(name, table[f"{name}_p50"].unit)
        words[in_unit(label.name, label.unit)] = [spread(*each) for each in zip(*columns, strict=True)]
    if words:
        words["χ²"] = [f"{value:.3g}" for value in np.ma.filled(np.ma.asarray(table["chi2"], dtype=float), np.nan)]
        words["note"] = [str(value) for value in np.ma.filled(np.ma.asarray(table["note"], dtype=str), "")]
    return words


def spread(low, middle, high):
    """A median with the distances to both ends of its range as text, with a common power of ten at the end."""
    if not np.isfinite(middle):
        return "–"
    power = int(np.floor(np.log10(abs(middle)))) if middle else 0
    power = 0 if -2 <= power < 4 else power
    ends = [(high - middle) / 10.0**power, (middle - low) / 10.0**power]
    if not any(ends):
        return f"{middle:.4g}"
    smallest = min(end for end in ends if end > 0)
    digits = int(np.clip(1 - np.floor(np.log10(smallest)), 0, 4))
    value = f"{middle / 10.0**power:.{digits}f} +{ends[0]:.{digits}f} −{ends[1]:.{digits}f}"
    return f"({value}) 1e{power}" if power else value


def maps_of(path, where):
    """The images of a FITS file as a list of `Layer`; the error of image NAME is image NAME_ERR."""
    if not path.is_file():
        return []
    with fits.open(path, memmap=False) as hdus:
        images = {hdu.name: (hdu.data[where].astype(float), hdu.header.get("BUNIT", "")) for hdu in hdus[1:]}
    return [
        layer_of(name.lower(), values, images.get(f"{name}_ERR", (None,))[0], unit)
        for name, (values, unit) in images.items()
        if not name.endswith("_ERR") and np.isfinite(values).any()
    ]


def layer_of(name, values, error, unit):
    """`Layer` of a quantity in the unit of its label; logarithmic for masses and rates, NaN below 0."""
    label = label_of(name, unit)
    title, values, error = label.name, values / label.scale, None if error is None else error / label.scale
    if label.is_log:
        title, positive = f"log {title}", np.where(values > 0, values, np.nan)
        values, error = np.log10(positive), None if error is None else error / positive / np.log(10)
    per_pixel = " / pixel" if label.unit.startswith((MASS, FLUX)) else ""
    error = None if error is None else error.astype(np.float32)
    return Layer(title, values.astype(np.float32), error, label.unit + per_pixel, meaning_of(name))


def meaning_of(name):
    """Definition of a feature of SEDs; empty for other quantities."""
    return SED_FEATURES[name].meaning if name in SED_FEATURES else ""
