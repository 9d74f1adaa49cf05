import sys
from types import ModuleType

import numpy as np
import pytest
from astropy import units as u
from astropy.constants import c

from helper_functions.filters import load_filter, pivot_wavelength
from helper_functions.fitting.bagpipes_setup import cosmology
from helper_functions.simulation import stellar_populations
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS
from helper_functions.simulation.stellar_populations import Population, make_spectrum, photometry

YOUNG = Population(age=0.05, tau=5.0, a_v=0.1, log_u=-2.0)
OLD = Population(age=3.0, tau=0.1)


def flux_of(population, redshift, bands):
    return dict(zip(bands, photometry(make_spectrum(population, redshift), bands), strict=True))


def test_halpha_of_a_young_population_lands_in_its_band():
    # At z = 1.5 Halpha is observed at 1.641 micron: inside F162M (1.54 to 1.71), outside F140M, F182M and F210M.
    bands = ("f140m", "f162m", "f182m", "f210m")
    young, old = (flux_of(population, 1.5, bands) for population in (YOUNG, OLD))

    def excess(flux):
        return flux["f162m"] / np.mean([flux["f182m"], flux["f210m"]])

    assert excess(young) > 1.3
    assert excess(old) < 0.9  # no line, and a red continuum
    # The control: at z = 1.1 the line is in F140M, and F162M has none.
    assert excess(flux_of(YOUNG, 1.1, bands)) < 1


def test_two_routes_to_the_flux_in_a_band_agree():
    """sedpy against an integral of photons over the curve, done here with the constants of astropy."""
    spectrum = make_spectrum(YOUNG, 1.5)
    for band in ("f435w", "f115w", "f162m", "f277w", "f480m"):
        curve = load_filter(band)
        wavelength = np.linspace(curve.wavelength.min(), curve.wavelength.max(), 20001)
        through = np.interp(wavelength, curve.wavelength, curve.transmission)
        flux = np.interp(wavelength, spectrum.wavelength.value, spectrum.flux.value)
        ab = (10 * u.nJy * c).to_value(u.erg / u.s / u.cm**2 * u.AA) / wavelength**2  # 10 nJy in F_lambda
        photons = np.trapezoid(through * wavelength * flux, wavelength) / np.trapezoid(
            through * wavelength * ab, wavelength
        )
        # 1%: both integrate the same spectrum, on other grids; a line in one sample is where they differ.
        assert photometry(spectrum, [band])[0] == pytest.approx(photons, rel=0.01), band


def test_units_and_mass_scale():
    one, ten = (make_spectrum(OLD, 1.0, mass=mass) for mass in (1e9, 1e10))
    assert one.wavelength.unit == u.AA
    assert one.flux.unit == u.erg / u.s / u.cm**2 / u.AA
    np.testing.assert_allclose(ten.flux.value, 10 * one.flux.value, rtol=1e-6)


def test_dust_reddens_and_igm_absorbs():
    bands = ("f115w", "f444w")
    clear, dusty = (flux_of(OLD._replace(a_v=a_v), 1.0, bands) for a_v in (0, 2))
    assert dusty["f115w"] / dusty["f444w"] < 0.6 * clear["f115w"] / clear["f444w"]
    spectrum = make_spectrum(YOUNG, 5.0)
    rest = spectrum.wavelength.value / 6
    blue, red = (spectrum.flux.value[(rest > low) & (rest < low + 60)].mean() for low in (1100, 1260))
    assert blue < 0.4 * red  # Lyman-alpha forest at z = 5


def test_a_burst_makes_light_younger():
    bands = ("f606w", "f444w")
    quiet, burst = (flux_of(OLD._replace(burst_fraction=f), 1.0, bands) for f in (0, 0.05))
    assert burst["f606w"] / burst["f444w"] > 3 * quiet["f606w"] / quiet["f444w"]


@pytest.mark.parametrize(
    ("population", "redshift", "message"),
    [
        (
            Population(age=5, tau=1),
            2.0,
            r"age of a population must be .* to 3.23 \(the Universe is 3.23 Gyr old .* 2\)",
        ),
        (Population(age=1, tau=0), 1.0, "tau of a population must be"),
        (Population(age=1, tau=1, a_v=-1), 1.0, "a_v of a population must be"),
        (Population(age=1, tau=1, log_u=1), 1.0, "log_u of a population must be"),
        (Population(age=1, tau=1, metallicity=9), 1.0, "metallicity of a population must be"),
        (Population(age=1, tau=1, burst_fraction=2), 1.0, "burst_fraction of a population must be"),
        (Population(age=1, tau=1, burst_age=2), 1.0, "burst_age of a population must be"),
        (Population(age=1, tau=1), 20.0, "redshift must be 0.01 to 10.0, found 20.0"),
        (Population(age=np.nan, tau=1), 1.0, "age of a population must be"),
    ],
)
def test_what_cannot_exist_is_refused(population, redshift, message):
    with pytest.raises(ValueError, match=message):
        make_spectrum(population, redshift)


def test_engines_that_are_not_there_say_so(monkeypatch):
    with pytest.raises(ValueError, match="unknown engine 'galaxev': choose from bagpipes, fsps"):
        make_spectrum(OLD, 1.0, engine="galaxev")
    stellar_populations._fsps_model.cache_clear()
    monkeypatch.delenv("SPS_HOME", raising=False)
    with pytest.raises(ValueError, match="engine fsps needs the FSPS data: set SPS_HOME"):
        make_spectrum(OLD, 1.0, engine="fsps")
    monkeypatch.setenv("SPS_HOME", "/somewhere")
    monkeypatch.setitem(sys.modules, "fsps", None)
    with pytest.raises(ValueError, match="engine fsps needs python-fsps: pip install fsps"):
        make_spectrum(OLD, 1.0, engine="fsps")


def test_fsps_luminosities_become_observed_fluxes(monkeypatch):
    """A stand-in for FSPS whose stars shine 1 L_sun / Angstrom per solar mass: the rest is worked out by hand."""

    class StellarPopulation:
        def __init__(self, **options):
            self.options, self.params = options, {}

        def get_spectrum(self, tage, peraa):
            assert (tage, peraa) == (3.0, True)
            assert self.params["dust2"] == pytest.approx(1.0)
            return np.array([1000.0, 2000.0]), np.ones(2)

    module = ModuleType("fsps")
    module.StellarPopulation = StellarPopulation
    monkeypatch.setitem(sys.modules, "fsps", module)
    monkeypatch.setenv("SPS_HOME", "/somewhere")
    stellar_populations._fsps_model.cache_clear()
    spectrum = make_spectrum(OLD._replace(a_v=1.086), 1.0, engine="fsps", mass=2e9)
    stellar_populations._fsps_model.cache_clear()
    assert spectrum.wavelength.value.tolist() == [2000, 4000]
    distance = cosmology().luminosity_distance(1.0).to_value(u.cm)
    by_hand = 2e9 * 3.828e33 / (4 * np.pi * distance**2) / 2
    np.testing.assert_allclose(spectrum.flux.value, by_hand, rtol=1e-6)


def test_import_of_the_engine_leaves_the_pictures_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    stellar_populations._bagpipes_model.cache_clear()
    make_spectrum(OLD, 1.0)
    assert dict(matplotlib.rcParams) == before


def test_survey_bands_are_the_27():
    assert len(SURVEY_BANDS) == 27
    assert list(SURVEY_BANDS) == sorted(SURVEY_BANDS, key=pivot_wavelength)
