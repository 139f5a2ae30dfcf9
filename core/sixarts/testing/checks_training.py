"""What holds of learning and measuring."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

import numpy as np

from sixarts.errors import CheckpointError, InputError, TrainingError
from sixarts.plugins import registry
from sixarts.testing.checks_calls import expect_figure
from sixarts.testing.checks_model import floats, value
from sixarts.testing.contract import Skipped, Subject, check, computing, expect, shown

#: Passes over the examples in the checks of ``fit``; the run that is cut short ends after half of them.
EPOCHS = 4
#: Examples that ``evaluate`` is checked with.
MEASURED = 4
SEED = 0


@check(quick=False)
def fit_lowers_loss(subject: Subject) -> None:
    """A few epochs on the examples lower the loss on them, and the history tells of it."""
    _, history, _ = _trained(subject)
    losses = history.metrics["val_loss"]
    expect(len(losses) == EPOCHS, f"{len(losses)} losses of {EPOCHS} epochs")
    expect(all(map(math.isfinite, losses)), f"losses {losses}")
    expect(min(losses[1:]) < losses[0], f"the loss went {losses}; expected it to fall")
    expect(str(history).strip(), "the history prints as nothing")
    expect_figure(history)


@check(quick=False)
def fit_resumes(subject: Subject) -> None:
    """A run that is killed half-way and started again ends with the weights of an unbroken one."""
    whole, _, left = _trained(subject)
    resumed = subject.fresh()
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(left.name, place, dirs_exist_ok=True)
        with _epochs(resumed) as seen:
            _fit(resumed, subject, place)
    wanted = list(range(EPOCHS // 2, EPOCHS))
    expect(seen == wanted, f"the second run trained epochs {seen}; expected {wanted}")
    for path, first, second in zip(*whole, map(value, floats(resumed.model)), strict=True):
        same = np.allclose(first, second, rtol=1e-5, atol=1e-6)
        expect(same, f"weight {path} differs between an unbroken run and a resumed one")


def _trained(subject: Subject) -> Any:
    """An unbroken run, once a subject.

    Returns:
        The names and values of its weights, its history, and a copy of its folder as a kill at half-way
        would have left it.
    """
    kept: dict[str, Any] = vars(subject)
    if "trained" not in kept:
        task, left = subject.fresh(), tempfile.TemporaryDirectory()
        with tempfile.TemporaryDirectory() as place:

            def leave() -> None:
                shutil.copytree(place, left.name, dirs_exist_ok=True)

            with _epochs(task, {EPOCHS // 2: leave}):
                history = _fit(task, subject, place)
        variables = floats(task.model)
        kept["trained"] = ([each.path for each in variables], list(map(value, variables))), history, left
    return kept["trained"]


def _fit(task: Any, subject: Subject, folder: str) -> Any:
    examples = list(subject.spec.examples)
    return task.fit(examples, examples, epochs=EPOCHS, folder=folder, seed=SEED, progress=False)


@contextmanager
def _epochs(task: Any, before: Mapping[int, Callable[[], None]] | None = None) -> Iterator[list[int]]:
    """Within it, the epochs that ``fit`` trains are listed.

    Args:
        before: epoch to what is done when it begins.
    """
    seen: list[int] = []
    learn = task.learn

    def watched(examples: Any, training: Any, epoch: int) -> Any:
        if training.seed == SEED:  # validation has another
            seen.append(epoch)
            (before or {}).get(epoch, lambda: None)()
        return learn(examples, training, epoch)

    with mock.patch.object(task, "learn", watched):
        yield seen


@check()
def bad_example_named(subject: Subject) -> None:
    """``fit`` and ``evaluate`` refuse a bad example with its index, and no examples, before any compute."""
    task, good = subject.fresh(), subject.spec.examples[0]
    for call in (task.fit, task.evaluate):
        name = call.__name__
        for bad in [(entry, good[1]) for entry in subject.spec.bad_inputs[:2]] + [good[:1]]:
            with computing(task) as calls:
                try:
                    call([good, bad])
                except InputError as error:
                    expect(error.index == 1, f"{name}: {shown(bad)} was refused with index {error.index}")
                    expect(not calls, f"{name}: {shown(bad)} was found after {calls[:1]} had run")
                else:
                    expect(False, f"{name} accepted {shown(bad)}; expected an InputError")
        try:
            call([])
        except TrainingError:
            continue
        expect(False, f"{name} accepted no examples; expected a TrainingError")


@check()
def evaluate_reports(subject: Subject) -> None:
    """``evaluate`` reports the metrics that the spec states, each inside its interval, and its protocol.

    There may be others that go by the data, e.g. one for each class.
    """
    from sixarts.errors import MissingExtra

    try:
        found = subject.task.evaluate(list(subject.spec.examples[:MEASURED]), progress=False)
    except MissingExtra as error:
        raise Skipped(str(error)) from None
    names = set(subject.spec.metrics)
    expect(names <= set(found.values), f"evaluate reports {sorted(found.values)}; expected {sorted(names)}")
    for name, metric in found.values.items():
        inside = metric.low <= metric.value <= metric.high
        expect(inside, f"{name}: {metric.value} is outside of its interval [{metric.low}, {metric.high}]")
        expect(0 < metric.confidence < 1, f"{name}: confidence {metric.confidence}")
    expect(found.protocol.strip(), "no protocol; expected how it was measured")
    count = min(len(subject.spec.examples), MEASURED)
    expect(found.count == count, f"{found.count} examples were measured; expected {count}")
    expect_figure(found)


@check()
def new_needs_fit(subject: Subject) -> None:
    """An untrained task of each family that can be begun anew says that it must be fitted first."""
    from sixarts.loading import new

    for signature in subject.spec.signatures:
        for family in registry().families(signature):
            try:
                made = new(subject.name, family=family.name, device="cpu")
            except CheckpointError:  # it is read from a folder, or not at all
                continue
            if made.model.built:
                continue
            try:
                made(subject.sample)
            except TrainingError as error:
                expect("fit" in str(error), f"an untrained {family.name} says {error}; expected the way out")
                continue
            expect(False, f"an untrained {family.name} answered; expected a TrainingError")
