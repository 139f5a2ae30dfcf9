"""Ten-fold cross-validation with the choices made inside: no fold that is measured is looked at before.

In each fold settings and temperature are chosen on a part of the other nine alone, and so are those of the
model that ships, on a part of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.classification import probabilities
from sixarts_text.calibration import temperature
from sixarts_text.corpora import Sentence, folds

#: Folds that are measured; of those inside, how many there are and on how many settings are compared.
OUTER, INNER, TURNS = 10, 5, 2


@dataclass(frozen=True)
class Choice:
    """What was chosen for a model.

    Attributes:
        settings: of the family.
        temperature: what its logits are divided by.
        loss: mean cross-entropy, with that temperature, on what was held out.
    """

    settings: Mapping[str, Any]
    temperature: float
    loss: float


def learned(sentences: Sequence[Sentence], settings: Mapping[str, Any], heat: float = 1.0) -> Any:
    """A task of the ``linear`` family that learned from some sentences.

    Args:
        heat: what its logits are divided by.
    """
    task = sa.new("sentiment-analysis", family="linear", device="cpu", **settings)
    task.adapt([(sentence.text, sentence.label) for sentence in sentences], task.Training())
    task.model.scaled(1 / heat)
    return task


def logits_of(task: Any, sentences: Sequence[Sentence]) -> np.ndarray:
    """Logits ``[n, classes]``."""
    found = []
    for start in range(0, len(sentences), 128):
        part = sentences[start : start + 128]
        found.append(task.model(task.arrays([task.read(one.text) for one in part]))["logits"])
    return np.concatenate(found).astype("float64")


def classes_of(task: Any, sentences: Sequence[Sentence]) -> np.ndarray:
    """The number of each sentence's class."""
    labels = task.model.processor.labels
    return np.array([labels.index(sentence.label) for sentence in sentences])


def chosen(sentences: Sequence[Sentence], grid: Sequence[Mapping[str, Any]], seed: int) -> Choice:
    """The settings under which what is held out is likeliest, and their temperature.

    Settings are compared on some folds; the temperature, which few sentences leave uncertain, is that of all.
    """
    part = folds(sentences, INNER, seed)

    def held_out(settings: Mapping[str, Any], turns: range) -> tuple[np.ndarray, np.ndarray]:
        logits, classes = [], []
        for turn in turns:
            task = learned([s for s, f in zip(sentences, part, strict=True) if f != turn], settings)
            held = [s for s, f in zip(sentences, part, strict=True) if f == turn]
            logits.append(logits_of(task, held))
            classes.append(classes_of(task, held))
        return np.concatenate(logits), np.concatenate(classes)

    tried = [(settings, *held_out(settings, range(TURNS))) for settings in grid]
    settings, logits, classes = min(tried, key=lambda each: _loss(*each[1:], temperature(*each[1:])))
    others = held_out(settings, range(TURNS, INNER))
    logits, classes = (np.concatenate(both) for both in zip((logits, classes), others, strict=True))
    heat = temperature(logits, classes)
    return Choice(settings, heat, _loss(logits, classes, heat))


def _loss(logits: np.ndarray, classes: np.ndarray, heat: float) -> float:
    """Mean cross-entropy under a temperature."""
    right = probabilities(logits / heat)[np.arange(len(classes)), classes]
    return -float(np.log(right).mean())


@dataclass(frozen=True)
class Measured:
    """Probabilities of every sentence, by the model that had not learned from its fold.

    Attributes:
        chances: ``[n, classes]``.
        classes: the right class of each.
        choices: what was chosen in each fold.
    """

    chances: np.ndarray
    classes: np.ndarray
    choices: tuple[Choice, ...]


def cross_validated(
    sentences: Sequence[Sentence], grid: Sequence[Mapping[str, Any]], seed: int = 0
) -> Measured:
    """Measures a grid of settings, of which each fold takes the one that it chooses."""
    outer = folds(sentences, OUTER, seed)
    chances: np.ndarray | None = None
    classes = np.zeros(len(sentences), int)
    choices = []
    for fold in range(OUTER):
        rest = [s for s, f in zip(sentences, outer, strict=True) if f != fold]
        choice = chosen(rest, grid, seed + 1 + fold)
        task = learned(rest, choice.settings, choice.temperature)
        held = [s for s, f in zip(sentences, outer, strict=True) if f == fold]
        found = probabilities(logits_of(task, held))
        if chances is None:
            chances = np.zeros((len(sentences), found.shape[1]))
        chances[outer == fold], classes[outer == fold] = found, classes_of(task, held)
        choices.append(choice)
        print(
            f"fold {fold + 1}: accuracy {(found.argmax(axis=1) == classes[outer == fold]).mean():.4f}, chose "
            f"{dict(choice.settings)}, temperature {choice.temperature:.2f}, loss {choice.loss:.4f}",
            flush=True,
        )
    assert chances is not None
    return Measured(chances, classes, tuple(choices))
