"""The colour image and the map with a common zoom, and their widgets."""

import numpy as np
from bokeh.layouts import row
from bokeh.models import (
    BoxSelectTool,
    BoxZoomTool,
    ColorBar,
    ColumnDataSource,
    ImageRGBA,
    LassoSelectTool,
    LinearColorMapper,
    PanTool,
    Range1d,
    Rect,
    ResetTool,
    Segment,
    Select,
    Slider,
    Text,
    Toggle,
    WheelZoomTool,
)
from bokeh.palettes import Cividis256

from plots.explorer.dark import ON_IMAGE, panel, words

SIDE = 380  # screen pixels, of both panels
FIRST_BANDS = (0.85, 0.5, 0.15)  # red, green and blue when the page is opened: 0 is the bluest band, 1 the reddest


def maps(view):
    """Draw both panels with their controls.

    Parameters
    ----------
    view : GalaxyView

    Returns
    -------
    dict
        `controls`, rows of widgets from top to bottom; `figures`, both panels; `ranges`, of x and y; and `args`,
        variables of the callbacks, {name: model}.
    """
    ny, nx = view.shape
    x_range, y_range = zoom_ranges(view)
    blank = {"image": [np.zeros((ny, nx), dtype=np.uint32)], "x": [-0.5], "y": [-0.5], "dw": [nx], "dh": [ny]}
    shown, overlay = (ColumnDataSource(blank, name=name) for name in ("colour_image", "map_image"))
    outline = ColumnDataSource({name: [] for name in ("x0", "y0", "x1", "y1", "colour")}, name="outline_segments")
    marked, cursor = (ColumnDataSource({"x": [], "y": []}, name=name) for name in ("marked", "cursor"))
    mapper = LinearColorMapper(palette=Cividis256, low=0, high=1)
    args = {"shown": shown, "overlay": overlay, "outline": outline, "marked": marked, "cursor": cursor}
    figures = []
    for name, with_map in (("colour_panel", False), ("map_panel", True)):
        lasso, box = LassoSelectTool(continuous=False), BoxSelectTool(continuous=False)
        tools = [PanTool(), WheelZoomTool(), BoxZoomTool(match_aspect=True), box, lasso, ResetTool()]
        made = panel(tools, name=name, frame_width=SIDE, frame_height=SIDE, x_range=x_range, y_range=y_range)
        made.toolbar.active_scroll = tools[1]
        made.background_fill_color = "#000000"
        picture = ImageRGBA(image="image", x="x", y="y", dw="dw", dh="dh")
        made.add_glyph(shown, picture)
        if with_map:
            made.add_glyph(overlay, picture)
        made.add_glyph(outline, Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color="colour", line_width=1.6))
        made.add_glyph(marked, Rect(width=1, height=1, fill_color="white", fill_alpha=0.25, line_color=None))
        for colour, width in (("black", 4), ("white", 1.8)):
            made.add_glyph(cursor, Rect(width=1.3, height=1.3, fill_alpha=0, line_color=colour, line_width=width))
        scale_and_compass(made, view, x_range)
        figures.append(made)
    runs = [(run.name, run.title) for run in view.runs]
    bar = ColorBar(
        name="colour_bar",
        visible=bool(runs),
        color_mapper=mapper,
        location="top_left",
        orientation="horizontal",
        width=220,
        height=8,
        padding=6,
    )
    figures[1].add_layout(bar)
    menus = colour_menus(view)
    run_menu = Select(
        name="run", title="run", options=runs, value=runs[0][0] if runs else "", width=304, disabled=not runs
    )
    layer = Select(name="layer", title="map", options=[("labels", "clusters")], value="labels", width=180)
    cluster = Select(name="cluster", title="highlight", options=[("", "all clusters")], value="", width=118)
    opacity = Slider(name="opacity", title="opacity", start=0, end=1, step=0.05, value=1, width=84)
    outlines = Toggle(name="outlines", label="outlines", active=True, width=84, align="end")
    legend = words("", name="legend", width=400)
    args |= menus | {"mapper": mapper, "bar": bar, "layer_menu": layer, "cluster_menu": cluster, "opacity": opacity}
    args |= {"outlines": outlines, "legend": legend, "run_menu": run_menu}
    controls = [
        row(*menus.values(), spacing=6),
        row(run_menu, outlines, spacing=8),
        row(layer, cluster, opacity, spacing=6),
        legend,
    ]
    return {"controls": controls, "figures": figures, "args": args, "ranges": (x_range, y_range)}


def zoom_ranges(view):
    """Square ranges of x and y: the selected pixels with a margin of a quarter of their extent."""
    rows, cols = (view.rows, view.cols) if len(view.rows) else (np.arange(view.shape[0]), np.arange(view.shape[1]))
    half = 0.75 * max(np.ptp(rows), np.ptp(cols)) + 2
    middles = (cols.min() + cols.max()) / 2, (rows.min() + rows.max()) / 2
    return [Range1d(float(middle - half), float(middle + half)) for middle in middles]


def colour_menus(view):
    """Menus of the bands shown in red, green and blue, and a slider for the stretch."""
    bands = [str(band) for band in view.bands]
    off = view.images is None
    menus = {
        f"{name}_menu": Select(
            name=name,
            title=name,
            options=[(band, band.upper()) for band in bands],
            value=bands[round(place * (len(bands) - 1))] if bands else "",
            width=92,
            disabled=off,
        )
        for name, place in zip(("red", "green", "blue"), FIRST_BANDS, strict=True)
    }
    stretch = Slider(
        name="stretch", title="stretch", start=-1, end=3, step=0.1, value=1, width=96, show_value=False, disabled=off
    )
    return menus | {"stretch": stretch}


def scale_and_compass(figure, view, x_range):
    """Draw a bar of a round number of arcsec, and arrows to the east and the north."""
    if not view.sky:
        return
    extent = x_range.end - x_range.start
    sizes = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]
    size = min(sizes, key=lambda each: abs(np.log(each / (extent * view.pixel / 4))))
    y_range = figure.y_range
    left, bottom = x_range.start + 0.05 * extent, y_range.start + 0.05 * extent
    right = left + size / view.pixel
    directions = np.linalg.inv(np.array(view.sky["matrix"])).T
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    corner = np.array([x_range.end, y_range.start]) + np.array([-0.1, 0.1]) * extent - 0.03 * extent * directions.sum(0)
    ends, names = corner + 0.07 * extent * directions, corner + 0.1 * extent * directions
    lines = np.array([[left, bottom, right, bottom], *([*corner, *end] for end in ends)])
    figure.add_glyph(
        ColumnDataSource(dict(zip(("x0", "y0", "x1", "y1"), lines.T, strict=True)) | {"width": [3, 1.5, 1.5]}),
        Segment(x0="x0", y0="y0", x1="x1", y1="y1", line_color=ON_IMAGE, line_width="width"),
    )
    at = np.array([[(left + right) / 2, bottom + 0.03 * extent], *names])
    figure.add_glyph(
        ColumnDataSource({"x": at[:, 0], "y": at[:, 1], "text": [f'{size:g}"', "E", "N"]}),
        Text(text_color=ON_IMAGE, text_font_size="12px", text_align="center", text_baseline="middle"),
    )
