"""Composite SEDs of clusters, and how similar their pixels are to them."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

from distances import cross_correlation

ITERATIONS = 50
CONVERGED = 1e-8  # largest change of a scaled composite, in units of its error
FLUX_UNIT = u.Unit(10 * u.nJy)  # the survey's: AB zero point 28.9
TWO_SIGMA = 2.275  # percentile: share of a Gaussian below its mean by more than 2 sigma


class CompositeSEDs(NamedTuple):
    """Composite SEDs of one run, clusters in rows. NaN where a cluster has no data in a band."""

    flux: np.ndarray  # (n_clusters, n_bands), 10 nJy per pixel, of a pixel of mean amplitude
    error: np.ndarray  # (n_clusters, n_bands), from the noise of the members
    scatter: np.ndarray  # (n_clusters, n_bands), weighted standard deviation of the scaled members
    n_pixels: np.ndarray  # (n_clusters, n_bands), members with data
    amplitude: np.ndarray  # (n_pixels,), brightness of each pixel relative to its composite; NaN where unassigned
    similarity: np.ndarray  # (n_pixels,), 1 - b12 of each pixel to its composite; NaN where unassigned
    similarity_median: np.ndarray  # (n_clusters,), of the members
    similarity_2sigma: np.ndarray  # (n_clusters,), what all but 2.3% of the members exceed
    labels: np.ndarray  # (n_pixels,), the clusters that these are the composites of


def best_fit_amplitude(flux, error, template):
    """Amplitudes a that make a * template fit SEDs best in chi2.

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


def composite_sed(flux, error):
    """The shape that fits a set of SEDs best, each scaled by its own amplitude.

    SED and amplitudes are fitted in turn until neither changes: the inverse-variance mean of the members scaled to a
    common amplitude is sum(a f / e^2) / sum(a^2 / e^2), as a pixel scaled by 1/a has the error e/a. Fluxes of either
    sign count as measured.

    Parameters
    ----------
    flux, error : ndarray of shape (n_pixels, n_bands)
        NaN where there is no data.

    Returns
    -------
    composite, composite_error, scatter : ndarray of shape (n_bands,)
        NaN in bands without data.
    amplitude : ndarray of shape (n_pixels,)
        Mean 1, so that the composite is as bright as the mean member; if that mean is not positive (noise), as fitted.
    """
    has_data = np.isfinite(flux)
    weight = np.where(has_data, 1 / error**2, 0)
    values = np.where(has_data, flux, 0)
    weighted, amplitude = weight * values, np.ones(len(flux))
    composite, composite_error = weighted_mean(weighted, weight, amplitude)
    for _ in range(ITERATIONS):
        template = np.nan_to_num(composite)  # a band without data has no weight
        norm = weight @ template**2
        amplitude = np.divide(weighted @ template, norm, out=np.zeros(len(flux)), where=norm > 0)
        amplitude /= amplitude.mean() if amplitude.mean() > 0 else 1
        previous = composite
        composite, composite_error = weighted_mean(weighted, weight, amplitude)
        if np.nanmax(np.abs(composite - previous) / composite_error) < CONVERGED:
            break
    share = weight * amplitude[:, None] ** 2
    residual = (
        np.divide(values, amplitude[:, None], out=np.zeros_like(values), where=amplitude[:, None] != 0) - composite
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, as it should be, in bands without data
        scatter = np.sqrt(np.sum(share * np.where(share > 0, residual, 0) ** 2, axis=0) / share.sum(axis=0))
    return composite, composite_error, scatter, amplitude


def weighted_mean(weighted, weight, amplitude):
    """Inverse-variance mean of SEDs, given as flux times weight, scaled by 1/amplitude, and its error.

    NaN in bands without weight.
    """
    total = amplitude**2 @ weight
    with np.errstate(invalid="ignore", divide="ignore"):
        return amplitude @ weighted / total, np.where(total > 0, 1 / np.sqrt(total), np.nan)


def composite_seds(seds, labels):
    """Composite SED of every cluster.

    Parameters
    ----------
    seds : PixelSEDs
        NaN where there is no data. Not changed.
    labels : int ndarray of shape (n_pixels,)
        1..n_clusters; pixels below 1 belong to none. The composite of a cluster that has no pixel is NaN.

    Returns
    -------
    CompositeSEDs
    """
    n_clusters, n_bands = max(labels.max(initial=0), 0), seds.flux.shape[1]
    composite, composite_error, scatter = np.full((3, n_clusters, n_bands), np.nan)
    n_pixels = np.zeros((n_clusters, n_bands), dtype=int)
    amplitude, similarity = np.full((2, len(seds.flux)), np.nan)
    summary = np.full((n_clusters, 2), np.nan)
    for k in range(n_clusters):
        members = labels == k + 1
        if not members.any():
            continue
        flux = seds.flux[members]
        composite[k], composite_error[k], scatter[k], amplitude[members] = composite_sed(flux, seds.error[members])
        n_pixels[k] = np.isfinite(flux).sum(axis=0)
        similarity[members] = 1 - cross_correlation(flux, composite[k])[1]
        summary[k] = similarity_summary(similarity[members])
    return CompositeSEDs(
        composite, composite_error, scatter, n_pixels, amplitude, similarity, *summary.T, labels=labels
    )


def nearest_sed(seds, templates):
    """For each pixel, the template that fits it best in chi2 with a free amplitude.

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

    For pixels in no cluster they are from the composite that fits best. If such pixels were left out, a method would
    seem to fit better the more of the difficult pixels it leaves unassigned.

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
    composites = composite_seds(seds, labels).flux
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
    """Median similarity, and the value that all but the lowest 2.3% (2 sigma) exceed; NaN for no pixels."""
    known = similarity[np.isfinite(similarity)]
    return tuple(np.percentile(known, [50, TWO_SIGMA])) if len(known) else (np.nan, np.nan)


def composite_table(composites, seds):
    """The composite SEDs as a long table: a row for each cluster and band, units on every column that has one.

    Parameters
    ----------
    composites : CompositeSEDs
    seds : PixelSEDs
        What they are the composites of; without a redshift, rest-frame wavelengths are NaN.

    Returns
    -------
    astropy.table.Table
    """
    n_clusters, n_bands = composites.flux.shape
    return Table(
        {
            "cluster": np.repeat(np.arange(1, n_clusters + 1), n_bands),
            "band": np.tile(np.array(seds.bands, dtype=str), n_clusters),
            "wave_obs": np.tile(seds.wavelengths, n_clusters) * u.AA,
            "wave_rest": np.tile(seds.wavelengths / (1 + seds.redshift), n_clusters) * u.AA,
            "flux": composites.flux.ravel() * FLUX_UNIT,
            "flux_err": composites.error.ravel() * FLUX_UNIT,
            "flux_scatter": composites.scatter.ravel() * FLUX_UNIT,
            "n_pixels": composites.n_pixels.ravel(),
            "similarity_median": np.repeat(composites.similarity_median, n_bands),
            "similarity_2sigma": np.repeat(composites.similarity_2sigma, n_bands),
        },
        meta={"redshift": float(seds.redshift), "flux": "per pixel, of a pixel of the cluster's mean amplitude"},
    )
