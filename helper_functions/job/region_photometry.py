"""Photometry of the regions of one run, as other codes want it: from the tables of SEDs on disk, in microjansky."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

import data_paths
from helper_functions.composite_seds import best_fit_amplitude

UNIT = u.uJy
TABLES = {"populations": data_paths.populations_path, "composites": data_paths.composites_path}


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
    total: np.ndarray  # (n_regions, n_bands), microjansky, of the whole region
    total_error: np.ndarray  # (n_regions, n_bands), likewise
    floor: float | None = None  # share of the flux that is in the errors; None: the error of zero points of the table

    @property
    def scale(self):
        """Pixels of mean brightness that a region is as bright as, (n_regions,)."""
        rows = zip(self.total, self.error, self.flux, strict=True)
        return np.array([best_fit_amplitude(total[None], error[None], flux)[0][0] for total, error, flux in rows])


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
    path = TABLES[kind](output, run, id_dr3)
    if not path.is_file():
        raise FileNotFoundError(f"there is no table of {kind} of run {run} of galaxy {id_dr3} ({path}): run it first")
    table = Table.read(path)
    clusters, bands = np.unique(np.array(table["cluster"])), list(dict.fromkeys(table["band"].tolist()))

    def column(name):
        return table[name].quantity.to_value(UNIT).reshape(len(clusters), len(bands))

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
        total=total,
        total_error=np.hypot(column("flux_total_err"), relative * np.abs(total)),
        floor=floor,
    )
