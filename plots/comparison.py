"""Comparison of all runs of a galaxy: agreement, and label map and composite SEDs of each run."""

from textwrap import fill

import numpy as np
from matplotlib.collections import LineCollection

from plots.style import (
    NO_TICKS,
    TITLE,
    Picture,
    arcsec_axes,
    cluster_colours,
    colour_bar,
    colour_image,
    compass,
    figure_with_grid,
    flux_axis,
    galaxy_name,
    in_rest_frame,
    label_image,
    scale_bar,
    square_around,
    wavelength_axis,
    zoom,
)

COLUMNS = 2  # of runs
HEAD = 4  # panels above them
MAP, SEDS = 2.6, 3.9  # inches: a map is a square, its SEDs are to the right of it
ROOM = {"left": 0.6, "right": 0.25, "bottom": 0.5, "top": 0.9, "across": 0.7, "down": 0.95}  # inches
TITLE_WIDTH = 50  # characters per line
UNSELECTED = "0.93"
FIGURES_A_LINE = 3  # of quality


def comparison(result):
    """Draw the comparison page.

    At the top are the galaxy and, for several runs, their agreement; below are the map and the composite SEDs of each
    run. Regions have the same colour on all maps.

    Parameters
    ----------
    result : GalaxyResult
        Of which `cutout`, `panels`, `wavelengths`, `edges` and `agreement` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None without a successful run.
    """
    cutout, panels = result.cutout, result.panels
    if not panels:
        return None
    are_many = len(panels) > 1
    widths = [MAP, SEDS] * COLUMNS if are_many else [MAP, MAP, SEDS]
    n_rows = 1 + -(-len(panels) // COLUMNS) if are_many else 1
    figure, grid = figure_with_grid(widths, [MAP] * n_rows, f"{galaxy_name(cutout)}: all runs", **ROOM)
    top = grid[0, :].subgridspec(1, HEAD) if are_many else grid
    head = [
        figure.add_subplot(top[0, cell], facecolor=UNSELECTED, **NO_TICKS) for cell in range(HEAD if are_many else 1)
    ]
    draw_galaxy(head[0], cutout, panels[0].labels)
    if are_many:
        draw_map(head[1], result.agreement.region)
        head[1].set_title("most frequent region", **TITLE)
        draw_share(head[2], result.agreement)
        draw_agreement(head[3], result.agreement.rand_index)

    microns, wavelength_label = in_rest_frame(result.wavelengths, cutout.redshift)
    for number, panel in enumerate(panels):
        row, column = divmod(number, COLUMNS)
        place = (row + 1, 2 * column) if are_many else (0, 1)
        ax = figure.add_subplot(grid[place], facecolor=UNSELECTED, **NO_TICKS)
        draw_map(ax, panel.labels, panel.regions)
        title = f"{number + 1}: {panel.title}".replace(" cluster", "\u00a0cluster")  # no line break after the number
        ax.set_title(fill(title, TITLE_WIDTH), **TITLE | ({"pad": 21} if panel.judged else {}))
        where = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "linespacing": 1.1}
        ax.text(0.5, 1.01, in_lines(panel.judged), **where, size=6.5, color="0.3")
        ax = figure.add_subplot(grid[place[0], place[1] + 1])
        draw_composites(ax, microns, result.edges, panel)
        ax.set_xlabel(wavelength_label, size=8)
        ax.set_ylabel("flux / mean", size=8, labelpad=1)
    return figure


def draw_galaxy(ax, cutout, labels):
    """Draw the three-colour image around the selected pixels."""
    ax.imshow(colour_image(cutout, labels != 0), origin="lower", interpolation="nearest")
    zoom(ax, labels)
    arcsec_axes(ax, cutout.wcs, square_around(labels)[0])
    scale_bar(ax, cutout.wcs)
    compass(ax, cutout.wcs)
    ax.set_title("three-colour image", **TITLE)


def draw_map(ax, labels, regions=None):
    """Draw a label map in the colours of its regions."""
    ax.imshow(label_image(labels, regions), origin="lower", interpolation="none")
    zoom(ax, labels)


def draw_share(ax, agreement):
    """Draw the fraction of runs that assign each pixel to its most frequent region."""
    drawn = ax.imshow(agreement.share, origin="lower", interpolation="none", cmap="cividis", vmin=0, vmax=1)
    zoom(ax, agreement.region)
    ax.set_title(f"share of the runs with that region (median {np.nanmedian(agreement.share):.2f})", **TITLE)
    colour_bar(drawn, (0.05, 0.09, 0.4, 0.03), ticks=[0, 0.5, 1])


def draw_agreement(ax, rand_index):
    """Draw the adjusted Rand index of each pair of runs, in hundredths, as a triangle of numbers."""
    n_runs = len(rand_index)
    rows, columns = np.tril_indices(n_runs, -1)
    shown = np.full(rand_index.shape, np.nan)
    shown[rows, columns] = rand_index[rows, columns]
    ax.imshow(shown, cmap="cividis", vmin=0, vmax=1, interpolation="none")
    ax.set(xlim=(-0.5, n_runs - 1.5), ylim=(n_runs - 0.5, 0.5), facecolor="none")
    size = min(8, 0.45 * 72 * MAP / n_runs)
    for row, column in zip(rows, columns, strict=True):
        value = rand_index[row, column]
        colour = "black" if value > 0.5 else "white"
        ax.text(column, row, f"{round(100 * value)}", size=size, color=colour, ha="center", va="center")
    ax.set_xticks(range(n_runs - 1), range(1, n_runs))
    ax.set_yticks(range(1, n_runs), range(2, n_runs + 1))
    ax.tick_params(length=0, labelsize=min(7, 1.6 * size))
    ax.spines[:].set_visible(False)
    ax.set_title("adjusted Rand index of each pair of runs × 100", **TITLE)


def draw_composites(ax, microns, edges, panel):
    """Draw composite SEDs with their errors, scaled to a mean of 1, so that only shapes differ.

    Lines are faint between bands that overlap in wavelength, because steps between these are mostly instrumental.
    """
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    wavelength_axis(ax, microns)
    ax.tick_params(labelsize=7)
    if not len(panel.composites):
        ax.set_ylim(-0.1, 2)
        ax.text(0.5, 0.5, "no cluster", transform=ax.transAxes, ha="center", size=8)
        return
    mean = np.nanmean(panel.composites, axis=1, keepdims=True)
    fluxes, errors = panel.composites / mean, panel.errors / abs(mean)
    order = np.argsort(microns)
    overlap = edges[order][:-1, 1] > edges[order][1:, 0]
    for flux, error, colour in zip(fluxes, errors, cluster_colours(panel.regions), strict=True):
        ax.errorbar(microns, flux, error, ls="none", marker="o", ms=3.5, mew=0, color=colour, elinewidth=1)
        points = np.column_stack([microns, flux])[order]
        between = np.stack([points[:-1], points[1:]], axis=1)
        ax.add_collection(LineCollection(between[~overlap], colors=[colour], linewidths=1))
        ax.add_collection(LineCollection(between[overlap], colors=[colour], linewidths=0.5, alpha=0.4))
    flux_axis(ax, fluxes, errors)


def in_lines(words):
    """Join words with commas, FIGURES_A_LINE in a line."""
    lines = [", ".join(words[start : start + FIGURES_A_LINE]) for start in range(0, len(words), FIGURES_A_LINE)]
    return ",\n".join(lines)


GALAXY_PICTURES = {
    "comparison": Picture(
        comparison, "all runs side by side: maps, SEDs, agreement and quality metrics", among_few=True
    )
}
