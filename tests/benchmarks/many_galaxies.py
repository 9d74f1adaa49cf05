"""How many galaxies an hour can be done, and what that takes. Run: python -m tests.benchmarks.many_galaxies --help

`rate` simulates galaxies of 300 to 3,000 pixels and does them with `blended_mixture`, with one job and with two, fresh
each time: galaxies a minute, memory of a worker, room on disk, and what --dry-run says of it. `resume` puts copies of
one finished galaxy into a folder, and asks for one galaxy more: how long until that is begun, and all are done.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.table import Table

import data_paths
from helper_functions.job.dry_run import costs
from helper_functions.job.records import GALAXY
from helper_functions.job.runs import Run
from helper_functions.simulation.simulated_field import DEMO_IDS, demo_field, write_field
from helper_functions.simulation.simulated_galaxy import RECIPES, simulate_galaxy
from main_clustering import settings_block

ROOT = Path(__file__).parents[2]
DIFFERENT = 12  # galaxies that are simulated; more are these once more, with other noise
RADII = (6.0, 26.0)  # pixels: of 300 and 3,000 pixels that are selected
CALL = "--methods blended_mixture".split()
COPIES = 600000  # the copies of a finished galaxy have this id and the next ones


def call(catalogs, output, *flags):
    """Run the main job in a process of its own; return its seconds."""
    line = [sys.executable, "main_clustering.py", "--catalogs", catalogs, "--output", output, *CALL, *flags]
    start = time.monotonic()
    process = subprocess.Popen(
        list(map(str, line)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    _, told = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(told)
    return time.monotonic() - start


def field_of(folder, n_galaxies):
    """Write a field of so many galaxies of different size, unless it is there; return their ids."""
    ids = list(range(1, n_galaxies + 1))
    if not folder.exists():
        recipes, radii = list(RECIPES), np.geomspace(*RADII, min(DIFFERENT, n_galaxies))
        different = [
            simulate_galaxy(recipes[number % len(recipes)], seed=number, redshift=1.5, peak_snr=60.0, radius=radius)
            for number, radius in enumerate(radii)
        ]
        write_field(folder, [different[number % len(different)] for number in range(n_galaxies)], ids)
    return ids


def size_of(folder, names="*"):
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob(names) if path.is_file())


def rate(folder, n_galaxies):
    """Galaxies a minute with one job and with two, in turn; and what else they cost."""
    ids = field_of(folder / f"field_{n_galaxies}", n_galaxies)
    minutes = {}
    for jobs in (1, 2):
        output = Path(tempfile.mkdtemp(dir=folder))
        seconds = call(folder / f"field_{n_galaxies}", output, "--ids", *ids, "--jobs", jobs)
        minutes[jobs] = seconds / 60
        print(f"{jobs} jobs: {n_galaxies / minutes[jobs]:.1f} galaxies a minute ({seconds:.0f} s)", flush=True)
    rows = Table.read(data_paths.summary_path(output))
    pixels = np.array(rows["n_pixels"], dtype=float)
    print(f"2 jobs do {minutes[1] / minutes[2]:.2f} times as many; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{pixels.min():.0f} to {pixels.max():.0f} pixels, in all {pixels.sum():.0f}")
    print(f"room on disk: {size_of(output) / n_galaxies / 1e6:.2f} MB a galaxy")
    # The largest of all processes that have ended: the call with one job, or a worker of the one with two.
    print(f"memory: at most {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB in a process")
    settings = settings_block()._replace(n_clusters="auto")
    seconds, megabytes = (cost.sum() for cost in costs(pixels, [Run(*CALL[1:], "none", "euclidean")], settings))
    print(
        f"costs of --dry-run for these pixels: {seconds:.0f} s with one job, {megabytes / n_galaxies:.2f} MB a galaxy"
    )


def resume(folder, n_finished):
    """Seconds until the first new galaxy is begun in a folder with so many finished ones."""
    catalogs, output = demo_field(data_paths.cache_folder()), Path(tempfile.mkdtemp(dir=folder))
    done, new = DEMO_IDS[0], DEMO_IDS[1]
    call(catalogs, output, "--ids", done)
    copies = [copy_of(output, done, COPIES + number) for number in range(n_finished)]
    (folder / "ids.txt").write_text("\n".join(map(str, [*copies, done, new])))
    start = time.monotonic()
    began = time.time()
    seconds = call(catalogs, output, "--ids", folder / "ids.txt")
    lock = data_paths.record_path(output, new, GALAXY).with_name(".lock")
    lines = (output / "log.txt").read_text().splitlines()
    print(f"{n_finished} finished galaxies, load of the machine {os.getloadavg()[0]:.1f}:")
    print(f"the first new galaxy is begun after {lock.stat().st_mtime - began:.1f} s")
    print(f"all are done after {seconds:.1f} s ({time.monotonic() - start:.1f})")
    print("\n".join(lines[-4:]))


def copy_of(output, id_dr3, other):
    """Link the files of a finished galaxy under another id, with records that say so; return that id."""
    before, after = str(id_dr3), str(other)
    source = data_paths.record_path(output, id_dr3, GALAXY).parent
    target = data_paths.record_path(output, other, GALAXY).parent
    target.mkdir()
    for record in source.glob("*.json"):
        text = record.read_text().replace(before, after)
        (target / record.name).write_text(text)
        for name in json.loads(text)["files"]:
            os.link(output / name.replace(after, before), output / name)
    return other


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["rate", "resume"])
    parser.add_argument("-n", type=int, help="number of galaxies (default 20, or 10000 finished ones)")
    parser.add_argument("--folder", type=Path, help="where to work, and keep the field; default: a temporary one")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = given.folder or Path(temporary)
        place.mkdir(exist_ok=True)
        if given.what == "rate":
            rate(place, given.n or 20)
        else:
            resume(place, given.n or 10000)
