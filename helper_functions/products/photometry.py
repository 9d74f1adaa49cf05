"""Photometry of the regions of one run in microjansky, read from the tables of SEDs, for fits and other codes."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

from data_paths import output_path
from helper_functions.composite_seds import scale_factor

UNIT = u.uJy
MAX_RELATIVE_ERROR = 0.5  # of bands that the error of a region's total flux is estimated from
TABLES = ("populations", "composites")  # of SEDs, names in `data_paths.OUTPUTS`


class RegionPhotometry(NamedTuple):
    """Photometry of the regions of one run, in the order of their clusters; NaN in bands without data."""

    id_dr3: int
    run: str  # name of its folder
    kind: str  # "populations" or "composites"
    redshift: float  # NaN if it is not known
    clusters: np.ndarray  # (n_regions,), labels
    bands: tuple  # n_bands names
    flux: np.ndarray  # (n_regions, n_bands), microjansky per pixel, of a pixel of mean brightness
    error: np.ndarray  # (n_regions, n_bands), including the zero-point error or the floor
    shared: np.ndarray  # (n_regions, n_bands), the part of `error` that is fully correlated between bands
    total: np.ndarray  # (n_regions, n_bands), microjansky, of the whole region, with its bins if there are any
    total_error: np.ndarray  # (n_regions, n_bands), including the zero-point error or the floor
    floor: float | None = None  # fraction of the flux in the errors; None: the zero-point error of the table
    zero_point: np.ndarray | float = 0.0  # that fraction, (n_regions, n_bands)

    def scaled_to_totals(self):
        """The SEDs per pixel scaled to the total fluxes of regions, with errors as needed by `fit_sed`.

        The errors of an SED's shape and of its scale are known separately: the shape is that of the SED per pixel, and
        the total fluxes give the scale and its error.

        Returns
        -------
        flux, error : ndarray of shape (n_regions, n_bands)
            Microjansky; the errors are independent between bands.
        shared : ndarray of shape (n_regions, 2, n_bands)
            Errors that are fully correlated between bands: of the shape, and of the scale.
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

    def integrated(self):
        """The sum of the SEDs of all regions, with errors as needed by `fit_sed`.

        Noise, and errors of the scale, are assumed to be independent between regions; zero-point errors are common to
        them. Errors of shapes, by light of other regions, are not included, as this light is part of the sum.

        Returns
        -------
        flux, error : ndarray of shape (n_bands,)
            Microjansky, as in `scaled_to_totals`.
        shared : ndarray of shape (2, n_bands)
            Likewise: none of the shape, and that of the scale.
        """
        flux, error, shared = self.scaled_to_totals()
        noise = error**2 - (self.zero_point * flux) ** 2
        variance = np.maximum(noise, 0).sum(axis=0) + np.sum(self.zero_point * flux, axis=0) ** 2
        scale_error = np.linalg.norm(shared[:, 1], axis=0)
        return flux.sum(axis=0), np.sqrt(variance), np.stack([np.zeros_like(scale_error), scale_error])

    def _scale_error(self, row):
        """Relative error of the scale of a region: median excess error of the total over the SED, in precise bands."""
        with np.errstate(divide="ignore", invalid="ignore"):
            total, shape = self.total_error[row] / self.total[row], self.error[row] / self.flux[row]
        excess = (total**2 - shape**2)[np.abs(shape) < MAX_RELATIVE_ERROR]
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
        "populations", unmixed SEDs, or "composites", mean SEDs of the pixels of each cluster.
    floor : float or None
        Fraction of the flux added to errors in quadrature; None: the zero-point error of the table.

    Returns
    -------
    RegionPhotometry

    Raises
    ------
    FileNotFoundError
        If the run has no such table.
    """
    path = output_path(output, kind, run=run, id=id_dr3)
    if not path.is_file():
        raise FileNotFoundError(f"there is no table of {kind} of run {run} of galaxy {id_dr3} ({path}): run it first")
    return photometry_of(Table.read(path), id_dr3, run, kind, floor)


def photometry_of(table, id_dr3, run, kind="populations", floor=None):
    """`RegionPhotometry` from a table of SEDs, see `sed_tables`; other parameters as in `read_photometry`."""
    clusters, bands = np.unique(np.array(table["cluster"])), list(dict.fromkeys(table["band"].tolist()))

    def column(name):
        return table[name].quantity.astype(float).to_value(UNIT).reshape(len(clusters), len(bands))

    whole = "flux_whole" if "flux_whole" in table.colnames else "flux_total"
    flux, total = column("flux"), column(whole)
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
        total_error=np.hypot(column(f"{whole}_err"), relative * np.abs(total)),
        floor=floor,
        zero_point=np.broadcast_to(relative, flux.shape),
    )
