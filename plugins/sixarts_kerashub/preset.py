"""A KerasHub preset's network: made of known classes and plain values, and each of its variables named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import keras
import keras_hub

from sixarts.checkpoint import Target, Weights
from sixarts.errors import CheckpointError
from sixarts.readers.stored import listed
from sixarts_hub.strict_json import short
from sixarts_kerashub.naming import STATE, named
from sixarts_kerashub.reading import arguments, stated
from sixarts_kerashub.table import Bridge
from sixarts_kerashub.weights_file import read_h5

#: What training leaves in a preset's files.
IGNORED = ("backbone/optimizer/*", "head/optimizer/*", "backbone/*/optimizer/*", "head/*/optimizer/*")


def stem_of(bridge: Bridge, config: Mapping[str, Any]) -> str:
    """What the names of a preset's classes begin with, e.g. ``"ViT"``.

    Raises:
        CheckpointError: its backbone is none that fits the task, or its task is another.
    """
    name, _ = stated(config, "config.json")
    stem = name.removesuffix("Backbone")
    if stem not in bridge.stems:
        raise CheckpointError(
            f"config.json states {short(name)}; expected a backbone of KerasHub's {bridge.task}: "
            f"{', '.join(bridge.stems)}"
        )
    task, _ = stated(config.get("head"), "task.json")
    if task not in (f"{stem}{bridge.task}", bridge.task):
        raise CheckpointError(
            f"task.json states {short(task)}; expected {stem}{bridge.task}; choose a preset that was trained "
            "for this task"
        )
    return stem


def make_backbone(bridge: Bridge, config: Mapping[str, Any], policy: str, **changes: Any) -> Any:
    """The backbone of ``config.json``, with some settings that the bridge decides."""
    name, settings = stated(config, "config.json")
    kind = getattr(keras_hub.models, name)
    made = {}
    for part, inner in bridge.parts.items():
        found, own = stated(settings.get(part), f"{part} of config.json")
        if found != inner:
            raise CheckpointError(f"{part} of config.json is {short(found)}; expected {inner}")
        inside = getattr(keras_hub.models, inner)
        made[part] = inside(**arguments(inside, own, f"{part} of config.json"), dtype=policy)
    plain = settings | dict.fromkeys(made) | changes
    return kind(**arguments(kind, plain, "config.json") | made, dtype=policy)


def make_task(stem: str, task: str, backbone: Any, settings: Mapping[str, Any], **parts: Any) -> Any:
    """The task of ``task.json`` around a backbone and other parts, without its preprocessor."""
    kind = getattr(keras_hub.models, f"{stem}{task}")
    made = {"backbone": backbone, "preprocessor": None, **parts}
    plain = {**settings, **dict.fromkeys(made)}
    return kind(**{**arguments(kind, plain, "task.json"), **made}, compile=False)


@contextlib.contextmanager
def zeroed() -> Iterator[None]:
    """Within it, Keras's layers begin as ``"zeros"``: counted and without memory, as a checkpoint follows.

    KerasHub's constructors take no initializer.
    """
    add = keras.layers.Layer.add_weight

    def zeros(self: Any, shape: Any = None, initializer: Any = None, *args: Any, **kwargs: Any) -> Any:
        return add(self, shape, "zeros", *args, **kwargs)

    with mock.patch.object(keras.layers.Layer, "add_weight", zeros):
        yield


def targets_of(backbone: Any, task: Any = None) -> dict[tuple[str, ...], Target]:
    """Every variable of a backbone, and of a task around it, by its name in the preset's files.

    Raises:
        CheckpointError: one has no name there: KerasHub itself would leave it as it began, without a word.
    """
    found = {(f"backbone/{name}",): variable for name, variable in named(backbone).items()}
    if task is not None:
        for name, variable in named(task, backbone._flatten_layers()).items():
            found[(f"head/{name}",)] = variable
    known = {id(variable) for variable in found.values()}
    whole = backbone if task is None else task
    lost = [each.path for each in whole.variables if id(each) not in known and each.name != STATE]
    if lost:
        raise CheckpointError(
            f"KerasHub's files hold no value of {listed(lost)}; expected every variable to have a place in "
            "them; this kind of preset cannot be loaded"
        )
    return {names: Target(variable) for names, variable in found.items()}


def open_preset(bridge: Bridge, folder: Path) -> Weights:
    """The tensors of a preset's weights files.

    Raises:
        CheckpointError: one of them is not there or cannot be read.
    """
    tensors = {}
    for file, place in bridge.weights.items():
        path = folder / file
        if not path.is_file():
            why = " (KerasHub would give the head random weights and say nothing)" if place == "head" else ""
            raise CheckpointError(
                f"{folder} has no {file}, where a preset keeps its {place}'s weights{why}; expected a preset "
                "that was trained for the task; fetch it again, or choose another"
            )
        tensors |= {f"{place}/{name}": stored for name, stored in read_h5(path).items()}
    return Weights(folder / "*.weights.h5", tensors)
