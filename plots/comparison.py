"""All runs of one galaxy side by side: how far they agree, and of each its label map and its composite SEDs."""

from textwrap import fill

import numpy as np

from plots.panel import Panel, page_of
from plots.picture import Picture
from plots.style import (
    cluster_colours,
    colour_image,
    galaxy_name,
    in_rest_frame,
    label_image,
    new_figure,
    probability_bar,
    quick_ticks,
    round_ticks,
    scale_bar,
    segments,
    wavelength_axis,
    zoom,
)

COLUMNS = 4
# In inches: a map is a square, below it are its SEDs; titles stand above, and labels of axes below and to the left.
MAP, SEDS, TITLE, MAP_TO_SEDS, BELOW, BESIDE, RIM = 2.6, 1.5, 0.62, 0.1, 0.5, 0.5, 0.25
HEAD, ROW = TITLE + MAP + BELOW / 2, TITLE + MAP + MAP_TO_SEDS + SEDS + BELOW
TOP = 0.2  # added to what is kept free for titles, of which those of the images that come first are one line
TITLE_WIDTH = 50  # letters in a line
UNSELECTED = "0.93"
FIGURES_A_LINE = 3  # of quality


def comparison(result):
    """Draw the comparison page.

    Above are the galaxy and, of more than one run, what they have in common; below is a map for each run, with its
    composite SEDs. A colour is the same region on every map.

    Parameters
    ----------
    result : GalaxyResult
        Of which `cutout`, `panels`, `wavelengths`, `edges` and `agreement` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no run ended well.
    """
    cutout, panels = result.cutout, result.panels
    if not panels:
        return None
    n_head = COLUMNS if len(panels) > 1 else 1
    n_rows = -(-(n_head + len(panels)) // COLUMNS)
    width = min(COLUMNS, n_head + len(panels)) * (BESIDE + MAP) + RIM
    height = TOP + (HEAD + (n_rows - 1) * ROW if len(panels) > 1 else ROW)
    figure = new_figure(width, height)
    page = page_of(figure)
    figure.suptitle(f"{galaxy_name(cutout)}: all runs", size=12, y=1 - 0.1 / height, va="top")

    def place(cell, panel_height=MAP, below=0.0, **options):
        """Panel in a cell, `below` inches under the top of its map."""
        row, column = divmod(cell, COLUMNS)
        top = height - TOP - TITLE - below - (row > 0) * HEAD - max(row - 1, 0) * ROW
        left = column * (BESIDE + MAP) + BESIDE
        return Panel(page, (left, top - panel_height, MAP, panel_height), **options)

    selected = panels[0].labels
    image = place(0)
    image.imshow(colour_image(cutout, selected != 0))
    zoom(image, selected)
    scale_bar(image, cutout.wcs)
    image.set_title("three-colour image")
    if len(panels) > 1:
        draw_map(place(1, facecolor=UNSELECTED), result.agreement.region, "most frequent region")
        draw_share(place(2, facecolor=UNSELECTED), result.agreement)
        draw_agreement(place(3, frame=False), result.agreement.rand_index)

    microns, wavelength_label = in_rest_frame(result.wavelengths, cutout.redshift)
    for cell, panel in enumerate(panels, start=n_head):
        ax = place(cell, facecolor=UNSELECTED)
        title = f"{cell - n_head + 1}: {panel.title}".replace(" cluster", "\u00a0cluster")  # stays with its number
        draw_map(ax, panel.labels, "", panel.regions)
        ax.set_title(fill(title, TITLE_WIDTH), pad=21 if panel.judged else 3)
        where = {"transform": ax.transAxes, "ha": "center", "va": "bottom", "linespacing": 1.1}
        ax.text(0.5, 1.01, in_lines(panel.judged), **where, size=6.5, color="0.3")
        ax = place(cell, SEDS, MAP + MAP_TO_SEDS, logarithmic=True)
        draw_composites(ax, microns, result.edges, panel)
        ax.set_xlabel(wavelength_label, size=7)
        if cell % COLUMNS == 0 or cell == n_head:
            ax.set_ylabel("flux / mean", size=7)
    return figure


def draw_map(ax, labels, title, regions=None):
    """Draw a label map in the colours of its regions."""
    ax.imshow(label_image(labels, regions), interpolation="none")
    zoom(ax, labels)
    ax.set_title(title)


def draw_share(ax, agreement):
    """Draw the share of the runs that put each pixel into its most frequent region."""
    ax.imshow(agreement.share, interpolation="none", cmap="cividis", vmin=0, vmax=1)
    zoom(ax, agreement.region)
    ax.set_title(f"share of the runs with that region (median {np.nanmedian(agreement.share):.2f})")
    probability_bar(ax, [0.05, 0.02, 0.4, 0.03])


def draw_agreement(ax, rand_index):
    """Draw the adjusted Rand index of each pair of runs, in hundredths, as a triangle of numbers."""
    n_runs = len(rand_index)
    rows, columns = np.tril_indices(n_runs, -1)
    shown = np.full(rand_index.shape, np.nan)
    shown[rows, columns] = rand_index[rows, columns]
    ax.set(xlim=(-0.5, n_runs - 1.5), ylim=(n_runs - 0.5, 0.5))
    ax.imshow(shown, cmap="cividis", vmin=0, vmax=1, interpolation="none")
    size = min(8, 0.45 * 72 * MAP / n_runs)
    for row, column in zip(rows, columns, strict=True):
        value = rand_index[row, column]
        colour = "black" if value > 0.5 else "white"
        ax.text(column, row, f"{round(100 * value)}", size=size, color=colour, ha="center", va="center")
    names = [str(number) for number in range(1, n_runs + 1)]
    style = {"size": min(7, 1.6 * size), "length": 0}
    quick_ticks(ax, "bottom", range(n_runs - 1), names[:-1], **style)
    quick_ticks(ax, "left", range(1, n_runs), names[1:], **style)
    ax.set_title("adjusted Rand index of each pair of runs × 100")


def draw_composites(ax, microns, edges, panel):
    """Draw composite SEDs with their errors, scaled to a mean of 1, so that only shapes differ.

    Lines are faint where two neighbouring bands overlap in wavelength: both see much the same light, and a step between
    them is of the instruments or the noise rather than of the spectrum.
    """
    segments(ax, [[(0, 0), (1, 0)]], colors="0.6", linewidths=0.6, zorder=0, transform=ax.get_yaxis_transform())
    wavelength_axis(ax, microns, size=7)
    n_clusters, n_bands = panel.composites.shape
    if not n_clusters:
        ax.set(ylim=(-0.1, 2))
        round_ticks(ax, "left", 5, size=7)
        ax.text(0.5, 0.5, "no cluster", transform=ax.transAxes, ha="center", size=8)
        return
    mean = np.nanmean(panel.composites, axis=1, keepdims=True)
    flux, error = panel.composites / mean, panel.errors / abs(mean)
    order = np.argsort(microns)
    points = np.stack([np.broadcast_to(microns, flux.shape), flux], axis=-1)[:, order]
    between = np.stack([points[:, :-1], points[:, 1:]], axis=2)
    overlap = edges[order][:-1, 1] > edges[order][1:, 0]
    bars = np.stack([points, points], axis=2)
    bars[..., 1] += np.array([-1, 1]) * error[:, order, None]
    colours = cluster_colours(panel.regions)
    for lines, style in (
        (between[:, ~overlap], {"linewidths": 0.7}),
        (between[:, overlap], {"linewidths": 0.5, "alpha": 0.4}),
        (bars, {"linewidths": 0.8}),
    ):
        each = np.repeat(colours, lines.shape[1], axis=0)
        segments(ax, lines.reshape(-1, 2, 2), colors=each, **style)
    ax.scatter(*points.reshape(-1, 2).T, s=5, c=np.repeat(colours, n_bands, axis=0), linewidths=0)
    low, high = min(np.nanmin(flux), 0), np.nanmax(flux)
    ax.set(ylim=(low - 0.08 * (high - low), high + 0.08 * (high - low)))
    round_ticks(ax, "left", 5, size=7)


def in_lines(words):
    """Words with commas between, FIGURES_A_LINE in a line."""
    lines = [", ".join(words[start : start + FIGURES_A_LINE]) for start in range(0, len(words), FIGURES_A_LINE)]
    return ",\n".join(lines)


GALAXY_PICTURES = {
    "comparison": Picture(comparison, "all runs side by side: how far they agree, and their quality", among_few=True)
}
