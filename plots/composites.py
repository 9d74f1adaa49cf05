"""The composite SEDs of a run: for each cluster its pixels, composite and population, and how similar members are."""

from itertools import pairwise

import numpy as np
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, StepPatch

from plots.panel import Panel, page_of
from plots.picture import Picture
from plots.style import (
    FLUX_LABEL,
    cluster_colours,
    far_axis,
    grey_image,
    label_image,
    new_figure,
    round_ticks,
    segments,
    spread_labels,
    upright,
    wavelength_axis,
    zoom,
)

# Rest-frame features that stand out in broad bands, vacuum, Angstrom: hydrogen from the NIST Atomic Spectra Database
# (Kramida et al.), forbidden lines from the Atomic Line List (van Hoof 2018), breaks at the limits of the series.
FEATURES = {
    "Lyman break": (912,),
    "Lyα": (1216,),
    "Balmer break": (3647,),
    "[OII]": (3728,),
    "Hβ, [OIII]": (4863, 5008),
    "Hα": (6565,),
    "[SIII]": (9071, 9533),
    "Paβ": (12822,),
    "Paα": (18756,),
}
CLUSTERS_SHOWN = 30  # the largest: nobody reads a page of more
SIGNIFICANT, PALE = 2, 0.3  # a flux of fewer errors than this is drawn with that opacity
ROW_HEIGHT, TALL = 2.0, 1.82  # inches, with the room between rows and without
LEFT, WIDTHS = (0.45, 2.85, 8.48), (1.7, 4.9, 1.86)  # inches: of pixels, SEDs and similarities
HEADER, FOOTER = 0.85, 0.52  # inches, for names of features and of bands
BESIDE = 1.012  # factor in wavelength by which populations are moved, not to hide composites
BARS = {"linewidths": 0.9, "zorder": 4}
COMPOSITE = {"color": "black", "marker": "o", "ms": 3.5}
POPULATION = {"mec": "0.2", "mew": 0.6, "marker": "D", "ms": 4.5}


def composites_page(result):
    """Draw the composites of one run, a row for each cluster.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `seds`, `composites`, `populations`, `small` and `title` are drawn.
        Pixels are shown on the reddest band; rest-frame wavelengths and features where the redshift is known.

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
    rest_frame = np.isfinite(cutout.redshift)
    top, bottom = 0.75 + (HEADER + 0.35 if rest_frame else 0), FOOTER + 0.5
    height = ROW_HEIGHT * (n_clusters - 1) + TALL + top + bottom
    figure = new_figure(10.5, height)
    page = page_of(figure)
    figure.suptitle(title, size=11, y=1 - 0.12 / height, va="top")
    figure.legend(
        handles=keys(result.populations is not None),
        loc="upper center",
        bbox_to_anchor=(0.5, 1 - 0.36 / height),
        ncols=4,
        frameon=False,
        fontsize=8,
        borderpad=0,
        columnspacing=2,
    )
    lowest = np.nanmin(composites.similarity, initial=0.9)
    bins = np.linspace(np.floor(lowest * 20) / 20, 1, 25)

    microns, edges = seds.wavelengths / 1e4, seds.edges / 1e4
    marks, first = features_within(edges, cutout.redshift), None
    places = np.array([place for feature in marks.values() for place in feature])
    for k, colour in enumerate(cluster_colours(result.regions[:n_clusters])):
        low = bottom + (n_clusters - 1 - k) * ROW_HEIGHT
        pixels = Panel(page, (LEFT[0], low + (TALL - WIDTHS[0]) / 2, WIDTHS[0], WIDTHS[0]))
        seds_panel = Panel(page, (LEFT[1], low, WIDTHS[1], TALL), logarithmic=True)
        histogram = Panel(page, (LEFT[2], low, WIDTHS[2], TALL))
        first = first or seds_panel
        n_members = np.sum(composites.labels == k + 1)
        zoom(pixels, labels)
        grey_image(pixels, cutout.sci[-1])
        own = np.where(labels == k + 1, labels, 0)
        pixels.imshow(label_image(own, result.regions, 0.8), interpolation="none")
        size = f"{n_members} pixel" if n_members == 1 else f"{n_members} pixels"
        size += ", below the PSF" if result.small[k] else ""
        pixels.set_ylabel(f"cluster {k + 1}\n{size}", size=9)
        wavelength_axis(seds_panel, edges, named=False)
        draw_seds(seds_panel, microns, edges, composites, result.populations, k, colour)
        style = {"colors": "0.7", "linewidths": 0.7, "linestyles": "--", "zorder": 0}
        lines = upright(places, 0 * places, 1 + 0 * places)
        segments(seds_panel, lines, transform=seds_panel.get_xaxis_transform(), **style)
        draw_similarity(histogram, composites, k, bins, colour, last=k == n_clusters - 1)
    histogram.set_xlabel("similarity to composite, 1 − $b_{12}$", size=9)

    spread_labels(seds_panel, microns, [band.upper() for band in seds.bands], -FOOTER / TALL)
    far_axis(seds_panel, -FOOTER / TALL, 1, "observed wavelength [µm]")
    if rest_frame:
        spread_labels(first, [np.mean(feature) for feature in marks.values()], list(marks), HEADER / TALL)
        far_axis(first, 1 + HEADER / TALL, 1 + cutout.redshift, "rest-frame wavelength [µm]")
    return figure


def keys(with_populations):
    """What the marks of the SEDs mean, for a legend."""
    named = [
        Line2D([], [], ls="none", **COMPOSITE, label="composite of the members"),
        Line2D([], [], ls="none", **COMPOSITE, alpha=PALE, label=f"less than {SIGNIFICANT}σ"),
        Patch(color="0.75", label="68% of the members, scaled"),
    ]
    population = Line2D([], [], ls="none", **POPULATION, color="0.6", label="population, taken out of the blends")
    return [*named, population] if with_populations else named


def features_within(edges, redshift):
    """Observed wavelengths in micron of the FEATURES that some band can see; none without a redshift."""
    observed = {name: np.array(rest) * (1 + redshift) / 1e4 for name, rest in FEATURES.items()}
    return {name: at for name, at in observed.items() if edges.min() < at.min() and at.max() < edges.max()}


def draw_seds(ax, microns, edges, composites, populations, k, colour):
    """Draw composite `k` over the range of its members, and its population beside it."""
    flux, error, low, high = (
        values[k] for values in (composites.flux, composites.error, composites.low, composites.high)
    )
    segments(ax, upright(microns, low, high), colors=colour, alpha=0.4, linewidths=7, zorder=1)
    known = np.flatnonzero(np.isfinite(flux))
    # Bands that overlap see the same light: a line from one to the other would show noise as a feature.
    joined = [(i, j) for i, j in pairwise(known) if edges[i, 1] < edges[j, 0]]
    segments(
        ax, [[(microns[i], flux[i]), (microns[j], flux[j])] for i, j in joined], colors="0.55", linewidths=0.6, zorder=2
    )
    widths = np.stack([edges, np.stack([flux, flux], axis=1)], axis=2)
    segments(ax, widths, colors=[(0, 0, 0, alpha) for alpha in visible(flux, error)], linewidths=0.7, zorder=3)
    draw_points(ax, microns, flux, error, **COMPOSITE)
    bottom, top = limits(flux, error, low, high)
    if populations is not None:
        population, its_error = populations.flux[k], populations.error[k]
        draw_points(ax, microns * BESIDE, population, its_error, color=colour, **POPULATION)
        lowest, highest = limits(population, its_error, population, population)
        bottom, top = min(bottom, lowest), max(top, highest)
    ax.set(ylim=(bottom, top))
    segments(ax, [[(0, 0), (1, 0)]], colors="0.6", linewidths=0.6, zorder=0, transform=ax.get_yaxis_transform())
    round_ticks(ax, "left")
    ax.set_ylabel(FLUX_LABEL, size=8)


def draw_points(ax, microns, flux, error, *, color, marker, ms, mec="none", mew=0):
    """Draw fluxes with their errors, pale where they are less than SIGNIFICANT errors."""
    opacity = visible(flux, error)
    colours, edges = ([to_rgba(each, alpha) for alpha in opacity] for each in (color, mec))
    bars = upright(microns, flux - error, flux + error)
    segments(ax, bars, colors=colours, **BARS)
    style = {"marker": marker, "c": colours, "edgecolors": edges, "linewidths": mew}
    ax.scatter(microns, flux, s=ms**2, zorder=BARS["zorder"], **style)


def visible(flux, error):
    """Opacity of each flux."""
    return np.where(np.abs(flux) < SIGNIFICANT * error, PALE, 1.0)


def limits(flux, error, low, high):
    """Range of fluxes to show: zero, every significant flux, and members as far as these are of a usual range."""
    shown = np.isfinite(flux) & (visible(flux, error) == 1)
    shown = shown if shown.any() else np.isfinite(flux)
    flux, reach = flux[shown], np.fmax(error, (high - low) / 2)[shown]
    reach = 1.2 * np.minimum(reach, 3 * np.median(reach)) if reach.size else reach
    bottom, top = np.min(flux - reach, initial=0), np.max(flux + reach, initial=0)
    margin = 0.05 * (top - bottom) or 1
    return bottom - margin, top + margin


def draw_similarity(ax, composites, k, bins, colour, last):
    """Draw the histogram of similarities to composite `k` with its median and the value that all but 2.3% exceed."""
    median, low = composites.similarity_median[k], composites.similarity_2sigma[k]
    counts, _ = np.histogram(composites.similarity[composites.labels == k + 1], bins=bins)
    ax.add_artist(StepPatch(counts, bins, facecolor=colour, edgecolor="none"))
    ax.set(xlim=(2 * bins[0] - bins[1], 2 * bins[-1] - bins[-2]), ylim=(0, 1.45 * max(counts.max(), 1)))
    lines = [[(median, 0), (median, 1)], [(low, 0), (low, 1)]]
    style = {"colors": "black", "linewidths": (1.2, 1), "linestyles": ["-", "--"]}
    segments(ax, lines, transform=ax.get_xaxis_transform(), **style)
    words = f"— median {median:.3f}\n-- 2σ {low:.3f}"
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
    ax.text(0.04, 0.95, words, size=7, ha="left", va="top", transform=ax.transAxes, bbox=box)
    round_ticks(ax, "bottom", named=last)
    round_ticks(ax, "left")
    ax.set_ylabel("pixels", size=8)


RUN_PICTURES = {
    "composites": Picture(composites_page, "of each cluster the pixels, member SEDs, composite and similarity")
}
