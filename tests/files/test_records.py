import os
import subprocess
import sys
from pathlib import Path

import pytest

from data_paths import output_path
from helper_functions.files import records
from helper_functions.files.records import (
    Busy,
    file_states,
    files_unchanged,
    galaxy_lock,
    load_record,
    locked,
    recorded_runs,
    save_record,
)

ROOT = Path(__file__).parents[2]


def test_records_survive_the_disk_and_damaged_ones_are_none(tmp_path):
    save_record(tmp_path, 7, "kmeans_L2", row={"value": float("nan")}, files={})
    save_record(tmp_path, 7, "galaxy", files={})
    assert recorded_runs(tmp_path, 7) == ["kmeans_L2"]
    assert load_record(tmp_path, 7, "kmeans_L2")["files"] == {}
    assert load_record(tmp_path, 8, "kmeans_L2") == {}
    for damage in ("", "{", "[1]"):
        output_path(tmp_path, "record", id=7, name="kmeans_L2").write_text(damage)
        assert load_record(tmp_path, 7, "kmeans_L2") == {}


def test_files_stand_as_long_as_their_content_does(tmp_path):
    path = tmp_path / "images" / "a.png"
    path.parent.mkdir()
    path.write_bytes(b"content")
    described = file_states(tmp_path, [path])
    assert list(described) == ["images/a.png"]
    assert files_unchanged(tmp_path, described)
    os.utime(path, (1, 1))  # copied elsewhere and back: another time, the same content
    assert files_unchanged(tmp_path, described)
    for damage in (b"", b"conten", b"c\0ntent"):  # emptied, truncated, and zeroed in part
        path.write_bytes(damage)
        assert not files_unchanged(tmp_path, described)
    path.unlink()
    assert not files_unchanged(tmp_path, described)


def test_a_lock_is_held_against_others_and_ends_with_its_process(tmp_path):
    hold = f"""
import time
from helper_functions.files.records import galaxy_lock
with galaxy_lock({str(tmp_path)!r}, 7):
    print("held", flush=True)
    time.sleep(60)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", hold],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(Busy), galaxy_lock(tmp_path, 7, wait=False):
        pass
    with galaxy_lock(tmp_path, 8, wait=False):  # another galaxy is free
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with galaxy_lock(tmp_path, 7):
        pass


def test_where_there_are_no_locks_work_goes_on(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(records.errno.ENOLCK, "no locks")

    monkeypatch.setattr(records.fcntl, "flock", refuse)
    with locked(tmp_path / "lock"):
        pass
