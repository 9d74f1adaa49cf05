"""The page of one galaxy."""

from html import escape

import numpy as np
from bokeh.document import Document
from bokeh.layouts import column, row
from bokeh.models import Button

from plots.explorer.colours import colours_panel
from plots.explorer.dark import THEME, callback, words
from plots.explorer.embed import document_html
from plots.explorer.fits import fit_panels
from plots.explorer.maps import maps
from plots.explorer.runs import runs_below
from plots.explorer.seds import ERRORS, KEYBOARD, sed_panels
from plots.explorer.sources import sources


def explorer_page(view, assets=""):
    """Draw the page.

    Parameters
    ----------
    view : GalaxyView
    assets : str
        Path of the folder of shared scripts relative to the page; if empty, the page has them inside.

    Returns
    -------
    str
        HTML.
    """
    known, tables = sources(view)
    parts = maps(view)
    parts |= sed_panels(view, parts)
    chosen, again = colours_panel(view, tables["pixels"], parts), command_words(view, parts)
    fits, below = fit_panels(view, parts), runs_below(view, parts)
    args = tables | parts["args"]
    update = connect(args, parts)
    document = Document()
    document.theme = THEME
    top = [*parts["figures"], column(parts["controls"], spacing=4), *parts["charts"], chosen, *fits]
    hints = words(f"<p>{KEYBOARD} {ERRORS}</p>")
    document.js_on_event("document_ready", *update)
    whole = [words(head(view, known)), top, hints, again, *below]
    return document_html(document, whole, f"galaxy {view.id_dr3}", assets)


def command_words(view, parts):
    """The command that repeats this galaxy, with selected pixels as own region, and a button to copy it."""
    shown = words("", name="command", sizing_mode="stretch_width")
    button = Button(name="copy_command", label="copy", width=60, visible=bool(view.commands))
    parts["args"] |= {"commands": list(view.commands), "command": shown}
    parts["buttons"]["copy_command"] = button
    return row(button, shown, sizing_mode="stretch_width", visible=bool(view.commands))


def connect(args, parts):
    """Connect widgets to callbacks; return the callbacks to be run when the page is opened, in their order.

    Parameters
    ----------
    args : dict
        Widgets and data sources by their variable names in the callbacks.
    parts : dict
        From `maps` and `sed_panels`.
    """
    scripts = ("colour", "frame", "run", "layer", "clusters", "colours", "pixel", "region", "fits", "results")
    draw = {name: callback(name, args) for name in scripts}
    pointer, lasso = (callback(name, args) for name in ("pointer", "lasso"))

    def on(name, attribute, *after):
        args[name].js_on_change(attribute, *(draw[each] for each in after))

    for name in ("red_menu", "green_menu", "blue_menu", "stretch"):
        on(name, "value", "colour")
    on("run_menu", "value", "run", "layer", "clusters", "colours", "pixel", "fits", "results")
    for name in parts["colour_menus"]:
        on(name, "value", "colours")
    on("fit_menu", "value", "fits")
    for name in ("row_box", "col_box"):
        on(name, "value", "pixel")
    on("layer_menu", "value", "layer", "pixel")
    on("cluster_menu", "value", "layer", "clusters")
    on("opacity", "value", "layer")
    on("outlines", "active", "layer")
    on("frame_menu", "active", "frame", "clusters", "pixel", "region")
    args["pixels"].selected.js_on_change("indices", draw["region"], draw["layer"])
    for name, button in parts["buttons"].items():
        button.js_on_event("button_click", callback(name, args))
    for figure in parts["figures"]:
        figure.js_on_event("mousemove", pointer)
        figure.js_on_event("tap", pointer)
        figure.js_on_event("selectiongeometry", lasso)
    return [draw[name] for name in scripts]


def head(view, known):
    """Title of the page, properties of the galaxy, missing results and notes, as HTML."""
    redshift = f"z = {view.redshift:.4g}" if np.isfinite(view.redshift) else "redshift not known: no rest frame"
    counts = {"pixel": len(view.rows), "band": len(view.bands), "run": len(view.runs)}
    facts = [redshift, *(f"{number:,} {name}{'s' * (number != 1)}" for name, number in counts.items())]
    missing = []
    if not len(view.rows):
        missing.append("No pixel of this galaxy is selected: there is nothing to cluster.")
    elif view.flux is None:
        missing.append("The cubes of this galaxy were not kept (PIXEL_CUBES): there are no images and SEDs of pixels.")
    if known["step"] > 1 and view.flux is not None:
        missing.append(
            f"The galaxy has too many pixels for the page to hold all SEDs: only one in {known['step']} rows and "
            "columns has them, and the pointer shows the nearest. Maps show all pixels."
        )
    missing += [f"{run}: {reason}" for run, reason in view.failed_runs.items()] + list(view.notes)
    notes = "".join(f"<li>{escape(note)}</li>" for note in missing)
    links = '<a href="index.html">all galaxies</a>', f'<a href="compare.html?left={view.id_dr3}">beside another</a>'
    return f"<h1>Galaxy {view.id_dr3}</h1><div>{escape(' · '.join(facts))} · {' · '.join(links)}</div><ul>{notes}</ul>"
