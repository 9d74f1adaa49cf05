import numpy as np
import pytest
from astropy import units as u

from helper_functions.filters import load_filter
from helper_functions.fitting.line_ratios import CASE_B, LAWS
from helper_functions.sed_features import (
    EDGE,
    FAINT,
    LINE_CENTRES,
    MOVED,
    NEGATIVE,
    NII_ERROR,
    ONE_SIDE,
    SED_FEATURES,
    SII_ERROR,
    UNCOVERED,
    UNDETECTED,
    WEAK,
    Photometry,
    RestFrame,
    measure_features,
    measure_in_range,
)
from helper_functions.simulation.feature_recovery import true_features
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS
from helper_functions.simulation.stellar_populations import FLUX_DENSITY, Spectrum, photometry
from helper_functions.spectrum_model import LINES

REST = np.geomspace(900, 30000, 60000)  # Angstrom, in steps of 2 to 10% of a line's distance to its neighbour
REDSHIFT = 2.0
SNR = 50.0


def fluxes(spectrum, redshift=REDSHIFT, bands=SURVEY_BANDS):
    """Photometry by sedpy, another route than that of the features, of f_lambda on REST; and errors of 1/SNR."""
    flux = photometry(Spectrum(REST * (1 + redshift) * u.AA, spectrum * 1e-19 * FLUX_DENSITY), bands)[None]
    return flux, np.abs(flux) / SNR


def measured(spectrum, redshift=REDSHIFT, bands=SURVEY_BANDS):
    return measure_features(*fluxes(spectrum, redshift, bands), bands, redshift)


def with_lines(continuum, **widths):
    """A spectrum with line groups of these rest-frame widths on top, without their companions."""
    spectrum = continuum.copy()
    for name, width in widths.items():
        shares = np.array(LINES[name].shares) / sum(LINES[name].shares)
        centre = np.average(LINES[name].wavelengths, weights=shares)
        level = width * np.interp(centre, REST, continuum)
        for at, share in zip(LINES[name].wavelengths, shares, strict=True):
            spectrum += level * share * np.exp(-0.5 * ((REST - at) / 3) ** 2) / (3 * np.sqrt(2 * np.pi))
    return spectrum


@pytest.mark.parametrize("beta", [-2.5, -1.0, 0.5])
def test_the_slope_of_a_power_law_is_exact(beta):
    found = measured(REST**beta, redshift=4.0)["beta"]
    assert found.value[0] == pytest.approx(beta, abs=2e-3)  # of the step of 0.02 in which slopes are tried
    assert found.error[0] > SED_FEATURES["beta"].model_error


def test_fluxes_below_zero_do_not_bias_the_slope():
    """Means over noise, at SNR 1.5: a fit to logarithms cannot use a third of the SEDs."""
    rng = np.random.default_rng(0)
    flux, _ = fluxes(REST**-2.0, 4.0)
    error = np.repeat(flux / 3, 2000, axis=0)
    found = measure_features(rng.normal(flux, error), error, SURVEY_BANDS, 4.0)["beta"]
    assert np.nanmedian(found.value) == pytest.approx(-2, abs=0.15)


@pytest.mark.parametrize("width", [0.0, 100.0, 800.0])
@pytest.mark.parametrize(("name", "redshift"), [("halpha_nii", 2.1), ("oiii_hbeta", 2.1), ("paschen_beta", 1.0)])
def test_lines_on_a_smooth_continuum(name, redshift, width):
    found = measured(with_lines(REST**-1.0, **{name: width}), redshift)[f"ew_{name}"]
    assert abs(found.value[0] - width) < 2 * found.error[0]
    assert found.error[0] < 60 + 0.15 * width
    assert (found.flag[0] == WEAK) == (width == 0)


def test_a_line_in_absorption_is_not_called_weak():
    found = measured(with_lines(REST**-1.0, halpha_nii=-300))["ew_halpha_nii"]
    assert found.value[0] < -2 * found.error[0]
    assert found.flag[0] == NEGATIVE


# Of which f200w alone has H alpha at redshifts 1.97 to 2.37, and f182m the continuum bluewards of it.
FEW = ("f606w", "f814w", "f115w", "f150w", "f182m", "f200w", "f277w", "f356w", "f444w")


def edge_redshift(line, band):
    """Redshift at which the response of a band to a line is 0.6 of the maximum, on its red edge."""
    curve = load_filter(band)
    inside = curve.wavelength[curve.transmission > 0.6 * curve.transmission.max()].max()
    return inside / LINES[line].wavelengths[-1] - 1


def width_and_error(true_redshift, z_16, z_50, z_84):
    """Width of H alpha of 300 Angstrom, its error, flag and errors off, from few bands and a range of redshift."""
    flux, error = fluxes(with_lines(REST**-1.0, halpha_nii=300), true_redshift, FEW)
    found = measure_in_range(flux, error, FEW, z_50, (z_16, z_84))["ew_halpha_nii"]
    return found.value[0], found.error[0], found.flag[0], (found.value[0] - 300) / found.error[0]


def test_the_redshift_s_range_is_in_the_error_of_a_line_on_a_band_s_edge():
    """The true redshift is 2% off, where no band has the line; the control, without the range, is sure of no width."""
    z = edge_redshift("halpha_nii", "f200w")
    true = 1.02 * (1 + z) - 1
    value, _, flag, off = width_and_error(true, 0.98 * (1 + z) - 1, z, true)
    control = width_and_error(true, z, z, z)
    assert control[0] == value
    assert abs(control[3]) > 3
    assert abs(off) < 2
    assert EDGE in flag
    assert EDGE not in control[2]


def test_a_line_in_the_middle_of_a_band_has_the_same_error_at_any_redshift_of_the_range():
    z = 2.2  # at 2.1 micron, in f200w, which reaches from 1.76 to 2.23
    within, control = (width_and_error(z, z - each, z, z + each) for each in (0.01, 0.0))
    assert within[1] == pytest.approx(control[1], rel=0.2)
    assert (within[2], control[2]) == ("", "")


@pytest.mark.parametrize("limits", [(np.nan, np.nan), (REDSHIFT, REDSHIFT)])
def test_without_a_range_the_redshift_is_exact(limits):
    case = *fluxes(REST**-1.0), SURVEY_BANDS, REDSHIFT
    for one, other in zip(measure_in_range(*case, limits).values(), measure_features(*case).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_break_whose_error_is_the_redshift_s_says_so():
    spectrum = np.where(REST > 3700, 2.0, 1.0) / REST**2
    found = measure_in_range(*fluxes(spectrum), SURVEY_BANDS, REDSHIFT, (1.6, 2.4))["balmer_break"]
    assert found.error[0] > 1.4 * measured(spectrum)["balmer_break"].error[0]
    assert found.flag[0] == MOVED


@pytest.mark.parametrize(
    ("name", "redshift"), [("halpha_nii", 2.1), ("oiii_hbeta", 2.1), ("paschen_beta", 1.0), ("paschen_alpha", 0.6)]
)
def test_the_flux_of_a_line_is_its_observed_energy(name, redshift):
    """Width times continuum, by hand: the continuum is 1e-19 / lambda at rest, and the width is stretched by 1 + z."""
    width = 800.0
    found = measured(with_lines(REST**-1.0, **{name: width}), redshift)
    value, error, flag = (each[0] for each in found[f"flux_{name}"])
    truth = width * (1 + redshift) * 1e-19 / LINE_CENTRES[name]
    assert abs(value - truth) < 2 * error
    assert error < 0.15 * truth
    assert abs(value * (1 + redshift) - truth) > 3 * error  # the control, without stretching
    assert flag == ""


def lines_alone(halpha, paschen, line="paschen_beta", relative_error=0.0, redshift=1.0):
    """Posterior of fluxes of H alpha without [NII], and of a Paschen line, in erg/s/cm2, shape (n,)."""
    fluxes = {"halpha_nii": halpha * 1.27, line: paschen}  # [NII] is 0.27 of H alpha
    unit = 1e-31 * 2.99792458e18 / (1 + redshift)  # 10 nJy in erg/s/cm2/Hz, and Angstrom/s
    mean = {name: np.atleast_1d(flux * LINE_CENTRES[name] ** 2 / unit) for name, flux in fluxes.items()}
    covariance = {(a, b): (a == b) * (relative_error * mean[a]) ** 2 for a in mean for b in mean}
    return Photometry(None, None, RestFrame((), redshift, *5 * [None]), mean, covariance, "10 nJy")


@pytest.mark.parametrize("a_v", [0.0, 1.5])
@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("line", CASE_B)
def test_dust_that_was_planted_in_the_ratio_of_case_b(line, law, a_v):
    halpha, paschen = 1e-16, 1e-16 / CASE_B[line]  # without dust
    at_halpha, at_paschen = (LAWS[law][0](LINE_CENTRES[name]) for name in ("halpha_nii", line))
    seen = halpha * 10 ** (-0.4 * a_v * at_halpha), paschen * 10 ** (-0.4 * a_v * at_paschen)
    found, rate = (SED_FEATURES[f"{name}_{line}_{law}"] for name in ("a_v", "sfr"))
    data = lines_alone(*seen, line=line, relative_error=0.1)
    value, error = found.measure(found, data)
    assert value[0] == pytest.approx(a_v, abs=1e-9)
    # Magnitudes of the ratio by those of reddening; both lines 10%, H alpha with its neighbours.
    noise = 2.5 / np.log(10) * np.sqrt(2 * 0.1**2 + NII_ERROR**2 + SII_ERROR**2) / (at_halpha - at_paschen)
    assert error[0] == pytest.approx(noise)
    # 4 pi (6607.7 Mpc)^2 1e-16 erg/s/cm2 is 5.224e41 erg/s, over 10^41.27.
    assert rate.measure(rate, data)[0][0] == pytest.approx(2.805, rel=1e-3)
    with_nii = lines_alone(1.27 * seen[0], seen[1], line=line)
    assert abs(found.measure(found, with_nii)[0][0] - a_v) > 0.3  # the control: [NII] counted as H alpha
    weak = lines_alone(*seen, line=line, relative_error=0.6)
    assert np.isnan(found.measure(found, weak)[0]).all()


def test_dust_from_photometry_of_lines():
    """[NII] as in the model, and no [SII], which is within the error of H alpha."""
    for a_v in (0.0, 2.0):
        flux = {"halpha_nii": 1.27, "paschen_alpha": 1 / CASE_B["paschen_alpha"]}
        dimmed = {name: 10 ** (-0.4 * a_v * LAWS["calzetti"][0](LINE_CENTRES[name])) for name in flux}
        widths = {name: 1500 * flux[name] * dimmed[name] * LINE_CENTRES[name] / 6564.6 for name in flux}
        found = measured(with_lines(REST**-1.0, **widths), redshift=1.0)
        value, error, flag = (each[0] for each in found["a_v_paschen_alpha_calzetti"])
        assert abs(value - a_v) < 2 * error
        assert error < 0.6
        assert flag == ""
    assert found["a_v_paschen_beta_smc"].flag[0] == UNDETECTED
    assert measured(REST**-1.0, redshift=4.0)["sfr_paschen_alpha_smc"].flag[0] == UNCOVERED


def test_a_step_is_a_break_and_a_smooth_spectrum_has_none():
    for height in (1.0, 2.0):
        step = np.where(REST > 3700, height, 1.0) / REST**2
        truth = true_features(REST, step)
        found = measured(step)
        for name in ("balmer_break", "d4000"):
            assert abs(found[name].value[0] - truth[name]) < 2 * found[name].error[0]
    assert truth["balmer_break"] == pytest.approx(2.0)
    assert abs(found["balmer_break"].value[0] - 1) > 4 * found["balmer_break"].error[0]


@pytest.mark.parametrize("beta", [-2.0, -1.0, 0.0])
def test_colours_of_a_power_law(beta):
    """By the formula, at effective wavelengths of 3600, 5500 and 12400 Angstrom, which hold to 1% here."""
    found = measured(REST**beta, redshift=1.5)
    for name, (blue, red) in {"u_v": (3600, 5500), "v_j": (5500, 12400)}.items():
        assert found[name].value[0] == pytest.approx(2.5 * (beta + 2) * np.log10(red / blue), abs=0.06)
        assert found[name].value[0] == pytest.approx(true_features(REST, REST**beta)[name], abs=0.02)
        assert found[name].error[0] < 0.05


def test_what_no_band_covers_is_not_guessed():
    found = measured(REST**-1.5, redshift=6.3)
    for name, word in {"ew_halpha_nii": ONE_SIDE, "ew_paschen_beta": UNCOVERED, "v_j": ONE_SIDE}.items():
        assert np.isnan([found[name].value[0], found[name].error[0]]).all()
        assert found[name].flag[0] == word
    flux, error = fluxes(REST**-1.5)
    flux[0, [band in ("f182m", "f200w", "f210m") for band in SURVEY_BANDS]] = np.nan  # H alpha at redshift 2
    assert measure_features(flux, error, SURVEY_BANDS, REDSHIFT)["ew_halpha_nii"].flag[0] == UNCOVERED


def test_units_and_the_order_of_bands_do_not_matter():
    flux, error = fluxes(with_lines(REST**-1.0, halpha_nii=200))
    first = measure_features(flux, error, SURVEY_BANDS, REDSHIFT)
    order = np.random.default_rng(0).permutation(len(SURVEY_BANDS))
    bands = [SURVEY_BANDS[n] for n in order]
    other = measure_features(1e-12 * flux[:, order], 1e-12 * error[:, order], bands, REDSHIFT, unit="10 kJy")
    for name in SED_FEATURES:
        np.testing.assert_allclose(
            other[name].value, first[name].value, rtol=1e-5, atol=1e-5 * np.nan_to_num(first[name].error[0])
        )
        np.testing.assert_allclose(other[name].error, first[name].error, rtol=1e-5)
        assert (other[name].flag == first[name].flag).all()


def test_noise_scatters_values_no_more_than_errors_say():
    """Errors also hold what is not known of the continuum; the control has errors of a third of the noise."""
    rng = np.random.default_rng(1)
    flux, error = fluxes(with_lines(REST**-1.5, halpha_nii=300, oiii_hbeta=300))
    error = np.repeat(3 * error, 500, axis=0)
    drawn = rng.normal(flux, error)
    clean = measure_features(flux, error[:1], SURVEY_BANDS, REDSHIFT)
    honest, control = (measure_features(drawn, each, SURVEY_BANDS, REDSHIFT) for each in (error, error / 3))
    for name in ("beta", "balmer_break", "ew_halpha_nii", "ew_oiii_hbeta", "u_v"):
        spread = [np.nanstd((each[name].value - clean[name].value) / each[name].error) for each in (honest, control)]
        assert 0.45 < spread[0] < 1.15
        assert spread[1] > 1.2 * spread[0]


@pytest.mark.parametrize("redshift", [REDSHIFT, np.nan])
def test_bad_photometry_is_masked_with_a_word(redshift):
    flux, error = fluxes(REST**-1.0)
    cases = {
        "negative": (-flux, error, SURVEY_BANDS),
        "no data": (flux * np.nan, error, SURVEY_BANDS),
        "two bands": (flux[:, -2:], error[:, -2:], SURVEY_BANDS[-2:]),
        "no bands": (flux[:, :0], error[:, :0], ()),
    }
    for case in cases.values():
        for name, found in measure_features(*case, redshift).items():
            if not (name.startswith("flux_") and found.flag[0] == WEAK):  # as measured, as it needs no continuum
                assert np.isnan([found.value, found.error]).all()
                assert found.flag[0] in (UNCOVERED, ONE_SIDE, FAINT, UNDETECTED, "no redshift")
    assert len(measure_features(flux[:0], error[:0], SURVEY_BANDS, redshift)["beta"].value) == 0
