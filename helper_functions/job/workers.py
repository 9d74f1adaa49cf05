"""The survey in a worker process, with checks that it is the same as in the main process."""

import warnings
from typing import NamedTuple

from data_paths import output_path
from helper_functions.files.code import code_digest


class WorkerDied(RuntimeError):
    """The worker process of a galaxy ended unexpectedly, for example because memory ran out."""

    status = "worker died"


class WorkerMismatch(ValueError):
    """A worker sees other files than the main process, or has another version of the project."""


class Provenance(NamedTuple):
    """Digests of the input of results except for the settings."""

    code: str
    files: str  # of the survey


SURVEYS = {}  # folder -> Survey, at most one, opened in this process


def cache_survey(survey, catalogs):
    """Keep an opened survey for this process; return its `Provenance`, which is sent to all workers."""
    SURVEYS.clear()
    SURVEYS[catalogs] = survey
    return Provenance(code_digest(), survey.digest)


def cached_survey(open_survey, catalogs, name, output, provenance):
    """The survey, opened once in each process.

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
        Of the main process.

    Raises
    ------
    WorkerMismatch
        If survey files, output folder or code differ from those of the main process.
    """
    if code_digest() != provenance.code:
        raise WorkerMismatch("a worker has another version of the project than the call: start it again with this one")
    survey = SURVEYS.get(catalogs)
    if survey is None or survey.digest != provenance.files:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # already shown by the main process
                survey = open_survey(catalogs, (), name)
        except (OSError, ValueError) as problem:
            raise WorkerMismatch(f"a worker cannot read the survey that the call reads ({problem})") from problem
        cache_survey(survey, catalogs)
    if survey.digest != provenance.files:
        raise WorkerMismatch(f"a worker sees other files in {catalogs} than the call, or of another time")
    if not output_path(output, "settings").is_file():
        raise WorkerMismatch(f"a worker does not see the output folder {output} of the call")
    return survey
