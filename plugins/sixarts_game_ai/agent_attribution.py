"""What of an observation made an agent's action: integrated gradients, and occlusion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from sixarts.errors import OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts.media.heatmap import heatmap
from sixarts_game_ai.filming import planes

TARGETS = ("action", "value")
#: Rows and columns of the cells that occlusion covers in a picture.
CELLS = 12


def explained(task: Any, x: Any, method: str, target: Any) -> Explanation:
    """Explains the best action's score, or the value, beside an observation of nothing.

    Nothing is the mean of what was observed where observations are normalized, and zeros elsewhere.
    """
    target = target or "action"
    if target not in TARGETS:
        raise OptionError(f"target={target!r}; expected one of {', '.join(map(repr, TARGETS))}")
    model, processor = task.model, task.model.processor
    seen = processor.read(x)
    arrays = processor.arrays(seen[None])
    outputs = model(arrays)
    place = int(np.argmax(outputs[model.taught][0])) if not processor.spaces.continuous else 0
    attribution = _attribution(task, target)
    answer = task(x)
    label = "value" if target == "value" else processor.label(place)
    said: dict[str, Any] = {"signed": True, "answer": str(answer), "unit": _unit(model, target)}
    if method == "occlusion":
        values, totals = occluded(attribution, arrays["observation"], place, processor.spaces.spatial), None
    else:
        nothing = np.zeros_like(arrays["observation"])
        values, totals = attribution.integrated_gradients(arrays, nothing, [place])
        values = values[0]
    if processor.spaces.spatial:
        height, width = processor.spaces.shape[:2]
        return heatmap(
            method,
            label,
            values.reshape(_grid(values, height, width)),
            planes(seen),
            (0, 0, height, width),
            totals=totals,
            **said,
        )
    return ObservationExplanation(
        method=method,
        target=target,
        input_labels=_labels(processor, seen),
        target_labels=(label,),
        values=values.reshape(1, -1),
        totals=totals,
        **said,
    )


@dataclass(frozen=True)
class ObservationExplanation(Explanation):
    """What each number of an observation added."""

    def plot(self) -> Any:
        """A bar for each number, to the right where it spoke for the answer."""
        from matplotlib.figure import Figure

        places = range(len(self.input_labels))
        figure = Figure(figsize=(6, 1.2 + 0.32 * len(self.input_labels)), layout="constrained")
        axes = figure.add_subplot()
        row = self.values[0]
        axes.barh(places, row, color=["#2563eb" if value >= 0 else "#dc2626" for value in row])
        axes.axvline(0, color="0.6", linewidth=0.8)
        axes.set_yticks(places, self.input_labels)
        axes.invert_yaxis()
        axes.set(xlabel=self.unit, title=f"{self.target_labels[0]}: {self.method.replace('_', ' ')}")
        axes.spines[["top", "right"]].set_visible(False)
        return figure


def occluded(attribution: Attribution, observation: np.ndarray, place: int, spatial: bool) -> np.ndarray:
    """How much the score falls as each number, or each cell of a picture, is set to nothing, ``[s]``."""
    if not spatial:
        size = observation.size
        shape = observation.shape[1:]
        masks = (1 - np.eye(size)).reshape(size, *shape)
        rows = observation * masks.astype(observation.dtype)
    else:
        height, width = observation.shape[1:3]
        down, across = (np.arange(side) * min(side, CELLS) // side for side in (height, width))
        cells = down[:, None] * min(width, CELLS) + across
        count = int(cells.max()) + 1
        rows = np.where((cells == np.arange(count)[:, None, None])[..., None], 0, observation)
        rows = rows.astype(observation.dtype)
    score = attribution.score({"observation": np.concatenate([observation, rows])}, place)
    return np.asarray(score[0] - score[1:])


def _grid(values: np.ndarray, height: int, width: int) -> tuple[int, int]:
    if values.size == height * width:
        return height, width
    return min(height, CELLS), min(width, CELLS)


def _labels(processor: Any, seen: np.ndarray) -> tuple[str, ...]:
    if not processor.spaces.shape:
        return tuple(f"state {state}" for state in range(processor.spaces.states))
    count = math.prod(processor.spaces.shape)
    names = processor.spaces.parts or tuple(f"number {place}" for place in range(count))
    return tuple(f"{name} = {number:.3g}" for name, number in zip(names, seen.ravel(), strict=True))


def _unit(model: Any, target: str) -> str:
    if target == "value" or model.family == "dqn":
        return "value, scaled"
    return "first number" if model.processor.spaces.continuous else "logit"


def _attribution(task: Any, target: str) -> Attribution:
    """Made once for a model and a target: it compiles."""
    kept: dict[str, Any] = task.__dict__.setdefault("_attributions", {})
    model = task.model
    if kept.get("model") is not model:
        kept.clear()
        kept["model"] = model
    if target not in kept:
        score = (lambda outputs, _: model.worth(outputs)) if target == "value" else _action_score(model)
        kept[target] = Attribution(model, score)
    found: Attribution = kept[target]
    return found


def _action_score(model: Any) -> Any:
    def score(outputs: Mapping[str, Any], place: Any) -> Any:
        told = outputs[model.taught]
        if model.family == "ppo" and not model.processor.spaces.continuous:
            # Beside the others: a logarithm of a probability near 1 has no slope left to tell of.
            told = told - ops.mean(told, axis=-1, keepdims=True)
        return ops.take(told, ops.cast(place, "int32"), axis=-1)

    return score
