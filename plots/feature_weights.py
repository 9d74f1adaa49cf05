"""Weights of the bands in the metric "features", and the features that they cover."""

import numpy as np

from plots.style import PALETTE, Picture, figure_with_grid, in_rest_frame, spread_labels, wavelength_axis


def feature_weights_page(result):
    """Draw the weight of each band against rest-frame wavelength, with the windows of the features.

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
    figure, grid = figure_with_grid([6.5], [2.6], result.title, left=0.72, right=1.8, bottom=0.7, top=1)
    ax = figure.add_subplot(grid[0])
    rest, wavelength_label = in_rest_frame(edges, redshift)
    used = weights > 0
    for (low, high), weight in zip(rest[used], weights[used], strict=True):
        ax.fill_between([low, high], weight, color="0.35", alpha=0.3, lw=0)
        ax.plot([low, low, high, high], [0, weight, weight, 0], color="0.25", lw=0.7)
    for (name, windows), colour in zip(features.items(), PALETTE, strict=False):
        for label, (low, high) in zip([name] + [None] * len(windows), windows, strict=False):
            ax.axvspan(low / 1e4, high / 1e4, color=colour, alpha=0.35, lw=0, zorder=0, label=label)
    wavelength_axis(ax, rest)
    ax.set_ylim(0, 1.1 * weights.max())
    spread_labels(ax, np.sqrt(rest[used].prod(axis=1)), [band.upper() for band in np.array(bands)[used]], 0.2)
    if not used.all():
        without = ", ".join(band.upper() for band in np.array(bands)[~used])
        figure.text(0.08, 0.015, f"weight 0: {without}", size=7)
    ax.set_xlabel(wavelength_label)
    ax.set_ylabel("weight of the band")
    figure.legend(loc="center right", frameon=False, fontsize=8, title="feature")
    return figure


RUN_PICTURES = {"feature_weights": Picture(feature_weights_page, "weights of the bands in metric `features`")}
