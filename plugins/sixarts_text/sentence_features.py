"""A document's sentences to the numbers of their features: what the ``extractive`` family weighs.

A feature is a word, a pair of neighbors, how a sentence begins, or where and how it stands in its document:
names of these begin with ``@``. Features lie in a file that can be read.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from sixarts.batching import bucket
from sixarts.errors import CheckpointError
from sixarts.model import Processor, read_json, write_json
from sixarts_text.ngrams import words_of

FILE = "features.json"
#: Counts of features, and of sentences, that are rounded up to.
COUNTS = (32, 128, 256)
SENTENCES = (4, 8, 16, 32)
#: Most features of a sentence that are read; one that has more is of some hundred words.
MOST = COUNTS[-1]
#: Most characters of a feature in a file.
FEATURE_CAP = 1000

_DIGIT = re.compile(r"\d")


class Feature(NamedTuple):
    """A feature of a sentence.

    Attributes:
        name: as it stands in the file.
        words: which of the sentence's words it is made of, by number; none for one of the whole sentence.
    """

    name: str
    words: tuple[int, ...] = ()


class FeatureProcessor(Processor):
    """Documents to arrays.

    Args:
        features: what the network weighs, in order.
    """

    def __init__(self, features: Sequence[str]) -> None:
        self.features = tuple(features)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Feature to its number; 0 is padding's."""
        return {feature: number for number, feature in enumerate(self.features, 1)}

    @classmethod
    def learned_from(cls, documents: Sequence[Sequence[str]], least: int) -> Self:
        """A processor of the features of some documents, the commonest first.

        Args:
            documents: the sentences of each.
            least: in how many sentences a feature must occur.
        """
        seen: Counter[str] = Counter()
        for sentences in documents:
            for row in features_of(sentences):
                seen.update({feature.name for feature in row})
        kept = [name for name, count in seen.items() if count >= least or name.startswith("@")]
        return cls(sorted(kept, key=lambda name: (-seen[name], name)))

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        found = read_json(folder / FILE).get("features")
        if not isinstance(found, list) or not all(
            isinstance(n, str) and len(n) <= FEATURE_CAP for n in found
        ):
            raise CheckpointError(f"{folder / FILE} has no list of features; expected texts; fetch it again")
        if len(set(found)) < len(found) or len(found) != config.get("num_features"):
            raise CheckpointError(
                f"{folder / FILE} has {len(found)} features, {len(set(found))} of them different, and "
                f"config.json states {config.get('num_features')}; the two are not of one model"
            )
        return cls(found)

    def save(self, folder: Path) -> None:
        write_json(folder / FILE, {"features": list(self.features)})

    def known(self, sentences: Sequence[str]) -> list[list[Feature]]:
        """The features of each sentence that the network weighs, in the columns' order."""
        return [
            [feature for feature in row if feature.name in self.numbers][:MOST]
            for row in features_of(sentences)
        ]

    def arrays(self, documents: Sequence[Sequence[str]]) -> dict[str, np.ndarray]:
        """The network's inputs for the sentences of some documents.

        Returns:
            ``input_ids`` ``[b, s, n]``, 0 behind the features; ``feature_weights`` of the same shape, so that
            long sentences do not outweigh short ones; ``sentence_mask`` ``[b, s]``, 1 where one stands.
        """
        found = [self.known(sentences) for sentences in documents]
        height = bucket(max(map(len, found)), SENTENCES)
        width = bucket(max([1, *(len(row) for rows in found for row in rows)]), COUNTS)
        ids = np.zeros((len(found), height, width), "int32")
        weights = np.zeros(ids.shape, "float32")
        mask = np.zeros(ids.shape[:2], "int32")
        for place, rows in enumerate(found):
            mask[place, : len(rows)] = 1
            for row, features in enumerate(rows):
                ids[place, row, : len(features)] = [self.numbers[feature.name] for feature in features]
                worded = sum(bool(feature.words) for feature in features)
                weights[place, row, : len(features)] = [
                    max(worded, 1) ** -0.5 if feature.words else 1.0 for feature in features
                ]
        return {"input_ids": ids, "feature_weights": weights, "sentence_mask": mask}


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= FEATURE_CAP


def described(name: str) -> str:
    """A feature of the whole sentence in words.

    >>> described("@first 0"), described("@words 2"), described("@shared 3")
    ('sentence 1', '8 to 11 words', '30 % of words shared')
    """
    kind, number = name.split(" ")
    count = int(number)
    return {
        "@first": f"sentence {count + 1}",
        "@last": f"{count} after it",
        "@words": f"{4 * count} to {4 * count + 3} words",
        "@sentences": f"{count} sentences in all",
        "@shared": f"{10 * count} % of words shared",
    }[kind]


def features_of(sentences: Sequence[str]) -> list[list[Feature]]:
    """The different features of each of a document's sentences, those of the whole sentence first.

    >>> [feature.name for feature in features_of(["A dog.", "It bit."])[0]]
    ['@first 0', '@last 1', '@words 0', '@sentences 2', '@shared 0', 'a', 'dog', 'a dog', '^ a', '^ a dog']
    """
    read = [_DIGIT.sub("0", " ".join(words_of(text).words)).split(" ") for text in sentences]
    read = [[word for word in words if word] for words in read]
    seen = Counter(word for words in read for word in set(words))
    found = []
    for place, words in enumerate(read):
        different = set(words)
        shared = sum(seen[word] > 1 for word in different) / max(len(different), 1)
        row = [
            Feature(f"@first {min(place, 8)}"),
            Feature(f"@last {min(len(read) - 1 - place, 8)}"),
            Feature(f"@words {min(len(words) // 4, 12)}"),
            Feature(f"@sentences {min(len(read), 12)}"),
            Feature(f"@shared {int(10 * shared)}"),
        ]
        row += [Feature(word, (number,)) for number, word in enumerate(words)]
        row += [
            Feature(f"{one} {two}", (number, number + 1))
            for number, (one, two) in enumerate(itertools.pairwise(words))
        ]
        row += [Feature(f"^ {words[0]}", (0,))] if words else []
        if len(words) > 1:
            begun = words[:3]
            row.append(Feature(f"^ {' '.join(begun)}", tuple(range(len(begun)))))
        # A feature counts once; of several places the first is shown.
        found.append(list({feature.name: feature for feature in reversed(row)}.values())[::-1])
    return found
