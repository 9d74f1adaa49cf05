"""Photometry of the regions of one run, as other codes want it: from the tables of SEDs on disk, in microjansky."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

from data_paths import output_path
from helper_functions.composite_seds import scale_factor

UNIT = u.uJy
CERTAIN = 0.5  # relative error below which a band says something of how bright a region is
TABLES = ("populations", "composites")  # of SEDs, names in `data_paths.OUTPUTS`


class RegionPhotometry(NamedTuple):
    """Photometry of the regions of one run in rows, in the order of their clusters; NaN where a band has no data."""

    id_dr3: int
    run: str  # name of its folder
    kind: str  # "populations" or "composites"
    redshift: float  # NaN where it is not known
    clusters: np.ndarray  # (n_regions,), labels
    bands: tuple  # n_bands names
    flux: np.ndarray  # (n_regions, n_bands), microjansky, of a pixel of mean brightness
    error: np.ndarray  # (n_regions, n_bands), with that of zero points, or the floor, in it
    shared: np.ndarray  # (n_regions, n_bands), the part of `error` that bands share, one standard deviation
    total: np.ndarray  # (n_regions, n_bands), microjansky, of the whole region
    total_error: np.ndarray  # (n_regions, n_bands), likewise
    floor: float | None = None  # share of the flux that is in the errors; None: the error of zero points of the table

    def scaled_to_totals(self):
        """The SEDs of whole regions, with errors as `fit_sed` takes them.

        Errors of the shape of an SED and of how bright a region is are known apart: so it is the SEDs per pixel that
        are scaled, and totals give the scale and its error.

        Returns
        -------
        flux, error : ndarray of shape (n_regions, n_bands)
            Microjansky; the error of each band by itself.
        shared : ndarray of shape (n_regions, 2, n_bands)
            Errors that all bands share: of the shape, and of the scale.
        """
        flux, error, shared, scale_error = [], [], [], []
        for row in range(len(self.clusters)):
            scale = scale_factor(self.flux[row], self.total[row], self.error[row])
            flux.append(scale * self.flux[row])
            error.append(abs(scale) * np.sqrt(self.error[row] ** 2 - self.shared[row] ** 2))
            shared.append(scale * self.shared[row])
            scale_error.append(self._scale_error(row))
        flux, error, shared = (np.reshape(each, self.flux.shape) for each in (flux, error, shared))
        return flux, error, np.stack([shared, np.reshape(scale_error, (-1, 1)) * flux], axis=1)

    def _scale_error(self, row):
        """By how much a total is less certain than its shape, relative: the median of the bands that tell."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total, shape = self.total_error[row] / self.total[row], self.error[row] / self.flux[row]
        excess = (total**2 - shape**2)[np.abs(shape) < CERTAIN]
        return np.sqrt(max(np.median(excess), 0)) if excess.size else 0.0


def read_photometry(output, run, id_dr3, kind="populations", floor=None):
    """Photometry of the regions of a run.

    Parameters
    ----------
    output : path
        Output folder.
    run : str
        Name of the run's folder.
    id_dr3 : int
    kind : str
        "populations", blends taken apart, or "composites" of the pixels of each cluster.
    floor : float or None
        Share of the flux that is added to errors in quadrature; None: the error of zero points of the table.

    Returns
    -------
    RegionPhotometry

    Raises
    ------
    FileNotFoundError
        Where the run left no such table.
    """
    path = output_path(output, kind, run=run, id=id_dr3)
    if not path.is_file():
        raise FileNotFoundError(f"there is no table of {kind} of run {run} of galaxy {id_dr3} ({path}): run it first")
    return photometry_of(Table.read(path), id_dr3, run, kind, floor)


def photometry_of(table, id_dr3, run, kind="populations", floor=None):
    """`RegionPhotometry` from a table of SEDs, see `region_tables`; the rest as in `read_photometry`."""
    clusters, bands = np.unique(np.array(table["cluster"])), list(dict.fromkeys(table["band"].tolist()))

    def column(name):
        return table[name].quantity.astype(float).to_value(UNIT).reshape(len(clusters), len(bands))

    flux, total = column("flux"), column("flux_total")
    relative = np.divide(column("flux_sys"), np.abs(flux), out=np.full(flux.shape, np.nan), where=flux != 0)
    relative = relative if floor is None else floor
    return RegionPhotometry(
        id_dr3=id_dr3,
        run=run,
        kind=kind,
        redshift=float(table.meta["redshift"]),
        clusters=clusters,
        bands=tuple(bands),
        flux=flux,
        error=np.hypot(column("flux_err"), relative * np.abs(flux)),
        shared=column("flux_shared"),
        total=total,
        total_error=np.hypot(column("flux_total_err"), relative * np.abs(total)),
        floor=floor,
    )
