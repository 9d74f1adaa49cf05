import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from distances import METRICS
from helper_functions.clustering import (
    UNASSIGNED,
    IncompatibleMetric,
    check_run,
    cluster_pixels,
    label_incomplete,
    labels_by_size,
    relabel,
)
from helper_functions.methods import METHODS
from helper_functions.methods.method import TooFewPixels
from helper_functions.normalize import NORMS


def metrics_of(method):
    return METRICS if METHODS[method].takes_any_metric else [METHODS[method].metric]


RUNS = [(method, norm, metric) for method in METHODS for norm in NORMS for metric in metrics_of(method)]


def found(two_shapes, **options):
    return cluster_pixels(two_shapes.seds, **{"n_clusters": 2, **options})


@pytest.mark.parametrize(("method", "norm", "metric"), RUNS)
def test_every_method_runs_with_every_norm_and_metric(method, norm, metric, two_shapes):
    result = found(two_shapes, method=method, norm=norm, metric=metric)
    assert result.labels.shape == (100,)
    assert set(result.labels) <= {UNASSIGNED, *range(1, result.n_clusters + 1)}


@pytest.mark.parametrize(("method", "norm", "metric"), [run for run in RUNS if run[1] in ("L2", "pca")])
def test_every_method_recovers_two_planted_shapes(method, norm, metric, two_shapes):
    """The shapes are 42 degrees apart, the noise moves a pixel by 3 at most: nothing but 1 is right."""
    result = found(two_shapes, method=method, norm=norm, metric=metric)
    clustered = result.labels > 0
    assert clustered.mean() > 0.9  # dbscan may leave out the faintest pixels, and no method more than these
    assert adjusted_rand_score(two_shapes.truth[clustered], result.labels[clustered]) == 1


def test_without_a_norm_brightness_is_what_is_found(two_shapes):
    """The control: Euclidean distances between raw SEDs follow brightness, not shape."""
    brightness = 30 ** np.random.default_rng(2).uniform(0, 1, (100, 1))
    seds = two_shapes.seds._replace(flux=brightness * two_shapes.seds.flux, error=brightness * two_shapes.seds.error)
    labels = cluster_pixels(seds, method="kmeans", norm="none", n_clusters=2).labels
    assert adjusted_rand_score(two_shapes.truth, labels) < 0.3


def test_labels_count_from_1_by_falling_size(two_shapes):
    labels = found(two_shapes, method="kmeans", norm="L2").labels
    assert (labels == two_shapes.truth).all()  # 60 pixels of the first shape, 40 of the second
    values = np.array([7, 3, 3, -5, 9, 9, 9])
    assert relabel(values, labels_by_size(values)).tolist() == [3, 2, 2, UNASSIGNED, 1, 1, 1]
    assert labels_by_size(np.array([-1, -1])).tolist() == []


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_depends_on_flux_units_band_order_or_pixel_order(method, norm, two_shapes):
    seds = two_shapes.seds
    labels = found(two_shapes, method=method, norm=norm, n_clusters=3).labels
    pixels = np.random.default_rng(0).permutation(len(seds.flux))
    bands = np.random.default_rng(1).permutation(len(seds.bands))
    variants = {
        "units": (seds._replace(flux=1000 * seds.flux, error=1000 * seds.error), labels),
        "pixels": (seds.only(pixels), labels[pixels]),
        "bands": (seds.only(bands=bands), labels),
    }
    for name, (variant, expected) in variants.items():
        again = cluster_pixels(variant, method=method, norm=norm, n_clusters=3).labels
        assert (again == expected).all(), name


@pytest.mark.parametrize("method", METHODS)
def test_same_input_same_labels_and_input_unchanged(method, two_shapes):
    before = two_shapes.seds.flux.copy()
    first, second = (found(two_shapes, method=method, norm="L2", n_clusters=4, seed=3).labels for _ in range(2))
    assert (first == second).all()
    assert (two_shapes.seds.flux == before).all()


@pytest.mark.parametrize("method", METHODS)
def test_auto_finds_two_of_two(method, two_shapes):
    result = found(two_shapes, method=method, norm="L2", n_clusters="auto")
    assert result.n_clusters == 2
    assert result.k_choice == METHODS[method].criterion


@pytest.mark.parametrize("method", METHODS)
def test_auto_finds_one_where_there_is_one(method, two_shapes):
    """Where labels are all that is known, the gap statistic has few references: 2 is within its error."""
    seds = two_shapes.seds.only(two_shapes.truth == 1)
    assert cluster_pixels(seds, method=method).n_clusters <= (1 if method == "blended_mixture" else 2)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_pixels", [1, 2, 3, 5])
@pytest.mark.parametrize("n_clusters", [1, 2, "auto"])
def test_few_pixels(method, n_pixels, n_clusters, two_shapes):
    seds = two_shapes.seds.only(slice(n_pixels))
    options = {"method": method, "norm": "L2", "n_clusters": n_clusters}
    if n_clusters == 2 and n_pixels == 1 and method != "dbscan":
        with pytest.raises(TooFewPixels, match="1 pixels are fewer than the 2 clusters asked for"):
            cluster_pixels(seds, **options)
        return
    result = cluster_pixels(seds, **options)
    assert len(result.labels) == n_pixels
    assert result.n_clusters <= n_pixels


@pytest.mark.parametrize("method", METHODS)
def test_identical_pixels_are_one_cluster_or_at_most_what_was_asked(method, two_shapes):
    """Thirty times the same pixel: no method may crash, none may find more than was asked for."""
    seds = two_shapes.seds.only(np.zeros(30, dtype=int))
    result = cluster_pixels(seds, method=method, norm="L2", n_clusters=2)
    assert 1 <= result.n_clusters <= 2


@pytest.mark.parametrize("method", METHODS)
def test_one_band_has_brightness_and_no_shape(method, two_shapes):
    seds = two_shapes.seds
    one = seds.only(bands=slice(1))
    shapeless = cluster_pixels(one, method=method, norm="L2", n_clusters=2)
    assert 1 <= shapeless.n_clusters <= 2
    if method != "spectral_cross_cor":  # which ignores brightness
        assert cluster_pixels(one, method=method, norm="none", n_clusters=2).n_clusters >= 1
    with pytest.raises(ValueError, match="100 of 100 SEDs have errors of 0 after normalisation"):
        cluster_pixels(one, method="kmeans", norm="L2", metric="noise", n_clusters=2)


def test_dbscan_of_scattered_pixels_is_a_result(two_shapes):
    rng = np.random.default_rng(0)
    flux = rng.normal(size=(12, 6)) * 10.0 ** np.arange(12)[:, None]
    seds = two_shapes.seds.only(slice(12))._replace(flux=flux, error=np.ones_like(flux))
    result = cluster_pixels(seds, method="dbscan", norm="none")
    assert result.n_clusters in (0, 1)
    assert ((result.labels == UNASSIGNED) | (result.labels == 1)).all()


def test_missing_data_leaves_a_band_or_a_pixel_out_and_labels_every_pixel(two_shapes):
    flux, error = two_shapes.seds.flux.copy(), two_shapes.seds.error.copy()
    for gap in (np.s_[:40, 0], np.s_[50:55, 3]):  # a band that misses 40 of 100 pixels; five bad pixels in another
        flux[gap] = error[gap] = np.nan
    result = cluster_pixels(two_shapes.seds._replace(flux=flux, error=error), method="kmeans", norm="L2", n_clusters=2)
    assert result.bands_used.tolist() == [False, True, True, True, True, True]
    assert result.n_incomplete == 5
    assert (result.labels == two_shapes.truth).all()


def test_a_pair_without_meaning_is_refused():
    with pytest.raises(
        IncompatibleMetric, match=r"spectral_cross_cor works with metric crosscor only.*use method spectral"
    ):
        check_run("spectral_cross_cor", "L2", "weightednorm")
    assert check_run("spectral_cross_cor", "L2", None) == ("L2", "crosscor")
    assert check_run("kmeans", None, None) == ("contrast", "euclidean")
    assert check_run("blended_mixture", "sed", None) == ("none", "noise")  # it takes brightness out by itself


def test_unknown_names_list_what_exists():
    with pytest.raises(ValueError, match="unknown method 'k-means': choose from agglomerative, blended_mixture"):
        check_run("k-means", "L2", None)
    with pytest.raises(ValueError, match="unknown norm 'l2': choose from none, L2"):
        check_run("kmeans", "l2", None)
    with pytest.raises(ValueError, match="unknown metric 'cosine': choose from euclidean"):
        check_run("kmeans", "L2", "cosine")


def test_methods_say_what_they_do_beyond_the_memory_limit(two_shapes):
    small = found(two_shapes, method="agglomerative", norm="L2")
    large = cluster_pixels(two_shapes.seds, method="spectral_cross_cor", norm="L2", n_clusters=2, memory_limit=10)
    assert small.when_large == ""
    assert large.when_large == "similarities between 20 nearest neighbours"
    assert (large.labels == two_shapes.truth).all()


def test_incomplete_pixels_without_any_cluster_or_common_band_are_in_none(two_shapes):
    flux, error = two_shapes.seds.flux.copy(), two_shapes.seds.error.copy()
    flux[:5, 3] = error[:5, 3] = np.nan
    labels = np.repeat([0, -1], [40, 55])
    complete = np.isfinite(flux).all(axis=1)
    seds = two_shapes.seds._replace(flux=flux, error=error)
    assert (label_incomplete(seds, complete, np.full(95, -1)) == UNASSIGNED).all()
    assert label_incomplete(seds, complete, labels).tolist() == [0] * 45 + [-1] * 55  # the only composite there is
