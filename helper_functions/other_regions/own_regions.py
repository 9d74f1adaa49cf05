"""A user's own regions, such as a published segmentation, in place of the clusters of a method."""

import numpy as np

from helper_functions.clustering import Clustering, labels_by_size, relabel
from helper_functions.pixel_seds import select_complete

MOST_NAMED = 5  # regions listed in a sentence


class NoRegions(ValueError):
    """No region has a selected pixel of the galaxy."""

    status = "no regions"


def clustering_of_regions(seds, regions, notes=()):
    """`Clustering` of the selected pixels by the regions that contain them.

    Parameters
    ----------
    seds : PixelSEDs
        Of the selected pixels.
    regions : dict
        Name of a region -> bool ndarray of shape (ny, nx), its pixels. A pixel in several regions belongs to the first.
    notes : sequence of str
        Notes on the region file.

    Returns
    -------
    Clustering
        Labels are ordered by decreasing number of selected pixels, and `names` likewise. Pixels in no region
        are unassigned.

    Raises
    ------
    NoRegions
        If there are no regions, or no selected pixel is in one.
    """
    here = {name: mask for name, mask in regions.items() if mask.any()}
    if not here:
        raise NoRegions("; ".join(["no region is near the galaxy", *notes]))
    names, masks = list(here), np.array(list(here.values()))
    labels = np.where(masks.any(axis=0), masks.argmax(axis=0), -1)[seds.rows, seds.cols]
    if (labels < 0).all():
        raise NoRegions("; ".join([f"none of {len(seds.rows)} selected pixels is in a region", *notes]))
    inside = masks[:, seds.rows, seds.cols]
    left, shared = masks.any(axis=0).sum() - inside.any(axis=0).sum(), inside.sum(axis=0) > 1
    found = [*notes]
    if len(here) < len(regions):
        found.append(f"{len(regions) - len(here)} of {len(regions)} regions are elsewhere")
    if left:
        found.append(f"{left} pixels inside the regions are not selected, and left out")
    if shared.any():
        losers = [names[number] for number, mask in enumerate(inside) if (labels[mask] != number).any()]
        found.append(f"{shared.sum()} pixels of {_listed(losers)} are in an earlier region, too, which keeps them")
    order = labels_by_size(labels)
    if empty := [name for number, name in enumerate(names) if number not in order]:
        found.append(f"no selected pixel is left for {_listed(empty)}")
    complete, used = select_complete(seds.flux)
    return Clustering(
        labels=relabel(labels, order),
        n_clusters=len(order),
        k_choice="given",
        bands_used=used,
        n_incomplete=0,
        when_large="",
        probability=None,
        scores={},
        k_range=None,
        k_notes=found,
        complete=complete,
        names=tuple(names[number] for number in order),
    )


def _listed(names):
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}"
