"""Joint deconvolution and unmixing: SEDs of populations, and their light before the PSF.

The PSF blends neighbouring regions, so that even the purest pixels of a small region hold light of its surroundings,
and unmixing pixel by pixel gives an SED that holds it, too. With such an SED, the light of the surroundings would have
to be negative within the region before the PSF. So SEDs t and light maps l >= 0 before the PSF are fitted together:

    flux in pixel p and band b = sum_k (PSF * l_k)_p t_kb + sum_s c_sb pattern_ps + noise

where the patterns are those of the systematic errors (see `methods.systematics`). Light and SEDs are improved in turn.
The light by the multiplicative update of non-negative matrix factorisation (Lee & Seung 1999, Nature 401, 788), with
weights w and a convolution,

    l_k <- l_k [PSF^T * sum_b t_kb w_b D_b]_+ / [PSF^T * sum_b t_kb w_b M_b],    D data without systematics, M model

and the SEDs, with the amplitudes c, by a weighted linear least-squares fit in each band, so that they may be zero or
negative. The iterations start from the unmixed SEDs and end early, which regularises the deconvolution.

SEDs that are too pure fit as well as the true ones, with more light in the maps of the others. The fit ends at the
least pure SEDs that the data allow. How much purer they may be is limited by fluxes that would become negative
(`least_purity`).
"""

from typing import NamedTuple

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.optimize import linprog

from helper_functions.methods.fit_blends import TINY, weighted_fluxes
from helper_functions.methods.systematics import solve_seds, systematics_of
from helper_functions.methods.threads import BLOCK, each_block, n_threads
from helper_functions.psf import arcsec_to_pixels, psf_on_pixels

AROUND = 0.16  # arcsec, the FWHM of the PSF: light this far outside of the selected pixels is fitted, too
FAINTEST_LIGHT = 1e-3  # initial light where none was unmixed, in units of the brightest: at zero it would stay zero
# Iterations with the unmixed SEDs, and of both. More of the former move light to where the impure SEDs want it: with
# 30, simulated SEDs are less pure (seeds 86000 to 87030). With 10, SEDs are twice as far from the truth if the PSF is
# 1.25 times too wide.
LIGHT_STEPS, JOINT_STEPS = 20, 40
UNBLURRED_STEPS = 30  # iterations of the light without a PSF
ROUNDS = 4  # of JOINT_STEPS at most, until chi2 converges: regions that are bright and sharp need more iterations
CONVERGED = 0.03  # relative change of chi2 in a round at which it has converged
REFIT_STEPS = 4  # of a fit to another noise realisation: errors are those of a fit from the start to 1%
# A PSF that is too wide cannot fit the images. Each width, in units of that of the assumed PSF, is tried only if the
# one before leaves a chi2 per degree of freedom above that of the unmixing, which knows no PSF, by a factor of MISFIT.
# Right PSFs give at most 0.98, some of those that are 1.5 times too wide 1.0 to 1.2 (seeds 86000 to 88019).
WIDTHS = 1.0, 0.8, 0.6
MISFIT = 1.1
# Least fraction of a population's light in pixels where it is alone; below it, an SED is kept as unmixed, because it
# is not constrained by any pixel. All of 44 simulated galaxies have 0.12 or more (seeds
# 86000 to 88019); a galaxy of the JADES Origins Field, in which light is mixed everywhere, has 0.02, and its SEDs
# became purer without end.
LEAST_SEEN = 0.05
HOLD, FREE = 1e6, 1e-9  # strength of the prior of a held and of a free SED, relative to the data
FASTEST, SLOWEST = 0.99, 0.01  # limits of the acceleration, and of the decrease of light by it
ALONE = 0.9  # fraction of the light of a pixel above which a population is alone in it
SMOOTHING = 0.06  # arcsec, standard deviation: deconvolved light is noisy on smaller scales


class Deconvolution(NamedTuple):
    """SEDs and light of populations before the PSF."""

    seds: np.ndarray  # (n_populations, n_bands)
    amplitudes: np.ndarray  # (n_patterns, n_bands), of the systematic errors
    light: np.ndarray  # (n_populations, ny, nx), before the PSF, on the grid of a `Deconvolver`
    convolved: np.ndarray  # (n_pixels, n_populations), the light convolved with the PSF, in the pixels

    def scaled(self, factor):
        """The same with the light of each population multiplied by a factor, (n_populations,)."""
        light, convolved = self.light * factor[:, None, None], self.convolved * factor
        return self._replace(seds=self.seds / factor[:, None], light=light, convolved=convolved)


class Deconvolver:
    """Fits of SEDs and light before the PSF to fluxes of the same pixels.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data.
    used : bool ndarray of shape (n_pixels,)
        Pixels that are fitted; the others, such as outliers, have no weight.
    n_populations : int
    width : float
        Width of the PSF in units of that of `seds`; 0 for none.
    """

    def __init__(self, seds, used, n_populations, width=1.0):
        around = round(arcsec_to_pixels(AROUND, seds.pixel))
        self.rows, self.cols = seds.rows - seds.rows.min() + around, seds.cols - seds.cols.min() + around
        self.shape = self.rows.max() + around + 1, self.cols.max() + around + 1
        selected = np.zeros(self.shape, dtype=bool)
        selected[self.rows, self.cols] = True
        self.has_light = binary_dilation(selected, iterations=around)
        self.smoothing = arcsec_to_pixels(SMOOTHING, seds.pixel)
        self._has_psf, self._is_large = width > 0, len(seds.flux) > BLOCK
        psf = psf_on_pixels(seds, width) if width else np.ones((1, 1))
        reach = min(len(psf) // 2, max(self.shape))
        self._periodic = [next_fast_len(size + reach, real=True) for size in self.shape]
        offset, middle = np.arange(-reach, reach + 1), len(psf) // 2
        image = np.zeros(self._periodic)
        image[np.ix_(offset, offset)] = psf[np.ix_(middle + offset, middle + offset)]
        self._transfer = rfft2(image.astype(np.float32) if self._is_large else image)
        self.weight = weighted_fluxes(seds.flux, seds.error).weight * used[:, None]
        self.systematics = systematics_of(seds)
        self.held = np.zeros(n_populations, dtype=bool)  # whether an SED is kept as it is
        patterns = self.systematics.patterns
        self._of_patterns = np.einsum("ps,pb,pt->bst", patterns, self.weight, patterns, optimize=True)

    def convolve(self, light):
        """Light, (n_populations, ny, nx), convolved with the PSF, in the pixels: (n_pixels, n_populations)."""
        image = self._filtered(light, self._transfer) if self._has_psf else light
        return np.maximum(image[:, self.rows, self.cols].T, 0)  # no negative rounding errors

    def correlate(self, values):
        """Transpose of `convolve`: values of the pixels, (n_pixels, n_populations), correlated with the PSF."""
        image = np.zeros((values.shape[1], *self.shape))
        image[:, self.rows, self.cols] = values.T
        if not self._has_psf:
            return image
        return self._filtered(image, self._transfer.conj())[:, : self.shape[0], : self.shape[1]]

    def _filtered(self, images, transfer):
        """Images filtered in Fourier space; for a large galaxy in single precision, which changes SEDs by 1e-5."""
        if not self._is_large:
            return irfft2(rfft2(images, self._periodic) * transfer, self._periodic)
        size, threads = max(np.abs(images).max(), TINY), n_threads()
        transformed = rfft2((images / size).astype(np.float32), self._periodic, workers=threads) * transfer
        return irfft2(transformed, self._periodic, workers=threads) * size

    def start(self, seds, light, amplitudes):
        """Initial values of a fit from an unmixing: SEDs, light in the pixels (n_pixels, n_populations), amplitudes."""
        image = np.zeros((len(seds), *self.shape))
        image[:, self.rows, self.cols] = light.T
        faintest = FAINTEST_LIGHT * image.max(axis=(1, 2), keepdims=True)
        image = np.where(self.has_light, np.maximum(image, faintest), 0)
        return Deconvolution(seds, amplitudes, image, self.convolve(image))

    def fit(self, flux, start, light_steps=0, joint_steps=JOINT_STEPS):
        """Improve light, and then light and SEDs, to fit these fluxes, (n_pixels, n_bands); a `Deconvolution`."""
        found = self._iterate(flux, start, light_steps, lambda found: found)
        found = self._iterate(flux, found, joint_steps, lambda found: self._fit_seds(flux, found))
        return self._fit_seds(flux, found) if joint_steps else found

    def _iterate(self, flux, found, steps, improve_seds):
        """Update the light, accelerated by the vector extrapolation of Biggs & Andrews (1997, Appl. Opt. 36, 1766)."""
        before, changes = found.light, []
        for _ in range(steps):
            light = found.light
            if len(changes) == 2:
                last, now = changes
                acceleration = np.clip(np.sum(now * last) / (np.sum(last**2) + TINY), 0, FASTEST)
                light = np.maximum(light + acceleration * (light - before), SLOWEST * light)
            ahead = found._replace(light=light, convolved=self.convolve(light)) if changes else found
            before, found = found.light, self._fit_light(flux, improve_seds(ahead))
            changes = [*changes[-1:], found.light - ahead.light]
        return found._replace(convolved=self.convolve(found.light))

    def converge(self, flux, start):
        """`fit` until chi2 falls by less than CONVERGED, at most ROUNDS times."""
        found, now = self.fit(flux, start, LIGHT_STEPS, joint_steps=0), np.inf
        for _ in range(ROUNDS):
            found, before = self.fit(flux, found), now
            now = self.chi2(flux, found)
            if now > (1 - CONVERGED) * before:
                break
        return found

    def chi2(self, flux, found):
        """Chi2 of a fit to these fluxes, with weights as if the noise of pixels were independent."""
        residual = flux - found.convolved @ found.seds - self.systematics.model(found.amplitudes)
        return float(np.sum(self.weight * residual**2))

    def _fit_light(self, flux, found):
        """Update the light; `convolved` stays that of the light before."""
        seds = found.seds

        def of_block(block):  # weighted data and model of each population, side by side
            data = flux[block] - self.systematics.only(block).model(found.amplitudes)
            return np.hstack([(self.weight[block] * each) @ seds.T for each in (data, found.convolved[block] @ seds)])

        data, model = np.split(self.correlate(np.concatenate(each_block(of_block, len(flux)))), 2)
        # The model is positive, apart from rounding and from populations whose SEDs are negative in most bands.
        light = found.light * np.maximum(data, 0) / np.maximum(model, 1e-9 * np.abs(model).max() + TINY)
        return found._replace(light=light)

    def _fit_seds(self, flux, found):
        light, patterns, weight = found.convolved, self.systematics.patterns, self.weight
        n, n_bands = light.shape[1], weight.shape[1]
        parts = np.column_stack([light, patterns])
        matrix = np.zeros((n_bands, parts.shape[1], parts.shape[1]))
        matrix[:, :n] = sum(
            each_block(lambda block: (light[block].T * weight[block].T[:, None]) @ parts[block], len(light))
        )
        matrix[:, n:, :n] = matrix[:, :n, n:].transpose(0, 2, 1)
        matrix[:, n:, n:] = self._of_patterns
        # A population without light keeps its SED, too.
        held = np.where(self.held, HOLD, FREE)[:, None] * np.einsum("bii->b", matrix[:, :n, :n]) + TINY
        solved, amplitudes = solve_seds(matrix, parts.T @ (weight * flux), found.seds, held, self.systematics)
        return found._replace(seds=solved, amplitudes=amplitudes)


def deconvolve(seds, populations, used):
    """Deconvolve the light of unmixed populations, and improve their SEDs.

    Parameters
    ----------
    seds : PixelSEDs
        Without missing data.
    populations : Populations
        In flux units.
    used : bool ndarray of shape (n_pixels,)
        Pixels that are fitted.

    Returns
    -------
    found : Deconvolution
        SEDs have the brightness of those of `populations`.
    deconvolver : Deconvolver
        That fits other fluxes of these pixels.
    width : float
        Of the PSF that was used, in units of that of `seds`; 0 if all of WIDTHS are too wide for the images, or all
        SEDs are nowhere alone: SEDs are then the unmixed ones.
    """
    unmixed = populations.seds, populations.light, populations.amplitudes
    n_populations = len(populations.seds)
    none = Deconvolver(seds, used, n_populations, width=0)
    before = none.fit(seds.flux, none.start(*unmixed), UNBLURRED_STEPS, joint_steps=0)
    n_free = seds.flux.shape[1] - np.mean(np.sum(populations.light > 0, axis=1))
    allowed = MISFIT * none.chi2(seds.flux, before) * seds.flux.shape[1] / max(n_free, 1)
    for width in WIDTHS:
        deconvolver = Deconvolver(seds, used, n_populations, width)
        found = deconvolver.converge(seds.flux, deconvolver.start(*unmixed))
        if deconvolver.chi2(seds.flux, found) > allowed:
            continue
        while not (seen := deconvolver.held | (light_alone(found, deconvolver.smoothing) >= LEAST_SEEN)).all():
            deconvolver.held |= ~seen
            if deconvolver.held.all():
                return before, none, 0.0
            found = deconvolver.converge(seds.flux, deconvolver.start(*unmixed))
        deconvolver.held[:] = False  # for the errors, all SEDs are fitted to other noise realisations
        return found.scaled(_size(found.seds) / _size(populations.seds)), deconvolver, width
    return before, none, 0.0


def _size(seds):
    return np.maximum(np.sqrt(np.mean(seds**2, axis=1)), TINY)


def least_purity(seds):
    """Lower limit of the fraction of each SED that is the population's own, after the deconvolution.

    Contamination by another population in a fixed proportion in each pixel cannot be detected. The largest amount that
    may be subtracted is limited by fluxes that would become negative.

    Parameters
    ----------
    seds : ndarray of shape (n_populations, n_bands)

    Returns
    -------
    ndarray of shape (n_populations,)
        1 for a single population; fractions are of the mean absolute flux over the bands.
    """
    scaled = seds / np.maximum(np.abs(seds).mean(axis=1, keepdims=True), TINY)
    least = np.ones(len(seds))
    for k, own in enumerate(scaled):
        if len(others := np.delete(scaled, k, axis=0)):
            most = linprog(-np.ones(len(others)), A_ub=others.T, b_ub=np.maximum(own, 0))
            least[k] = np.clip(1 + most.fun, 0, 1) if most.status == 0 else 0.0
    return least


def light_alone(found, smoothing):
    """Fraction of the light of each population, before the PSF, in pixels that hold hardly any other light.

    Parameters
    ----------
    found : Deconvolution
    smoothing : float
        Pixels, standard deviation of a Gaussian filter of the light.

    Returns
    -------
    ndarray of shape (n_populations,)
    """
    size = np.maximum(found.seds.mean(axis=1), 0)[:, None, None]
    light = np.array([gaussian_filter(each, smoothing) for each in found.light * size])
    is_alone = light > ALONE * light.sum(axis=0)
    return np.sum(light * is_alone, axis=(1, 2)) / np.maximum(light.sum(axis=(1, 2)), TINY)


def distinctness(found):
    """How distinct the populations are in each pixel, before the PSF; and the two populations that are mixed most.

    It is 1 for perfectly distinct regions, lower with borders and noise, and 0.5 for two populations with a uniform
    distribution of fractions from 0 to 1.

    Parameters
    ----------
    found : Deconvolution

    Returns
    -------
    distinct : float
        Difference of the largest and the second largest fraction of the light of a pixel, mean over all light; NaN
        for a single population.
    pair : tuple of int
        Indices of the two populations that share the most light as the first and second in a pixel; empty for one.
    """
    light = (found.light * np.maximum(found.seds.mean(axis=1), 0)[:, None, None]).reshape(len(found.seds), -1)
    if len(light) < 2:
        return np.nan, ()
    order = np.argsort(light, axis=0)[-2:]
    second, first = np.take_along_axis(light, order, axis=0)
    shared = np.zeros((len(light), len(light)))
    np.add.at(shared, tuple(np.sort(order, axis=0)), second)
    pair = np.unravel_index(shared.argmax(), shared.shape)
    return float(np.sum(first - second) / max(light.sum(), TINY)), tuple(int(each) for each in pair)
