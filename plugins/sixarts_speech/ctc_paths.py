"""From tokens' probabilities in each frame to tokens with times: greedy, or by prefix beam search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sixarts.media.transcript import Word
from sixarts_speech.vocabulary import Vocabulary

#: Tokens of a frame that a beam goes on with (Hannun et al. 2014, section 3.2, prune alike).
KEPT = 24
#: Frames of nothing that end an utterance, which a beam then decodes by itself.
QUIET = 25
#: Probability of the blank from which on a frame says nothing at all.
SURE = 0.999


class LanguageModel(Protocol):
    """What tells likely words from others."""

    def start(self) -> object:
        """The state before the first word."""
        ...

    def score(self, state: object, word: str) -> tuple[float, object]:
        """The natural logarithm of the word's probability after ``state``, and the state after it."""
        ...


@dataclass(frozen=True)
class Frames:
    """The likeliest tokens of some frames.

    Attributes:
        first: number of the first frame, from the sound's start.
        tokens: ``[n, k]``, by falling probability.
        scores: ``[n, k]``, natural logarithms.
    """

    first: int
    tokens: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Token:
    """A token where it was said: from frame ``first`` to ``last``, not included."""

    number: int
    first: int
    last: int
    confidence: float


def likeliest(scores: np.ndarray, first: int, kept: int) -> Frames:
    """The ``kept`` likeliest tokens of each frame.

    Args:
        scores: ``[n, tokens]``, natural logarithms.
        first: number of the first frame.
    """
    if kept == 1:
        tokens = scores.argmax(axis=1)[:, None]
    else:
        tokens = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
    return Frames(first, tokens.astype("int32"), np.take_along_axis(scores, tokens, axis=1).astype("float32"))


def joined(parts: Sequence[Frames]) -> Frames:
    """Frames of neighboring stretches as one."""
    if not parts:
        return Frames(0, np.zeros((0, 1), "int32"), np.zeros((0, 1), "float32"))
    return Frames(
        parts[0].first,
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def greedy(frames: Frames, blank: int) -> list[Token]:
    """The best path: each frame's likeliest token, repeats as one, blanks left out (Graves et al. 2006, 3.2).

    >>> from sixarts_speech.ctc_paths import Frames
    >>> path = Frames(0, np.array([[1], [1], [0], [1]]), np.zeros((4, 1)))
    >>> [(token.number, token.first, token.last) for token in greedy(path, blank=0)]
    [(1, 0, 2), (1, 3, 4)]
    """
    path, scores = frames.tokens[:, 0], frames.scores[:, 0]
    if not len(path):
        return []
    edges = np.flatnonzero(np.diff(path)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(path)]
    return [
        Token(int(path[start]), frames.first + start, frames.first + end, _mean(scores[start:end]))
        for start, end in zip(starts, ends, strict=True)
        if path[start] != blank
    ]


def _mean(scores: np.ndarray) -> float:
    return float(np.exp(scores.astype("float64")).mean())


def beam_search(
    frames: Frames,
    vocabulary: Vocabulary,
    beams: int,
    model: LanguageModel | None = None,
    weight: float = 0.5,
    bonus: float = 1.0,
) -> list[Token]:
    """Prefix beam search, with a model of words where there is one.

    Source: Hannun et al. 2014, "First-Pass Large Vocabulary Continuous Speech Recognition using
    Bi-Directional Recurrent DNNs", algorithm 1. Stretches between long blanks are searched one by one.

    Args:
        frames: with several tokens a frame.
        vocabulary: the tokens.
        beams: prefixes that are kept.
        model: scores each word that is complete.
        weight: what its logarithms are multiplied by.
        bonus: what each word adds, against the model's taste for few.
    """
    found: list[Token] = []
    for first, last in _utterances(frames, vocabulary.blank):
        part = Frames(frames.first + first, frames.tokens[first:last], frames.scores[first:last])
        search = _Search(vocabulary, beams, model, weight, bonus)
        found += aligned(part, search.best(part), vocabulary.blank)
    return found


def _utterances(frames: Frames, blank: int) -> list[tuple[int, int]]:
    """Stretches of frames that say something, cut where nothing is said for long."""
    loud = np.flatnonzero((frames.tokens[:, 0] != blank) | (frames.scores[:, 0] < math.log(SURE)))
    if not len(loud):
        return []
    cuts = np.flatnonzero(np.diff(loud) > QUIET)
    starts = [int(loud[0]), *(int(loud[cut + 1]) for cut in cuts)]
    ends = [*(int(loud[cut]) + 1 for cut in cuts), int(loud[-1]) + 1]
    return list(zip(starts, ends, strict=True))


@dataclass
class _Prefix:
    """Scores of a prefix: of paths that end in a blank and in its last token, and of its words."""

    blank: float = -math.inf
    token: float = -math.inf
    words: float = 0.0
    state: object = None
    open: str = ""

    @property
    def path(self) -> float:
        return _add(self.blank, self.token)

    @property
    def total(self) -> float:
        return self.path + self.words


class _Search:
    """A prefix beam search over one stretch."""

    def __init__(
        self, vocabulary: Vocabulary, beams: int, model: LanguageModel | None, weight: float, bonus: float
    ) -> None:
        self.vocabulary, self.beams, self.model = vocabulary, beams, model
        self.weight, self.bonus, self.space = weight, bonus, vocabulary.space

    def best(self, frames: Frames) -> list[int]:
        start = _Prefix(blank=0.0, state=self.model.start() if self.model else None)
        prefixes: dict[tuple[int, ...], _Prefix] = {(): start}
        for tokens, scores in zip(frames.tokens.tolist(), frames.scores.tolist(), strict=True):
            grown: dict[tuple[int, ...], _Prefix] = {}
            for prefix, held in prefixes.items():
                for token, score in zip(tokens, scores, strict=True):
                    if token == self.vocabulary.blank:
                        same = self._same(grown, prefix, held)
                        same.blank = _add(same.blank, held.path + score)
                    elif prefix and token == prefix[-1]:
                        same = self._same(grown, prefix, held)
                        same.token = _add(same.token, held.token + score)
                        self._longer(grown, prefix, held, token, held.blank + score)
                    else:
                        self._longer(grown, prefix, held, token, held.path + score)
            kept = sorted(grown.items(), key=lambda item: -item[1].total)[: self.beams]
            prefixes = dict(kept)
        ended = {prefix: held.total + self._word(held)[0] for prefix, held in prefixes.items()}
        return list(max(ended, key=lambda prefix: ended[prefix]))

    @staticmethod
    def _same(grown: dict[tuple[int, ...], _Prefix], prefix: tuple[int, ...], held: _Prefix) -> _Prefix:
        if prefix not in grown:
            grown[prefix] = _Prefix(words=held.words, state=held.state, open=held.open)
        return grown[prefix]

    def _longer(
        self,
        grown: dict[tuple[int, ...], _Prefix],
        prefix: tuple[int, ...],
        held: _Prefix,
        token: int,
        score: float,
    ) -> None:
        if score == -math.inf:
            return
        longer = (*prefix, token)
        if longer not in grown:
            text = self.vocabulary.tokens[token]
            made = _Prefix(words=held.words, state=held.state)
            if self.vocabulary.delimiter is None:
                added, made.state = self._word(_Prefix(state=held.state, open=text))
                made.words += added
            elif token == self.space:
                added, made.state = self._word(held)
                made.words += added
            else:
                made.open = held.open + text
            grown[longer] = made
        grown[longer].token = _add(grown[longer].token, score)

    def _word(self, held: _Prefix) -> tuple[float, object]:
        """What completing the open word adds, and the model's state after it."""
        if not held.open:
            return 0.0, held.state
        if self.model is None:
            return 0.0, held.state
        word = held.open.lower() if self.vocabulary.lowered else held.open
        score, state = self.model.score(held.state, word)
        return self.weight * score + self.bonus, state


def _add(one: float, other: float) -> float:
    """The logarithm of a sum of two probabilities."""
    high, low = (one, other) if one > other else (other, one)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def aligned(frames: Frames, numbers: Sequence[int], blank: int) -> list[Token]:
    """Where the tokens of a text were said: its best path (Viterbi) through the frames.

    Args:
        frames: with several tokens a frame; one that is not among them is as likely as the least of them.
    """
    if not numbers:
        return []
    states = np.full(2 * len(numbers) + 1, blank)
    states[1::2] = numbers
    count = len(frames.tokens)
    emitted = np.repeat(frames.scores[:, -1:] - 5.0, len(states), axis=1).astype("float64")
    for place in range(frames.tokens.shape[1]):
        hit = frames.tokens[:, place : place + 1] == states
        emitted = np.where(hit, frames.scores[:, place : place + 1], emitted)
    # From a state two before: over a blank, and never between two tokens that are alike.
    leap = np.zeros(len(states), bool)
    leap[2:] = (states[2:] != blank) & (states[2:] != states[:-2])
    best = np.full(len(states), -np.inf)
    best[:2] = emitted[0, :2]
    came = np.zeros((count, len(states)), "int8")
    for time in range(1, count):
        one = np.concatenate([[-np.inf], best[:-1]])
        two = np.where(leap, np.concatenate([[-np.inf, -np.inf], best[:-2]]), -np.inf)
        options = np.stack([best, one, two])
        came[time] = options.argmax(axis=0)
        best = options.max(axis=0) + emitted[time]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    path = np.zeros(count, int)
    for time in range(count - 1, -1, -1):
        path[time] = state
        state -= came[time, state]
    found = []
    for place, number in enumerate(numbers):
        (at,) = np.nonzero(path == 2 * place + 1)
        if len(at):
            scores = emitted[at, 2 * place + 1]
            first = frames.first + int(at[0])
            found.append(Token(number, first, frames.first + int(at[-1]) + 1, _mean(scores)))
    return found


def words_of(tokens: Sequence[Token], vocabulary: Vocabulary, seconds: float) -> tuple[Word, ...]:
    """Tokens as words with times.

    Args:
        tokens: in order.
        vocabulary: the tokens' texts.
        seconds: from one frame to the next.
    """
    groups: list[list[Token]] = [[]]
    for token in tokens:
        if token.number == vocabulary.space:
            groups.append([])
        elif vocabulary.delimiter is None:
            groups.append([token])
        else:
            groups[-1].append(token)
    return tuple(
        Word(
            vocabulary.text(token.number for token in group),
            round(group[0].first * seconds, 3),
            round(group[-1].last * seconds, 3),
            float(np.exp(np.mean([math.log(max(token.confidence, 1e-9)) for token in group]))),
        )
        for group in groups
        if group
    )
