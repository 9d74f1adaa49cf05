"""Recovery test of population SEDs: python -m helper_functions.simulation.purity_recovery --psfs FILE

Galaxies of several populations are seen through PSFs of real stars, and unmixed by `blended_mixture`. The SEDs of
regions are compared with the truth before and after the deconvolution, which assumes the PSF of one position for all
galaxies.
"""

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from scipy.optimize import nnls

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import SYSTEMATIC, scale_factor
from helper_functions.files.saving import check_writable, save_table
from helper_functions.job.processes import run_galaxies
from helper_functions.population_seds import population_seds
from helper_functions.sed_features import measure_features
from helper_functions.simulation.recovery import UNMIXING_METHOD, load_star_psfs
from helper_functions.simulation.simulated_galaxy import observe
from helper_functions.simulation.star_psfs import TARGET, resample_star_psf
from helper_functions.simulation.suites import REALISTIC_KINDS, realistic_images, with_truth

PURE = 0.8  # least fraction of a cluster in one region, and of the region in the cluster, for which SEDs are compared
FEATURES = "ew_halpha_nii", "ew_oiii_hbeta", "u_v"
ONE_SIGMA = (15.865, 84.135)  # percentiles


def numbers_of_several(n_galaxies):
    """Numbers of the first galaxies of the realistic suite that have several populations."""
    several = [number for number, kind in enumerate(REALISTIC_KINDS) if kind.n_regions > 1]
    return [len(REALISTIC_KINDS) * (n // len(several)) + several[n % len(several)] for n in range(n_galaxies)]


def recover_galaxy(number, first_seed, stars, clean):
    """Compare the SEDs of one galaxy with the truth; a list of dict, one for each region that was found.

    Parameters
    ----------
    number, first_seed, stars
        See `realistic_images`.
    clean : bool
        Without the flaws of mosaics, except for the PSF.
    """
    images = realistic_images(number, first_seed, stars)
    cutout, truth = images.cutout, images.region_seds
    if clean:
        cutout, truth = observe(images.galaxy, first_seed + number), images.galaxy.region_seds
    assumed = min(place for band, place in stars if band == TARGET)
    cutout = cutout._replace(psf=resample_star_psf(stars[TARGET, assumed]))
    galaxy = with_truth(images.name, images.galaxy, cutout, truth)
    clustering = cluster_pixels(galaxy.seds, method=UNMIXING_METHOD)
    start = time.process_time()
    found = population_seds(galaxy.seds, clustering)
    seconds, rows = time.process_time() - start, []
    for k in range(clustering.n_clusters):
        member = clustering.labels == k + 1
        region = np.bincount(galaxy.region[member]).argmax()
        if min(np.mean(galaxy.region[member] == region), np.mean(member[galaxy.region == region])) < PURE:
            continue
        own = region - 1
        row = {"galaxy": galaxy.name, "cluster": k + 1, "region": int(region), "n_pixels": len(member)}
        row |= {"seconds": seconds, "purity_low": found.purity_low[k], "alone": found.alone[k]}
        row |= {"psf_width": found.psf_width}
        for name, sed in (("before", clustering.populations.seds[k]), ("after", found.flux[k])):
            factor = scale_factor(sed, truth[own], np.ones(len(sed)))
            row[f"purity_{name}"] = purity(sed, truth, own)
            row[f"difference_{name}"] = np.mean(np.abs(factor * sed / truth[own] - 1))
            row |= {f"{each}_{name}": value for each, value in features_off(sed, truth[own], galaxy.seds).items()}
        pulls = (factor * found.flux[k] - truth[own]) / (factor * found.error[k])
        rows.append(row | {"pull_rms": np.sqrt(np.mean(pulls**2)), "pulls": pulls})
    return rows


def purity(sed, truth, own):
    """Fraction of the true SED of a region in a non-negative fit of all true SEDs, (n_regions, n_bands), to an SED."""
    share = nnls(truth.T, sed / np.abs(sed).mean())[0] * truth.mean(axis=1)
    return share[own] / share.sum()


def features_off(sed, truth, seds):
    """Differences of the FEATURES of an SED to those of the true SED, measured in the same way."""
    both = np.array([sed / sed.mean(), truth / truth.mean()])
    found = measure_features(both, np.hypot(1e-3, SYSTEMATIC * both), seds.bands, seds.redshift)
    return {name: float(found[name].value[0] - found[name].value[1]) for name in FEATURES}


def purity_table(rows):
    """Markdown table of the rows of all galaxies, before and after the deconvolution."""
    lines = ["| | before | after |", "| --- | --- | --- |"]

    def add(label, text, *names):
        lines.append(f"| {label} | " + " | ".join(text(np.array([row[name] for row in rows])) for name in names) + " |")

    add("purity, median (mean)", lambda x: f"{np.median(x):.2f} ({x.mean():.2f})", "purity_before", "purity_after")
    difference = "difference_before", "difference_after"
    add("difference to the true SED, median (mean)", lambda x: f"{np.median(x):.1%} ({x.mean():.0%})", *difference)
    for name in FEATURES:

        def text(values):
            known = values[np.isfinite(values)]
            if not len(known):
                return "not covered"
            return f"{np.median(known):+.2g} ± {np.ptp(np.percentile(known, ONE_SIGMA)) / 2:.2g} ({len(known)})"

        add(f"`{name}` less that of the true SED, median, scatter", text, f"{name}_before", f"{name}_after")
    pulls = np.concatenate([row["pulls"] for row in rows])
    lines.append(f"| spread of (SED - truth) / error | | {np.ptp(np.percentile(pulls, ONE_SIGMA)) / 2:.2f} |")
    held = np.mean([row["purity_after"] >= row["purity_low"] - 0.01 for row in rows])
    lines.append(f"| purity above `purity_low` | | {held:.0%} |")
    seconds = np.median([1300 * row["seconds"] / row["n_pixels"] for row in rows])
    lines.append(f"| seconds for 1,300 pixels, with errors | | {seconds:.2f} |")
    return "\n".join(lines)


def main(arguments=None):
    """Command line: simulate galaxies, write a table with a row for each region, and print means; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helper_functions.simulation.purity_recovery", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("purity_output"), help="folder to write to")
    parser.add_argument("--n", type=int, default=36, help="number of galaxies (default 36)")
    parser.add_argument("--seed", type=int, default=90000, help="first seed (default 90000)")
    parser.add_argument("--jobs", type=int, default=1, help="galaxies worked on at a time")
    parser.add_argument("--clean", action="store_true", help="no flaws of mosaics, except for the PSF")
    parser.add_argument("--psfs", metavar="FILE", help=".npz of PSFs of stars, see star_psfs.py (default: STAR_PSFS)")
    given = parser.parse_args(arguments)
    try:
        if given.n < 1 or given.jobs < 1 or given.seed < 0:
            raise ValueError(f"want --n and --jobs of at least 1 and --seed of at least 0, found {vars(given)}")
        stars = load_star_psfs(given.psfs)
        if stars is None:
            raise ValueError("this test needs PSFs of stars: name a file with --psfs")
        check_writable(given.output)
        work = partial(recover_galaxy, first_seed=given.seed, stars=stars, clean=given.clean)
        found = dict(run_galaxies(work, numbers_of_several(given.n), jobs=given.jobs))
        if problems := [each for each in found.values() if isinstance(each, Exception)]:
            raise problems[0]
    except (OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    rows = [row for number in sorted(found) for row in found[number]]
    if not rows:
        print("no region was found that is pure and complete", file=sys.stderr)
        return 1
    columns = [name for name in rows[0] if name != "pulls"]
    save_table(given.output / "purity.ecsv", Table({name: [row[name] for row in rows] for name in columns}))
    print(f"{len(rows)} regions of {given.n} galaxies\n\n{purity_table(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
