"""Gaussian sources at known places, some on the edges of tiles."""

import numpy as np
import pytest
from astropy.table import Table
from small_mosaics import NOISE, point, wcs_of, write_mosaic

pytest.importorskip("photutils", reason="make_field needs photutils")
pytest.importorskip("skimage", reason="make_field needs scikit-image")

from helper_functions.survey.make_field import sources
from helper_functions.survey.make_field.matching import Grid
from helper_functions.survey.make_field.sources import (
    detection_image,
    find_segments,
    ids_of,
    match_redshifts,
    measure_catalog,
    middle_first,
    one_redshift,
    write_segmap,
)
from helper_functions.survey.mosaics import open_mosaic

SHAPE = (130, 140)
PLACES = [(20, 20), (63, 64), (64, 100), (100, 30), (108, 110)]  # rows and columns; tiles end at 64


@pytest.fixture
def band(tmp_path):
    """Image and weights of a band with five sources of rising flux."""
    wcs, image = wcs_of(SHAPE), np.zeros(SHAPE)
    for flux, (row, col) in enumerate(PLACES, start=20):
        image += flux * point(wcs, SHAPE, 0.25, wcs.pixel_to_world_values(col, row))
    write_mosaic(tmp_path, "f444w", image, wcs, rng=np.random.default_rng(0))
    return tuple(open_mosaic(tmp_path / f"f444w_{kind}.fits", None) for kind in ("sci", "wht"))


def test_sources_on_the_edges_of_tiles_are_found_once_and_whole(band, tmp_path, monkeypatch):
    everything = tuple(slice(0, size) for size in SHAPE)
    whole = find_segments(detection_image([band], everything), 3.0, 20, 0.02)
    monkeypatch.setattr(sources, "CORE", 64)
    monkeypatch.setattr(sources, "MARGIN", 32)
    grid = Grid(wcs_of(SHAPE), SHAPE)
    assert write_segmap(tmp_path / "segmap.fits", grid, [band], 3.0, 20, 0.02) is None
    segmap = open_mosaic(tmp_path / "segmap.fits", None)
    assert ids_of(segmap) == [1, 2, 3, 4, 5]
    tiled = sources.read_segmap(segmap, everything)
    # The noise, which the threshold is in units of, is measured in each tile.
    assert np.mean((tiled > 0) == (whole > 0)) > 0.995
    catalog = measure_catalog(segmap, {"f444w": band}, {"f444w": 4.0})
    order = [tiled[place] - 1 for place in PLACES]
    np.testing.assert_allclose(catalog["y"][order], np.array(PLACES)[:, 0] + 1, atol=1.5)
    np.testing.assert_allclose(catalog["x"][order], np.array(PLACES)[:, 1] + 1, atol=1.5)
    here = tiled == tiled[PLACES[4]]
    assert catalog["n_pix"][order[4]] == here.sum()
    assert catalog["f_f444w"][order[4]] == pytest.approx(sources.read_window(band[0], everything)[here].sum(), rel=1e-5)
    assert catalog["e_f444w"][order[4]] == pytest.approx(2 * NOISE * np.sqrt(here.sum()), rel=1e-5)


def test_nothing_is_found_in_noise_and_where_there_is_no_data():
    noise = np.random.default_rng(1).normal(size=(60, 60))
    assert not find_segments(noise, 5.0, 20, 0.02).any()
    assert not find_segments(np.full((60, 60), np.nan), 5.0, 20, 0.02).any()


def test_the_source_in_the_middle_gets_the_id_1():
    segments = np.array([[1, 1, 0, 0, 0], [0, 0, 0, 2, 2], [0, 0, 3, 2, 0], [3, 3, 3, 0, 0]])
    expected = np.array([[3, 3, 0, 0, 0], [0, 0, 0, 2, 2], [0, 0, 1, 2, 0], [1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(middle_first(segments), expected)
    np.testing.assert_array_equal(middle_first(np.zeros((3, 3), dtype=int)), 0)


def test_redshifts_are_those_of_sources_at_the_same_place(tmp_path):
    """Within half an arcsec; the range and the spectroscopic redshift where there are any."""
    catalog = Table({"id": [1, 2, 3], "ra": [3.0, 3.1, 3.2], "dec": [0.0, 0.0, 0.0]})
    table = {"RA": [3.2 + 0.3 / 3600, 3.1 + 0.7 / 3600, 3.0], "DEC": [0.0, 0.0, 0.0], "z_50": [1.0, 2.0, np.nan]}
    Table(table | {"z_16": [0.9, 1.8, np.nan], "z_spec": [-1.0, 2.0, 3.0]}).write(tmp_path / "z.fits")
    found = match_redshifts(catalog, tmp_path / "z.fits")
    assert found["id"].tolist() == [3]
    assert [found[name][0] for name in ("z_16", "z_50", "z_84", "z_spec")] == [0.9, 1.0, 1.0, -1.0]
    Table({"ra": [1.0], "x": [2.0]}).write(tmp_path / "wrong.csv")
    with pytest.raises(ValueError, match="has no columns ra and dec, or id, with a redshift: it has ra, x"):
        match_redshifts(catalog, tmp_path / "wrong.csv")
    assert one_redshift(catalog, 2.5)["z_50"].tolist() == [2.5] * 3
    assert len(one_redshift(catalog, None)) == 0
