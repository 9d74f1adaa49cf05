"""Fits to be done: a task for each region of a run, with its photometry, and the settings of all fits."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

import data_paths
from data_paths import output_path
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import load_record, locked
from helper_functions.files.saving import save_fits
from helper_functions.fits.files import INTEGRATED, read_fit, region_hdus
from helper_functions.fits.magnification import RECORD, read_lensing
from helper_functions.fitting.bagpipes_fit import PRIORS
from helper_functions.fitting.bagpipes_setup import import_bagpipes
from helper_functions.products.photometry import read_photometry
from helper_functions.products.runs import OWN_RUN
from helper_functions.survey.catalogs import read_magnifications
from helper_functions.survey.images import find_catalogs

UNCERTAIN_REDSHIFT = 0.1  # half of the 16-84% range of redshift over 1 + z, above which a note warns


class FitInputs(NamedTuple):
    """Inputs of all fits besides the photometry of regions."""

    redshifts: dict  # id -> (z_16, z_50, z_84)
    magnifications: dict  # id -> lensing magnification
    other_magnification: float  # of all other galaxies; NaN: not known
    engine: str  # version of bagpipes
    seed: int
    sfh: str  # a key of SFHS
    priors: dict  # name -> (lowest, highest)
    redshift: str  # "fixed", or "catalog": with the catalog's error
    error_floor: float | None  # see `read_photometry`
    has_map: bool = False  # whether magnification maps take precedence over these numbers


class FitTask(NamedTuple):
    """One region to be fitted; hashable and picklable, as it is a key and is sent to other processes."""

    id_dr3: int
    run: str  # name of its folder
    cluster: int  # label, or INTEGRATED
    bands: tuple  # n_bands names
    flux: tuple  # n_bands, microjansky, total of the region; NaN without data
    error: tuple  # n_bands, independent between bands
    shared: tuple  # two tuples of n_bands: errors fully correlated between bands, of the SED's shape and of its scale
    redshift: float  # NaN if it is not known
    redshift_error: float
    fingerprint: str  # digest of everything that the fit depends on

    @property
    def error_bars(self):
        """Errors of the shape of the SED, (n_bands,), including the part that bands share."""
        return np.hypot(self.error, self.shared[0])


def load_fit_inputs(survey, targets, fits, seed):
    """`FitInputs` of the galaxies asked for, from the survey and the groups Targets and Fits of the settings.

    Raises OSError or ValueError if bagpipes cannot be imported, or the catalog lacks the column of magnifications.
    """
    try:
        engine = version("bagpipes")
    except PackageNotFoundError as problem:
        raise ValueError("--fit needs bagpipes: pip install bagpipes") from problem
    import_bagpipes()  # here, as each fit would fail without it
    found, others = {}, fits.magnification
    if isinstance(fits.magnification, str):
        _, path, _ = find_catalogs(targets.catalogs, targets.survey)
        id_column = data_paths.SURVEYS[targets.survey].id_column
        found = read_magnifications(path, fits.magnification, targets.id_dr3_list, id_column)
        others = np.nan
    own = {id_dr3: row.magnification for id_dr3, row in (targets.galaxies or {}).items() if row.magnification}
    if others is None:
        others = np.nan if own else 1.0
    how = fits.fit_sfh, PRIORS | fits.fit_priors, fits.fit_redshift, fits.error_floor, bool(fits.magnification_map)
    return FitInputs(survey.redshifts, found | own, others, engine, seed, *how)


def galaxy_magnification(id_dr3, inputs):
    """Magnification of a galaxy: 1 if none are given at all, NaN if only those of other galaxies are known."""
    return inputs.magnifications.get(id_dr3, inputs.other_magnification)


def galaxy_notes(id_dr3, redshift, inputs):
    """Notes on the redshift of the fits of a galaxy, a list of str."""
    notes, error = [], redshift_uncertainty(id_dr3, inputs)
    taken = {"fixed": "taken as known", "catalog": "a Gaussian of that width is taken"}[inputs.redshift]
    if error > UNCERTAIN_REDSHIFT * (1 + redshift):
        notes.append(f"the redshift is uncertain by {error:.2g}: {taken}")
    elif inputs.redshift == "catalog" and np.isfinite(redshift) and not np.isfinite(error):
        notes.append("the uncertainty of the redshift is not known: it is taken as known")
    return notes


def region_magnifications(tasks, folder, inputs):
    """Magnification of each region of a run, from the map if there is one, and else the number of the galaxy.

    Parameters
    ----------
    tasks : list of FitTask
        Of one run.
    folder : path
        Output folder.
    inputs : FitInputs

    Returns
    -------
    magnifications : dict
        Cluster -> (magnification, flag); that of the sum is the harmonic mean weighted by flux.
    notes : list of str
    is_map : bool
    """
    id_dr3, run, *_ = tasks[0]
    found, number = None, galaxy_magnification(id_dr3, inputs)
    taken, notes = float(np.nan_to_num(number, nan=1)), []
    if inputs.has_map:
        found, problem = read_lensing(folder, run, id_dr3), load_record(folder, id_dr3, RECORD).get("problem")
        notes = [f"the map does not give the magnification ({problem}): {taken:g} is taken"] if problem else []
    if found is None:
        if not np.isfinite(number) and not notes:
            notes = ["the magnification is not known: 1 is taken"]
        return {task.cluster: (taken, "") for task in tasks}, notes, False
    light = [(np.nansum(task.flux), found[task.cluster][0]) for task in tasks if task.cluster != INTEGRATED]
    source = sum(flux / mu for flux, mu in light)
    whole = sum(flux for flux, _ in light) / source if source > 0 else np.nan
    return found | {INTEGRATED: (whole, "")}, notes, True


def fitted_seds(run):
    """Kind of SEDs of a run that are fitted: populations, or composites for a user's own regions."""
    return "composites" if run == OWN_RUN.name else "populations"


def region_tasks(id_dr3, run, folder, inputs):
    """`FitTask` of each region of a run: its SED from the table of `fitted_seds`, scaled to its total flux.

    The last task is that of the sum of these SEDs, if there are two or more.
    """
    photometry = read_photometry(folder, run, id_dr3, fitted_seds(run), inputs.error_floor)
    redshift_error = redshift_uncertainty(id_dr3, inputs) if inputs.redshift == "catalog" else 0.0
    how = [inputs.sfh, inputs.priors, inputs.seed, inputs.engine, code_digest("fit of a region")]
    tasks = []
    to_fit = list(zip(photometry.clusters.tolist(), *photometry.scaled_to_totals(), strict=True))
    if len(to_fit) > 1:
        to_fit.append((INTEGRATED, *photometry.integrated()))
    for cluster, flux, error, shared in to_fit:
        sed = photometry.bands, tuple(flux.tolist()), tuple(error.tolist()), tuple(map(tuple, shared.tolist()))
        sed = *sed, photometry.redshift, float(np.nan_to_num(redshift_error))
        what = id_dr3, run, cluster, *sed
        tasks.append(FitTask(*what, digest(*what, *how)))
    return tasks


def redshift_uncertainty(id_dr3, inputs):
    """Half of the 16-84% range of a galaxy's redshift; NaN if it is not known."""
    low, _, high = inputs.redshifts.get(id_dr3, (np.nan,) * 3)
    return (high - low) / 2


def region_fit_path(task, folder):
    """Path of the fit of a region in an output folder."""
    return output_path(folder, "region_fit", run=task.run, id=task.id_dr3, cluster=task.cluster)


def load_region_fit(task, folder):
    """`Fit` of a region from its file; None if there is none with the same photometry, settings and code."""
    return read_fit(region_fit_path(task, folder), task.fingerprint)


def fit_region(task, *, folder, overwrite, fit, wait=True):
    """Fit one region and save the fit; a lock ensures that only one process fits it at a time.

    `wait` is whether to wait if another process fits this region; if False, Busy is raised.
    """
    path = region_fit_path(task, folder)
    with locked(path.with_name(f".{path.name}.lock"), wait):
        if load_region_fit(task, folder) and not overwrite:
            return
        photometry = task.bands, np.array(task.flux), np.array(task.error), task.redshift
        errors = {"shared": np.nan_to_num(task.shared), "redshift_error": task.redshift_error}
        save_fits(path, region_hdus(fit(*photometry, **errors), task))
