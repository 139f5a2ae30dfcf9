"""What published classifiers of texts do on the way in: tokens, frames, padding; and their classes' names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from sixarts.batching import TRAINING_LENGTHS, bucket
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.model import Processor
from sixarts.readers.pieces import Piece, Stretch, pieces_of
from sixarts.readers.tokenizer_layouts import WORD_PIECES, Layout, read_tokens
from sixarts.readers.tokens import Tokens

#: What ``model_max_length`` says at most; files write 10**30 where they mean no limit.
UNLIMITED = 10**9
#: Shortest text that a model must take: the frame of a pair, and a token of each.
SHORTEST = 6


class TextProcessor(Processor):
    """Texts to token numbers, and classes to their names.

    Args:
        tokens: the tokenizer.
        labels: the network's classes, in order.
        exclusive: whether a text is of one class alone; else of any number of them.
        limit: most tokens that the network takes.
        files: the tokenizer's files as they were read, to be written again.
    """

    #: How the tokenizer's files lie where there is no ``tokenizer.json``.
    layout: ClassVar[Layout] = WORD_PIECES

    def __init__(
        self, tokens: Tokens, labels: Sequence[str], exclusive: bool, limit: int, files: Mapping[str, bytes]
    ) -> None:
        self.tokens, self.labels, self.exclusive, self.limit = tokens, tuple(labels), exclusive, limit
        self._files = dict(files)

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        tokens, files, settings = read_tokens(folder, cls.layout)
        if tokens.size > config["vocab_size"]:
            raise CheckpointError(
                f"the tokenizer in {folder} has {tokens.size} tokens, and config.json has "
                f"vocab_size={config['vocab_size']}; expected no more than that; the two are not of one model"
            )
        limit = most_tokens(cls.positions(config), settings)
        if limit < SHORTEST:
            raise CheckpointError(f"a model of {limit} tokens; expected {SHORTEST} or more; see config.json")
        return cls(tokens, labels_of(config), is_exclusive(config), limit, files)

    @classmethod
    def positions(cls, config: Mapping[str, Any]) -> int:
        """How many tokens a network of this configuration has positions for."""
        return int(config["max_position_embeddings"])

    def save(self, folder: Path) -> None:
        for name, content in self._files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def relabeled(self, labels: Sequence[str]) -> Self:
        """The same for other classes."""
        return type(self)(self.tokens, labels, self.exclusive, self.limit, self._files)

    @property
    def room(self) -> int:
        """How many tokens of one text the network takes."""
        return self.limit - self.tokens.frame.added(False)

    # Texts to arrays.

    def pieces(self, x: Any, long: str = "windows", stride: int | None = None) -> Iterator[Piece]:
        """The pieces of a text or a pair; see :func:`sixarts.readers.pieces.pieces_of`."""
        return pieces_of(x, self.tokens, self.limit, long, stride)

    def arrays(self, pieces: Sequence[Any]) -> dict[str, np.ndarray]:
        """``input_ids``, ``attention_mask`` and ``token_type_ids``, ``[b, t]`` in int32, right-padded.

        Args:
            pieces: from :meth:`pieces`, or texts, of which the beginning is taken.
        """
        found = [
            piece if isinstance(piece, Piece) else next(self.pieces(piece, "truncate")) for piece in pieces
        ]
        length = min(bucket(max(piece.count for piece in found), TRAINING_LENGTHS), self.limit)
        ids = np.full((len(found), length), self.tokens.pad, "int32")
        mask, segments = np.zeros_like(ids), np.zeros_like(ids)
        for row, piece in enumerate(found):
            second = None if piece.second is None else piece.second.ids
            ids[row, : piece.count] = self.tokens.framed(piece.first.ids, second)
            mask[row, : piece.count] = 1
            if second is not None:
                segments[row, : piece.count] = self.tokens.segments(piece.first.ids, second)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}

    # For explanations.

    def baseline(self, arrays: Mapping[str, np.ndarray], piece: Piece) -> np.ndarray:
        """A text that says nothing: padding in the place of its tokens, inside the same frame."""
        ids = np.array(arrays["input_ids"])
        ids[0, [place for place, at in enumerate(self.places(piece)) if at]] = self.tokens.pad
        return ids

    def places(self, piece: Piece) -> list[list[list[Stretch]]]:
        """For each column its occurrences, each with the stretches of text that it stands for.

        A token has one; columns of the frame have none.
        """
        first = [[[(0, *span)]] for span in piece.first.spans]
        second = None if piece.second is None else [[[(1, *span)]] for span in piece.second.spans]
        return self.tokens.framed(first, second, other=[])

    def without(self, arrays: Mapping[str, np.ndarray], row: int, columns: Sequence[int]) -> None:
        """Hides some columns of a row, in place: no token looks at them."""
        arrays["attention_mask"][row, list(columns)] = 0


def is_exclusive(config: Mapping[str, Any]) -> bool:
    """Whether a configuration's classes exclude one another.

    A single class is told by its own probability, as for several labels.

    Raises:
        CheckpointError: the model gives a number and no classes, or the problem is not known.
    """
    kind = config.get("problem_type")
    known = ("single_label_classification", "multi_label_classification")
    if kind not in (None, *known):
        raise CheckpointError(
            f"problem_type={str(kind)[:60]!r} in config.json; expected {' or '.join(known)}: this task "
            "answers with classes; choose another model"
        )
    return kind == known[0] or (kind is None and len(labels_of(config)) > 1)


def most_tokens(positions: int, settings: Mapping[str, Any]) -> int:
    """How many tokens a model takes that has so many positions, by its tokenizer's settings too.

    >>> most_tokens(514, {"model_max_length": 512}), most_tokens(512, {"model_max_length": 10**30})
    (512, 512)
    """
    stated = settings.get("model_max_length")
    if isinstance(stated, int | float) and stated is not True and 0 < stated < UNLIMITED:
        return min(positions, int(stated))
    return positions
