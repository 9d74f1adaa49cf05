"""From the survey's files to the cutout of one galaxy: catalogs, segmap, mosaics, neighbours."""

import hashlib
import re
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import data_paths
from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.job.fits_windows import Mosaic, check_aligned, find_segments, open_mosaic, opened, read_window
from helper_functions.pixel_seds import Cutout


class Survey(NamedTuple):
    """What is known of the survey's files before a pixel of the images is read."""

    bands: tuple  # n_bands names, by wavelength
    wavelengths: np.ndarray  # (n_bands,), pivot, Angstrom
    sci: tuple  # of Mosaic, by band
    wht: tuple  # of Mosaic, by band; inverse variance
    segmap: Mosaic
    catalog_ids: frozenset
    redshifts: dict  # id -> (z_16, z_50, z_84)
    boxes: dict  # id -> (row slice, column slice) of its segment
    digest: str  # of names, sizes and times of all files: tells whether results are of these files


class NotInSurvey(LookupError):
    """The galaxy is missing from the catalog or from the segmap."""

    status = "not found"


def open_survey(folder, ids):
    """Find the survey's files, check that they belong together, and look up the galaxies asked for.

    Parameters
    ----------
    folder : path
        Folder laid out as `data_paths` describes.
    ids : sequence of int
        The id_dr3 of the galaxies that will be wanted.

    Returns
    -------
    Survey

    Warns
    -----
    UserWarning
        For bands of the catalog that have no image; they are left out.

    Raises
    ------
    FileNotFoundError
        Where the folder or a file is missing, or two images match one band.
    OSError
        Where a file cannot be read, or is truncated.
    ValueError
        Where images and segmap differ in shape or WCS.
    """
    data_paths.check_catalogs_folder(folder)
    super_catalog = data_paths.find_survey_file(folder, data_paths.SUPER_CATALOG, "SUPER_CATALOG")
    sps_catalog = data_paths.find_survey_file(folder, data_paths.SPS_CATALOG, "SPS_CATALOG")
    segmap_path = data_paths.find_survey_file(folder, data_paths.SEGMAP, "SEGMAP")
    names = column_names(super_catalog)
    bands, sci_paths, wht_paths = find_band_images(folder, names)

    catalog_ids = frozenset(read_columns(super_catalog, ["id"])["id"].astype(int).tolist())
    sps = read_columns(sps_catalog, ["id", "z_16", "z_50", "z_84"])
    ranges = np.column_stack([sps["z_16"], sps["z_50"], sps["z_84"]]).astype(float).tolist()
    redshifts = dict(zip(sps["id"].astype(int).tolist(), ranges, strict=True))

    cache = data_paths.cache_folder()
    segmap = open_mosaic(segmap_path, cache)
    sci, wht = (tuple(_open_aligned(path, cache, segmap) for path in paths) for paths in (sci_paths, wht_paths))
    wavelengths = np.array([pivot_wavelength(band) for band in bands])
    digest = _digest([super_catalog, sps_catalog, segmap_path, *sci_paths, *wht_paths])
    boxes = find_segments(segmap, ids)
    return Survey(bands, wavelengths, sci, wht, segmap, catalog_ids, redshifts, boxes, digest)


def _digest(paths):
    stats = [(path, path.stat()) for path in paths]
    content = [(str(path.resolve()), stat.st_size, stat.st_mtime_ns) for path, stat in stats]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _open_aligned(path, cache, segmap):
    mosaic = open_mosaic(path, cache)
    check_aligned(mosaic, segmap)
    return mosaic._replace(wcs=None)  # it is the segmap's; workers need not be sent 50 copies


def column_names(path):
    """Names of the columns of a FITS catalog, in small letters."""
    with _catalog(path) as table:
        return [name.lower() for name in table.names]


def read_columns(path, names):
    """Read the named columns of a FITS catalog into a `Table`, and no others."""
    with _catalog(path) as table:
        missing = [name for name in names if name not in table.names]
        if missing:
            raise ValueError(f"{path} has no column {', '.join(missing)}: it has {', '.join(table.names)}")
        return Table({name: np.array(table[name]) for name in names})


@contextmanager
def _catalog(path):
    """Records of a FITS catalog; an unreadable one is an OSError that names the file."""
    with opened(path, memmap=path.suffix != ".gz") as hdus:
        try:
            table = hdus[1].data
        except (OSError, IndexError, TypeError, ValueError, EOFError) as problem:
            raise OSError(f"{path} cannot be read as a FITS catalog ({problem}): fetch the file again") from problem
        yield table


def find_band_images(folder, columns):
    """Bands of the catalog and their images, by wavelength.

    A column f_<band> is a band if sedpy knows its filter; others, such as f_alma, are not images.

    Parameters
    ----------
    folder : path
        The survey folder.
    columns : sequence of str
        Column names of the catalog.

    Returns
    -------
    bands : tuple of str
    sci, wht : tuple of Path
        Science and weight image of each band.
    """
    named = [match[1] for name in columns if (match := re.fullmatch(r"f_(\w+)", name)) and sedpy_name(match[1])]
    images = {band: data_paths.find_image(folder, band, "sci") for band in sorted(named, key=pivot_wavelength)}
    bands = tuple(band for band, path in images.items() if path)
    without = [band for band, path in images.items() if not path]
    if not bands:
        raise FileNotFoundError(
            f"no image of any band in {folder}: looked for "
            f"{data_paths.IMAGE_PATTERN.format(band='<band>', kind='sci')} "
            f"with the bands {', '.join(without) or '(none)'} of the catalog; change IMAGE_PATTERN in data_paths.py"
        )
    if without:
        warnings.warn(f"bands of the catalog without an image, left out: {', '.join(without)}", stacklevel=2)
    weights = tuple(data_paths.find_image(folder, band, "wht") for band in bands)
    for band, path in zip(bands, weights, strict=True):
        if path is None:
            pattern = data_paths.IMAGE_PATTERN.format(band=band, kind="wht")
            raise FileNotFoundError(f"no weight image for {images[band].name}: want one file {pattern} in {folder}")
    return bands, tuple(images[band] for band in bands), weights


def cut_out(survey, id_dr3, *, margin, include_neighbours=False, redshift_tolerance=None):
    """Read the cutout of one galaxy: its segment, whatever its extent, and a margin around it.

    Parameters
    ----------
    survey : Survey
    id_dr3 : int
        Galaxy to cut out.
    margin : int
        Pixels to add on each side; less where the mosaic ends.
    include_neighbours : bool
        Take in the other segments of the cutout whose redshift agrees.
    redshift_tolerance : float or None
        See `agreeing_neighbours`.

    Returns
    -------
    Cutout

    Raises
    ------
    NotInSurvey
        Where the catalog or the segmap does not know the id.
    """
    if id_dr3 not in survey.catalog_ids:
        raise NotInSurvey(f"id {id_dr3} is not in the catalog")
    if id_dr3 not in survey.boxes:
        raise NotInSurvey(f"id {id_dr3} is in the catalog but has no pixel in the segmap")
    window = tuple(
        slice(max(box.start - margin, 0), min(box.stop + margin, size))
        for box, size in zip(survey.boxes[id_dr3], survey.segmap.shape, strict=True)
    )
    segmap = read_window(survey.segmap, window)
    sci = np.array([read_window(mosaic, window) for mosaic in survey.sci], dtype=np.float32)
    weight = np.array([read_window(mosaic, window) for mosaic in survey.wht], dtype=np.float32)
    sci, err = mask_missing(sci, weight)

    neighbours = ()
    if include_neighbours:
        others = set(np.unique(segmap[segmap > 0]).tolist()) - {id_dr3}
        neighbours = agreeing_neighbours(id_dr3, sorted(others), survey.redshifts, redshift_tolerance)
    return Cutout(
        id_dr3=id_dr3,
        redshift=survey.redshifts.get(id_dr3, (np.nan, np.nan, np.nan))[1],
        bands=survey.bands,
        wavelengths=survey.wavelengths,
        sci=sci,
        err=err,
        segmap=segmap,
        members=(id_dr3, *neighbours),
        wcs=survey.segmap.wcs[window],
    )


def mask_missing(sci, weight):
    """Turn weights into errors, and mark what is no measurement as missing.

    Parameters
    ----------
    sci, weight : ndarray
        Flux, and its inverse variance, of one shape.

    Returns
    -------
    flux, error : ndarray
        New arrays; both NaN where the weight is not a positive number or the flux is not finite.
    """
    measured = np.isfinite(sci) & np.isfinite(weight) & (weight > 0)
    error = np.full_like(weight, np.nan)
    error[measured] = 1 / np.sqrt(weight[measured])
    return np.where(measured, sci, np.nan).astype(sci.dtype), error


def agreeing_neighbours(id_dr3, others, redshifts, tolerance=None):
    """Which of the other sources lie at the galaxy's redshift.

    Parameters
    ----------
    id_dr3 : int
    others : sequence of int
        Ids to choose from.
    redshifts : dict
        id -> (z_16, z_50, z_84).
    tolerance : float or None
        Largest |z_50 difference that agrees. None: the larger of the two half-ranges (z_84 - z_16) / 2.

    Returns
    -------
    neighbours : tuple of int
        A source without a redshift agrees with none.
    """
    unknown = (np.nan, np.nan, np.nan)
    z_low, z, z_high = redshifts.get(id_dr3, unknown)
    agreeing = []
    for other in others:
        other_low, other_z, other_high = redshifts.get(other, unknown)
        allowed = max(z_high - z_low, other_high - other_low) / 2 if tolerance is None else tolerance
        if abs(z - other_z) <= allowed:
            agreeing.append(other)
    return tuple(agreeing)


# ---- the cutout on disk -----------------------------------------------------


def cutout_to_fits(cutout, mask, snr_thresh):
    """Cutout and mask as an `HDUList`: SCI, ERR, MASK, SEGMAP and a BANDS table, enough to cluster again.

    Parameters
    ----------
    cutout : Cutout
    mask : bool ndarray of shape (ny, nx)
        The selected pixels.
    snr_thresh : float
        Threshold that they exceed.
    """
    primary = fits.PrimaryHDU()
    primary.header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    primary.header["Z50"] = (cutout.redshift if np.isfinite(cutout.redshift) else None, "redshift, median")
    primary.header["SNRTHR"] = (snr_thresh, "median SNR that selected pixels exceed")
    primary.header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    plane = cutout.wcs.to_header()
    cube = plane.copy()
    cube.update({"WCSAXES": 3, "CTYPE3": "BAND", "CRPIX3": 1.0, "CRVAL3": 1.0, "CDELT3": 1.0})
    cube["BUNIT"] = "10 nJy"
    bands = Table({"band": cutout.bands, "wavelength": cutout.wavelengths}, units={"wavelength": "Angstrom"})
    bands["n_selected_with_data"] = np.isfinite(cutout.sci[:, mask]).sum(axis=1)
    return fits.HDUList(
        [
            primary,
            fits.ImageHDU(cutout.sci, cube, "SCI"),
            fits.ImageHDU(cutout.err, cube, "ERR"),
            fits.ImageHDU(mask.astype(np.uint8), plane, "MASK"),
            fits.ImageHDU(cutout.segmap, plane, "SEGMAP"),
            fits.BinTableHDU(bands, name="BANDS"),
        ]
    )


def read_cutout(path):
    """Read back what `cutout_to_fits` gave: the cutout and the mask of its selected pixels."""
    with fits.open(path, memmap=False) as hdus:
        header, bands = hdus[0].header, hdus["BANDS"].data
        redshift = header["Z50"]
        cutout = Cutout(
            id_dr3=header["IDDR3"],
            redshift=redshift if isinstance(redshift, float) else np.nan,
            bands=tuple(bands["band"].tolist()),
            wavelengths=np.array(bands["wavelength"], dtype=float),
            sci=hdus["SCI"].data.astype(np.float32),
            err=hdus["ERR"].data.astype(np.float32),
            segmap=hdus["SEGMAP"].data.astype(int),
            members=tuple(int(member) for member in header["MEMBERS"].split()),
            wcs=WCS(hdus["SEGMAP"].header),
        )
        return cutout, hdus["MASK"].data.astype(bool)
