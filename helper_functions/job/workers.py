"""What a worker must see as the call does that sends it work, and how workers fail."""

import warnings
from typing import NamedTuple

from data_paths import output_path
from helper_functions.files.code import code_digest


class WorkerDied(RuntimeError):
    """The process that worked on a galaxy came to an end, as when the machine is out of memory."""

    status = "worker died"


class WorkerMismatch(ValueError):
    """A worker does not see the files that the call sees, or has another version of the project."""


class Provenance(NamedTuple):
    """What results are made from besides the settings, as digests."""

    code: str
    files: str  # of the survey


SURVEYS = {}  # of this process, one at most: folder -> Survey


def cache_survey(survey, catalogs):
    """Keep a survey for the work that this process does; return `Provenance`, which goes to all workers."""
    SURVEYS.clear()
    SURVEYS[catalogs] = survey
    return Provenance(code_digest(), survey.digest)


def cached_survey(open_survey, catalogs, name, output, provenance):
    """The survey as this process sees it, which is opened once.

    Parameters
    ----------
    open_survey : callable
        open_survey(folder, ids, survey) -> Survey
    catalogs : path
        Folder of the survey.
    name : str
        A key of `data_paths.SURVEYS`.
    output : path
        Output folder.
    provenance : Provenance
        What the call sees.

    Raises
    ------
    WorkerMismatch
        Where its files, its output folder or the project are not what the call sees that sent the work.
    """
    if code_digest() != provenance.code:
        raise WorkerMismatch("a worker has another version of the project than the call: start it again with this one")
    survey = SURVEYS.get(catalogs)
    if survey is None or survey.digest != provenance.files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the call has said it
                survey = open_survey(catalogs, (), name)
        except (OSError, ValueError) as problem:
            raise WorkerMismatch(f"a worker cannot read the survey that the call reads ({problem})") from problem
        cache_survey(survey, catalogs)
    if survey.digest != provenance.files:
        raise WorkerMismatch(f"a worker sees other files in {catalogs} than the call, or of another time")
    if not output_path(output, "settings").is_file():
        raise WorkerMismatch(f"a worker does not see the output folder {output} of the call")
    return survey
