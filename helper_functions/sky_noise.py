"""Sky background and noise measured around a galaxy, because weight images often misstate the noise."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from helper_functions.noise import CORRELATION_REACH, correlation_area, lagged_products, lags
from helper_functions.psf import PIXEL, arcsec_to_pixels
from helper_functions.registry import choose

SOURCE_DISTANCE = 0.32  # arcsec from all segments: nearer, the wings of sources exceed the background
MIN_SKY_AREA = 1.6  # arcsec^2, 1,000 pixels of 40 mas: 25 independent areas of 40 pixels give the scatter to 14%
CLIP = 4.0  # sigma: pixels beyond are undetected sources or bad pixels
PLANE_ITERATIONS = 5  # of the clipping while a plane is fitted
MAD_TO_SIGMA = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
MISSTATED = 1.5  # factor by which stated errors may be off before a note is written
UNIT_MISTAKE = 30.0  # factor that neither depth nor smoothing explains
STRIPES = (0.16, 0.4)  # arcsec, smallest and largest lag at which rows and columns are compared
STRIPED = 0.5  # difference of the correlations along rows and along columns
FAR_LAGS = 0.8  # fraction of the largest lag: beyond it the noise of drizzled images is uncorrelated
STRUCTURED = 0.3  # correlation there
BESIDE = 0.6  # arcsec, width of the annulus of sky around a source, from SOURCE_DISTANCE outwards
IMPRINT = 1.2  # factor by which stated errors are smaller on a source: above the variation by dithers and drizzling
DEEPEST_PERCENT = 5.0  # percentile of the errors in the annulus: a deeper strip or corner is found
MIN_SOURCE_PIXELS = 40  # fewer do not give reliable medians of quarters
LIGHT_SMOOTHING = 0.04  # arcsec, standard deviation, for the source's photon noise; the PSF has 0.06
BRIGHT = 30.0  # times the sky noise: photon noise of such a pixel may equal the sky noise, see `photon_note`


class SkyNoise(NamedTuple):
    """Sky background and noise of each band, measured around a galaxy. NaN where not measured."""

    n_sky: np.ndarray  # (n_bands,), sky pixels
    background: np.ndarray  # (n_bands,), 10 nJy per pixel, median of the sky
    background_err: np.ndarray  # (n_bands,), from the medians of four parts of the sky
    scatter: np.ndarray  # (n_bands,), standard deviation of the sky from the MAD, 10 nJy per pixel
    scale: np.ndarray  # (n_bands,), the same for flux over stated error: 1 where the errors are right
    correlation: np.ndarray  # (n_bands, n_lags), correlation function of the noise at lags of 0, 1, 2, ... pixels
    striped: np.ndarray  # (n_bands,), correlation along rows less that along columns
    beside: np.ndarray  # (n_bands,), stated sky error near a source that is imprinted in the weights, else NaN; 10 nJy
    peak: np.ndarray  # (n_bands,), flux of the brightest source pixel over the sky noise there

    @property
    def known(self):
        """Whether each band was measured, bool, (n_bands,)."""
        return np.isfinite(self.scale)

    @property
    def area(self):
        """Correlation area of the noise of each band in pixels, (n_bands,)."""
        return correlation_area(self.correlation, CORRELATION_REACH / max(self.reach, 1))

    @property
    def reach(self):
        """The largest lag, CORRELATION_REACH in pixels."""
        return self.correlation.shape[1] - 1

    @property
    def misstated(self):
        """Whether the stated errors of each band are off by more than MISSTATED, bool, (n_bands,)."""
        return self.known & (np.abs(np.log(self.scale)) > np.log(MISSTATED))

    def with_bands_from(self, other, bands):
        """A copy with these bands (an index) replaced by another measurement, which has only them."""
        result = SkyNoise(*(values.copy() for values in self))
        for values, others in zip(result, other, strict=True):
            values[bands] = others
        return result


# ---- measuring --------------------------------------------------------------


def measure_sky(sci, err, segmap, pixel=PIXEL, source=None):
    """Measure background and noise of each band in the sky.

    Errors may vary over the sky with the exposure time: scale and correlation are those of flux over stated error.

    Parameters
    ----------
    sci, err : ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel; NaN where there is no data.
    segmap : int ndarray of shape (ny, nx)
        0 for sky.
    pixel : float
        Arcsec, side.
    source : int or None
        The galaxy's id in the segmap, for `beside` and `peak`, which are measured for this source only.

    Returns
    -------
    SkyNoise
        NaN in bands with less sky than MIN_SKY_AREA; where the sky is constant, only the background is measured.
    """
    far = sky_mask(segmap, pixel)
    inside, ring = _source_and_ring(segmap, far, pixel, source)
    columns = []
    for image, error in zip(sci, err, strict=True):
        measured = _measure_band(image, error, far, pixel)
        background, scale = measured[1], measured[4]
        columns.append((*measured, *_measure_source(image - background, error, inside, ring, scale)))
    return SkyNoise(*(np.array(values) for values in zip(*columns, strict=True)))


def sky_mask(segmap, pixel=PIXEL):
    """Mask of the sky pixels of a segmap, far from all sources; `pixel` is the pixel scale in arcsec."""
    is_source = segmap > 0  # neither NaN nor a negative code is one
    if not is_source.any():
        return np.ones(segmap.shape, dtype=bool)
    return distance_transform_edt(~is_source) > arcsec_to_pixels(SOURCE_DISTANCE, pixel)


def min_sky_pixels(pixel=PIXEL):
    """Smallest number of sky pixels in which noise is measured."""
    return round(MIN_SKY_AREA * arcsec_to_pixels(1, pixel) ** 2)


def _measure_band(image, error, far, pixel):
    sky, reach = far & np.isfinite(image) & np.isfinite(error), round(arcsec_to_pixels(CORRELATION_REACH, pixel))
    unknown = sky.sum(), *4 * [np.nan], np.full(reach + 1, np.nan), np.nan
    if sky.sum() < min_sky_pixels(pixel):
        return unknown
    background, scatter = median_and_mad_std(image[sky])
    relative = np.where(sky, image.astype(float) - background, 0) / np.where(sky, error, 1)
    _, scale = median_and_mad_std(relative[sky])
    if not (scatter > 0 and scale > 0):
        return sky.sum(), background, 0.0, *unknown[3:]
    noise = np.where(np.abs(relative) < CLIP * scale, relative, 0)
    correlation, striped = noise_autocorrelation(noise, sky & (np.abs(relative) < CLIP * scale), pixel)
    return sky.sum(), background, _background_error(image, sky), scatter, scale, correlation, striped


def median_and_mad_std(values):
    """Median, and standard deviation from the median absolute deviation (MAD) for a Gaussian."""
    middle = np.median(values)
    return float(middle), float(MAD_TO_SIGMA * np.median(np.abs(values - middle)))


def _source_and_ring(segmap, far, pixel, source):
    """Masks of the source with this id and of the sky annulus around it; both empty where there is no such source."""
    inside = np.zeros(segmap.shape, dtype=bool) if source is None else segmap == source
    if not inside.any():
        return inside, inside
    return inside, far & (distance_transform_edt(~inside) <= arcsec_to_pixels(SOURCE_DISTANCE + BESIDE, pixel))


def _measure_source(light, error, inside, ring, scale):
    """Stated sky error near the source if it is imprinted in the weights, and its peak SNR; NaN where not known."""
    inside, ring = inside & np.isfinite(light) & np.isfinite(error), ring & np.isfinite(error)
    if not (np.isfinite(scale) and inside.any()):
        return np.nan, np.nan
    peak = float(np.max(light[inside] / error[inside]) / scale)
    return imprint_sky_error(light[inside], error[inside], error[ring]), peak


def imprint_sky_error(light, error, beside):
    """Stated error of the sky near a source whose errors are too small, as the source is imprinted in the weights.

    Weights estimated from an image that contains the source may give it smaller errors than the sky, while its photon
    noise makes them larger. Deeper exposures have smaller errors, too, but equally on faint and on bright parts of the
    source, or in a part of the sky around it. So the median error of the brightest quarter of the source is compared
    with that of its faintest quarter, and with the DEEPEST_PERCENT percentile of the sky around it. An imprint on a
    source across an edge in depth may be missed.

    Parameters
    ----------
    light, error : ndarray of shape (n_pixels,)
        Of the source, any one unit.
    beside : ndarray of shape (n_sky,)
        Errors of the sky around it.

    Returns
    -------
    float
        The DEEPEST_PERCENT percentile of `beside`; NaN where there is no imprint, or too few pixels.
    """
    quarter = len(light) // 4
    if len(light) < MIN_SOURCE_PIXELS or len(beside) < MIN_SOURCE_PIXELS:
        return np.nan
    by_light = error[np.argsort(light, kind="stable")]
    faint, bright, sky = (
        np.median(by_light[:quarter]),
        np.median(by_light[-quarter:]),
        np.percentile(beside, DEEPEST_PERCENT),
    )
    return float(sky) if IMPRINT * bright < min(faint, sky) else np.nan


def _background_error(image, sky):
    """Standard error of the background, from the scatter of the medians of four quarters of the sky."""
    rows, cols = np.nonzero(sky)
    quarter = 2 * (rows > np.median(rows)) + (cols > np.median(cols))
    medians = [np.median(image[rows[quarter == k], cols[quarter == k]]) for k in np.unique(quarter)]
    return float(np.std(medians, ddof=1) / np.sqrt(len(medians))) if len(medians) > 1 else np.nan


def noise_autocorrelation(noise, sky, pixel=PIXEL):
    """Correlation function of noise, and the excess of the correlation along rows over that along columns.

    Parameters
    ----------
    noise : ndarray of shape (ny, nx)
        0 outside of the sky.
    sky : bool ndarray of shape (ny, nx)
    pixel : float
        Arcsec, side.

    Returns
    -------
    correlation : ndarray of shape (n_lags,)
        At 0, 1, 2, ... pixels, up to CORRELATION_REACH.
    striped : float
    """
    noise = np.where(sky, noise - noise[sky].mean(), 0)
    middle, nearest, farthest = (round(arcsec_to_pixels(each, pixel)) for each in (CORRELATION_REACH, *STRIPES))
    products, pairs = (lagged_products(each, each, middle) for each in (noise, sky.astype(float)))
    lag = lags(middle)
    inside = lag <= middle
    by_lag = [np.bincount(lag[inside], each[inside]) for each in (products, pairs)]
    correlation = np.divide(*by_lag, out=np.zeros(middle + 1), where=by_lag[1] > 0.5)
    apart = middle + np.arange(nearest, farthest + 1)
    along, across = (each.sum() for each in (products[middle, apart], products[apart, middle]))
    n_along, n_across = (max(each.sum(), 1) for each in (pairs[middle, apart], pairs[apart, middle]))
    return correlation / correlation[0], float((along / n_along - across / n_across) / correlation[0])


# ---- using ------------------------------------------------------------------


def measured_errors(cutout):
    """Stated errors times the scale measured in the sky, with the photon noise of the source where it is known.

    A galaxy with a longer exposure than the sky around it keeps its smaller errors. Only where the source is imprinted
    in the weights, errors on it are raised to at least those of the sky around it.

    Photon noise is added where the number of electrons is known, see `photon_noise`. Whether the weights include it
    already cannot be told in general. If they do, it is counted twice, and errors are up to sqrt(2) too large: a survey
    with such weights has `electrons=0` in its description.
    """
    noise = cutout.noise
    scale, beside = (values[:, None, None] for values in (noise.scale, noise.beside))
    of_source = np.isin(cutout.segmap, cutout.members) & np.isfinite(beside)
    stated = np.where(of_source, np.maximum(cutout.err, beside), cutout.err)
    measured = np.hypot(stated * scale, photon_noise(cutout))
    return np.where(np.isfinite(scale), measured, cutout.err).astype(cutout.err.dtype)


def photon_noise(cutout):
    """Photon noise of the source in each pixel, sqrt(light / electrons per 10 nJy / area).

    Drizzling and PSF matching smooth the photon noise of a source like that of the sky: they divide the variance of a
    pixel by the correlation `area` of the sky noise. The sum over many pixels then has the variance of its electrons.
    (The `scale` does not measure the smoothing, as it includes errors of the weights.)

    Parameters
    ----------
    cutout : Cutout
        With its `noise`, before the background is subtracted.

    Returns
    -------
    ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel; 0 outside of segments, and in bands with unknown electrons or noise.
    """
    noise = np.zeros(cutout.sci.shape)
    electrons = np.full(len(noise), np.nan) if cutout.electrons is None else cutout.electrons
    for band in np.flatnonzero(np.isfinite(electrons) & cutout.noise.known):
        light = smoothed_light(cutout.sci[band] - cutout.noise.background[band], cutout.pixel) * (cutout.segmap > 0)
        noise[band] = np.sqrt(light / electrons[band] / max(cutout.noise.area[band], 1))
    return noise


def smoothed_light(image, pixel=PIXEL):
    """Image smoothed by less than the PSF, and not negative, shape (ny, nx); only for the photon noise.

    Errors must not be correlated with the noise of the flux: weighted means would be biased low.
    """
    data, width = np.isfinite(image), arcsec_to_pixels(LIGHT_SMOOTHING, pixel)
    light, weight = (gaussian_filter(each, width, mode="nearest") for each in (np.where(data, image, 0.0), data * 1.0))
    return np.maximum(np.divide(light, weight, out=np.zeros(image.shape), where=data), 0)


ERRORS = {"measured": measured_errors, "stated": lambda cutout: cutout.err}


def _with_level(cutout):
    """The cutout, and the background of each band, (n_bands,); 0 if not measured."""
    return cutout, np.nan_to_num(cutout.noise.background)


def without_slope(cutout):
    """A copy with the slopes of the background subtracted, and the noise measured again.

    A plane is fitted to the sky in each band, with iterative clipping at CLIP; the subtracted plane is 0 at the centre
    of the galaxy. Bands with too little sky in the cutout are unchanged.
    """
    sky, (rows, cols) = sky_mask(cutout.segmap, cutout.pixel), np.indices(cutout.segmap.shape)
    inside = cutout.segmap == cutout.id_dr3
    y, x = rows - rows[inside].mean(), cols - cols[inside].mean()
    use = sky & np.isfinite(cutout.sci) & np.isfinite(cutout.err)
    bands = np.flatnonzero(use.sum(axis=(1, 2)) >= min_sky_pixels(cutout.pixel))
    if not len(bands):
        return cutout
    fluxes = cutout.sci.copy()
    for band in bands:
        here = use[band]
        slope_y, slope_x = _slopes(y[here], x[here], cutout.sci[band][here], cutout.err[band][here])
        fluxes[band] -= slope_y * y + slope_x * x
    measured = measure_sky(fluxes[bands], cutout.err[bands], cutout.segmap, cutout.pixel, cutout.id_dr3)
    return cutout._replace(sci=fluxes, noise=cutout.noise.with_bands_from(measured, bands))


def _slopes(y, x, flux, error):
    """Slopes of a plane through these pixels along y and x."""
    from astropy.modeling.fitting import FittingWithOutlierRemoval, LinearLSQFitter  # takes a third of a second
    from astropy.modeling.models import Polynomial2D
    from astropy.stats import sigma_clip

    clip = {"niter": PLANE_ITERATIONS, "sigma": CLIP, "stdfunc": "mad_std"}
    fit = FittingWithOutlierRemoval(LinearLSQFitter(), sigma_clip, **clip)
    plane, _ = fit(Polynomial2D(1), y, x, flux.astype(float), weights=1 / error)
    return plane.c1_0.value, plane.c0_1.value


BACKGROUNDS = {  # cutout -> cutout without slopes, and level to subtract in each band, (n_bands,)
    "local": _with_level,
    "plane": lambda cutout: _with_level(without_slope(cutout)),
    "none": lambda cutout: (cutout, np.zeros(len(cutout.bands))),
}


def with_sky_noise(cutout, *, errors="measured", background="local"):
    """Set the errors and subtract the background of a cutout.

    Parameters
    ----------
    cutout : Cutout
        Fluxes and errors of the survey; `noise` is measured in the cutout itself where it is None. Not changed.
    errors : str
        A key of ERRORS.
    background : str
        A key of BACKGROUNDS.

    Returns
    -------
    Cutout
    """
    if cutout.noise is None:
        cutout = cutout._replace(noise=measure_sky(cutout.sci, cutout.err, cutout.segmap, cutout.pixel, cutout.id_dr3))
    cutout, level = choose(BACKGROUNDS, background, "background")(cutout)
    error = choose(ERRORS, errors, "errors")(cutout)
    return cutout._replace(sci=(cutout.sci - level[:, None, None]).astype(cutout.sci.dtype), err=error)


# ---- notes for a user -------------------------------------------------------


def noise_notes(noise, bands, wanted):
    """Notes on the noise for a user, a tuple of sentences.

    Parameters
    ----------
    noise : SkyNoise
    bands : sequence of str
    wanted : bool ndarray of shape (n_bands,)
        Bands with data in the galaxy.
    """
    scale = noise.scale
    far = noise.correlation[:, round(FAR_LAGS * noise.reach) :].mean(axis=1)
    with np.errstate(invalid="ignore"):
        mistaken = (scale > UNIT_MISTAKE) | (scale < 1 / UNIT_MISTAKE)
        findings = [
            (mistaken, "stated errors are off by more than a factor of {unit:g}, as by a mistake of units, in {names}"),
            (noise.misstated & ~mistaken, "stated errors are off by more than a factor of {factor:g} in {names}"),
            (
                np.isfinite(noise.beside),
                "stated errors are smaller on the source than beside it, as if weights held its imprint, in {names}",
            ),
            (np.abs(noise.striped) > STRIPED, "noise is striped in {names}"),
            (far > STRUCTURED, "the sky has structure larger than {reach} pixels in {names}: sums are less certain"),
            (~noise.known & np.isfinite(noise.background), "the sky does not vary in {names}: stated errors are kept"),
            (np.isnan(noise.background), "too little sky in {names}"),
        ]
    words = {"factor": MISSTATED, "unit": UNIT_MISTAKE, "reach": noise.reach}
    return tuple(
        sentence.format(names=band_list(bands, found & wanted, wanted), **words)
        for found, sentence in findings
        if (found & wanted).any()
    )


def band_list(bands, some, wanted):
    """Names of some of the wanted bands, or their number where there are many."""
    names = [band for band, chosen in zip(bands, some, strict=True) if chosen]
    if len(names) == wanted.sum():
        return "all bands"
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} of {wanted.sum()} bands"


def photon_note(noise, bands, wanted, electrons, least=0.0):
    """A sentence on errors without the photon noise of the source, with its peak SNR; "" where none is missing.

    The missing amount is unknown: it equals the sky noise in a pixel that is sqrt(n) times as bright as that noise,
    where n is the number of electrons of the sky in the pixel: BRIGHT times for 900 electrons.

    Parameters
    ----------
    noise : SkyNoise
    bands : sequence of str
    wanted : bool ndarray of shape (n_bands,)
        Bands with data in the galaxy.
    electrons : ndarray of shape (n_bands,) or None
        Per 10 nJy, NaN or None where not known; infinite where weights include the photon noise.
    least : float
        Lowest peak SNR over the sky noise for which the sentence is given.
    """
    missing = wanted & (np.isnan(electrons) if electrons is not None else True)
    peaks = np.where(missing & np.isfinite(noise.peak), noise.peak, -np.inf)
    if not missing.any() or not peaks.max() > max(least, 0):
        return ""
    brightest = int(np.argmax(peaks))
    return (
        f"errors hold no photon noise of the source, unless weights do, in {band_list(bands, missing, wanted)}: "
        f"its brightest pixel is {peaks[brightest]:.0f} times the noise of the sky in {bands[brightest]}"
    )
