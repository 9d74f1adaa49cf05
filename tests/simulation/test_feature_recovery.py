import numpy as np
import pytest

from helper_functions.fitting.line_ratios import CASE_B
from helper_functions.sed_features import SED_FEATURES
from helper_functions.simulation.feature_recovery import (
    dex_table,
    main,
    recover,
    recovery_table,
    scores,
    simulate,
    true_dust,
    true_features,
)


def test_features_of_a_power_law_by_the_formula():
    wavelength = np.geomspace(1000, 30000, 30000)
    truth = true_features(wavelength, wavelength**-1.0)
    dust = true_dust(1.0, truth, 1.0)
    assert set(truth | dust) == set(SED_FEATURES)
    assert truth["beta"] == pytest.approx(-1, abs=2e-3)  # windows are wide, and the law is not linear in them
    assert truth["balmer_break"] == pytest.approx(4200 / 3500, rel=1e-3)
    assert truth["d4000"] == pytest.approx(4050 / 3900, rel=1e-3)
    assert abs(truth["ew_halpha_nii"]) < 0.05


def test_the_width_of_a_line_on_a_flat_continuum():
    wavelength = np.arange(1000, 30000, 1.0)
    line = 50 * np.exp(-0.5 * ((wavelength - 6565) / 4) ** 2) / (4 * np.sqrt(2 * np.pi))
    truth = true_features(wavelength, 2 * (1 + line))
    assert truth["ew_halpha_nii"] == pytest.approx(50, rel=1e-3)
    assert truth["flux_halpha_nii"] == pytest.approx(100, rel=1e-3)


def test_dust_and_star_formation_by_hand():
    """H alpha of 1e-16 erg/s/cm2 at redshift 1, 6607.7 Mpc, is 2.805 solar masses per year (10^41.27 erg/s for 1)."""
    truth = true_dust(1.0, {f"flux_{line}": 1e-16 / ratio for line, ratio in CASE_B.items()}, 1.0)
    assert truth["sfr_paschen_alpha_smc"] == pytest.approx(2.805, rel=1e-3)
    assert truth["a_v_paschen_beta_calzetti"] == pytest.approx(1)
    # A / A_V at both lines, 0.821 and 0.313, and 0.791 and 0.242 for the SMC.
    assert truth["a_v_paschen_beta_smc"] == pytest.approx((0.821 - 0.313) / (0.791 - 0.242), abs=3e-3)


def test_scores_of_errors_that_are_right_and_of_those_that_are_not():
    rng = np.random.default_rng(0)
    truth, noise = rng.normal(size=4000), rng.normal(0, 0.5, 4000)
    right, small = (scores(truth, truth + 0.1 + noise, np.full(4000, each)) for each in (0.5, 0.25))
    assert right["bias"] == pytest.approx(0.1, abs=0.03)  # 0.5 sqrt(pi / 2 / 4000) = 0.01
    assert right["pull"] == pytest.approx(1, abs=0.06)
    assert right["within"] == pytest.approx(0.67, abs=0.03)
    assert small["within"] < 0.45
    assert scores(truth, truth * np.nan, truth)["measured"] == 0
    assert scores(*np.array([[2.0], [3.0], [0.5]]), relative=True)["bias"] == 0.5


def test_scatter_of_line_fluxes_in_dex():
    """Wide lines, every other flux of which is 10 times the truth: half of 16 to 84% is half a dex."""
    rows = np.array([[1.0, 10.0 ** (n % 2), 0.1] for n in range(40)])
    found = dict.fromkeys(SED_FEATURES, rows) | {"ew_halpha_nii": np.add(rows, [50, 0, 0])}
    assert "| `flux_halpha_nii` | 30 | 40 | 40 | 0.50 | 0.50 | +0.50 |" in dex_table(found)
    assert "`flux_paschen_beta`" not in dex_table(found)


def test_populations_are_measured_and_a_table_is_made(capsys):
    """Few, to be fast; features of other populations would be within 2 errors half as often (the control)."""
    assert simulate(3).truth == simulate(3).truth
    found = recover(range(90, 96))

    def share_right(shift):
        off = np.array([rows[:, 1] - np.roll(rows[:, 0], shift) for rows in found.values()])
        pulls = off / [rows[:, 2] for rows in found.values()]
        return np.mean(np.abs(pulls[np.isfinite(pulls)]) < 2)

    assert share_right(0) > 0.8
    assert share_right(1) < 0.7
    assert recovery_table(found, np.random.default_rng(0)).count("\n") == len(SED_FEATURES) + 1
    assert main(["--n", "0"]) == 2
    assert "--n" in capsys.readouterr().err
