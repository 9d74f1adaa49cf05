"""What is to be fitted: the regions of a run, as the clustering left them, each by itself."""

from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import numpy as np

import data_paths
from helper_functions.files.records import code_digest, digest, locked
from helper_functions.files.saving import save_fits
from helper_functions.fits.files import read_fit, region_hdus
from helper_functions.fitting.bagpipes_fit import PRIORS
from helper_functions.products.photometry import read_photometry
from helper_functions.survey.catalogs import read_magnifications
from helper_functions.survey.images import find_catalogs

ENGINE = (  # the code that a fit depends on: the fits that there are stay when other code changes
    *(f"helper_functions/fitting/{name}.py" for name in ("bagpipes_fit", "histories", "sed_model")),
    "helper_functions/bagpipes_setup.py",
    "helper_functions/filters.py",
)
WIDE = 0.1  # half of the 16-84% range of redshift over 1 + z, above which the note says so


class FitInputs(NamedTuple):
    """What the survey's catalogs and the user say of galaxies besides their images."""

    redshifts: dict  # id -> (z_16, z_50, z_84)
    magnifications: dict | float | None  # id -> by lensing; or that of all galaxies; None where nothing is given
    engine: str  # version of bagpipes


class FitTask(NamedTuple):
    """One region that is to be fitted: plain numbers, so that it can be a key and be sent to another process."""

    id_dr3: int
    run: str  # name of its folder
    cluster: int
    bands: tuple  # n_bands names
    flux: tuple  # n_bands, microjansky, as bright as the whole region; NaN without data
    error: tuple  # n_bands, of each band by itself
    shared: tuple  # two of n_bands: errors that all bands share, of the shape of the SED and of its scale
    redshift: float  # NaN where it is not known
    redshift_error: float
    fingerprint: str  # of all that the fit depends on

    @property
    def error_bars(self):
        """Errors of the shape of the SED, (n_bands,), with what bands share."""
        return np.hypot(self.error, self.shared[0])


def load_fit_inputs(survey, settings):
    """`FitInputs` of the galaxies asked for.

    Raises
    ------
    OSError, ValueError
        Where bagpipes is not installed, or the catalog does not have the magnifications asked for.
    """
    try:
        engine = version("bagpipes")
    except PackageNotFoundError as problem:
        raise ValueError("--fit needs bagpipes: pip install bagpipes") from problem
    magnifications = settings.magnification
    if isinstance(magnifications, str):
        _, path, _ = find_catalogs(settings.catalogs, settings.survey)
        id_column = data_paths.SURVEYS[settings.survey].id_column
        magnifications = read_magnifications(path, magnifications, settings.id_dr3_list, id_column)
    return FitInputs(survey.redshifts, magnifications, engine)


def magnification_of(id_dr3, known):
    """Magnification of a galaxy; NaN where others have one and this has none, 1 where nobody gives any."""
    if isinstance(known.magnifications, dict):
        return known.magnifications.get(id_dr3, np.nan)
    return known.magnifications or 1.0


def notes_of(id_dr3, redshift, known, settings):
    """What is to be known of the fits of a galaxy, a list of str."""
    notes, error = [], half_range(id_dr3, known)
    taken = {"fixed": "taken as known", "catalog": "a Gaussian of that width is taken"}[settings.fit_redshift]
    if error > WIDE * (1 + redshift):
        notes.append(f"the redshift is uncertain by {error:.2g}: {taken}")
    elif settings.fit_redshift == "catalog" and np.isfinite(redshift) and not np.isfinite(error):
        notes.append("the uncertainty of the redshift is not known: it is taken as known")
    if not np.isfinite(magnification_of(id_dr3, known)):
        notes.append("the magnification is not known: 1 is taken")
    return notes


def region_tasks(id_dr3, run, known, settings):
    """`FitTask` of each region of a run, from its table of populations: its SED, as bright as all of its light."""
    photometry = read_photometry(settings.output, run, id_dr3, floor=settings.error_floor)
    redshift_error = half_range(id_dr3, known) if settings.fit_redshift == "catalog" else 0.0
    how = [settings.fit_sfh, PRIORS | settings.fit_priors, settings.seed, known.engine, code_digest(ENGINE)]
    tasks = []
    of_regions = zip(photometry.clusters.tolist(), *photometry.as_bright_as_totals(), strict=True)
    for cluster, flux, error, shared in of_regions:
        sed = photometry.bands, tuple(flux.tolist()), tuple(error.tolist()), tuple(map(tuple, shared.tolist()))
        sed = *sed, photometry.redshift, float(np.nan_to_num(redshift_error))
        what = id_dr3, run, cluster, *sed
        tasks.append(FitTask(*what, digest(*what, *how)))
    return tasks


def half_range(id_dr3, known):
    """Half of the 16-84% range of a galaxy's redshift; NaN where it is not known."""
    low, _, high = known.redshifts.get(id_dr3, (np.nan,) * 3)
    return (high - low) / 2


def path_of(task, settings):
    """Where the fit of a region lies."""
    return data_paths.region_fit_path(settings.output, task.run, task.id_dr3, task.cluster)


def is_fitted(task, settings):
    """Whether the fit of a region is there, of the same photometry, settings and code."""
    return fit_of(task, settings) is not None


def fit_of(task, settings):
    """`Fit` of a region, from its file; None where it is not fitted."""
    return read_fit(path_of(task, settings), task.fingerprint)


def fit_region(task, *, settings, fit):
    """Fit one region and save it; while another call does the same, it is waited for."""
    path = path_of(task, settings)
    with locked(path.with_name(f".{path.name}.lock")):
        if is_fitted(task, settings) and not settings.overwrite:
            return
        found = fit(
            task.bands,
            np.array(task.flux),
            np.array(task.error),
            task.redshift,
            shared=np.nan_to_num(task.shared),
            redshift_error=task.redshift_error,
            sfh=settings.fit_sfh,
            priors=PRIORS | settings.fit_priors,
            seed=settings.seed,
        )
        save_fits(path, region_hdus(found, task))
