"""The part of the page below the panels: comparison of the runs, quality, number of clusters, features and fits."""

import numpy as np
from bokeh.layouts import column
from bokeh.models import (
    CategoricalAxis,
    CategoricalScale,
    ColumnDataSource,
    FactorRange,
    ImageRGBA,
    Legend,
    LegendItem,
    LinearColorMapper,
    MultiLine,
    Range1d,
    Rect,
    Scatter,
    Text,
)
from bokeh.palettes import Cividis256
from matplotlib.colors import to_hex

from plots.explorer.dark import TEXT, chart, heading, panel, table, words
from plots.explorer.sources import pixel_image
from plots.style import PALETTE

SMALL = 160  # screen pixels of a small map
CELL = 46  # screen pixels, of a cell of the matrix
LOWEST = -2.6  # lower end of the axis of criteria, in the unit of `curves_of`


def runs_below(view, parts):
    """Draw the part below the panels.

    Parameters
    ----------
    view : GalaxyView
    parts : dict
        From `maps`; variables of these panels are added to `args`.

    Returns
    -------
    list
        Models from top to bottom; empty without runs.
    """
    every = ColumnDataSource(curves_of(view.runs), name="criteria")
    shown = ColumnDataSource({name: [] for name in every.data}, name="curves")
    rings = ColumnDataSource({"x": [], "y": []}, name="chosen")
    results = words("", name="results")
    number = words("", name="number_words", width=560)
    parts["args"] |= {"criteria": every, "curves": shown, "rings": rings, "results": results, "number_words": number}
    parts["args"]["result_words"] = [results_of(run) for run in view.runs]
    parts["args"]["choices"] = [choice_of(run) for run in view.runs]
    if not view.runs:
        return []
    beside = [] if view.agreement is None else [matrix(view)]
    most = max((len(values) for run in view.runs for values, _ in run.criteria.values()), default=0)
    curves = [column(number, curves_panel(shown, rings, most))] if most else []
    return [
        *beside_each_other(view, parts["ranges"]),
        [*beside, *curves],
        heading("Quality of the runs"),
        words(table(quality_of(view.runs)), name="quality"),
        heading("Features and fits of the run shown"),
        results,
    ]


def beside_each_other(view, ranges):
    """Small maps of several runs, and of the consensus regions, with the zoom of the large maps."""
    if len(view.runs) < 2:
        return [heading("Number of clusters")]
    maps = [(f"{n}: {run.title}", run.labels, run.regions) for n, run in enumerate(view.runs, start=1)]
    if view.consensus is not None:
        maps.append(("most frequent region", view.consensus, None))
    titles = [title.replace(", ", ",\n").replace(" (", "\n(") for title, *_ in maps]
    most = max(title.count("\n") for title in titles)
    plots = []
    for title, (_, labels, regions) in zip(titles, maps, strict=True):
        title += "\n " * (most - title.count("\n"))  # so that the panels of a row are aligned
        made = panel(title=title, x_range=ranges[0], y_range=ranges[1], frame_width=SMALL, frame_height=SMALL)
        made.background_fill_color, made.min_border, made.title.text_font_size = "#000000", 2, "11px"
        image, (x, y) = pixel_image(view.rows, view.cols, labels, regions)
        place = {"x": float(x) - 0.5, "y": float(y) - 0.5, "dw": image.shape[1], "dh": image.shape[0]}
        made.add_glyph(ColumnDataSource({"image": [image]}), ImageRGBA(image="image", **place))
        plots.append(made)
    return [heading("Runs side by side: one colour is one region"), plots]


def matrix(view):
    """Matrix of the adjusted Rand index of each pair of runs."""
    n_runs = len(view.runs)
    names = [f"{n}: {run.name}" for n, run in enumerate(view.runs, start=1)]
    numbers = [str(n) for n in range(1, n_runs + 1)]
    ranges = {"x_range": FactorRange(factors=numbers), "y_range": FactorRange(factors=names[::-1])}
    scales = {"x_scale": CategoricalScale(), "y_scale": CategoricalScale()}
    made = panel(name="agreement", frame_width=CELL * n_runs, frame_height=CELL * n_runs, **ranges, **scales)
    made.add_layout(CategoricalAxis(), "above")
    made.add_layout(CategoricalAxis(), "left")
    at = [(x, y) for y in range(n_runs) for x in range(n_runs)]
    values = [float(view.agreement[y, x]) for x, y in at]
    source = ColumnDataSource(
        {
            "x": [numbers[x] for x, _ in at],
            "y": [names[y] for _, y in at],
            "value": values,
            "text": [f"{value:z.2f}" for value in values],
            "ink": ["black" if value > 0.6 else "white" for value in values],
        },
        name="rand_index",
    )
    colours = {"field": "value", "transform": LinearColorMapper(Cividis256, low=0, high=1)}
    made.add_glyph(source, Rect(width=0.96, height=0.96, fill_color=colours, line_color=None))
    centred = {"text_align": "center", "text_baseline": "middle", "text_font_size": "12px"}
    made.add_glyph(source, Text(text_color="ink", **centred))
    return column(
        words("agreement: adjusted Rand index, 1 the same, about 0 by chance", width=CELL * n_runs + 170), made
    )


def curves_panel(shown, rings, most):
    """The criteria of the run shown against the number of clusters, from 1 to `most`."""
    ranges = {"x_range": Range1d(0.5, most + 0.5), "y_range": Range1d(LOWEST, 0.3)}
    labels = "number of clusters", "score less the highest / median difference"
    made = chart(*labels, name="curves_panel", width=560, height=330, **ranges)
    made.below[0].ticker = list(range(1, most + 1))
    made.add_glyph(shown, MultiLine(xs="bar_xs", ys="bar_ys", line_color="colour", line_alpha=0.6))
    lines = made.add_glyph(shown, MultiLine(xs="xs", ys="ys", line_color="colour", line_width=2))
    made.add_glyph(rings, Scatter(size=13, fill_color=None, line_color=TEXT, line_width=2))
    items = [LegendItem(label={"field": "name"}, renderers=[lines])]
    made.add_layout(Legend(items=items, orientation="horizontal", spacing=12, padding=2, margin=0), "above")
    return made


def curves_of(runs):
    """Columns of data with a row for each criterion of each run.

    Scores are relative to the highest one, in units of the median difference, so that criteria of different units
    share an axis.
    """
    columns = {name: [] for name in ("run", "name", "colour", "xs", "ys", "bar_xs", "bar_ys", "chosen")}
    colours = {}
    for run in runs:
        for name, (values, error) in run.criteria.items():
            known = np.isfinite(values)
            if not known.any():
                continue
            numbers = np.arange(1, len(values) + 1)[known]
            depth = values[known] - values[known].max()
            scale = np.median(-depth[depth < 0]) if (depth < 0).any() else 1.0
            ends = np.nan_to_num(error[known] / scale)
            bars = np.stack([depth / scale - ends, depth / scale + ends, np.full(len(depth), np.nan)], axis=1)
            colour = colours.setdefault(name, to_hex(PALETTE[len(colours) % len(PALETTE)]))
            each = run.name, name, colour, numbers, depth / scale, np.repeat(numbers, 3), bars.ravel()
            for column_, value in zip(columns, (*each, int(numbers[np.argmax(depth)])), strict=True):
                columns[column_].append(value.tolist() if isinstance(value, np.ndarray) else value)
    return columns


def choice_of(run):
    """Text on how the number of clusters of a run was chosen."""
    how, low, high = run.number
    between = f"; {low} to {high} cannot be told apart" if high > low else ""
    return f"{len(run.regions)} clusters, chosen by: {how}{between}. Bars are errors of the difference to the best."


def quality_of(runs):
    """Columns of a table with a row for each quality metric and a column for each run."""
    columns = {"figure": ["clusters", "pixels in none", *(runs[0].quality if runs else ())]}
    for number, run in enumerate(runs, start=1):
        counts = [str(len(run.regions)), str(int(np.sum(run.labels == -1)))]
        columns[f"{number}: {run.name}"] = counts + list(run.quality.values())
    return columns


def transposed(columns):
    """The transposed table, because there are more quantities than clusters."""
    if not columns:
        return {}
    first, *others = columns
    rows = {f"{first} {each}": [columns[name][at] for name in others] for at, each in enumerate(columns[first])}
    return {"quantity": others} | rows


def by_sed(features):
    """The table of features with a column for each SED, as there are more features than SEDs."""
    if not features:
        return {}
    seds = [f"{kind} {cluster}" for kind, cluster in zip(features["kind"], features["cluster"], strict=True)]
    others = [name for name in features if name not in ("kind", "cluster")]
    return {"feature": others} | {sed: [features[name][at] for name in others] for at, sed in enumerate(seds)}


def results_of(run):
    """Tables of the features and fits of a run as HTML."""
    fits = "Stellar populations fitted, median and 16-84% range"
    parts = [("Features of the SEDs", by_sed(run.features)), (fits, transposed(run.fits))]
    there = [f"<p>{title}</p>{table(columns)}" for title, columns in parts if columns]
    return "".join(there) or "<p>This run has no features and no fits.</p>"
