"""Mosaics that are not matched, and what they would be if they were."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

pytest.importorskip("photutils", reason="make_field needs photutils")
pytest.importorskip("reproject", reason="make_field needs reproject")

import data_paths
from data_paths import new_image_path
from helper_functions.psf import encircled_energy, measure_fwhm
from helper_functions.simulation import unmatched_field
from helper_functions.simulation.simulated_field import Source
from helper_functions.simulation.simulated_galaxy import SimulatedGalaxy
from helper_functions.simulation.stellar_populations import Population
from helper_functions.simulation.unmatched_field import main, mosaic_wcs, write_unmatched
from helper_functions.survey.make_field.psfs import pixel_side, sky_matrix
from prepare_images import open_survey

BANDS = ("f814w", "f200w", "f444w")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """A galaxy of two populations, written by hand: to make spectra takes longer than all the rest."""
    folder = tmp_path_factory.mktemp("simulated") / "unmatched"
    y, x = np.mgrid[-20:21, -20:21]
    disc = 100 * np.exp(-np.hypot(y, x) / 4)
    light = np.array([disc * (x < 0), disc * (x >= 0)])
    seds = np.array([[0.5, 1.0, 1.5], [1.5, 1.0, 0.5]])
    region = np.where(x < 0, 1, 2)
    populations = (Population(age=1.0, tau=1.0, a_v=0.0),) * 2
    flux = np.einsum("kb,kyx->byx", seds, light)
    galaxy = SimulatedGalaxy(1.5, BANDS, flux, region, np.ones(region.shape), seds, populations, light)
    source = Source(1, galaxy, 10, 10, False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unmatched_field, "place_sources", lambda *_: ([source], (60, 160)))
        for name, fewer in (("FINE", 2), ("N_STARS", 6), ("STAR_GAP", 50), ("HOLES", 2)):
            patch.setattr(unmatched_field, name, fewer)
        patch.setenv("UNCOVER_CACHE_FOLDER", str(folder.parent / "cache"))
        write_unmatched(folder, [galaxy], [1])
    return folder


def test_stars_have_their_fluxes_in_mosaics_of_different_pixels_and_in_the_matched_field(simulated):
    """To 10%: within 0.6 arcsec lie 92 to 99% of the light; stars in holes are left out."""
    stars = Table.read(simulated / "true_stars.ecsv")
    shape = fits.getdata(simulated / "matched" / data_paths.SEGMAP).shape
    grid, _ = mosaic_wcs("f444w", shape)
    sky = grid.pixel_to_world(stars["x"], stars["y"])
    for band in BANDS:
        wcs, size = mosaic_wcs(band, shape)
        assert fits.getdata(simulated / "mosaics" / f"{band}_wht.fits").shape == size
        own, matched = simulated / "mosaics" / f"{band}_sci.fits", new_image_path(simulated / "matched", band, "sci")
        for path, where in ((own, wcs), (matched, grid)):
            image, places = fits.getdata(path), np.array(where.world_to_pixel(sky)).T
            rows, cols = np.indices(image.shape)
            light = [image[np.hypot(rows - y, cols - x) * pixel_side(sky_matrix(where)) < 0.6].sum() for x, y in places]
            ratio = np.array(light) / stars[f"f_{band}"]
            assert np.isfinite(ratio).sum() >= 3
            assert np.nanmedian(ratio) == pytest.approx(0.95, abs=0.05), (band, path)


def test_psfs_are_narrow_in_the_blue_and_the_matched_field_is_a_survey(simulated):
    widths = []
    for band in BANDS:
        psf, header = fits.getdata(simulated / "psfs" / f"{band}.fits", header=True)
        widths.append(measure_fwhm(psf.astype(float), header["PIXELSCL"]))
        assert encircled_energy(psf.astype(float), header["PIXELSCL"], [1.0]) > 0.9
    assert widths[1] < widths[0] < widths[2] == pytest.approx(0.14, rel=0.05)
    survey = open_survey(simulated / "matched", [1])
    assert survey.bands == BANDS
    assert survey.redshifts[1][1] == 1.5
    assert survey.truth is not None


def test_a_folder_that_exists_is_left_alone(simulated, capsys):
    assert main([str(simulated)]) == 2
    assert "exists: choose another folder" in capsys.readouterr().err
