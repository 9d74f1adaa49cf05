"""Writing results: every file is written beside its place and renamed, so none is ever half a file."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

from astropy.table import Table


@contextmanager
def written_beside(path):
    """Give a path to write to, which becomes `path` once the block has ended well.

    Missing folders are made. Where the block raises, what it wrote is removed and `path` stays as it was.
    """
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def check_writable(folder):
    """Make `folder` where it is missing, and raise OSError, naming it, where nothing can be written there."""
    try:
        with written_beside(Path(folder) / ".writable") as partial:
            partial.write_text("")
        (Path(folder) / ".writable").unlink()
    except OSError as problem:
        raise OSError(
            f"the output folder {folder} cannot be written ({problem.strerror or problem}): set CLUSTERING_FOLDER in "
            "data_paths.py, the environment variable UNCOVER_CLUSTERING_FOLDER, or --output"
        ) from problem


def save_fits(path, hdus):
    """Write an `HDUList`."""
    with written_beside(path) as partial:
        hdus.writeto(partial, overwrite=True, output_verify="exception")


def save_table(path, table):
    """Write an astropy `Table` as ECSV."""
    with written_beside(path) as partial:
        table.write(partial, format="ascii.ecsv", overwrite=True)


def load_table(path):
    """Read a table that `save_table` wrote; None where there is none."""
    # Without `fill_values` empty strings would come back as missing.
    return Table.read(path, format="ascii.ecsv", fill_values=None) if Path(path).exists() else None


def save_json(path, content):
    """Write plain dictionaries and lists as JSON."""
    with written_beside(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")


def save_figure(path, figure, dpi):
    """Write a matplotlib `Figure`; the format follows the ending of `path`."""
    with written_beside(path) as partial:
        figure.savefig(partial, format=Path(path).suffix[1:], dpi=dpi)
