import numpy as np
import pytest

from helper_functions.simulation import cube_recovery
from helper_functions.simulation.cube_recovery import (
    EDGES,
    H_ALPHA,
    LINE_RATIOS,
    cluster_means,
    explained,
    line_sed,
    main,
    score,
    simulate_cube,
)
from helper_functions.simulation.stellar_populations import AB_ZERO_POINT

SIZE, SEED, NO_NOISE = 20, 7, 1e9
ONLY_H_ALPHA = {name: float(name == "H alpha") for name in LINE_RATIOS}


def test_what_clusters_explain_by_hand():
    """Sum of squares around the mean of 1.5 is 11, around the means of the clusters, 0 and 3, it is 2."""
    truth, labels = np.array([0.0, 0, 2, 4]), np.array([1, 1, 2, 2])
    assert explained(truth, cluster_means(truth, labels)) == pytest.approx(1 - 2 / 11)
    # Without labels the last two pixels have the mean of all: residuals of 0.5 and 2.5.
    assert explained(truth, cluster_means(truth, np.array([1, 1, -1, -1]))) == pytest.approx(1 - 6.5 / 11)
    assert np.isnan(explained(np.ones(4), np.ones(4)))


def test_the_flux_of_a_line_in_a_top_hat():
    """Photons of a line of flux 1 are F lambda / (h c), those of a flat f_nu are f_nu ln(red / blue) / h."""
    found, at = line_sed(0.1, ONLY_H_ALPHA), 1.1 * H_ALPHA
    own = np.searchsorted(EDGES, at) - 1
    flux = at / (2.99792458e18 * np.log(EDGES[own + 1] / EDGES[own])) / 3.631e-20 * 10 ** (0.4 * AB_ZERO_POINT)
    assert found[own] == pytest.approx(flux, rel=0.01)  # edges of the curve are sampled to 0.1%
    assert np.delete(found, own).max() < 1e-6 * flux


def test_the_truth_is_the_width_that_bands_show(monkeypatch):
    """Excess in the band of H alpha over the same galaxy without lines, times the width of the band at rest."""
    monkeypatch.setattr(cube_recovery, "LINE_RATIOS", {"H alpha": LINE_RATIOS["H alpha"]})
    cube, without = (simulate_cube(SEED, NO_NOISE, 1.0, size=SIZE, lines=lines) for lines in (1, 0))
    at = H_ALPHA * (1 + cube.seds.redshift)
    own = np.searchsorted(EDGES, at) - 1
    excess = (cube.seds.flux / without.seds.flux - 1)[:, own]
    # The continuum at the line is not exactly that of the band, which is 320 Angstrom wide.
    np.testing.assert_allclose(excess * np.diff(EDGES)[own] / (1 + cube.seds.redshift), cube.width, rtol=0.1, atol=0.01)
    assert np.ptp(cube.width) > 5
    assert not without.width.any()


def test_noise_is_correlated_and_stated_by_the_factor():
    clean, cube = (simulate_cube(SEED, snr, 0.5, size=SIZE).seds for snr in (NO_NOISE, 30))
    assert cube.correlation is None  # no sky
    noise = (cube.flux - clean.flux) / cube.error
    assert noise.std() == pytest.approx(2, rel=0.05)  # 5,600 values
    beside = noise.reshape(SIZE, SIZE, -1) / 2
    assert np.mean(beside[1:] * beside[:-1]) == pytest.approx(0.26, abs=0.04)
    assert np.median(cube.flux / cube.error) == pytest.approx(60, rel=0.2)  # depths of bands differ by 30%


def test_the_classes_of_the_truth_explain_it_and_others_do_not():
    width = simulate_cube(SEED, 30, 1.0, size=SIZE).width
    classes = 1 + np.digitize(width, np.linspace(0, width.max(), 8)[1:-1])
    assert explained(width, cluster_means(width, classes)) > 0.9
    shuffled = np.random.default_rng(0).permutation(classes)
    assert explained(width, cluster_means(width, shuffled)) < 0.1  # 7 classes of 400 pixels: 0.02 on average


def test_scores_with_and_without_lines():
    """Strong lines at a high SNR are found; without lines nothing is to be explained."""
    found, nothing = (score(simulate_cube(SEED, 100, 0.5, size=SIZE, lines=lines)) for lines in (1, 0))
    assert found["`blended_mixture`: number"] > 1
    r2 = [column for column in found if column.endswith("R2")]
    assert min(found[column] for column in r2) > 0.3  # 0.5 to 0.8
    assert found["scaled errors / true"] == pytest.approx(1, abs=0.15)  # for few pixels to 10%
    assert np.isnan([nothing[column] for column in r2]).all()


def test_the_table_and_wrong_numbers(monkeypatch, capsys):
    """With settings that are asked for; the cells are median and range."""
    monkeypatch.setattr(cube_recovery, "score", lambda cube: {"number": len(cube.width), "R2": 1 / cube.factor})
    monkeypatch.setattr(cube_recovery, "SIZES", (SIZE, SIZE))
    assert main(["--galaxies", "2", "--snr", "30", "--error-factor", "1", "0.5"]) == 0
    *_, first, second = capsys.readouterr().out.splitlines()
    assert first == "| 30 | 1 | 400 (400 to 400) | 1.00 (1.00 to 1.00) |"
    assert second == "| 30 | 0.5 | 400 (400 to 400) | 2.00 (2.00 to 2.00) |"
    assert main(["--snr", "0"]) == 2
    assert "above 0" in capsys.readouterr().err
