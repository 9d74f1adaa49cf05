"""Recovery test of the clustering on simulated galaxies: python -m helper_functions.simulation.recovery --output FOLDER

Runs every method with every norm and metric at the true number of clusters, each method at numbers around it and at
those that the criteria choose, and two references: a per-pixel classifier given the true SEDs, and shuffled labels. The
truth is not used by methods and criteria.

With --realistic: galaxies of one or more populations with the flaws of real mosaics, each method with its default norm
and metric at the true number of clusters and at those that its own criterion and the recommended method choose, and the
classifier given the true SEDs. PSFs are those of real stars where --psfs or the environment variable STAR_PSFS names a
file of them; with --registration bands are misregistered, by the same shifts in the twelve galaxies of a field.
"""

import argparse
import os
import sys
import time
from functools import cache, partial
from itertools import product
from pathlib import Path

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from distances import METRICS
from helper_functions.clustering import check_run, cluster_pixels, criterion_of, recommended_scores
from helper_functions.composite_seds import composite_flux, composite_seds, nearest_sed, scale_factor
from helper_functions.files.saving import check_writable, save_figure, save_table
from helper_functions.job.processes import run_galaxies
from helper_functions.methods import METHODS
from helper_functions.methods.method import DENSITY
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import AS_RECOMMENDED, CRITERIA
from helper_functions.pixel_seds import fill_image
from helper_functions.population_seds import population_seds
from helper_functions.products.runs import Run, combine
from helper_functions.registry import choose
from helper_functions.simulation.star_psfs import read_star_psfs
from helper_functions.simulation.suites import REALISTIC_KINDS, decouple, realistic_galaxies, registered, suite_galaxy
from helper_functions.simulation.truth_scores import TruthScores, composite_distance, truth_scores
from plots.simulation.recovery import criteria_matrix, number_curves, score_matrix, seds_against_truth, truth_and_maps

STEPS = range(-2, 4)  # numbers of clusters given, relative to the truth
GIVEN = "given"
CRITERIA_SCORED = tuple(name for name in CRITERIA if name != "separable")  # not available for most methods
SUITES = ("galaxies", "decoupled")
REALISTIC = "realistic"
AUTO = "auto"
MATRICES = {  # figure -> suite, score, and its label
    "score_matrix": ("galaxies", "ari", "all selected pixels"),
    "score_matrix_core": ("galaxies", "ari_core", "core pixels"),
    "score_matrix_decoupled": ("decoupled", "ari", "decoupled pixels"),
}
TRUE_SEDS, CHANCE = "true SEDs", "chance"  # references: per-pixel classifier given the true SEDs, shuffled labels
UNMIXING_METHOD = "blended_mixture"  # the method that gives population SEDs
SHOWN_KIND = 8  # index of the realistic galaxy in the figure of SEDs: four populations with distinct SEDs


def all_runs():
    """All valid combinations of method, norm and metric."""
    return combine(METHODS, NORMS, METRICS)[0]


def default_runs(methods=METHODS):
    """Each method with its default norm and metric."""
    return [Run(method, *check_run(method, None, None)) for method in methods]


def score(galaxy, suite, run, n_clusters, seed=0, **how):
    """Row of the table for one run on one galaxy, and its labels; for a reference, `run` is TRUE_SEDS or CHANCE.

    With "auto" the method's own criterion, or another in `how`, further options of `cluster_pixels`, chooses the number
    of clusters, which is recorded as the number given.
    """
    start, criterion = time.perf_counter(), GIVEN
    if run == TRUE_SEDS:
        labels = 1 + nearest_sed(galaxy.seds, galaxy.region_seds)
    elif run == CHANCE:
        labels = np.random.default_rng(seed).permutation(galaxy.region)
    else:
        options = {"method": run.method, "norm": run.norm, "metric": run.metric}
        found = cluster_pixels(galaxy.seds, **options, n_clusters=n_clusters, seed=seed, **how)
        labels = found.labels
        if n_clusters == AUTO:
            criterion, n_clusters = found.k_choice, found.n_clusters
    seconds = time.perf_counter() - start
    composites, _ = composite_flux(galaxy.seds, labels)
    scores = truth_scores(labels, galaxy.region, galaxy.share)
    n_true = len(galaxy.region_seds)
    method, norm, metric = (run, "", "") if isinstance(run, str) else run
    row = {"suite": suite, "galaxy": galaxy.name, "method": method, "norm": norm, "metric": metric}
    row |= {"n_pixels": len(labels), "n_true": n_true, "criterion": criterion, "n_asked": n_clusters}
    row["n_found"] = len(composites)
    row |= scores._asdict() | {"composite_distance": composite_distance(composites, galaxy.region_seds)}
    return row | {"seconds": seconds}, labels


def score_galaxy(number, first_seed, runs):
    """All rows of one galaxy, and its label maps for the figure."""
    galaxy = suite_galaxy(number, first_seed)
    n_true = len(galaxy.region_seds)
    rows, maps = [], {"truth": galaxy.region}
    for suite in SUITES:
        target = galaxy if suite == "galaxies" else decouple(galaxy, first_seed + number)
        for run in [*runs, TRUE_SEDS, CHANCE]:
            row, labels = score(target, suite, run, n_true)
            rows.append(row)
            if suite == "galaxies" and (run == TRUE_SEDS or run in default_runs()):
                maps[run if run == TRUE_SEDS else run.method] = labels
        recommended = cache(partial(recommended_scores, target.seds))
        rows += [row for run in default_runs() for row in score_criteria(target, suite, run, recommended)]
    for run, step in product(default_runs(), STEPS):
        if step and n_true + step >= 1:
            rows.append(score(galaxy, "galaxies", run, n_true + step)[0])
    return rows, (galaxy.name, {name: to_image(galaxy, labels) for name, labels in maps.items()})


def score_realistic(number, galaxies, runs):
    """All rows of one galaxy with flaws, and its label maps at the number recommended, or its own, for the figure."""
    galaxy = galaxies[number]
    n_true = len(galaxy.region_seds)
    row, labels = score(galaxy, REALISTIC, TRUE_SEDS, n_true)
    rows, maps = [row], {"truth": galaxy.region, TRUE_SEDS: labels}
    recommended = cache(partial(recommended_scores, galaxy.seds))
    for run in runs:
        rows.append(score(galaxy, REALISTIC, run, n_true)[0])
        for criterion in dict.fromkeys(criterion_of(run.method, name) for name in (None, AS_RECOMMENDED)):
            how = {"criterion": criterion, "recommended": recommended}
            row, maps[run.method] = score(galaxy, REALISTIC, run, AUTO, **how)
            rows.append(row)
    return rows, (galaxy.name, {name: to_image(galaxy, labels) for name, labels in maps.items()})


def score_criteria(galaxy, suite, run, recommended):
    """Rows of one run at the numbers of clusters that the criteria choose; none if the method determines it itself.

    Criteria other than the method's own, which take longer, are evaluated for the suite "galaxies" only.
    """
    own = METHODS[run.method].criterion
    if own == DENSITY:
        return []
    more = CRITERIA_SCORED if suite == "galaxies" else ()
    options = {"method": run.method, "norm": run.norm, "metric": run.metric}
    scores = cluster_pixels(galaxy.seds, **options, n_clusters="auto", criteria=more, recommended=recommended).scores
    chosen = {name: each.chosen for name, each in scores.items()}
    once = {k: score(galaxy, suite, run, k)[0] for k in set(chosen.values())}
    return [once[k] | {"criterion": name} for name, k in chosen.items()]


def to_image(galaxy, labels):
    """Label image of the galaxy, cropped to its pixels."""
    image = fill_image(galaxy.shape, galaxy.seds, labels, 0)
    rows, cols = galaxy.seds.rows, galaxy.seds.cols
    return image[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def recover(n_galaxies, work, jobs=1):
    """Score runs on a suite.

    Parameters
    ----------
    n_galaxies : int
    work : callable
        Function of the number of a galaxy: `score_galaxy` or, for galaxies with flaws, `score_realistic`, with all
        other arguments bound.
    jobs : int

    Returns
    -------
    table : Table
        A row for each suite, galaxy, run and given number of clusters.
    maps : list of (name, dict)
        For each galaxy its name and the label images of the truth, of the classifier given the true SEDs, and of the
        default runs.
    """
    results = {}
    for number, result in tqdm(run_galaxies(work, range(n_galaxies), jobs=jobs), total=n_galaxies, unit="galaxy"):
        if isinstance(result, Exception):
            raise result
        results[number] = result
    ordered = [results[number] for number in sorted(results)]
    return Table([row for rows, _ in ordered for row in rows]), [entry for _, entry in ordered]


def at_truth(table, suite="galaxies"):
    """Rows of a suite for which the true number of clusters was given."""
    given = (table["criterion"] == GIVEN) & (table["n_asked"] == table["n_true"])
    return table[given & (table["suite"] == suite)]


def mean_scores(table, suite="galaxies"):
    """Mean and standard deviation over the galaxies for each run, best first.

    Parameters
    ----------
    table : Table
        From `recover`.
    suite : str

    Returns
    -------
    Table
    """
    rows = []
    for group in at_truth(table, suite).group_by(["method", "norm", "metric"]).groups:
        row = {name: group[name][0] for name in ("method", "norm", "metric")}
        for name in (*TruthScores._fields, "composite_distance", "n_found"):
            values = np.array(group[name], dtype=float)
            known = values[np.isfinite(values)]
            row[name] = known.mean() if known.size else np.nan
            row[f"{name}_std"] = known.std() if known.size else np.nan
        row["seconds"] = group["seconds"].mean()
        rows.append(row)
    result = Table(rows)
    result.sort("ari", reverse=True)
    return result


def chosen_scores(table):
    """Mean scores with the number of clusters that a criterion chose, for each suite, method and criterion, best first.

    Returns
    -------
    Table
        With the number of galaxies, of those with the true number found, and of those within 1 of it.
    """
    rows = []
    for group in table[table["criterion"] != GIVEN].group_by(["suite", "method", "criterion"]).groups:
        row = {name: group[name][0] for name in ("suite", "method", "norm", "metric", "criterion")}
        for name in ("ari", "ari_core"):
            row[name], row[f"{name}_std"] = group[name].mean(), group[name].std()
        rows.append(row | numbers_found(group) | {"n_found": group["n_found"].mean()})
    result = Table(rows)
    result.sort("ari", reverse=True)
    return result


def numbers_found(group):
    """Number of galaxies, of those with the true number of clusters found, and of those within 1 of it."""
    off = np.abs(group["n_found"] - group["n_true"])
    return {"n_galaxies": len(group), "n_exact": int((off == 0).sum()), "n_within_1": int((off <= 1).sum())}


def realistic_scores(table):
    """Mean scores on the galaxies with flaws for each method, with the number given and chosen, best first.

    Parameters
    ----------
    table : Table
        From `recover` with `score_realistic`.

    Returns
    -------
    Table
        With the number of galaxies, of those with the true number found, of those within 1 of it, of those with one
        population for which one cluster was found, and of those with one population.
    """
    rows = []
    for group in table.group_by(["method", "criterion"]).groups:
        row = {name: group[name][0] for name in ("method", "norm", "metric", "criterion")}
        # A galaxy may have no core pixel where the populations overlap everywhere.
        row |= {"ari": group["ari"].mean(), "ari_std": group["ari"].std(), "ari_core": np.nanmean(group["ari_core"])}
        single = group[group["n_true"] == 1]
        row |= numbers_found(group) | {"n_one_found": int((single["n_found"] == 1).sum()), "n_one": len(single)}
        rows.append(row | {"seconds": group["seconds"].mean()})
    result = Table(rows)
    result.sort("ari", reverse=True)
    return result


def ari_by_number(table):
    """Mean ARI of each method against the given number of clusters, relative to the truth.

    Returns
    -------
    dict
        method -> ndarray of shape (len(STEPS),); NaN where the number is possible for no galaxy.
    """
    chosen = table[(table["suite"] == "galaxies") & (table["criterion"] == GIVEN)]
    result = {}
    for run in default_runs():
        mine = chosen[[tuple(row) == run for row in chosen["method", "norm", "metric"]]]
        step = mine["n_asked"] - mine["n_true"]
        result[run.method] = np.array([mine["ari"][step == s].mean() if (step == s).any() else np.nan for s in STEPS])
    return result


def print_summary(scores, chosen, n_galaxies):
    """Print mean scores, {suite: Table}, and those with a chosen number of clusters, the best first."""
    for suite, means in scores.items():
        columns = ["method", "norm", "metric", "ari", "ari_std", "ari_core", "ami", "composite_distance", "seconds"]
        print_table(means[columns], f"{suite}: mean over {n_galaxies} galaxies")
    print_table(chosen, f"number of clusters chosen: mean over {n_galaxies} galaxies")


def print_table(table, title):
    """Print a whole table with two decimals, under a title."""
    short = table.copy()
    for name in short.colnames:
        if short[name].dtype.kind == "f":
            short[name].info.format = ".2f"
    print(f"\n{title}")
    print("\n".join(short.pformat(max_lines=-1, max_width=-1)))


def recover_clean(output, n_galaxies, first_seed, jobs):
    """Run the suite of clean images, write its tables and figures, and print the means."""
    table, maps = recover(n_galaxies, partial(score_galaxy, first_seed=first_seed, runs=all_runs()), jobs)
    save_table(output / "recovery.ecsv", table)
    scores = {suite: mean_scores(table, suite) for suite in SUITES}
    for suite, means in scores.items():
        save_table(output / f"recovery_means_{suite}.ecsv", means)
    chosen = chosen_scores(table)
    save_table(output / "recovery_chosen.ecsv", chosen)
    options = [name for name, entry in METHODS.items() if entry.takes_any_norm], list(NORMS), list(METRICS)
    pictures = {
        **{name: score_matrix(scores[suite], *options, *what) for name, (suite, *what) in MATRICES.items()},
        "criteria": criteria_matrix(chosen[chosen["suite"] == "galaxies"], list(METHODS), list(CRITERIA_SCORED)),
        "number_of_clusters": number_curves(ari_by_number(table), list(STEPS), scores["galaxies"]),
        "truth_and_maps": truth_and_maps(maps),
    }
    for name, figure in pictures.items():
        save_figure(output / f"{name}.png", figure, dpi=130)
    print_summary(scores, chosen, n_galaxies)


def recover_realistic(output, n_galaxies, first_seed, jobs, methods, make=realistic_galaxies):
    """Run the suite with the flaws of real mosaics, write its table and figures, and print the means.

    `make` is `realistic_galaxies` with its options bound. Whole fields are simulated, as they are registered together.
    """
    n_made = max(n_galaxies, SHOWN_KIND + 1) if UNMIXING_METHOD in methods else n_galaxies
    fields = tqdm(range(-(-n_made // len(REALISTIC_KINDS))), unit="simulated field")
    galaxies = [galaxy for field in fields for galaxy in make(field, first_seed)]
    table, maps = recover(n_galaxies, partial(score_realistic, galaxies=galaxies, runs=default_runs(methods)), jobs)
    save_table(output / "recovery_realistic.ecsv", table)
    save_figure(output / "truth_and_maps_realistic.png", truth_and_maps(maps, len(REALISTIC_KINDS)), dpi=130)
    if UNMIXING_METHOD in methods:
        galaxy = galaxies[SHOWN_KIND]
        panels = sed_panels(galaxy)
        figure = seds_against_truth(galaxy.name, galaxy.seds.wavelengths, panels)
        save_figure(output / "seds_against_truth.png", figure, dpi=130)
    print_table(realistic_scores(table), f"{REALISTIC}: mean over {n_galaxies} galaxies")


def sed_panels(galaxy):
    """Composite and population SED of each cluster of a galaxy, with their errors and the truth.

    Parameters
    ----------
    galaxy : Galaxy

    Returns
    -------
    list of (region, truth, composite, composite_error, population, population_error)
        The true region of most of the cluster's pixels, and arrays of shape (n_bands,), scaled to the truth.
    """
    clustering = cluster_pixels(galaxy.seds, method=UNMIXING_METHOD)
    found = (
        composite_seds(galaxy.seds, clustering.labels),
        population_seds(galaxy.seds, clustering),
    )
    panels = []
    for k in range(clustering.n_clusters):
        region = int(np.bincount(galaxy.region[clustering.labels == k + 1]).argmax())
        truth, scaled = galaxy.region_seds[region - 1], []
        for each in found:
            factor = scale_factor(each.flux[k], truth, each.error[k])
            scaled += [factor * each.flux[k], factor * each.error[k]]
        panels.append((region, truth, *scaled))
    return panels


def load_star_psfs(path):
    """Read PSFs of stars from this path or from that in STAR_PSFS; None, with a message, where there is neither."""
    path = path or os.environ.get("STAR_PSFS")
    if not path:
        note = "no PSFs of stars given (--psfs, STAR_PSFS): the model of F444W is used"
        print(note, file=sys.stderr)
        return None
    return read_star_psfs(path)


def main(arguments=None):
    """Command line: run a suite, and write its tables and figures; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.recovery", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("recovery_output"), help="folder to write to")
    parser.add_argument("--n", type=int, default=12, help="number of galaxies (default 12)")
    parser.add_argument("--seed", type=int, default=1000, help="first seed (default 1000)")
    parser.add_argument("--jobs", type=int, default=1, help="galaxies worked on at a time")
    parser.add_argument("--realistic", action="store_true", help="galaxies with the flaws of real mosaics")
    parser.add_argument(
        "--psfs", metavar="FILE", help="with --realistic, .npz of PSFs of stars, see star_psfs.py (default: STAR_PSFS)"
    )
    parser.add_argument(
        "--registration",
        type=float,
        metavar="RMS",
        help="with --realistic, rms misregistration of the bands of a field in pixels, which is measured and corrected",
    )
    parser.add_argument("--uncorrected", action="store_true", help="with --registration, do not correct the images")
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", help=f"with --realistic, some of {', '.join(METHODS)}"
    )
    given = parser.parse_args(arguments)
    try:
        if given.n < 1 or given.jobs < 1 or given.seed < 0:
            raise ValueError(f"want --n and --jobs of at least 1 and --seed of at least 0, found {vars(given)}")
        for option in ("methods", "psfs", "registration"):
            if getattr(given, option) is not None and not given.realistic:
                raise ValueError(f"--{option} goes with --realistic: leave it out, or add --realistic")
        if given.registration is not None and not 0 <= given.registration < np.inf:
            raise ValueError(f"want --registration of at least 0 pixels, found {given.registration:g}")
        for method in given.methods or ():
            choose(METHODS, method, "method")
        stars = load_star_psfs(given.psfs) if given.realistic else None
        check_writable(given.output)
        suite = given.output, given.n, given.seed, given.jobs
        if given.realistic:
            measured = given.registration is not None and not given.uncorrected
            correct = {"correct": registered} if measured else {}
            make = partial(realistic_galaxies, rms=given.registration, stars=stars, **correct)
            recover_realistic(*suite, given.methods or METHODS, make)
        else:
            recover_clean(*suite)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print(f"\ntables and figures: {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
