"""Maps of the properties fitted to the regions of a run."""

import numpy as np
from matplotlib.colors import LogNorm, Normalize
from matplotlib.patches import Patch

from plots.labels import in_mathtext, label_of
from plots.style import (
    NO_TICKS,
    Picture,
    arcsec_axes,
    cluster_colours,
    colour_bar,
    compass,
    figure_with_grid,
    label_image,
    scale_bar,
    square_around,
    zoom,
)

HIDDEN = ("mass_formed", "log_u")  # only in the FITS file
LOGARITHMIC = ("ssfr",)  # in addition to sums
RANGE = 1e3  # largest range of logarithmic colours
SKY = "0.15"
COLUMNS, SIDE = 4, 2.34  # of panels, inches
MOST = 15  # maps on a page


def fit_maps(result):
    """Draw the regions of a run, and a map of each quantity.

    Parameters
    ----------
    result : FittedRun
        Of which `maps`, `labels`, `regions`, `wcs` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if there is no map.
    """
    shown = [name for name in result.maps if name not in HIDDEN and np.isfinite(result.maps[name].image).any()][:MOST]
    if not shown:
        return None
    n_columns = min(COLUMNS, len(shown) + 1)
    n_rows = -(-(len(shown) + 1) // n_columns)
    room = {"left": 0.6, "right": 1.02, "bottom": 0.45, "top": 0.68, "across": 0.96, "down": 0.7}
    figure, grid = figure_with_grid([SIDE] * n_columns, [SIDE] * n_rows, result.title, **room)
    axes = [figure.add_subplot(grid[number], facecolor=SKY, **NO_TICKS) for number in range(len(shown) + 1)]
    axes[0].imshow(label_image(result.labels, result.regions), origin="lower", interpolation="none")
    axes[0].set_title("regions", size=9)
    colours = cluster_colours(result.regions)
    handles = [Patch(color=colour, label=str(number)) for number, colour in enumerate(colours, start=1)]
    axes[0].legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=7, handlelength=1
    )
    for ax, name in zip(axes[1:], shown, strict=True):
        draw_map(ax, name, result.maps[name])
    for ax in axes:
        zoom(ax, result.labels)
    arcsec_axes(axes[0], result.wcs, square_around(result.labels)[0])
    scale_bar(axes[0], result.wcs)
    compass(axes[0], result.wcs)
    return figure


def draw_map(ax, name, found):
    """Draw a `PropertyMap` with a colour bar."""
    highest = np.nanmax(found.image)
    norm = Normalize()
    if (found.is_sum or name in LOGARITHMIC) and highest > 0:
        lowest = np.min(found.image, initial=highest, where=found.image > highest / RANGE)
        norm = LogNorm(lowest if lowest < highest else highest / 2, highest)
    drawn = ax.imshow(found.image, origin="lower", interpolation="none", cmap="viridis", norm=norm)
    unit = label_of(name, found.unit.to_string("latex_inline") if found.unit.to_string() else "").unit
    unit += " per pixel" * found.is_sum
    ax.set_title(in_mathtext(label_of(name).name), size=9)
    bar = colour_bar(drawn, (1.03, 0, 0.05, 1), orientation="vertical")
    bar.set_label(unit.strip(), size=8)
    bar.ax.tick_params(labelsize=7, length=2, which="both")


FIT_PICTURES = {
    "fit_maps": Picture(fit_maps, "mass, SFR, age, A_V and metallicity, distributed by the light of the regions")
}
