"""Records on disk: a JSON file for each galaxy and run, written last, that marks a result as complete.

A record contains a fingerprint of the input of a result (survey files, settings and code), and its files. A result is
reused only if its fingerprint is the wanted one and its files are unchanged. A record is marked as unfinished before
files of its result are changed, so that an interrupted call can be resumed.
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

GALAXY = "galaxy"  # name of the record of the files of a galaxy that belong to no single run
POLL_INTERVAL = 0.1  # seconds between two attempts to get a lock that another process holds
LOCKS_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # error numbers of file systems without locks


class Busy(Exception):
    """Another process holds the lock of this galaxy."""


@contextmanager
def locked(path, wait=True):
    """Hold an exclusive lock on a file in this block; the system releases it if the process dies.

    Parameters
    ----------
    path : Path
        Lock file, created if it is missing.
    wait : bool
        Wait for a lock that another process holds; if False, raise Busy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as problem:
                if not wait:
                    raise Busy(str(path)) from problem
                time.sleep(POLL_INTERVAL)
            except OSError as problem:
                if problem.errno not in LOCKS_UNSUPPORTED:
                    raise
                break  # without locks, the user must not run two calls at a time
        yield


def galaxy_lock(output, id_dr3, wait=True):
    """Hold the lock of a galaxy, so that only one process works on it at a time."""
    return locked(output_path(output, "record", id=id_dr3, name="").with_name(".lock"), wait)


def save_record(output, id_dr3, name, **content):
    """Write the record `name` of a galaxy; the content must be serialisable as JSON."""
    save_json(output_path(output, "record", id=id_dr3, name=name), content)


def load_record(output, id_dr3, name):
    """Read a record of a galaxy; an empty dictionary if it is missing or damaged."""
    return read_record(output_path(output, "record", id=id_dr3, name=name))


def read_record(path):
    """Read a record from its path; an empty dictionary if it is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def recorded_runs(output, id_dr3):
    """Names of the runs, and comparisons, of a galaxy that have a record, in alphabetical order."""
    folder = output_path(output, "record", id=id_dr3, name=GALAXY).parent
    return sorted(path.stem for path in folder.glob("*.json") if path.stem != GALAXY)


def ids_with_records(output):
    """Ids of the galaxies that an earlier call has worked on, a set of strings."""
    folder = output_path(output, "record", id="", name=GALAXY).parent
    return set(os.listdir(folder)) if folder.is_dir() else set()


def delete_record(output, id_dr3, name):
    """Remove a record, if it exists."""
    output_path(output, "record", id=id_dr3, name=name).unlink(missing_ok=True)


# ---- files ------------------------------------------------------------------


def file_states(output, paths):
    """State of files: {path relative to the output folder: [bytes, modification time in ns, checksum]}."""
    states = {}
    for path in paths:
        stat = path.stat()
        states[path.relative_to(output).as_posix()] = [stat.st_size, stat.st_mtime_ns, checksum(path)]
    return states


def files_unchanged(output, states):
    """Whether files still have these `file_states`; a file is read only if its modification time differs."""
    return all(is_unchanged(Path(output) / name, *state) for name, state in states.items())


def remove_files(output, states):
    """Remove the files of these `file_states`."""
    for name in states:
        (Path(output) / name).unlink(missing_ok=True)
