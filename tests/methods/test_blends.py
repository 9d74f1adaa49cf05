import numpy as np
import pytest

from helper_functions.methods.fit_blends import fit_blends, weighted_fluxes

TEMPLATES = np.array([[1.0, 2, 3, 4, 2], [4.0, 3, 2, 1, 2], [1.0, 4, 1, 4, 1]])
SHARES = np.array([0.4, 0.4, 0.2])


@pytest.fixture
def blends():
    """Blends of three populations, fitted to 40 pixels of SHARES."""
    error = np.full((40, 5), 0.1)
    return fit_blends(
        weighted_fluxes(50 * SHARES @ TEMPLATES + np.random.default_rng(0).normal(0, error), error), TEMPLATES
    )


@pytest.fixture
def weights(blends):
    """Random probabilities of all blends, and of none of them."""
    return np.random.default_rng(0).dirichlet(np.ones(blends.log_likelihood.shape[1]), 40)


def test_sums_over_populations_keep_the_total(blends, weights):
    inside = weights[:, :-1].sum(axis=1)
    np.testing.assert_allclose(blends.composition(weights).sum(axis=1), inside)
    np.testing.assert_allclose(blends.share_products(weights).sum(axis=1), inside)
    np.testing.assert_allclose(blends.dominated(weights).sum(axis=1), inside)
    np.testing.assert_allclose(blends.overlap_with(np.full((40, 3), 1 / 3)), 1 / 3)  # every blend's shares sum to 1


def columns(blends, pixel):
    """Shares of each population in every blend of one pixel, written out one by one."""
    pairs = [(0, 1), (0, 2), (1, 2)]
    rows = [np.eye(3)[k] for k in range(3)]
    for column in range(6):
        row = np.zeros(3)
        first, second = pairs[column % 3]
        row[first], row[second] = blends.share[pixel, column], 1 - blends.share[pixel, column]
        rows.append(row)
    triple = np.zeros(3)
    triple[blends.members[pixel]] = blends.shares[pixel]
    return np.array([*rows, triple])


@pytest.mark.parametrize("pixel", [0, 17])
def test_sums_equal_those_over_blends_written_out(pixel, blends, weights):
    """Two routes: the sums by kind of blend, and a table of every blend of the pixel."""
    shares, weight = columns(blends, pixel), weights[pixel, :-1]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(blends.composition(weights)[pixel], weight @ shares)
    products = np.einsum("c,ci,cj->ij", weight, shares, shares)
    np.testing.assert_allclose(blends.share_products(weights)[pixel].reshape(3, 3), products)
    # A share of exactly 1/2 counts for the population that the column is named after.
    dominant = [0, 1, 2, 0, 0, 1, 1, 2, 2, np.argmax(shares[9])]
    dominated = [weight[np.array(dominant) == k].sum() for k in range(3)]
    np.testing.assert_allclose(blends.dominated(weights)[pixel], dominated)
    # A pair in which a population has a share of 0 has it as a member all the same.
    member = np.ones((10, 3), dtype=bool)
    member[:3] = np.eye(3, dtype=bool)
    member[3:9] = [[1, 1, 0], [1, 0, 1], [0, 1, 1]] * 2
    absent = [weight[~member[:, k]].sum() + weights[pixel, -1] for k in range(3)]
    np.testing.assert_allclose(blends.without(weights)[pixel], absent)
    composition = np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(blends.overlap_with(np.tile(composition, (40, 1)))[pixel], shares @ composition)
