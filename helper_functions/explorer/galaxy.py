"""Content of the page of a galaxy, read from an output folder."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from data_paths import output_path
from helper_functions.explorer.runs import maps_of, read_agreement, read_run, read_table
from helper_functions.files.records import GALAXY, load_record, recorded_runs
from helper_functions.products.pixels import read_cutout
from helper_functions.products.runs import run_sort_key
from helper_functions.products.summary import EMPTY_ROW, OK, quality_notes


class GalaxyView(NamedTuple):
    """Content of the page of a galaxy; pixels are the selected ones, in the order of `rows` and `cols`."""

    id_dr3: int
    redshift: float  # NaN where it is not known
    shape: tuple  # (ny, nx)
    rows: np.ndarray  # (n_pixels,)
    cols: np.ndarray  # (n_pixels,)
    pixel: float  # arcsec, side of a pixel
    sky: dict  # from `tangent_plane`
    bands: tuple  # n_bands names, of bands with data
    wavelengths: np.ndarray  # (n_bands,), Angstrom
    images: np.ndarray | None  # (n_bands, ny, nx), 10 nJy per pixel; None where pixel cubes were not kept
    flux: np.ndarray | None  # (n_pixels, n_bands)
    error: np.ndarray | None  # (n_pixels, n_bands)
    correlation: np.ndarray  # (n_bands, n_lags), correlation function of the noise
    background_error: np.ndarray  # (n_bands,), error of the subtracted background, common to all pixels
    layers: tuple  # of Layer: maps of the galaxy that do not depend on the run
    runs: tuple  # of RunView
    agreement: np.ndarray | None  # (n_runs, n_runs), adjusted Rand index; None where there are fewer than two runs
    consensus: np.ndarray | None  # (n_pixels,), most frequent region among the runs
    notes: tuple  # of str: on the galaxy, and on doubts about the run that is shown first
    failed_runs: dict  # name of a run without a result -> the reason
    commands: tuple = ()  # of str: the command that repeats the galaxy, and the same with own regions; may be empty


def read_galaxy(output, id_dr3):
    """Read the content of the page of a galaxy; missing parts are None or empty.

    Parameters
    ----------
    output : path
        Output folder.
    id_dr3 : int

    Returns
    -------
    GalaxyView

    Raises
    ------
    FileNotFoundError
        Where the folder has neither pixels nor runs of the galaxy.
    """
    rows = {name: load_record(output, id_dr3, name).get("row", {}) for name in recorded_runs(output, id_dr3)}
    good = [name for name in rows if rows[name].get("status") == OK]
    labels = {name: output_path(output, "labels", run=name, id=id_dr3) for name in good}
    names = sorted((name for name in good if labels[name].is_file()), key=run_sort_key)
    failed = {name: f"{row['status']}: {row['message']}" for name, row in rows.items() if row and name not in names}
    pixels_path = output_path(output, "pixels", id=id_dr3)
    if pixels_path.is_file():
        cutout, mask = read_cutout(pixels_path)
        wcs, fields = cutout.wcs, fields_of_cutout(cutout, mask)
    elif names:
        with fits.open(labels[names[0]], memmap=False) as hdus:
            wcs, mask = WCS(hdus[0].header), hdus[0].data != 0
        fields = fields_of_tables(output, id_dr3, names, rows[names[0]]["redshift"])
    elif rows or load_record(output, id_dr3, GALAXY):
        wcs, mask, fields = None, np.zeros((1, 1), dtype=bool), fields_of_tables(output, id_dr3, (), np.nan)
    else:
        raise FileNotFoundError(f"{output} holds nothing of galaxy {id_dr3}: cluster it first")
    where = np.nonzero(mask)
    doubts = [f"{name}: {note}" for name in names[:1] for note in quality_notes(EMPTY_ROW | rows[name])]
    agreement, consensus, share = read_agreement(output, id_dr3, names, where)
    sky, pixel = tangent_plane(wcs, mask.shape)
    notes = *fields.pop("notes"), *doubts
    return GalaxyView(
        id_dr3=id_dr3,
        shape=mask.shape,
        rows=where[0],
        cols=where[1],
        pixel=pixel,
        sky=sky,
        layers=(*share, *maps_of(output_path(output, "feature_maps", id=id_dr3), where)),
        runs=tuple(read_run(output, id_dr3, name, rows[name], where, fields["bands"]) for name in names),
        agreement=agreement,
        consensus=consensus,
        notes=notes,
        failed_runs=failed,
        commands=tuple(load_record(output, id_dr3, GALAXY).get("commands", ())),
        **fields,
    )


# ---- pixels -----------------------------------------------------------------


def fields_of_cutout(cutout, mask):
    """Fields of `GalaxyView` that come from the pixels of its cutout; bands without any data are left out.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        Selected pixels.

    Returns
    -------
    dict
    """
    has_data = np.isfinite(cutout.sci).any(axis=(1, 2))
    sci, err, noise = cutout.sci[has_data], cutout.err[has_data], cutout.noise
    correlation, background_error = np.ones((len(sci), 1)), np.zeros(len(sci))
    if noise is not None:
        measured = noise.correlation[has_data]
        independent = np.arange(measured.shape[1]) == 0  # of bands whose noise could not be measured
        correlation = np.where(np.isfinite(measured).all(axis=1, keepdims=True), measured, independent)
        background_error = np.nan_to_num(noise.background_err[has_data])
    return {
        "redshift": cutout.redshift,
        "bands": tuple(np.array(cutout.bands)[has_data].tolist()),
        "wavelengths": cutout.wavelengths[has_data],
        "images": sci,
        "flux": sci[:, mask].T,
        "error": err[:, mask].T,
        "correlation": correlation,
        "background_error": background_error,
        "notes": cutout.notes,
    }


def fields_of_tables(output, id_dr3, names, redshift):
    """The same fields for a galaxy without a saved cutout; bands are those in the tables of these runs."""
    found = {}
    for name in names:
        table = read_table(output_path(output, "composites", run=name, id=id_dr3))
        found |= dict(zip(table["band"], map(float, table["wave_obs"]), strict=True))
    bands = sorted(found, key=found.get)
    return {
        "redshift": redshift,
        "bands": tuple(map(str, bands)),
        "wavelengths": np.array([found[band] for band in bands]),
        "images": None,
        "flux": None,
        "error": None,
        "correlation": np.ones((len(bands), 1)),
        "background_error": np.zeros(len(bands)),
        "notes": (),
    }


def tangent_plane(wcs, shape):
    """The linear map from pixels to the tangent plane at the middle of the image.

    In a cutout, which is small, this describes any projection and distortion well.

    Parameters
    ----------
    wcs : WCS or None
    shape : tuple
        (ny, nx).

    Returns
    -------
    sky : dict
        `centre`, right ascension and declination in degrees (ICRS) of the middle of the image; `matrix`, degrees to the
        east and to the north in the tangent plane per pixel in x and y; `origin`, pixel in x and y of the middle. Empty
        where there is no celestial WCS.
    pixel : float
        Side of a pixel, arcsec; NaN where it is not known.
    """
    if wcs is None or not wcs.has_celestial:
        return {}, np.nan
    ny, nx = shape
    origin = np.array([(nx - 1) / 2, (ny - 1) / 2])
    reach = max(nx, ny) / 2
    at = origin + reach * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    sky = wcs.pixel_to_world(*at.T).icrs
    # Gnomonic projection, Calabretta & Greisen 2002, section 5.1.3.
    offset = sky.transform_to(sky[0].skyoffset_frame())
    east, north = np.tan(offset.lon.rad), np.tan(offset.lat.rad) / np.cos(offset.lon.rad)
    plane = np.degrees([east, north])
    matrix = np.stack([plane[:, 1] - plane[:, 2], plane[:, 3] - plane[:, 4]], axis=1) / (2 * reach)
    known = {"centre": [float(sky[0].ra.deg), float(sky[0].dec.deg)], "matrix": matrix.tolist()}
    return known | {"origin": origin.tolist()}, 3600 * float(np.sqrt(abs(np.linalg.det(matrix))))
