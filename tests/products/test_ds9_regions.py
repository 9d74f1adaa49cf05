import numpy as np
import pytest
from astropy.wcs import WCS
from regions import PixCoord, PolygonPixelRegion, Regions

from helper_functions.products.ds9_regions import cluster_regions, ds9_text

COLOUR_SHIFTS = [(1.0, 0.0, 0.0, 1.0), "#3f90da", "C1"]
PLANTED = """
0000000000000
0111110000330
0100010000330
0102010000000
0100010030000
0111110303000
0000001100000
00000011-0200
"""  # 1: a ring and a block that touch at a corner pixel; 2: in the hole, and apart; 3: diagonals, and apart


@pytest.fixture
def labels():
    signs = {"-": -1}
    return np.array([[signs.get(sign) or int(sign) for sign in line] for line in PLANTED.split()])


def tan_wcs(ctype=("RA---TAN", "DEC--TAN"), crval=(3.6, -30.4)):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ctype, crval, (5.0, 4.0)
    angle = np.radians(33)
    wcs.wcs.cd = 0.04 / 3600 * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.set()
    return wcs


def distorted_wcs():
    """Pixels moved by up to half a pixel in this small image, far more than by any telescope."""
    header = tan_wcs(("RA---TAN-SIP", "DEC--TAN-SIP")).to_header(relax=True)
    header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP"})
    header.update({"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 5e-3, "B_1_1": -5e-3})
    return WCS(header)


WCSS = {
    "plane": tan_wcs(),
    "distorted": distorted_wcs(),
    "galactic": tan_wcs(("GLON-TAN", "GLAT-TAN"), (120.0, -30.0)),
    "across 0 h": tan_wcs(crval=(0.0, 60.0)),
}


def label_of(polygon):
    assert polygon.meta["tag"] == [f"cluster {polygon.meta['text']}"]
    return int(polygon.meta["text"])


def inside(polygons, wcs, shape):
    """Pixels whose centres the polygons hold: in their order, each adds those inside, or if excluded takes them out."""
    y, x = np.indices(shape)
    found = np.zeros(shape, dtype=bool)
    for polygon in polygons:
        within = PolygonPixelRegion(polygon.to_pixel(wcs).vertices).contains(PixCoord(x, y))
        found = found | within if polygon.meta["include"] else found & ~within
    return found


def area(polygon, wcs):
    x, y = polygon.vertices.to_pixel(wcs)
    return abs(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) / 2


@pytest.mark.parametrize("wcs", WCSS.values(), ids=WCSS)
def test_regions_read_back_hold_just_the_pixels_of_each_cluster(labels, wcs):
    found = Regions.parse(ds9_text(labels, wcs, COLOUR_SHIFTS, "galaxy 7"), format="ds9")
    for label in (1, 2, 3):
        own = [polygon for polygon in found if label_of(polygon) == label]
        np.testing.assert_array_equal(inside(own, wcs, labels.shape), labels == label)
        n_pixels = sum(area(polygon, wcs) * (1 if polygon.meta["include"] else -1) for polygon in own)
        assert n_pixels == pytest.approx((labels == label).sum(), abs=0.01)  # vertices are rounded to 0.001 pixels
    for polygon in found:  # corners of pixels lie at halves
        corners = np.array(polygon.vertices.to_pixel(wcs)) + 0.5
        np.testing.assert_allclose(corners, np.rint(corners), atol=2e-3)


def test_each_connected_piece_is_a_polygon_and_holes_are_excluded(labels):
    found = cluster_regions(labels, WCSS["plane"], COLOUR_SHIFTS)
    kinds = [(label_of(polygon), polygon.meta.get("include", 1)) for polygon in found]
    assert kinds.count((1, 1)) == 2  # the ring touches the block at a corner only
    assert kinds.count((1, 0)) == 1
    assert kinds.count((2, 1)) == 2
    assert kinds.count((3, 1)) == 4  # two pixels alone that touch others at corners, three in a row, a square
    assert len(found) == 9
    square = max((polygon for polygon in found if label_of(polygon) == 3), key=lambda each: area(each, WCSS["plane"]))
    assert len(square.vertices) == 4  # none within a straight edge


def test_the_file_names_tag_and_colour_of_each_cluster(labels):
    first, second, *lines = ds9_text(labels, WCSS["plane"], COLOUR_SHIFTS, "galaxy 7,\nkmeans").splitlines()
    assert first.startswith("# Region file format: DS9")
    assert second == "# galaxy 7, kmeans"
    assert "icrs" in lines
    polygons = [line for line in lines if "polygon(" in line]
    assert sum(line.startswith("-polygon(") for line in polygons) == 1
    assert not any("include" in line for line in polygons)
    for label, colour in ((1, "#ff0000"), (2, "#3f90da"), (3, "#ff7f0e")):
        own = [line for line in polygons if f"tag={{cluster {label}}}" in line]
        assert own
        assert all(f"color={colour}" in line and f"text={{{label}}}" in line for line in own)


def test_random_masks_are_followed_exactly():
    """Noise: pieces, holes, pieces within holes, and corners that touch, all over and at the edges."""
    labels, wcs = np.random.default_rng(4).integers(-1, 4, (30, 20)), WCSS["distorted"]
    found = Regions.parse(ds9_text(labels, wcs, COLOUR_SHIFTS, ""), format="ds9")
    for label in (1, 2, 3):
        own = [polygon for polygon in found if label_of(polygon) == label]
        np.testing.assert_array_equal(inside(own, wcs, labels.shape), labels == label)


def test_without_clusters_there_are_no_polygons_and_each_cluster_needs_a_colour(labels):
    assert ds9_text(np.full((3, 4), -1), WCSS["plane"], [], "none").splitlines()[1:] == ["# none"]
    with pytest.raises(ValueError, match="labels go up to 3, but there are 2 colours"):
        cluster_regions(labels, WCSS["plane"], COLOUR_SHIFTS[:2])
