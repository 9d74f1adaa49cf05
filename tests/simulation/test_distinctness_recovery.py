import numpy as np
import pytest

from helper_functions.simulation import distinctness_recovery
from helper_functions.simulation.distinctness_recovery import GALAXIES, main


def test_the_light_before_the_psf_is_that_of_the_pixels():
    """Sharp regions: each pixel has one of the SEDs before the PSF; a gradient has many."""
    seds, light = GALAXIES["sharp regions"](0, 5)
    assert light.shape == seds.flux.shape
    shapes = np.unique(np.round(light / light.mean(axis=1, keepdims=True), 6), axis=0)
    assert len(shapes) == 3
    _, light = GALAXIES["gradients of age or dust"](0, 5)
    assert len(np.unique(np.round(light / light.mean(axis=1, keepdims=True), 6), axis=0)) > 300


def test_the_table_and_wrong_numbers(monkeypatch, capsys):
    monkeypatch.setattr(distinctness_recovery, "GALAXIES", {"a gradient": GALAXIES["gradients of age or dust"]})
    assert main(["--n", "1", "--seed", "95001"]) == 0
    found, truth = capsys.readouterr().out.splitlines()[-1].split("|")[2:4]
    # Median over 12 of these galaxies of the difference: 0.07, see the page of the simulations.
    assert float(found.split()[0]) == pytest.approx(float(truth.split()[0]), abs=0.2)
    assert float(found.split()[0]) < 0.65
    assert main(["--n", "0"]) == 2
