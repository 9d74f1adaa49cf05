"""Prior ranges of the parameters of stellar population fits, and the check of the ranges that a user asks for.

The settings need no more than this of the fits: it imports neither bagpipes nor filter curves.
"""

import numpy as np

from helper_functions.registry import choose

PRIORS = {  # lowest and highest value
    "age": (0.01, 15.0),  # Gyr since the first stars formed, at most the age of the Universe; uniform in the log
    "tau": (0.03, 10.0),  # Gyr, e-folding time of the delayed history; uniform in the log
    "mass": (4.0, 13.0),  # log10 of the stellar mass formed, solar masses; uniform
    "metallicity": (0.05, 2.5),  # of stars and gas, in units of solar; uniform in the log
    "a_v": (0.0, 4.0),  # mag; uniform
    "log_u": (-4.0, -1.0),  # log10 of the ionisation parameter of the nebulae; uniform
}
LIMITS = {  # lowest and highest valid value
    "age": (1e-3, np.inf),
    "tau": (1e-3, np.inf),
    "mass": (-np.inf, np.inf),
    "metallicity": (0.005, 5.0),  # the range of the stellar models
    "a_v": (0.0, np.inf),
    "log_u": (-4.0, -0.01),  # the range of the nebular models
}


def check_priors(priors):
    """Complete the prior ranges with the defaults, and check them.

    Parameters
    ----------
    priors : dict
        Lowest and highest value by parameter, a key of PRIORS.

    Returns
    -------
    dict
        The ranges of all parameters.

    Raises
    ------
    ValueError
        For an unknown parameter, or a range that is empty or outside of LIMITS.
    """
    for name, (low, high) in priors.items():
        lowest, highest = choose(LIMITS, name, "prior")
        if not (np.isfinite([low, high]).all() and lowest <= low < high <= highest):
            raise ValueError(
                f"prior of {name}: want a lowest and a higher value between {lowest:g} and {highest:g}, "
                f"found {low:g} and {high:g}"
            )
    return PRIORS | priors
