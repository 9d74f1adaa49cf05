"""Composite SEDs of clusters with their errors, and how similar their pixels are to them."""

from typing import NamedTuple

import numpy as np

from distances import cross_correlation
from helper_functions.noise import error_of_sum, noise_correlation
from helper_functions.psf import arcsec_to_pixels, contamination_matrix

ITERATIONS = 50
CONVERGED = 1e-8  # largest change of a scaled composite, in units of its error
TWO_SIGMA = 2.275  # percentile: fraction of a Gaussian more than 2 sigma below its mean
ONE_SIGMA = 0.15865  # fraction of a Gaussian more than 1 sigma below its mean
BLOCK = 0.16  # arcsec, side of the bootstrap blocks: the FWHM of the PSF, 0.14, over which noise is correlated
DRAWS = 200  # bootstrap samples, which give an error to 5%
MIN_BLOCKS = 4  # fewer give no useful scatter
# Zero point error, relative: those of HST and JWST agree to about 2%. It is common to all clusters of a survey.
SYSTEMATIC = 0.02
# Standard deviation of the contamination of a composite by light that the PSF scatters in from other clusters, in units
# of that light. It exceeds 1 because composites differ less than the SEDs that are blended. With it, two thirds of the
# fluxes of composites of pure regions are within their errors of the truth (simulated galaxies, seeds 52000 to 52011).
BLENDING = 3.0
MAX_CORRELATED = 0.98  # fraction of a band's error that may be correlated: a fifth at least stays independent


class CompositeSEDs(NamedTuple):
    """Composite SEDs of one run, clusters in rows, 10 nJy per pixel. NaN where a cluster has no data in a band."""

    flux: np.ndarray  # (n_clusters, n_bands), of a pixel of mean amplitude
    error: np.ndarray  # (n_clusters, n_bands), from noise, scatter of the members, and blending
    noise: np.ndarray  # (n_clusters, n_bands), from noise alone
    shared: np.ndarray  # (n_clusters, n_bands), the part of `error` correlated between bands, see `shared_error`
    systematic: np.ndarray  # (n_clusters, n_bands), zero point error, not included in `error`
    low: np.ndarray  # (n_clusters, n_bands), 16th percentile of the members, scaled to the composite
    high: np.ndarray  # (n_clusters, n_bands), 84th percentile
    median: np.ndarray  # (n_clusters, n_bands), weighted median of the scaled members
    confident: np.ndarray  # (n_clusters, n_bands), composite of the confident members, scaled to `flux`
    n_confident: np.ndarray  # (n_clusters,), number of these
    total: np.ndarray  # (n_clusters, n_bands), summed flux of the members, 10 nJy
    total_error: np.ndarray  # (n_clusters, n_bands), from noise and sky background
    n_pixels: np.ndarray  # (n_clusters, n_bands), members with data
    centroid: np.ndarray  # (n_clusters, 2), row and column, weighted by amplitude
    amplitude: np.ndarray  # (n_pixels,), of each pixel relative to its composite; NaN where unassigned
    similarity: np.ndarray  # (n_pixels,), 1 - b12 of each pixel to its composite; NaN where unassigned
    similarity_median: np.ndarray  # (n_clusters,), of the members
    similarity_2sigma: np.ndarray  # (n_clusters,), exceeded by all but 2.3% of the members
    labels: np.ndarray  # (n_pixels,), of the clusters


# ---- fitting ----------------------------------------------------------------


def best_fit_amplitude(flux, error, template):
    """Amplitude of a template that minimises chi2, for each SED.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        NaN where there is no data.
    template : ndarray of shape (n_bands,)
        NaN where it is not known.

    Returns
    -------
    amplitude : ndarray of shape (n_pixels,)
        a = sum(f t / e^2) / sum(t^2 / e^2); 0 for pixels that have no data in common with the template.
    chi2 : ndarray of shape (n_pixels,)
        Of the fit, over the common bands.
    """
    common = np.isfinite(flux) & np.isfinite(template)
    inverse = np.where(common, 1 / error, 0)
    values, model = np.where(common, flux, 0) * inverse, np.where(common, template, 0) * inverse
    norm = np.sum(model**2, axis=1)
    amplitude = np.divide(np.sum(values * model, axis=1), norm, out=np.zeros(len(flux)), where=norm > 0)
    return amplitude, np.sum((values - amplitude[:, None] * model) ** 2, axis=1)


def scale_factor(sed, other, error):
    """Best-fit factor that scales an SED to another one with these errors; all of shape (n_bands,)."""
    return best_fit_amplitude(other[None], error[None], sed)[0][0]


def composite_sed(flux, error):
    """The SED shape that minimises the chi2 of a set of SEDs with free amplitudes.

    Shape and amplitudes are fitted alternately until they converge: the inverse-variance mean of the members scaled to
    a common amplitude is sum(a f / e^2) / sum(a^2 / e^2), as a pixel scaled by 1/a has the error e/a. Negative fluxes
    are used as measured.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        NaN where there is no data.

    Returns
    -------
    composite : ndarray of shape (n_bands,)
        NaN in bands without data.
    amplitude : ndarray of shape (n_pixels,)
        Mean 1, so that the composite has the mean flux of the members; not rescaled if that mean is not positive.
    """
    has_data = np.isfinite(flux)
    weight = np.where(has_data, 1 / error**2, 0)
    weighted, amplitude = weight * np.where(has_data, flux, 0), np.ones(len(flux))
    composite, spread = weighted_mean(weighted, weight, amplitude)
    for _ in range(ITERATIONS):
        template = np.nan_to_num(composite)  # a band without data has no weight
        norm = weight @ template**2
        amplitude = np.divide(weighted @ template, norm, out=np.zeros(len(flux)), where=norm > 0)
        amplitude /= amplitude.mean() if amplitude.mean() > 0 else 1
        previous = composite
        composite, spread = weighted_mean(weighted, weight, amplitude)
        if np.nanmax(np.abs(composite - previous) / spread) < CONVERGED:
            break
    return composite, amplitude


def weighted_mean(weighted, weight, amplitude):
    """Inverse-variance mean of SEDs scaled by 1/amplitude, and its error for independent noise.

    `weighted` is flux times weight. NaN in bands without weight.
    """
    total = amplitude**2 @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return amplitude @ weighted / total, np.where(total > 0, 1 / np.sqrt(total), np.nan)


def composite_flux(seds, labels):
    """Composite SED of every cluster, and the amplitudes of the pixels, without errors.

    Parameters
    ----------
    seds : PixelSEDs
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters; pixels below 1 belong to none. The composite of a cluster that has no pixel is NaN.

    Returns
    -------
    flux : ndarray of shape (n_clusters, n_bands)
    amplitude : ndarray of shape (n_pixels,)
        NaN where unassigned.
    """
    flux = np.full((max(labels.max(initial=0), 0), seds.flux.shape[1]), np.nan)
    amplitude = np.full(len(seds.flux), np.nan)
    for k in range(len(flux)):
        members = labels == k + 1
        if members.any():
            flux[k], amplitude[members] = composite_sed(seds.flux[members], seds.error[members])
    return flux, amplitude


def composite_seds(seds, labels, confident=None, seed=0):
    """Composite SED of every cluster, with its errors, members, total flux and similarity.

    Parameters
    ----------
    seds : PixelSEDs
        NaN where there is no data. Not changed.
    labels : int ndarray of shape (n_pixels,)
        As of `composite_flux`.
    confident : bool ndarray of shape (n_pixels,) or None
        Members with a confident label; None: those whose neighbours are all members.
    seed : int
        Random seed of the bootstrap.

    Returns
    -------
    CompositeSEDs
    """
    flux, amplitude = composite_flux(seds, labels)
    confident = interior_pixels(seds, labels) if confident is None else confident
    (n_clusters, n_bands), rng = flux.shape, np.random.default_rng(seed)
    noise, differing, low, high, median, sure, total, total_error = np.full((8, n_clusters, n_bands), np.nan)
    similarity, centroid = np.full(len(seds.flux), np.nan), np.full((n_clusters, 2), np.nan)
    n_pixels, n_confident = np.zeros((n_clusters, n_bands), dtype=int), np.zeros(n_clusters, dtype=int)
    summary = np.full((n_clusters, 2), np.nan)
    for k in range(n_clusters):
        members = labels == k + 1
        if not members.any():
            continue
        mine, scale = seds.only(members), amplitude[members]
        similarity[members] = 1 - cross_correlation(mine.flux, flux[k])[1]
        summary[k] = similarity_summary(similarity[members])
        noise[k] = composite_noise(mine, scale)
        differing[k] = bootstrap_error(mine, scale, flux[k], noise[k], rng)
        low[k], median[k], high[k] = scaled_quantiles(mine, scale)
        sure[k], n_confident[k] = composite_of_subset(mine, confident[members], flux[k], noise[k])
        total[k], total_error[k] = summed_flux(mine)
        n_pixels[k] = np.isfinite(mine.flux).sum(axis=0)
        centroid[k] = np.average(mine.positions, axis=0, weights=np.maximum(scale, 0) + np.finfo(float).tiny)
    # The scatter of the members includes their noise, but underestimates it where blocks are few.
    blending = blending_error(flux, contamination_matrix(seds, labels), BLENDING)
    error = np.sqrt(np.fmax(noise, differing) ** 2 + np.sum(blending**2, axis=1))
    return CompositeSEDs(
        flux=flux,
        error=error,
        noise=noise,
        shared=np.array([shared_error(*each) for each in zip(blending, error, strict=True)]).reshape(flux.shape),
        systematic=SYSTEMATIC * np.abs(flux),
        low=low,
        high=high,
        median=median,
        confident=sure,
        n_confident=n_confident,
        total=total,
        total_error=total_error,
        n_pixels=n_pixels,
        centroid=centroid,
        amplitude=amplitude,
        similarity=similarity,
        similarity_median=summary[:, 0],
        similarity_2sigma=summary[:, 1],
        labels=labels,
    )


# ---- errors -----------------------------------------------------------------


def sum_error(seds, weights):
    """Error of a weighted sum of fluxes, from noise and from the common error of the background, shape (n_bands,).

    Parameters
    ----------
    seds : PixelSEDs
    weights : ndarray of shape (n_pixels, n_bands)
    """
    noise = error_of_sum(seds.error, weights, seds.positions, noise_correlation(seds))
    background = 0 if seds.background_error is None else seds.background_error
    return np.hypot(noise, background * np.sum(np.where(np.isfinite(seds.flux), weights, 0), axis=0))


def composite_noise(seds, amplitude):
    """Error of a composite from the noise of its members, NaN in bands without data, shape (n_bands,)."""
    weight = amplitude[:, None] * np.where(np.isfinite(seds.flux), 1 / seds.error**2, 0)
    total = amplitude @ weight
    weight = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return np.where(total > 0, sum_error(seds, weight), np.nan)


def summed_flux(seds):
    """Sum of the fluxes of all pixels in each band, and its error; NaN in bands without data."""
    has_data = np.isfinite(seds.flux)
    some = has_data.any(axis=0)
    total = np.where(some, np.nansum(seds.flux, axis=0), np.nan)
    return total, np.where(some, sum_error(seds, np.ones(seds.flux.shape)), np.nan)


def bootstrap_error(seds, amplitude, composite, noise, rng):
    """Error of a composite from the scatter of its members, by block bootstrap (Efron & Tibshirani 1993).

    Light and noise are correlated between neighbouring pixels, so that square blocks of side BLOCK are resampled. Each
    bootstrap composite is scaled to the composite, as only the shape matters.

    Returns
    -------
    ndarray of shape (n_bands,)
        NaN with less than MIN_BLOCKS blocks.
    """
    side = max(round(arcsec_to_pixels(BLOCK, seds.pixel)), 1)
    _, block = np.unique(seds.rows // side + 1j * (seds.cols // side), return_inverse=True)
    n_blocks = block.max() + 1
    if n_blocks < MIN_BLOCKS:
        return np.full(len(composite), np.nan)
    has_data = np.isfinite(seds.flux)
    weight = amplitude[:, None] * np.where(has_data, 1 / seds.error**2, 0)
    sums, norms = np.zeros((2, n_blocks, len(composite)))
    np.add.at(sums, block, weight * np.where(has_data, seds.flux, 0))
    np.add.at(norms, block, weight * amplitude[:, None])
    counts = rng.multinomial(n_blocks, np.full(n_blocks, 1 / n_blocks), DRAWS)
    total = counts @ norms
    drawn = np.divide(counts @ sums, total, out=np.full(total.shape, np.nan), where=total > 0)
    factor = best_fit_amplitude(drawn, noise, composite)[0][:, None]
    drawn = np.divide(drawn, factor, out=np.full(drawn.shape, np.nan), where=factor > 0)
    known = np.isfinite(drawn).sum(axis=0) > DRAWS / 2
    return np.array([np.nanstd(each) if good else np.nan for each, good in zip(drawn.T, known, strict=True)])


def blending_error(flux, light, factor):
    """Error of SEDs due to contamination by light of other clusters, one standard deviation for each of these.

    Parameters
    ----------
    flux : ndarray of shape (n_clusters, n_bands)
        SEDs.
    light : ndarray of shape (n_clusters, n_clusters)
        From `contamination_matrix`.
    factor : float
        Standard deviation of the contamination, in units of that light.

    Returns
    -------
    ndarray of shape (n_clusters, n_clusters, n_bands)
        Change of the SED of the first cluster by light of the second, fully correlated between bands; contributions of
        different clusters are independent. 0 for one cluster.
    """
    changes = np.zeros((len(flux), *flux.shape))
    for k, (sed, shares) in enumerate(zip(flux, light, strict=True)):
        for j, (other, share) in enumerate(zip(flux, shares, strict=True)):
            difference = other * np.nansum(sed * other) / max(np.nansum(other**2), np.finfo(float).tiny) - sed
            changes[k, j] = np.nan_to_num(factor * share * difference)
    return changes


def shared_error(changes, error):
    """The correlated part of the errors: first principal component of their covariance between bands.

    Errors of bands are not independent: light of another cluster makes an SED redder in all bands at once. Their
    covariance is the sum of the outer products of all such changes; its first principal component is taken in units
    of the errors, so that all bands have equal weight.

    Parameters
    ----------
    changes : ndarray of shape (n_changes, n_bands)
        Independent changes of the SED, one standard deviation each; NaN where not known.
    error : ndarray of shape (n_bands,)
        Of the SED.

    Returns
    -------
    ndarray of shape (n_bands,)
        One standard deviation, smaller than `error`; only the relative sign between bands has a meaning.
    """
    usable = (error > 0) & np.isfinite(error)
    scaled = np.where(usable, np.nan_to_num(changes) / np.where(usable, error, 1), 0)
    _, strength, bands = np.linalg.svd(scaled, full_matrices=False)
    first = bands[0] if bands[0].sum() >= 0 else -bands[0]  # the sign of a singular vector depends on rounding
    first = np.clip(strength[0] * first, -MAX_CORRELATED, MAX_CORRELATED)
    return np.where(usable, first * error, 0)


# ---- members ----------------------------------------------------------------


def interior_pixels(seds, labels):
    """Pixels whose eight neighbours all belong to the same cluster, bool of shape (n_pixels,)."""
    rows, cols = seds.rows - seds.rows.min() + 1, seds.cols - seds.cols.min() + 1
    image = np.zeros((rows.max() + 2, cols.max() + 2), dtype=int)
    image[rows, cols] = labels
    around = [image[rows + dy, cols + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return (labels > 0) & np.all(np.array(around) == labels, axis=0)


def composite_of_subset(seds, some, composite, noise):
    """Composite of some of a cluster's members, scaled to the composite of all, and their number."""
    if not some.any():
        return np.full(len(composite), np.nan), 0
    flux, _ = composite_sed(seds.flux[some], seds.error[some])
    factor = scale_factor(composite, flux, noise)
    return (flux / factor if factor > 0 else np.full(len(composite), np.nan)), int(some.sum())


def scaled_quantiles(seds, amplitude):
    """16th percentile, median and 84th percentile of the members scaled to the composite, shape (3, n_bands).

    Members are weighted by the square of their SNR, as in the composite; those without a positive amplitude are left
    out, as they cannot be scaled.
    """
    usable = amplitude > 0
    result = np.full((3, seds.flux.shape[1]), np.nan)
    flux = seds.flux[usable] / amplitude[usable, None]
    weight = (amplitude[usable, None] / seds.error[usable]) ** 2
    for band, (values, weights) in enumerate(zip(flux.T, weight.T, strict=True)):
        values, weights = values[np.isfinite(values)], weights[np.isfinite(values)]
        if len(values):
            order = np.argsort(values)
            below = np.cumsum(weights[order]) - weights[order] / 2
            result[:, band] = np.interp([ONE_SIGMA, 0.5, 1 - ONE_SIGMA], below / weights.sum(), values[order])
    return result


# ---- comparing pixels with composites ----------------------------------------


def nearest_sed(seds, templates):
    """For each pixel, the template with the lowest chi2 for a free amplitude.

    Parameters
    ----------
    seds : PixelSEDs
        NaN where there is no data.
    templates : ndarray of shape (n_templates, n_bands)
        NaN where they are not known.

    Returns
    -------
    nearest : int ndarray of shape (n_pixels,)
        Row of the template; -1 where none has a band in common with the pixel.
    """
    chi2 = np.full((len(templates) + 1, len(seds.flux)), np.inf)
    for k, template in enumerate(templates):
        overlap = (np.isfinite(seds.flux) & np.isfinite(template)).any(axis=1)
        chi2[k, overlap] = best_fit_amplitude(seds.flux, seds.error, template)[1][overlap]
    nearest = np.argmin(chi2, axis=0)
    return np.where(np.isfinite(chi2.min(axis=0)), nearest, -1)


def residuals(seds, labels):
    """Residuals of pixels from the composite of their cluster, scaled to fit best, in units of the errors.

    Unassigned pixels are compared with the composite that fits them best: if they were left out, a method would seem
    to fit better the more difficult pixels it leaves unassigned.

    Parameters
    ----------
    seds : PixelSEDs
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters, below 1 for none.

    Returns
    -------
    ndarray of shape (n_pixels, n_bands)
        NaN where the pixel or its composite has no data; flux / error where no composite has a band in common.
    """
    composites, _ = composite_flux(seds, labels)
    residual = seds.flux / seds.error
    nearest, free = labels.copy(), labels < 1
    if free.any():
        nearest[free] = nearest_sed(seds.only(free), composites) + 1
    for k, composite in enumerate(composites, start=1):
        members = nearest == k
        flux, error = seds.flux[members], seds.error[members]
        amplitude, _ = best_fit_amplitude(flux, error, composite)
        residual[members] = (flux - amplitude[:, None] * composite) / error
    return residual


def similarity_summary(similarity):
    """Median similarity, and its 2.3rd percentile (2 sigma below the mean of a Gaussian); NaN for no pixels."""
    known = similarity[np.isfinite(similarity)]
    return tuple(np.percentile(known, [50, TWO_SIGMA])) if len(known) else (np.nan, np.nan)
