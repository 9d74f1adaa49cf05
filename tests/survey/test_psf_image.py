import gzip

import numpy as np
import pytest
from astropy.io import fits

import data_paths
from helper_functions.pixel_seds import extract_seds
from helper_functions.products.registration import sample_survey_shifts
from helper_functions.psf import encircled_energy, measure_fwhm
from helper_functions.survey.check import check_survey
from helper_functions.survey.psf_image import read_psf
from prepare_images import cut_out, open_survey

PIXEL = 0.04  # arcsec, of the survey


def gaussian(fwhm, pixel, shape, centre):
    """Gaussian of this FWHM in arcsec about a place in pixels, peak 1."""
    y, x = np.indices(shape)
    return np.exp(-4 * np.log(2) * ((y - centre[0]) ** 2 + (x - centre[1]) ** 2) * (pixel / fwhm) ** 2)


def write(path, image, **cards):
    fits.PrimaryHDU(image, fits.Header(list(cards.items()))).writeto(path, overwrite=True)
    return path


@pytest.fixture
def with_psf(survey_folder, monkeypatch):
    """A survey whose description names an image of its PSF, which is yet to be put there."""
    files = data_paths.SURVEYS["uncover"]._replace(psf="psf_*.fits", psf_fwhm=0.5)
    monkeypatch.setitem(data_paths.SURVEYS, "uncover", files)
    return survey_folder


def test_the_psf_goes_with_the_pixels_and_has_its_own_width(with_psf, capsys):
    image = 7.0 * gaussian(0.165, PIXEL, (51, 51), (25, 25))
    write(with_psf / "psf_f444w.fits", image)
    survey = open_survey(with_psf, [7])
    np.testing.assert_allclose(survey.psf, image / image.sum(), atol=1e-12)
    assert survey.psf_fwhm == pytest.approx(0.165, rel=0.02)  # of splines through pixels
    cutout = cut_out(survey, 7, margin=5)
    seds = extract_seds(cutout, cutout.segmap == 7)
    assert seds.psf is cutout.psf is survey.psf
    assert seds.psf_fwhm == cutout.psf_fwhm == survey.psf_fwhm
    assert check_survey(with_psf, "uncover", sample_survey_shifts) == 0
    assert "PSF: psf_f444w.fits, FWHM 0.16" in capsys.readouterr().out


def test_another_psf_is_another_survey(with_psf):
    path = with_psf / "psf_f444w.fits"
    write(path, gaussian(0.165, PIXEL, (51, 51), (25, 25)))
    before = open_survey(with_psf, [7]).digest
    assert open_survey(with_psf, [7]).digest == before
    write(path, gaussian(0.2, PIXEL, (51, 51), (25, 25)))
    assert open_survey(with_psf, [7]).digest != before


def test_without_an_image_it_is_the_model(survey_folder):
    survey = open_survey(survey_folder, [7])
    assert (survey.psf, survey.psf_fwhm) == (None, 0.14)


def test_a_missing_psf_names_the_setting(with_psf, capsys):
    with pytest.raises(FileNotFoundError, match=r"psf_\*\.fits.* found 0 .* change psf of 'uncover' in SURVEYS"):
        open_survey(with_psf, [7])
    assert check_survey(with_psf, "uncover", sample_survey_shifts) == 1
    assert "refused: want one file psf_*.fits" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("shape", "centre"), [((60, 60), (29.5, 29.5)), ((61, 48), (28.3, 25.0)), ((50, 71), (20, 40))]
)
def test_a_psf_off_the_middle_is_put_there(shape, centre, tmp_path):
    psf = read_psf(write(tmp_path / "psf.fits", gaussian(0.165, PIXEL, shape, centre)), PIXEL)
    assert psf.shape[0] == psf.shape[1]
    assert psf.shape[0] % 2 == 1
    half = psf.shape[0] // 2
    expected = gaussian(0.165, PIXEL, psf.shape, (half, half))
    # 1% of the peak: the middle is found to a hundredth of a pixel, and splines go between pixels.
    np.testing.assert_allclose(psf, expected / expected.sum(), atol=0.01 * psf.max())


@pytest.mark.parametrize(
    "cards",
    [
        {"PIXELSCL": 0.01},
        {"CDELT1": -0.01 / 3600, "CDELT2": 0.01 / 3600},
        {"CDELT1": 0.01, "CDELT2": 0.01, "CUNIT1": "arcsec"},
        {"CD1_1": -0.01 / 3600, "CD2_2": 0.01 / 3600},
        {"CD1_2": 0.01 / 3600, "CD2_1": 0.01 / 3600},
    ],
)
def test_smaller_pixels_are_summed_to_those_of_the_survey(cards, tmp_path):
    """A pixel gets the light that falls onto it: the variance is that of the PSF and of the pixel."""
    psf = read_psf(write(tmp_path / "psf.fits", gaussian(0.165, 0.01, (301, 301), (150, 150)), **cards), PIXEL)
    assert psf.sum() == pytest.approx(1)
    y = (np.arange(len(psf)) - len(psf) // 2) * PIXEL
    variance = (0.165 / 2.3548) ** 2 + (PIXEL**2 - 0.01**2) / 12
    assert np.sum(psf * y[:, None] ** 2) == pytest.approx(variance, rel=0.01)
    assert measure_fwhm(psf, PIXEL) == pytest.approx(2.3548 * np.sqrt(variance), rel=0.02)


def test_larger_pixels_are_interpolated(tmp_path):
    image = gaussian(0.165, 0.06, (41, 41), (20, 20))
    psf = read_psf(write(tmp_path / "psf.fits", image, PIXELSCL=0.06), PIXEL)
    assert psf.sum() == pytest.approx(1)
    assert measure_fwhm(psf, PIXEL) == pytest.approx(0.165, rel=0.03)  # three pixels of 0.06
    np.testing.assert_allclose(
        encircled_energy(psf, PIXEL, [0.1, 0.3]), [1 - 2 ** -(4 * (0.1 / 0.165) ** 2), 1], atol=0.02
    )


def test_a_packed_psf_in_an_extension_is_found(tmp_path):
    image = gaussian(0.165, PIXEL, (31, 31), (15, 15))
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(image, name="PSF")]).writeto(tmp_path / "psf.fits")
    packed = tmp_path / "psf.fits.gz"
    packed.write_bytes(gzip.compress((tmp_path / "psf.fits").read_bytes()))
    np.testing.assert_allclose(read_psf(packed, PIXEL), image / image.sum(), atol=1e-12)


def spoiled(place, value):
    image = gaussian(0.165, PIXEL, (31, 31), (15, 15))
    image[place] = value
    return image


@pytest.mark.parametrize(
    ("image", "cards", "message"),
    [
        (spoiled((3, slice(2, 6)), np.nan), {}, r"psf\.fits has 4 of 961 pixels that are not finite: set those"),
        (spoiled((0, 0), -99.0), {}, r"sum of -\d+\.?\d*: want an image of a PSF"),
        (np.zeros((5, 5)), {}, "sum of 0: want an image of a PSF"),
        (np.ones((9, 9)), {}, "at its edge that is 1 times as bright .* core inside"),
        (np.ones((3, 9, 9)), {}, r"no two-dimensional image, which a PSF is: found \(3, 9, 9\)"),
        (None, {}, "no two-dimensional image, which a PSF is: found none"),
        (
            spoiled((0, 0), 0),
            {"CDELT1": 1.0},
            r"pixels of 3\.6e\+03 arcsec by its header, want 0\.0001 to 10: set PIXELSCL",
        ),
        (spoiled((0, 0), 0), {"PIXELSCL": "wide"}, "pixel scale that cannot be read .*wide.*: set PIXELSCL"),
        (spoiled((0, 0), 0), {"PIXELSCL": 0.0}, "pixels of 0 arcsec"),
        (spoiled((0, 0), 0), {"CDELT1": 1.0, "CUNIT1": "s"}, "pixel scale that cannot be read"),
    ],
)
def test_what_is_no_psf_is_refused(image, cards, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_psf(write(tmp_path / "psf.fits", image, **cards), PIXEL)


@pytest.mark.parametrize("length", [100, 6000])
def test_a_damaged_file_is_named(length, tmp_path):
    path = write(tmp_path / "psf.fits", gaussian(0.165, PIXEL, (51, 51), (25, 25)))
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(OSError, match=r"psf\.fits cannot be read"):
        read_psf(path, PIXEL)
