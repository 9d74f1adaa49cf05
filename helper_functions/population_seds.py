"""SEDs, light distributions and errors of the populations, for a method that models pixels as blends of them."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from helper_functions.composite_seds import SYSTEMATIC, blending_error, scale_factor, shared_error
from helper_functions.methods.deconvolution import REFIT_STEPS, deconvolve, distinctness, least_purity, light_alone
from helper_functions.methods.fit_blends import CALIBRATION, TINY
from helper_functions.noise import draw_noise
from helper_functions.psf import contamination_matrix

REDRAWS = 20  # parametric bootstrap samples, which give an error to 16%
# Contamination that remains after unmixing and deconvolution, defined as in `composite_seds`. With it, two thirds of
# the fluxes of populations are within their errors of the truth (simulated galaxies, seeds 86000 to 87030).
BLENDING = 0.25
LEAST_CONTAMINATION = 0.05  # of each other population, before that factor: a deconvolution is never perfect


class PopulationSEDs(NamedTuple):
    """Population SEDs of one run, in the order of the clusters that they dominate, 10 nJy per pixel."""

    flux: np.ndarray  # (n_clusters, n_bands), mean over the population's own cluster
    error: np.ndarray  # (n_clusters, n_bands), from noise, unmixing and contamination
    noise: np.ndarray  # (n_clusters, n_bands), the same without contamination
    shared: np.ndarray  # (n_clusters, n_bands), the part of `error` correlated between bands, see `shared_error`
    systematic: np.ndarray  # (n_clusters, n_bands), zero point error, not included in `error`
    total: np.ndarray  # (n_clusters, n_bands), total flux of the population, 10 nJy
    total_error: np.ndarray  # (n_clusters, n_bands)
    light: np.ndarray  # (n_pixels, n_clusters), amplitude of each population in units of `flux`; 0 where unassigned
    before_psf: np.ndarray  # (n_pixels, n_clusters), the same before the PSF
    n_pixels: np.ndarray  # (n_clusters,), pixels that the population dominates
    purity_low: np.ndarray  # (n_clusters,), least fraction of the SED that is its own, see `deconvolution`
    alone: np.ndarray  # (n_clusters,), fraction of its light in pixels with hardly any other light, before the PSF
    psf_width: float  # of the PSF that light was deconvolved with, in units of that assumed; 0: not deconvolved
    distinct: float  # 1 if each pixel has light of one population only, see `deconvolution.distinctness`; NaN for one
    most_mixed: tuple  # numbers of the two populations that share the most light; empty for one


def population_seds(seds, clustering, seed=0):
    """SEDs, light and errors of the populations of the clusters.

    The unmixed SEDs are improved by a joint deconvolution, see `deconvolution`, without populations that dominate no
    pixel, whose light is given to the others.

    The errors are from a parametric bootstrap: the fitted model, with new realisations of the correlated noise and of
    the calibration, is fitted again, so that they include the uncertainty of the unmixing. The bootstrap cannot show
    how much light of other populations, scattered by the PSF, contaminates an SED, as its SEDs fit the pixels by
    construction: that is added by `blending_error`.

    Parameters
    ----------
    seds : PixelSEDs
        All pixels and bands.
    clustering : Clustering
    seed : int

    Returns
    -------
    PopulationSEDs or None
        None for a method without populations, or where there is no cluster.
    """
    n_clusters, complete, used = clustering.n_clusters, clustering.complete, clustering.bands_used
    if clustering.populations is None or not n_clusters:
        return None
    block, member = seds.only(complete, used), clustering.labels > 0
    found, deconvolver, width = deconvolve(block, labelled(clustering.populations, n_clusters, block), member[complete])
    spectra, light = extend_to_all_data(seds, complete, used, found)
    light[~member] = 0
    before_psf = np.zeros(light.shape)
    before_psf[complete] = found.light[:, deconvolver.rows, deconvolver.cols].T
    size = np.array([max(light[clustering.labels == k + 1, k].mean(), TINY) for k in range(n_clusters)])
    flux, total = spectra * size[:, None], spectra * light.sum(axis=0)[:, None]

    rng, drawn, totals = np.random.default_rng(seed), [], []
    model, shared = found.convolved @ found.seds, deconvolver.systematics.model(found.amplitudes)
    for _ in range(REDRAWS):
        off = CALIBRATION * model * rng.standard_normal(model.shape)
        other = deconvolver.fit(model + shared + off + draw_noise(block, rng), found, joint_steps=REFIT_STEPS)
        drawn.append(other.seds)
        totals.append(other.seds * other.convolved[member[complete]].sum(axis=0)[:, None])
    typical_error = np.median(block.error, axis=0)
    noise, total_noise = np.full((2, *flux.shape), np.nan)
    changes = np.zeros((n_clusters, REDRAWS, len(used)))
    for k in range(n_clusters):
        scaled = np.array([each[k] * scale_factor(each[k], flux[k, used], typical_error) for each in drawn])
        changes[k][:, used] = (scaled - scaled.mean(axis=0)) / np.sqrt(REDRAWS - 1)
        noise[k, used] = scaled.std(axis=0, ddof=1)
        total_noise[k, used] = np.std([each[k] for each in totals], axis=0, ddof=1)
    noise, total_noise = (fill_unused_bands(each, seds, light) for each in (noise, total_noise))
    contamination = np.maximum(contamination_matrix(seds, clustering.labels), LEAST_CONTAMINATION)
    blending = blending_error(flux, contamination, BLENDING)
    changes = np.concatenate([blending, changes], axis=1)
    blending = np.sqrt(np.sum(blending**2, axis=1))
    error = np.hypot(noise, blending)
    relative = np.divide(blending, np.abs(flux), out=np.zeros(flux.shape), where=flux != 0)
    brightness = light * np.maximum(found.seds.mean(axis=1), 0)
    all_light = np.maximum(brightness.sum(axis=1, keepdims=True), TINY)
    area = np.sum(brightness / all_light, axis=0)  # pixels, shared among the populations in them
    distinct, pair = distinctness(found)
    background = 0 if seds.background_error is None else seds.background_error
    return PopulationSEDs(
        flux=flux,
        error=error,
        noise=noise,
        shared=np.array([shared_error(*each) for each in zip(changes, error, strict=True)]),
        systematic=SYSTEMATIC * np.abs(flux),
        total=total,
        total_error=np.sqrt(total_noise**2 + (relative * total) ** 2 + (background * area[:, None]) ** 2),
        light=light / size,
        before_psf=before_psf / size,
        n_pixels=np.array([(clustering.labels == k + 1).sum() for k in range(n_clusters)]),
        purity_low=least_purity(found.seds),
        alone=light_alone(found, deconvolver.smoothing),
        psf_width=width,
        distinct=distinct,
        most_mixed=tuple(k + 1 for k in pair),
    )


def labelled(populations, n_clusters, seds):
    """The first `n_clusters` populations, which have a label, with the light of the others; `seds` are their pixels."""
    if len(populations.seds) == n_clusters:
        return populations
    spectra = populations.seds[:n_clusters]
    rest = zip(seds.flux - populations.shared, 1 / seds.error, strict=True)
    light = np.array([light_of_pixel(spectra, *each) for each in rest])
    return populations._replace(seds=spectra, light=light)


def light_of_pixel(spectra, flux, inverse):
    """Non-negative least-squares light of SEDs, (n_populations, n_bands), for fluxes with these inverse errors."""
    return nnls((spectra * inverse).T, flux * inverse)[0]


def extend_to_all_data(seds, complete, used, found):
    """Extend SEDs to the bands not used for clustering, and the light to pixels that lack a band.

    With the light fixed, the SEDs in another band follow from a least-squares fit to its pixels; with the SEDs fixed,
    the light of a pixel is the non-negative least-squares fit to the bands it has.

    Parameters
    ----------
    seds : PixelSEDs
        All pixels and bands.
    complete : bool ndarray of shape (n_pixels,)
    used : bool ndarray of shape (n_bands,)
    found : Deconvolution
        Of the complete pixels in the bands used.

    Returns
    -------
    spectra : ndarray of shape (n_populations, n_bands)
        NaN in bands with too few pixels.
    light : ndarray of shape (n_pixels, n_populations)
    """
    spectra = np.full((len(found.seds), len(used)), np.nan)
    spectra[:, used] = found.seds
    light = np.zeros((len(seds.flux), len(found.seds)))
    light[complete] = found.convolved
    inverse = 1 / seds.error
    for pixel in np.flatnonzero(~complete):
        has = np.isfinite(seds.flux[pixel]) & used
        if has.any():
            light[pixel] = light_of_pixel(spectra[:, has], seds.flux[pixel, has], inverse[pixel, has])
    for band in np.flatnonzero(~used):
        has = np.isfinite(seds.flux[:, band])
        if has.sum() > len(found.seds):
            weighted = light[has] * inverse[has, band, None]
            spectra[:, band] = np.linalg.lstsq(weighted, seds.flux[has, band] * inverse[has, band], rcond=None)[0]
    return spectra, light


def fill_unused_bands(error, seds, light):
    """Fill in the errors in bands that were not used: those of the least-squares fit with the light fixed."""
    for band in np.flatnonzero(np.isnan(error).all(axis=0)):
        has = np.isfinite(seds.flux[:, band])
        curvature = (light[has] / seds.error[has, band, None]).T @ (light[has] / seds.error[has, band, None])
        error[:, band] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(curvature)), 0))
    return error


def flux_budget(seds, clustering, populations):
    """Flux budget of the selected pixels in each band.

    Parameters
    ----------
    seds : PixelSEDs
    clustering : Clustering
    populations : PopulationSEDs or None
        None: the flux of clusters is the summed flux of their pixels.

    Returns
    -------
    dict
        Arrays of shape (n_bands,), 10 nJy: `selected`, the sum over all pixels; `clusters`, over all populations, or
        over the pixels in clusters; `unassigned`, over pixels in no cluster; and `residual`, the remainder.
    """
    member = clustering.labels > 0
    selected, unassigned = (np.nansum(seds.flux[which], axis=0) for which in (np.ones_like(member), ~member))
    clusters = np.nansum(seds.flux[member], axis=0) if populations is None else np.nansum(populations.total, axis=0)
    return {
        "selected": selected,
        "clusters": clusters,
        "unassigned": unassigned,
        "residual": selected - clusters - unassigned,
    }
