"""How letters sound: a tree that asks for a letter's neighbors, nearest first, until it knows.

Source: Daelemans et al. 1997, "IGTree: Using Trees for Compression and Classification in Lazy Learning". It
holds a whole lexicon, and what it has not seen it says by what the nearest neighbors told elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from sixarts.checkpoint import Weights
from sixarts.errors import CheckpointError
from sixarts.model import read_json, write_json
from sixarts.readers.safetensors_file import read_safetensors, write_weights

TREE, TABLE = "pronunciation.safetensors", "pronunciation.json"
#: Places of the neighbors that are asked for, in this order, from the letter itself.
ORDER = (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8, -8, 9, -9)
#: What stands beyond a word's ends.
EDGE = "_"
#: Letters of a word at most.
LONGEST = 64


class Pronouncer:
    """Words to phones.

    Args:
        letters: those that the tree tells apart, :data:`EDGE` first.
        sounds: what a letter may give: phones, none or several.
        letter, sound, children: of each node, ``[n]``: the neighbor that leads to it, what it says, and how
            many stand below it. Children stand side by side, in the order of their parents, by letter.
    """

    def __init__(
        self,
        letters: str,
        sounds: Sequence[Sequence[str]],
        letter: np.ndarray,
        sound: np.ndarray,
        children: np.ndarray,
    ) -> None:
        self.letters, self.table = letters, tuple(map(tuple, sounds))
        self.letter, self.sound, self.children = letter, sound, children
        self.first = np.concatenate([[1], 1 + np.cumsum(children, dtype="int64")])
        self._numbers = {name: number for number, name in enumerate(letters)}

    @property
    def phones(self) -> set[str]:
        """All that it may say."""
        return {phone for sounds in self.table for phone in sounds}

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        said = read_json(folder / TABLE)
        letters, sounds = said.get("letters"), said.get("sounds")
        tree: Weights = Weights(folder / TREE, read_safetensors(folder / TREE))
        try:
            letter, sound, children = (tree.read(name) for name in ("letter", "sound", "children"))
        except KeyError as error:
            raise CheckpointError(f"{TREE} has no {error}; expected letter, sound and children") from None
        count = len(letter)
        sane = (
            isinstance(letters, str)
            and letters[:1] == EDGE
            and isinstance(sounds, list)
            and all(isinstance(each, list) and all(isinstance(s, str) for s in each) for each in sounds)
            and letter.dtype.kind == sound.dtype.kind == children.dtype.kind == "u"
            and letter.shape == sound.shape == children.shape == (count,)
            and count > 0
            and letter.max() < len(letters)
            and sound.max() < len(sounds)
            # Children come after their parents, so that no walk goes in a circle.
            and int(children.sum(dtype="int64")) == count - 1
            and (np.cumsum(children, dtype="int64") >= np.arange(1, count + 1))[:-1].all()
        )
        if not sane:
            raise CheckpointError(f"{TREE} and {TABLE} are no tree over letters; expected those of one voice")
        return cls(letters, sounds, letter, sound, children)

    def save(self, folder: Path) -> None:
        write_json(folder / TABLE, {"letters": self.letters, "sounds": [list(each) for each in self.table]})
        arrays = {"letter": self.letter, "sound": self.sound, "children": self.children}
        write_weights(folder / TREE, arrays)

    def __call__(self, word: str) -> list[str]:
        """Phones of a word; letters that it does not know are passed over."""
        known = [self._numbers[letter] for letter in word.lower()[:LONGEST] if letter in self._numbers]
        padded = [0] * 9 + known + [0] * 9
        found: list[str] = []
        for place in range(len(known)):
            node = 0
            for offset in ORDER:
                start, end = int(self.first[node]), int(self.first[node + 1])
                wanted = padded[place + 9 + offset]
                at = start + int(np.searchsorted(self.letter[start:end], wanted))
                if at == end or self.letter[at] != wanted:
                    break
                node = at
            found += self.table[self.sound[node]]
        return found
