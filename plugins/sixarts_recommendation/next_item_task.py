"""The ``next-item-prediction`` task: a history of items to what comes next."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.explanation import Explanation
from sixarts.losses import SmoothedCrossentropy
from sixarts.media.tables import is_table, rows
from sixarts.result import Metrics
from sixarts.task import Task, check_options
from sixarts.training import History, Lesson
from sixarts_recommendation import interactions, sequences
from sixarts_recommendation.history_processor import HistoryProcessor, Tails
from sixarts_recommendation.items import Items
from sixarts_recommendation.next_item_evaluation import Trial, judged
from sixarts_recommendation.next_item_lessons import NextItemLessons
from sixarts_recommendation.next_item_losses import GeneralizedBCE
from sixarts_recommendation.next_item_options import NextItemOptions, NextItemTraining
from sixarts_recommendation.next_item_question import Question, question
from sixarts_recommendation.ranking import Ranking, best
from sixarts_recommendation.sequences import Sequences


class NextItemTask(Task):
    """Answers histories with a :class:`~sixarts_recommendation.ranking.Ranking`.

    A list or tuple of ids is one history; a list of lists is many.

    Example::

        recommend = sixarts.load("next-item-prediction")
        recommend(["whole milk", "butter"], k=5).items
        recommend({"user": 17}, allowed={"yogurt", "coffee"})
    """

    Options = NextItemOptions
    Training = NextItemTraining
    #: A :class:`sixarts_recommendation.sequence_model.SequenceModel`.
    model: Any

    # From an input to arrays.

    def many(self, x: Any) -> Iterable[Any] | None:
        """A list of histories, mappings or both is many inputs; a list of ids is one."""
        if isinstance(x, list) and (not x or any(isinstance(each, list | tuple | Mapping) for each in x)):
            return x
        return None

    def check(self, x: Any, options: Any) -> None:
        self.question(x)

    def question(self, x: Any) -> Question:
        """What ``x`` asks, in numbers; see :func:`~sixarts_recommendation.next_item_question.question`."""
        return question(x, self.model.processor)

    def check_options(self, options: Any) -> None:
        if not self.model.built:
            return
        items = self.model.processor.items
        for raw in options.allowed or ():
            try:
                items.number(raw)
            except InputError as error:
                raise OptionError(f"allowed: {error.reason}") from None
        if options.categories is not None:
            known = items.known_categories()
            for name in options.categories:
                if name not in known:
                    shown = ", ".join(map(repr, known[:10])) or "none: this model's items have no categories"
                    raise OptionError(f"categories: no {name!r}; expected some of {shown}")

    def size(self, piece: Any) -> int:
        return len(piece.get("history") or ()) if isinstance(piece, Mapping) else super().size(piece)

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        asked = [self.question(piece) for piece in pieces]
        return Batch(self.model.asked([each.history for each in asked]), asked)

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        items = self.model.processor.items
        refused = self.refused(options)
        answers = []
        for row, asked in zip(outputs["logits"], batch.context, strict=True):
            scores = row.copy()
            scores[refused] = -np.inf
            if options.exclude_seen:
                scores[asked.seen] = -np.inf
            found = best(scores, options.k)
            answers.append(
                Ranking(
                    tuple(items.ids[number] for number in found.tolist()),
                    tuple(self.chances(row, found).tolist()),
                    items.titles_of(found.tolist()),
                    "probability",
                    asked.notes,
                )
            )
        return answers

    def refused(self, options: Any) -> np.ndarray:
        """Which items the options rule out, ``[n]``."""
        items = self.model.processor.items
        refused = np.zeros(len(items), bool)
        if options.allowed is not None:
            refused[:] = True
            refused[[items.number(raw) for raw in options.allowed]] = False
        if options.categories is not None:
            refused |= ~items.in_categories(options.categories)
        return refused

    def chances(self, row: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Probabilities of some items, from the scores of all of them ``[n]``."""
        chosen = row[numbers].astype("float64")
        if self.model.config["objective"] == "sigmoid":
            # Written so that no exponential overflows.
            return np.asarray(0.5 * (1 + np.tanh(0.5 * chosen)))
        high = float(row.max())
        return np.asarray(np.exp(chosen - high) / np.exp(row - high).sum(dtype="float64"))

    # Learning.

    def fit(self, examples: Any, validation: Any = None, *, catalog: Any = None, **options: Any) -> History:
        """Learns from interactions, histories, or pairs of a history and the item that came next.

        New items get rows of their own behind those that the model has, which keep what was learned. The
        histories of users that the model remembers go on from what it remembers.

        Args:
            examples: a table of interactions (a path, a frame, columns, or an iterable of mappings, larger
                than memory if need be), or an iterable of histories or of pairs.
            validation: the same; without it, the last items of some histories are held out, see
                ``hold_out``.
            catalog: a table of items with the columns ``item``, ``title`` and ``categories`` (a list, or a
                text with ``|`` between them), the last two as far as there are any.
            **options: see :class:`NextItemTraining`.
        """
        check_options(self.Training, options)
        training = self.Training(**options)
        items = self.model.processor.items.copy() if self.model.built else Items()
        if catalog is not None:
            interactions.described(catalog, items, _columns(training))
        came = self._read(examples, training, items, True, "example")
        tails = self.model.processor.tails if self.model.built else None
        whole = came if tails is None else came.continued(tails.of)
        learned, held = whole, None
        if validation is not None:
            held = self._read(validation, training, items, True, "validation example")
        elif not whole.last_only:
            learned, held = _held_out(whole, training)
        history = super().fit(learned, held, **options)
        processor = self.model.processor
        processor.items.counted(came.popularity(len(processor.items)))
        if training.remember:
            self._remember(whole, training)
        return history

    def add_items(self, catalog: Any) -> int:
        """Adds items that nobody chose yet; tells how many are new.

        Each begins as the mean of the items in its categories, and can be recommended from then on; ``fit``
        on interactions with it teaches more.

        Args:
            catalog: a table of items with the columns ``item``, ``title`` and ``categories``, as for ``fit``.
        """
        items = self.model.processor.items.copy()
        before = len(items)
        interactions.described(catalog, items, interactions.Columns(), grow=True)
        if len(items) > before:
            self.model = self.model.grown(items)
        else:
            self.model.processor.items = items
        return len(items) - before

    @classmethod
    def read_examples(cls, path: str | Path) -> Any:
        """The path itself: ``fit`` and ``evaluate`` read a table in constant memory."""
        return path

    def _read(self, examples: Any, training: Any, items: Items, grow: bool, kind: str) -> Sequences:
        """Anything that ``fit`` and ``evaluate`` take, as sequences."""
        if isinstance(examples, Sequences):
            return examples
        if isinstance(examples, str | Path) and not is_table(examples):
            raise InputError(
                f"{str(examples)!r}; expected a table: a path that ends in .csv, .tsv, .jsonl or .parquet"
            )
        if isinstance(examples, str | Path) and {"input", "target"} <= set(next(rows(examples), ())):
            examples = ((row["input"], row["target"]) for row in rows(examples))
        if is_table(examples) or isinstance(examples, Mapping):
            return interactions.read(examples, _columns(training), items, grow, kind)
        pending = iter(examples)
        first = next(pending, None)
        if first is None:
            raise TrainingError(f"no {kind} came; expected interactions, histories or pairs")
        whole = chain([first], pending)
        if isinstance(first, Mapping) and training.item in first:
            return interactions.read(whole, _columns(training), items, grow, kind)
        return sequences.from_examples(whole, items, grow, kind)

    def collect(self, examples: Any, kind: str) -> Any:
        if isinstance(examples, Trial):
            return examples
        items = self.model.processor.items if self.model.built else Items()
        return self._read(examples, self.Training(), items, not self.model.built, kind)

    def adapt(self, examples: Any, training: Any) -> tuple[str, ...]:
        """A network for the catalog, or more rows where there are new items."""
        items = examples.catalog
        replaced: tuple[str, ...] = ()
        if not self.model.built:
            self.model = self.model.build_for(HistoryProcessor(items))
            replaced = (f"an embedding of {len(items):,} items",)
        elif (new := len(items) - len(self.model.processor.items)) > 0:
            self.model = self.model.grown(items)
            replaced = (f"{new:,} new items beside {len(items) - new:,}",)
        else:
            self.model.processor.items = items
        binary = training.negatives is not None and training.sampled_loss == "gbce"
        self.model.config["objective"] = "sigmoid" if binary else "softmax"
        return replaced

    def learn(self, examples: Any, training: Any, epoch: int) -> Iterable[Lesson]:
        return NextItemLessons(self.model, self.collect(examples, "example"), training, epoch)

    def taught(self, training: Any) -> Any:
        return self.model.network if training.negatives is None else self.model.sampled()

    def loss(self, training: Any) -> Any:
        if training.negatives is None:
            return {"logits": SmoothedCrossentropy(training.label_smoothing)}
        if training.sampled_loss == "softmax":
            return {"scores": SmoothedCrossentropy()}
        share = min(training.negatives / self.model.config["num_items"], 1.0)
        return {"scores": GeneralizedBCE(share, training.calibration)}

    def _remember(self, whole: Sequences, training: Any) -> None:
        """Keeps users' last items."""
        if whole.users is None:
            raise TrainingError(
                "remember=True with examples that name no users; expected a table with a column "
                f"{training.user!r}, or histories as mappings with 'user'"
            )
        starts = np.maximum(whole.starts, whole.stops - self.model.config["max_length"])
        taken, _ = sequences.gathered(whole.items, starts, whole.stops)
        ends = np.concatenate([[0], np.cumsum(whole.stops - starts)]).astype("int64")
        tails, processor = Tails(whole.users, taken, ends), self.model.processor
        processor.tails = processor.tails.updated(tails) if processor.tails else tails

    # Judging.

    def evaluate(
        self,
        examples: Any,
        *,
        negatives: int | None = None,
        seed: int = 0,
        user: str = "user",
        item: str = "item",
        time: str | None = None,
        **options: Any,
    ) -> Metrics:
        """How high the item stands that came next.

        Args:
            examples: as for ``fit``; of a history, or a user's interactions, the last item is foretold.
            negatives: among how many drawn items the right one is ranked; among all of them when left out.
                Few negatives flatter every model: compare like with like.
            seed: of those that are drawn.
            user, item, time: what a table calls its columns.
            **options: as in a call, where ``k`` is where the figures are cut, and ``dataset``, ``split`` and
                ``progress`` as for every task.
        """
        items = self.model.processor.items.copy()
        known = len(items)
        training = self.Training(user=user, item=item, time=time)
        histories = self._read(examples, training, items, True, "example")
        return super().evaluate(Trial(histories, known, negatives, seed), **options)

    def judge(self, examples: Any, options: Any, progress: bool | None) -> Metrics:
        return judged(self, examples, options, progress)

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """Because of which items of the history others are recommended.

        Args:
            target: a place in the ranking, from 1; ``{"item": id}`` for any item; the first five by default.
        """
        from sixarts_recommendation.next_item_attribution import attribute

        return attribute(self, x, method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float:
        return float(self.model.flops(min(len(self.question(x).history), self.model.config["max_length"])))

    @classmethod
    def read_inputs(cls, path: str | Path) -> Iterator[Any]:
        """Histories from a file, one a line: JSON, or ids with commas between them."""
        import csv
        import json

        from sixarts.files import lines

        for line in lines(path):
            if line.lstrip().startswith(("[", "{")):
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise InputError(
                        f"{path}: a line that is no JSON ({error}); expected a history"
                    ) from None
            else:
                yield [cell.strip() for cell in next(csv.reader([line]), [])]


def _columns(training: Any) -> interactions.Columns:
    return interactions.Columns(
        training.user,
        training.item,
        training.time,
        training.title,
        training.categories,
        training.duplicates,
    )


def _held_out(whole: Sequences, training: Any) -> tuple[Sequences, Sequences | None]:
    """Histories to learn from, and those of them whose last item is kept for judging."""
    long = np.flatnonzero(whole.lengths >= 3)
    count = math.ceil(training.hold_out * len(long))
    if not count:
        return whole, None
    chosen = np.zeros(len(whole), bool)
    chosen[np.random.default_rng([training.seed, len(whole)]).choice(long, count, replace=False)] = True
    return replace(whole, stops=whole.stops - chosen), whole.chosen(chosen).last()
