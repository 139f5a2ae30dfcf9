"""Which of a document's sentences a summary would be made of: what models that pick sentences learn from.

Source: Nallapati et al. 2017 (SummaRuNNer), section 3: sentences are taken one by one, each time the one that
raises ROUGE most, until none does.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sixarts_text.ngrams import words_of

Grams = Counter[tuple[str, ...]]


def grams_of(text: str) -> tuple[Grams, Grams]:
    """Words and pairs of neighbors."""
    words = [word for word in words_of(text).words if word[0].isalnum()]
    return Counter((word,) for word in words), Counter(itertools.pairwise(words))


def f_measure(found: Grams, wanted: Grams) -> float:
    """ROUGE-N of counted n-grams (Lin 2004), without stemming.

    >>> f_measure(Counter("abc"), Counter("abd"))
    0.6666666666666666
    """
    both = sum((found & wanted).values())
    return 2 * both / max(sum(found.values()) + sum(wanted.values()), 1)


def gains(sentences: Sequence[str], summary: str) -> np.ndarray:
    """ROUGE-1 of each sentence alone, 0 to 1."""
    wanted = grams_of(summary)[0]
    return np.array([f_measure(grams_of(sentence)[0], wanted) for sentence in sentences])


def oracle(sentences: Sequence[str], summary: str) -> list[int]:
    """The sentences that together have the best ROUGE-1 and ROUGE-2, by number, the best first.

    >>> oracle(["It rained.", "A dog bit.", "A man ran."], "A man ran. A dog bit him.")
    [1, 2]
    """
    wanted = grams_of(summary)
    counted = [grams_of(sentence) for sentence in sentences]
    chosen: list[int] = []
    have: tuple[Grams, Grams] = Counter(), Counter()
    best = 0.0
    while len(chosen) < len(sentences):
        scores = {
            place: sum(
                f_measure(kept + new, target) for kept, new, target in zip(have, found, wanted, strict=True)
            )
            for place, found in enumerate(counted)
            if place not in chosen
        }
        place = max(scores, key=lambda number: (scores[number], -number))
        if scores[place] <= best:
            break
        best = scores[place]
        chosen.append(place)
        have = have[0] + counted[place][0], have[1] + counted[place][1]
    return chosen
