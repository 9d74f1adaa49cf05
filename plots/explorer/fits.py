"""Stellar populations fitted to the regions of a run: SED and model, residuals, history and posteriors."""

from bokeh.layouts import column, row
from bokeh.models import (
    ColumnDataSource,
    DataRange1d,
    HoverTool,
    Line,
    LinearScale,
    LogScale,
    PanTool,
    Quad,
    Range1d,
    ResetTool,
    Scatter,
    Select,
    Span,
    VArea,
    WheelZoomTool,
)

from plots.explorer.dark import FAINT, TEXT, chart, words
from plots.explorer.seds import TICKS, WIDTH, error_bars

TOOLTIPS = [("band", "@band"), ("µm", "@x{0.000}"), ("flux", "@said"), ("(data − model) / error", "@residual{0.0}")]
POINTS = ("band", "x", "flux", "low", "high", "residual", "above", "below", "said", "marker")
TALL = 226, 110, 300  # screen pixels: heights of SED, residuals, and history and posteriors
NARROW = 360, 280  # screen pixels: widths of the history and of each posterior
LEFT = 70  # screen pixels, left of data and residuals
HOW = (
    "Fluxes are those of all the light of the region. Squares: photometry of the model with its 16-84% range; line: "
    "spectrum of its best sample; triangles: data below twice their error, at the flux plus twice the error."
)


def fit_panels(view, parts):
    """Draw the panels.

    Parameters
    ----------
    view : GalaxyView
    parts : dict
        From `maps`; variables of these panels are added to `args`.

    Returns
    -------
    list
        At most two models, the wider one last; empty without runs.
    """
    menu = Select(name="fit", title="fit of", options=[], width=160)
    note = words("", name="fit_words", width=WIDTH - 180)
    parts["args"] |= {"fit_menu": menu, "fit_words": note, "fit_sources": [], "how_fits_are": HOW}
    most = max((len(fit.posteriors) for run in view.runs for fit in run.models), default=0)
    if not most:  # without fits, there is only text
        return [column(menu, note) if any(run.models for run in view.runs) else note] if view.runs else []
    data = ColumnDataSource({name: [] for name in POINTS}, name="fit_data")
    model = ColumnDataSource({name: [] for name in ("x", "flux", "low", "high")}, name="fit_model")
    spectrum = ColumnDataSource({"x": [], "flux": []}, name="fit_spectrum")
    history = ColumnDataSource({name: [] for name in ("x", "low", "middle", "high")}, name="fit_history")
    bars = [
        ColumnDataSource({name: [] for name in ("left", "right", "top")}, name=f"fit_posterior{number}")
        for number in range(most)
    ]
    x_range, y_range = Range1d(0.3, 5), Range1d(0.1, 10)
    charts = [sed_chart(data, model, spectrum, x_range, y_range), residual_chart(data, x_range)]
    past = history_chart(history)
    posteriors = [posterior_chart(source, number) for number, source in enumerate(bars)]
    parts["args"] |= {"fit_data": data, "fit_model": model, "fit_spectrum": spectrum, "fit_history": history}
    parts["args"] |= {"fit_bars": bars, "fit_sources": [data, model, spectrum, history, *bars]}
    parts["args"] |= {"fit_range": x_range, "fit_fluxes": y_range, "fit_axes": [each.below[0] for each in posteriors]}
    parts["args"]["fit_titles"] = [each.title for each in posteriors]
    coloured = [each.renderers for each in (charts[0], past, *posteriors)]
    parts["args"]["fit_coloured"] = [each for some in coloured for each in some if "coloured" in each.tags]
    return [column(row(menu, note), *charts), row(past, *posteriors)]


def sed_chart(data, model, spectrum, x_range, y_range):
    """Data and model of a region, on logarithmic axes."""
    tools = [PanTool(), WheelZoomTool(), ResetTool()]
    ranges = {"x_range": x_range, "y_range": y_range, "x_scale": LogScale(), "y_scale": LogScale()}
    made = chart(
        "", "flux [µJy]", name="fit_panel", tools=tools, width=WIDTH, height=TALL[0], min_border_left=LEFT, **ranges
    )
    made.below[0].ticker = [*TICKS]
    made.below[0].major_label_text_font_size = "0px"  # it shares the axis of the residuals below
    coloured(made.add_glyph(spectrum, Line(x="x", y="flux", line_alpha=0.75)))
    error_bars(made, model, FAINT)
    squares = Scatter(x="x", y="flux", marker="square", size=11, fill_color=None, line_width=2)
    coloured(made.add_glyph(model, squares))
    error_bars(made, data, TEXT)
    points = made.add_glyph(data, Scatter(x="x", y="flux", marker="marker", size=7, fill_color=TEXT, line_color=None))
    made.add_tools(HoverTool(renderers=[points], tooltips=TOOLTIPS))
    return made


def residual_chart(data, x_range):
    """Residuals from the median of the model, in units of the errors."""
    ranges = {"x_range": x_range, "y_range": DataRange1d(range_padding=0.15), "x_scale": LogScale()}
    labels = "observed wavelength [µm]", "residual [σ]"
    made = chart(*labels, name="residual_panel", width=WIDTH, height=TALL[1], min_border_left=LEFT, **ranges)
    made.below[0].ticker = [*TICKS]
    made.add_layout(Span(location=0, dimension="width", line_color=FAINT))
    error_bars(made, data, TEXT, "above", "below")
    made.add_glyph(data, Scatter(x="x", y="residual", size=6, fill_color=TEXT, line_color=None))
    return made


def history_chart(history):
    """Star formation rate over lookback time with its 16-84% range."""
    tools = [PanTool(), WheelZoomTool(), ResetTool()]
    ranges = {"x_range": DataRange1d(range_padding=0.02), "y_range": DataRange1d(range_padding=0.08, start=0)}
    labels = "lookback time [Gyr]", "SFR [M⊙ yr⁻¹]"
    made = chart(*labels, name="history_panel", tools=tools, width=NARROW[0], height=TALL[2], **ranges)
    coloured(made.add_glyph(history, VArea(x="x", y1="low", y2="high", fill_alpha=0.3)))
    coloured(made.add_glyph(history, Line(x="x", y="middle", line_width=2)))
    return made


def posterior_chart(source, number):
    """Histogram of a posterior."""
    ranges = {"x_range": DataRange1d(range_padding=0), "y_range": DataRange1d(start=0), "y_scale": LinearScale()}
    tools = [PanTool(), ResetTool()]
    size = {"width": NARROW[1], "height": TALL[2]}
    made = chart("", "", name=f"posterior_panel{number}", tools=tools, title=" ", **size, **ranges)
    made.left[0].visible = False
    made.below[0].ticker.desired_num_ticks = 4
    coloured(made.add_glyph(source, Quad(left="left", right="right", bottom=0, top="top", line_color=None)))
    return made


def coloured(renderer):
    """Mark a renderer that callbacks draw in the colour of the cluster."""
    renderer.tags = ["coloured"]
