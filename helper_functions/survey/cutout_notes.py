"""Notes for a user on the data of a galaxy: missing data, and problems with its segment."""

import numpy as np
from scipy.ndimage import label

from helper_functions.sky_noise import band_list

MOST_IDS = 4  # listed in a sentence


def unmeasured_notes(unmeasured, bands):
    """Sentences on pixels with weights but without a measurement, a tuple.

    Parameters
    ----------
    unmeasured : bool ndarray of shape (n_bands, ny, nx)
    bands : sequence of str
    """
    n_pixels = unmeasured.sum(axis=(1, 2))
    if not n_pixels.any():
        return ()
    names = band_list(bands, n_pixels > 0, np.ones(len(bands), dtype=bool))
    some = f"up to {n_pixels.max()} of {unmeasured[0].size} pixels of the cutout"
    return (
        f"no measurement in spite of weights above 0 (one value in many pixels, or tiny or huge weights) in {names}: "
        f"{some}",
    )


def segment_notes(segment, sci, bands, at_edge):
    """Sentences on a segment that is cut, in pieces, or only partly covered by a band, a tuple.

    Parameters
    ----------
    segment : bool ndarray of shape (ny, nx)
    sci : ndarray of shape (n_bands, ny, nx)
        NaN where there is no data.
    bands : sequence of str
    at_edge : bool
        Whether the segment touches the edge of the mosaic.
    """
    notes = ["the segment is cut by the edge of the mosaic"] if at_edge else []
    pieces, n_pieces = label(segment, np.ones((3, 3)))  # pixels that touch at a corner are connected, as in detection
    if n_pieces > 1:
        sizes = np.sort(np.bincount(pieces[segment])[1:])[::-1]
        notes.append(f"the segment is in {n_pieces} pieces, of {', '.join(map(str, sizes[:4]))} pixels")
    lacking = np.isnan(sci[:, segment]).sum(axis=1)
    partly = (lacking > 0) & (lacking < segment.sum())
    if partly.any():
        names = band_list(bands, partly, lacking < segment.sum())
        notes.append(f"no data in {names} in up to {lacking[partly].max()} of {segment.sum()} pixels of the segment")
    return tuple(notes)


def neighbour_notes(ids, redshifts):
    """A sentence on neighbours that are excluded because they, or the galaxy itself, have no redshift; a tuple.

    Parameters
    ----------
    ids : sequence of int
        Of the galaxy, and of its neighbours that are not included.
    redshifts : dict
        Id -> z_low, z_middle, z_high.
    """
    own, *unknown = [not np.isfinite(redshifts.get(each, (np.nan,) * 3)[1]) for each in ids]
    if own and unknown:
        return ("no neighbours are included, as the galaxy has no redshift",)
    names = [str(each) for each, is_unknown in zip(ids[1:], unknown, strict=True) if is_unknown]
    more = f" and {len(names) - MOST_IDS} more" if len(names) > MOST_IDS else ""
    return (f"neighbours without redshift are not included: {', '.join(names[:MOST_IDS])}{more}",) if names else ()


def edges_touched(box, shape):
    """Whether a box, a pair of slices (rows, columns), reaches an edge of a mosaic of that shape."""
    return any(side.start == 0 or side.stop == size for side, size in zip(box, shape, strict=True))
