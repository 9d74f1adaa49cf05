"""How time and memory of each method grow with pixels and bands: python -m tests.benchmarks.scaling --help

Each method runs in a process of its own, on simulated pixels, after the imports; what it adds to the memory of these is
counted. Peers are scikit-learn's methods with the same settings.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np

N_CLUSTERS = 4


def make_pixels(n_pixels, n_bands, seed=0):
    """SEDs that are mixtures of four shapes, at SNR 4 to 60, of length 1, with their errors."""
    rng = np.random.default_rng(seed)
    shapes = np.abs(rng.normal(1, 0.4, (4, n_bands)))
    flux = rng.dirichlet([0.3] * 4, n_pixels) @ shapes
    error = np.repeat(flux.mean(axis=1, keepdims=True) / 10 ** rng.uniform(0.6, 1.8, (n_pixels, 1)), n_bands, axis=1)
    flux += rng.normal(0, error)
    length = np.linalg.norm(flux, axis=1, keepdims=True)
    return flux / length, error / length


def run_ours(method, metric, seds, memory_limit):
    from helper_functions.methods import METHODS
    from helper_functions.pixel_distances import PixelDistances

    distances = PixelDistances(seds, metric or METHODS[method].metric, memory_limit=memory_limit)
    return METHODS[method].label(distances, N_CLUSTERS, 0).labels


def in_a_square(flux, error):
    """`PixelSEDs` of these arrays, in bands of the survey, which come again where there are more, at redshift 1.5."""
    from helper_functions.pixel_seds import PixelSEDs
    from helper_functions.simulation.simulated_galaxy import SURVEY_BANDS

    n_pixels, n_bands = flux.shape
    bands, wavelengths = tuple(islice(cycle(SURVEY_BANDS), n_bands)), np.geomspace(5e3, 5e4, n_bands)
    rows, cols = np.divmod(np.arange(n_pixels), int(np.ceil(np.sqrt(n_pixels))))
    return PixelSEDs(flux, error, bands, wavelengths, rows, cols, redshift=1.5)


def run_auto(method, seds):
    """As a user does: norm, metric and number of clusters are left to the method."""
    from helper_functions.clustering import cluster_pixels

    return cluster_pixels(seds, method=method).labels


def run_peer(method, flux):
    from sklearn import cluster

    peers = {
        "sklearn_ward": cluster.AgglomerativeClustering(N_CLUSTERS),
        "sklearn_spectral": cluster.SpectralClustering(
            N_CLUSTERS, affinity="nearest_neighbors", n_neighbors=20, random_state=0
        ),
        "sklearn_kmeans": cluster.KMeans(N_CLUSTERS, n_init=10, random_state=0),
    }
    return peers[method].fit_predict(flux)


def measure(method, metric, n_pixels, n_bands, memory_limit, auto=False, keep=None):
    """Run one method; return its seconds and megabytes."""

    import helper_functions.clustering  # noqa: F401

    flux, error = make_pixels(n_pixels, n_bands)
    seds = in_a_square(flux, error)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    if method.startswith("sklearn"):
        labels = run_peer(method, flux)
    elif auto:
        labels = run_auto(method, seds)
    else:
        labels = run_ours(method, metric, seds, memory_limit)
    seconds = time.perf_counter() - start
    if keep:
        np.save(keep, labels)
    megabytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"method": method, "metric": metric or "", "n_pixels": n_pixels, "n_bands": n_bands} | {
        "seconds": round(seconds, 3),
        "megabytes": round(megabytes),
    }


def in_own_process(*arguments, timeout):
    command = [sys.executable, "-m", "tests.benchmarks.scaling", "one", *map(str, arguments)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout)


def run_many(methods, pixels, bands, metrics, repeats, timeout, auto=False):
    """Measure every combination `repeats` times; print and return medians of time and maxima of memory."""
    results = []
    for metric, method, n_pixels, n_bands in product(metrics, methods, pixels, bands):
        flags = ["--bands", n_bands] + (["--metric", metric] if metric else []) + ["--auto"] * auto
        runs = [in_own_process(method, n_pixels, *flags, timeout=timeout) for _ in range(repeats)]
        name = f"{method} {metric or ''} {n_pixels} x {n_bands}"
        if None in runs:
            print(f"{name}: over {timeout:g} s", flush=True)
            continue
        seconds, megabytes = sorted(run["seconds"] for run in runs), max(run["megabytes"] for run in runs)
        middle = seconds[len(runs) // 2]
        print(f"{name}: {middle:.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f}), {megabytes} MB", flush=True)
        results.append(runs[0] | {"seconds": middle, "megabytes": megabytes})
    return results


def draw(path, repeats, timeout):
    """Measure all methods against pixels and bands, and draw it."""
    from helper_functions.files.saving import save_figure
    from helper_functions.methods import METHODS
    from plots.simulation.scaling import scaling

    by_pixels = run_many(METHODS, [1000, 3000, 10_000, 40_000, 100_000], [27], [None], repeats, timeout)
    by_bands = run_many(METHODS, [10_000], [4, 9, 27, 81], [None], repeats, timeout)
    save_figure(path, scaling(by_pixels, by_bands), dpi=90)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("one", help="one method, in this process")
    one.add_argument("method")
    one.add_argument("n_pixels", type=int)
    one.add_argument("--bands", type=int, default=27)
    one.add_argument("--metric")
    one.add_argument("--memory-limit", type=float, default=2e9)
    one.add_argument("--auto", action="store_true", help="choose the number of clusters, too")
    one.add_argument("--keep", type=Path, help="file for the labels")
    many = commands.add_parser("many", help="several methods and sizes, each in its own process")
    many.add_argument("--methods", nargs="+", required=True)
    many.add_argument("--pixels", nargs="+", type=int, default=[3000, 10_000, 40_000, 100_000])
    many.add_argument("--bands", nargs="+", type=int, default=[27])
    many.add_argument("--metric", nargs="+", default=[None])
    many.add_argument("--auto", action="store_true", help="choose the number of clusters, too")
    picture = commands.add_parser("picture", help="all methods against pixels and bands, drawn")
    picture.add_argument("path", type=Path)
    for command in (many, picture):
        command.add_argument("--repeats", type=int, default=3)
        command.add_argument("--timeout", type=float, default=300)
    given = parser.parse_args(arguments)
    if given.command == "one":
        options = given.method, given.metric, given.n_pixels, given.bands, given.memory_limit
        figures = measure(*options, given.auto, given.keep)
        print(json.dumps(figures))
    elif given.command == "picture":
        draw(given.path, given.repeats, given.timeout)
    else:
        run_many(given.methods, given.pixels, given.bands, given.metric, given.repeats, given.timeout, given.auto)


if __name__ == "__main__":
    main()
