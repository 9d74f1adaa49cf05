"""Update the tables in the Markdown pages from the registries: python -m tests.readme_tables

Each table between two marker comments is replaced by one with the current content of a registry.
"""

import re
from pathlib import Path

from data_paths import OUTPUTS
from distances import METRICS
from helper_functions.job.command_line import command_line_flag
from helper_functions.job.field import FIELD_PICTURES
from helper_functions.job.settings import SETTINGS
from helper_functions.methods import METHODS
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.products.exports import EXPORTS
from helper_functions.products.pictures import FIT_PICTURES, GALAXY_PICTURES, RUN_PICTURES
from helper_functions.quality.cross_checks import CHECKS
from helper_functions.quality.metrics import QUALITY
from helper_functions.quality.variants import COMPARISONS
from helper_functions.sed_features import SED_FEATURES

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted(ROOT.glob("helper_functions/**/*.md")))
TABLE = r"(?P<start><!-- table: (?P<name>\w+) -->\n).*?(?P<end><!-- end of table -->)"


def table(heading, rows):
    """A Markdown table from rows of strings; `heading` is the first row."""
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, ["---"] * len(heading), *rows))


def meanings(heading, registry):
    """Table of the names in a registry and their meanings."""
    return table((heading, "meaning"), [(f"`{name}`", entry.meaning) for name, entry in registry.items()])


def settings_table():
    """Table of all settings and their flags."""
    return table(
        ("setting", "flag", "meaning"),
        [(f"`{name.upper()}`", f"`{command_line_flag(name)}`", setting.meaning) for name, setting in SETTINGS.items()],
    )


# The outputs that users open most, which are listed on the front page.
FRONT_PAGE_OUTPUTS = (
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
    """Table of these keys of OUTPUTS, with the variable parts of file names in angle brackets."""
    outputs = [OUTPUTS[name] for name in names]
    rows = [(f"`{each.pattern.replace('{', '<').replace('}', '>')}`", each.meaning) for each in outputs]
    return table(("file", "content"), rows)


def methods_table():
    """Table of the methods with their own norm, metric and criterion."""
    rows = [
        (f"`{name}`", entry.meaning, f"{entry.norm}, {entry.metric}, {entry.criterion}")
        for name, entry in METHODS.items()
    ]
    return table(("method", "what it does", "own norm, metric, criterion"), rows)


def features_table():
    """Table of the features of SEDs with their units and sources."""
    rows = [
        (f"`{name}`", entry.meaning + (f" [{entry.unit}]" if entry.unit else ""), entry.source)
        for name, entry in SED_FEATURES.items()
    ]
    return table(("feature", "meaning", "definition"), rows)


TABLES = {
    "front_outputs": lambda: outputs_table(FRONT_PAGE_OUTPUTS),
    "more_outputs": lambda: outputs_table(
        [name for name, output in OUTPUTS.items() if output.meaning and name not in FRONT_PAGE_OUTPUTS]
    ),
    "settings": settings_table,
    "methods": methods_table,
    "norms": lambda: meanings("norm", NORMS),
    "metrics": lambda: meanings("metric", METRICS),
    "criteria": lambda: meanings("criterion", CRITERIA),
    "comparisons": lambda: meanings("comparison", COMPARISONS),
    "features": features_table,
    "quality": lambda: meanings("metric", QUALITY | CHECKS),
    "exports": lambda: meanings("code", EXPORTS),
    "pictures": lambda: meanings("picture", RUN_PICTURES | GALAXY_PICTURES | FIT_PICTURES | FIELD_PICTURES),
}


def with_tables(text):
    """The text of a page with its tables updated; raises ValueError for an unknown table."""

    def made(found):
        if found["name"] not in TABLES:
            raise ValueError(f"no table of {found['name']}: there are those of {', '.join(TABLES)}")
        return found["start"] + TABLES[found["name"]]() + found["end"]

    return re.sub(TABLE, made, text, flags=re.DOTALL)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
