"""Where the clusters of a run lie: the galaxy, the clusters over it, and the label map."""

from astropy.wcs.utils import proj_plane_pixel_scales
from matplotlib.patches import Patch

from plots.style import UNASSIGNED_COLOUR, cluster_colours, colour_image, label_image, new_figure


def cluster_map(cutout, labels, title):
    """Draw the cluster map of one run.

    Parameters
    ----------
    cutout : Cutout
    labels : int ndarray of shape (ny, nx)
        0 not selected, 1..n_clusters, -1 unassigned.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    ny, nx = labels.shape
    width = 11.5
    side = 3.2
    figure = new_figure(width, side * ny / nx + 1.1)
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    figure.subplots_adjust(
        left=0.06, right=0.87, bottom=0.55 / figure.get_figheight(), top=1 - 0.55 / figure.get_figheight(), wspace=0.06
    )
    figure.suptitle(title, size=11, y=1 - 0.1 / figure.get_figheight(), va="top")

    y_scale, x_scale = proj_plane_pixel_scales(cutout.wcs)[::-1] * 3600
    extent = [-nx / 2 * x_scale, nx / 2 * x_scale, -ny / 2 * y_scale, ny / 2 * y_scale]
    image = colour_image(cutout, labels != 0)
    axes[0].imshow(image, origin="lower", extent=extent)
    axes[1].imshow(image, origin="lower", extent=extent)
    axes[1].imshow(label_image(labels, alpha=0.55), origin="lower", extent=extent, interpolation="none")
    axes[2].imshow(label_image(labels), origin="lower", extent=extent, interpolation="none")
    for ax, name in zip(axes, ("three-colour image", "clusters over it", "clusters"), strict=True):
        ax.set_title(name, size=9)
        ax.set_xlabel("x offset [arcsec]")
    axes[0].set_ylabel("y offset [arcsec]")

    n_clusters = max(labels.max(), 0)
    handles = [
        Patch(color=colour, label=f"{number}: {(labels == number).sum()} px")
        for number, colour in enumerate(cluster_colours(n_clusters), start=1)
    ]
    if (labels == -1).any():
        handles.append(Patch(color=UNASSIGNED_COLOUR, label=f"none: {(labels == -1).sum()} px"))
    figure.legend(handles=handles, loc="center right", frameon=False, fontsize=8, title="cluster", title_fontsize=9)
    return figure
