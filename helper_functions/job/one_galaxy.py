"""The files and records of one galaxy: what is done already, what no longer holds, and saving what is new."""

import traceback
from typing import NamedTuple

import data_paths
from helper_functions.explorer.index import save_thumbnail
from helper_functions.explorer.pages import explorer_paths, page_or_warning
from helper_functions.files.records import (
    GALAXY,
    code_digest,
    describe_files,
    digest,
    drop_record,
    files_unchanged,
    load_record,
    recorded_runs,
    remove_files,
    save_record,
)
from helper_functions.files.saving import save_fits, save_table
from helper_functions.fits.files import fit_paths
from helper_functions.job.settings import AMOUNTS, LABELS, ONE_GALAXY, PIXELS, SETTINGS
from helper_functions.methods import METHODS
from helper_functions.products.exports import possible_exports
from helper_functions.products.features import feature_hdus
from helper_functions.products.labels import consensus_hdus, label_hdus, read_clusters
from helper_functions.products.pictures import (
    GALAXY_PICTURES,
    RUN_PICTURES,
    possible_pictures,
    save_galaxy_pictures,
    save_run_pictures,
)
from helper_functions.products.runs import Run
from helper_functions.products.sed_tables import sed_tables
from helper_functions.products.summary import FAILED, OK, failed_row, ok_row, settings_columns
from helper_functions.quality.compare_runs import agreement_table

TABLES = {  # of a run: what `sed_tables` calls them, and where they go
    "composites": data_paths.composites_path,
    "populations": data_paths.populations_path,
    "budget": data_paths.budget_path,
    "features": data_paths.region_features_path,
}


class Fingerprints(NamedTuple):
    """What results are to be made from, as digests: the same digest stands for the same files, settings and code."""

    pixels: str  # of what decides which pixels a galaxy has
    runs: dict  # Run -> of what decides its result

    def of(self, id_dr3, settings):
        """The same for one galaxy, where there are settings for it alone."""
        mine = [getattr(settings, name).get(id_dr3) for name, each in SETTINGS.items() if each.changes == ONE_GALAXY]
        if all(value is None for value in mine):
            return self
        return Fingerprints(digest(self.pixels, mine), {run: digest(each, mine) for run, each in self.runs.items()})


def run_fingerprints(survey_digest, settings, runs):
    """`Fingerprints` for these runs.

    Every setting counts but those of which SETTINGS says that they change nothing: one that is forgotten there costs
    time, and never leaves old results in place.
    """
    values = {
        part: [getattr(settings, name) for name, setting in SETTINGS.items() if setting.changes == part]
        for part in (PIXELS, LABELS)
    }
    pixels = digest(code_digest(), survey_digest, values[PIXELS])
    return Fingerprints(pixels, {run: digest(pixels, list(run), values[LABELS]) for run in runs})


class GalaxyStore:
    """What is on disk of one galaxy, and what one call puts there; its lock must be held.

    Parameters
    ----------
    id_dr3 : int
    settings : Settings
    asked : Fingerprints
    runs : list of Run
        Those that the call is to do; criteria are shown for the first of them, and it is checked the most.
    """

    def __init__(self, id_dr3, settings, asked, runs):
        self.id_dr3, self.settings, self.output = id_dr3, settings, settings.output
        self.asked, self.runs = asked.of(id_dr3, settings), runs

    def criteria(self, run):
        """Criteria to be shown for a run besides the one that chooses the number of clusters: what a picture shows."""
        drawn = self.settings.pictures == "all"
        chooses = drawn and self.settings.n_clusters == "auto" and not METHODS[run.method].finds_number
        return self.settings.criteria_shown if chooses and self.is_first(run) else []

    def is_first(self, run):
        """Whether a run is the first of this call, of which more is found out than of the others."""
        return run == self.runs[0]

    def is_done(self):
        """Whether nothing is left to do for the runs of this call."""
        return all(self.done_row(run) for run in self.runs) and self.is_complete()

    def done_row(self, run):
        """The row of a run that is done just as asked; None where it is not."""
        record = self._record(run.name)
        done = (
            not self.settings.overwrite
            and record.get("fingerprint") == self.asked.runs[run]
            and self._shows_enough(record)
            and set(self.criteria(run)) <= set(record["criteria"])
            and self.is_first(run) <= record.get("is_checked", False)
            and self._stands(record)
        )
        return record["row"] if done else None

    def n_clusters(self, run):
        """Clusters that a run has found, be it with other settings; None where there is no record of that."""
        row = self._record(run.name).get("row", {})
        return row["n_clusters"] if row.get("status") == OK else None

    def is_complete(self):
        """Whether what the galaxy leaves besides its runs is there, of the same pixels, with all runs that hold."""
        record, content = self._record(GALAXY), self._galaxy_content()
        same = all(record.get(name) == value for name, value in content.items())
        same = same and record.get("explorer", False) >= self.settings.explorer
        return same and self._shows_enough(record) and files_unchanged(self.output, record["files"])

    def _shows_enough(self, record):
        """Whether a record is of a result with all the pictures that are asked for, in the format asked for."""
        amounts = [AMOUNTS.index(amount) for amount in (record["pictures"], self.settings.pictures)]
        return record["figure_format"] == self.settings.figure_format and amounts[0] >= amounts[1]

    def _galaxy_content(self):
        panels = [[run.name, row["settings"]] for run, row in self.valid_runs()]
        return {"pixels": self.asked.pixels, "panels": panels, "cubes": self.settings.pixel_cubes}

    def _pictures_asked(self):
        return {"pictures": self.settings.pictures, "figure_format": self.settings.figure_format}

    def valid_runs(self):
        """[(Run, row)] of all runs on disk that are of the pixels asked for, those of this call first."""
        records = {name: self._record(name) for name in recorded_runs(self.output, self.id_dr3)}
        first = [run.name for run in self.runs]
        names = sorted(records, key=lambda name: (first.index(name) if name in first else len(first), name))
        rows = [records[name]["row"] for name in names if self._holds(records[name])]
        return [(Run(row["method"], row["norm"], row["metric"]), row) for row in rows]

    def clusters(self, run):
        """The label image of a run, int of shape (ny, nx), and the region numbers of its clusters, (n_clusters,)."""
        return read_clusters(data_paths.clusters_path(self.output, run.name, self.id_dr3))

    # ---- saving -------------------------------------------------------------

    def begin(self):
        """Make room for the galaxy's pixels: what was made of other pixels no longer holds, and is removed."""
        self._clear(GALAXY)
        for name in recorded_runs(self.output, self.id_dr3):
            if self._record(name).get("pixels") != self.asked.pixels:
                self._clear(name)
                drop_record(self.output, self.id_dr3, name)

    def save_galaxy(self, result, cubes):
        """Save the galaxy's pixels, maps, how far its runs agree, and pictures, for which `begin` has made room.

        Parameters
        ----------
        result : GalaxyResult
        cubes : HDUList
            From `cutout_to_fits`.
        """
        pixels, table, regions, maps = self._galaxy_files()
        content, saved = self._galaxy_content() | self._pictures_asked(), []
        if self.settings.pixel_cubes:
            save_fits(pixels, cubes)
            saved.append(pixels)
        if result.maps and self.settings.pixel_cubes:
            save_fits(maps, feature_hdus(result.maps, result.cutout))
            saved.append(maps)
        if result.agreement is not None:
            save_table(table, agreement_table(result.agreement))
            save_fits(regions, consensus_hdus(result.cutout, result.agreement))
            saved += [table, regions]
        saved += save_galaxy_pictures(result, self.settings).values()
        if self.settings.explorer and result.panels:
            saved.append(save_thumbnail(self.output, result, [name for name, _ in content["panels"]]))
        page = page_or_warning(self.output, self.id_dr3) if self.settings.explorer else None
        saved += [page] if page else []
        files = describe_files(self.output, saved)
        save_record(self.output, self.id_dr3, GALAXY, files=files, explorer=page is not None, **content)

    def save_run(self, result, seconds):
        """Save what a run gave; return its row of the summary."""
        run, output, fingerprint = result.run, self.output, self.asked.runs[result.run]
        labels = data_paths.clusters_path(output, run.name, self.id_dr3)
        self._clear(run.name)
        save_fits(labels, label_hdus(result, self.settings, fingerprint))
        tables = {self._path(name, run.name): table for name, table in sed_tables(result).items()}
        for path, table in tables.items():
            save_table(path, table)
        pictures = save_run_pictures(result, self.settings)
        row = ok_row(result, pictures, seconds()) | settings_columns(self.settings, fingerprint)
        criteria = list(result.clustering.scores)
        files = describe_files(output, [labels, *tables, *pictures.values()])
        self._save_run_record(run, row, files, criteria, is_checked=self.is_first(run))
        return row

    def save_failure(self, run, problem, status=None):
        """Record that a run failed; return its row. A result that holds is never replaced by a failure."""
        row = failed_row(self.id_dr3, run, problem, status)
        row |= settings_columns(self.settings, self.asked.runs[run])
        if not self._holds(self._record(run.name)):
            self._clear(run.name)
            self._save_run_record(run, row)
        return row

    def save_failures(self, runs, problem):
        """`save_failure` of several runs that one exception ended, which is shown whole where nobody foresaw it."""
        rows = [self.save_failure(run, problem) for run in runs]
        if any(row["status"] == FAILED for row in rows) and not isinstance(problem, OSError | ValueError):
            traceback.print_exception(problem)
        return rows

    def _save_run_record(self, run, row, files=None, criteria=(), is_checked=False):
        save_record(
            self.output,
            self.id_dr3,
            run.name,
            row=row,
            fingerprint=self.asked.runs[run],
            pixels=self.asked.pixels,
            criteria=list(criteria),
            is_checked=is_checked,
            **self._pictures_asked(),
            settings={name: value for name, value in self.settings._asdict().items() if name != "id_dr3_list"},
            files=files or {},
        )

    # ---- parts --------------------------------------------------------------

    def _record(self, name):
        return load_record(self.output, self.id_dr3, name)

    def _stands(self, record):
        """Whether a record is of a run that ended well, and its files are as it left them."""
        return record.get("row", {}).get("status") == OK and files_unchanged(self.output, record["files"])

    def _holds(self, record):
        """Whether it stands and is of the pixels asked for."""
        return record.get("pixels") == self.asked.pixels and self._stands(record)

    def _clear(self, name):
        """Mark a record as unfinished and remove its files, of which some may be there without a record."""
        files = self._record(name).get("files", {})
        save_record(self.output, self.id_dr3, name, files=files)
        remove_files(self.output, files)
        for path in self._possible_files(name):
            path.unlink(missing_ok=True)

    def _path(self, table, run):
        return TABLES[table](self.output, run, self.id_dr3)

    def _galaxy_files(self):
        """Cubes, agreement, consensus and maps of features: what the galaxy leaves besides its runs and pictures."""
        paths = data_paths.pixels_path, data_paths.agreement_path, data_paths.consensus_path
        return [path(self.output, self.id_dr3) for path in (*paths, data_paths.feature_maps_path)]

    def _possible_files(self, name):
        """Every file that a run, or the galaxy itself, may leave, with what was fitted to the regions of the run."""
        output, id_dr3 = self.output, self.id_dr3
        if name == GALAXY:
            pictures = [path for each in GALAXY_PICTURES for path in possible_pictures(output, each, id_dr3, [each])]
            return [*self._galaxy_files(), *explorer_paths(output, id_dr3), *pictures]
        files = [data_paths.clusters_path(output, name, id_dr3), *(self._path(each, name) for each in TABLES)]
        pictures = possible_pictures(output, name, id_dr3, RUN_PICTURES)
        return files + possible_exports(output, name, id_dr3) + fit_paths(output, name, id_dr3) + pictures
