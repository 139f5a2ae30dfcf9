"""Why a picture is of a class: what of it counted, by four methods.

Sources: Sundararajan et al. 2017 (integrated gradients), Zeiler and Fergus 2014 (occlusion), Selvaraju et al.
2017 (Grad-CAM), Abnar and Zuidema 2020 (attention rollout).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from sixarts.classification import probabilities
from sixarts.compiled import Compiled, to_numpy
from sixarts.explanation import Attribution, gradients

#: Rows and columns of what occlusion hides, one after another.
HIDDEN = 8
#: Pictures with something hidden that go through the network together.
TOGETHER = 16

Arrays = Mapping[str, np.ndarray]


def integrated_gradients(model: Any, arrays: Arrays, place: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Each pixel's part of the class's logit, against a picture of the mean color."""
    attribution = kept(model, "attribution", lambda: Attribution(model, logit_of))
    pixels = arrays[model.cut]
    values, totals = attribution.integrated_gradients(arrays, np.zeros_like(pixels), [place])
    return values[0], {"signed": True, "totals": totals, "unit": "logit"}


def occlusion(model: Any, arrays: Arrays, place: int) -> tuple[np.ndarray, dict[str, Any]]:
    """How much of the class's log-probability is lost when a part is painted in the mean color."""
    pixels = arrays[model.cut]
    _, height, width, _ = pixels.shape
    rows, columns = min(HIDDEN, height), min(HIDDEN, width)
    down = np.linspace(0, height, rows + 1).astype(int)
    across = np.linspace(0, width, columns + 1).astype(int)
    hidden = np.repeat(pixels, 1 + rows * columns, axis=0)
    for number, (row, column) in enumerate(np.ndindex(rows, columns), 1):
        hidden[number, down[row] : down[row + 1], across[column] : across[column + 1]] = 0
    scores: list[float] = []
    for start in range(0, len(hidden), TOGETHER):
        part = hidden[start : start + TOGETHER]
        # The last batch is filled up, so that it compiles nothing new.
        filled = np.concatenate([part, np.repeat(part[-1:], TOGETHER - len(part), axis=0)])
        logits = model({model.cut: filled})["logits"][: len(part)]
        scores += list(np.log(probabilities(logits)[:, place] + 1e-30))
    lost = scores[0] - np.array(scores[1:]).reshape(rows, columns)
    return lost, {"signed": True, "unit": "nats lost without it"}


def activation_map(model: Any, arrays: Arrays, place: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Where the network looked: Grad-CAM for convolutions, attention rollout for transformers."""
    if hasattr(model, "attention_maps"):
        return rollout(model, arrays)
    return grad_cam(model, arrays, place)


def grad_cam(model: Any, arrays: Arrays, place: int) -> tuple[np.ndarray, dict[str, Any]]:
    """The last feature maps, each weighed by the mean gradient of the class's logit."""
    maps, slopes = last_maps(model, arrays, place)
    weights = slopes.mean(axis=(1, 2), keepdims=True)
    return np.maximum((maps * weights).sum(axis=-1)[0], 0.0), {"unit": "Grad-CAM"}


def last_maps(model: Any, arrays: Arrays, place: int) -> tuple[np.ndarray, np.ndarray]:
    """The feature maps at ``model.focus``, and the gradient of the class's logit there: ``[1, h, w, c]``."""

    def make() -> tuple[Compiled, Compiled]:
        focus = model.network.get_layer(model.focus).output
        below, above = keras.Model(model.network.inputs, focus), keras.Model(focus, model.network.output)

        def slope(point: Any, at: Any) -> Any:
            return gradients(lambda value: logit_of(above(value, training=False), at), point)

        return (
            Compiled(lambda x: below(x, training=False), model.variables, model.device, model.fused),
            Compiled(slope, model.variables, model.device, model.fused),
        )

    below, slope = kept(model, "last_maps", make)
    maps = to_numpy(below(arrays[model.cut]))
    return maps, to_numpy(slope(maps, np.int32(place)))


def rollout(model: Any, arrays: Arrays) -> tuple[np.ndarray, dict[str, Any]]:
    """Attention of all blocks multiplied, half of each way going past it; of every class alike."""
    mixed, first = rolled(model.attention_maps(arrays)[:, 0]), model.embeddings.count
    return mixed[:first, first:].mean(axis=0).reshape(model.grid), {"unit": "attention rollout"}


def rolled(maps: np.ndarray) -> np.ndarray:
    """What each token at the end holds of each at the start, ``[n, n]``; ``maps`` are the blocks' in order.

    >>> rolled(np.full((1, 2, 2), 0.5)).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    same = np.eye(maps.shape[-1])
    mixed = same
    for attention in maps:
        mixed = (attention + same) / 2 @ mixed
    return mixed


METHODS = {
    "cam": activation_map,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
}


def logit_of(outputs: Any, place: Any) -> Any:
    """The logit of one class in each row."""
    return keras.ops.take(outputs["logits"], place, axis=-1)


def kept(model: Any, name: str, make: Any) -> Any:
    """What is compiled once for each model."""
    made: dict[str, Any] = vars(model).setdefault("_attributions", {})
    if name not in made:
        made[name] = make()
    return made[name]
