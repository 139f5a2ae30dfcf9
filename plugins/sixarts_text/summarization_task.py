"""The ``summarization`` task: a document to what it says in short, and where it says it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sixarts.batching import Batch, Round
from sixarts.errors import InputError, OptionError
from sixarts.explanation import Explanation
from sixarts.files import lines
from sixarts.losses import SmoothedCrossentropy
from sixarts.readers.plain_text import check_readable
from sixarts.result import Metrics
from sixarts.task import Options, Task
from sixarts.training import Lesson, Training
from sixarts_text import summary_lessons
from sixarts_text.abstraction import Abstraction
from sixarts_text.extraction import Extraction
from sixarts_text.sections import Section
from sixarts_text.sentences import Document, count_words
from sixarts_text.summary import Summary

#: Most characters of a document: the longest novels have 3 million.
CHARACTERS = 4_000_000
#: Suffix of a file to what its text is.
FORMATS = {".txt": "text", ".md": "markdown", ".markdown": "markdown"}
#: Options and what is expected of them, where they are given.
RANGES = {
    "sentences": (1, None, "1 or more"),
    "max_words": (1, None, "1 or more"),
    "ratio": (0, 1, "more than 0 and at most 1"),
}


@dataclass(frozen=True)
class SummarizationOptions(Options):
    """Options of ``summarization``. ``None`` means what the model or its authors chose.

    Attributes:
        sentences: most sentences of a summary.
        max_words: most words of it. Whole sentences are kept while they fit; where not even one does, its
            beginning is, after a whole word and with an ellipsis, and ``Summary.cut`` says so.
        ratio: the same, as a share of the document's words.
        language: code of the document's language, for sentence boundaries; English by default.
        format: what a document is: ``"text"``, or ``"markdown"``, of which paragraphs and lists are read.
        beams: of models that write, hypotheses of the search; 1 is greedy.
        length_penalty: above 0 favors longer summaries.
        min_length, max_length: least and most tokens of a summary, or of a section's.
        no_repeat_ngram_size: no sequence of so many tokens comes twice; 0 allows all.
        repetition_penalty: above 1 makes tokens that came already less likely.
        early_stopping: whether the search of a row ends at ``beams`` finished hypotheses; ``"never"`` goes on
            until no longer one can be better.
        sample: draw from the model instead of searching for its best.
        temperature, top_k, top_p: of sampling.
        seed: of sampling.
    """

    sentences: int | None = None
    max_words: int | None = None
    ratio: float | None = None
    language: str | None = None
    format: Literal["text", "markdown"] = "text"
    beams: int | None = None
    length_penalty: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    early_stopping: bool | Literal["never"] | None = None
    sample: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    #: Options of models that write, as the search names them.
    writing = (
        "beams",
        "length_penalty",
        "min_length",
        "max_length",
        "no_repeat_ngram_size",
        "repetition_penalty",
        "early_stopping",
        "sample",
        "temperature",
        "top_k",
        "top_p",
        "seed",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise OptionError(f"seed={self.seed!r}; expected 0 or more")
        for name, (low, high, words) in RANGES.items():
            value = getattr(self, name)
            fits = value is None or (value >= low and value > 0 and (high is None or value <= high))
            if not fits:
                raise OptionError(f"{name}={value!r}; expected {words}")

    def words_allowed(self, document: Document) -> int | None:
        """The most words that a document's summary may have, where anything says so."""
        shares = [] if self.ratio is None else [max(1, int(self.ratio * count_words(document.text)))]
        limits = shares if self.max_words is None else [*shares, self.max_words]
        return min(limits, default=None)


@dataclass(frozen=True)
class SummarizationTraining(Training):
    """Options of ``fit`` for summaries. A new model that picks sentences learns well at a rate of 1e-3.

    Attributes:
        label_smoothing: of models that write, the share of a target's probability spread over the vocabulary
            (Szegedy et al. 2016).
    """

    label_smoothing: float = 0.1


class SummarizationTask(Task):
    """Answers documents with :class:`Summary`, by models that write or models that pick sentences.

    Example::

        summarize = sixarts.load("summarization")
        summarize(text).text
    """

    Options = SummarizationOptions
    Training = SummarizationTraining
    sequential = True

    @property
    def way(self) -> Any:
        """How this model is asked: one that has a search writes."""
        return (Abstraction if hasattr(type(self.model), "search") else Extraction)(self.model)

    # From a document to sections and back.

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[str, dict[str, Any]]:
        return "\n".join(lines(path)), {"format": FORMATS[Path(path).suffix.lower()]}

    def check(self, x: Any, options: Any) -> None:
        check_text(x)

    def check_options(self, options: Any) -> None:
        self.way.check_options(options, self.Options())

    def pieces(self, x: str, options: Any) -> Generator[Round, Any, None]:
        """Sections, then sections of what was found in them, and so on until there is one."""
        way, document = self.way, _document(x, options)
        units = way.units(document)
        for turn in range(len(x)):
            sections = way.sections(document, units, turn)
            results = yield Round(sections)
            units = None if len(sections) == 1 else way.reduced(results, options)
            if units is None:
                return

    def size(self, piece: Section) -> int:
        return len(piece)

    def prepare(self, pieces: Sequence[Section], options: Any) -> Batch:
        return self.way.prepare(pieces)  # type: ignore[no-any-return]

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        return self.way.answer(batch, options)  # type: ignore[no-any-return]

    def finish(self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any) -> list[Any]:
        return self.way.finish(outputs, batch, options)  # type: ignore[no-any-return]

    def join(self, results: Sequence[Any], x: str, options: Any) -> Summary:
        """The summary of the last round that is whole, or of so much of the first as is there."""
        document = results[0].section.document
        first = [result for result in results if result.section.round == 0]
        rounds = [first]
        for result in results[len(first) :]:
            if result.section.number == 0:
                rounds.append([])
            rounds[-1].append(result)
        whole = [turn for turn in rounds if len(turn) == turn[0].section.of] or rounds[:1]
        found = self.way.summary(whole[-1], document, options)
        spans = tuple(result.section.span for result in first) if first[0].section.of > 1 else ()
        return replace(found, sections=spans, rounds=len(whole) - 1, document=x)

    # Learning.

    def check_example(self, example: Any, options: Any) -> None:
        super().check_example(example, options)
        targets = example[1] if isinstance(example[1], list | tuple) else [example[1]]
        if not targets:
            raise InputError("no summary; expected a text, or a list of several summaries of the document")
        for target in targets:
            check_text(target)

    def adapt(self, examples: Sequence[tuple[str, Any]], training: Any) -> tuple[str, ...]:
        if self.model.built:
            return ()
        documents = [_document(x, self.options) for x, _ in examples]
        said = [len(_document(summary, self.options).sentences) for _, summary in _pairs(examples)]
        self.model = self.model.learned_from(
            [[sentence.text for sentence in document.sentences] for document in documents],
            max(1, round(float(np.median(said)))),
        )
        return (f"features of sentences, {len(self.model.processor.features):,} of them",)

    def learn(self, examples: Sequence[tuple[str, Any]], training: Any, epoch: int) -> Iterable[Lesson]:
        """Every document with each of its summaries."""
        pairs = _pairs(examples)
        if isinstance(self.way, Abstraction):
            return summary_lessons.writing(self.model, pairs, training, epoch)
        sections = [
            (section.sentences, summary)
            for x, summary in pairs
            for document in [_document(x, self.options)]
            for section in self.way.sections(document, document.sentences, 0)
        ]
        return summary_lessons.picking(self.model, sections, training, epoch)

    def loss(self, training: Any) -> Any:
        if isinstance(self.way, Abstraction):
            return {"logits": SmoothedCrossentropy(training.label_smoothing)}
        return {"logits": summary_lessons.ListwiseCrossentropy()}

    # Judging.

    def measure(self, results: Sequence[Summary], targets: Sequence[Any], options: Any) -> Metrics:
        from sixarts_text.rouge import measure

        return measure([result.text for result in results], targets)

    def attribute(self, x: str, method: str, target: Any, options: Any) -> Explanation:
        """Explains the summary of one document that the model takes whole.

        Args:
            target: ``None`` for each sentence of the summary, over the document's sentences; the number of
                one, from 0, over what it is made of; of models that write also a token's text.
        """
        from sixarts_text.summary_attribution import attribute

        return attribute(self, x, method, target, options)


def check_text(x: Any) -> None:
    """Refuses what is no readable text, or too long a one, or has no sentence in it."""
    check_readable(x)
    if len(x) > CHARACTERS:
        raise InputError(
            f"a text of {len(x):,} characters; expected at most {CHARACTERS:,}; cut it into parts"
        )
    if not x.strip():
        raise InputError("an empty text; expected at least one sentence")
    if not any(character.isalnum() for character in x):
        raise InputError(f"{x[:40]!r}, which has no letter or digit; expected at least one sentence")


def _document(x: str, options: Any) -> Document:
    document = Document.of(x, options.language or "en", options.format)
    if not document.sentences:
        raise InputError(
            f"a {options.format} document without a paragraph; expected at least one sentence outside of "
            "headings, tables and code"
        )
    return document


def _pairs(examples: Sequence[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [
        (x, summary)
        for x, target in examples
        for summary in ([target] if isinstance(target, str) else target)
    ]
