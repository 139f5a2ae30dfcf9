"""The best of many vectors: exact by blocks of a matrix product, approximate by a graph (HNSW).

An index is made from the vectors, in memory, and is never read from a file.
"""

from __future__ import annotations

import numpy as np

from sixarts.errors import MissingExtra

#: Bytes of scores that a block may take.
BLOCK_BYTES = 2**26
#: Links of a node, and candidates kept while the graph is built and searched (Malkov and Yashunin 2020).
LINKS, BUILDING, SEARCHING = 32, 100, 128
#: Vectors whose neighbors are found both ways to measure the recall of the graph.
MEASURED = 200


def exact_search(
    queries: np.ndarray, vectors: np.ndarray, k: int, banned: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` largest inner products of each query, the largest first; of equal ones the lower number.

    Args:
        queries: ``[b, d]``, float32.
        vectors: ``[n, d]``, float32.
        k: how many.
        banned: numbers that are left out of each query's, ``[b, m]``; -1 stands for none.

    Returns:
        Numbers ``[b, k]`` (-1 where fewer are left), and products ``[b, k]``, ``-inf`` there.

    >>> numbers, scores = exact_search(np.eye(2, dtype="float32"), np.eye(2, dtype="float32"), 2)
    >>> numbers.tolist(), scores.tolist()
    ([[0, 1], [1, 0]], [[1.0, 0.0], [1.0, 0.0]])
    """
    count = len(queries)
    numbers = np.full((count, k), -1, "int64")
    scores = np.full((count, k), -np.inf, "float32")
    block = max(k, BLOCK_BYTES // max(4 * count, 1))
    for start in range(0, len(vectors), block):
        found = queries @ vectors[start : start + block].T
        if banned is not None:
            rows, places = np.nonzero((banned >= start) & (banned < start + found.shape[1]))
            found[rows, banned[rows, places] - start] = -np.inf
        _merge(numbers, scores, found, start)
    return numbers, scores


def _merge(numbers: np.ndarray, scores: np.ndarray, found: np.ndarray, start: int) -> None:
    """Puts what is better than the last of each row into its place."""
    k = scores.shape[1]
    if start == 0 and found.shape[1] > k:
        # The first block has no bound yet: the k-th largest of it is one.
        edge = np.partition(found, found.shape[1] - k, axis=1)[:, found.shape[1] - k]
        rows, places = np.nonzero(found >= edge[:, None])
    else:
        rows, places = np.nonzero(found > scores[:, -1:])
    if not len(rows):
        return
    touched, first = np.unique(rows, return_index=True)
    for row, begin, end in zip(touched, first, [*first[1:], len(rows)], strict=True):
        new = places[begin:end]
        value = np.concatenate([scores[row], found[row, new]])
        number = np.concatenate([numbers[row], new + start])
        # Stable: what came before has the lower number. Places that are free hold -inf, and go last.
        order = np.argsort(-value, kind="stable")[:k]
        scores[row], numbers[row] = value[order], np.where(value[order] > -np.inf, number[order], -1)


class Graph:
    """Approximate search by faiss's HNSW over inner products.

    Args:
        vectors: ``[n, d]``, float32.

    Attributes:
        recall: the share of the ten best that it finds, measured on some of the vectors themselves.

    Raises:
        MissingExtra: faiss is not installed.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        try:
            import faiss
        except ImportError:
            raise MissingExtra(
                "approximate search needs faiss; pip install 'sixarts[recommendation]', or search='exact'"
            ) from None
        self.index = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction, self.index.hnsw.efSearch = BUILDING, SEARCHING
        self.index.add(np.ascontiguousarray(vectors))
        some = np.random.default_rng(0).choice(len(vectors), min(MEASURED, len(vectors)), replace=False)
        right, _ = exact_search(vectors[some], vectors, min(10, len(vectors)))
        near, _ = self.search(vectors[some], right.shape[1])
        self.recall = float(
            np.mean([len(set(a) & set(b)) / len(a) for a, b in zip(right, near, strict=True)])
        )

    def search(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """As :func:`exact_search`, nearly."""
        scores, numbers = self.index.search(np.ascontiguousarray(queries), k)
        scores[numbers < 0] = -np.inf
        return numbers, scores


class Index:
    """Vectors, searched exactly or by a graph that is made with the first approximate search.

    Args:
        vectors: ``[n, d]``, float32.
    """

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = np.ascontiguousarray(vectors, "float32")
        self._graph: Graph | None = None

    @property
    def graph(self) -> Graph:
        """The graph; it is made when it is first asked for."""
        if self._graph is None:
            self._graph = Graph(self.vectors)
        return self._graph

    def exact(
        self, queries: np.ndarray, k: int, banned: np.ndarray, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The best, without those that are banned for each query.

        Args:
            queries: ``[b, d]``.
            k: how many.
            banned: ``[b, m]``, -1 for none.
            allowed: which alone may be found, ``[n]``; all by default.
        """
        if allowed is None:
            return exact_search(queries, self.vectors, k, banned)
        chosen = np.flatnonzero(allowed)
        places = np.full(len(allowed) + 1, -1)
        places[chosen] = np.arange(len(chosen))
        numbers, scores = exact_search(queries, self.vectors[chosen], k, places[banned])
        return np.where(numbers >= 0, np.append(chosen, -1)[numbers], -1), scores

    def approximate(
        self, queries: np.ndarray, k: int, banned: np.ndarray, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nearly the best; where only some are allowed, those are few, and are searched exactly."""
        if allowed is not None:
            return self.exact(queries, k, banned, allowed)
        more = min(k + banned.shape[1], len(self.vectors))
        numbers, scores = self.graph.search(queries, more)
        left_out = numbers < 0
        for column in banned.T:
            left_out |= numbers == column[:, None]
        numbers[left_out], scores[left_out] = -1, -np.inf
        # What is kept comes first, in its order.
        order = np.argsort(left_out, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(numbers, order, 1), np.take_along_axis(scores, order, 1)
