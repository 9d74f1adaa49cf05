"""The clustering methods: one file each, in which METHODS lists what it offers by name."""

from helper_functions.registry import gather

METHODS = gather(__name__, "METHODS")
