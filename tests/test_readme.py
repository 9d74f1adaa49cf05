"""The pages say what the code does: their tables, examples, links and command lines."""

import argparse
import importlib
import re
import shlex
from pathlib import Path

import pytest

from distances import METRICS, Metric
from helper_functions.clustering import cluster_pixels
from helper_functions.job.command_line import read_command_line
from main_clustering import settings_block
from tests.readme_tables import PAGES, ROOT, TABLES, with_tables

COMMAND = re.compile(r"python (?:-m (?P<module>[\w.]+)|(?P<script>\w+\.py))(?P<arguments>[^\n`#|]*)")


def commands(pages):
    """Every command line in the pages that runs something of the project: (page, module or script, arguments)."""
    found = []
    for page in pages:
        for match in COMMAND.finditer(page.read_text()):
            name = match["module"] or match["script"]
            if name != "pytest":
                found.append((page.name, name, tuple(shlex.split(match["arguments"].split(" && ")[0]))))
    return list(dict.fromkeys(found))


COMMANDS = commands(PAGES)


def test_tables_are_those_of_the_registries():
    text = "".join(page.read_text() for page in PAGES)
    assert with_tables(text) == text, "run: python -m tests.readme_tables"
    assert sorted(re.findall(r"<!-- table: (\w+) -->", text)) == sorted(TABLES)
    with pytest.raises(ValueError, match="no table of nails: there are those of front_outputs"):
        with_tables("<!-- table: nails -->\n<!-- end of table -->")


def test_the_metric_of_the_pages_can_be_added_as_they_say(two_shapes, monkeypatch):
    page = ROOT / "helper_functions" / "CONTRIBUTING.md"
    example = re.search(r"```python\n(def colours.*?)```", page.read_text(), flags=re.S)[1]
    monkeypatch.setattr("distances.METRICS", METRICS)
    names = {"np": __import__("numpy"), "METRICS": METRICS, "Metric": Metric}
    try:
        exec(example, names)
        labels = cluster_pixels(two_shapes.seds, method="kmeans", metric="colours", n_clusters=2).labels
    finally:
        METRICS.pop("colours", None)
    assert (labels == two_shapes.truth).all()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_links_and_files_exist(page):
    targets = [target.split("#")[0] for target in re.findall(r"\]\(([^)]+)\)", page.read_text())]
    targets = [target for target in targets if not target.startswith("https://")]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_there_are_command_lines_to_look_at():
    names = [name for _, name, _ in COMMANDS]
    assert names.count("main_clustering.py") > 8
    assert len(set(names)) > 8


class Parsed(Exception):
    """A command line was parsed: what it asks for is not done."""


@pytest.mark.parametrize(("page", "name", "arguments"), COMMANDS)
def test_every_command_line_is_one_that_the_code_understands(page, name, arguments, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    files = "my.csv", "my_ids.txt", "my.reg", "my_36.reg", "magnification.fits", "kappa.fits", "gamma.fits"
    for file in files:
        Path(file).write_text("id\n36\n" if file.endswith("csv") else "36 778\n", encoding="utf-8")
    if name == "main_clustering.py":
        monkeypatch.setitem(METRICS, "colours", METRICS["euclidean"])  # a page adds it first
        read_command_line(settings_block(), list(arguments))
        return
    parse = argparse.ArgumentParser.parse_args

    def only_parse(parser, given=None, *others):
        parse(parser, list(arguments), *others)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", only_parse)
    if name == "tests.readme_tables":  # it takes no arguments
        assert not arguments
        return
    with pytest.raises((Parsed, SystemExit)) as ended:
        importlib.import_module(name).main()
    assert not isinstance(ended.value, SystemExit) or ended.value.code == 0  # as --help ends


def test_a_command_line_with_a_flag_that_is_no_more_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("    python main_clustering.py --ids 36 --colour red  # a comment\n")
    [(_, name, arguments)] = commands([page])
    assert name == "main_clustering.py"
    with pytest.raises(SystemExit):
        read_command_line(settings_block(), arguments)
