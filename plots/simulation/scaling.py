"""Time and memory of the methods against the number of pixels, and time against the number of bands."""

from matplotlib.ticker import NullLocator

from plots.style import PALETTE, figure_with_grid


def scaling(by_pixels, by_bands):
    """Draw seconds and megabytes against pixels, and seconds against bands, all logarithmic.

    Parameters
    ----------
    by_pixels, by_bands : list of dict
        With method, n_pixels, n_bands, seconds and megabytes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    room = {"left": 0.72, "right": 1.65, "bottom": 0.55, "top": 0.39, "across": 0.8}
    figure, grid = figure_with_grid([2.34] * 3, [2.96], **room)
    axes = grid.subplots()
    panels = (
        (by_pixels, "n_pixels", "seconds", "pixels", "time [s]"),
        (by_pixels, "n_pixels", "megabytes", "pixels", "memory beyond the imports [MB]"),
        (by_bands, "n_bands", "seconds", "bands", "time [s]"),
    )
    colours = dict(zip(dict.fromkeys(row["method"] for row in by_pixels), PALETTE, strict=False))
    for ax, (rows, x, y, xlabel, ylabel) in zip(axes, panels, strict=True):
        for method, colour in colours.items():
            mine = [row for row in rows if row["method"] == method]
            # Memory below a megabyte cannot be measured, and 0 has no logarithm.
            values = [max(row[y], 1) if y == "megabytes" else row[y] for row in mine]
            ax.loglog([row[x] for row in mine], values, marker="o", ms=4, color=colour, label=method)
        ticks = sorted({row[x] for row in rows})
        ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks], size=7)
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlabel(xlabel)
        ax.set_ylabel(ylabel)
        ax.grid(color="0.9", lw=0.6)
    axes[0].set_title("27 bands", size=9)
    axes[1].set_title("27 bands", size=9)
    axes[2].set_title(f"{by_bands[0]['n_pixels']:,} pixels", size=9)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="center right", frameon=False, fontsize=8)
    return figure
