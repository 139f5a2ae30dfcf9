"""Which letters or phones made which word's sound.

Integrated gradients (Sundararajan et al. 2017) tell how a ``source_filter`` voice's symbols made a word loud
or soft, and a VITS voice's long or short; occlusion (Zeiler and Fergus 2014, section 4.2) what changes in it
when a symbol is a pause. Durations, pitch and noise stay what they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts_speech.vits_speaking import VitsSpeaking
from sixarts_speech.voice_processor import frames_of
from sixarts_speech.voice_sound import SPREAD

#: What turns a difference of scaled bands into decibels.
DECIBELS = SPREAD * 20 / np.log(10)
#: Symbols whose occlusion goes through the network together.
ROWS = 16


def explained(task: Any, x: str, method: str, target: Any, options: Any) -> Explanation:
    """Which symbols made what of each word.

    Raises:
        InputError: more than one sentence; a voice that does not tell its symbols' words.
        OptionError: the text has no such word.
    """
    pieces = list(task.pieces(x, options))
    if len(pieces) != 1:
        raise InputError(f"a text of {len(pieces)} sentences; expected one; explain each by itself")
    speaking, sentence = task.speaking, pieces[0]
    words = speaking.words(sentence, options)
    if not words:
        raise InputError("a voice that does not tell its symbols' words; expected one that spells by letters")
    names = [sentence.tokens[owner].written for owner, _, _ in words]
    chosen = _chosen(names, target)
    kind = _Vits if isinstance(speaking, VitsSpeaking) else _Voice
    view = kind(speaking, sentence, options)
    found, said = METHODS[method](view, [words[place][1:] for place in chosen])
    return Explanation(
        method,
        "word",
        tuple(view.labels),
        tuple(names[place] for place in chosen),
        found,
        answer=sentence.text,
        **said,
    )


def _chosen(names: Sequence[str], target: Any) -> list[int]:
    if target is None:
        return list(range(len(names)))
    if isinstance(target, int | np.integer) and not isinstance(target, bool) and 0 <= target < len(names):
        return [int(target)]
    found = [place for place, name in enumerate(names) if name == target]
    if not found:
        raise OptionError(
            f"target={target!r}; expected a word of the text, e.g. {', '.join(map(repr, names[:10]))}, or "
            "its number from 0"
        )
    return found[:1]


class _Voice:
    """A ``source_filter`` voice, from its symbols to mel bands.

    Attributes:
        labels: the symbols.
    """

    unit, change = "decibels", "decibels of change"

    def __init__(self, speaking: Any, sentence: Any, options: Any) -> None:
        model = self.model = speaking.model
        batch = speaking.prepare([sentence], options)
        ids, places = batch.arrays["input_ids"], batch.arrays["places"]
        plan = speaking.plan_of(ids[0], places[0], options)
        self.ends = np.cumsum(plan.durations)
        self.starts = self.ends - plan.durations
        framed = frames_of([(plan.durations, plan.pitch)], int(self.ends[-1]))
        self.arrays = {"input_ids": ids, "places": places, **framed}
        self.count = len(sentence.spelled.numbers)
        self.labels = [model.processor.symbols[number] for number in sentence.spelled.numbers]
        inputs = {name: model.network.input[name] for name in self.arrays}
        self.network = keras.Model(inputs, {"bands": model.network.output["bands"]}, name="shown")

    def place(self, span: tuple[int, int]) -> tuple[int, int]:
        """Frames of a word."""
        return int(self.starts[span[0]]), int(self.ends[span[1]])

    @staticmethod
    def score(outputs: Mapping[str, Any], place: Any) -> Any:
        """How loud a word is on average over its frames and bands."""
        bands = outputs["bands"]
        frames = keras.ops.arange(keras.ops.shape(bands)[1])
        within = keras.ops.cast((frames >= place[0]) & (frames < place[1]), bands.dtype)
        total = keras.ops.sum(keras.ops.mean(bands, axis=-1) * within, axis=-1)
        return DECIBELS * total / keras.ops.sum(within)

    def folded(self, values: np.ndarray) -> np.ndarray:
        """Values of the network's positions as those of the labels."""
        return values[:, : self.count]

    def hidden(self) -> np.ndarray:
        """The symbols, and below them the same, each once as a pause, ``[1 + labels, t]``."""
        ids = self.arrays["input_ids"][0]
        rows = np.repeat(ids[None], self.count + 1, axis=0)
        rows[np.arange(1, self.count + 1), np.arange(self.count)] = 0
        return rows

    def changes(self, found: Sequence[Mapping[str, np.ndarray]], span: tuple[int, int]) -> np.ndarray:
        start, end = self.place(span)
        bands = np.concatenate([each["bands"][:, start:end] for each in found])
        return DECIBELS * np.abs(bands[1:] - bands[:1]).mean(axis=(1, 2))


class _Vits:
    """A VITS voice, from its symbols to how long they last."""

    unit, change = "logarithm of the duration", "change of the logarithm of the duration"

    def __init__(self, speaking: Any, sentence: Any, options: Any) -> None:
        model = self.model = speaking.model
        batch = speaking.prepare([sentence], options)
        self.arrays = {name: array for name, array in batch.arrays.items() if name != "number"}
        self.arrays["duration_noise"] = np.zeros((*self.arrays["input_ids"].shape, 2), "float32")
        self.count = len(sentence.spelled)
        self.step = 2 if model.processor.blank else 1
        known = {number: symbol for symbol, number in model.processor.vocabulary.items()}
        shown = self.arrays["input_ids"][0, : self.count][self.step - 1 :: self.step]
        self.labels = [known.get(int(number), "?").replace(" ", "␣") for number in shown]
        inputs = {name: model.network.input[name] for name in self.arrays}
        durations = model.network.get_layer("durations").output
        self.network = keras.Model(inputs, {"log_durations": durations}, name="shown")

    def place(self, span: tuple[int, int]) -> tuple[int, int]:
        return span[0], span[1] + 1

    @staticmethod
    def score(outputs: Mapping[str, Any], place: Any) -> Any:
        """The sum of the logarithms of a word's durations."""
        logs = outputs["log_durations"][..., 0]
        symbols = keras.ops.arange(keras.ops.shape(logs)[1])
        within = keras.ops.cast((symbols >= place[0]) & (symbols < place[1]), logs.dtype)
        return keras.ops.sum(logs * within, axis=-1)

    def folded(self, values: np.ndarray) -> np.ndarray:
        # What a blank gives goes to the symbol behind it, and the last one to that before.
        edges = [0, *range(self.step, self.step * len(self.labels), self.step)]
        return np.add.reduceat(values[:, : self.count], edges, axis=1)

    def hidden(self) -> np.ndarray:
        ids = self.arrays["input_ids"][0]
        rows = np.repeat(ids[None], len(self.labels) + 1, axis=0)
        places = self.step - 1 + self.step * np.arange(len(self.labels))
        rows[np.arange(1, len(rows)), places] = 0
        return rows

    def changes(self, found: Sequence[Mapping[str, np.ndarray]], span: tuple[int, int]) -> np.ndarray:
        logs = np.concatenate([each["log_durations"][:, span[0] : span[1] + 1, 0] for each in found])
        return np.abs(logs[1:] - logs[:1]).sum(axis=1)


def _integrated(view: Any, spans: Sequence[tuple[int, int]]) -> tuple[np.ndarray, dict[str, Any]]:
    """What each symbol gives, against a text of nothing but pauses."""
    model = view.model
    cut = SimpleNamespace(
        network=view.network,
        embedded=model.embedded,
        cut=model.cut,
        variables=model.variables,
        device=model.device,
        fused=model.fused,
    )
    found, totals = Attribution(cut, view.score).integrated_gradients(
        view.arrays, np.zeros_like(view.arrays[model.cut]), [view.place(span) for span in spans]
    )
    return view.folded(found), {"signed": True, "totals": totals, "unit": view.unit}


def _occluded(view: Any, spans: Sequence[tuple[int, int]]) -> tuple[np.ndarray, dict[str, Any]]:
    """How much a word's sound changes when a symbol is a pause."""
    from sixarts.compiled import Compiled, to_numpy

    model, rows = view.model, view.hidden()
    run = Compiled(
        lambda given: view.network(given, training=False), model.variables, model.device, model.fused
    )
    found = []
    for at in range(0, len(rows), ROWS):
        part = rows[at : at + ROWS]
        same = {name: np.repeat(array, len(part), axis=0) for name, array in view.arrays.items()}
        found.append(to_numpy(run({**same, model.cut: part})))
    return np.stack([view.changes(found, span) for span in spans]), {"unit": view.change}


METHODS = {"integrated_gradients": _integrated, "occlusion": _occluded}
