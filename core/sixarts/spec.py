"""What a plugin declares: tasks, families and models, as plain data.

A plugin's module imports this and nothing heavier, so that listing a hundred plugins stays cheap.
Classes are named by dotted path (``"package.module:Name"``) and imported on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

#: The version of this contract. A plugin states the one that it was written for in ``API_VERSION``.
API_VERSION = "1"


@dataclass(frozen=True)
class TaskSpec:
    """A task as the registry shows it.

    Attributes:
        name: the hub's task tag where one exists, e.g. ``"translation"``.
        summary: one line, for listings.
        task: dotted path of the :class:`sixarts.task.Task` subclass.
        signatures: what a family must map to serve this task, e.g. ``("text -> text",)``.
        default_model: reference of the model that ``load`` takes when none is named.
        samples: inputs that the demo and the contract run.
        examples: ``(input, target)`` pairs, for the contract's ``fit`` and ``evaluate``.
        bad_inputs: inputs that must be refused before any compute, one of each kind that people give, e.g.
            ``("", None, 3, b"bytes")``.
        aliases: short names.
        documents: suffixes of files that are one input each, e.g. ``(".srt",)``; see ``Task.read_document``.
        outputs: suffixes of files that an answer to such a document is saved as, beside its own, e.g.
            ``(".srt",)`` for a sound.
        explanations: method name to the targets that it explains, e.g. ``{"attention": ("token",)}``.
            The first method is the default.
        metrics: names that ``evaluate`` reports, e.g. ``("bleu", "chrf")``.
        extra: the extra of the distribution that installs ``requires``, or ``None``.
        requires: top-level modules without which the task cannot run.
    """

    name: str
    summary: str
    task: str
    signatures: tuple[str, ...]
    default_model: str
    samples: tuple[Any, ...]
    examples: tuple[tuple[Any, Any], ...] = ()
    bad_inputs: tuple[Any, ...] = ()
    aliases: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    explanations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    extra: str | None = None
    requires: tuple[str, ...] = ()


@dataclass(frozen=True)
class FamilySpec:
    """A network and its processor that read one checkpoint layout.

    Attributes:
        name: the family's name, e.g. ``"marian"``.
        signature: what it maps, e.g. ``"text -> text"``; core matches it with tasks.
        model: dotted path of the :class:`sixarts.model.Model` subclass.
        model_types: values of ``model_type`` in ``config.json`` that it reads.
        architectures: values of ``architectures`` that have this task's head. A folder of the right
            ``model_type`` whose ``architectures`` are stated and are none of these is refused.
        files: glob patterns of the files it reads beside the weights, e.g. ``("*.spm", "vocab.json")``.
        weights: alternatives for the weights file, best first; the first that is there is taken.
        extra, requires: as for a task.
        registered_names: values of ``registered_name`` in a ``config.json`` that Keras serialized, e.g.
            ``"acme>Shouter"``, for layouts that state no ``model_type``.
    """

    name: str
    signature: str
    model: str
    model_types: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    weights: tuple[str, ...] = (
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
    )
    extra: str | None = None
    requires: tuple[str, ...] = ()
    registered_names: tuple[str, ...] = ()

    @classmethod
    def own(cls, package: str, model: str, signature: str, **more: Any) -> Self:
        """A family in a layout of its project's own, which goes by the names of its module and its class.

        Args:
            package: that holds the module.
            model: ``"module:Class"``.
            signature: what it maps.
            **more: what else a family states, or states otherwise.

        >>> FamilySpec.own("shop", "bag:Bag", "item -> ranking").architectures
        ('Bag',)
        """
        name, _, kind = model.partition(":")
        usual = {"model_types": (name,), "architectures": (kind,), **more}
        return cls(name, signature, f"{package}.{model}", **usual)

    def matches(self, config: Mapping[str, Any]) -> bool:
        """Whether ``config`` (a parsed ``config.json``) is of this family, task head included.

        >>> spec = FamilySpec("marian", "text -> text", "m:M", ("marian",), ("MarianMTModel",))
        >>> spec.matches({"model_type": "marian", "architectures": ["MarianMTModel"]})
        True
        >>> spec.matches({"model_type": "marian", "architectures": ["MarianModel"]})
        False
        """
        if config.get("model_type") not in self.model_types:
            return config.get("registered_name") in self.registered_names
        stated = config.get("architectures") or []
        if not stated or not self.architectures:
            return True
        return isinstance(stated, list) and any(name in self.architectures for name in stated)


@dataclass(frozen=True)
class ModelEntry:
    """A model in the catalog.

    Attributes:
        reference: what ``load`` takes, e.g. ``"starter/en-zh"`` or ``"Helsinki-NLP/opus-mt-en-fr"``.
        task: the task it serves.
        family: its family.
        license: SPDX identifier or the source's own words.
        summary: one line.
        languages: ISO codes, source first, where that means something.
        folder: for a starter, ``"package:folder"`` inside the installed plugin.
        size: bytes of its weights where known.
        options: values of the task's options that choose this entry, e.g. ``{"game": "othello"}``.
        source: where license and summary were read.
        revision, metric: empty unless measured by this project.
    """

    reference: str
    task: str
    family: str
    license: str
    summary: str = ""
    languages: tuple[str, ...] = ()
    folder: str | None = None
    size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    revision: str = ""
    metric: str = ""
