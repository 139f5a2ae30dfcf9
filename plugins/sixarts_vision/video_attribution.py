"""Why a clip is of a class: which of its frames counted, and where in them, by three methods.

Sources: as in :mod:`sixarts.networks.image_attribution`, over time, too. Values are ``[frames, rows,
columns]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sixarts.classification import probabilities
from sixarts.compiled import to_numpy
from sixarts.explanation import NODES, Attribution
from sixarts.networks.image_attribution import kept, last_maps, logit_of, rolled

#: Stretches of frames, rows and columns of what occlusion hides, one after another.
HIDDEN = (8, 4, 4)
#: Pixels of clips that go through the network together, with gradients: two of 16 frames of 224 × 224.
TOGETHER = 2**21

Arrays = Mapping[str, np.ndarray]
Found = tuple[np.ndarray, dict[str, Any]]


class ClipAttribution(Attribution):
    """Gradients of so few clips at a time that they fit into memory."""

    def __init__(self, model: Any) -> None:
        super().__init__(model, logit_of)
        whole, few = self._slope, min(together(model), NODES)

        def in_parts(path: np.ndarray, rest: Arrays, place: np.ndarray) -> np.ndarray:
            parts = [path[start : start + few] for start in range(0, len(path), few)]
            return np.concatenate([to_numpy(whole(part, rest, place)) for part in parts])

        self._slope: Any = in_parts


def together(model: Any) -> int:
    """How many clips go through a network at once: a power of two."""
    most = max(1, TOGETHER // int(np.prod(model.input_shape()[:3])))
    return int(min(NODES, 1 << (most.bit_length() - 1)))


def integrated_gradients(model: Any, arrays: Arrays, place: int) -> Found:
    """Each pixel's part of the class's logit, against a clip of the mean color."""
    attribution = kept(model, "clips", lambda: ClipAttribution(model))
    pixels = arrays[model.cut]
    values, totals = attribution.integrated_gradients(arrays, np.zeros_like(pixels), [place])
    return values[0], {"signed": True, "totals": totals, "unit": "logit"}


def occlusion(model: Any, arrays: Arrays, place: int) -> Found:
    """How much of the class's log-probability is lost when a part, for a while, is the mean color."""
    clip = arrays[model.cut][0]
    counts = [min(most, size) for most, size in zip(HIDDEN, clip.shape, strict=False)]
    when, down, across = (
        np.linspace(0, size, count + 1).astype(int) for size, count in zip(clip.shape, counts, strict=False)
    )

    def without(block: tuple[int, ...] | None) -> np.ndarray:
        hidden = clip.copy()
        if block is not None:
            t, row, column = block
            hidden[when[t] : when[t + 1], down[row] : down[row + 1], across[column] : across[column + 1]] = 0
        return hidden

    blocks = [None, *np.ndindex(*counts)]
    few, scores = together(model), []
    for start in range(0, len(blocks), few):
        some = blocks[start : start + few]
        # The last batch is filled up, so that it compiles nothing new.
        some = some + some[-1:] * (few - len(some))
        logits = model({model.cut: np.stack([without(block) for block in some])})["logits"]
        scores += list(np.log(probabilities(logits)[:, place] + 1e-30))
    lost = scores[0] - np.array(scores[1 : len(blocks)]).reshape(counts)
    # Every frame of a stretch has the stretch's value.
    return np.repeat(lost, np.diff(when), axis=0), {"signed": True, "unit": "nats lost without it"}


def activation_map(model: Any, arrays: Arrays, place: int) -> Found:
    """Where the network looked: attention rollout for transformers, HiResCAM for convolutions.

    HiResCAM (Draelos and Carin 2020) weighs each place of the last feature maps by its own gradient: the head
    of ``early_fusion`` knows places, and a mean over them, as Grad-CAM takes it, would cancel out. A network
    whose first convolution covers all frames cannot tell when: its map is that of every frame.
    """
    frames = model.frames
    if hasattr(model, "attention_maps"):
        mixed = rolled(model.attention_maps(arrays)[:, 0])
        # The answer is made of all tokens, or of the first.
        looked = (mixed.mean(axis=0) if model.pooled else mixed[0]).reshape(model.grid)
        return looked[np.arange(frames) * len(looked) // frames], {"unit": "attention rollout"}
    maps, slopes = last_maps(model, arrays, place)
    where = np.maximum((maps * slopes).sum(axis=-1), 0.0)
    return np.repeat(where, frames, axis=0), {"unit": "HiResCAM,\nframes alike"}


METHODS = {
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "cam": activation_map,
}
