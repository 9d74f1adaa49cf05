"""Photometry of regions in files that codes of SED fitting load as they are: EXPORTS, a code each.

A file is of one run on one galaxy, of its populations or its composites, and either of total fluxes or of those per
pixel, which its name says. Where a band has no data, it holds what the code takes for a missing value.
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
BAGPIPES_MISSING = (0.0, 9.9e99)  # flux and error with which bagpipes' own examples take a band out of the fit
EAZY_MISSING = -99.0  # below NOT_OBS_THRESHOLD, -90 unless it is set
EAZY_NO_REDSHIFT = -1.0  # what eazy has for objects without z_spec
EAZY_ZERO_POINT = 23.9  # AB magnitude of 1 microjansky
CURVES = f"FILTER.RES.sedpy_{version('astro-sedpy')}"  # numbers of filters are those of one version of sedpy

# Columns of the tables for bagpipes and prospector: unit, and what they hold.
EXPORT_COLUMNS = {
    "id": (None, "name of the file and label in the label image"),
    "cluster": (None, "label in the label image"),
    "redshift": (None, "of the galaxy; NaN where it is not known"),
    "photometry": (u.uJy, "flux and error in each band; 0 and 9.9e99 without data"),
    "maggies": (MAGGY, "flux in each band; NaN without data"),
    "maggies_unc": (MAGGY, "its error; NaN without data"),
    "phot_mask": (None, "whether there are data"),
}


class Export(NamedTuple):
    """A code that photometry is written for: `RegionPhotometry` and a name of QUANTITIES make the text of a file."""

    files: dict  # ending of a file -> function(photometry, quantity) that gives its text
    shared: Callable  # function(bands) that gives {name: text} of files with filter curves, for all galaxies
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
        Share of the flux that is added to errors in quadrature; None: the error of zero points of the table.

    Raises
    ------
    OSError
        Where a file cannot be written.
    ValueError
        For a band without a filter curve.
    """
    for kind in [kind for kind in TABLES if codes and output_path(output, kind, run=run, id=id_dr3).is_file()]:
        photometry = read_photometry(output, run, id_dr3, kind, floor)
        for code in codes if len(photometry.clusters) else []:
            export = EXPORTS[code]
            for name, text in export.shared(photometry.bands).items():
                path = output_path(output, "export_filters", code=code, name=name)
                if not path.is_file() or path.read_text() != text:
                    save_text(path, text)
            for quantity in QUANTITIES:
                for ending, text_of in export.files.items():
                    content = f"{kind}_{quantity}{ending}"
                    path = output_path(output, "export", code=code, run=run, id=id_dr3, content=content)
                    save_text(path, text_of(photometry, quantity))


def export_contents():
    """What names of exported files end with, after the id."""
    endings = {ending for export in EXPORTS.values() for ending in export.files}
    return [f"{kind}_{quantity}{ending}" for kind in TABLES for quantity in QUANTITIES for ending in endings]


def _name(id_dr3, kind, quantity):
    return f"{id_dr3}_{kind}_{quantity}"


def _measured(photometry, quantity):
    """Flux and error of a quantity, microjansky, (n_regions, n_bands): both NaN where either is missing."""
    flux, error = (getattr(photometry, field) for field in QUANTITIES[quantity])
    missing = ~(np.isfinite(flux) & np.isfinite(error) & (error > 0))
    return np.where(missing, np.nan, flux), np.where(missing, np.nan, error)


def _what_errors_have(photometry):
    return f"with {'flux_sys' if photometry.floor is None else f'{photometry.floor:.3g} of the flux'} in quadrature"


def _text(table, layout):
    file = io.StringIO()
    table.write(file, format=layout)
    return file.getvalue()


def _ecsv(photometry, quantity, columns):
    """Text of a table with a row for each region, and the names of the filters in its header."""
    name = _name(photometry.id_dr3, photometry.kind, quantity)
    known = {
        "id": [f"{name}_{cluster}" for cluster in photometry.clusters],
        "cluster": photometry.clusters,
        "redshift": np.full(len(photometry.clusters), photometry.redshift),
    }
    filters = [load_filter(band).name for band in photometry.bands]
    meta = {"run": photometry.run, "errors": _what_errors_have(photometry), "filters": filters}
    return _text(with_descriptions(Table(known | columns, meta=meta), EXPORT_COLUMNS), "ascii.ecsv")


# ---- bagpipes -------------------------------------------------------------------------------------------------------
# As bagpipes.galaxy documents its arguments: load_data(ID) gives an array of flux and error in microjansky, and
# filt_list holds the paths of files with wavelengths in Angstrom and transmissions.


def bagpipes_table(photometry, quantity):
    """Table with flux and error of all bands of a region in one cell, as `load_data` of bagpipes is to return them."""
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
    """Catalogue with id, z_spec, and a flux f_<band> and error e_<band> for each band, in microjansky."""
    flux, error = (np.where(np.isnan(each), EAZY_MISSING, each) for each in _measured(photometry, quantity))
    redshift = photometry.redshift if np.isfinite(photometry.redshift) else EAZY_NO_REDSHIFT
    table = Table({"id": photometry.clusters, "z_spec": np.full(len(flux), redshift)})
    for number, band in enumerate(photometry.bands):
        table[f"f_{band}"], table[f"e_{band}"] = flux[:, number], error[:, number]
    for name in table.colnames[1:]:
        table[name].format = ".7g"  # eazy works in single precision
    return _text(table, "ascii.commented_header")


def eazy_parameters(photometry, quantity):
    """Parameters that go with a catalogue; eazy takes its own for all others, such as templates."""
    name = _name(photometry.id_dr3, photometry.kind, quantity)
    return (
        f"CATALOG_FILE {name}.cat\n"
        f"MAIN_OUTPUT_FILE {name}\n"
        f"FILTERS_RES ../filters/{CURVES}\n"
        f"PRIOR_ABZP {EAZY_ZERO_POINT} # fluxes are in microjansky\n"
        f"SYS_ERR 0.0 # the errors are {_what_errors_have(photometry)}\n"
        "MW_EBV 0.0 # fluxes are as in the images\n"
        "APPLY_PRIOR n # it is of whole galaxies\n"
    )


def eazy_translation(photometry, quantity):
    """Which column is of which filter: F for flux and E for error, and its number in the file of curves."""
    numbers = {sedpy_name(band): number for number, band in enumerate(known_bands(), start=1)}
    mine = [(band, numbers[sedpy_name(band)]) for band in photometry.bands]
    lines = [f"f_{band} F{number}\ne_{band} E{number}\n" for band, number in mine]
    return "".join(lines)


@cache
def eazy_curves():
    """Curves of all filters that a survey may have, so that their numbers are the same for all galaxies."""
    lines = []
    for curve in map(load_filter, known_bands()):
        lines.append(f"{len(curve.wavelength)} {curve.name} lambda_c= {curve.wave_pivot:.6g}\n")
        lines += [f"{number} {wave:.8g} {share:.6g}\n" for number, (wave, share) in enumerate(_points(curve), start=1)]
    return "".join(lines)


# ---- prospector -----------------------------------------------------------------------------------------------------
# https://github.com/bd-j/prospector/blob/v1.0.0/doc/dataformat.rst: a dictionary with fluxes in maggies.


def prospector_table(photometry, quantity):
    """Table whose rows are the dictionaries that `prospect.utils.obsutils.fix_obs` takes, less the filters."""
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
