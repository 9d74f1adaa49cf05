"""From selected pixels on a page over the saved region to a run of it."""

import numpy as np
from conftest import write_survey

from explorer.test_page import choose_tool, click, drag, values
from helper_functions.explorer.pages import make_page
from helper_functions.products.labels import read_labels
from main_clustering import main


def test_brushed_pixels_come_back_as_a_run(browser, tmp_path):
    """From a box on the map over the saved file to a run with --regions."""
    survey, output = write_survey(tmp_path / "survey"), tmp_path / "out"
    call = ["--catalogs", str(survey), "--output", str(output), "--ids", "7", "--methods", "kmeans"]
    call += ["--n-clusters", "2", "--pictures", "none"]
    assert main([*call, "--no-explorer"]) == 0
    browser.open(make_page(output, 7))
    rows, cols = values(browser, "pixels", "row").astype(int), values(browser, "pixels", "col").astype(int)
    middle = np.median(cols), np.median(rows)
    choose_tool(browser, "LassoSelectTool")
    drag(browser, "colour_panel", [(middle[0] + x, middle[1] + y) for x, y in ((-5.3, -4), (5.4, -3), (0.2, 6.3))])
    chosen = browser.get("pixels", "selected.indices")
    assert 20 < len(chosen) < len(rows)
    click(browser, "save_region")
    path = tmp_path / "own.reg"
    path.write_bytes(browser.downloaded("7_region.reg").read_bytes())
    assert main([*call, "--no-explorer", "--regions", str(path)]) == 0
    [own] = output.glob("clusters/*own*/7_clusters.fits")
    brushed = np.zeros_like(read_labels(own).labels, dtype=bool)
    brushed[rows[chosen], cols[chosen]] = True
    np.testing.assert_array_equal(read_labels(own).labels > 0, brushed)
