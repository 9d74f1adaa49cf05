import numpy as np
import pytest

from helper_functions.normalize import BRIGHTNESS_POWER, NORMS, normalize


@pytest.fixture
def noisy():
    """Pixels of one shape and of many amplitudes, with noise that differs from band to band."""
    rng = np.random.default_rng(3)
    error = np.tile([0.02, 0.05, 0.01, 0.3], (200, 1))
    flux = rng.uniform(1, 9, (200, 1)) * np.array([1.0, 2, 3, 4]) + rng.normal(0, error)
    return flux, error


@pytest.mark.parametrize("norm", NORMS)
def test_input_is_not_changed_and_output_is_new(norm, noisy):
    flux, error = noisy
    before = flux.copy(), error.copy()
    normed = normalize(flux, error, norm)
    assert (flux == before[0]).all()
    assert (error == before[1]).all()
    for new, old in zip(normed, (flux, error), strict=True):
        assert new.shape == old.shape
        assert not np.shares_memory(new, old)


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm != "none"])
def test_brightness_is_taken_out(norm):
    shape = np.array([1.0, 2, 3, 4])
    flux = np.array([[1.0], [2], [7]]) * shape
    normed, _ = normalize(flux, 1e-9 * np.ones_like(flux), norm)
    # Rounding of numbers up to 28, in units of the noise for contrast; asinh is a logarithm far above the noise.
    atol = {"contrast": 1e-4}.get(norm, 1e-13)
    np.testing.assert_allclose(normed, normed[[0, 0, 0]], atol=atol)


def test_none_keeps_brightness():
    """The control: without a norm, pixels of one shape do differ."""
    flux = np.array([[1.0], [2]]) * np.array([1.0, 2])
    assert (normalize(flux, np.ones_like(flux), "none")[0] == flux).all()


def test_L2_and_sed_worked_out_by_hand():
    flux, error = np.array([[3.0, 4], [3, 4], [8, 0]]), np.ones((3, 2))
    np.testing.assert_allclose(normalize(flux, error, "L2")[0], [[0.6, 0.8], [0.6, 0.8], [1, 0]])
    # The median SED is (3, 4); (8, 0) holds it 24/25 times.
    np.testing.assert_allclose(normalize(flux, error, "sed")[0], [[0, 0], [0, 0], [8 - 72 / 25, -96 / 25]], atol=1e-14)


def test_sed_amplitude_trusts_the_better_band():
    flux = np.array([[1.0, 1], [1, 1], [2, 5]])
    error = np.array([[1.0, 1], [1, 1], [1e-6, 1]])
    np.testing.assert_allclose(normalize(flux, error, "sed")[0][2], [0, 3], atol=1e-9)


def test_pca_keeps_what_varies_together_and_drops_the_rest():
    rng = np.random.default_rng(0)
    mix = rng.uniform(-0.2, 0.2, (500, 1))
    clean = np.array([10.0, 10, 10, 10]) + mix * np.array([5.0, 1, -1, -5])
    flux = clean + rng.normal(0, 0.1, clean.shape)
    exact = clean / np.linalg.norm(clean, axis=1, keepdims=True)
    scatter = {norm: np.std(normalize(flux, np.ones_like(flux), norm)[0] - exact) for norm in ("L2", "pca")}
    # Unit length leaves three axes for the noise, and one of these is kept: a third of the variance. The tolerance is
    # for the sphere's curvature.
    assert scatter["pca"] / scatter["L2"] == pytest.approx(np.sqrt(1 / 3), abs=0.1)


@pytest.mark.parametrize("norm", NORMS)
def test_errors_match_the_scatter_of_redrawn_noise(norm):
    """Two routes: one pixel whose noise is drawn many times scatters as its error says."""
    rng = np.random.default_rng(7)
    mix = rng.uniform(0, 1, (200, 1))
    flux = mix * np.array([1.0, 2, 3, 4]) + (1 - mix) * np.array([4.0, 3, 1, 1])
    error = np.tile([0.02, 0.05, 0.01, 0.06], (200, 1))
    drawn = []
    for _ in range(3000):
        redrawn = flux.copy()
        redrawn[0] += rng.normal(0, error[0])
        drawn.append(normalize(redrawn, error, norm)[0][0])
    told = normalize(flux, error, norm)[1][0]
    # 3000 draws give a scatter to 1.3%: three times that, and that one pixel in 200 moves the median and the axes.
    np.testing.assert_allclose(np.std(drawn, axis=0), told, rtol=0.06, atol=0.02 * told.max())


def test_ratios_are_logarithms_of_ratios_far_above_the_noise_and_finite_below_zero():
    flux, error = np.array([[100.0, 200, 400], [1, 2, 4], [-3, 0, 3]]), np.full((3, 3), 1e-3)
    ratios, _ = normalize(flux, error, "ratios")
    np.testing.assert_allclose(np.diff(ratios[:2]), np.log(2), rtol=1e-5)
    assert np.isfinite(ratios).all()
    assert (np.diff(ratios[2]) > 0).all()  # order is kept across zero


def test_contrast_worked_out_by_hand():
    # The mean SED is (4, 4). (4, 4) has no contrast; (6, 2) is it once, with (2, -2) left over.
    flux, error = np.array([[2.0, 6], [4, 4], [6, 2]]), np.full((3, 2), 2.0)
    np.testing.assert_allclose(normalize(flux, error, "contrast")[0], [[-1, 1], [0, 0], [1, -1]], atol=1e-14)
    # Four times as bright: the residual in units of noise is 4 times as large, and divided by the brightness' power.
    bright = normalize(np.array([[2.0, 6], [4, 4], [24, 8], [-14, -2]]), np.full((4, 2), 2.0), "contrast")[0]
    np.testing.assert_allclose(bright[2], [4 / 4**BRIGHTNESS_POWER, -4 / 4**BRIGHTNESS_POWER])


def test_errors_name_what_is_wrong():
    good = np.ones((2, 2))
    with pytest.raises(ValueError, match="unknown norm 'L1': choose from none, L2, sed, pca, ratios, contrast"):
        normalize(good, good, "L1")
    with pytest.raises(ValueError, match="1 of 2 SEDs have missing values or errors"):
        normalize(np.array([[1, np.nan], [1, 1]]), good, "L2")
    with pytest.raises(ValueError, match="2 of 2 SEDs have missing values or errors"):
        normalize(good, 0 * good, "L2")
    with pytest.raises(ValueError, match="1 of 2 SEDs are zero in every band"):
        normalize(np.array([[0.0, 0], [1, 1]]), good, "L2")
    with pytest.raises(ValueError, match="median SED is zero in every band"):
        normalize(0 * good, good, "sed")
    with pytest.raises(ValueError, match="mean SED is zero in every band"):
        normalize(0 * good, good, "contrast")
