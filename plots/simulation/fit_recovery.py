"""Fitted against true quantities of simulated regions."""

import numpy as np

from plots.style import PALETTE, figure_with_grid

PANELS = {  # quantity -> label, whether the axes are logarithmic, limits
    "a_v": ("$A_V$ [mag]", False, (-0.2, 4.2)),
    "age": ("mass-weighted age [Gyr]", True, (3e-3, 10)),
    "ssfr": ("sSFR [1 / yr]", True, (1e-13, 3e-8)),
}


def truth_and_fits(fits):
    """Draw medians and 16 to 84% intervals of fits against the truth, a panel for each quantity.

    Points outside of a panel are drawn at its edge.

    Parameters
    ----------
    fits : Table
        A row for each region: for each quantity its truth and percentiles, such as a_v_true, a_v_16, a_v_50, a_v_84.

    Returns
    -------
    matplotlib.figure.Figure
    """
    room = {"left": 0.6, "right": 0.1, "bottom": 0.53, "top": 0.3, "across": 0.84}
    _, grid = figure_with_grid([2.54] * len(PANELS), [2.47], **room)
    for ax, (name, (label, logarithmic, limits)) in zip(grid.subplots(), PANELS.items(), strict=True):
        truth, low, middle, high = (np.array(fits[f"{name}_{which}"]) for which in ("true", 16, 50, 84))
        inside = np.mean((low <= truth) & (truth <= high))
        truth, low, middle, high = (np.clip(each, *limits) for each in (truth, low, middle, high))
        bars = np.abs([middle - low, high - middle])
        ax.plot(limits, limits, color="0.6", lw=1, zorder=0)
        ax.errorbar(truth, middle, bars, fmt="o", ms=3.5, lw=0.9, color=PALETTE[0], ecolor="0.45")
        if logarithmic:
            ax.set(xscale="log", yscale="log")
        ax.set(xlim=limits, ylim=limits, xlabel=f"true {label}", ylabel=f"fitted {label}")
        ax.set_title(f"{len(fits)} regions, {inside:.0%} within 16 to 84%", size=9)
    return grid.figure
