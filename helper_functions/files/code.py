"""Digests of the project's source code, to recognise results made by another version."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from helper_functions.files.saving import checksum

ENTRY_SCRIPT = "main_clustering.py"  # only its functions count: the settings block at its top is not code
SCIENCE = (
    "distances.py",
    "prepare_images.py",
    "helper_functions/*.py",
    "helper_functions/fitting/line_ratios.py",
    "helper_functions/methods/*.py",
    "helper_functions/other_regions/*.py",
    "helper_functions/quality/*.py",
    "helper_functions/registration/*.py",
    "helper_functions/survey/*.py",
)
PRODUCTS = ("features", "labels", "pixels", "registration", "results", "runs", "sed_tables", "summary")
FITTING = ("bagpipes_fit", "bagpipes_setup", "histories", "priors", "sed_model")  # what the fit of one SED depends on
CODE = {  # product -> glob patterns of the source files that it depends on
    "registration": SCIENCE,
    "results": (  # labels, tables and rows of the summary
        ENTRY_SCRIPT,
        *SCIENCE,
        *(f"helper_functions/products/{name}.py" for name in PRODUCTS),
        "helper_functions/files/saving.py",
        "helper_functions/job/one_galaxy.py",
    ),
    "pictures": ("plots/*.py", "helper_functions/products/pictures.py", "helper_functions/job/field.py"),
    "pages": ("plots/style.py", "plots/labels.py", "plots/explorer/**/*.*", "helper_functions/explorer/*.py"),
    "fit of a region": ("helper_functions/filters.py", *(f"helper_functions/fitting/{name}.py" for name in FITTING)),
    "fits": ("helper_functions/fitting/*.py", "helper_functions/fits/*.py", "helper_functions/products/photometry.py"),
    "catalog of regions": ("helper_functions/products/region_*.py",),
}


def digest(*parts):
    """Short SHA-256 digest of numbers, strings, lists, dictionaries and None."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@cache
def code_digest(*names):
    """Digest of the source files that these products (keys of CODE) depend on; without names, of all products."""
    root = Path(__file__).parents[2]
    patterns = {pattern for name in names or CODE for pattern in CODE[name]}
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.suffix != ".pyc"})
    return digest([[path.relative_to(root).as_posix(), _content(path)] for path in paths if path.is_file()])


def _content(path):
    """Checksum of a file; of the entry script, the syntax trees of its functions, without comments."""
    if path.name != ENTRY_SCRIPT:
        return checksum(path)
    functions = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    return [ast.dump(function) for function in functions]
