"""Where the clusters of a run lie: the galaxy, the clusters on it, the label map, and how sure labels are."""

import numpy as np
from matplotlib.patches import Patch

from plots.panel import Panel, page_of
from plots.picture import Picture
from plots.simulation.recovery import match_colours
from plots.style import (
    CONTOUR_COLOUR,
    UNASSIGNED_COLOUR,
    cluster_colours,
    colour_image,
    compass,
    label_image,
    name_colours,
    new_figure,
    outline,
    outlines,
    probability_bar,
    round_ticks,
    scale_bar,
    segments,
    zoom,
)

MAP, PITCH = 2.95, 3.12  # inches, the side of a map, and from one to the next


def cluster_map(result):
    """Draw the cluster map of one run.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `confidence` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cutout, labels = result.cutout, result.labels
    more = {"probability of the cluster": result.confidence, "true regions": cutout.truth}
    more = {name: image for name, image in more.items() if image is not None}
    names = ["three-colour image (dotted: segment)", "outlines of the clusters", "clusters", *more]
    width = PITCH * len(names) + 2.2
    figure = new_figure(width, 4.1)
    figure.suptitle(result.title, size=11)
    page = page_of(figure)
    axes = [Panel(page, (0.75 + PITCH * number, 0.55, MAP, MAP)) for number in range(len(names))]
    image, colours = colour_image(cutout, labels != 0), cluster_colours(result.regions)
    for ax, name in zip(axes, names, strict=True):
        zoom(ax, labels)
        ax.set_title(name, size=9, pad=6)
        round_ticks(ax, "bottom", 8, size=9)
        round_ticks(ax, "left", 8, named=ax is axes[0], size=9)
        ax.set_xlabel("column [pixels]", size=10)
    axes[0].set_ylabel("row [pixels]", size=10)
    axes[0].imshow(image)
    axes[1].imshow(image)
    axes[2].imshow(label_image(labels, result.regions), interpolation="none")
    segment = np.isin(cutout.segmap, cutout.members)
    for where, style in ((segment, ":"), (labels != 0, "-")):
        if not where.all():
            segments(axes[0], outline(where), colors=CONTOUR_COLOUR, linewidths=0.9, linestyles=style)
    outlines(axes[1], labels, colours, linewidths=1.3)
    name_colours(axes[0], cutout.bands)
    scale_bar(axes[0], cutout.wcs)
    compass(axes[0], cutout.wcs)
    for ax, (name, values) in zip(axes[3:], more.items(), strict=True):
        if name == "true regions":
            regions = np.where(labels > 0, np.take([*result.regions, 0], labels - 1, mode="clip"), 0)
            matched = match_colours(np.where(labels != 0, values, 0), regions)
            ax.imshow(label_image(matched), interpolation="none")
        else:
            draw_confidence(ax, values)

    handles = [
        Patch(color=colour, label=f"{number}: {(labels == number).sum()} px")
        for number, colour in enumerate(colours, start=1)
    ]
    if (labels == -1).any():
        handles.append(Patch(color=UNASSIGNED_COLOUR, label=f"none: {(labels == -1).sum()} px"))
    figure.legend(handles=handles, loc="center right", frameon=False, fontsize=8, title="cluster", title_fontsize=9)
    return figure


def draw_confidence(ax, confidence):
    """Draw the probability of each label, and a bar that tells what its colours mean."""
    ax.imshow(confidence, interpolation="none", cmap="cividis", vmin=0, vmax=1)
    probability_bar(ax, [0.05, 0.04, 0.5, 0.035])


RUN_PICTURES = {
    "cluster_map": Picture(cluster_map, "the clusters on the galaxy, and the probability of the labels", among_few=True)
}
