import numpy as np
import pytest
from conftest import pixel_seds

from helper_functions.psf import PSF_FWHM, blended_light, make_psf, psf_pixels


def test_area_by_hand():
    assert psf_pixels(0.04) == pytest.approx(np.pi / 4 * 3.5**2)
    assert psf_pixels(0.03) == pytest.approx(np.pi / 4 * (14 / 3) ** 2)
    assert psf_pixels(0.2, fwhm=0.7) == pytest.approx(psf_pixels(0.04))


@pytest.mark.parametrize("pixel", [0.02, 0.03, 0.06])
def test_the_psf_has_its_width_on_pixels_of_any_size(pixel):
    """Light within 0.14 arcsec of the middle: the same to what the edges of pixels are worth, and 1 in all."""

    def enclosed(side):
        psf = make_psf(pixel=side)
        y, x = (np.indices(psf.shape) - psf.shape[0] // 2) * side
        assert psf.sum() == pytest.approx(1)
        return psf[np.hypot(x, y) <= 0.14].sum()

    assert enclosed(pixel) == pytest.approx(enclosed(0.005), abs=0.1)


def test_light_is_blended_by_the_psf_of_the_survey():
    """A PSF that is twice as wide on pixels twice as wide blends the same, on the same pixels more."""
    rows, cols = np.divmod(np.arange(200), 20)
    labels = np.where(cols < 10, 1, 2)
    seds = pixel_seds(np.ones((200, 3)), np.full((200, 3), 0.1), rows=rows, cols=cols)
    plain = blended_light(seds, labels)
    scaled = blended_light(seds._replace(pixel=2 * seds.pixel, psf_fwhm=2 * PSF_FWHM), labels)
    np.testing.assert_allclose(scaled, plain, rtol=1e-12)
    assert blended_light(seds._replace(psf_fwhm=2 * PSF_FWHM), labels)[0, 1] > 1.5 * plain[0, 1]
