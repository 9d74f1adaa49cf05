"""Every band of a galaxy with the outline of its selected pixels, the segmap, and the SNR map."""

import numpy as np
from matplotlib.colors import ListedColormap

from plots.picture import Picture
from plots.style import CONTOUR_COLOUR, PALETTE, PANEL, bare, galaxy_name, grey_image, grid, new_figure, scale_bar

COLUMNS = (6, 7, 8)  # of these the one that leaves the fewest places empty
ELSEWHERE, MEMBER = "0.75", PALETTE[0]


def overview(result):
    """Draw the overview page.

    Parameters
    ----------
    result : GalaxyResult
        Of which `cutout`, `mask`, `snr` and `snr_thresh` are drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cutout, mask, snr, snr_thresh = result.cutout, result.mask, result.snr, result.snr_thresh
    n_panels = len(cutout.bands) + 2
    n_columns = min(n_panels, min(COLUMNS, key=lambda number: -n_panels % number))
    n_rows = -(-n_panels // n_columns)
    width, top, bottom = n_columns * PANEL, 0.6, 0.4
    height = n_rows * (PANEL * mask.shape[0] / mask.shape[1] + 0.25) + top + bottom
    figure = new_figure(width, height)
    axes = grid(figure, n_panels, n_columns)
    figure.subplots_adjust(
        left=0.01, right=0.99, bottom=bottom / height, top=1 - top / height, wspace=0.04, hspace=0.12
    )
    neighbours = ", ".join(map(str, cutout.members[1:])) or "none"
    title = f"{galaxy_name(cutout)}: {mask.sum()} pixels selected; neighbours taken in: {neighbours}"
    figure.suptitle(title, size=11, y=1 - 0.12 / height, va="top")

    for ax, band, image in zip(axes, cutout.bands, cutout.sci, strict=False):
        grey_image(ax, image)
        bare(ax, f"{band.upper()}" if np.isfinite(image).any() else f"{band.upper()} (no data)")
    scale_bar(axes[0], cutout.wcs)

    kind = np.where(np.isin(cutout.segmap, cutout.members), 2, (cutout.segmap > 0).astype(int))
    axes[-2].imshow(kind, origin="lower", cmap=ListedColormap(["white", ELSEWHERE, MEMBER]), vmin=0, vmax=2)
    for member in cutout.members:
        rows, cols = np.nonzero(cutout.segmap == member)
        axes[-2].text(cols.mean(), rows.mean(), str(member), size=7, ha="center", va="center")
    bare(axes[-2], "segments (blue: taken in)")
    drawn = axes[-1].imshow(snr, origin="lower", cmap="cividis", vmin=0, vmax=3 * snr_thresh)
    bare(axes[-1], f"median SNR (line: > {snr_thresh:g})")
    bar = figure.colorbar(drawn, cax=axes[-1].inset_axes([0, -0.07, 1, 0.05]), orientation="horizontal")
    bar.ax.tick_params(labelsize=7)

    if mask.any():
        for ax in axes:
            ax.contour(mask, levels=[0.5], colors="black" if ax is axes[-2] else CONTOUR_COLOUR, linewidths=0.7)
    return figure


GALAXY_PICTURES = {"overview": Picture(overview, "every band, the segments, and what was selected")}
