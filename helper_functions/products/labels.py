"""FITS files of the label image of a run, and of the consensus of all runs of a galaxy."""

from typing import NamedTuple

import numpy as np
from astropy.io import fits

from helper_functions.files.code import code_digest
from helper_functions.files.saving import STEP, image_hdu, quantize, table_hdu, to_smallest_int


def label_hdus(result, pixels, seed, fingerprint, notes=()):
    """Label image of a run, with further extensions, as an `HDUList`.

    SIMILARITY is that of each pixel to its composite. The table REGIONS has the region number of each cluster: clusters
    of different runs with the same number cover the same part of the galaxy; and the names of a user's own regions.
    AMPLITUDE is the brightness of each pixel in units of its composite, if blends are not unmixed. If the method
    computes probabilities, CONFIDENCE is the probability of the label, and PROBABILITY that of each cluster, in the
    order of labels. If criteria chose the number of clusters, the table CRITERIA has their scores for each number, and
    the standard errors of the differences to the score of the chosen number. If the method unmixes blends, there are
    FRACTION, LIGHT and DECONVOLVED, see `light_hdus`. If pixels that are not selected were binned, BINS has the number
    of the bin of each, and BIN_TABLE the cluster that each bin is added to.

    Parameters
    ----------
    result : RunResult
    pixels : settings.Pixels
        For the header.
    seed : int
        Random seed, for the header.
    fingerprint : str
        Digest of survey files, settings and code, for the header.
    notes : sequence of str
        All notes on the run, for the header of the first image, cards NOTE1, NOTE2, ...
    """
    run, cutout, clustering = result.run, result.cutout, result.clustering
    header = cutout.wcs.to_header(relax=True)  # with a distortion, if there is one
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["METHOD"] = (run.method, "clustering method")
    header["NORM"] = (run.norm, "flux normalisation before clustering")
    header["METRIC"] = (run.metric, "distance between pixel SEDs")
    header["COMMENT"] = "0: not selected; 1, 2, ...: clusters, largest first; -1: in no cluster"
    header["NCLUST"] = (clustering.n_clusters, "clusters found: labels 1..NCLUST")
    header["KCHOICE"] = (clustering.k_choice, "how their number was chosen")
    if clustering.k_range:
        header["KLOW"], header["KHIGH"] = clustering.k_range
        header.comments["KLOW"] = "lowest number that scores like the chosen one"
        header.comments["KHIGH"] = "highest number that scores like the chosen one"
    header["ERRORS"] = (pixels.errors, "measured in the sky, or as stated")
    header["REGISTR"] = (pixels.registration, "registration: measured and corrected, or none")
    header["BACKGND"] = (pixels.background, "subtracted background: local or none")
    header["SNRTHR"] = (pixels.snr_thresh, "median SNR that selected pixels exceed")
    header["SEED"] = (seed, "random seed")
    header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    header["CONFIG"] = (fingerprint, "digest of survey files and settings")
    header["CODE"] = (code_digest("results"), "digest of the code that made this")
    stepped = header.copy()
    stepped["STEP"] = (STEP, "values are rounded to multiples of this")

    hdus = [fits.PrimaryHDU(to_smallest_int(result.labels), header)]
    for number, note in enumerate(notes, start=1):
        hdus[0].header[f"NOTE{number}"] = note.encode("ascii", "replace").decode()  # FITS headers are ASCII
    hdus.append(image_hdu("SIMILARITY", quantize(result.image(result.composites.similarity)), stepped))
    numbers = np.arange(1, clustering.n_clusters + 1)
    n_pixels = np.bincount(result.labels[result.labels > 0], minlength=clustering.n_clusters + 1)[1:]
    names = {"name": np.array(clustering.names)} if clustering.names else {}
    hdus.append(table_hdu("REGIONS", {"cluster": numbers, "region": result.regions, "n_pixels": n_pixels, **names}))
    if clustering.probability is not None:
        cube = np.array([result.image(values) for values in clustering.probability.T])
        hdus.append(image_hdu("CONFIDENCE", quantize(result.confidence), stepped))
        hdus.append(image_hdu("PROBABILITY", quantize(cube.reshape(-1, *result.labels.shape)), stepped))
    if result.populations is not None:
        hdus += light_hdus(result, header, stepped)
    else:
        hdus.append(image_hdu("AMPLITUDE", result.image(result.composites.amplitude), header))
    if result.outskirts is not None:
        bins = result.outskirts
        hdus.append(image_hdu("BINS", to_smallest_int(bins.bins), header))
        numbers, n_pixels = np.arange(1, len(bins.cluster) + 1), np.bincount(bins.bins[bins.bins > 0])[1:]
        columns = {"bin": numbers, "cluster": bins.cluster, "n_pixels": n_pixels, "snr": bins.snr}
        hdus.append(table_hdu("BIN_TABLE", columns))
    if clustering.scores:
        most = max(len(scores.values) for scores in clustering.scores.values())
        columns = {name: scores.values for name, scores in clustering.scores.items()}
        columns |= {f"{name}_error": scores.error for name, scores in clustering.scores.items()}
        hdus.append(table_hdu("CRITERIA", {"n_clusters": np.arange(1, most + 1), **columns}))
    return fits.HDUList(hdus)


def light_hdus(result, header, stepped):
    """Light of each population in each pixel, as three cubes in the order of the labels.

    FRACTION is the fraction of a population in the brightness of a pixel, LIGHT its flux in the band with the highest
    median SNR, whose name is in the header, and DECONVOLVED the same flux before the PSF.
    """
    populations, seds = result.populations, result.seds
    total = populations.light.sum(axis=1, keepdims=True)
    fraction = np.divide(populations.light, total, out=np.full(populations.light.shape, np.nan), where=total > 0)
    band = int(np.nanargmax(np.nanmedian(seds.flux / seds.error, axis=0)))
    light, before_psf = (each * populations.flux[:, band] for each in (populations.light, populations.before_psf))
    cubes = [
        np.array([result.image(each) for each in values.T]).reshape(-1, *result.labels.shape)
        for values in (fraction, light, before_psf)
    ]
    header = header.copy()
    header["BUNIT"] = "10 nJy"
    header["BAND"] = (seds.bands[band], "band of the fluxes")
    fluxes = [image_hdu(name, cube, header) for name, cube in zip(("LIGHT", "DECONVOLVED"), cubes[1:], strict=True)]
    return [image_hdu("FRACTION", quantize(cubes[0]), stepped), *fluxes]


class LabelFile(NamedTuple):
    """Content of a label file; fields that the method of the run does not compute are None."""

    labels: np.ndarray  # int, (ny, nx), 0 not selected, 1..n_clusters, -1 in no cluster
    regions: np.ndarray  # int, (n_clusters,), see `compare_runs`
    header: fits.Header  # with the celestial WCS
    names: tuple  # n_clusters names that a user gave the regions; empty: clusters of a method
    similarity: np.ndarray  # (ny, nx), of each pixel to its composite; here and below NaN in pixels not selected
    amplitude: np.ndarray | None  # (ny, nx), brightness in units of the composite; None with `light`
    confidence: np.ndarray | None  # (ny, nx), probability of the label
    fraction: np.ndarray | None  # (n_clusters, ny, nx), fraction of each population in the light of each pixel
    light: np.ndarray | None  # (n_clusters, ny, nx), flux of each population in `band`, 10 nJy
    deconvolved: np.ndarray | None  # (n_clusters, ny, nx), the same before the PSF
    band: str  # empty without `light`
    bins: np.ndarray | None  # int, (ny, nx), of the pixels that are not selected, 0 where there are none
    bin_table: np.ndarray | None  # cluster and SNR of each bin
    criteria: dict  # name -> (2, n_numbers), score and its error for 1, 2, ... clusters


def read_labels(path):
    """Read a label file, see `label_hdus`; raises OSError or KeyError if it is missing or damaged."""
    with fits.open(path, memmap=False) as hdus:
        images = {hdu.name: hdu.data for hdu in hdus[1:] if hdu.is_image}
        scores = hdus["CRITERIA"].data if "CRITERIA" in hdus else None
        names = () if scores is None else [each for each in scores.names if f"{each}_error" in scores.names]
        return LabelFile(
            labels=hdus[0].data.astype(int),
            regions=hdus["REGIONS"].data["region"].astype(int),
            header=hdus[0].header,
            names=tuple(hdus["REGIONS"].data["name"].tolist()) if "name" in hdus["REGIONS"].columns.names else (),
            similarity=images["SIMILARITY"],
            amplitude=images.get("AMPLITUDE"),
            confidence=images.get("CONFIDENCE"),
            fraction=images.get("FRACTION"),
            light=images.get("LIGHT"),
            deconvolved=images.get("DECONVOLVED"),
            band=hdus["LIGHT"].header["BAND"] if "LIGHT" in hdus else "",
            bins=images["BINS"].astype(int) if "BINS" in images else None,
            bin_table=hdus["BIN_TABLE"].data if "BINS" in images else None,
            criteria={name: np.array([scores[name], scores[f"{name}_error"]], dtype=float) for name in names},
        )


def consensus_hdus(cutout, agreement):
    """`HDUList` of the most frequent region of each pixel, and of the SHARE of the runs that assign the pixel to it."""
    header = cutout.wcs.to_header(relax=True)
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["NRUNS"] = (len(agreement.runs), "runs that were compared")
    for number, run in enumerate(agreement.runs, start=1):
        header[f"RUN{number}"] = run
    regions = header.copy()
    regions["COMMENT"] = "Number of the pixel's most frequent region among the runs, as in the"
    regions["COMMENT"] = "table REGIONS of each run. 0: the pixel is not selected."
    regions["COMMENT"] = "-1: in most runs the pixel is in no cluster."
    header["COMMENT"] = "Share of the runs that assign the pixel to this region, 0 to 1."
    header["COMMENT"] = "NaN: the pixel is not selected."
    share = image_hdu("SHARE", agreement.share.astype(np.float32), header)
    return fits.HDUList([fits.PrimaryHDU(to_smallest_int(agreement.region), regions), share])
