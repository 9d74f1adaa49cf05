"""How many galaxies an hour can be done, and what that takes. Run: python -m tests.benchmarks.many_galaxies --help

`rate` simulates galaxies of 300 to 3,000 pixels and does them with `blended_mixture`, with one job and with two, fresh
each time: galaxies a minute, memory of a worker, room on disk. `resume` puts copies of
one finished galaxy into a folder, and asks for one galaxy more: how long until that is begun, and all are done. `first`
asks for a galaxy of a survey of full size, of which only galaxies take room on disk: how long until it is begun.
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
from typing import NamedTuple

import numpy as np
from astropy.table import Table

import data_paths
from data_paths import output_path
from helper_functions.files.records import GALAXY
from helper_functions.simulation.simulated_field import DEMO_IDS, demo_field, write_field
from helper_functions.simulation.simulated_galaxy import RECIPES, simulate_galaxy
from tests.benchmarks.sparse_survey import write_sparse_survey
from tests.fault_campaign import processes_of

ROOT = Path(__file__).parents[2]
DIFFERENT = 12  # galaxies that are simulated; more are these once more, with other noise
RADII = (6.0, 26.0)  # pixels: of 300 and 3,000 pixels that are selected
CALL = "--methods blended_mixture".split()
SURVEY_SIDE, SURVEY_ROWS = 20000, 70000  # pixels of the mosaics, and galaxies of the catalogs, of `first`
SAMPLED = 0.1  # seconds between two looks at the memory of processes
COPIES = 600000  # the copies of a finished galaxy have this id and the next ones


class Cost(NamedTuple):
    """What a call took."""

    seconds: float
    megabytes: dict  # of memory: "call", and "worker", the largest of its workers; the call is one where it has none


def call(catalogs, output, *flags):
    """Run the main job in a process of its own; return its `Cost`."""
    line = [sys.executable, "main_clustering.py", "--catalogs", catalogs, "--output", output, *CALL, *flags]
    start, highest = time.monotonic(), {}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
        process = subprocess.Popen(
            list(map(str, line)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=told, start_new_session=True
        )
        while process.poll() is None:
            highest |= {pid: peak_memory(pid) or highest.get(pid, 0) for pid in processes_of(process.pid)}
            time.sleep(SAMPLED)
        seconds = time.monotonic() - start
        if process.returncode != 0:
            told.seek(0)
            raise RuntimeError(told.read())
    own = highest.pop(process.pid, np.nan)
    return Cost(seconds, {"call": own, "worker": max(highest.values(), default=own)})


def peak_memory(pid):
    """Most memory that a process has had so far, MB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)


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


def rate(folder, n_galaxies, pictures):
    """Galaxies a minute with one job and with two, in turn; and what else they cost."""
    ids = field_of(folder / f"field_{n_galaxies}", n_galaxies)
    rows = []
    for jobs in (1, 2):
        output = Path(tempfile.mkdtemp(dir=folder))
        flags = ["--ids", *ids, "--jobs", jobs, "--pictures", pictures]
        cost = call(folder / f"field_{n_galaxies}", output, *flags)
        rows.append(
            {
                "jobs": jobs,
                "galaxies/min": 60 * n_galaxies / cost.seconds,
                "seconds": cost.seconds,
                "MB/worker": cost.megabytes["worker"],
                "MB/call": cost.megabytes["call"],
                "MB disk/galaxy": size_of(output) / n_galaxies / 1e6,
            }
        )
    table = Table(rows)
    for name in table.colnames[1:]:
        table[name].format = ".2f" if "disk" in name else ".1f"
    print("\n".join(table.pformat(max_width=-1)), flush=True)
    pixels = np.array(Table.read(output_path(output, "summary"))["n_pixels"], dtype=float)
    ratio = rows[1]["galaxies/min"] / rows[0]["galaxies/min"]
    print(f"2 jobs do {ratio:.2f} times as many; load of the machine {os.getloadavg()[0]:.1f}")
    print(f"{n_galaxies} galaxies of {pixels.min():.0f} to {pixels.max():.0f} pixels, in all {pixels.sum():.0f}")


def first(folder):
    """Seconds until the first galaxy of a survey of full size is begun, and done; catalogs and segmap are full."""
    survey, output = folder / "sparse", Path(tempfile.mkdtemp(dir=folder))
    if not survey.exists():
        survey.mkdir()
        write_sparse_survey(survey, SURVEY_SIDE, SURVEY_SIDE, n_galaxies=3, n_sources=SURVEY_ROWS - 3)
    began = time.time()
    cost = call(survey, output, "--ids", 1, "--n-clusters", 2, "--pictures", "none")
    lock = output_path(output, "record", id=1, name=GALAXY).with_name(".lock")
    print(f"{SURVEY_SIDE} x {SURVEY_SIDE} pixels, {SURVEY_ROWS} sources; load of the machine {os.getloadavg()[0]:.1f}:")
    print(f"the first galaxy is begun after {lock.stat().st_mtime - began:.1f} s, and done after {cost.seconds:.1f} s")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"processor time of the call: {used.ru_utime + used.ru_stime:.1f} s; memory: {cost.megabytes['call']:.0f} MB")


def resume(folder, n_finished):
    """Seconds until the first new galaxy is begun in a folder with so many finished ones."""
    catalogs, output = demo_field(data_paths.cache_folder()), Path(tempfile.mkdtemp(dir=folder))
    done, new = DEMO_IDS[0], DEMO_IDS[1]
    call(catalogs, output, "--ids", done)
    copies = [copy_of(output, done, COPIES + number) for number in range(n_finished)]
    (folder / "ids.txt").write_text("\n".join(map(str, [*copies, done, new])))
    start = time.monotonic()
    began = time.time()
    seconds = call(catalogs, output, "--ids", folder / "ids.txt").seconds
    lock = output_path(output, "record", id=new, name=GALAXY).with_name(".lock")
    lines = (output / "log.txt").read_text().splitlines()
    print(f"{n_finished} finished galaxies, load of the machine {os.getloadavg()[0]:.1f}:")
    print(f"the first new galaxy is begun after {lock.stat().st_mtime - began:.1f} s")
    print(f"all are done after {seconds:.1f} s ({time.monotonic() - start:.1f})")
    print("\n".join(lines[-4:]))


def copy_of(output, id_dr3, other):
    """Link the files of a finished galaxy under another id, with records that say so; return that id."""
    before, after = str(id_dr3), str(other)
    source = output_path(output, "record", id=id_dr3, name=GALAXY).parent
    target = output_path(output, "record", id=other, name=GALAXY).parent
    target.mkdir()
    for record in source.glob("*.json"):
        text = record.read_text().replace(before, after)
        (target / record.name).write_text(text)
        for name in json.loads(text)["files"]:
            os.link(output / name.replace(after, before), output / name)
    return other


def main(arguments=None):
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["rate", "resume", "first"])
    parser.add_argument("--galaxies", type=int, help="number of galaxies (default 200, or 10000 finished ones)")
    parser.add_argument("--pictures", default="all", help="of `rate`: none, few or all")
    parser.add_argument("--folder", type=Path, help="where to work, and keep the field; default: a temporary one")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        place = given.folder or Path(temporary)
        place.mkdir(exist_ok=True)
        if given.what == "rate":
            rate(place, given.galaxies or 200, given.pictures)
        elif given.what == "resume":
            resume(place, given.galaxies or 10000)
        else:
            first(place)


if __name__ == "__main__":
    main()
