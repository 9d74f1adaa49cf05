import pytest

from helper_functions.filters import bands_with_curves, load_filter, pivot_wavelength, sedpy_name


@pytest.mark.parametrize(
    ("band", "name", "micron"),
    # Pivot wavelengths as the instruments' handbooks give them, to the digits given there.
    [("f444w", "jwst_f444w", 4.402), ("f435w", "acs_wfc_f435w", 0.433), ("f160w", "wfc3_ir_f160w", 1.537)],
)
def test_bands_have_their_instruments_curve(band, name, micron):
    assert sedpy_name(band) == name
    assert pivot_wavelength(band) == pytest.approx(micron * 1e4, rel=1e-3)


def test_bands_with_curves_are_those_that_load():
    assert {"f444w", "f435w", "f160w"} < set(bands_with_curves())
    assert "alma" not in bands_with_curves()
    names = [sedpy_name(band) for band in bands_with_curves()]
    assert names == sorted(set(names))


def test_what_is_no_band_has_none():
    assert sedpy_name("alma") is None
    with pytest.raises(ValueError, match="no filter curve for band 'alma': sedpy has none named jwst_alma"):
        load_filter("alma")
