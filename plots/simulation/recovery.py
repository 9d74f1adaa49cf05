"""What methods recover of simulated galaxies: matrix of scores, scores against the number of clusters, maps."""

from itertools import product

import numpy as np

from plots.style import PALETTE, bare, grid, label_image, new_figure, wavelength_axis

MAPS_A_PAGE = 6  # galaxies
REFERENCES = {"true SEDs": ("black", "--"), "chance": ("0.5", ":")}


def score_matrix(means, methods, norms, metrics, name="ari", title="all selected pixels"):
    """Draw the mean score of every norm (row) and metric (column), a panel for each method.

    Parameters
    ----------
    means : Table
        From `recovery.mean_scores`; rows of other methods than those drawn are named in the title.
    methods, norms, metrics : list of str
    name : str
        Column of `means` to draw.
    title : str
        Which pixels it is about.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = 3
    n_rows = -(-len(methods) // n_columns)
    cell = 0.42
    width, height = n_columns * (cell * len(metrics) + 0.35) + 1.4, n_rows * (cell * len(norms) * 0.75 + 0.5) + 1.5
    figure = new_figure(width, height)
    axes = grid(figure, len(methods), n_columns, sharex=True, sharey=True)
    edges = {"left": 0.8 / width, "right": 1 - 0.9 / width, "top": 1 - 0.75 / height, "bottom": 0.95 / height}
    figure.subplots_adjust(**edges, wspace=0.06, hspace=0.16)
    scores = {(row["method"], row["norm"], row["metric"]): row[name] for row in means}
    for ax, method in zip(axes, methods, strict=True):
        values = np.array([[scores.get((method, n, m), np.nan) for m in metrics] for n in norms], dtype=float)
        drawn = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, col), value in np.ndenumerate(values):
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            ax.text(col, row, text, ha="center", va="center", size=6.5, color="white" if value < 0.6 else "black")
        ax.set_title(method, size=9, pad=3)
        ax.set_yticks(range(len(norms)), norms, size=7)
        ax.set_xticks(range(len(metrics)), metrics, size=7, rotation=40, ha="right", rotation_mode="anchor")
        ax.tick_params(length=0)
    # Chance is a hair below zero as often as above, which is not worth a minus sign.
    others = [row for row in means if row["method"] not in methods]
    references = ", ".join(f"{row['method']} {abs(row[name]):.2f}" for row in others)
    figure.suptitle(f"mean adjusted Rand index, {title} ({references})", size=10, y=1 - 0.12 / height, va="top")
    bar = figure.add_axes([1 - 0.75 / width, edges["bottom"], 0.15 / width, edges["top"] - edges["bottom"]])
    figure.colorbar(drawn, cax=bar, label="ARI")
    figure.text(
        0.5, 0.08 / height, "norm down, metric across; – where they have no meaning together", ha="center", size=8
    )
    return figure


def criteria_matrix(chosen, methods, criteria):
    """Draw the mean score of each method (row) where each criterion (column) chose the number of clusters.

    Parameters
    ----------
    chosen : Table
        From `recovery.chosen_scores`, of one suite.
    methods, criteria : list of str

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = {(row["method"], row["criterion"]): row for row in chosen}
    methods = [method for method in methods if any((method, criterion) in rows for criterion in criteria)]
    width, height = 1.0 * len(criteria) + 1.9, 0.42 * len(methods) + 0.95
    figure = new_figure(width, height)
    ax = figure.subplots()
    figure.subplots_adjust(left=1.6 / width, right=1 - 0.1 / width, top=1 - 0.8 / height, bottom=0.1 / height)
    values = np.full((len(methods), len(criteria)), np.nan)
    for (i, method), (j, criterion) in product(enumerate(methods), enumerate(criteria)):
        if (method, criterion) in rows:
            row = rows[method, criterion]
            values[i, j] = row["ari"]
            text = f"{row['ari']:.2f} / {row['ari_core']:.2f}\n{row['n_within_1']} of {row['n_galaxies']}"
            ax.text(j, i, text, ha="center", va="center", size=6.5, color="white" if row["ari"] < 0.45 else "black")
    ax.imshow(values, cmap="cividis", vmin=0, vmax=0.8, aspect="auto")
    ax.set_xticks(range(len(criteria)), criteria, size=8)
    ax.set_yticks(range(len(methods)), methods, size=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    title = "mean adjusted Rand index, all / core pixels,\nand galaxies with the true number found, or one more or less"
    figure.suptitle(title, size=9, y=1 - 0.08 / height, va="top")
    return figure


def number_curves(curves, steps, means):
    """Draw mean ARI of each method against the number of clusters asked for.

    Parameters
    ----------
    curves : dict
        method -> ndarray of shape (len(steps),).
    steps : list of int
        Number asked for, less the true number.
    means : Table
        For the reference lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure = new_figure(7, 4.5)
    ax = figure.subplots()
    figure.subplots_adjust(left=0.1, right=0.72, bottom=0.13, top=0.93)
    for (method, values), colour in zip(curves.items(), PALETTE, strict=False):
        ax.plot(steps, values, marker="o", ms=4, color=colour, label=method)
    for name, (colour, style) in REFERENCES.items():
        ax.axhline(means["ari"][means["method"] == name][0], color=colour, ls=style, label=name)
    ax.set_xlabel("number of clusters asked for, less the true number")
    ax.set_ylabel("mean adjusted Rand index")
    ax.set_title("each method's own norm and metric", size=10)
    figure.legend(loc="center right", frameon=False, fontsize=8)
    return figure


def truth_and_maps(maps, most=MAPS_A_PAGE):
    """Draw truth and recovered maps side by side, a row for each of a few galaxies.

    Parameters
    ----------
    maps : list of (name, dict)
        Galaxy, and label images by column title, the truth first.
    most : int
        Rows; of more galaxies than this, some are shown, evenly spread.

    Returns
    -------
    matplotlib.figure.Figure
    """
    numbers = np.linspace(0, len(maps) - 1, min(most, len(maps))).astype(int)
    shown = [maps[number] for number in numbers]
    columns = list(shown[0][1])
    width, height = 1.6 * len(columns) + 0.75, 1.75 * len(shown) + 0.4
    figure = new_figure(width, height)
    axes = figure.subplots(len(shown), len(columns), squeeze=False)
    figure.subplots_adjust(left=0.7 / width, right=0.995, bottom=0.01, top=1 - 0.35 / height, wspace=0.04, hspace=0.06)
    for number, (row, (name, images)) in enumerate(zip(axes, shown, strict=True)):
        for ax, column in zip(row, columns, strict=True):
            ax.set_facecolor("0.93")
            ax.imshow(label_image(match_colours(images[column], images["truth"])), origin="lower", interpolation="none")
            bare(ax, column if number == 0 else "")
        row[0].set_ylabel(name.replace(", ", "\n"), size=6)
    return figure


def match_colours(labels, truth):
    """Number clusters like the region that they share most pixels with, so that colours can be compared."""
    numbered = labels.copy()
    free = list(range(1, max(labels.max(), truth.max()) + 1))
    overlap = {
        (cluster, region): np.sum((labels == cluster) & (truth == region))
        for cluster in range(1, labels.max() + 1)
        for region in free
    }
    waiting = set(range(1, labels.max() + 1))
    for cluster, region in sorted(overlap, key=overlap.get, reverse=True):
        if cluster in waiting and region in free:
            numbered[labels == cluster] = region
            waiting.remove(cluster)
            free.remove(region)
    return numbered


def seds_against_truth(name, wavelengths, panels):
    """Draw composite and population SEDs of a simulated galaxy's clusters over the truth, and their ratios to it.

    Parameters
    ----------
    name : str
        Of the galaxy.
    wavelengths : ndarray of shape (n_bands,)
        Angstrom.
    panels : list of (region, truth, composite, composite_error, population, population_error)
        From `recovery.sed_panels`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns, microns = max(len(panels), 1), wavelengths / 1e4
    width = 3.2 * n_columns + 0.6
    figure = new_figure(width, 4.6)
    axes = figure.subplots(2, n_columns, squeeze=False, sharex=True, sharey="row", height_ratios=[2, 1])
    figure.subplots_adjust(left=0.75 / width, right=0.99, bottom=0.11, top=0.86, hspace=0.06, wspace=0.06)
    figure.suptitle(name, size=10)
    for column, (region, truth, *found) in zip(axes.T, panels, strict=False):
        upper, lower = column
        upper.plot(microns, truth, color="black", lw=1, label="truth")
        for start, kind, colour, shift in ((0, "composite", "0.55", 0.985), (2, "population", PALETTE[1], 1.015)):
            flux, error = found[start], found[start + 1]
            style = {"color": colour, "marker": "o", "ms": 3, "ls": "none", "lw": 0.9, "label": kind}
            upper.errorbar(shift * microns, flux, error, **style)
            lower.errorbar(shift * microns, flux / truth, error / np.abs(truth), **style)
        upper.set_title(f"true region {region}", size=9)
        upper.set_yscale("symlog", linthresh=0.1)
        lower.axhline(1, color="black", lw=1, zorder=0)
        lower.set_ylim(0.4, 1.6)
        wavelength_axis(upper, microns, named=False)
        wavelength_axis(lower, microns, size=7)
        lower.set_xlabel("observed wavelength [µm]", size=8)
        for ax in column:
            ax.tick_params(labelsize=7)
    axes[0, 0].set_ylabel("flux / mean", size=8)
    axes[1, 0].set_ylabel("flux / truth", size=8)
    axes[0, 0].legend(fontsize=7, loc="lower right")
    return figure
