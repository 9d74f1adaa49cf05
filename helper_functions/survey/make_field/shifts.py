"""Registration of the bands of a field, measured in its sources as for any survey."""

import numpy as np
from astropy.table import Table

from helper_functions.files.saving import save_table
from helper_functions.filters import pivot_wavelength
from helper_functions.pixel_seds import Cutout
from helper_functions.registration.measure_shifts import measure_sources
from helper_functions.registration.sample import MARGIN, sample_of_sources, segment_centre, wcs_problem
from helper_functions.registration.shifts import combine_sources
from helper_functions.sky_noise import with_sky_noise
from helper_functions.survey.images import mask_missing
from helper_functions.survey.make_field.matching import part_of
from helper_functions.survey.mosaics import find_segments, read_segmap, read_window

SOURCES = 24  # in which shifts are measured


def measure_field_shifts(segmap, ids, images):
    """Measure the shifts between the bands of a field.

    Parameters
    ----------
    segmap : Mosaic
    ids : sequence of int
        Of its sources.
    images : dict
        Band -> image and weights, each a Mosaic.

    Returns
    -------
    shifts : dict
        Band -> shift of its sources, (rows, columns) in pixels; 0 if too small to be corrected.
    n_sources : int
        Number of measured sources.

    Raises
    ------
    ValueError
        If a shift is so large that a WCS must be wrong.
    """
    segments = find_segments(segmap, ids)
    cutouts = [
        cut_source(segmap, images, id_dr3, segments[id_dr3])
        for id_dr3 in sample_of_sources(segments, segmap.shape, SOURCES)
    ]
    none = dict.fromkeys(images, (0.0, 0.0))
    if not cutouts:
        return none, 0
    places = np.array([segment_centre(segments[cutout.id_dr3]) for cutout in cutouts])
    sources = measure_sources(cutouts, places)
    if not len(sources.rows):
        return none, 0
    found = combine_sources(sources)
    if problem := wcs_problem(found, len(sources.rows), tuple(images)):
        raise ValueError(problem)
    moved = np.where(found.to_correct[:, None], found.shift, 0)
    return {band: tuple(map(float, np.round(shift, 4))) for band, shift in zip(images, moved, strict=True)}, len(
        sources.rows
    )


def cut_source(segmap, images, id_dr3, segment):
    """`Cutout` of a source with the sky around it, without other sources."""
    window = tuple(
        slice(max(side.start - MARGIN, 0), min(side.stop + MARGIN, size))
        for side, size in zip(segment[:2], segmap.shape, strict=True)
    )
    planes = [mask_missing(read_window(sci, window), read_window(wht, window)) for sci, wht in images.values()]
    sci, err = (np.array(each) for each in zip(*planes, strict=True))
    ids = read_segmap(segmap, window)
    other = (ids > 0) & (ids != id_dr3)
    waves = np.array([pivot_wavelength(band) for band in images])
    cutout = Cutout(id_dr3, np.nan, tuple(images), waves, sci, err, ids, (id_dr3,), part_of(segmap.wcs, window))
    cutout = with_sky_noise(cutout)
    return cutout._replace(segmap=np.where(other, 0, ids))


def write_shifts(path, shifts, made_of, n_sources):
    """Save measured shifts, with the digest of their input."""
    rows = [(band, *shift) for band, shift in shifts.items()]
    table = Table(rows=rows, names=("band", "shift_y", "shift_x"), meta={"made_of": made_of, "n_sources": n_sources})
    save_table(path, table)


def read_shifts(path, made_of):
    """Shifts saved by `write_shifts`, {band: (rows, columns)}; None if their input was another."""
    try:
        table = Table.read(path, format="ascii.ecsv")
        if table.meta.get("made_of") == made_of:
            return {row["band"]: (float(row["shift_y"]), float(row["shift_x"])) for row in table}
    except (OSError, KeyError, ValueError):
        pass
    return None
