"""When each token was said, from where the decoder looked as it read it.

Source: ``openai/whisper``, ``timing.py``; figures as ``transformers`` 5.24 makes them
(``_extract_token_timestamps``). Sakoe and Chiba 1978 (dynamic time warping).
"""

from __future__ import annotations

import numpy as np


def token_times(weights: np.ndarray, width: int, seconds: float) -> np.ndarray:
    """Seconds at which each token begins to be looked for, which is where the one before it ends.

    Args:
        weights: attention of the aligned heads ``[heads, tokens, positions]``, a row a token that was read.
        width: of the median filter, odd.
        seconds: of a position.

    Returns:
        ``[tokens]``, float64, in order.
    """
    tokens = weights.shape[1]
    if not tokens:
        return np.zeros(0)
    weights = weights.astype("float32")
    mean = weights.mean(axis=1, keepdims=True)
    deviation = weights.std(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = (weights - mean) / deviation
    matrix = median_filtered(normal, width).mean(axis=0)
    # One token alone differs from its mean by nothing, and nothing tells where it stands.
    rows, places = warped(-np.nan_to_num(matrix).astype("float64"))
    jumps = np.diff(rows, prepend=-1).astype(bool)
    return np.asarray(places[jumps] * seconds)


def median_filtered(values: np.ndarray, width: int) -> np.ndarray:
    """Medians of ``width`` neighbors along the last axis, mirrored at both ends.

    >>> median_filtered(np.array([[0.0, 9.0, 0.0, 1.0, 2.0]]), 3).tolist()
    [[9.0, 0.0, 1.0, 1.0, 1.0]]
    """
    half = width // 2
    if values.shape[-1] <= half or not half:
        return values
    padded = np.pad(values, [(0, 0)] * (values.ndim - 1) + [(half, half)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1)
    return np.partition(windows, half, axis=-1)[..., half]


def warped(costs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The cheapest way from the first cell to the last, by steps down, to the right, or both.

    A diagonal of cells depends on the two before it alone, and is computed at once.

    Args:
        costs: ``[n, m]``, float64.

    Returns:
        Rows and columns of the cells on the way, in order.

    >>> [part.tolist() for part in warped(np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]]))]
    [[0, 1, 1], [0, 1, 2]]
    """
    rows, columns = costs.shape
    total = np.full((rows + 1, columns + 1), np.inf, "float32")
    total[0, 0] = 0
    moves = np.full((rows + 1, columns + 1), 2, "int8")
    for diagonal in range(2, rows + columns + 1):
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        both, down, right = total[i - 1, j - 1], total[i - 1, j], total[i, j - 1]
        # As published: what is equal goes to the right.
        move = np.where((both < down) & (both < right), 0, np.where((down < both) & (down < right), 1, 2))
        moves[i, j] = move
        total[i, j] = costs[i - 1, j - 1] + np.choose(move, (both, down, right))
    moves[0, :], moves[:, 0] = 2, 1
    i, j = rows, columns
    way: list[tuple[int, int]] = []
    while i > 0 or j > 0:
        way.append((i - 1, j - 1))
        move = moves[i, j]
        i, j = i - (move != 2), j - (move != 1)
    found = np.array(way[::-1])
    return found[:, 0], found[:, 1]
