"""The page of a galaxy in a browser: what it shows must be what is in the arrays that it was made of."""

import re

import numpy as np
import pytest
from astropy.table import Table
from conftest import celestial_wcs
from matplotlib.path import Path as Polygon

from explorer.views import EVIL, NOISE, SHAPES, galaxy_view
from helper_functions.composite_seds import best_fit_amplitude, sum_error
from helper_functions.pixel_seds import PixelSEDs
from plots.explorer.page import explorer_page
from plots.explorer.sources import MAX_SEDS, sources, thinning
from plots.style import cluster_colours

FLOAT32 = 1e-6  # relative: a few times the rounding of single precision


def written(folder, view):
    path = folder / f"{view.id_dr3}.html"
    path.write_text(explorer_page(view))
    return path


@pytest.fixture(scope="module")
def view():
    return galaxy_view(celestial_wcs(), name=EVIL)


@pytest.fixture(scope="module")
def opened(browser, view, tmp_path_factory):
    browser.open(written(tmp_path_factory.mktemp("pages"), view))
    return browser


@pytest.fixture
def page(opened, view):
    """The page as it was at first."""
    first = {"run": view.runs[0].name, "layer": "labels", "cluster": ""}
    script = """
      model("pixels").selected.indices = []
      for (const name of ["hold", "frame"]) model(name).active = name === "hold" ? false : 0
      for (const [name, value] of Object.entries(arguments[0])) model(name).value = value
    """
    opened.run(script, first)
    opened.settle()
    return opened


def values(browser, name, column):
    return np.array(browser.get(name, f"data.{column}"), dtype=float)


def image(browser, name, shape):
    """RGBA of an image, uint8 of shape (ny, nx, 4)."""
    return np.array(browser.get(name, "data.image")[0], dtype=np.uint32).view(np.uint8).reshape(*shape, 4)


def tap(browser, view, pixel):
    browser.point("map_panel", int(view.cols[pixel]), int(view.rows[pixel]), click=True)


def test_tapped_pixel_shows_its_sed_and_those_of_its_cluster_scaled_to_it(page, view):
    pixel = 100
    tap(page, view, pixel)
    np.testing.assert_array_equal(values(page, "pixel_sed", "flux"), view.flux[pixel])
    np.testing.assert_array_equal(values(page, "pixel_sed", "error"), view.error[pixel])
    np.testing.assert_allclose(values(page, "pixel_sed", "x"), view.wavelengths / 1e4)
    label = view.runs[0].labels[pixel]
    for name, seds in (("composite_sed", view.runs[0].composites), ("population_sed", view.runs[0].populations)):
        template = seds[0, label - 1]
        amplitude, _ = best_fit_amplitude(view.flux[[pixel]].astype(float), view.error[[pixel]], template)
        np.testing.assert_allclose(values(page, name, "flux"), amplitude * template, rtol=FLOAT32)
        np.testing.assert_allclose(values(page, name, "error"), amplitude * seds[1, label - 1], rtol=FLOAT32)
    words = re.sub("<[^>]*>", "", page.get("readout", "text"))
    place = celestial_wcs().pixel_to_world(view.cols[pixel], view.rows[pixel])
    for word in (
        f"row {view.rows[pixel]}, column {view.cols[pixel]}",
        f"{place.ra.deg:.6f}°, {place.dec.deg:.6f}°",
        f"cluster {label}",
        f"probability {view.runs[0].confidence[pixel]:.2g}",
        f"70% population {label} + 15% population",
    ):
        assert word in words


def test_pointer_shows_the_pixel_below_it_until_one_is_held(page, view):
    first, second, third = ((int(view.cols[pixel]), int(view.rows[pixel])) for pixel in (30, 90, 160))
    page.point("colour_panel", *first)
    assert (page.get("col", "value"), page.get("row", "value")) == first
    page.point("colour_panel", *second, click=True)
    page.point("colour_panel", *third)
    assert (page.get("col", "value"), page.get("row", "value")) == second
    page.point("colour_panel", *second, click=True)
    page.point("colour_panel", *third)
    assert (page.get("col", "value"), page.get("row", "value")) == third
    page.point("colour_panel", 10, 1)
    assert "not selected" in page.get("readout", "text")
    assert page.get("pixel_sed", "data.flux") == []


def test_arrow_keys_move_the_pixel(page, view):
    from selenium.webdriver.common.keys import Keys

    pixel = 100
    page.set("row", "value", int(view.rows[pixel]))
    page.set("col", "value", int(view.cols[pixel]))
    page.run("all('input', Bokeh.index.find_one(model('col')).el.shadowRoot)[0].focus()")
    page.keys(Keys.ARROW_UP)
    assert (view.rows[pixel + 1], view.cols[pixel + 1]) == (view.rows[pixel], view.cols[pixel] + 1)
    np.testing.assert_array_equal(values(page, "pixel_sed", "flux"), view.flux[pixel + 1])


def test_map_is_the_labels_of_the_run_in_the_colours_of_its_regions(page, view):
    for run in view.runs:
        page.set("run", "value", run.name)
        drawn = image(page, "map_image", view.shape)[view.rows, view.cols].astype(int)
        colours = 255 * cluster_colours(run.regions)[np.maximum(run.labels, 1) - 1, :3]
        colours[run.labels == -1] = 255 * 0.25
        assert np.abs(drawn[:, :3] - colours).max() <= 1  # of 255: colours are rounded twice
        assert set(drawn[:, 3]) == {255}  # opaque, so that colours are those of the bar
        assert [value for value, _ in page.get("cluster", "options")] == ["", *map(str, range(1, len(run.regions) + 1))]
    assert page.get("results", "text") == "<p>This run has no features and no fits.</p>"
    assert page.get("population_sed", "data.flux") == []  # of a run that knows none


def test_highlighted_cluster_stands_out_on_the_map_and_among_the_seds(page, view):
    page.set("cluster", "value", "2")
    opacity = image(page, "map_image", view.shape)[view.rows, view.cols, 3]
    bright = opacity == opacity.max()
    np.testing.assert_array_equal(bright, view.runs[0].labels == 2)
    assert np.argmax(page.get("shapes", "data.width")) == 1
    scaled = SHAPES[1] / SHAPES[1].mean()
    np.testing.assert_allclose(values(page, "shape_points", "flux"), scaled, rtol=FLOAT32)


def test_layer_is_drawn_from_low_to_high_and_read_with_its_error(page, view):
    pixel = 60
    page.set("layer", "value", "layer0")
    tap(page, view, pixel)
    assert f"{float(f'{view.layers[0].values[pixel]:.3g}'):g} ± 0.1 [Angstrom]" in page.get("readout", "text")
    drawn = image(page, "map_image", view.shape)[view.rows, view.cols, :3].sum(axis=1, dtype=int)
    assert (page.get("colour_bar", "visible"), page.get("colour_bar", "title")) == (
        True,
        f"equivalent width{EVIL} [Angstrom]",
    )
    page.set("run", "value", view.runs[1].name)
    assert page.get("layer", "value") == "layer0"  # which is of the galaxy, and stays
    page.set("layer", "value", "labels")
    assert not page.get("colour_bar", "visible")
    order = np.argsort(view.layers[0].values)
    assert drawn[order[0]] < drawn[order[len(order) // 2]] < drawn[order[-1]]  # cividis is brighter for more


def drag(browser, name, corners):
    """Move the mouse over places of a panel with its button held."""
    from selenium.webdriver import ActionChains

    from explorer.browser import AT

    actions = ActionChains(browser.driver, duration=10)
    pointer = actions.w3c_actions.pointer_action
    for number, corner in enumerate(corners):
        pointer.move_to_location(*map(round, browser.run(AT, name, *corner)))
        if number == 0:
            pointer.pointer_down()
    pointer.pointer_up()
    actions.perform()
    browser.settle()


def choose_tool(browser, kind):
    script = "model('colour_panel').toolbar.tools.find(each => each.type === arguments[0]).active = true"
    browser.run(script, kind)
    browser.settle()


def test_box_and_lasso_show_the_mean_of_their_pixels_with_its_error(page, view):
    choose_tool(page, "BoxSelectTool")
    drag(page, "colour_panel", [(14.6, 8.6), (20, 12), (25.4, 15.4)])
    inside = (view.cols > 14.6) & (view.cols < 25.4) & (view.rows > 8.6) & (view.rows < 15.4)
    assert page.get("pixels", "selected.indices") == np.flatnonzero(inside).tolist()
    corners = [(17.4, 8.4), (29.4, 8.4), (26.4, 18.6), (22.4, 12.4), (18.4, 17.4)]
    choose_tool(page, "LassoSelectTool")
    drag(page, "colour_panel", corners)
    chosen = np.array(page.get("pixels", "selected.indices"))
    # The mouse is at whole points of the screen, 0.04 of a pixel apart here: no pixel is that near to the lasso.
    inside = Polygon(corners).contains_points(np.column_stack([view.cols, view.rows]))
    assert chosen.tolist() == np.flatnonzero(inside).tolist()
    assert len(chosen) > 40
    flux, error = view.flux[chosen].astype(float), view.error[chosen].astype(float)
    seds = PixelSEDs(
        flux,
        error,
        view.bands,
        view.wavelengths,
        view.rows[chosen],
        view.cols[chosen],
        correlation=view.correlation,
        background_error=view.background_error,
    )
    number = np.isfinite(flux).sum(axis=0)
    np.testing.assert_allclose(values(page, "region_sed", "flux"), np.nanmean(flux, axis=0), rtol=1e-10)
    expected = sum_error(seds, np.ones(flux.shape)) / number
    np.testing.assert_allclose(values(page, "region_sed", "error"), expected, rtol=1e-10)  # the same sum over pairs
    assert (expected > 1.5 * NOISE / np.sqrt(number)).any()  # the control: without correlation it would be smaller


def click(browser, name):
    """A click of the mouse: after the first download, a browser lets no other script start one."""
    browser.run("return all('button', Bokeh.index.find_one(model(arguments[0])).el.shadowRoot)[0]", name).click()


def test_mean_is_saved_as_a_table(page, view):
    page.set("pixels", "selected.indices", [3, 4, 50])
    click(page, "save_sed")
    table = Table.read(page.downloaded("7_region_sed.ecsv"), format="ascii.ecsv")
    assert table["band"].tolist() == list(view.bands)
    assert (str(table["wave_obs"].unit), str(table["flux"].unit)) == ("Angstrom", "10 nJy")
    np.testing.assert_allclose(table["flux"], np.nanmean(view.flux[[3, 4, 50]].astype(float), axis=0))
    np.testing.assert_array_equal(table["flux_err"], values(page, "region_sed", "error"))
    assert table.meta["rows"] == view.rows[[3, 4, 50]].tolist()
    assert (table.meta["id_dr3"], table.meta["redshift"]) == (7, 2.0)


def test_colour_image_is_the_asinh_of_the_brightness_in_the_colours_of_three_bands(page, view):
    chosen = [4, 2, 1]
    for name, band in zip(("red", "green", "blue"), chosen, strict=True):
        page.set(name, "value", view.bands[band])
    page.set("stretch", "value", 1.5)
    channels = view.images[chosen].astype(float)
    channels /= np.nanmean(channels[:, view.rows, view.cols], axis=1)[:, None, None]
    mean = channels.mean(axis=0)
    brightest = np.sort(mean[view.rows, view.cols])[int(0.995 * (len(view.rows) - 1))]
    softening = 10**1.5
    stretched = np.arcsinh(softening * mean / brightest) / np.arcsinh(softening)
    colour = np.maximum(channels * np.where(mean > 0, stretched / mean, 0), 0)
    colour /= np.maximum(colour.max(axis=0), 1)
    drawn = image(page, "colour_image", view.shape)
    bright = mean > 0.3 * brightest
    expected = 255 * colour.transpose(1, 2, 0)
    # Of 255: one by cutting to whole numbers, and one by images in 16 bits, here of a galaxy with little signal.
    assert np.abs(drawn[..., :3] - expected)[bright].max() < 2


def test_rest_frame_moves_all_wavelengths_and_lines(page, view):
    page.set("frame", "active", 1)
    page.set("pixels", "selected.indices", [5])
    rest = view.wavelengths / 3 / 1e4
    for name in ("region_sed", "composite_sed", "shape_points"):
        np.testing.assert_allclose(values(page, name, "x")[: len(rest)], rest)
    names = dict(zip(page.get("lines", "data.name"), page.get("lines", "data.x"), strict=True))
    assert names["Hα"] == pytest.approx(0.6565)
    assert "Paα" not in names  # beyond the reddest band
    page.set("frame", "active", 0)
    assert dict(zip(*(page.get("lines", f"data.{each}") for each in ("name", "x")), strict=True))["Hα"] > 1.9


def test_panels_share_zoom(page):
    page.run("model('colour_panel').x_range.start = 12")
    assert page.get("map_panel", "x_range.start") == 12


def test_names_are_text_whatever_they_hold(page, view):
    page.set("layer", "value", "layer0_0")
    tap(page, view, 5)
    assert page.run("return window.injected === undefined")
    assert page.run("return all('script').filter(each => each.textContent.includes('window.injected = 1')).length") == 0
    text = page.run("return all('div').map(each => each.innerText ?? '').join(' ')")
    for word in (f"a note{EVIL}", f"spectral{EVIL}: failed", f"similarity{EVIL}", f"light of population 1{EVIL}"):
        assert word in text


def test_galaxy_without_cubes_and_redshift_whose_only_run_found_nothing(browser, view, tmp_path):
    nothing = view.runs[1]._replace(labels=np.full(len(view.rows), -1), regions=np.zeros(0, int), composites=SHAPES[:0])
    nothing = nothing._replace(composites=np.zeros((2, 0, 5)))
    bare = view._replace(images=None, flux=None, error=None, redshift=np.nan, runs=(nothing,), layers=())
    bare = bare._replace(agreement=None, consensus=None, failed_runs={})
    browser.open(written(tmp_path, bare))
    text = browser.run("return all('div').map(each => each.innerText ?? '').join(' ')")
    assert "redshift not known" in text
    assert "cubes of this galaxy were not kept" in text
    assert "in no cluster" in browser.get("readout", "text")
    assert (image(browser, "map_image", view.shape)[view.rows, view.cols, 3] > 0).all()


def test_galaxy_without_pixels_and_runs_in_two_bands(browser, tmp_path):
    none = galaxy_view(celestial_wcs(), radius=0, bands=("f606w", "f444w"), n_runs=1)._replace(runs=())
    browser.open(written(tmp_path, none))
    text = browser.run("return all('div').map(each => each.innerText ?? '').join(' ')")
    assert "No pixel of this galaxy is selected" in text
    assert len(np.unique(image(browser, "colour_image", none.shape)[..., 0])) > 10  # the image is there
    nothing = {"images": None, "flux": None, "error": None, "bands": (), "wavelengths": np.zeros(0), "layers": ()}
    more = {"shape": (1, 1), "sky": {}, "correlation": np.ones((0, 1)), "background_error": np.zeros(0)}
    browser.open(written(tmp_path, none._replace(**nothing, **more)))
    assert "no memory" in browser.run("return all('div').map(each => each.innerText ?? '').join(' ')")


def test_page_of_5000_pixels_in_27_bands_with_seven_runs_is_below_4_mb():
    bands = [f"f{number:03d}w" for number in range(27)]
    large = galaxy_view(celestial_wcs(), (150, 150), 40, bands=bands, n_runs=7)
    assert len(large.rows) == pytest.approx(5000, rel=0.02)
    assert len(explorer_page(large, "assets")) < 3.5e6


def test_beyond_some_size_pixels_are_thinned_and_the_page_says_so():
    large = galaxy_view(celestial_wcs(), (240, 240), 113, bands=("f606w", "f444w"), n_runs=1)
    assert len(large.rows) > 40_000
    known, tables = sources(large)
    pixels = tables["pixels"].data
    assert known["step"] == 3
    assert MAX_SEDS / 3 < len(pixels["row"]) < MAX_SEDS
    assert len(tables["map"].data["row"]) == len(large.rows)  # of the map, none
    place = np.flatnonzero((large.rows == pixels["row"][500]) & (large.cols == pixels["col"][500]))[0]
    assert pixels["flux1"][500] == large.flux[place, 1]
    assert [thinning(number) for number in (0, 1, MAX_SEDS, MAX_SEDS + 1)] == [1, 1, 1, 2]


def test_an_id_is_text_in_a_page_as_numbers_there_end_at_2_to_the_53():
    view = galaxy_view(celestial_wcs(), (20, 20), 5, bands=("f606w", "f444w"), n_runs=1)
    assert sources(view._replace(id_dr3=2**53 + 1))[0]["id"] == "9007199254740993"


def test_a_page_with_little_on_it_has_no_empty_layout(caplog):
    one = galaxy_view(celestial_wcs(), (20, 20), 5, bands=("f606w", "f444w"), n_runs=1)
    runs = tuple(run._replace(criteria={}) for run in one.runs)
    with caplog.at_level("WARNING", logger="bokeh"):
        explorer_page(one._replace(runs=runs, agreement=None))
    assert caplog.text == ""
