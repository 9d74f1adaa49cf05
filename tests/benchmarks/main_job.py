"""How fast the main job's parts are. Run from the project's folder: python -m tests.benchmarks.main_job --help"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from distances import METRICS
from helper_functions.pixel_distances import PixelDistances
from tests.benchmarks.scaling import in_a_square

REPEATS = 5


def timed(work):
    """Median, lowest and highest seconds of REPEATS calls, after one that is not counted."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return f"{np.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"


def distance_matrices(n_pixels=3000, n_bands=20):
    """Time each metric's matrix."""
    flux = np.random.default_rng(0).uniform(0.2, 2, (n_pixels, n_bands))
    seds = in_a_square(flux, np.full(flux.shape, 0.1))
    for metric in METRICS:
        print(f"{metric}, {n_pixels} pixels x {n_bands} bands: {timed(lambda m=metric: matrix(seds, m))}")


def matrix(seds, metric):
    return PixelDistances(seds, metric).matrix()


def main_job(folder, ids):
    """Time the main job as a whole process, all methods and all pictures."""

    def run():
        with tempfile.TemporaryDirectory() as output:
            command = [sys.executable, "main_clustering.py", "--catalogs", folder, "--output", output, "--ids", *ids]
            subprocess.run(command, check=True, capture_output=True)

    print(f"main job, ids {' '.join(ids)}: {timed(run)}")


def large_mosaic(ny=12000, nx=10000):
    """Prepare galaxies of a mosaic of sparse files in 27 bands; print seconds a galaxy and the peak memory."""
    from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS
    from prepare_images import cut_out, open_survey
    from tests.benchmarks.sparse_survey import write_sparse_survey

    with tempfile.TemporaryDirectory() as folder:
        ids = write_sparse_survey(Path(folder), ny, nx)
        start = time.perf_counter()
        survey = open_survey(folder, ids)
        opened = time.perf_counter()
        for id_dr3 in ids:
            cut_out(survey, id_dr3, margin=25)
        seconds = time.perf_counter() - opened
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"mosaic of {ny} x {nx} x {len(SURVEY_BANDS)} bands: {opened - start:.2f} s to open, "
        f"{seconds / len(ids):.3f} s a galaxy ({len(ids)} of 100 x 100 pixels), peak memory {peak:.0f} MB"
    )


def main(arguments=None):
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["distances", "job", "mosaic"])
    parser.add_argument("--catalogs", help="survey folder, for job")
    parser.add_argument("--ids", nargs="+", help="galaxies, for job")
    given = parser.parse_args(arguments)
    if given.what == "distances":
        distance_matrices()
    elif given.what == "mosaic":
        large_mosaic()
    else:
        main_job(given.catalogs, given.ids)


if __name__ == "__main__":
    main()
