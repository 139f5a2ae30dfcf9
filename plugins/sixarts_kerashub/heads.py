"""The heads of KerasHub's classifiers: what of them is followed, and where they begin."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import keras

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts_hub.strict_json import short

#: What a class's score may go through in KerasHub; ours are the numbers before it.
ACTIVATIONS = (None, "linear", "softmax")


def settings_of(settings: Mapping[str, Any], activations: Collection[Any] = ACTIVATIONS) -> dict[str, Any]:
    """What of ``task.json`` the network depends on, without what it does to its logits.

    Raises:
        CheckpointError: an activation that is not among these.
    """
    found = {name: value for name, value in settings.items() if name not in ("backbone", "preprocessor")}
    if (activation := found.pop("activation", None)) not in activations:
        raise CheckpointError(
            f"task.json has activation {short(activation)}; expected one of {tuple(activations)}: an input "
            "is of one class"
        )
    return found


def after(backbone: Any, task: Any) -> tuple[int, keras.Model]:
    """Which of the backbone's outputs a task goes on from, and the network from there to its logits."""
    outputs = backbone._inbound_nodes[-1].output_tensors
    for place in reversed(range(len(outputs))):
        with contextlib.suppress(ValueError):  # the logits do not come from this one
            return place, keras.Model(outputs[place], task.output, name="head")
    raise CheckpointError("this preset's head looks at several of its backbone's outputs; expected one")


def last_layer(task: Any) -> Any:
    """The layer that gives the logits."""
    layer = task.output._keras_history.operation
    while isinstance(layer, keras.Sequential):
        layer = layer.layers[-1]
    return layer


def names_of(targets: Mapping[tuple[str, ...], Target], layer: Any) -> tuple[str, ...]:
    """The names of a layer's variables."""
    own = {id(variable) for variable in layer.variables}
    return tuple(names[0] for names, target in targets.items() if id(target.variable) in own)
