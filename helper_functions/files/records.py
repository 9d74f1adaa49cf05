"""What is done: a record for each galaxy and run on disk, written last, from which the summary is made.

A record says what a result was made from and which files it left. A result counts as done only if its record does, was
made from the same files with the same settings by the same code, and its files are as they were. Before a file of a
result is changed, the record is marked as unfinished: whenever a call is ended, the next one knows what to make again.
"""

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager
from pathlib import Path

from data_paths import output_path
from helper_functions.files.saving import checksum, is_unchanged, save_json

GALAXY = "galaxy"  # name of the record of what a galaxy leaves besides its runs
WAIT = 0.1  # seconds between two looks at a lock that another call holds
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of file systems that have none


class Busy(Exception):
    """Another call is at this galaxy."""


@contextmanager
def locked(path, wait=True):
    """Hold a lock on a file, which ends with the process that holds it, however that ends.

    Parameters
    ----------
    path : Path
        Of the file that is locked, and made where it is missing.
    wait : bool
        Wait for whoever holds it; if False, raise Busy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as problem:
                if not wait:
                    raise Busy(str(path)) from problem
                time.sleep(WAIT)
            except OSError as problem:
                if problem.errno not in NO_LOCKS:
                    raise
                break  # one call at a time is then for the user to see to
        yield


def galaxy_lock(output, id_dr3, wait=True):
    """Hold the lock of a galaxy: only one call works on it at a time."""
    return locked(output_path(output, "record", id=id_dr3, name="").with_name(".lock"), wait)


def save_record(output, id_dr3, name, **content):
    """Write the record `name` of a galaxy; the content is plain numbers, strings, lists and dictionaries."""
    save_json(output_path(output, "record", id=id_dr3, name=name), content)


def load_record(output, id_dr3, name):
    """Read a record of a galaxy; an empty dictionary where there is none that can be read."""
    return read_record(output_path(output, "record", id=id_dr3, name=name))


def read_record(path):
    """Read a record; an empty dictionary where there is none that can be read."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def recorded_runs(output, id_dr3):
    """Names of the runs of a galaxy that have a record, in alphabetical order."""
    folder = output_path(output, "record", id=id_dr3, name=GALAXY).parent
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != GALAXY)


def begun(output):
    """The galaxies that have a folder for records, a set of their ids as strings."""
    folder = output_path(output, "record", id="", name=GALAXY).parent
    return set(os.listdir(folder)) if folder.is_dir() else set()


def drop_record(output, id_dr3, name):
    """Remove a record; that it is missing is no error."""
    output_path(output, "record", id=id_dr3, name=name).unlink(missing_ok=True)


# ---- files ------------------------------------------------------------------


def describe_files(output, paths):
    """What is recorded of files: {path relative to the output folder: [bytes, time of change, checksum]}."""
    described = {}
    for path in paths:
        stat = path.stat()
        described[path.relative_to(output).as_posix()] = [stat.st_size, stat.st_mtime_ns, checksum(path)]
    return described


def files_unchanged(output, described):
    """Whether files are as they were described; their content is read only where their time of change differs."""
    return all(is_unchanged(Path(output) / name, *described[name]) for name in described)


def remove_files(output, described):
    """Remove files that a record describes."""
    for name in described:
        (Path(output) / name).unlink(missing_ok=True)
