"""The clustering methods: one file each, which lists its methods by name in METHODS."""

from helper_functions.registry import gather

METHODS = gather(__name__, "METHODS")
