"""Common parts of the pictures: registry entry, colours of clusters, images, scale bars, axes."""

from collections.abc import Callable
from typing import NamedTuple

import matplotlib
import numpy as np
from astropy.visualization import make_lupton_rgb
from astropy.wcs.utils import proj_plane_pixel_scales
from contourpy import contour_generator
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea, TextArea, VPacker
from matplotlib.patches import FancyArrow
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator, SymmetricalLogLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from scipy.optimize import isotonic_regression

# Ten colours that stay apart in the common kinds of colour blindness (Petroff 2021, arXiv:2107.02270), greys last.
PALETTE = [matplotlib.color_sequences["petroff10"][n] for n in (0, 1, 2, 4, 9, 5, 6, 7, 8, 3)]
UNASSIGNED_COLOUR = "0.25"
CONTOUR_COLOUR = "white"
GREY_MAP = matplotlib.colormaps["gray"].with_extremes(bad="0.9")  # without data
SOFTENING = 4.0  # of three-colour images: linear to 1/7 of the brightest, logarithmic beyond (Q of Lupton et al. 2004)
RGB_NAMES = ("#ff7777", "#77ee77", "#99aaff")  # of the words for red, green and blue on black
FLUX_LABEL = "flux [10 nJy / pixel]"
NO_TICKS = {"xticks": [], "yticks": []}  # of images, when their axes are made
TITLE = {"size": 8, "pad": 3, "y": 1}  # y avoids a slow search for the position
SURE = 2.0  # sigma, of the fluxes that a logarithmic axis must include
DEEPEST = 1e-3  # of the highest flux: fainter fluxes are in the linear part of the axis
BOX = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none"}  # behind text on images


class Picture(NamedTuple):
    """A picture of a run, of a galaxy or of the whole field."""

    draw: Callable  # (result) -> Figure, or None if there is nothing to draw
    meaning: str  # for tables
    among_few: bool = False  # whether it is drawn with PICTURES = "few"


def galaxy_name(cutout):
    """The galaxy and its redshift, for a title."""
    return f"id {cutout.id_dr3}, z = {cutout.redshift:.3f}" if np.isfinite(cutout.redshift) else f"id {cutout.id_dr3}"


def new_figure(width, height):
    """A `Figure` of that size in inches; no screen and no global state are involved."""
    return Figure(figsize=(width, height))


def figure_with_grid(widths, heights, title="", *, left, right, bottom, top, across=0.0, down=0.0, title_size=11):
    """A figure with a grid of panels of given sizes.

    Parameters
    ----------
    widths, heights : sequence of float
        Inches, of the columns from the left and of the rows from the top.
    title : str
        Of the figure.
    left, right, bottom, top : float
        Inches, margins around the panels.
    across, down : float
        Inches between columns, and between rows.
    title_size : float
        Points.

    Returns
    -------
    figure : matplotlib.figure.Figure
    grid : matplotlib.gridspec.GridSpec
    """
    width = left + sum(widths) + across * (len(widths) - 1) + right
    height = bottom + sum(heights) + down * (len(heights) - 1) + top
    figure = new_figure(width, height)
    if title:
        figure.suptitle(title, size=title_size, y=1 - 0.12 / height, va="top")
    edges = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    between = {"wspace": across / np.mean(widths), "hspace": down / np.mean(heights)}  # in units of the mean panel
    ratios = {"width_ratios": widths, "height_ratios": heights}
    return figure, figure.add_gridspec(len(heights), len(widths), **edges, **between, **ratios)


def cluster_colours(regions):
    """Colours of clusters by region number, RGBA, shape (n_clusters, 4).

    After ten regions, colours are repeated and darker.
    """
    base = to_rgba_array(PALETTE)
    number = np.asarray(regions, dtype=int) - 1
    colours = base[number % len(base)].copy()
    colours[:, :3] *= 0.6 ** (number // len(base))[:, None]
    return colours


def match_colours(labels, truth):
    """Number clusters by the region with which they share most pixels, so that colours can be compared."""
    numbered = labels.copy()
    free = list(range(1, max(labels.max(), truth.max()) + 1))
    overlap = {
        (cluster, region): np.sum((labels == cluster) & (truth == region))
        for cluster in range(1, labels.max() + 1)
        for region in free
    }
    waiting = set(range(1, labels.max() + 1))
    for cluster, region in sorted(overlap, key=overlap.get, reverse=True):
        if cluster in waiting and region in free:
            numbered[labels == cluster] = region
            waiting.remove(cluster)
            free.remove(region)
    return numbered


def label_image(labels, regions=None, alpha=1.0):
    """RGBA image of a label image: clusters in their colours, unassigned pixels dark grey, the rest transparent.

    `regions` are the region numbers of the clusters, (n_clusters,); by default, the labels.
    """
    regions = np.arange(1, max(labels.max(initial=0), 0) + 1) if regions is None else regions
    image = np.zeros((*labels.shape, 4))
    image[labels == -1] = to_rgba_array(UNASSIGNED_COLOUR)
    clustered = labels > 0
    image[clustered] = cluster_colours(regions)[labels[clustered] - 1]
    image[labels != 0, 3] = alpha
    return image


def grey_image(ax, image, extent=None):
    """Draw one band: linear near zero, logarithmic in the bright, sky to the brightest percent."""
    finite = image[np.isfinite(image)]
    middle, high = np.percentile(finite, [25, 99.5]) if finite.size else (0, 1)
    soft = max((high - middle) / 10, np.finfo(float).tiny)
    shown, limits = np.arcsinh((image - middle) / soft), {"vmin": -0.5, "vmax": 3}
    return ax.imshow(shown, origin="lower", interpolation="nearest", extent=extent, cmap=GREY_MAP, **limits)


def thirds(bands):
    """Indices of the red, middle and blue third of the bands, for three-colour images."""
    blue, middle, red = np.array_split(np.arange(len(bands)), 3)
    return [third if len(third) else np.arange(len(bands)) for third in (red, middle, blue)]


def colour_image(cutout, mask):
    """Three-colour image from the red, middle and blue third of the bands, shape (ny, nx, 3).

    Each third is an inverse-variance mean, scaled so that the mean colour of the selected pixels is white, to show
    differences of colour within the galaxy. The brightest selected pixels set the range.
    """
    channels = []
    for third in thirds(cutout.bands):
        weight = np.nan_to_num(1 / cutout.err[third] ** 2)
        total = weight.sum(axis=0)
        mean = np.divide((np.nan_to_num(cutout.sci[third]) * weight).sum(axis=0), total, out=total * 0, where=total > 0)
        level = mean[mask].mean()
        channels.append(mean / level if level > 0 else mean)
    brightest = max(np.percentile(np.mean(channels, axis=0)[mask], 99.5), np.finfo(np.float32).tiny)
    stretch = SOFTENING * brightest / np.sinh(SOFTENING)
    # The minimum is slightly negative, because the colour of a flux of exactly 0 is undefined.
    return make_lupton_rgb(*channels, minimum=-0.01 * brightest, stretch=stretch, Q=SOFTENING)


def name_colours(ax, bands):
    """Write the names of the bands into the corner of a three-colour image."""
    named = [(bands[third[0]], bands[third[-1]]) for third in thirds(bands)]
    words = [first.upper() if first == last else f"{first.upper()}–{last.upper()}" for first, last in named]
    lines = [TextArea(word, textprops={"color": c, "size": 6.5}) for word, c in zip(words, RGB_NAMES, strict=True)]
    in_box(ax, "upper left", VPacker(children=lines, pad=0, sep=1.5))


def outline(mask, level=0.5, **options):
    """Outline of a mask as a `LineCollection`; levels above 0.5 are closer to its pixels.

    It is much faster than `Axes.contour`, and works for masks with no or all pixels.
    """
    return LineCollection(contour_generator(z=mask.astype(float)).lines(level), **options)


def outlines(ax, labels, colours, **options):
    """Draw the outline of each cluster in its colour; outlines of neighbours are side by side."""
    for number, colour in enumerate(colours, start=1):
        ax.add_collection(outline(labels == number, 0.7, colors=[colour], **options))


def square_around(labels):
    """Square around the selected pixels with a margin of a quarter of their extent: centre (row, col), half side."""
    places = np.array(np.nonzero(labels))
    low, high = places.min(axis=1), places.max(axis=1)
    return (low + high) / 2, 0.75 * np.max(high - low) + 2


def zoom(ax, labels):
    """Limit axes to `square_around` the selected pixels."""
    (row, col), half = square_around(labels)
    ax.set(xlim=(col - half, col + half), ylim=(row - half, row + half))


def arcsec_axes(ax, wcs, middle, *, left=True, bottom=True, size=8):
    """Set ticks at round numbers of arcsec from `middle`, (row, col); `left` and `bottom`: whether to label the axes.

    The data coordinates of the panel remain pixels.
    """
    scale = pixel_side(wcs)
    for axis, limits, centre, is_labelled in (
        (ax.xaxis, ax.get_xlim(), middle[1], bottom),
        (ax.yaxis, ax.get_ylim(), middle[0], left),
    ):
        low, high = scale * (np.array(limits) - centre)
        places = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, high)
        places = np.round(places[(places >= low) & (places <= high)], 6) + 0.0  # no minus sign of zero
        axis.set_ticks(
            centre + places / scale, [f"{place:g}".replace("-", "−") if is_labelled else "" for place in places]
        )
    ax.tick_params(labelsize=size - 1)
    ax.set_ylabel("y [arcsec]" if left else "", size=size, labelpad=1)
    ax.set_xlabel("x [arcsec]" if bottom else "", size=size, labelpad=1)


def pixel_side(wcs):
    """Side of a pixel, arcsec."""
    return np.mean(proj_plane_pixel_scales(wcs.celestial)) * 3600


def in_box(ax, corner, content):
    """Draw white content on a dark box in a corner of a panel."""
    box = AnchoredOffsetbox(corner, child=content, pad=0.3, borderpad=0.4)
    box.patch.set(**BOX)
    ax.add_artist(box)


def scale_bar(ax, wcs):
    """Draw a bar of a round number of arcsec, about a quarter of the panel wide."""
    scale = pixel_side(wcs)
    wide = np.ptp(ax.get_xlim())
    length = min([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], key=lambda size: abs(np.log(size / (wide * scale / 4))))
    style = {"color": "white", "size_vertical": wide / 150, "label_top": True, "fontproperties": FontProperties(size=8)}
    place = {"loc": "lower left", "pad": 0.3, "borderpad": 0.4, "sep": 3}
    bar = AnchoredSizeBar(ax.transData, length / scale, f'{length:g}"', **place, **style)
    bar.patch.set(**BOX)
    ax.add_artist(bar)


def east_and_north(wcs):
    """Directions to the east and to the north, as unit vectors (x, y) in pixels, shape (2, 2)."""
    directions = np.linalg.inv(wcs.celestial.pixel_scale_matrix).T  # pixels per degree
    return directions / np.linalg.norm(directions, axis=1)[:, None]


def compass(ax, wcs):
    """Draw arrows to the east and the north of the WCS."""
    directions = east_and_north(wcs)
    area, start = DrawingArea(30, 30), 15 - 8 * directions.sum(axis=0)
    for name, direction in zip("EN", directions, strict=True):
        arrow = {"width": 0.8, "head_width": 4, "length_includes_head": True, "color": "white"}
        area.add_artist(FancyArrow(*start, *(13 * direction), **arrow))
        area.add_artist(Text(*(start + 18 * direction), name, color="white", size=7, ha="center", va="center"))
    in_box(ax, "lower right", area)


def colour_bar(image, place, **options):
    """Draw a colour bar of an image, at a position in units of its axes (left, bottom, width, height).

    Options are those of matplotlib's `Figure.colorbar`.
    """
    options = {"orientation": "horizontal"} | options
    bar = image.axes.figure.colorbar(image, cax=image.axes.inset_axes(place), **options)
    bar.ax.tick_params(labelsize=7)
    return bar


def in_rest_frame(wavelengths, redshift):
    """Rest-frame wavelengths in micron, or observed ones without a redshift; and the axis label."""
    known = np.isfinite(redshift)
    label = f"{'rest-frame' if known else 'observed'} wavelength [µm]"
    return wavelengths / (1 + redshift if known else 1) / 1e4, label


def wavelength_axis(ax, microns):
    """Make the x axis logarithmic, with plain numbers in micron."""
    ax.set(xscale="log", xlim=(np.min(microns) * 0.93, np.max(microns) * 1.07))
    plain_numbers(ax.xaxis)


def flux_axis(ax, flux, error, *others):
    """Make the y axis of an SED logarithmic, with limits that include all points.

    It is linear (symlog) near zero if points are not positive, or far below the detected ones.

    Parameters
    ----------
    ax : Axes
    flux, error : ndarray, of one shape
        Points with error bars; NaN where there is none.
    others : ndarray
        Further values to include, such as the spectrum of a model.
    """
    drawn = np.concatenate([np.ravel(each) for each in (flux - error, flux + error, flux, *others)])
    drawn, sure = drawn[np.isfinite(drawn)], flux[flux > SURE * error]
    lowest, highest = (drawn.min(), drawn.max()) if drawn.size else (0, 1)
    if highest <= 0:
        ax.set_ylim(1.1 * lowest, -0.1 * lowest)
        return
    faintest = max(sure.min(initial=highest), DEEPEST * highest)
    if lowest > 0.1 * faintest:
        ax.set(yscale="log", ylim=(lowest / 1.2, 1.2 * highest))
        decades = np.log10(highest / lowest)
        subs = [1, 2, 3, 5] if decades < 1 else [1, 2, 5] if decades < 2 else [1]
        plain_numbers(ax.yaxis, subs)
        return
    ax.set_yscale("symlog", linthresh=faintest, linscale=0.4)
    ax.set_ylim(1.2 * lowest - 0.1 * faintest, 1.2 * highest)
    plain_numbers(ax.yaxis)
    ax.yaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=faintest, subs=[1, 2, 5]))


def plain_numbers(axis, subs=(1, 2, 3, 5)):
    """Label a logarithmic axis with plain numbers at these multiples of powers of ten."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_locator(NullLocator())


def spread_labels(ax, places, names, height, size=6.5):
    """Write vertical names above or below a panel, each with a line to its position, without overlaps.

    Parameters
    ----------
    ax : Axes
        With its final position and limits.
    places : sequence of float
        On the x axis.
    names : sequence of str
    height : float
        Height of names and lines, in units of the panel's height; negative: below.
    size : float
        Font size, points.
    """
    if not len(names):
        return
    edge = float(height > 0)
    points = np.column_stack([places, np.zeros(len(places))])
    at = (ax.get_xaxis_transform() - ax.transAxes).transform(points)[:, 0]
    width = ax.get_window_extent().width * 72 / ax.figure.dpi
    moved = spread(at, 1.25 * size / width)
    tip = edge + 0.18 * height
    lines = [[(x, edge), (other, tip)] for x, other in zip(at, moved, strict=True)]
    style = {"transform": ax.transAxes, "clip_on": False}
    ax.add_collection(LineCollection(lines, colors="0.5", linewidths=0.5, **style), autolim=False)
    for x, name in zip(moved, names, strict=True):
        va = "bottom" if edge else "top"
        ax.text(x, tip + 0.03 * height, name, size=size, rotation=90, ha="center", va=va, **style)


def spread(places, gap):
    """Move positions between 0 and 1 as little as possible (least squares) to be `gap` apart in the same order."""
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(len(places))
    # After subtraction of the gaps, this is isotonic regression.
    fitted = isotonic_regression(np.asarray(places)[order] - steps).x
    moved = np.empty(len(places))
    moved[order] = np.clip(fitted, 0, max(1 - steps[-1], 0)) + steps
    return moved
