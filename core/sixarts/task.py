"""A task: what a domain writes, and what everyone gets.

A domain writes ``prepare``, ``finish``, an ``Options`` dataclass, and for training ``learn`` and ``loss``;
where needed ``pieces``, ``answer`` and ``join``::

    input ─► pieces ─► prepare ─► batching ─► answer ─► finish ─► join ─► result

Only ``answer`` touches the model; everything else is NumPy. More than 400 lines, so that what a domain may
write and what everyone gets from it stand on one page.
"""

from __future__ import annotations

import time
import types
import typing
from collections.abc import Callable, Generator, Hashable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import keras
import numpy as np

from sixarts.batching import Batch, Round, rows_bucket, stream
from sixarts.card import Measured, Record
from sixarts.errors import InputError, OptionError, TrainingError, nearest
from sixarts.explanation import Explanation
from sixarts.model import Model
from sixarts.progress import progress_bar
from sixarts.result import Failure, Footprint, Metrics, Result, plain
from sixarts.spec import TaskSpec
from sixarts.training import History, Lesson, Training, train
from sixarts_hub import Pushed

OnError = Literal["raise", "return"]


@dataclass(frozen=True)
class Options:
    """What a call may choose. A task subclasses it, frozen, with a default for every field.

    Attributes:
        batch_size: pieces that go through the model together.
    """

    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise OptionError(f"batch_size={self.batch_size!r}; expected 1 or more")

    def changed(self, **options: Any) -> Self:
        """A copy with these values.

        Raises:
            OptionError: a name that the task does not have (the nearest ones are printed), or a value of
                another type.
        """
        check_options(type(self), options)
        return replace(self, **options)


def check_options(kind: type[Any], options: Mapping[str, Any]) -> None:
    """Refuses names that the dataclass ``kind`` lacks, and values of another type than it states."""
    hints = _hints(kind)
    for name, value in options.items():
        if name not in hints:
            near = nearest(name, hints)
            tail = f"the nearest: {', '.join(near)}" if near else f"known: {', '.join(sorted(hints))}"
            raise OptionError(f"no option {name!r}; {tail}")
        if not _is_a(value, hints[name]):
            raise OptionError(
                f"{name}={value!r} is of type {type(value).__name__}; expected {_type_name(hints[name])}"
            )


#: Class of options to its field names and types; every call checks its options.
_HINTS: dict[type[Any], dict[str, Any]] = {}


def _hints(kind: type[Any]) -> dict[str, Any]:
    if kind not in _HINTS:
        hints = typing.get_type_hints(kind)
        _HINTS[kind] = {entry.name: hints[entry.name] for entry in fields(kind)}
    return _HINTS[kind]


def _is_a(value: Any, hint: Any) -> bool:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, part) for part in typing.get_args(hint))
    if origin is Literal:
        return any(value == part and type(value) is type(part) for part in typing.get_args(hint))
    if hint is float:
        return isinstance(value, float | int | np.floating) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    kind = origin or hint
    return isinstance(value, kind) if isinstance(kind, type) else True


def _type_name(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(repr, typing.get_args(hint)))}"
    return getattr(hint, "__name__", None) or str(hint).replace("typing.", "")


class Task:
    """A model that answers one kind of question.

    Args:
        spec: the task's description.
        model: the network that answers.
        options: defaults of every call.
        reference: where the model came from.

    Attributes:
        card: the model card (Markdown) that came with the model, or ``""``.
        record: how it was trained and measured since, for its card.
    """

    Options: ClassVar[type[Any]] = Options
    Training: ClassVar[type[Any]] = Training
    #: Whether ``pieces`` needs each piece's result, or those of a :class:`~sixarts.batching.Round`, before it
    #: yields the next.
    sequential: bool = False

    def __init__(
        self,
        spec: TaskSpec,
        model: Model,
        options: Mapping[str, Any] | None = None,
        reference: str = "",
        card: str = "",
    ) -> None:
        self.spec, self.model, self.reference, self.card = spec, model, reference, card
        self.record = Record()
        self.options = self.Options().changed(**(options or {}))

    # What a domain writes.

    def check(self, x: Any, options: Any) -> None:
        """Raises :class:`InputError` for an input that cannot be answered; runs before any compute."""

    def check_options(self, options: Any) -> None:
        """Raises :class:`OptionError` for a value that this model cannot take, e.g. a language it lacks."""

    @classmethod
    def choosing(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Options in the catalog's own words, where people have several for one thing."""
        return options

    def pieces(self, x: Any, options: Any) -> Generator[Any, Any, None]:
        """Cuts one input into pieces; by default it is its only piece."""
        yield x

    def size(self, piece: Any) -> int:
        """A number by which pieces are sorted, so that like ones share a batch."""
        return len(piece) if hasattr(piece, "__len__") else 0

    def shape(self, piece: Any) -> Hashable:
        """What pieces must have in common to share a batch; by default nothing."""
        return None

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        """Pieces to the model's arrays, in NumPy."""
        raise NotImplementedError

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        """Runs the model; search and fallback override it and may call the model many times."""
        return self.model(batch.arrays)

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        """The model's outputs to one result a row, in NumPy."""
        raise NotImplementedError

    def join(self, results: Sequence[Any], x: Any, options: Any) -> Any:
        """The pieces' results to one answer."""
        return results[0]

    def learn(self, examples: Sequence[Any], training: Any, epoch: int) -> Iterable[Lesson]:
        """Examples to batches for one epoch, shuffled by ``training.seed`` and ``epoch``."""
        raise TrainingError(f"{self.name} cannot be trained: it has no `learn`")

    def loss(self, training: Any) -> Any:
        """What ``keras.Model.compile`` takes as ``loss``."""
        raise TrainingError(f"{self.name} cannot be trained: it has no `loss`")

    def check_example(self, example: Any, options: Any) -> None:
        """Raises :class:`InputError` for an example that cannot be learned from or judged."""
        if not (isinstance(example, tuple | list) and len(example) == 2):
            raise InputError(f"{_shown(example)}; expected a pair (input, target)")
        self.check(example[0], options)

    def collect(self, examples: Any, kind: str) -> Sequence[Any]:
        """What ``fit`` and ``evaluate`` are given, checked, as a sequence.

        A task whose data is larger than Python's objects should be overrides it, with :meth:`learn`.

        Args:
            examples: pairs, or the path of a file that ``read_examples`` reads.
            kind: what messages call one of them.

        Raises:
            InputError: an example that cannot be learned from, with its index.
            TrainingError: there are none.
        """
        if isinstance(examples, str | Path):
            examples = self.read_examples(examples)
        found = list(examples)
        if not found:
            raise TrainingError(f"no {kind} came; expected at least one pair (input, target)")
        for index, example in enumerate(found):
            try:
                self.check_example(example, self.options)
            except InputError as error:
                raise InputError(f"{kind}: {error.reason}", index) from None
        return found

    def adapt(self, examples: Sequence[Any], training: Any) -> tuple[str, ...]:
        """Sizes network and processor from the data where they must change; says what it replaced."""
        return ()

    def taught(self, training: Any) -> Any:
        """The network that ``fit`` trains: the model's own, or another over the same variables."""
        return self.model.network

    def judge(self, examples: Sequence[Any], options: Any, progress: bool | None) -> Metrics:
        """Answers what :meth:`collect` gave and measures it; for data that is not answered pair by pair, a
        task has its own way."""
        inputs, targets = [pair[0] for pair in examples], [pair[1] for pair in examples]
        results = list(self._streamed(inputs, options, "raise", progress, len(inputs)))
        return self.measure(results, targets, options)

    def measure(self, results: Sequence[Any], targets: Sequence[Any], options: Any) -> Metrics:
        """The field's own metric, from the field's own library."""
        raise NotImplementedError

    def save_extras(self, folder: Path) -> None:
        """Writes what the task keeps in a model folder beside the model, e.g. its calibration."""

    def read_extras(self, folder: Path) -> None:
        """Reads it again, where it is there."""

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Explains one input by one of the methods that the spec lists."""
        raise NotImplementedError

    def flops(self, x: Any, result: Any, options: Any) -> float | None:
        """Floating-point operations of answering ``x``, or ``None`` when nobody counted."""
        return None

    @classmethod
    def read_inputs(cls, path: str | Path) -> Iterator[Any]:
        """Inputs from a file, for the command line; by default the lines of a UTF-8 text file."""
        from sixarts.files import lines

        return lines(path)

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[Any, dict[str, Any]]:
        """A file that is one input, of a suffix in the spec's ``documents``, and options that it implies."""
        raise NotImplementedError

    @classmethod
    def read_examples(cls, path: str | Path) -> list[Any]:
        """Examples from a file: tab-separated pairs, or JSON lines with ``input`` and ``target``."""
        from sixarts.files import pairs

        return pairs(path)

    # What everyone gets.

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def sample(self) -> Any:
        """An input that this model can answer; a task whose models take unlike inputs makes one here."""
        return self.spec.samples[0]

    def __repr__(self) -> str:
        return f"<{self.name}: {self.reference or self.model.family} on {self.model.device}>"

    def many(self, x: Any) -> Iterable[Any] | None:
        """The inputs that ``x`` stands for, where it is several: a list, or what a task takes for one.

        A task whose single input is a list overrides it; so does one that takes folders.
        """
        return x if isinstance(x, list) else None

    def __call__(self, x: Any, *, on_error: OnError = "raise", **options: Any) -> Any:
        """One result for one input, a list in order for a list.

        Every input is checked before anything is computed.

        Args:
            x: one input, or a list of them.
            on_error: ``"raise"``, or ``"return"`` to put a :class:`Failure` in a bad input's place.
            **options: see the task's ``Options``.

        Raises:
            InputError: an input that cannot be answered, with its index in a list.
            OptionError: an unknown option, or a value out of range.
        """
        _check_on_error(on_error)
        chosen = self.chosen(**options)
        found = self.many(x)
        many = found is not None
        inputs = [x] if found is None else list(found)
        if checked := on_error == "raise":
            for index, entry in enumerate(inputs):
                self._checked(entry, chosen, index if many else None)
        failed = _failer(on_error)
        results = list(
            stream(self, inputs, chosen, chosen.batch_size, failed, single=not many, checked=checked)
        )
        return results if many else results[0]

    def stream(
        self,
        inputs: Iterable[Any],
        *,
        on_error: OnError = "raise",
        progress: bool | None = None,
        **options: Any,
    ) -> Iterator[Any]:
        """Results as they come, in order, in constant memory.

        Args:
            inputs: anything iterable, longer than memory if need be; or what the task takes for several, such
                as a folder.
            on_error: as in a call; results before a bad input are given before it raises.
            progress: whether a bar is shown; ``None`` shows it on a terminal.
            **options: see the task's ``Options``.
        """
        _check_on_error(on_error)
        chosen = self.chosen(**options)
        inputs = found if (found := self.many(inputs)) is not None else inputs
        total = len(inputs) if isinstance(inputs, Sized) else None
        return self._streamed(inputs, chosen, on_error, progress, total)

    def _streamed(
        self,
        inputs: Iterable[Any],
        chosen: Any,
        on_error: OnError,
        progress: bool | None,
        total: int | None,
    ) -> Iterator[Any]:
        with progress_bar(self.name, total, progress) as advance:
            for result in stream(self, inputs, chosen, chosen.batch_size, _failer(on_error)):
                yield result
                advance(1)

    def live(self, x: Any, **options: Any) -> Iterator[Any]:
        """Partial results of one input as its pieces are answered; the last is the whole answer."""
        chosen = self.chosen(**options)
        self._checked(x, chosen, None)
        return self._lived(x, chosen)

    def _lived(self, x: Any, chosen: Any) -> Iterator[Any]:
        results: list[Any] = []
        pieces = self.pieces(x, chosen)
        piece = next(pieces, None)
        if piece is None:
            yield self.join([], x, chosen)
        while piece is not None:
            for each in piece if isinstance(piece, Round) else (piece,):
                results += self.answer_pieces([each], chosen)
                yield self.join(results, x, chosen)
            told = results[-len(piece) :] if isinstance(piece, Round) else results[-1]
            try:
                # Only a sequential task asks for results; others may well `yield from` a list.
                piece = pieces.send(told) if self.sequential else next(pieces)
            except StopIteration:
                return

    def explain(self, x: Any, method: str | None = None, target: Any = None, **options: Any) -> Explanation:
        """Why the answer is what it is.

        Args:
            x: one input.
            method: one of ``spec.explanations``; its first by default.
            target: what of the answer is explained, as the task says; everything by default.
            **options: as in a call.
        """
        known = list(self.spec.explanations)
        if not known:
            raise OptionError(f"{self.name} lists no way to explain its answers")
        method = method or known[0]
        if method not in known:
            near = nearest(method, known) or known
            raise OptionError(f"no explanation method {method!r}; expected one of {', '.join(near)}")
        chosen = self.chosen(**options)
        self._checked(x, chosen, None)
        return self.attribute(x, method, target, chosen)

    def fit(self, examples: Any, validation: Any = None, **options: Any) -> History:
        """Transfer learning on pairs of input and target.

        Args:
            examples: pairs, or the path of a file that ``read_examples`` reads.
            validation: the same, to measure after each epoch.
            **options: see the task's ``Training``: ``epochs``, ``batch_size``, ``learning_rate``, ``seed``,
                ``folder`` (a killed run with the same folder goes on where it was), ``patience`` and more.

        Returns:
            The history, with ``plot()``. The task answers with what it learned from then on, and its card
            is begun anew, since the old one is of another model; see ``describe``.
        """
        check_options(self.Training, options)
        training = self.Training(**options)
        learned = self.collect(examples, "example")
        held = self.collect(validation, "validation example") if validation is not None else None
        # What `adapt` makes new is drawn here, before training seeds its own draws.
        keras.utils.set_random_seed(training.seed)
        replaced = self.adapt(learned, training)
        still = replace(training, seed=training.seed + 1)
        # Made here, so that what is wrong with them is told before anything is learned.
        judged = self._judged(held, self.judging(still)) if held is not None else None
        # What the card says of use, data and figures is of another model from here on.
        trained, self.card, self.record = self.record.trained, "", Record()
        history = train(
            self.taught(training),
            lambda epoch: self.learn(learned, training, epoch),
            training,
            loss=self.loss(training),
            validation=judged,
            device=self.model.device,
            replaced=replaced,
        )
        # Trained weights are not those that came in half precision: rounding them would change answers.
        self.model.stored_dtype = "float32"
        run = f"Trained on {len(learned):,} examples: {history}, seed {training.seed}."
        self.record.trained = [*trained, run]
        return history

    def _judged(self, held: Sequence[Any], training: Any) -> Callable[[], Iterable[Lesson]]:
        """Batches to measure with after each epoch; what can be gone through again is made once."""
        lessons = self.learn(held, training, 0)
        return (lambda: lessons) if isinstance(lessons, Sequence) else lambda: self.learn(held, training, 0)

    def judging(self, training: Any) -> Any:
        """The options under which validation batches are made; a task drops what is random in them."""
        return training

    def evaluate(
        self,
        examples: Any,
        *,
        dataset: str | None = None,
        split: str = "test",
        progress: bool | None = None,
        **options: Any,
    ) -> Metrics:
        """The field's metric over pairs, with a 95 % confidence interval.

        Args:
            examples: pairs of input and target, or the path of a file that ``read_examples`` reads.
            dataset: what the data is called; with a name, the figures go on the card that ``save`` writes.
            split: which part of it the examples are.
            progress: as in ``stream``.
            **options: as in a call.
        """
        chosen = self.chosen(**options)
        metrics = self.judge(self.collect(examples, "example"), chosen, progress)
        if dataset is not None:
            usual = vars(self.Options())
            stated = {name: value for name, value in vars(chosen).items() if value != usual[name]}
            self.record.measured.append(Measured(metrics, dataset, split=split, options=plain(stated)))
        return metrics

    def footprint(self, x: Any = None, *, repeats: int = 5, **options: Any) -> Footprint:
        """What one call costs: parameters, bytes, operations, time, energy.

        Args:
            x: the input; the model's sample by default.
            repeats: calls timed after one that warms up; the median counts.
        """
        from sixarts.energy import joules

        x = self.sample if x is None else x
        result = self(x, **options)
        times = []
        with joules() as energy:
            for _ in range(repeats):
                begin = time.perf_counter()
                self(x, **options)
                times.append(time.perf_counter() - begin)
        weights = self.model.network.variables
        self.record.cost = Footprint(
            parameters=self.model.parameters,
            weight_bytes=int(
                sum(np.prod(w.shape) * np.dtype(_numpy_name(w.dtype)).itemsize for w in weights)
            ),
            flops=self.flops(x, result, self.chosen(**options)),
            seconds=float(np.median(times)),
            joules=None if energy.total is None else energy.total / repeats,
            protocol=f"median of {repeats} calls after one, {self.model.device}; {energy.protocol}",
        )
        return self.record.cost

    def describe(self, **said: Any) -> list[str]:
        """Writes on the model's card, and tells what it still lacks, a sentence each.

        Args:
            **said: ``license`` (the hub's identifier, e.g. ``"cc-by-4.0"``), ``title``, ``languages``,
                ``datasets``, or a section in Markdown: ``use``, ``data`` (with the license of the data),
                ``training``, ``evaluation``, ``footprint``, ``limits``. What was trained and measured here
                is on it already.

        Raises:
            OptionError: something that a card does not have.
        """
        from sixarts.card import card_of, fill
        from sixarts.card_check import check

        self.card = fill(card_of(self), self.name, **said)
        return check(self.card, self.name)

    def save(self, folder: str | Path) -> Path:
        """Writes a model folder: config, weights, processor, card, and ``sixarts.json``."""
        from sixarts.folder import save_task

        return save_task(self, Path(folder))

    def push(
        self,
        repo: str,
        *,
        token: str | None = None,
        private: bool = False,
        message: str | None = None,
        create_pr: bool = False,
        dry_run: bool = False,
    ) -> Pushed:
        """Saves and publishes to ``OWNER/NAME`` on the hub, in one commit or not at all.

        Args:
            repo: where to; it is created if need be.
            token: with permission to write; the stored login by default.
            private: whether a new repository is private.
            message: of the commit.
            create_pr: open a pull request in place of moving the branch.
            dry_run: tell what would be sent, and send nothing.

        Raises:
            CardError: the card is not complete; the message says what it lacks and how to state it.
            CheckpointError: the saved folder does not give this model's answer.
            HubError: nothing was published, as the message says.
        """
        from sixarts.publishing import push_task

        return push_task(
            self,
            repo,
            token=token,
            private=private,
            message=message,
            create_pr=create_pr,
            dry_run=dry_run,
        )

    # Inside.

    def chosen(self, **options: Any) -> Any:
        """The task's options with these changes, checked against the model too."""
        chosen = self.options.changed(**options)
        self.check_options(chosen)
        return chosen

    def answer_batch(self, batch: Batch, options: Any) -> list[Any]:
        """Answers and finishes a batch; rows are rounded up so that few shapes compile."""
        count = len(next(iter(batch.arrays.values())))
        outputs = self.answer(batch.filled(rows_bucket(count, options.batch_size)), options)
        return self.finish({name: array[:count] for name, array in outputs.items()}, batch, options)

    def answer_pieces(self, pieces: Sequence[Any], options: Any) -> list[Any]:
        """Prepares, answers and finishes one batch."""
        return self.answer_batch(self.prepare(pieces, options), options)

    def _checked(self, x: Any, options: Any, index: int | None) -> None:
        try:
            self.check(x, options)
        except InputError as error:
            raise InputError(error.reason, index) from None


def _numpy_name(dtype: Any) -> str:
    return {"bfloat16": "uint16"}.get(str(dtype), str(dtype))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _check_on_error(on_error: str) -> None:
    if on_error not in ("raise", "return"):
        raise OptionError(f"on_error={on_error!r}; expected 'raise' or 'return'")


def _failer(on_error: OnError) -> Any:
    def failed(error: InputError) -> Result:
        if on_error == "raise":
            raise error
        return Failure(error.reason, type(error).__name__, error.index)

    return failed
