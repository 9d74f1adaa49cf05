"""What the pictures share: colours of clusters, images, scale bars, axes of wavelength."""

from itertools import compress

import matplotlib
import numpy as np
from astropy.visualization import make_lupton_rgb
from astropy.wcs.utils import proj_plane_pixel_scales
from contourpy import contour_generator
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import TICKDOWN, TICKLEFT, TICKUP
from matplotlib.offsetbox import AnchoredOffsetbox, AuxTransformBox, DrawingArea, TextArea, VPacker
from matplotlib.patches import FancyArrow, Polygon, Rectangle
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from plots.panel import Panel

# Ten colours that stay apart in the common kinds of colour blindness (Petroff 2021, arXiv:2107.02270), greys last.
PALETTE = [matplotlib.color_sequences["petroff10"][n] for n in (0, 1, 2, 4, 9, 5, 6, 7, 8, 3)]
UNASSIGNED_COLOUR = "0.25"
CONTOUR_COLOUR = "white"
PANEL = 2.1  # inches, side of a small panel
GREY_MAP = "gray"
SOFTENING = 4.0  # of three-colour images: linear to 1/7 of the brightest, logarithmic beyond (Q of Lupton et al. 2004)
RGB_NAMES = ("#ff7777", "#77ee77", "#99aaff")  # red, green and blue as words that can be read on black
QUANTITY_NAMES = {  # of what is fitted to regions
    "mass": "stellar mass",
    "mass_formed": "mass formed",
    "sfr": "SFR",
    "ssfr": "sSFR",
    "age": "age",
    "a_v": "$A_V$",
    "metallicity": "metallicity [Z$_\\odot$]",
    "log_u": "log $U$",
    "redshift": "redshift",
}
FLUX_LABEL = "flux [10 nJy / pixel]"
TICK = 3.5  # points, length of a tick
WIDTHS, DIGIT = {".": 0.32, "\N{MINUS SIGN}": 0.84}, 0.64  # of signs of the usual font (DejaVu Sans), in its size
TICK_ID = "tick"  # what marks and numbers of ticks are known by
SIDES = {  # of a panel: the mark of its ticks, which way they point, and where numbers stand beside them
    "bottom": (TICKDOWN, (0, -1), {"ha": "center", "va": "top"}),
    "top": (TICKUP, (0, 1), {"ha": "center", "va": "bottom"}),
    "left": (TICKLEFT, (-1, 0), {"ha": "right", "va": "center_baseline"}),
}


def galaxy_name(cutout):
    """The galaxy and its redshift, for a title."""
    return f"id {cutout.id_dr3}, z = {cutout.redshift:.3f}" if np.isfinite(cutout.redshift) else f"id {cutout.id_dr3}"


def new_figure(width, height):
    """A `Figure` of that size in inches; no screen and no global state are involved."""
    return Figure(figsize=(width, height))


def cluster_colours(regions):
    """Colour of clusters by the number of their region, RGBA, shape (n_clusters, 4).

    Past ten the colours come again, darker each round.
    """
    base = to_rgba_array(PALETTE)
    number = np.asarray(regions, dtype=int) - 1
    colours = base[number % len(base)].copy()
    colours[:, :3] *= 0.6 ** (number // len(base))[:, None]
    return colours


def label_image(labels, regions=None, alpha=1.0):
    """RGBA image of a label image: clusters in their colours, unassigned pixels dark grey, the rest transparent.

    Colours go by the region of each cluster, (n_clusters,); without these, labels are taken for regions.
    """
    regions = np.arange(1, max(labels.max(initial=0), 0) + 1) if regions is None else regions
    image = np.zeros((*labels.shape, 4))
    image[labels == -1] = to_rgba_array(UNASSIGNED_COLOUR)
    clustered = labels > 0
    image[clustered] = cluster_colours(regions)[labels[clustered] - 1]
    image[labels != 0, 3] = alpha
    return image


def grey_image(ax, image, **options):
    """Draw one band: linear near zero, logarithmic in the bright, sky to the brightest percent."""
    finite = image[np.isfinite(image)]
    middle, high = np.percentile(finite, [25, 99.5]) if finite.size else (0, 1)
    soft = max((high - middle) / 10, np.finfo(float).tiny)
    return ax.imshow(np.arcsinh((image - middle) / soft), cmap=GREY_MAP, vmin=-0.5, vmax=3, **options)


def thirds(bands):
    """The red, the middle and the blue third of the bands, from which three-colour images are made, as indices."""
    blue, middle, red = np.array_split(np.arange(len(bands)), 3)
    return [third if len(third) else np.arange(len(bands)) for third in (red, middle, blue)]


def colour_image(cutout, mask):
    """Three-colour image from the red, middle and blue third of the bands, shape (ny, nx, 3).

    Each third is an inverse-variance mean, scaled so that the selected pixels together are white: what is left is how
    colours differ inside the galaxy. The brightest of the selected pixels fill the range: brighter neighbours do not
    count.
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
    # The sky is a hair brighter than black, as no ratio of colours is known of exactly nothing.
    return make_lupton_rgb(*channels, minimum=-0.01 * brightest, stretch=stretch, Q=SOFTENING)


def name_colours(ax, bands):
    """Say in the corner of a three-colour image which bands are red, green and blue."""
    named = [(bands[third[0]], bands[third[-1]]) for third in thirds(bands)]
    words = [first.upper() if first == last else f"{first.upper()}–{last.upper()}" for first, last in named]
    lines = [TextArea(word, textprops={"color": c, "size": 6.5}) for word, c in zip(words, RGB_NAMES, strict=True)]
    in_box(ax, "upper left", VPacker(children=lines, pad=0, sep=1.5))


def outline(mask, level=0.5):
    """Lines around the pixels of a mask, a list of (n_points, 2); below a level of 1, so far outside their centres."""
    return contour_generator(z=mask.astype(float)).lines(level)


def outlines(ax, labels, colours, **options):
    """Draw the outline of each cluster in its colour; those of neighbours lie side by side."""
    lines = [outline(labels == number, 0.7) for number in range(1, len(colours) + 1)]
    each = np.repeat(colours, [len(of_one) for of_one in lines], axis=0)
    segments(ax, [line for of_one in lines for line in of_one], colors=each, **options)


def zoom(ax, labels):
    """Show the selected pixels and a quarter of their extent around them, square."""
    rows, cols = np.nonzero(labels)
    half = 0.75 * max(np.ptp(rows), np.ptp(cols)) + 2
    middle_row, middle_col = (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
    ax.set(xlim=(middle_col - half, middle_col + half), ylim=(middle_row - half, middle_row + half))


def in_box(ax, corner, content):
    """Put something white into a corner of a panel, on a dark box: it is read on sky, galaxy and missing data alike."""
    box = AnchoredOffsetbox(corner, child=content, pad=0.3, borderpad=0.4, frameon=True, bbox_to_anchor=ax.bbox)
    box.patch.set(facecolor="black", alpha=0.6, edgecolor="none")
    ax.add_artist(box)


def scale_bar(ax, wcs):
    """Draw a bar of a round number of arcsec, about a quarter of the panel wide."""
    scale = proj_plane_pixel_scales(wcs.celestial)[0] * 3600
    wanted = np.ptp(ax.get_xlim()) * scale / 4
    length = min([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], key=lambda size: abs(np.log(size / wanted)))
    bar = AuxTransformBox(ax.transData)
    bar.add_artist(Rectangle((0, 0), length / scale, 0, ec="white", lw=2))
    text = TextArea(f'{length:g}"', textprops={"color": "white", "size": 8})
    in_box(ax, "lower left", VPacker(children=[text, bar], align="center", pad=0, sep=3))


def east_and_north(wcs):
    """Directions to the east and to the north, as unit vectors (x, y) in pixels, shape (2, 2)."""
    directions = np.linalg.inv(wcs.celestial.pixel_scale_matrix).T  # pixels per degree
    return directions / np.linalg.norm(directions, axis=1)[:, None]


def compass(ax, wcs):
    """Draw arrows to the east and the north, as the WCS has them."""
    directions = east_and_north(wcs)
    area, start = DrawingArea(30, 30), 15 - 8 * directions.sum(axis=0)
    for name, direction in zip("EN", directions, strict=True):
        arrow = {"width": 0.8, "head_width": 4, "length_includes_head": True, "color": "white"}
        area.add_artist(FancyArrow(*start, *(13 * direction), **arrow))
        area.add_artist(Text(*(start + 18 * direction), name, color="white", size=7, ha="center", va="center"))
    in_box(ax, "lower right", area)


def probability_bar(panel, place):
    """Draw what the colours of a map of probabilities mean, at a place in the panel (left, bottom, width, height)."""
    bar = panel.inset(*place)
    bar.imshow(np.linspace(0, 1, 256)[None], cmap="cividis", extent=(0, 1, 0, 1))
    quick_ticks(bar, "top", [0, 0.5, 1], size=7)


def colour_bar(panel, colour_map, low, high, open_ends=False):
    """Fill a panel with the colours from `low` to `high`; with tips of the colours beyond where ends are open."""
    panel.set(xlim=(low, high), ylim=(0, 1))
    colours = colormaps[colour_map](np.linspace(0, 1, 256))
    panel.imshow(colours[None], extent=(low, high, 0, 1), interpolation="bilinear")
    round_ticks(panel, "bottom", 5, size=7)
    if open_ends:
        for end, out, colour in ((0, -0.05, colours[0]), (1, 1.05, colours[-1])):
            tip = Polygon([(end, 0), (out, 0.5), (end, 1)], facecolor=colour, edgecolor="black", lw=0.8, zorder=2.6)
            tip.set(transform=panel.transAxes, clip_on=False)
            panel.add_artist(tip)


def bare(ax, title):
    """Take the ticks off an image panel and give it a title."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title, size=8, pad=3)


def grid(figure, n_panels, n_columns, **options):
    """Axes for `n_panels` in rows of `n_columns`; what is over is not drawn."""
    n_rows = -(-n_panels // n_columns)
    axes = figure.subplots(n_rows, n_columns, squeeze=False, **options).ravel()
    for ax in axes[n_panels:]:
        ax.remove()
    return axes[:n_panels]


def in_rest_frame(wavelengths, redshift):
    """Wavelengths in micron, at rest where the redshift is known, else observed; and the axis label that says which."""
    known = np.isfinite(redshift)
    label = f"{'rest-frame' if known else 'observed'} wavelength [µm]"
    return wavelengths / (1 + redshift if known else 1) / 1e4, label


def wavelength_axis(ax, microns, named=True, size=8):
    """Make the x axis logarithmic, with plain numbers in micron unless they are not to be `named`."""
    if not isinstance(ax, Panel):  # a panel is made with its scale
        ax.set_xscale("log")
    ax.set(xlim=(microns.min() * 0.93, microns.max() * 1.07))
    logarithmic_ticks(ax, "bottom", named, size)


def logarithmic_ticks(ax, side, named=True, size=8):
    """Ticks of a logarithmic axis at 1, 2, 3 and 5 times powers of ten, as plain numbers."""
    low, high = np.log10(ax.get_xlim())
    decades = 10.0 ** np.arange(np.floor(low), np.ceil(high))
    quick_ticks(ax, side, np.outer(decades, [1, 2, 3, 5]).ravel(), named, size)


def round_ticks(ax, side, most=4, named=True, size=8):
    """Ticks of a linear axis at round numbers, `most` intervals of them at most."""
    low, high = ax.get_ylim() if side == "left" else ax.get_xlim()
    quick_ticks(ax, side, MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high), named, size)


def quick_ticks(ax, side, places, named=True, size=8, length=TICK):
    """Draw the ticks of an axis as one line of marks, and their numbers as texts.

    Matplotlib's own are five objects for each tick, which take most of the time of a page with many panels.

    Parameters
    ----------
    ax : Axes or Panel
        With its final limits.
    side : "bottom", "top" or "left"
    places : array_like of shape (n_ticks,)
        Those beyond the limits are not drawn.
    named : bool or sequence of str
        Whether to write the numbers, or what to write.
    size : float
        Of the numbers, points.
    length : float
        Of the marks, points.
    """
    across = side != "left"
    limits = ax.get_xlim() if across else ax.get_ylim()
    slack = 1e-9 * abs(limits[1] - limits[0])
    names = [f"{place:g}".replace("-", "\N{MINUS SIGN}") for place in places] if named is True else named
    seen = [min(limits) - slack <= place <= max(limits) + slack for place in places]
    places = list(compress(places, seen))
    transform = ax.get_xaxis_transform() if across else ax.get_yaxis_transform()
    edge = [float(side == "top")] * len(places)
    x, y = (places, edge) if across else (edge, places)
    marker, (right, up), alignment = SIDES[side]
    marks = {"marker": marker, "ms": length, "mew": 0.8, "ls": "none", "color": "black", "gid": TICK_ID}
    ax.add_artist(Line2D(x, y, **marks, transform=transform, clip_on=False))
    pad = TICK + 5
    if names:
        names = list(compress(names, seen))
        away = (TICK + 3) / 72
        beside = transform + ScaledTranslation(right * away, up * away, ax.figure.dpi_scale_trans)
        for name, *at in zip(names, x, y, strict=True):
            ax.text(*at, name, size=size, transform=beside, gid=TICK_ID, **alignment)
        # The label of the axis stands beyond the numbers.
        wide = max((sum(WIDTHS.get(sign, DIGIT) for sign in name) for name in names), default=0)
        pad += size * (1.3 if across else wide)
    if isinstance(ax, Panel):
        ax.pad["x" if across else "y"] = pad
    else:
        axis = ax.xaxis if across else ax.yaxis
        axis.set_ticks([])
        axis.set_ticks([], minor=True)
        axis.labelpad = pad


def far_axis(panel, place, factor, label):
    """Draw the wavelength axis again, divided by `factor`, at a height in units of the panel's."""
    left, bottom, width, height = panel.place
    far = Panel(panel.page, (left, bottom + place * height, width, 0), logarithmic=True)
    far.set(xlim=np.array(panel.get_xlim()) / factor)
    side = "top" if place > 0 else "bottom"
    logarithmic_ticks(far, side)
    far.set_xlabel(label, size=9, side=side)


def segments(ax, lines, **style):
    """Draw lines, each (n_points, 2), which do not change the limits of the axes."""
    return ax.add_artist(LineCollection(lines, **style))


def upright(x, low, high):
    """Vertical lines, (n_lines, 2 ends, 2 coordinates)."""
    return np.stack([np.stack([x, x], axis=1), np.stack([low, high], axis=1)], axis=2)


def spread_labels(ax, places, names, height, size=6.5):
    """Write upright names above a panel, or below, each with a line to its place; names that would touch are moved.

    Parameters
    ----------
    ax : Axes
        With its final position and limits.
    places : sequence of float
        On the x axis.
    names : sequence of str
    height : float
        Of the names and their lines, in units of the panel's; negative to write below.
    size : float
        Of the letters, points.
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
    segments(ax, lines, colors="0.5", linewidths=0.5, transform=ax.transAxes, clip_on=False)
    options = {"size": size, "rotation": 90, "ha": "center", "va": "bottom" if edge else "top"}
    for x, name in zip(moved, names, strict=True):
        ax.text(x, tip + 0.03 * height, name, transform=ax.transAxes, **options)


def spread(places, gap):
    """Move places between 0 and 1 as little as possible (least squares) so that all are `gap` apart, in their order."""
    order = np.argsort(places, kind="stable")
    steps = gap * np.arange(len(places))
    wanted = np.asarray(places)[order] - steps
    # Less the steps, places may touch but not change order, which is isotonic regression: its solution is the largest
    # over the starts of the smallest over the ends of the means of stretches of places.
    total = np.concatenate([[0], np.cumsum(wanted)])
    start, end = np.indices((len(places), len(places)))
    means = np.where(end >= start, (total[end + 1] - total[start]) / np.maximum(end - start + 1, 1), np.inf)
    least = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
    fitted = np.array([least[: n + 1, n].max() for n in range(len(places))])
    moved = np.empty(len(places))
    moved[order] = np.clip(fitted, 0, max(1 - steps[-1], 0)) + steps
    return moved
