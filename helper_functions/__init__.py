"""Prepares the process before other modules are imported: so that these imports do not fail, and its memory."""

import codecs
import ctypes
import locale
import os
import sys
from pathlib import Path

# Figures are only drawn to files. A program that a notebook starts inherits the name of the notebook's backend, which
# may not be installed, and then matplotlib cannot be imported. The notebook itself keeps its backend.
if "ipykernel" not in sys.modules:
    os.environ["MPLBACKEND"] = "Agg"

try:
    os.getcwd()  # without which numpy cannot be imported
except FileNotFoundError:
    print("error: the working directory was deleted: change to one that exists, and call again", file=sys.stderr)
    sys.exit(2)

# The GNU allocator gives the memory of a freed array back to the system, which then clears it for the next array: a
# quarter of the time of the fits of a large galaxy. It shall keep up to 256 MB, and do so for arrays of up to 32 MB.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
    mallopt(TRIM_THRESHOLD, 2**28)
    mallopt(MMAP_THRESHOLD, 2**25)


def lacks_utf8(encoding, utf8_mode, program, environment):
    """Whether a program of this project must be started again in UTF-8 mode, as some packages read files in ASCII.

    Parameters
    ----------
    encoding : str
        Of the locale.
    utf8_mode : int
        Of `sys.flags`.
    program : str
        First of `sys.argv`: only the entry script and modules that Python runs with -m are started again.
    environment : dict
        With PYTHONUTF8=1 it was started again already.
    """
    is_ascii = codecs.lookup(encoding).name == "ascii" and not utf8_mode
    return is_ascii and Path(program).name in ("main_clustering.py", "-m") and environment.get("PYTHONUTF8") != "1"


if lacks_utf8(locale.getencoding(), sys.flags.utf8_mode, sys.argv[0] if sys.argv else "", os.environ):
    os.environ["PYTHONUTF8"] = "1"  # also for the worker processes
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
