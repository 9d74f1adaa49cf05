"""SFHS: parametrisations of the star formation history, and the priors of their parameters."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy  # scipy.stats is imported at its first use, as it takes long

# Continuity prior of Leja et al. (2019, ApJ 876, 3): seven bins, of which the two most recent are 30 and 70 Myr long,
# the oldest is the first 15% of the age of the Universe, and the others are equal in log(lookback time). The log ratio
# of the rates in adjacent bins has a Student t prior of width 0.3 with 2 degrees of freedom.
RECENT_BINS = (0.0, 0.03, 0.1)  # Gyr
OLDEST_BIN = 0.85  # of the age of the Universe
N_BINS = 7
RATIO_PRIOR = {"df": 2, "scale": 0.3}


class SFH(NamedTuple):
    """A parametrisation of the star formation history."""

    component: str  # its name in bagpipes
    distributions: Callable  # (priors, age of the Universe in Gyr) -> {parameter of the component: prior}
    fixed: Callable  # (age of the Universe in Gyr) -> {parameter of the component: value}
    meaning: str


def delayed_distributions(priors, oldest):
    """Priors of the delayed model, with ages up to that of the Universe."""
    youngest, highest = priors["age"]
    if youngest >= oldest:
        raise ValueError(
            f"prior of age: {youngest:g} Gyr or more, but the Universe is {oldest:.3g} Gyr old at this redshift"
        )
    ages, taus = (youngest, min(highest, oldest)), priors["tau"]
    return {name: scipy.stats.loguniform(*each) for name, each in (("age", ages), ("tau", taus))}


def bin_edges(oldest):
    """Edges of the bins of the non-parametric history, Gyr of lookback time, shape (N_BINS + 1,)."""
    middle = np.geomspace(RECENT_BINS[-1], OLDEST_BIN * oldest, N_BINS - len(RECENT_BINS) + 1)
    return np.array([*RECENT_BINS, *middle[1:], oldest])


SFHS = {
    "delayed": SFH(
        "delayed",
        delayed_distributions,
        lambda oldest: {},
        "delayed exponential: rate proportional to t exp(-t / tau), t since the first stars formed",
    ),
    "nonparametric": SFH(
        "continuity",
        lambda priors, oldest: {f"dsfr{n}": scipy.stats.t(**RATIO_PRIOR) for n in range(1, N_BINS)},
        lambda oldest: {"bin_edges": list(1e3 * bin_edges(oldest))},  # bagpipes wants Myr
        f"non-parametric: constant rate in {N_BINS} bins of lookback time with the continuity prior (Leja et al. 2019)",
    ),
}
