"""Pixels that are not selected: their bins, the regions that these are joined to, and that no light is lost."""

import sys

import numpy as np
import pytest
from conftest import BANDS, BLUE, NOISE, RED, celestial_wcs, pixel_seds

from helper_functions.filters import pivot_wavelength
from helper_functions.other_regions.outskirts import (
    Binned,
    bin_outskirts,
    import_powerbin,
    join_outskirts,
    merge_faint,
    power_bins,
    snr_of_sum,
    variance_of_discs,
)
from helper_functions.pixel_seds import Cutout, extract_seds

Y, X = np.indices((30, 40))
SEGMENT = np.hypot(Y - 15, X - 20) < 13
MASK = np.hypot(Y - 15, X - 20) < 6  # selected: red on the left, blue on the right
LABELS = np.where(MASK, 1 + (X >= 20), 0)


@pytest.fixture
def cutout():
    """A galaxy whose outskirts have the colours of their halves, but for a blue piece at the far left."""
    light = np.where(SEGMENT, np.exp(-np.hypot(Y - 15, X - 20) / 4), 0)
    is_blue = (X >= 20) | (X < 10)
    flux = np.where(is_blue, BLUE[:, None, None], RED[:, None, None]) * light
    flux += np.random.default_rng(3).normal(0, NOISE, flux.shape)
    flux[2, 15, 30] = np.nan
    error = np.where(np.isfinite(flux), NOISE, np.nan)
    waves = np.array([pivot_wavelength(band) for band in BANDS])
    return Cutout(7, 1.0, BANDS, waves, flux, error, np.where(SEGMENT, 7, 0), (7,), celestial_wcs())


def outside(cutout):
    return extract_seds(cutout, SEGMENT & ~MASK)


# ---- joining ----------------------------------------------------------------


def test_a_bin_goes_to_the_region_beside_it_that_has_its_colours(cutout):
    seds = outside(cutout)
    left, far = seds.cols < 17, seds.cols < 10
    numbers = np.select([far, left, seds.rows > 15], [1, 2, 3], 4)
    # The last two bins lie beside both regions, and are planted to be red and blue; the first is blue, beside red only.
    flux = np.where((numbers == 3)[:, None], RED, BLUE) * 0.2
    found = join_outskirts(Binned(seds._replace(flux=flux), numbers, np.ones(4)), LABELS, np.array([RED, BLUE]))
    assert found.cluster.tolist() == [1, 1, 1, 2]
    np.testing.assert_allclose(found.flux[1], flux[numbers == 4].sum(axis=0))
    assert (found.bins > 0).sum() == len(seds.flux)
    assert (found.bins[seds.rows, seds.cols] == numbers).all()
    swapped = join_outskirts(Binned(seds._replace(flux=flux), numbers, np.ones(4)), LABELS, np.array([BLUE, RED]))
    assert swapped.cluster.tolist() == [1, 1, 2, 1]  # the control: colours decide where there is a choice
    assert join_outskirts(Binned(seds, numbers, np.ones(4)), -LABELS, np.array([RED, BLUE])) is None


def test_errors_are_those_of_the_sum_of_all_pixels(cutout):
    seds = outside(cutout)
    found = join_outskirts(Binned(seds, np.ones(len(seds.flux), dtype=int), np.ones(1)), LABELS, np.array([RED, BLUE]))
    has_data = np.isfinite(seds.flux).sum(axis=0)
    label = found.cluster[0] - 1
    np.testing.assert_allclose(found.flux[label], np.nansum(seds.flux, axis=0))
    np.testing.assert_allclose(found.error[label], NOISE * np.sqrt(has_data))  # white noise
    assert not found.flux[1 - label].any()


# ---- bins -------------------------------------------------------------------


def test_faint_bins_are_merged_until_each_has_the_ratio():
    """In a row of pixels with SNR 1: sums of n have the square root of n."""
    seds = pixel_seds(np.ones((30, 3)), np.ones((30, 3)), rows=np.zeros(30, dtype=int), cols=np.arange(30))
    assert snr_of_sum(seds) == pytest.approx(30**0.5)
    numbers = merge_faint(seds, np.arange(30) // 2, 3.0)
    assert set(numbers) == set(range(1, numbers.max() + 1))
    for number in np.unique(numbers):
        mine = np.flatnonzero(numbers == number)
        assert len(mine) >= 9
        assert (np.diff(mine) == 1).all()  # bins are merged with neighbours
    assert set(merge_faint(seds, np.arange(30), 6.0)) == {1}  # all together have 5.5


def test_noise_of_a_disc_is_the_sum_over_its_pairs():
    correlation = np.array([[1.0, 0.5, 0.2], [1, 0, 0]])
    seds = pixel_seds(np.ones((500, 2)), np.ones((500, 2)), correlation=correlation)
    sizes, factor = variance_of_discs(seds)
    assert (sizes[0], sizes[-1]) == (1, 500)
    np.testing.assert_allclose(factor[:, 1], 1)  # white
    assert factor[0, 0] == pytest.approx(1)
    whole = 1 + 8 * 0.5 + 12 * 0.2  # 8 pixels at distances of 1 or 1.4, 12 at 2 or 2.2, rounded
    assert (np.diff(factor[:, 0]) > 0).all()
    assert 0.8 * whole < factor[-1, 0] < whole  # pixels at the edge have less


def test_bins_of_powerbin_have_the_ratio_and_hold_every_pixel(cutout):
    pytest.importorskip("powerbin")
    target = 12.0
    binned = bin_outskirts(cutout, MASK, BANDS, target)
    assert len(binned.seds.flux) == (SEGMENT & ~MASK).sum()
    assert binned.seds.bands == BANDS
    assert 3 < binned.numbers.max() < 80
    assert (binned.snr >= target).all()
    again = bin_outskirts(cutout, MASK, BANDS, target)
    assert (again.numbers == binned.numbers).all()
    assert bin_outskirts(cutout, SEGMENT, BANDS, target) is None  # all are selected


def test_where_there_is_no_signal_there_is_one_bin_and_powerbin_may_fail(cutout, monkeypatch):
    seds = outside(cutout)
    assert set(power_bins(seds._replace(flux=0 * seds.flux), 5.0)) == {0}

    def no_bin(*arguments, **options):
        raise IndexError("index 0 is out of bounds for axis 0 with size 0")

    monkeypatch.setattr("helper_functions.other_regions.outskirts.import_powerbin", lambda: no_bin)
    assert set(power_bins(seds, 5.0)) == {0}


def test_what_to_install_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "powerbin", None)
    with pytest.raises(ValueError, match="BIN_SNR needs powerbin, which is free for non-commercial use: pip install"):
        import_powerbin()
