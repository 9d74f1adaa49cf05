"""Graphs of pixels: nearest neighbours, connected components, and normalised cuts."""

import numpy as np
from scipy.linalg import qr, svd
from scipy.sparse import csgraph, csr_array, diags_array, issparse
from scipy.sparse.linalg import LinearOperator, eigsh

DENSE_LIMIT = 200  # nodes up to which the full eigendecomposition is computed
TOLERANCE = 1e-5  # of eigenvalues, which are between 0 and 1
MIN_EIGENVECTORS = 10  # so that a cut does not depend on which other numbers of clusters are computed with it


def neighbour_graph(indices, similarity):
    """Symmetric graph of nearest neighbours: an edge has half the weight if only one pixel is a neighbour of the other.

    Parameters
    ----------
    indices : int ndarray of shape (n_pixels, n_neighbours)
        Of the neighbours of each pixel.
    similarity : ndarray of shape (n_pixels, n_neighbours)
        Not negative.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
    """
    n_pixels, n_neighbours = indices.shape
    rows = np.repeat(np.arange(n_pixels), n_neighbours)
    tied = csr_array((similarity.ravel(), (rows, indices.ravel())), shape=(n_pixels, n_pixels))
    return 0.5 * (tied + tied.T)


def connected_components(first, second, n_pixels):
    """Connected component, counted from 0, of each of `n_pixels` pixels.

    Parameters
    ----------
    first, second : int ndarray of shape (n_links,)
        The two pixels of each edge.
    n_pixels : int

    Returns
    -------
    int ndarray of shape (n_pixels,)
    """
    links = csr_array((np.ones(len(first), dtype=bool), (first, second)), shape=(n_pixels, n_pixels))
    return csgraph.connected_components(links, directed=False)[1]


def cut_graph(affinity, ks, seed):
    """Normalised cuts of a graph (Shi & Malik 2000) into each of these numbers of clusters.

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_pixels, n_pixels)
        Symmetric, not negative.
    ks : sequence of int
        At most the number of pixels.
    seed : int
        Random seed of the start vector of the eigensolver.

    Returns
    -------
    dict
        Number of clusters -> labels, int ndarray of shape (n_pixels,).
    """
    n_vectors = min(max(MIN_EIGENVECTORS, *ks), affinity.shape[0])
    vectors = leading_eigenvectors(affinity, n_vectors, np.random.default_rng(seed))
    return {k: label_by_pivots(vectors[:, :k]) for k in ks}


def leading_eigenvectors(affinity, n_vectors, rng):
    """Eigenvectors of the random walk on a graph with the largest eigenvalues; shape (n_pixels, n_vectors).

    A graph with several connected components has a degenerate eigenvalue of 1, which iterative solvers do not resolve:
    every component is solved separately.
    """
    n_components, component = 1, None
    if issparse(affinity):
        n_components, component = csgraph.connected_components(affinity, directed=False)
    found = []
    for k in range(n_components):
        nodes = np.arange(affinity.shape[0]) if n_components == 1 else np.flatnonzero(component == k)
        part = affinity if n_components == 1 else affinity[nodes][:, nodes]
        values, vectors = _of_one_component(part, min(n_vectors, len(nodes)), rng)
        found += [
            (value, len(nodes), nodes, vector) for value, vector in zip(values[::-1], vectors.T[::-1], strict=True)
        ]
    # Among equal eigenvalues the largest components come first.
    found.sort(key=lambda entry: (-round(entry[0], 6), -entry[1]))
    leading = np.zeros((affinity.shape[0], n_vectors))
    for column, (_, _, nodes, vector) in enumerate(found[:n_vectors]):
        leading[nodes, column] = vector
    return leading


def _of_one_component(affinity, n_vectors, rng):
    degree = np.sqrt(np.asarray(affinity.sum(axis=1), dtype=float)).ravel()
    size = len(degree)
    if size <= max(DENSE_LIMIT, n_vectors + 1):
        dense = affinity.toarray() if issparse(affinity) else np.asarray(affinity, dtype=float)
        values, vectors = np.linalg.eigh(dense / np.outer(degree, degree))
        values, vectors = values[-n_vectors:], vectors[:, -n_vectors:]
    else:
        if issparse(affinity):
            walk = diags_array(1 / degree) @ affinity @ diags_array(1 / degree)
        else:
            # A scaled copy of a full matrix, or a product in another precision, would double the memory.
            def step(vector):
                return affinity @ (vector.ravel() / degree).astype(affinity.dtype) / degree

            walk = LinearOperator((size, size), matvec=step, dtype=float)
        values, vectors = eigsh(walk, k=n_vectors, which="LA", tol=TOLERANCE, v0=rng.uniform(-1, 1, size))
    return values, vectors / degree[:, None]


def label_by_pivots(vectors):
    """Labels from eigenvectors, by pivoted QR: the most different pixels represent the clusters (Damle et al. 2019)."""
    n_vectors = vectors.shape[1]
    pivots = qr(vectors.T, pivoting=True, mode="r")[1][:n_vectors]
    left, _, right = svd(vectors[pivots].T)
    return np.argmax(np.abs(vectors @ (left @ right)), axis=1)
