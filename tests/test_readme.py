"""The README says what the code does."""

import re
from pathlib import Path

import pytest

from distances import METRICS, Metric
from helper_functions.clustering import cluster_pixels
from helper_functions.job.readme_tables import PAGES, ROOT, TABLES, with_tables

README = ROOT / "README.md"
ALL_PAGES = [README, *ROOT.glob("helper_functions/**/*.md")]


def test_tables_are_those_of_the_registries():
    text = "".join(page.read_text() for page in PAGES)
    assert with_tables(text) == text, "run: python -m helper_functions.job.readme_tables"
    assert sorted(re.findall(r"<!-- table: (\w+) -->", text)) == sorted(TABLES)
    with pytest.raises(ValueError, match="no table of nails: there are those of settings, methods"):
        with_tables("<!-- table: nails -->\n<!-- end of table -->")


def test_the_metric_of_the_readme_can_be_added_as_it_says(two_shapes, monkeypatch):
    example = re.search(r"```python\n(def colours.*?)```", README.read_text(), flags=re.S)[1]
    monkeypatch.setattr("distances.METRICS", METRICS)
    names = {"np": __import__("numpy"), "METRICS": METRICS, "Metric": Metric}
    try:
        exec(example, names)
        labels = cluster_pixels(two_shapes.seds, method="kmeans", metric="colours", n_clusters=2).labels
    finally:
        METRICS.pop("colours", None)
    assert (labels == two_shapes.truth).all()


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_links_and_files_exist(page):
    text = page.read_text()
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    assert targets
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_modules_in_commands_exist(page):
    for module in re.findall(r"python -m ((?:helper_functions|tests)\.[\w.]+)", page.read_text()):
        assert (ROOT / Path(*module.split("."))).with_suffix(".py").exists(), module
