"""Imported first by the entry script, to prevent failures of later imports."""

import os
import sys

# Figures are only drawn to files. A backend named in a notebook's environment may not be installed, and then matplotlib
# cannot be imported.
os.environ["MPLBACKEND"] = "Agg"

try:
    os.getcwd()  # without which numpy cannot be imported
except FileNotFoundError:
    print("error: the working directory was deleted: change to one that exists, and call again", file=sys.stderr)
    sys.exit(2)
