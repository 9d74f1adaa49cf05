"""Clusterings of one galaxy with other options, side by side: a row and a column for each choice."""

from textwrap import fill

import numpy as np

from plots.comparison import UNSELECTED, draw_composites
from plots.style import colour_image, compass, figure_with_grid, in_rest_frame, label_image, name_colours

LARGE, SMALL = 2.1, 1.45  # inches, sides of the maps of one row, and of several
SEDS = 1.35  # inches, height of the SEDs below a map
KEY = (
    "ARI: adjusted Rand index with the framed map; χ²: per degree of freedom, of the pixels about the composites of "
    "their clusters; a colour is the same region on all maps"
)


def variants_page(result):
    """Draw the maps of all variants; where they are one row, with the galaxy beside, and composite SEDs below.

    Parameters
    ----------
    result : VariantsResult

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = (list(dict.fromkeys(names)) for names in zip(*result.panels, strict=True))
    is_row = len(rows) == 1
    side = LARGE if is_row else SMALL
    widths = [side] * (len(columns) + is_row)
    heights = [side, SEDS] if is_row else [side] * len(rows)
    room = {"left": 0.6, "across": 0.42, "down": 0.55} if is_row else {"left": 0.95, "across": 0.14, "down": 0.3}
    inches = room["left"] + sum(widths)
    title, key = fill(result.title, int(11 * inches)), fill(KEY, int(21 * inches))
    room |= {"right": 0.15, "bottom": 0.7 + 0.12 * key.count("\n"), "top": 0.75 + 0.18 * title.count("\n")}
    figure, grid = figure_with_grid(widths, heights, title, **room)
    figure.text(0.5, 0.1 / figure.get_figheight(), key, size=7, ha="center", va="bottom", color="0.3")
    if is_row:
        draw_galaxy(figure.add_subplot(grid[0, 0]), result)
    microns, wavelength_label = in_rest_frame(result.wavelengths, result.cutout.redshift)
    for (row, column), panel in result.panels.items():
        at = rows.index(row), columns.index(column) + is_row
        ax = figure.add_subplot(grid[at], facecolor=UNSELECTED)
        draw_variant(ax, panel, result, is_reference=(row, column) == result.reference)
        ax.set_title(f"{column}\n{panel.title}" if at[0] == 0 else panel.title, size=7, pad=3, y=1)
        show_axes(ax, left=at[1] == 0, bottom=is_row or at[0] == len(rows) - 1)
        if row and at[1] == 0:
            ax.annotate(row, (-0.52, 0.5), xycoords="axes fraction", size=8, rotation=90, ha="center", va="center")
        if is_row and panel.labels is not None:
            ax = figure.add_subplot(grid[1, at[1]])
            draw_composites(ax, microns, result.edges, panel)
            ax.set_xlabel(wavelength_label, size=7)
            if at[1] == 1:
                ax.set_ylabel("flux / mean", size=7)
    return figure


def draw_galaxy(ax, result):
    """Draw the three-colour image around the selected pixels."""
    image = colour_image(result.cutout, result.mask)
    ax.imshow(image, origin="lower", interpolation="nearest", extent=extent_of(result))
    zoom(ax, result)
    name_colours(ax, result.cutout.bands)
    compass(ax, result.cutout.wcs)
    ax.set_title("three-colour image", size=7, pad=3, y=1)
    show_axes(ax, left=True, bottom=True)


def draw_variant(ax, panel, result, is_reference):
    """Draw the map of one variant, or say why there is none; that of the reference is framed."""
    zoom(ax, result)
    if panel.labels is None:
        style = {"transform": ax.transAxes, "size": 6.5, "ha": "center", "va": "center", "color": "0.3"}
        ax.text(0.5, 0.5, fill(panel.problem, 26), **style)
    else:
        image = label_image(panel.labels, panel.regions)
        ax.imshow(image, origin="lower", interpolation="none", extent=extent_of(result))
    if is_reference:
        ax.spines[:].set(linewidth=2, zorder=5)


def show_axes(ax, *, left, bottom):
    """Label the axes of a map in arcsec where it is at the left or at the bottom."""
    ax.tick_params(labelsize=7, labelleft=left, labelbottom=bottom)
    ax.locator_params(nbins=4)
    if left:
        ax.set_ylabel("y [arcsec]", size=7, labelpad=1)
    if bottom:
        ax.set_xlabel("x [arcsec]", size=7, labelpad=1)


def middle_of(mask):
    """Middle of the selected pixels, row and column, and half of their larger extent, in pixels."""
    rows, cols = np.nonzero(mask)
    return (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2, max(np.ptp(rows), np.ptp(cols)) / 2


def extent_of(result):
    """Edges of the cutout in arcsec from the middle of the selected pixels: left, right, bottom, top."""
    (ny, nx), scale = result.mask.shape, result.cutout.pixel
    row, column, _ = middle_of(result.mask)
    edges = np.array([-0.5 - column, nx - 0.5 - column, -0.5 - row, ny - 0.5 - row])
    return (scale * edges).tolist()


def zoom(ax, result):
    """Show the selected pixels and a fifth of their extent around them, square."""
    half = result.cutout.pixel * (1.4 * middle_of(result.mask)[2] + 2)
    ax.set(xlim=(-half, half), ylim=(-half, half))
