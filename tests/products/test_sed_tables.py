import numpy as np
from astropy import units as u
from conftest import celestial_wcs, pixel_seds
from planted_results import result_of

from helper_functions.composite_seds import composite_seds
from helper_functions.products.sed_tables import BUDGET_COLUMNS, SED_COLUMNS, TABLES, composite_table, flags, sed_tables

PSF_AREA = 9.6


def table_of(redshift=1.0):
    flux = np.outer(np.linspace(0.5, 1.5, 80), [1.0, 2, 3, -1, 2])
    seds = pixel_seds(flux, np.full(flux.shape, 0.1), np.arange(1, 6) * 1e4, bands=tuple("abcde"), redshift=redshift)
    composites = composite_seds(seds, np.repeat([1, 2], 40))
    return composite_table(composites, seds, celestial_wcs(), PSF_AREA), composites


def test_rows_units_and_rest_frame_wavelengths():
    table, composites = table_of()
    assert len(table) == 10
    assert table["wave_rest"].quantity[0] == 5000 * u.AA
    assert table["flux"].unit == table["flux_total"].unit == 10 * u.nJy
    assert table["flux"][7] == composites.flux[1, 2]
    assert all(table[name].description for name in table.colnames)
    assert all(table[name].unit == SED_COLUMNS[name][0] for name in table.colnames)
    assert np.isnan(table_of(np.nan)[0]["wave_rest"]).all()
    assert set(table["filter"]) == {""}  # sedpy knows none of these bands


def test_sums_means_and_brightness_agree():
    """By hand: a sum over 40 pixels is 40 times the mean, and covers 40 pixels of 40 mas."""
    table, _ = table_of()
    np.testing.assert_allclose(table["flux_total"], 40 * table["flux"])  # noiseless: the mean amplitude is 1
    np.testing.assert_allclose(table["area"], 40 * 0.04**2)
    np.testing.assert_allclose(table["surface_brightness"], table["flux_total"] / table["area"])
    assert (table["flux"][table["band"] == "d"] < 0).all()
    assert all("negative" in word for word in table["flag"][table["band"] == "d"])


def test_the_centre_is_on_the_sky():
    table, composites = table_of()
    ra, dec = celestial_wcs().wcs_pix2world(*composites.centroid[0, ::-1], 0)
    assert (table["ra"][0], table["dec"][0]) == (float(ra), float(dec))


def test_flags_by_hand():
    flux, error = np.array([[1.0, np.nan, -1], [0.1, 5, 5], [5, 5, 5]]), np.full((3, 3), 0.2)
    n_pixels = np.array([[1, 0, 1], [8, 8, 7], [20, 20, 20]])
    assert flags(flux, error, n_pixels, PSF_AREA).tolist() == [
        ["one pixel", "no data, one pixel", "one pixel, negative"],
        ["smaller than the PSF, below 2 sigma", "smaller than the PSF", "smaller than the PSF"],
        ["", "", ""],
    ]


def test_tables_of_a_run(two_shapes):
    """The budget closes, and populations are there only where the method takes blends apart."""
    labels_only = sed_tables(result_of(two_shapes, "kmeans", "euclidean"))
    assert set(labels_only) == {"composites", "flux_budget", "region_features"}
    tables = sed_tables(result_of(two_shapes, "blended_mixture", "noise"))
    assert set(tables) == set(TABLES)
    for table in (labels_only["flux_budget"], tables["flux_budget"]):
        assert set(table.colnames) == set(BUDGET_COLUMNS) - {"bins"}
        parts = table["clusters"] + table["unassigned"] + table["residual"]
        np.testing.assert_allclose(parts, table["selected"], rtol=1e-6)
    np.testing.assert_allclose(tables["flux_budget"]["selected"], two_shapes.seds.flux.sum(axis=0))
    common = set(tables["composites"].colnames) & set(tables["populations"].colnames)
    assert tables["populations"]["filter"][:2].tolist() == ["acs_wfc_f606w", "acs_wfc_f814w"]
    assert {
        "cluster",
        "band",
        "filter",
        "wave_obs",
        "wave_rest",
        "flux",
        "flux_err",
        "flux_total",
        "n_pixels",
    } <= common
    for band in range(6):
        rows = tables["populations"][tables["populations"]["band"] == two_shapes.seds.bands[band]]
        np.testing.assert_allclose(np.sum(rows["flux_total"]), tables["flux_budget"]["clusters"][band], rtol=1e-6)
