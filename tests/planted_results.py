"""A run on the planted pixel SEDs of `two_shapes`, as what saves and draws runs is given it."""

import numpy as np
from conftest import BANDS, celestial_wcs

from helper_functions.clustering import cluster_pixels
from helper_functions.composite_seds import composite_seds
from helper_functions.pixel_seds import Cutout
from helper_functions.population_seds import population_seds
from helper_functions.products.results import run_result
from helper_functions.products.runs import Run
from helper_functions.quality.metrics import QUALITY


def result_of(two_shapes, method, metric):
    seds = two_shapes.seds
    run = Run(method, "L2", metric)
    clustering = cluster_pixels(seds, method=method, metric=metric, n_clusters=2)
    images = np.ones((len(BANDS), 12, 10))
    cutout = Cutout(7, 1.0, BANDS, seds.wavelengths, images, images, np.full((12, 10), 7), (7,), celestial_wcs())
    quality = {name: 0.5 for name in QUALITY}
    composites = composite_seds(seds, clustering.labels)
    populations = population_seds(seds, clustering)
    return run_result(run, cutout, seds, clustering, composites, populations, quality, ["oii"])
