"""What each criterion says about the number of clusters, and which number was taken."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from plots.picture import Picture
from plots.style import PALETTE, grid, new_figure

COLUMNS = 3
STEEP = 50  # a score that falls this many times deeper than it does beside its peak is drawn on a logarithmic scale


def number_of_clusters_page(result):
    """Draw the scores of each criterion against the number of clusters.

    Parameters
    ----------
    result : RunResult
        Of which `clustering.scores`, `clustering.k_choice` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no criterion chose.
    """
    scores, k_choice = result.clustering.scores, result.clustering.k_choice
    if not scores:
        return None
    n_columns = min(COLUMNS, len(scores))
    n_rows = -(-len(scores) // n_columns)
    width, height = 3.1 * n_columns + 0.5, 2.5 * n_rows + 0.5
    figure = new_figure(width, height)
    axes = grid(figure, len(scores), n_columns)
    edges = {"left": 0.85 / width, "right": 1 - 0.15 / width, "bottom": 0.5 / height, "top": 1 - 0.75 / height}
    figure.subplots_adjust(**edges, wspace=0.38, hspace=0.5)
    taken = scores[k_choice].chosen
    figure.suptitle(f"{result.title}\n{k_choice} chose {taken}", size=10, y=1 - 0.1 / height, va="top")
    for ax, (name, (values, chosen, meaning)) in zip(axes, scores.items(), strict=True):
        draw_scores(ax, values, chosen, meaning)
        ax.axvline(taken, color="0.75", lw=3, zorder=0)
        ax.set_title(f"{name}: {chosen}", size=9, weight="bold" if name == k_choice else "normal")
    return figure


def draw_scores(ax, values, chosen, meaning):
    """Draw one curve with its choice marked; logarithmic below the peak where it is steep."""
    ks = np.arange(1, len(values) + 1)
    known = np.isfinite(values)
    depth = np.max(values[known], initial=-np.inf) - values
    positive = np.sort(depth[known & (depth > 0)])
    linear = max(positive[0], 1) if len(positive) else 1  # a difference of 1 is none that a logarithm should stretch
    if len(positive) > 1 and positive[-1] > STEEP * linear:
        values, meaning = -depth, f"{meaning},\nbelow the highest"
        ax.set_yscale("symlog", linthresh=linear, linscale=1)
    ax.plot(ks[known], values[known], marker="o", ms=3.5, lw=1, color=PALETTE[0])
    if known.any() and known[chosen - 1]:
        ax.plot(chosen, values[chosen - 1], marker="o", ms=9, mfc="none", mec=PALETTE[1], mew=1.6, ls="none")
    ax.set_xlim(0.5, len(ks) + 0.5)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("number of clusters", size=8, labelpad=1)
    ax.set_ylabel(meaning, size=7, labelpad=1)
    ax.tick_params(labelsize=7)


RUN_PICTURES = {
    "number_of_clusters": Picture(number_of_clusters_page, "what each criterion says of every number; what was taken")
}
