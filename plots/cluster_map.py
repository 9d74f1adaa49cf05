"""Cluster map of a run: image of the galaxy, outlines of the clusters, label map, and probability of the labels."""

import numpy as np
from matplotlib.patches import Patch

from plots.style import (
    CONTOUR_COLOUR,
    TITLE,
    UNASSIGNED_COLOUR,
    Picture,
    arcsec_axes,
    cluster_colours,
    colour_bar,
    colour_image,
    compass,
    figure_with_grid,
    label_image,
    match_colours,
    name_colours,
    outline,
    outlines,
    scale_bar,
    square_around,
    zoom,
)

MAP = 2.95  # inches, the side of a map
PALE = 0.35  # opacity of the bins of faint pixels


def cluster_map(result):
    """Draw the cluster map of one run.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `confidence`, `outskirts` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cutout, labels = result.cutout, result.labels
    image, colours = colour_image(cutout, labels != 0), cluster_colours(result.regions)
    n_maps = 3 + (result.confidence is not None) + (cutout.truth is not None)
    room = {"left": 0.75, "right": 1.45, "bottom": 0.55, "top": 0.6, "across": 0.17}
    figure, grid = figure_with_grid([MAP] * n_maps, [MAP], result.title, **room)
    axes = grid.subplots(sharex=True, sharey=True)

    axes[0].imshow(image, origin="lower", interpolation="nearest")
    axes[0].set_title("three-colour image (dotted: segment)", **TITLE)
    for mask, style in ((np.isin(cutout.segmap, cutout.members), ":"), (labels != 0, "-")):
        axes[0].add_collection(outline(mask, colors=CONTOUR_COLOUR, linewidths=0.9, linestyles=style))
    axes[1].imshow(image, origin="lower", interpolation="nearest")
    axes[1].set_title("outlines of the clusters", **TITLE)
    outlines(axes[1], labels, colours, linewidths=1.3)
    shown = labels
    if result.outskirts is not None:
        shown = np.where(labels == 0, result.outskirts.labels, labels)
        draw_bins(axes[2], result.outskirts, result.regions)
    axes[2].imshow(label_image(labels, result.regions), origin="lower", interpolation="none")
    axes[2].set_title("clusters" if shown is labels else "clusters (pale: bins of faint pixels)", **TITLE)
    if result.confidence is not None:
        draw_confidence(axes[3], result.confidence)
    if cutout.truth is not None:
        draw_truth(axes[-1], result)

    zoom(axes[0], shown)
    for ax in axes:
        arcsec_axes(ax, cutout.wcs, square_around(shown)[0], size=10)
    for ax in axes[1:]:
        ax.yaxis.set_visible(False)  # shared with the first panel
    name_colours(axes[0], cutout.bands)
    scale_bar(axes[0], cutout.wcs)
    compass(axes[0], cutout.wcs)
    handles = [
        Patch(color=colour, label=f"{number}: {(labels == number).sum()} px")
        for number, colour in enumerate(colours, start=1)
    ]
    if (labels == -1).any():
        handles.append(Patch(color=UNASSIGNED_COLOUR, label=f"none: {(labels == -1).sum()} px"))
    figure.legend(handles=handles, loc="center right", frameon=False, fontsize=8, title="cluster", title_fontsize=9)
    return figure


def draw_bins(ax, outskirts, regions):
    """Draw bins of pixels that are not selected in a pale colour of their cluster."""
    ax.imshow(label_image(outskirts.labels, regions, alpha=PALE), origin="lower", interpolation="none")
    for number in range(1, outskirts.bins.max() + 1):
        ax.add_collection(outline(outskirts.bins == number, colors="0.4", linewidths=0.4))


def draw_confidence(ax, confidence):
    """Draw the probability of each label, with a colour bar."""
    drawn = ax.imshow(confidence, origin="lower", interpolation="none", cmap="cividis", vmin=0, vmax=1)
    ax.set_title("probability of the cluster", **TITLE)
    colour_bar(drawn, (0.05, 0.1, 0.5, 0.035), ticks=[0, 0.5, 1])


def draw_truth(ax, result):
    """Draw the true regions of a simulated galaxy in the colours of the most similar clusters."""
    labels = result.labels
    regions = np.where(labels > 0, np.take([*result.regions, 0], labels - 1, mode="clip"), 0)
    matched = match_colours(np.where(labels != 0, result.cutout.truth, 0), regions)
    ax.imshow(label_image(matched), origin="lower", interpolation="none")
    ax.set_title("true regions", **TITLE)


RUN_PICTURES = {
    "cluster_map": Picture(cluster_map, "the clusters on the galaxy, and the probability of the labels", among_few=True)
}
