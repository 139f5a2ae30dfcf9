"""The ``item-similarity`` task: an item to the items that are like it, or that go with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.progress import progress_bar
from sixarts.result import Metrics
from sixarts.task import Task, check_options
from sixarts.training import History, Lesson
from sixarts_recommendation import interactions, similarity_examples
from sixarts_recommendation.items import Items, objects
from sixarts_recommendation.ranking import Neighbors, Ranking
from sixarts_recommendation.ranking_metrics import of_ranks
from sixarts_recommendation.sequences import Sequences
from sixarts_recommendation.similarity_options import SimilarityOptions, SimilarityTraining
from sixarts_recommendation.vector_search import Index

#: Relation to what its scores are.
UNITS = {"similar": "cosine similarity", "together": "score"}
EXPECTED = "expected an item's id, several of them as {'history': [ids]}, or a new item's attributes"
#: Queries that are ranked at a time.
JUDGED = 256


@dataclass(frozen=True)
class Question:
    """What an input asks.

    Attributes:
        history: numbers of the items that are asked about; none for a new item.
        record: the attributes of a new item, or ``None``.
    """

    history: np.ndarray
    record: Mapping[str, Any] | None = None


class ItemSimilarity(Task):
    """Answers items with a :class:`~sixarts_recommendation.ranking.Ranking`.

    Example::

        like = sixarts.load("item-similarity")
        like("butter", k=5).items
        like("butter", relation="together", exclude={"whole milk"})
    """

    Options = SimilarityOptions
    Training = SimilarityTraining
    #: A :class:`sixarts_recommendation.item_model.ItemModel`.
    model: Any

    # From an input to vectors.

    def check(self, x: Any, options: Any) -> None:
        question = self.question(x)
        if question.record is not None:
            if options.relation != "similar":
                raise InputError("a new item, for relation='together'; expected an item that was learned")
            self.model.check_record(question.record)

    def question(self, x: Any) -> Question:
        """What ``x`` asks, in numbers.

        Raises:
            InputError: no item, or one that the model does not know, with those most like it.
        """
        items: Items = self.model.items
        if isinstance(x, Mapping):
            if set(x) == {"history"}:
                history = x["history"]
                if not isinstance(history, list | tuple) or not history:
                    raise InputError(f"a history of type {type(history).__name__}, or empty; {EXPECTED}")
                return Question(np.array([items.number(raw) for raw in history], "int64"))
            if not x:
                raise InputError(f"an empty mapping; {EXPECTED}")
            return Question(np.zeros(0, "int64"), x)
        if isinstance(x, list | tuple | set):
            raise InputError(f"a {type(x).__name__}; {EXPECTED}")
        return Question(np.array([items.number(x)], "int64"))

    def check_options(self, options: Any) -> None:
        if not self.model.built:
            return
        items = self.model.items
        for name in ("exclude", "allowed"):
            for raw in getattr(options, name) or ():
                try:
                    items.number(raw)
                except InputError as error:
                    raise OptionError(f"{name}: {error.reason}") from None
        for name in options.categories or ():
            known = items.known_categories()
            if name not in known:
                shown = ", ".join(map(repr, known[:10])) or "none: this model's items have no categories"
                raise OptionError(f"categories: no {name!r}; expected some of {shown}")

    def size(self, piece: Any) -> int:
        return 0

    def prepare(self, pieces: Sequence[Any], options: Any) -> Batch:
        asked = [self.question(piece) for piece in pieces]
        # The rows alone are arrays: what is asked goes with them, as it is of unlike length.
        return Batch({"row": np.arange(len(asked), dtype="int32")}, asked)

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        asked = batch.context
        index = self.index(options.relation)
        queries = self._queries(asked, options.relation, index.vectors.shape[1])
        lengths = np.array([len(question.history) for question in asked])
        own = np.full((len(asked), int(lengths.max())), -1, "int64")
        own[np.arange(own.shape[1]) < lengths[:, None]] = np.concatenate([each.history for each in asked])
        numbers, scores = self._found(index, queries, own, options)
        rows = np.minimum(batch.arrays["row"], len(asked) - 1)
        return {"numbers": numbers[rows], "scores": scores[rows]}

    def _found(
        self, index: Index, queries: np.ndarray, own: np.ndarray, options: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and scores of the best for each query, without its own items and what is excluded."""
        if options.exclude:
            excluded = [self.model.items.number(raw) for raw in options.exclude]
            own = np.concatenate([own, np.tile(excluded, (len(own), 1))], axis=1)
        search = index.exact if options.search == "exact" else index.approximate
        return search(queries, options.k, own, self._allowed(options))

    def _queries(self, asked: Sequence[Question], relation: str, width: int) -> np.ndarray:
        queries = np.zeros((len(asked), width), "float32")
        known = [row for row, question in enumerate(asked) if question.record is None]
        new = [row for row, question in enumerate(asked) if question.record is not None]
        if known:
            queries[known] = self.model.queries([asked[row].history for row in known], relation)
        if new:
            queries[new] = self.model.described([asked[row].record for row in new])
        return queries

    def _allowed(self, options: Any) -> np.ndarray | None:
        """Which items the options leave, ``[n]``; ``None`` for all."""
        items = self.model.items
        if options.allowed is None and options.categories is None:
            return None
        left = np.ones(len(items), bool)
        if options.allowed is not None:
            left[:] = False
            left[[items.number(raw) for raw in options.allowed]] = True
        if options.categories is not None:
            left &= items.in_categories(options.categories)
        return left

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Ranking]:
        ids, items, answers = self.model.items.ids, self.model.items, []
        for numbers, scores in zip(outputs["numbers"].tolist(), outputs["scores"].tolist(), strict=True):
            found = [number for number in numbers if number >= 0]
            answers.append(
                Ranking(
                    tuple(map(ids.__getitem__, found)),
                    tuple(scores[: len(found)]),
                    items.titles_of(found),
                    UNITS[options.relation],
                )
            )
        return answers

    def neighbors(self, ids: Iterable[Any] | None = None, **options: Any) -> Neighbors:
        """The best for each of many known items as arrays: for tables that are made ahead, such as the ten
        items most like each of a million.

        Args:
            ids: what is asked; all items of the model by default.
            **options: as in a call.

        Raises:
            InputError: an id that was never seen, with its place; before anything is searched.

        Example::

            like.neighbors(["butter", "sugar"], k=5).items[0]
            pandas.DataFrame(like.neighbors(search="approximate").columns())
        """
        if isinstance(ids, str | bytes | Mapping):
            raise InputError(
                f"ids of type {type(ids).__name__}; expected several ids, such as a list of them"
            )
        chosen = self.chosen(**options)
        items = self.model.items
        column = items.column()
        asked = column if ids is None else objects(ids)
        numbers = np.arange(len(items)) if ids is None else items.numbers_of(asked)
        for place in np.flatnonzero(numbers < 0)[:1].tolist():
            try:
                items.number(asked[place])
            except InputError as error:
                raise InputError(error.reason, place) from None
        index, shape = self.index(chosen.relation), (len(numbers), chosen.k)
        places, scores = np.full(shape, -1, "int64"), np.full(shape, -np.inf, "float32")
        for start in range(0, len(numbers), chosen.batch_size):
            block = slice(start, start + chosen.batch_size)
            own = numbers[block, None]
            if chosen.relation == "similar":
                # An item is found by the vector that it asks with.
                queries = index.vectors[numbers[block]]
            else:
                queries = self.model.queries(own, chosen.relation)
            found, score = self._found(index, queries, own, chosen)
            places[block, : found.shape[1]], scores[block, : found.shape[1]] = found, score
        best = column[places]
        if (places < 0).any():
            best = best.astype(object)
            best[places < 0] = None
        return Neighbors(asked, best, scores, UNITS[chosen.relation])

    def index(self, relation: str = "similar") -> Index:
        """The vectors that are searched, kept in memory until the weights change."""
        probe = self.model.probe(relation)
        kept: dict[str, tuple[Any, np.ndarray, Index]] = vars(self).setdefault("_kept", {})
        if relation in kept:
            model, looked_at, index = kept[relation]
            if model is self.model and np.array_equal(looked_at, probe):
                return index
            kept.clear()
        index = Index(self.model.vectors(relation))
        kept[relation] = (self.model, probe, index)
        return index

    @classmethod
    def read_inputs(cls, path: str | Path) -> Iterator[Any]:
        """Ids from a file, one a line."""
        return (line.strip() for line in super().read_inputs(path))

    # Learning.

    def fit(self, examples: Any, validation: Any = None, *, catalog: Any = None, **options: Any) -> History:
        """Learns from baskets, sessions, pairs of items, or a table of interactions.

        New items get vectors of their own behind those that the model has, which keep what was learned.

        Args:
            examples: an iterable of baskets (lists of ids) or of pairs (tuples of two ids); or a table of
                interactions (a path, a frame, columns, or an iterable of mappings, larger than memory if
                need be), of which a user's are a session.
            validation: the same.
            catalog: a table of items with the columns ``item``, ``title`` and ``categories`` (a list, or a
                text with ``|`` between them), as far as there are any; every further column is an attribute
                by which ``two_tower`` knows an item.
            **options: see :class:`SimilarityTraining`.
        """
        check_options(self.Training, options)
        training = self.Training(**options)
        items = self.model.items.copy() if self.model.built else Items()
        learned = similarity_examples.read(examples, training, items, True, "example")
        held = None
        if validation is not None:
            held = similarity_examples.read(validation, training, items, True, "validation example")
        if catalog is not None:
            catalog = list(interactions.rows(catalog))
            interactions.described(catalog, items, interactions.Columns(item=training.item))
        items.counted(learned.popularity(len(items)))
        self._catalog = catalog
        return super().fit(learned, held, **options)

    def collect(self, examples: Any, kind: str) -> Sequences:
        items = self.model.items if self.model.built else Items()
        return similarity_examples.read(examples, self.Training(), items, not self.model.built, kind)

    def adapt(self, examples: Any, training: Any) -> tuple[str, ...]:
        catalog, self._catalog = vars(self).get("_catalog"), None
        self.model, replaced = self.model.adapted(examples, catalog, training)
        return replaced

    def learn(self, examples: Any, training: Any, epoch: int) -> Iterable[Lesson]:
        return self.model.lessons(self.collect(examples, "example"), training, epoch)

    def loss(self, training: Any) -> Any:
        return {"logits": self.model.loss(training)}

    # Judging.

    def judge(self, examples: Any, options: Any, progress: bool | None) -> Metrics:
        """How high an item stands that is known to be related, among all others.

        Pairs (item, related item) are judged as they stand; of each basket, or session of a table, two
        different items are drawn.
        """
        pairs = similarity_examples.pairs_of(examples)
        index = self.index(options.relation)
        ranks = np.empty(len(pairs), "int64")
        with progress_bar(self.name, len(pairs), progress) as advance:
            for start in range(0, len(pairs), JUDGED):
                part = slice(start, start + JUDGED)
                queries = self.model.queries([pair[:1] for pair in pairs[part]], options.relation)
                ranks[part] = ranks_of(queries, index.vectors, pairs[part])
                advance(len(pairs[part]))
        protocol = (
            f"full ranking of all {len(index.vectors):,} items but the one asked, relation "
            f"{options.relation!r}, of equal scores the lower number first; 95 % percentile bootstrap over "
            "pairs"
        )
        if options.search == "approximate":
            protocol += f"; the graph's recall@10 is {index.graph.recall:.3f}; ranks are exact"
        return Metrics(of_ranks(ranks, options.k), protocol, len(pairs))

    # Explaining.

    def attribute(self, x: Any, method: str, target: Any, options: Any) -> Explanation:
        """What makes items alike: shared contexts (``item2vec``), or attributes (``two_tower``).

        Args:
            target: a place in the ranking, from 1; ``{"item": id}`` for any item; the first five by default.
        """
        from sixarts_recommendation.similarity_attribution import attribute

        return attribute(self, x, method, target, options)

    def flops(self, x: Any, result: Any, options: Any) -> float:
        return float(self.model.flops())


def ranks_of(queries: np.ndarray, vectors: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Where the second of each pair stands among all vectors but the first's, from 1.

    >>> vectors = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], "float32")
    >>> ranks_of(vectors[:1], vectors, np.array([[0, 2]])).tolist()
    [2]
    """
    scores = queries @ vectors.T
    rows = np.arange(len(pairs))
    scores[rows, pairs[:, 0]] = -np.inf
    own = scores[rows, pairs[:, 1]][:, None]
    before = np.arange(len(vectors))[None] < pairs[:, 1:]
    return np.asarray(((scores > own) | ((scores == own) & before)).sum(axis=1) + 1)
