"""Because of which items of a history others are recommended.

Sources: Li et al. 2016 ("Understanding Neural Networks through Representation Erasure") for leaving one out;
Sundararajan et al. 2017 for integrated gradients, here from a history of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from sixarts.batching import rows_bucket
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts_recommendation.items import Items

#: Recommended items that are explained when none is named.
SHOWN = 5
#: Histories that go through the network together.
TOGETHER = 32
UNIT = "log-odds"


@dataclass(frozen=True)
class Because(Explanation):
    """Values of each item of a history for each item that is recommended."""

    def __str__(self) -> str:
        said = []
        for name, row in zip(self.target_labels, self.values, strict=True):
            made = [
                self.input_labels[place] for place in np.argsort(-row, kind="stable")[:2] if row[place] > 0
            ]
            said.append(f"{name} because of {' and '.join(made)}" if made else f"{name} in spite of them all")
        return "; ".join(said)

    def plot(self) -> Any:
        """The values as a matrix: what is recommended down, the history across."""
        figure = super().plot()
        figure.axes[0].set(xlabel="because of", ylabel="recommended", title="")
        return figure


def attribute(task: Any, x: Any, method: str, target: Any, options: Any) -> Because:
    """Explains recommendations for one input; see ``NextItemTask.attribute``."""
    items: Items = task.model.processor.items
    history = task.question(x).history[-room(task.model) :]
    numbers = explained(task, x, target, options)
    values, totals = _METHODS[method](task.model, history, numbers)
    return Because(
        method=method,
        target="item" if isinstance(target, Mapping) else "rank",
        input_labels=tuple(items.name(number) for number in history.tolist()),
        target_labels=tuple(items.name(number) for number in numbers),
        values=values,
        signed=True,
        totals=totals,
        answer=", ".join(items.name(number) for number in numbers),
        unit=UNIT if method == "integrated_gradients" else f"{UNIT} lost without it",
    )


def room(model: Any) -> int:
    """How many items of a history the network reads at once."""
    return int(model.config["max_length"]) + 1 - int(model.reserved)


def explained(task: Any, x: Any, target: Any, options: Any) -> list[int]:
    """Numbers of the items that are explained."""
    items: Items = task.model.processor.items
    if isinstance(target, Mapping) and set(target) == {"item"}:
        try:
            return [items.number(target["item"])]
        except InputError as error:
            raise OptionError(f"target: {error.reason}") from None
    ranked = [items.numbers[raw] for raw in task(x, **vars(options)).items]
    if not ranked:
        raise InputError("a question without an answer; expected options that leave something to recommend")
    if target is None:
        return ranked[:SHOWN]
    whole = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not whole or not 1 <= target <= len(ranked):
        raise OptionError(
            f"target={target!r}; expected a place in the ranking from 1 to {len(ranked)}, or "
            "{'item': id} for any item"
        )
    return [ranked[target - 1]]


def _leave_one_out(model: Any, history: np.ndarray, numbers: Sequence[int]) -> Any:
    """What of an item's log-odds is lost when one item was not in the history."""
    nothing = np.array([-model.reserved], history.dtype)
    without = [np.delete(history, place) for place in range(len(history))]
    asked = [history, *(rest if len(rest) else nothing for rest in without)]
    rows = []
    for start in range(0, len(asked), TOGETHER):
        part = asked[start : start + TOGETHER]
        filled = part + part[-1:] * (rows_bucket(len(part), TOGETHER) - len(part))
        rows.append(_log_odds(model, model(model.asked(filled))["logits"][: len(part)], numbers))
    found = np.concatenate(rows)
    return (found[0] - found[1:]).T, None


def _log_odds(model: Any, logits: np.ndarray, numbers: Sequence[int]) -> np.ndarray:
    """Log-odds of some items ``[b, len(numbers)]``, from the scores of all of them."""
    logits = logits.astype("float64")
    own = logits[:, list(numbers)]
    if model.config["objective"] == "sigmoid":
        return np.asarray(own)
    others = []
    for number in numbers:
        rest = np.delete(logits, number, axis=1)
        high = rest.max(axis=1, initial=-1e9)
        others.append(high + np.log(np.exp(rest - high[:, None]).sum(axis=1)))
    return np.asarray(own - np.stack(others, axis=1))


def _integrated_gradients(model: Any, history: np.ndarray, numbers: Sequence[int]) -> Any:
    """Each item's part of the log-odds, against a history of nothing."""
    arrays = dict(model.asked([history]))
    arrays["columns"] = arrays.pop("places")
    baseline = arrays["items"].copy()
    baseline[0, : len(history)] = 0
    values, totals = _scorer(model).integrated_gradients(arrays, baseline, list(numbers))
    return values[:, : len(history)], totals


def _scorer(model: Any) -> Attribution:
    """Scores an item by its log-odds; compiled once for each model."""
    kept: dict[str, Any] = vars(model).setdefault("_attributions", {})
    if "scorer" not in kept:
        kept["scorer"] = Attribution(_by_row(model), _score(model.config["objective"]))
    found: Attribution = kept["scorer"]
    return found


def _by_row(model: Any) -> Any:
    """The model as attribution takes it: one scored ``columns`` ``[b]`` in each row, however many rows."""
    columns = keras.Input((), dtype="int32", name="columns")
    inputs = {name: tensor for name, tensor in model.inputs.items() if name != "places"}
    last = AtColumns(name="at_columns", dtype=model.device.policy)(model.body, columns)
    logits = keras.Model(model.at_places, model.network.output["logits"])(last)
    network = keras.Model({**inputs, "columns": columns}, {"logits": logits})
    return SimpleNamespace(
        network=network,
        embedded=model.embedded,
        cut=model.cut,
        variables=model.variables,
        device=model.device,
        fused=model.fused,
    )


class AtColumns(layers.Layer):  # type: ignore[misc]
    """What stands at one column of each row: ``[b, t, d]`` and ``[b]`` to ``[b, d]``."""

    def build(self, *shapes: Any) -> None:
        self.built = True

    def compute_output_spec(self, x: Any, columns: Any) -> Any:
        return keras.KerasTensor((x.shape[0], x.shape[-1]), x.dtype)

    def call(self, x: Any, columns: Any) -> Any:
        return ops.take_along_axis(x, columns[:, None, None], axis=1)[:, 0]


def _score(objective: str) -> Callable[[Any, Any], Any]:
    def score(outputs: Any, place: Any) -> Any:
        logits = outputs["logits"]
        own = ops.take(logits, place, axis=-1)
        if objective == "sigmoid":
            return own
        chosen = ops.cast(ops.arange(logits.shape[-1]) == place, logits.dtype)
        return own - ops.logsumexp(logits - 1e9 * chosen, axis=-1)

    return score


_METHODS = {"leave_one_out": _leave_one_out, "integrated_gradients": _integrated_gradients}
