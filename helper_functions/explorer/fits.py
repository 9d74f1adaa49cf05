"""Content of a galaxy's page on the stellar populations fitted to its regions."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.table import Table

from data_paths import output_path
from helper_functions.filters import pivot_wavelength
from helper_functions.fits.files import OK, PERCENTILE_NAMES, PERCENTILES
from plots.labels import label_of

POSTERIORS = ("a_v", "age", "mass")  # quantities whose posterior is shown
BINS, SHOWN = 24, (0.5, 99.5)  # of histograms, and the percentiles at their ends
BEYOND = 1.1  # factor in wavelength by which spectra extend beyond the bands


class FitView(NamedTuple):
    """A region and its fit; fluxes in microjansky."""

    cluster: int  # 0: the sum of all regions
    note: str  # on the fit, or the reason why there is none
    is_fitted: bool
    chi2: float = np.nan
    bands: tuple = ()  # of n_bands names
    wavelengths: np.ndarray = np.zeros(0)  # (n_bands,), Angstrom
    sed: np.ndarray = np.zeros((5, 0))  # flux, its error, and the 16th, 50th and 84th percentile of the model
    spectrum: np.ndarray = np.zeros((2, 0))  # wavelength in Angstrom, and flux of the best model
    history: np.ndarray = np.zeros((4, 0))  # lookback time in Gyr, and percentiles of the SFR in solar masses per year
    posteriors: tuple = ()  # of Posterior


class Posterior(NamedTuple):
    """Posterior of a quantity as a histogram."""

    title: str  # with its unit
    percentiles: tuple  # 16th, 50th and 84th
    edges: np.ndarray  # (n_bins + 1,)
    counts: np.ndarray  # (n_bins,)


def read_fits(output, id_dr3, run):
    """`FitView` of each region of a run with or without a fit, a tuple; empty if no fit was requested."""
    path = output_path(output, "fits", run=run, id=id_dr3)
    if not path.is_file():
        return ()
    rows = Table.read(path, format="ascii.ecsv")
    notes = np.ma.filled(np.ma.asarray(rows["note"], dtype=str), "")
    known = zip(rows["cluster"], rows["status"], notes, strict=True)
    views = [FitView(int(cluster), str(note), status == OK) for cluster, status, note in known]
    posteriors = output_path(output, "posteriors", run=run, id=id_dr3)
    if not posteriors.is_file():
        return tuple(each._replace(is_fitted=False) for each in views)
    with fits.open(posteriors, memmap=False) as hdus:
        return tuple(with_posterior(each, hdus) for each in views)


def with_posterior(view, hdus):
    """Add the posterior of its region to a `FitView`; unchanged if the file does not contain it."""
    if f"SED_{view.cluster}" not in hdus:
        return view._replace(is_fitted=False)
    tables = {name: hdus[f"{name}_{view.cluster}"] for name in ("SAMPLES", "SFH", "SPECTRUM", "SED")}
    data = {name: hdu.data for name, hdu in tables.items()}
    bands = tuple(map(str, data["SED"]["band"]))
    wavelengths = np.array([pivot_wavelength(band) for band in bands])
    wave = data["SPECTRUM"]["wave_obs"]
    within = (wave > wavelengths.min() / BEYOND) & (wave < wavelengths.max() * BEYOND)
    models = [f"model_{name}" for name in PERCENTILE_NAMES]
    return view._replace(
        chi2=float(tables["SAMPLES"].header["CHI2"]),
        bands=bands,
        wavelengths=wavelengths,
        sed=np.array([data["SED"][name] for name in ("flux", "flux_err", *models)], dtype=float),
        spectrum=np.array([wave[within], data["SPECTRUM"]["flux"][within]], dtype=float),
        history=np.array([data["SFH"][name] for name in ("lookback", *PERCENTILE_NAMES)], dtype=float),
        posteriors=tuple(
            posterior(name, data["SAMPLES"][name]) for name in POSTERIORS if name in data["SAMPLES"].names
        ),
    )


def posterior(name, samples):
    """`Posterior` of samples, (n_samples,); logarithmic for masses."""
    label = label_of(name)
    title, samples = label.name, np.asarray(samples, dtype=float)
    if label.is_log:
        with np.errstate(divide="ignore"):
            title, samples = f"log {title}", np.log10(samples)
    samples = samples[np.isfinite(samples)]
    low, high = np.percentile(samples, SHOWN) if samples.size else (0.0, 1.0)
    counts, edges = np.histogram(samples, BINS, (low, high) if high > low else (low - 0.5, low + 0.5))
    found = np.percentile(samples, PERCENTILES) if samples.size else [np.nan] * 3
    return Posterior(f"{title} [{label.unit}]" if label.unit else title, tuple(map(float, found)), edges, counts)
