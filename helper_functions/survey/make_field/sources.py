"""Segmentation map of a field, from its matched images or given, and the catalog."""

import warnings
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.stats import mad_std
from astropy.table import Table

import data_paths
from helper_functions.files.saving import atomic_path, save_fits
from helper_functions.survey.images import mask_missing
from helper_functions.survey.mosaics import read_segmap, read_window

CORE, MARGIN = 2048, 512  # pixels: tiles of the detection, and the margin around them, so that no source is cut
SAME_PLACE = 0.5  # arcsec, largest distance of a source to its redshift in another table
Z_NAMES = "z_50", "z_phot", "zphot", "z_best", "z_a", "z", "redshift", "z_spec", "zspec"  # the first one found is used


def tiles(shape):
    """Tiles of an image, as pairs (core, window with a margin)."""
    for top in range(0, shape[0], CORE):
        for left in range(0, shape[1], CORE):
            core = slice(top, min(top + CORE, shape[0])), slice(left, min(left + CORE, shape[1]))
            wide = (slice(max(s.start - MARGIN, 0), min(s.stop + MARGIN, n)) for s, n in zip(core, shape, strict=True))
            yield core, tuple(wide)


def detection_image(bands, window):
    """Signal-to-noise ratio of the sum of bands, weighted by their inverse variances; NaN where none has data.

    `bands` are pairs of the image and its weights, each a Mosaic.
    """
    total, weight = 0.0, 0.0
    for sci, wht in bands:
        flux, error = mask_missing(read_window(sci, window), read_window(wht, window))
        data = np.isfinite(flux)
        each = np.where(data, error.astype(float) ** -2, 0)
        total, weight = total + np.where(data, flux, 0) * each, weight + each
    with np.errstate(invalid="ignore"):
        return np.where(weight > 0, total / np.sqrt(weight), np.nan)


def find_segments(snr, threshold, n_pixels, contrast):
    """Detect and deblend sources in an image of the signal-to-noise ratio.

    Parameters
    ----------
    snr : ndarray of shape (ny, nx)
        NaN where there is no data.
    threshold : float
        In units of the scatter of the sky.
    n_pixels : int
        Smallest number of pixels of a source.
    contrast : float
        Smallest fraction of the light for which a part is deblended as a source; 1: no deblending.

    Returns
    -------
    int ndarray of shape (ny, nx)
        0 for sky.
    """
    from photutils.segmentation import SourceFinder
    from photutils.utils.exceptions import NoDetectionsWarning

    missing = ~np.isfinite(snr)
    if missing.all():
        return np.zeros(snr.shape, dtype=np.int32)
    level, scatter = np.median(snr[~missing]), mad_std(snr[~missing])
    finder = SourceFinder(n_pixels, deblend=contrast < 1, contrast=contrast, progress_bar=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)  # no source in the tile
        found = finder(np.where(missing, 0, snr - level), threshold * scatter, mask=missing)
    return np.zeros(snr.shape, dtype=np.int32) if found is None else found.data.astype(np.int32)


def owned(segments, core, window):
    """Segments whose centre is in the core of a tile, so that each source is in one tile."""
    kept = np.zeros_like(segments)
    starts = [part.start - whole.start for part, whole in zip(core, window, strict=True)]
    ends = [part.stop - whole.start for part, whole in zip(core, window, strict=True)]
    for label, box in enumerate(find_boxes(segments), start=1):
        if box is not None:
            middle = [(each.start + each.stop - 1) // 2 for each in box]
            if all(start <= place < end for start, place, end in zip(starts, middle, ends, strict=True)):
                kept[box][segments[box] == label] = label
    return kept


def find_boxes(segments):
    """Bounding boxes of labels 1, 2, ..., None for one without pixels."""
    from scipy.ndimage import find_objects

    return find_objects(segments)


def ids_of(segmap):
    """Ids of the sources of a segmentation map, in ascending order."""
    stripes = (slice(top, min(top + CORE, segmap.shape[0])) for top in range(0, segmap.shape[0], CORE))
    found = [np.unique(read_segmap(segmap, (rows, slice(0, segmap.shape[1])))) for rows in stripes]
    every = np.unique(np.concatenate(found))
    return every[every > 0].tolist()


def middle_first(segments):
    """Swap ids so that the segment nearest to the centre of the image has the id 1."""
    places = np.argwhere(segments > 0)
    if not len(places):
        return segments
    nearest = places[np.argmin(np.sum((places - (np.array(segments.shape) - 1) / 2) ** 2, axis=1))]
    middle = segments[tuple(nearest)]
    return np.where(segments == middle, 1, np.where(segments == 1, middle, segments))


def write_segmap(path, grid, bands, threshold, n_pixels, contrast, is_cutout=False):
    """Detect sources and write the segmentation map; ids start at 1, which is the central source of a cutout."""
    header = fits.PrimaryHDU(header=grid.wcs.to_header(relax=True)).header
    header.update(BITPIX=32, NAXIS=2)
    header.insert("NAXIS", ("NAXIS1", grid.shape[1]), after=True)
    header.insert("NAXIS1", ("NAXIS2", grid.shape[0]), after=True)
    n_sources = 0
    with atomic_path(path) as partial:
        with fits.StreamingHDU(partial, header) as hdu:
            for top in range(0, grid.shape[0], CORE):
                hdu.write(np.zeros((min(CORE, grid.shape[0] - top), grid.shape[1]), dtype=np.int32))
        for core, window in tiles(grid.shape):
            found = owned(find_segments(detection_image(bands, window), threshold, n_pixels, contrast), core, window)
            labels = np.unique(found[found > 0])
            if len(labels):
                ids = np.searchsorted(labels, found) + 1 + n_sources
                with fits.open(partial, mode="update", memmap=True) as hdus:
                    part = hdus[0].data[window]
                    part[(found > 0) & (part == 0)] = ids[(found > 0) & (part == 0)]
                n_sources += len(labels)
        if is_cutout:
            with fits.open(partial, mode="update") as hdus:
                hdus[0].data[:] = middle_first(hdus[0].data)


def measure_catalog(segmap, images, areas):
    """Positions and fluxes of all segments.

    Parameters
    ----------
    segmap : Mosaic
    images : dict
        Band -> image and weights, each a Mosaic.
    areas : dict
        Band -> correlation area of its noise in pixels, for the errors of sums.

    Returns
    -------
    Table
        A row for each source: id, ra, dec, x, y (from 1), n_pix, and f_<band> and e_<band> in 10 nJy.
    """
    from photutils.segmentation import SegmentationImage, SourceCatalog

    rows = []
    for core, window in tiles(segmap.shape):
        ids, labels = np.unique(read_segmap(segmap, window), return_inverse=True)
        numbers = labels.reshape([each.stop - each.start for each in window]).astype(np.int32) + (ids[0] != 0)
        ids = ids[ids > 0]
        segments = owned(numbers, core, window)
        if not segments.any():
            continue
        segments = SegmentationImage(segments)
        found = {"id": ids[segments.labels - 1], "n_pix": segments.areas}
        for band, (sci, wht) in images.items():
            flux, error = mask_missing(read_window(sci, window), read_window(wht, window))
            missing = ~np.isfinite(flux)
            light, error = (np.where(missing, 0.0, each).astype(float) for each in (flux, error))
            of_band = SourceCatalog(light, segments, error=error, mask=missing)
            found[f"f_{band}"] = np.atleast_1d(of_band.segment_flux)
            found[f"e_{band}"] = np.atleast_1d(of_band.segment_flux_err) * np.sqrt(areas.get(band, 1.0))
        shape = SourceCatalog((segments.data > 0).astype(float), segments)
        x, y = (np.atleast_1d(each) for each in (shape.x_centroid, shape.y_centroid))
        found["x"], found["y"] = x + window[1].start, y + window[0].start
        rows.append(Table(found))
    if not rows:
        raise ValueError("no source was found: lower --threshold or --n-pixels, or give --segmap")
    from astropy.table import vstack

    table = vstack(rows)
    table.sort("id")
    sky = segmap.wcs.pixel_to_world(table["x"], table["y"]).icrs
    table["x"] += 1
    table["y"] += 1
    table.add_columns([sky.ra.deg, sky.dec.deg], indexes=[1, 1], names=["ra", "dec"])
    return table


def match_redshifts(catalog, path):
    """Redshifts of the sources of a catalog from a table, matched by id if the ids agree, or by position.

    Parameters
    ----------
    catalog : Table
        With id, ra and dec.
    path : path
        A table with columns ra and dec in degrees, or id; a redshift, one of Z_NAMES; and optionally z_16, z_84 and
        z_spec. Upper and lower case are not distinguished.

    Returns
    -------
    Table
        id, z_16, z_50, z_84 and z_spec, a row for each source with a redshift; without a range, z_16 and z_84 are z_50.

    Raises
    ------
    ValueError
        Where a column is missing.
    """
    table = Table.read(path) if Path(path).suffix in (".fits", ".gz") else Table.read(path, format="ascii")
    table.rename_columns(table.colnames, [name.lower() for name in table.colnames])
    name = next((name for name in Z_NAMES if name in table.colnames), None)
    if name is None or not ({"ra", "dec"} <= set(table.colnames) or "id" in table.colnames):
        raise ValueError(
            f"{path} has no columns ra and dec, or id, with a redshift: it has {', '.join(table.colnames)}"
        )
    if {"ra", "dec"} <= set(table.colnames):
        here, there = (SkyCoord(each["ra"], each["dec"], unit="deg") for each in (catalog, table))
        row, apart, _ = here.match_to_catalog_sky(there)
        known = apart < SAME_PLACE * u.arcsec
    else:
        place = {id_dr3: number for number, id_dr3 in enumerate(table["id"].tolist())}
        row = np.array([place.get(id_dr3, 0) for id_dr3 in catalog["id"].tolist()])
        known = np.isin(catalog["id"], table["id"])

    def column(wanted, otherwise=np.nan):
        values = (
            np.ma.filled(np.ma.array(table[wanted], dtype=float), np.nan) if wanted in table.colnames else otherwise
        )
        return np.where(known, np.broadcast_to(values, len(table))[row], np.nan)

    z, low, high = (column(each) for each in (name, "z_16", "z_84"))
    low, high = (np.where(np.isfinite(limit), limit, z) for limit in (low, high))
    found = Table({"id": catalog["id"], "z_16": low, "z_50": z, "z_84": high, "z_spec": column("z_spec")})
    return found[np.isfinite(z)]


def one_redshift(catalog, redshift):
    """Table as of `match_redshifts` with one redshift for all sources; empty for None."""
    found = catalog["id",][: None if redshift is not None else 0]
    for name in ("z_16", "z_50", "z_84"):
        found[name] = np.full(len(found), np.nan if redshift is None else redshift)
    return found


def write_catalogs(folder, catalog, redshifts):
    """Write both catalogs under the names of UNCOVER; they are the last files of a field."""
    for name, table in ((data_paths.SPS_CATALOG, redshifts), (data_paths.SUPER_CATALOG, catalog)):
        save_fits(Path(folder) / name, fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table)]))
