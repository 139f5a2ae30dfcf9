"""How well a document bears a summary out: what each sentence rests on, and what the document lacks.

The measure is of words, not of meaning. What is *counted* of a sentence are its content words (in lower
case, without English function words) and the pairs of neighbors among them. A sentence rests on the document
sentences, at most three, that hold the most of these, chosen greedily; its *support* is the share that they
hold together. A sentence copied from the document has 1.0; one whose words are there and whose pairs are not
has said something new with old words.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sixarts_text.ngrams import words_of

#: Most document sentences that one summary sentence rests on.
MOST = 3
#: Least share that a further sentence must add.
LEAST = 0.1
_WORDS = """
a about above after again against all also am an and any are as at be because been before being below
between both but by can cannot could did do does doing down during each either else ever few for from
further had has have having he her here hers herself him himself his how however i if in into is it its
itself just may me might more most must my myself neither no nor not of off on once only or other our ours
ourselves out over own per rather same shall she should so some such than that the their theirs them
themselves then there these they this those through thus to too under until up upon us very was we were
what when where which while who whom whose why will with within without would yet you your yours yourself
yourselves it's we're don't
"""
#: English function words; sentences of other languages are counted whole.
FUNCTION = frozenset(_WORDS.split())
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?:(?![\d_])\w)[\w’'-]*")

Gram = tuple[str, ...]


class Rest(NamedTuple):
    """What one summary sentence rests on.

    Attributes:
        support: the share of its words and pairs that is there, 0 to 1.
        places: the document sentences, by number, each with the share that it adds.
    """

    support: float
    places: tuple[tuple[int, float], ...]


def grams(text: str) -> Counter[Gram]:
    """What is counted of a sentence: content words, and pairs of neighbors among them.

    >>> sorted(grams("The dog bit a man."))
    [('bit',), ('bit', 'man'), ('dog',), ('dog', 'bit'), ('man',)]
    """
    words = words_of(text).words
    content = [word for word in words if word not in FUNCTION and word[0].isalnum()]
    content = content or [word for word in words if word[0].isalnum()]
    return Counter([(word,) for word in content] + list(itertools.pairwise(content)))


class Grounds:
    """A document, by what is counted of it.

    Args:
        sentences: its sentences.
        text: the whole document.
    """

    def __init__(self, sentences: Iterable[str], text: str) -> None:
        self._holds: dict[Gram, set[int]] = defaultdict(set)
        for number, sentence in enumerate(sentences):
            for gram in grams(sentence):
                self._holds[gram].add(number)
        self._numbers = {_plain_number(found) for found in _NUMBER.findall(text)}
        self._words = {word.casefold() for word in _NAME.findall(text)}

    def rest(self, text: str) -> Rest:
        """What a summary's sentence rests on.

        >>> Grounds(["The dog bit a man.", "It was late."], "").rest("A dog bit.")
        Rest(support=1.0, places=((0, 1.0),))
        """
        wanted = grams(text)
        total = sum(wanted.values())
        if not total:
            return Rest(1.0, ())
        places: list[tuple[int, float]] = []
        while wanted and len(places) < MOST:
            gains: Counter[int] = Counter()
            for gram, count in wanted.items():
                for number in self._holds.get(gram, ()):
                    gains[number] += count
            if not gains:
                break
            # The earliest of the best, so that the answer is one.
            best = min(gains, key=lambda number: (-gains[number], number))
            share = gains[best] / total
            if places and share < LEAST:
                break
            places.append((best, share))
            wanted = Counter({g: count for g, count in wanted.items() if best not in self._holds.get(g, ())})
        return Rest(sum(share for _, share in places), tuple(places))

    def lacks(self, summary: Sequence[str]) -> tuple[str, ...]:
        """Numbers and capitalized names of a summary's sentences that the document has nowhere.

        A sentence's first word is taken for a name only if it is written with another capital or before
        another capitalized word, since every first word has a capital.

        >>> ground = Grounds([], "Ada met a man; tea cost 1000.")
        >>> ground.lacks(["In 1912 Ada met Bob.", "Tea cost 1,000."])
        ('1912', 'Bob')
        """
        found: dict[str, None] = {}
        for sentence in summary:
            for match in _NUMBER.finditer(sentence):
                if _plain_number(match.group()) not in self._numbers:
                    found.setdefault(match.group())
            names = [match.group().rstrip("’'-") for match in _NAME.finditer(sentence)]
            for name, after in itertools.zip_longest(names, names[1:], fillvalue=""):
                leads = name is names[0] and not (any(map(str.isupper, name[1:])) or after[:1].isupper())
                if name[:1].isupper() and not leads and not _is_known(name, self._words):
                    found.setdefault(name)
        return tuple(found)


def _is_known(name: str, words: set[str]) -> bool:
    """Whether the document has a name, or all its parts, or it with a genitive."""
    plain = re.sub(r"[’']s?$", "", name.casefold())
    parts = [part for part in re.split(r"[-’']", plain) if part]
    forms = {plain, plain + "'s", plain + "’s", plain + "s"}
    return plain in FUNCTION or bool(forms & words) or all(part in words for part in parts)


def _plain_number(text: str) -> str:
    """A number without the commas between its thousands.

    >>> _plain_number("1,000"), _plain_number("3.50")
    ('1000', '3.50')
    """
    return re.sub(r",(?=\d{3}(?:\D|$))", "", text)
