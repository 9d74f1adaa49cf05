"""Pages as files: the document packed into HTML, and the scripts of Bokeh beside it or inside."""

import base64
import gzip
import json
from html import escape
from pathlib import Path

import bokeh
import numpy as np
from bokeh.core.json_encoder import serialize_json

from plots.explorer.dark import CALLBACKS, LIGHT, PAGE

ASSETS = {  # name in the folder of shared scripts, with the version for older pages -> file of Bokeh
    f"{name}-{bokeh.__version__}.min.js": Path(bokeh.__file__).parent / f"server/static/js/{name}.min.js"
    for name in ("bokeh", "bokeh-widgets")
}
LEVEL = 6  # of the compression


def document_html(document, parts, title, folder=""):
    """HTML of a page.

    Parameters
    ----------
    document : bokeh.document.Document
        Without roots: each part becomes a root, so that a change of its size does not affect the others.
    parts : list
        Models from top to bottom, as wide as the window; a nested list has models from left to right, wrapped at the
        width of the window.
    title : str
        Not yet escaped.
    folder : str
        Path of the folder with ASSETS relative to the page; if empty, these are inside the page.

    Returns
    -------
    str
        Arrays and models are compressed, and unpacked by callbacks/open.js, which applies the light colours, too.
    """
    scripts = [
        f'<script src="{escape(folder)}/{name}"></script>'
        if folder
        else f"<script>{path.read_text(encoding='utf-8')}</script>"
        for name, path in ASSETS.items()
    ]
    with document.models.freeze():  # avoids repeated searches through all roots
        for part in parts:
            for model in part if isinstance(part, list) else [part]:
                document.add_root(model)
    places = "\n".join(
        f'<div class="flow">{"".join(map(place_of, part))}</div>' if isinstance(part, list) else place_of(part)
        for part in parts
    )
    opening = (CALLBACKS / "open.js").read_text(encoding="utf-8")
    lines = [
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>',
        f'<meta name="viewport" content="width=device-width">\n<style>{PAGE}</style>',
        *scripts,
        "</head>\n<body>",
        places,
        f'<script type="text/plain" id="packed">{packed(document)}</script>',
        f"<script>\nconst LIGHT = {json.dumps(LIGHT)};\n{opening}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(lines)


def place_of(model):
    """The element that a root is drawn in."""
    return f'<div id="{model.id}"></div>'


def packed(document):
    """The document as text: base64 of compressed bytes.

    These are a line of JSON, {"roots": [id, ...], "arrays": [[id, number of bytes, bytes of an item], ...]}, a line
    with the models as JSON, and the arrays. Arrays are ordered as [first bytes of all items, second bytes, ...], which
    compresses better.
    """
    found = document.to_json()
    arrays, parts = [], []
    for buffer in found.buffers:
        size = getattr(buffer.data, "itemsize", 1)
        data = np.frombuffer(buffer.data, dtype=np.uint8)
        arrays.append([buffer.id, len(data), size])
        parts.append(data.reshape(-1, size).T.tobytes())
    head = {"roots": [root.id for root in document.roots], "arrays": arrays}
    lines = json.dumps(head), serialize_json(found), ""
    whole = b"".join(["\n".join(lines).encode(), *parts])
    return base64.b64encode(gzip.compress(whole, LEVEL, mtime=0)).decode("ascii")
