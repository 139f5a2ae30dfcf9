"""What of a document made a summary: attention, integrated gradients, occlusion, for models of both kinds.

Sources: Sundararajan et al. 2017 (integrated gradients); Li et al. 2016 ("Understanding Neural Networks
through Representation Erasure", occlusion).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from keras import ops

from sixarts.batching import rows_bucket
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Attribution, Explanation
from sixarts_text.abstraction import Abstraction
from sixarts_text.extractive import NEVER
from sixarts_text.ngrams import words_of
from sixarts_text.sections import Section
from sixarts_text.sentence_features import described
from sixarts_text.sentences import sentences_of

#: Characters of a sentence that name it, and most columns of words or tokens.
NAMED, COLUMNS = 28, 40
#: Rows with something hidden that go through the network together.
TOGETHER = 16
#: What stands for all that is not shown, or is of no sentence.
REST = "␣"


def attribute(task: Any, x: str, method: str, target: Any, options: Any) -> Explanation:
    """Explains the summary of a document that the model takes whole; see ``SummarizationTask.attribute``."""
    sections = next(task.pieces(x, options))
    if len(sections) > 1:
        raise InputError(
            f"a document of {len(sections)} sections; expected one that the model takes whole: explain a "
            "part of it, e.g. the characters of a section that the answer names"
        )
    kind = _Writing if isinstance(task.way, Abstraction) else _Picking
    return kind(task, sections[0], options).explained(method, target)


class _Picking:
    """Why sentences were picked: the unit is a sentence's log-odds against the others."""

    def __init__(self, task: Any, section: Section, options: Any) -> None:
        self.model, self.section = task.model, section
        self.texts = [sentence.text for sentence in section.sentences]
        self.arrays = self.model.processor.arrays([self.texts])
        self.answer = task(section.document.text, **vars(options))
        starts = [sentence.start for sentence in section.sentences]
        self.picked = [starts.index(source.start) for source in self.answer.sources]

    def explained(self, method: str, target: Any) -> Explanation:
        rows = self.picked if target is None else [self.picked[_number(target, len(self.picked))]]
        values, totals, unit = getattr(self, method)(rows)
        labels = _named(self.texts)
        if target is not None and values.ndim == 3:
            labels, values = self._over_words(values, rows[0])
        elif values.ndim == 3:
            values = values.sum(axis=2)[:, : len(self.texts)]
        return Explanation(
            method=method,
            target="all sentences" if target is None else f"sentence {target}",
            input_labels=tuple(labels),
            target_labels=tuple(_named([self.texts[row] for row in rows], rows)),
            values=values,
            signed=method != "attention",
            totals=totals,
            answer=self.answer.text,
            unit=unit,
        )

    def attention(self, rows: Sequence[int]) -> Any:
        """How much the picked sentences look at each, a mean over blocks and heads."""
        if not self.model.blocks:
            raise OptionError(
                "attention of a model with num_layers=0, which has none; expected integrated_gradients or "
                "occlusion"
            )
        run = _kept(
            self.model,
            "attention",
            lambda: Compiled(
                lambda inputs: {"attention": self.model.attention(inputs)},
                self.model.variables,
                self.model.device,
                self.model.fused,
            ),
        )
        found = to_numpy(run(self.arrays)["attention"])[0]
        return found[list(rows), : len(self.texts)], None, "share of attention"

    def integrated_gradients(self, rows: Sequence[int]) -> Any:
        """What each feature adds to the log-odds, against a document that says nothing."""
        nothing = np.zeros_like(self.arrays["input_ids"])
        values, totals = _log_odds(self.model).integrated_gradients(self.arrays, nothing, list(rows))
        return values, totals, "log-odds"

    def occlusion(self, rows: Sequence[int]) -> Any:
        """What of the log-odds is lost when nothing is known of a sentence."""
        count = len(self.texts)

        def hide(arrays: dict[str, np.ndarray], row: int, place: int) -> None:
            arrays["input_ids"][row, place] = 0

        scores = _hidden(_log_odds(self.model), self.arrays, count, hide, list(rows))
        return scores, None, "log-odds lost without it"

    def _over_words(self, values: np.ndarray, row: int) -> tuple[list[str], np.ndarray]:
        """A picked sentence's values over its words, what it is as a whole, and the other sentences."""
        known = self.model.processor.known(self.texts)[row]
        words = words_of(self.texts[row])
        own = np.zeros(len(words.words))
        whole: dict[str, float] = {}
        for feature, value in zip(known, values[0, row], strict=False):
            if not feature.words:
                whole[described(feature.name)] = float(value)
            for word in feature.words:
                own[word] += float(value) / len(feature.words)
        shown = [self.texts[row][start:end] for start, end in words.spans]
        others = float(values.sum() - own.sum() - sum(whole.values()))
        return _largest(
            [*shown, *whole, "other sentences"], np.array([[*own, *whole.values(), others]], float)
        )


class _Writing:
    """Why sentences were written: the unit is the log-probability of their tokens."""

    def __init__(self, task: Any, section: Section, options: Any) -> None:
        self.model, self.section = task.model, section
        self.processor, search = task.model.processor, task.model.search
        batch = task.prepare([section], options)
        tokens = task.answer(batch, options)["tokens"][0, 0]
        ended = [place for place, token in enumerate(tokens[1:], 1) if token in search.eos]
        self.tokens = tokens[: ended[0] + 1] if ended else tokens
        self.text = self.processor.decode(self.tokens[1:])
        self.said = list(sentences_of(self.text, options.language or "en"))
        if not self.said:
            raise InputError(
                f"a document that this model sums up as {self.text!r}; expected one it has words for"
            )
        self.arrays = dict(batch.arrays) | {"decoder_input_ids": self.tokens[None, :-1].astype("int32")}
        self.of = self._sentence_of_tokens()
        self.columns = self._sentence_of_columns()

    def _sentence_of_tokens(self) -> np.ndarray:
        """Which sentence of the summary each token after the start is of; -1 for special ones."""
        found = []
        for place, token in enumerate(self.tokens[1:], 1):
            end = len(self.processor.decode(self.tokens[1 : place + 1]))
            number = next((n for n, one in enumerate(self.said) if end <= one.end), len(self.said) - 1)
            found.append(-1 if self.processor.is_special(token) else number)
        return np.array(found)

    def _sentence_of_columns(self) -> np.ndarray:
        """Which sentence of the document each column is of; -1 for special ones and the prefix."""
        text = self.processor.prefix + self.section.text
        starts, at = [], len(self.processor.prefix)
        for sentence in self.section.sentences:
            at = text.index(sentence.text, at)
            starts.append(at)
            at += len(sentence.text)
        found = np.full(self.arrays["input_ids"].shape[1], -1)
        for column, (first, last) in enumerate(self.processor.spans(text, self.processor.source_limit)):
            if last > first and last > starts[0]:
                found[column] = np.searchsorted(starts, last - 1, side="right") - 1
        return found

    def explained(self, method: str, target: Any) -> Explanation:
        if isinstance(target, str):
            rows, names = self._token(target)
        else:
            chosen = list(range(len(self.said))) if target is None else [_number(target, len(self.said))]
            rows = [np.flatnonzero(self.of == number) for number in chosen]
            names = _named([self.said[number].text for number in chosen], chosen)
        values, totals, unit = getattr(self, method)(rows)
        if target is None:
            labels = [*_named([sentence.text for sentence in self.section.sentences]), REST]
            values = self._over_sentences(values)
        else:
            count = int(self.arrays["attention_mask"].sum())
            labels, values = _largest(
                [
                    piece.strip() or REST
                    for piece in self.processor.tokens(self.arrays["input_ids"][0, :count])
                ],
                values[:, :count],
            )
        return Explanation(
            method=method,
            target="all sentences" if target is None else f"{target!r}",
            input_labels=tuple(labels),
            target_labels=tuple(names),
            values=values,
            signed=method != "attention",
            totals=totals,
            answer=self.text,
            unit=unit,
        )

    def _token(self, target: str) -> tuple[list[np.ndarray], list[str]]:
        pieces = [piece.strip() for piece in self.processor.tokens(self.tokens[1:])]
        if target.strip() not in pieces:
            shown = ", ".join(piece for piece, of in zip(pieces, self.of, strict=True) if of >= 0)
            raise OptionError(
                f"target={target!r}; expected a token of the summary, or a sentence's number: {shown[:300]}"
            )
        return [np.array([pieces.index(target.strip())])], [target.strip()]

    def _over_sentences(self, values: np.ndarray) -> np.ndarray:
        count = len(self.section.sentences)
        found = np.zeros((len(values), count + 1))
        for column, sentence in enumerate(self.columns):
            found[:, sentence if sentence >= 0 else count] += values[:, column]
        return found

    def attention(self, rows: Sequence[np.ndarray]) -> Any:
        """Cross-attention, a mean over layers, heads and the steps that make the tokens."""
        network = self.model.attention_network
        run = _kept(
            self.model,
            "attention",
            lambda: Compiled(
                lambda inputs: network(inputs, training=False), self.model.variables, self.model.device
            ),
        )
        weights = to_numpy(run(self.arrays)["cross_attention"])[0].mean(axis=(0, 1))
        return np.array([weights[row].mean(axis=0) for row in rows]), None, "share of attention"

    def integrated_gradients(self, rows: Sequence[np.ndarray]) -> Any:
        """What each source token adds to the log-probability, against a source of padding."""
        ids = self.arrays["input_ids"]
        special = np.array([self.processor.is_special(token) for token in ids[0]])
        nothing = np.where(special[None], ids, self.model.search.pad).astype("int32")
        values, totals = _log_probability(self.model).integrated_gradients(
            self.arrays, nothing, self._places(rows)
        )
        return values, totals, "nats"

    def occlusion(self, rows: Sequence[np.ndarray]) -> Any:
        """How much less probable the tokens are when a sentence of the document cannot be seen."""
        count = len(self.section.sentences)

        def hide(arrays: dict[str, np.ndarray], row: int, place: int) -> None:
            arrays["attention_mask"][row, self.columns == place] = 0

        lost = _hidden(_log_probability(self.model), self.arrays, count, hide, self._places(rows))
        # The loss is a sentence's; each of its tokens has an even share.
        sizes = np.array([max(int((self.columns == place).sum()), 1) for place in range(count)])
        values = np.zeros((len(lost), self.arrays["input_ids"].shape[1]))
        for column, place in enumerate(self.columns):
            if place >= 0:
                values[:, column] = lost[:, place] / sizes[place]
        return values, None, "nats lost without it"

    def _places(self, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        """For each row the token at each position, and -1 where it does not count."""
        found = []
        for row in rows:
            place = np.full(len(self.tokens) - 1, -1)
            place[row] = self.tokens[1:][row]
            found.append(place)
        return found


def _hidden(
    scorer: Attribution,
    arrays: dict[str, np.ndarray],
    count: int,
    hide: Callable[[dict[str, np.ndarray], int, int], None],
    places: Sequence[Any],
) -> np.ndarray:
    """What each place's score loses when each of ``count`` parts is hidden, ``[len(places), count]``."""
    found = np.zeros((len(places), count))
    whole = [float(scorer.score(arrays, place)[0]) for place in places]
    for start in range(0, count, TOGETHER):
        parts = range(start, min(start + TOGETHER, count))
        rows = rows_bucket(len(parts), TOGETHER)
        many = {name: np.repeat(array, rows, axis=0) for name, array in arrays.items()}
        for row, part in enumerate(parts):
            hide(many, row, part)
        for number, place in enumerate(places):
            scores = scorer.score(many, place)[: len(parts)]
            found[number, start : start + len(parts)] = whole[number] - scores
    return found


def _log_odds(model: Any) -> Attribution:
    """Scores a sentence, by number, against all others of its document."""

    def score(outputs: Any, place: Any) -> Any:
        logits = outputs["logits"]
        chosen = ops.cast(ops.arange(logits.shape[-1]) == place, logits.dtype)
        others = ops.logsumexp(logits - NEVER * chosen, axis=-1)
        # One that stands alone has no others.
        return ops.take(logits, place, axis=-1) - ops.where(others < -NEVER / 2, 0.0, others)

    return _kept(model, "log_odds", lambda: Attribution(model, score))  # type: ignore[no-any-return]


def _log_probability(model: Any) -> Attribution:
    """Scores tokens ``[t]``: the sum of their log-probabilities, those that are negative left out."""

    def score(outputs: Any, place: Any) -> Any:
        said = ops.log_softmax(outputs["logits"], axis=-1)
        counted = ops.cast(place >= 0, said.dtype)
        columns = ops.broadcast_to(
            ops.maximum(place, 0)[None, :, None], (ops.shape(said)[0], *place.shape, 1)
        )
        return ops.sum(ops.take_along_axis(said, columns, axis=-1)[..., 0] * counted, axis=-1)

    return _kept(model, "log_probability", lambda: Attribution(model, score))  # type: ignore[no-any-return]


def _kept(model: Any, name: str, make: Callable[[], Any]) -> Any:
    """What was compiled for a model, kept with it: the next explanation compiles nothing."""
    kept = vars(model).setdefault("_explainers", {})
    if name not in kept:
        kept[name] = make()
    return kept[name]


def _number(target: Any, count: int) -> int:
    if isinstance(target, int) and not isinstance(target, bool) and 0 <= target < count:
        return target
    raise OptionError(f"target={target!r}; expected a sentence of the summary, 0 to {count - 1}")


def _named(texts: Sequence[str], numbers: Sequence[int] | None = None) -> list[str]:
    """Short names of sentences: their numbers and beginnings."""
    return [
        f"{number}: {text[:NAMED].rstrip()}{'…' if len(text) > NAMED else ''}"
        for number, text in zip(numbers or range(len(texts)), texts, strict=True)
    ]


def _largest(labels: list[str], values: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The columns that count most, in their order, and what the others add."""
    if len(labels) <= COLUMNS:
        return labels, values
    best = np.sort(np.argsort(-np.abs(values).max(axis=0), kind="stable")[: COLUMNS - 1])
    rest = values.sum(axis=1, keepdims=True) - values[:, best].sum(axis=1, keepdims=True)
    return [*(labels[place] for place in best), REST], np.concatenate([values[:, best], rest], axis=1)
