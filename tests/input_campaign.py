"""Odd inputs by the hundred: the main job gives what it gives for plain ones, or says in one line what is wrong.

Each example changes the planted field in one to four ways. Most (CHANGES) do not change what was measured: units, types
and byte orders of numbers, scaling, compression, extensions, headers, orders of rows and columns, ids, scale of the
weights, and what stands where there are no data. Others (FAULTS) cannot be right, and must be refused, or told.
`hypothesis` draws them; an example is known by its changes and its number.

    python -m tests.input_campaign --n 500
"""

import argparse
import contextlib
import io
import shutil
import sys
import tempfile
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table

sys.path.insert(0, str(Path(__file__).parent))
from conftest import BANDS, NOISE, image_path, write_survey

import main_clustering
from data_paths import SEGMAP, SPS_CATALOG, SUPER_CATALOG, output_path

FLAGS = ["--methods", "kmeans", "--n-clusters", "2", "--pictures", "none", "--registration", "none", "--no-explorer"]
FLAGS += ["--no-pixel-cubes", "--criteria-shown"]
# Relative to the brightest band of a region: images of 32 bits that were converted are rounded to 6e-8.
SAME = 1e-6
SPREAD = 2_654_435_761  # an odd number near 2^32 divided by the golden ratio, for numbers that do not repeat
BIG_ID = 3_000_000_019


class Field:
    """The planted field in memory: what an example changes before it is written."""

    def __init__(self, folder):
        self.names = {kind: {band: image_path(Path(), band, kind) for band in BANDS} for kind in ("sci", "wht")}
        self.images, self.headers, self.units = {}, {}, {}
        for kind, paths in self.names.items():
            for band, path in paths.items():
                with fits.open(folder / path) as hdus:
                    self.images[kind, band] = hdus[0].data.astype(np.float32)
                    self.headers[kind, band] = hdus[0].header.copy()
        with fits.open(folder / SEGMAP) as hdus:
            self.segmap, self.segmap_header = hdus[0].data.copy(), hdus[0].header.copy()
        self.catalog, self.sps = (Table.read(folder / name) for name in (SUPER_CATALOG, SPS_CATALOG))
        self.table_ending, self.is_stale, self.place = "", False, "plain"
        self.id_dr3, self.writers, self.flags, self.added, self.cut, self.absent = 7, {}, [], {}, {}, set()

    def write(self, folder):
        """Write all files, the images by the function in `writers`, or plainly."""
        (folder / "psf_matched").mkdir(parents=True)
        for kind, paths in self.names.items():
            for band, path in paths.items():
                if (kind, band) not in self.absent:
                    write = self.writers.get((kind, band), plainly)
                    write(folder / path, self.images[kind, band], self.headers[kind, band], kind)
        self.writers.get("segmap", plainly)(folder / SEGMAP, self.segmap, self.segmap_header, "seg")
        for name, table in ((SUPER_CATALOG, self.catalog), (SPS_CATALOG, self.sps)):
            table.write(folder / (name + self.table_ending))
        for name, text in self.added.items():
            (folder / name).write_text(text)
        for name, share in self.cut.items():
            path = next(folder.glob(f"{name}*"))  # perhaps packed
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])


class Outcome(NamedTuple):
    """What a call came to."""

    status: int
    message: str  # of the galaxy, or the error at the start
    labels: np.ndarray | None
    seds: np.ndarray | None  # (n_clusters, n_bands), by wavelength
    errors: np.ndarray | None
    said: str  # on the error stream
    crash: str  # traceback of an exception that left the call

    @property
    def said_lines(self):
        return [line for line in self.said.splitlines() if "Warning" in line or "warning" in line or "error" in line]


# ---- ways to write an image -------------------------------------------------


def plainly(path, pixels, header, kind):
    fits.PrimaryHDU(pixels, header).writeto(path, output_verify="ignore")


def in_extension(path, pixels, header, kind):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header, name=kind.upper())]).writeto(
        path, output_verify="ignore"
    )


def unnamed_extension(path, pixels, header, kind):
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(pixels, header)]).writeto(path, output_verify="ignore")


def with_others(path, pixels, header, kind):
    """The image first, then a table and another image, as of exposure times."""
    other = fits.ImageHDU(np.full(pixels.shape, 7, dtype=np.int16), header, name="EXP")
    table = fits.BinTableHDU(Table({"exposure": [1, 2]}), name="INFO")
    fits.HDUList([fits.PrimaryHDU(pixels, header), table, other]).writeto(path, output_verify="ignore")


def tiles(path, pixels, header, kind):
    compressed = fits.CompImageHDU(pixels, header, kind.upper(), compression_type="GZIP_2", quantize_level=0.0)
    fits.HDUList([fits.PrimaryHDU(), compressed]).writeto(path, output_verify="ignore")


def packed(path, pixels, header, kind):
    fits.PrimaryHDU(pixels, header).writeto(path.with_name(path.name + ".gz"), output_verify="ignore")


def cube(path, pixels, header, kind):
    fits.PrimaryHDU(pixels[None], header).writeto(path, output_verify="ignore")


def scaled(path, pixels, header, kind):
    """As 32-bit integers with BSCALE: for images, whose steps are far below the noise."""
    if pixels.dtype.kind != "f" or not np.isfinite(pixels).all() or np.ptp(pixels) == 0:
        return plainly(path, pixels, header, kind)
    step = float(np.abs(pixels).max()) / 2**30
    hdu = fits.PrimaryHDU(np.round(pixels / step).astype(np.int32), header)
    hdu.header["BSCALE"], hdu.header["BZERO"] = step, 0.0
    return hdu.writeto(path, output_verify="ignore")


WRITERS = (plainly, in_extension, unnamed_extension, with_others, tiles, packed, cube, scaled)

# ---- what may be changed ----------------------------------------------------
# Each takes a field, a random generator, and the bands to change.


def units(field, dice, bands):
    """Another flux unit in BUNIT, with the weights in its inverse square."""
    name, factor = [
        ("nJy", 10),
        ("uJy", 1e-2),
        ("mJy", 1e-5),
        ("Jy", 1e-8),
        ("10 nJy", 1),
        ("1e-8 Jy", 1),
        ("MJy/sr", 0),
    ][dice.integers(7)]
    pixel = np.radians(0.04 / 3600) ** 2
    factor = factor or 1e-14 / pixel
    for band in bands:
        old = field.units.get(band, 1.0)
        kind = [np.float32, np.float64][dice.integers(2)]
        field.images["sci", band] = (field.images["sci", band].astype(float) * (factor / old)).astype(kind)
        field.images["wht", band] = (field.images["wht", band].astype(float) / (factor / old) ** 2).astype(np.float64)
        field.units[band] = factor
        field.headers["sci", band]["BUNIT"] = name


def types(field, dice, bands):
    for band in bands:
        for kind in ("sci", "wht"):
            field.images[kind, band] = field.images[kind, band].astype([">f8", "<f8", "<f4", ">f4"][dice.integers(4)])


def layout(field, dice, bands):
    write = WRITERS[dice.integers(len(WRITERS))]
    for band in bands:
        for kind in ("sci", "wht"):
            if dice.random() < 0.7:
                field.writers[kind, band] = write


def segmap_layout(field, dice, bands):
    field.writers["segmap"] = [plainly, in_extension, tiles, packed, cube][dice.integers(5)]


def segmap_type(field, dice, bands):
    """Another type of numbers that holds all ids, and what stands for the sky."""
    known = field.segmap
    kinds = [np.int16, np.uint16, ">i4", np.int64, np.float32, np.float64]
    with np.errstate(invalid="ignore"):
        kinds = [kind for kind in kinds if np.array_equal(known.astype(kind).astype(float), known, equal_nan=True)]
    field.segmap = known.astype(kinds[dice.integers(len(kinds))])


def segmap_sky(field, dice, bands):
    """Sky of the segmentation map as NaN or -1."""
    value = [np.nan, -1, 0][dice.integers(3)]
    known = field.segmap.astype(float)
    field.segmap = np.where(known == 0, value, known)


def header_cards(field, dice, bands):
    """Cards that say nothing on pixels, among them some against the standard."""
    odd = [
        "EXPTIME = nan",
        "EXPTIME =                  nan",
        "DATE-OBS= '2022-11-31T99:00:00'",
        "EQUINOX =               2000.0",
        "GAIN    =                  2.5",
        "PHOTFLAM=                  0.0",
        "OBJECT  = 'A2744 Ä'".encode("ascii", "replace").decode(),
        "TELESCOP= 'JWST",
        "WCSNAME = 'another'",
        "NAXIS3  =                    1",
        "VELOSYS =                  nan",
        "LONPOLE =                180.0",
        "RADESYS = 'ICRS    '",
        "MJD-OBS =              59887.1",
    ][dice.integers(14)]
    for band in bands:
        kind = ["sci", "wht"][dice.integers(2)]
        if odd.startswith("NAXIS"):
            continue
        field.headers[kind, band].append(fits.Card.fromstring(odd.ljust(80)), end=True)


def histories(field, dice, bands):
    for band in bands:
        header = field.headers["sci", band]
        for number in range(dice.integers(1, 200)):
            header.add_history(f"step {number} " + "x" * int(dice.integers(60)))
        header["HIERARCH a long keyword of somebody"] = "with a value that goes on " * 4


def wcs_form(field, dice, bands):
    """The same WCS as a CD matrix, or with the reference pixel elsewhere on a tangent plane."""
    for key, header in [*field.headers.items(), ("segmap", field.segmap_header)]:
        if (key == "segmap" or key[1] in bands) and "CDELT1" in header:
            scales = header.pop("CDELT1"), header.pop("CDELT2")
            for axis, scale in enumerate(scales, start=1):
                header.pop(f"PC{axis}_{axis}", None)
                header[f"CD{axis}_{axis}"], header[f"CD{axis}_{3 - axis}"] = scale, 0.0


def weight_scale(field, dice, bands):
    """Weights are relative: errors are measured in the sky."""
    factor = 10.0 ** dice.uniform(-6, 6)
    for band in bands:
        field.images["wht", band] = field.images["wht", band].astype(float) * factor


def row_order(field, dice, bands):
    field.catalog = field.catalog[dice.permutation(len(field.catalog))]
    field.sps = field.sps[dice.permutation(len(field.sps))]


def band_order(field, dice, bands):
    names = list(field.catalog.colnames)
    field.catalog = field.catalog[[names[number] for number in dice.permutation(len(names))]]


def column_case(field, dice, bands):
    for name in list(field.catalog.colnames):
        field.catalog.rename_column(name, name.upper())


def id_type(field, dice, bands):
    kinds = [np.int16, np.int32, np.int64, np.uint16, np.float64, np.uint32]
    kinds = [kind for kind in kinds if np.can_cast(np.min_scalar_type(field.id_dr3), kind)]
    for table in (field.catalog, field.sps):
        name = "ID" if "ID" in table.colnames else "id"
        table[name] = table[name].astype(kinds[dice.integers(len(kinds))])


def big_id(field, dice, bands):
    """The galaxy has an id beyond 32 bits."""
    field.segmap = np.where(field.segmap == field.id_dr3, BIG_ID, field.segmap.astype(float))
    field.segmap = field.segmap if np.isnan(field.segmap).any() else field.segmap.astype(np.int64)
    for table in (field.catalog, field.sps):
        name = "ID" if "ID" in table.colnames else "id"
        table[name] = np.where(np.asarray(table[name]) == field.id_dr3, BIG_ID, np.asarray(table[name], dtype=np.int64))
    field.id_dr3 = BIG_ID


def more_rows(field, dice, bands):
    """A catalog of more sources, masked redshifts of others, and columns of other things."""
    field.sps["z_spec"] = np.full(len(field.sps), [np.nan, -99.0, -1.0][dice.integers(3)])
    field.sps["name"] = [f"source {number}" for number in range(len(field.sps))]
    field.catalog["flags"] = np.zeros((len(field.catalog), 3), dtype=np.int16)
    field.catalog["use_phot"] = np.ones(len(field.catalog), dtype=bool)


def more_files(field, dice, bands):
    """Files that lie about: an editor's copies, notes, hidden files of a Mac."""
    names = ["README.txt", "psf_matched/notes.txt", "psf_matched/._hidden.fits", "psf_matched/.DS_Store", "old.fits"]
    name = image_path(Path(), BANDS[0]).name
    names += [f"psf_matched/._{name}", f"psf_matched/{name}~", f"psf_matched/{name}.md5"]
    for name in dice.choice(names, 3):
        field.added[name] = "nothing"


def no_data(field, dice, bands):
    """Other fill values in the corner that has no data."""
    for band in BANDS:
        flux, weight = (field.images[kind, band] for kind in ("sci", "wht"))
        value = [(np.nan, 0), (0, 0), (1e30, 0), (-99, 0), (np.inf, 0), (0.5, np.nan), (np.nan, 1), (0, -1)][
            dice.integers(8)
        ]
        scale = field.units.get(band, 1.0)
        with np.errstate(over="ignore"):
            flux[HOLE] = value[0] * scale
        weight[HOLE] = value[1] if value[1] != 1 else NOISE**-2 / scale**2


def catalog_form(field, dice, bands):
    """Catalogs with units, descriptions and long names, and masked values in columns that nobody reads."""
    for table in (field.catalog, field.sps):
        table["a rather long name, with a comma"] = np.ma.masked_array(np.arange(len(table)), np.arange(len(table)) % 2)
        table["flux_unit"] = np.zeros(len(table)) * u.uJy
        table["text"] = ["ä".encode()] * len(table)
        table.meta["COMMENT"] = ["a comment that is longer than a card of eighty characters, and so goes on " * 2]


def packed_catalogs(field, dice, bands):
    field.table_ending = ".gz"


def stale(field, dice, bands):
    """The output folder holds the results of another field."""
    field.is_stale = True


def odd_places(field, dice, bands):
    field.place = ["a b", "ä ö 漢", "a'b", "%d {band} [x]", "-folder", "deep/er/and/deep/er"][dice.integers(6)]


def outliers(field, dice, bands):
    """Hot pixels far from the galaxy, in the sky that nobody looks at."""
    for band in bands:
        field.images["sci", band][80:85, 110:115] = 10.0 ** dice.uniform(0, 20)


def negative_zero_weights(field, dice, bands):
    for band in bands:
        weight = field.images["wht", band]
        weight[HOLE] = [0, -0.0, -1, np.nan, 1e-30 * float(np.nanmax(weight)), -np.inf][dice.integers(6)]


HOLE = np.s_[36:40, 30:35]  # of galaxy 7, in all bands
CHANGES = (
    *(units, types, layout, segmap_layout, segmap_type, segmap_sky, header_cards, histories, wcs_form, weight_scale),
    *(row_order, band_order, column_case, id_type, big_id, more_rows, more_files, no_data, outliers),
    *(negative_zero_weights, catalog_form, packed_catalogs, stale, odd_places),
)

# ---- what cannot be right: it must be refused, or said -----------------------


def truncated(field, dice, bands):
    names = [*map(str, field.names["sci"].values()), *map(str, field.names["wht"].values()), SEGMAP, SUPER_CATALOG]
    field.cut[dice.choice(names)] = [0.0, 0.01, 0.4, 0.9][dice.integers(4)]


def absent(field, dice, bands):
    field.absent.add((["sci", "wht"][dice.integers(2)], bands[0]))


def other_shape(field, dice, bands):
    kind = ["sci", "wht"][dice.integers(2)]
    field.images[kind, bands[0]] = field.images[kind, bands[0]][: -int(dice.integers(1, 5))]


def moved_wcs(field, dice, bands):
    field.headers[["sci", "wht"][dice.integers(2)], bands[0]]["CRPIX1"] += 10.0 ** dice.uniform(-0.5, 3)


def wrong_unit(field, dice, bands):
    names = [
        "counts/s",
        "mag",
        "erg/s",
        "foo",
        "ELECTRONS/S",
        "",
        " ",
        "10**-8",
        "nJy/beam",
        "1e400 Jy",
        "0 Jy",
        "nan Jy",
    ]
    field.headers["sci", bands[0]]["BUNIT"] = dice.choice(names)


def swapped(field, dice, bands):
    for band in bands:
        field.images["sci", band], field.images["wht", band] = field.images["wht", band], field.images["sci", band]


def empty_band(field, dice, bands):
    kind, value = [("sci", np.nan), ("sci", 0), ("sci", 5), ("wht", 0), ("wht", np.nan), ("wht", -1)][dice.integers(6)]
    field.images[kind, bands[0]] = np.full(field.segmap.shape, value, dtype=np.float32)


def catalog_fault(field, dice, bands):
    table = [field.catalog, field.sps][dice.integers(2)]
    name = "ID" if "ID" in table.colnames else "id"
    change = dice.integers(6)
    if change == 0:
        table.rename_column(name, "number")
    elif change == 1:
        table[name] = np.asarray(table[name]).astype(str)
    elif change == 2:
        table[name] = -np.asarray(table[name], dtype=np.int64)
    elif change == 3:
        table[name] = np.full(len(table), field.id_dr3)
    elif change == 4:
        table[name] = np.asarray(table[name]) + 0.5
    else:
        table.remove_rows(slice(None))


def redshift_fault(field, dice, bands):
    value = [np.nan, np.inf, -1.0, 1e30, 0.0, "two"][dice.integers(6)]
    name = ["z_16", "z_50", "z_84"][dice.integers(3)]
    field.sps[name] = np.full(len(field.sps), value)


def segmap_fault(field, dice, bands):
    change = dice.integers(6)
    if change == 0:
        field.segmap = 0 * field.segmap
    elif change == 1:
        field.segmap = np.where(field.segmap == field.id_dr3, 0, field.segmap)
    elif change == 2:
        field.segmap = field.segmap[:-3]
    elif change == 3:
        field.segmap = field.segmap.astype(float) + 0.5
    elif change == 4:
        field.segmap = np.full(field.segmap.shape, field.id_dr3)
    else:
        field.segmap = np.where(np.indices(field.segmap.shape)[1] % 2, field.segmap, 0)


def two_planes(field, dice, bands):
    kind = ["sci", "wht"][dice.integers(2)]
    field.images[kind, bands[0]] = np.array([field.images[kind, bands[0]]] * 2)


def two_files(field, dice, bands):
    path = field.names["sci"][bands[0]]
    field.added[path.with_name(path.name.replace("_bcgs_", "_other_"))] = "nothing"


def odd_flags(field, dice, bands):
    """Values of settings that cannot be meant."""
    flags = [
        *(["--snr-thresh", "nan"], ["--snr-thresh", "1e9"], ["--n-clusters", "0"], ["--n-clusters", "-2"]),
        *(["--n-clusters", "442"], ["--seed", "-1"], ["--seed", "1e3"], ["--margin", "-3"], ["--confidence", "2"]),
        *(["--memory-limit", "0"], ["--memory-limit", "1e-9"], ["--snr-bands", f"{bands[0]}=inf"], ["--jobs", "0"]),
        *(["--error-floor", "-1"], ["--norm", "l2"], ["--redshift-tolerance", "nan"], ["--ids", "0"]),
    ]
    field.flags += flags[dice.integers(len(flags))]


FAULTS = (
    *(truncated, absent, other_shape, moved_wcs, wrong_unit, swapped, empty_band, catalog_fault, redshift_fault),
    *(segmap_fault, two_planes, two_files, odd_flags),
)

# ---- one example ------------------------------------------------------------


def run_job(field, folder):
    """Write the field, cluster its galaxy, and return the `Outcome`."""
    shutil.rmtree(folder, ignore_errors=True)
    survey, output = folder / field.place / "survey", folder / field.place / "out"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        field.write(survey)
    said, crash, status = io.StringIO(), "", -1
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("always")
        try:
            if field.is_stale:
                others = ["--ids", "7", "8", str(field.id_dr3), "--snr-thresh", "9", "--n-clusters", "3"]
                main_clustering.main([*FLAGS, "--catalogs", str(BASE["clean"]), "--output", str(output), *others])
                said.truncate(0)
            arguments = [*FLAGS, "--catalogs", str(survey), "--output", str(output), "--ids", str(field.id_dr3)]
            status = main_clustering.main([*arguments, *field.flags])
        except BaseException:
            crash = traceback.format_exc()
    told = said.getvalue()
    if status == 2 or crash:
        _, error, message = told.partition("error: ")
        return Outcome(status, message.strip() if error else "", None, None, None, told, crash)
    row = next(row for row in Table.read(output_path(output, "summary")) if row["id_dr3"] == field.id_dr3)
    message = str(row["message"]) if row["message"] is not np.ma.masked else ""
    if row["status"] != "ok":
        return Outcome(status, message or row["status"], None, None, None, told, crash)
    place = {"run": row["run"], "id": field.id_dr3}
    table = Table.read(output_path(output, "composites", **place))
    flux, error = (
        np.array([table[name][table["cluster"] == number] for number in np.unique(table["cluster"])], dtype=float)
        for name in ("flux", "flux_err")
    )
    labels = fits.getdata(output_path(output, "labels", **place))
    return Outcome(status, message, labels, flux, error, told, crash)


def difference(found, clean, may_differ=False):
    """What is wrong with an outcome, a sentence; empty where it is as the clean one, or refused in one line.

    `may_differ` is for examples with one of FAULTS: they may differ from the clean one where a message says why.
    """
    if found.crash or "Traceback" in found.said:
        return "a traceback: " + (found.crash or found.said).strip().splitlines()[-1]
    if found.labels is None and not may_differ:
        return f"refused: {found.message}"
    if found.labels is None:
        if not found.message:
            return "refused without a reason"
        return "refused in several lines" if "\n" in found.message.strip() else ""
    parts = []
    if found.labels.shape != clean.labels.shape or (found.labels != clean.labels).any():
        n_pixels = [int((each.labels != 0).sum()) for each in (found, clean)]
        parts.append(f"labels differ, pixels {n_pixels[0]} instead of {n_pixels[1]}")
    else:
        peak = np.abs(clean.seds).max(axis=1, keepdims=True)
        for name in ("seds", "errors"):
            ours, theirs = getattr(found, name), getattr(clean, name)
            if ours.shape != theirs.shape:
                parts.append(f"{name} have the shape {ours.shape} instead of {theirs.shape}")
                continue
            off = np.abs(ours - theirs) / (peak if name == "seds" else theirs)
            if not (off < SAME * (1 if name == "seds" else 100)).all():
                parts.append(f"{name} differ by {np.nanmax(off):.2g}")
    if found.message != clean.message:
        return f"{'; '.join(parts)}, said: {found.message!r}" if parts and not may_differ else ""
    if may_differ and found.said_lines != clean.said_lines:
        return ""
    return f"{'; '.join(parts)} silently" if parts else ""


OPTIONS = {  # of the clean call, too
    "default": [],
    "stated": ["--errors", "stated"],
    "as_it_is": ["--background", "none"],
    "neighbours": ["--include-neighbours"],
    "blended": ["--methods", "blended_mixture"],
    "L2": ["--norm", "L2", "--methods", "agglomerative"],
    "snr": ["--snr-bands", "f444w=20", "--snr-errors", "stated"],
}
ONLY_MEASURED = ("weight_scale",)  # changes that matter where errors are taken as stated
BASE = {}  # folder of the clean field


def example(base, names, seed, option="default"):
    """The clean field after the changes of these names, with the numbers that `seed` draws for each."""
    field = Field(base)
    field.flags += OPTIONS[option]
    BASE["clean"] = base
    names = [name for name in names if option not in ("stated", "snr") or name not in ONLY_MEASURED]
    for name in names:
        dice = np.random.default_rng([seed, len(name), *name.encode()])
        bands = [band for band in BANDS if dice.random() < 0.6] or list(BANDS)
        by_name(name)(field, dice, bands)
    return field


def by_name(name):
    return next(change for change in (*CHANGES, *FAULTS) if change.__name__ == name)


def has_fault(names):
    return any(by_name(name) in FAULTS for name in names)


def clean_base(folder):
    """Folder of the clean field, in which a part of the galaxy has no data."""
    write_survey(folder)
    for kind in ("sci", "wht"):
        for band in BANDS:
            with fits.open(folder / image_path(Path(), band, kind), mode="update") as hdus:
                hdus[0].data[HOLE] = np.nan if kind == "sci" else 0
    return folder


def run_alone(base, folder, seed, option, name):
    """`Outcome` of one change of an example."""
    return run_job(example(base, [name], seed, option), folder)


def changes_drawn(names):
    """Strategy that draws up to four changes of these names, with a fault in a third of the examples."""
    from hypothesis import strategies

    harmless, faults = ([each.__name__ for each in kind if each.__name__ in names] for kind in (CHANGES, FAULTS))
    some = strategies.lists(strategies.sampled_from(harmless or faults), min_size=1, max_size=4, unique=True)
    if not (harmless and faults):
        return some
    fault = strategies.lists(strategies.sampled_from(faults), min_size=1, max_size=1)
    return strategies.tuples(some, strategies.one_of(strategies.just([]), strategies.just([]), fault)).map(
        lambda two: two[0] + two[1]
    )


def campaign(n_examples, seed, tell=print, only=None):
    """Try so many examples; return [(number, names, seed of the example, what is wrong)] of those that failed."""
    from hypothesis import HealthCheck, Phase, given, settings, strategies
    from hypothesis import seed as seeded

    failed, refused, count = [], 0, 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        base, folder = clean_base(Path(scratch) / "clean"), Path(scratch) / "example"
        clean = {option: run_job(example(base, [], 0, option), folder) for option in OPTIONS}
        names = [change.__name__ for change in (*CHANGES, *FAULTS) if not only or change.__name__ in only]

        @seeded(seed)
        @settings(
            max_examples=n_examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(changes_drawn(names), strategies.integers(0, 2**32 - 1), strategies.sampled_from(list(OPTIONS)))
        def attempt(changes, number, option):
            nonlocal refused, count
            count += 1
            number = (number + count * SPREAD) % 2**32  # as hypothesis likes to draw the same again
            try:
                found = run_job(example(base, changes, number, option), folder)
            except Exception as problem:  # such changes exclude each other
                tell(f"{count}: {' '.join(changes)} {number}: cannot be written: {problem!r}", flush=True)
                return
            refused += found.labels is None
            again = f"--option {option} --replay {number}"
            if wrong := difference(found, clean[option], has_fault(changes)):
                retry = partial(run_alone, base, folder, number, option)
                alone = [each for each in changes if difference(retry(each), clean[option], has_fault([each]))]
                failed.append((count, alone or changes, number, wrong))
                tell(f"{count}: {' '.join(alone or changes)} {again}: {wrong}", flush=True)
            elif found.labels is None:
                tell(f"{count}: {' '.join(changes)} {again}: refused: {found.message}", flush=True)

        attempt()
    tell(f"seed {seed}: {count - len(failed)} of {count} as wanted, {refused} of them refused in one line", flush=True)
    return failed


def main(arguments=None):
    """Try the examples; end with status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=500, help="number of examples (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--only",
        nargs="+",
        help="names of changes to draw from",
        choices=[each.__name__ for each in (*CHANGES, *FAULTS)],
    )
    parser.add_argument(
        "--replay", type=int, help="try the changes of --only once, with the number that an example had"
    )
    parser.add_argument("--option", choices=OPTIONS, default="default", help="of --replay")
    given = parser.parse_args(arguments)
    main_clustering.EXPLORER = False
    if given.replay is None:
        sys.exit(bool(campaign(given.n, given.seed, only=given.only)))
    with tempfile.TemporaryDirectory() as scratch:
        base = clean_base(Path(scratch) / "clean")
        clean, found = (
            run_job(each, Path(scratch) / "example")
            for each in (example(base, [], 0, given.option), example(base, given.only, given.replay, given.option))
        )
        print(
            found.said,
            found.crash,
            difference(found, clean, has_fault(given.only)) or "as wanted",
            found.message,
            clean.message,
            sep="\n",
        )


if __name__ == "__main__":
    main()
