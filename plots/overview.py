"""Every band of a galaxy with the outline of its selected pixels; segments, SNR, noise of the sky, registration."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import ListedColormap

from plots.panel import Panel, page_of
from plots.picture import Picture
from plots.style import (
    CONTOUR_COLOUR,
    FLUX_LABEL,
    PALETTE,
    PANEL,
    colour_bar,
    galaxy_name,
    grey_image,
    new_figure,
    outline,
    quick_ticks,
    round_ticks,
    scale_bar,
    segments,
    upright,
)

COLUMNS = (6, 7, 8)  # of these the one that leaves the fewest places empty
NAMED = 30  # pixels of a segment that is not taken in, and yet named, so that it can be
ELSEWHERE, MEMBER = "0.75", PALETTE[0]
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
HIGH_SNR = 10.0  # where the scale of the SNR ends if no threshold says it
ROOM = 0.27  # inches, between rows of panels, for their titles
BELOW = 2.0  # inches, for the panel of the registration
SHIFT_SHOWN = 0.3  # pixels: the scale of shifts reaches at least as far
TITLE_LETTERS = 17  # that fit into an inch of a small title
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
    width, top = n_columns * PANEL, 0.6
    below = 0.0 if cutout.registration is None else BELOW  # room below the panel of the noise
    bottom = 0.45 if cutout.noise is None else 3.6 + below
    side, tall = 0.96 * PANEL, 0.96 * PANEL * mask.shape[0] / mask.shape[1]
    height = n_rows * (tall + ROOM) - ROOM + top + bottom
    figure = new_figure(width, height)
    page = page_of(figure)

    def panel(number):
        row, column = divmod(number, n_columns)
        ax = Panel(page, (column * PANEL + 0.02 * PANEL, height - top - tall - row * (tall + ROOM), side, tall))
        ax.set(xlim=(-0.5, mask.shape[1] - 0.5), ylim=(-0.5, mask.shape[0] - 0.5))
        return ax

    axes = [panel(number) for number in range(n_panels)]
    neighbours = ", ".join(map(str, cutout.members[1:])) or "none"
    title = f"{galaxy_name(cutout)}: {mask.sum()} pixels selected; neighbours taken in: {neighbours}"
    figure.suptitle(title, size=11, y=1 - 0.12 / height, va="top")

    for ax, band, image in zip(axes, cutout.bands, cutout.sci, strict=False):
        grey_image(ax, image)
        ax.set_title(f"{band.upper()}" if np.isfinite(image).any() else f"{band.upper()} (no data)")
    scale_bar(axes[0], cutout.wcs)

    kind = np.where(np.isin(cutout.segmap, cutout.members), 2, (cutout.segmap > 0).astype(int))
    axes[-2].imshow(kind, cmap=ListedColormap(["white", ELSEWHERE, MEMBER]), vmin=0, vmax=2)
    for source, size in zip(*np.unique(cutout.segmap[cutout.segmap > 0], return_counts=True), strict=True):
        rows, cols = np.nonzero(cutout.segmap == source)
        if size >= NAMED or source in cutout.members:
            axes[-2].text(cols.mean(), rows.mean(), str(source), size=7, ha="center", va="center")
    axes[-2].set_title("segments (blue: taken in)")
    brightest = 3 * snr_thresh if snr_thresh > 0 else HIGH_SNR
    axes[-1].imshow(snr, cmap="cividis", vmin=0, vmax=brightest)
    besides = "".join(f", {band.upper()} > {least:g}" for band, least in (result.snr_bands or {}).items())
    axes[-1].set_title(f"median SNR (line: > {snr_thresh:g}{besides})")
    colour_bar(axes[-1].below(0.14, 0.1), "cividis", 0, brightest)

    if mask.any():
        selected = outline(mask)
        for ax in axes:
            segments(ax, selected, colors="black" if ax is axes[-2] else CONTOUR_COLOUR, linewidths=0.7)
    if cutout.noise is not None:
        low, tall, left = (0.75 + below) / height, 2.1 / height, 0.75 / width
        draw_noise(figure.add_axes([left, low, 0.62 - left, tall]), cutout)
        draw_correlation(figure.add_axes([0.69, low, 0.3, tall]), cutout)
        if cutout.registration is not None:
            draw_registration(figure.add_axes([left, 0.75 / height, 0.62 - left, 1.1 / height]), cutout)
    return figure


def draw_noise(ax, cutout):
    """Draw the errors that the weights state, the scatter of the sky, and its background, band by band."""
    noise, place = cutout.noise, np.arange(len(cutout.bands))
    ax.plot(
        place, noise.scatter / noise.scale, marker="_", ms=11, mew=1.6, ls="none", color=STATED, label="stated error"
    )
    ax.plot(place, noise.scatter, marker="o", ms=4.5, ls="none", color=MEASURED, label="scatter of the sky")
    background, error = np.abs(noise.background), noise.background_err
    ax.plot(place, background, marker="x", ms=4.5, ls="none", color=BACKGROUND, label="|background| of the sky")
    segments(ax, upright(place, background - error, background + error), colors=BACKGROUND, linewidths=0.8)
    ax.set_yscale("log")
    known = np.concatenate([noise.scatter[noise.known], (noise.scatter / noise.scale)[noise.known]])
    if known.size:
        ax.set_ylim(known.min() / 100, known.max() * 5)
    for x, scale in zip(place, noise.scale, strict=True):
        text = f"{scale:.2g}" if np.isfinite(scale) else "no\nsky"
        ax.text(x, 0.985, text, size=6.5, ha="center", va="top", transform=ax.get_xaxis_transform())
    name_bands(ax, cutout.bands)
    lowest, highest = np.log10(ax.get_ylim())
    powers = np.arange(np.floor(lowest), np.ceil(highest) + 1)
    quick_ticks(ax, "left", np.outer(10.0**powers, np.arange(2, 10)).ravel(), named=False, length=2)
    quick_ticks(ax, "left", 10.0**powers, ["10" + f"{power:.0f}".translate(SUPERSCRIPTS) for power in powers], size=7)
    ax.set_ylabel(FLUX_LABEL, size=8)
    title = "noise of a pixel; the numbers are scatter of the sky / stated error"
    room = round(TITLE_LETTERS * ax.get_position().width * ax.figure.get_figwidth())
    ax.set_title("\n".join([title, *textwrap.wrap(cutout.photon_note, room)]), size=8, pad=3, y=1)
    ax.legend(loc="lower right", fontsize=7, ncols=3, framealpha=0.9, borderpad=0.3, handletextpad=0.3, columnspacing=1)


def name_bands(ax, bands):
    """Write the names of the bands below an axis that has a band at each whole number."""
    ax.set_xlim(-0.7, len(bands) - 0.3)
    quick_ticks(ax, "bottom", np.arange(len(bands)), named=False)
    for x, band in enumerate(bands):
        below = {"xytext": (0, -6), "textcoords": "offset points", "xycoords": ax.get_xaxis_transform()}
        ax.annotate(band.upper(), (x, 0), **below, size=7, rotation=90, ha="center", va="top")


def draw_registration(ax, cutout):
    """Draw by how much each band lies off the others, with errors; filled where it was moved back."""
    registration = cutout.registration
    moved = registration.to_correct
    for axis, (along, aside, colour) in enumerate((("rows", -0.13, MEASURED), ("columns", 0.13, STATED))):
        place, shift = np.arange(len(moved)) + aside, registration.shift[:, axis]
        error = registration.error[:, axis]
        segments(ax, upright(place, shift - error, shift + error), colors=colour, linewidths=0.8)
        points = {"marker": "o", "ms": 4, "ls": "none", "color": colour}
        ax.plot(place[moved], shift[moved], **points, label=f"along {along}")
        ax.plot(place[~moved], shift[~moved], **points, mfc="white")
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    largest = max(np.abs(registration.shift[moved]).max(initial=0), SHIFT_SHOWN) * 1.15
    ax.set_ylim(-largest, largest)
    round_ticks(ax, "left", 6, size=7)
    name_bands(ax, cutout.bands)
    ax.set_ylabel("shift [pixels]", size=8)
    title = "registration: how far a band lies off the others (filled: it was moved back by that)"
    ax.set_title(title, size=8, pad=3, y=1)
    above = {"loc": "lower right", "bbox_to_anchor": (1.005, 0.97), "frameon": False}
    ax.legend(**above, fontsize=7, ncols=2, borderpad=0.3, handletextpad=0.3, columnspacing=1)


def draw_correlation(ax, cutout):
    """Draw how the noise of two pixels is correlated, by their distance; bands from blue to red."""
    noise = cutout.noise
    colours = colormaps["cividis"](np.linspace(0, 0.95, len(cutout.bands)))
    lines = [np.column_stack([np.arange(len(each)), each]) for each in noise.correlation]
    segments(ax, lines, colors=colours, linewidths=0.8)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    areas = noise.area[noise.known]
    if areas.size:
        words = f"correlated over {areas.min():.0f} to {areas.max():.0f} pixels\n(dark: blue bands, bright: red)"
        ax.text(0.97, 0.95, words, size=7, ha="right", va="top", transform=ax.transAxes)
    ax.set(xlim=(0, noise.correlation.shape[1] - 1), ylim=(-0.3, 1.05))
    round_ticks(ax, "bottom", 8, size=7)
    round_ticks(ax, "left", 8, size=7)
    ax.set_xlabel("distance [pixels]", size=8)
    ax.set_title("correlation of the noise of two pixels", size=8, pad=3, y=1)


GALAXY_PICTURES = {
    "overview": Picture(
        overview,
        "every band, the segments, what was selected, the noise of the sky beside the stated errors, and registration",
    )
}
