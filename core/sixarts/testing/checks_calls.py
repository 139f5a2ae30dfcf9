"""What holds of a call: one input or many, good or bad, whole or as it comes."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from sixarts.errors import InputError, OptionError
from sixarts.folder import difference
from sixarts.result import Failure, Result
from sixarts.testing.contract import Subject, check, computing, expect, shown

#: How far numbers may be apart between one input alone and the same in a batch.
CLOSE = 1e-5


def expect_same(where: str, wanted: Iterable[Any], given: Iterable[Any], tolerance: float = CLOSE) -> None:
    """Holds results against others: numbers within ``tolerance``, everything else equal."""
    one, other = ([result.to_dict() for result in results] for results in (wanted, given))
    found = difference(where, one, other, tolerance)
    expect(found is None, f"{found}")


@check()
def samples_run(subject: Subject) -> None:
    """Each sample is answered with a result of its own kind, none with a failure."""
    for sample, answer in zip(subject.spec.samples, subject.answers, strict=True):
        kind = type(answer).__name__
        expect(isinstance(answer, Result), f"{shown(sample)} gave a {kind}; expected a Result")
        expect(not isinstance(answer, Failure), f"{shown(sample)} gave {answer}")


@check()
def same_call_same_answer(subject: Subject) -> None:
    """Asked twice, a task answers the same: what it draws, it draws from its seed."""
    expect_same("the second answer", subject.answers[:1], [subject.task(subject.sample)], 0.0)


@check()
def one_equals_batch(subject: Subject) -> None:
    """A list is answered as its inputs alone: numbers within 1e-5, the rest equal."""
    expect_same("answer", subject.answers, subject.task(list(subject.spec.samples)))


@check()
def one_equals_stream(subject: Subject) -> None:
    """A stream is answered as its inputs alone: numbers within 1e-5, the rest equal."""
    expect_same("answer", subject.answers, subject.task.stream(iter(subject.spec.samples), progress=False))


@check()
def order_is_kept(subject: Subject) -> None:
    """Answers stand in the order of their inputs, however batches are filled."""
    inputs, wanted = subject.spec.samples[::-1], subject.answers[::-1]
    expect_same("answer", wanted, subject.task(list(inputs)))
    running = subject.task.stream(iter(inputs * 2), batch_size=2, progress=False)
    expect_same("streamed answer", wanted * 2, running)


@check()
def empty_list_is_empty(subject: Subject) -> None:
    """No inputs give no answers, without an error."""
    expect(subject.task([]) == [], f"an empty list gave {shown(subject.task([]))}; expected []")


@check()
def stream_is_lazy(subject: Subject) -> None:
    """A stream without end gives its first answer after one batch, and is read no further than needed."""
    taken = 0

    def endless() -> Iterator[Any]:
        nonlocal taken
        for taken, sample in enumerate(itertools.cycle(subject.spec.samples), 1):
            expect(taken < 1000, "1000 inputs were read before the first answer; expected one batch")
            yield sample

    next(iter(subject.task.stream(endless(), batch_size=2, progress=False)))
    expect(taken <= 2, f"{taken} inputs were read before the first answer; expected 2, one batch")


@check()
def live_ends_whole(subject: Subject) -> None:
    """``live`` gives results, and its last is the answer of the plain call."""
    for sample, answer in zip(subject.spec.samples, subject.answers, strict=True):
        partial = list(subject.task.live(sample))
        expect(partial, f"live({shown(sample)}) gave nothing; expected the whole answer last")
        expect_same("the last of live", [answer], partial[-1:])


@check()
def unknown_option_refused(subject: Subject) -> None:
    """A misspelt option is refused before any compute, and the right name is suggested."""
    for option in fields(subject.task.Options):
        wrong = option.name + "x"
        message = _refusal(subject, {wrong: None})
        expect(
            wrong in message and option.name in message.replace(wrong, ""),
            f"{wrong!r} was refused with {message!r}; expected {option.name!r} to be suggested",
        )


@check()
def wrong_option_value_refused(subject: Subject) -> None:
    """An option's value of a wrong type or out of range is refused before any compute, by name."""
    for value in ("many", 0, -1, None):
        message = _refusal(subject, {"batch_size": value})
        expect("batch_size" in message, f"batch_size={value!r} was refused with {message!r}")
    _refusal(subject, {"on_error": "ignore"})


def _refusal(subject: Subject, options: dict[str, Any]) -> str:
    """The message with which these options are refused."""
    with computing(subject.task) as calls:
        try:
            subject.task(subject.sample, **options)
        except OptionError as error:
            expect(not calls, f"{options} was refused after {calls[:1]} had run")
            return str(error)
    expect(False, f"{options} was accepted; expected an OptionError")
    return ""


@check()
def bad_input_named(subject: Subject) -> None:
    """Each kind of bad input is refused before any compute, with its index in a list and what is expected."""
    task, good = subject.task, subject.sample
    for bad in subject.spec.bad_inputs:
        with computing(task) as calls:
            if task.many(bad) is None:
                _expect_refused(lambda bad=bad: task(bad), bad, None)
                _expect_refused(lambda bad=bad: task.live(bad), bad, None)
            _expect_refused(lambda bad=bad: task([good, bad, good]), bad, 1)
        expect(not calls, f"{shown(bad)} was found after {calls[:1]} had run; expected before any compute")


def _expect_refused(call: Any, bad: Any, index: int | None) -> None:
    try:
        call()
    except InputError as error:
        expect(error.index == index, f"{shown(bad)} was refused with index {error.index}; expected {index}")
        named = index is None or f"input {index}" in str(error)
        expect(named, f"{shown(bad)} was refused with {str(error)!r}; expected its index in the message")
        expect("expected" in error.reason, f"{error.reason!r} does not say what was expected")
    else:
        expect(False, f"{shown(bad)} was accepted; expected an InputError")


@check()
def bad_input_returned(subject: Subject) -> None:
    """With ``on_error="return"`` a failure stands in a bad input's place, and the others are answered."""
    inputs = [subject.sample, *subject.spec.bad_inputs, subject.sample]
    results = list(subject.task(inputs, on_error="return"))
    expect(len(results) == len(inputs), f"{len(inputs)} inputs gave {len(results)} results")
    expect_same("a good input's answer", subject.answers[:1] * 2, [results[0], results[-1]])
    for index, failure in enumerate(results[1:-1], 1):
        place = f"the bad input {shown(inputs[index])} at {index}"
        expect(isinstance(failure, Failure), f"{place} gave {shown(failure)}; expected a Failure")
        expect(failure.index == index, f"{place} gave index {failure.index}")
        expect(failure.kind == "InputError" and failure.error, f"{place} gave {failure}")


@check()
def bad_input_ends_stream(subject: Subject) -> None:
    """A stream gives the answers before a bad input, then raises with its index; or gives a failure."""
    for bad in subject.spec.bad_inputs[:1]:
        inputs = [subject.sample, bad, subject.sample]
        returned = list(subject.task.stream(iter(inputs), on_error="return", progress=False))
        kinds = [isinstance(result, Failure) for result in returned]
        expect(kinds == [False, True, False], f"a stream with {shown(bad)} gave {shown(returned)}")
        running = subject.task.stream(iter(inputs), batch_size=1, progress=False)
        expect_same("the answer before the bad input", subject.answers[:1], [next(running)])
        _expect_refused(lambda running=running: list(running), bad, 1)


@check()
def result_is_plain(subject: Subject) -> None:
    """An answer is JSON after ``to_dict``, with finite numbers only."""
    for answer in subject.answers:
        try:
            json.dumps(answer.to_dict(), allow_nan=False)
        except (TypeError, ValueError) as error:
            expect(False, f"{type(answer).__name__}.to_dict() is no JSON: {error}")


@check()
def result_prints(subject: Subject) -> None:
    """An answer prints as something short, and shows as HTML."""
    for answer in subject.answers:
        text = str(answer)
        expect(text.strip(), f"{type(answer).__name__} prints as nothing")
        expect(len(text) < 2000, f"{type(answer).__name__} prints as {len(text)} characters")
        expect("<" in answer._repr_html_(), f"{type(answer).__name__} has no HTML form")


@check()
def result_plots(subject: Subject) -> None:
    """An answer plots as a Matplotlib figure that can be drawn."""
    for answer in subject.answers[:2]:
        expect_figure(answer)


def expect_figure(drawn: Any) -> None:
    """Holds that ``drawn.plot()`` is a figure with something on it."""
    import io

    from matplotlib.figure import Figure

    figure = drawn.plot()
    name = type(drawn).__name__
    expect(isinstance(figure, Figure), f"{name}.plot() gave {shown(figure)}; expected a Figure")
    expect(figure.axes or figure.texts, f"{name}.plot() is empty")
    figure.savefig(io.BytesIO(), format="png", dpi=40)


@check()
def footprint_is_sane(subject: Subject) -> None:
    """``footprint`` states parameters, bytes and time that can be true, and how they were measured."""
    found = subject.task.footprint(repeats=1)
    trainable = subject.task.model.parameters
    expect(found.parameters == trainable > 0, f"{found.parameters} parameters; expected {trainable}")
    expect(
        found.weight_bytes >= found.parameters, f"{found.weight_bytes} bytes for {found.parameters} weights"
    )
    expect(0 < found.seconds < 600, f"{found.seconds} seconds")
    for name in ("flops", "joules"):
        value = getattr(found, name)
        sane = value is None or (math.isfinite(value) and value > 0)
        expect(sane, f"{name}={value}; expected more than 0, or None where nobody knows")
    expect(found.protocol.strip(), "no protocol; expected how it was measured")
