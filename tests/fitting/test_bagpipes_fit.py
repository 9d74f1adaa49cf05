import sys

import numpy as np
import pytest
from astropy import units as u
from scipy.integrate import quad
from scipy.stats import uniform

from helper_functions.fitting import bagpipes_fit
from helper_functions.fitting.bagpipes_fit import (
    MAX_FAILED_DRAWS,
    MIN_BANDS,
    PRIORS,
    QUANTITIES,
    BoundedGenerator,
    Data,
    brightness_notes,
    derived_quantities,
    draw_mass,
    fit_sed,
    lookback_grid,
    mass_posterior,
    notes,
    sample_posterior,
    sfr_at,
    split_shared,
    systematic_draws,
    whitening,
)
from helper_functions.fitting.bagpipes_setup import cosmology, import_bagpipes
from helper_functions.fitting.histories import N_BINS, SFHS, bin_edges
from helper_functions.fitting.sed_model import make_model
from helper_functions.simulation.stellar_populations import Population, make_spectrum, photometry

BANDS = ("f435w", "f606w", "f814w", "f115w", "f150w", "f200w", "f277w", "f356w", "f444w")
REDSHIFT = 1.5
TRUTH = Population(age=1.0, tau=0.5, a_v=0.8, history="delayed")


def flux_of(population, mass=1e9):
    return photometry(make_spectrum(population, REDSHIFT, mass=mass), BANDS) * 0.01  # from 10 nJy to microjansky


@pytest.fixture(scope="module")
def model():
    return make_model(BANDS, REDSHIFT, 0.0, SFHS["delayed"], PRIORS)


def values_of(model, population):
    return [getattr(population, name) for name in model.distributions]


def test_photometry_is_that_of_the_simulated_galaxies(model):
    """Two routes: sedpy on a spectrum sampled for simulations, and the weights of the fit on a spectrum of its own."""
    for population in (TRUTH, TRUTH._replace(age=0.05, metallicity=0.4, log_u=-2.0, a_v=0.1)):
        assert model.update(values_of(model, population))
        # 0.5%: lines at the edges of filters fall on other samples.
        np.testing.assert_allclose(1e9 * model.photometry(), flux_of(population), rtol=5e-3)


def test_age_and_rate_are_those_of_the_formula(model):
    """SFR t exp(-t / tau), integrated here: 1% for the bins of ages of bagpipes, which are 0.6% wide."""
    age, tau, mass = 1.0, 0.5, 1e9
    model.update(values_of(model, TRUTH))
    found = derived_quantities(model, values_of(model, TRUTH), mass)
    total = quad(lambda t: t * np.exp(-t / tau), 0, age)[0]
    mean_age = quad(lambda t: (age - t) * t * np.exp(-t / tau), 0, age)[0] / total
    recent = quad(lambda t: t * np.exp(-t / tau), age - 0.1, age)[0] / total
    assert found["age"] == pytest.approx(mean_age, rel=0.01)
    assert found["sfr"] == pytest.approx(mass * recent / 1e8, rel=0.01)
    assert found["mass_formed"] == mass
    assert 0.5 * mass < found["mass"] < 0.75 * mass  # of a Kroupa mass function, 1 Gyr old
    assert found["ssfr"] == pytest.approx(found["sfr"] / found["mass"])
    assert set(found) == set(QUANTITIES)
    lookback = lookback_grid(model)
    rate = mass * sfr_at(model.galaxy.sfh, lookback)
    assert np.trapezoid(rate, lookback * 1e9) == pytest.approx(mass, rel=0.02)
    assert lookback[-1] < cosmology().age(REDSHIFT).to_value(u.Gyr)


def test_nothing_forms_before_the_big_bang(model):
    oldest = cosmology().age(REDSHIFT).to_value(u.Gyr)
    assert model.distributions["age"].ppf(1) <= oldest
    with pytest.warns(RuntimeWarning, match="before the Big Bang"):
        assert not model.update([1.2 * oldest, *values_of(model, TRUTH)[1:]])
    later = make_model(BANDS, REDSHIFT, 0.1, SFHS["delayed"], PRIORS)
    assert model.distributions["age"].ppf(1) < later.distributions["age"].ppf(1)  # it may be nearer than that
    with pytest.raises(ValueError, match=r"prior of age: 5 Gyr or more, but the Universe is 4.2.* Gyr old"):
        make_model(BANDS, REDSHIFT, 0.0, SFHS["delayed"], PRIORS | {"age": (5.0, 15.0)})


def test_redshift_is_a_parameter_where_it_is_uncertain(model):
    free = make_model(BANDS, REDSHIFT, 0.02, SFHS["delayed"], PRIORS)
    prior = free.distributions["redshift"]
    assert (prior.mean(), prior.std()) == pytest.approx((REDSHIFT, 0.02), rel=1e-3)  # cut at 5 sigma
    values = values_of(model, TRUTH)
    free.update([*values, REDSHIFT])
    model.update(values)
    np.testing.assert_allclose(free.photometry(), model.photometry(), rtol=5e-3)  # other samples of the same spectrum
    free.update([*values, 1.2])
    assert (free.photometry() > 1.1 * model.photometry()).all()


def test_nonparametric_history_has_the_rates_of_its_bins():
    flexible = make_model(BANDS, REDSHIFT, 0.0, SFHS["nonparametric"], PRIORS)
    edges = bin_edges(4.0)
    assert len(edges) == N_BINS + 1
    assert edges[:3].tolist() == [0, 0.03, 0.1]
    assert edges[-2:].tolist() == pytest.approx([3.4, 4.0])
    named = {name: 0.0 for name in flexible.distributions} | {"metallicity": 1.0, "log_u": -2.5}
    named["dsfr1"] = 1.0  # between the oldest bin and the next: ten times the rate before
    assert flexible.update(list(named.values()))
    rate = sfr_at(flexible.galaxy.sfh, np.array([0.01, 0.06, 1.0, 4.0]))
    np.testing.assert_allclose(rate / rate[0], [1, 1, 1, 0.1], rtol=1e-6)


@pytest.mark.parametrize("signal", [100.0, 5.0, 0.5, -2.0])
def test_integral_over_the_mass(signal):
    """Against the same integral by brute force, and draws against its mean: for sure, faint and negative fluxes."""
    rng = np.random.default_rng(3)
    photometry_of_one = rng.uniform(1, 2, 6) * 1e-9
    error = np.full(6, 0.01)
    flux = signal * error[0] * photometry_of_one / photometry_of_one.mean() / np.sqrt(6)
    log_mass, log_density = mass_posterior(photometry_of_one / error, flux / error, (4.0, 13.0))

    def density(log_m):
        return np.exp(-0.5 * np.sum(((flux - np.exp(log_m) * photometry_of_one) / error) ** 2)) / (9 * np.log(10))

    fine = np.linspace(4 * np.log(10), 13 * np.log(10), 40001)
    by_hand = np.array([density(x) for x in fine])
    found = np.exp(log_density)
    # 1%: where masses down to the bound of the prior are possible, the grid has steps of 0.1 in the logarithm.
    assert np.trapezoid(found, log_mass) == pytest.approx(np.trapezoid(by_hand, fine), rel=0.01)
    drawn = np.log([draw_mass(log_mass, log_density, rng) for _ in range(2000)])
    mean = np.trapezoid(by_hand * fine, fine) / np.trapezoid(by_hand, fine)
    spread = np.sqrt(np.trapezoid(by_hand * (fine - mean) ** 2, fine) / np.trapezoid(by_hand, fine))
    assert drawn.mean() == pytest.approx(mean, abs=0.12 * spread)  # 5 standard errors of 2000 draws
    assert drawn.std() == pytest.approx(spread, rel=0.15)


def test_errors_that_bands_share_are_counted():
    """Against the covariance itself."""
    error, shared = np.array([0.1, 0.2, 0.3]), np.array([[0.3, 0.1, -0.2], [0.1, 0.1, 0.1]])
    data = Data(np.array([1.0, 2, 3]), error, whitening(error, shared))
    covariance = np.diag(error**2) + sum(np.outer(each, each) for each in shared)
    assert np.sum(data.whiten(data.flux) ** 2) == pytest.approx(data.flux @ np.linalg.solve(covariance, data.flux))


def test_shared_errors_are_split_into_brightness_and_shape():
    flux, error = np.array([1.0, 2, 3]), np.array([0.1, 0.2, 0.1])
    for shape in (np.zeros(3), np.array([2.0, 4, -1]) / 10 * error**2 / flux):  # the latter is orthogonal to the flux
        shape = shape - flux * (shape @ (flux / error**2)) / (flux @ (flux / error**2))
        found, left = split_shared(flux, error, np.array([0.3 * flux + shape, -0.4 * flux]))
        assert found == pytest.approx(0.5)
        np.testing.assert_allclose(left, [shape, np.zeros(3)], atol=1e-15)
    assert split_shared(flux, error, np.zeros((0, 3)))[0] == 0


def best_masses(seed, treat):
    """Best mass over the true one of regions in 27 bands with noise of 10% and shared errors of 10%, 500 of them.

    One of these is proportional to the flux, the other changes the colour; both are known from noisy data only.
    """
    rng, found = np.random.default_rng(seed), []
    shape = rng.uniform(1, 3, 27)
    tilt = np.linspace(-1, 1, 27)
    for _ in range(500):
        true = shape * (1 + 0.1 * rng.standard_normal() + 0.1 * rng.standard_normal() * tilt)
        error = 0.1 * shape
        flux = true + error * rng.standard_normal(27)
        whitener = whitening(error, treat(flux, error, 0.1 * flux * np.array([np.ones(27), tilt])))
        log_mass, density = mass_posterior(whitener @ shape, whitener @ flux, (-3.0, 3.0))
        found.append(np.exp(log_mass[np.argmax(density)]))
    return np.array(found)


def test_shared_errors_do_not_pull_the_model_below_the_data():
    """Peelle's pertinent puzzle: within 1%, of which the scatter of 10% among 500 regions is half a percent.

    The control, a covariance from the data, is to be a fifth too low: 1 / (1 + 27 0.1^2) = 0.79, with a toy model.
    """
    assert np.median(best_masses(1, lambda *each: split_shared(*each)[1])) == pytest.approx(1, abs=0.01)
    assert np.median(best_masses(1, lambda flux, error, shared: shared)) == pytest.approx(0.8, abs=0.05)


def test_zero_point_errors_in_proportion_to_the_data_hardly_matter():
    """Independent between bands, they lower the model by 2 s^2: 0.08% for 2%, and to be seen, 2% for 10%."""
    rng = np.random.default_rng(5)
    for size, tolerance in ((0.02, 3e-4), (0.1, 3e-3)):  # three standard errors of 27 bands and 2,000 draws are less
        flux = 1 + size * rng.standard_normal((2000, 27))
        weight = (size * flux) ** -2.0
        mean = np.mean((flux * weight).sum(axis=1) / weight.sum(axis=1))
        assert mean == pytest.approx(1 - 2 * size**2, abs=tolerance)


def test_an_error_of_the_brightness_is_one_of_the_mass_and_leaves_the_model_on_the_data(few_samples):
    """With a shared error of 30% and one of the colour, masses scatter by 30%, and the model lies on the data."""
    narrow = {"metallicity": (0.9, 1.1), "log_u": (-2.6, -2.4), "tau": (0.45, 0.55), "age": (0.9, 1.1)}
    rng, flux = np.random.default_rng(2), flux_of(TRUTH)
    error = 0.05 * flux
    data = flux + error * rng.standard_normal(len(flux))
    shared = np.array([0.05 * np.linspace(-1, 1, len(flux)) * data, 0.3 * data])
    fit = fit_sed(BANDS, data, error, REDSHIFT, shared=shared, priors=narrow, n_live=40)
    assert fit.model[1].sum() / data.sum() == pytest.approx(1, abs=0.03)
    log_mass = np.log(fit.samples["mass_formed"])
    assert log_mass.std() == pytest.approx(0.3, rel=0.15)  # 200 samples: 5%, and a few percent of the bands
    assert np.median(log_mass) == pytest.approx(np.log(1e9), abs=0.1)  # 2% of 200 samples, 2% of the noise, the rest
    assert "off" not in fit.note


def test_masses_outside_the_prior_are_at_its_bound():
    log_mass, log_density = mass_posterior(np.full(6, 1e-9) / 0.01, np.full(6, 1.0) / 0.01, (4.0, 6.0))
    assert np.isfinite(log_density).all()
    np.testing.assert_allclose(np.exp(log_mass), 1e6, rtol=2e-3)


def test_a_sampler_that_draws_in_vain_starts_again_and_gives_up_in_words(monkeypatch):
    begun = []

    def failed_draws(*arguments):
        begun.append(arguments[-3:])
        patience = BoundedGenerator(np.random.PCG64(0))
        for _ in range(MAX_FAILED_DRAWS + 1):
            patience.multinomial(10, [0.5, 0.5])

    monkeypatch.setattr(bagpipes_fit, "run_sampler", failed_draws)
    with pytest.raises(ValueError, match="the sampler did not converge in 3 attempts"):
        sample_posterior(None, None, None, None, 200, seed=5)
    assert begun == [(200, 1, 5), (400, 4, 6), (800, 4, 7)]


def test_draws_follow_the_weights():
    weight = np.array([0.1, 0.0, 0.6, 0.3])
    drawn = np.bincount(systematic_draws(weight, 1000, np.random.default_rng(0)), minlength=4)
    np.testing.assert_allclose(drawn, 1000 * weight, atol=1)


@pytest.fixture
def few_samples(monkeypatch):
    for name, few in {"N_EFFECTIVE": 100, "N_SAMPLES": 200, "N_NETWORKS": 0}.items():
        monkeypatch.setattr(bagpipes_fit, name, few)


def test_planted_population_is_found(few_samples):
    """Fluxes of a known population with errors of 2%, and no noise: the truth is where the posterior is highest."""
    bagpipes = import_bagpipes()
    before = bagpipes.config.R_spec, bagpipes.config.max_redshift
    narrow = {"metallicity": (0.9, 1.1), "log_u": (-2.6, -2.4), "tau": (0.45, 0.55), "age": (0.5, 2.0)}
    flux = flux_of(TRUTH)
    data = np.append(flux[:-1], np.nan)
    fit = fit_sed(BANDS, data, 0.02 * flux, REDSHIFT, priors=narrow, n_live=40)
    assert (bagpipes.config.R_spec, bagpipes.config.max_redshift) == before
    for name, truth in {"a_v": 0.8, "mass_formed": 1e9}.items():
        low, middle, high = np.percentile(fit.samples[name], [16, 50, 84])
        assert abs(middle - truth) < high - low, name  # within two standard deviations
    assert np.ptp(np.percentile(fit.samples["a_v"], [16, 84])) < 0.5
    assert (fit.samples["redshift"] == REDSHIFT).all()
    assert set(fit.samples) == set(QUANTITIES)
    assert fit.n_bands == len(BANDS) - 1
    assert fit.chi2 < 2
    assert fit.model.shape == (3, len(BANDS))
    np.testing.assert_allclose(fit.model[1], flux, rtol=0.05)  # the band without data, too
    assert fit.sfh.shape == (3, len(fit.lookback))
    assert (np.diff(fit.sfh, axis=0) >= 0).all()
    near = np.interp(1.5e4, fit.wavelengths, fit.spectrum)
    assert near == pytest.approx(flux[BANDS.index("f150w")], rel=0.2)  # a band is a mean over a sloping spectrum
    assert "poor" not in fit.note


class Line:
    """A model whose posterior is known: fluxes m (1, x, x, ...), and a second parameter without effect on them."""

    distributions = {"x": uniform(0, 2), "without_effect": uniform(0, 1)}  # noqa: RUF012

    def update(self, values):
        self.values = values
        return values[1] < 0.9  # the rest cannot exist

    def photometry(self):
        return np.array([1.0, *[self.values[0]] * 5])


def test_samples_follow_a_posterior_that_is_known(few_samples):
    flux, error, range_of_mass = np.full(6, 1e6), np.full(6, 1e5), (4.0, 8.0)
    given = (np.ones(6, dtype=bool), Data(flux, error, whitening(error, np.zeros((0, 6)))), range_of_mass, 60)
    one, two = (sample_posterior(Line(), *given, seed=4) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    # The posterior of x by brute force, on a grid of x and of the logarithm of the mass.
    x, mass = np.linspace(0.5, 2, 601)[:, None], np.geomspace(3e5, 3e6, 801)
    density = np.exp(-0.5 * ((1e6 - mass) ** 2 + 5 * (1e6 - mass * x) ** 2) / 1e10).sum(axis=1)
    low, middle, high = np.interp([0.16, 0.5, 0.84], np.cumsum(density) / density.sum(), x[:, 0])
    spread = (high - low) / 2
    # A fifth: the standard error of a median of 100 independent samples is an eighth of the spread.
    np.testing.assert_allclose(np.percentile(one[:, 0], [16, 50, 84]), [low, middle, high], atol=0.2 * spread)
    assert one[:, 1].max() < 0.9
    assert one[:, 1].mean() == pytest.approx(0.45, abs=0.06)  # uniform over what is left: 2 standard errors


def test_notes_tell_of_bounds_and_of_poor_fits(model):
    middle = np.column_stack([prior.ppf(np.linspace(0.01, 0.99, 100)) for prior in model.distributions.values()])
    samples = {"mass_formed": np.full(100, 1e9)}
    assert notes(model, middle, samples, PRIORS, 10.0, 9) == []
    clear = middle.copy()
    clear[:, list(model.distributions).index("a_v")] = 0.05
    assert notes(model, clear, samples, PRIORS, 10.0, 9) == ["a_v runs into the lower bound of its prior"]
    assert notes(model, middle, samples, PRIORS, 99.0, 9) == ["poor fit: chi2 of 99 for 9 bands"]
    assert notes(model, middle, {"mass_formed": np.full(100, 9e12)}, PRIORS, 1.0, 9) == [
        "mass runs into the upper bound of its prior"
    ]


def test_a_model_that_is_off_the_data_is_told():
    data = Data(np.ones(9), np.full(9, 0.1), None)
    assert brightness_notes(np.full(9, 0.92), data) == []  # by less than 10%
    assert brightness_notes(np.full(9, 0.72), data) == [
        "the model is off: its mean flux is 0.72 times that of the data"
    ]
    assert brightness_notes(np.full(9, 0.72), data._replace(error=np.ones(9))) == []  # by less than the noise


GOOD = np.ones(len(BANDS))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"flux": np.where(np.arange(9) < MIN_BANDS - 1, 1.0, np.nan)}, "5 bands with data are too few"),
        ({"flux": -GOOD}, "all fluxes are negative or zero"),
        ({"flux": 0.1 * GOOD}, "no band has a SNR of 2 or more, the highest is 1"),
        ({"error": 0 * GOOD}, "errors must be above zero, which those of f435w, f606w.* are not"),
        ({"flux": GOOD[:5]}, "want a flux and an error for each of 9 bands"),
        ({"redshift": np.nan}, "the redshift is not known"),
        ({"redshift": None}, "the redshift is not known"),
        ({"redshift": 12.0}, "redshift must be 0.01 to 10, which bagpipes is set up for, found 12"),
        ({"redshift_error": -1.0}, "error of the redshift must be 0 .* found -1"),
        ({"sfh": "bursty"}, "unknown SFH 'bursty': choose from delayed, nonparametric"),
        ({"priors": {"a_v": (2.0, 1.0)}}, "prior of a_v: want a lowest and a higher value .* found 2 and 1"),
        ({"priors": {"metallicity": (0.0, 1.0)}}, "prior of metallicity: .* between 0.005 and 5"),
        ({"priors": {"dust": (0.0, 1.0)}}, "unknown prior 'dust': choose from age, tau, mass"),
        ({"bands": (*BANDS[:-1], "f999w")}, "no filter curve for band 'f999w'"),
    ],
)
def test_what_cannot_be_fitted_says_so(changed, message):
    asked = {"bands": BANDS, "flux": GOOD, "error": 0.1 * GOOD, "redshift": REDSHIFT} | changed
    with pytest.raises(ValueError, match=message):
        fit_sed(**asked)


def test_without_bagpipes_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "bagpipes", None)
    with pytest.raises(ValueError, match="need bagpipes: pip install bagpipes"):
        fit_sed(BANDS, GOOD, 0.1 * GOOD, REDSHIFT)
