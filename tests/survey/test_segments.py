import numpy as np
import pytest
from astropy.io import fits
from conftest import celestial_wcs
from scipy.ndimage import label

from helper_functions.survey import mosaics
from helper_functions.survey.cutout_notes import SMALLEST_PIECE
from helper_functions.survey.mosaics import open_mosaic
from helper_functions.survey.segments import all_runs, middle_pixels, odd_segments


@pytest.fixture
def odd(tmp_path):
    def odd_ids(image):
        fits.PrimaryHDU(image, celestial_wcs().to_header()).writeto(tmp_path / "segmap.fits", overwrite=True)
        segmap = open_mosaic(tmp_path / "segmap.fits", None)
        return tuple(found.tolist() for found in odd_segments(all_runs(segmap), segmap.shape))

    return odd_ids


def test_by_hand(odd):
    """1 is cut by an edge; 2 in two pieces, one above the other, and 5 beside; 3 touches at corners; 4 has a speck."""
    image = np.zeros((30, 60), dtype=np.int64)
    image[:4, :4] = 1
    image[5:9, 10:14] = image[10:14, 10:14] = 2
    image[5:9, 20:24] = image[9:13, 24:28] = image[13:17, 20:24] = 3
    image[5:9, 30:34], image[11, 30:39] = 4, 4
    image[20:24, 10:14] = image[20:24, 15:19] = 5
    assert odd(image) == ([1], [2, 5])
    assert odd(np.where(image == 2, 2**40, np.where(image > 0, image, -1))) == ([1], [5, 2**40])
    assert odd(np.zeros((5, 5), dtype=np.int16)) == ([], [])


@pytest.mark.parametrize("seed", range(4))
def test_pieces_are_those_of_a_label_image_of_each_source(odd, monkeypatch, seed):
    monkeypatch.setattr(mosaics, "STRIPE_BYTES", 8 * 60 * 7)  # stripes of seven rows
    rng = np.random.default_rng(seed)
    image = np.where(rng.random((40, 60)) < 0.5, rng.integers(1, 6, (4, 6)).repeat(10, 0).repeat(10, 1), 0)
    at_edge, in_pieces = odd(image)
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert at_edge == np.unique(edges[edges > 0]).tolist()
    sizes = {each: np.bincount(label(image == each, np.ones((3, 3)))[0].ravel())[1:] for each in range(1, 6)}
    assert in_pieces == [each for each, n_pixels in sizes.items() if (n_pixels >= SMALLEST_PIECE).sum() > 1]


def test_the_middle_of_a_segment_by_hand():
    """Of a ring, a pixel of its first full row; of a line, its middle pixel; of two equal rows, in the first."""
    image = np.zeros((9, 9), dtype=int)
    image[1:6, 1:6], image[2:5, 2:5] = 7, 0
    image[7, 1:8] = 9
    image[2:4, 7:9] = 4
    ids, rows, cols = middle_pixels(*mosaics.row_runs(image))
    assert list(zip(ids.tolist(), rows.tolist(), cols.tolist(), strict=True)) == [(4, 2, 7), (7, 1, 3), (9, 7, 4)]
