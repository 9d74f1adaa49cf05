"""All runs of one galaxy side by side: label maps, and under each its composite SEDs."""

from typing import NamedTuple

import numpy as np

from plots.composites import wavelength_axis
from plots.style import bare, cluster_colours, colour_image, galaxy_name, label_image, new_figure, scale_bar

COLUMNS = 4
PANEL = 2.9  # inches


class RunPanel(NamedTuple):
    """What the page shows of one run."""

    title: str
    labels: np.ndarray  # (ny, nx)
    composites: np.ndarray  # (n_clusters, n_bands)


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
    ny, nx = cutout.segmap.shape
    n_columns = min(COLUMNS, len(panels) + 1)
    n_rows = -(-(len(panels) + 1) // n_columns)
    tall = PANEL * ny / nx
    height = n_rows * (tall + 2.2) + 0.6
    figure = new_figure(n_columns * PANEL + 0.4, height)
    axes = figure.subplots(2 * n_rows, n_columns, squeeze=False, height_ratios=[tall, 1.6] * n_rows)
    figure.subplots_adjust(left=0.05, right=0.99, bottom=0.5 / height, top=1 - 0.75 / height, wspace=0.12, hspace=0.18)
    figure.suptitle(f"{galaxy_name(cutout)}: all runs", size=12, y=1 - 0.12 / height, va="top")
    maps, seds = axes[0::2].ravel(), axes[1::2].ravel()

    selected = np.any([panel.labels != 0 for panel in panels], axis=0)
    maps[0].imshow(colour_image(cutout, selected), origin="lower")
    scale_bar(maps[0], cutout.wcs, (ny, nx))
    bare(maps[0], "three-colour image")
    seds[0].remove()
    redshift = cutout.redshift if np.isfinite(cutout.redshift) else 0.0
    microns = wavelengths / (1 + redshift) / 1e4
    for ax_map, ax_sed, panel in zip(maps[1:], seds[1:], panels, strict=False):
        ax_map.set_facecolor("0.93")
        ax_map.imshow(label_image(panel.labels), origin="lower", interpolation="none")
        bare(ax_map, panel.title)
        draw_composites(ax_sed, microns, panel.composites)
        ax_sed.set_xlabel(f"{'rest-frame' if redshift else 'observed'} wavelength [µm]", size=7, labelpad=1)
    if len(panels):
        seds[1].set_ylabel("flux / mean", size=7, labelpad=1)
    for ax in (*maps[len(panels) + 1 :], *seds[len(panels) + 1 :]):
        ax.remove()
    return figure


def draw_composites(ax, microns, composites):
    """Draw composite SEDs scaled to a mean of 1, so that only shapes differ."""
    for composite, colour in zip(composites, cluster_colours(len(composites)), strict=True):
        ax.plot(microns, composite / np.nanmean(composite), color=colour, marker="o", ms=2, lw=1)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    wavelength_axis(ax, microns)
    ax.tick_params(labelsize=7)
