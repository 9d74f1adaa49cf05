"""The sample of sources of a survey in which the registration of its bands is measured."""

import numpy as np

from helper_functions.registration.measure_shifts import WRONG_WCS

SOURCES = 48  # measured sources of a survey: shifts are known to 0.02 pixels or better
SMALLEST, LARGEST = 50, 6000  # pixels of their segments; in larger ones the sky is too far from the centre
MARGIN = 25  # pixels around a segment


def sample_of_sources(segments, shape, most):
    """Ids of sources to measure shifts in: the largest segments in each cell of a grid over the mosaic.

    `segments` are {id: Segment}, `shape` is that of the mosaic, `most` the largest number of sources.
    """
    sizes = {id_dr3: each.n_pixels for id_dr3, each in segments.items() if SMALLEST <= each.n_pixels <= LARGEST}
    side = max(int(np.sqrt(most / 2)), 1)
    parts = {}
    for id_dr3 in sorted(sizes, key=lambda id_dr3: (-sizes[id_dr3], id_dr3)):
        row, col = segment_centre(segments[id_dr3])
        parts.setdefault((int(side * row / shape[0]), int(side * col / shape[1])), []).append(id_dr3)
    ranked = [(rank, -sizes[id_dr3], id_dr3) for ids in parts.values() for rank, id_dr3 in enumerate(ids)]
    return [id_dr3 for *_, id_dr3 in sorted(ranked)[:most]]


def segment_centre(segment):
    """Row and column of the centre of a segment's bounding box."""
    return tuple((side.start + side.stop - 1) / 2 for side in segment[:2])


def without_other_segments(cutout):
    """The cutout without other sources in its segmap, as these may be in the sample, too."""
    return cutout._replace(segmap=np.where(cutout.segmap == cutout.id_dr3, cutout.segmap, 0))


def wcs_problem(found, n_sources, bands):
    """Error message if shifts in a `Registration` are so large that a WCS must be wrong; else empty."""
    wrong = np.flatnonzero(found.to_correct & (found.size > WRONG_WCS))
    if not wrong.size:
        return ""
    listed = ", ".join(f"{bands[band]} {found.size[band]:.1f} pixels" for band in wrong)
    return (
        f"bands are misregistered by more than {WRONG_WCS:g} pixels, measured in {n_sources} sources: {listed}. "
        "The WCS of these images must be wrong: correct it, remove the images, or use all images as they are with "
        "--registration none"
    )
