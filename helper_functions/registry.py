"""Registries: dictionaries of options by name, such as METHODS or NORMS."""

import importlib
import pkgutil


def choose(options, name, kind):
    """Return options[name], or raise ValueError listing the valid names."""
    if name not in options:
        raise ValueError(f"unknown {kind} {name!r}: choose from {', '.join(options)}")
    return options[name]


def gather(package, registry):
    """Merge the dictionaries named `registry` of all modules in a package, so that a new file adds its options.

    Parameters
    ----------
    package : str
        Name of the package, such as "helper_functions.methods".
    registry : str
        Name of the dictionary; modules without it are skipped.

    Returns
    -------
    dict
        In the order of the file names.

    Raises
    ------
    ValueError
        Where two modules use the same name for an option.
    """
    gathered = {}
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        options = getattr(importlib.import_module(f"{package}.{module.name}"), registry, {})
        for name in options.keys() & gathered.keys():
            raise ValueError(f"{package}.{module.name} lists {name!r} in {registry}, which another file lists already")
        gathered |= options
    return gathered
