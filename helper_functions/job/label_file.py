"""The label image of a run on disk, and what is known of each pixel beside it."""

import numpy as np
from astropy.io import fits
from astropy.table import Table


def label_hdus(result, settings, fingerprint):
    """Label image of a run as an `HDUList`.

    Beside it lies the SIMILARITY of each pixel to its composite. Where the method knows them, CONFIDENCE is the
    probability of the label, and PROBABILITY that of each cluster, in the order of their labels; where criteria chose
    the number of clusters, the table CRITERIA has their scores for each number, and the standard errors of the
    differences of these to the score of the number that each chose.

    Parameters
    ----------
    result : RunResult
    settings : Settings
    fingerprint : str
        Of what the run was made from; see `store.what_is_asked`.

    Returns
    -------
    astropy.io.fits.HDUList
    """
    run, cutout, clustering = result.run, result.cutout, result.clustering
    header = cutout.wcs.to_header(relax=True)  # with a distortion, if there is one
    header["IDDR3"] = (cutout.id_dr3, "id in the catalog and the segmap")
    header["METHOD"] = (run.method, "clustering method")
    header["NORM"] = (run.norm, "how brightness was taken out")
    header["METRIC"] = (run.metric, "distance between pixel SEDs")
    header["NCLUST"] = (clustering.n_clusters, "clusters found: labels 1..NCLUST")
    header["KCHOICE"] = (clustering.k_choice, "how their number was chosen")
    if clustering.k_range:
        header["KLOW"], header["KHIGH"] = clustering.k_range
        header.comments["KLOW"] = "lowest number that scores like the chosen one"
        header.comments["KHIGH"] = "highest number that scores like the chosen one"
    header["ERRORS"] = (settings.errors, "measured in the sky, or as stated")
    header["BACKGND"] = (settings.background, "what was taken off the fluxes: local or none")
    header["SNRTHR"] = (settings.snr_thresh, "median SNR that selected pixels exceed")
    header["SEED"] = (settings.seed, "seed of everything random")
    header["MEMBERS"] = (" ".join(map(str, cutout.members)), "ids selected from")
    header["CONFIG"] = (fingerprint, "digest of survey files and settings")

    hdus = [fits.PrimaryHDU(result.labels, header)]
    hdus.append(fits.ImageHDU(result.image(result.composites.similarity), header, "SIMILARITY"))
    if clustering.probability is not None:
        cube = np.array([result.image(values) for values in clustering.probability.T])
        hdus.append(fits.ImageHDU(result.confidence, header, "CONFIDENCE"))
        hdus.append(fits.ImageHDU(cube.reshape(-1, *result.labels.shape), header, "PROBABILITY"))
    if clustering.scores:
        most = max(len(scores.values) for scores in clustering.scores.values())
        columns = {name: scores.values for name, scores in clustering.scores.items()}
        columns |= {f"{name}_error": scores.error for name, scores in clustering.scores.items()}
        hdus.append(fits.table_to_hdu(Table({"n_clusters": np.arange(1, most + 1), **columns})))
        hdus[-1].name = "CRITERIA"
    return fits.HDUList(hdus)


def read_labels(path):
    """The label image that `label_hdus` gave, int of shape (ny, nx)."""
    return fits.getdata(path).astype(int)
