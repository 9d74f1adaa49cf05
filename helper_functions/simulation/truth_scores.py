"""Scores of a clustering of a simulated galaxy against the truth."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from distances import cross_correlation

CORE_SHARE = 0.8  # lowest fraction of the light from one region in a core pixel
FEW_UNASSIGNED = 0.01  # fraction of unassigned pixels in a galaxy of one population that are ignored as outliers


class TruthScores(NamedTuple):
    """Agreement of a clustering with the truth: 1 perfect, 0 chance; NaN where undefined."""

    ari: float  # adjusted Rand index (Hubert & Arabie 1985), all selected pixels
    ami: float  # adjusted mutual information (Vinh et al. 2010), all selected pixels
    ari_core: float  # the same, over core pixels
    ami_core: float


def truth_scores(labels, region, share):
    """Compare labels with the known regions of a simulated galaxy.

    Where the truth is one region, all scores are 1 if the pixels are in one cluster, and 0 if they are in more.

    Parameters
    ----------
    labels : int ndarray of shape (n_pixels,)
        Below 1 for unassigned pixels, which are treated as one more cluster, so that leaving pixels out does not raise
        the scores. Only where the truth is one region, a fraction below FEW_UNASSIGNED of them is ignored, as a single
        one would turn a score of 1 into 0.
    region : int ndarray of shape (n_pixels,)
        The truth.
    share : ndarray of shape (n_pixels,)
        Fraction of each pixel's light from its region.

    Returns
    -------
    TruthScores
    """
    core = share >= CORE_SHARE
    scores = []
    for which in (np.ones(len(labels), dtype=bool), core):
        if not which.any():
            scores += [np.nan, np.nan]
            continue
        if np.ptp(region[which]) == 0 and np.mean(labels[which] < 1) < FEW_UNASSIGNED:
            which = which & (labels > 0)
        scores.append(adjusted_rand_score(region[which], labels[which]))
        scores.append(adjusted_mutual_info_score(region[which], labels[which]))
    return TruthScores(*map(float, scores))


def composite_distance(composites, true_seds):
    """Mean distance b12 of the true SEDs from their nearest composites; NaN without composites.

    Parameters
    ----------
    composites : ndarray of shape (n_clusters, n_bands)
    true_seds : ndarray of shape (n_regions, n_bands)

    Returns
    -------
    float
    """
    if not len(composites):
        return np.nan
    b12 = np.array([cross_correlation(composites, sed)[1] for sed in true_seds])
    return float(np.nanmin(b12, axis=1).mean())
