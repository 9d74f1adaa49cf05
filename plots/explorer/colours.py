"""Colour-colour diagram of the pixels in any four bands, with the same selected pixels as on the map."""

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import BoxSelectTool, LassoSelectTool, PanTool, Range1d, ResetTool, Scatter, Select, WheelZoomTool

from plots.explorer.dark import TEXT, chart

WIDTH, HEIGHT = 604, 322  # screen pixels
FIRST = {"x_blue": 0.15, "x_red": 0.5, "y_blue": 0.5, "y_red": 0.85}  # bands: 0 is the bluest one, 1 the reddest
TITLES = {"x_blue": "across", "x_red": "minus", "y_blue": "up", "y_red": "minus"}


def colours_panel(view, pixels, parts):
    """Draw the panel below its menus.

    Parameters
    ----------
    view : GalaxyView
    pixels : ColumnDataSource
        Of the pixels with an SED; columns with colours are added.
    parts : dict
        From `maps`; `colour_menus`, and variables of this panel in `args`, are added.

    Returns
    -------
    Column
    """
    bands = [str(band) for band in view.bands]
    menus = {
        f"{name}_menu": Select(
            name=name,
            title=TITLES[name],
            options=[(band, band.upper()) for band in bands],
            value=bands[round(place * (len(bands) - 1))] if bands else "",
            width=92,
            disabled=view.flux is None,
        )
        for name, place in FIRST.items()
    }
    n_pixels = len(pixels.data["row"])
    blank = {"colour_x": np.zeros(n_pixels, "f4"), "colour_y": np.zeros(n_pixels, "f4"), "tint": [TEXT] * n_pixels}
    pixels.data = dict(pixels.data) | blank
    tools = [PanTool(), WheelZoomTool(), BoxSelectTool(), LassoSelectTool(), ResetTool()]
    ranges = {"x_range": Range1d(), "y_range": Range1d()}
    made = chart("", "", name="colours_panel", tools=tools, width=WIDTH, height=HEIGHT, **ranges)
    made.toolbar.active_scroll, made.toolbar.active_drag = tools[1], tools[3]
    plain = Scatter(x="colour_x", y="colour_y", size=5, fill_color="tint", fill_alpha=0.75, line_color=None)
    brushed = plain.clone(size=7, fill_alpha=1.0, line_color=TEXT)
    made.add_glyph(pixels, plain, selection_glyph=brushed, nonselection_glyph=plain.clone(fill_alpha=0.12))
    parts["args"] |= menus | {"colour_axes": [made.below[0], made.left[0]]}
    parts["args"]["colour_ranges"] = [made.x_range, made.y_range]
    parts["colour_menus"] = list(menus)
    return column(row(*menus.values(), spacing=6), made)
