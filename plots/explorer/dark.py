"""How pages look: light on dark, for dark rooms, in colours that stay apart in colour blindness."""

from html import escape
from pathlib import Path

from bokeh.models import CustomJS, Div, Grid, LinearAxis, LogAxis, LogScale, Plot, Title, Toolbar
from bokeh.themes import Theme

BACKGROUND, PANEL, TEXT, FAINT, GRID = "#15171c", "#1c1f26", "#e8e8ea", "#9aa0aa", "#343a46"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
CALLBACKS = Path(__file__).parent / "callbacks"

# Of widgets, each of which has a style of its own that the style of the page does not reach.
WIDGETS = f"""
:host {{
  --color: {TEXT}; --background-color: #262a33; --hover-color: #343a46; --border-color: #4a5160;
  --divider-color: #4a5160; --surface-background-color: #262a33; --icon-color: {FAINT}; --button-color: #2f3541;
  --disabled-background-color: #1f232b; --disabled-color: #7d838e; --placeholder-color: {FAINT};
  --inverted-color: #15171c; --shortcut-color: {FAINT}; --outline-color: #4a5160;
  color: {TEXT}; font-family: {FONT}; font-size: 13px; color-scheme: dark;
}}
label, .bk-slider-title {{ color: {FAINT}; font-size: 12px; }}
.bk-slider-value {{ color: {TEXT}; font-weight: 500; }}
select, input {{ color: {TEXT} !important; }}
.bk-btn {{ color: {TEXT} !important; background: #2f3541 !important; border: 1px solid #4a5160 !important; }}
.bk-btn:hover {{ background: #3b4352 !important; }}
.bk-btn.bk-active {{ background: #3f90da !important; color: #0b0d10 !important; border-color: #3f90da !important; }}
.noUi-target {{ background: #343a46 !important; border-color: #4a5160 !important; box-shadow: none !important; }}
.noUi-handle {{ background: {TEXT} !important; border-color: #4a5160 !important; box-shadow: none !important; }}
select:focus-visible, input:focus-visible, .bk-btn:focus-visible, .noUi-handle:focus-visible {{
  outline: 2px solid #ffa90e !important; outline-offset: 1px;
}}
"""
# Of texts and tables.
WORDS = f"""
:host {{ color: {TEXT}; font-family: {FONT}; font-size: 13px; line-height: 1.5; }}
h1 {{ font-size: 20px; font-weight: 600; margin: 0; }}
h2 {{ width: 1228px; font-size: 15px; font-weight: 600; margin: 14px 0 2px 0; padding-top: 10px;
     border-top: 1px solid {GRID}; }}
p {{ margin: 2px 0; color: {FAINT}; }} small {{ color: {FAINT}; }} a {{ color: #6cb0ec; }}
table {{ border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; color: {FAINT}; font-weight: 500; vertical-align: bottom; }}
th, td {{ padding: 3px 10px 3px 0; border-bottom: 1px solid {GRID}; white-space: nowrap; }}
td.long, th.long {{ white-space: normal; min-width: 200px; max-width: 420px; }}
.wide {{ overflow-x: auto; max-width: 1228px; }}
.chip {{ display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 4px;
         vertical-align: -1px; }}
.legend {{ display: flex; flex-wrap: wrap; gap: 1px 14px; }}
.readout {{ min-height: 76px; }} .whole {{ white-space: nowrap; }}
"""
PAGE = f"""
{{% block preamble %}}
<meta name="viewport" content="width=1280">
<style>
html {{ background: {BACKGROUND}; color-scheme: dark; }}
html > body {{ background: {BACKGROUND}; margin: 0 auto; padding: 8px 12px; width: 1264px; }}
</style>
{{% endblock %}}
"""
TOOLBAR = ":host { --bokeh-icon-color: #b8bdc7; --background-color: #1c1f26; --hover-color: #343a46; }"
AXIS = {
    "axis_line_color": FAINT,
    "major_tick_line_color": FAINT,
    "minor_tick_line_color": None,
    "major_label_text_color": TEXT,
    "major_label_text_font_size": "12px",
    "major_label_text_font": FONT,
    "axis_label_text_color": TEXT,
    "axis_label_text_font_size": "12px",
    "axis_label_text_font_style": "normal",
    "axis_label_text_font": FONT,
}
THEME = Theme(
    json={
        "attrs": {
            "Plot": {"background_fill_color": PANEL, "border_fill_color": BACKGROUND, "outline_line_color": GRID},
            "Grid": {"grid_line_color": GRID, "grid_line_alpha": 0.7},
            "Axis": AXIS,
            "Title": {"text_color": TEXT, "text_font_size": "13px", "text_font": FONT, "text_font_style": "normal"},
            "Legend": {
                "background_fill_color": PANEL,
                "background_fill_alpha": 0.8,
                "border_line_color": None,
                "label_text_color": TEXT,
                "label_text_font_size": "12px",
                "label_text_font": FONT,
            },
            "ColorBar": {
                "background_fill_color": "#000000",
                "background_fill_alpha": 0.7,
                "major_label_text_color": TEXT,
                "major_label_text_font_size": "11px",
                "title_text_color": TEXT,
                "title_text_font_size": "11px",
                "title_text_font_style": "normal",
                "bar_line_color": None,
                "major_tick_line_color": TEXT,
            },
            "Widget": {"stylesheets": [WIDGETS]},
            "Toolbar": {"logo": None, "stylesheets": [TOOLBAR]},
        }
    }
)


def words(text, name=None, **options):
    """A text on the page; `text` is HTML, in which what comes from files is escaped."""
    return Div(text=text, name=name, stylesheets=[WORDS], **options)


def heading(text):
    """A heading over all of the page's width."""
    return words(f"<h2>{escape(text)}</h2>", width=1230)


def table(columns):
    """HTML of a table, {head: list of str}, whose texts are escaped."""
    if not columns:
        return ""
    long = {name: " class=long" if max(map(len, [*values, name])) > 40 else "" for name, values in columns.items()}
    head = "".join(f"<th{long[name]} scope=col>{escape(name)}</th>" for name in columns)
    cells = zip(*([f"<td{long[name]}>{escape(each)}</td>" for each in columns[name]] for name in columns), strict=True)
    rows = "".join(f"<tr>{''.join(row)}</tr>" for row in cells)
    return f"<div class=wide><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"


def panel(tools=(), title="", **options):
    """A `Plot` without axes, whose tools stand above it: of few models, as each takes its time."""
    toolbar = Toolbar(tools=list(tools), logo=None)
    title = Title(text=title) if title else None
    return Plot(toolbar=toolbar, toolbar_location="above" if tools else None, title=title, **options)


def chart(x_label, y_label, **options):
    """A panel with axes and a grid across."""
    made = panel(**options)
    logarithmic = isinstance(made.x_scale, LogScale)
    x_axis, y_axis = (LogAxis if logarithmic else LinearAxis)(axis_label=x_label), LinearAxis(axis_label=y_label)
    made.add_layout(x_axis, "below")
    made.add_layout(y_axis, "left")
    made.add_layout(Grid(dimension=1, ticker=y_axis.ticker))
    return made


def callback(script, args):
    """`CustomJS` of a file beside this one, in which the names of `args`, {name: model}, are known."""
    code = "\n".join((CALLBACKS / f"{name}.js").read_text() for name in ("common", script))
    return CustomJS(args=args, code=code)
