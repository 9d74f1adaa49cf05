"""SFHS: star formation histories that can be fitted, and the priors of their parameters."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy  # whose `stats`, which takes long to load, comes with its first use

# Leja et al. (2019, ApJ 876, 3): seven bins, of which the first two are 30 and 70 Myr long, the oldest is the first 15%
# of the age of the Universe, and the others are equally long in log(lookback time). Logarithms of the ratio of the
# rates in neighbouring bins follow a Student t distribution of width 0.3 with 2 degrees of freedom.
RECENT_BINS = (0.0, 0.03, 0.1)  # Gyr
OLDEST_BIN = 0.85  # of the age of the Universe
N_BINS = 7
RATIO_PRIOR = {"df": 2, "scale": 0.3}


class SFH(NamedTuple):
    """A form of star formation history."""

    component: str  # what bagpipes calls it
    distributions: Callable  # (priors, age of the Universe in Gyr) -> {parameter of the component: prior}
    fixed: Callable  # (age of the Universe in Gyr) -> {parameter of the component: value}
    meaning: str


def delayed_distributions(priors, oldest):
    """Priors of the delayed model: nothing formed before the Big Bang."""
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
        "rate rises and falls as t exp(-t / tau), t since the first stars formed",
    ),
    "nonparametric": SFH(
        "continuity",
        lambda priors, oldest: {f"dsfr{n}": scipy.stats.t(**RATIO_PRIOR) for n in range(1, N_BINS)},
        lambda oldest: {"bin_edges": list(1e3 * bin_edges(oldest))},  # bagpipes wants Myr
        f"constant rate in {N_BINS} bins of lookback time, which are likely to be alike (Leja et al. 2019)",
    ),
}
