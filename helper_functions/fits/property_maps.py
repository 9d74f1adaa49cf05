"""Maps of a galaxy painted from a table that has a row for each region, by the light that each has in each pixel."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from data_paths import output_path
from helper_functions.composite_seds import best_fit_amplitude
from helper_functions.files.code import code_digest
from helper_functions.files.saving import image_hdu
from helper_functions.fitting.maps import paint
from helper_functions.products.labels import read_labels

SUMS = (u.solMass, u.solMass / u.yr)  # what has such a unit is a sum over the region
MASS_WEIGHTED = ("age", "ssfr")  # means over the stars, and not over their light
NOT_MAPPED = ("cluster", "region", "chi2", "n_bands", "magnification", "redshift")
LIGHT, PIXELS = "populations", "pixels of the clusters"


class RegionLight(NamedTuple):
    """Where the light of each region of a run is."""

    light: np.ndarray  # (n_regions, ny, nx), in units of which only ratios within a region count
    source: str  # LIGHT, or PIXELS where the method does not take blends apart
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_regions,), what colours go by
    header: fits.Header  # with the celestial WCS


class PropertyMap(NamedTuple):
    """A quantity in each pixel, NaN where nothing is known of it."""

    image: np.ndarray  # (ny, nx)
    error: np.ndarray  # (ny, nx); half the 16-84% range for what was fitted here
    unit: u.UnitBase
    is_sum: bool  # whether it is per pixel and adds up to the total
    how: str  # in words


def is_sum(unit):
    """Whether a quantity of this unit is a sum over the region: a mass, or a mass per time."""
    return any(u.Unit(unit or "").is_equivalent(each) for each in SUMS)


def region_light(output, run, id_dr3):
    """`RegionLight` of a run, from its files.

    Where the method takes blends apart, it is the light of its populations. Elsewhere each pixel is its cluster's
    alone, and as bright as the composite that fits it best.

    Raises
    ------
    FileNotFoundError
        Where there is no label file of the run.
    """
    path = output_path(output, "labels", run=run, id=id_dr3)
    if not path.is_file():
        raise FileNotFoundError(f"there is no label file of run {run} of galaxy {id_dr3} ({path}): run it first")
    found = read_labels(path)
    labels, light, source = found.labels, found.light, LIGHT
    if light is None:
        light, source = composite_amplitudes(output, run, id_dr3, labels), PIXELS
    return RegionLight(light.astype(float), source, labels, found.regions, found.header)


def composite_amplitudes(output, run, id_dr3, labels):
    """Amplitude of each cluster's composite in its own pixels, float ndarray of shape (n_clusters, ny, nx)."""
    table = Table.read(output_path(output, "composites", run=run, id=id_dr3))
    with fits.open(output_path(output, "pixels", id=id_dr3), memmap=False) as hdus:
        flux, error = (dict(zip(hdus["BANDS"].data["band"], hdus[name].data, strict=True)) for name in ("SCI", "ERR"))
    light = np.zeros((labels.max(initial=0), *labels.shape))
    for number, image in enumerate(light, start=1):
        composite, members = table[table["cluster"] == number], labels == number
        own = [np.array([cube[band][members] for band in composite["band"]], dtype=float).T for cube in (flux, error)]
        image[members] = best_fit_amplitude(*own, np.array(composite["flux"]))[0]
    return light


def property_maps(where, table, sums=None):
    """Paint all columns of numbers of a table that is keyed by cluster.

    Parameters
    ----------
    where : RegionLight
    table : Table
        With a column `cluster`, whose numbers are labels. Of what is given as x_p16, x_p50 and x_p84, x_p50 is painted
        as x, with half the range as its error; the error of any other x may be a column x_err.
    sums : sequence of str or None
        Names of columns that are sums over the region; None: those with the unit of a mass, or of a mass per time.

    Returns
    -------
    dict
        Name -> PropertyMap.

    Raises
    ------
    ValueError
        For a table without a column `cluster` or with nothing to paint, for clusters that the run does not have or
        that come twice, and for sums that are no columns.
    """
    quantities = read_quantities(table, len(where.light))
    unknown = [name for name in sums or [] if name not in quantities]
    if unknown:
        raise ValueError(f"no column {', '.join(unknown)} to be painted: there are {', '.join(quantities)}")
    painted, mass = {}, quantities.get("mass", (None,))[0]
    for name, (values, errors, unit) in quantities.items():
        additive = name in sums if sums is not None else is_sum(unit)
        weights = mass if name in MASS_WEIGHTED else None
        how = "spread like the light" if additive else f"mean by {'light' if weights is None else 'mass'}"
        painted[name] = PropertyMap(*paint(where.light, values, errors, additive, weights), unit, additive, how)
    return painted


def read_quantities(table, n_clusters):
    """{name: (values, errors, unit)} of the columns to be mapped, arrays of shape (n_clusters,), NaN if unknown."""
    if "cluster" not in table.colnames:
        raise ValueError(f"the table has no column cluster: it has {', '.join(table.colnames)}")
    clusters = [float(number) for number in table["cluster"]]
    wrong = [f"{number:g}" for number in clusters if number not in range(1, n_clusters + 1)]
    if wrong:
        raise ValueError(f"the run has clusters 1 to {n_clusters}, and the table has a row for {', '.join(wrong)}")
    if len(set(clusters)) < len(clusters):
        raise ValueError("the table has more than one row for a cluster: want one")

    def column(name):
        values = np.full(n_clusters, np.nan)
        if name in table.colnames:
            filled = table[name].filled(np.nan) if isinstance(table[name], MaskedColumn) else table[name]
            values[np.array(clusters, dtype=int) - 1] = np.asarray(filled, dtype=float)
        return values

    found = {}
    for name in table.colnames:
        stem = name.removesuffix("_p50")
        parts = stem in NOT_MAPPED or name.endswith(("_err", "_p16", "_p84"))
        if parts or table[name].dtype.kind not in "iuf" or table[name].ndim > 1:
            continue
        errors = column(f"{name}_err") if stem == name else (column(f"{stem}_p84") - column(f"{stem}_p16")) / 2
        found[stem] = column(name), errors, u.Unit(table[name].unit or "")
    if not found:
        raise ValueError("the table has no column of numbers to be painted besides cluster")
    return found


def map_hdus(where, painted, note=""):
    """Painted maps as an `HDUList`: for each quantity an image, and its error, with the celestial WCS and the unit."""
    header = where.header.copy()
    header["CODE"] = (code_digest("fits"), "digest of the code that made this")
    header["LIGHTOF"] = (where.source, "whose light places the regions")
    del header["COMMENT"]  # on labels
    header["COMMENT"] = "Sums are per pixel and add up to the total of all regions."
    header["COMMENT"] = "Errors of pixels of one region are one and the same, not independent."
    if note:
        header["COMMENT"] = note
    hdus = [fits.PrimaryHDU(None, header)]
    for name, found in painted.items():
        for ending, image in (("", found.image), ("_ERR", found.error)):
            hdu = image_hdu(f"{name.upper()}{ending}", image, header)
            hdu.header["BUNIT"] = (found.unit.to_string("fits"), "per pixel" if found.is_sum else "")
            hdu.header["PAINTED"] = found.how
            hdus.append(hdu)
    return fits.HDUList(hdus)
