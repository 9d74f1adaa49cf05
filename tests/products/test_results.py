import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from conftest import BANDS
from planted_results import result_of

from helper_functions.composite_seds import composite_seds
from helper_functions.products.labels import consensus_hdus, label_hdus, read_labels
from helper_functions.products.results import quality_labels, run_panel
from helper_functions.quality.compare_runs import Agreement
from helper_functions.quality.metrics import QUALITY
from main_clustering import settings_block


def test_images_hold_the_values_of_the_pixels_where_they_are(two_shapes):
    result = result_of(two_shapes, "gaussian_mixture", "euclidean")
    assert (result.labels[:10].ravel() == two_shapes.truth).all()
    assert (result.labels[10:] == 0).all()
    assert (result.confidence[:10].ravel() == result.clustering.confidence.astype(np.float32)).all()
    assert np.isnan(result.confidence[10:]).all()
    assert result.title == "id 7, z = 1.000: gaussian_mixture, norm L2 (2 clusters)"
    assert result.band_weights is None


def test_weights_of_features_are_of_the_features_asked_for(two_shapes):
    result = result_of(two_shapes, "kmeans", "features")
    # [OII] at z = 1 is at 0.745 micron: beyond F606W and before F115W.
    assert [band for band, weight in zip(BANDS, result.band_weights.weights, strict=True) if weight] == ["f814w"]
    assert result.confidence is None


def test_the_label_file_gives_back_what_was_found(two_shapes, tmp_path):
    result = result_of(two_shapes, "gaussian_mixture", "euclidean")._replace(regions=np.array([3, 1]))
    path = tmp_path / "labels.fits"
    label_hdus(result, settings_block().pixels, 0, "abc", ["a long note ± " + 9 * "and so on "]).writeto(path)
    assert fits.getheader(path)["NOTE1"].startswith("a long note ? and so on")
    labels, regions, *_ = read_labels(path)
    assert (labels == result.labels).all()
    assert regions.tolist() == [3, 1]
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus] == [
            "PRIMARY",
            "SIMILARITY",
            "REGIONS",
            "CONFIDENCE",
            "PROBABILITY",
            "AMPLITUDE",
        ]
        assert hdus["PROBABILITY"].data.shape == (2, 12, 10)
        assert hdus["REGIONS"].data.tolist() == [[1, 3, 60], [2, 1, 40]]  # 60 are red, 40 blue
        assert (hdus[0].header["CONFIG"], hdus[0].header["NCLUST"]) == ("abc", 2)
    composites = composite_seds(two_shapes.seds, labels[two_shapes.seds.rows, two_shapes.seds.cols])
    panel = run_panel(result.run, result.quality, labels, regions, composites)
    np.testing.assert_array_equal(panel.composites, result.composites.flux)
    np.testing.assert_array_equal(panel.errors, result.composites.error)


def test_a_run_without_clusters_has_a_label_file_too(two_shapes, tmp_path):
    result = result_of(two_shapes, "kmeans", "euclidean")
    clustering = result.clustering._replace(labels=np.full(100, -1), n_clusters=0)
    result = result._replace(clustering=clustering, labels=np.where(result.labels > 0, -1, 0), regions=np.zeros(0, int))
    path = tmp_path / "labels.fits"
    label_hdus(result, settings_block().pixels, 0, "abc").writeto(path)
    labels, regions, *_ = read_labels(path)
    assert (set(labels.ravel()), regions.shape) == ({0, -1}, (0,))


def test_the_consensus_file_says_what_it_holds_and_where(two_shapes):
    cutout = result_of(two_shapes, "kmeans", "euclidean").cutout
    found = Agreement(("one", "other"), np.eye(2), np.array([[0, -1, 2]]), np.array([[np.nan, 0.5, 1]]))
    region, share = consensus_hdus(cutout, found)
    assert (region.data.tolist(), region.data.dtype) == ([[0, -1, 2]], np.int8)
    np.testing.assert_array_equal(share.data, np.array([[np.nan, 0.5, 1]], dtype=np.float32))
    assert [region.header[name] for name in ("IDDR3", "NRUNS", "RUN1", "RUN2")] == [7, 2, "one", "other"]
    assert "0: the pixel is not selected" in str(region.header["COMMENT"])
    for hdu in (region, share):
        np.testing.assert_allclose(WCS(hdu.header).wcs.crval, cutout.wcs.wcs.crval)


def test_words_of_quality_have_a_dash_where_nothing_is_known():
    figures = {name: 0.5 for name in QUALITY} | {"stability": np.nan, "fragmentation": -0.001}
    words = quality_labels(figures)
    assert words == ("χ² 0.5", "held-out bands 0.50σ", "fragments 0.00", "stable –", "brightness 50%")


def test_clusters_of_less_than_a_psf_are_small(two_shapes):
    result = result_of(two_shapes, "kmeans", "euclidean")  # of 60 and 40 pixels; the PSF covers 9.6 of 40 mas
    assert result.small.tolist() == [False, False]
    assert result._replace(seds=result.seds._replace(pixel=0.018)).small.tolist() == [False, True]  # 47 pixels
