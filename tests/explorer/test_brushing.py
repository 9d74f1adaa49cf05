"""What one takes from a page: selected pixels as a region, colours, fits, commands and pictures."""

import re
import shlex

import numpy as np
import pytest
from astropy.table import Table
from conftest import celestial_wcs
from regions import PixCoord, PolygonPixelRegion, Regions

from data_paths import output_path
from explorer.test_page import click, drag, values
from explorer.views import galaxy_view
from helper_functions.explorer.fits import FitView, read_fits
from helper_functions.explorer.pages import share_scripts
from helper_functions.explorer.runs import layer_of
from helper_functions.files.saving import save_table
from helper_functions.fitting.bagpipes_fit import QUANTITIES
from helper_functions.job.command_line import command_line, read_command_line
from helper_functions.job.settings import collect_block
from helper_functions.sed_features import SED_FEATURES
from plots.explorer.dark import LIGHT, PANEL
from plots.explorer.index import COMPARE
from plots.explorer.page import explorer_page
from plots.labels import LABELS


@pytest.fixture(scope="module")
def view():
    return galaxy_view(celestial_wcs())


@pytest.fixture(scope="module")
def opened(browser, view, tmp_path_factory):
    """A page whose scripts lie beside it."""
    folder = tmp_path_factory.mktemp("shared")
    assets = share_scripts(folder)
    path = output_path(folder, "page", id=7)
    path.write_text(explorer_page(view, assets))
    assert path.stat().st_size < 4e5  # the scripts have 1.6 MB
    browser.open(path)
    return browser


@pytest.fixture
def page(opened):
    """Without a selection."""
    opened.set("pixels", "selected.indices", [])
    return opened


def pixels_in(path, wcs, shape):
    """Pixels whose centre is within the regions of a file, bool of shape (ny, nx)."""
    y, x = np.indices(shape)
    inside = np.zeros(shape, dtype=bool)
    for region in Regions.read(path, format="ds9"):
        is_hole = not region.meta.get("include", True)
        ring = PolygonPixelRegion(region.to_pixel(wcs).vertices).contains(PixCoord(x, y))
        inside = inside & ~ring if is_hole else inside | ring
    return inside


def test_selected_pixels_are_saved_as_the_region_with_holes_and_pieces(page, view):
    chosen = np.hypot(view.rows - 13, view.cols - 23) < 5
    chosen &= np.hypot(view.rows - 13, view.cols - 22) > 2  # a hole
    chosen |= (view.rows == 14) & (view.cols == 22)  # a pixel in it
    chosen |= (view.rows + view.cols == 30) & (view.cols > 25)  # pixels that touch at their corners
    page.set("pixels", "selected.indices", np.flatnonzero(chosen).tolist())
    click(page, "save_region")
    path = page.downloaded("7_region.reg")
    expected = np.zeros(view.shape, dtype=bool)
    expected[view.rows[chosen], view.cols[chosen]] = True
    np.testing.assert_array_equal(pixels_in(path, celestial_wcs(), view.shape), expected)
    assert len(set(re.findall(r"tag=\{(.*?)\}", path.read_text()))) == 1  # one region


def test_colours_are_magnitudes_and_a_box_on_them_selects_pixels_of_the_map(page, view):
    for name, band in zip(("x_blue", "x_red", "y_blue", "y_red"), (0, 1, 1, 3), strict=True):
        page.set(name, "value", view.bands[band])
    flux = view.flux.astype(float)
    for column, (blue, red) in {"colour_x": (0, 1), "colour_y": (1, 3)}.items():
        with np.errstate(invalid="ignore", divide="ignore"):
            expected = -2.5 * np.log10(flux[:, blue] / flux[:, red])
        expected[~((flux[:, blue] > 0) & (flux[:, red] > 0))] = np.nan
        assert np.isnan(expected).any() == (column == "colour_x")  # fluxes of the first band are missing, or negative
        np.testing.assert_allclose(values(page, "pixels", column), expected, atol=1e-5)
    x, y = values(page, "pixels", "colour_x"), values(page, "pixels", "colour_y")
    left, top = np.nanmedian(x), np.median(y)
    inside = (x > left) & (y > top)
    tool = "model('colours_panel').toolbar.tools.find(each => each.type === 'BoxSelectTool').active = true"
    page.run(f"{tool}; Bokeh.index.find_one(model('colours_panel')).el.scrollIntoView()")
    right, high = page.get("colours_panel", "x_range.end"), page.get("colours_panel", "y_range.end")
    inside &= (x < right) & (y < high)
    drag(page, "colours_panel", [(left, top), (left + 0.1, top + 0.1), (right - 0.001, high - 0.001)])
    near = (np.abs(x - left) < 0.02) | (np.abs(y - top) < 0.01)  # of the edge: the mouse is at whole points
    chosen = np.isin(np.arange(len(x)), page.get("pixels", "selected.indices"))
    np.testing.assert_array_equal(chosen[~near], inside[~near])
    assert 20 < chosen.sum() < len(x) - 20
    assert sorted(values(page, "marked", "x")) == sorted(view.cols[chosen])


def test_fits_are_shown_with_their_data_or_the_reason_why_there_is_none(page, view):
    page.set("run", "value", view.runs[0].name)
    page.set("fit", "value", "1")
    assert "χ² = 2.5 in 2 bands" in page.get("fit_words", "text")
    residual = values(page, "fit_data", "residual")
    np.testing.assert_allclose(residual[[0, 2]], [1, -4.1 / 0.2], rtol=1e-5)
    assert np.isnan(residual[1])
    # The last flux is below twice its error: a limit, at the flux plus that.
    np.testing.assert_allclose(values(page, "fit_data", "flux")[[0, 2]], [1.1, 0.3], rtol=1e-5)
    assert page.get("fit_data", "data.marker")[2] == "inverted_triangle"
    assert values(page, "fit_history", "x").max() < 1  # without the time before the first stars
    assert values(page, "fit_posterior2", "top").tolist() == [1, 4, 3, 0]
    page.set("fit", "value", "2")
    assert page.get("fit_words", "text") == "<b>cluster 2</b> was not fitted: too few bands"
    page.set("fit", "value", "0")
    assert "all regions together" in page.get("fit_words", "text")
    page.set("run", "value", view.runs[1].name)
    assert "Nothing was fitted" in page.get("fit_words", "text")
    page.set("run", "value", view.runs[0].name)


def test_command_and_position_are_copied(page, view):
    page.run("navigator.clipboard.writeText = (text) => Promise.resolve(window.taken = text)")
    page.press("copy_command")
    assert page.run("return window.taken") == view.commands[0]
    page.set("pixels", "selected.indices", [3])
    assert view.commands[1] in page.get("command", "text")
    page.press("copy_command")
    assert page.run("return window.taken") == view.commands[1]
    page.press("copy_sky")
    place = celestial_wcs().pixel_to_world(page.get("col", "value"), page.get("row", "value"))
    assert page.run("return window.taken") == f"{place.ra.deg:.7f} {place.dec.deg:.7f}"


def test_panel_is_saved_as_svg(page):
    script = "const tool = model('sed_panel').toolbar.tools.find(each => each.type === 'CustomAction');"
    page.run(f"{script} tool.callback.execute(tool)")
    text = page.downloaded("sed_panel.svg").read_text()
    assert text.startswith("<svg")
    assert "observed wavelength" in text


def of_little_use():
    """A galaxy of one cluster whose features are not known, without a flux above zero, and with a fit that failed."""
    view = galaxy_view(celestial_wcs(), (9, 9), 2, bands=("f606w", "f444w"), n_runs=1)
    [run], nothing = view.runs, np.full(len(view.rows), np.nan)
    one = {"labels": np.ones(len(view.rows), int), "regions": np.ones(1, int), "fraction": np.ones((1, len(view.rows)))}
    one |= {"composites": run.composites[:, :1], "populations": run.populations[:, :1]}
    run = run._replace(**one, layers=(), models=(FitView(1, "too few bands", False),))
    layer = view.layers[0]._replace(values=nothing, error=nothing)
    return view._replace(runs=(run,), layers=(layer,), flux=-np.abs(view.flux))


def test_theme_is_that_of_the_browser(page, browser, tmp_path):
    assert page.get("sed_panel", "background_fill_color") == LIGHT[PANEL]
    path = tmp_path / "7.html"
    path.write_text(explorer_page(of_little_use()))
    with browser.theme("dark"):
        browser.open(path)
        assert browser.get("sed_panel", "background_fill_color") == PANEL
        browser.set("layer", "value", "layer0")  # of which nothing is known: a map without a pixel, and no error
    assert np.isnan(values(browser, "pixels", "colour_x")).all()
    assert browser.get("fit_words", "text") == "<b>cluster 1</b> was not fitted: too few bands"
    assert not {*LIGHT} & {*LIGHT.values()}  # so that replacing one colour never touches another


def test_two_galaxies_side_by_side(browser, tmp_path):
    (tmp_path / "compare.html").write_text(COMPARE)
    for number in (7, 8):
        (tmp_path / f"{number}.html").write_text(f"<!doctype html><title>{number}</title>galaxy {number}")
    browser.driver.get(f"{(tmp_path / 'compare.html').as_uri()}?left=7&right=8")
    assert browser.run("return all('iframe').map(each => each.src.split('/').at(-1))") == ["7.html", "8.html"]
    browser.driver.get(f"{(tmp_path / 'compare.html').as_uri()}?left=javascript:1")
    assert browser.run("return all('iframe').map(each => each.src)") == ["", ""]


# ---- without a browser ------------------------------------------------------


def test_command_line_is_read_back_as_the_settings():
    asked = ["--ids", "7", "--methods", "kmeans", "--norm", "default", "L2", "--snr-thresh", "2.5", "--no-pixel-cubes"]
    asked += ["--snr-bands", "f444w=5", "--fit", "--fit-priors", "a_v=0,3", "--output", "a folder", "--jobs", "3"]
    defaults = collect_block({})
    settings = read_command_line(defaults, asked)
    text = command_line(settings, 7)
    assert "a folder'" in text
    assert "--jobs" not in text
    again = read_command_line(defaults, shlex.split(text)[2:])
    assert again == settings.changed(jobs=1)


def test_every_feature_and_fitted_quantity_has_a_label():
    assert {*SED_FEATURES, *QUANTITIES} <= {*LABELS}


def test_masses_are_logarithms_and_line_fluxes_in_the_unit_of_the_pictures():
    found = layer_of("mass", np.array([1e6, 0, np.nan]), np.array([1e5, 1, 1]), "solMass")
    assert (found.title, found.unit) == ("log stellar mass", "M⊙ / pixel")
    np.testing.assert_allclose(found.values, [6, np.nan, np.nan])
    np.testing.assert_allclose(found.error[0], 0.1 / np.log(10), rtol=1e-6)
    found = layer_of("flux_halpha_nii", np.array([3e-20, -1e-20]), None, "erg / (s cm2)")
    np.testing.assert_allclose(found.values, [3, -1])
    assert layer_of("unknown", np.zeros(1), None, "K")[3:] == ("K", "")


def test_fits_without_posteriors_have_reasons(tmp_path):
    assert read_fits(tmp_path, 7, "kmeans") == ()
    table = Table({"cluster": [1, 2], "status": ["ok", "not fitted"], "note": ["", "too few bands"]})
    save_table(output_path(tmp_path, "fits", run="kmeans", id=7), table)
    found = read_fits(tmp_path, 7, "kmeans")
    assert [(each.is_fitted, each.note) for each in found] == [(False, ""), (False, "too few bands")]
