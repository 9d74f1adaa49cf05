"""Features of a galaxy: where lines and the Balmer break are strong, and the colours of its regions."""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.transforms import IdentityTransform

from plots.panel import Panel, page_of
from plots.picture import Picture
from plots.style import (
    cluster_colours,
    colour_bar,
    compass,
    label_image,
    new_figure,
    outlines,
    round_ticks,
    scale_bar,
    segments,
    zoom,
)

MAPS = {  # features that are drawn as maps: title, what the bar says, and its colours
    "ew_halpha_nii": ("Hα + [NII]", "rest-frame EW [Å]", "inferno"),
    "ew_oiii_hbeta": ("[OIII] + Hβ", "rest-frame EW [Å]", "inferno"),
    "balmer_break": ("Balmer break", "$f_ν$(4200 Å) / $f_ν$(3500 Å)", "viridis"),
}
SHOWN = (2, 98)  # percentiles of the pixels that colours reach from and to
BACKGROUND = "0.88"
# The wedge of quiescent galaxies of Williams et al. (2009), ApJ 691, 1879, equation 4, AB: the diagonal is
# U - V = 0.88 (V - J) + offset, and the offset of each range goes up to this redshift; the last goes on beyond 2.
OFFSETS = ((0.5, 0.69), (1.0, 0.59), (np.inf, 0.49))
SLOPE, LOWEST_UV, HIGHEST_VJ = 0.88, 1.3, 1.6
LEAST_RANGE = ((-0.3, 1.9), (-0.1, 2.1))  # of V - J and U - V, magnitudes: the wedge is always in the picture
STYLES = {"population": ("D", True), "composite": ("o", False)}  # marker, and whether it is filled
WIDTH = 2.9  # inches, of a panel


def features_page(result):
    """Draw the clusters, maps of line widths and of the Balmer break, and the UVJ diagram of the clusters' SEDs.

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
    n_panels = 1 + len(maps) + diagram
    width, height = WIDTH * n_panels + 0.12 + 0.45 * diagram, 3.82
    figure = new_figure(width, height)
    figure.suptitle(result.title, size=11, y=0.985, va="top")
    page, side = page_of(figure), WIDTH - 0.18
    colours = cluster_colours(result.regions)

    def panel(number, right=0.0, facecolor="none"):
        return Panel(page, (0.12 + WIDTH * number + right, 0.64, side, side), facecolor=facecolor)

    clusters = panel(0)
    clusters.imshow(label_image(result.labels, result.regions), interpolation="none")
    clusters.set_title("clusters")
    zoom(clusters, result.labels)
    scale_bar(clusters, result.cutout.wcs)
    compass(clusters, result.cutout.wcs)
    for number, (name, image) in enumerate(maps.items(), start=1):
        ax = panel(number, facecolor=BACKGROUND)
        draw_map(ax, image, *MAPS[name])
        outlines(ax, result.labels, colours, linewidths=0.8)
        zoom(ax, result.labels)
    if diagram:
        ax = panel(n_panels - 1, right=0.4)
        draw_diagram(ax, result.features, known, colours, result.cutout.redshift)
    return figure


def has_colours(features):
    """Whether U - V and V - J of each cluster are known, bool, (n_clusters,)."""
    return np.isfinite(features["u_v"].value) & np.isfinite(features["v_j"].value)


def draw_map(ax, image, title, words, colour_map):
    """Draw the map of a feature over grey where it is not known, with a bar below it."""
    low, high = np.percentile(image[np.isfinite(image)], SHOWN)
    high = max(high, low + 1e-3)
    ax.imshow(image, interpolation="none", cmap=colour_map, vmin=low, vmax=high)
    ax.set_title(title)
    bar = ax.inset(0.09, -0.07, 0.82, 0.035)
    colour_bar(bar, colour_map, low, high, open_ends=True)
    bar.set_xlabel(words)


def draw_diagram(ax, features, known, colours, redshift):
    """Draw the UVJ diagram: populations filled, composites open, and the wedge of quiescent galaxies."""
    reach = [np.array(LEAST_RANGE).T]
    for kind, which in known.items():
        u_v, v_j = features[kind]["u_v"], features[kind]["v_j"]
        marker, filled = STYLES[kind]
        points = np.column_stack([v_j.value, u_v.value])[which]
        errors = np.column_stack([v_j.error, u_v.error])[which]
        ends = np.stack([points - errors, points + errors])  # of the bars, (2, n_points, 2)
        reach += list(ends)
        for axis, cap in enumerate("|_"):
            bars = np.stack([points, points], axis=1)
            bars[:, :, axis] = ends[:, :, axis].T
            segments(ax, bars, colors=colours[which], linewidths=0.9, zorder=3)
            caps = {"marker": cap, "c": np.repeat(colours[which], 2, axis=0), "s": 16, "linewidths": 1, "zorder": 3}
            ax.scatter(*bars.reshape(-1, 2).T, **caps)
        faces = colours[which] if filled else "none"
        ax.scatter(*points.T, s=36, marker=marker, facecolors=faces, edgecolors=colours[which], linewidths=1, zorder=3)
    low, high = np.min(np.concatenate(reach), axis=0), np.max(np.concatenate(reach), axis=0)
    ax.set(xlim=(low[0] - 0.1, high[0] + 0.1), ylim=(low[1] - 0.1, high[1] + 0.1))
    draw_wedge(ax, redshift)
    round_ticks(ax, "bottom", 6, size=7)
    round_ticks(ax, "left", 6, size=7)
    ax.set_xlabel("rest-frame V − J [AB mag]")
    ax.set_ylabel("rest-frame U − V [AB mag]")
    ax.set_title("colours of the clusters")
    handles = []
    for kind in [kind for kind, which in known.items() if which.any()]:
        marker, filled = STYLES[kind]
        face = "0.4" if filled else "none"
        handles.append(Line2D([], [], ls="none", marker=marker, color="0.4", mfc=face, ms=5, label=kind))
    style = {"fontsize": 7, "loc": "lower right", "framealpha": 0.85, "edgecolor": "none"}
    ax.figure.legend(handles=handles, bbox_to_anchor=ax.bbox, bbox_transform=IdentityTransform(), **style)


def draw_wedge(ax, redshift):
    """Draw the border of quiescent galaxies at this redshift."""
    offset = next(each for up_to, each in OFFSETS if redshift < up_to)
    corner, edge = (LOWEST_UV - offset) / SLOPE, SLOPE * HIGHEST_VJ + offset
    x, y = [-9, corner, HIGHEST_VJ, HIGHEST_VJ], [LOWEST_UV, LOWEST_UV, edge, 9]
    segments(ax, [np.column_stack([x, y])], colors="0.4", linewidths=1, zorder=1)
    ax.text(0.03, 0.97, "quiescent", transform=ax.transAxes, size=7, color="0.4", ha="left", va="top")


RUN_PICTURES = {
    "features": Picture(
        features_page, "clusters beside maps of line widths and the Balmer break, and their colours in the UVJ diagram"
    )
}
