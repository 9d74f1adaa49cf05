"""SEDs and light of the populations that pixels are blends of, for a method that takes the blends apart."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from helper_functions.composite_seds import SYSTEMATIC, blending_error, scale_to, shared_error
from helper_functions.methods.fit_blends import CALIBRATION
from helper_functions.noise import draw_noise
from helper_functions.psf import blended_light

REDRAWS = 20  # galaxies simulated from what was found, which give an error to 16%
# As in `composite_seds`: what the method leaves of the blending. With it, two thirds of the fluxes of populations lie
# within their errors of the truth (simulated galaxies, seeds 52000 to 52011).
BLENDING = 1.0


class PopulationSEDs(NamedTuple):
    """The populations of one run, in rows, in the order of the clusters that they dominate; 10 nJy per pixel."""

    flux: np.ndarray  # (n_clusters, n_bands), as bright as the mean of what the population gives its own cluster
    error: np.ndarray  # (n_clusters, n_bands), of noise, of what pixels are made of, and of blending
    noise: np.ndarray  # (n_clusters, n_bands), the part that is not of blending
    shared: np.ndarray  # (n_clusters, n_bands), the part of `error` that bands share, see `shared_error`
    systematic: np.ndarray  # (n_clusters, n_bands), of zero points: not in `error`
    total: np.ndarray  # (n_clusters, n_bands), all light of the population, 10 nJy
    total_error: np.ndarray  # (n_clusters, n_bands)
    light: np.ndarray  # (n_pixels, n_clusters), brightness in units of `flux`; 0 in pixels of no cluster
    n_pixels: np.ndarray  # (n_clusters,), that the population dominates


def population_seds(seds, clustering, refit, seed=0):
    """SEDs, light and errors of the populations behind the clusters.

    The errors come from galaxies that are simulated from what was found, with the noise, its correlation and the
    calibration drawn anew, and are taken apart again: so they hold what is not known of the blends. What simulated
    galaxies cannot tell, as they are made from SEDs that explain the pixels already, is how much of the light that the
    PSF brings from other populations is left in an SED: see `blending_error`.

    Parameters
    ----------
    seds : PixelSEDs
        All pixels and bands.
    clustering : Clustering
    refit : callable
        `refit(seds, populations)`, of the method.
    seed : int

    Returns
    -------
    PopulationSEDs or None
        None where the method knows no populations, or there is no cluster.
    """
    found, n_clusters = clustering.populations, clustering.n_clusters
    if found is None or not n_clusters:
        return None
    block = seds.only(clustering.complete, clustering.bands_used)
    spectra, light = in_all_pixels_and_bands(seds, clustering)
    light[clustering.labels < 1] = 0
    spectra, light = spectra[:n_clusters], light[:, :n_clusters]
    size = np.array([max(light[clustering.labels == k + 1, k].mean(), 1e-12) for k in range(n_clusters)])
    flux, total = spectra * size[:, None], spectra * light.sum(axis=0)[:, None]

    rng, drawn, totals = np.random.default_rng(seed), [], []
    model = found.light @ found.seds
    for _ in range(REDRAWS):
        off = CALIBRATION * model * rng.standard_normal(model.shape)
        again = block._replace(flux=model + found.shared + off + draw_noise(block, rng))
        other = refit(again, found)
        drawn.append(other.seds[:n_clusters])
        totals.append(other.seds[:n_clusters] * other.light[:, :n_clusters].sum(axis=0)[:, None])
    used, typical_error = clustering.bands_used, np.median(block.error, axis=0)
    noise, total_noise = np.full((2, *flux.shape), np.nan)
    changes = np.zeros((n_clusters, REDRAWS, len(used)))
    for k in range(n_clusters):
        scaled = np.array([each[k] * scale_to(each[k], flux[k, used], typical_error) for each in drawn])
        changes[k][:, used] = (scaled - scaled.mean(axis=0)) / np.sqrt(REDRAWS - 1)
        noise[k, used] = scaled.std(axis=0, ddof=1)
        total_noise[k, used] = np.std([each[k] for each in totals], axis=0, ddof=1)
    noise, total_noise = (other_bands(each, seds, light) for each in (noise, total_noise))
    blending = blending_error(flux, blended_light(seds, clustering.labels), BLENDING)
    changes = np.concatenate([blending, changes], axis=1)
    blending = np.sqrt(np.sum(blending**2, axis=1))
    error = np.hypot(noise, blending)
    relative = np.divide(blending, np.abs(flux), out=np.zeros(flux.shape), where=flux != 0)
    background = 0 if seds.background_error is None else seds.background_error
    return PopulationSEDs(
        flux=flux,
        error=error,
        noise=noise,
        shared=np.array([shared_error(*each) for each in zip(changes, error, strict=True)]),
        systematic=SYSTEMATIC * np.abs(flux),
        total=total,
        total_error=np.sqrt(
            total_noise**2 + (relative * total) ** 2 + (background * (light > 0).sum(axis=0)[:, None]) ** 2
        ),
        light=light / size,
        n_pixels=np.array([(clustering.labels == k + 1).sum() for k in range(n_clusters)]),
    )


def in_all_pixels_and_bands(seds, clustering):
    """SEDs in the bands that were not used for clustering, and light of the pixels that lack a band.

    With the light known, an SED in another band is the one that fits its pixels best; with the SEDs known, the light of
    a pixel is the one, not negative, that fits the bands it has.

    Returns
    -------
    spectra : ndarray of shape (n_populations, n_bands)
        NaN in bands that too few pixels have.
    light : ndarray of shape (n_pixels, n_populations)
    """
    found, used = clustering.populations, clustering.bands_used
    spectra = np.full((len(found.seds), len(used)), np.nan)
    spectra[:, used] = found.seds
    light = np.zeros((len(seds.flux), len(found.seds)))
    light[clustering.complete] = found.light
    inverse = 1 / seds.error
    for pixel in np.flatnonzero(~clustering.complete):
        has = np.isfinite(seds.flux[pixel]) & used
        if has.any():
            weighted = (spectra[:, has] * inverse[pixel, has]).T
            light[pixel] = nnls(weighted, seds.flux[pixel, has] * inverse[pixel, has])[0]
    for band in np.flatnonzero(~used):
        has = np.isfinite(seds.flux[:, band])
        if has.sum() > len(found.seds):
            weighted = light[has] * inverse[has, band, None]
            spectra[:, band] = np.linalg.lstsq(weighted, seds.flux[has, band] * inverse[has, band], rcond=None)[0]
    return spectra, light


def other_bands(error, seds, light):
    """Errors with those of bands that were not used filled in: of a fit with the light known, noise independent."""
    for band in np.flatnonzero(np.isnan(error).all(axis=0)):
        has = np.isfinite(seds.flux[:, band])
        curvature = (light[has] / seds.error[has, band, None]).T @ (light[has] / seds.error[has, band, None])
        error[:, band] = np.sqrt(np.maximum(np.diag(np.linalg.pinv(curvature)), 0))
    return error


def flux_budget(seds, clustering, populations):
    """Where the flux of the selected pixels goes, in each band.

    Parameters
    ----------
    seds : PixelSEDs
    clustering : Clustering
    populations : PopulationSEDs or None
        None: what clusters hold is all that their pixels have.

    Returns
    -------
    dict
        Arrays of shape (n_bands,), 10 nJy: `selected`, the sum over all pixels; `clusters`, of all populations, or of
        the pixels in clusters; `unassigned`, of the pixels in none; and `residual`, what is left.
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
