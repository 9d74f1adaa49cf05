import json

import numpy as np
import pytest
from astropy.table import Table

from helper_functions.simulation import fit_recovery
from helper_functions.simulation.fit_recovery import (
    COMPARED_QUANTITIES,
    INTEGRATED,
    Target,
    combined_quantities,
    drawn_populations,
    fit_galaxy,
    interval_scores,
    main,
    masses,
    true_quantities,
)
from helper_functions.simulation.stellar_populations import Population, check_population, make_spectrum, photometry
from plots.simulation.fit_recovery import truth_and_fits

BANDS = ("f115w", "f200w", "f444w")


def planted(n, pull_spread, seed=0):
    """Fits whose intervals are 0.1 (mag or dex) wide on either side, and off by `pull_spread` times that."""
    rng = np.random.default_rng(seed)
    columns = {"seed": np.arange(n) // 2}
    for name, (scale, _) in COMPARED_QUANTITIES.items():
        truth = rng.uniform(1, 3, n)
        middle = truth + 0.1 * pull_spread * rng.standard_normal(n)
        linear = (lambda x: 10**x) if scale is np.log10 else np.asarray
        for which, x in {"true": truth, "16": middle - 0.1, "50": middle, "84": middle + 0.1}.items():
            columns[f"{name}_{which}"] = linear(x)
    return Table(columns)


def test_intervals_of_the_right_size_hold_the_truth_in_68_percent():
    """And those that are half as wide as they should be, in the 38% of a Gaussian within half a sigma."""
    for spread, share in ((1.0, 0.683), (2.0, 0.383)):
        for row in interval_scores(planted(4000, spread)):
            assert row["inside"] == pytest.approx(share, abs=0.025)  # 3 standard errors of 4000
            assert row["pull_spread"] == pytest.approx(spread, rel=0.06)
            assert row["off_spread"] == pytest.approx(0.1 * spread, rel=0.06)
            assert row["off"] == pytest.approx(0, abs=0.01)


def test_order_is_judged_within_a_galaxy_and_where_there_is_one():
    fits = planted(6, 0.0)
    fits["a_v_true"] = [1.0, 1.1, 1.0, 2.0, 1.0, 2.0]  # the first two are too much alike
    fits["a_v_50"] = [1.1, 1.0, 1.2, 1.9, 2.0, 1.0]
    row = interval_scores(fits)[0]
    assert (row["pairs"], row["in_order"]) == (2, 0.5)


def test_masses_are_of_galaxies_whose_populations_are_all_found():
    fits = Table(
        {
            "seed": [1, 1, 1, 2, 2],
            "target": ["1", "2", INTEGRATED, "1", INTEGRATED],
            "mass_true": [1e9, 9e9, 1e10, 1e9, 1e10],
            "mass_50": [1e9, 9e9, 5e9, 1e9, 5e9],
        }
    )
    found = masses(fits, Table({"seed": [1, 2], "n_true": [2, 2]}))
    assert found["seed"].tolist() == [1]
    assert (found["regions"][0], found["integrated"][0]) == pytest.approx((0, np.log10(0.5)))


def test_truth_of_a_region_scales_with_its_light_and_adds_up():
    population = Population(age=1.0, tau=0.5, a_v=0.8, history="delayed")
    flux = 0.01 * photometry(make_spectrum(population, 1.5, mass=3e9), BANDS).mean()
    one, two = (true_quantities(population, 1.5, factor * flux, BANDS) for factor in (1, 2))
    assert one["mass_formed"] == pytest.approx(3e9)
    both = combined_quantities([one, two])
    assert both["mass"] == pytest.approx(3 * one["mass"])
    assert (both["age"], both["a_v"], both["ssfr"]) == pytest.approx((one["age"], 0.8, one["ssfr"]))


def test_drawn_populations_can_exist_and_differ():
    drawn = drawn_populations(5, 2.2, np.random.default_rng(1))
    assert len({each.a_v for each in drawn}) == 5
    for each in drawn:
        check_population(each, 2.2)
        assert each.history == "delayed"


def test_a_campaign_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    truth = dict.fromkeys(COMPARED_QUANTITIES, 1e9)
    found = [Target(name, np.ones(3), np.ones(3), np.zeros((1, 3)), truth, 1.0) for name in ("1", INTEGRATED)]
    counts = {"n_pixels": 100, "n_true": 1, "n_found": 1, "seconds": 1.0}
    fitted = []

    def fit(bands, flux, error, redshift, shared, seed):
        fitted.append(seed)
        samples = {name: np.linspace(0.8e9, 1.3e9, 50) for name in COMPARED_QUANTITIES}
        return type("Fit", (), {"samples": samples, "chi2": 1.0, "n_bands": 3, "note": ""})

    monkeypatch.setattr(fit_recovery, "fit_targets", lambda seed: (1.5, BANDS, found, counts))
    monkeypatch.setattr(fit_recovery, "fit_sed", fit)
    (tmp_path / "7_1.json").write_text(json.dumps({"made": "before"}))
    fit_galaxy(7, tmp_path)
    assert fitted == [7]  # the integrated light only
    (tmp_path / "7_1.json").unlink()
    fit_galaxy(7, tmp_path)  # complete: nothing is looked at again
    assert fitted == [7]
    assert main(["--output", str(tmp_path), "--seeds", "7", "8"]) == 0
    assert fitted == [7, 8, 8]
    assert "2 galaxies: 1 of 2 populations" in capsys.readouterr().out
    assert (tmp_path / "fits.png").exists()
    assert main(["--output", str(tmp_path / "empty"), "--report"]) == 2
    assert "there is no fit in" in capsys.readouterr().err


def test_picture_tells_how_many_are_within():
    fits = planted(200, 1.0)
    titles = [ax.get_title() for ax in truth_and_fits(fits).axes]
    inside = interval_scores(fits)["inside"][0]
    assert titles[0] == f"200 regions, {inside:.0%} within 16 to 84%"


def test_populations_alone_have_their_spectrum_and_the_errors_said():
    redshift, bands, found, counts = fit_recovery.targets_alone(4)
    assert counts["n_true"] == len(found)
    _, snr, drawn = fit_recovery.drawn_galaxy(4)
    pulls = []
    for target, population in zip(found, drawn, strict=True):
        flux = 0.01 * photometry(make_spectrum(population, redshift), bands)
        pulls.append((target.flux - flux) / target.error)
        assert target.truth["mass_formed"] == pytest.approx(1e9)
        assert (target.error >= 0.0199 * flux).all()
        assert np.median(flux / target.error) < snr
    assert np.std(pulls) == pytest.approx(1, abs=0.25)  # 3 standard errors of some 80 values
