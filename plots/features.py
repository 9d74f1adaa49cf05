"""Features of a galaxy: maps of lines and the Balmer break, and colours of its regions."""

import numpy as np
from matplotlib.colors import LogNorm, Normalize

from plots.labels import label_of
from plots.style import (
    NO_TICKS,
    TITLE,
    Picture,
    arcsec_axes,
    cluster_colours,
    colour_bar,
    compass,
    figure_with_grid,
    label_image,
    outlines,
    plain_numbers,
    scale_bar,
    square_around,
    zoom,
)

MAPS = {  # features drawn as maps: label of the colour bar, colours, scale
    "flux_halpha_nii": ("per pixel [$10^{-20}$ erg s$^{-1}$ cm$^{-2}$]", "inferno", LogNorm),
    "ew_halpha_nii": ("EW [Å]", "inferno", Normalize),
    "ew_oiii_hbeta": ("EW [Å]", "inferno", Normalize),
    "balmer_break": ("$f_ν$(4200 Å) / $f_ν$(3500 Å)", "viridis", Normalize),
}
ONE_ROW = 5  # panels; more are drawn in two rows
SHOWN = (2, 98)  # percentiles of the pixels at the ends of the colour scale
BACKGROUND = "0.88"
# The wedge of quiescent galaxies of Williams et al. (2009), ApJ 691, 1879, equation 4, AB: the diagonal is
# U - V = 0.88 (V - J) + offset, and each offset is valid up to this redshift, the last also above 2.
OFFSETS = ((0.5, 0.69), (1.0, 0.59), (np.inf, 0.49))
SLOPE, LOWEST_UV, HIGHEST_VJ = 0.88, 1.3, 1.6
LEAST_RANGE = ((-0.3, -0.1), (1.9, 2.1))  # corners in V - J and U - V, magnitudes, so that the wedge is always shown
STYLES = {"population": ("D", True), "composite": ("o", False)}  # marker, and whether it is filled
SIDE = 2.72  # inches, of a panel


def features_page(result):
    """Draw the clusters, maps of lines and of the Balmer break, and the UVJ diagram of the clusters' SEDs.

    Parameters
    ----------
    result : RunResult
        Of which `cutout`, `labels`, `regions`, `features`, `maps` and `title` are drawn.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where neither a map nor a colour is known.
    """
    maps = {name: result.maps[name][0] for name in MAPS if result.maps and name in result.maps}
    known = {kind: has_colours(features) for kind, features in result.features.items()}
    diagram = any(which.any() for which in known.values())
    if not (maps or diagram) or not (result.labels != 0).any():
        return None
    panels = 1 + len(maps) + diagram
    rows = 1 + (panels > ONE_ROW)
    columns = -(-panels // rows)
    room = {"left": 0.6, "right": 0.23, "bottom": 0.64, "top": 0.56, "down": 0.95}
    across = 0.58 if diagram else 0.18  # with room for the numbers of the diagram
    figure, grid = figure_with_grid([SIDE] * columns, [SIDE] * rows, result.title, across=across, **room)
    colours = cluster_colours(result.regions)
    clusters = figure.add_subplot(grid[0])
    clusters.imshow(label_image(result.labels, result.regions), origin="lower", interpolation="none")
    clusters.set_title("clusters", **TITLE)
    zoom(clusters, result.labels)
    arcsec_axes(clusters, result.cutout.wcs, square_around(result.labels)[0])
    scale_bar(clusters, result.cutout.wcs)
    compass(clusters, result.cutout.wcs)
    for number, (name, image) in enumerate(maps.items(), start=1):
        ax = figure.add_subplot(grid[number], facecolor=BACKGROUND, **NO_TICKS)
        draw_map(ax, image, label_of(name), *MAPS[name])
        outlines(ax, result.labels, colours, linewidths=0.8)
        zoom(ax, result.labels)
    if diagram:
        draw_diagram(figure.add_subplot(grid[-1]), result.features, known, colours, result.cutout.redshift)
    return figure


def has_colours(features):
    """Whether U - V and V - J of each cluster are known, bool, (n_clusters,)."""
    return np.isfinite(features["u_v"].value) & np.isfinite(features["v_j"].value)


def draw_map(ax, image, label, words, colour_map, scale):
    """Draw the map of a feature with a colour bar; unknown pixels are grey."""
    image = image / label.scale
    known = image[np.isfinite(image) & ((image > 0) | (scale is Normalize))]  # a logarithm needs positive values
    low, high = np.percentile(known, SHOWN) if known.size else (1, 2)
    norm = scale(low, max(high, low + 1e-3))
    drawn = ax.imshow(image, origin="lower", interpolation="none", cmap=colour_map, norm=norm)
    ax.set_title(label.name, **TITLE)
    bar = colour_bar(drawn, (0.05, -0.07, 0.9, 0.035), extend="both")
    bar.set_label(words, size=8)
    if scale is LogNorm:
        plain_numbers(bar.ax.xaxis)


def draw_diagram(ax, features, known, colours, redshift):
    """Draw the UVJ diagram: populations filled, composites open, and the wedge of quiescent galaxies."""
    for kind in [kind for kind, which in known.items() if which.any()]:
        u_v, v_j = features[kind]["u_v"], features[kind]["v_j"]
        marker, filled = STYLES[kind]
        style = {"marker": marker, "ms": 6, "ls": "none", "elinewidth": 0.9, "capsize": 2}
        for k in np.flatnonzero(known[kind]):
            face = colours[k] if filled else "none"
            ax.errorbar(
                v_j.value[k], u_v.value[k], u_v.error[k], v_j.error[k], color=colours[k], mfc=face, zorder=3, **style
            )
        ax.plot([], [], ls="none", marker=marker, color="0.4", mfc="0.4" if filled else "none", ms=5, label=kind)
    ax.update_datalim(LEAST_RANGE)
    ax.autoscale_view()
    draw_wedge(ax, redshift)
    ax.tick_params(labelsize=7)
    ax.set_xlabel("{0.name} [{0.unit}]".format(label_of("v_j")), size=8)
    ax.set_ylabel("{0.name} [{0.unit}]".format(label_of("u_v")), size=8)
    ax.set_title("colours of the clusters", **TITLE)
    ax.legend(fontsize=7, loc="lower right", framealpha=0.85, edgecolor="none")


def draw_wedge(ax, redshift):
    """Draw the border of quiescent galaxies at this redshift."""
    offset = next(each for up_to, each in OFFSETS if redshift < up_to)
    corner, edge = (LOWEST_UV - offset) / SLOPE, SLOPE * HIGHEST_VJ + offset
    x, y = [-9, corner, HIGHEST_VJ, HIGHEST_VJ], [LOWEST_UV, LOWEST_UV, edge, 9]
    ax.autoscale(False)  # the lines extend beyond the panel
    ax.plot(x, y, color="0.4", lw=1, zorder=1)
    ax.text(0.03, 0.97, "quiescent", transform=ax.transAxes, size=7, color="0.4", ha="left", va="top")


RUN_PICTURES = {
    "features": Picture(
        features_page, "clusters beside maps of lines and the Balmer break, and their colours in the UVJ diagram"
    )
}
