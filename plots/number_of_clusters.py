"""What each criterion says about the number of clusters, and which number was taken."""

from textwrap import fill

import numpy as np

from plots.picture import Picture
from plots.style import PALETTE, grid, new_figure, quick_ticks, round_ticks

COLUMNS = 3
STEEP = 50  # a score that falls this many times deeper than it does beside its peak is drawn on a logarithmic scale
MOST_DECADES = 4  # with a label on a logarithmic scale
KEY = (
    "ring: chosen by this criterion; dotted line: taken; bars: standard error of the difference to the ring; "
    "grey: numbers that the criterion cannot tell apart from the ring's"
)


def number_of_clusters_page(result):
    """Draw the scores of each criterion against the number of clusters.

    Bars are the standard errors of the differences to the score of the chosen number; numbers from the lowest to the
    highest that cannot be told apart from it are shaded.

    Parameters
    ----------
    result : RunResult
        Of which `clustering.scores`, `clustering.k_choice`, `clustering.k_notes` and `title` are drawn.

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
    width = 3.1 * n_columns + 0.5
    notes = [fill(note, int(14 * width)) for note in result.clustering.k_notes]
    key = fill(KEY, int(18 * width))
    words = "\n".join([f"{result.title}\n{k_choice} chose {in_words(scores[k_choice])}", *notes])
    top, bottom = 0.6 + 0.16 * words.count("\n"), 0.65 + 0.12 * key.count("\n")  # inches
    height = 2.5 * n_rows + top + bottom - 0.5
    figure = new_figure(width, height)
    axes = grid(figure, len(scores), n_columns)
    edges = {"left": 0.85 / width, "right": 1 - 0.15 / width, "bottom": bottom / height, "top": 1 - top / height}
    figure.subplots_adjust(**edges, wspace=0.38, hspace=0.5)
    figure.suptitle(words, size=9, y=1 - 0.1 / height, va="top")
    figure.text(0.5, 0.07 / height, key, size=7, ha="center", va="bottom", color="0.3")
    for ax, (name, each) in zip(axes, scores.items(), strict=True):
        draw_scores(ax, each)
        ax.axvline(scores[k_choice].chosen, color="0.6", lw=1.5, ls=":", zorder=0.5)
        ax.set_title(f"{name}: {each.chosen}", size=9, weight="bold" if name == k_choice else "normal", y=1)
    return figure


def in_words(scores):
    """The chosen number, and those that cannot be told apart from it."""
    low, high = scores.k_range
    if low == high:
        return f"{scores.chosen}"
    return f"{scores.chosen}; {low} {'and' if high == low + 1 else 'to'} {high} cannot be told apart"


def draw_scores(ax, scores):
    """Draw one curve with its choice marked; logarithmic below the peak where it is steep."""
    values, chosen, meaning = scores.values, scores.chosen, scores.meaning
    ks = np.arange(1, len(values) + 1)
    known = np.isfinite(values)
    depth = np.max(values[known], initial=-np.inf) - values
    positive = np.sort(depth[known & (depth > 0)])
    linear = max(positive[0], 1) if len(positive) else 1  # a difference of 1 is none that a logarithm should stretch
    if len(positive) > 1 and positive[-1] > STEEP * linear:
        values, meaning = -depth, f"{meaning},\nless the highest"
        decades = np.arange(np.floor(np.log10(linear)), np.log10(positive[-1]))
        linear = 10 ** decades[0]  # linear down to the first label
        ax.set_yscale("symlog", linthresh=linear, linscale=1)
        ax.set_yticks(np.append(0, -(10 ** decades[:: -(-len(decades) // MOST_DECADES)])))
        ax.minorticks_off()
        ax.set_ylim(-2 * positive[-1], linear / 2)
    low, high = scores.k_range
    if low < high:
        ax.axvspan(low - 0.3, high + 0.3, color="0.9", lw=0, zorder=0)
    ax.plot(ks[known], values[known], marker="o", ms=3.5, lw=1, color=PALETTE[0])
    if scores.error is not None:
        bars = known & (scores.error > 0)
        ends = (values - scores.error)[bars], (values + scores.error)[bars]
        ax.vlines(ks[bars], *ends, colors=PALETTE[0], linewidths=1)
    if known.any() and known[chosen - 1]:
        ax.plot(chosen, values[chosen - 1], marker="o", ms=9, mfc="none", mec=PALETTE[1], mew=1.6, ls="none")
    ax.set_xlim(0.5, len(ks) + 0.5)
    quick_ticks(ax, "bottom", ks, size=7)
    if ax.get_yscale() == "linear":
        round_ticks(ax, "left", 6, size=7)
    ax.tick_params(axis="y", labelsize=7)
    ax.set_xlabel("number of clusters", size=8)
    ax.set_ylabel(meaning, size=7)


RUN_PICTURES = {
    "number_of_clusters": Picture(number_of_clusters_page, "what each criterion says of every number; what was taken")
}
