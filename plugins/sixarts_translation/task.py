"""The ``translation`` task: text in one language to text in another, layout kept."""

from __future__ import annotations

import functools
import html
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sixarts.batching import LENGTHS, Batch, bucket, shuffled
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts.explanation import Explanation
from sixarts.losses import SmoothedCrossentropy
from sixarts.readers.plain_text import check_readable
from sixarts.result import Metrics, Result
from sixarts.task import Options, Task
from sixarts.training import Lesson, Training
from sixarts_translation import glossary as glossaries
from sixarts_translation import segments
from sixarts_translation.documents import parts_of, read_document
from sixarts_translation.languages import iso, written
from sixarts_translation.lessons import Lessons
from sixarts_translation.marian_processor import MarianProcessor, padded

#: Characters of the longest text whose cut into sentences is remembered.
REMEMBERED = 2000


@dataclass(frozen=True)
class Translation(Result):
    """A translated text.

    Attributes:
        text: in the target language, with the source's layout.
        score: mean over its sentences of the log-probability that the model gave each, normalized by
            length as the search does; higher is surer. 0 where nothing was to be translated.
        sentences: source and target of each sentence, in order.
        alternatives: the next best translations of the whole text, best first, with ``n_best``.
    """

    text: str
    score: float
    sentences: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    alternatives: tuple[Translation, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return self.text

    def to_html(self) -> str:
        """Source and target side by side, a row a sentence, in the page's own fonts."""
        rows = "".join(
            f"<tr><td style='padding:2px 24px 2px 0'>{html.escape(source)}</td>"
            f"<td>{html.escape(target)}</td></tr>"
            for source, target in self.sentences
        )
        return f"<table>{rows}</table><p>score {self.score:.3f}</p>"

    def _repr_html_(self) -> str:
        return self.to_html()


@dataclass(frozen=True)
class TranslationOptions(Options):
    """Options of ``translation``. ``None`` means what the model's authors chose.

    Attributes:
        source, target: the languages, as codes or names, where the model knows several. They also choose
            among the catalog's models where none is named.
        segment: what is translated at a time: ``"sentence"``, ``"line"``, or ``"none"`` for the text as one.
        format: what a text is: ``"text"``, ``"markdown"``, ``"srt"`` or ``"vtt"``; its structure stays.
        glossary: source terms and the target terms that must stand for them; or a file of such pairs.
        n_best: how many translations are wanted at most; all but the best are the ``alternatives``.
        beams: hypotheses of the search; 1 is greedy.
        length_penalty: above 0 favors longer translations.
        max_length: most tokens of a sentence's translation, start and end tokens included.
        sample: draw from the model instead of searching for its best.
        temperature, top_k, top_p: of sampling.
        seed: of sampling.
    """

    source: str | None = None
    target: str | None = None
    segment: Literal["sentence", "line", "none"] = "sentence"
    format: Literal["text", "markdown", "srt", "vtt"] = "text"
    glossary: Mapping[str, str] | str | Path | None = None
    n_best: int = 1
    beams: int | None = None
    length_penalty: float | None = None
    max_length: int | None = None
    sample: bool = False
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.seed < 0:
            raise OptionError(f"seed={self.seed!r}; expected 0 or more")
        if self.n_best < 1:
            raise OptionError(f"n_best={self.n_best!r}; expected 1 or more")
        if self.n_best > 1 and (self.sample or self.n_best > (self.beams or self.n_best)):
            raise OptionError(
                f"n_best={self.n_best!r} with beams={self.beams!r} and sample={self.sample!r}; expected at "
                "least as many beams, and no sampling"
            )


@dataclass(frozen=True)
class TranslationTraining(Training):
    """Options of ``fit`` for translation.

    Attributes:
        label_smoothing: share of a target's probability spread over the vocabulary (Szegedy et al. 2016).
        subword_sampling: how freely words are cut anew each epoch (Kudo 2018, alpha); 0 always takes the best
            cut.
        source_vocabulary, target_vocabulary: pieces of a new model's tokenizers.
        fold_case: whether a new model reads upper and lower case of the source as one.
        source_language, target_language: codes that a new model keeps; they decide how text is cut into
            sentences, how sentences are joined, and how BLEU counts words.
    """

    label_smoothing: float = 0.1
    subword_sampling: float = 0.0
    source_vocabulary: int = 8000
    target_vocabulary: int = 8000
    fold_case: bool = False
    source_language: str = ""
    target_language: str = ""


class TranslationTask(Task):
    """Answers texts with :class:`Translation`; works with every generative text family.

    Example::

        translate = sixarts.load("translation")
        translate("I have a dog.").text
    """

    Options = TranslationOptions
    Training = TranslationTraining

    @classmethod
    def read_document(cls, path: str | Path) -> tuple[str, dict[str, Any]]:
        return read_document(path)

    # From a text to arrays and back.

    def check(self, x: Any, options: Any) -> None:
        check_text(x)
        self._tagged(x, options)

    def check_options(self, options: Any) -> None:
        # Values out of range are found here, before any text is looked at.
        self._search(options)
        processor = self.model.processor
        processor.source_of(options.source)
        if options.target is not None:
            processor.target_of(options.target)
        if terms := glossaries.terms_of(options.glossary):
            # Without an option each text may name a language of its own.
            told = options.target or not processor.languages
            glossaries.check_terms(
                terms, processor, written(processor, "", options.target)[0] if told else ""
            )

    @classmethod
    def choosing(cls, options: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            name: iso(value) if name in ("source", "target") and isinstance(value, str) else value
            for name, value in options.items()
        }

    def _search(self, options: Any) -> Any:
        usual = 1 if options.sample else max(options.n_best, self.model.search.beams)
        search = self.model.search.with_options(
            beams=usual if options.beams is None else options.beams,
            length_penalty=options.length_penalty,
            max_length=options.max_length,
            temperature=options.temperature,
            top_k=options.top_k,
            top_p=options.top_p,
        )
        longest = self.model.config["max_position_embeddings"]
        if search.max_length > longest:
            raise OptionError(
                f"max_length={search.max_length!r}; expected at most {longest}, this model's positions"
            )
        return replace(search, sample=options.sample)

    def pieces(self, x: str, options: Any) -> Generator[str, Any, None]:
        target, _ = self._tagged(x, options)
        for part in self._parts(x, options):
            if part.translated:
                yield f">>{target}<< {part.text}" if target else part.text

    def _parts(self, x: str, options: Any) -> list[segments.Part]:
        target, x = self._tagged(x, options)
        most = self.model.config["max_position_embeddings"] - (1 if target else 0)
        source = self.model.processor.source_of(options.source)
        # `join` asks again for what `pieces` cut a moment ago: short texts are remembered, books are not.
        cut = _cut if len(x) <= REMEMBERED else _cut.__wrapped__
        return list(cut(self.model.processor, x, options.format, options.segment, source, most))

    def _tagged(self, x: str, options: Any) -> tuple[str, str]:
        """The language that a text's head or the options name, where the model has several, and the text."""
        processor = self.model.processor
        return processor.tagged(x, options.target) if processor.languages else ("", x)

    def size(self, piece: str) -> int:
        return len(piece)

    def prepare(self, pieces: Sequence[str], options: Any) -> Batch:
        search, processor = self.model.search, self.model.processor
        source = processor.source_of(options.source)
        rows = [processor.encode(piece, source) for piece in pieces]
        openings = [processor.opening(piece) for piece in pieces]
        length = bucket(max(map(len, rows)), LENGTHS)
        length = min(length, self.model.config["max_position_embeddings"])
        return Batch(
            {
                "input_ids": padded(rows, search.pad, length),
                "attention_mask": padded([[1] * len(row) for row in rows], 0, length),
                "start": np.array([search.start if o.start is None else o.start for o in openings], "int32"),
                "forced": np.array([o.forced for o in openings], "int32").reshape(len(rows), -1),
            },
            list(pieces),
        )

    def answer(self, batch: Batch, options: Any) -> Mapping[str, np.ndarray]:
        search = self._search(options)

        def run(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            inputs = dict(arrays)
            start, forced = inputs.pop("start"), inputs.pop("forced")
            return self.model.generator(inputs, search, options.seed, start, forced)

        if terms := glossaries.terms_of(options.glossary):
            return glossaries.forced(self, batch, options, terms, run)
        return run(batch.arrays)

    def finish(
        self, outputs: Mapping[str, np.ndarray], batch: Batch, options: Any
    ) -> list[list[tuple[str, float]]]:
        """Each piece's translations with their scores, best first."""
        decode, count = self.model.processor.decode, options.n_best
        found = []
        for tokens, scores in zip(outputs["tokens"], outputs["scores"], strict=True):
            texts: dict[str, float] = {}
            for row, score in zip(tokens[:count], scores, strict=False):  # pieces may differ, the text not
                texts.setdefault(decode(row[1:]), float(score))
            found.append(list(texts.items()))
        return found

    def join(self, results: Sequence[list[tuple[str, float]]], x: str, options: Any) -> Translation:
        found = self._parts(x, options)
        sources = [part.text for part in found if part.translated]
        language, _ = written(self.model.processor, x, options.target)
        whole = [
            Translation(
                segments.joined(found, texts, language),
                score / len(results) if results else 0.0,
                # Of a text that is still being translated there are fewer results than sentences.
                tuple(zip(sources, texts, strict=False)),
            )
            for texts, score in _best(results, options.n_best)
        ]
        return replace(whole[0], alternatives=tuple(whole[1:]))

    # Learning.

    def check_example(self, example: Any, options: Any) -> None:
        if not (isinstance(example, tuple | list) and len(example) == 2):
            raise InputError(f"{str(example)[:60]!r}; expected a pair (source, target)")
        for text in example:
            check_text(text)

    def judging(self, training: TranslationTraining) -> TranslationTraining:
        return replace(training, subword_sampling=0.0)

    def learn(
        self, examples: Sequence[tuple[str, str]], training: TranslationTraining, epoch: int
    ) -> Iterable[Lesson]:
        search, longest = self.model.search, self.model.config["max_position_embeddings"]
        encode = self.model.processor.encoder(
            training.subword_sampling,
            training.seed + epoch,
            training.source_language or self.options.source,
            training.target_language or self.options.target,
        )
        rows = [
            (encode.source(source)[:longest], encode.target(target)[:longest]) for source, target in examples
        ]
        plan = shuffled([max(map(len, row)) for row in rows], training.batch_size, training.seed, epoch)
        start = search.start if encode.start is None else encode.start
        return Lessons(rows, plan, search.pad, start, training.batch_size)

    def loss(self, training: TranslationTraining) -> Any:
        return {"logits": SmoothedCrossentropy(training.label_smoothing)}

    def adapt(self, examples: Sequence[tuple[str, str]], training: TranslationTraining) -> tuple[str, ...]:
        if self.model.built:
            return ()
        if not issubclass(self.model.processor_class, MarianProcessor):
            raise TrainingError(
                f"a new model of family {self.model.family!r}; expected one with weights, since its "
                "languages come with a checkpoint; load one and fine-tune it, or take family='marian' for "
                "one pair"
            )
        from sixarts_translation.vocabulary import train_processor

        processor = train_processor(
            examples,
            training.source_vocabulary,
            training.target_vocabulary,
            training.seed,
            training.source_language,
            training.target_language,
            training.fold_case,
        )
        self.model = self.model.build_for(processor)
        return (f"tokenizers of {len(processor.vocabulary)} and {len(processor.target_vocabulary)} pieces",)

    # Judging.

    def measure(self, results: Sequence[Any], targets: Sequence[str], options: Any) -> Metrics:
        from sixarts_translation.metrics import measure

        return measure(
            [result.text for result in results],
            targets,
            options.target or self.model.processor.settings.get("target_lang") or "",
        )

    def attribute(self, x: str, method: str, target: Any, options: Any) -> Explanation:
        from sixarts_translation.attribution import attribute

        return attribute(self, x, method, target, options)

    def flops(self, x: str, result: Translation, options: Any) -> float:
        processor, beams = self.model.processor, self._search(options).beams
        target, _ = self._tagged(x, options)
        head = f">>{target}<< " if target else ""
        read = processor.source_of(options.source)
        return float(
            sum(
                self.model.flops(
                    len(processor.encode(head + source, read)),
                    len(processor.encode_target(answer, target)),
                    beams,
                )
                for source, answer in result.sentences
            )
        )


def _best(results: Sequence[list[tuple[str, float]]], count: int) -> list[tuple[tuple[str, ...], float]]:
    """The best ways to choose a translation for each sentence, by the sum of their scores."""
    if count == 1:
        # A book has too many sentences to copy what is chosen so far at each of them.
        return [(tuple(choices[0][0] for choices in results), sum(choices[0][1] for choices in results))]
    found: list[tuple[tuple[str, ...], float]] = [((), 0.0)]
    for choices in results:
        ways = [((*texts, text), total + score) for texts, total in found for text, score in choices]
        found = sorted(ways, key=lambda way: -way[1])[:count]
    return found


@functools.lru_cache(maxsize=512)
def _cut(
    processor: Any, text: str, form: str, segment: str, source: str, most: int
) -> tuple[segments.Part, ...]:
    """A text's parts, none of more than ``most`` tokens."""
    found = parts_of(text, form, segment, iso(source) if source else "en")
    return tuple(segments.fitted(found, lambda part: len(processor.encode(part, source)), most))


def check_text(x: Any) -> None:
    """Refuses what is not readable text, saying what it is."""
    check_readable(x)
    # A blank line of a file is layout, and stays; nothing at all is a mistake.
    if not x.strip() and "\n" not in x:
        raise InputError("an empty text; expected at least one character that is not white space")
