"""Overview of all galaxies of a field: numbers of clusters, their trends, and quality metrics."""

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator

from plots.style import PALETTE, Picture, figure_with_grid, new_figure, plain_numbers

NAMED = len(PALETTE)  # largest number of galaxies with names and own colours
FEW = 60  # largest number of galaxies drawn one by one
ROW = 0.27  # inches, height of a run
NAMES = 2.0  # inches, width of the names of runs
LIGHT = "#9fbfe6"
FAULTS = [PALETTE[n] for n in (2, 1, 4, 5, 7)]
COLUMNS = 30  # of the density of many galaxies
WIDE = 10  # ratio of the largest to the smallest value above which an axis is logarithmic
CROWDED = 200  # the same ratio above which ticks are at powers of ten only


def runs_page(field):
    """Draw the number of clusters and the status of each run, and trends of the number in one run.

    Parameters
    ----------
    field : Field

    Returns
    -------
    matplotlib.figure.Figure
    """
    is_named = len(field.ids) <= NAMED
    width, upper, lower = 11, ROW * len(field.runs), ROW * len(field.ids) if is_named else 2.6
    height = upper + lower + 1.9
    figure = new_figure(width, height)
    top = 1 - 0.6 / height
    place = {"top": top, "bottom": top - upper / height, "left": NAMES / width, "right": 1 - 1.5 / width}
    numbers, outcomes = figure.add_gridspec(1, 2, **place, wspace=0.06, width_ratios=[2.4, 1]).subplots(sharey=True)
    _numbers(numbers, field)
    _outcomes(outcomes, field)
    place = {"top": (0.6 + lower) / height, "bottom": 0.6 / height, "left": 0.65 / width, "right": 1 - 0.75 / width}
    if is_named:
        place["left"] = NAMES / width
        _galaxies(figure.add_gridspec(1, 1 + len(field.trends), **place, wspace=0.12).subplots(sharey=True), field)
        return _titled(figure, field)
    panels = figure.add_gridspec(1, len(field.trends), **place, wspace=0.12).subplots(sharey=True)
    for ax, trend in zip(panels, field.trends, strict=True):
        image = _trend(ax, trend)
    panels[0].set_ylabel("number of clusters", size=9)
    panels[0].yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    many = "shades: galaxies; lines: mean number, and means of the lowest and highest that cannot be told from it"
    few = "bars: to the lowest and highest number that cannot be told from the one chosen"
    panels[0].set_title(f"{field.trend_run}; {few if image is None else many}", size=9, loc="left")
    if image is not None:
        bar = figure.add_axes([1 - 0.65 / width, place["bottom"], 0.13 / width, lower / height])
        figure.colorbar(image, cax=bar, label="galaxies").ax.tick_params(labelsize=8)
        plain_numbers(bar.yaxis)
    return _titled(figure, field)


def _titled(figure, field):
    figure.suptitle(f"{len(field.ids):,} galaxies", size=11, y=1 - 0.1 / figure.get_figheight(), va="top")
    return figure


def _galaxies(axes, field):
    """Draw a row for each galaxy: its number of clusters in one run with its range, and other properties."""
    rows = np.arange(len(field.ids))
    every = field.trends[0]  # with all galaxies of the run
    at = np.searchsorted(field.ids, every.ids)
    bars = np.maximum([every.number - every.low, every.high - every.number], 0)
    axes[0].errorbar(every.number, at, xerr=bars, fmt="o", ms=6, color=PALETTE[0], ecolor="0.5", elinewidth=2)
    axes[0].set_yticks(rows, [f"id {id_dr3}" for id_dr3 in field.ids])
    axes[0].set(ylim=(len(rows) - 0.5, -0.5), xlim=(0.5, every.high.max(initial=2) + 0.5))
    axes[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes[0].set_xlabel("number of clusters", size=9)
    words = "; lines: to the lowest and highest number that cannot be told from it" if bars.any() else ""
    axes[0].set_title(f"{field.trend_run}: number of clusters of each galaxy{words}", size=9, loc="left")
    axes[0].grid(color="0.92", lw=0.6)
    for ax, trend in zip(axes[1:], field.trends, strict=True):
        at = np.searchsorted(field.ids, trend.ids)
        ax.barh(at, trend.x, 0.6, color=LIGHT)
        for row, x in zip(at, trend.x, strict=True):
            ax.text(x, row, f" {x:.3g}" if x < 1000 else f" {x:,.0f}", size=8, va="center")
        ax.set_xlim(0, 1.4 * trend.x.max(initial=0) or 1)
        ax.set_xlabel(trend.label, size=9)
    for ax in axes:
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=8)
        ax.tick_params(axis="y", length=0)


def _numbers(ax, field):
    share = field.numbers / np.maximum(field.numbers.sum(axis=1, keepdims=True), 1)
    ax.imshow(
        np.where(field.numbers > 0, share, np.nan),
        cmap="Blues",
        vmin=0,
        vmax=1.5 * max(share.max(), 0.2),
        aspect="auto",
    )
    for (row, col), number in np.ndenumerate(field.numbers):
        if number:
            ax.text(col, row, f"{number:,}", ha="center", va="center", size=7)
    names = [str(number) for number in range(field.numbers.shape[1])]
    names[-1] += "+" * field.is_last_column_open
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(field.runs)), field.runs)
    ax.tick_params(length=0, labelsize=8)
    ax.set_xlabel("number of clusters", size=9)
    ax.set_title("galaxies with that many clusters", size=9)


def _outcomes(ax, field):
    """Draw the fraction of galaxies with each status for each run."""
    total = np.maximum(sum(field.outcomes.values()), 1)
    greys = iter(np.linspace(0.85, 0.5, max(len(field.expected), 2)).astype(str))
    faults = iter(FAULTS * len(field.outcomes))
    left, rows = np.zeros(len(field.runs)), np.arange(len(field.runs))
    for status, count in field.outcomes.items():
        colour = next(greys) if status in field.expected else next(faults)
        ax.barh(rows, count / total, left=left, height=0.8, color=colour, label=f"{status} ({count.sum():,})")
        left += count / total
    ax.set_xlim(0, 1)
    ax.tick_params(labelleft=False, length=0, labelsize=8)
    ax.set_xlabel("share of the galaxies", size=9)
    ax.set_title("how the run ended", size=9)
    ax.legend(
        fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, title="in all runs", title_fontsize=8
    )


def _trend(ax, trend):
    """Draw the number of clusters against another quantity; return the image of the density of many galaxies."""
    ax.set_xlabel(trend.label, size=9)
    ax.tick_params(labelsize=8)
    if not len(trend.x):
        ax.text(0.5, 0.5, "not known", transform=ax.transAxes, ha="center", size=8)
        return None
    logarithmic = _maybe_logarithmic(ax, trend.x) if trend.label != "redshift" else False
    if len(trend.x) <= FEW:
        bars = np.maximum([trend.number - trend.low, trend.high - trend.number], 0)
        ax.errorbar(trend.x, trend.number, bars, fmt="o", ms=4, color=PALETTE[0], ecolor="0.6", elinewidth=1, capsize=2)
        ax.margins(x=0.1)
        return None
    spaced = np.geomspace if logarithmic else np.linspace
    edges = spaced(trend.x.min(), max(trend.x.max(), trend.x.min() + 1e-6), COLUMNS + 1)
    rows = np.arange(trend.number.min(), trend.number.max() + 2) - 0.5
    *_, image = ax.hist2d(trend.x, trend.number, [edges, rows], cmap="Blues", norm=LogNorm(vmin=1))
    x, number, low, high = trend.means.T
    ax.plot(x, number, color="black", marker="o", ms=3)
    for edge in (low, high):
        ax.plot(x, edge, color="black", ls="--", lw=0.9)
    return image


def quality_page(field):
    """Draw the distributions of the quality metrics over the galaxies of each run.

    Parameters
    ----------
    field : Field

    Returns
    -------
    matplotlib.figure.Figure
    """
    is_named = len(field.ids) <= NAMED
    columns, panel = 4, (1.3 if is_named else 1) * ROW * len(field.runs)
    rows = -(-len(field.quality) // columns)
    drawn = "boxes: 25 to 75%, and the median; lines: 5 to 95%" if _many(field) else "each galaxy is a point"
    words = f"quality metrics of {len(field.ids):,} galaxies; {drawn}"
    room = {"left": NAMES, "right": 0.17, "bottom": 0.3 + 0.3 * is_named, "top": 0.6, "across": 0.25, "down": 0.55}
    figure, grid = figure_with_grid([2.02] * columns, [panel] * rows, words, **room, title_size=10)
    axes = grid.subplots(sharey=True, squeeze=False).ravel()
    for ax, name in zip(axes, field.quality, strict=False):
        _spread(ax, field.quality[name], field.percentiles[name], is_named)
        ax.set_title(name.replace("_", " "), size=9, pad=3)
    for ax in axes[len(field.quality) :]:
        ax.remove()
    axes[0].set_yticks(range(len(field.runs)), field.runs)
    axes[0].set_ylim(len(field.runs) - 0.5, -0.5)
    if is_named:
        keys = [_point(PALETTE[n], label=f"id {id_dr3}") for n, id_dr3 in enumerate(field.ids)]
        figure.legend(handles=keys, loc="lower center", ncols=NAMED, frameon=False, fontsize=8, handletextpad=0.1)
    return figure


def _point(colour, **options):
    return Line2D([], [], ls="none", marker="o", ms=4.5, mew=0, color=colour, **options)


def _many(field):
    return any((np.isfinite(values).sum(axis=1) > FEW).any() for values in field.quality.values())


def _maybe_logarithmic(ax, values):
    """Make the x axis logarithmic if values are positive and have a wide range; return whether it is."""
    wide = values.min() > 0 and values.max() > WIDE * values.min()
    if wide:
        ax.set_xscale("log")
        plain_numbers(ax.xaxis)
        if values.max() > CROWDED * values.min():
            ax.xaxis.set_major_locator(LogLocator())
    return wide


def _spread(ax, values, percentiles, is_named):
    every = values[np.isfinite(values)]
    if len(every) and every.max() > 1:  # the others are fractions
        _maybe_logarithmic(ax, every)
    for row, (points, spread) in enumerate(zip(values, percentiles, strict=True)):
        if is_named:  # one below the other, so that equal values are visible
            at = row + np.linspace(-0.3, 0.3, len(points)) if len(points) > 1 else [row]
            ax.scatter(points, at, 20, color=PALETTE[: len(points)], lw=0, clip_on=False)
            ax.axhline(row + 0.5, color="0.92", lw=0.6)
        elif np.isfinite(points).sum() <= FEW:
            ax.plot(points, np.full(len(points), row), "o", ms=4, mec="none", alpha=0.7, color=PALETTE[0])
        else:
            low, start, middle, end, high = spread
            ax.plot([low, high], [row, row], color="0.4", lw=1)
            ax.barh(row, end - start, 0.6, start, color=LIGHT)
            ax.plot([middle, middle], [row - 0.3, row + 0.3], color="black", lw=1.2)
    ax.tick_params(labelsize=8)
    ax.grid(axis="x", color="0.92", lw=0.6)
    ax.set_axisbelow(True)


FIELD_PICTURES = {
    "runs": Picture(runs_page, "of all galaxies: numbers of clusters, status of the runs, and trends of the number"),
    "quality": Picture(quality_page, "of all galaxies: distributions of the quality metrics of each run"),
}
