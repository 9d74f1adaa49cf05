"""Fits of regions on disk: one file for each region while it is fitted, then a table and posteriors of all."""

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
FIT_COLUMNS = {  # of the table, besides the percentiles of each quantity: unit, and what they hold
    "cluster": (None, "label in the label image"),
    "region": (None, "number of the region: what is the same part of the galaxy in other runs"),
    "redshift": (None, "that was given"),
    "magnification": (None, "by lensing: masses and rates of star formation are divided by it"),
    "n_bands": (None, "that were fitted"),
    "chi2": (None, "of the best sample, over these bands"),
    "status": (None, f"{OK}, or {FAILED}"),
    "note": (None, "what is to be known of the fit; the reason where there is none"),
}


def demagnified(fit, magnification):
    """The fit of a region as it is without the lens: masses and rates divided; the SED stays as it is observed."""
    samples = {
        name: values / magnification if is_sum(QUANTITIES[name].unit) else values
        for name, values in fit.samples.items()
    }
    return fit._replace(samples=samples, sfh=fit.sfh / magnification)


# ---- one region -------------------------------------------------------------


def fit_hdus(fit, task, number=""):
    """The fit of a region as FITS tables, and what was fitted.

    Parameters
    ----------
    fit : Fit
    task : FitTask
    number : str
        What names of extensions end with.

    Returns
    -------
    list of BinTableHDU
        SAMPLES of the posterior, SFH over lookback time, SPECTRUM of the model, and SED: photometry with that of the
        model.
    """
    samples = Table({name: values for name, values in fit.samples.items()})
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
    """The file of one region: its header says what was asked for, see `read_fit`."""
    primary = fits.PrimaryHDU()
    primary.header["FITTED"] = (task.fingerprint, "digest of photometry, settings and code")
    return fits.HDUList([primary, *fit_hdus(fit, task)])


def read_fit(path, fingerprint):
    """`Fit` of a region from its file; None where there is none of that fingerprint that can be read as a whole."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)  # as for a file that is cut off
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


def fits_table(tasks, fit_by_task, problems, magnification, regions, notes):
    """What was fitted, as a table with a row for each region.

    Parameters
    ----------
    tasks : list of FitTask
    fit_by_task : dict
        FitTask -> Fit, as it is without the lens.
    problems : dict
        FitTask -> str, why it has no fit.
    magnification : float
    regions : sequence of int
        Region number of each cluster.
    notes : list of str
        What is to be known of the galaxy.
    """
    rows = []
    for task in tasks:
        fit = fit_by_task.get(task)
        said = [*notes, fit.note if fit else problems[task]]
        row = {
            "cluster": task.cluster,
            "region": int(regions[task.cluster - 1]),
            "redshift": task.redshift,
            "magnification": magnification,
        }
        for name in QUANTITIES:
            values = np.percentile(fit.samples[name], PERCENTILES) if fit and name in fit.samples else [np.nan] * 3
            row |= {f"{name}_{each}": value for each, value in zip(PERCENTILE_NAMES, values, strict=True)}
        row |= {"n_bands": fit.n_bands if fit else 0, "chi2": fit.chi2 if fit else np.nan}
        rows.append(row | {"status": OK if fit else FAILED, "note": "; ".join(filter(None, said))})
    table = Table(rows, meta={"content": "stellar populations fitted to regions", "code": code_digest("fits")})
    return with_descriptions(table, FIT_COLUMNS | quantity_columns())


def quantity_columns():
    """Unit and description of the percentiles of each quantity."""
    return {
        f"{name}_{each}": (entry.unit, f"{entry.meaning}: {percentile}%")
        for name, entry in QUANTITIES.items()
        for each, percentile in zip(PERCENTILE_NAMES, PERCENTILES, strict=True)
    }


def posterior_hdus(tasks, fit_by_task):
    """Posteriors of all regions in one file: the tables of `fit_hdus` with the number of the cluster behind an _."""
    fitted = [task for task in tasks if task in fit_by_task]
    tables = [hdu for task in fitted for hdu in fit_hdus(fit_by_task[task], task, f"_{task.cluster}")]
    return fits.HDUList([fits.PrimaryHDU(), *tables])


def fit_paths(output, run, id_dr3):
    """Every file that fitting the regions of a run may leave, but for those of the single regions, and what is painted.

    The latter are maps from tables of other codes, which have any name.
    """
    place = {"run": run, "id": id_dr3}
    paths = [output_path(output, name, **place) for name in ("fits", "posteriors", "fit_maps")]
    pictures = output_paths(output, "run_picture", **place, picture=FIT_PICTURES, format=FIGURE_FORMATS)
    others = output_path(output, "other_maps", **place, name="*")
    others = [path for ending in (".fits", ".png") for path in others.parent.glob(f"{others.stem}{ending}")]
    return [*paths, *pictures, *others]
