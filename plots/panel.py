"""Panels of a page without axes of their own, which take most of the time of a page with many panels."""

import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.scale import LogTransform
from matplotlib.transforms import (
    Bbox,
    BboxTransformFrom,
    BboxTransformTo,
    IdentityTransform,
    ScaledTranslation,
    TransformedBbox,
    blended_transform_factory,
)

LABEL_PAD = 4.0  # points between a panel and the labels of its axes, without ticks


def page_of(figure):
    """Axes over a whole figure, without frame and ticks, that hold what its panels show."""
    page = figure.add_axes([0, 0, 1, 1], xlim=(0, 1), ylim=(0, 1))
    page.set_axis_off()
    page.set_title("", y=1)  # not to look for room for a title
    page.panels = []  # in the order in which they were made
    return page


class Panel:
    """A framed rectangle of a page, with those methods of matplotlib's `Axes` that pages use.

    Matplotlib's own takes 8 ms to make and to draw, this one a tenth of that: it has no ticks (`quick_ticks` draws
    them), and nothing is worked out but where its data lie on the page. Limits are to be set before ticks are drawn.

    Parameters
    ----------
    page : Axes
        From `page_of`.
    place : (left, bottom, width, height)
        On the page, inches from its lower left corner.
    logarithmic : bool
        Whether the x axis is.
    facecolor : colour
    frame : bool
        Whether it has one.
    """

    def __init__(self, page, place, logarithmic=False, facecolor="none", frame=True):
        self.page, self.figure, self.place, self.logarithmic = page, page.figure, place, logarithmic
        self.bbox = TransformedBbox(Bbox.from_bounds(*place), self.figure.dpi_scale_trans)
        self.view = Bbox.unit()  # of the data, logarithms where the axis is logarithmic
        scale = blended_transform_factory(LogTransform(10) if logarithmic else IdentityTransform(), IdentityTransform())
        self.transAxes = BboxTransformTo(self.bbox)
        self.transData = scale + BboxTransformFrom(self.view) + self.transAxes
        self.pad = {"x": LABEL_PAD, "y": LABEL_PAD}  # points
        self.artists = []  # what it shows, in the order in which it was added, titles and labels among them
        page.panels.append(self)
        style = {"transform": self.transAxes, "clip_on": False}
        if facecolor != "none":
            page.add_artist(Rectangle((0, 0), 1, 1, facecolor=facecolor, zorder=-1, **style))
        if frame:
            page.add_artist(Rectangle((0, 0), 1, 1, facecolor="none", edgecolor="black", lw=0.8, zorder=2.5, **style))

    def get_xaxis_transform(self):
        return blended_transform_factory(self.transData, self.transAxes)

    def get_yaxis_transform(self):
        return blended_transform_factory(self.transAxes, self.transData)

    def get_xlim(self):
        return tuple(10**self.view.intervalx if self.logarithmic else self.view.intervalx)

    def get_ylim(self):
        return tuple(self.view.intervaly)

    def get_window_extent(self):
        return self.bbox

    def set(self, xlim=None, ylim=None):
        """Set limits."""
        if xlim is not None:
            self.view.intervalx = np.log10(xlim) if self.logarithmic else xlim
        if ylim is not None:
            self.view.intervaly = ylim

    def add_artist(self, artist):
        """Add what matplotlib draws, in data coordinates unless it has its own, cut off at the frame."""
        if not artist.is_transform_set():
            artist.set_transform(self.transData)
        return self._shown(self.page.add_artist(artist))

    def _shown(self, artist):
        artist.set_clip_box(self.bbox)
        self.artists.append(artist)
        return artist

    def imshow(self, image, **options):
        """As of `Axes`, with its origin below."""
        drawn = self.page.imshow(image, **{"origin": "lower", "aspect": "auto", "transform": self.transData} | options)
        return self._shown(drawn)

    def scatter(self, x, y, **options):
        """As of `Axes`."""
        return self._shown(self.page.scatter(x, y, transform=self.transData, **options))

    def text(self, x, y, words, **options):
        """As of `Axes`."""
        return self._shown(self.page.text(x, y, words, **{"transform": self.transData} | options))

    def inset(self, left, bottom, width, height):
        """Another panel, at a place in units of this one."""
        x, y, wide, tall = self.place
        return Panel(self.page, (x + left * wide, y + bottom * tall, width * wide, height * tall))

    def below(self, down, height, margin=0.0):
        """Another panel, so many inches below this one, and in from its sides by `margin`."""
        left, bottom, width, _ = self.place
        return Panel(self.page, (left + margin, bottom - down, width - 2 * margin, height))

    def away(self, right, up):
        """Places in units of the panel, moved by so many points."""
        return self.transAxes + ScaledTranslation(right / 72, up / 72, self.figure.dpi_scale_trans)

    def set_title(self, words, size=8, pad=3):
        return self.text(0.5, 1, words, size=size, ha="center", va="baseline", transform=self.away(0, pad))

    def set_xlabel(self, words, size=8, side="bottom"):
        up, va = (1, "bottom") if side == "top" else (-1, "top")
        transform = self.away(0, up * self.pad["x"])
        return self.text(0.5, max(up, 0), words, size=size, ha="center", va=va, transform=transform)

    def set_ylabel(self, words, size=8):
        style = {"size": size, "ha": "center", "va": "bottom", "rotation": 90, "rotation_mode": "anchor"}
        return self.text(0, 0.5, words, transform=self.away(-self.pad["y"], 0), **style)
