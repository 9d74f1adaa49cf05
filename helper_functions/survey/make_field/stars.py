"""PSF of a band measured from stars in its mosaic."""

import warnings

import numpy as np
from astropy.stats import mad_std, sigma_clip
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from helper_functions.filters import pivot_wavelength, sedpy_name
from helper_functions.psf import measure_fwhm
from helper_functions.survey.images import mask_missing, read_pixels
from helper_functions.survey.make_field.psfs import make_band_psf, pixel_side, sky_matrix

RADIUS = 1.5  # arcsec, of the PSF
MIN_STARS, MOST_STARS = 4, 60  # fewer are refused; of more, the brightest are taken
WINDOW, N_WINDOWS = (
    1024,
    100,
)  # pixels, side of windows in which stars are searched for, and their largest number
BRIGHT, FAINT = 100.0, 10.0  # lowest peak of stars, and of neighbours, in units of the pixel noise
CROWDED = 1.0, 0.05  # arcsec, and fraction of the peak: stars with such a near and bright neighbour are excluded
ALIKE = 0.1  # relative difference of the widths of stars
SHARPEST, WIDEST = 0.7, 2.5  # range of widths of stars, in units of the diffraction limit plus a pixel
SATURATED = 0.9, 4  # fraction of the peak, and the number of pixels above it in a saturated star
CLIP = 3.0  # sigma
MIRRORS = {"jwst": 6.5, "": 2.4}  # m, diameters of JWST and, for other bands, HST


def psf_from_stars(images):
    """Measure the PSF of a band as the clipped mean of its stars.

    Stars are bright sources of the same, smallest, width, without bright neighbours, missing pixels or a flat top.

    Parameters
    ----------
    images : BandImages

    Returns
    -------
    BandPSF

    Raises
    ------
    ValueError
        Where there are less than MIN_STARS.
    """
    side = pixel_side(sky_matrix(images.sci.wcs))
    half = int(np.ceil(RADIUS / side))
    wave, telescope = pivot_wavelength(images.band), sedpy_name(images.band).partition("_")[0]
    limit = np.hypot(np.degrees(wave * 1e-10 / MIRRORS.get(telescope, MIRRORS[""])) * 3600, side)
    stamps, widths, peaks = [], [], []
    for window in star_windows(images.sci.shape):
        for stamp, width, peak in star_candidates(images, window, half, limit):
            stamps.append(stamp)
            widths.append(width)
            peaks.append(peak)
    chosen = of_one_width(np.array(widths), ALIKE) if stamps else []
    chosen = sorted(chosen, key=lambda number: -peaks[number])[:MOST_STARS]
    if len(chosen) < MIN_STARS:
        raise ValueError(
            f"{images.band} has {len(chosen)} stars from which its PSF can be measured, want {MIN_STARS}: give its "
            "PSF with --psfs or in the table, or leave the band out"
        )
    stack = stack_stars([stamps[number] for number in chosen], side)
    return make_band_psf(stack, sky_matrix(images.sci.wcs), len(chosen))


def star_windows(shape):
    """Windows of a mosaic in which stars are searched for: at most N_WINDOWS, evenly distributed."""
    every = [
        (slice(top, min(top + WINDOW, shape[0])), slice(left, min(left + WINDOW, shape[1])))
        for top in range(0, shape[0], WINDOW)
        for left in range(0, shape[1], WINDOW)
    ]
    return [every[number] for number in np.unique(np.linspace(0, len(every) - 1, N_WINDOWS).astype(int))]


def star_candidates(images, window, half, limit):
    """Bright, isolated and compact sources of a window: stamps (size, size), widths in arcsec, and peaks."""
    from photutils.detection import DAOStarFinder
    from photutils.utils.exceptions import NoDetectionsWarning

    flux, _ = mask_missing(*read_pixels(images.sci, images.wht, window), images.error_map)
    data, side = np.isfinite(flux), pixel_side(sky_matrix(images.sci.wcs))
    if not data.any():
        return []
    flux = flux - np.median(flux[data])
    noise = mad_std(flux[data])
    finder = DAOStarFinder(FAINT * noise, max(limit / side, 1.5), roundness_range=(-0.7, 0.7), exclude_border=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NoDetectionsWarning)  # no star in the window
        table = finder(np.where(data, flux, 0), mask=~data)
    if table is None:
        return []
    places = np.column_stack([table["y_centroid"], table["x_centroid"]])
    peaks = np.array(table["peak"])
    near = cKDTree(places).query_ball_point(places, CROWDED[0] / side)
    found = []
    for number in np.flatnonzero(peaks > BRIGHT * noise):
        row, col = np.round(places[number]).astype(int)
        if row < half or col < half or row >= flux.shape[0] - half or col >= flux.shape[1] - half:
            continue
        stamp = flux[row - half : row + half + 1, col - half : col + half + 1]
        others = [other for other in near[number] if other != number]
        crowded = len(others) and peaks[others].max() > CROWDED[1] * peaks[number]
        if crowded or not np.isfinite(stamp).all() or np.sum(stamp > SATURATED[0] * stamp.max()) >= SATURATED[1]:
            continue
        width = measure_fwhm(stamp, side)
        if SHARPEST * limit < width < WIDEST * limit:
            found.append((stamp, width, peaks[number]))
    return found


def of_one_width(widths, alike):
    """Indices of the sources with the most common width, to this relative difference."""
    common = max(widths, key=lambda width: (np.sum(np.abs(widths / width - 1) < alike), -width))
    return np.flatnonzero(np.abs(widths / common - 1) < alike).tolist()


def stack_stars(stamps, side):
    """Clipped mean of stars after centring, normalisation and sky subtraction; (size, size)."""
    from photutils.centroids import centroid_2dg

    half = len(stamps[0]) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(y, x) * side
    sky, core, middle = distance > 0.9 * RADIUS, distance < 0.3, slice(half - 4, half + 5)
    centred = []
    for stamp in stamps:
        stamp = stamp - np.median(stamp[sky])
        col, row = centroid_2dg(stamp[middle, middle]) - 4
        moved = map_coordinates(stamp, [y + half + row, x + half + col], order=5, mode="nearest")
        centred.append(moved / moved[core].sum())
    return np.ma.filled(sigma_clip(centred, sigma=CLIP, axis=0, masked=True).mean(axis=0), 0.0)
