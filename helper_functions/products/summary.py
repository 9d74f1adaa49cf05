"""The summary table with a row for each galaxy and run, collected from the records."""

import os
import time
import warnings
from contextlib import suppress
from pathlib import Path
from textwrap import shorten

import numpy as np
from astropy import units as u
from astropy.table import Table

from data_paths import output_path
from helper_functions.clustering import UNASSIGNED
from helper_functions.files.records import GALAXY, Busy, locked, read_record
from helper_functions.files.saving import checksum, save_json, save_table
from helper_functions.methods import RECOMMENDED
from helper_functions.products.runs import run_sort_key
from helper_functions.quality.cross_checks import CHECKS, HARDLY_AGREE, REPRODUCIBLE
from helper_functions.quality.metrics import QUALITY
from helper_functions.quality.misfit import BAD_FIT, misfit, misfit_note
from helper_functions.sky_noise import band_list

OK, FAILED = "ok", "failed"
# Below this value of `distinct`, SEDs change smoothly: simulated gradients have 0.47 to 0.63, a bulge in a disc 0.59 to
# 0.69, clumps with soft edges 0.57 to 0.84, and sharp regions 0.68 to 0.95 (seeds 95000 to 97011).
SMOOTH = 0.65
# Statuses that are not errors, but due to the galaxy, or to a region file without regions there.
EXPECTED = (OK, "no pixels", "too few pixels", "no signal", "no regions")
MESSAGE_LENGTH = 600  # characters: a few lines of a terminal

# Columns of summary.ecsv: value of empty cells, description.
SUMMARY_COLUMNS = {
    "id_dr3": (0, "id in the catalog and the segmap"),
    "run": ("", "name of the run: method, norm and metric as in folder names"),
    "recommended": (False, f"whether this is the recommended run, {RECOMMENDED}; the others are for comparison"),
    "method": ("", "clustering method"),
    "norm": ("", "flux normalisation before clustering"),
    "metric": ("", "distance between two SEDs"),
    "ra": (np.nan, "right ascension of the flux-weighted centroid of the selected pixels"),
    "dec": (np.nan, "declination of the flux-weighted centroid of the selected pixels"),
    "redshift": (np.nan, "redshift of the galaxy; NaN if it is not known"),
    "n_pixels": (0, "number of selected pixels"),
    "snr_median": (np.nan, "median over the selected pixels of their median SNR over the bands"),
    "snr_peak": (np.nan, "highest median SNR of a pixel"),
    "n_clusters": (0, "number of clusters found"),
    "k_choice": ("", "how the number of clusters was chosen: given, density, or a criterion, such as recommended"),
    "k_low": (0, "lowest number of clusters whose score is within a standard error of the chosen one; 0: not scored"),
    "k_high": (0, "highest number of clusters with such a score; 0: not scored"),
    "n_unassigned": (0, "number of selected pixels in no cluster"),
    "n_incomplete": (0, "number of pixels without data in a used band, which get the label of the nearest composite"),
    **{name: (np.nan, figure.meaning) for name, figure in (QUALITY | CHECKS).items()},
    "distinct": (
        np.nan,
        "difference of the two largest light fractions in a pixel, before the PSF, mean over the light of a galaxy: 1 "
        "for distinct regions, 0.5 where SEDs change smoothly; NaN without populations",
    ),
    "most_mixed": ("", "the two populations that share the most light, as the first and second in a pixel"),
    "rand_index": (np.nan, "adjusted Rand index with the recommended run: 1 identical, about 0 by chance"),
    "misfit_chi2": (
        np.nan,
        "chi2 per degree of freedom of the pixels about the SEDs of the run, with errors from noise, calibration, "
        "registration and PSF",
    ),
    "misfit": ("", f"bands with the largest residuals, the worst first, if misfit_chi2 is above {BAD_FIT:g}"),
    "misstated": ("", "bands whose stated errors differ by more than a factor of 1.5 from the scatter of the sky"),
    "registration_max": (np.nan, "largest shift of a band that was corrected; 0: none; NaN: not measured"),
    "neighbours": ("", "ids of neighbouring segments included"),
    "pictures": ("", "names of the saved pictures of the run"),
    "errors": ("", "flux errors: measured in the sky around the galaxy, or as stated"),
    "background": ("", "background subtracted from the fluxes: median of that sky (local), a plane, or none"),
    "snr_thresh": (np.nan, "median SNR that selected pixels exceed"),
    "n_asked": ("", "number of clusters asked for, or auto"),
    "seed": (-1, "random seed"),
    "settings": ("", "digest of the settings, input files and code of the run"),
    "seconds": (np.nan, "time for clustering, composites and pictures of the run"),
    "status": ("", "ok, or the kind of failure"),
    "message": ("", "notes on a successful run, or the reason of a failure"),
}
UNITS = {"ra": u.deg, "dec": u.deg, "registration_max": u.pix, "seconds": u.s}
EMPTY_ROW = {name: empty for name, (empty, _) in SUMMARY_COLUMNS.items()}


def ok_row(result):
    """Row of a successful run, without `settings_columns`, pictures and seconds, and all notes, a list of sentences."""
    cutout, seds, clustering = result.cutout, result.seds, result.clustering
    snr = np.nanmedian(seds.flux / seds.error, axis=1)
    k_low, k_high = clustering.k_range or (EMPTY_ROW["k_low"], EMPTY_ROW["k_high"])
    fit = misfit(seds, clustering)
    ra, dec = flux_centroid(seds, cutout.wcs)
    row = _row(
        cutout.id_dr3,
        result.run,
        ra=ra,
        dec=dec,
        redshift=float(cutout.redshift),
        n_pixels=len(seds.flux),
        snr_median=float(np.median(snr)),
        snr_peak=float(snr.max()),
        n_clusters=clustering.n_clusters,
        k_choice=clustering.k_choice,
        k_low=k_low,
        k_high=k_high,
        n_unassigned=int((clustering.labels == UNASSIGNED).sum()),
        n_incomplete=clustering.n_incomplete,
        **result.quality,
        distinct=np.nan if result.populations is None else result.populations.distinct,
        most_mixed="" if result.populations is None else " ".join(map(str, result.populations.most_mixed)),
        misfit_chi2=fit.chi2,
        misfit=" ".join(fit.bands),
        misstated=" ".join(misstated_bands(cutout)),
        registration_max=np.nan if cutout.registration is None else cutout.registration.largest,
        neighbours=" ".join(map(str, cutout.members[1:])),
        status=OK,
    )
    notes = quality_notes(row) + run_notes(result)
    return row | {"message": message_of(notes)}, notes


def message_of(notes):
    """Join as many of these sentences as fit into MESSAGE_LENGTH, at least one, and add the number of the others."""
    for number in range(len(notes), 0, -1):
        left = [f"and {len(notes) - number} more in the header of the label file"] if number < len(notes) else []
        message = "; ".join([*notes[:number], *left])
        if len(message) <= MESSAGE_LENGTH:
            break
    return message if notes else ""


def flux_centroid(seds, wcs):
    """Right ascension and declination of selected pixels, weighted by their mean flux over the bands with data.

    Parameters
    ----------
    seds : PixelSEDs
    wcs : WCS
        Celestial WCS of the image in which `seds.rows` and `seds.cols` count.

    Returns
    -------
    ra, dec : float
        Degrees.
    """
    weights = np.maximum(np.nanmean(seds.flux, axis=1), 0)
    weights = weights if weights.any() else None  # without light, the middle of the pixels
    row, col = np.average([seds.rows, seds.cols], axis=1, weights=weights)
    return tuple(map(float, wcs.celestial.wcs_pix2world(col, row, 0)))


def misstated_bands(cutout):
    """Names of the bands whose stated errors differ much from the scatter of the sky."""
    off = [] if cutout.noise is None else cutout.noise.misstated
    return [band for band, is_off in zip(cutout.bands, off, strict=False) if is_off]


def run_notes(result):
    """Notes on data and clustering of a successful run, a list of sentences without a full stop."""
    cutout, seds, clustering = result.cutout, result.seds, result.clustering
    used = clustering.bands_used
    without_data = [band for band in cutout.bands if band not in seds.bands]
    not_used = [band for band, is_used in zip(seds.bands, used, strict=True) if not is_used]
    notes = list(cutout.notes)
    if without_data:
        notes.append(f"no data here in {', '.join(without_data)}")
    if not_used:
        notes.append(f"too little data to cluster with in {', '.join(not_used)}")
    if used.sum() == 1:
        notes.append("clustered in one band only, which has no shape")
    elif used.sum() < len(used) / 2:
        notes.append(f"clustered in {used.sum()} of {len(used)} bands: they cover different parts of the galaxy")
    if seds.noise_scale is not None and (scaled := seds.noise_scale != 1).any():
        low, high = (pick(seds.noise_scale[scaled]) for pick in (np.min, np.max))
        by = f"{low:.2g}" if high < 1.1 * low else f"{low:.2g} to {high:.2g}"
        names = band_list(seds.bands, scaled, np.ones(len(scaled), dtype=bool))
        notes.append(
            f"no sky to measure noise in: errors of {names} are multiplied by {by}, as fits of the galaxy tell"
        )
    if result.outskirts is not None:
        notes.append(outskirts_note(result))
    if clustering.when_large:
        notes.append(f"many pixels: {clustering.when_large}")
    if result.populations is not None and result.populations.psf_width < 1:
        notes.append(deconvolution_note(result.populations.psf_width))
    return notes + clustering.k_notes


def outskirts_note(result):
    """Sentence on the bins of the pixels that are not selected, with their fraction of the flux, median over bands."""
    bins, light = result.outskirts, result.outskirts.flux.sum(axis=0)
    share = np.nanmedian(light / (light + np.nansum(result.seds.flux, axis=0)))
    low, high = (f"{each:.1f}" for each in (np.nanmin(bins.snr), np.nanmax(bins.snr)))
    what = f"a bin of SNR {low}" if len(bins.snr) == 1 else f"{len(bins.snr)} bins of SNR {low} to {high}"
    return f"{(bins.bins > 0).sum()} pixels that are not selected, in {what}, hold {share:.0%} of the light"


def deconvolution_note(psf_width):
    """Sentence on a deconvolution with another PSF than the assumed one, or none; `psf_width` of `PopulationSEDs`."""
    if psf_width:
        return f"images are sharper than the PSF: SEDs of populations are deconvolved with {psf_width:g} of its width"
    return "SEDs of populations are not deconvolved: the PSF does not fit, or no SED is seen alone anywhere"


def quality_notes(row):
    """Notes on doubtful results of a successful run, from its row: a list of sentences without a full stop."""
    notes = [misfit_note(row["misfit_chi2"], row["misfit"].split())] if row["misfit"] else []
    if row["bands_agree"] < HARDLY_AGREE:
        found = "{bands_agree:z.2f} +- {bands_agree_err:.2f}".format_map(row)
        notes.append(f"maps of odd and even bands hardly agree ({found})")
    if row["seeds_agree"] < REPRODUCIBLE:
        notes.append(f"labels depend on the random start: ARI {row['seeds_agree']:z.2f} with other seeds")
    if row["distinct"] < SMOOTH:
        mixed = " and ".join(row["most_mixed"].split())
        notes.append(f"SEDs change smoothly, most between populations {mixed}: use light fractions, or blended_slices")
    return notes


def settings_columns(pixels, clustering, fingerprint):
    """Columns with the settings, from the groups Pixels and Clustering, and the fingerprint."""
    asked = {name: getattr(pixels, name) for name in ("errors", "background", "snr_thresh")}
    return asked | {"seed": clustering.seed, "n_asked": str(clustering.n_clusters), "settings": fingerprint}


def failed_row(id_dr3, run, problem, status=None):
    """Row of a run that an exception ended; the status may be an attribute of the exception's class."""
    status = status or getattr(problem, "status", FAILED)
    message = f"{type(problem).__name__}: {problem}" if status == FAILED else str(problem)
    return _row(id_dr3, run, status=status, message=shorten(message, MESSAGE_LENGTH, placeholder=" ..."))


def _row(id_dr3, run, **values):
    named = {"id_dr3": id_dr3, "run": run.name, "recommended": run.name == RECOMMENDED, **run._asdict()}
    return EMPTY_ROW | named | values


def galaxy_report(rows, output):
    """One line on the results of a galaxy, with the notes that all of its runs share, and the output folder."""
    good = [row for row in rows if row["status"] == OK]
    bad = [f"{row['run']}: {row['status']} ({row['message']})" for row in rows if row["status"] != OK]
    if not good and len({row["message"] for row in rows}) == 1:
        return f"{rows[0]['id_dr3']}: {rows[0]['status']}: {rows[0]['message']}"
    found = ", ".join(f"{row['run']} {row['n_clusters']}" for row in good)
    parts = [f"{good[0]['n_pixels']} pixels; clusters: {found}"] if good else []
    messages = [row["message"].split("; ") for row in good]
    parts += [note for note in messages[0] if note and all(note in each for each in messages)] if good else []
    return f"{rows[0]['id_dr3']}: {'; '.join(parts + bad)} -> {output}"


class Summary:
    """The rows of all records of an output folder, and the summary table on disk.

    An existing table that was edited by others, or was not made from records, is renamed first, with a warning.
    """

    def __init__(self, output):
        self._path = output_path(output, "summary")
        self._records = output_path(output, "record", id="", name=GALAXY).parent
        self._written = self._records / ".summary.json"
        self._known, self._next = {}, 0.0
        with self._lock():
            self._set_aside()

    def _lock(self, wait=True):
        return locked(self._records / ".summary.lock", wait)

    def _set_aside(self):
        written = read_record(self._written).get("checksum")
        if self._path.exists() and checksum(self._path) != written:
            aside = self._path.with_name(f"summary_set_aside_{time.time_ns()}.ecsv")
            os.replace(self._path, aside)
            warnings.warn(f"{self._path} was changed by others: it is renamed to {aside}, and made again", stacklevel=3)

    def rows(self):
        """All rows, sorted by id, the recommended run of each galaxy first; only changed records are read again."""
        for entry in os.scandir(self._records):
            if entry.is_dir() and self._known.get(entry.name, (None,))[0] != entry.stat().st_mtime_ns:
                self._known[entry.name] = entry.stat().st_mtime_ns, _rows_of(entry.path)
        every = [row for _, rows in self._known.values() for row in rows]
        return sorted(every, key=lambda row: (row["id_dr3"], *run_sort_key(row["run"])))

    def write(self):
        """Write the table, unless another process has just written it from all current records."""
        before = self._times_written()
        with self._lock():
            # If it was written twice while waiting for the lock, the second time included all records of this call.
            if self._times_written() < before + 2 or not self._path.exists():
                self._known = {}  # a record may have changed twice within the resolution of modification times
                self._write()

    def write_regularly(self):
        """Write the table, at most a tenth of the time, and not if another process is writing it."""
        start = time.monotonic()
        if start < self._next:
            return
        with suppress(Busy), self._lock(wait=False):
            self._write()
        self._next = time.monotonic() + 10 * (time.monotonic() - start)

    def _write(self):
        save_table(self._path, summary_table(self.rows()))
        save_json(self._written, {"checksum": checksum(self._path), "times": self._times_written() + 1})

    def _times_written(self):
        return read_record(self._written).get("times", 0)


def read_rows(output):
    """Unsorted rows of all records of an output folder; an empty list without records."""
    records = output_path(output, "record", id="", name=GALAXY).parent
    folders = [entry.path for entry in os.scandir(records) if entry.is_dir()] if records.is_dir() else []
    return [row for folder in folders for row in _rows_of(folder)]


def _rows_of(folder):
    """Rows of the records of one galaxy; columns missing in records of an earlier version are empty."""
    paths = (path for path in Path(folder).glob("*.json") if path.stem != GALAXY)
    found = (read_record(path).get("row") for path in paths)
    return [EMPTY_ROW | {name: row[name] for name in row.keys() & EMPTY_ROW.keys()} for row in found if row]


def summary_table(rows):
    """The rows as a `Table` with units and descriptions of its columns."""
    table = Table({name: [row[name] for row in rows] for name in SUMMARY_COLUMNS})
    for name, (_, description) in SUMMARY_COLUMNS.items():
        table[name].unit, table[name].description = UNITS.get(name), description
    return table
