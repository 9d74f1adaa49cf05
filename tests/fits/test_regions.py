"""The fits of regions on the planted field, by a fit whose answer is known."""

import shutil
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from conftest import celestial_wcs, write_survey

import data_paths
import main_clustering
from data_paths import output_path
from helper_functions.files.records import GALAXY, load_record
from helper_functions.fits import maps_from_table
from helper_functions.fits.files import PERCENTILE_NAMES, fit_paths, outshining
from helper_functions.fits.lens import open_lens
from helper_functions.fits.magnification import read_lensing, read_lensing_map, save_lensing
from helper_functions.fits.property_maps import LIGHT, PIXELS, property_maps, region_light
from helper_functions.fits.tasks import FitTask, galaxy_magnification, galaxy_notes, load_fit_inputs, region_tasks
from helper_functions.fitting.bagpipes_fit import PRIORS, QUANTITIES, Fit, fit_sed
from helper_functions.job.all_fits import failure_message, fit_galaxies
from helper_functions.job.setting_values import GalaxySettings
from helper_functions.job.settings import SETTINGS
from helper_functions.methods import METHODS
from helper_functions.products.labels import read_labels
from helper_functions.products.photometry import read_photometry
from helper_functions.products.region_rows import read_run_rows
from helper_functions.products.runs import OWN_RUN, Run
from helper_functions.quality.metrics import QUALITY
from main_clustering import main, settings_block

RUN = Run("blended_mixture", "none", METHODS["blended_mixture"].metric)
OTHER = "kmeans_contrast"
MASS_TO_LIGHT = 1e9  # solar masses for each microjansky: what the planted fit takes for the truth
CALM = {7: (1.99, 2.0, 2.01)}  # a redshift that is known well


class PlantedFit:
    """Stands for `fit_sed`: the mass is in proportion to the light, and the age grows with the reddest colour."""

    def __init__(self, problem=None, of_call=None):
        self.problem, self.of_call, self.asked = problem, of_call, []

    def __call__(self, bands, flux, error, redshift, **options):
        self.asked.append(SimpleNamespace(flux=flux, error=error, redshift=redshift, **options))
        if self.problem and self.of_call in (None, len(self.asked)):
            raise self.problem
        spread = np.linspace(0.9, 1.1, 101)
        mass = MASS_TO_LIGHT * flux.sum() * spread
        values = {"mass": mass, "mass_formed": 2 * mass, "sfr": mass / 1e9, "age": flux[-1] / flux[0] * spread / 10}
        values |= {"ssfr": values["sfr"] / mass, "a_v": spread, "metallicity": spread**2}
        values |= {"log_u": spread - 3, "redshift": np.full(101, redshift)}
        times, wavelengths = np.linspace(0, 1, 5), np.linspace(4e3, 5e4, 9)
        sfh = np.outer([1.0, 2, 3], np.ones(5))
        return Fit(values, times, sfh, wavelengths, np.ones(9), np.array([flux] * 3), 3.0, len(bands), "planted")


def bare(patch):
    """Cluster without pictures and figures of quality, which are tested elsewhere."""
    for pictures in ("RUN_PICTURES", "GALAXY_PICTURES"):
        patch.setattr(f"helper_functions.products.pictures.{pictures}", {})
    patch.setattr(main_clustering, "quality_metrics", lambda sample, is_first: dict.fromkeys(QUALITY, np.nan))


def block_for(output):
    """The settings block for galaxy 7 in that folder."""
    return settings_block().changed(output=str(output), id_dr3_list=[7])


def inputs_of(settings, redshifts=CALM):
    """`FitInputs` of a survey with these redshifts, with the fit's engine of a version that does not change."""
    inputs = load_fit_inputs(
        SimpleNamespace(redshifts=redshifts), settings.targets, settings.fits, settings.clustering.seed
    )
    return inputs._replace(engine="1.0")


@pytest.fixture(scope="module")
def clustered(tmp_path_factory):
    """Folder with the survey, and `out`, in which galaxy 7 is clustered without pictures."""
    folder = tmp_path_factory.mktemp("fits")
    write_survey(folder / "survey")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNCOVER_CACHE_FOLDER", str(folder / "cache"))
        bare(patch)
        flags = ["--ids", "7", "--methods", "blended_mixture", "kmeans", "--n-clusters", "2"]
        assert main(["--catalogs", str(folder / "survey"), "--output", str(folder / "out"), *flags]) == 0
    return folder


@pytest.fixture
def fit(clustered, tmp_path, monkeypatch):
    """Fit the galaxies in a copy of that folder, without pictures: `fit(planted, **settings)` gives the exit status."""
    shutil.copytree(clustered / "out", tmp_path / "out")
    monkeypatch.setattr("helper_functions.products.pictures.FIT_PICTURES", {})
    base = block_for(tmp_path / "out")

    def run(planted, redshifts=CALM, ids=(7,), **settings):
        asked = base.changed(**settings)
        return fit_galaxies(ids, [RUN], inputs_of(asked, redshifts), asked.output, asked.job, planted)

    run.output = tmp_path / "out"
    return run


def table_of(fit):
    """Rows of the two regions, and of all regions together."""
    return Table.read(output_path(fit.output, "fits", run=RUN.name, id=7))


def regions_of(fit):
    return table_of(fit)[:-1]


def maps_of(fit):
    return fits.open(output_path(fit.output, "fit_maps", run=RUN.name, id=7))


def change_populations(fit, change):
    """Rewrite the table of populations as `change(table)` does."""
    path = output_path(fit.output, "populations", run=RUN.name, id=7)
    table = Table.read(path)
    change(table)
    table.write(path, overwrite=True)


# ---- what comes out ---------------------------------------------------------


def test_planted_answers_come_out_in_the_table_and_maps_add_up_to_them(fit, capsys):
    assert fit(PlantedFit()) == 0
    assert "7: blended_mixture: 2 of 2 regions fitted" in capsys.readouterr().out
    table, photometry = regions_of(fit), read_photometry(fit.output, RUN.name, 7)
    light = photometry.scaled_to_totals()[0].sum(axis=1)
    assert np.array(table["mass_p50"]) == pytest.approx(MASS_TO_LIGHT * light)
    assert np.array(table["mass_p16"]) == pytest.approx(
        MASS_TO_LIGHT * light * np.percentile(np.linspace(0.9, 1.1), 16)
    )
    assert (table["sfr_p84"].unit, table["age_p50"].unit) == (u.solMass / u.yr, u.Gyr)
    assert all(table[name].description for name in table.colnames)
    assert {f"{name}_{each}" for name in QUANTITIES for each in PERCENTILE_NAMES} < set(table.colnames)
    assert set(table["status"]) == {"ok"}
    assert set(table["note"]) == {"planted"}
    with maps_of(fit) as maps:
        for name in ("mass", "mass_formed", "sfr"):
            total = table[f"{name}_p50"].sum()
            assert np.nansum(maps[name.upper()].data) == pytest.approx(total, rel=1e-10)  # rounding of 441 pixels
            assert u.Unit(maps[name.upper()].header["BUNIT"]) == table[f"{name}_p50"].unit
        labels, header = fits.getdata(output_path(fit.output, "labels", run=RUN.name, id=7), header=True)
        assert (np.isfinite(maps["AGE"].data) == (labels > 0)).all()
        assert (WCS(maps["AGE"].header).wcs.crpix == WCS(header).wcs.crpix).all()
        assert maps["SSFR"].data[labels > 0] == pytest.approx((maps["SFR"].data / maps["MASS"].data)[labels > 0])
        assert maps["SSFR_ERR"].data[labels > 0].max() < 1e-12  # which is the same in all samples
        assert maps["A_V_ERR"].data[labels == 1] == pytest.approx(0.068, rel=0.5)


def test_page_of_the_galaxy_is_made_again_with_the_fits_and_not_where_nothing_is_new(fit, monkeypatch):
    shown = []
    monkeypatch.setattr("plots.explorer.page.explorer_page", lambda view, _: shown.append(view.runs[0]) or "a page")
    fit(PlantedFit(), explorer=True)
    fit(PlantedFit(), explorer=True)
    [run] = shown
    assert run.fits["cluster"] == ["1", "2", "all"]
    assert "log stellar mass" in [layer.title for layer in run.layers]
    assert [(each.cluster, each.is_fitted) for each in run.models] == [(1, True), (2, True), (0, True)]
    assert [each.title for each in run.models[0].posteriors] == ["A_V [mag]", "age [Gyr]", "log stellar mass [M⊙]"]
    photometry = read_photometry(fit.output, RUN.name, 7)
    np.testing.assert_allclose(run.models[0].sed[0], photometry.scaled_to_totals()[0][0])
    page = output_path(fit.output, "page", id=7)
    assert page.read_text() == "a page"
    assert page.relative_to(fit.output).as_posix() in load_record(fit.output, 7, GALAXY)["page_files"]


def test_the_fit_is_asked_for_what_the_settings_say(fit):
    planted = PlantedFit()
    fit(planted, fit_priors={"a_v": (0, 1)}, fit_sfh="nonparametric", seed=5, error_floor=0.5)
    first = planted.asked[0]
    assert first.priors == PRIORS | {"a_v": (0, 1)}
    assert (first.sfh, first.seed, first.redshift, first.redshift_error) == ("nonparametric", 5, 2.0, 0.0)
    assert (first.error >= 0.5 * np.abs(first.flux)).all()
    assert first.shared.shape == (2, len(first.flux))


def test_posteriors_of_all_regions_are_in_one_file(fit):
    fit(PlantedFit(), magnification=2.0)
    with fits.open(output_path(fit.output, "posteriors", run=RUN.name, id=7)) as posteriors:
        samples = posteriors["SAMPLES_2"].data
        assert np.median(samples["mass"]) == pytest.approx(table_of(fit)["mass_p50"][1])
        assert posteriors["SFH_1"].data["p50"] == pytest.approx(1.0)  # 2 over the magnification
        assert posteriors["SED_1"].data["band"].tolist() == list(read_photometry(fit.output, RUN.name, 7).bands)


# ---- regions against the integrated light -----------------------------------


class Outshone(PlantedFit):
    """Takes the mass-to-light ratio from the colour, so that a blue region hides the mass of a red one."""

    def __call__(self, bands, flux, *arguments, **options):
        fit = super().__call__(bands, flux, *arguments, **options)
        factor = (flux[-1] / flux[0]) ** 2
        return fit._replace(samples=fit.samples | {"mass": factor * fit.samples["mass"]})


def test_light_that_is_mass_is_the_same_in_regions_and_together(fit, capsys):
    fit(PlantedFit())
    table, photometry = table_of(fit), read_photometry(fit.output, RUN.name, 7)
    assert table["cluster"].tolist() == [1, 2, 0]
    assert table["region"][-1] == 0
    assert table["mass_p50"][-1] == pytest.approx(MASS_TO_LIGHT * photometry.scaled_to_totals()[0].sum())
    # Independent errors of 6% of each: 0.058 for one, and the same over the root of the squares of shares for the sum.
    shares = np.array(table["mass_p50"][:2]) / table["mass_p50"][-1]
    error = 0.058 * np.hypot(1, np.linalg.norm(shares))
    for name in ("mass", "sfr"):
        low, middle, high = (np.array(table[f"{name}_ratio_{each}"]) for each in PERCENTILE_NAMES)
        assert set(middle) == {middle[0]}  # of the galaxy, in all rows
        assert middle[0] == pytest.approx(1, abs=0.03)
        assert (high - low)[0] / 2 == pytest.approx(error, rel=0.25)  # 101 samples, shuffled
    assert "sum of regions over integrated light: mass 1.0" in capsys.readouterr().out


def test_mass_that_is_outshone_is_found_in_the_regions(fit):
    """Against the formula: the ratio is what it is of the true sums, and far from 1."""
    fit(Outshone())
    flux = read_photometry(fit.output, RUN.name, 7).scaled_to_totals()[0]
    masses = [each.sum() * (each[-1] / each[0]) ** 2 for each in (*flux, flux.sum(axis=0))]
    truth = sum(masses[:2]) / masses[2]
    table = table_of(fit)
    assert truth > 1.2
    assert table["mass_ratio_p50"][0] == pytest.approx(truth, rel=0.03)
    assert table["sfr_ratio_p50"][0] == pytest.approx(1, abs=0.03)


def test_the_catalog_of_regions_has_the_ratios_and_no_row_of_the_sum(fit):
    fit(PlantedFit())
    blocks, _, described = read_run_rows(fit.output, RUN.name, 7)
    own = blocks[0]
    assert own["cluster"].tolist() == [1, 2]
    np.testing.assert_allclose(own["mass_ratio_p50"], table_of(fit)["mass_ratio_p50"][:2], rtol=1e-6)
    np.testing.assert_allclose(own["mass_p50"], regions_of(fit)["mass_p50"], rtol=1e-6)
    assert described["mass_ratio_p50"][1].startswith("stellar mass summed over regions divided by")


def test_maps_leave_out_the_sum(fit):
    fit(PlantedFit())
    with maps_of(fit) as maps:
        assert np.nansum(maps["MASS"].data) == pytest.approx(regions_of(fit)["mass_p50"].sum(), rel=1e-10)
        assert not [hdu.name for hdu in maps if "RATIO" in hdu.name]
    own = property_maps(region_light(fit.output, RUN.name, 7), table_of(fit))
    assert np.nansum(own["mass"].image) == pytest.approx(regions_of(fit)["mass_p50"].sum(), rel=1e-10)


def test_without_star_formation_there_is_no_ratio_of_rates():
    some = {"mass": np.ones(50), "sfr": np.zeros(50)}
    tasks = [FitTask(7, RUN.name, number, *[None] * 7) for number in (1, 2, 0)]
    found = outshining(tasks, dict.fromkeys(tasks, SimpleNamespace(samples=some)))
    assert found["mass_ratio_p50"] == 2
    assert np.isnan(found["sfr_ratio_p50"])


# ---- magnification and redshift ---------------------------------------------


def test_masses_and_rates_are_divided_by_the_magnification_and_nothing_else(fit):
    planted = PlantedFit()
    fit(planted)
    before = table_of(fit)
    with maps_of(fit) as maps:
        mass = maps["MASS"].data.copy()
    fit(planted, galaxies={7: GalaxySettings(magnification=4.0)})
    assert len(planted.asked) == 3  # nothing is fitted again
    after = table_of(fit)
    for name in QUANTITIES:
        factor = 4 if name in ("mass", "mass_formed", "sfr") else 1
        assert np.array(before[f"{name}_p50"]) == pytest.approx(factor * np.array(after[f"{name}_p50"]))
    assert set(after["magnification"]) == {4.0}
    with maps_of(fit) as maps:
        np.testing.assert_allclose(maps["MASS"].data, mass / 4)


def test_a_galaxy_without_magnification_is_said_to_have_none(fit):
    fit(PlantedFit(), galaxies={11: GalaxySettings(magnification=4.0)})
    assert set(table_of(fit)["magnification"]) == {1.0}
    assert table_of(fit)["note"][0] == "the magnification is not known: 1 is taken; planted"


def map_of(path, values):
    """`Lens` of an image that covers the planted field with pixels of 0.4 arcsec."""
    wcs = celestial_wcs()
    wcs.wcs.cdelt, wcs.wcs.crpix = 10 * wcs.wcs.cdelt, (10, 10)
    fits.PrimaryHDU(values, wcs.to_header()).writeto(path, overwrite=True)
    open_lens.cache_clear()
    return open_lens((str(path),), None, path.parent)


def test_a_constant_map_is_that_number_and_a_region_that_is_magnified_more_has_less_mass(fit, tmp_path):
    fit(PlantedFit(), magnification=2.1)
    number = table_of(fit)
    with maps_of(fit) as maps:
        mass = maps["MASS"].data.copy()
    path = str(tmp_path / "mu.fits")
    lens = map_of(tmp_path / "mu.fits", np.full((20, 20), -2.1))
    assert save_lensing(fit.output, 7, [RUN.name], lens, 2.0) == ""
    fit(planted := PlantedFit(), magnification_map=[path])
    assert planted.asked == []  # nothing is fitted again
    table = table_of(fit)
    for name in number.colnames:
        if number[name].dtype.kind == "f":
            np.testing.assert_allclose(table[name], number[name], rtol=1e-6)
    assert [note.split("; ")[0] for note in table["note"]] == ["negative parity"] * 2 + ["planted"]
    with maps_of(fit) as maps:
        np.testing.assert_allclose(maps["MASS"].data, mass, rtol=1e-5)

    values = np.full((20, 20), 2.1) * np.linspace(0.5, 4, 20)  # grows to the west, where the blue half is
    assert save_lensing(fit.output, 7, [RUN.name], map_of(tmp_path / "mu.fits", values), 2.0) == ""
    fit(PlantedFit(), magnification_map=[path])
    table, factors = table_of(fit), read_lensing(fit.output, RUN.name, 7)
    both = Table.read(output_path(fit.output, "lensing", run=RUN.name, id=7))
    of_kind = {kind: both["mu"][both["kind"] == kind] for kind in ("population", "composite")}
    # Each half is nearly all of its light, so that both kinds agree, but not exactly.
    np.testing.assert_allclose(of_kind["composite"], of_kind["population"], rtol=0.02)
    mu = [factors[cluster][0] for cluster in (1, 2)]
    assert mu == of_kind["population"].tolist()
    assert abs(mu[0] - mu[1]) > 0.2
    assert list(table["magnification"][:2]) == mu
    np.testing.assert_allclose(table["mass_p50"][:2] * mu, number["mass_p50"][:2] * 2.1, rtol=1e-5)
    assert min(mu) < table["magnification"][2] < max(mu)
    # Light is mass here, so that what is seen together is what is seen apart, in the source plane, too.
    assert table["mass_p50"][2] == pytest.approx(table["mass_p50"][:2].sum(), rel=1e-6)
    with maps_of(fit) as maps:
        assert np.nansum(maps["MASS"].data) == pytest.approx(table["mass_p50"][:2].sum(), rel=1e-4)
        there = 1 / np.abs(read_lensing_map(fit.output, 7))
        lit = np.isfinite(mass)
        np.testing.assert_allclose(maps["MASS"].data[lit], 2.1 * mass[lit] * there[lit], rtol=1e-3)


def test_where_a_map_ends_the_number_is_taken_and_the_note_says_so(fit, tmp_path):
    half = np.where(np.arange(20) < 9, 3.0, np.nan) * np.ones((20, 1))
    problem = save_lensing(fit.output, 7, [RUN.name], map_of(tmp_path / "mu.fits", half), 2.0)
    for number, taken in ((None, 1), (4.0, 4)):
        fit(PlantedFit(), magnification_map=["mu.fits"], magnification=number)
        assert set(table_of(fit)["magnification"]) == {taken}
        said = f"the map does not give the magnification ({problem}): {taken} is taken"
        assert table_of(fit)["note"][0] == f"{said}; planted"


def test_the_main_job_takes_a_map_and_a_number_of_the_galaxy_goes_before(clustered, tmp_path, capsys):
    shutil.copytree(clustered / "out", tmp_path / "out")
    map_of(tmp_path / "mu.fits", np.full((20, 20), 3.0))
    flags = ["--catalogs", clustered / "survey", "--output", tmp_path / "out", "--ids", 7, "--methods"]
    flags += ["blended_mixture", "--n-clusters", 2, "--pictures", "none", "--magnification-map", tmp_path / "mu.fits"]
    with pytest.MonkeyPatch.context() as patch:
        bare(patch)
        assert main([*map(str, flags)]) == 0
        rows = Table.read(output_path(tmp_path / "out", "regions"))
        rows = rows[rows["run"] == RUN.name]
        assert rows["kind"].tolist() == ["population"] * 2 + ["composite"] * 2
        assert rows["mu"].tolist() == pytest.approx([3] * 4)
        assert (rows["area"] / rows["area_source"]).tolist() == pytest.approx([3] * 4, rel=1e-5)
        (tmp_path / "own.csv").write_text("id,magnification\n7,2.5\n")
        assert main([*map(str, flags), "--galaxies", str(tmp_path / "own.csv")]) == 0
        assert not output_path(tmp_path / "out", "lensing", run=RUN.name, id=7).exists()
        map_of(tmp_path / "mu.fits", np.full((20, 20), np.nan))
        assert main([*map(str, flags)]) == 0
    assert "no magnification by the map: the maps have no value in 441 of 441" in capsys.readouterr().out


def test_a_column_of_the_catalog_gives_magnifications(clustered):
    survey = clustered / "other"
    shutil.copytree(clustered / "survey", survey)
    path = survey / data_paths.SPS_CATALOG
    table = Table.read(path)
    table["MU"] = [2.5, -1, np.nan, 1, 1, 1, 1]
    table.write(path, overwrite=True)
    settings = settings_block().changed(catalogs=str(survey), id_dr3_list=[7, 8, 9, 99], magnification="mu")
    with pytest.warns(
        UserWarning, match=r"column mu of .* has no possible magnification.* for 2 .*: id 8 -1; id 9 nan"
    ):
        inputs = inputs_of(settings)
    assert [galaxy_magnification(id_dr3, inputs) for id_dr3 in (7, 8)] == pytest.approx([2.5, np.nan], nan_ok=True)
    with pytest.warns(UserWarning, match="no possible magnification"):
        inputs = inputs_of(settings.changed(galaxies={8: GalaxySettings(magnification=3.0)}))
    assert [galaxy_magnification(id_dr3, inputs) for id_dr3 in (7, 8)] == [2.5, 3.0]
    with pytest.raises(ValueError, match="has no column lens: it has id, z_16, z_50, z_84, MU"):
        inputs_of(settings.changed(magnification="lens"))


@pytest.mark.parametrize(
    ("how", "redshifts", "error", "notes"),
    [
        ("fixed", CALM, 0.0, []),
        ("fixed", {7: (1.5, 2.0, 2.5)}, 0.0, ["the redshift is uncertain by 0.5: taken as known"]),
        ("catalog", CALM, 0.01, []),
        ("catalog", {7: (1.5, 2.0, 2.5)}, 0.5, ["the redshift is uncertain by 0.5: a Gaussian of that width is taken"]),
        ("catalog", {}, 0.0, ["the uncertainty of the redshift is not known: it is taken as known"]),
    ],
)
def test_a_redshift_comes_with_its_uncertainty_or_is_fixed(clustered, how, redshifts, error, notes):
    inputs = inputs_of(block_for(clustered / "out").changed(fit_redshift=how), redshifts)
    tasks = region_tasks(7, RUN.name, clustered / "out", inputs)
    assert [task.redshift_error for task in tasks] == pytest.approx([error] * 3)
    assert galaxy_notes(7, 2.0, inputs) == notes


def test_a_note_on_the_galaxy_is_in_each_row_and_its_error_reaches_the_fit(fit):
    planted = PlantedFit()
    fit(planted, redshifts={7: (1.5, 2.0, 2.5)}, fit_redshift="catalog")
    assert planted.asked[1].redshift_error == 0.5
    note = "the redshift is uncertain by 0.5: a Gaussian of that width is taken; planted"
    assert table_of(fit)["note"].tolist() == [note] * 3


# ---- what fails, and what is ended ------------------------------------------


def test_bad_photometry_is_told_in_words_by_the_engine(fit):
    def spoil(table):
        table["flux_total"][table["cluster"] == 1] *= -1  # as bright as nothing can be
        for name in ("flux", "flux_total"):
            table[name][(table["cluster"] == 2) & (table["band"] == "f444w")] = np.nan

    change_populations(fit, spoil)
    assert fit(fit_sed) == 0
    negative, few, together = table_of(fit)["note"]
    assert negative.startswith("all fluxes are negative or zero")
    assert few.startswith("5 bands with data are too few")
    assert together == few  # a band without data in one region has none in the sum


def test_a_table_that_cannot_be_read_costs_no_other_galaxy(fit, capsys):
    path = output_path(fit.output, "populations", run=RUN.name, id=11)
    path.write_text("nothing")
    assert fit(PlantedFit(), ids=[11, 7]) == 1
    assert len(regions_of(fit)) == 2
    assert "11: blended_mixture: " in capsys.readouterr().err


def test_a_region_that_cannot_be_fitted_has_a_row_with_the_reason_and_costs_no_other(fit):
    assert fit(PlantedFit(ValueError("five bands are too few"), of_call=1)) == 0
    table = table_of(fit)
    assert table["status"].tolist() == ["not fitted", "ok", "ok"]
    assert table["note"].tolist() == ["five bands are too few", "planted", "planted"]
    assert np.isnan([table["mass_p50"][0], *table["mass_ratio_p50"]]).all()
    with maps_of(fit) as maps:  # what is known is all that the map adds up to
        assert np.nansum(maps["MASS"].data) == pytest.approx(table["mass_p50"][1], rel=1e-10)
        assert "Not fitted, and missing: 1" in str(maps["MASS"].header["COMMENT"])


def test_where_nothing_can_be_fitted_there_is_a_table_and_no_map(fit, capsys):
    change_populations(fit, lambda table: table.meta.update(redshift=np.nan))
    assert fit(fit_sed) == 0  # the true one, which needs a redshift
    assert all(note.startswith("the redshift is not known: without it") for note in table_of(fit)["note"])
    assert "7: blended_mixture: 0 of 2 regions fitted" in capsys.readouterr().out
    assert not output_path(fit.output, "fit_maps", run=RUN.name, id=7).exists()


def test_what_nobody_foresaw_is_a_failure_that_is_tried_again(fit, capsys):
    assert fit(PlantedFit(ZeroDivisionError("out of the blue"), of_call=2)) == 1
    assert table_of(fit)["note"][1] == "ZeroDivisionError: out of the blue"
    assert "Traceback" in capsys.readouterr().err
    again = PlantedFit()
    assert fit(again) == 0
    assert len(again.asked) == 1
    assert set(table_of(fit)["status"]) == {"ok"}


def test_the_same_traceback_is_printed_once(capsys):
    printed = set()
    for problem in (KeyError("a"), KeyError("a"), KeyError("b")):
        assert failure_message(problem, printed) == f"KeyError: {problem}"
    assert capsys.readouterr().err.splitlines() == ["KeyError: 'a'", "KeyError: 'b'"]


def test_a_call_that_is_ended_goes_on_with_the_regions_that_are_left(fit):
    with pytest.raises(KeyboardInterrupt):
        fit(PlantedFit(KeyboardInterrupt(), of_call=2))
    assert not output_path(fit.output, "fits", run=RUN.name, id=7).exists()
    rest = PlantedFit()
    assert fit(rest) == 0
    assert len(rest.asked) == 2
    nothing, path = PlantedFit(), output_path(fit.output, "fits", run=RUN.name, id=7)
    written = path.stat().st_mtime_ns
    assert fit(nothing) == 0
    assert (nothing.asked, path.stat().st_mtime_ns) == ([], written)


def test_two_calls_share_the_regions(fit):
    """The second call starts while the first is at a region: it fits the two others, which the first need not."""
    others, statuses = PlantedFit(), []
    second = threading.Thread(target=lambda: statuses.append(fit(others)))

    class Slow(PlantedFit):
        def __call__(self, *photometry, **options):
            second.start()  # a second time would be an error
            end = time.monotonic() + 5
            while len(others.asked) < 2 and time.monotonic() < end:
                time.sleep(0.01)
            return super().__call__(*photometry, **options)

    slow = Slow()
    assert fit(slow) == 0
    second.join()
    assert statuses == [0]
    assert (len(slow.asked), len(others.asked)) == (1, 2)
    assert np.isfinite(table_of(fit)["mass_p50"]).all()


def test_a_half_written_fit_is_made_again(fit):
    fit(PlantedFit())
    path = output_path(fit.output, "region_fit", run=RUN.name, id=7, cluster=2)
    for length in (100, -100):
        path.write_bytes(path.read_bytes()[:length])
        again = PlantedFit()
        assert fit(again) == 0
        assert len(again.asked) == 1


def test_other_settings_fit_again_and_settings_of_no_matter_do_not(fit, clustered):
    settings = block_for(clustered / "out")

    def fingerprints(engine="1.0", **others):
        inputs = inputs_of(settings.changed(**others))._replace(engine=engine)
        return {task.fingerprint for task in region_tasks(7, RUN.name, clustered / "out", inputs)}

    others = [{"fit_sfh": "nonparametric"}, {"fit_priors": {"a_v": (0, 1)}}, {"seed": 3}, {"error_floor": 0.1}]
    others += [{"fit_redshift": "catalog"}, {"engine": "1.1"}]
    for other in others:
        assert not fingerprints() & fingerprints(**other), other
    assert fingerprints(magnification=2.0, jobs=3, dpi=50, figure_format="pdf") == fingerprints()
    planted = PlantedFit()
    fit(planted)
    fit(planted, seed=3)
    assert len(planted.asked) == 6


def test_other_photometry_fits_that_region_again(fit):
    planted = PlantedFit()
    fit(planted)

    def brighten(table):
        for name in ("flux", "flux_total"):
            table[name][table["cluster"] == 2] *= 1.1

    change_populations(fit, brighten)
    before = table_of(fit)
    fit(planted)
    assert len(planted.asked) == 5  # it and the sum
    first, second, together = before["mass_p50"]
    grown = np.array(table_of(fit)["mass_p50"])
    assert grown == pytest.approx([first, 1.1 * second, together + 0.1 * second])


def test_fits_of_regions_that_are_no_more_are_removed_with_the_run(fit, clustered, monkeypatch):
    fit(PlantedFit())
    bare(monkeypatch)
    assert all(path.exists() for path in fit_paths(fit.output, RUN.name, 7)[:3])
    flags = ["--catalogs", clustered / "survey", "--output", fit.output, "--ids", 7, "--methods", "blended_mixture"]
    assert main([*map(str, flags), "--n-clusters", "1"]) == 0
    assert not any(path.exists() for path in fit_paths(fit.output, RUN.name, 7))
    again = PlantedFit()
    fit(again)
    assert len(again.asked) == len(table_of(fit)) == 1
    assert not output_path(fit.output, "region_fit", run=RUN.name, id=7, cluster=2).exists()


def test_without_populations_there_is_nothing_to_fit(fit, capsys):
    output_path(fit.output, "populations", run=RUN.name, id=7).unlink()
    assert fit(PlantedFit()) == 0
    assert "nothing to fit: no run asked for has SEDs of populations" in capsys.readouterr().out


# ---- the main job -----------------------------------------------------------


def test_the_main_job_fits_and_draws_what_it_clustered(clustered, tmp_path, monkeypatch):
    shutil.copytree(clustered / "out", tmp_path / "out")
    planted = PlantedFit()
    monkeypatch.setattr("helper_functions.fitting.bagpipes_fit.fit_sed", planted)
    bare(monkeypatch)
    flags = ["--catalogs", clustered / "survey", "--output", tmp_path / "out", "--ids", 7, "--dpi", 40]
    flags += ["--methods", "blended_mixture", "kmeans", "--n-clusters", 2, "--magnification", 2]
    assert main([*map(str, flags), "--fit", "--fit-priors", "a_v=0,2", "age=0.1,3"]) == 0
    assert planted.asked[0].priors == PRIORS | {"a_v": (0, 2), "age": (0.1, 3)}
    for path in [path for path in fit_paths(tmp_path / "out", RUN.name, 7) if path.suffix != ".pdf"]:
        assert path.exists(), path
    assert set(Table.read(output_path(tmp_path / "out", "fits", run=RUN.name, id=7))["magnification"]) == {2.0}
    assert not (tmp_path / "out/fits" / OTHER).exists()  # no population, no fit


def test_our_own_file_as_regions_of_a_user_gives_the_same_seds_and_is_fitted(clustered, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("helper_functions.fitting.bagpipes_fit.fit_sed", PlantedFit())
    monkeypatch.setattr("helper_functions.products.pictures.FIT_PICTURES", {})
    bare(monkeypatch)
    shutil.copytree(clustered / "out", tmp_path / "out")
    path, (ours, theirs) = partial(output_path, tmp_path / "out"), (OTHER, OWN_RUN.name)
    regions = shutil.copy(path("labels", run=ours, id=7), tmp_path)
    flags = ["--catalogs", clustered / "survey", "--output", tmp_path / "out", "--ids", 7, 12, "--regions", regions]
    flags += ["--methods", "blended_mixture", "kmeans", "--n-clusters", 2, "--pictures", "none", "--no-pixel-cubes"]
    assert main([*map(str, flags), "--fit", "--export", "eazy"]) == 0
    assert "own_regions: no regions (no region is near the galaxy" in capsys.readouterr().out  # of 12, which goes on
    labels = [read_labels(path("labels", run=run, id=7)) for run in (ours, theirs)]
    np.testing.assert_array_equal(labels[0].labels, labels[1].labels)
    assert labels[1].names == (names := ("1", "2"))
    one, other = (Table.read(path("composites", run=run, id=7)) for run in (ours, theirs))
    assert list(dict.fromkeys(other["name"])) == list(names)
    for column in one.colnames:
        assert (one[column] == other[column]).all() or np.isnan(one[column]).all(), column
    table = Table.read(path("fits", run=theirs, id=7))
    assert list(table["name"]) == [*names, "all"]
    assert table["mass_p50"][2] == pytest.approx(table["mass_p50"][:2].sum(), rel=1e-3)  # light is mass here
    with fits.open(path("fit_maps", run=theirs, id=7)) as hdus:
        for number in (1, 2):
            mass = np.nansum(hdus["MASS"].data[labels[0].labels == number])
            assert mass == pytest.approx(table["mass_p50"][number - 1], rel=1e-4)  # single precision
    exported = path("export", code="eazy", run=theirs, id=7, content="composites_total.cat")
    assert exported.is_file()
    summary = Table.read(path("summary"))
    agree = dict(zip(summary["run"][summary["id_dr3"] == 7], summary["rand_index"], strict=False))
    assert agree[RUN.name] == 1
    assert agree[theirs] == agree[ours] > 0.9  # the planted halves, which both methods find
    catalog = Table.read(path("regions"))
    assert list(catalog["name"][catalog["run"] == theirs]) == list(names)
    assert not any(catalog["name"][catalog["run"] != theirs].filled(""))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--regions", "no.reg"], "regions must be a file of regions, or with {id} in its name one for each galaxy"),
        (["--fit-priors", "dust=0,1"], "unknown prior 'dust': choose from age"),
        (["--fit-priors", "a_v=0"], "fit_priors must be NAME=LOW,HIGH with two numbers, found a_v=['0']"),
        (["--fit-priors", "a_v"], "fit_priors must be NAME=LOW,HIGH with two numbers, found ['a_v']"),
        (["--magnification", "0"], "magnification must be above 0"),
        (["--magnification", "36=2"], "magnification must be a number of at least 0, found '36=2'"),
        (["--magnification", "-2"], "magnification must be a number of at least 0"),
        (["--magnification", "mu", "--fit"], "has no column mu"),
        (["--magnification-map", "mu.fits"], "magnification_map must be FITS files: there is no "),
        (["--magnification-map", __file__], "cannot be read as FITS"),
        (["--magnification-map", *[__file__] * 3], "one file (magnification) or two (convergence, shear), found 3"),
        (["--fit-redshift", "free"], "unknown fit_redshift 'free': choose from fixed, catalog"),
        (["--fit-sfh", "burst"], "unknown fit_sfh 'burst': choose from delayed, nonparametric"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_made(clustered, tmp_path, flags, message, capsys):
    base = ["--catalogs", str(clustered / "survey"), "--output", str(tmp_path / "new"), "--ids", "7"]
    assert main([*base, *flags]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_without_bagpipes_it_says_what_to_install(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("helper_functions.fits.tasks.version", missing)
    with pytest.raises(ValueError, match="--fit needs bagpipes: pip install bagpipes"):
        inputs_of(settings_block())


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("2.5", 2.5),
        (3, 3.0),
        ("mu", "mu"),
    ],
)
def test_a_magnification_is_a_number_or_a_column(given, read):
    assert SETTINGS["magnification"].read("magnification", given) == read


# ---- tables of other codes --------------------------------------------------


def test_a_table_of_another_code_is_painted_as_our_own_is(fit, capsys):
    fit(PlantedFit())
    capsys.readouterr()
    ours = regions_of(fit)
    path = fit.output / "theirs.csv"
    columns = {"cluster": ours["cluster"], "mass": ours["mass_p50"], "age": ours["age_p50"], "age_err": [0.1, 0.2]}
    Table(columns).write(path)
    command = [str(fit.output), RUN.name, "7", str(path)]
    assert maps_from_table.main([*command, "--sums", "mass"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["mass: spread like the light", "age: mean by mass"]
    with maps_of(fit) as maps, fits.open(said[2]) as theirs:
        for name in ("MASS", "AGE"):
            np.testing.assert_allclose(theirs[name].data, maps[name].data)
        assert np.nanmax(theirs["AGE_ERR"].data) < 0.2 + 1e-9
        assert np.isnan(theirs["MASS_ERR"].data).all()
    assert all(path in map(str, fit_paths(fit.output, RUN.name, 7)) for path in said[2:])  # removed with the run


def test_the_light_of_a_run_that_takes_no_blends_apart_is_that_of_its_pixels(fit):
    own, other = (region_light(fit.output, run, 7) for run in (RUN.name, OTHER))
    assert (own.source, other.source) == (LIGHT, PIXELS)
    table = Table({"cluster": [1, 2], "mass": [1e9, 3e9] * u.solMass})
    image = property_maps(other, table)["mass"].image
    sums = [image[other.labels == number].sum() for number in (1, 2)]
    assert sums == pytest.approx([1e9, 3e9])
    # Both halves are as bright as one law of radius says, whichever way their light is measured.
    same = image / np.nansum(image) - property_maps(own, table)["mass"].image / 4e9
    assert np.nanmax(np.abs(same)) < 0.1 * np.nanmax(image) / 4e9 or set(own.regions) != set(other.regions)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"mass": [1.0]}, "the table has no column cluster: it has mass"),
        ({"cluster": [1, 3], "mass": [1.0, 2]}, "the run has clusters 1 to 2, and the table has a row for 3"),
        ({"cluster": [1, 1], "mass": [1.0, 2]}, "more than one row for a cluster"),
        ({"cluster": [1, 2], "name": ["a", "b"]}, "no numeric column to be mapped"),
    ],
)
def test_tables_that_cannot_be_painted_are_told(fit, columns, message, capsys):
    path = fit.output / "bad.ecsv"
    Table(columns).write(path)
    assert maps_from_table.main([str(fit.output), RUN.name, "7", str(path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((RUN.name, "7", "none.csv"), "there is no table none.csv"),
        (("dbscan", "7", "none.csv"), "there is no label file of run dbscan of galaxy 7"),
    ],
)
def test_what_is_missing_is_told(fit, arguments, message, capsys):
    assert maps_from_table.main([str(fit.output), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_what_is_no_table_is_told(fit, capsys):
    path = fit.output / "noise.bin"
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    assert maps_from_table.main([str(fit.output), RUN.name, "7", str(path)]) == 2
    assert "noise.bin cannot be read as a table" in capsys.readouterr().err


def test_a_broken_bagpipes_is_told_at_the_start(tmp_path, monkeypatch, survey_folder, capsys):
    (tmp_path / "bagpipes.py").write_text("raise ImportError('cannot be loaded ' * 200)", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "bagpipes", raising=False)
    flags = ["--catalogs", str(survey_folder), "--output", str(tmp_path / "out"), "--ids", "7", "--fit"]
    assert main(flags) == 2
    said = capsys.readouterr().err
    assert "error: bagpipes is installed, but cannot be imported (ImportError: cannot" in said
    assert " ...): install it anew" in said
    assert len(said) < 800
    assert not (tmp_path / "out").exists()
