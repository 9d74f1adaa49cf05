import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.composite_seds import composite_seds
from helper_functions.quality.metrics import (
    QUALITY,
    ClusteringSample,
    band_errors,
    quality_metrics,
    reclustering_stability,
)


def square(side=20, seed=0, noise=0.05, **others):
    """Left half of one SED, right half of another, brightness growing downwards; noise as the errors say."""
    rng = np.random.default_rng(seed)
    rows, cols = np.divmod(np.arange(side**2), side)
    labels = np.where(cols < side // 2, 1, 2)
    shapes = np.array([[1.0, 2, 3, 4, 5, 6], [6.0, 5, 4, 3, 2, 1]])
    error = np.full((side**2, 6), noise)
    flux = np.geomspace(1, 5, side)[rows, None] * shapes[labels - 1] + rng.normal(0, error)
    return pixel_seds(flux, error, rows=rows, cols=cols), labels


def figure(name, seds, labels, recluster=None, **others):
    """One figure of these labels; clustering again gives the same unless said otherwise."""
    recluster = recluster or (lambda drawn: labels)
    return QUALITY[name].measure(ClusteringSample(seds, labels, composite_seds(seds, labels), recluster, **others))


def test_reduced_chi2_is_one_where_noise_is_all():
    seds, labels = square()
    assert figure("reduced_chi2", seds, labels) == pytest.approx(1, abs=0.1)  # 2,000 degrees of freedom: 3%
    assert figure("reduced_chi2", seds._replace(error=seds.error / 2), labels) == pytest.approx(4, abs=0.4)
    # The control: one composite for two shapes.
    assert figure("reduced_chi2", seds, np.ones_like(labels)) > 100
    assert np.isnan(figure("reduced_chi2", seds.only(slice(1), slice(1)), np.array([1])))


def test_reduced_chi2_leaves_out_unassigned_pixels():
    seds, labels = square()
    wild = seds._replace(flux=seds.flux + np.where(labels == 2, 30, 0)[:, None] * np.arange(6))
    assert figure("reduced_chi2", wild, np.where(labels == 2, -1, 1)) == pytest.approx(1, abs=0.15)


def test_band_errors_by_hand():
    """From bands 2 and 3 the amplitude is 2: band 1 is predicted as 2, and is 5 errors away."""
    templates, error = np.array([[1.0, 2, 3], [np.nan, 1, 1]]), np.full((1, 3), 0.2)
    errors = band_errors(pixel_seds([[3.0, 4, 6]], error), templates)
    assert errors[0, 0] == pytest.approx((3 - 2) / 0.2)
    missing = band_errors(pixel_seds([[np.nan, 4, 6]], error), templates[:1])
    assert np.isnan(missing[0, 0])
    assert missing[0, 1] == pytest.approx(0)
    assert np.isnan(band_errors(pixel_seds([[3.0]], [[1.0]]), np.array([[1.0]]))).all()


def test_held_out_error_is_one_for_the_truth_and_more_for_less():
    seds, labels = square()
    # 68% of Gaussian errors are below 1; amplitudes and composites are noisy too, which is a tenth in six bands.
    assert figure("held_out_error", seds, labels) == pytest.approx(1.1, abs=0.12)
    assert figure("held_out_error", seds, np.ones_like(labels)) > 5


def test_halves_of_the_held_out_error_are_farther_apart_than_noise_is_correlated():
    """Noise that is the same in squares of 4 pixels, about as far as it reaches in matched images.

    Every square is a cluster of its own, whose composite is its noise. If some of its pixels were in the other half,
    they would be predicted by their own noise, with no error at all.
    """
    rows, cols = np.divmod(np.arange(32**2), 32)
    shared = np.random.default_rng(0).normal(0, 0.5, (8, 8, 6))[rows // 4, cols // 4]
    seds = pixel_seds(10 + shared, np.full(shared.shape, 0.5), rows=rows, cols=cols)
    labels = 1 + rows // 4 * 8 + cols // 4
    assert figure("held_out_error", seds, labels) > 0.5


def test_fragmentation():
    seds, labels = square()
    # 20 of 760 pairs of neighbours differ, where half would.
    assert figure("fragmentation", seds, labels) == pytest.approx(20 / 760 / 0.5)
    shuffled = np.random.default_rng(0).permutation(labels)
    assert figure("fragmentation", seds, shuffled) == pytest.approx(1, abs=0.1)  # 760 pairs: 4%
    assert np.isnan(figure("fragmentation", seds, np.ones_like(labels)))


def test_brightness_share():
    seds, labels = square(noise=0.001)
    assert figure("brightness_share", seds, labels) < 0.05
    assert figure("brightness_share", seds, 1 + seds.rows) > 0.95  # labels that are nothing but brightness
    assert figure("brightness_share", seds, np.ones_like(labels)) == pytest.approx(0, abs=1e-12)


def test_stability():
    seds, labels = square()
    assert figure("stability", seds, labels) == 1
    rng = np.random.default_rng(0)
    assert abs(figure("stability", seds, labels, lambda drawn: rng.permutation(labels))) < 0.05


def test_stability_redraws_noise_as_the_errors_say_on_top_of_the_data():
    seds, labels = square()
    drawn = []
    reclustering_stability(seds, {2: labels}, lambda other: drawn.append(other) or {2: labels}, seed=3)
    pulls = [(other.flux - seds.flux) / seds.error for other in drawn]
    assert np.std(pulls) == pytest.approx(1, abs=0.03)  # 4,800 values: 1%
    assert (pulls[0] != pulls[1]).all()
    assert (drawn[0].error == seds.error).all()


def test_stability_of_a_number_that_is_not_found_again_is_unknown():
    seds, labels = square()
    found = reclustering_stability(seds, {2: labels, 3: labels}, lambda other: {2: labels}, seed=0)
    assert found[2].tolist() == [1, 1]
    assert np.isnan(found[3]).all()


def test_confidence_median_is_nan_where_none_is_known():
    seds, labels = square()
    assert np.isnan(figure("confidence_median", seds, labels))
    confidence = np.where(labels == 1, 0.5, 0.75)
    confidence[0] = np.nan  # an incomplete pixel
    assert figure("confidence_median", seds, labels, confidence=confidence) == 0.75


def test_all_figures_with_missing_data():
    seds, labels = square()
    flux, error = seds.flux.copy(), seds.error.copy()
    flux[5, 2] = error[5, 2] = np.nan
    seds = seds._replace(flux=flux, error=error)
    confidence = np.ones(len(labels))
    found = quality_metrics(
        ClusteringSample(seds, labels, composite_seds(seds, labels), lambda drawn: labels, confidence)
    )
    assert set(found) == set(QUALITY)
    assert np.isfinite(list(found.values())).all()
    assert found["stability"] == 1
