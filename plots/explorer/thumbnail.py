"""Thumbnail of a galaxy for the list: three-colour image and label map, side by side."""

import numpy as np

from plots.style import colour_image, label_image

SIDE = 96  # pixels, of either image
HALF_WIDTH = 0.6  # of an image, in units of the larger extent of the galaxy


def thumbnail(cutout, labels, regions):
    """Draw the thumbnail of a galaxy.

    Parameters
    ----------
    cutout : Cutout
    labels : ndarray of shape (ny, nx)
        0 not selected, 1..n_clusters, -1 in no cluster; some are selected.
    regions : ndarray of shape (n_clusters,)
        Number of the region of each cluster, which sets its colour.

    Returns
    -------
    ndarray of shape (SIDE, 2 SIDE, 3)
        uint8. The first row is the top of the picture, with the last row of the galaxy.
    """
    coloured = label_image(labels, regions)
    images = colour_image(cutout, labels != 0) / 255, coloured[..., :3] * coloured[..., 3:]
    rows, cols = np.nonzero(labels)
    half = int(np.ceil(HALF_WIDTH * (max(np.ptp(rows), np.ptp(cols)) + 1)))
    middle = (rows.min() + rows.max()) // 2, (cols.min() + cols.max()) // 2
    window = tuple(slice(at, at + 2 * half + 1) for at in middle)  # of images padded by `half` on each side
    around = (half, half), (half, half), (0, 0)
    drawn = [resized(np.pad(image, around)[window][::-1]) for image in images]
    return np.round(255 * np.concatenate(drawn, axis=1)).astype(np.uint8)


def resized(image, side=SIDE):
    """Resize an image (ny, nx, 3) to (side, side, 3) by averaging pixels, or repeating them where they are fewer."""
    for axis in (0, 1):
        length = image.shape[axis]
        starts = np.arange(side) * length // side
        counts = np.maximum(np.diff([*starts, length]), 1)
        image = np.add.reduceat(image, starts, axis=axis) / counts.reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return image
