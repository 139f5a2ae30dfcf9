"""For each check of the contract, a way to break the tiny plugin, and what the check must say of it."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sixarts.testing.contract import Subject


@dataclass
class Tiny:
    """The tiny plugin at hand, to be broken for one test.

    Attributes:
        patch: takes changes back after the test.
        site: the folder where it is installed.
        modules: its ``plugin``, ``model`` and ``task``.
        loaded: its task, loaded.
    """

    patch: pytest.MonkeyPatch
    site: Path
    modules: SimpleNamespace
    loaded: Any

    def declare(self, what: str, **changes: Any) -> None:
        """Changes one of its declarations: ``TASK``, ``FAMILY`` or ``STARTER``."""
        self.patch.setattr(self.modules.plugin, what, replace(getattr(self.modules.plugin, what), **changes))

    def method(self, name: str, function: Callable[..., Any]) -> None:
        """Gives its task another method."""
        self.patch.setattr(self.modules.task.MoodTask, name, function)

    def result(self, name: str, function: Callable[..., Any]) -> None:
        """Gives its results another method."""
        self.patch.setattr(self.modules.task.Feeling, name, function)

    def explanation(self, method: str, function: Callable[..., Any]) -> None:
        """Replaces what an explanation method finds by ``function`` of it."""
        honest = self.modules.task.METHODS[method]
        self.patch.setitem(
            self.modules.task.METHODS, method, lambda *arguments: function(*honest(*arguments))
        )


@dataclass(frozen=True)
class Break:
    """A change that a check must find.

    Attributes:
        check: the check's name.
        says: what its message must contain.
        apply: makes the change.
        subject: what the check is run on.
    """

    check: str
    says: str
    apply: Callable[[Tiny], Any]
    subject: str = "mood"


BREAKS: list[Break] = []


def breaks(check: str, says: str, subject: str = "mood") -> Callable[..., Any]:
    """Enters a function that breaks the tiny plugin; a generator function cleans up after its ``yield``."""

    def enter(function: Callable[[Tiny], Any]) -> Callable[[Tiny], Any]:
        BREAKS.append(Break(check, says, function, subject))
        return function

    return enter


@contextmanager
def edited(path: Path, text: str) -> Iterator[None]:
    """Within it, a file has another content."""
    old = path.read_bytes() if path.exists() else None
    path.write_text(text)
    try:
        yield
    finally:
        path.unlink() if old is None else path.write_bytes(old)


# The plugin and its descriptions.


@breaks("plugin_is_ok", "written for plugin API 0", subject="tiny")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(tiny.modules.plugin, "API_VERSION", "0")


@breaks("import_is_light", "imports numpy")
def _(tiny: Tiny) -> Iterator[None]:
    path = tiny.site / "tiny_art" / "plugin.py"
    with edited(path, path.read_text() + "\ntry:\n    import numpy\nexcept ImportError:\n    pass\n"):
        yield


@breaks("import_is_light", "imports keras")
def _(tiny: Tiny) -> Iterator[None]:
    path = tiny.site / "tiny_art" / "plugin.py"
    with edited(path, path.read_text().replace("    return [TASK]", "    import keras\n    return [TASK]")):
        yield


@breaks("spec_is_complete", "states no bad_inputs")
def _(tiny: Tiny) -> None:
    tiny.declare("TASK", bad_inputs=())


@breaks("spec_is_complete", "expected two or more")
def _(tiny: Tiny) -> None:
    tiny.declare("TASK", samples=("good day",))


@breaks("classes_are_found", "no frozen dataclass")
def _(tiny: Tiny) -> None:
    class Loose(tiny.modules.task.MoodOptions):  # type: ignore[name-defined,misc]
        pass

    tiny.patch.setattr(Loose, "__dataclass_params__", SimpleNamespace(frozen=False), raising=False)
    tiny.method("Options", Loose)


@breaks("classes_are_found", "lacks @dataclass: louder")
def _(tiny: Tiny) -> None:
    class Undecorated(tiny.modules.task.MoodOptions):  # type: ignore[name-defined,misc]
        louder: bool = False

    tiny.method("Options", Undecorated)


@breaks("classes_are_found", "not 'mood'")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(tiny.modules.model.Mood, "family", "temper")


@breaks("a_family_serves_it", "no family has a signature")
def _(tiny: Tiny) -> None:
    tiny.declare("FAMILY", signature="text -> noise")


@breaks("catalog_is_complete", "states no license")
def _(tiny: Tiny) -> None:
    tiny.declare("STARTER", license=" ")


@breaks("catalog_is_complete", "expected one of ('text -> mood',)")
def _(tiny: Tiny) -> None:
    tiny.declare("FAMILY", signature="text -> noise")


@breaks("default_model_is_a_starter", "is in no catalog")
def _(tiny: Tiny) -> None:
    tiny.declare("TASK", default_model="starter/moon")


@breaks("starters_are_sound", "holds notes.txt")
def _(tiny: Tiny) -> Iterator[None]:
    with edited(tiny.site / "tiny_art/starters/mood/notes.txt", "to do"):
        yield


@breaks("starters_are_sound", "is not what sixarts.json says")
def _(tiny: Tiny) -> Iterator[None]:
    with edited(tiny.site / "tiny_art/starters/mood/vocab.json", '{"letters": "zyx"}'):
        yield


@breaks("starters_are_sound", "expected 100 at most")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr("sixarts.testing.checks_plugin.STARTER_CAP", 100)


@breaks("cards_are_complete", "## Limits is missing")
def _(tiny: Tiny) -> Iterator[None]:
    path = tiny.site / "tiny_art/starters/mood/README.md"
    with edited(path, path.read_text().replace("## Limits", "## Joys")):
        yield


@breaks("cards_are_complete", "states the license 'mit'")
def _(tiny: Tiny) -> Iterator[None]:
    path = tiny.site / "tiny_art/starters/mood/README.md"
    with edited(path, path.read_text().replace("cc0-1.0", "mit")):
        yield


# Calls.


@breaks("samples_run", "expected a Result")
def _(tiny: Tiny) -> None:
    tiny.method("join", lambda self, results, x, options: "glad")


@breaks("same_call_same_answer", "the second answer")
def _(tiny: Tiny) -> None:
    tiny.method("join", lambda self, results, x, options: tiny.modules.task.Feeling("glad", random.random()))


@breaks("one_equals_batch", "score")
def _(tiny: Tiny) -> None:
    # The classic: what shares a batch leaks into each row.
    tiny.method(
        "finish",
        lambda self, outputs, batch, options: [0.5 + len(batch.context) / 100 for _ in batch.context],
    )


@breaks("one_equals_stream", "answer")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.stream
    tiny.method("stream", lambda self, inputs, **options: list(plain(self, inputs, **options))[:-1])


@breaks("order_is_kept", "streamed answer")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.stream
    tiny.method("stream", lambda self, inputs, **options: list(plain(self, inputs, **options))[::-1])


@breaks("empty_list_is_empty", "expected []")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.__call__
    tiny.method("__call__", lambda self, x, **options: plain(self, x, **options) or None)


@breaks("stream_is_lazy", "1000 inputs were read")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.stream
    tiny.method("stream", lambda self, inputs, **options: plain(self, list(inputs), **options))


@breaks("live_ends_whole", "the last of live")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.live
    tiny.method("live", lambda self, x, **options: list(plain(self, x, **options))[:1])


@breaks("unknown_option_refused", "was accepted")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(tiny.modules.task.MoodOptions, "changed", lambda self, **options: self)


@breaks("unknown_option_refused", "to be suggested")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr("sixarts.task.nearest", lambda name, known: ["seed"])


@breaks("wrong_option_value_refused", "was accepted")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr("sixarts.task._is_a", lambda value, hint: True)
    tiny.patch.setattr("sixarts.task.Options.__post_init__", lambda self: None)
    tiny.method("answer_batch", lambda self, batch, options: [0.9])
    tiny.method("__call__", lambda self, x, **options: self.options.changed(**options))


@breaks("bad_input_named", "was accepted")
def _(tiny: Tiny) -> None:
    tiny.method("check", lambda self, x, options: None)


@breaks("bad_input_named", "had run")
def _(tiny: Tiny) -> None:
    check = tiny.modules.task.MoodTask.check
    tiny.method("check", lambda self, x, options: self.prepare(["so"], options) and check(self, x, options))


@breaks("bad_input_named", "with index")
def _(tiny: Tiny) -> None:
    from sixarts.errors import InputError

    def unplaced(self: Any, x: Any, options: Any, index: int | None) -> None:
        if not isinstance(x, str) or not x:
            raise InputError("expected a text")

    tiny.method("_checked", unplaced)


@breaks("bad_input_returned", "gave index None")
def _(tiny: Tiny) -> None:
    from sixarts.result import Failure

    tiny.patch.setattr(
        "sixarts.task._failer", lambda on_error: lambda error: Failure(error.reason, "InputError", None)
    )


@breaks("bad_input_ends_stream", "a stream with")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.stream
    tiny.method("stream", lambda self, inputs, **options: filter(None, plain(self, inputs, **options)))


@breaks("result_is_plain", "is no JSON")
def _(tiny: Tiny) -> None:
    tiny.result("to_dict", lambda self: {"label": self.label, "score": float("nan")})


@breaks("result_prints", "prints as nothing")
def _(tiny: Tiny) -> None:
    tiny.result("__str__", lambda self: "")


@breaks("result_plots", "expected a Figure")
def _(tiny: Tiny) -> None:
    tiny.result("plot", lambda self: None)


@breaks("footprint_is_sane", "flops=-1")
def _(tiny: Tiny) -> None:
    tiny.method("flops", lambda self, x, result, options: -1)


# The model.


@breaks("save_load_bit_equal", "changed in save and load")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(tiny.loaded.model, "stored_dtype", "float16")


@breaks("every_weight_is_saved", "leaves out")
def _(tiny: Tiny) -> None:
    whole = tiny.modules.model.Mood.targets
    tiny.patch.setattr(
        tiny.modules.model.Mood, "targets", lambda self, names: dict([*whole(self, names).items()][:-1])
    )


@breaks("no_hidden_weights", "no list of variables shows")
def _(tiny: Tiny) -> None:
    import keras

    whole = tiny.modules.model.Mood.pool

    def pool(self: Any, shares: Any, embedded: Any) -> Any:
        frozen = keras.layers.Dense(4, kernel_initializer="normal")(np.ones((1, 4), "float32"))
        return whole(self, shares, embedded) + frozen

    tiny.patch.setattr(tiny.modules.model.Mood, "pool", pool)


@breaks("no_hidden_weights", "it is a constant")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(
        tiny.modules.model.Mood, "__call__", lambda self, arrays: {"logits": np.ones((2, 2), "float32")}
    )


@breaks("works_offline", "a socket was opened")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr(
        tiny.modules.model.Mood, "read_extras", lambda self, folder: socket.socket(socket.AF_INET).close()
    )


@breaks("golden_answer_holds", "the golden answer changed")
def _(tiny: Tiny) -> None:
    tiny.method("finish", lambda self, outputs, batch, options: [0.75 for _ in batch.context])


@breaks("backends_agree", "score is 0.75")
def _(tiny: Tiny) -> Iterator[None]:
    from sixarts.testing.workers import workers

    name, worker = next(iter(workers().items()))
    tiny.patch.setattr("sixarts.testing.checks_model.workers", lambda: {name: worker})
    worker.call("tiny_site:disagree")
    yield
    worker.call("tiny_site:agree")


# Learning and measuring.


@breaks("fit_lowers_loss", "expected it to fall")
def _(tiny: Tiny) -> None:
    tiny.method("loss", lambda self, training: {"logits": lambda true, logits: 0.0 * logits[:, 0] + 1.0})


@breaks("fit_resumes", "the second run trained epochs [0, 1, 2, 3]")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr("sixarts.training._Run._resume", lambda self: None)


@breaks("fit_resumes", "differs between an unbroken run and a resumed one")
def _(tiny: Tiny) -> None:
    from sixarts.training import _Run

    resume = _Run._resume

    def forgetful(self: Any) -> None:
        resume(self)
        for variable in self.optimizer.variables if self.place["epoch"] else ():
            if "float" in str(variable.dtype) and len(variable.shape):
                variable.assign(np.ones(variable.shape, "float32"))

    tiny.patch.setattr(_Run, "_resume", forgetful)


@breaks("bad_example_named", "accepted")
def _(tiny: Tiny) -> None:
    tiny.method("check_example", lambda self, example, options: None)
    tiny.method("fit", lambda self, examples: self.collect(examples, "example"))


@breaks("evaluate_reports", "expected ['f1']")
def _(tiny: Tiny) -> None:
    tiny.declare("TASK", metrics=("f1",))


@breaks("evaluate_reports", "is outside of its interval")
def _(tiny: Tiny) -> None:
    from sixarts.result import Metric, Metrics

    tiny.method(
        "measure",
        lambda self, results, targets, options: Metrics({"accuracy": Metric(0.9, 0.1, 0.2)}, "mine", 4),
    )


@breaks("new_needs_fit", "expected the way out")
def _(tiny: Tiny) -> None:
    from sixarts.errors import TrainingError

    def lost(self: Any, part: Any) -> Any:
        if part is None:
            raise TrainingError("there is no network")
        return part

    tiny.patch.setattr(tiny.modules.model.Mood, "_there", lost)


# Explanations.


@breaks("explanation_fits_answer", "labels")
def _(tiny: Tiny) -> None:
    plain = tiny.modules.task.MoodTask.attribute

    def attribute(*arguments: Any) -> Any:
        found = plain(*arguments)
        return replace(found, input_labels=found.input_labels[1:])

    tiny.method("attribute", attribute)


@breaks("explanation_shows", "is not in the HTML")
def _(tiny: Tiny) -> None:
    tiny.patch.setattr("sixarts.explanation.Explanation.to_html", lambda self: "<table></table>")


@breaks("explanation_keeps_promise", "expected 1")
def _(tiny: Tiny) -> None:
    tiny.explanation("attention", lambda values, totals: (np.asarray(values) * 1.1, totals))


@breaks("explanation_keeps_promise", "expected none below 0")
def _(tiny: Tiny) -> None:
    tiny.explanation("attention", lambda values, totals: (np.asarray(values) - 0.5, totals))


@breaks("explanation_keeps_promise", "within 2 %")
def _(tiny: Tiny) -> None:
    tiny.explanation("integrated_gradients", lambda values, totals: (values * 1.05, totals))


@breaks("explanation_keeps_promise", "expected differences")
def _(tiny: Tiny) -> None:
    tiny.explanation("occlusion", lambda values, totals: (np.ones_like(values), totals))


@breaks("explanation_keeps_promise", "has no sanity check")
def _(tiny: Tiny) -> None:
    tiny.declare("TASK", explanations={"tea_leaves": ("mood",)})
    tiny.patch.setitem(tiny.modules.task.METHODS, "tea_leaves", tiny.modules.task.METHODS["occlusion"])
    tiny.patch.setattr(tiny.loaded, "spec", tiny.modules.plugin.TASK)


@breaks("explanation_follows_weights", "occlusion is the same with random weights")
def _(tiny: Tiny) -> None:
    # What an edge detector does: it looks at the input and not at the model.
    tiny.explanation("occlusion", lambda values, totals: ([np.arange(len(values[0]))], totals))


@breaks("unknown_method_refused", "was accepted")
def _(tiny: Tiny) -> None:
    tiny.method("explain", lambda self, x, method=None, target=None: None)


def subject_of(broken: Break, loaded: Any) -> Subject:
    """What the check is run on, with the task that is loaded already."""
    subject = Subject.of(broken.subject)
    if subject.described is not None:
        vars(subject)["task"] = loaded
    return subject
