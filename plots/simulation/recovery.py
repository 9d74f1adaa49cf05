"""Recovery of simulated galaxies: matrices of scores, scores against the number of clusters, maps."""

from itertools import product

import numpy as np

from plots.style import NO_TICKS, PALETTE, figure_with_grid, label_image, match_colours, wavelength_axis

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
        Description of the pixels.

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_columns = 3
    widths, heights = [0.42 * len(metrics)] * n_columns, [0.315 * len(norms)] * -(-len(methods) // n_columns)
    # No minus sign of rounded zeros.
    others = [row for row in means if row["method"] not in methods]
    references = ", ".join(f"{row['method']} {abs(row[name]):.2f}" for row in others)
    words = f"mean adjusted Rand index, {title} ({references})"
    room = {"left": 0.8, "right": 0.9, "bottom": 0.95, "top": 0.75, "across": 0.15, "down": 0.3}
    figure, grid = figure_with_grid(widths, heights, words, **room, title_size=10)
    axes = grid.subplots(sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(methods) :]:
        ax.remove()
    scores = {(row["method"], row["norm"], row["metric"]): row[name] for row in means}
    for ax, method in zip(axes, methods, strict=False):
        values = np.array([[scores.get((method, n, m), np.nan) for m in metrics] for n in norms], dtype=float)
        drawn = ax.imshow(values, cmap="cividis", vmin=0, vmax=1, aspect="auto")
        for (row, col), value in np.ndenumerate(values):
            text = f"{value:.2f}" if np.isfinite(value) else "–"
            ax.text(col, row, text, ha="center", va="center", size=6.5, color="white" if value < 0.6 else "black")
        ax.set_title(method, size=9, pad=3)
        ax.set_yticks(range(len(norms)), norms, size=7)
        ax.set_xticks(range(len(metrics)), metrics, size=7, rotation=40, ha="right", rotation_mode="anchor")
        ax.tick_params(length=0)
    bottoms, tops, _, rights = grid.get_grid_positions(figure)
    bar = figure.add_axes((rights[-1] + 0.02, bottoms[-1], 0.02, tops[0] - bottoms[-1]))
    figure.colorbar(drawn, cax=bar, label="ARI")
    words = "norm down, metric across; – where they have no meaning together"
    figure.text(0.5, 0.08 / figure.get_figheight(), words, ha="center", size=8)
    return figure


def criteria_matrix(chosen, methods, criteria):
    """Draw the mean score of each method (row) with the number of clusters chosen by each criterion (column).

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
    words = "mean adjusted Rand index, all / core pixels,\nand galaxies with the true number found, or one more or less"
    room = {"left": 1.6, "right": 0.3, "bottom": 0.1, "top": 0.85}
    figure, grid = figure_with_grid([len(criteria)], [0.42 * len(methods)], words, **room, title_size=9)
    ax = figure.add_subplot(grid[0])
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
    return figure


def number_curves(curves, steps, means):
    """Draw the mean ARI of each method against the given number of clusters.

    Parameters
    ----------
    curves : dict
        method -> ndarray of shape (len(steps),).
    steps : list of int
        Given number minus the true number.
    means : Table
        For the reference lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, grid = figure_with_grid([4.35], [3.6], left=0.7, right=1.95, bottom=0.6, top=0.3)
    ax = figure.add_subplot(grid[0])
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
        Largest number of rows; from more galaxies, an evenly distributed subset is shown.

    Returns
    -------
    matplotlib.figure.Figure
    """
    numbers = np.linspace(0, len(maps) - 1, min(most, len(maps))).astype(int)
    shown = [maps[number] for number in numbers]
    columns = list(shown[0][1])
    room = {"left": 0.7, "right": 0.05, "bottom": 0.03, "top": 0.35, "across": 0.06, "down": 0.1}
    figure, grid = figure_with_grid([1.54] * len(columns), [1.65] * len(shown), **room)
    axes = grid.subplots(squeeze=False, subplot_kw={"facecolor": "0.93"} | NO_TICKS)
    for number, (row, (name, images)) in enumerate(zip(axes, shown, strict=True)):
        for ax, column in zip(row, columns, strict=True):
            ax.imshow(label_image(match_colours(images[column], images["truth"])), origin="lower", interpolation="none")
            ax.set_title(column if number == 0 else "", size=8, pad=3)
        row[0].set_ylabel(name.replace(", ", "\n"), size=6)
    return figure


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
    room = {"left": 0.75, "right": 0.1, "bottom": 0.51, "top": 0.64, "across": 0.18, "down": 0.14}
    figure, grid = figure_with_grid([2.95] * n_columns, [2.2, 1.1], name, **room, title_size=10)
    axes = grid.subplots(squeeze=False, sharex=True, sharey="row")
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
        wavelength_axis(lower, microns)
        lower.set_xlabel("observed wavelength [µm]", size=8)
        for ax in column:
            ax.tick_params(labelsize=7)
    axes[0, 0].set_ylabel("flux / mean", size=8)
    axes[1, 0].set_ylabel("flux / truth", size=8)
    axes[0, 0].legend(fontsize=7, loc="lower right")
    return figure
