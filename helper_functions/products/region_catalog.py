"""Region catalog: a FITS table of all galaxies and runs, with a row for each region and kind of SED."""

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from data_paths import output_path
from helper_functions.composite_seds import SYSTEMATIC
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import file_states, files_unchanged, read_record
from helper_functions.files.saving import save_fits, save_json, table_hdu
from helper_functions.products.photometry import UNIT
from helper_functions.products.pixels import native
from helper_functions.products.region_rows import REGION_COLUMNS, input_file_states, read_run_rows
from helper_functions.products.summary import OK, SUMMARY_COLUMNS
from helper_functions.quality.metrics import QUALITY

# Columns from the run's row of the summary: unit, description, UCD (IVOA).
RUN_COLUMNS = {
    "id_dr3": (None, SUMMARY_COLUMNS["id_dr3"][1], "meta.id"),
    "run": (None, SUMMARY_COLUMNS["run"][1], "meta.id"),
    **{name: (None, SUMMARY_COLUMNS[name][1], "meta.code") for name in ("recommended", "method", "norm", "metric")},
    "redshift": (None, "redshift of the galaxy", "src.redshift"),
    "n_clusters": (None, "number of clusters of the run", "meta.number"),
    "k_low": (None, SUMMARY_COLUMNS["k_low"][1], "meta.number"),
    "k_high": (None, SUMMARY_COLUMNS["k_high"][1], "meta.number"),
    "snr_median": (None, SUMMARY_COLUMNS["snr_median"][1], "stat.snr"),
    "snr_peak": (None, SUMMARY_COLUMNS["snr_peak"][1], "stat.snr"),
    **{name: (None, f"of the run: {figure.meaning}", None) for name, figure in QUALITY.items()},
    "settings": (None, SUMMARY_COLUMNS["settings"][1], "meta.id"),
}
FIRST = ("id_dr3", "run", "recommended", "kind", "cluster", "name", "ra", "dec", "redshift")

# Upper wavelength in Angstrom -> UCD of the range (IVOA Recommendation "The UCD1+ controlled vocabulary").
RANGES = {
    **{2e3: "em.UV.100-200nm", 3e3: "em.UV.200-300nm", 4e3: "em.opt.U", 5e3: "em.opt.B", 6e3: "em.opt.V"},
    **{7.5e3: "em.opt.R", 1e4: "em.opt.I", 1.5e4: "em.IR.J", 2e4: "em.IR.H", 3e4: "em.IR.K", 4e4: "em.IR.3-4um"},
    **{8e4: "em.IR.4-8um", 1.5e5: "em.IR.8-15um", 3e5: "em.IR.15-30um"},
}


def update_regions(output, rows):
    """Update the catalog: rows of runs whose tables are unchanged are copied, those of other runs are read.

    Parameters
    ----------
    output : path
        Output folder.
    rows : list of dict
        Rows of the summary.

    Returns
    -------
    problems : list of str
        Messages on tables that cannot be read; their runs are missing in the catalog.
    """
    path, record_path = output_path(output, "regions"), output_path(output, "field_record")
    rows = [row for row in rows if row["status"] == OK]
    states = [digest(input_file_states(output, row["run"], row["id_dr3"])) for row in rows]
    config = digest(code_digest("catalog of regions"), states, [[row[name] for name in RUN_COLUMNS] for row in rows])
    record = read_record(record_path)
    if not files_unchanged(output, record.get("files", {})) or record.get("code") != code_digest("catalog of regions"):
        record = {}
    if record.get("config") == config:
        return []
    kept = _regions_on_disk(path) if record.get("files") else {}
    described, waves, known = record.get("described", {}), record.get("waves", {}), _places(record.get("sources", []))
    blocks, total, places, sources, problems = [kept], _size(kept), [], [], []
    for row, state in zip(rows, states, strict=True):
        source = f"{row['id_dr3']} {row['run']} {state}"
        place = known.get(source)  # indices of the run's rows in the concatenated blocks
        if place is None:
            try:
                made, new_waves, new_described = read_run_rows(output, row["run"], row["id_dr3"])
            except (OSError, ValueError, KeyError) as problem:
                problems.append(f"run {row['run']} of galaxy {row['id_dr3']}: {problem}")
                continue
            waves, described = waves | new_waves, described | new_described
            place = np.arange(total, total + sum(map(_size, made)))
            blocks.extend(made)
            total += len(place)
        places.append((row, place))
        sources.append([source, len(place)])
    filled = any(len(place) for _, place in places)
    config = "" if problems else config  # read failed tables again the next time
    if filled:
        order, numbers = np.concatenate([place for _, place in places]), [len(place) for _, place in places]
        columns = {name: values[order] for name, values in _joined(blocks).items()}
        columns = {name: each for name, each in columns.items() if name in REGION_COLUMNS or _is_known(each).any()}
        columns |= {name: np.repeat(np.array([row[name] for row, _ in places]), numbers) for name in RUN_COLUMNS}
        save_fits(path, fits.HDUList([fits.PrimaryHDU(), _regions_hdu(columns, described, waves)]))
    else:
        path.unlink(missing_ok=True)
    content = {"code": code_digest("catalog of regions"), "config": config, "sources": sources}
    content |= {"described": described, "waves": waves}
    save_json(record_path, content | {"files": file_states(Path(output), [path] * filled)})
    return problems


def _places(sources):
    """Row indices of each source in the existing catalog, from its list of [source, number of rows]."""
    ends = np.cumsum([number for _, number in sources], dtype=int)
    return {source: np.arange(end - number, end) for (source, number), end in zip(sources, ends, strict=True)}


def _size(columns):
    return len(columns.get("cluster", ()))


def _joined(blocks):
    """Concatenate blocks of columns; columns missing in a block are NaN, or empty."""
    ends = np.cumsum([_size(block) for block in blocks])
    joined = {name: np.concatenate([block[name] for block in blocks if name in block]) for name in REGION_COLUMNS}
    for block, end in zip(blocks, ends, strict=True):
        for name in block.keys() - REGION_COLUMNS.keys():
            if name not in joined:
                widest = max((each[name].dtype for each in blocks if name in each), key=lambda dtype: dtype.itemsize)
                joined[name] = np.full(ends[-1], "" if widest.kind == "U" else np.nan, dtype=widest)
            joined[name][end - _size(block) : end] = block[name]
    return joined


def _is_known(values):
    return values != "" if values.dtype.kind == "U" else np.isfinite(values)


# ---- the FITS file ----------------------------------------------------------


def _regions_on_disk(path):
    """Columns of the existing catalog except RUN_COLUMNS."""
    with fits.open(path, memmap=False) as hdus:
        data = hdus[1].data
        return {name: native(np.array(data[name])) for name in data.names if name not in RUN_COLUMNS}


def _regions_hdu(columns, described, waves):
    """The catalog as a `BinTableHDU`: fluxes sorted by wavelength, columns of other tables, columns of the run."""
    bands = [band for band in sorted(waves, key=waves.get) if f"flux_{band}" in columns]
    entries = RUN_COLUMNS | REGION_COLUMNS | {name: (*described[name], None) for name in described}
    for band in bands:
        at, ucd = f"at {waves[band]:.0f} Angstrom", f"phot.flux.density;{_range(waves[band])}"
        total = f"{at}: total flux of all pixels of the cluster, or light of the population, with its bins, if any"
        error = f"{at}: error of the total flux from correlated noise and background; zero points: see SYSERR"
        entries |= {f"flux_{band}": (UNIT, total, ucd), f"err_{band}": (UNIT, error, f"stat.error;{ucd}")}
    middle = [name for name in REGION_COLUMNS if name not in FIRST]
    fluxes = [f"{word}_{band}" for band in bands for word in ("flux", "err")]
    names = [*FIRST, *middle, *fluxes, *described, *(name for name in RUN_COLUMNS if name not in FIRST)]
    table = Table({name: columns[name] for name in names if name in columns})
    for name in table.colnames:
        table[name].unit = entries[name][0]
    hdu = table_hdu("REGIONS", table)
    for number, name in enumerate(table.colnames, start=1):
        _, meaning, ucd = entries[name]
        hdu.header[f"TCOMM{number}"] = meaning.replace("−", "-").encode("ascii", "replace").decode()
        if ucd:
            hdu.header[f"TUCD{number}"] = ucd
    hdu.header["SYSERR"] = (SYSTEMATIC, "fractional zero-point error, not in err_")
    hdu.header["CODE"] = (code_digest("catalog of regions"), "digest of the code that made this")
    return hdu


def _range(wavelength):
    """UCD of the wavelength range of a wavelength in Angstrom."""
    return next((ucd for upper, ucd in RANGES.items() if wavelength < upper), "em.IR")
