"""Regions of a user's file come out as the pixels whose centres they hold."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from helper_functions.job.settings import check_settings
from helper_functions.products.ds9_regions import ds9_text
from helper_functions.survey.region_files import UnusableRegions, check_regions, read_regions, region_file
from main_clustering import settings_block

SHAPE = (30, 20)
Y, X = np.indices(SHAPE)
PIXEL = 0.04  # arcsec


def sky(angle=0.0, pixel=PIXEL, centre=(10.5, 15.5), ctype="{}-TAN", frame="ICRS"):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [ctype.format(axis) for axis in ("RA--", "DEC-")]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.radesys = (3.6, -30.4), centre, frame
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = pixel / 3600 * np.array([[-cos, sin], [sin, cos]])
    return wcs


def distorted():
    header = sky(33).to_header(relax=True)
    header.update({"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", "A_ORDER": 2, "B_ORDER": 2})
    header.update({"A_2_0": 5e-3, "B_1_1": -5e-3})
    return WCS(header)


@pytest.fixture
def read(tmp_path):
    """Regions of a DS9 file with this text, or of a FITS file of this image and WCS."""

    def read_text(content, wcs=None, of=None, name="my"):
        path = tmp_path / name
        if isinstance(content, str):
            path.write_text(content)
        else:
            fits.PrimaryHDU(content, of.to_header(relax=True)).writeto(path)
        return read_regions(path, sky() if wcs is None else wcs, SHAPE, tmp_path)

    return read_text


# ---- DS9 --------------------------------------------------------------------


@pytest.mark.parametrize("wcs", [sky(33), distorted(), sky(frame="FK5")], ids=["rotated", "distorted", "fk5"])
def test_outlines_that_we_write_hold_the_same_pixels_when_they_are_read(read, wcs):
    """Holes, pieces in holes, and corners that touch, all over."""
    labels = np.random.default_rng(4).integers(-1, 4, SHAPE)
    found, notes = read(ds9_text(labels, wcs, ["r", "g", "b"], "galaxy 7"), wcs)
    assert (list(found), notes) == (["cluster 1", "cluster 2", "cluster 3"], [])
    for label, mask in enumerate(found.values(), start=1):
        np.testing.assert_array_equal(mask, labels == label)


def at(col, row, frame="icrs"):
    """Position of a point of the image in DS9's form."""
    place = sky().pixel_to_world(col, row).transform_to(frame)
    return f"{place.ra.deg:.9f},{place.dec.deg:.9f}"


@pytest.mark.parametrize("frame", ["icrs", "fk5"])
def test_shapes_are_those_of_the_formulas(read, frame):
    """The frames lie 0.02 arcsec from each other here, half a pixel, so that one is not the other."""
    middle = at(9, 14, frame)
    text = f'{frame}\ncircle({middle},{4.2 * PIXEL}")\nellipse({middle},{6.3 * PIXEL}",{2.4 * PIXEL}",90)\n'
    text += f'box({middle},{6.2 * PIXEL}",{3.1 * PIXEL}",0)\n'
    text += f"polygon({at(2.5, 3.5, frame)},{at(8.5, 3.5, frame)},{at(8.5, 5.7, frame)})\n"
    circle, ellipse, box, triangle = read(text)[0].values()
    np.testing.assert_array_equal(circle, np.hypot(X - 9, Y - 14) < 4.2)
    np.testing.assert_array_equal(ellipse, np.hypot((X - 9) / 2.4, (Y - 14) / 6.3) < 1)
    np.testing.assert_array_equal(box, (abs(X - 9) < 3.1) & (abs(Y - 14) < 1.55))
    np.testing.assert_array_equal(triangle, (X < 8.5) & (Y > 3.5) & (Y - 3.5 < (X - 2.5) * 2.2 / 6))


def test_a_region_is_what_has_one_tag_or_one_text_and_minus_cuts_out(read):
    def circle(size, words, sign=""):
        return f'{sign}circle({at(9, 14)},{size * PIXEL}") # {words}\n'

    text = "icrs\n" + circle(7.2, "tag={ring} text={outer}") + circle(3.2, "tag={ring}", "-")
    text += circle(2.2, "text={a  disc}") + circle(1.2, "tag={ring}") + circle(5.2, "color=red")
    distance = np.hypot(X - 9, Y - 14)
    found, _ = read(text)
    assert list(found) == ["ring", "a disc", "region 5"]
    np.testing.assert_array_equal(found["ring"], ((distance > 3.2) & (distance < 7.2)) | (distance < 1.2))
    np.testing.assert_array_equal(found["a disc"], distance < 2.2)
    np.testing.assert_array_equal(found["region 5"], distance < 5.2)
    found, _ = read(text + circle(2.2, "", "-"), name="of all")
    assert [mask[14, 9] for mask in found.values()] == [False] * 3


def test_what_holds_no_pixel_or_is_elsewhere_is_told_and_costs_no_other(read):
    circle = f'circle({at(9, 14)},{2 * PIXEL}")'
    text = f'fk5\npoint({at(9, 14)})\nphysical\ncircle(3,4,5)\nicrs\n{circle}\ncircle(183.6,30.4,100")\n'
    text += "polygon(183.6,30.4,183.7,30.4,183.7,30.5)\n"  # on the other side of the sky
    found, notes = read(text, distorted())
    assert [mask.any() for mask in found.values()] == [True, False, False]
    assert notes[0].startswith('not read of my: "physical" frame')
    assert notes[1:] == ["points, lines and texts in my have no pixels: 1 left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image\ncircle(3,4,5)\n", r"regions in image coordinates \(1 of 1\), and does not say of which image"),
        ("circle(3.6,-30.4,5)\n", "no DS9 regions that can be read: A coordinate frame was not found"),
        ("a letter\n", "no DS9 regions that can be read"),
        ("", "has no DS9 regions that can be read"),
        ("id,ra,dec\n7,3.6,-30.4\n", "no DS9 regions that can be read"),
        (f"icrs\npoint({3.6},{-30.4})\n", "points, lines and texts in my have no pixels: 1 left out"),
        ("fk5\ncircle(1,2)\n", "cannot be read as DS9 regions"),
    ],
)
def test_what_cannot_be_told_is_refused(read, text, message):
    with pytest.raises(UnusableRegions, match=message):
        read(text)


# ---- label images -----------------------------------------------------------


def test_a_label_image_is_taken_at_the_nearest_pixel(read):
    labels = np.random.default_rng(1).integers(-1, 4, SHAPE)
    for wcs in (sky(20), distorted()):
        found, _ = read(labels, wcs, of=wcs, name=f"{wcs.has_distortion}.fits")
        assert list(found) == ["1", "2", "3"]
        assert all((found[str(label)] == (labels == label)).all() for label in (1, 2, 3))
    # Pixels of half the size, and a larger image: the centre of row r and column c is at 2 r + 6.3 and 2 c + 5.3.
    fine = np.full((80, 60), 9)
    fine[2 * Y + 6, 2 * X + 5] = labels
    found, _ = read(fine, of=sky(pixel=PIXEL / 2, centre=(25.3, 36.3)), name="fine.fits")
    assert list(found) == ["1", "2", "3"]
    assert all((found[str(label)] == (labels == label)).all() for label in (1, 2, 3))


def test_of_a_large_image_only_what_covers_the_galaxy_counts(read):
    large = np.arange(10_000).reshape(100, 100)
    found, _ = read(large, of=sky(centre=(20.5, 20.5)), name="large.fits")  # moved by 10 and 5 pixels
    assert len(found) == SHAPE[0] * SHAPE[1]
    assert found[f"{large[5 + 3, 10 + 4]}"].nonzero() == (3, 4)
    apart = sky()
    apart.wcs.crval = (183.6, 30.4)
    assert read(large, of=apart, name="apart.fits") == ({}, [])
    assert read(large, of=sky(centre=(500, 0)), name="beside.fits") == ({}, [])
    with pytest.raises(UnusableRegions, match="holds fractions"):
        read(large / 2, of=sky(), name="halves.fits")
    with pytest.raises(OSError, match="no celestial WCS"):
        read(large, of=WCS(naxis=2), name="plain.fits")


def test_a_pattern_gives_each_galaxy_its_file():
    assert [region_file(name, 7).name for name in ("my.reg", "my_{id}.reg")] == ["my.reg", "my_7.reg"]


# ---- before any galaxy ------------------------------------------------------


def test_a_file_that_is_of_no_use_to_any_galaxy_is_refused_at_once(tmp_path):
    labels, header = np.arange(600).reshape(SHAPE), sky().to_header()
    good, table, halves, apart = (tmp_path / f"{name}.fits" for name in ("good", "table", "halves", "apart"))
    fits.PrimaryHDU(labels, header).writeto(good)
    fits.PrimaryHDU(labels / 2, header).writeto(halves)
    fits.PrimaryHDU(labels).writeto(apart)
    fits.BinTableHDU.from_columns([fits.Column("id", "J", array=[1])]).writeto(table)
    texts = {"pixels.reg": "image\ncircle(3,4,5)\n", "empty.reg": "", "my.csv": "id,ra,dec\n7,3.6,-30.4\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "my.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    (tmp_path / "good.reg").write_text(f'icrs\ncircle({at(9, 14)},1")\n')
    for name in ("good.fits", "good.reg"):
        check_regions(tmp_path / name, tmp_path)
    for name, message in {
        "table.fits": "no two-dimensional image",
        "halves.fits": "holds fractions",
        "apart.fits": "no celestial WCS",
        "pixels.reg": "regions in image coordinates",
        "empty.reg": "no DS9 regions",
        "my.csv": "no DS9 regions",
        "my.png": "cannot be read as DS9 regions",
    }.items():
        with pytest.raises((OSError, UnusableRegions), match=message):
            check_regions(tmp_path / name, tmp_path)
        with pytest.raises(ValueError, match=message):  # before anything else is looked at
            check_settings(settings_block().changed(regions=str(tmp_path / name)))
    (tmp_path / "7.reg").touch()  # of one galaxy among others
    check_settings(settings_block().changed(regions=str(tmp_path / "{id}.reg")))
