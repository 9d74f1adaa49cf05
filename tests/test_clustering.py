import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, ward
from scipy.spatial.distance import squareform
from sklearn.cluster import DBSCAN
from sklearn.metrics import adjusted_rand_score

from distances import METRICS, Pixels
from helper_functions import clustering
from helper_functions.clustering import (
    METHODS,
    UNASSIGNED,
    NoMeaning,
    TooFewPixels,
    by_falling_size,
    check_run,
    cluster_pixels,
    numbered,
    principal_axes,
)
from helper_functions.methods.agglomerative import weighted_ward
from helper_functions.methods.dbscan import DENSITY_NEIGHBOURS, join_pieces, knee
from helper_functions.normalize import NORMS
from helper_functions.pixel_distances import PixelDistances


def metrics_of(method):
    return METRICS if METHODS[method].other_metrics else [METHODS[method].metric]


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
    assert numbered(values, by_falling_size(values)).tolist() == [3, 2, 2, UNASSIGNED, 1, 1, 1]
    assert by_falling_size(np.array([-1, -1])).tolist() == []


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
        "bands": (
            seds._replace(
                flux=seds.flux[:, bands],
                error=seds.error[:, bands],
                wavelengths=seds.wavelengths[bands],
                bands=tuple(np.array(seds.bands)[bands]),
            ),
            labels,
        ),
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
    assert result.number_by == METHODS[method].number_by


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
    one = seds._replace(
        flux=seds.flux[:, :1], error=seds.error[:, :1], bands=seds.bands[:1], wavelengths=seds.wavelengths[:1]
    )
    shapeless = cluster_pixels(one, method=method, norm="L2", n_clusters=2)
    assert 1 <= shapeless.n_clusters <= 2
    if method != "spectral_cross_cor":  # which ignores brightness
        assert cluster_pixels(one, method=method, norm="none", n_clusters=2).n_clusters >= 1
    with pytest.raises(ValueError, match="100 of 100 SEDs have errors of 0 after the norm"):
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
        NoMeaning, match=r"spectral_cross_cor has a meaning with metric crosscor only.*use method spectral"
    ):
        check_run("spectral_cross_cor", "L2", "weightednorm")
    assert check_run("spectral_cross_cor", "L2", None) == ("L2", "crosscor")
    assert check_run("kmeans", None, None) == ("L2", "euclidean")
    assert check_run("blended_mixture", "sed", None) == ("none", "noise")  # it takes brightness out by itself


def test_unknown_names_list_what_exists():
    with pytest.raises(ValueError, match="unknown method 'k-means': choose from blended_mixture, kmeans"):
        check_run("k-means", "L2", None)
    with pytest.raises(ValueError, match="unknown norm 'l2': choose from none, L2"):
        check_run("kmeans", "l2", None)
    with pytest.raises(ValueError, match="unknown metric 'cosine': choose from euclidean"):
        check_run("kmeans", "L2", "cosine")


def test_knee_of_a_bent_curve():
    assert knee(np.array([0.0, 1, 2, 3, 13, 23])) == 3
    assert knee(np.array([2.0, 2, 2])) == 2


def test_principal_axes_keep_distances_and_drop_empty_axes():
    points = np.random.default_rng(0).normal(size=(20, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
    rotated = principal_axes(points, most=8)
    assert rotated.shape == (20, 3)
    difference = np.linalg.norm(points[0] - points, axis=1) - np.linalg.norm(rotated[0] - rotated, axis=1)
    np.testing.assert_allclose(difference, 0, atol=1e-12)
    assert (principal_axes(points, most=2) == rotated[:, :2]).all()


# ---- many pixels ------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud():
    """2,500 pixels of three shapes, 20 degrees apart with a scatter of 4: enough to search neighbours and not all."""
    rng = np.random.default_rng(8)
    truth = rng.integers(0, 3, 2500)
    shapes = np.eye(6)[:3] * 0.35 + 1 / np.sqrt(6)
    seds = shapes[truth] + rng.normal(0, 0.03, (2500, 6))
    places = np.column_stack(np.divmod(np.arange(2500), 50))
    return Pixels(seds, np.full(seds.shape, 0.03), np.arange(1.0, 7) * 1e4, places=places), truth


def labels_of(found):
    """Labels of a method that gives these only, or more."""
    return getattr(found, "labels", found)


@pytest.mark.parametrize("method", METHODS)
def test_beyond_the_memory_limit_the_labels_hardly_change(method, cloud):
    pixels, truth = cloud
    metric = METHODS[method].metric
    exact, large = (
        labels_of(METHODS[method].label(PixelDistances(pixels, metric, memory_limit=limit), 3, 0))
        for limit in (1e12, 1e6)
    )
    # Shapes this far apart are found by every route; a pixel between two of them may fall either way.
    assert adjusted_rand_score(exact, large) > 0.95
    if method != "dbscan":
        assert adjusted_rand_score(truth, large) > 0.95


def test_methods_say_what_they_do_beyond_the_memory_limit(two_shapes):
    small = found(two_shapes, method="agglomerative", norm="L2")
    large = cluster_pixels(two_shapes.seds, method="spectral_cross_cor", norm="L2", n_clusters=2, memory_limit=10)
    assert small.when_large == ""
    assert large.when_large == "similarities between 20 nearest neighbours"
    assert (large.labels == two_shapes.truth).all()


@pytest.mark.parametrize("metric", ["euclidean", "crosscor", "weightednorm"])
def test_agglomerative_equals_ward_on_the_precomputed_matrix(metric, cloud):
    """Two routes: points of the embedding, and scipy's Ward on the matrix of distances."""
    pixels, _ = cloud
    distances = PixelDistances(pixels, metric).subset(np.arange(400))
    by_matrix = fcluster(ward(squareform(distances.matrix(), checks=False)), 5, criterion="maxclust")
    assert adjusted_rand_score(by_matrix, METHODS["agglomerative"].label(distances, 5, 0)) == 1


def test_weighted_ward_equals_ward_of_the_points_it_stands_for():
    rng = np.random.default_rng(0)
    centres, weights = rng.normal(size=(40, 3)), rng.integers(1, 6, 40)
    repeated = np.repeat(np.arange(40), weights)
    plain = fcluster(ward(centres[repeated]), 6, criterion="maxclust")
    assert adjusted_rand_score(plain, weighted_ward(centres, weights, 6)[repeated]) == 1


def test_dbscan_equals_that_of_scikit_learn(cloud):
    """Two routes: pieces joined block by block, and scikit-learn's DBSCAN with the same eps on the full matrix."""
    pixels, _ = cloud
    distances = PixelDistances(pixels, "euclidean")
    ours = METHODS["dbscan"].label(distances, None, 0)
    near, _ = distances.neighbours(DENSITY_NEIGHBOURS)
    curve = np.sort(near[:, -1])
    eps = curve[knee(curve)]
    theirs = DBSCAN(eps=eps, min_samples=DENSITY_NEIGHBOURS, metric="precomputed").fit_predict(distances.matrix())
    dense = near[:, -1] <= eps
    assert adjusted_rand_score(theirs[dense], ours[dense]) == 1
    # A pixel at the rim has one of 30 neighbours that is dense, if any is within reach.
    assert ((ours < 0) == (theirs < 0)).mean() > 0.999


def test_dbscan_joins_pieces_that_only_far_neighbours_tie():
    """Two knots of 40 pixels within eps of each other: 30 nearest neighbours stay inside a knot, the join sees both."""
    rng = np.random.default_rng(0)
    knots = np.concatenate([rng.normal(0, 0.001, (40, 2)), rng.normal([0.1, 0], 0.001, (40, 2))]) + 5
    distances = PixelDistances(Pixels(knots, np.ones_like(knots), np.array([1.0, 2.0])), "euclidean")
    dense, piece = np.ones(80, dtype=bool), np.repeat([0, 1], 40)
    assert len(set(join_pieces(distances, piece, dense, 0.2))) == 1
    assert len(set(join_pieces(distances, piece, dense, 0.05))) == 2


def test_mixture_of_many_pixels_is_fitted_to_some_of_them(cloud, monkeypatch):
    pixels, truth = cloud
    monkeypatch.setattr(clustering, "MIXTURE_PIXELS", 300)
    labels = METHODS["gaussian_mixture"].label(PixelDistances(pixels, "euclidean"), 3, 0).labels
    assert len(labels) == 2500
    assert adjusted_rand_score(truth, labels) > 0.95
