"""What is done already: results on disk that were made from the same files with the same settings."""

import hashlib
import json

from astropy.io import fits

import data_paths
from helper_functions.job.pictures import GALAXY_PICTURES
from helper_functions.job.settings import SETTINGS
from helper_functions.job.summary import OK


def run_fingerprint(survey_digest, settings, run):
    """Digest of all that the result of a run depends on: the survey's files and the settings.

    Every setting counts but those of which SETTINGS says that they change no result: one that is forgotten there costs
    time, and never leaves old results in place.
    """
    counted = [getattr(settings, name) for name, setting in SETTINGS.items() if setting.changes_results]
    return hashlib.sha256(json.dumps([survey_digest, list(run), counted]).encode()).hexdigest()[:16]


def is_done(row, settings, run, fingerprint):
    """Whether an earlier row, or None, stands for results that are on disk and were made just as asked for now."""
    if row is None or row["status"] != OK or settings.overwrite:
        return False
    output, id_dr3 = settings.output, row["id_dr3"]
    labels = data_paths.clusters_path(output, run.name, id_dr3)
    files = [labels, data_paths.composites_path(output, run.name, id_dr3)]
    files += [
        data_paths.image_path(output, run.name, id_dr3, picture, settings.figure_format)
        for picture in row["pictures"].split()
    ]
    return all(path.exists() for path in files) and fits.getheader(labels).get("CONFIG") == fingerprint


def is_complete(settings, id_dr3):
    """Whether the files of the galaxy that do not belong to one run are there."""
    pictures = [
        data_paths.image_path(settings.output, picture, id_dr3, picture, settings.figure_format)
        for picture in GALAXY_PICTURES
    ]
    return all(path.exists() for path in [data_paths.pixels_path(settings.output, id_dr3), *pictures])
