"""A glossary's terms, forced into translations.

Where a sentence holds a term of the source and its translation lacks the other, the search is run again with
a forced beginning: the translation up to the place where the model finds the term most probable, and the term
itself; what follows is the model's own continuation. Places are tried where the translation attends to the
source's term. Compare Hokamp and Liu 2017 (grid beam search), which tries all in one search.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.batching import LENGTHS, Batch, bucket
from sixarts.errors import InputError, OptionError
from sixarts_translation.attribution import cross_attention
from sixarts_translation.languages import written
from sixarts_translation.marian_processor import SPACE, padded
from sixarts_translation.segments import is_unspaced

#: Searches that one batch takes at most, one for each term that a sentence lacks.
_MOST = 8
_FREE = -1
#: Places that are tried for a term.
_PLACES = 8

#: Arrays with the beginnings that are forced, to sequences.
Search = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def terms_of(glossary: Mapping[str, str] | str | Path | None) -> dict[str, str]:
    """Source term to target term.

    Args:
        glossary: a mapping, or the path of a file with a tab-separated pair a line.

    Raises:
        OptionError: not that, or an empty term.
    """
    if glossary is None:
        return {}
    if isinstance(glossary, str | Path):
        path = Path(glossary)
        try:
            known = path.stat() if path.is_file() else None
            glossary = _read(path, *((known.st_size, known.st_mtime_ns) if known else ()))
        except InputError as error:
            raise OptionError(f"glossary={str(glossary)!r}: {error}") from None
    if not isinstance(glossary, Mapping):
        raise OptionError(
            f"glossary={glossary!r}; expected a mapping of source terms to target terms, or a file of pairs"
        )
    for pair in glossary.items():
        if not all(isinstance(term, str) and term.strip() for term in pair):
            raise OptionError(f"glossary with the pair {pair!r}; expected two terms that are not empty")
    return {source.strip(): target.strip() for source, target in glossary.items()}


@functools.lru_cache(maxsize=16)
def _read(path: Path, *state: int) -> dict[str, str]:
    """A file's pairs; every batch asks for them, and they are read again once its size or time is another."""
    from sixarts.files import pairs

    return dict(pairs(path))


def check_terms(terms: Mapping[str, str], processor: Any, target: str) -> None:
    """Refuses terms that the model cannot write.

    Raises:
        OptionError: its pieces do not give the term back.
    """
    for term in terms.values():
        given = processor.decode(_tokens(processor, term, target))
        if given != term:
            raise OptionError(
                f"glossary with {term!r}, which this model can only write as {given!r}; expected a term of "
                "its vocabulary's characters"
            )


def forced(
    task: Any, batch: Batch, options: Any, terms: Mapping[str, str], search: Search
) -> dict[str, np.ndarray]:
    """Sequences in which each row's terms occur.

    Args:
        task: the translation task.
        batch: as ``TranslationTask.prepare`` made it.
        options: of the task.
        terms: source term to target term.
        search: gives sequences for arrays with their ``forced`` beginnings.
    """
    rows = [
        _Row(
            task.model,
            {name: array[i : i + 1] for name, array in batch.arrays.items()},
            piece,
            options,
            terms,
        )
        for i, piece in enumerate(batch.context)
    ]
    begin = batch.arrays["forced"]
    beginnings: list[list[int]] = [list(map(int, row)) for row in begin]
    outputs = search(batch.arrays)
    for _ in range(_MOST):
        tokens = outputs["tokens"][:, 0]
        lacking = [row.lacking(found) for row, found in zip(rows, tokens, strict=False)]
        if not any(lacking):
            break
        attention = _attention(task, batch.arrays, tokens)
        for place, row in enumerate(rows):
            if lacking[place]:
                beginnings[place] = row.beginning(
                    tokens[place], lacking[place], attention[place], len(beginnings[place])
                )
        length = bucket(max(map(len, beginnings)), LENGTHS)
        again = search({**batch.arrays, "forced": padded(beginnings, _FREE, length)})
        # Rows without a lacking term stay as they are, to the last digit.
        changed = np.zeros(len(tokens), bool)
        changed[: len(rows)] = [bool(pairs) for pairs in lacking]
        outputs = _merged(outputs, again, changed, task.model.search.pad)
    return outputs


def _merged(
    old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray], rows: np.ndarray, pad: int
) -> dict[str, np.ndarray]:
    """The new sequences of some rows, the old ones of the others."""
    length = max(found["tokens"].shape[-1] for found in (old, new))

    def wide(tokens: np.ndarray) -> np.ndarray:
        more = length - tokens.shape[-1]
        return np.pad(tokens, ((0, 0), (0, 0), (0, more)), constant_values=pad)

    return {
        "tokens": np.where(rows[:, None, None], wide(new["tokens"]), wide(old["tokens"])),
        "scores": np.where(rows[:, None], new["scores"], old["scores"]),
    }


class _Row:
    """One sentence and the glossary's terms that it holds."""

    def __init__(
        self, model: Any, arrays: Mapping[str, np.ndarray], piece: str, options: Any, terms: Mapping[str, str]
    ) -> None:
        self.model, self.arrays, processor = model, arrays, model.processor
        self.processor = processor
        self.language, text = written(processor, piece, None)
        self.pieces = processor.source_pieces(piece, processor.source_of(options.source))
        self.terms = _found(text, terms)

    def lacking(self, tokens: np.ndarray) -> list[tuple[str, str]]:
        """The terms that a translation does not hold."""
        if not self.terms:
            return []
        text = self.processor.decode(tokens[1:])
        return [pair for pair in self.terms if pair[1] not in text]

    def beginning(
        self, tokens: np.ndarray, lacking: Sequence[tuple[str, str]], attention: np.ndarray, first: int
    ) -> list[int]:
        """What the next search is forced to begin with: all before the first lacking term, and the term.

        Args:
            tokens: the translation so far, its start token first.
            attention: of its tokens to the source's, ``[t, s]``.
            first: how many tokens are settled.
        """
        pieces = self.processor.target_pieces(tokens[1:])
        anywhere = is_unspaced(self.language)
        # A term does not stand inside a word.
        free = [p for p in range(first, len(pieces)) if anywhere or pieces[p].startswith(SPACE)]
        free = free or [len(pieces)]
        placed = []
        for source, target in lacking:
            term = _tokens(self.processor, target, self.language)
            mass = np.append(attention[: len(pieces), self._places(source)].sum(axis=1), 0.0)
            tried = sorted(sorted(free, key=lambda p: -mass[p])[:_PLACES])
            scores = self._scores(tokens, tried, term)
            placed.append((tried[int(np.argmax(scores))], term))
        place, term = min(placed)
        return [*map(int, tokens[1 : place + 1]), *term]

    def _scores(self, tokens: np.ndarray, places: Sequence[int], term: Sequence[int]) -> np.ndarray:
        """Log-probability of a term after each of several beginnings of a translation."""
        rows = [[*tokens[: place + 1], *term[:-1]] for place in places]
        rows += [rows[-1]] * (_PLACES - len(rows))
        length = bucket(max(map(len, rows)), LENGTHS)
        inputs = {
            name: np.repeat(self.arrays[name], len(rows), axis=0) for name in ("input_ids", "attention_mask")
        }
        logits = self.model({**inputs, "decoder_input_ids": padded(rows, self.model.search.pad, length)})
        found = []
        for place, row in zip(places, logits["logits"], strict=False):
            steps = row[place : place + len(term)].astype("float64")
            top = steps.max(axis=-1, keepdims=True)
            total = top[:, 0] + np.log(np.exp(steps - top).sum(axis=-1))
            found.append((steps[np.arange(len(term)), term] - total).sum())
        return np.array(found)

    def _places(self, term: str) -> list[int]:
        """Positions of a term's tokens; of all tokens where normalization hides the term."""
        match = _pattern(term).search("".join(self.pieces).replace(SPACE, " "))
        if match is None:
            return list(range(len(self.pieces)))
        ends = np.cumsum([len(piece) for piece in self.pieces])
        return [
            place
            for place, (piece, end) in enumerate(zip(self.pieces, ends, strict=True))
            if end - len(piece) < match.end() and end > match.start()
        ]


def _found(sentence: str, terms: Mapping[str, str]) -> list[tuple[str, str]]:
    """The terms that a sentence holds, longer ones first, each stretch of it once."""
    found = []
    for source in sorted(terms, key=len, reverse=True):
        match = _pattern(source).search(sentence)
        if match:
            found.append((source, terms[source]))
            sentence = sentence[: match.start()] + "\0" * len(match.group()) + sentence[match.end() :]
    return found


@functools.lru_cache(maxsize=4096)
def _pattern(term: str) -> re.Pattern[str]:
    """A term as a whole word, whatever its case; in scripts without spaces anywhere."""
    edges = [r"(?<![^\W\d_])" if term[0].isascii() else "", r"(?![^\W\d_])" if term[-1].isascii() else ""]
    return re.compile(edges[0] + re.escape(term) + edges[1], re.IGNORECASE)


def _tokens(processor: Any, term: str, target: str) -> list[int]:
    """A term's tokens as they stand inside a sentence."""
    opening = set(getattr(processor, "codes", {}).values()) | {processor.eos}
    tokens = [token for token in processor.encode_target(term, target) if token not in opening]
    if is_unspaced(target) and len(tokens) > 1 and processor.target_pieces(tokens[:1]) == [SPACE]:
        return tokens[1:]
    return tokens


def _attention(task: Any, arrays: Mapping[str, np.ndarray], tokens: np.ndarray) -> np.ndarray:
    """How much each target token attends to each source token, ``[b, t, s]``."""
    pad = task.model.search.pad
    length = bucket(tokens.shape[1], LENGTHS)
    wide = np.pad(tokens, ((0, 0), (0, length - tokens.shape[1])), constant_values=pad)
    inputs = {name: arrays[name] for name in ("input_ids", "attention_mask")}
    return cross_attention(task.model, {**inputs, "decoder_input_ids": wide.astype("int32")}).mean(
        axis=(1, 2)
    )
