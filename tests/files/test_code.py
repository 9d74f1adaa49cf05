"""Digests of the code: what decides a result is in its digest, and nothing else is."""

import ast
import mmap
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helper_functions import lacks_utf8
from helper_functions.files import code
from helper_functions.files.code import CODE, code_digest, digest

ROOT = Path(__file__).parents[2]
# These decide nothing that is kept: how work is done, what is written anew in each call, and simulations.
DECIDE_NOTHING = (
    "data_paths.py",
    "helper_functions/files/code.py",
    "helper_functions/files/log.py",
    "helper_functions/files/records.py",
    "helper_functions/products/exports.py",
    "helper_functions/products/ds9_regions.py",
    *(f"helper_functions/{room}/" for room in ("job", "simulation", "survey/make_field")),
    "plots/simulation/",
)


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the project's code, which digests are of: `copy(path, change)` edits a file of it."""
    for folder in ("helper_functions", "plots"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.png", "*.md"))
    for path in ROOT.glob("*.py"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(code, "__file__", str(tmp_path / "helper_functions/files/code.py"))

    def edit(path, change):
        text = (tmp_path / path).read_text()
        assert change(text) != text
        (tmp_path / path).write_text(change(text))
        return {name: code_digest.__wrapped__(name) for name in CODE}

    edit.before = {name: code_digest.__wrapped__(name) for name in CODE}
    return edit


@pytest.mark.parametrize(
    ("path", "decides"),
    [
        ("distances.py", {"registration", "results"}),
        ("helper_functions/methods/kmeans.py", {"registration", "results"}),
        ("helper_functions/products/labels.py", {"results"}),
        ("helper_functions/job/one_galaxy.py", {"results"}),
        ("plots/composites.py", {"pictures"}),
        ("plots/explorer/dark.py", {"pages"}),
        ("plots/style.py", {"pictures", "pages"}),
        ("helper_functions/fitting/bagpipes_fit.py", {"fit of a region", "fits"}),
        ("helper_functions/job/processes.py", set()),
        ("helper_functions/simulation/recovery.py", set()),
        ("plots/simulation/recovery.py", set()),
    ],
)
def test_an_edit_changes_the_digest_of_what_the_file_decides(copy, path, decides):
    after = copy(path, lambda text: text + "\n# edited\n")
    assert {name for name in CODE if after[name] != copy.before[name]} == decides


@pytest.mark.parametrize(
    ("old", "new", "decides"),
    [
        ("SEED = 0", "SEED = 1", set()),  # a setting, which is in the fingerprint by its value
        ("# ---- edit here", "# ---- edit there", set()),
        ("galaxy.criteria(run), seed=how.seed)", "galaxy.criteria(run), seed=1)", {"results"}),
        ("galaxy.is_first(run)", "False", {"results"}),
    ],
)
def test_of_the_entry_script_the_story_counts_and_settings_and_comments_do_not(copy, old, new, decides):
    after = copy("main_clustering.py", lambda text: text.replace(old, new))
    assert {name for name in CODE if after[name] != copy.before[name]} == decides


def test_every_file_decides_something_or_is_known_to_decide_nothing():
    known = {path for patterns in CODE.values() for pattern in patterns for path in ROOT.glob(pattern)}
    every = [*ROOT.glob("*.py"), *ROOT.glob("helper_functions/**/*.py"), *ROOT.glob("plots/**/*.*")]
    every = [path for path in every if path.suffix in (".py", ".js") and path.stat().st_size]
    names = {path.relative_to(ROOT).as_posix() for path in set(every) - known}
    assert {name for name in names if not name.startswith(DECIDE_NOTHING)} == set()


def test_pictures_of_galaxies_do_not_rest_on_those_of_simulations():
    """Whose code is in no digest."""
    for path in ROOT.glob("plots/*.py"):
        assert "plots.simulation" not in path.read_text(), path


def test_digest_tells_values_apart():
    assert digest([1, None, "a"]) == digest([1, None, "a"])
    assert len({digest(1), digest("1"), digest([1]), digest(None)}) == 4


def test_text_is_utf8_whatever_the_locale():
    """Wherever a file of text is opened, its encoding is said."""
    silent = []
    for path in [*ROOT.glob("*.py"), *(ROOT / "helper_functions").rglob("*.py"), *(ROOT / "plots").rglob("*.py")]:
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
            is_text = name.endswith((".read_text", ".write_text")) or name == "open"
            if is_text and not any("encoding" in word or "'rb'" in word or "'wb'" in word for word in words_of(call)):
                silent.append(f"{path.relative_to(ROOT)}:{call.lineno}")
    assert silent == []


def words_of(call):
    """Arguments of a call in the source code."""
    return [ast.unparse(each) for each in call.args] + [
        f"{each.arg}={ast.unparse(each.value)}" for each in call.keywords
    ]


def test_a_page_is_made_in_the_plainest_locale(tmp_path):
    """In a process of its own, as Python takes the locale when it starts."""
    code = "import sys; from helper_functions.explorer.index import update_index; update_index(sys.argv[1], list)"
    plain = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=plain, check=True)
    assert (tmp_path / "explorer" / "index.html").is_file()
    # A package of this module reads a file in UTF-8 when it is imported, and matplotlib the backend.
    module = [sys.executable, "-m", "helper_functions.products.ds9_regions"]
    subprocess.run(module, cwd=ROOT, env=plain | {"MPLBACKEND": "inline"}, check=True)


@pytest.mark.parametrize(
    ("encoding", "utf8_mode", "program", "environment", "again"),
    [
        ("ANSI_X3.4-1968", 0, "/home/main_clustering.py", {}, True),
        ("ANSI_X3.4-1968", 0, "-m", {"PYTHONUTF8": "0"}, True),
        ("ANSI_X3.4-1968", 0, "-m", {"PYTHONUTF8": "1"}, False),
        ("ANSI_X3.4-1968", 1, "-m", {}, False),
        ("ANSI_X3.4-1968", 0, "pytest", {}, False),
        ("UTF-8", 0, "-m", {}, False),
    ],
)
def test_only_a_program_in_an_ascii_locale_is_started_again(encoding, utf8_mode, program, environment, again):
    assert lacks_utf8(encoding, utf8_mode, program, environment) == again


ALLOCATES = """
import resource, sys
if sys.argv[1] == "with":
    import helper_functions
import numpy as np
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    kept = [np.ones(100_000) for _ in range(4)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the GNU allocator is set")
def test_freed_memory_is_used_again():
    """The pages of eight arrays of 0.8 MB are cleared once, and without the package, the control, a hundred times."""
    used, control = (
        int(subprocess.run([sys.executable, "-c", ALLOCATES, how], cwd=ROOT, capture_output=True, check=True).stdout)
        for how in ("with", "without")
    )
    n_pages = 8 * 800_000 / mmap.PAGESIZE
    assert used < 2 * n_pages
    assert control > 5 * used
