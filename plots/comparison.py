"""All runs of one galaxy side by side: label maps, and under each its composite SEDs."""

import numpy as np

from plots.picture import Picture
from plots.style import (
    bare,
    cluster_colours,
    colour_image,
    galaxy_name,
    in_rest_frame,
    label_image,
    new_figure,
    scale_bar,
    wavelength_axis,
    zoom,
)

COLUMNS = 4
PANEL, ROW_HEIGHT = 2.9, 5.3  # inches
MAP_TO_SEDS, GAP = (2.9, 1.5), 0.04  # heights of a map and its SEDs, and what is between
FIGURES_A_LINE = 3  # of quality


def comparison(result):
    """Draw the comparison page.

    Parameters
    ----------
    result : GalaxyResult
        Of which `cutout`, `panels` and `wavelengths` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no run ended well.
    """
    cutout, panels = result.cutout, result.panels
    if not panels:
        return None
    n_columns = min(COLUMNS, len(panels) + 1)
    n_rows = -(-(len(panels) + 1) // n_columns)
    width, height = n_columns * PANEL + 0.5, n_rows * ROW_HEIGHT + 0.4
    figure = new_figure(width, height)
    figure.suptitle(f"{galaxy_name(cutout)}: all runs", size=12, y=1 - 0.12 / height, va="top")
    edges = {"left": 0.5 / width, "right": 0.99, "bottom": 0.5 / height, "top": 1 - 0.65 / height}
    grid = figure.add_gridspec(n_rows, n_columns, hspace=0.2, wspace=0.14, **edges)
    cells = [grid[number // n_columns, number % n_columns] for number in range(len(panels) + 1)]

    image = figure.add_subplot(cells[0].subgridspec(2, 1, height_ratios=MAP_TO_SEDS, hspace=GAP)[0])
    image.imshow(colour_image(cutout, panels[0].labels != 0), origin="lower")
    zoom(image, panels[0].labels)
    scale_bar(image, cutout.wcs)
    bare(image, "three-colour image")

    microns, wavelength_label = in_rest_frame(result.wavelengths, cutout.redshift)
    for number, (cell, panel) in enumerate(zip(cells[1:], panels, strict=True), start=1):
        upper, lower = cell.subgridspec(2, 1, height_ratios=MAP_TO_SEDS, hspace=GAP)
        ax = figure.add_subplot(upper)
        ax.set_facecolor("0.93")
        ax.imshow(label_image(panel.labels), origin="lower", interpolation="none")
        zoom(ax, panel.labels)
        bare(ax, panel.title)
        ax.set_title(panel.title, size=8, pad=25 if panel.judged else 3)
        where = {"transform": ax.transAxes, "ha": "center", "va": "bottom"}
        ax.text(0.5, 1.01, in_lines(panel.judged), **where, size=6.5, color="0.3")
        ax = figure.add_subplot(lower)
        draw_composites(ax, microns, panel.composites)
        ax.set_xlabel(wavelength_label, size=7, labelpad=1)
        if number % n_columns == 0 or number == 1:
            ax.set_ylabel("flux / mean", size=7, labelpad=1)
    return figure


def draw_composites(ax, microns, composites):
    """Draw composite SEDs scaled to a mean of 1, so that only shapes differ."""
    for composite, colour in zip(composites, cluster_colours(len(composites)), strict=True):
        ax.plot(microns, composite / np.nanmean(composite), color=colour, marker="o", ms=2, lw=1)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    wavelength_axis(ax, microns)
    ax.tick_params(labelsize=7)


def in_lines(words):
    """Words with commas between, FIGURES_A_LINE in a line."""
    lines = [", ".join(words[start : start + FIGURES_A_LINE]) for start in range(0, len(words), FIGURES_A_LINE)]
    return ",\n".join(lines)


GALAXY_PICTURES = {"comparison": Picture(comparison, "all runs side by side with their quality")}
