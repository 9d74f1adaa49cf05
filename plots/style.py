"""What the pictures share: colours of clusters, images, scale bars."""

import matplotlib
import numpy as np
from astropy.visualization import make_lupton_rgb
from astropy.wcs.utils import proj_plane_pixel_scales
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

# Ten colours that stay apart in the common kinds of colour blindness (Petroff 2021, arXiv:2107.02270), greys last.
PALETTE = [matplotlib.color_sequences["petroff10"][n] for n in (0, 1, 2, 4, 9, 5, 6, 7, 8, 3)]
UNASSIGNED_COLOUR = "0.25"
CONTOUR_COLOUR = "white"
PANEL = 2.1  # inches, side of a small panel
GREY_MAP = "gray"
FLUX_LABEL = "flux [10 nJy / pixel]"


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
    return ax.imshow(np.arcsinh((image - middle) / soft), origin="lower", cmap=GREY_MAP, vmin=-0.5, vmax=3, **options)


def colour_image(cutout, mask):
    """Three-colour image from the red, middle and blue third of the bands, shape (ny, nx, 3).

    Each third is an inverse-variance mean, scaled so that the selected pixels together are white: what is left is how
    colours differ inside the galaxy.
    """
    thirds = np.array_split(np.arange(len(cutout.bands)), 3)
    channels = []
    for third in reversed(thirds):
        third = third if len(third) else np.arange(len(cutout.bands))
        weight = np.nan_to_num(1 / cutout.err[third] ** 2)
        total = weight.sum(axis=0)
        mean = np.divide((np.nan_to_num(cutout.sci[third]) * weight).sum(axis=0), total, out=total * 0, where=total > 0)
        level = mean[mask].mean()
        channels.append(mean / level if level > 0 else mean)
    return make_lupton_rgb(*channels, minimum=-0.05, stretch=0.6, Q=6)


def zoom(ax, labels):
    """Show the selected pixels and a quarter of their extent around them, square."""
    rows, cols = np.nonzero(labels)
    half = 0.75 * max(np.ptp(rows), np.ptp(cols)) + 2
    middle_row, middle_col = (rows.min() + rows.max()) / 2, (cols.min() + cols.max()) / 2
    ax.set(xlim=(middle_col - half, middle_col + half), ylim=(middle_row - half, middle_row + half))


def scale_bar(ax, wcs):
    """Draw a bar of a round number of arcsec, about a quarter of the panel wide."""
    scale = proj_plane_pixel_scales(wcs.celestial)[0] * 3600
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    wanted = (right - left) * scale / 4
    length = min([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50], key=lambda size: abs(np.log(size / wanted)))
    x, y = left + 0.06 * (right - left), low + 0.06 * (high - low)
    edge = [withStroke(linewidth=3, foreground="black")]  # seen on sky, galaxy and missing data alike
    ax.plot([x, x + length / scale], [y, y], color="white", lw=2, solid_capstyle="butt", path_effects=edge)
    text = {"color": "white", "ha": "center", "va": "bottom", "size": 8, "path_effects": edge}
    ax.text(x + length / scale / 2, y + 0.02 * (high - low), f'{length:g}"', **text)


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


def wavelength_axis(ax, microns):
    """Make the x axis logarithmic with plain numbers in micron."""
    ax.set_xscale("log")
    ax.set_xlim(microns.min() * 0.93, microns.max() * 1.07)
    ax.xaxis.set_major_locator(LogLocator(subs=[1, 2, 3, 5]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())
