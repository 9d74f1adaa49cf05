"""The data of a page: arrays as columns of data sources, and plain values for the callbacks."""

import numpy as np
from bokeh.models import ColumnDataSource
from matplotlib.colors import to_hex

from plots.composites import FEATURES
from plots.explorer.dark import FAINT
from plots.style import UNASSIGNED_COLOUR, cluster_colours, label_image

MAX_SEDS = 10_000  # pixels with an SED: of more, only those in every second (third, ...) row and column
SOFTENING = 16.0  # of images, in units of their scatter
STEPS = 1024  # codes for a change of the asinh by 1
NO_DATA = -32768  # code of a missing flux


def thinning(n_pixels):
    """Step between rows and columns whose pixels have an SED on the page."""
    return int(np.ceil(np.sqrt(max(n_pixels, 1) / MAX_SEDS)))


def sources(view):
    """Collect the data of a page.

    Parameters
    ----------
    view : GalaxyView

    Returns
    -------
    known : dict
        Plain values, which are `known` in the callbacks.
    tables : dict
        Name -> ColumnDataSource: `map` has a row for each selected pixel, `pixels` for each pixel with an SED, `seds`
        for each run, kind of SED, cluster and band, and `bands` for each band.
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
        "id": str(view.id_dr3),  # as text, because numbers of JavaScript are exact only up to 2^53
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
        "plain": FAINT,
    }
    seds = {name: np.concatenate([np.zeros(0), *values]).astype(np.float32) for name, values in seds.items()}
    tables = {"map": on_map, "pixels": pixels, "seds": seds, "bands": band_images(view)}
    made = {name: ColumnDataSource(data, name=name) for name, data in tables.items()}
    made["map"].tags = [known]  # sent once for all callbacks
    return known, made


def columns_of(values):
    """Contiguous columns of an array, float32."""
    return np.ascontiguousarray(values.T, dtype=np.float32)


def add_layer(on_map, layer, name):
    """Add a layer and its error to the columns of the map; return its plain values for the callbacks."""
    on_map[name] = layer.values.astype(np.float32)
    if layer.error is not None:
        on_map[f"{name}_error"] = layer.error.astype(np.float32)
    error = None if layer.error is None else f"{name}_error"
    return {"title": layer.title, "column": name, "error": error, "unit": layer.unit, "meaning": layer.meaning}


def add_run(on_map, seds, run, number):
    """Add a run to the columns of the map and of the SEDs; return its plain values for the callbacks."""
    on_map[f"labels{number}"] = run.labels.astype(np.int16)
    known = {
        "name": run.name,
        "labels": f"labels{number}",
        "colours": [to_hex(colour) for colour in cluster_colours(run.regions)],
        "confidence": None,
        "fraction": [],
        "layers": [add_layer(on_map, layer, f"layer{number}_{place}") for place, layer in enumerate(run.layers)],
    }
    known["fits"] = [fit_values(each) for each in run.models]
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


def fit_values(fit):
    """A `FitView` as plain values and flat arrays for the callbacks."""
    arrays = {name: getattr(fit, name).astype(np.float32).ravel() for name in ("sed", "spectrum", "history")}
    return arrays | {
        "cluster": fit.cluster,
        "note": fit.note,
        "is_fitted": fit.is_fitted,
        "chi2": fit.chi2,
        "n_bands": int(np.isfinite(fit.sed[0]).sum()),
        "bands": list(fit.bands),
        "wavelengths": fit.wavelengths.tolist(),
        "posteriors": [
            {"title": title, "percentiles": list(percentiles), "edges": edges.tolist(), "counts": counts.tolist()}
            for title, percentiles, edges, counts in fit.posteriors
        ],
    }


def band_images(view):
    """Columns of data with the image of each band as codes of 16 bits: STEPS times the asinh of the flux over `soft`.

    The precision is 1/64 of the scatter of the image, and 0.05% of bright fluxes, which does not change the colour
    image.
    """
    coded = {name: [] for name in ("image", "soft", "level")}
    selected = view.rows, view.cols
    for image in () if view.images is None else view.images:
        known = np.isfinite(image)
        scatter = 1.48 * float(np.median(np.abs(image[known] - np.median(image[known]))))
        soft = SOFTENING * scatter or float(np.abs(image[known]).max()) or 1.0
        codes = np.where(known, np.rint(STEPS * np.arcsinh(np.where(known, image, 0) / soft)), NO_DATA)
        own = image[selected][np.isfinite(image[selected])]
        level = float(own.mean()) if own.size else 0.0
        level = level if level > 0 else float(np.percentile(image[known], 99)) or 1.0
        for name, value in zip(coded, (codes.astype(np.int16), soft, level), strict=True):
            coded[name].append(value)
    return coded


def pixel_image(rows, cols, labels, regions):
    """Label map in the colours of the regions, cut to the selected pixels.

    Returns
    -------
    image : uint32 ndarray
        RGBA, of shape (n_rows, n_cols).
    corner : tuple
        Column and row of its lower left pixel.
    """
    corner = cols.min(), rows.min()
    whole = np.zeros((np.ptp(rows) + 1, np.ptp(cols) + 1), dtype=int)
    whole[rows - corner[1], cols - corner[0]] = labels
    colours = (255 * label_image(whole, regions)).astype(np.uint8)
    return colours.view(np.uint32)[..., 0], corner
