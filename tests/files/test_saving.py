import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from matplotlib.figure import Figure
from PIL import Image

from helper_functions.files.saving import (
    STEP,
    atomic_path,
    check_writable,
    quantize,
    remove_stale_partials,
    save_figure,
    save_fits,
    to_single_precision,
    to_smallest_int,
)


def test_a_png_has_the_pixels_that_matplotlib_draws(tmp_path):
    """Two routes to one picture: Pillow reads what was written, and matplotlib saves the figure by itself."""
    figure = Figure(figsize=(2.3, 1.7))
    figure.subplots().imshow(np.random.default_rng(0).normal(size=(9, 11)))
    save_figure(tmp_path / "ours.png", figure, 130)
    figure.savefig(tmp_path / "theirs.png", dpi=130)
    with Image.open(tmp_path / "ours.png") as ours, Image.open(tmp_path / "theirs.png") as theirs:
        assert ours.mode == "RGB"
        assert ours.info["dpi"] == pytest.approx((130, 130), abs=0.02)  # the file has whole pixels per metre
        np.testing.assert_array_equal(ours, theirs.convert("RGB"))


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic_path(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"

    def die_half_way():
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die_half_way()
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"output folder .*file/out cannot be written .*: set CLUSTERING_FOLDER"):
        check_writable(tmp_path / "file" / "out")
    check_writable(tmp_path / "fine")
    assert list((tmp_path / "fine").iterdir()) == []


def test_the_name_to_write_to_is_nobody_elses(tmp_path):
    """A link of the name that was used before, or two writers at once, cannot make a wrong file."""
    victim, path = tmp_path / "victim", tmp_path / "file.txt"
    victim.write_text("precious")
    (tmp_path / "file.txt.partial").symlink_to(victim)
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        assert stat.S_IMODE(first.stat().st_mode) == 0o600
        first.write_text("one")
        second.write_text("two")
    assert path.read_text() == "one"  # the one that ended last
    assert victim.read_text() == "precious"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    write = """
import os, signal, sys
from helper_functions.files.saving import atomic_path
with atomic_path(sys.argv[1]) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "deep" / "a-b.txt"
    subprocess.run([sys.executable, "-c", write, path], cwd=Path(__file__).parents[2])
    (left,) = path.parent.iterdir()
    with atomic_path(path) as mine:
        elsewhere = path.parent / mine.name.replace(socket.gethostname(), "another-machine")
        elsewhere.write_text("")
        remove_stale_partials(tmp_path)
        assert mine.exists()
        assert not left.exists()
        assert elsewhere.exists()  # it may be alive there
        os.utime(elsewhere, (1, 1))
        remove_stale_partials(tmp_path)
        assert not elsewhere.exists()


def test_probabilities_in_steps_are_as_good_as_they_were_and_missing_ones_stay_missing():
    values = np.random.default_rng(0).uniform(0, 1, 1000)
    values[:3] = 0, 1, np.nan
    stepped = quantize(values)
    assert np.nanmax(np.abs(stepped - values)) <= STEP / 2
    assert stepped[:2].tolist() == [0, 1]
    assert np.isnan(stepped).tolist() == np.isnan(values).tolist()


@pytest.mark.parametrize(("highest", "kind"), [(0, np.int8), (127, np.int8), (128, np.int16)])
def test_labels_come_back_from_the_smallest_integers_that_hold_them(highest, kind, tmp_path):
    labels = np.array([[-1, 0, highest]])
    assert to_smallest_int(labels).dtype == kind
    save_fits(tmp_path / "labels.fits", fits.HDUList([fits.PrimaryHDU(to_smallest_int(labels))]))
    read = fits.getdata(tmp_path / "labels.fits")
    assert np.issubdtype(read.dtype, np.signedinteger)
    assert (read == labels).all()


def test_fluxes_of_tables_are_as_precise_as_images_and_positions_more_so():
    values = np.random.default_rng(0).uniform(0, 100, 50)
    table = to_single_precision(Table({"flux": values, "ra": values, "n": np.arange(50)}), exclude=("ra",))
    assert np.max(np.abs(table["flux"] / values - 1)) < 2.0**-24  # half a unit in the last place of 24 bits
    assert (table["ra"] == values).all()
    assert table["n"].dtype == int
