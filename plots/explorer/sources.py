"""What a galaxy is to the browser: arrays, sent as bytes, and what the callbacks know besides them."""

import numpy as np
from bokeh.models import ColumnDataSource
from matplotlib.colors import to_hex

from plots.composites import FEATURES
from plots.style import UNASSIGNED_COLOUR, cluster_colours, label_image

MOST = 10_000  # pixels with an SED: beyond, only every second row and column has one, or third, ...
CODES = 65_534  # brightnesses that a pixel of the colour image can have; one more stands for no data


def thinning(n_pixels):
    """Each which row and column has pixels with an SED."""
    return int(np.ceil(np.sqrt(max(n_pixels, 1) / MOST)))


def sources(view):
    """All data of a page.

    Parameters
    ----------
    view : GalaxyView

    Returns
    -------
    known : dict
        Plain values: what the callbacks call `known`.
    tables : dict
        Name -> ColumnDataSource: `map` has a row for each selected pixel, `pixels` for each that has an SED, `seds` for
        each run, kind of SED, cluster and band, and `bands` for each band with its image.
    """
    step = thinning(len(view.rows))
    kept = (view.rows % step == 0) & (view.cols % step == 0)
    pixels = {"row": view.rows[kept].astype(np.int32), "col": view.cols[kept].astype(np.int32)}
    if view.flux is not None:
        for kind, values in (("flux", view.flux), ("error", view.error)):
            pixels |= {f"{kind}{band}": column for band, column in enumerate(columns_of(values[kept]))}
    on_map = {"row": view.rows.astype(np.int32), "col": view.cols.astype(np.int32)}
    layers = [add_layer(on_map, layer, f"layer{number}") for number, layer in enumerate(view.layers)]
    seds, runs = {"flux": [], "error": []}, []
    for number, run in enumerate(view.runs):
        runs.append(add_run(on_map, seds, run, number))
    known = {
        "id": int(view.id_dr3),
        "redshift": float(view.redshift),
        "ny": int(view.shape[0]),
        "nx": int(view.shape[1]),
        "step": step,
        "sky": view.sky,
        "bands": [str(band) for band in view.bands],
        "wavelengths": view.wavelengths.tolist(),
        "has_images": view.images is not None,
        "has_pixels": view.flux is not None,
        "correlation": view.correlation.astype(float).tolist(),
        "background_error": view.background_error.astype(float).tolist(),
        "layers": layers,
        "runs": runs,
        "lines": FEATURES,
        "unassigned": to_hex(UNASSIGNED_COLOUR),
    }
    seds = {name: np.concatenate([np.zeros(0), *values]).astype(np.float32) for name, values in seds.items()}
    tables = {"map": on_map, "pixels": pixels, "seds": seds, "bands": band_images(view)}
    made = {name: ColumnDataSource(data, name=name) for name, data in tables.items()}
    made["map"].tags = [known]  # once, where every callback finds it
    return known, made


def columns_of(values):
    """Columns of an array as arrays of their own, float32."""
    return np.ascontiguousarray(values.T, dtype=np.float32)


def add_layer(on_map, layer, name):
    """Put a layer and its error into the columns of the map; return what the callbacks know of it."""
    on_map[name] = layer.values.astype(np.float32)
    if layer.error is not None:
        on_map[f"{name}_error"] = layer.error.astype(np.float32)
    error = None if layer.error is None else f"{name}_error"
    return {"title": layer.title, "column": name, "error": error, "unit": layer.unit, "meaning": layer.meaning}


def add_run(on_map, seds, run, number):
    """Put a run into the columns of the map and of the SEDs; return what the callbacks know of it."""
    on_map[f"labels{number}"] = run.labels.astype(np.int16)
    known = {
        "name": run.name,
        "labels": f"labels{number}",
        "colours": [to_hex(colour) for colour in cluster_colours(run.regions)],
        "confidence": None,
        "fraction": [],
        "layers": [add_layer(on_map, layer, f"layer{number}_{place}") for place, layer in enumerate(run.layers)],
    }
    if run.confidence is not None:
        known["confidence"] = f"confidence{number}"
        on_map[known["confidence"]] = run.confidence.astype(np.float32)
    if run.fraction is not None:
        known["fraction"] = [f"fraction{number}_{place}" for place in range(len(run.fraction))]
        on_map |= dict(zip(known["fraction"], run.fraction.astype(np.float32), strict=True))
    for kind, values in (("composite", run.composites), ("population", run.populations)):
        known[kind] = None if values is None else sum(map(len, seds["flux"]))
        if values is not None:
            seds["flux"].append(values[0].ravel())
            seds["error"].append(values[1].ravel())
    return known


def band_images(view):
    """Images of the bands as whole numbers of 16 bits: the asinh of the flux over the scatter of the image.

    They are for the colour image only, which needs no better than 1/1000 of a pixel's noise.
    """
    coded = {name: [] for name in ("image", "soft", "low", "step", "level")}
    selected = view.rows, view.cols
    for image in () if view.images is None else view.images:
        known = np.isfinite(image)
        middle = np.median(image[known])
        soft = 1.48 * float(np.median(np.abs(image[known] - middle))) or float(np.abs(image[known]).max()) or 1.0
        values = np.arcsinh(image / soft)
        low, high = float(values[known].min()), float(values[known].max())
        step = (high - low) / CODES or 1.0
        codes = np.where(known, np.rint((np.where(known, values, low) - low) / step), CODES + 1)
        own = image[selected][np.isfinite(image[selected])]
        level = float(own.mean()) if own.size else 0.0
        level = level if level > 0 else float(np.percentile(image[known], 99)) or 1.0
        each = codes.astype(np.uint16), soft, low, step, level
        for name, value in zip(coded, each, strict=True):
            coded[name].append(value)
    return coded


def pixel_image(rows, cols, labels, regions):
    """Image of labels of pixels in the colours of their regions, cut to the pixels.

    Returns
    -------
    image : uint32 ndarray
        RGBA as the browser has it.
    corner : tuple
        Column and row of its lower left pixel.
    """
    corner = cols.min(), rows.min()
    whole = np.zeros((np.ptp(rows) + 1, np.ptp(cols) + 1), dtype=int)
    whole[rows - corner[1], cols - corner[0]] = labels
    colours = (255 * label_image(whole, regions)).astype(np.uint8)
    return colours.view(np.uint32)[..., 0], corner
