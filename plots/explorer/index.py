"""The list of all galaxies of an output folder, as a page for a browser."""

from collections import Counter
from html import escape
from pathlib import Path

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Button, ColumnDataSource, CustomJS, Div, RangeSlider, Select, Spinner, TextInput

from plots.explorer.dark import (
    BACKGROUND,
    BORDER,
    CALLBACKS,
    FAINT,
    FOCUS,
    FONT,
    GRID,
    LINK,
    PANEL,
    TEXT,
    THEME,
    WARNING,
    WIDGETS,
)
from plots.explorer.embed import document_html

LENGTH = 50  # galaxies shown at a time
THUMBNAIL = 176, 88  # screen pixels, width and height
WIDTH = 76  # screen pixels, of a column
WIDTHS = {  # of columns with another width
    **{"id_dr3": 124, "snr_median": 58, "reduced_chi2": 58},
    **{"held_out_error": 114, "fragmentation": 86, "brightness_share": 90},
}
RANGES = {"redshift": 0.01, "n_clusters": 1, "stability": 0.01}  # columns with a range slider, and its step
PICK = "tick two galaxies to see their pages side by side"
NOTHING = '<div class="nothing">No galaxy fits. Widen the ranges, or shorten the search.</div>'

HEADLINE = f"""
:host {{ color: {TEXT}; font: 18px {FONT}; }}
span {{ color: {FAINT}; }}
"""
TITLES = f"""
.bk-btn {{ background: none !important; border: none !important; color: {FAINT} !important; text-align: right;
  font-weight: 600; padding: 6px 8px; white-space: nowrap; width: 100%; position: relative; }}
.bk-btn:hover {{ color: {TEXT} !important; text-decoration: underline; }}
:host(.rising) .bk-btn, :host(.falling) .bk-btn {{ color: {LINK} !important; }}
:host(.rising) .bk-btn::after, :host(.falling) .bk-btn::after {{ content: "▲"; position: absolute; right: 8px;
  bottom: -4px; font-size: 8px; }}
:host(.falling) .bk-btn::after {{ content: "▼"; }}
"""
LEFT = ".bk-btn { text-align: left; } .bk-btn::after { right: auto !important; left: 8px; }"
LIST = f"""
.bk-clearfix {{ width: 100%; }}
:host {{ color: {TEXT}; font-family: {FONT}; color-scheme: dark; }}
table {{ border-collapse: collapse; table-layout: fixed; width: 100%; min-width: 1180px;
  font-size: 13px; line-height: 1.35; font-variant-numeric: tabular-nums; }}
thead {{ position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }}
tr {{ border-bottom: 1px solid {GRID}; }}
tbody tr:hover {{ background: {PANEL}; }}
td {{ padding: 6px 8px; text-align: right; overflow-wrap: anywhere; }}
td:first-child {{ padding-left: 0; }}
td:nth-child(2) {{ text-align: left; }}
td:last-child {{ padding: 6px 0 6px 16px; text-align: left; }}
img, .none {{ display: block; width: {THUMBNAIL[0]}px; height: {THUMBNAIL[1]}px; border-radius: 3px; }}
.none {{ border: 1px dashed {GRID}; box-sizing: border-box; color: {FAINT}; display: grid; place-items: center; }}
a {{ color: {LINK}; }}
a:focus-visible, summary:focus-visible {{ outline: 2px solid {FOCUS}; outline-offset: 2px; }}
b {{ font-size: 15px; font-weight: 600; }}
small {{ display: block; color: {FAINT}; font-size: 11.5px; }}
i {{ font-style: normal; display: inline-block; margin: 0 0 3px; padding: 0 7px; border: 1px solid {BORDER};
  border-radius: 9px; font-size: 11.5px; }}
i.wrong {{ border-color: {WARNING}; color: {WARNING}; font-weight: 600; }}
p {{ margin: 2px 0 0; color: {FAINT}; font-size: 12px; }}
label {{ color: {FAINT}; font-size: 11.5px; cursor: pointer; }}
label input {{ margin: 0 3px 0 0; vertical-align: -2px; }}
.nothing {{ padding: 60px 0; color: {FAINT}; font-size: 15px; }}
"""
MEANINGS = f"""
summary {{ color: {FAINT}; font-size: 13px; cursor: pointer; }}
b {{ font-size: 12px; color: {TEXT}; }}
"""
SORT = """
const [field, sign] = galaxies.tags
galaxies.tags = [cb_obj.origin.name, cb_obj.origin.name == field ? -sign : 1]
"""
TURN = "page.value = Math.min(Math.max((page.value ?? 1) + step, page.low), page.high); window.scrollTo(0, 0)"


COMPARE = (Path(__file__).parent / "compare.html").read_text(encoding="utf-8")  # the complete page of two galaxies


def index_page(listed, assets=""):
    """Draw the list of all galaxies.

    Parameters
    ----------
    listed : GalaxyList
        Its texts are escaped.
    assets : str
        Path of the folder of shared scripts relative to the page; if empty, the page has them inside.

    Returns
    -------
    str
        HTML. Links and thumbnails are files with the relative paths in `listed`.
    """
    galaxies = ColumnDataSource(_columns(listed), name="galaxies", tags=["id_dr3", 1])  # sorted by id; 1: ascending
    hint = "id, flag, run, note …"
    search = TextInput(name="search", title="search", placeholder=hint, width=180, margin=(5, 5, 5, 0))
    outcomes = Counter(each.status for each in listed.galaxies)
    flags = Counter(flag for each in listed.galaxies for flag in each.flags or ["none"])
    outcome = Select(name="outcome", title="outcome", value="any", options=_options(outcomes), width=120)
    flag = Select(name="flag", title="flag", value="any", options=_options(flags), width=170)
    ranges = [slider for name, step in RANGES.items() if (slider := _slider(name, step, listed))]
    page = Spinner(name="page", title="page", low=1, high=1, value=1, step=1, width=70)
    turns = [_turn(step, page) for step in (-1, 1)]
    titles = [_title(name, title) for name, (title, _) in listed.columns.items()]
    count = Div(
        name="count", sizing_mode="stretch_width", margin=(6, 0, 0, 0), disable_math=True, stylesheets=[HEADLINE]
    )
    table = Div(name="list", sizing_mode="stretch_width", margin=0, disable_math=True, stylesheets=[LIST])

    known = {"galaxies": galaxies, "search": search, "outcome": outcome, "flag": flag, "ranges": ranges, "page": page}
    known |= {"titles": titles, "count": count, "list": table, "length": LENGTH, "nothing": NOTHING}
    known |= {"head": _head(listed), "folder": f"<span>in {escape(listed.folder)}</span>"}
    update = CustomJS(args=known, code=(CALLBACKS / "index.js").read_text(encoding="utf-8"))
    search.js_on_change("value_input", update)
    galaxies.js_on_change("tags", update)
    for model in (outcome, flag, page, *ranges):
        model.js_on_change("value", update)
    sort = CustomJS(args={"galaxies": galaxies}, code=SORT)
    for title in titles:
        title.js_on_event("button_click", sort)

    sticky = {"position": "sticky", "top": "0", "z-index": "1", "background": BACKGROUND}
    sticky |= {"padding-bottom": "3px", "border-bottom": f"1px solid {FAINT}"}
    controls = row(search, outcome, flag, *ranges, page, *turns, spacing=14)
    above = column(
        count,
        controls,
        row(Div(width=THUMBNAIL[0] + 8, margin=0), *titles, spacing=0),
        styles=sticky,
        sizing_mode="stretch_width",
    )
    document = Document()
    document.theme = THEME
    document.js_on_event("document_ready", update)
    whole = column(above, table, _meanings(listed), margin=(0, 0, 40, 0), sizing_mode="stretch_width")
    return document_html(document, [whole], f"galaxies in {listed.folder}", assets)


def _columns(listed):
    """Data columns for the callbacks: the row of each galaxy as HTML, and values to search, sort and filter by."""
    texts = [[each.id_dr3, each.run, each.status, *each.flags, each.notes] for each in listed.galaxies]
    numbers = {name: np.array([each.values[name] for each in listed.galaxies], float) for name in listed.columns}
    return numbers | {
        "html": [_row(each, listed.columns) for each in listed.galaxies],
        "text": [" ".join(map(str, each)).lower() for each in texts],
        "status": [each.status for each in listed.galaxies],
        "flags": [list(each.flags) for each in listed.galaxies],
    }


def _row(galaxy, columns):
    """A row of the table, as HTML."""
    picture = '<div class="none">no picture</div>'
    if galaxy.thumbnail:
        shows = f"galaxy {galaxy.id_dr3}: image and clusters"
        picture = f'<img loading="lazy" src="{escape(galaxy.thumbnail)}" alt="{shows}">'
    words = {name: escape(galaxy.words[name]) for name in columns}
    words["id_dr3"] = f"{_linked(galaxy.page, f'<b>{galaxy.id_dr3}</b>')}<small>{escape(galaxy.run)}</small>"
    if galaxy.page:
        words["id_dr3"] += f'<label title="{PICK}"><input type=checkbox value={galaxy.id_dr3}>compare</label>'
    words["n_clusters"] = f"<b>{words['n_clusters']}</b><small>{escape(galaxy.k_range)}</small>"
    flags = [f"<i>{escape(flag)}</i>" for flag in galaxy.flags]
    if not galaxy.is_ok:
        flags.insert(0, f'<i class="{"expected" if galaxy.is_expected else "wrong"}">{escape(galaxy.status)}</i>')
    notes = f"<p>{escape(galaxy.notes)}" if galaxy.notes else ""
    cells = [_linked(galaxy.page, picture, "tabindex=-1"), *words.values(), " ".join(flags) + notes]
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}"


def _linked(page, content, more=""):
    return f'<a href="{escape(page)}" {more}>{content}</a>' if page else content


def _head(listed):
    """Widths of the columns, and their titles for screen readers only, as the buttons above show them."""
    widths = [THUMBNAIL[0] + 8, *(WIDTHS.get(name, WIDTH) for name in listed.columns)]
    names = ["picture", *(title for title, _ in listed.columns.values()), "flags and notes"]
    columns = "".join(f'<col style="width:{width}px">' for width in widths) + "<col>"
    return f"<colgroup>{columns}</colgroup><thead><tr>{''.join(f'<th>{escape(name)}' for name in names)}</tr></thead>"


def _title(name, title):
    """The title of a column, which is a button that sorts by it."""
    sheets = [WIDGETS, TITLES, *([LEFT] if name == "id_dr3" else [])]
    return Button(name=name, label=title, width=WIDTHS.get(name, WIDTH), margin=0, stylesheets=sheets)


def _meanings(listed):
    """Meanings of the columns, below the table, hidden until clicked."""
    lines = [f"<b>{escape(title)}</b> {escape(meaning)}" for title, meaning in listed.columns.values()]
    text = f"<details><summary>what the columns are</summary><p>{'<p>'.join(lines)}</details>"
    return Div(
        name="meanings", text=text, sizing_mode="stretch_width", margin=(14, 0, 0, 0), stylesheets=[LIST, MEANINGS]
    )


def _turn(step, page):
    """Button for the next or the previous page of the list."""
    name, sign = ("back", "‹") if step < 0 else ("forward", "›")
    button = Button(name=name, label=sign, width=34, align="end")
    button.js_on_event("button_click", CustomJS(args={"page": page, "step": step}, code=TURN))
    return button


def _slider(name, step, listed):
    """Slider for the range of a column; None if all values are unknown."""
    values = np.array([each.values[name] for each in listed.galaxies])
    if not np.isfinite(values).any():
        return None
    low, high = np.floor(np.nanmin(values) / step) * step, np.ceil(np.nanmax(values) / step) * step
    high = max(high, low + step)  # a slider of zero length is not drawn
    limits = {"start": low, "end": high, "step": step, "value": (low, high), "format": "0" if step == 1 else "0.00"}
    options = {"name": f"range_{name}", "tags": [name], "title": listed.columns[name][0], "width": 142}
    return RangeSlider(bar_color=LINK, **limits, **options)


def _options(counts):
    """Options of a menu: `any`, and each word with its number of galaxies, the most frequent first."""
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return [("any", "any"), *((word, f"{word} ({counts[word]:,})") for word in ordered)]
