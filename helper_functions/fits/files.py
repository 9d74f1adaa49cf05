"""Files of fits: one for each region as soon as it is fitted, then a table and a posterior file for each run."""

import warnings

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning

from data_paths import output_path, output_paths
from helper_functions.files.code import code_digest
from helper_functions.files.saving import table_hdu, with_descriptions
from helper_functions.fits.property_maps import is_sum
from helper_functions.fitting.bagpipes_fit import QUANTITIES, Fit
from helper_functions.products.photometry import UNIT
from helper_functions.products.pictures import FIGURE_FORMATS, FIT_PICTURES

PERCENTILES = (16, 50, 84)
PERCENTILE_NAMES = ("p16", "p50", "p84")
OK, FAILED = "ok", "not fitted"
SFR = u.solMass / u.yr
RATIOS = {
    name: f"{what} summed over regions divided by that from the integrated light"
    for name, what in (("mass", "stellar mass"), ("sfr", "star formation rate"))
}
INTEGRATED = 0  # in place of a cluster's label: the sum of all regions
FIT_COLUMNS = {  # columns of the table besides the posterior percentiles of each quantity: unit, description
    "cluster": (None, "label in the label image; 0: the sum of the SEDs of all regions"),
    "name": (None, "name of the user's own region; all: the sum of all regions"),
    "region": (None, "number of the region, the same for corresponding regions of other runs; 0: the sum"),
    "redshift": (None, "redshift of the fit; its centre if it is free"),
    "magnification": (None, "lensing magnification that masses and star formation rates were divided by"),
    "n_bands": (None, "number of bands that were fitted"),
    "chi2": (None, "chi2 of the best posterior sample over these bands"),
    "status": (None, f"{OK}, or {FAILED}"),
    "note": (None, "notes on the fit, or the reason why there is none"),
}


def demagnified(fit, magnification):
    """Divide the masses and rates of a fit by the magnification; the SED is unchanged."""
    samples = {
        name: values / magnification if is_sum(QUANTITIES[name].unit) else values
        for name, values in fit.samples.items()
    }
    return fit._replace(samples=samples, sfh=fit.sfh / magnification)


# ---- one region -------------------------------------------------------------


def fit_hdus(fit, task, number=""):
    """The fit of a region, and the photometry that was fitted, as FITS tables.

    Parameters
    ----------
    fit : Fit
    task : FitTask
    number : str
        Suffix of the names of the extensions.

    Returns
    -------
    list of BinTableHDU
        SAMPLES of the posterior, SFH over lookback time, model SPECTRUM, and SED with observed and model photometry.
    """
    samples = Table(fit.samples)
    for name in samples.colnames:
        samples[name].unit = QUANTITIES[name].unit
    sfh = Table({"lookback": fit.lookback, **dict(zip(PERCENTILE_NAMES, fit.sfh, strict=True))})
    spectrum = Table({"wave_obs": fit.wavelengths, "flux": fit.spectrum})
    sed = Table({"band": list(task.bands), "flux": task.flux, "flux_err": task.error_bars})
    for name, values in zip(PERCENTILE_NAMES, fit.model, strict=True):
        sed[f"model_{name}"] = values
    for table, units in (
        (sfh, {"lookback": u.Gyr, **dict.fromkeys(PERCENTILE_NAMES, SFR)}),
        (spectrum, {"wave_obs": u.AA, "flux": UNIT}),
        (sed, dict.fromkeys(sed.colnames[1:], UNIT)),
    ):
        for name, unit in units.items():
            table[name].unit = unit
    tables = {"SAMPLES": samples, "SFH": sfh, "SPECTRUM": spectrum, "SED": sed}
    hdus = [table_hdu(f"{name}{number}", table) for name, table in tables.items()]
    header = hdus[0].header
    header["CLUSTER"], header["CHI2"], header["NBANDS"] = task.cluster, float(fit.chi2), int(fit.n_bands)
    header["NOTE"] = fit.note
    return hdus


def region_hdus(fit, task):
    """File of the fit of one region, with the fingerprint of the task in its header, as an `HDUList`."""
    primary = fits.PrimaryHDU()
    primary.header["FITTED"] = (task.fingerprint, "digest of photometry, settings and code")
    return fits.HDUList([primary, *fit_hdus(fit, task)])


def read_fit(path, fingerprint):
    """`Fit` of a region from its file; None if it is missing, damaged, or has another fingerprint."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # raised for a truncated file
            with fits.open(path, memmap=False) as hdus:
                return _fit_in(hdus) if hdus[0].header["FITTED"] == fingerprint else None
    except (OSError, KeyError, ValueError, TypeError, AstropyWarning):
        return None


def _fit_in(hdus):
    def columns(name, which):
        return np.array([hdus[name].data[each].astype(float) for each in which])

    samples, header = hdus["SAMPLES"], hdus["SAMPLES"].header
    return Fit(
        samples={name: samples.data[name].astype(float) for name in samples.columns.names},
        lookback=columns("SFH", ["lookback"])[0],
        sfh=columns("SFH", PERCENTILE_NAMES),
        wavelengths=columns("SPECTRUM", ["wave_obs"])[0],
        spectrum=columns("SPECTRUM", ["flux"])[0],
        model=columns("SED", [f"model_{name}" for name in PERCENTILE_NAMES]),
        chi2=header["CHI2"],
        n_bands=header["NBANDS"],
        note=header["NOTE"],
    )


# ---- all regions of a run ---------------------------------------------------


def fits_table(tasks, fit_by_task, problems, magnifications, regions, notes, names=()):
    """Table of the fitted properties, with a row for each region.

    Parameters
    ----------
    tasks : list of FitTask
    fit_by_task : dict
        FitTask -> Fit, demagnified.
    problems : dict
        FitTask -> str, reason why it has no fit.
    magnifications : dict
        Cluster -> (magnification, flag).
    regions : sequence of int
        Region number of each cluster.
    notes : list of str
        Notes on all fits of the galaxy.
    names : sequence of str
        Names of a user's own regions, if any.
    """
    rows, ratios = [], outshining(tasks, fit_by_task)
    for task in tasks:
        fit = fit_by_task.get(task)
        magnification, lens_flag = magnifications[task.cluster]
        row_notes = [*notes, lens_flag, fit.note if fit else problems[task]]
        row = {
            "cluster": task.cluster,
            **({"name": "all" if task.cluster == INTEGRATED else names[task.cluster - 1]} if names else {}),
            "region": 0 if task.cluster == INTEGRATED else int(regions[task.cluster - 1]),
            "redshift": task.redshift,
            "magnification": magnification,
        }
        for name in QUANTITIES:
            values = np.percentile(fit.samples[name], PERCENTILES) if fit and name in fit.samples else [np.nan] * 3
            row |= {f"{name}_{each}": value for each, value in zip(PERCENTILE_NAMES, values, strict=True)}
        row |= ratios
        row |= {"n_bands": fit.n_bands if fit else 0, "chi2": fit.chi2 if fit else np.nan}
        rows.append(row | {"status": OK if fit else FAILED, "note": "; ".join(filter(None, row_notes))})
    table = Table(rows, meta={"content": "stellar populations fitted to regions", "code": code_digest("fits")})
    return with_descriptions(table, FIT_COLUMNS | quantity_columns())


def outshining(tasks, fit_by_task):
    """Masses and SFRs summed over regions, divided by those from the integrated light, which outshining makes too low.

    Parameters
    ----------
    tasks : list of FitTask
    fit_by_task : dict
        FitTask -> Fit.

    Returns
    -------
    dict
        <name>_ratio_<percentile> -> value, for name in RATIOS; NaN if one of the fits is missing. The posteriors are
        assumed to be independent, so that the range is too wide for common errors, such as those of zero points.
    """
    missing = len(tasks) < 2 or any(task not in fit_by_task for task in tasks)
    ratios = {}
    for name in RATIOS:
        found = [np.nan] * 3
        if not missing:
            # Samples are shuffled because the sampler sorts them by likelihood, which would correlate the regions.
            rng = np.random.default_rng(0)
            values = {task.cluster: rng.permutation(fit_by_task[task].samples[name]) for task in tasks}
            whole = values.pop(INTEGRATED)
            with np.errstate(divide="ignore", invalid="ignore"):  # no star formation at all
                found = np.percentile(sum(values.values()) / whole, PERCENTILES)
        ratios |= {f"{name}_ratio_{each}": value for each, value in zip(PERCENTILE_NAMES, found, strict=True)}
    return ratios


def quantity_columns():
    """Unit and description of the columns of posterior percentiles."""
    return {
        f"{name}_ratio_{each}": (None, f"{meaning} (outshining): {percentile}th percentile")
        for name, meaning in RATIOS.items()
        for each, percentile in zip(PERCENTILE_NAMES, PERCENTILES, strict=True)
    } | {
        f"{name}_{each}": (entry.unit, f"{entry.meaning}: {percentile}th posterior percentile")
        for name, entry in QUANTITIES.items()
        for each, percentile in zip(PERCENTILE_NAMES, PERCENTILES, strict=True)
    }


def posterior_hdus(tasks, fit_by_task):
    """Posteriors of all regions as one `HDUList`: the tables of `fit_hdus` with the suffix _<cluster>."""
    fitted = [task for task in tasks if task in fit_by_task]
    tables = [hdu for task in fitted for hdu in fit_hdus(fit_by_task[task], task, f"_{task.cluster}")]
    return fits.HDUList([fits.PrimaryHDU(), *tables])


def fit_paths(output, run, id_dr3):
    """Paths of all files that the fits of a run may have written, except those of single regions.

    Includes the existing maps from tables of other codes, which can have any name.
    """
    place = {"run": run, "id": id_dr3}
    paths = [output_path(output, name, **place) for name in ("fits", "posteriors", "fit_maps")]
    pictures = output_paths(output, "run_picture", **place, picture=FIT_PICTURES, format=FIGURE_FORMATS)
    others = output_path(output, "other_maps", **place, name="*")
    others = [path for ending in (".fits", ".png") for path in others.parent.glob(f"{others.stem}{ending}")]
    return [*paths, *pictures, *others]
