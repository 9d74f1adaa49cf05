"""Notes for a user on the data of a galaxy: missing data, and problems with its segment."""

import numpy as np
from scipy.ndimage import label

from helper_functions.sky_noise import band_list

MOST_IDS = 4  # listed in a sentence
CORE = 9  # pixels, about the area of the PSF
SMALLEST_PIECE = 10  # pixels, about the area of the PSF: smaller pieces hold noise, or what deblending left over


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
        "no measurement in spite of weights above 0 (exact zeros, another value in many pixels, or tiny or huge "
        f"weights) in {names}: {some}",
    )


def segment_notes(segment, sci, bands, at_edge):
    """Sentences on a segment that is cut, in pieces, or only partly covered by a band, a tuple.

    The core, which matters most, is its CORE pixels with the highest median flux over the bands without gaps.

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
    sizes = np.sort(np.bincount(pieces[segment])[1:])[::-1]
    if n_pieces > 1 and sizes[1] >= SMALLEST_PIECE:
        notes.append(f"the segment is in {n_pieces} pieces, of {', '.join(map(str, sizes[:4]))} pixels")
    lacking = np.isnan(sci[:, segment]).sum(axis=1)
    partly = (lacking > 0) & (lacking < segment.sum())
    if partly.any():
        here = lacking < segment.sum()
        where = f"{band_list(bands, partly, here)} in up to {lacking[partly].max()} of {segment.sum()} pixels"
        core = here & (np.isnan(sci[:, segment][:, core_pixels(sci[:, segment], lacking)]).mean(axis=1) >= 0.5)
        names = "" if (core == partly).all() else f" in {band_list(bands, core, here)}"
        notes.append(f"no data in {where} of the segment" + (f", among them its core{names}" if core.any() else ""))
    return tuple(notes)


def core_pixels(flux, lacking):
    """Indices of the CORE pixels with the highest median flux over the bands that lack the fewest, `lacking`.

    `flux` is (n_bands, n_pixels), NaN where there is no data; bands with gaps in the core cannot tell where it is.
    """
    known = flux[lacking == lacking.min()]
    median = np.full(flux.shape[1], -np.inf)
    has_data = np.isfinite(known).any(axis=0)
    median[has_data] = np.nanmedian(known[:, has_data], axis=0)
    return np.argsort(-median, kind="stable")[:CORE]


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
