"""The label image of a run on disk with what is known of each pixel, and the most frequent regions of all runs."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from helper_functions.files.code import code_digest
from helper_functions.files.saving import STEP, image_hdu, quantize, table_hdu, to_smallest_int


def label_hdus(result, pixels, seed, fingerprint):
    """Label image of a run as an `HDUList`.

    Beside it lies the SIMILARITY of each pixel to its composite, and the table REGIONS with the region number of each
    cluster: clusters of different runs of a galaxy that have the same number are the same part of it. Where the method
    knows them, CONFIDENCE is the probability of the label, and PROBABILITY that of each cluster, in the order of their
    labels; where criteria chose the number of clusters, the table CRITERIA has their scores for each number, and the
    standard errors of the differences of these to the score of the number that each chose.
    Where the method takes blends apart, FRACTION and LIGHT say what pixels are made of: see `light_hdus`.

    Parameters
    ----------
    result : RunResult
    pixels : settings.Pixels
        How pixels were selected, for the header.
    seed : int
        Random seed, for the header.
    fingerprint : str
        Digest of what the run was made from, for the header.

    Returns
    -------
    astropy.io.fits.HDUList
    """
    run, cutout, clustering = result.run, result.cutout, result.clustering
    header = cutout.wcs.to_header(relax=True)  # with a distortion, if there is one
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["METHOD"] = (run.method, "clustering method")
    header["NORM"] = (run.norm, "flux normalisation before clustering")
    header["METRIC"] = (run.metric, "distance between pixel SEDs")
    header["COMMENT"] = "0: not selected; 1, 2, ...: clusters by falling number of pixels; -1: in none"
    header["NCLUST"] = (clustering.n_clusters, "clusters found: labels 1..NCLUST")
    header["KCHOICE"] = (clustering.k_choice, "how their number was chosen")
    if clustering.k_range:
        header["KLOW"], header["KHIGH"] = clustering.k_range
        header.comments["KLOW"] = "lowest number that scores like the chosen one"
        header.comments["KHIGH"] = "highest number that scores like the chosen one"
    header["ERRORS"] = (pixels.errors, "measured in the sky, or as stated")
    header["REGISTR"] = (pixels.registration, "registration: measured and corrected, or none")
    header["BACKGND"] = (pixels.background, "what was taken off the fluxes: local or none")
    header["SNRTHR"] = (pixels.snr_thresh, "median SNR that selected pixels exceed")
    header["SEED"] = (seed, "random seed")
    header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    header["CONFIG"] = (fingerprint, "digest of survey files and settings")
    header["CODE"] = (code_digest("results"), "digest of the code that made this")
    stepped = header.copy()
    stepped["STEP"] = (STEP, "values are rounded to multiples of it")

    hdus = [fits.PrimaryHDU(to_smallest_int(result.labels), header)]
    hdus.append(image_hdu("SIMILARITY", quantize(result.image(result.composites.similarity)), stepped))
    numbers = np.arange(1, clustering.n_clusters + 1)
    n_pixels = np.bincount(result.labels[result.labels > 0], minlength=clustering.n_clusters + 1)[1:]
    hdus.append(table_hdu("REGIONS", {"cluster": numbers, "region": result.regions, "n_pixels": n_pixels}))
    if clustering.probability is not None:
        cube = np.array([result.image(values) for values in clustering.probability.T])
        hdus.append(image_hdu("CONFIDENCE", quantize(result.confidence), stepped))
        hdus.append(image_hdu("PROBABILITY", quantize(cube.reshape(-1, *result.labels.shape)), stepped))
    if result.populations is not None:
        hdus += light_hdus(result, header, stepped)
    if clustering.scores:
        most = max(len(scores.values) for scores in clustering.scores.values())
        columns = {name: scores.values for name, scores in clustering.scores.items()}
        columns |= {f"{name}_error": scores.error for name, scores in clustering.scores.items()}
        hdus.append(table_hdu("CRITERIA", {"n_clusters": np.arange(1, most + 1), **columns}))
    return fits.HDUList(hdus)


def light_hdus(result, header, stepped):
    """Light of each population in each pixel, as two cubes in the order of the labels.

    FRACTION is the share of a population in the brightness of a pixel, LIGHT its flux in the band whose pixels have the
    highest SNR, which the header names.
    """
    populations, seds = result.populations, result.seds
    total = populations.light.sum(axis=1, keepdims=True)
    fraction = np.divide(populations.light, total, out=np.full(populations.light.shape, np.nan), where=total > 0)
    band = int(np.nanargmax(np.nanmedian(seds.flux / seds.error, axis=0)))
    cubes = [
        np.array([result.image(each) for each in values.T]).reshape(-1, *result.labels.shape)
        for values in (fraction, populations.light * populations.flux[:, band])
    ]
    hdus = [image_hdu("FRACTION", quantize(cubes[0]), stepped), image_hdu("LIGHT", cubes[1], header)]
    hdus[1].header["BUNIT"] = "10 nJy"
    hdus[1].header["BAND"] = (seds.bands[band], "band that the fluxes are of")
    return hdus


class LabelFile(NamedTuple):
    """A label file as it is read back; None where the method of the run does not know it."""

    labels: np.ndarray  # int, (ny, nx), 0 not selected, 1..n_clusters, -1 in none
    regions: np.ndarray  # int, (n_clusters,), see `compare_runs`
    header: fits.Header  # with the celestial WCS
    similarity: np.ndarray  # (ny, nx), of each pixel to its composite, here and below NaN where not selected
    confidence: np.ndarray | None  # (ny, nx), probability of the label
    fraction: np.ndarray | None  # (n_clusters, ny, nx), share of each population in the light of each pixel
    light: np.ndarray | None  # (n_clusters, ny, nx), its flux in `band`, 10 nJy
    band: str  # empty where there is no light
    criteria: dict  # name -> (2, n_numbers), score and its error for 1, 2, ... clusters


def read_labels(path):
    """Read a label file, see `label_hdus`.

    Returns
    -------
    LabelFile

    Raises
    ------
    OSError, KeyError
        Where there is none, or it is damaged.
    """
    with fits.open(path, memmap=False) as hdus:
        images = {hdu.name: hdu.data for hdu in hdus[1:] if hdu.is_image}
        scores = hdus["CRITERIA"].data if "CRITERIA" in hdus else None
        names = () if scores is None else [each for each in scores.names if f"{each}_error" in scores.names]
        return LabelFile(
            labels=hdus[0].data.astype(int),
            regions=hdus["REGIONS"].data["region"].astype(int),
            header=hdus[0].header,
            similarity=images["SIMILARITY"],
            confidence=images.get("CONFIDENCE"),
            fraction=images.get("FRACTION"),
            light=images.get("LIGHT"),
            band=hdus["LIGHT"].header["BAND"] if "LIGHT" in hdus else "",
            criteria={name: np.array([scores[name], scores[f"{name}_error"]], dtype=float) for name in names},
        )


def consensus_hdus(cutout, agreement):
    """The most frequent region of each pixel, and the SHARE of the runs that put the pixel there, as an `HDUList`."""
    header = cutout.wcs.to_header(relax=True)
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["NRUNS"] = (len(agreement.runs), "runs that were compared")
    for number, run in enumerate(agreement.runs, start=1):
        header[f"RUN{number}"] = run
    regions = header.copy()
    regions["COMMENT"] = "Number of the pixel's most frequent region among the runs, as in the"
    regions["COMMENT"] = "table REGIONS of each run. 0: the pixel is not selected."
    regions["COMMENT"] = "-1: in no cluster is the most frequent."
    header["COMMENT"] = "Share of the runs that put the pixel into this region, 0 to 1."
    header["COMMENT"] = "NaN: the pixel is not selected."
    share = image_hdu("SHARE", agreement.share.astype(np.float32), header)
    return fits.HDUList([fits.PrimaryHDU(to_smallest_int(agreement.region), regions), share])
