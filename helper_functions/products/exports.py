"""Photometry of regions in the input formats of SED fitting codes: the registry EXPORTS.

There are files for each run and galaxy, for populations and composites, and for total fluxes and fluxes per pixel.
Bands without data have the code's value for missing data.
"""

import io
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.table import Table

from data_paths import output_path
from helper_functions.files.saving import save_text, with_descriptions
from helper_functions.filters import known_bands, load_filter, sedpy_name
from helper_functions.products.photometry import TABLES, read_photometry

QUANTITIES = {"total": ("total", "total_error"), "per_pixel": ("flux", "error")}  # fields of RegionPhotometry
MAGGY = u.Unit(3631 * u.Jy)  # flux density of AB magnitude 0, as prospector has it
BAGPIPES_MISSING = (0.0, 9.9e99)  # flux and error that exclude a band, as in the examples of bagpipes
EAZY_MISSING = -99.0  # below the default of NOT_OBS_THRESHOLD, -90
EAZY_NO_REDSHIFT = -1.0  # z_spec of objects without one in eazy
EAZY_ZERO_POINT = 23.9  # AB magnitude of 1 microjansky
CURVES = f"FILTER.RES.sedpy_{version('astro-sedpy')}"  # the numbering of filters depends on the version of sedpy

# Columns of the tables for bagpipes and prospector: unit, description.
EXPORT_COLUMNS = {
    "id": (None, "name of the file, and label in the label image"),
    "cluster": (None, "label in the label image"),
    "redshift": (None, "redshift of the galaxy; NaN if it is not known"),
    "photometry": (u.uJy, "flux and error in each band; 0 and 9.9e99 without data"),
    "maggies": (MAGGY, "flux in each band; NaN without data"),
    "maggies_unc": (MAGGY, "error of maggies; NaN without data"),
    "phot_mask": (None, "True for bands with data"),
}


class Export(NamedTuple):
    """Writers of the input files of a code."""

    files: dict  # suffix of a file -> function(RegionPhotometry, name in QUANTITIES) that returns its text
    shared: Callable  # function(bands) that returns {name: text} of filter curve files, shared by all galaxies
    meaning: str


def write_exports(output, run, id_dr3, codes, floor=None):
    """Write the photometry of all regions of a run for other codes, from its tables on disk.

    Parameters
    ----------
    output : path
        Output folder.
    run : str
        Name of the run's folder.
    id_dr3 : int
    codes : sequence of str
        Names in EXPORTS.
    floor : float or None
        Fraction of the flux added to errors in quadrature; None: the zero-point error of the table.

    Raises
    ------
    OSError
        If a file cannot be written.
    ValueError
        For a band without a filter curve.
    """
    for kind in [kind for kind in TABLES if codes and output_path(output, kind, run=run, id=id_dr3).is_file()]:
        photometry = read_photometry(output, run, id_dr3, kind, floor)
        for code in codes if len(photometry.clusters) else []:
            export = EXPORTS[code]
            for name, text in export.shared(photometry.bands).items():
                path = output_path(output, "export_filters", code=code, name=name)
                if not path.is_file() or path.read_text(encoding="utf-8") != text:
                    save_text(path, text)
            for quantity in QUANTITIES:
                for ending, text_of in export.files.items():
                    content = f"{kind}_{quantity}{ending}"
                    path = output_path(output, "export", code=code, run=run, id=id_dr3, content=content)
                    save_text(path, text_of(photometry, quantity))


def export_contents():
    """List of all suffixes of exported files after the id."""
    endings = {ending for export in EXPORTS.values() for ending in export.files}
    return [f"{kind}_{quantity}{ending}" for kind in TABLES for quantity in QUANTITIES for ending in endings]


def _name(id_dr3, kind, quantity):
    return f"{id_dr3}_{kind}_{quantity}"


def _measured(photometry, quantity):
    """Flux and error of a quantity, microjansky, (n_regions, n_bands); both are NaN if either is missing."""
    flux, error = (getattr(photometry, field) for field in QUANTITIES[quantity])
    missing = ~(np.isfinite(flux) & np.isfinite(error) & (error > 0))
    return np.where(missing, np.nan, flux), np.where(missing, np.nan, error)


def _error_terms(photometry):
    return f"with {'flux_sys' if photometry.floor is None else f'{photometry.floor:.3g} of the flux'} in quadrature"


def _text(table, layout):
    file = io.StringIO()
    table.write(file, format=layout)
    return file.getvalue()


def _ecsv(photometry, quantity, columns):
    """Text of an ECSV table with a row for each region, and the names of the filters in its meta data."""
    name = _name(photometry.id_dr3, photometry.kind, quantity)
    known = {
        "id": [f"{name}_{cluster}" for cluster in photometry.clusters],
        "cluster": photometry.clusters,
        "redshift": np.full(len(photometry.clusters), photometry.redshift),
    }
    filters = [load_filter(band).name for band in photometry.bands]
    meta = {"run": photometry.run, "errors": _error_terms(photometry), "filters": filters}
    return _text(with_descriptions(Table(known | columns, meta=meta), EXPORT_COLUMNS), "ascii.ecsv")


# ---- bagpipes -------------------------------------------------------------------------------------------------------
# As bagpipes.galaxy documents its arguments: load_data(ID) gives an array of flux and error in microjansky, and
# filt_list holds the paths of files with wavelengths in Angstrom and transmissions.


def bagpipes_table(photometry, quantity):
    """Table with an array of flux and error of all bands in one cell, as `load_data` for bagpipes must return it."""
    both = np.stack(_measured(photometry, quantity), axis=-1)
    return _ecsv(photometry, quantity, {"photometry": np.where(np.isnan(both), BAGPIPES_MISSING, both)})


def bagpipes_curves(bands):
    """A file for each filter, with wavelengths in Angstrom and transmissions."""
    curves = [load_filter(band) for band in bands]
    return {
        f"{curve.name}.dat": "".join(f"{wave:.8g} {share:.6g}\n" for wave, share in _points(curve)) for curve in curves
    }


def _points(curve):
    return zip(curve.wavelength, curve.transmission, strict=True)


# ---- eazy -----------------------------------------------------------------------------------------------------------
# As eazy-py documents PhotoZ.read_catalog, TranslateFile and FilterFile, and the parameters in zphot.param.default.


def eazy_catalogue(photometry, quantity):
    """Catalogue with id, z_spec, flux f_<band> and error e_<band> in microjansky."""
    flux, error = (np.where(np.isnan(each), EAZY_MISSING, each) for each in _measured(photometry, quantity))
    redshift = photometry.redshift if np.isfinite(photometry.redshift) else EAZY_NO_REDSHIFT
    table = Table({"id": photometry.clusters, "z_spec": np.full(len(flux), redshift)})
    for number, band in enumerate(photometry.bands):
        table[f"f_{band}"], table[f"e_{band}"] = flux[:, number], error[:, number]
    for name in table.colnames[1:]:
        table[name].format = ".7g"  # eazy works in single precision
    return _text(table, "ascii.commented_header")


def eazy_parameters(photometry, quantity):
    """Parameter file for a catalogue; eazy uses its defaults for parameters that are not in it, such as templates."""
    name = _name(photometry.id_dr3, photometry.kind, quantity)
    return (
        f"CATALOG_FILE {name}.cat\n"
        f"MAIN_OUTPUT_FILE {name}\n"
        f"FILTERS_RES ../filters/{CURVES}\n"
        f"PRIOR_ABZP {EAZY_ZERO_POINT} # fluxes are in microjansky\n"
        f"SYS_ERR 0.0 # the errors are {_error_terms(photometry)}\n"
        "MW_EBV 0.0 # fluxes are as in the images\n"
        "APPLY_PRIOR n # it is of whole galaxies\n"
    )


def eazy_translation(photometry, quantity):
    """Translation file: the number of the filter in the file of curves for each column, F of flux and E of error."""
    numbers = {sedpy_name(band): number for number, band in enumerate(known_bands(), start=1)}
    filters = [(band, numbers[sedpy_name(band)]) for band in photometry.bands]
    return "".join(f"f_{band} F{number}\ne_{band} E{number}\n" for band, number in filters)


@cache
def eazy_curves():
    """Curves of all known filters, so that their numbers are the same for all galaxies."""
    lines = []
    for curve in map(load_filter, known_bands()):
        lines.append(f"{len(curve.wavelength)} {curve.name} lambda_c= {curve.wave_pivot:.6g}\n")
        lines += [f"{number} {wave:.8g} {share:.6g}\n" for number, (wave, share) in enumerate(_points(curve), start=1)]
    return "".join(lines)


# ---- prospector -----------------------------------------------------------------------------------------------------
# https://github.com/bd-j/prospector/blob/v1.0.0/doc/dataformat.rst: a dictionary with fluxes in maggies.


def prospector_table(photometry, quantity):
    """Table whose rows are input dictionaries of `prospect.utils.obsutils.fix_obs`, except for the filters."""
    flux, error = (each * u.uJy.to(MAGGY) for each in _measured(photometry, quantity))
    columns = {"maggies": flux, "maggies_unc": error, "phot_mask": np.isfinite(flux)}
    return _ecsv(photometry, quantity, columns)


EXPORTS = {
    "bagpipes": Export({".ecsv": bagpipes_table}, bagpipes_curves, "tables of microjansky, and filter curves"),
    "eazy": Export(
        {".cat": eazy_catalogue, ".translate": eazy_translation, ".param": eazy_parameters},
        lambda bands: {CURVES: eazy_curves()},
        "catalogues of microjansky with their parameters, and filter curves",
    ),
    "prospector": Export({".ecsv": prospector_table}, lambda bands: {}, "tables of maggies for `fix_obs`"),
}
