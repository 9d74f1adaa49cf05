"""Errors of sums over cluster-shaped apertures in the sky, against what is said of them.

python -m tests.benchmarks.aperture_noise SURVEY_FOLDER ID [ID ...]

The galaxies are clustered, and the shapes of their clusters are laid over the sky around them wherever they fit. Of
each band the scatter of the sums is printed over their error: as stated by the weights with pixels taken for
independent, and as measured. Where errors are right the ratio is 1.
"""

import argparse

import numpy as np
from scipy.signal import fftconvolve

from helper_functions.clustering import cluster_pixels
from helper_functions.noise import error_of_sum, white_noise_correlation
from helper_functions.pixel_seds import extract_seds, fill_image, median_snr, select_pixels
from helper_functions.sky_noise import sky_mask, with_sky_noise
from prepare_images import cut_out, open_survey

MARGIN = 30  # pixels, in which there is sky
SIZES = (12, 150)  # pixels: smaller clusters are hardly sums, larger ones do not fit into the sky
PLACES = 20  # that an aperture must fit at to be used


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


def squared_ratios(image, sky, error, correlation, shapes):
    """Mean square of the sums over each shape wherever it fits into the sky, over its variance."""
    ratios = []
    for shape in shapes:
        if any(np.greater(shape.shape, sky.shape)):
            continue
        fits = fftconvolve(sky.astype(float), shape[::-1, ::-1], mode="valid") > shape.sum() - 0.5
        if fits.sum() < PLACES:
            continue
        sums = fftconvolve(np.where(sky, image, 0), shape[::-1, ::-1].astype(float), mode="valid")[fits]
        positions = np.column_stack(np.nonzero(shape))
        errors = np.full((len(positions), 1), error)
        ratios.append(np.mean(sums**2) / error_of_sum(errors, np.ones(len(positions)), positions, correlation)[0] ** 2)
    return ratios


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.aperture_noise", description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("ids", nargs="+", type=int)
    given = parser.parse_args(arguments)
    survey = open_survey(given.folder, given.ids)
    raw = [cut_out(survey, id_dr3, margin=MARGIN) for id_dr3 in given.ids]
    cutouts = [with_sky_noise(each) for each in raw]
    shapes = [shape for cutout in cutouts for shape in apertures(cutout)]
    ratios = np.zeros((len(survey.bands), 2, 0)).tolist()
    for before, cutout in zip(raw, cutouts, strict=True):
        far = sky_mask(cutout.segmap, cutout.pixel)
        for band, image in enumerate(cutout.sci):
            if not cutout.noise.known[band]:
                continue
            sky = far & np.isfinite(image)
            for kind, (errors, correlation) in enumerate(
                ((before.err, white_noise_correlation(1)), (cutout.err, cutout.noise.correlation[band : band + 1]))
            ):
                error = np.median(errors[band][sky])
                ratios[band][kind] += squared_ratios(image, sky, error, correlation, shapes)
    means = np.sqrt([[np.mean(each) for each in band] for band in ratios])
    print(f"{len(shapes)} apertures\nband      stated  measured")
    for band, (stated, measured) in zip(survey.bands, means, strict=True):
        print(f"{band:8} {stated:7.2f} {measured:9.2f}")
    for word, value in (("median", np.median), ("lowest", np.min), ("highest", np.max)):
        print(f"{word:8} {value(means[:, 0]):7.2f} {value(means[:, 1]):9.2f}")


if __name__ == "__main__":
    main()
