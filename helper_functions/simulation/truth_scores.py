"""How good a clustering of a simulated galaxy is: against the truth."""

from typing import NamedTuple

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from distances import cross_correlation

CORE_SHARE = 0.8  # a core pixel gets at least this share of its light from one region


class TruthScores(NamedTuple):
    """How a clustering agrees with the truth. 1 is perfect, 0 chance; NaN where there is nothing to judge."""

    ari: float  # adjusted Rand index (Hubert & Arabie 1985), all selected pixels
    ami: float  # adjusted mutual information (Vinh et al. 2010), all selected pixels
    ari_core: float  # the same, over core pixels
    ami_core: float


def truth_scores(labels, region, share):
    """Compare labels with the known regions of a simulated galaxy.

    Parameters
    ----------
    labels : int ndarray of shape (n_pixels,)
        Unassigned pixels count as one cluster of their own: leaving pixels out is no way to score.
    region : int ndarray of shape (n_pixels,)
        The truth.
    share : ndarray of shape (n_pixels,)
        Share of each pixel's light that its region gives.

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
        scores.append(adjusted_rand_score(region[which], labels[which]))
        scores.append(adjusted_mutual_info_score(region[which], labels[which]))
    return TruthScores(*map(float, scores))


def composite_distance(composites, true_seds):
    """How far the true SEDs are from the nearest composite: b12, mean over the true SEDs; NaN without composites.

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
