import numpy as np
import pytest

from helper_functions.fitting.line_ratios import CASE_B, LAWS, powers_of_ratio


def test_laws_by_hand():
    """Calzetti at 10000 Angstrom: (2.659 (1.040 - 1.857) + 4.05) / 4.05; SMC: entries of its table."""
    assert LAWS["calzetti"][0](1e4) == pytest.approx(0.46360, abs=1e-5)
    assert LAWS["smc"][0](np.array([21980, 12500, 6500, 5500])) == pytest.approx([0.11, 0.25, 0.801, 1])


def test_ratios_of_case_b():
    assert CASE_B["paschen_beta"] == pytest.approx(17.6, abs=0.05)
    assert CASE_B["paschen_alpha"] == pytest.approx(8.45, abs=0.01)


def test_powers_of_a_law_by_hand():
    """A / A_V of 0.8 and 0.3: a magnitude of A_V reddens by 0.5 mag, and dims H alpha by 0.8 / 0.5 of that."""
    slope, power = powers_of_ratio({6565: 0.8, 12822: 0.3}.get, 6565, 12822)
    assert slope * np.log(10 ** (-0.4 * 0.5)) == pytest.approx(1)
    assert power == pytest.approx(1.6)
