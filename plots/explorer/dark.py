"""Style of the pages, dark or light as set in the browser, in colours for colour-blind readers."""

import base64
from html import escape
from pathlib import Path

from bokeh.models import (
    CustomAction,
    CustomJS,
    Div,
    Grid,
    LinearAxis,
    LogAxis,
    LogScale,
    Plot,
    SaveTool,
    Title,
    Toolbar,
)
from bokeh.themes import Theme

BACKGROUND, PANEL, TEXT, FAINT, GRID = "#15171c", "#1c1f26", "#e8e8ea", "#9aa0aa", "#343a46"
FIELD, BUTTON, BORDER, ACTIVE, FOCUS, LINK = "#262a33", "#2f3541", "#4a5160", "#3f90da", "#ffa90e", "#6cb0ec"
ON_IMAGE = "#f4f4f5"  # of text on images, which are dark in both styles
WARNING = "#ffa552"  # distinct from the blue of links for colour-blind readers
LIGHT = {  # colour of a dark page, used for nothing else -> colour of a light one
    **{BACKGROUND: "#ffffff", PANEL: "#f6f7f9", TEXT: "#1b1e24", FAINT: "#59616e", GRID: "#d5d9e0", FIELD: "#fdfdfe"},
    **{BUTTON: "#e9ecf1", BORDER: "#b9c0cb", LINK: "#1a66b3", WARNING: "#a34a00", "#3b4352": "#dde2ea"},
    **{"#1f232b": "#f0f1f4", "#7d838e": "#8b919c", "#b8bdc7": "#4d5563", "color-scheme: dark": "color-scheme: light"},
}
FONT = "Helvetica, Arial, sans-serif"  # the default of Bokeh for its other elements
CALLBACKS = Path(__file__).parent / "callbacks"

# Style sheet of menus, sliders and buttons. Bokeh draws each in a shadow DOM, which the style of the page does not
# reach, and sets some colours in a way that only !important overrides.
WIDGETS = f"""
:host {{
  --color: {TEXT}; --background-color: {FIELD}; --hover-color: {GRID}; --border-color: {BORDER};
  --divider-color: {BORDER}; --surface-background-color: {FIELD}; --icon-color: {FAINT}; --button-color: {BUTTON};
  --disabled-background-color: #1f232b; --disabled-color: #7d838e; --placeholder-color: {FAINT};
  --inverted-color: {BACKGROUND}; --shortcut-color: {FAINT}; --outline-color: {BORDER};
  color: {TEXT}; font-family: {FONT}; font-size: 13px; color-scheme: dark;
}}
label, .bk-slider-title {{ color: {FAINT}; font-size: 12px; }}
.bk-slider-value {{ color: {TEXT}; font-weight: 500; }}
select, input {{ color: {TEXT} !important; }}
.bk-btn {{ color: {TEXT} !important; background: {BUTTON} !important; border: 1px solid {BORDER} !important; }}
.bk-btn:hover {{ background: #3b4352 !important; }}
.bk-btn.bk-active {{ background: {ACTIVE} !important; color: #0b0d10 !important; border-color: {ACTIVE} !important; }}
.noUi-target {{ background: {GRID} !important; border-color: {BORDER} !important; box-shadow: none !important; }}
.noUi-handle {{ background: {TEXT} !important; border-color: {BORDER} !important; box-shadow: none !important; }}
select:focus-visible, input:focus-visible, .bk-btn:focus-visible, .noUi-handle:focus-visible {{
  outline: 2px solid {FOCUS} !important; outline-offset: 1px;
}}
"""
# Style sheet of texts and tables.
WORDS = f"""
:host {{ color: {TEXT}; font-family: {FONT}; font-size: 13px; line-height: 20px; }}
.bk-clearfix {{ width: 100%; }}
h1 {{ font-size: 20px; font-weight: 600; margin: 0; }}
h2 {{ font-size: 15px; font-weight: 600; margin: 14px 0 2px 0; padding-top: 10px; border-top: 1px solid {GRID}; }}
ul {{ list-style: none; margin: 6px 0 2px; padding: 0; columns: 560px; column-gap: 24px; }}
li {{ break-inside: avoid; margin: 0 0 4px; padding: 1px 0 1px 9px; border-left: 3px solid {WARNING}; }}
code {{ font-size: 12px; overflow-wrap: anywhere; background: {PANEL}; border: 1px solid {GRID}; border-radius: 3px;
        padding: 2px 5px; }}
p {{ margin: 2px 0; color: {FAINT}; }} small {{ color: {FAINT}; }} a {{ color: {LINK}; }}
table {{ border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; color: {FAINT}; font-weight: 500; vertical-align: bottom; }}
th, td {{ padding: 3px 10px 3px 0; border-bottom: 1px solid {GRID}; white-space: nowrap; }}
td.long, th.long {{ white-space: normal; min-width: 200px; max-width: 420px; }}
.wide {{ overflow-x: auto; }}
.chip {{ display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 4px;
         vertical-align: -1px; }}
.legend {{ display: flex; flex-wrap: wrap; gap: 1px 14px; }}
.readout {{ min-height: 76px; }} .whole {{ white-space: nowrap; }}
"""
# Style sheet of the page around its parts.
PAGE = f"""
:root {{ color-scheme: dark light; background: {BACKGROUND}; }}
@media (prefers-color-scheme: light) {{ :root {{ background: {LIGHT[BACKGROUND]}; }} }}
body {{ margin: 0; padding: 8px 16px; }}
.flow {{ display: flex; flex-wrap: wrap; align-items: flex-start; gap: 4px 12px; }}
"""
SVG = "data:image/svg+xml;base64," + base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24"><text x="12" y="16.5" font-family="sans-serif" '
    b'font-size="11" font-weight="700" text-anchor="middle" fill="#868d99">SVG</text></svg>'
).decode("ascii")
TOOLBAR = f":host {{ --bokeh-icon-color: #b8bdc7; --background-color: {PANEL}; --hover-color: {GRID}; }}"


def _text(kind, size, colour=TEXT):
    """Properties of a kind of text of a Bokeh model, such as its axis labels."""
    properties = {"color": colour, "font_size": f"{size}px", "font": FONT, "font_style": "normal"}
    return {f"{kind}text_{name}": value for name, value in properties.items()}


THEME = Theme(
    json={
        "attrs": {
            "Plot": {"background_fill_color": PANEL, "border_fill_color": BACKGROUND, "outline_line_color": GRID},
            "Grid": {"grid_line_color": GRID, "grid_line_alpha": 0.7},
            "Axis": {
                "axis_line_color": FAINT,
                "major_tick_line_color": FAINT,
                "minor_tick_line_color": None,
                **_text("major_label_", 12),
                **_text("axis_label_", 12),
            },
            "Title": _text("", 13),
            "Legend": {
                "background_fill_color": PANEL,
                "background_fill_alpha": 0.8,
                "border_line_color": None,
                **_text("label_", 12),
            },
            "ColorBar": {
                "background_fill_color": "#000000",
                "background_fill_alpha": 0.7,
                "bar_line_color": None,
                "major_tick_line_color": ON_IMAGE,
                **_text("major_label_", 11, ON_IMAGE),
                **_text("title_", 11, ON_IMAGE),
            },
            "Widget": {"stylesheets": [WIDGETS]},
            "Toolbar": {"logo": None, "stylesheets": [TOOLBAR]},
        }
    }
)


def words(text, name=None, **options):
    """A text, by default as wide as the page; `text` is HTML, in which strings from files must be escaped."""
    if "width" not in options:
        options["sizing_mode"] = "stretch_width"
    return Div(text=text, name=name, stylesheets=[WORDS], **options)


def heading(text):
    """A heading; `text` is escaped."""
    return words(f"<h2>{escape(text)}</h2>")


def table(columns):
    """HTML of a table from its columns, {title: list of str}; texts are escaped, and long ones broken into lines."""
    if not columns:
        return ""
    long = {name: " class=long" if max(map(len, [*values, name])) > 40 else "" for name, values in columns.items()}
    head = "".join(f"<th{long[name]} scope=col>{escape(name)}</th>" for name in columns)
    cells = zip(*([f"<td{long[name]}>{escape(each)}</td>" for each in columns[name]] for name in columns), strict=True)
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def panel(tools=(), title="", **options):
    """A `Plot` without axes, with tools above it; faster than a `figure`, and can be saved."""
    toolbar = Toolbar(tools=list(tools))
    title = Title(text=title) if title else None
    made = Plot(toolbar=toolbar, toolbar_location="above" if tools else None, title=title, **options)
    if tools:
        code = (CALLBACKS / "save_svg.js").read_text(encoding="utf-8")
        as_svg = CustomAction(icon=SVG, description="Save as SVG", callback=CustomJS(args={"plot": made}, code=code))
        toolbar.tools += [SaveTool(filename=options["name"], description="Save as PNG"), as_svg]
    return made


def chart(x_label, y_label, **options):
    """A panel with axes and horizontal grid lines; `options` are those of `panel`."""
    made = panel(**options)
    x_axis, y_axis = (
        (LogAxis if isinstance(scale, LogScale) else LinearAxis)(axis_label=label)
        for scale, label in ((made.x_scale, x_label), (made.y_scale, y_label))
    )
    made.add_layout(x_axis, "below")
    made.add_layout(y_axis, "left")
    made.add_layout(Grid(dimension=1, ticker=y_axis.ticker))
    return made


def callback(script, args):
    """`CustomJS` with the code of callbacks/<script>.js after common.js; `args`, {name: model}, are its variables."""
    code = "\n".join((CALLBACKS / f"{name}.js").read_text(encoding="utf-8") for name in ("common", script))
    return CustomJS(args=args, code=code)
