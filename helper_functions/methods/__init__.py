"""The clustering methods: one file each, which lists its methods by name in METHODS."""

from helper_functions.registry import gather

METHODS = gather(__name__, "METHODS")
# Its run represents a galaxy if only one is shown, and its number of clusters is that of the other methods, too.
RECOMMENDED = "blended_mixture"
