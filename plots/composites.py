"""Composite SEDs of a run: for each cluster its pixels, composite and population, and the similarity of its members."""

from itertools import pairwise

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from plots.style import (
    FLUX_LABEL,
    NO_TICKS,
    Picture,
    cluster_colours,
    figure_with_grid,
    grey_image,
    label_image,
    plain_numbers,
    spread_labels,
    square_around,
    wavelength_axis,
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
CLUSTERS_SHOWN = 30  # the largest clusters, to limit the size of the page
SIGNIFICANT, PALE = 2, 0.3  # sigma, below which fluxes are drawn with that opacity
WIDTHS, TALL = (1.7, 4.9, 1.86), 1.82  # inches: widths of pixels, SEDs and similarities, and height of a row
DOWN = 0.18  # inches between rows
MOST_LETTERS = 28  # of the name of a region, to fit beside its picture
HIGHEST = 1.45  # inches of the highest bar of a histogram, below the text
HEADER, FOOTER = 0.9, 0.52  # inches, for names of features and of bands
BESIDE = 1.012  # factor in wavelength by which populations are offset from composites
COMPOSITE = {"color": "black", "marker": "o", "ms": 3.5, "mew": 0, "zorder": 5}
POPULATION = {"mec": "0.2", "mew": 0.6, "marker": "D", "ms": 4.5, "zorder": 4}


def composites_page(result):
    """Draw the composites of one run, a row for each cluster.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `seds`, `composites`, `populations`, `small` and `title` are drawn.
        Pixels are shown on the reddest band; rest-frame wavelengths and features if the redshift is known.

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
    room = {"left": 0.45, "right": 0.16, "across": 0.715, "down": DOWN}
    room |= {"bottom": FOOTER + 0.5, "top": 0.75 + (HEADER + 0.35 if rest_frame else 0)}
    figure, grid = figure_with_grid(WIDTHS, [TALL] * n_clusters, title, **room)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, 1 - 0.36 / figure.get_figheight()), "borderpad": 0}
    figure.legend(handles=keys(result.populations is not None), ncols=4, frameon=False, fontsize=8, **below)
    draw_pixels(figure.add_subplot(grid[:, 0]), result, n_clusters)
    features = features_within(result.seds.edges / 1e4, redshift)
    places = [[(place, 0), (place, 1)] for of_one in features.values() for place in of_one]
    dashed = {"colors": "0.7", "linewidths": 0.7, "linestyles": "--", "zorder": 0}
    highest = seds = figure.add_subplot(grid[0, 1])
    wavelength_axis(highest, result.seds.edges / 1e4)
    for k in range(n_clusters):
        if k:
            seds = figure.add_subplot(grid[k, 1], sharex=highest)
        seds.xaxis.set_visible(k == n_clusters - 1)  # ticks in each row would take a tenth of the time
        seds.tick_params(labelbottom=False)
        draw_seds(seds, result, k)
        seds.add_collection(LineCollection(places, transform=seds.get_xaxis_transform(), **dashed), autolim=False)
    draw_similarities(figure.add_subplot(grid[:, 2]), result, n_clusters)

    # Names of bands are below the lowest panel and names of features above the highest, inside of the axes' labels.
    spread_labels(seds, result.seds.wavelengths / 1e4, [band.upper() for band in result.seds.bands], -FOOTER / TALL)
    name_far_axis(seds.secondary_xaxis(-FOOTER / TALL), "observed wavelength [µm]")
    if rest_frame:
        to_rest = 1 / (1 + redshift)
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
    """Legend entries of the SEDs."""
    named = [
        Line2D([], [], ls="none", **COMPOSITE, label="composite of the members"),
        Line2D([], [], ls="none", **COMPOSITE, alpha=PALE, label=f"less than {SIGNIFICANT}σ"),
        Patch(color="0.75", label="68% of the members, scaled"),
    ]
    words = "population, unmixed, scaled to the composite"
    population = Line2D([], [], ls="none", **POPULATION, color="0.6", label=words)
    return [*named, population] if with_populations else named


def features_within(edges, redshift):
    """Observed wavelengths in micron of the FEATURES that a band covers; none without a redshift."""
    observed = {name: np.array(rest) * (1 + redshift) / 1e4 for name, rest in FEATURES.items()}
    return {name: at for name, at in observed.items() if edges.min() < at.min() and at.max() < edges.max()}


def bottoms(n_clusters):
    """Lower edges of the rows of clusters in inches above the lowest row; the first cluster is at the top."""
    return (TALL + DOWN) * np.arange(n_clusters - 1, -1, -1)


def in_rows(ax, xlim, n_clusters):
    """Set the y axis to inches over all rows; an `Axes` for each row would be slow."""
    ax.set(xlim=xlim, ylim=(0, bottoms(n_clusters)[0] + TALL))
    ax.spines[:].set_visible(False)


def draw_pixels(ax, result, n_clusters):
    """Draw the members of each cluster on the reddest band."""
    labels, (middle, half) = result.labels, square_around(result.labels)
    first = np.clip(np.round(middle - half).astype(int), 0, None)
    rows, cols = (slice(start, round(centre + half) + 1) for start, centre in zip(first, middle, strict=True))
    band, shown = result.cutout.sci[-1][rows, cols], labels[rows, cols]
    side = WIDTHS[0] / max(shown.shape)  # inches for each pixel
    for k, low in enumerate(bottoms(n_clusters)):
        extent = (0, side * shown.shape[1], low, low + side * shown.shape[0])
        grey_image(ax, band, extent)
        own = label_image(np.where(shown == k + 1, shown, 0), result.regions, 0.8)
        ax.imshow(own, origin="lower", interpolation="none", extent=extent)
        n_members = np.sum(result.composites.labels == k + 1)
        size = f"{n_members} pixel" if n_members == 1 else f"{n_members} pixels"
        size += ", below the PSF" if result.small[k] else ""
        style = {"rotation": 90, "ha": "right", "va": "center", "ma": "center"}
        named = [name for name in result.clustering.names[k : k + 1] if name != str(k + 1)]
        name = ", ".join([f"cluster {k + 1}", *named])
        ax.text(-0.05, low + TALL / 2, f"{name[:MOST_LETTERS]}\n{size}", size=9, **style)
    ax.set(**NO_TICKS)
    in_rows(ax, (0, WIDTHS[0]), n_clusters)


def draw_seds(ax, result, k):
    """Draw composite `k` over the range of its members, and its population beside it."""
    composites, populations, colour = result.composites, result.populations, cluster_colours(result.regions)[k]
    microns, edges = result.seds.wavelengths / 1e4, result.seds.edges / 1e4
    flux, error, low, high = (
        values[k] for values in (composites.flux, composites.error, composites.low, composites.high)
    )
    ax.vlines(microns, low, high, color=colour, alpha=0.4, lw=7, zorder=1)
    # No lines between overlapping bands, which would show noise as a feature, nor across a band without data.
    by_wavelength = pairwise(np.argsort(microns, kind="stable"))
    joined = [(i, j) for i, j in by_wavelength if edges[i, 1] < edges[j, 0] and np.isfinite(flux[i] + flux[j])]
    lines = [[(microns[i], flux[i]), (microns[j], flux[j])] for i, j in joined]
    ax.add_collection(LineCollection(lines, colors="0.55", linewidths=0.6, zorder=2))
    draw_points(ax, microns, flux, error, np.abs(edges.T - microns), **COMPOSITE)
    bottom, top = limits(flux, error, low, high)
    if populations is not None:
        # Populations are scaled to the composites, to compare shapes.
        amplitude = best_amplitude(populations.flux[k], flux, error)
        population, its_error = amplitude * populations.flux[k], amplitude * populations.error[k]
        draw_points(ax, microns * BESIDE, population, its_error, color=colour, **POPULATION)
        lowest, highest = limits(population, its_error, population, population)
        bottom, top = min(bottom, lowest), max(top, highest)
    ax.set_ylim(bottom, top)
    ax.axhline(0, color="0.6", lw=0.6, zorder=0)
    ax.locator_params(axis="y", nbins=4)
    ax.tick_params(labelsize=8)
    ax.set_ylabel(FLUX_LABEL, size=8)


def best_amplitude(model, flux, error):
    """Least-squares scale factor of a model to fluxes with errors; 1 if it is not positive."""
    known = np.isfinite(model + flux + error) & (error > 0)
    model, flux, weight = model[known], flux[known], error[known] ** -2.0
    product = np.sum(weight * model * flux)
    return product / np.sum(weight * model**2) if product > 0 else 1.0


def draw_points(ax, microns, flux, error, widths=None, **style):
    """Draw fluxes with errors and band widths, pale below SIGNIFICANT sigma."""
    strong = significant(flux, error)
    style |= {"ls": "none", "elinewidth": 0.8}
    for which, opacity in ((strong, 1), (~strong, PALE)):
        if which.any():
            xerr = None if widths is None else widths[:, which]
            ax.errorbar(microns[which], flux[which], error[which], xerr, alpha=opacity, **style)


def significant(flux, error):
    """Whether each flux is at least SIGNIFICANT sigma."""
    return ~(np.abs(flux) < SIGNIFICANT * error)


def limits(flux, error, low, high):
    """Range of fluxes to show: zero, all significant fluxes, and the members unless their range is extreme."""
    shown = np.isfinite(flux) & significant(flux, error)
    shown = shown if shown.any() else np.isfinite(flux)
    flux, reach = flux[shown], np.fmax(error, (high - low) / 2)[shown]
    reach = 1.2 * np.minimum(reach, 3 * np.median(reach)) if reach.size else reach
    bottom, top = np.min(flux - reach, initial=0), np.max(flux + reach, initial=0)
    margin = 0.05 * (top - bottom) or 1
    return bottom - margin, top + margin


def draw_similarities(ax, result, n_clusters):
    """Draw a histogram of the similarities to the composite for each cluster, their median and 2.3rd percentile."""
    composites, colours = result.composites, cluster_colours(result.regions)
    lowest = np.nanmin(composites.similarity, initial=0.9)
    bins = np.linspace(np.floor(lowest * 20) / 20, 1, 25)
    rows, most = bottoms(n_clusters), []
    for k, low in enumerate(rows):
        counts, _ = np.histogram(composites.similarity[composites.labels == k + 1], bins=bins)
        most.append(counts.max())
        ax.stairs(low + HIGHEST * counts / max(counts.max(), 1), bins, baseline=low, fill=True, color=colours[k])
        median, exceeded = composites.similarity_median[k], composites.similarity_2sigma[k]
        ax.vlines([median, exceeded], low, low + HIGHEST, colors="black", linewidths=1, linestyles=["-", "--"])
        words = f"— median {median:.3f}\n-- 2σ {exceeded:.3f}"
        ax.text(bins[0], low + TALL, words, size=7, va="top")
    left, right = 2 * bins[0] - bins[1], 2 * bins[-1] - bins[-2]
    ax.hlines(rows, left, right, colors="black", linewidths=0.8)
    ax.vlines(np.full(n_clusters, left), rows, rows + HIGHEST, colors="black", linewidths=0.8)
    ticks = np.column_stack([rows, rows + HIGHEST * (np.array(most) > 0)]).ravel()
    ax.set_yticks(ticks, [name for number in most for name in (0, number)], size=8)
    ax.locator_params(axis="x", nbins=4)
    ax.tick_params(labelsize=8)
    ax.set_ylabel("pixels", size=8)
    ax.set_xlabel("similarity to composite, 1 − $b_{12}$", size=9)
    in_rows(ax, (left, right), n_clusters)


RUN_PICTURES = {"composites": Picture(composites_page, "pixels, member SEDs, composite and similarity of each cluster")}
