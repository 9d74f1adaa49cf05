"""Imported before anything else by the entry script: what would make imports of other packages fail."""

import os
import sys

# Figures are drawn into files only. A notebook's environment names a backend whose package this Python may lack; then
# matplotlib cannot be imported.
os.environ["MPLBACKEND"] = "Agg"

try:
    os.getcwd()  # without which numpy cannot be imported
except FileNotFoundError:
    print("error: the working directory was deleted: change to one that exists, and call again", file=sys.stderr)
    sys.exit(2)
