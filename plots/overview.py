"""Every band of a galaxy with the outline of its selected pixels; segments, SNR, noise of the sky, registration."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap

from plots.style import (
    CONTOUR_COLOUR,
    FLUX_LABEL,
    NO_TICKS,
    PALETTE,
    TITLE,
    Picture,
    arcsec_axes,
    colour_bar,
    compass,
    figure_with_grid,
    galaxy_name,
    grey_image,
    outline,
    scale_bar,
    square_around,
)

COLUMNS = (6, 7, 8)  # the one with the fewest empty cells is used
NAMED = 30  # smallest number of pixels of other segments with labels, so that users can add them
ELSEWHERE, MEMBER = "0.75", PALETTE[0]
HIGH_SNR = 10.0  # upper end of the SNR scale without a threshold
SIDE, ACROSS, DOWN = 2.016, 0.084, 0.27  # inches: width of an image, and room between columns and rows
NOISE, REGISTRATION = 3.15, 1.45  # inches, for the panels of the noise and of the registration
SHIFT_SHOWN = 0.3  # pixels: smallest range of the scale of shifts
TITLE_LETTERS = 17  # per inch of a small title
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
    cutout, mask = result.cutout, result.mask
    n_panels = len(cutout.bands) + 2
    n_columns = min(n_panels, min(COLUMNS, key=lambda number: -n_panels % number))
    neighbours = ", ".join(map(str, cutout.members[1:])) or "none"
    title = f"{galaxy_name(cutout)}: {mask.sum()} pixels selected; neighbours included: {neighbours}"
    heights = [SIDE * mask.shape[0] / mask.shape[1]] * -(-n_panels // n_columns)
    below = 0.0 if cutout.noise is None else NOISE + (cutout.registration is not None) * REGISTRATION
    room = {"left": 0.042, "right": 0.042, "bottom": 0.45 + below, "top": 0.6, "across": ACROSS, "down": DOWN}
    figure, grid = figure_with_grid([SIDE] * n_columns, heights, title, **room)
    draw_bands(figure.add_subplot(grid[:, :]), cutout, mask, grid)
    segments, snr = (figure.add_subplot(grid[number], **NO_TICKS) for number in (n_panels - 2, n_panels - 1))
    draw_segments(segments, cutout)
    segments.add_collection(outline(mask, colors="black", linewidths=0.7))
    if mask.any():
        arcsec_axes(segments, cutout.wcs, square_around(mask)[0], left=False, size=7)
    scale_bar(segments, cutout.wcs)
    compass(segments, cutout.wcs)
    draw_snr(snr, result)
    snr.add_collection(outline(mask, colors=CONTOUR_COLOUR, linewidths=0.7))
    if cutout.noise is not None:
        draw_sky(figure, cutout)
    return figure


def draw_bands(ax, cutout, mask, grid):
    """Draw every band in a cell of the grid, with the outline of the mask, all in one `Axes` in units of pixels.

    An `Axes` for each band would be slow.
    """
    ny, nx = mask.shape
    per_inch = nx / SIDE
    right, up = nx + ACROSS * per_inch, ny + DOWN * per_inch  # from one cell to the next
    line = outline(mask).get_segments()
    for number, (band, image) in enumerate(zip(cutout.bands, cutout.sci, strict=True)):
        row, column = divmod(number, grid.ncols)
        x, y = column * right, (grid.nrows - 1 - row) * up  # of the lower left corner
        grey_image(ax, image, extent=(x, x + nx, y, y + ny))
        moved = [part + np.array([x + 0.5, y + 0.5]) for part in line]  # pixel centres are at 0, 1, ...
        ax.add_collection(LineCollection(moved, colors=CONTOUR_COLOUR, linewidths=0.7))
        words = band.upper() if np.isfinite(image).any() else f"{band.upper()} (no data)"
        ax.text(x + nx / 2, y + ny + 0.04 * per_inch, words, size=8, ha="center")
    ax.set(xlim=(0, (grid.ncols - 1) * right + nx), ylim=(0, (grid.nrows - 1) * up + ny))
    ax.axis("off")


def draw_segments(ax, cutout):
    """Draw the segmentation map with the ids of sources."""
    kind = np.where(np.isin(cutout.segmap, cutout.members), 2, (cutout.segmap > 0).astype(int))
    colours = ListedColormap(["white", ELSEWHERE, MEMBER])
    ax.imshow(kind, origin="lower", interpolation="none", cmap=colours, vmin=0, vmax=2)
    for source, size in zip(*np.unique(cutout.segmap[cutout.segmap > 0], return_counts=True), strict=True):
        rows, cols = np.nonzero(cutout.segmap == source)
        if size >= NAMED or source in cutout.members:
            ax.text(cols.mean(), rows.mean(), str(source), size=7, ha="center", va="center", clip_on=True)
    ax.set_title("segments (blue: selected from)", **TITLE)


def draw_snr(ax, result):
    """Draw the median SNR over the bands, with a colour bar."""
    brightest = 3 * result.snr_thresh if result.snr_thresh > 0 else HIGH_SNR
    drawn = ax.imshow(result.snr, origin="lower", interpolation="nearest", cmap="cividis", vmin=0, vmax=brightest)
    besides = "".join(f", {band.upper()} > {least:g}" for band, least in (result.snr_bands or {}).items())
    ax.set_title(f"median SNR (line: > {result.snr_thresh:g}{besides})", **TITLE)
    colour_bar(drawn, (0, -0.09, 1, 0.06))


def draw_sky(figure, cutout):
    """Draw the noise of the sky, and the registration below it if it was measured."""
    width, height = figure.get_size_inches()
    low = 0.75 if cutout.registration is None else 0.75 + REGISTRATION  # inches
    left, right = 0.75 / width, 0.62
    lowest = noise = figure.add_axes((left, low / height, right - left, 2.1 / height))
    draw_noise(noise, cutout)
    draw_correlation(figure.add_axes((0.69, low / height, 0.3, 2.1 / height)), cutout)
    if cutout.registration is not None:
        lowest = figure.add_axes((left, 0.75 / height, right - left, 1.1 / height), sharex=noise)
        draw_registration(lowest, cutout)
        noise.tick_params(labelbottom=False)
    lowest.set_xlim(-0.7, len(cutout.bands) - 0.3)
    lowest.set_xticks(range(len(cutout.bands)), [band.upper() for band in cutout.bands], rotation=90, size=7)


def draw_noise(ax, cutout):
    """Draw the stated errors, the scatter of the sky, and the background of each band."""
    noise, place = cutout.noise, np.arange(len(cutout.bands))
    ax.plot(
        place, noise.scatter / noise.scale, marker="_", ms=11, mew=1.6, ls="none", color=STATED, label="stated error"
    )
    ax.plot(place, noise.scatter, marker="o", ms=4.5, ls="none", color=MEASURED, label="scatter of the sky")
    background = {"fmt": "x", "ms": 4.5, "elinewidth": 0.8, "color": BACKGROUND, "label": "|background| of the sky"}
    ax.errorbar(place, np.abs(noise.background), noise.background_err, **background)
    ax.set_yscale("log")
    ax.minorticks_off()
    known = np.concatenate([noise.scatter[noise.known], (noise.scatter / noise.scale)[noise.known]])
    if known.size:
        ax.set_ylim(known.min() / 100, known.max() * 5)
    for x, scale in zip(place, noise.scale, strict=True):
        text = f"{scale:.2g}" if np.isfinite(scale) else "no\nsky"
        ax.text(x, 0.985, text, size=6.5, ha="center", va="top", transform=ax.get_xaxis_transform())
    ax.tick_params(axis="y", labelsize=7)
    ax.set_ylabel(FLUX_LABEL, size=8)
    title = "noise of a pixel; the numbers are scatter of the sky / stated error"
    room = round(TITLE_LETTERS * ax.get_position().width * ax.figure.get_figwidth())
    ax.set_title("\n".join([title, *textwrap.wrap(cutout.photon_note, room)]), **TITLE)
    ax.legend(loc="lower right", fontsize=7, ncols=3, framealpha=0.9, borderpad=0.3, handletextpad=0.3, columnspacing=1)


def draw_registration(ax, cutout):
    """Draw the shift of each band with its error; corrected bands are filled."""
    registration, place = cutout.registration, np.arange(len(cutout.bands))
    moved = registration.to_correct
    for axis, (along, aside, colour) in enumerate((("rows", -0.13, MEASURED), ("columns", 0.13, STATED))):
        shift, error = registration.shift[:, axis], registration.error[:, axis]
        style = {"fmt": "o", "ms": 4, "elinewidth": 0.8, "color": colour}
        ax.errorbar(place[moved] + aside, shift[moved], error[moved], **style, label=f"along {along}")
        ax.errorbar(place[~moved] + aside, shift[~moved], error[~moved], **style, mfc="white")
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    largest = max(np.abs(registration.shift[moved]).max(initial=0), SHIFT_SHOWN) * 1.15
    ax.set_ylim(-largest, largest)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_ylabel("shift [pixels]", size=8)
    title = "registration: shift of each band against the others (filled: corrected)"
    ax.set_title(title, **TITLE, loc="left")
    above = {"loc": "lower right", "bbox_to_anchor": (1.005, 0.97), "frameon": False}
    ax.legend(**above, fontsize=7, ncols=2, borderpad=0.3, handletextpad=0.3, columnspacing=1)


def draw_correlation(ax, cutout):
    """Draw the correlation function of the noise; bands from blue to red."""
    noise = cutout.noise
    colours = colormaps["cividis"](np.linspace(0, 0.95, len(cutout.bands)))
    for correlation, colour in zip(noise.correlation, colours, strict=True):
        ax.plot(correlation, color=colour, lw=0.8)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    areas = noise.area[noise.known]
    if areas.size:
        words = f"correlated over {areas.min():.0f} to {areas.max():.0f} pixels\n(dark: blue bands, bright: red)"
        ax.text(0.97, 0.95, words, size=7, ha="right", va="top", transform=ax.transAxes)
    ax.set(xlim=(0, noise.correlation.shape[1] - 1), ylim=(-0.3, 1.05))
    ax.locator_params(nbins=5)
    ax.tick_params(labelsize=7)
    ax.set_xlabel("distance [pixels]", size=8)
    ax.set_title("correlation of the noise of two pixels", **TITLE)


GALAXY_PICTURES = {
    "overview": Picture(
        overview,
        "every band, the segments, what was selected, the noise of the sky beside the stated errors, and registration",
    )
}
