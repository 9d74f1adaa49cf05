"""Filter curves of the survey's bands, from sedpy."""

from functools import cache
from importlib import resources

import numpy as np
from sedpy.observate import Filter

SEDPY_PREFIXES = ("jwst_", "wfc3_ir_", "acs_wfc_")


@cache
def _sedpy_names():
    folder = resources.files("sedpy") / "data" / "filters"
    return frozenset(path.name.removesuffix(".par") for path in folder.iterdir() if path.name.endswith(".par"))


def sedpy_name(band):
    """Name of a band's curve in sedpy, such as "jwst_f444w" for "f444w"; None where it has none."""
    names = [prefix + band for prefix in SEDPY_PREFIXES if prefix + band in _sedpy_names()]
    return names[0] if names else None


def bands_with_curves():
    """All bands that `load_filter` has a curve for, by the names of the curves."""
    bands = {
        name.removeprefix(prefix) for name in _sedpy_names() for prefix in SEDPY_PREFIXES if name.startswith(prefix)
    }
    return sorted(bands, key=sedpy_name)


@cache
def load_filter(band):
    """Return the sedpy `Filter` of a band.

    Raises
    ------
    ValueError
        Where sedpy has no curve of that name from JWST, WFC3/IR or ACS/WFC.
    """
    name = sedpy_name(band)
    if name is None:
        raise ValueError(
            f"no filter curve for band {band!r}: sedpy has none named {', '.join(p + band for p in SEDPY_PREFIXES)}"
        )
    return Filter(name)


def band_edges(bands):
    """Blue and red edge of each band in Angstrom, where it lets through half of its best, shape (n_bands, 2)."""
    filters = [load_filter(str(band)) for band in bands]
    return np.array([(curve.blue_edge, curve.red_edge) for curve in filters]).reshape(-1, 2)


def pivot_wavelength(band):
    """Pivot wavelength of a band in Angstrom."""
    return float(load_filter(band).wave_pivot)
