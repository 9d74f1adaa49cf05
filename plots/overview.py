"""Every band of a galaxy with the outline of its selected pixels; the segments, SNR, and noise of the sky."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from plots.picture import Picture
from plots.style import (
    CONTOUR_COLOUR,
    FLUX_LABEL,
    PALETTE,
    PANEL,
    bare,
    galaxy_name,
    grey_image,
    grid,
    new_figure,
    outline,
    scale_bar,
    segments,
)

COLUMNS = (6, 7, 8)  # of these the one that leaves the fewest places empty
NAMED = 30  # pixels of a segment that is not taken in, and yet named, so that it can be
ELSEWHERE, MEMBER = "0.75", PALETTE[0]
STATED, MEASURED, BACKGROUND = PALETTE[1], PALETTE[0], "0.45"


def overview(result):
    """Draw the overview page.

    Parameters
    ----------
    result : GalaxyResult
        Of which `cutout`, `mask`, `snr`, `snr_thresh` and `snr_bands` are drawn.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cutout, mask, snr, snr_thresh = result.cutout, result.mask, result.snr, result.snr_thresh
    n_panels = len(cutout.bands) + 2
    n_columns = min(n_panels, min(COLUMNS, key=lambda number: -n_panels % number))
    n_rows = -(-n_panels // n_columns)
    width, top, bottom = n_columns * PANEL, 0.6, 0.4 if cutout.noise is None else 3.6
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
    for source, size in zip(*np.unique(cutout.segmap[cutout.segmap > 0], return_counts=True), strict=True):
        rows, cols = np.nonzero(cutout.segmap == source)
        if size >= NAMED or source in cutout.members:
            axes[-2].text(cols.mean(), rows.mean(), str(source), size=7, ha="center", va="center")
    bare(axes[-2], "segments (blue: taken in)")
    drawn = axes[-1].imshow(snr, origin="lower", cmap="cividis", vmin=0, vmax=3 * snr_thresh)
    besides = "".join(f", {band.upper()} > {least:g}" for band, least in (result.snr_bands or {}).items())
    bare(axes[-1], f"median SNR (line: > {snr_thresh:g}{besides})")
    bar = figure.colorbar(drawn, cax=axes[-1].inset_axes([0, -0.07, 1, 0.05]), orientation="horizontal")
    bar.ax.tick_params(labelsize=7)

    if mask.any():
        selected = outline(mask)
        for ax in axes:
            segments(ax, selected, colors="black" if ax is axes[-2] else CONTOUR_COLOUR, linewidths=0.7)
    if cutout.noise is not None:
        low, tall = 0.75 / height, 2.1 / height
        draw_noise(figure.add_axes([0.75 / width, low, 0.62 - 0.75 / width, tall]), cutout)
        draw_correlation(figure.add_axes([0.69, low, 0.3, tall]), cutout)
    return figure


def draw_noise(ax, cutout):
    """Draw the errors that the weights state, the scatter of the sky, and its background, band by band."""
    noise, place = cutout.noise, np.arange(len(cutout.bands))
    ax.plot(
        place, noise.scatter / noise.scale, marker="_", ms=11, mew=1.6, ls="none", color=STATED, label="stated error"
    )
    ax.plot(place, noise.scatter, marker="o", ms=4.5, ls="none", color=MEASURED, label="scatter of the sky")
    background = {"yerr": noise.background_err, "marker": "x", "ms": 4.5, "ls": "none", "lw": 0.8, "color": BACKGROUND}
    ax.errorbar(place, np.abs(noise.background), **background, label="|background| of the sky")
    ax.set_yscale("log")
    known = np.concatenate([noise.scatter[noise.known], (noise.scatter / noise.scale)[noise.known]])
    if known.size:
        ax.set_ylim(known.min() / 100, known.max() * 5)
    for x, scale in zip(place, noise.scale, strict=True):
        text = f"{scale:.2g}" if np.isfinite(scale) else "no\nsky"
        ax.text(x, 0.985, text, size=6.5, ha="center", va="top", transform=ax.get_xaxis_transform())
    ax.set_xticks(place, [band.upper() for band in cutout.bands], rotation=90, size=7)
    ax.set_xlim(-0.7, len(place) - 0.3)
    ax.set_ylabel(FLUX_LABEL, size=8)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_title("noise of a pixel; the numbers are scatter of the sky / stated error", size=8, pad=3)
    ax.legend(loc="lower right", fontsize=7, ncols=3, framealpha=0.9, borderpad=0.3, handletextpad=0.3, columnspacing=1)


def draw_correlation(ax, cutout):
    """Draw how the noise of two pixels is correlated, by their distance; bands from blue to red."""
    noise = cutout.noise
    colours = colormaps["cividis"](np.linspace(0, 0.95, len(cutout.bands)))
    for correlation, colour in zip(noise.correlation, colours, strict=True):
        ax.plot(np.arange(len(correlation)), correlation, color=colour, lw=0.8)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    areas = noise.area[noise.known]
    if areas.size:
        words = f"correlated over {areas.min():.0f} to {areas.max():.0f} pixels\n(dark: blue bands, bright: red)"
        ax.text(0.97, 0.95, words, size=7, ha="right", va="top", transform=ax.transAxes)
    ax.set(xlim=(0, noise.correlation.shape[1] - 1), ylim=(-0.3, 1.05))
    ax.set_xlabel("distance [pixels]", size=8, labelpad=1)
    ax.set_title("correlation of the noise of two pixels", size=8, pad=3)
    ax.tick_params(labelsize=7)


GALAXY_PICTURES = {
    "overview": Picture(
        overview, "every band, the segments, what was selected, and the noise of the sky beside the stated errors"
    )
}
