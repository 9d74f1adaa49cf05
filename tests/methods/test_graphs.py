import numpy as np
import pytest
from scipy.sparse import csr_array

from helper_functions.methods import graphs
from helper_functions.methods.graphs import connected_components, cut_graph, leading_eigenvectors, neighbour_graph


def test_connected_components_by_hand():
    component = connected_components(np.array([0, 3, 4]), np.array([2, 4, 5]), 7)
    assert component[0] == component[2]
    assert component[3] == component[4] == component[5]
    assert len(set(component)) == 4  # {0, 2}, {1}, {3, 4, 5}, {6}


def test_neighbour_graph_by_hand():
    """0 and 1 are near each other; 2 is near to 1, but not the other way round, and so counts half."""
    graph = neighbour_graph(np.array([[0, 1], [1, 0], [2, 1]]), np.array([[1, 0.6], [1, 0.8], [1, 0.4]])).toarray()
    np.testing.assert_allclose(graph, [[1, 0.7, 0], [0.7, 1, 0.2], [0, 0.2, 1]])


def two_cliques(size, bridge):
    """Two groups of nodes, all tied inside, and each node of one to its twin with a weaker tie."""
    block = np.ones((size, size))
    return np.block([[block, bridge * np.eye(size)], [bridge * np.eye(size), block]])


@pytest.mark.parametrize("size", [10, 150])  # by all eigenvectors, and by a search for the leading ones
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_the_cut_is_where_ties_are_weak(size, kind):
    labels = cut_graph(kind(two_cliques(size, 0.1)), [2], 0)[2]
    assert len(set(labels[:size])) == len(set(labels[size:])) == 1
    assert labels[0] != labels[-1]


@pytest.mark.parametrize("bridge", [0.0, 0.1])
def test_eigenvectors_of_the_random_walk(bridge):
    """P v = x v with P = D^-1 W; a graph of two components has the eigenvalue 1 twice, one vector on each."""
    affinity = two_cliques(150, bridge)
    vectors = leading_eigenvectors(csr_array(affinity), 2, np.random.default_rng(0))
    walk = affinity / affinity.sum(axis=1, keepdims=True)
    for vector in vectors.T:
        value = vector @ walk @ vector / (vector @ vector)
        # TOLERANCE is that of the eigenvalue; the vector is good to its root.
        np.testing.assert_allclose(walk @ vector, value * vector, atol=np.sqrt(graphs.TOLERANCE) * abs(vector).max())
    on_both = (np.abs(vectors[:150]).max(axis=0) > 0) & (np.abs(vectors[150:]).max(axis=0) > 0)
    assert on_both.all() == (bridge > 0)
