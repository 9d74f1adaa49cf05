"""How the noise of neighbouring pixels is correlated: drizzling and PSF matching spread it over an area."""

import numpy as np
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.signal import fftconvolve
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

REACH = 6.0  # pixels: beyond it neither drizzling nor PSF matching correlates noise
FAR_FROM_SOURCES = 8  # pixels from the segments: nearer, the faint light of sources is no noise
SMOOTH_SKY = 25.0  # pixels, standard deviation: what is smoother than this is background, not noise
ENOUGH_SKY = 400  # pixels


def links_within(positions, reach, weight=np.ones_like):
    """Links between pixels not farther apart than `reach`, sparse and symmetric, of shape (n_pixels, n_pixels).

    Parameters
    ----------
    positions : ndarray of shape (n_pixels, 2)
        Rows and columns.
    reach : float
        Pixels.
    weight : callable
        Of the distances, gives the weights of the links.
    """
    i, j = cKDTree(positions).query_pairs(reach, output_type="ndarray").T
    value = weight(np.linalg.norm(positions[i] - positions[j], axis=1).astype(float))
    shape = len(positions), len(positions)
    return coo_array((np.tile(value, 2), (np.append(i, j), np.append(j, i))), shape=shape).tocsr()


def area_of_residuals(residual, positions):
    """Area over which residuals are correlated: mean of their products with those of all pixels around.

    Parameters
    ----------
    residual : ndarray of shape (n_pixels, n_bands)
        In units of the errors.
    positions : ndarray of shape (n_pixels, 2)

    Returns
    -------
    area : ndarray of shape (n_bands,)
        Pixels: the variance of a mean over many pixels is their error^2 times this over their number.
    """
    return np.mean(residual * (residual + links_within(positions, REACH) @ residual), axis=0)


def area_of_sky(sci, err, segmap):
    """Area over which noise is correlated, as `area_of_residuals`, measured where there is no source.

    Parameters
    ----------
    sci, err : ndarray of shape (n_bands, ny, nx)
        NaN where there is no data.
    segmap : int ndarray of shape (ny, nx)
        0 for sky.

    Returns
    -------
    area : ndarray of shape (n_bands,)
        Pixels; NaN in bands with less than ENOUGH_SKY pixels of sky.
    """
    sky = ~binary_dilation(segmap != 0, iterations=FAR_FROM_SOURCES)
    y, x = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    disc = (np.hypot(y, x) <= REACH).astype(float)
    areas = np.full(len(sci), np.nan)
    for band, (image, error) in enumerate(zip(sci, err, strict=True)):
        usable = sky & np.isfinite(image) & np.isfinite(error)
        if usable.sum() < ENOUGH_SKY:
            continue
        noise = np.where(usable, image / np.where(usable, error, 1), 0)
        weight = gaussian_filter(usable.astype(float), SMOOTH_SKY)
        smooth = gaussian_filter(noise, SMOOTH_SKY) / np.maximum(weight, np.finfo(float).tiny)
        noise = np.where(usable, noise - smooth, 0)
        # A pixel near the edge of the sky has fewer around it, which is made up for by their number.
        around = fftconvolve(usable.astype(float), disc, mode="same")
        products = noise * fftconvolve(noise, disc, mode="same")
        variance = np.sum(noise**2)
        cross = np.sum(products) - variance
        pairs = np.sum(around[usable] - 1)
        areas[band] = variance / usable.sum() + cross / max(pairs, 1) * (disc.sum() - 1)
    return areas


def draw_noise(seds, rng):
    """Noise as the errors say, drawn anew, shape (n_pixels, n_bands); 0 where there is no data.

    Parameters
    ----------
    seds : PixelSEDs
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        10 nJy per pixel.
    """
    return np.nan_to_num(seds.error) * rng.standard_normal(seds.flux.shape)


def with_noise_on_top(seds, rng):
    """The same SEDs with noise drawn anew (see `draw_noise`) on top of that which they have; not in place."""
    return seds._replace(flux=seds.flux + draw_noise(seds, rng))
