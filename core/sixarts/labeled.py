"""Models whose head has a column for each class, and the names of the classes in ``config.json``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError, InputError
from sixarts.model import Model, Processor

#: Most classes that a configuration may name: ImageNet-21k has 21,843.
CLASSES = 100_000


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the classes, by number, each once; ``LABEL_0`` and ``LABEL_1`` where a file names none.

    >>> labels_of({"id2label": {"1": "dog", "0": "cat"}})
    ('cat', 'dog')

    Raises:
        CheckpointError: ``id2label`` is no table from 0 on.
    """
    named = config.get("id2label")
    if named is None:
        count = config.get("num_labels", 2)
        if type(count) is not int or not 0 < count <= CLASSES:
            raise CheckpointError(f"num_labels={count!r} in config.json; expected 1 to {CLASSES}")
        return tuple(f"LABEL_{number}" for number in range(count))
    if not isinstance(named, Mapping) or not 0 < len(named) <= CLASSES:
        raise CheckpointError(f"id2label in config.json is {type(named).__name__}; expected numbers to names")
    by_number = {str(number): name for number, name in named.items()}
    missing = [number for number in range(len(named)) if not isinstance(by_number.get(str(number)), str)]
    if missing:
        raise CheckpointError(f"id2label in config.json names no class {missing[0]}; expected 0, 1, 2, …")
    names = [by_number[str(number)] for number in range(len(named))]
    # ImageNet names a bird and a machine "crane": they are told apart by their numbers.
    seen = Counter(names)
    return tuple(name if seen[name] == 1 else f"{name} ({number})" for number, name in enumerate(names))


def naming(labels: Sequence[str]) -> dict[str, Any]:
    """What ``config.json`` says of these classes.

    >>> naming(["cat"])
    {'id2label': {'0': 'cat'}, 'label2id': {'cat': 0}}
    """
    return {
        "id2label": {str(number): name for number, name in enumerate(labels)},
        "label2id": {name: number for number, name in enumerate(labels)},
    }


def numbered(labels: Sequence[str], wanted: Iterable[str]) -> dict[str, int]:
    """The number of each of a model's classes, where they are all that is wanted.

    >>> numbered(("cat", "dog"), ["dog"])
    {'cat': 0, 'dog': 1}

    Raises:
        InputError: a class that the model does not tell apart.
    """
    unknown = sorted(set(wanted) - set(labels))
    if unknown:
        raise InputError(f"labels {', '.join(unknown[:10])}; expected some of {', '.join(labels[:20])}")
    return {label: number for number, label in enumerate(labels)}


class LabeledModel(Model):
    """A model that tells classes apart. A family states its head, and how its processor takes new labels."""

    stated = Model.stated | {"id2label", "label2id", "num_labels"}
    #: Published names of the weights whose last axis, as Keras has them, is the classes'.
    head: ClassVar[tuple[str, ...]]

    def processor_for(self, labels: Sequence[str]) -> Processor:
        """A processor like this one's (or a new one, where there is none yet) for these classes."""
        raise NotImplementedError

    def with_labels(self, labels: Sequence[str]) -> Self:
        """A copy that tells these classes apart; what this network knows of them is taken over."""
        config = self.configure(**{**self.config, **naming(labels)})
        other = type(self)(config, self.processor_for(labels), self.device)
        if self.built:
            known = self.processor.labels
            both = [(place, known.index(label)) for place, label in enumerate(labels) if label in known]
            mine = self.targets(frozenset())
            for names, target in other.targets(frozenset()).items():
                value = to_numpy(mine[names].variable)
                if names[0] in self.head:
                    fresh = np.array(to_numpy(target.variable))
                    for new, old in both:
                        fresh[..., new] = value[..., old]
                    # A column for what is of no class stays behind those of the classes.
                    if rest := fresh.shape[-1] - len(labels):
                        fresh[..., -rest:] = value[..., -rest:]
                    value = fresh
                target.variable.assign(value)
        return other

    def freeze(self, frozen: bool) -> None:
        """Whether training leaves everything but the head as it is."""
        targets = self.targets(frozenset())
        head = {id(targets[names].variable) for names in targets if names[0] in self.head}
        for layer in self.network.layers:
            layer.trainable = not frozen or any(id(variable) in head for variable in layer.variables)


def relabeled(model: Any, wanted: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """A model that tells these classes apart, and in words what of it is new.

    The model itself comes back where it knows all of them.
    """
    known = model.processor.labels if model.built else ()
    if set(wanted) <= set(known):
        return model, ()
    kept = len(set(known) & set(wanted))
    words = f"head of {len(known)} classes by one of {len(wanted)}" + (
        f", {kept} of them kept" if kept else ""
    )
    return model.with_labels(wanted), (words,)
