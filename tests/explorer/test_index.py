"""The list of all galaxies, in a browser: what is planted must be found, in the right order, and run no script."""

import re
import time
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import BANDS, celestial_wcs
from matplotlib.image import imread

from data_paths import output_path
from explorer.views import models_in
from helper_functions.explorer.index import FLAGS, LIST_COLUMNS, listed_galaxy, save_thumbnail, update_index
from helper_functions.pixel_seds import Cutout
from helper_functions.products.summary import EMPTY_ROW
from main_clustering import main
from plots.explorer.thumbnail import SIDE, resized, thumbnail
from plots.style import PALETTE

INJECTED = """<script>throw new Error('ran')</script><img src=x onerror="throw new Error('ran')">'"&amp;`${1}`$$x$$"""


def row(id_dr3, run="blended_mixture", **values):
    good = {"status": "ok", "n_clusters": 2, "k_low": 2, "k_high": 2, "n_pixels": 100, "redshift": 1.0}
    return EMPTY_ROW | {"id_dr3": id_dr3, "run": run} | good | values


def failed(id_dr3, status="failed", message="OSError: a file is broken", run="blended_mixture"):
    return EMPTY_ROW | {"id_dr3": id_dr3, "run": run, "status": status, "message": message}


ROWS = [
    row(7, redshift=2.0, n_pixels=441, n_clusters=3, k_low=2, k_high=4, stability=0.9, neighbours="8"),
    row(8, redshift=0.5, n_pixels=1250, n_clusters=1, stability=0.4, message="clustered in one band only"),
    row(9, redshift=np.nan, n_pixels=80, n_clusters=5, k_low=5, k_high=5, stability=0.7, misstated="f444w"),
    failed(10, "no pixels", "no pixel has an SNR above 3"),
    failed(11),
]


def write(output, rows, pages=(), thumbnails=()):
    """Make the list of these rows, and open nothing; some galaxies have pages and thumbnails."""
    for id_dr3 in pages:
        empty_page(output, id_dr3).write_text(f"<!doctype html><title>galaxy {id_dr3}</title>")
    for id_dr3 in thumbnails:
        save_thumbnail(output, galaxy_result(id_dr3), ["kmeans", "blended_mixture"])
    update_index(output, lambda: rows)
    return output_path(output, "page_index")


def galaxy_result(id_dr3):
    """A bright square on a dark sky of which one run has two halves, and the other one cluster."""
    sci = np.zeros((len(BANDS), 40, 60), dtype=np.float32)
    sci[:, 10:20, 15:35] = 1
    labels = np.zeros((40, 60), dtype=int)
    labels[10:20, 15:35] = 1
    halves = np.where((labels == 1) & (np.arange(60) >= 25), 2, labels)
    one, two = (SimpleNamespace(labels=each, regions=np.arange(1, each.max() + 1)) for each in (labels, halves))
    known = {"id_dr3": id_dr3, "bands": BANDS, "sci": sci, "err": np.full_like(sci, 0.1), "segmap": labels}
    cutout = Cutout(**{name: None for name in Cutout._fields} | known | {"wcs": celestial_wcs()})
    return SimpleNamespace(cutout=cutout, panels=(one, two))


def shown(browser):
    """Ids of the galaxies that are shown, in their order."""
    return [int(each) for each in browser.run("return all('td:nth-child(2) b').map(each => each.textContent)")]


def opened(browser, path):
    browser.open(path)
    browser.wait("return model('count').text.length > 0")
    browser.settle()
    return browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The list of ROWS, of which two galaxies have a page and a thumbnail."""
    return write(tmp_path_factory.mktemp("listed"), ROWS, pages=[7, 8], thumbnails=[7, 8])


@pytest.fixture
def listing(browser, page):
    """It is open in the browser."""
    return opened(browser, page)


def test_what_is_known_is_shown(listing):
    lines = listing.run("return all('tbody tr').map(each => each.innerText.split(/\\s+/).join(' ').trim())")
    assert lines[0] == "7 blended_mixture compare 2.000 441 – 3 2–4 – – – 0.90 – number uncertain neighbours included"
    assert lines[1] == "8 blended_mixture compare 0.500 1,250 – 1 2–2 – – – 0.40 – clustered in one band only"
    assert lines[3].endswith("10 blended_mixture – – – – – – – – – no pixels no pixel has an SNR above 3")
    assert lines[4].endswith("failed OSError: a file is broken")
    assert [each.text for each in listing.find("i.wrong")] == ["failed"]  # the other one's pixels are nobody's fault
    assert "5 galaxies" in listing.get("count", "text")


def test_sorted_both_ways(listing):
    assert shown(listing) == [7, 8, 9, 10, 11]
    for name, known, unknown in (  # what is not known comes last both ways
        ("redshift", [8, 7], [9, 10, 11]),
        ("n_pixels", [9, 7, 8], [10, 11]),
        ("n_clusters", [8, 7, 9], [10, 11]),
        ("stability", [8, 9, 7], [10, 11]),
    ):
        listing.press(name)
        assert shown(listing) == known + unknown
        listing.press(name)
        assert shown(listing) == known[::-1] + unknown
    listing.press("id_dr3")
    assert shown(listing) == [7, 8, 9, 10, 11]


def test_searched(listing):
    [field] = listing.find("input[type=text]:not(.bk-spin)")[:1]
    for words, found in {"10": [10], "BROKEN file": [11], "uncertain": [7], "mixture": [7, 8, 9, 10, 11]}.items():
        field.clear()
        field.click()
        listing.keys(words)
        assert shown(listing) == found
    field.clear()
    field.click()
    listing.keys("nowhere")
    assert shown(listing) == []
    assert listing.find(".nothing")[0].text.startswith("No galaxy fits")
    assert "0 galaxies found among 5" in listing.get("count", "text")


def test_narrowed(listing):
    sliders = {"redshift": ([0.5, 1.9], [8]), "n_clusters": ([2, 5], [7, 9]), "stability": ([0.6, 0.9], [7, 9])}
    for name, (value, found) in sliders.items():
        full = listing.get(f"range_{name}", "value")
        listing.set(f"range_{name}", "value", value)
        assert shown(listing) == found
        listing.set(f"range_{name}", "value", full)
        assert shown(listing) == [7, 8, 9, 10, 11]
    for menu, choices in {
        "outcome": {"ok": [7, 8, 9], "failed": [11], "no pixels": [10]},
        "flag": {"number uncertain": [7], "errors misstated": [9], "none": [8, 10, 11]},
    }.items():
        for choice, found in choices.items():
            listing.set(menu, "value", choice)
            assert shown(listing) == found
        listing.set(menu, "value", "any")


def test_says_what_its_columns_are(listing):
    assert not listing.find("details p")[0].is_displayed()
    listing.find("summary")[0].click()
    lines = [each.text for each in listing.find("details p")]
    assert lines[2] == "pixels selected pixels"
    assert len(lines) == len(LIST_COLUMNS)


def test_links_lead_to_pages_that_there_are(listing):
    links = listing.run("return all('tbody a').map(each => each.getAttribute('href'))")
    assert links == ["./7.html"] * 2 + ["./8.html"] * 2
    pictures = listing.run("return all('img').map(each => [each.getAttribute('src'), each.naturalWidth])")
    assert pictures == [["thumbnails/7.png", 2 * SIDE], ["thumbnails/8.png", 2 * SIDE]]
    listing.run("all('tbody a b')[1].click()")
    listing.wait("return document.title == 'galaxy 8'")


def test_works_by_keyboard(listing):
    """From the search to the first galaxy with the tabulator: each is reached, and does its work."""
    from selenium.webdriver.common.keys import Keys

    focused = """
      let at = document.activeElement
      while (at.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
      return at.className + " " + at.textContent.trim()
    """
    listing.find("input")[0].click()
    listing.keys("blended")
    reached = []
    while not reached or not reached[-1].endswith(" 7"):
        assert len(reached) < 40
        listing.keys(Keys.TAB)
        reached.append(listing.run(focused))
        if "noUi-handle-upper" in reached[-1] and sum("upper" in each for each in reached) == 1:
            listing.keys(Keys.ARROW_LEFT)  # of the range of redshifts
            assert listing.get("range_redshift", "value")[1] < 2
            assert shown(listing) == [8]
            listing.keys(Keys.ARROW_RIGHT)
        if reached[-1].endswith("redshift"):
            listing.keys(Keys.ENTER)
            assert shown(listing)[0] == 8
            listing.keys(Keys.SPACE)  # the focus is still there
            assert shown(listing)[0] == 7
    assert any(each.endswith("stable") for each in reached)
    listing.keys(Keys.ENTER)
    listing.wait("return document.title == 'galaxy 7'")


def test_text_runs_no_script(browser, tmp_path):
    """Whatever names and messages hold is shown as it is; the browser fails the test where any of it runs."""
    rows = [row(7, run=INJECTED, message=INJECTED, neighbours="8"), failed(8, INJECTED, INJECTED, INJECTED)]
    opened(browser, write(tmp_path / "a <b> 'c' \"d\" & <script>e", rows))
    assert browser.run("return all('td p').map(each => each.textContent)") == [INJECTED] * 2
    assert browser.run("return all('tbody small').map(each => each.textContent)")[::2] == [INJECTED] * 2
    assert "a <b> 'c' \"d\" & <script>e" in browser.run("return all('span').map(each => each.textContent).join()")
    browser.set("outcome", "value", INJECTED)
    assert shown(browser) == [8]


def test_control_an_injected_script_is_seen(browser, tmp_path, monkeypatch):
    """Without the escapes, the test above fails."""
    monkeypatch.setattr("plots.explorer.index.escape", lambda text: text)
    browser.open(write(tmp_path, [row(7, message="<img src=x onerror=\"throw new Error('ran')\">")]))
    browser.wait("return model('count').text.length > 0")
    with pytest.raises(AssertionError, match="ran"):
        browser.check()


def test_five_thousand_galaxies(browser, tmp_path):
    rng = np.random.default_rng(0)
    redshifts = rng.permutation(5000) / 500
    rows = [row(1 + number, redshift=z, message="a note of some length " * 4) for number, z in enumerate(redshifts)]
    start = time.process_time()
    path = write(tmp_path, rows)
    assert time.process_time() - start < 3  # 0.9 s on one thread; the bound is for a machine that is busy
    start = time.monotonic()
    opened(browser, path)
    browser.press("redshift")
    assert time.monotonic() - start < 10  # 1 s
    assert shown(browser) == list(np.argsort(redshifts)[:50] + 1)
    assert "1–50 of 5,000 galaxies" in browser.get("count", "text")
    browser.set("page", "value", 100)
    assert shown(browser) == list(np.argsort(redshifts)[-50:] + 1)
    browser.press("forward")
    assert browser.get("page", "value") == 100
    browser.press("back")
    assert browser.get("page", "value") == 99
    browser.press("redshift")  # the other way round, from the first page on
    assert shown(browser) == list(np.argsort(-redshifts)[:50] + 1)
    browser.set("range_redshift", "value", [0, 0.05])
    assert (browser.get("page", "value"), browser.get("page", "high"), len(shown(browser))) == (1, 1, 26)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_readable_at_1280(browser, page, theme):
    """Nothing is cut off at the right, and words stand out from the ground (WCAG 2.1: a contrast of 4.5 at least)."""
    with browser.theme(theme):
        listing = opened(browser, page)
        assert listing.run("return document.documentElement.scrollWidth <= innerWidth && innerWidth") == 1280
        colours = listing.run("return all('td, p, small, a, i, button').map(each => getComputedStyle(each).color)")
        ground = luminance(listing.run("return getComputedStyle(document.documentElement).backgroundColor"))
    assert (ground < 0.5) == (theme == "dark")
    assert len(colours) > 50
    for colour in set(colours):
        darker, brighter = sorted([luminance(colour), ground])
        assert (brighter + 0.05) / (darker + 0.05) > 4.5


def luminance(colour):
    """Relative luminance of "rgb(r, g, b)", as WCAG 2.1 defines it."""
    values = np.array(re.findall(r"[\d.]+", colour)[:3], dtype=float) / 255
    return np.where(values <= 0.03928, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


# ---- without a browser ------------------------------------------------------


def test_a_call_of_the_main_job_leaves_it_and_the_next_one_adds(survey_folder, tmp_path, monkeypatch):
    path = output_path(tmp_path / "out", "page_index")
    how = "--methods kmeans --n-clusters 2 --pictures none"
    monkeypatch.setattr("helper_functions.explorer.pages.page_or_warning", empty_page)

    def call(*flags):
        folders = ["--catalogs", str(survey_folder), "--output", str(tmp_path / "out")]
        return main([*folders, *how.split(), *flags])

    assert call("--ids", "10", "--no-explorer") == 0
    assert not path.exists()
    assert call("--ids", "10", "7", "--explorer") == 0
    assert pictures_in(path) == {7}
    assert "0 of 81 pixels exceed" in models_in(path)  # of 10
    assert "./7.html" in models_in(path)
    assert call("--ids", "8", "--explorer") == 0
    assert pictures_in(path) == {7, 8}
    thumbnails = output_path(tmp_path / "out", "thumbnail", id=7), output_path(tmp_path / "out", "thumbnail", id=8)
    assert all(each.exists() for each in thumbnails)
    assert call("--ids", "8", "--explorer", "--snr-thresh", "1000") == 0  # it has no pixels now: nothing stale is left
    assert [each.exists() for each in thumbnails] == [True, False]
    assert pictures_in(path) == {7}
    monkeypatch.setattr("plots.explorer.index.index_page", lambda listed, assets: 1 / 0)
    path.unlink()
    with pytest.warns(UserWarning, match=r"no list of all galaxies \(ZeroDivisionError"):
        assert call("--ids", "7", "--explorer") == 0


def empty_page(output, id_dr3, is_standalone=False):
    """What stands for the page of a galaxy, which takes a second to make."""
    path = output_path(output, "page", id=id_dr3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def pictures_in(path):
    """Ids of the galaxies of which the list has a thumbnail."""
    return {int(id_dr3) for id_dr3 in re.findall(r"thumbnails/(\d+)\.png", models_in(path))}


def test_a_run_that_adds_galaxies_brings_it_up_to_date(tmp_path):
    path = write(tmp_path, ROWS[:2])
    first = models_in(path)
    written = path.stat().st_mtime_ns
    assert "a file is broken" not in first
    write(tmp_path, ROWS[:2])
    assert path.stat().st_mtime_ns == written  # nothing is new
    write(tmp_path, ROWS)
    assert "a file is broken" in models_in(path)
    assert "./7.html" not in models_in(path)
    write(tmp_path, ROWS, pages=[7])
    assert "./7.html" in models_in(path)


def test_the_recommended_run_stands_for_a_galaxy():
    runs = [row(7, "agglomerative", n_clusters=9), row(7, n_clusters=3), failed(7, run="kmeans")]
    galaxy = listed_galaxy(runs)
    assert (galaxy.run, galaxy.values["n_clusters"], galaxy.flags) == ("blended_mixture", 3, ("other runs failed",))
    galaxy = listed_galaxy([failed(7), *runs[:1]])
    assert (galaxy.run, galaxy.is_ok, galaxy.flags) == ("agglomerative", True, ("other runs failed",))
    galaxy = listed_galaxy([failed(7, "refused", run="a"), failed(7, "no pixels", run="b")])
    assert (galaxy.status, galaxy.is_expected, galaxy.flags) == ("no pixels", True, ())
    assert np.isnan([value for name, value in galaxy.values.items() if name != "id_dr3"]).all()


def test_flags_say_what_to_look_at():
    assert listed_galaxy([row(7)]).flags == ()
    every = {"k_low": 1, "misstated": "f444w", "neighbours": "8", "n_unassigned": 1, "n_incomplete": 1}
    every |= {"misfit": "f300m", "bands_agree": 0.2, "registration_max": 0.5, "distinct": 0.5}
    assert listed_galaxy([row(7, **every)]).flags == tuple(FLAGS)


def test_thumbnail_shows_image_and_clusters(tmp_path):
    result = galaxy_result(7)
    path = save_thumbnail(tmp_path, result, ["kmeans", "blended_mixture"])
    drawn = imread(path)[..., :3]
    assert drawn.shape == (SIDE, 2 * SIDE, 3)
    image, clusters = drawn[:, :SIDE], drawn[:, SIDE:]
    assert image[SIDE // 2, SIDE // 2].min() > 0.9  # all bands are alike: white
    assert image[2, 2].max() < 0.2
    middle = clusters[SIDE // 2]
    np.testing.assert_allclose(middle[[SIDE // 4, 3 * SIDE // 4]], PALETTE[:2], atol=0.6 / 255)  # of 8 bits
    assert not clusters[2].any()


def test_thumbnail_has_its_first_row_at_the_bottom():
    result = galaxy_result(7)
    labels = result.panels[0].labels.copy()
    labels[15:20, 15:35] = 2  # the rows above, in the sky
    clusters = thumbnail(result.cutout, labels, [1, 2])[:, SIDE:]
    blue = clusters[..., 2] > clusters[..., 0]  # the first colour of the palette
    assert blue[SIDE // 2 :].any()
    assert not blue[: SIDE // 2 - 1].any()


def test_resized_keeps_means_and_repeats_pixels():
    large = np.random.default_rng(1).random((30, 20, 3))
    small = resized(large, 10)
    np.testing.assert_allclose(small[2, 3], large[6:9, 6:8].mean(axis=(0, 1)))
    np.testing.assert_array_equal(resized(large[:2, :2], 4), np.repeat(np.repeat(large[:2, :2], 2, axis=0), 2, axis=1))
