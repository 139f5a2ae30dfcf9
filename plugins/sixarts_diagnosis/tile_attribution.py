"""Which tiles of a slide made it of a label: by attention, by gradients, and by leaving each out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sixarts.classification import probabilities
from sixarts.explanation import Attribution, Explanation
from sixarts.networks.image_attribution import kept, logit_of
from sixarts_diagnosis.tile_processor import read_tiles
from sixarts_diagnosis.tiles import TileFeatures

#: Bags with a tile left out that go through the network together.
TOGETHER = 16
#: Most tiles that are shown one by one; of more, those that count most.
MOST = 200

Arrays = Mapping[str, np.ndarray]


def attention(model: Any, arrays: Arrays, place: int, count: int) -> tuple[np.ndarray, dict[str, Any]]:
    """How much each tile counts, of every label alike."""
    return model(arrays)["attention"][0, :count], {"unit": "attention"}


def integrated_gradients(
    model: Any, arrays: Arrays, place: int, count: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """Each tile's part of the label's logit, against tiles of which nothing is known."""
    found = kept(model, "attribution", lambda: Attribution(model, logit_of))
    values, totals = found.integrated_gradients(arrays, np.zeros_like(arrays["features"]), [place])
    return values[0, :count], {"signed": True, "totals": totals, "unit": "logit"}


def occlusion(model: Any, arrays: Arrays, place: int, count: int) -> tuple[np.ndarray, dict[str, Any]]:
    """How much of the label's log-probability is lost without each tile."""
    masks = np.repeat(arrays["mask"], count + 1, axis=0)
    masks[np.arange(1, count + 1), np.arange(count)] = 0
    scores: list[float] = []
    for start in range(0, count + 1, TOGETHER):
        part = masks[start : start + TOGETHER]
        filled = np.concatenate([part, np.repeat(part[-1:], TOGETHER - len(part), axis=0)])
        features = np.repeat(arrays["features"], TOGETHER, axis=0)
        logits = model({"features": features, "mask": filled})["logits"][: len(part)]
        scores += list(np.log(probabilities(logits)[:, place] + 1e-30))
    return scores[0] - np.array(scores[1:]), {"signed": True, "unit": "nats lost without it"}


METHODS = {"cam": attention, "integrated_gradients": integrated_gradients, "occlusion": occlusion}


def attribute(task: Any, x: Any, method: str, target: Any, options: Any) -> Explanation:
    """What of a slide's tiles made it this label."""
    answer = task(x, **vars(options))
    label, processor = task.label_of(target, answer), task.model.processor
    bag = read_tiles(x)
    values, said = METHODS[method](
        task.model, processor.arrays([bag]), processor.labels.index(label), len(bag)
    )
    names = [f"tile {number}" for number in range(1, len(bag) + 1)]
    if isinstance(x, TileFeatures):
        names = [f"tile at {top}, {left}" for top, left in x.places]
    if len(bag) > MOST and "totals" not in said:
        order = np.sort(np.argsort(-np.abs(values), kind="stable")[:MOST])
        values, names = values[order], [names[place] for place in order]
    return Explanation(
        method=method,
        target=label,
        input_labels=tuple(names),
        target_labels=(label,),
        values=np.asarray(values, "float64")[None],
        answer=answer.label,
        **said,
    )
