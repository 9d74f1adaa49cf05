"""Background and noise as they are in the sky around a galaxy, which weight images often misstate."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from helper_functions.noise import CORRELATION_REACH, correlated_area, lagged_products, lags
from helper_functions.psf import PIXEL, in_pixels
from helper_functions.registry import choose

FAR_FROM_SOURCES = 0.32  # arcsec from all segments: nearer, wings of sources are brighter than what is measured
ENOUGH_SKY = 1.6  # arcsec^2, 1,000 pixels of 40 mas: noise correlated over 40 has 25 parts, that give a scatter to 14%
CLIP = 4.0  # standard deviations: sky beyond is a source that was not detected, or a bad pixel
GAUSSIAN_MAD = 1.4826  # standard deviation of a Gaussian over its median absolute deviation
MISSTATED = 1.5  # factor by which stated errors are off before it is worth a word
UNIT_MISTAKE = 30.0  # factor that neither depth nor smoothing explains
STRIPES = (0.16, 0.4)  # arcsec apart, at which rows and columns are compared: the nearest and the farthest
STRIPED = 0.5  # difference of their correlations
FAR_LAGS = 0.8  # of the largest lag: beyond it noise of drizzled images has no correlation left
STRUCTURED = 0.3  # correlation there
BESIDE = 0.6  # arcsec: sky within this of what is FAR_FROM_SOURCES is beside a source
IMPRINT = 1.2  # factor by which stated errors are smaller on a source: above what dithers and drizzling vary them by
DEEPEST = 5.0  # percent of the sky beside a source, that have the smallest errors: a strip or a corner counts
FEW_IN_SOURCE = 40  # pixels: a quarter of fewer has no median to compare
LIGHT_SMOOTHING = 0.04  # arcsec, standard deviation, of the light whose photon noise is added: the PSF has 0.06
BRIGHT = 30.0  # times the noise of the sky: photon noise of such a pixel may be as much as that, see `photon_note`


class SkyNoise(NamedTuple):
    """Background and noise of each band, as measured in the sky around a galaxy. NaN where they were not measured."""

    n_sky: np.ndarray  # (n_bands,), pixels of sky
    background: np.ndarray  # (n_bands,), 10 nJy per pixel, median of the sky
    background_err: np.ndarray  # (n_bands,), from the medians of four parts of the sky
    scatter: np.ndarray  # (n_bands,), robust standard deviation of the sky, 10 nJy per pixel
    scale: np.ndarray  # (n_bands,), the same of the sky over its stated errors: 1 where these are right
    correlation: np.ndarray  # (n_bands, n_lags), of the noise of two pixels, by their distance rounded to pixels
    striped: np.ndarray  # (n_bands,), correlation along rows less that along columns
    beside: np.ndarray  # (n_bands,), stated error beside the source, where weights hold its imprint, else NaN; 10 nJy
    peak: np.ndarray  # (n_bands,), flux of the brightest pixel of the source over the noise of the sky there

    @property
    def known(self):
        """Whether each band was measured, bool, (n_bands,)."""
        return np.isfinite(self.scale)

    @property
    def area(self):
        """Pixels over which the noise of each band is correlated, (n_bands,)."""
        return correlated_area(self.correlation, CORRELATION_REACH / max(self.reach, 1))

    @property
    def reach(self):
        """The largest lag, CORRELATION_REACH in pixels."""
        return self.correlation.shape[1] - 1

    @property
    def misstated(self):
        """Whether the stated errors of each band are off by more than MISSTATED, bool, (n_bands,)."""
        return self.known & (np.abs(np.log(self.scale)) > np.log(MISSTATED))

    def filled_with(self, other, bands):
        """The same with these bands (an index) from another measurement, which has only them."""
        result = SkyNoise(*(values.copy() for values in self))
        for values, others in zip(result, other, strict=True):
            values[bands] = others
        return result


# ---- measuring --------------------------------------------------------------


def measure_sky(sci, err, segmap, pixel=PIXEL, source=None):
    """Background and noise of each band, where there is no source.

    Errors may vary over the sky, as where it was exposed for longer: scale and correlation are of fluxes over their
    stated errors.

    Parameters
    ----------
    sci, err : ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel; NaN where there is no data.
    segmap : int ndarray of shape (ny, nx)
        0 for sky.
    pixel : float
        Arcsec, side.
    source : int or None
        The galaxy's id in the segmap: whether weights hold its imprint, and how bright it is, is known of no other.

    Returns
    -------
    SkyNoise
        NaN in bands with less sky than ENOUGH_SKY; of a sky that does not vary, the background is known.
    """
    far = sky_of(segmap, pixel)
    inside, ring = _source_and_ring(segmap, far, pixel, source)
    columns = []
    for image, error in zip(sci, err, strict=True):
        measured = _measure_band(image, error, far, pixel)
        background, scale = measured[1], measured[4]
        columns.append((*measured, *_measure_source(image - background, error, inside, ring, scale)))
    return SkyNoise(*(np.array(values) for values in zip(*columns, strict=True)))


def sky_of(segmap, pixel=PIXEL):
    """Which pixels of a segmap are sky, far from all sources; their side is `pixel` in arcsec."""
    if not segmap.any():
        return np.ones(segmap.shape, dtype=bool)
    return distance_transform_edt(segmap == 0) > in_pixels(FAR_FROM_SOURCES, pixel)


def enough_sky(pixel=PIXEL):
    """Pixels of sky that noise is measured in at least."""
    return round(ENOUGH_SKY * in_pixels(1, pixel) ** 2)


def _measure_band(image, error, far, pixel):
    sky, reach = far & np.isfinite(image) & np.isfinite(error), round(in_pixels(CORRELATION_REACH, pixel))
    unknown = sky.sum(), *4 * [np.nan], np.full(reach + 1, np.nan), np.nan
    if sky.sum() < enough_sky(pixel):
        return unknown
    background, scatter = median_and_mad_std(image[sky])
    relative = np.where(sky, image.astype(float) - background, 0) / np.where(sky, error, 1)
    _, scale = median_and_mad_std(relative[sky])
    if not (scatter > 0 and scale > 0):
        return sky.sum(), background, 0.0, *unknown[3:]
    noise = np.where(np.abs(relative) < CLIP * scale, relative, 0)
    correlation, striped = correlation_in(noise, sky & (np.abs(relative) < CLIP * scale), pixel)
    return sky.sum(), background, _background_error(image, sky), scatter, scale, correlation, striped


def median_and_mad_std(values):
    """Median, and the standard deviation that a Gaussian of the same median absolute deviation has."""
    middle = np.median(values)
    return float(middle), float(GAUSSIAN_MAD * np.median(np.abs(values - middle)))


def _source_and_ring(segmap, far, pixel, source):
    """Pixels of the source of that id, and of the sky beside it; bool, both empty where there is no such source."""
    inside = np.zeros(segmap.shape, dtype=bool) if source is None else segmap == source
    if not inside.any():
        return inside, inside
    return inside, far & (distance_transform_edt(~inside) <= in_pixels(FAR_FROM_SOURCES + BESIDE, pixel))


def _measure_source(light, error, inside, ring, scale):
    """Stated error beside the source where weights hold its imprint, and its peak; NaN where not known."""
    inside, ring = inside & np.isfinite(light) & np.isfinite(error), ring & np.isfinite(error)
    if not (np.isfinite(scale) and inside.any()):
        return np.nan, np.nan
    peak = float(np.max(light[inside] / error[inside]) / scale)
    return imprinted(light[inside], error[inside], error[ring]), peak


def imprinted(light, error, beside):
    """The stated error of the sky beside a source, where errors on the source are smaller, as photons make no noise.

    Weights have such an imprint if they were estimated from an image with the source in it. What is exposed for longer
    has smaller errors, too. There, however, they are as small on faint parts of the source as on bright ones, or in
    the part of the sky beside it that was exposed as long. So the brightest quarter of the source is compared with its
    faintest quarter, and with the DEEPEST part of the sky beside it. An imprint on a source that lies across an edge of
    depths may not be found.

    Parameters
    ----------
    light, error : ndarray of shape (n_pixels,)
        Of the source, any one unit.
    beside : ndarray of shape (n_sky,)
        Errors of the sky beside it.

    Returns
    -------
    float
        That of the DEEPEST part, not too large on any side; NaN where there is no imprint, or too little to tell.
    """
    quarter = len(light) // 4
    if len(light) < FEW_IN_SOURCE or len(beside) < FEW_IN_SOURCE:
        return np.nan
    by_light = error[np.argsort(light, kind="stable")]
    faint, bright, sky = np.median(by_light[:quarter]), np.median(by_light[-quarter:]), np.percentile(beside, DEEPEST)
    return float(sky) if IMPRINT * bright < min(faint, sky) else np.nan


def _background_error(image, sky):
    """Standard error of the background, from how the medians of the four quarters of the sky differ."""
    rows, cols = np.nonzero(sky)
    quarter = 2 * (rows > np.median(rows)) + (cols > np.median(cols))
    medians = [np.median(image[rows[quarter == k], cols[quarter == k]]) for k in np.unique(quarter)]
    return float(np.std(medians, ddof=1) / np.sqrt(len(medians))) if len(medians) > 1 else np.nan


def correlation_in(noise, sky, pixel=PIXEL):
    """Correlation of noise by distance, and how much more there is along rows than along columns.

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
    middle, nearest, farthest = (round(in_pixels(each, pixel)) for each in (CORRELATION_REACH, *STRIPES))
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


def stated_errors(cutout):
    """Errors as the weights state them."""
    return cutout.err


def measured_errors(cutout):
    """Stated errors times the scale that was measured in the sky, and the photon noise of the source where it is known.

    A galaxy that was exposed for longer than the sky around it keeps its smaller errors. Only where weights hold the
    imprint of the source are the errors on it those of the sky beside it at least.

    Photon noise is added where the number of electrons is known, see `photon_noise`. Whether weights hold it already
    cannot be told in general. If they do, it counts twice, and errors are up to sqrt(2) too large: a survey with such
    weights has `electrons=0` in its description.
    """
    noise = cutout.noise
    scale, beside = (values[:, None, None] for values in (noise.scale, noise.beside))
    of_source = np.isin(cutout.segmap, cutout.members) & np.isfinite(beside)
    stated = np.where(of_source, np.maximum(cutout.err, beside), cutout.err)
    measured = np.hypot(stated * scale, photon_noise(cutout))
    return np.where(np.isfinite(scale), measured, cutout.err).astype(cutout.err.dtype)


def photon_noise(cutout):
    """Noise of each pixel from the photons of the source alone, sqrt(light / electrons per 10 nJy / area).

    Drizzling and PSF matching smooth the photon noise of a source as they smooth that of the sky: they divide the
    variance of a pixel by the `area` over which the noise of the sky is correlated. The sum over many pixels then has
    the variance of its electrons. (The `scale` is no measure of smoothing: it also has the mistakes of the weights.)

    Parameters
    ----------
    cutout : Cutout
        As the survey has it, with its `noise`.

    Returns
    -------
    ndarray of shape (n_bands, ny, nx)
        10 nJy per pixel; 0 outside of segments, and in bands of which the electrons or the noise are not known.
    """
    noise = np.zeros(cutout.sci.shape)
    electrons = np.full(len(noise), np.nan) if cutout.electrons is None else cutout.electrons
    for band in np.flatnonzero(np.isfinite(electrons) & cutout.noise.known):
        light = source_light(cutout.sci[band] - cutout.noise.background[band], cutout.pixel) * (cutout.segmap > 0)
        noise[band] = np.sqrt(light / electrons[band] / max(cutout.noise.area[band], 1))
    return noise


def source_light(image, pixel=PIXEL):
    """Light of each pixel, smoothed by less than the PSF, and nowhere negative, shape (ny, nx).

    The noise of a pixel must not change its error: where it adds flux, the error would be larger, and means too faint.
    """
    data, width = np.isfinite(image), in_pixels(LIGHT_SMOOTHING, pixel)
    light, weight = (gaussian_filter(each, width, mode="nearest") for each in (np.where(data, image, 0.0), data * 1.0))
    return np.maximum(np.divide(light, weight, out=np.zeros(image.shape), where=data), 0)


def no_background(cutout):
    """Nothing is taken off."""
    return np.zeros(len(cutout.bands))


def local_background(cutout):
    """The median of the sky around the galaxy, where it was measured."""
    return np.nan_to_num(cutout.noise.background)


ERRORS = {"measured": measured_errors, "stated": stated_errors}
BACKGROUNDS = {"local": local_background, "none": no_background}


def with_sky_noise(cutout, *, errors="measured", background="local"):
    """The cutout with the errors and the background that are wanted.

    Parameters
    ----------
    cutout : Cutout
        As the survey has it, with its `noise`; where it has none, this is measured in its own sky. Not changed.
    errors : str
        A key of ERRORS.
    background : str
        A key of BACKGROUNDS: what is taken off the fluxes.

    Returns
    -------
    Cutout
    """
    if cutout.noise is None:
        cutout = cutout._replace(noise=measure_sky(cutout.sci, cutout.err, cutout.segmap, cutout.pixel, cutout.id_dr3))
    error = choose(ERRORS, errors, "errors")(cutout)
    level = choose(BACKGROUNDS, background, "background")(cutout)[:, None, None]
    return cutout._replace(sci=(cutout.sci - level).astype(cutout.sci.dtype), err=error)


# ---- in words ---------------------------------------------------------------


def noise_notes(noise, bands, wanted):
    """What is to be said of the noise, a tuple of sentences.

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
            (noise.misstated & ~mistaken, "stated errors are off by more than a factor of {factor:g} in {names}"),
            (mistaken, "stated errors are off by more than a factor of {unit:g}, as by a mistake of units, in {names}"),
            (
                np.isfinite(noise.beside),
                "stated errors are smaller on the source than beside it, as if weights held its imprint, in {names}",
            ),
            (np.abs(noise.striped) > STRIPED, "noise is striped in {names}"),
            (far > STRUCTURED, "the sky has structure larger than {reach} pixels in {names}: sums are less certain"),
            (~noise.known & np.isfinite(noise.background), "the sky does not vary in {names}: stated errors are kept"),
            (np.isnan(noise.background), "too little sky in {names}: stated errors are kept"),
        ]
    words = {"factor": MISSTATED, "unit": UNIT_MISTAKE, "reach": noise.reach}
    return tuple(
        sentence.format(names=in_words(bands, found & wanted, wanted), **words)
        for found, sentence in findings
        if (found & wanted).any()
    )


def in_words(bands, some, wanted):
    """Some of the wanted bands by name, or how many they are where these are many."""
    names = [band for band, chosen in zip(bands, some, strict=True) if chosen]
    if len(names) == wanted.sum():
        return "all bands"
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} of {wanted.sum()} bands"


def photon_note(noise, bands, wanted, electrons, least=0.0):
    """One sentence on errors without the photon noise of the source, and how bright that is; "" where it is in all.

    How much is missing is not known: it is as much as the noise of the sky in a pixel that is sqrt(n) times as bright
    as this noise, where n is the number of electrons that the sky left in the pixel: BRIGHT times for 900 electrons.

    Parameters
    ----------
    noise : SkyNoise
    bands : sequence of str
    wanted : bool ndarray of shape (n_bands,)
        Bands with data in the galaxy.
    electrons : ndarray of shape (n_bands,) or None
        Per 10 nJy, NaN or None where not known; infinite where weights hold the photon noise.
    least : float
        The sentence is "" unless the brightest pixel in these bands is so many times the noise of the sky.
    """
    missing = wanted & (np.isnan(electrons) if electrons is not None else True)
    peaks = np.where(missing & np.isfinite(noise.peak), noise.peak, -np.inf)
    if not missing.any() or not peaks.max() > max(least, 0):
        return ""
    brightest = int(np.argmax(peaks))
    return (
        f"errors hold no photon noise of the source, unless weights do, in {in_words(bands, missing, wanted)}: "
        f"its brightest pixel is {peaks[brightest]:.0f} times the noise of the sky in {bands[brightest]}"
    )
