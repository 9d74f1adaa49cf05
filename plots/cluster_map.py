"""Where the clusters of a run lie: the galaxy, the clusters over it, the label map, and how sure labels are."""

from matplotlib.patches import Patch

from plots.picture import Picture
from plots.style import UNASSIGNED_COLOUR, cluster_colours, colour_image, label_image, new_figure, scale_bar, zoom


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
    cutout, labels, confidence = result.cutout, result.labels, result.confidence
    n_panels = 3 if confidence is None else 4
    width = 3.1 * n_panels + 2.2
    figure = new_figure(width, 4.3)
    axes = figure.subplots(1, n_panels, sharex=True, sharey=True)
    figure.subplots_adjust(left=0.75 / width, right=1 - 1.4 / width, bottom=0.12, top=0.86, wspace=0.06)
    figure.suptitle(result.title, size=11)

    image = colour_image(cutout, labels != 0)
    axes[0].imshow(image, origin="lower")
    axes[1].imshow(image, origin="lower")
    axes[1].imshow(label_image(labels, result.regions, alpha=0.5), origin="lower", interpolation="none")
    axes[2].imshow(label_image(labels, result.regions), origin="lower", interpolation="none")
    zoom(axes[0], labels)
    scale_bar(axes[0], cutout.wcs)
    if confidence is not None:
        drawn = axes[3].imshow(confidence, origin="lower", interpolation="none", cmap="cividis", vmin=0, vmax=1)
        bar = axes[3].inset_axes([0.05, 0.06, 0.5, 0.035])
        figure.colorbar(drawn, cax=bar, orientation="horizontal", ticks=[0, 0.5, 1])
        bar.tick_params(labelsize=7, length=2, pad=1, labeltop=True, labelbottom=False)
    names = ("three-colour image", "clusters over it", "clusters", "probability of the cluster")[:n_panels]
    for ax, name in zip(axes, names, strict=True):
        ax.set_title(name, size=9)
        ax.set_xlabel("column [pixels]")
    axes[0].set_ylabel("row [pixels]")

    handles = [
        Patch(color=colour, label=f"{number}: {(labels == number).sum()} px")
        for number, colour in enumerate(cluster_colours(result.regions), start=1)
    ]
    if (labels == -1).any():
        handles.append(Patch(color=UNASSIGNED_COLOUR, label=f"none: {(labels == -1).sum()} px"))
    figure.legend(handles=handles, loc="center right", frameon=False, fontsize=8, title="cluster", title_fontsize=9)
    return figure


RUN_PICTURES = {"cluster_map": Picture(cluster_map, "the clusters on the galaxy, and the probability of the labels")}
