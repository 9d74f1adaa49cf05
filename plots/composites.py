"""The composite SEDs of a run: for each cluster its pixels, its members' SEDs, and how similar they are."""

import numpy as np
from matplotlib.collections import LineCollection

from plots.picture import Picture
from plots.style import (
    FLUX_LABEL,
    bare,
    cluster_colours,
    grey_image,
    in_rest_frame,
    label_image,
    new_figure,
    wavelength_axis,
    zoom,
)

MEMBERS_SHOWN = 150
CLUSTERS_SHOWN = 30  # the largest: nobody reads a page of more
ROW_HEIGHT = 2.0  # inches
LEGEND = {"fontsize": 7, "loc": "upper left", "framealpha": 0.85, "edgecolor": "none"}


def composites_page(result):
    """Draw the composites of one run, a row for each cluster.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `seds`, `composites` and `title` are drawn. Pixels are shown on the
        reddest band; without a redshift, wavelengths are the observed ones.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where there are no clusters.
    """
    cutout, labels, seds, composites = result.cutout, result.labels, result.seds, result.composites
    n_clusters = min(len(composites.flux), CLUSTERS_SHOWN)
    if not n_clusters:
        return None
    title = result.title if n_clusters == len(composites.flux) else f"{result.title}, the {n_clusters} largest"
    height = ROW_HEIGHT * n_clusters + 1.1
    figure = new_figure(10.5, height)
    axes = figure.subplots(n_clusters, 3, squeeze=False, sharex="col", width_ratios=[1, 2.6, 1.3])
    figure.subplots_adjust(
        left=0.04, right=0.985, bottom=0.55 / height, top=1 - 0.55 / height, wspace=0.22, hspace=0.12
    )
    figure.suptitle(title, size=11, y=1 - 0.12 / height, va="top")
    microns, wavelength_label = in_rest_frame(seds.wavelengths, cutout.redshift)
    lowest = np.nanmin(composites.similarity, initial=0.9)
    bins = np.linspace(np.floor(lowest * 20) / 20, 1, 25)

    for k, (row, colour) in enumerate(zip(axes, cluster_colours(result.regions[:n_clusters]), strict=True)):
        members = composites.labels == k + 1
        grey_image(row[0], cutout.sci[-1])
        own = np.where(labels == k + 1, labels, 0)
        row[0].imshow(label_image(own, result.regions, 0.8), origin="lower", interpolation="none")
        zoom(row[0], labels)
        bare(row[0], "")
        row[0].set_ylabel(f"cluster {k + 1}\n{members.sum()} pixels", size=9)
        draw_seds(row[1], microns, seds.flux[members], composites, k, composites.amplitude[members], colour)
        draw_similarity(row[2], composites, k, bins, colour)
    row[1].set_xlabel(wavelength_label)
    row[2].set_xlabel("similarity to composite, 1 − $b_{12}$")
    return figure


def draw_seds(ax, microns, flux, composites, k, amplitude, colour):
    """Draw member SEDs, scaled to the composite's amplitude, and the composite with its errors."""
    usable = np.flatnonzero(amplitude > 0)
    shown = (
        usable[np.linspace(0, len(usable) - 1, min(MEMBERS_SHOWN, len(usable))).astype(int)] if len(usable) else usable
    )
    lines = [np.column_stack([microns, sed]) for sed in flux[shown] / amplitude[shown, None]]
    ax.add_collection(LineCollection(lines, colors=[colour], alpha=0.15, linewidths=0.5, rasterized=True))
    ax.plot([], [], color=colour, lw=1.5, label="members")
    composite, error, scatter = composites.flux[k], composites.error[k], (composites.high[k] - composites.low[k]) / 2
    ax.errorbar(microns, composite, error, color="black", lw=1.5, marker="o", ms=3, capsize=0, label="composite")
    quiet = np.minimum(scatter, np.nanmedian(scatter) * 3)
    low, high = min(np.nanmin(composite - 2 * quiet), 0), np.nanmax(composite + 2.5 * quiet)
    ax.set_ylim(low - 0.03 * (high - low), high)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    wavelength_axis(ax, microns)
    ax.set_ylabel(FLUX_LABEL, size=8)
    ax.tick_params(labelsize=8)
    ax.legend(**LEGEND)


def draw_similarity(ax, composites, k, bins, colour):
    """Draw the histogram of similarities to composite `k` with its median and the value that all but 2.3% exceed."""
    median, low = composites.similarity_median[k], composites.similarity_2sigma[k]
    counts, _, _ = ax.hist(composites.similarity[composites.labels == k + 1], bins=bins, color=colour)
    ax.set_ylim(0, 1.45 * counts.max())  # room for the legend
    ax.axvline(median, color="black", lw=1.2, label=f"median {median:.3f}")
    ax.axvline(low, color="black", lw=1, ls="--", label=f"2σ {low:.3f}")
    ax.set_ylabel("pixels", size=8)
    ax.tick_params(labelsize=8)
    ax.legend(**LEGEND)


RUN_PICTURES = {
    "composites": Picture(composites_page, "of each cluster the pixels, member SEDs, composite and similarity")
}
