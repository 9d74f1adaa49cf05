"""Clusterings of one galaxy with different options, side by side."""

from textwrap import fill

from plots.comparison import UNSELECTED, draw_composites
from plots.style import (
    arcsec_axes,
    colour_image,
    compass,
    figure_with_grid,
    in_rest_frame,
    label_image,
    name_colours,
    square_around,
    zoom,
)

LARGE, SMALL = 2.1, 1.45  # inches, sides of the maps of one row, and of several
SEDS = 1.35  # inches, height of the SEDs below a map
KEY = (
    "ARI: adjusted Rand index with the framed map; χ²: reduced χ² of the pixels about their composites; regions have "
    "the same colour on all maps"
)


def variants_page(result):
    """Draw the maps of all variants; a single row also has the image of the galaxy, and composite SEDs below.

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
    title, key = fill(result.title, int(11 * inches)), fill(KEY, int(19 * inches))
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
        show_axes(ax, result, left=at[1] == 0, bottom=is_row or at[0] == len(rows) - 1)
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
    ax.imshow(colour_image(result.cutout, result.mask), origin="lower", interpolation="nearest")
    show_axes(ax, result)
    name_colours(ax, result.cutout.bands)
    compass(ax, result.cutout.wcs)
    ax.set_title("three-colour image", size=7, pad=3, y=1)


def draw_variant(ax, panel, result, is_reference):
    """Draw the map of one variant, or the reason why there is none; the map of the reference is framed."""
    if panel.labels is None:
        style = {"transform": ax.transAxes, "size": 6.5, "ha": "center", "va": "center", "color": "0.3"}
        ax.text(0.5, 0.5, fill(panel.problem, 26), **style)
    else:
        ax.imshow(label_image(panel.labels, panel.regions), origin="lower", interpolation="none")
    if is_reference:
        ax.spines[:].set(linewidth=2, zorder=5)


def show_axes(ax, result, *, left=True, bottom=True):
    """Show the surroundings of the selected pixels, with axes in arcsec."""
    zoom(ax, result.mask)
    arcsec_axes(ax, result.cutout.wcs, square_around(result.mask)[0], left=left, bottom=bottom)
