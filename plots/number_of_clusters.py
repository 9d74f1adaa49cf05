"""Score of each number of clusters by each criterion, and the number adopted."""

from textwrap import fill

import numpy as np

from plots.style import PALETTE, Picture, figure_with_grid

COLUMNS = 3
STEEP = 50  # ratio of the full range of a score to its change beside the peak, above which the scale is logarithmic
MOST_DECADES = 4  # with a label on a logarithmic scale
KEY = "ring: chosen by this criterion; dotted line: adopted"
BARS_KEY = "; bars: standard error of the difference to the ring"
RANGE_KEY = "; grey: numbers that the criterion cannot tell apart from the ring's"


def number_of_clusters_page(result):
    """Draw the scores of each criterion against the number of clusters.

    Bars are standard errors of the difference from the score of the chosen number; the range of numbers within a
    standard error of it is shaded.

    Parameters
    ----------
    result : RunResult
        Of which `clustering.scores`, `clustering.k_choice`, `clustering.k_notes` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None if no criterion was evaluated, or only the number of the recommended method was taken, whose own page has
        its scores.
    """
    scores, k_choice = result.clustering.scores, result.clustering.k_choice
    if set(scores) <= {"recommended"}:
        return None
    n_columns = min(COLUMNS, len(scores))
    n_rows = -(-len(scores) // n_columns)
    notes = [fill(note, 45 * n_columns) for note in result.clustering.k_notes]
    key = fill(key_of(scores.values()), 58 * n_columns)
    title = fill(result.title, 45 * n_columns)
    words = "\n".join([f"{title}\n{k_choice} chose {scores[k_choice].chosen}", *notes])
    room = {"left": 0.85, "right": 0.15, "across": 0.9, "down": 0.83}
    room |= {"bottom": 0.65 + 0.12 * key.count("\n"), "top": 0.6 + 0.16 * words.count("\n")}
    figure, grid = figure_with_grid([2.35] * n_columns, [2.0] * n_rows, words, **room, title_size=9)
    figure.text(0.5, 0.07 / figure.get_figheight(), key, size=7, ha="center", va="bottom", color="0.3")
    axes = [figure.add_subplot(grid[number]) for number in range(len(scores))]
    for ax, (name, each) in zip(axes, scores.items(), strict=True):
        draw_scores(ax, each)
        ax.axvline(scores[k_choice].chosen, color="0.6", lw=1.5, ls=":", zorder=0.5)
        ax.set_title(f"{name}: {each.chosen}", size=9, weight="bold" if name == k_choice else "normal", y=1)
    return figure


def key_of(scores):
    """Legend of the marks on the page."""
    bars = BARS_KEY if any(has_bars(each).any() for each in scores) else ""
    return KEY + bars + (RANGE_KEY if any(low < high for low, high in (each.k_range for each in scores)) else "")


def has_bars(scores):
    """Whether the score of each number of clusters has an error to be drawn, bool, (n_numbers,)."""
    return np.isfinite(scores.values) & (0 if scores.error is None else scores.error > 0)


def draw_scores(ax, scores):
    """Draw one curve and mark its choice; a steep curve is logarithmic below the peak."""
    values, chosen, meaning = scores.values, scores.chosen, scores.meaning
    ks = np.arange(1, len(values) + 1)
    known = np.isfinite(values)
    depth = np.max(values[known], initial=-np.inf) - values
    positive = np.sort(depth[known & (depth > 0)])
    linear = max(positive[0], 1) if len(positive) else 1  # differences below 1 are drawn linearly
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
    bars = has_bars(scores)
    if bars.any():
        ax.errorbar(ks[bars], values[bars], scores.error[bars], fmt="none", elinewidth=1, ecolor=PALETTE[0])
    if known.any() and known[chosen - 1]:
        ax.plot(chosen, values[chosen - 1], marker="o", ms=9, mfc="none", mec=PALETTE[1], mew=1.6, ls="none")
    ax.set_xlim(0.5, len(ks) + 0.5)
    ax.set_xticks(ks)
    ax.tick_params(labelsize=7)
    ax.set_xlabel("number of clusters", size=8)
    ax.set_ylabel(meaning, size=7)


RUN_PICTURES = {
    "number_of_clusters": Picture(
        number_of_clusters_page,
        "score of every number of clusters by each criterion, and the number adopted; none of a run that only took the "
        "number of the recommended method",
    )
}
