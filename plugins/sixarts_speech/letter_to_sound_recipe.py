"""How the starter's tree of letters comes about: words that Flite pronounced, letter by letter.

Flite's lexicon is CMU's (a license of the BSD kind), which its package does not list; words come from any
list of them, a word a line.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sixarts_speech import flite
from sixarts_speech.letter_to_sound import EDGE, ORDER, Pronouncer

#: Most phones of a letter, and passes of the alignment.
MOST, PASSES = 2, 6
#: A letter's phones, e.g. ``("k", "s")`` for an x.
Sounds = tuple[str, ...]
WORD = re.compile(r"[a-z][a-z']*")


def words_of(lines: Iterable[str]) -> list[str]:
    """Words from a list or a dictionary, a line each, its first field; lower case, each once.

    >>> words_of(["hello  HH AH L OW", "hello(2) HH EH L OW", "a.m. EY EM"])
    ['hello']
    """
    heads = (line.split()[0].lower() for line in lines if line.strip())
    return sorted({head for head in heads if WORD.fullmatch(head)})


def aligned(pronounced: Mapping[str, Sounds]) -> dict[str, list[Sounds]]:
    """Which letter of each word gives which phones, by expectation and maximization over best paths.

    Words with more phones than their letters can give are left out.
    """
    usable = {word: phones for word, phones in pronounced.items() if 0 < len(phones) <= MOST * len(word)}
    costs: dict[str, dict[Sounds, float]] = {}
    found: dict[str, list[Sounds]] = {}
    for _ in range(PASSES):
        counts: dict[str, Counter[Sounds]] = defaultdict(Counter)
        found = {word: _best(word, phones, costs) for word, phones in usable.items()}
        for word, parts in found.items():
            for letter, part in zip(word, parts, strict=True):
                counts[letter][part] += 1
        costs = {
            letter: {part: -math.log(count / table.total()) for part, count in table.items()}
            for letter, table in counts.items()
        }
    return found


#: What a letter's phones cost that it never gave, by how many they are, and at the start.
UNSEEN = {0: 9.0, 1: 8.0, 2: 12.0}


def _best(word: str, phones: Sounds, costs: Mapping[str, Mapping[Sounds, float]]) -> list[Sounds]:
    count, total = len(word), len(phones)
    best = [[math.inf] * (total + 1) for _ in range(count + 1)]
    back = [[0] * (total + 1) for _ in range(count + 1)]
    best[0][0] = 0.0
    for i in range(count):
        table = costs.get(word[i], {})
        row, after, told = best[i], best[i + 1], back[i + 1]
        low = max(0, total - MOST * (count - i))
        for j in range(low, min(total, MOST * i) + 1):
            here = row[j]
            if here == math.inf:
                continue
            for size in range(min(MOST, total - j) + 1):
                cost = here + table.get(phones[j : j + size], UNSEEN[size])
                if not costs:
                    # Nothing is known yet: letters and phones go side by side.
                    cost += abs((i + 1) / count - (j + size) / total)
                if cost < after[j + size]:
                    after[j + size], told[j + size] = cost, size
    parts, j = [], total
    for i in range(count, 0, -1):
        size = back[i][j]
        parts.append(phones[j - size : j])
        j -= size
    return parts[::-1]


def grown(words: Mapping[str, Sequence[Sounds]]) -> Pronouncer:
    """A tree that says these words as they are aligned."""
    letters = EDGE + "".join(sorted({letter for word in words for letter in word}))
    numbers = {letter: number for number, letter in enumerate(letters)}
    sounds = sorted({tuple(part) for parts in words.values() for part in parts})
    classes = {part: number for number, part in enumerate(sounds)}
    windows, said = [], []
    for word, parts in words.items():
        padded = [0] * 9 + [numbers[letter] for letter in word] + [0] * 9
        for place, part in enumerate(parts):
            windows.append([padded[place + 9 + offset] for offset in ORDER])
            said.append(classes[tuple(part)])
    # Breadth first: a node's children lie side by side, after all nodes of its depth.
    table, answers = np.array(windows, "uint8"), np.array(said)
    nodes: list[tuple[int, int, np.ndarray]] = [(0, _usual(answers), np.arange(len(answers)))]
    letter, sound, children = [0], [nodes[0][1]], [0]
    parents = 0
    depth, level = 0, nodes
    while level:
        below: list[tuple[int, int, np.ndarray]] = []
        for _, usual, rows in level:
            if depth < len(ORDER) and not (answers[rows] == usual).all():
                asked = table[rows, depth]
                for value in np.unique(asked):
                    part = rows[asked == value]
                    own = _usual(answers[part])
                    if own == usual and (answers[part] == usual).all():
                        continue
                    below.append((int(value), own, part))
                    children[parents] += 1
            parents += 1
        letter += [value for value, _, _ in below]
        sound += [own for _, own, _ in below]
        children += [0] * len(below)
        depth, level = depth + 1, below
    return Pronouncer(
        letters,
        sounds,
        np.array(letter, "uint8"),
        np.array(sound, "uint16"),
        np.array(children, "uint8"),
    )


def _usual(answers: np.ndarray) -> int:
    return int(np.bincount(answers).argmax())


def learned(words: Sequence[str], seed: int = 0) -> tuple[Pronouncer, float, int]:
    """A tree of all these words as Flite says them.

    Returns:
        The tree; the share of words that a tree which never saw them says as Flite does; and of how many.
    """
    said = {word: phones for word in words if (phones := flite.pronounced(word))}
    parts = aligned(said)
    order = np.random.default_rng(seed).permutation(sorted(parts))
    held = order[: len(order) // 25]
    kept = {word: parts[word] for word in order[len(held) :]}
    return grown(parts), accuracy(grown(kept), {word: said[word] for word in held}), len(held)


def accuracy(pronouncer: Pronouncer, wanted: Mapping[str, Sounds]) -> float:
    """Share of words that it says as they are to be said, stress included."""
    return float(np.mean([tuple(pronouncer(word)) == tuple(phones) for word, phones in wanted.items()]))
