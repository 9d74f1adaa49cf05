"""The tables of the pages, made from the registries: python -m helper_functions.job.readme_tables

Each table stands between two comments, and is replaced by what the registries say now.
"""

import re
from pathlib import Path

from data_paths import OUTPUTS
from distances import METRICS
from helper_functions.job.settings import SETTINGS, command_line_flag
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.products.exports import EXPORTS
from helper_functions.products.field import FIELD_PICTURES
from helper_functions.products.pictures import FIT_PICTURES, GALAXY_PICTURES, RUN_PICTURES
from helper_functions.quality.cross_checks import CHECKS
from helper_functions.quality.metrics import QUALITY
from helper_functions.sed_features import SED_FEATURES

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted(ROOT.glob("helper_functions/**/*.md")))
TABLE = r"(?P<start><!-- table: (?P<name>\w+) -->\n).*?(?P<end><!-- end of table -->)"


def table(heading, rows):
    """A Markdown table of rows of strings; `heading` is one of them."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, ["---"] * len(heading), *rows))


def meanings(heading, registry):
    """Table of the names in a registry and what they mean."""
    return table((heading, "meaning"), [(f"`{name}`", entry.meaning) for name, entry in registry.items()])


def settings_table():
    """Table of all settings and their flags."""
    return table(
        ("setting", "flag", "meaning"),
        [(f"`{name.upper()}`", f"`{command_line_flag(name)}`", setting.meaning) for name, setting in SETTINGS.items()],
    )


# The files that people open, which the front page names.
FRONT = (
    "page_index",
    "summary",
    "labels",
    "populations",
    "composites",
    "region_features",
    "run_picture",
    "galaxy_picture",
    "regions",
    "fits",
)


def outputs_table(names):
    """Table of these kinds of files, with parts of their names that differ in angle brackets."""
    patterns = [OUTPUTS[name].pattern.replace("{", "<").replace("}", ">") for name in names]
    meanings = [OUTPUTS[name].meaning for name in names]
    return table(
        ("file", "content"), [(f"`{each}`", meaning) for each, meaning in zip(patterns, meanings, strict=True)]
    )


def methods_table():
    """Table of the methods with their own norm, metric and criterion."""
    rows = []
    for name, entry in METHODS.items():
        own = f"{entry.norm}, {entry.metric}, {entry.criterion}"
        rows.append((f"`{name}`", entry.meaning, own))
    return table(("method", "what it does", "own norm, metric, criterion"), rows)


def features_table():
    """Table of the features of SEDs with their units and sources."""
    rows = [
        (f"`{name}`", entry.meaning + (f" [{entry.unit}]" if entry.unit else ""), entry.source)
        for name, entry in SED_FEATURES.items()
    ]
    return table(("feature", "meaning", "definition"), rows)


TABLES = {
    "front_outputs": lambda: outputs_table(FRONT),
    "more_outputs": lambda: outputs_table([name for name in OUTPUTS if OUTPUTS[name].meaning and name not in FRONT]),
    "settings": settings_table,
    "methods": methods_table,
    "norms": lambda: meanings("norm", NORMS),
    "metrics": lambda: meanings("metric", METRICS),
    "criteria": lambda: meanings("criterion", CRITERIA),
    "features": features_table,
    "quality": lambda: meanings("figure", QUALITY | CHECKS),
    "exports": lambda: meanings("code", EXPORTS),
    "pictures": lambda: meanings("picture", RUN_PICTURES | GALAXY_PICTURES | FIT_PICTURES | FIELD_PICTURES),
}


def with_tables(text):
    """The text of a page with its tables made anew; ValueError for a table that no registry makes."""

    def made(found):
        if found["name"] not in TABLES:
            raise ValueError(f"no table of {found['name']}: there are those of {', '.join(TABLES)}")
        return found["start"] + TABLES[found["name"]]() + found["end"]

    return re.sub(TABLE, made, text, flags=re.DOTALL)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text()))
