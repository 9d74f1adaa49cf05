"""All runs of one galaxy side by side: label maps, and under each its composite SEDs."""

from typing import NamedTuple

import numpy as np

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


class RunPanel(NamedTuple):
    """What the page shows of one run."""

    title: str
    labels: np.ndarray  # (ny, nx)
    composites: np.ndarray  # (n_clusters, n_bands)
    judged: str = ""  # figures of quality, in a line or two


def comparison(cutout, wavelengths, panels):
    """Draw the comparison page.

    Parameters
    ----------
    cutout : Cutout
    wavelengths : ndarray of shape (n_bands,)
        Of the composites, Angstrom.
    panels : sequence of RunPanel

    Returns
    -------
    matplotlib.figure.Figure
    """
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

    microns, wavelength_label = in_rest_frame(wavelengths, cutout.redshift)
    for number, (cell, panel) in enumerate(zip(cells[1:], panels, strict=True), start=1):
        upper, lower = cell.subgridspec(2, 1, height_ratios=MAP_TO_SEDS, hspace=GAP)
        ax = figure.add_subplot(upper)
        ax.set_facecolor("0.93")
        ax.imshow(label_image(panel.labels), origin="lower", interpolation="none")
        zoom(ax, panel.labels)
        bare(ax, panel.title)
        ax.set_title(panel.title, size=8, pad=25 if panel.judged else 3)
        ax.text(0.5, 1.01, panel.judged, transform=ax.transAxes, ha="center", va="bottom", size=6.5, color="0.3")
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
