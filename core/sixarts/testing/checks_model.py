"""What holds of a model: its weights, its folder, and its answers wherever it runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from sixarts.folder import difference, golden_difference
from sixarts.testing.checks_calls import expect_same
from sixarts.testing.contract import Skipped, Subject, check, expect
from sixarts.testing.offline import NetworkUsed, no_sockets
from sixarts.testing.workers import workers

#: How far numbers may be apart between one Keras backend and another.
ACROSS_BACKENDS = 1e-4


@check(quick=False)
def save_load_bit_equal(subject: Subject) -> None:
    """A saved task loads back with every weight and every answer equal to the last bit."""
    with tempfile.TemporaryDirectory() as place:
        folder = subject.task.save(Path(place) / "model")
        again = subject.fresh(folder)
        for one, other in zip(floats(subject.task.model), floats(again.model), strict=True):
            same = np.array_equal(value(one), value(other))
            expect(same, f"weight {one.path} changed in save and load")
        expect_same("the answer after save and load", subject.answers[:1], [again(subject.sample)], 0.0)
        expect(again.card, "the card was lost in save and load")


@check()
def every_weight_is_saved(subject: Subject) -> None:
    """Each trainable weight of the network has a name in the model folder."""
    model = subject.task.model
    saved = {id(target.variable) for target in model.targets(frozenset()).values()}
    lost = [variable.path for variable in model.network.trainable_variables if id(variable) not in saved]
    expect(not lost, f"targets() leaves out {', '.join(lost[:5])}; expected every trainable weight")


@check(quick=False)
def no_hidden_weights(subject: Subject) -> None:
    """Nothing random is frozen into the network where no list of variables shows it.

    Two networks are built with unlike seeds and given the same variables: they must agree. Other
    variables must change every output.
    """
    import keras

    task = subject.task
    hidden = task.model.hidden_constants()
    expect(not hidden, f"weights that the network does not list: {', '.join(hidden[:5])}")
    arrays, twins = network_inputs(subject), []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        twins.append(type(task.model)(task.model.config, task.model.processor, task.model.device))
    first, second = twins
    randomize(first, seed=3)
    before = second(arrays)
    for one, other in zip(floats(first), floats(second), strict=True):
        other.assign(value(one))
    wanted, given = first(arrays), second(arrays)
    for name in wanted:
        same = np.allclose(wanted[name], given[name], rtol=1e-4, atol=1e-5)
        expect(same, f"output {name!r} depends on weights that no list of variables shows")
        changed = not np.allclose(before[name], given[name], rtol=1e-4, atol=1e-5)
        expect(changed, f"output {name!r} stays when every variable changes; it is a constant")


def network_inputs(subject: Subject) -> Mapping[str, np.ndarray]:
    """Arrays that the network takes: a batch to learn from, or of the samples where nothing is learned."""
    task, examples = subject.task, list(subject.spec.examples)
    if examples:
        lesson = next(iter(task.learn(examples, task.Training(), 0)))
        return dict(lesson.arrays)
    pieces = [piece for sample in subject.spec.samples for piece in task.pieces(sample, task.options)]
    return dict(task.prepare(pieces, task.options).arrays)


def randomize(model: Any, seed: int = 0) -> None:
    """Gives every float variable other values of the size that it had, drawn from ``seed``."""
    random = np.random.default_rng(seed)
    for variable in floats(model):
        old = value(variable)
        spread = float(old.std()) if old.size > 1 else 0.0
        drawn = random.normal(0.0, max(spread, 0.05), old.shape).astype("float32")
        # A variance that is no variance would make every output NaN.
        variable.assign(np.abs(drawn) if "variance" in variable.path else drawn)


@contextmanager
def randomized(model: Any, seed: int = 0) -> Iterator[None]:
    """Within it, the model's weights are random; then they are as they were."""
    before = [value(variable) for variable in floats(model)]
    randomize(model, seed)
    try:
        yield
    finally:
        for variable, old in zip(floats(model), before, strict=True):
            variable.assign(old)


def floats(model: Any) -> list[Any]:
    """The model's variables that hold numbers, not states of random layers."""
    return [variable for variable in model.variables if "float" in str(variable.dtype)]


def value(variable: Any) -> np.ndarray:
    """A variable's numbers in float32."""
    import keras

    return np.array(keras.ops.convert_to_numpy(variable), "float32")


@check(quick=False)
def works_offline(subject: Subject) -> None:
    """With a starter, loading and answering open no socket, and need nothing cached."""
    with tempfile.TemporaryDirectory() as home, offline(home):
        try:
            answer = subject.fresh()(subject.sample)
        except Exception as error:
            cause: BaseException = error
            # A family's reading tells whatever goes wrong in words of its own.
            while cause.__cause__ is not None:
                cause = cause.__cause__
            used = isinstance(cause, NetworkUsed)
            expect(not used, f"{cause}; expected a starter to need no network")
            raise
    expect_same("the answer offline", subject.answers[:1], [answer])


@contextmanager
def offline(home: str) -> Iterator[None]:
    """Within it, sockets are refused, the environment says offline, and the cache is ``home``."""
    environment = {"SIXARTS_OFFLINE": "1", "SIXARTS_HOME": home}
    with no_sockets(), mock.patch.dict(os.environ, environment):
        yield


@check()
def golden_answer_holds(subject: Subject) -> None:
    """The default model's folder records a golden answer, and the task still gives it."""
    from sixarts.hubs import default_hub

    manifest = default_hub(offline=True).pull(subject.spec.default_model).manifest
    golden = manifest.golden if manifest else None
    if golden is None:
        expect(False, f"{subject.spec.default_model} records no golden answer; save the model again")
        return
    found = golden_difference(subject.task, golden)
    expect(found is None, f"the golden answer changed: {found}")


@check(quick=False)
def backends_agree(subject: Subject) -> None:
    """Every installed Keras backend gives the same answers: numbers within 1e-4, the rest equal."""
    others = workers()
    if not others:
        raise Skipped("no other Keras backend is installed")
    inputs = list(subject.spec.samples)
    here = [answer.to_dict() for answer in subject.task(inputs)]
    ask = ("sixarts.testing.checks_model:answers", subject.name, inputs)
    with ThreadPoolExecutor() as pool:  # each worker is a process of its own
        waiting = {name: pool.submit(worker.call, *ask) for name, worker in others.items()}
    for name, answered in waiting.items():
        there = answered.result()
        found = difference("answer", here, there, ACROSS_BACKENDS)
        expect(found is None, f"on {name}, {found}")


def answers(task: str, inputs: Any) -> list[dict[str, Any]]:
    """The answers of a task's default model, as plain values; run in a worker."""
    return [answer.to_dict() for answer in Subject.of(task).task(inputs)]
