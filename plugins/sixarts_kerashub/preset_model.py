"""What the families of KerasHub presets share: their files, their configuration, and how they are saved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import keras_hub

from sixarts.checkpoint import Target, Weights
from sixarts.errors import CheckpointError
from sixarts.labeled import CLASSES, LabeledModel, labels_of, naming
from sixarts.model import CONFIG, WEIGHTS, read_json, read_optional_json
from sixarts_hub.strict_json import short
from sixarts_kerashub.labels import known_names
from sixarts_kerashub.preset import IGNORED, open_preset, stem_of, zeroed
from sixarts_kerashub.reading import stated
from sixarts_kerashub.table import Bridge


class PresetModel(LabeledModel):
    """A KerasHub task with a head.

    Saved, ``config.json`` holds the preset's own, its ``task.json`` under ``head``, and the labels; weights
    are named as in the preset's files, after ``backbone/`` or ``head/``.
    """

    bridge: ClassVar[Bridge]
    ignored = IGNORED
    #: How many classes KerasHub's own presets have, to those classes' names.
    published: ClassVar[Mapping[int, Callable[[], list[str]]]] = {}
    #: XLA takes minutes for some of these networks.
    fused = False

    @classmethod
    def head_settings(cls, stem: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        """What of ``task.json`` the network depends on.

        Raises:
            CheckpointError: a setting that the task of ours cannot follow.
        """
        raise NotImplementedError

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        config = read_json(folder / CONFIG)
        if "head" in config:
            return config
        config["head"] = read_optional_json(folder / "task.json") or None
        if config["head"] is None:
            raise CheckpointError(
                f"{folder} has no task.json; expected a preset with a head, as save_to_preset of a task "
                "writes it; a backbone alone answers nothing, and KerasHub would give it a random head"
            )
        stem, count = stem_of(cls.bridge, config), _classes(config)
        if config.get("id2label") is None:
            presets = getattr(keras_hub.models, f"{stem}{cls.bridge.task}").presets
            names = known_names(folder, presets, cls.published.get(count))
            return config | (naming(names) if names else {})
        if (named := len(labels_of(config))) != count:
            raise CheckpointError(
                f"id2label in config.json names {named} classes, the head in task.json has {count}; expected "
                "as many; check that both are of one model"
            )
        return config

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        return (
            super().open_weights(folder) if (folder / WEIGHTS).is_file() else open_preset(cls.bridge, folder)
        )

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        stem = stem_of(cls.bridge, config)
        backbone, (task, settings) = stated(config, "config.json"), stated(config["head"], "task.json")
        labels = {"num_labels": _classes(config)} if config.get("id2label") is None else _labels(config)
        head = cls.head_settings(stem, settings) | {"num_classes": len(labels_of(labels))}
        return {
            "registered_name": f"keras_hub>{backbone[0]}",
            "config": backbone[1],
            "head": {"registered_name": f"keras_hub>{task}", "config": head},
            **labels,
        }

    def network_parts(self, initializer: str) -> tuple[Any, Any]:
        """:meth:`parts` of this configuration, with weights that are drawn or not."""
        stem = stem_of(self.bridge, self.config)
        with zeroed() if initializer == "zeros" else contextlib.nullcontext():
            return self.parts(stem, stated(self.config["head"], "task.json")[1])

    def parts(self, stem: str, head: Mapping[str, Any]) -> tuple[Any, Any]:
        """KerasHub's backbone and task, and ``_targets`` of both."""
        raise NotImplementedError

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self._targets

    _targets: Mapping[tuple[str, ...], Target]


def _classes(config: Mapping[str, Any]) -> int:
    """How many classes the head of ``task.json`` has."""
    count = stated(config["head"], "task.json")[1].get("num_classes")
    if type(count) is not int or not 0 < count <= CLASSES:
        raise CheckpointError(f"task.json has num_classes {short(count)}; expected 1 to {CLASSES}")
    return count


def _labels(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a configuration says of its classes."""
    return {name: config[name] for name in ("id2label", "label2id") if name in config}
