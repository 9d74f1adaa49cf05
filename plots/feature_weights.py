"""Which bands the metric "features" looks at: the weight of each band, and the features it covers."""

import numpy as np

from plots.picture import Picture
from plots.style import PALETTE, in_rest_frame, new_figure, wavelength_axis


def feature_weights_page(result):
    """Draw the weight of every band against rest-frame wavelength, with the windows of the features behind.

    Parameters
    ----------
    result : RunResult
        Of which `band_weights` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None for another metric than features.
    """
    if result.band_weights is None:
        return None
    bands, edges, weights, redshift, features = result.band_weights
    figure = new_figure(9, 3.8)
    ax = figure.subplots()
    figure.subplots_adjust(left=0.08, right=0.8, bottom=0.14, top=0.9)
    figure.suptitle(result.title, size=11)
    rest, wavelength_label = in_rest_frame(edges, redshift)
    for (low, high), weight, band in zip(rest, weights, bands, strict=True):
        ax.fill_between([low, high], weight, color="0.35", alpha=0.5, lw=0)
        if weight > 0:
            top = weight + 0.01 * weights.max()
            ax.text((low + high) / 2, top, band.upper(), size=6, rotation=90, ha="center", va="bottom")
    for (name, windows), colour in zip(features.items(), PALETTE, strict=False):
        for label, (low, high) in zip([name] + [None] * len(windows), windows, strict=False):
            ax.axvspan(low / 1e4, high / 1e4, color=colour, alpha=0.35, lw=0, zorder=0, label=label)
    wavelength_axis(ax, np.array([rest.min(), rest.max()]))
    ax.set_ylim(0, 1.3 * weights.max())
    ax.set_xlabel(wavelength_label)
    ax.set_ylabel("weight of the band")
    figure.legend(loc="center right", frameon=False, fontsize=8, title="feature")
    return figure


RUN_PICTURES = {"feature_weights": Picture(feature_weights_page, "how much each band counts in metric `features`")}
