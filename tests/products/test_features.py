from types import SimpleNamespace

import numpy as np
from astropy import units as u
from conftest import pixel_seds
from planted_results import result_of

from helper_functions.filters import pivot_wavelength
from helper_functions.products.features import (
    feature_hdus,
    feature_maps,
    feature_table,
    mask_uninformative,
    region_features,
    scaled_to_total,
)
from helper_functions.sed_features import SED_FEATURES, Measured
from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS


def flat_pixels(redshift=2.0):
    """Ten pixels of a spectrum that is flat in f_nu: beta is -2, and breaks are 1."""
    flux = np.outer(np.linspace(1, 2, 10), np.ones(len(SURVEY_BANDS)))
    wavelengths = np.array([pivot_wavelength(band) for band in SURVEY_BANDS])
    return pixel_seds(flux, flux / 50, wavelengths, bands=SURVEY_BANDS, redshift=redshift)


def test_maps_have_values_where_the_pixels_are_and_say_their_units(two_shapes):
    cutout, seds = result_of(two_shapes, "kmeans", "euclidean").cutout, flat_pixels()
    maps = feature_maps(seds, (12, 10))
    np.testing.assert_allclose(maps["balmer_break"][0][seds.rows, seds.cols], 1, atol=0.1)
    assert np.isfinite(maps["balmer_break"][1]).sum() == 10
    hdus = feature_hdus(maps, cutout)
    assert [hdu.name for hdu in hdus[1:3]] == ["BETA", "BETA_ERR"]
    assert hdus["EW_HALPHA_NII"].header["BUNIT"] == hdus["EW_HALPHA_NII_ERR"].header["BUNIT"] == "Angstrom"
    assert hdus["BALMER_BREAK"].header["CTYPE1"] == "RA---TAN"
    assert feature_maps(flat_pixels(np.nan), (12, 10)) == {}


def test_fluxes_of_lines_are_those_of_all_light_of_a_region():
    """Three pixels of flux (1, 2, 4) on average; the last band has data in two, and hardly any weight."""
    flux, total = np.array([[1.0, 2.0, 4.0]]), np.array([[3.0, 6.0, 8.0]])
    composites = SimpleNamespace(
        flux=flux, error=0.3 * flux, systematic=0.4 * flux, total=total, total_error=np.array([[0.01, 0.01, 10]])
    )
    scaled, error = scaled_to_total(composites)
    np.testing.assert_allclose(scaled, 3 * flux, rtol=1e-4)
    np.testing.assert_allclose(error, 1.5 * flux, rtol=1e-4)


def test_pixels_whose_error_says_nothing_are_masked():
    found = Measured(np.array([1.0, 1.0, 20.0]), np.array([0.5, 2.0, 5.0]), np.array(["", "", ""]))
    value, error, _ = mask_uninformative(found, spread=1.0)
    np.testing.assert_array_equal(np.isfinite(value), [True, False, True])
    np.testing.assert_array_equal(np.isfinite(error), np.isfinite(value))


def test_the_table_has_a_row_for_each_kind_and_cluster(two_shapes):
    for method, kinds in (("kmeans", ["composite"] * 2), ("blended_mixture", ["population"] * 2 + ["composite"] * 2)):
        result = result_of(two_shapes, method, "noise" if method == "blended_mixture" else "euclidean")
        table = feature_table(result.features, 1.0)
        assert table["kind"].tolist() == kinds
        assert table["cluster"].tolist() == [1, 2] * (len(kinds) // 2)
        assert table["ew_halpha_nii"].unit == table["ew_halpha_nii_err"].unit == u.AA
        assert all(table[name].description for name in table.colnames)
        assert set(SED_FEATURES) < set(table.colnames)
        for name in SED_FEATURES:
            missing = np.isnan(table[name])
            assert (missing == np.isnan(table[f"{name}_err"])).all()
            noted = SED_FEATURES[name].needs or (name,)  # what is made of lines has their flags
            assert all(any(f"{each}: " in word for each in noted) for word in table["flag"][missing])


def test_without_clusters_or_redshift_there_is_nothing_to_know(two_shapes):
    result = result_of(two_shapes, "kmeans", "euclidean")
    unknown = region_features(result.seds._replace(redshift=np.nan), result.composites, None)
    table = feature_table(unknown, np.nan)
    assert np.isnan(table.meta["redshift"])
    assert all(np.isnan(table[name]).all() for name in SED_FEATURES)
    none = {kind: {name: Measured(*np.zeros((3, 0))) for name in SED_FEATURES} for kind in ("composite",)}
    assert len(feature_table(none, 1.0)) == 0
