"""Values that stand for missing data in an image whose weights say nothing of it."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

FILL_PIXELS = 20, 200  # connected pixels with the same value that are not noise, in floats and in rounded images
ROUNDED = 0.1  # fraction of pixels in smaller patches of one value: 0 in floats, 0.5 if rounded to a quarter of noise
FAINTEST = 0.01  # fraction of the pixels, whose range of values 0 must be below to be missing data over a background
REPEATED = 0.02  # fraction of pixels that share their value: rounding makes 0.35 of them for each exact zero in noise


def constant_patches(image):
    """Pixels in connected patches with the same value, such as a fill value, which are not measurements.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)

    Returns
    -------
    bool ndarray of shape (ny, nx)
        True in patches of at least FILL_PIXELS pixels that touch along their sides. In images rounded to up to
        half of their noise, such as integers, correlated noise makes patches smaller than the second number.
    """
    number, pairs = np.arange(image.size).reshape(image.shape), []
    for axis in range(image.ndim):
        along, numbers = (np.moveaxis(each, axis, 0) for each in (image, number))
        same = along[1:] == along[:-1]
        pairs.append((numbers[:-1][same], numbers[1:][same]))
    ones, others = (np.concatenate(each) for each in zip(*pairs, strict=True))
    if len(ones) < FILL_PIXELS[0] - 1:
        return np.zeros(image.shape, dtype=bool)
    links = coo_array((np.ones(len(ones), dtype=bool), (ones, others)), shape=(image.size, image.size))
    _, patch = connected_components(links, directed=False)
    n_pixels = np.bincount(patch)[patch].reshape(image.shape)
    is_rounded = np.mean((n_pixels > 1) & (n_pixels < FILL_PIXELS[0])) > ROUNDED
    return n_pixels >= FILL_PIXELS[int(is_rounded)]


def zeros_in_noise(image, measured):
    """Pixels that are exactly 0 where noise makes no zeros, so that these stand for missing data.

    In n pixels of Gaussian noise, rounded to steps of s times its standard deviation, 0.40 n s pixels are 0, and
    0.14 n^2 s pairs have the same value. So zeros are noise where many other values repeat, as in coarsely rounded
    images; and they may be true where no pixel is negative, because there is no noise, unless they are far below all
    other values, because there is a background.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
    measured : bool ndarray of shape (ny, nx)
        Pixels that are not missing otherwise.

    Returns
    -------
    bool ndarray of shape (ny, nx)
        True in at least two pixels, as one may have the value of a background that was subtracted; or in none.
    """
    zero = measured & (image == 0)
    others = image[measured & ~zero]
    if zero.sum() < 2 or not others.size or 1 - len(np.unique(others)) / len(others) > REPEATED:
        return np.zeros(image.shape, dtype=bool)
    lowest, low = np.quantile(others, (0, FAINTEST))
    return zero & (lowest < 0 or lowest > low - lowest)
