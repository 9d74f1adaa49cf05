"""The list of all galaxies of an output folder: one page that opens in a browser, without a server."""

from html import escape
from pathlib import Path

import numpy as np

LENGTH = 50  # galaxies on a page of the list
THUMBNAIL = 176, 88  # pixels on the screen, image and label map side by side
WIDTHS = {"id_dr3": 124, "snr_median": 58, "reduced_chi2": 58, "held_out_error": 100, "brightness_share": 88}
WIDTH = 76  # pixels, of the other columns
WHOLE_WIDTH = 1236  # with a scroll bar it fits in 1280
RANGES = {"redshift": 0.01, "n_clusters": 1, "stability": 0.01}  # columns that can be narrowed, and in which steps

# Light grey on nearly black has a contrast of 13 to 1, the smaller words one of 7; what is wrong is told by words and
# signs, and by orange and blue, which differ in all common kinds of colour blindness.
DARK = """
:host, :root {
  --color: #d9dce1; --background-color: #1b1e23; --hover-color: #2a2f37; --border-color: #5a616d;
  --divider-color: #30353d; --placeholder-color: #9aa2ae; --icon-color: #d9dce1; --highlight-color: #7fb3e6;
  --surface-background-color: #1b1e23; --input-focus-border-color: #7fb3e6; --inactive-bg: #1b1e23;
  --soft: #a4abb6; --wrong: #ffa552; --link: #8cc2f5; --bokeh-font-size: 13px;
  color-scheme: dark; color: var(--color);
}
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--highlight-color) !important; outline-offset: 1px; }
"""
HEADLINE = "div { font-size: 18px; padding: 12px 0 2px; } span { color: var(--soft); }"
CONTROLS = """
input, select { background-color: var(--background-color) !important; color: var(--color) !important; }
label, .bk-slider-title { color: var(--soft) !important; }
.bk-slider-value { color: var(--color); }
.noUi-target { margin-top: 9px; background: #30353d; border-color: #5a616d; box-shadow: none; }
.noUi-handle { background: #d9dce1; border-color: #d9dce1; box-shadow: none; }
.bk-btn { background: #262a31 !important; color: var(--color) !important; border-color: #454b55 !important; }
.bk-btn:hover { background: #343a44 !important; }
"""
TITLES = """
.bk-btn { background: none !important; border: none !important; color: var(--soft) !important; text-align: right;
  font-weight: 600; padding: 6px 8px; white-space: nowrap; width: 100%; }
.bk-btn:hover { color: var(--color) !important; text-decoration: underline; }
:host(.rising) .bk-btn, :host(.falling) .bk-btn { color: var(--link) !important; }
:host(.rising) .bk-btn::before { content: "▲ "; } :host(.falling) .bk-btn::before { content: "▼ "; }
"""
LIST = """
table { border-collapse: collapse; table-layout: fixed; width: 1236px; font-size: 13px; line-height: 1.35;
  font-variant-numeric: tabular-nums; }
thead { position: absolute; clip-path: inset(50%); height: 1px; overflow: hidden; }
tr { border-bottom: 1px solid var(--divider-color); }
tbody tr:hover { background: #22262c; }
td { padding: 6px 8px; text-align: right; vertical-align: middle; overflow-wrap: anywhere; }
td:first-child { padding-left: 0; text-align: left; }
td:nth-child(2) { text-align: left; }
td:last-child { text-align: left; padding: 6px 0 6px 16px; }
img { display: block; background: #000; border-radius: 3px; }
.none { width: 176px; height: 88px; border: 1px dashed #454b55; border-radius: 3px; display: grid; place-items: center;
  color: var(--soft); box-sizing: border-box; }
b { font-size: 15px; font-weight: 600; }
small { display: block; color: var(--soft); font-size: 11.5px; }
i { font-style: normal; display: inline-block; margin: 0 4px 3px 0; padding: 0 7px; border: 1px solid #5a616d;
  border-radius: 9px; font-size: 11.5px; }
i.wrong { border-color: var(--wrong); color: var(--wrong); font-weight: 600; }
p { margin: 2px 0 0; color: var(--soft); font-size: 12px; max-height: 66px; overflow-y: auto; }
.nothing { padding: 60px 0; color: var(--soft); font-size: 15px; }
"""
TEMPLATE = """
{% block preamble %}
<meta name="viewport" content="width=device-width">
<style>
  html { background: #131518; color-scheme: dark; }
  body { background: #131518; margin: 0 auto 40px; width: 1236px; }
</style>
{% endblock %}
"""
SORT = """
const [field, sign] = galaxies.tags
galaxies.tags = [cb_obj.origin.name, cb_obj.origin.name == field ? -sign : 1]
"""
TURN = "page.value = Math.min(Math.max((page.value ?? 1) + step, page.low), page.high); window.scrollTo(0, 0)"


def index_page(listed):
    """Draw the list of all galaxies.

    Parameters
    ----------
    listed : GalaxyList
        All of its text is shown as text, whatever it holds.

    Returns
    -------
    str
        HTML, with all scripts inside. Links and thumbnails are beside the page, where `listed` says.
    """
    from bokeh.document import Document
    from bokeh.embed import file_html
    from bokeh.layouts import column, row
    from bokeh.models import Button, ColumnDataSource, CustomJS, Div, InlineStyleSheet, Select, Spinner, TextInput
    from bokeh.resources import INLINE

    def styled(kind, *css, **options):
        return kind(stylesheets=[*sheets, *(InlineStyleSheet(css=each) for each in css)], **options)

    sheets = [InlineStyleSheet(css=DARK)]
    galaxies = ColumnDataSource(_columns(listed), name="galaxies", tags=["id_dr3", 1])
    wanted = {"title": "search", "placeholder": "id, flag, run, note …"}
    search = styled(TextInput, CONTROLS, name="search", width=180, margin=(5, 5, 5, 0), **wanted)
    outcome = styled(Select, CONTROLS, name="outcome", title="outcome", options=_options(listed, _outcomes), width=120)
    flag = styled(Select, CONTROLS, name="flag", title="flag", options=_options(listed, _flags), width=170)
    outcome.value = flag.value = "any"
    ranges = [_slider(name, step, listed, styled) for name, step in RANGES.items() if _is_known(name, listed)]
    page = styled(Spinner, CONTROLS, name="page", title="page", low=1, high=1, value=1, step=1, width=70)
    turns = {sign: styled(Button, CONTROLS, label=sign, width=34, align="end") for sign in "‹›"}
    titles = [_title(name, *listed.columns[name], styled) for name in listed.columns]
    count = styled(Div, HEADLINE, name="count", text="", width=WHOLE_WIDTH, margin=0, disable_math=True)
    rows = styled(Div, LIST, name="list", text="", width=WHOLE_WIDTH, margin=0, disable_math=True)

    shown = {"galaxies": galaxies, "search": search, "outcome": outcome, "flag": flag, "ranges": ranges}
    shown |= {"page": page, "titles": titles, "count": count, "list": rows, "length": LENGTH, "head": _head(listed)}
    shown["folder"] = f"<span>in {escape(listed.folder)}</span>"
    nothing = '<div class="nothing">No galaxy fits. Widen the ranges, or shorten the search.</div>'
    update = CustomJS(args=shown | {"nothing": nothing}, code=Path(__file__).with_suffix(".js").read_text())
    search.js_on_change("value_input", update)
    for model in (outcome, flag, page, *ranges):
        model.js_on_change("value", update)
    galaxies.js_on_change("tags", update)
    sort = CustomJS(args={"galaxies": galaxies}, code=SORT)
    for title in titles:
        title.js_on_event("button_click", sort)
    for step, button in zip((-1, 1), turns.values(), strict=True):
        button.js_on_event("button_click", CustomJS(args={"page": page, "step": step}, code=TURN))

    sticky = {"position": "sticky", "top": "0", "z-index": "1", "background": "#131518", "padding-bottom": "2px"}
    sticky |= {"border-bottom": "1px solid #454b55"}
    head = row(styled(Div, width=THUMBNAIL[0] + 8, margin=0, text=""), *titles, spacing=0)
    controls = row(search, outcome, flag, *ranges, page, *turns.values(), spacing=14)
    document = Document(title=f"galaxies of {listed.folder}")
    document.add_root(column(column(count, controls, head, styles=sticky), rows))
    document.js_on_event("document_ready", update)
    return file_html(document, INLINE, template=TEMPLATE)


def _columns(listed):
    """What scripts know of the galaxies: the row of each, what is searched in, and what is sorted and narrowed by."""
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
        wide, high = THUMBNAIL
        size = f'alt="galaxy {galaxy.id_dr3}: image and clusters" width={wide} height={high}'
        picture = f'<img loading="lazy" src="{escape(galaxy.thumbnail)}" {size}>'
    words = {name: escape(galaxy.words[name]) for name in columns}
    words["id_dr3"] = f"{_linked(galaxy.page, f'<b>{galaxy.id_dr3}</b>')}<small>{escape(galaxy.run)}</small>"
    words["n_clusters"] = f"<b>{words['n_clusters']}</b><small>{escape(galaxy.k_range)}</small>"
    status = "" if galaxy.is_ok else f'<i class="{"" if galaxy.is_expected else "wrong"}">{escape(galaxy.status)}</i>'
    flags = "".join(f"<i>{escape(flag)}</i>" for flag in galaxy.flags)
    notes = f"<p>{escape(galaxy.notes)}" if galaxy.notes else ""
    cells = [_linked(galaxy.page, picture, "tabindex=-1"), *words.values(), status + flags + notes]
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}"


def _linked(page, content, more=""):
    return f'<a href="{escape(page)}" {more}>{content}</a>' if page else content


def _head(listed):
    """Widths of the columns, and their titles for who listens to the page; others see the buttons above it."""
    widths = [THUMBNAIL[0] + 8, *(WIDTHS.get(name, WIDTH) for name in listed.columns)]
    names = ["picture", *(title for title, _ in listed.columns.values()), "flags and notes"]
    columns = "".join(f'<col style="width:{width}px">' for width in widths) + "<col>"
    return f"<colgroup>{columns}</colgroup><thead><tr>{''.join(f'<th>{escape(name)}' for name in names)}</tr></thead>"


def _title(name, title, meaning, styled):
    from bokeh.models import Button

    css = TITLES + (".bk-btn { text-align: left; }" if name == "id_dr3" else "")
    options = {"label": title, "width": WIDTHS.get(name, WIDTH), "html_attributes": {"title": meaning}}
    return styled(Button, css, name=name, margin=0, **options)


def _slider(name, step, listed, styled):
    from bokeh.models import RangeSlider

    values = [each.values[name] for each in listed.galaxies]
    low, high = np.floor(np.nanmin(values) / step) * step, np.ceil(np.nanmax(values) / step) * step
    limits = {"start": low, "end": max(high, low + step), "step": step, "value": (low, max(high, low + step))}
    options = {"format": "0" if step == 1 else "0.00", "bar_color": "#7fb3e6", "width": 142}
    return styled(RangeSlider, CONTROLS, name=name, title=listed.columns[name][0], **limits, **options)


def _is_known(name, listed):
    return any(np.isfinite(each.values[name]) for each in listed.galaxies)


def _outcomes(galaxy):
    return [galaxy.status]


def _flags(galaxy):
    return galaxy.flags or ["none"]


def _options(listed, words_of):
    """Choices of a menu: any, and each word that galaxies have with their number, most frequent first."""
    counts = {}
    for galaxy in listed.galaxies:
        for word in words_of(galaxy):
            counts[word] = counts.get(word, 0) + 1
    ordered = sorted(counts, key=lambda word: (-counts[word], word))
    return [("any", "any"), *((word, f"{word} ({counts[word]:,})") for word in ordered)]
