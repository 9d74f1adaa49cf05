"""The clusters of a run as DS9 regions: polygons on the sky along the edges of their pixels."""

import re

import numpy as np
import shapely
from matplotlib.colors import to_hex
from regions import PolygonSkyRegion, RegionMeta, Regions, RegionVisual

from helper_functions.survey.mosaics import row_runs

DECIMALS = 8  # of degrees: 4e-5 arcsec, a thousandth of a pixel
EXCLUDED = " include=0"  # as the package `regions` marks excluded regions


def ds9_text(labels, wcs, colours, title):
    """Content of a DS9 region file with the clusters of a label image.

    Parameters
    ----------
    labels, wcs, colours
        As for `cluster_regions`.
    title : str
        Comment in the second line.

    Returns
    -------
    str
        Holes are excluded polygons, written as `-polygon`. To select a cluster, apply only the polygons with its tag,
        in their order, because holes of a cluster may be filled by other clusters.
    """
    text = cluster_regions(labels, wcs, colours).serialize(format="ds9", precision=DECIMALS)
    first, *lines = text.splitlines() or ["# Region file format: DS9 astropy/regions"]  # without clusters
    lines = [_in_order(line) for line in lines]
    lines = [f"-{line.replace(EXCLUDED, '')}" if EXCLUDED in line else line for line in lines]
    return "\n".join([first, f"# {' '.join(title.split())}", *lines]) + "\n"


def cluster_regions(labels, wcs, colours):
    """Polygons on the sky along the pixel edges of each cluster.

    Parameters
    ----------
    labels : int ndarray of shape (ny, nx)
        1..n_clusters; pixels with 0 or -1 are in no cluster.
    wcs : WCS
        Celestial WCS of the image, with or without distortion.
    colours : sequence of length n_clusters
        Colours of the clusters, as matplotlib takes them.

    Returns
    -------
    Regions
        `PolygonSkyRegion` in ICRS: one for each connected piece of a cluster (pixels that touch only at a corner are
        not connected), followed by one with meta `include` = 0 for each of its holes, and then by pieces within
        holes. Each polygon has the colour of its cluster, the label as text, and the tag "cluster <label>".

    Raises
    ------
    ValueError
        If a label has no colour.
    """
    if labels.max(initial=0) > len(colours):
        raise ValueError(f"labels go up to {labels.max()}, but there are {len(colours)} colours: give one per cluster")
    rings = [(label, *ring) for label in range(1, len(colours) + 1) for ring in rings_of(labels == label)]
    if not rings:
        return Regions([])
    ends = np.cumsum([len(vertices) for *_, vertices in rings])
    sky = wcs.pixel_to_world(*np.concatenate([vertices for *_, vertices in rings]).T).icrs  # one call for all is faster
    return Regions(
        [
            _polygon(sky[end - len(vertices) : end], label, is_hole, colours[label - 1])
            for (label, is_hole, vertices), end in zip(rings, ends, strict=True)
        ]
    )


def rings_of(mask):
    """Outlines of the connected pieces of a mask, the largest first, each followed by those of its holes.

    Parameters
    ----------
    mask : bool ndarray of shape (ny, nx)

    Yields
    ------
    is_hole : bool
    vertices : ndarray of shape (n_vertices, 2)
        Corners of pixels in x and y; the centre of the pixel in row i and column j is at x = j, y = i.
    """
    _, rows, starts, ends = row_runs(mask)
    pixels = shapely.union_all(shapely.box(starts - 0.5, rows - 0.5, ends - 0.5, rows + 0.5))
    pieces = shapely.get_parts(shapely.simplify(pixels, 0))  # removes vertices within straight edges
    filled = shapely.area(shapely.polygons(shapely.get_exterior_ring(pieces)))
    for piece in pieces[np.argsort(-filled, kind="stable")]:  # a piece within a hole of another is smaller than it
        for number, ring in enumerate((piece.exterior, *piece.interiors)):
            yield number > 0, np.array(ring.coords[:-1])  # the last vertex repeats the first


def _in_order(line):
    """A "global" line with its properties sorted, as their order is random in the package."""
    if not line.startswith("global "):
        return line
    return " ".join(["global", *sorted(re.findall(r"\w+=(?:\{[^}]*\}|\S+)", line))])


def _polygon(vertices, label, is_hole, colour):
    meta = RegionMeta({"text": str(label), "tag": [f"cluster {label}"]})
    if is_hole:
        meta["include"] = 0
    return PolygonSkyRegion(vertices, meta, RegionVisual({"color": to_hex(colour), "linewidth": 2}))
