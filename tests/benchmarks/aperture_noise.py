"""Errors of sums over cluster-shaped apertures in the sky, against what is said of them.

python -m tests.benchmarks.aperture_noise SURVEY_FOLDER ID [ID ...]

The galaxies are clustered, and the shapes of their clusters are laid over the sky around them wherever they fit. Of
each band the scatter of the sums is printed over their error: as stated by the weights with pixels taken for
independent, as measured, and with the error of the background besides, as in `composite_seds.sum_error`. Where errors
are right the ratio as measured is 1 within what chance allows in so little sky: beside it stand the lowest and highest
of simulated skies of noise with the measured correlation, which is measured in each of them again.
"""

import argparse

import numpy as np
from scipy.signal import fftconvolve

from helper_functions.clustering import cluster_pixels
from helper_functions.noise import correlate_noise, error_of_sum, white_noise_correlation
from helper_functions.pixel_seds import extract_seds, fill_image, median_snr, select_pixels
from helper_functions.sky_noise import BACKGROUNDS, noise_autocorrelation, sky_mask, with_sky_noise
from prepare_images import cut_out, open_survey

MARGIN = 30  # pixels, in which there is sky
SIZES = (12, 150)  # pixels: smaller clusters are hardly sums, larger ones do not fit into the sky
PLACES = 20  # that an aperture must fit at to be used
SKIES = 12  # simulated for each band and galaxy


def apertures(cutout, methods=("blended_mixture", "kmeans")):
    """Shapes of the clusters that these methods find, bool images of their extent."""
    seds = extract_seds(cutout, select_pixels(cutout, median_snr(cutout), 3.0))
    found = []
    for method in methods:
        labels = fill_image(cutout.segmap.shape, seds, cluster_pixels(seds, method=method, n_clusters=5).labels, 0)
        for k in range(1, labels.max() + 1):
            rows, cols = np.nonzero(labels == k)
            if SIZES[0] <= len(rows) <= SIZES[1]:
                found.append(labels[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1] == k)
    return found


def squared_ratios(image, sky, error, correlation, shapes, background=0.0):
    """Mean square of the sums over each shape wherever it fits into the sky, over its variance.

    Parameters
    ----------
    image : ndarray of shape (ny, nx)
    sky : bool ndarray of shape (ny, nx)
    error : float
        Of a pixel.
    correlation : ndarray of shape (1, n_lags)
    shapes : list of bool ndarray
    background : float
        Error of the background.

    Returns
    -------
    list of float
        Of the shapes that fit.
    """
    ratios = []
    for shape in shapes:
        if any(np.greater(shape.shape, sky.shape)):
            continue
        kernel, positions = shape[::-1, ::-1].astype(float), np.column_stack(np.nonzero(shape))
        fits = fftconvolve(sky.astype(float), kernel, mode="valid") > len(positions) - 0.5
        if fits.sum() < PLACES:
            continue
        sums = fftconvolve(np.where(sky, image, 0), kernel, mode="valid")[fits]
        noise = error_of_sum(np.full((len(positions), 1), error), np.ones(len(positions)), positions, correlation)[0]
        ratios.append(np.mean(sums**2) / (noise**2 + (background * len(positions)) ** 2))
    return ratios


def chance_ratios(sky, correlation, shapes, pixel, rng):
    """`squared_ratios` of simulated skies, each with its own measured noise; `correlation` is that of one band."""
    size, ratios = np.array(sky.shape) + 2 * len(correlation), []  # opposite edges are correlated
    for _ in range(SKIES):
        noise = correlate_noise(rng.standard_normal(size), correlation)[: sky.shape[0], : sky.shape[1]]
        noise -= np.median(noise[sky])
        found, _ = noise_autocorrelation(noise, sky, pixel)
        ratios.append(squared_ratios(noise, sky, noise[sky].std(), found[None], shapes))
    return np.transpose(ratios)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.aperture_noise", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("ids", nargs="+", type=int)
    parser.add_argument("--background", choices=BACKGROUNDS, default="local")
    given = parser.parse_args(arguments)
    survey = open_survey(given.folder, given.ids)
    raw = [cut_out(survey, id_dr3, margin=MARGIN) for id_dr3 in given.ids]
    cutouts = [with_sky_noise(each, background=given.background) for each in raw]
    shapes = [shape for cutout in cutouts for shape in apertures(cutout)]
    ratios = np.zeros((len(survey.bands), 3, 0)).tolist()
    chance, rng = [[] for _ in survey.bands], np.random.default_rng(0)
    for before, cutout in zip(raw, cutouts, strict=True):
        far = sky_mask(cutout.segmap, cutout.pixel)
        for band, image in enumerate(cutout.sci):
            if not cutout.noise.known[band]:
                continue
            sky = far & np.isfinite(image)
            measured = cutout.noise.correlation[band : band + 1]
            for kind, (errors, correlation, background) in enumerate(
                (
                    (before.err, white_noise_correlation(1), 0),
                    (cutout.err, measured, 0),
                    (cutout.err, measured, np.nan_to_num(cutout.noise.background_err[band])),
                )
            ):
                error = np.median(errors[band][sky])
                ratios[band][kind] += squared_ratios(image, sky, error, correlation, shapes, background)
            chance[band].append(chance_ratios(sky, measured[0], shapes, cutout.pixel, rng))
    means = np.sqrt([[np.mean(each) for each in band] for band in ratios])
    print(f"{len(shapes)} apertures\nband      stated  measured  with background  measured, by chance")
    for band, (stated, measured, total), simulated in zip(survey.bands, means, chance, strict=True):
        by_chance = np.sqrt(np.concatenate(simulated).mean(axis=0))
        print(f"{band:8} {stated:7.2f} {measured:9.2f} {total:16.2f}  {by_chance.min():.2f} to {by_chance.max():.2f}")
    for word, value in (("median", np.median), ("lowest", np.min), ("highest", np.max)):
        stated, measured, total = value(means, axis=0)
        print(f"{word:8} {stated:7.2f} {measured:9.2f} {total:16.2f}")


if __name__ == "__main__":
    main()
