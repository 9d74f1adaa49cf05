"""Panels of SEDs: of the pixel under the pointer, of selected pixels, and of all clusters of the run."""

import numpy as np
from bokeh.layouts import row
from bokeh.models import (
    Button,
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    Legend,
    LegendItem,
    Line,
    LinearScale,
    LogScale,
    MultiLine,
    PanTool,
    RadioButtonGroup,
    Range1d,
    ResetTool,
    Scatter,
    Segment,
    Spinner,
    Text,
    Toggle,
    VSpan,
    WheelZoomTool,
)

from plots.explorer.dark import BACKGROUND, FAINT, TEXT, chart, words
from plots.style import FLUX_LABEL

WIDTH, HEIGHT = 604, 372  # screen pixels, of a chart
BESIDE = 400  # screen pixels, width of the controls beside the maps
TOOLTIPS = [("band", "@band"), ("µm", "@x{0.000}"), ("flux", "@flux{0.0000}"), ("error", "@error{0.0000}")]
POINT_COLUMNS = ("band", "x", "flux", "error", "low", "high")
REGION = "#ff8ac4"  # colour of the mean SED of selected pixels
TICKS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30)  # micron
KEYBOARD = (
    "Move over the image or the map; tap a pixel to hold it, again to let it go. With the keyboard: Tab to a control, "
    "arrow keys to change it; row and column move the pixel."
)
ERRORS = (
    "The error of a mean is that of its pixels' noise with its correlation, as measured in the sky around the galaxy, "
    "and of the background."
)


def sed_panels(view, parts):
    """Draw both panels of SEDs, with their controls and texts on the pixel and on the selected pixels.

    Parameters
    ----------
    view : GalaxyView
    parts : dict
        From `maps`; variables of these panels are added to `args`.

    Returns
    -------
    dict
        `controls`, those of `parts` followed by these; `charts`, both panels; and `buttons`, {name of the callback:
        button}.
    """
    frame = RadioButtonGroup(
        name="frame",
        labels=["observed", "rest frame"],
        active=0,
        width=170,
        align="start",
        disabled=not np.isfinite(view.redshift),
    )
    start = brightest_pixel(view)
    spinners = {
        f"{name}_box": Spinner(name=name, title=title, low=0, high=max(size - 1, 0), step=1, value=int(value), width=76)
        for name, title, size, value in zip(("row", "col"), ("pixel row", "column"), view.shape, start, strict=True)
    }
    hold = Toggle(name="hold", label="hold", active=False, width=60, align="end")
    readout, region_words = words("", name="readout", width=BESIDE), words("", name="region_words", width=BESIDE)
    buttons = {
        name: Button(name=name, label=label, width=width, align="end")
        for name, label, width in (
            ("save_sed", "save mean SED (ECSV)", 148),
            ("save_region", "save region (DS9)", 124),
            ("clear", "clear", 52),
            ("copy_sky", "copy RA, Dec", 100),
        )
    }
    waves = view.wavelengths / 1e4 if len(view.wavelengths) else np.array([1.0])
    wave_range = Range1d(float(0.93 * waves.min()), float(1.07 * waves.max()))
    lines = ColumnDataSource({name: [] for name in ("x", "y", "name", "align", "offset")}, name="lines")
    pixel_figure, args = pixel_panel(wave_range, lines)
    shapes_figure, more = shapes_panel(wave_range, lines)
    args |= more | spinners | {"hold": hold, "readout": readout, "region_words": region_words, "lines": lines}
    args |= {"frame_menu": frame, "wave_range": wave_range, "axes": [pixel_figure.below[0], shapes_figure.below[0]]}
    parts["args"].update(args)
    controls = [
        row(*spinners.values(), hold, buttons["copy_sky"], spacing=8),
        frame,
        readout,
        region_words,
        row(*list(buttons.values())[:3], spacing=6),
    ]
    charts = [pixel_figure, shapes_figure]
    return {"controls": [*parts["controls"], *controls], "charts": charts, "buttons": buttons}


def brightest_pixel(view):
    """Row and column of the pixel that is shown first: the one with the highest SNR summed over bands."""
    if not len(view.rows):
        return 0, 0
    place = 0 if view.flux is None else int(np.argmax(np.nansum(view.flux / view.error, axis=1)))
    return view.rows[place], view.cols[place]


def pixel_panel(wave_range, lines):
    """The SED of a pixel, scaled SEDs of its cluster, and the mean SED of selected pixels."""
    made = sed_chart("sed_panel", wave_range, FLUX_LABEL, lines)
    names = ("pixel_sed", "composite_sed", "population_sed", "region_sed")
    own, composite, population, region = (
        ColumnDataSource({column: [] for column in POINT_COLUMNS}, name=name) for name in names
    )
    line = made.add_glyph(composite, Line(x="x", y="flux", line_width=1.5, line_alpha=0.5))
    dashes = made.add_glyph(composite, Scatter(x="x", y="flux", marker="dash", size=16, line_width=3))
    diamonds = Scatter(x="x", y="flux", marker="diamond", size=12, line_color="#101010")
    diamonds = made.add_glyph(population, diamonds)
    error_bars(made, region, REGION)
    squares = Scatter(x="x", y="flux", marker="square", size=8, fill_color=BACKGROUND, line_color=REGION, line_width=2)
    squares = made.add_glyph(region, squares)
    error_bars(made, own, TEXT)
    points = made.add_glyph(own, Scatter(x="x", y="flux", size=7, fill_color=TEXT, line_color=None))
    made.add_tools(HoverTool(renderers=[points, squares, diamonds], tooltips=TOOLTIPS))
    items = {
        "pixel": [points],
        "composite, scaled": [line, dashes],
        "population, scaled": [diamonds],
        "selected pixels": [squares],
    }
    legend = Legend(
        items=[LegendItem(label=label, renderers=each) for label, each in items.items()],
        orientation="horizontal",
        location="left",
        padding=2,
        margin=0,
        spacing=14,
    )
    made.add_layout(legend, "above")
    made.y_range.renderers += [line, diamonds, squares, points]
    args = dict(zip(names, (own, composite, population, region), strict=True))
    return made, args | {"composite_line": line, "composite_dots": dashes, "population_dots": diamonds}


def shapes_panel(wave_range, lines):
    """The SEDs of all clusters of the run, each divided by its mean flux."""
    made = sed_chart("shapes_panel", wave_range, "flux / mean flux", lines, title="SEDs of all clusters")
    columns = ("xs", "ys", "colour", "alpha", "width", "name")
    shapes = ColumnDataSource({name: [] for name in columns}, name="shapes")
    points = ColumnDataSource(
        {name: [] for name in ("band", "x", "flux", "low", "high", "colour")}, name="shape_points"
    )
    curves = MultiLine(xs="xs", ys="ys", line_color="colour", line_alpha="alpha", line_width="width")
    made.y_range.renderers.append(made.add_glyph(shapes, curves))
    error_bars(made, points, "colour")
    made.add_glyph(points, Scatter(x="x", y="flux", fill_color="colour", line_color=None, size=6))
    return made, {"shapes": shapes, "shape_points": points, "shapes_title": made.title}


def sed_chart(name, wave_range, label, lines, title=""):
    """A panel with logarithmic wavelengths, on which emission lines and stellar breaks are marked."""
    tools = [PanTool(dimensions="height"), WheelZoomTool(dimensions="height"), ResetTool()]
    made = chart(
        *("observed wavelength [µm]", label),
        tools=tools,
        title=title,
        name=name,
        width=WIDTH,
        height=HEIGHT,
        x_range=wave_range,
        y_range=DataRange1d(range_padding=0.15),
        x_scale=LogScale(),
    )
    made.below[0].ticker = [*TICKS]
    made.extra_y_ranges = {"frame": Range1d(0, 1)}
    made.extra_y_scales = {"frame": LinearScale()}
    made.add_glyph(lines, VSpan(x="x", line_color=FAINT, line_alpha=0.5, line_dash="dotted"))
    names = Text(text="name", text_color=FAINT, text_font_size="11px", text_baseline="top")
    names.text_align, names.x_offset = "align", "offset"
    made.add_glyph(lines, names, y_range_name="frame")
    zero = ColumnDataSource({"x": [wave_range.start / 10, wave_range.end], "y": [0, 0]})
    made.y_range.renderers = [made.add_glyph(zero, Line(line_color=FAINT))]  # y = 0 is always shown
    return made


def error_bars(plot, source, colour, low="low", high="high"):
    """Draw error bars from one column of a source to another."""
    plot.add_glyph(source, Segment(x0="x", y0=low, x1="x", y1=high, line_color=colour, line_width=1.3))
