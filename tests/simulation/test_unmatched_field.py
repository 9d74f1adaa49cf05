"""Mosaics that are not matched, and what they would be if they were."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

pytest.importorskip("photutils", reason="make_field needs photutils")
pytest.importorskip("reproject", reason="make_field needs reproject")

import data_paths
from helper_functions.psf import encircled_energy, measure_fwhm
from helper_functions.simulation.unmatched_field import main, mosaic_pixel, mosaic_wcs
from helper_functions.survey.make_field.layout import image_path
from prepare_images import open_survey

BANDS = ("f814w", "f200w", "f444w")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "unmatched"
    arguments = [str(folder), "--recipe", "smooth", "--radius", "5", "--bands", *BANDS]
    assert main(arguments) == 0
    return folder


def test_stars_have_their_fluxes_in_mosaics_of_different_pixels_and_in_the_matched_field(simulated):
    """To 5%: within 0.6 arcsec lie 93 to 99% of the light."""
    stars = Table.read(simulated / "true_stars.ecsv")
    brightest = np.argmax(stars["f_f444w"])
    grid = mosaic_wcs("f444w", (1, 1))[0]
    with fits.open(simulated / "matched" / data_paths.SEGMAP) as hdus:
        shape = hdus[0].data.shape
    grid, _ = mosaic_wcs("f444w", shape)
    sky = grid.pixel_to_world(stars["x"][brightest], stars["y"][brightest])
    for band in BANDS:
        wcs, size = mosaic_wcs(band, shape)
        for path, where in (
            (simulated / "mosaics" / f"{band}_sci.fits", wcs),
            (image_path(simulated / "matched", band, "sci"), grid),
        ):
            image = fits.getdata(path)
            x, y = where.world_to_pixel(sky)
            rows, cols = np.indices(image.shape)
            light = np.nansum(image[np.hypot(rows - y, cols - x) * mosaic_pixel(where) < 0.6])
            assert light == pytest.approx(stars[f"f_{band}"][brightest], rel=0.1), (band, path)
        assert fits.getdata(simulated / "mosaics" / f"{band}_wht.fits").shape == size


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
