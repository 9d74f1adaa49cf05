import pytest

from helper_functions.filters import known_bands, load_filter, pivot_wavelength, sedpy_name


@pytest.mark.parametrize(
    ("band", "name", "micron"),
    # Pivot wavelengths as the instruments' handbooks give them, to the digits given there.
    [
        ("f444w", "jwst_f444w", 4.402),
        ("f435w", "acs_wfc_f435w", 0.433),
        ("f160w", "wfc3_ir_f160w", 1.537),
        ("f275w", "wfc3_uvis_f275w", 0.271),
        ("JWST_F444W", "jwst_f444w", 4.402),
    ],
)
def test_bands_have_their_instruments_curve(band, name, micron):
    assert sedpy_name(band) == name
    assert pivot_wavelength(band) == pytest.approx(micron * 1e4, rel=1e-3)


def test_what_is_no_band_has_none():
    assert sedpy_name("alma") is None
    with pytest.raises(ValueError, match="no filter curve for band 'alma': sedpy has none named jwst_alma"):
        load_filter("alma")


def test_every_curve_of_sedpy_has_one_shortest_name():
    curves = [sedpy_name(band) for band in known_bands()]
    assert {"jwst_niriss_f115w", "subaru_suprimecam_B", "wfc3_uvis_f606w"} <= set(curves)
    assert len(set(curves)) == len(curves) > 250
    assert "f606w" in known_bands()
    assert "acs_wfc_f606w" not in known_bands()
    assert pivot_wavelength("subaru_suprimecam_b") == pytest.approx(4448, rel=1e-3)
