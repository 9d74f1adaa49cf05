import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.simulation import gradient_recovery
from helper_functions.simulation.gradient_recovery import GALAXIES, GRADIENTS, gradient_galaxy, lost, main


def test_what_labels_lose_by_hand():
    """Two shapes at any brightness: their own labels lose nothing; one label for both loses half of their distance."""
    shapes = np.array([[1.0, 1, 1, 1]] * 3 + [[1.0, 1.2, 1, 0.8]] * 3)
    clean = shapes * np.array([1, 2, 3, 1, 2, 3])[:, None]
    seds = pixel_seds(clean, np.full(clean.shape, 0.1))
    assert lost(np.array([1, 1, 1, 2, 2, 2]), clean, seds) == pytest.approx(0, abs=1e-7)
    # Differences of 0.1 times the brightness in two of four bands, rms brightness^2 = 14 / 3: in errors of 0.1.
    assert lost(np.ones(6, dtype=int), clean, seds) == pytest.approx(np.sqrt(14 / 3 / 2), rel=0.02)


@pytest.mark.parametrize("kind", GRADIENTS)
def test_galaxies_change_smoothly(kind, monkeypatch):
    """Neighbouring noiseless pixels have nearly the same shape, opposite ones have not; noise is what was asked for."""
    monkeypatch.setattr(gradient_recovery, "RADIUS", 8.0)
    seds, clean, mask = gradient_galaxy(kind, 3, 1)
    assert mask.sum() == len(clean) > 200
    shape = clean / clean.mean(axis=1, keepdims=True)
    beside = np.flatnonzero((np.diff(seds.cols) == 1) & (np.diff(seds.rows) == 0))
    step = np.abs(shape[beside + 1] - shape[beside]).max(axis=1)
    assert np.median(step) < 0.2 * np.ptp(shape, axis=0).max()
    assert np.std((seds.flux - clean) / seds.error) == pytest.approx(1, abs=0.1)


def test_the_table_and_wrong_numbers(monkeypatch, capsys):
    monkeypatch.setattr(gradient_recovery, "RADIUS", 6.0)
    monkeypatch.setattr(gradient_recovery, "METHODS_COMPARED", ("kmeans",))
    monkeypatch.setattr(gradient_recovery, "NUMBERS", (3,))
    assert main(["--n", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("| `kmeans` | 3 | 3.0 |")
    assert main(["--n", "0"]) == 2


def test_the_light_before_the_psf_is_that_of_the_pixels():
    """Sharp regions: each pixel has one of the SEDs before the PSF; a gradient has many."""
    seds, light = GALAXIES["sharp regions"](0, 5)
    assert light.shape == seds.flux.shape
    shapes = np.unique(np.round(light / light.mean(axis=1, keepdims=True), 6), axis=0)
    assert len(shapes) == 3
    _, light = GALAXIES["gradients of age or dust"](0, 5)
    assert len(np.unique(np.round(light / light.mean(axis=1, keepdims=True), 6), axis=0)) > 300


def test_distinct_of_a_gradient(monkeypatch, capsys):
    monkeypatch.setattr(gradient_recovery, "GALAXIES", {"a gradient": GALAXIES["gradients of age or dust"]})
    assert main(["--n", "1", "--seed", "95001", "--distinct"]) == 0
    found, truth = capsys.readouterr().out.splitlines()[-1].split("|")[2:4]
    # Median over 12 of these galaxies of the difference: 0.07, see the page of the simulations.
    assert float(found.split()[0]) == pytest.approx(float(truth.split()[0]), abs=0.2)
    assert float(found.split()[0]) < 0.65
