"""Logistic regression solved to its optimum: the problem is convex, and SciPy's L-BFGS is made for it.

Source: Byrd et al. 1995 ("A Limited Memory Algorithm for Bound Constrained Optimization").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

#: Steps after which it ends; it ends earlier where the slope is flat.
STEPS = 300
FLAT = 1e-6


def bags(rows: Sequence[Mapping[int, Any] | Sequence[int]], size: int) -> Any:
    """A sparse matrix ``[rows, size]`` of ones, where each row has its columns.

    >>> bags([[2], [0, 1]], 3).toarray().tolist()
    [[0.0, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    from scipy import sparse

    ends = np.cumsum([0, *map(len, rows)])
    columns = np.fromiter((column for row in rows for column in row), "int32", count=int(ends[-1]))
    return sparse.csr_matrix((np.ones(len(columns)), columns, ends), shape=(len(rows), size))


def solved(seen: Any, ratio: np.ndarray, classes: np.ndarray, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """The weights and biases with the least mean cross-entropy plus ``decay`` times the weights' squares.

    Args:
        seen: sparse ``[rows, features]``.
        ratio: what each weight is multiplied by, ``[features, classes]``.
        classes: the class of each row, from 0.
        decay: 0 or more.

    Returns:
        Weights ``[features, classes]`` and biases ``[classes]``.
    """
    from scipy.optimize import minimize

    rows, (features, count) = seen.shape[0], ratio.shape
    wanted = np.zeros((rows, count))
    wanted[np.arange(rows), classes] = 1
    turned = seen.T.tocsr()

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights, bias = flat[:-count].reshape(features, count), flat[-count:]
        logits = seen @ (weights * ratio) + bias
        logits -= logits.max(axis=1, keepdims=True)
        scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = (np.exp(scores) - wanted) / rows
        slope = (turned @ error) * ratio + 2 * decay * weights
        value = -float((scores * wanted).sum()) / rows + decay * float((weights**2).sum())
        return value, np.concatenate([slope.ravel(), error.sum(axis=0)])

    begin = np.zeros(features * count + count)
    options = {"maxiter": STEPS, "gtol": FLAT}
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", options=options).x
    return found[:-count].reshape(features, count), found[-count:]
