"""Graphs of pixels: nearest neighbours, connected pieces, and normalised cuts."""

import numpy as np
from scipy.linalg import qr, svd
from scipy.sparse import csr_array, diags_array, issparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh

DENSE = 200  # nodes up to which all eigenvectors are worked out at once
TOLERANCE = 1e-5  # of eigenvalues between 0 and 1


def neighbour_graph(numbers, similarity):
    """Symmetric graph of nearest neighbours: a tie counts half if only one of the two pixels is near to the other.

    Parameters
    ----------
    numbers : int ndarray of shape (n_pixels, n_neighbours)
    similarity : ndarray of shape (n_pixels, n_neighbours)
        Not negative.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
    """
    n_pixels, n_neighbours = numbers.shape
    rows = np.repeat(np.arange(n_pixels), n_neighbours)
    tied = csr_array((similarity.ravel(), (rows, numbers.ravel())), shape=(n_pixels, n_pixels))
    return 0.5 * (tied + tied.T)


def connected_pieces(rows, cols, n_pixels):
    """Number of the connected piece that each pixel belongs to, given links between pixels."""
    links = csr_array((np.ones(len(rows), dtype=bool), (rows, cols)), shape=(n_pixels, n_pixels))
    return connected_components(links, directed=False)[1]


def cut_graph(affinity, n_clusters, seed):
    """Cut a graph into clusters such that few ties are cut (normalised cuts, Shi & Malik 2000).

    Parameters
    ----------
    affinity : ndarray or sparse array of shape (n_pixels, n_pixels)
        Symmetric, not negative.
    n_clusters : int
    seed : int
        Of the vector that the search for eigenvectors starts from.

    Returns
    -------
    labels : int ndarray of shape (n_pixels,)
    """
    return label_by_pivots(leading_eigenvectors(affinity, n_clusters, np.random.default_rng(seed)))


def leading_eigenvectors(affinity, n_vectors, rng):
    """Eigenvectors of the random walk on a graph, those of the largest eigenvalues; shape (n_pixels, n_vectors).

    A graph in several pieces has an eigenvalue of 1 for each, which iterations do not keep apart: every piece is
    treated by itself.
    """
    n_pieces, piece = connected_components(affinity, directed=False) if issparse(affinity) else (1, None)
    found = []
    for number in range(n_pieces):
        nodes = np.arange(affinity.shape[0]) if n_pieces == 1 else np.flatnonzero(piece == number)
        part = affinity if n_pieces == 1 else affinity[nodes][:, nodes]
        values, vectors = _of_one_piece(part, min(n_vectors, len(nodes)), rng)
        found += [(value, len(nodes), nodes, vector) for value, vector in zip(values, vectors.T, strict=True)]
    # Of pieces with the same eigenvalue the largest come first.
    found.sort(key=lambda entry: (-round(entry[0], 6), -entry[1]))
    leading = np.zeros((affinity.shape[0], n_vectors))
    for column, (_, _, nodes, vector) in enumerate(found[:n_vectors]):
        leading[nodes, column] = vector
    return leading


def _of_one_piece(affinity, n_vectors, rng):
    degree = np.sqrt(np.asarray(affinity.sum(axis=1), dtype=float)).ravel()
    size = len(degree)
    if size <= max(DENSE, n_vectors + 1):
        dense = affinity.toarray() if issparse(affinity) else np.asarray(affinity, dtype=float)
        values, vectors = np.linalg.eigh(dense / np.outer(degree, degree))
        values, vectors = values[-n_vectors:], vectors[:, -n_vectors:]
    else:
        if issparse(affinity):
            walk = diags_array(1 / degree) @ affinity @ diags_array(1 / degree)
        else:
            # A scaled copy of a full matrix would double the memory, and so would a product in another precision.
            def step(vector):
                return affinity @ (vector.ravel() / degree).astype(affinity.dtype) / degree

            walk = LinearOperator((size, size), matvec=step, dtype=float)
        values, vectors = eigsh(walk, k=n_vectors, which="LA", tol=TOLERANCE, v0=rng.uniform(-1, 1, size))
    return values, vectors / degree[:, None]


def label_by_pivots(vectors):
    """Turn eigenvectors into labels: the pixels most unlike each other stand for the clusters (Damle et al. 2019)."""
    n_vectors = vectors.shape[1]
    pivots = qr(vectors.T, pivoting=True, mode="r")[1][:n_vectors]
    left, _, right = svd(vectors[pivots].T)
    return np.argmax(np.abs(vectors @ (left @ right)), axis=1)
