"""What a KerasHub preset does to a text, or a pair of texts, before its network sees it, in NumPy.

Source: ``keras_hub.models.TextClassifierPreprocessor`` and ``keras_hub.layers.MultiSegmentPacker``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.readers.pieces import Piece, Shares, pieces_of
from sixarts.readers.text_processor import TextProcessor, is_exclusive
from sixarts.readers.tokens import Tokens
from sixarts_hub.strict_json import short
from sixarts_kerashub.preset_lengths import SETTINGS, check_fit, length_of, read_settings, settings_file
from sixarts_kerashub.preset_tokens import read_tokens
from sixarts_kerashub.reading import stated

#: Networks that take no mask: what they make of a text depends on how much padding follows it.
UNMASKED = ("FNet",)


def round_robin(first: int, second: int, room: int) -> tuple[int, int]:
    """How much of two lengths is kept, where each gets one by turns, the first one first.

    >>> round_robin(10, 3, 8), round_robin(9, 9, 7)
    ((5, 3), (4, 3))
    """
    kept = min(first, max(room - second, room - room // 2))
    return kept, room - kept


def waterfall(first: int, second: int, room: int) -> tuple[int, int]:
    """The same, where the first gets all that it needs.

    >>> waterfall(6, 9, 8)
    (6, 2)
    """
    return min(first, room), room - min(first, room)


TRUNCATIONS: dict[str, Shares] = {"round_robin": round_robin, "waterfall": waterfall}


class PresetTextProcessor(TextProcessor):
    """Texts to token numbers as a preset's preprocessor makes them.

    Args:
        tokens: the tokenizer.
        labels: the network's classes, in order.
        exclusive: whether a text is of one class alone.
        limit: most tokens that the network takes.
        files: the preset's files as they were read, to be written again.
        truncate: name of the rule by which pairs are cut.
        masked: whether the network knows what is padding; else every text is padded to ``limit``.
    """

    def __init__(
        self,
        tokens: Tokens,
        labels: Sequence[str],
        exclusive: bool,
        limit: int,
        files: Mapping[str, bytes],
        truncate: str = "round_robin",
        masked: bool = True,
    ) -> None:
        super().__init__(tokens, labels, exclusive, limit, files)
        self.truncate, self.masked = truncate, masked

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        stem = stated(config, "config.json")[0].removesuffix("Backbone")
        tokens, files = read_tokens(folder, stem)
        settings = read_settings(folder, f"{stem}TextClassifierPreprocessor", f"{stem}Preprocessor")
        check_fit(tokens, config, folder)
        limit = length_of(config, settings, "sequence_length")
        truncate = settings.get("truncate", "round_robin")
        if truncate not in TRUNCATIONS:
            raise CheckpointError(
                f"{SETTINGS} has truncate {short(truncate)}; expected {' or '.join(TRUNCATIONS)}"
            )
        labels, exclusive = labels_of(config), is_exclusive(config)
        kept = {**files, **settings_file(folder)}
        return cls(tokens, labels, exclusive, limit, kept, truncate, stem not in UNMASKED)

    def relabeled(self, labels: Sequence[str]) -> Self:
        return type(self)(
            self.tokens, labels, self.exclusive, self.limit, self._files, self.truncate, self.masked
        )

    def pieces(self, x: Any, long: str = "windows", stride: int | None = None) -> Iterator[Piece]:
        return pieces_of(x, self.tokens, self.limit, long, stride, TRUNCATIONS[self.truncate])

    def arrays(self, pieces: Sequence[Any]) -> dict[str, np.ndarray]:
        found = super().arrays(pieces)
        if self.masked:
            return found
        rest = ((0, 0), (0, self.limit - found["input_ids"].shape[1]))
        return {
            name: np.pad(array, rest, constant_values=self.tokens.pad if name == "input_ids" else 0)
            for name, array in found.items()
        }

    def without(self, arrays: Mapping[str, np.ndarray], row: int, columns: Sequence[int]) -> None:
        if self.masked:
            super().without(arrays, row, columns)
        else:
            arrays["input_ids"][row, list(columns)] = self.tokens.pad
