import numpy as np
import pytest

from helper_functions.simulation.purity_recovery import main, numbers_of_several, purity, purity_table
from helper_functions.simulation.suites import REALISTIC_KINDS


def test_purity_by_hand():
    """A quarter of the flux of another SED, at any brightness."""
    truth = np.array([[1.0, 2, 3], [3.0, 2, 1]])
    assert purity(7 * (0.75 * truth[0] + 0.25 * truth[1]), truth, 0) == pytest.approx(0.75)
    assert purity(truth[1], truth, 0) == 0


def test_galaxies_of_one_population_are_left_out():
    numbers = numbers_of_several(20)
    assert len(set(numbers)) == 20
    assert all(REALISTIC_KINDS[number % len(REALISTIC_KINDS)].n_regions > 1 for number in numbers)


def test_the_table_names_what_is_not_covered():
    one = {f"{name}_{when}": value for when in ("before", "after") for name, value in NUMBERS.items()}
    rows = [one | {"pulls": np.array([-1.0, 1]), "purity_low": 0.5, "seconds": 1.0, "n_pixels": 2600}]
    table = purity_table(rows)
    assert "| purity, median (mean) | 0.90 (0.90) | 0.90 (0.90) |" in table
    assert "| `ew_halpha_nii` less that of the true SED, median, scatter | not covered | not covered |" in table
    assert "| seconds for 1,300 pixels, with errors | | 0.50 |" in table


NUMBERS = {"purity": 0.9, "difference": 0.02, "ew_halpha_nii": np.nan, "ew_oiii_hbeta": 3.0, "u_v": 0.01}


def test_wrong_calls_end_with_a_line(monkeypatch, capsys):
    monkeypatch.delenv("STAR_PSFS", raising=False)
    assert main(["--n", "0"]) == 2
    assert main([]) == 2
    assert "name a file with --psfs" in capsys.readouterr().err
