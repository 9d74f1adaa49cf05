"""Digests of the project's code: by them, results of other code are found out and made again, and only these."""

import ast
import hashlib
import json
from functools import cache
from pathlib import Path

from helper_functions.files.saving import checksum

ENTRY = "main_clustering.py"  # holds the settings, which are no code, beside the story of a galaxy
SCIENCE = (
    "distances.py",
    "prepare_images.py",
    "helper_functions/*.py",
    "helper_functions/methods/*.py",
    "helper_functions/quality/*.py",
    "helper_functions/registration/*.py",
    "helper_functions/survey/*.py",
)
PRODUCTS = ("features", "labels", "pixels", "registration", "results", "runs", "sed_tables", "summary")
FITTING = ("bagpipes_fit", "bagpipes_setup", "histories", "priors", "sed_model")  # of one SED
CODE = {  # what it decides: patterns of files
    "registration": SCIENCE,
    "results": (  # labels, tables and rows of the summary
        ENTRY,
        *SCIENCE,
        *(f"helper_functions/products/{name}.py" for name in PRODUCTS),
        "helper_functions/files/saving.py",
        "helper_functions/job/one_galaxy.py",
    ),
    "pictures": ("plots/*.py", "helper_functions/products/pictures.py", "helper_functions/products/field.py"),
    "pages": ("plots/style.py", "plots/explorer/**/*.*", "helper_functions/explorer/*.py"),
    "fit of a region": (
        "helper_functions/filters.py",
        *(f"helper_functions/fitting/{name}.py" for name in FITTING),
    ),
    "fits": (
        "helper_functions/fitting/*.py",
        "helper_functions/fits/*.py",
        "helper_functions/products/photometry.py",
    ),
    "catalog of regions": ("helper_functions/products/region_*.py",),
}


def digest(*parts):
    """Short digest of plain numbers, strings, lists and None."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@cache
def code_digest(*names):
    """Digest of the code that decides these things, keys of CODE; without names, of all of it."""
    root = Path(__file__).parents[2]
    patterns = {pattern for name in names or CODE for pattern in CODE[name]}
    paths = sorted({path for pattern in patterns for path in root.glob(pattern) if path.suffix != ".pyc"})
    return digest([[path.relative_to(root).as_posix(), _content(path)] for path in paths if path.is_file()])


def _content(path):
    """What a file's digest is of: all of it, but of the entry script its functions alone, without their comments."""
    if path.name != ENTRY:
        return checksum(path)
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [ast.dump(function) for function in functions]
