import numpy as np

from helper_functions.filters import load_filter
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS
from helper_functions.spectrum_model import GRID, LINES, Target, infer, responses, spectrum_prior

REDSHIFT = 2.0


def curves_of(bands, redshift=REDSHIFT):
    filters = [load_filter(band) for band in bands]
    return [(each.wavelength / (1 + redshift), each.transmission) for each in filters]


def test_responses_to_a_flat_spectrum_and_to_a_line_by_the_formula():
    """Photons that a line of width W adds over those of the continuum, by numerical integration."""
    wavelength = np.linspace(6000, 7000, 100001)
    response = np.exp(-0.5 * ((wavelength - 6500) / 150) ** 2)
    smooth, lines = responses([(wavelength, response)])
    assert np.isclose(smooth.sum(), 1)
    width = 100.0
    excess = np.zeros(wavelength.shape)  # f_lambda of the line over f_lambda of the continuum at the line
    group = LINES["halpha_nii"]
    shares = np.array(group.shares) / sum(group.shares)
    for at, share in [*zip(group.wavelengths, shares, strict=True), *group.companions]:
        excess += width * share * np.exp(-0.5 * ((wavelength - at) / 0.5) ** 2) / (0.5 * np.sqrt(2 * np.pi))
    centre = np.average(group.wavelengths, weights=shares)
    # Of a continuum that is flat in f_nu, f_lambda ~ lambda^-2, photons per wavelength ~ f_lambda lambda.
    photons = np.trapezoid(excess * centre**-2 * wavelength * response, wavelength)
    continuum = np.trapezoid(wavelength**-1 * response, wavelength)
    assert np.isclose(width * lines[0, list(LINES).index("halpha_nii")], photons / continuum, rtol=1e-4)


def test_a_target_that_is_a_band_is_what_the_band_measured():
    bands = ("f115w", "f150w", "f200w", "f277w")
    curves = curves_of(bands)
    flux = np.array([[1.0, 2.0, 1.5, 3.0]])
    mean, covariance = infer(flux, 1e-3 * flux, spectrum_prior(curves, [Target(*curves[2])]))
    assert np.isclose(mean[0, 0], 1.5, atol=5e-3)
    assert np.isclose(np.sqrt(covariance[0, 0, 0]), 1.5e-3, rtol=0.05)


def test_errors_grow_where_bands_are_missing_and_missing_is_no_zero():
    curves = curves_of(SURVEY_BANDS)
    target = [Target(np.array([6990.0, 7000, 7010]), np.array([0.0, 1, 0]))]
    near = np.array([abs(np.mean(w) - 7000) < 900 for w, _ in curves])
    flux, error = np.ones((2, len(curves))), np.full((2, len(curves)), 0.02)
    flux[1, near] = np.nan
    mean, covariance = infer(flux, error, spectrum_prior(curves, target))
    assert covariance[1, 0, 0] > 2 * covariance[0, 0, 0]
    assert (np.abs(mean[:, 0] - 1) < 3 * np.sqrt(covariance[:, 0, 0])).all()
    assert np.exp(GRID[0]) < 1216 < np.exp(GRID[-1])
