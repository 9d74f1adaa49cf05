"""Lensing magnification of regions: a table for each run, and a map of the galaxy."""

from functools import partial

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from data_paths import output_path
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import (
    delete_record,
    file_states,
    files_unchanged,
    load_record,
    remove_files,
    save_record,
)
from helper_functions.files.saving import image_hdu, save_fits, save_table, with_descriptions
from helper_functions.fits.lens import NotLensed, inverse_magnification
from helper_functions.fits.property_maps import LIGHT, region_light
from helper_functions.pixel_seds import pixel_of

RECORD = "lensing/regions"  # name of the record of a galaxy
EXTREME = 20.0  # models of one cluster differ by 30% at a magnification of 2, and by 70% at 40 (Priewe et al. 2017)
LENSING_COLUMNS = {  # unit, description
    "kind": (None, "population: its light in all pixels; composite: all light in the pixels of the cluster"),
    "cluster": (None, "label in the label image"),
    "mu": (None, "magnification of the region: its flux divided by its flux in the source plane"),
    "mu_low": (None, "lowest magnification of its pixels"),
    "mu_high": (None, "highest magnification of its pixels"),
    "area_source": (u.arcsec**2, "area of its pixels in the source plane"),
    "flag": (None, f"magnification above {EXTREME:g}, critical curve, or negative parity; empty if there is none"),
}


def lensing_table(light, labels, inverse, pixel):
    """Magnification of each region.

    The flux of a region in the source plane is the sum over its pixels of flux / magnification, so that the
    magnification of the region is the harmonic mean weighted by flux.

    Parameters
    ----------
    light : dict
        Kind, population or composite -> ndarray of shape (n_regions, ny, nx), in any unit; NaN or 0 without light.
    labels : int ndarray of shape (ny, nx)
    inverse : ndarray of shape (ny, nx)
        From `inverse_magnification`.
    pixel : float
        Side of a pixel, arcsec.

    Returns
    -------
    Table
        With LENSING_COLUMNS, and a row for each kind and region.
    """
    rows, size = [], np.abs(inverse)
    regions = [(kind, *region) for kind, maps in light.items() for region in enumerate(np.nan_to_num(maps), start=1)]
    for kind, number, own in regions:
        here = next(each for each in (labels == number, own > 0, labels != 0) if each.any())  # it may have no pixels
        source = np.sum(own * np.nan_to_num(size))
        with np.errstate(divide="ignore"):
            mu = 1 / size[here]
        found = {
            f"magnification up to {mu.max():.3g}": mu.max() > EXTREME,
            "critical curve": inverse[here].min() <= 0 <= inverse[here].max(),
            "negative parity": (inverse[here] < 0).all(),
        }
        row = (
            kind,
            number,
            own.sum() / source if source > 0 else np.nan,
            mu.min(),
            mu.max(),
            size[here].sum() * pixel**2,
        )
        rows.append((*row, ", ".join(word for word, is_so in found.items() if is_so)))
    meta = {"content": "magnification of regions by a lens", "code": code_digest("fits")}
    table = Table(rows=rows, names=list(LENSING_COLUMNS), meta=meta)
    return with_descriptions(table, LENSING_COLUMNS)


def save_lensing(output, id_dr3, runs, lens, redshift):
    """Save the magnification map of a galaxy, and the table of each run, unless they are up to date.

    Parameters
    ----------
    output : path
        Output folder.
    id_dr3 : int
    runs : list of str
        Names of runs with results.
    lens : Lens
    redshift : float
        Of the galaxy.

    Returns
    -------
    str
        Reason why there is no magnification and no file; else empty.
    """
    path = partial(output_path, output, id=id_dr3)
    stats = [path("labels", run=run).stat() for run in runs]
    asked = digest(
        code_digest("fits"), lens.digest, str(redshift), runs, [(each.st_size, each.st_mtime_ns) for each in stats]
    )
    record = load_record(output, id_dr3, RECORD)
    if record.get("asked") == asked and files_unchanged(output, record["files"]):
        return record["problem"]
    remove_lensing(output, id_dr3, runs)
    files, problem = {}, ""
    try:
        places = [region_light(output, run, id_dr3) for run in runs]
        header, labels = places[0].header, places[0].labels
        inverse = inverse_magnification(lens, WCS(header), labels.shape, redshift)
        missing, selected = np.isnan(inverse) & (labels != 0), labels != 0
        if missing.any():
            raise NotLensed(f"the maps have no value in {missing.sum()} of {selected.sum()} selected pixels")
        for run, where in zip(runs, places, strict=True):
            if not len(where.regions):
                continue
            table = lensing_table(light_by_kind(where), where.labels, inverse, pixel_of(WCS(header)))
            files[path("lensing", run=run)] = partial(save_table, table=table)
        files[path("lensing_map")] = partial(save_fits, hdus=map_hdus(inverse, header))
    except NotLensed as reason:
        problem = str(reason)
    for place, save in files.items():
        save(place)
    save_record(output, id_dr3, RECORD, asked=asked, problem=problem, files=file_states(output, files))
    return problem


def light_by_kind(where):
    """Light of the regions of a `RegionLight` by kind, as in `lensing_table`."""
    if where.source != LIGHT:
        return {"composite": where.light}
    members = where.labels == np.arange(1, len(where.light) + 1)[:, None, None]
    return {"population": where.light, "composite": members * np.nansum(where.light, axis=0)}


def remove_lensing(output, id_dr3, runs):
    """Remove the files of `save_lensing` for a galaxy and these runs."""
    for run in runs:
        output_path(output, "lensing", run=run, id=id_dr3).unlink(missing_ok=True)
    remove_files(output, load_record(output, id_dr3, RECORD).get("files", {}))
    delete_record(output, id_dr3, RECORD)


def map_hdus(inverse, header):
    """`HDUList` of the magnification, negative for negative parity, with the celestial WCS of a label file."""
    header = WCS(header).to_header(relax=True)
    header["COMMENT"] = "Lensing magnification; negative values are of negative parity."
    with np.errstate(divide="ignore"):
        return fits.HDUList([fits.PrimaryHDU(), image_hdu("MAGNIFICATION", (1 / inverse).astype(np.float32), header)])


def read_lensing(output, run, id_dr3):
    """Magnification and flag of each region whose SED is fitted, {cluster: (mu, str)}; None if not saved."""
    path = output_path(output, "lensing", run=run, id=id_dr3)
    if not path.is_file():
        return None
    table = Table.read(path).filled("")
    table = table[table["kind"] == table["kind"][0]]  # populations, if the method unmixes blends
    cluster, mu, flag = (table[name].tolist() for name in ("cluster", "mu", "flag"))
    return dict(zip(cluster, zip(mu, flag, strict=True), strict=True))


def read_lensing_map(output, id_dr3):
    """Magnification of each pixel of a galaxy, (ny, nx), see `map_hdus`."""
    return fits.getdata(output_path(output, "lensing_map", id=id_dr3)).astype(float)
