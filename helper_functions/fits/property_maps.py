"""Maps of physical properties from a table with a row for each region, weighted by the region's light in each pixel."""

from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import MaskedColumn

from data_paths import output_path
from helper_functions.files.code import code_digest
from helper_functions.files.saving import image_hdu
from helper_functions.fitting.maps import paint
from helper_functions.products.labels import read_labels

SUMS = (u.solMass, u.solMass / u.yr)  # quantities with such a unit are sums over the region
MASS_WEIGHTED = ("age", "ssfr")  # weighted by mass; other means are weighted by light
NOT_MAPPED = ("cluster", "region", "chi2", "n_bands", "magnification", "redshift", "mass_ratio", "sfr_ratio")
LIGHT, PIXELS = "populations", "pixels of the clusters"


class RegionLight(NamedTuple):
    """Spatial distribution of the light of each region of a run."""

    light: np.ndarray  # (n_regions, ny, nx), in arbitrary units for each region
    source: str  # LIGHT, or PIXELS for methods that do not unmix blends
    labels: np.ndarray  # (ny, nx)
    regions: np.ndarray  # (n_regions,), region numbers, which set the colours
    names: tuple  # n_regions names of a user's own regions; empty: clusters of a method
    header: fits.Header  # with the celestial WCS


class PropertyMap(NamedTuple):
    """Map of a quantity, NaN in pixels where it is unknown."""

    image: np.ndarray  # (ny, nx)
    error: np.ndarray  # (ny, nx); half the 16-84% range for fitted quantities
    unit: u.UnitBase
    is_sum: bool  # whether values are per pixel and add up to the total
    how: str  # description of the weighting


def is_sum(unit):
    """Whether a quantity of this unit is a sum over the region: a mass, or a mass per time."""
    return any(u.Unit(unit or "").is_equivalent(each) for each in SUMS)


def region_light(output, run, id_dr3):
    """`RegionLight` of a run, from its files.

    For methods that unmix blends, it is the light of the populations; for others, the best-fit amplitude of the
    cluster's composite in each pixel of the cluster. Raises FileNotFoundError if the run has no label file.
    """
    path = output_path(output, "labels", run=run, id=id_dr3)
    if not path.is_file():
        raise FileNotFoundError(f"there is no label file of run {run} of galaxy {id_dr3} ({path}): run it first")
    found = read_labels(path)
    labels, light, source = found.labels, found.light, LIGHT
    if light is None:
        numbers = np.arange(1, len(found.regions) + 1)[:, None, None]
        light, source = np.where(labels == numbers, found.amplitude, 0), PIXELS
    return RegionLight(light.astype(float), source, labels, found.regions, found.names, found.header)


def property_maps(where, table, sums=None):
    """Map all numeric columns of a table with a row for each cluster.

    Parameters
    ----------
    where : RegionLight
    table : Table
        With a column `cluster` of labels, without 0, the sum of all regions. Columns x_p16, x_p50 and x_p84
        give a map x of x_p50, with half the range as its error; the error of any other column x is read from a column
        x_err, if there is one.
    sums : sequence of str or None
        Names of columns that are sums over the region; None: those with the unit of a mass, or of a mass per time.

    Returns
    -------
    dict
        Name -> PropertyMap.

    Raises
    ------
    ValueError
        If the table has no column `cluster` or no numeric column, has unknown or duplicate clusters, or lacks a column
        of `sums`.
    """
    quantities = read_quantities(table, len(where.light))
    unknown = [name for name in sums or [] if name not in quantities]
    if unknown:
        raise ValueError(f"no column {', '.join(unknown)} to be mapped: there are {', '.join(quantities)}")
    maps, mass = {}, quantities.get("mass", (None,))[0]
    for name, (values, errors, unit) in quantities.items():
        additive = name in sums if sums is not None else is_sum(unit)
        weights = mass if name in MASS_WEIGHTED else None
        how = "spread like the light" if additive else f"mean by {'light' if weights is None else 'mass'}"
        maps[name] = PropertyMap(*paint(where.light, values, errors, additive, weights), unit, additive, how)
    return maps


def read_quantities(table, n_clusters):
    """{name: (values, errors, unit)} of the columns to be mapped; arrays of shape (n_clusters,), NaN if unknown."""
    if "cluster" not in table.colnames:
        raise ValueError(f"the table has no column cluster: it has {', '.join(table.colnames)}")
    table = table[[float(number) != 0 for number in table["cluster"]]]
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
        raise ValueError("the table has no numeric column to be mapped besides cluster")
    return found


def map_hdus(where, maps, note=""):
    """`HDUList` of {name: PropertyMap}: an image and an error image for each, with the celestial WCS and the unit."""
    header = where.header.copy()
    header["CODE"] = (code_digest("fits"), "digest of the code that made this")
    header["LIGHTOF"] = (where.source, "light that maps are weighted by")
    del header["COMMENT"]  # on labels
    header["COMMENT"] = "Sums are per pixel and add up to the total of all regions."
    header["COMMENT"] = "Errors of pixels of one region are fully correlated."
    if note:
        header["COMMENT"] = note
    hdus = [fits.PrimaryHDU(None, header)]
    for name, each in maps.items():
        for ending, image in (("", each.image), ("_ERR", each.error)):
            hdu = image_hdu(f"{name.upper()}{ending}", image, header)
            hdu.header["BUNIT"] = (each.unit.to_string("fits"), "per pixel" if each.is_sum else "")
            hdu.header["PAINTED"] = each.how
            hdus.append(hdu)
    return fits.HDUList(hdus)
