"""A galaxy in a nutshell, for the list of all galaxies: its three-colour image and its label map, side by side."""

import numpy as np

from plots.style import colour_image, label_image

SIDE = 96  # pixels of each of the two
AROUND = 0.6  # of its larger extent, from the middle of the galaxy to each edge


def thumbnail(cutout, labels, regions):
    """Draw the thumbnail of a galaxy.

    Parameters
    ----------
    cutout : Cutout
    labels : ndarray of shape (ny, nx)
        0 not selected, 1..n_clusters, -1 in no cluster; some are selected.
    regions : ndarray of shape (n_clusters,)
        What the colours of the clusters go by.

    Returns
    -------
    ndarray of shape (SIDE, 2 SIDE, 3)
        uint8, the first row at the top, where the pixels of the galaxy with the highest row are.
    """
    coloured = label_image(labels, regions)
    images = colour_image(cutout, labels != 0) / 255, coloured[..., :3] * coloured[..., 3:]
    rows, cols = np.nonzero(labels)
    half = int(np.ceil(AROUND * (max(np.ptp(rows), np.ptp(cols)) + 1)))
    middle = (rows.min() + rows.max()) // 2, (cols.min() + cols.max()) // 2
    window = tuple(slice(at, at + 2 * half + 1) for at in middle)  # of images that are wider by half on all sides
    around = (half, half), (half, half), (0, 0)
    drawn = [resized(np.pad(image, around)[window][::-1]) for image in images]
    return np.round(255 * np.concatenate(drawn, axis=1)).astype(np.uint8)


def resized(image, side=SIDE):
    """An image (ny, nx, 3) as (side, side, 3): means of the pixels that fall into each, or, of few, each repeated."""
    for axis in (0, 1):
        length = image.shape[axis]
        starts = np.arange(side) * length // side
        counts = np.maximum(np.diff([*starts, length]), 1)
        image = np.add.reduceat(image, starts, axis=axis) / counts.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return image
