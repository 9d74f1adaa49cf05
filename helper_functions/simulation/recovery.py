"""What each method recovers of simulated galaxies: python -m helper_functions.simulation.recovery --output FOLDER

Every method with every norm and metric at the true number of clusters, each method at numbers around it and at those
that the criteria choose, and two reference lines. The truth is not shown to methods and criteria.
"""

import argparse
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.table import Table
from tqdm import tqdm

from distances import METRICS
from helper_functions.clustering import check_run, cluster_pixels
from helper_functions.composite_seds import composite_seds, nearest_sed
from helper_functions.job.run_galaxies import run_galaxies
from helper_functions.job.runs import Run, combine
from helper_functions.job.save_results import check_writable, save_figure, save_table
from helper_functions.methods import METHODS
from helper_functions.methods.method import DENSITY
from helper_functions.normalize import NORMS
from helper_functions.number_of_clusters import CRITERIA
from helper_functions.pixel_seds import PixelSEDs, extract_seds, fill_image, median_snr, select_pixels
from helper_functions.simulation.simulated_galaxy import observe, simulate_galaxy
from helper_functions.simulation.truth_scores import TruthScores, composite_distance, truth_scores
from plots.recovery import criteria_matrix, number_curves, score_matrix, truth_and_maps

SNR_THRESH = 3.0
CONTRASTS, REGIONS, PEAK_SNRS = ("distinct", "similar"), (3, 4, 5), (30.0, 100.0)
REDSHIFTS = (0.8, 1.5, 2.2, 2.8)
RADII = (14.0, 18.0, 22.0)  # pixels, which give 600 to 3,500 pixels above the threshold
STEPS = range(-2, 4)  # numbers of clusters asked for, relative to the truth
GIVEN = "given"
CRITERIA_SCORED = tuple(CRITERIA)
SUITES = ("galaxies", "decoupled")
MATRICES = {  # picture -> suite, score, and what to call it
    "score_matrix": ("galaxies", "ari", "all selected pixels"),
    "score_matrix_core": ("galaxies", "ari_core", "core pixels"),
    "score_matrix_decoupled": ("decoupled", "ari", "decoupled pixels"),
}
ORACLE, CHANCE = "oracle", "chance"


class Galaxy(NamedTuple):
    """One galaxy of the suite, its truth, and a name that says what it is."""

    name: str
    seds: PixelSEDs
    region: np.ndarray  # (n_pixels,)
    share: np.ndarray  # (n_pixels,)
    region_seds: np.ndarray  # (n_regions, n_bands)
    shape: tuple  # (ny, nx) of the image that the pixels are of


def suite_galaxy(number, first_seed):
    """Galaxy `number` of the suite: contrast, regions and SNR in turn, then again with other seeds and redshifts.

    Parameters
    ----------
    number : int
    first_seed : int
        Seeds count up from here: two suites share none if their first seeds are far enough apart.

    Returns
    -------
    Galaxy
    """
    kinds = list(product(CONTRASTS, REGIONS, PEAK_SNRS))
    contrast, n_regions, peak_snr = kinds[number % len(kinds)]
    seed = first_seed + number
    galaxy = simulate_galaxy(
        "clumpy",
        seed=seed,
        redshift=REDSHIFTS[(number // 2 + number // len(kinds)) % len(REDSHIFTS)],
        peak_snr=peak_snr,
        radius=RADII[number % len(RADII)],
        n_regions=n_regions,
        contrast=contrast,
    )
    cutout = observe(galaxy, seed)
    mask = select_pixels(cutout, median_snr(cutout), SNR_THRESH)
    name = f"{contrast}, {n_regions} regions, SNR {peak_snr:g}, seed {seed}"
    truth = galaxy.region[mask], galaxy.share[mask], galaxy.region_seds
    return Galaxy(name, extract_seds(cutout, mask), *truth, mask.shape)


def decouple(galaxy, seed):
    """Copy of a galaxy in which brightness and place say nothing, and no pixel is blended.

    Every pixel has the pure SED of its region, with the brightness of some pixel of the galaxy drawn at random, and
    noise of its own. A method that follows brightness or SNR finds nothing here. What others lose here is lost to
    noise; what they lose on the galaxy itself but not here, to the PSF.
    """
    rng = np.random.default_rng(seed)
    brightness = rng.permutation(galaxy.seds.flux.mean(axis=1))
    clean = brightness[:, None] * galaxy.region_seds[galaxy.region - 1]
    independent = np.ones(len(galaxy.seds.bands))
    seds = galaxy.seds._replace(flux=clean + rng.normal(0, galaxy.seds.error), noise_area=independent)
    return galaxy._replace(seds=seds, share=np.ones(len(clean)), name=f"{galaxy.name}, decoupled")


def all_runs():
    """Every (method, norm, metric) that has a meaning."""
    return combine(METHODS, NORMS, METRICS)[0]


def plain_runs():
    """Each method with its own norm and metric."""
    return [Run(method, *check_run(method, None, None)) for method in METHODS]


def score(galaxy, suite, run, n_clusters, seed=0):
    """Row of the table for one run on one galaxy; a reference line where `run` is its name."""
    start = time.perf_counter()
    if run == ORACLE:
        labels = 1 + nearest_sed(galaxy.seds, galaxy.region_seds)
    elif run == CHANCE:
        labels = np.random.default_rng(seed).permutation(galaxy.region)
    else:
        options = {"method": run.method, "norm": run.norm, "metric": run.metric}
        labels = cluster_pixels(galaxy.seds, **options, n_clusters=n_clusters, seed=seed).labels
    seconds = time.perf_counter() - start
    composites = composite_seds(galaxy.seds, labels)
    scores = truth_scores(labels, galaxy.region, galaxy.share)
    n_true = len(galaxy.region_seds)
    method, norm, metric = (run, "", "") if isinstance(run, str) else run
    row = {"suite": suite, "galaxy": galaxy.name, "method": method, "norm": norm, "metric": metric}
    row |= {"n_pixels": len(labels), "n_true": n_true, "criterion": GIVEN, "n_asked": n_clusters}
    row["n_found"] = len(composites.flux)
    row |= scores._asdict() | {"composite_distance": composite_distance(composites.flux, galaxy.region_seds)}
    return row | {"seconds": seconds}, labels


def score_galaxy(number, first_seed, runs):
    """All rows of one galaxy, and its label maps for the picture."""
    galaxy = suite_galaxy(number, first_seed)
    n_true = len(galaxy.region_seds)
    rows, maps = [], {"truth": galaxy.region}
    for suite in SUITES:
        target = galaxy if suite == "galaxies" else decouple(galaxy, first_seed + number)
        for run in [*runs, ORACLE, CHANCE]:
            row, labels = score(target, suite, run, n_true)
            rows.append(row)
            if suite == "galaxies" and (run == ORACLE or run in plain_runs()):
                maps[run if run == ORACLE else run.method] = labels
        rows += [row for run in plain_runs() for row in score_criteria(target, suite, run)]
    for run, step in product(plain_runs(), STEPS):
        if step and n_true + step >= 1:
            rows.append(score(galaxy, "galaxies", run, n_true + step)[0])
    images = {name: to_image(galaxy, labels) for name, labels in maps.items()}
    return rows, (galaxy.name, images)


def score_criteria(galaxy, suite, run):
    """Rows of one run with the number of clusters that each criterion chooses; none if the method finds it by itself.

    Criteria other than the method's own, which take longer, are for the galaxies themselves.
    """
    own = METHODS[run.method].criterion
    if own == DENSITY:
        return []
    more = CRITERIA_SCORED if suite == "galaxies" else ()
    options = {"method": run.method, "norm": run.norm, "metric": run.metric}
    scores = cluster_pixels(galaxy.seds, **options, n_clusters="auto", criteria=more).scores
    chosen = {name: each.chosen for name, each in scores.items()}
    once = {k: score(galaxy, suite, run, k)[0] for k in set(chosen.values())}
    return [once[k] | {"criterion": name} for name, k in chosen.items()]


def to_image(galaxy, labels):
    """Label image of the galaxy, trimmed to its pixels."""
    image = fill_image(galaxy.shape, galaxy.seds, labels, 0)
    rows, cols = galaxy.seds.rows, galaxy.seds.cols
    return image[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def recover(n_galaxies, first_seed, runs, jobs=1):
    """Score runs on a suite.

    Parameters
    ----------
    n_galaxies : int
    first_seed : int
    runs : list of Run
        What to score at the true number of clusters; the curves are of the plain runs.
    jobs : int

    Returns
    -------
    table : Table
        A row for each suite, galaxy, run and number of clusters asked for.
    maps : list of (name, dict)
        For each galaxy its name and the label images of the truth, the oracle and the plain runs.
    """
    work = partial(score_galaxy, first_seed=first_seed, runs=runs)
    results = {}
    for number, result in tqdm(run_galaxies(work, range(n_galaxies), jobs=jobs), total=n_galaxies, unit="galaxy"):
        if isinstance(result, Exception):
            raise result
        results[number] = result
    ordered = [results[number] for number in sorted(results)]
    return Table([row for rows, _ in ordered for row in rows]), [entry for _, entry in ordered]


def at_truth(table, suite="galaxies"):
    """Rows of a suite where the true number of clusters was given."""
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
        With the number of galaxies, of those with the true number found, and of those with one more or less.
    """
    rows = []
    for group in table[table["criterion"] != GIVEN].group_by(["suite", "method", "criterion"]).groups:
        row = {name: group[name][0] for name in ("suite", "method", "norm", "metric", "criterion")}
        for name in ("ari", "ari_core"):
            row[name], row[f"{name}_std"] = group[name].mean(), group[name].std()
        off = np.abs(group["n_found"] - group["n_true"])
        row |= {"n_galaxies": len(group), "n_exact": int((off == 0).sum()), "n_within_1": int((off <= 1).sum())}
        row["n_found"] = group["n_found"].mean()
        rows.append(row)
    result = Table(rows)
    result.sort("ari", reverse=True)
    return result


def curves(table):
    """Mean ARI of each method against the number of clusters asked for, relative to the truth.

    Returns
    -------
    dict
        method -> ndarray of shape (len(STEPS),); NaN where no galaxy allows that number.
    """
    chosen = table[(table["suite"] == "galaxies") & (table["criterion"] == GIVEN)]
    result = {}
    for run in plain_runs():
        mine = chosen[[tuple(row) == run for row in chosen["method", "norm", "metric"]]]
        step = mine["n_asked"] - mine["n_true"]
        result[run.method] = np.array([mine["ari"][step == s].mean() if (step == s).any() else np.nan for s in STEPS])
    return result


def print_summary(scores, chosen, n_galaxies):
    """Print mean scores, {suite: Table}, and those with a chosen number of clusters, the best first."""
    for suite, means in scores.items():
        columns = ["method", "norm", "metric", "ari", "ari_std", "ari_core", "ami", "composite_distance", "seconds"]
        short = means[columns]
        for name in columns[3:]:
            short[name].info.format = ".2f"
        print(f"\n{suite}: mean over {n_galaxies} galaxies")
        print("\n".join(short.pformat(max_lines=-1, max_width=-1)))
    print(f"\nnumber of clusters chosen: mean over {n_galaxies} galaxies")
    for name in ("ari", "ari_std", "ari_core", "ari_core_std", "n_found"):
        chosen[name].info.format = ".2f"
    print("\n".join(chosen.pformat(max_lines=-1, max_width=-1)))


def main(arguments=None):
    """Run the suite as the command line says, and write table and pictures; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.recovery", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("recovery_output"), help="folder to write to")
    parser.add_argument("--n", type=int, default=12, help="number of galaxies (default 12)")
    parser.add_argument("--seed", type=int, default=1000, help="first seed (default 1000)")
    parser.add_argument("--jobs", type=int, default=1, help="galaxies worked on at a time")
    given = parser.parse_args(arguments)
    try:
        if given.n < 1 or given.jobs < 1 or given.seed < 0:
            raise ValueError(f"want --n and --jobs of at least 1 and --seed of at least 0, found {vars(given)}")
        check_writable(given.output)
        table, maps = recover(given.n, given.seed, all_runs(), given.jobs)
        save_table(given.output / "recovery.ecsv", table)
        scores = {suite: mean_scores(table, suite) for suite in SUITES}
        for suite, means in scores.items():
            save_table(given.output / f"recovery_means_{suite}.ecsv", means)
        chosen = chosen_scores(table)
        save_table(given.output / "recovery_chosen.ecsv", chosen)
        options = [name for name, entry in METHODS.items() if entry.takes_any_norm], list(NORMS), list(METRICS)
        pictures = {
            **{name: score_matrix(scores[suite], *options, *what) for name, (suite, *what) in MATRICES.items()},
            "criteria": criteria_matrix(chosen[chosen["suite"] == "galaxies"], list(METHODS), list(CRITERIA_SCORED)),
            "number_of_clusters": number_curves(curves(table), list(STEPS), scores["galaxies"]),
            "truth_and_maps": truth_and_maps(maps),
        }
        for name, figure in pictures.items():
            save_figure(given.output / f"{name}.png", figure, dpi=130)
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    print_summary(scores, chosen, given.n)
    print(f"\ntable and pictures: {given.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
