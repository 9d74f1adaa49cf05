"""What the page of a galaxy shows, read back from the files of an output folder."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import data_paths
from helper_functions.job.records import load_record, recorded_runs
from helper_functions.job.runs import Run
from helper_functions.job.summary import OK
from helper_functions.quality import QUALITY
from helper_functions.sed_features import SED_FEATURES

FIRST = "blended_mixture"  # the run that a page opens with, where it is there
WHOLE = ("redshift", "notes")  # of a galaxy, and not of a band
QUANTILES = ("p16", "p50", "p84")  # of what is fitted


class Layer(NamedTuple):
    """A quantity that is known of pixels, for a map."""

    title: str
    values: np.ndarray  # (n_pixels,), NaN where it is not known
    error: np.ndarray | None = None  # (n_pixels,)
    unit: str = ""


class RunView(NamedTuple):
    """A run of a galaxy."""

    name: str
    title: str
    labels: np.ndarray  # (n_pixels,), 1..n_clusters, -1 in none
    regions: np.ndarray  # (n_clusters,), what colours go by
    composites: np.ndarray  # (2, n_clusters, n_bands), flux and error, 10 nJy per pixel
    populations: np.ndarray | None  # the same of the populations; None where the method does not take blends apart
    confidence: np.ndarray | None  # (n_pixels,), probability of the label
    fraction: np.ndarray | None  # (n_clusters, n_pixels), share of each population in the light of each pixel
    layers: tuple  # of Layer, of this run alone
    criteria: dict  # name -> (2, n_numbers), score and its error for 1, 2, ... clusters
    number: tuple  # how the number of clusters was chosen, and the lowest and the highest that score like it
    quality: dict  # what QUALITY says -> value
    features: dict  # column -> list of strings, a row for each SED; empty where there are none
    fits: dict  # the same of what was fitted


class GalaxyView(NamedTuple):
    """A galaxy as its page shows it. Pixels are the selected ones, by row and column."""

    id_dr3: int
    redshift: float  # NaN where it is not known
    shape: tuple  # (ny, nx)
    rows: np.ndarray  # (n_pixels,)
    cols: np.ndarray  # (n_pixels,)
    pixel: float  # arcsec, side
    sky: dict  # from `tangent_plane`
    bands: tuple  # n_bands names
    wavelengths: np.ndarray  # (n_bands,), Angstrom
    images: np.ndarray | None  # (n_bands, ny, nx), 10 nJy per pixel; None where cubes were not kept
    flux: np.ndarray | None  # (n_pixels, n_bands)
    error: np.ndarray | None  # (n_pixels, n_bands)
    correlation: np.ndarray  # (n_bands, n_lags), of noise
    background_error: np.ndarray  # (n_bands,), which all pixels share
    layers: tuple  # of Layer, of the galaxy
    runs: tuple  # of RunView
    agreement: np.ndarray | None  # (n_runs, n_runs), adjusted Rand index; None where there are fewer than two runs
    consensus: np.ndarray | None  # (n_pixels,), most frequent region
    notes: tuple  # of str, what is to be known of the galaxy
    without: dict  # run without a result -> why


def read_galaxy(output, id_dr3):
    """`GalaxyView` of a galaxy; what is not in the folder is None or empty.

    Parameters
    ----------
    output : path
        Output folder.
    id_dr3 : int

    Raises
    ------
    FileNotFoundError
        Where the folder has neither pixels nor runs of the galaxy.
    """
    rows = {name: load_record(output, id_dr3, name).get("row", {}) for name in recorded_runs(output, id_dr3)}
    good = [name for name in rows if rows[name].get("status") == OK]
    labels = {name: data_paths.clusters_path(output, name, id_dr3) for name in good}
    names = sorted((name for name in good if labels[name].is_file()), key=lambda name: (name != FIRST, name))
    without = {name: f"{row['status']}: {row['message']}" for name, row in rows.items() if row and name not in names}
    header, mask, cubes = read_pixels(data_paths.pixels_path(output, id_dr3))
    if mask is None and names:
        with fits.open(labels[names[0]], memmap=False) as hdus:
            header, mask = hdus[0].header, hdus[0].data != 0
    if mask is None and not rows:
        raise FileNotFoundError(f"{output} holds nothing of galaxy {id_dr3}: cluster it first")
    if mask is None:
        header, mask = fits.Header(), np.zeros((1, 1), dtype=bool)
    where = np.nonzero(mask)
    cubes = cubes or bands_of_tables(output, id_dr3, names)
    bands = cubes["bands"]
    redshift = cubes.get("redshift", next((rows[name]["redshift"] for name in names), np.nan))
    runs = tuple(read_run(output, id_dr3, name, rows[name], where, bands) for name in names)
    agreement, consensus, share = read_agreement(output, id_dr3, names, where)
    sky, pixel = tangent_plane(header, mask.shape)
    return GalaxyView(
        id_dr3=id_dr3,
        redshift=redshift,
        shape=mask.shape,
        rows=where[0],
        cols=where[1],
        pixel=pixel,
        sky=sky,
        bands=bands,
        wavelengths=cubes["wavelengths"],
        images=cubes.get("sci"),
        flux=pixels_of(cubes, "sci", where),
        error=pixels_of(cubes, "err", where),
        correlation=correlation_of(cubes),
        background_error=np.nan_to_num(cubes.get("background_err", np.zeros(len(bands)))),
        layers=(*share, *maps_of(data_paths.feature_maps_path(output, id_dr3), where, feature_title)),
        runs=runs,
        agreement=agreement,
        consensus=consensus,
        notes=tuple(cubes.get("notes", ())),
        without=without,
    )


# ---- pixels -----------------------------------------------------------------


def read_pixels(path):
    """Header with the celestial WCS, mask, and what else the file of pixels holds; None, None and {} without one."""
    if not path.is_file():
        return None, None, {}
    with fits.open(path, memmap=False) as hdus:
        bands = hdus["BANDS"].data
        redshift = hdus[0].header["Z50"]
        cubes = {
            "bands": tuple(str(band) for band in bands["band"]),
            "wavelengths": np.array(bands["wavelength"], dtype=float),
            "redshift": redshift if isinstance(redshift, float) else np.nan,
            "notes": [note for note in hdus[0].header.get("NOTES", "").split("; ") if note],
            "sci": hdus["SCI"].data.astype(np.float32),
            "err": hdus["ERR"].data.astype(np.float32),
        }
        if "NOISE" in hdus:
            noise = hdus["NOISE"].data
            cubes |= {name: np.array(noise[name], dtype=float) for name in ("correlation", "background_err")}
        mask = hdus["MASK"].data.astype(bool)
        some = np.isfinite(cubes["sci"]).any(axis=(1, 2))
        cubes = {name: cubes[name] if name in WHOLE else only(cubes[name], some) for name in cubes}
        return hdus["SEGMAP"].header, mask, cubes


def only(values, some):
    """Those values of bands of which `some` is true."""
    return tuple(np.array(values)[some].tolist()) if isinstance(values, tuple) else values[some]


def pixels_of(cubes, name, where):
    """Values of the selected pixels, float32 of shape (n_pixels, n_bands); None where cubes were not kept."""
    return cubes[name][:, *where].T if name in cubes else None


def correlation_of(cubes):
    """Correlation of the noise of each band, (n_bands, n_lags); that of independent noise where none was measured."""
    found = cubes.get("correlation", np.ones((len(cubes["bands"]), 1)))
    alone = np.arange(found.shape[1]) == 0
    return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, alone)


def tangent_plane(header, shape):
    """How pixels lie in the sky: the cutout is so small that any projection and distortion is a plane there.

    Parameters
    ----------
    header : Header
        With a celestial WCS.
    shape : tuple
        (ny, nx).

    Returns
    -------
    sky : dict
        `centre`, right ascension and declination in degrees (ICRS) of the middle of the image; `matrix`, degrees to the
        east and to the north in the plane that touches the sky there per pixel in x and y; `origin`, pixel in x and y
        of the middle. Empty where the header has no celestial WCS.
    pixel : float
        Side of a pixel, arcsec; NaN where it is not known.
    """
    wcs = WCS(header)
    if not wcs.has_celestial:
        return {}, np.nan
    ny, nx = shape
    origin = np.array([(nx - 1) / 2, (ny - 1) / 2])
    reach = max(nx, ny) / 2
    at = origin + reach * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    sky = wcs.pixel_to_world(*at.T).icrs
    # Projected onto the plane that touches the sky at the centre (gnomonic, Calabretta & Greisen 2002, section 5.1.3).
    offset = sky.transform_to(sky[0].skyoffset_frame())
    east, north = np.tan(offset.lon.rad), np.tan(offset.lat.rad) / np.cos(offset.lon.rad)
    plane = np.degrees([east, north])
    matrix = np.stack([plane[:, 1] - plane[:, 2], plane[:, 3] - plane[:, 4]], axis=1) / (2 * reach)
    known = {"centre": [float(sky[0].ra.deg), float(sky[0].dec.deg)], "matrix": matrix.tolist()}
    return known | {"origin": origin.tolist()}, 3600 * float(np.sqrt(abs(np.linalg.det(matrix))))


def bands_of_tables(output, id_dr3, names):
    """Bands and wavelengths as the tables of runs have them, for galaxies whose cubes were not kept."""
    found = {}
    for name in names:
        table = read_table(data_paths.composites_path(output, name, id_dr3))
        found |= dict(zip(table["band"], map(float, table["wave_obs"]), strict=True))
    bands = sorted(found, key=found.get)
    return {"bands": tuple(map(str, bands)), "wavelengths": np.array([found[band] for band in bands])}


def maps_of(path, where, title_of):
    """Each image of a file whose error lies beside it under a name with _ERR, as a list of `Layer`."""
    if not path.is_file():
        return []
    with fits.open(path, memmap=False) as hdus:
        images = {hdu.name: (hdu.data[where].astype(np.float32), hdu.header.get("BUNIT", "")) for hdu in hdus[1:]}
    return [
        Layer(title_of(name.lower()), values, images.get(f"{name}_ERR", (None,))[0], unit)
        for name, (values, unit) in images.items()
        if not name.endswith("_ERR") and np.isfinite(values).any()
    ]


def feature_title(name):
    """What a feature is, in the words of SED_FEATURES."""
    return SED_FEATURES[name].meaning if name in SED_FEATURES else name


# ---- runs -------------------------------------------------------------------


def read_table(path):
    """An ECSV table; one without rows and columns where there is none."""
    return Table.read(path, format="ascii.ecsv") if path.is_file() else Table()


def read_run(output, id_dr3, name, row, where, bands):
    """`RunView` of a run that ended well, from its files and its row of the summary."""
    with fits.open(data_paths.clusters_path(output, name, id_dr3), memmap=False) as hdus:
        regions = np.array(hdus["REGIONS"].data["region"], dtype=int)
        labels = hdus[0].data[where].astype(int)
        images = {hdu.name: hdu.data[..., *where].astype(np.float32) for hdu in hdus[1:] if hdu.is_image}
        band = hdus["LIGHT"].header["BAND"] if "LIGHT" in hdus else ""
        scores = hdus["CRITERIA"].data if "CRITERIA" in hdus else None
        criteria = {} if scores is None else read_criteria(scores)
    layers = [Layer("similarity to the composite, 1 − b12", images["SIMILARITY"])]
    for number, light in enumerate(images.get("LIGHT", ()), start=1):
        layers.append(Layer(f"light of population {number} in {band}", light, unit="10 nJy"))
    layers += maps_of(data_paths.fit_maps_path(output, name, id_dr3), where, lambda each: f"fitted {each}")
    path = data_paths.populations_path(output, name, id_dr3)
    fitted = read_table(data_paths.fits_path(output, name, id_dr3))
    return RunView(
        name=name,
        title=Run(row["method"], row["norm"], row["metric"]).title(len(regions)),
        labels=labels,
        regions=regions,
        composites=read_seds(data_paths.composites_path(output, name, id_dr3), len(regions), bands),
        populations=read_seds(path, len(regions), bands) if path.is_file() else None,
        confidence=images.get("CONFIDENCE"),
        fraction=images.get("FRACTION"),
        layers=tuple(layers),
        criteria=criteria,
        number=(row["k_choice"], row["k_low"], row["k_high"]),
        quality={entry.meaning: row[each] for each, entry in QUALITY.items()},
        features=feature_words(read_table(data_paths.region_features_path(output, name, id_dr3))),
        fits=fit_words(fitted),
    )


def read_criteria(scores):
    """Scores and errors of each criterion in the table of a label file, {name: array of shape (2, n_numbers)}."""
    names = [name for name in scores.names if name != "n_clusters" and not name.endswith("_error")]
    return {name: np.array([scores[name], scores[f"{name}_error"]], dtype=float) for name in names}


def read_seds(path, n_clusters, bands):
    """Flux and error of a table of SEDs in these bands, shape (2, n_clusters, n_bands), NaN where there are none."""
    table, seds = read_table(path), np.full((2, n_clusters, len(bands)), np.nan)
    if len(table):
        here = np.isin(table["band"], bands)
        at = [bands.index(band) for band in table["band"][here]]
        for values, name in zip(seds, ("flux", "flux_err"), strict=True):
            values[np.array(table["cluster"][here], dtype=int) - 1, at] = table[name][here]
    return seds


def read_agreement(output, id_dr3, names, where):
    """Rand indices of runs in the order of `names`, the most frequent region of each pixel, and its share as a layer.

    None, None and no layer where fewer than two runs were compared, or others than these.
    """
    table = read_table(data_paths.agreement_path(output, id_dr3))
    path = data_paths.consensus_path(output, id_dr3)
    if len(table) < 2 or set(table["run"]) != set(names) or not path.is_file():
        return None, None, ()
    order = [list(table["run"]).index(name) for name in names]
    matrix = np.array([table[name][order] for name in names], dtype=float)
    with fits.open(path, memmap=False) as hdus:
        region, share = (hdu.data[where] for hdu in hdus[:2])
    return matrix, region.astype(int), (Layer("share of runs that agree on the region", share.astype(np.float32)),)


# ---- numbers in words -------------------------------------------------------


def measured(value, error):
    """A value with its error, in words, to two digits of the error."""
    if not np.isfinite(value):
        return "–"
    if not (np.isfinite(error) and 1e-4 < error < 1e5):
        return f"{value:.3g} ± {error:.2g}"
    digits = max(1 - int(np.floor(np.log10(error))), 0)
    return f"{value:z.{digits}f} ± {error:.{digits}f}"


def in_unit(name, unit):
    """The head of a column."""
    return f"{name} [{unit}]" if str(unit or "") else name


def feature_words(table):
    """Columns of the table of features as strings."""
    words = {name: [str(value) for value in table[name]] for name in ("cluster", "kind") if name in table.colnames}
    for name in table.colnames:
        if f"{name}_err" in table.colnames and np.isfinite(table[name]).any():
            pairs = zip(table[name], table[f"{name}_err"], strict=True)
            words[in_unit(name, table[name].unit)] = [measured(*pair) for pair in pairs]
    return words


def fit_words(table):
    """Columns of the table of fits as strings, medians with the distance to both ends of the 16-84% range."""
    words = {"cluster": [str(value) for value in table["cluster"]]} if len(table) else {}
    for name in (each.removesuffix("_p50") for each in table.colnames if each.endswith("_p50")):
        columns = [np.ma.filled(np.ma.asarray(table[f"{name}_{end}"], dtype=float), np.nan) for end in QUANTILES]
        words[in_unit(name, table[f"{name}_p50"].unit)] = [
            f"{middle:.3g} +{high - middle:.2g} −{middle - low:.2g}" if np.isfinite(middle) else "–"
            for low, middle, high in zip(*columns, strict=True)
        ]
    for name in ("chi2", "note"):
        if name in table.colnames:
            words[name] = [f"{each:.3g}" if name == "chi2" else str(each) for each in np.ma.filled(table[name])]
    return words
