"""The results of one galaxy on disk: which runs are complete and up to date, and which files they may consist of."""

from typing import NamedTuple

from data_paths import output_path, output_paths
from helper_functions.explorer.pages import page_version
from helper_functions.files.code import code_digest, digest
from helper_functions.files.records import GALAXY, files_unchanged, load_record, recorded_runs
from helper_functions.fits.files import fit_paths
from helper_functions.job.setting_values import GalaxySettings
from helper_functions.products.exports import EXPORTS, export_contents
from helper_functions.products.pictures import FIGURE_FORMATS, GALAXY_PICTURES, RUN_PICTURES, are_drawn
from helper_functions.products.runs import OWN_RUN, RECOMMENDED_RUN, Run
from helper_functions.products.sed_tables import TABLES
from helper_functions.products.summary import OK
from helper_functions.quality.variants import planned_comparisons
from helper_functions.survey.region_files import region_file


class Fingerprints(NamedTuple):
    """Digests of the survey files, settings and code that results depend on."""

    pixels: str  # for the selection of pixels
    runs: dict  # Run -> digest for its result

    def of_galaxy(self, own, regions=None):
        """Fingerprints for a galaxy with its own `GalaxySettings`, without the magnification, which only fits use.

        `regions` is the path of its own regions.
        """
        own, pixels, runs = own._replace(magnification=None), self.pixels, self.runs
        if own != GalaxySettings():
            pixels, runs = digest(pixels, own), {run: digest(each, own) for run, each in runs.items()}
        if OWN_RUN in runs and regions and regions.is_file():
            stat = regions.stat()
            runs = runs | {OWN_RUN: digest(runs[OWN_RUN], str(regions), stat.st_size, stat.st_mtime_ns)}
        return Fingerprints(pixels, runs)


def run_fingerprints(survey_digest, pixels, clustering, runs):
    """`Fingerprints` of these runs, and the recommended one, for the settings of the groups Pixels and Clustering.

    The others depend on the recommended run, because they may take its number of clusters.
    """
    of_pixels = digest(code_digest("results"), survey_digest, pixels)
    return Fingerprints(of_pixels, {run: digest(of_pixels, list(run), clustering) for run in (RECOMMENDED_RUN, *runs)})


class GalaxyRecords:
    """The records of one galaxy, compared with the settings of a call.

    Parameters
    ----------
    id_dr3 : int
    settings : Settings
    fingerprints : Fingerprints
        Those of galaxies without their own settings.
    runs : list of Run
        The runs of the call; extra criteria and quality checks are made for the first of them only.
    """

    def __init__(self, id_dr3, settings, fingerprints, runs):
        self.id_dr3, self.settings, self.runs = id_dr3, settings, runs
        self.output = settings.output.output
        self.own = (settings.targets.galaxies or {}).get(id_dr3, GalaxySettings())
        pattern = settings.targets.regions
        self.region_file = region_file(pattern, id_dr3) if pattern else None
        self.fingerprints = fingerprints.of_galaxy(self.own, self.region_file)
        self.comparisons = planned_comparisons(settings.output.compare, settings.output.compare_method)

    def is_first(self, run):
        """Whether a run is the first of this call, which gets extra criteria and quality checks."""
        return run == self.runs[0]

    def criteria(self, run):
        """Criteria to be plotted for a run besides the one that chooses the number of clusters."""
        drawn = self.settings.output.pictures == "all"
        chooses = self.settings.clustering.n_clusters == "auto" and not run.entry.finds_number
        return self.settings.output.criteria_shown if drawn and chooses and self.is_first(run) else []

    def done_row(self, run):
        """Row of the summary of a run that is complete and up to date, except for pictures; else None."""
        record = self.record(run.name)
        done = (
            not self.settings.output.overwrite
            and record.get("fingerprint") == self.fingerprints.runs[run]
            and set(self.criteria(run)) <= set(record["number"]["scores"])
            and record["number"].get("is_final", True)
            and self.is_first(run) <= record["is_checked"]
            and self._is_whole(record)
        )
        return record["row"] if done else None

    def is_drawn(self, run):
        """Whether the pictures of a run are complete and up to date."""
        record = self.record(run.name)
        drawn = are_drawn(record.get("pictures"), self.settings.output)
        return drawn and files_unchanged(self.output, record["picture_files"])

    def is_complete(self):
        """Whether all runs, their pictures, and the files that belong to no single run are up to date."""
        record = self.record(GALAXY)
        return (
            all(self.done_row(run) and self.is_drawn(run) for run in self.runs)
            and all(record.get(name) == value for name, value in self.galaxy_content().items())
            and are_drawn(record["pictures"], self.settings.output)
            and files_unchanged(self.output, record["files"])
            and not self.comparisons_to_do()
        )

    def comparisons_to_do(self):
        """Comparisons asked for, (kind, method), whose pictures are missing or out of date."""
        return [each for each in self.comparisons if not self.is_compared(*each)]

    def is_compared(self, kind, method):
        """Whether the picture of a comparison is up to date."""
        record, overwrite = self.record(comparison_name(kind, method)), self.settings.output.overwrite
        is_current = not overwrite and record.get("fingerprint") == self.comparison_fingerprint(kind, method)
        return is_current and files_unchanged(self.output, record["files"])

    def comparison_fingerprint(self, kind, method):
        """Digest of the input of the picture of a comparison."""
        recommended = self.fingerprints.runs[RECOMMENDED_RUN]  # depends on the pixels and on all settings of clustering
        return digest(recommended, kind, method, code_digest("pictures"), self.settings.output.figure_format)

    def has_page(self):
        """Whether the HTML page is up to date, or not asked for."""
        record, output = self.record(GALAXY), self.settings.output
        is_current = record.get("page") == page_version(output.explorer_standalone)
        return (is_current and files_unchanged(self.output, record["page_files"])) or not output.explorer

    def is_done(self):
        """Whether all results of this call are complete and up to date."""
        return self.is_complete() and self.has_page()

    def n_clusters(self, run):
        """Number of clusters in the record of a run made with any settings; None if there is none."""
        row = self.record(run.name).get("row", {})
        return row["n_clusters"] if row.get("status") == OK else None

    def galaxy_content(self):
        """Input of the files that belong to no single run: the pixels, and the runs that are compared."""
        compared = [[run.name, row["settings"]] for run, row in self.valid_runs()]
        return {"pixels": self.fingerprints.pixels, "panels": compared, "cubes": self.settings.output.pixel_cubes}

    def valid_runs(self):
        """[(Run, row)] of all runs on disk with the wanted pixels, those of this call first."""
        records = {name: self.record(name) for name in recorded_runs(self.output, self.id_dr3)}
        first = [run.name for run in self.runs]
        names = sorted(records, key=lambda name: (first.index(name) if name in first else len(first), name))
        rows = [records[name]["row"] for name in names if self.is_valid(records[name])]
        return [(Run(row["method"], row["norm"], row["metric"]), row) for row in rows]

    def is_valid(self, record):
        """Whether a record is of a successful run with the wanted pixels, whose files are unchanged."""
        return record.get("pixels") == self.fingerprints.pixels and self._is_whole(record)

    def _is_whole(self, record):
        return record.get("row", {}).get("status") == OK and files_unchanged(self.output, record["files"])

    def record(self, name):
        """The record of a run, or of the galaxy; empty if there is none."""
        return load_record(self.output, self.id_dr3, name)


def comparison_name(kind, method):
    """Name of the record of a comparison, which is not a run and has no row of the summary."""
    return f"compare_{kind}_{method}"


# ---- files ------------------------------------------------------------------


def all_possible_files(output, id_dr3, name):
    """Paths of all files that a run, with its fits, or the galaxy may have written with any settings."""
    if name == GALAXY:
        kinds = ("pixels", "agreement", "consensus", "feature_maps", "lensing_map", "page", "thumbnail")
        files = [output_path(output, kind, id=id_dr3) for kind in kinds]
        for picture in GALAXY_PICTURES:
            files += output_paths(output, "galaxy_picture", picture=picture, id=id_dr3, format=FIGURE_FORMATS)
        return files
    place = {"run": name, "id": id_dr3}
    files = [output_path(output, kind, **place) for kind in ("labels", "ds9_regions", "lensing", *TABLES)]
    files += output_paths(output, "run_picture", **place, picture=RUN_PICTURES, format=FIGURE_FORMATS)
    files += output_paths(output, "export", **place, code=EXPORTS, content=export_contents())
    return files + fit_paths(output, name, id_dr3)
