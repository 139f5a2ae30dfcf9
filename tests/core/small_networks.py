"""Tiny networks and stand-in tasks that tests train, kill and stream; child processes import them too."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np


def network(seed: int = 0, dropout: float = 0.3) -> Any:
    """Four numbers to one, with dropout and a norm; the same weights for the same seed."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,), name="x")
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(inputs)
    hidden = keras.layers.LayerNormalization(name="norm")(hidden)
    hidden = keras.layers.Dropout(dropout, name="dropout")(hidden)
    return keras.Model({"x": inputs}, {"y": keras.layers.Dense(1, name="out")(hidden)})


def examples(rows: int = 24) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(rows, 4)).astype("float32")
    return x, (x @ np.array([[1.0], [-2.0], [0.5], [3.0]], "float32")).astype("float32")


def lessons(epoch: int, batch: int = 8) -> list[Any]:
    """Three batches, shuffled by the epoch."""
    from sixarts.training import Lesson

    x, y = examples()
    order = np.random.default_rng([5, epoch]).permutation(len(x))
    return [
        Lesson({"x": x[part]}, {"y": y[part]}, {"y": np.ones(len(part), "float32")})
        for part in np.split(order, len(x) // batch)
    ]


def fit(
    net: Any, lessons: Callable[[int], Iterable[Any]] = lessons, validation: Any = None, **options: Any
) -> Any:
    """Trains by the loop under test."""
    from sixarts.device import Device
    from sixarts.training import Training, train

    chosen = {"epochs": 5, "learning_rate": 1e-2, "progress": False} | options
    return train(
        net, lessons, Training(**chosen), loss={"y": "mse"}, validation=validation, device=Device.of("cpu")
    )


def values(net: Any) -> list[np.ndarray]:
    """The network's weights, without the states of random layers."""
    import keras

    return [np.array(keras.ops.convert_to_numpy(weight)) for weight in net.weights]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def wait_to_be_killed() -> None:
    """Tells the parent that the moment has come, and stands still."""
    print("now", flush=True)
    time.sleep(600)
    sys.exit("nobody came")


def train_until_killed(folder: str) -> None:
    """Trains into ``folder`` and stands still in the middle of its third epoch."""

    def stopping(epoch: int) -> Iterator[Any]:
        for number, lesson in enumerate(lessons(epoch)):
            if (epoch, number) == (2, 1):
                wait_to_be_killed()
            yield lesson

    fit(network(), stopping, folder=folder)


def fake_task(words: str, during: Callable[[], None] | None = None) -> Any:
    """What ``save_task`` takes: a model of one file, which calls ``during`` in the middle of its writing."""
    from sixarts.card import Record

    def save(folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        (folder / "vocab.json").write_text(f'"{words[:4]}')
        if during:
            during()
        (folder / "vocab.json").write_text(f'"{words}"')

    answer = SimpleNamespace(to_dict=lambda: {"text": words})
    task = SimpleNamespace(
        model=SimpleNamespace(save=save, family="fake", stored_dtype="float32"),
        card="---\n---\n",
        record=Record(),
        Options=SimpleNamespace,
        name="fake",
        spec=SimpleNamespace(samples=("hello",)),
        sample="hello",
        save_extras=lambda folder: None,
    )
    callable_task = type("FakeTask", (SimpleNamespace,), {"__call__": lambda self, x: answer})
    return callable_task(**vars(task))


def save_until_killed(folder: str) -> None:
    """Saves over ``folder`` and stands still when half of a file is written."""
    from sixarts.folder import save_task

    save_task(fake_task("newer words", wait_to_be_killed), Path(folder))


class Engine:
    """What ``stream`` drives, without a network: an input is a list of pieces, an answer is their squares.

    Attributes:
        shapes: how many shapes the pieces have, by their remainders.
        batches: the pieces of each batch so far.
        opened: how many inputs were looked at.
    """

    def __init__(self, sequential: bool = False, shapes: int = 1) -> None:
        self.sequential, self.shapes = sequential, shapes
        self.batches: list[list[Any]] = []
        self.opened = 0

    def check(self, x: Any, options: Any) -> None:
        from sixarts.errors import InputError

        self.opened += 1
        if x == "bad":
            raise InputError("it is bad")

    def pieces(self, x: Any, options: Any) -> Iterator[Any]:
        from sixarts.errors import InputError

        for piece in x:
            if piece == "broken":
                raise InputError("a piece is broken")
            result = yield piece
            if self.sequential and result != self.answer(piece):
                raise AssertionError(f"sent {result} after {piece}")

    def size(self, piece: Any) -> int:
        return int(piece)

    def shape(self, piece: Any) -> int:
        return int(piece) % self.shapes

    def answer(self, piece: Any) -> int:
        return int(piece) ** 2

    def prepare(self, pieces: list[Any], options: Any) -> list[Any]:
        from sixarts.errors import InputError

        if -17 in pieces:
            raise InputError("-17 cannot be prepared")
        return list(pieces)

    def answer_batch(self, pieces: list[Any], options: Any) -> list[int]:
        from sixarts.errors import InputError

        self.batches.append(list(pieces))
        if 13 in pieces:
            raise InputError("13 cannot be answered")
        return [self.answer(piece) for piece in pieces]

    def join(self, results: list[Any], x: Any, options: Any) -> list[Any]:
        return list(results)


def parallel_devices(folder: str) -> dict[str, Any]:
    """In a process that sees two devices: a model's answers and a run of training, on one and on both."""
    import sixarts as sa
    from sixarts.device import Device, devices

    found: dict[str, Any] = {"devices": devices()}
    texts = ["the quick brown fox", "a lazy dog", "12 wizards", "the jugs of liquid", "why?"]
    for name in ("cpu", "cpu:*"):
        task = sa.load("translation", folder, device=name, max_length=16)
        found[name] = [task(texts, batch_size=4), task(texts[0])]
        net_losses = []
        with Device.of(name).scope():
            net = network(dropout=0.0)
        from sixarts.training import Training, train

        history = train(
            net,
            lessons,
            Training(epochs=3, learning_rate=1e-2, progress=False),
            loss={"y": "mse"},
            device=Device.of(name),
        )
        net_losses = history.metrics["loss"]
        found[f"{name} losses"] = net_losses
        found[f"{name} weights"] = values(net)
    found["placed"] = sorted({str(d) for v in task.model.variables for d in v.value.devices()})
    return found
