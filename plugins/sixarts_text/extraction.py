"""Summaries by a model that picks sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.classification import probabilities
from sixarts.errors import OptionError
from sixarts_text.ngrams import words_of
from sixarts_text.sections import Section, sections_of
from sixarts_text.sentences import Document, Sentence, beginning, count_words, joined
from sixarts_text.summary import Source, Summary
from sixarts_text.support import FUNCTION

#: What share of a section's sentences goes on to the next round.
KEPT = 0.25


@dataclass(frozen=True, eq=False)
class Scored:
    """A section's sentences with the probability that the model gives each of being picked."""

    section: Section
    scores: np.ndarray


class Extraction:
    """How a model that picks sentences is asked.

    Of a document with several sections the best quarter of each goes on, and is scored again in one, as long
    as more are left than are wanted.

    Args:
        model: with an output ``logits`` ``[b, s]``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def check_options(self, options: Any, usual: Any) -> None:
        """Refuses options of models that write."""
        for name in usual.writing:
            if (value := getattr(options, name)) != getattr(usual, name):
                raise OptionError(
                    f"{name}={value!r}; this model (family {self.model.family!r}) picks sentences and writes "
                    f"none; leave {name} out, or take a model that writes, e.g. facebook/bart-large-cnn"
                )

    def sections(self, document: Document, sentences: Sequence[Sentence], turn: int) -> list[Section]:
        room = self.model.config["source_sentences"]
        return sections_of(document, sentences, [1] * len(sentences), room, turn)

    def units(self, document: Document) -> Sequence[Sentence]:
        """What sections are made of."""
        return document.sentences

    def prepare(self, sections: Sequence[Section]) -> Batch:
        texts = [[sentence.text for sentence in section.sentences] for section in sections]
        return Batch(self.model.processor.arrays(texts), list(sections))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        return dict(self.model(batch.arrays))

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Scored]:
        rows = probabilities(outputs["logits"])
        return [
            Scored(section, row[: len(section.sentences)])
            for section, row in zip(batch.context, rows, strict=True)
        ]

    def reduced(self, results: Sequence[Scored], options: Any) -> list[Sentence] | None:
        """The sentences that are read again, in their order; ``None`` where these are to be chosen from."""
        # What is said in the same words twice goes on once.
        order = {sentence.text: sentence for sentence, _ in reversed(_best_first(results))}
        best = list(order.values())[::-1][: max(2, int(sum(map(_count, results)) * KEPT))]
        if len(best) < self._wanted(results, options):
            return None
        return sorted(best, key=lambda sentence: sentence.start)

    def _wanted(self, results: Sequence[Scored], options: Any) -> int:
        """How many sentences the summary may have."""
        document = results[0].section.document
        words = options.words_allowed(document)
        if options.sentences is not None:
            return int(options.sentences)
        if words is None:
            return int(self.model.config["summary_sentences"])
        read = [sentence for result in results for sentence in result.section.sentences]
        return int(words * len(read) / sum(max(count_words(sentence.text), 1) for sentence in read)) + 1

    def summary(self, results: Sequence[Scored], document: Document, options: Any) -> Summary:
        """The sentences that are picked, in their order.

        The best ones are taken as long as they fit into the words allowed, and one whose words the others
        have, by three content words in a row (Paulus et al. 2018), is passed over. Where none fits, the
        beginning of the best stands for it.
        """
        order = _best_first(results)
        allowed = options.words_allowed(document)
        most = options.sentences
        if most is None:
            most = self.model.config["summary_sentences"] if allowed is None else len(order)
        chosen: list[tuple[Sentence, float]] = []
        left, said = allowed, set()
        for sentence, score in order:
            if len(chosen) == most:
                break
            told = _triples(sentence.text)
            if chosen and told & said:
                continue
            size = count_words(sentence.text)
            if left is not None:
                if size > left:
                    if chosen:
                        break
                    continue
                left -= size
            chosen.append((sentence, score))
            said |= told
        cut = not chosen
        if cut:
            chosen = order[:1]
        chosen.sort(key=lambda pair: pair[0].start)
        texts = [sentence.text for sentence, _ in chosen]
        if cut:
            texts = [beginning(texts[0], allowed or 1)]
        return Summary(
            joined(texts),
            tuple(
                Source(sentence.text, sentence.start, sentence.end, score, (place,))
                for place, (sentence, score) in enumerate(chosen)
            ),
            tuple(document.grounds.rest(text).support for text in texts),
            document.grounds.lacks(texts),
            float(sum(score for _, score in chosen)) / len(results),
            tuple(texts),
            cut,
        )


def _count(result: Scored) -> int:
    return len(result.section.sentences)


def _best_first(results: Sequence[Scored]) -> list[tuple[Sentence, float]]:
    """Sentences with their probabilities; those of several sections by their rank in their own first.

    A probability is among the sentences of a section, so that those of two are not compared.
    """
    found = []
    for result in results:
        ranks = np.argsort(np.argsort(-result.scores, kind="stable"), kind="stable")
        for sentence, score, rank in zip(result.section.sentences, result.scores, ranks, strict=True):
            share = rank / len(ranks) if len(results) > 1 else 0.0
            found.append((share, -float(score), sentence.start, sentence))
    found.sort(key=lambda entry: entry[:3])
    return [(sentence, -score) for _, score, _, sentence in found]


def _triples(text: str) -> set[tuple[str, ...]]:
    content = [word for word in words_of(text).words if word not in FUNCTION]
    return set(zip(content, content[1:], content[2:], strict=False)) or {tuple(content)}
