import numpy as np
import pytest
from conftest import pixel_seds
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from helper_functions.methods import gaussian_mixture as room
from helper_functions.methods.gaussian_mixture import gaussian_mixture, principal_axes
from helper_functions.methods.method import TooFewPixels
from helper_functions.pixel_distances import PixelDistances


def test_principal_axes_keep_distances_and_drop_empty_axes():
    points = np.random.default_rng(0).normal(size=(20, 3)) @ np.random.default_rng(1).normal(size=(3, 8))
    rotated = principal_axes(points, most=8)
    assert rotated.shape == (20, 3)
    difference = np.linalg.norm(points[0] - points, axis=1) - np.linalg.norm(rotated[0] - rotated, axis=1)
    np.testing.assert_allclose(difference, 0, atol=1e-12)
    assert (principal_axes(points, most=2) == rotated[:, :2]).all()


def test_mixture_of_many_pixels_is_fitted_to_some_of_them(cloud, monkeypatch):
    monkeypatch.setattr(room, "FIT_PIXELS", 300)
    fitted = []
    fit = GaussianMixture.fit
    monkeypatch.setattr(GaussianMixture, "fit", lambda self, points: fitted.append(len(points)) or fit(self, points))
    labels = gaussian_mixture(PixelDistances(cloud.seds, "euclidean"), 3, 0).labels
    assert set(fitted) == {300}
    assert len(labels) == 2500
    assert adjusted_rand_score(cloud.truth, labels) > 0.95


@pytest.mark.parametrize(
    ("name", "spreads"),
    [("full", [(3.0, 0.3, 10), (3.0, 0.3, 75)]), ("spherical", [(0.3, 0.3, 0), (3.0, 3.0, 0)])],
)
def test_the_covariance_type_is_the_one_that_the_clouds_have(name, spreads, monkeypatch):
    """Crossed ellipses need full covariances; two round clouds of different size are described by fewer parameters."""
    rng = np.random.default_rng(1)
    clouds = []
    for centre, (long, short, angle) in zip(([0.0, 0], [9, 9]), spreads, strict=True):
        turn = np.radians(angle)
        turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        clouds.append(rng.normal(0, [long, short], (400, 2)) @ turned.T + centre)
    points = np.concatenate(clouds)
    chosen = []
    predict = GaussianMixture.predict
    monkeypatch.setattr(
        GaussianMixture, "predict", lambda self, x: chosen.append(self.covariance_type) or predict(self, x)
    )
    found = gaussian_mixture(PixelDistances(pixel_seds(points, np.ones_like(points)), "euclidean"), 2, 0)
    assert chosen == [name]
    # The clouds overlap where their tails meet: a pixel in a hundred may fall either way.
    assert adjusted_rand_score(np.repeat([0, 1], 400), found.labels) > 0.95
    np.testing.assert_allclose(found.probability.sum(axis=1), 1)


def test_more_gaussians_than_pixels_say_so(cloud):
    with pytest.raises(TooFewPixels, match="no mixture of 5 Gaussians can be fitted to 4 pixels"):
        gaussian_mixture(PixelDistances(cloud.seds.only(slice(4)), "euclidean"), 5, 0)
