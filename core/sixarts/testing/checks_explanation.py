"""What holds of explanations, whatever the method; and what each method itself promises."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np

from sixarts.errors import OptionError
from sixarts.explanation import Explanation
from sixarts.testing.checks_calls import expect_figure
from sixarts.testing.checks_model import randomized
from sixarts.testing.contract import Subject, check, expect

#: Longest answer that random weights may give, where a task has such an option: they know no end.
SHORT = 12

Promise = Callable[[Explanation], None]

#: Method to its own sanity check. A plugin with a method of its own enters one with :func:`promise`.
PROMISES: dict[str, Promise] = {}


def promise(method: str) -> Callable[[Promise], Promise]:
    """Enters a method's own sanity check, which raises :class:`Failed`."""

    def enter(function: Promise) -> Promise:
        PROMISES[method] = function
        return function

    return enter


@promise("attention")
def shares_add_up(found: Explanation) -> None:
    """Attention over the input is shares: none negative, each row 1 in all."""
    expect((found.values >= -1e-6).all(), f"attention of {found.values.min()}; expected none below 0")
    sums = found.values.sum(axis=1)
    expect(np.allclose(sums, 1, atol=1e-3), f"attention rows add up to {sums.round(3)}; expected 1")


@promise("integrated_gradients")
def attributions_complete(found: Explanation) -> None:
    """Attributions sum to the score's difference from the baseline (completeness), within 2 %."""
    if found.totals is None:
        return expect(False, "integrated gradients state no totals; expected the scores' differences")
    sums, totals = found.values.sum(axis=1), np.asarray(found.totals, float)
    room = 0.02 * np.maximum(np.abs(totals), 0.1 * np.abs(totals).max(initial=1e-3))
    worst = int(np.argmax(np.abs(sums - totals) / room))
    held = abs(sums[worst] - totals[worst]) <= room[worst]
    return expect(held, f"attributions add up to {sums[worst]:.4g}; expected {totals[worst]:.4g} within 2 %")


@promise("cam")
def looked_somewhere(found: Explanation) -> None:
    """A map of where the network looked has no negative values, and is not the same everywhere."""
    expect((found.values >= 0).all(), f"a map with {found.values.min():.4g}; expected none below 0")
    something_matters(found)


@promise("counterfactual")
@promise("gradients")
@promise("leave_one_out")
@promise("occlusion")
@promise("permutation")
def something_matters(found: Explanation) -> None:
    """Some part of the input matters more than another."""
    expect(np.ptp(found.values) > 0, "every part of the input has the same value; expected differences")


@check(quick=False)
def explanation_fits_answer(subject: Subject) -> None:
    """Each listed method gives a row for each part of the answer and a column for each part of the input."""
    for method, found in _explained(subject).items():
        expect(isinstance(found, Explanation), f"{method} gave a {type(found).__name__}")
        shape = (len(found.target_labels), len(found.input_labels))
        expect(found.values.shape == shape, f"{method}: values {found.values.shape}, labels {shape}")
        expect(min(shape) > 0, f"{method}: no labels")
        expect(np.isfinite(found.values).all(), f"{method}: values that are not finite")
        expect(found.method == method, f"{method} calls itself {found.method!r}")


@check(quick=False)
def explanation_shows(subject: Subject) -> None:
    """Each explanation prints, plots, is JSON, and shows every label in its HTML."""
    import html

    for method, found in _explained(subject).items():
        expect(str(found).strip(), f"{method} prints as nothing")
        expect_figure(found)
        json.dumps(found.to_dict(), allow_nan=False)
        page = found.to_html()
        for label in (*found.input_labels, *found.target_labels):
            expect(html.escape(label) in page, f"{method}: label {label!r} is not in the HTML")


@check(quick=False)
def explanation_keeps_promise(subject: Subject) -> None:
    """Each method passes its own sanity check, e.g. integrated gradients sum to the difference within 2 %."""
    for method, found in _explained(subject).items():
        own = PROMISES.get(method)
        if own is None:
            expect(False, f"{method!r} has no sanity check; enter one with sixarts.testing's promise()")
            continue
        own(found)


@check(quick=False)
def explanation_follows_weights(subject: Subject) -> None:
    """Explanations change when the weights are randomized (Adebayo et al. 2018): they show the model."""
    before, task = _explained(subject), subject.task
    with randomized(task.model):
        after = {m: task.explain(subject.sample, m, **_short(task)) for m in before}
    for method, old in before.items():
        new = after[method]
        # Other weights may give a shorter or longer answer: what both have is held together.
        both = tuple(slice(min(sizes)) for sizes in zip(old.values.shape, new.values.shape, strict=True))
        expect(both[0].stop, f"{method} gave no rows with random weights; expected one at least")
        same = np.allclose(new.values[both], old.values[both], atol=1e-4)
        expect(not same, f"{method} is the same with random weights; expected it to change")


@check()
def unknown_method_refused(subject: Subject) -> None:
    """A misspelt explanation method is refused with the right name."""
    for method in subject.spec.explanations:
        wrong = method + "x"
        try:
            subject.task.explain(subject.sample, wrong)
        except OptionError as error:
            suggested = method in str(error).replace(wrong, "")
            expect(suggested, f"{wrong!r} was refused with {error}; expected {method!r} to be suggested")
            continue
        expect(False, f"method {wrong!r} was accepted; expected an OptionError")


def _explained(subject: Subject) -> dict[str, Any]:
    """The first sample explained by each listed method, once a subject."""
    kept: dict[str, Any] = vars(subject).setdefault("explained", {})
    for method in subject.spec.explanations:
        if method not in kept:
            kept[method] = subject.task.explain(subject.sample, method)
    return kept


def _short(task: Any) -> dict[str, int]:
    """Options that keep an answer short, for a task and a model whose answers may be long."""
    if all(option.name != "max_length" for option in fields(task.Options)):
        return {}
    try:
        task.chosen(max_length=SHORT)
    except OptionError:  # of the task's models this one writes nothing
        return {}
    return {"max_length": SHORT}
