"""Filter curves of the survey's bands, from sedpy."""

from functools import cache
from importlib import resources

import numpy as np
from sedpy.observate import Filter

SEDPY_PREFIXES = (
    "jwst_",
    "wfc3_ir_",
    "acs_wfc_",
    "wfc3_uvis_",
)  # may be missing in band names; the first match is used


@cache
def _sedpy_names():
    """Names of all filter curves in sedpy, by their lower-case names."""
    folder = resources.files("sedpy") / "data" / "filters"
    names = (path.name.removesuffix(".par") for path in folder.iterdir() if path.name.endswith(".par"))
    return {name.lower(): name for name in names}


def sedpy_name(band):
    """Name of a band's filter curve in sedpy, such as "jwst_f444w" for "f444w" or "jwst_f444w"; None if unknown."""
    names = (_sedpy_names().get(prefix + band.lower()) for prefix in (*SEDPY_PREFIXES, ""))
    return next(filter(None, names), None)


@cache
def known_bands():
    """Shortest accepted name of each filter curve in sedpy, lower case: "f444w", but "subaru_suprimecam_b"."""
    shortest = {}
    for name in sorted(_sedpy_names()):
        short = (name.removeprefix(prefix) for prefix in SEDPY_PREFIXES)
        shortest[name] = min((each for each in short if sedpy_name(each).lower() == name), key=len)
    return tuple(shortest.values())


@cache
def load_filter(band):
    """Return the sedpy `Filter` of a band.

    Raises
    ------
    ValueError
        Where sedpy has no curve of that name.
    """
    name = sedpy_name(band)
    if name is None:
        raise ValueError(
            f"no filter curve for band {band!r}: sedpy has none named "
            f"{', '.join(prefix + band for prefix in (*SEDPY_PREFIXES, ''))}"
        )
    return Filter(name)


def band_edges(bands):
    """Blue and red edge of each band in Angstrom, at half of its maximum transmission, shape (n_bands, 2)."""
    filters = [load_filter(str(band)) for band in bands]
    return np.array([(curve.blue_edge, curve.red_edge) for curve in filters]).reshape(-1, 2)


def pivot_wavelength(band):
    """Pivot wavelength of a band in Angstrom."""
    return float(load_filter(band).wave_pivot)
