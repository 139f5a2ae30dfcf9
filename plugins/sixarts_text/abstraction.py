"""Summaries by a model that writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sixarts.batching import Batch
from sixarts.errors import OptionError
from sixarts_text.sections import Section, sections_of
from sixarts_text.sentences import Document, Sentence, beginning, count_words, cut, joined, sentences_of
from sixarts_text.summary import Source, Summary

#: By how much a round must shorten what was read, for another to be worth it.
SHRUNK = 0.9


@dataclass(frozen=True, eq=False)
class Written:
    """What was written of a section, with the search's score."""

    section: Section
    text: str
    score: float


class Abstraction:
    """How an encoder–decoder is asked.

    Of a document with several sections their summaries are read again as one text, until one section holds
    it, or until they get no shorter.

    Args:
        model: with ``search`` and ``generator``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model

    def check_options(self, options: Any, usual: Any) -> None:
        """Refuses values that the search cannot take."""
        self.search(options)

    def search(self, options: Any) -> Any:
        """How summaries are searched: as the options say, and where they are silent the checkpoint."""
        chosen = {name: getattr(options, name) for name in options.writing}
        beams = chosen.pop("beams")
        usual = 1 if options.sample else self.model.search.beams
        # Drawing is greedy search with noise; what the checkpoint says of it is meant for beams.
        search = replace(self.model.search, sample=False).with_options(
            **{**chosen, "sample": None}, beams=usual if beams is None else beams
        )
        longest = self.model.longest
        if search.max_length > longest:
            raise OptionError(
                f"max_length={search.max_length!r}; expected at most {longest}, what this model writes"
            )
        if options.min_length is not None and search.min_length > search.max_length:
            raise OptionError(
                f"min_length={search.min_length!r} with max_length={search.max_length!r}; expected no more"
            )
        # The checkpoint's own least is for its own most.
        search = replace(search, min_length=min(search.min_length, search.max_length))
        return replace(search, sample=options.sample)

    @property
    def _frame(self) -> int:
        """Tokens of a section that are none of its text's."""
        processor = self.model.processor
        return len(processor.encode([processor.prefix])[0])

    def _sizes(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each sentence inside of a section: after a space."""
        encode = self.model.processor.encode
        bare = len(encode([""])[0])
        return [max(len(ids) - bare, 1) for ids in encode([f" {text}" for text in texts])]

    def units(self, document: Document) -> Sequence[Sentence]:
        """What sections are made of: sentences, and of longer ones than the model takes, their parts."""
        room = self.model.processor.source_limit - self._frame
        found: list[Sentence] = []
        sizes = self._sizes([sentence.text for sentence in document.sentences])
        for sentence, size in zip(document.sentences, sizes, strict=True):
            if size <= room:
                found.append(sentence)
            else:
                found += cut(sentence, document.text, lambda text: self._sizes([text])[0] <= room)
        return found

    def sections(self, document: Document, sentences: Sequence[Sentence], turn: int) -> list[Section]:
        sizes = self._sizes([sentence.text for sentence in sentences])
        return sections_of(document, sentences, sizes, self.model.processor.source_limit - self._frame, turn)

    def prepare(self, sections: Sequence[Section]) -> Batch:
        processor = self.model.processor
        texts = [processor.prefix + section.text for section in sections]
        return Batch(processor.pad(processor.encode(texts, processor.source_limit)), list(sections))

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        found: Mapping[str, np.ndarray] = self.model.generator(
            dict(batch.arrays), self.search(options), options.seed
        )
        return found

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Written]:
        decode = self.model.processor.decode
        return [
            Written(section, decode(tokens[0, 1:]), float(scores[0]))
            for section, tokens, scores in zip(
                batch.context, outputs["tokens"], outputs["scores"], strict=True
            )
        ]

    def reduced(self, results: Sequence[Written], options: Any) -> list[Sentence] | None:
        """The summaries' sentences; ``None`` where they are no shorter than what was read."""
        found = [
            # What a sentence of a summary is about is its section.
            Sentence(sentence.text, *result.section.span)
            for result in results
            for sentence in sentences_of(result.text, options.language or "en")
        ]
        room = self.model.processor.source_limit - self._frame
        sizes = self._sizes([sentence.text for sentence in found])
        read = sum(
            sum(self._sizes([sentence.text for sentence in result.section.sentences])) for result in results
        )
        if not found or max(sizes) > room or sum(sizes) > SHRUNK * read:
            return None
        return found

    def summary(self, results: Sequence[Written], document: Document, options: Any) -> Summary:
        """What was written, as many whole sentences of it as are allowed.

        Where not even the first fits into the words allowed, its beginning stands for it.
        """
        text = joined([result.text for result in results if result.text])
        found = [sentence.text for sentence in sentences_of(text, options.language or "en")]
        allowed, kept, is_cut = options.words_allowed(document), list(found), False
        if options.sentences is not None:
            kept = kept[: options.sentences]
        if allowed is not None:
            sizes = np.cumsum([count_words(sentence) for sentence in kept])
            fits = int(np.searchsorted(sizes, allowed, side="right"))
            is_cut = bool(kept) and fits == 0
            kept = [beginning(kept[0], allowed)] if is_cut else kept[:fits]
        if kept != found:
            text = joined(kept)
        rests = [document.grounds.rest(sentence) for sentence in kept]
        strengths: dict[int, float] = defaultdict(float)
        made: dict[int, list[int]] = defaultdict(list)
        for number, rest in enumerate(rests):
            for place, share in rest.places:
                strengths[place] = max(strengths[place], share)
                made[place].append(number)
        return Summary(
            text,
            tuple(
                Source(sentence.text, sentence.start, sentence.end, strengths[place], tuple(made[place]))
                for place, sentence in ((place, document.sentences[place]) for place in sorted(strengths))
            ),
            tuple(rest.support for rest in rests),
            document.grounds.lacks(kept),
            float(np.mean([result.score for result in results])) if results else 0.0,
            tuple(kept),
            is_cut,
        )
