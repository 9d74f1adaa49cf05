"""The composite SEDs of a run: for each cluster its pixels, composite and population, and how similar members are."""

from itertools import pairwise

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from plots.picture import Picture
from plots.style import (
    FLUX_LABEL,
    NO_TICKS,
    cluster_colours,
    figure_with_grid,
    grey_image,
    label_image,
    plain_numbers,
    spread_labels,
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
WIDTHS, TALL = (1.7, 4.9, 1.86), 1.82  # inches: of pixels, SEDs and similarities, and the height of all
HEADER, FOOTER = 0.9, 0.52  # inches, for names of features and of bands
BESIDE = 1.012  # factor in wavelength by which populations are moved, not to hide composites
COMPOSITE = {"color": "black", "marker": "o", "ms": 3.5, "mew": 0}
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
    composites, redshift = result.composites, result.cutout.redshift
    n_clusters = min(len(composites.flux), CLUSTERS_SHOWN)
    if not n_clusters:
        return None
    title = result.title if n_clusters == len(composites.flux) else f"{result.title}, the {n_clusters} largest"
    rest_frame = np.isfinite(redshift)
    room = {"left": 0.45, "right": 0.16, "across": 0.715, "down": 0.18}
    room |= {"bottom": FOOTER + 0.5, "top": 0.75 + (HEADER + 0.35 if rest_frame else 0)}
    figure, grid = figure_with_grid(WIDTHS, [TALL] * n_clusters, title, **room)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.36 / figure.get_figheight()), "borderpad": 0}
    figure.legend(handles=keys(result.populations is not None), ncols=4, frameon=False, fontsize=8, **below)
    axes = grid.subplots(sharex="col", squeeze=False)
    wavelength_axis(axes[0, 1], result.seds.edges / 1e4)  # which all of the column share
    features = features_within(result.seds.edges / 1e4, redshift)
    places = [place for of_one in features.values() for place in of_one]
    dashed = {"colors": "0.7", "linewidths": 0.7, "linestyles": "--", "zorder": 0}
    for k, (pixels, seds, similarity) in enumerate(axes):
        draw_pixels(pixels, result, k)
        draw_seds(seds, result, k)
        seds.vlines(places, 0, 1, transform=seds.get_xaxis_transform(), **dashed)
        draw_similarity(similarity, result, k)
    similarity.set_xlabel("similarity to composite, 1 − $b_{12}$", size=9)

    # Names of bands stand below the lowest panel and names of features above the highest; axes lie beyond them.
    spread_labels(seds, result.seds.wavelengths / 1e4, [band.upper() for band in result.seds.bands], -FOOTER / TALL)
    seds.tick_params(labelbottom=False)
    name_far_axis(seds.secondary_xaxis(-FOOTER / TALL), "observed wavelength [µm]")
    if rest_frame:
        highest, to_rest = axes[0, 1], 1 / (1 + redshift)
        spread_labels(highest, [np.mean(of_one) for of_one in features.values()], list(features), HEADER / TALL)
        scales = (lambda observed: observed * to_rest, lambda rest: rest / to_rest)
        name_far_axis(highest.secondary_xaxis(1 + HEADER / TALL, functions=scales), "rest-frame wavelength [µm]")
    return figure


def name_far_axis(axis, label):
    """Label a second axis of wavelengths, and give it plain numbers."""
    plain_numbers(axis.xaxis)
    axis.tick_params(labelsize=8)
    axis.set_xlabel(label, size=9)


def keys(with_populations):
    """What the marks of the SEDs mean, for a legend."""
    named = [
        Line2D([], [], ls="none", **COMPOSITE, label="composite of the members"),
        Line2D([], [], ls="none", **COMPOSITE, alpha=PALE, label=f"less than {SIGNIFICANT}σ"),
        Patch(color="0.75", label="68% of the members, scaled"),
    ]
    population = Line2D([], [], ls="none", **POPULATION, color="0.6", label="population, unmixed")
    return [*named, population] if with_populations else named


def features_within(edges, redshift):
    """Observed wavelengths in micron of the FEATURES that some band can see; none without a redshift."""
    observed = {name: np.array(rest) * (1 + redshift) / 1e4 for name, rest in FEATURES.items()}
    return {name: at for name, at in observed.items() if edges.min() < at.min() and at.max() < edges.max()}


def draw_pixels(ax, result, k):
    """Draw where the members of cluster `k` lie, on the reddest band."""
    labels = result.labels
    ax.set(**NO_TICKS)
    grey_image(ax, result.cutout.sci[-1])
    own = np.where(labels == k + 1, labels, 0)
    ax.imshow(label_image(own, result.regions, 0.8), origin="lower", interpolation="none")
    zoom(ax, labels)
    n_members = np.sum(result.composites.labels == k + 1)
    size = f"{n_members} pixel" if n_members == 1 else f"{n_members} pixels"
    size += ", below the PSF" if result.small[k] else ""
    ax.set_ylabel(f"cluster {k + 1}\n{size}", size=9)


def draw_seds(ax, result, k):
    """Draw composite `k` over the range of its members, and its population beside it."""
    composites, populations, colour = result.composites, result.populations, cluster_colours(result.regions)[k]
    microns, edges = result.seds.wavelengths / 1e4, result.seds.edges / 1e4
    flux, error, low, high = (
        values[k] for values in (composites.flux, composites.error, composites.low, composites.high)
    )
    ax.vlines(microns, low, high, color=colour, alpha=0.4, lw=7, zorder=1)
    known = np.flatnonzero(np.isfinite(flux))
    # Bands that overlap see the same light: a line from one to the other would show noise as a feature.
    joined = [(i, j) for i, j in pairwise(known) if edges[i, 1] < edges[j, 0]]
    lines = [[(microns[i], flux[i]), (microns[j], flux[j])] for i, j in joined]
    ax.add_collection(LineCollection(lines, colors="0.55", linewidths=0.6, zorder=2))
    draw_points(ax, microns, flux, error, np.abs(edges.T - microns), **COMPOSITE)
    bottom, top = limits(flux, error, low, high)
    if populations is not None:
        population, its_error = populations.flux[k], populations.error[k]
        draw_points(ax, microns * BESIDE, population, its_error, color=colour, **POPULATION)
        lowest, highest = limits(population, its_error, population, population)
        bottom, top = min(bottom, lowest), max(top, highest)
    ax.set_ylim(bottom, top)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    ax.locator_params(axis="y", nbins=4)
    ax.tick_params(labelsize=8)
    ax.set_ylabel(FLUX_LABEL, size=8)


def draw_points(ax, microns, flux, error, widths=None, **style):
    """Draw fluxes with their errors and widths of bands, pale where they are less than SIGNIFICANT errors."""
    strong = significant(flux, error)
    style |= {"ls": "none", "elinewidth": 0.8, "zorder": 4}
    for which, opacity in ((strong, 1), (~strong, PALE)):
        if which.any():
            xerr = None if widths is None else widths[:, which]
            ax.errorbar(microns[which], flux[which], error[which], xerr, alpha=opacity, **style)


def significant(flux, error):
    """Whether each flux is at least SIGNIFICANT errors."""
    return ~(np.abs(flux) < SIGNIFICANT * error)


def limits(flux, error, low, high):
    """Range of fluxes to show: zero, every significant flux, and members as far as these are of a usual range."""
    shown = np.isfinite(flux) & significant(flux, error)
    shown = shown if shown.any() else np.isfinite(flux)
    flux, reach = flux[shown], np.fmax(error, (high - low) / 2)[shown]
    reach = 1.2 * np.minimum(reach, 3 * np.median(reach)) if reach.size else reach
    bottom, top = np.min(flux - reach, initial=0), np.max(flux + reach, initial=0)
    margin = 0.05 * (top - bottom) or 1
    return bottom - margin, top + margin


def draw_similarity(ax, result, k):
    """Draw the histogram of similarities to composite `k` with its median and the value that all but 2.3% exceed."""
    composites, colour = result.composites, cluster_colours(result.regions)[k]
    lowest = np.nanmin(composites.similarity, initial=0.9)
    bins = np.linspace(np.floor(lowest * 20) / 20, 1, 25)
    counts, _ = np.histogram(composites.similarity[composites.labels == k + 1], bins=bins)
    ax.stairs(counts, bins, fill=True, color=colour)
    ax.set(xlim=(2 * bins[0] - bins[1], 2 * bins[-1] - bins[-2]), ylim=(0, 1.45 * max(counts.max(), 1)))
    median, low = composites.similarity_median[k], composites.similarity_2sigma[k]
    ax.axvline(median, color="black", lw=1.2)
    ax.axvline(low, color="black", lw=1, ls="--")
    box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
    words = f"— median {median:.3f}\n-- 2σ {low:.3f}"
    ax.text(0.04, 0.95, words, size=7, va="top", transform=ax.transAxes, bbox=box)
    ax.locator_params(nbins=4)
    ax.tick_params(labelsize=8)
    ax.set_ylabel("pixels", size=8)


RUN_PICTURES = {
    "composites": Picture(composites_page, "of each cluster the pixels, member SEDs, composite and similarity")
}
