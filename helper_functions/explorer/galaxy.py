"""What the page of a galaxy shows, read back from the files of an output folder."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from data_paths import output_path
from helper_functions.explorer.runs import maps_of, read_agreement, read_run, read_table
from helper_functions.files.records import GALAXY, load_record, recorded_runs
from helper_functions.products.runs import shown_first
from helper_functions.products.summary import EMPTY, OK, notes_on_trust

WHOLE = ("redshift", "notes")  # of a galaxy, and not of a band


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
    notes: tuple  # of str, what is to be known of the galaxy, and speaks against the run shown first
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
    labels = {name: output_path(output, "labels", run=name, id=id_dr3) for name in good}
    names = sorted((name for name in good if labels[name].is_file()), key=shown_first)
    without = {name: f"{row['status']}: {row['message']}" for name, row in rows.items() if row and name not in names}
    header, mask, cubes = read_pixels(output_path(output, "pixels", id=id_dr3))
    if mask is None and names:
        with fits.open(labels[names[0]], memmap=False) as hdus:
            header, mask = hdus[0].header, hdus[0].data != 0
    if mask is None and not rows and not load_record(output, id_dr3, GALAXY):
        raise FileNotFoundError(f"{output} holds nothing of galaxy {id_dr3}: cluster it first")
    if mask is None:
        header, mask = fits.Header(), np.zeros((1, 1), dtype=bool)
    where = np.nonzero(mask)
    cubes = cubes or bands_of_tables(output, id_dr3, names)
    bands = cubes["bands"]
    redshift = cubes.get("redshift", next((rows[name]["redshift"] for name in names), np.nan))
    runs = tuple(read_run(output, id_dr3, name, rows[name], where, bands) for name in names)
    doubts = [f"{name}: {note}" for name in names[:1] for note in notes_on_trust(EMPTY | rows[name])]
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
        layers=(*share, *maps_of(output_path(output, "feature_maps", id=id_dr3), where, "feature")),
        runs=runs,
        agreement=agreement,
        consensus=consensus,
        notes=(*cubes.get("notes", ()), *doubts),
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
        table = read_table(output_path(output, "composites", run=name, id=id_dr3))
        found |= dict(zip(table["band"], map(float, table["wave_obs"]), strict=True))
    bands = sorted(found, key=found.get)
    return {"bands": tuple(map(str, bands)), "wavelengths": np.array([found[band] for band in bands])}
