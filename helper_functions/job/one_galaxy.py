"""Process one galaxy: find, compute, save and record its missing results."""

import time
import traceback
from contextlib import contextmanager, suppress
from functools import cache, partial

from data_paths import cache_folder, output_path
from helper_functions.composite_seds import composite_seds
from helper_functions.explorer.index import save_thumbnail
from helper_functions.explorer.pages import renew_page
from helper_functions.files.records import (
    GALAXY,
    delete_record,
    file_states,
    galaxy_lock,
    recorded_runs,
    remove_files,
    save_record,
)
from helper_functions.files.saving import save_fits, save_table, save_text
from helper_functions.fits.lens import open_lens
from helper_functions.fits.magnification import remove_lensing, save_lensing
from helper_functions.job.command_line import command_line
from helper_functions.job.galaxy_records import GalaxyRecords, all_possible_files, comparison_name, run_fingerprints
from helper_functions.job.settings import SETTINGS
from helper_functions.job.workers import cached_survey
from helper_functions.methods import METHODS
from helper_functions.other_regions.outskirts import bin_outskirts, join_outskirts
from helper_functions.other_regions.own_regions import NoRegions
from helper_functions.pixel_seds import no_pixels
from helper_functions.products.exports import write_exports
from helper_functions.products.features import feature_hdus, feature_maps
from helper_functions.products.labels import consensus_hdus, label_hdus, read_labels
from helper_functions.products.pictures import (
    pictures_record,
    save_galaxy_pictures,
    save_run_pictures,
    save_variants_picture,
)
from helper_functions.products.pixels import cutout_to_fits
from helper_functions.products.registration import galaxy_registration, survey_shifts
from helper_functions.products.results import (
    GalaxyResult,
    number_record,
    read_run_result,
    read_scores,
    run_panel,
    run_result,
    variants_result,
)
from helper_functions.products.runs import OWN_RUN, RECOMMENDED_RUN
from helper_functions.products.sed_tables import sed_tables
from helper_functions.products.summary import FAILED, OK, failed_row, ok_row, settings_columns
from helper_functions.quality.compare_runs import agreement, agreement_table, match_regions, region_map
from helper_functions.quality.variants import COMPARISONS, cluster_variants, named
from helper_functions.survey.region_files import read_regions
from plots.style import cluster_colours


def do_galaxy(id_dr3, *, cluster_galaxy, open_survey, runs, refused, settings, provenance, wait):
    """Compute the missing results of one galaxy, and record each run.

    Parameters
    ----------
    id_dr3 : int
    cluster_galaxy : callable
        `cluster_galaxy(galaxy, settings)` computes the results of a `Galaxy`.
    open_survey : callable
    runs : list of Run
    refused : dict
        Run -> reason, of combinations of method and metric that are not meaningful.
    settings : Settings
    provenance : Provenance
        Of the main process, to which this process is compared.
    wait : bool
        Whether to wait if another process works on this galaxy; if not, Busy is raised.

    Returns
    -------
    rows : list of dict
        The galaxy's rows of the summary, one for each run.
    is_new : bool
        Whether anything was computed; False if all results were complete.
    """
    targets, output = settings.targets, settings.output
    survey = cached_survey(open_survey, targets.catalogs, targets.survey, output.output, provenance)
    fingerprints = run_fingerprints(survey.digest, settings.pixels, settings.clustering, [*runs, *refused])
    with galaxy_lock(output.output, id_dr3, wait):
        galaxy = Galaxy(survey, id_dr3, settings, fingerprints, runs)
        galaxy.rows |= {run: galaxy.save_failure(run, reason, "refused") for run, reason in refused.items()}
        is_complete, has_page = galaxy.is_complete(), galaxy.has_page()
        try:
            if not is_complete:
                cluster_galaxy(galaxy, settings)
            elif not has_page:
                renew_page(output.output, id_dr3, output.explorer_standalone)
            for run in [run for run in runs if galaxy.rows[run]["status"] == OK]:
                write_exports(output.output, run.name, id_dr3, output.export, settings.fits.error_floor)
            if settings.fits.magnification_map:
                galaxy.save_lensing()
        except Exception as problem:  # recorded, so that other galaxies continue
            galaxy.save_failures(galaxy.runs_to_do() or runs, problem)
        return [galaxy.rows[run] for run in (*runs, *refused)], not (is_complete and has_page)


class Galaxy(GalaxyRecords):
    """A galaxy whose results are computed and saved, while its lock is held; parameters as in `GalaxyRecords`."""

    def __init__(self, survey, *records):
        super().__init__(*records)
        self.survey = survey
        self.rows = {run: row for run in self.runs if (row := self.done_row(run))}  # of the summary
        self._binned = None  # bins of the pixels that are not selected, once computed
        self._computed = {}  # Run -> label image, regions and composites, for runs computed in this call

    # ---- interface for `cluster_galaxy` -------------------------------------

    def registration(self):
        """`Registration` of the bands at the galaxy; None if images are used as they are."""
        if self.settings.pixels.registration == "none":
            return None
        return galaxy_registration(self.survey, self.id_dr3, survey_shifts(self.survey, self.output))

    def runs_to_do(self):
        """Runs whose results are missing or out of date; the recommended one first, as others take its number."""
        return sorted((run for run in self.runs if run not in self.rows), key=lambda run: run != RECOMMENDED_RUN)

    def own_regions(self):
        """The user's own regions as masks, and notes on their file, see `read_regions`."""
        cutout, path = self.result.cutout, self.region_file
        if not path.is_file():
            raise NoRegions(f"there is no file {path}")
        return read_regions(path, cutout.wcs, cutout.segmap.shape, cache_folder())

    def recommended_scores(self, compute):
        """Function that gives the `Scores` by which the recommended run chose its number of clusters.

        They are read from its record if that is up to date, and otherwise computed once by `compute()`.
        """
        own = METHODS[RECOMMENDED_RUN.method].criterion

        def read_or_compute():
            record = self.record(RECOMMENDED_RUN.name)
            is_current = record.get("fingerprint") == self.fingerprints.runs[RECOMMENDED_RUN]
            scores = read_scores(record["number"]) if is_current else {}
            return scores[own] if own in scores else compute()

        return cache(read_or_compute)

    def begin(self, cutout, mask, snr):
        """Start with these selected pixels and their SNR: remove results of other selections.

        Raises NoPixels if no pixel is selected; the cutout is saved and plotted nevertheless.
        """
        pixels = self.settings.pixels
        self.result = GalaxyResult(cutout, mask, snr, pixels.snr_thresh, snr_bands=pixels.snr_bands)
        self._clear(GALAXY)
        for name in recorded_runs(self.output, self.id_dr3):
            if self.record(name).get("pixels") != self.fingerprints.pixels:
                self._clear(name)
                delete_record(self.output, self.id_dr3, name)
        if not mask.any():
            self._save_galaxy()
            raise no_pixels(cutout, snr, pixels.snr_thresh, pixels.snr_bands)
        # Region numbers of a run are matched to runs that are kept, not to results that it replaces, so that a call
        # that is repeated gives the same numbers.
        kept = [run for run, _ in self.valid_runs() if run in self.rows or run not in self.runs]
        self._region_maps = [region_map(*self._read_labels(run)) for run in kept]

    @contextmanager
    def recording(self, run):
        """Compute a run in this block: an exception is recorded as its failure, and other runs continue."""
        self._start = time.perf_counter()
        try:
            yield
        except Exception as problem:
            self.save_failures([run], problem)

    def save_run(self, run, seds, clustering, composites, populations, quality):
        """Save the results of a run: labels, tables, pictures, and its row of the summary; see `RunResult`."""
        from helper_functions.products.ds9_regions import ds9_text  # here, as it takes a third of a second to import

        settings, fingerprint = self.settings, self.fingerprints.runs[run]
        found = seds, clustering, composites, populations, quality
        result = run_result(run, self.result.cutout, *found, settings.clustering.features)
        regions = match_regions(result.labels, self._region_maps)
        result = result._replace(regions=regions, maps=self._feature_maps(seds), outskirts=self._outskirts(result))
        self._clear(run.name)
        path = partial(output_path, self.output, run=run.name, id=self.id_dr3)
        labels, outlines = path("labels"), path("ds9_regions")
        row, notes = ok_row(result)
        save_fits(labels, label_hdus(result, settings.pixels, settings.clustering.seed, fingerprint, notes))
        save_text(outlines, ds9_text(result.labels, result.cutout.wcs, cluster_colours(regions), result.title))
        tables = {path(name): table for name, table in sed_tables(result).items()}
        for place, table in tables.items():
            save_table(place, table)
        pictures = save_run_pictures(result, settings.output)
        row |= {"pictures": " ".join(pictures), "seconds": round(time.perf_counter() - self._start, 3)}
        self.rows[run] = row | settings_columns(settings.pixels, settings.clustering, fingerprint)
        self._save_run_record(run, [labels, outlines, *tables], pictures.values(), number_record(clustering))
        self._computed[run] = result.labels, regions, composites
        self._region_maps.append(region_map(result.labels, regions))

    def save_comparison(self, kind, method, cluster, seds):
        """Cluster with the options of a comparison, and save its picture, unless nothing can be clustered.

        `cluster` is `cluster_pixels` with this method and the options of the call bound.
        """
        how, comparison, found, files = self.settings.clustering, COMPARISONS[kind], None, []
        self._clear(comparison_name(kind, method))
        known = [region_map(*self._read_labels(run))[seds.rows, seds.cols] for run, _ in self.valid_runs()]
        with suppress(ValueError):  # such as no signal, which is in the rows of the runs
            n_clusters = cluster(seds, n_clusters=how.n_clusters, seed=how.seed).n_clusters
            variants, reference = comparison.variants(method, n_clusters)
            found = cluster_variants(cluster, seds, variants, reference, known, how.seed)
        if found is not None:
            title = comparison.title.format(method=method, n_clusters=named(variants[reference]["n_clusters"]))
            result = variants_result(self.result.cutout, self.result.mask, seds, title, found, reference)
            files = [save_variants_picture(result, kind, method, self.settings.output)]
        save_record(
            self.output,
            self.id_dr3,
            comparison_name(kind, method),
            pixels=self.fingerprints.pixels,
            fingerprint=self.comparison_fingerprint(kind, method),
            files=file_states(self.output, files),
        )

    def finish(self, seds):
        """Draw missing pictures, compare all runs, and save the files that belong to no single run."""
        for run in [run for run in self.runs if self.rows[run]["status"] == OK and not self.is_drawn(run)]:
            self._redraw(run, seds)
        maps = self._feature_maps(seds)
        self.result = self.result._replace(wavelengths=seds.wavelengths, edges=seds.edges, maps=maps)
        if runs := self.valid_runs():
            panels = [run_panel(run, row, *self._labels_and_composites(run, seds)) for run, row in runs]
            regions = [region_map(each.labels, each.regions) for each in panels]
            found = agreement([run.name for run, _ in runs], regions)
            self.result = self.result._replace(panels=tuple(panels), agreement=found)
            self._record_agreement(dict(runs), found)
        self._save_galaxy()

    def save_lensing(self):
        """Save the magnification of the regions of all runs from the maps, unless the galaxy has its own number.

        If the maps do not cover the galaxy, its rows of the summary say so.
        """
        fits, done = self.settings.fits, [run for run in self.runs if self.rows[run]["status"] == OK]
        names = [run.name for run in done]
        if self.own.magnification or not done:
            return remove_lensing(self.output, self.id_dr3, names)
        lens = open_lens(tuple(fits.magnification_map), fits.lens_redshift, cache_folder())
        if problem := save_lensing(self.output, self.id_dr3, names, lens, self.rows[done[0]]["redshift"]):
            for run in done:
                said = filter(None, [self.rows[run]["message"], f"no magnification by the map: {problem}"])
                self.rows[run] = self.rows[run] | {"message": "; ".join(said)}
        return None

    # ---- failures -----------------------------------------------------------

    def save_failure(self, run, problem, status=None):
        """Record that a run failed; return its row. An existing valid result is kept."""
        row = failed_row(self.id_dr3, run, problem, status)
        row |= settings_columns(self.settings.pixels, self.settings.clustering, self.fingerprints.runs[run])
        self.rows[run] = row
        if not self.is_valid(self.record(run.name)):
            self._clear(run.name)
            self._save_run_record(run)
        return row

    def save_failures(self, runs, problem):
        """`save_failure` of runs that one exception ended; the traceback of an unexpected exception is printed."""
        rows = [self.save_failure(run, problem) for run in runs]
        if any(row["status"] == FAILED for row in rows) and not isinstance(problem, OSError | ValueError):
            traceback.print_exception(problem)

    # ---- parts --------------------------------------------------------------

    def _feature_maps(self, seds):
        """Maps of features of the pixels, computed only if they are to be saved or drawn."""
        output = self.settings.output
        if self.result.maps is None and (output.pixel_cubes or output.pictures == "all"):
            self.result = self.result._replace(maps=feature_maps(seds, self.result.mask.shape))
        return self.result.maps

    def _outskirts(self, result):
        """Bins of the pixels that are not selected, added to the regions of a run; None if there are none.

        Pixels outside of a user's own regions are not binned.
        """
        if self.settings.pixels.bin_snr is None or result.run == OWN_RUN:
            return None
        if self._binned is None:
            mask, target = self.result.mask, self.settings.pixels.bin_snr
            self._binned = bin_outskirts(self.result.cutout, mask, result.seds.bands, target)
        spectra = result.composites if result.populations is None else result.populations
        return self._binned and join_outskirts(self._binned, result.labels, spectra.flux)

    def _read_labels(self, run):
        found = read_labels(output_path(self.output, "labels", run=run.name, id=self.id_dr3))
        return found.labels, found.regions

    def _labels_and_composites(self, run, seds):
        """Labels, regions and composites of a run of this or an earlier call."""
        if run in self._computed:
            return self._computed[run]
        labels, regions = self._read_labels(run)
        return labels, regions, composite_seds(seds, labels[seds.rows, seds.cols], seed=self.settings.clustering.seed)

    def _record_agreement(self, rows, found):
        """Add the adjusted Rand index with the recommended run to the row of each run, {Run: row}."""
        if RECOMMENDED_RUN.name not in found.runs:
            return
        column = found.rand_index[:, found.runs.index(RECOMMENDED_RUN.name)]
        for (run, row), rand_index in zip(rows.items(), column.tolist(), strict=True):
            if row.get("rand_index") != rand_index:
                row = row | {"rand_index": rand_index}
                save_record(self.output, self.id_dr3, run.name, **(self.record(run.name) | {"row": row}))
                if run in self.rows:
                    self.rows[run] = row

    def _redraw(self, run, seds):
        """Draw the pictures of a run from its saved results."""
        record, settings = self.record(run.name), self.settings
        remove_files(self.output, record["picture_files"])
        save_record(self.output, self.id_dr3, run.name, **(record | {"pictures": None, "picture_files": {}}))
        saved = self.output, run, record["row"], record["number"]
        result = read_run_result(*saved, self.result.cutout, seds, settings.clustering)
        pictures = save_run_pictures(result._replace(maps=self._feature_maps(seds)), settings.output)
        record["row"]["pictures"] = " ".join(pictures)
        self.rows[run] = record["row"]
        drawn = {"pictures": pictures_record(settings.output)}
        drawn["picture_files"] = file_states(self.output, pictures.values())
        save_record(self.output, self.id_dr3, run.name, **(record | drawn))

    def _save_galaxy(self):
        """Save pixels, maps, agreement of the runs, pictures and page; `begin` has removed the old files."""
        result, output, save = self.result, self.settings.output, {}
        if output.pixel_cubes:
            save["pixels"] = cutout_to_fits(result.cutout, result.mask, self.settings.pixels)
        if output.pixel_cubes and result.maps:
            save["feature_maps"] = feature_hdus(result.maps, result.cutout)
        if result.agreement is not None:
            save["agreement"] = agreement_table(result.agreement)
            save["consensus"] = consensus_hdus(result.cutout, result.agreement)
        content, saved = self.galaxy_content(), []
        for name, data in save.items():
            saved.append(output_path(self.output, name, id=self.id_dr3))
            (save_table if name == "agreement" else save_fits)(saved[-1], data)
        saved += save_galaxy_pictures(result, output).values()
        if output.explorer and result.panels:
            saved.append(save_thumbnail(self.output, result, [name for name, _ in content["panels"]]))
        content |= {"pictures": pictures_record(output), "files": file_states(self.output, saved)}
        content["commands"] = self._commands()
        save_record(self.output, self.id_dr3, GALAXY, **content, page=None, page_files={})
        if output.explorer:
            renew_page(self.output, self.id_dr3, output.explorer_standalone)

    def _commands(self):
        """The command that repeats the runs of this galaxy, and the same with the regions selected on its page."""
        own = [{"regions": f"{self.id_dr3}_region.reg"}] if "regions" in SETTINGS else []
        return [command_line(self.settings, self.id_dr3, **each) for each in ({}, *own)]

    def _save_run_record(self, run, files=(), pictures=(), number=None):
        settings = {name: value for name, value in self.settings.as_dict().items() if name != "id_dr3_list"}
        save_record(
            self.output,
            self.id_dr3,
            run.name,
            row=self.rows[run],
            fingerprint=self.fingerprints.runs[run],
            pixels=self.fingerprints.pixels,
            number=number or {"scores": {}, "notes": []},
            is_checked=self.is_first(run) and bool(files),
            pictures=pictures_record(self.settings.output),
            picture_files=file_states(self.output, pictures),
            settings=settings | {"galaxies": self.own},
            files=file_states(self.output, files),
        )

    def _clear(self, name):
        """Mark a record as unfinished and remove its files, including files that it does not list."""
        record = self.record(name)
        files = {**record.get("files", {}), **record.get("picture_files", {}), **record.get("page_files", {})}
        save_record(self.output, self.id_dr3, name, files=files)
        remove_files(self.output, files)
        for path in all_possible_files(self.output, self.id_dr3, name):
            path.unlink(missing_ok=True)
