"""What models that write do on the way in and out: texts to padded token numbers, and numbers to texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sixarts.batching import LENGTHS, bucket
from sixarts.model import Processor
from sixarts.readers.tokens import Encoded, Tokens

#: Shortest source that a model must take: a token, and what stands around it.
SHORTEST = 4
#: What published decoders of SentencePiece's texts put together, where their settings say so.
_TOGETHER = {
    " .": ".",
    " ?": "?",
    " !": "!",
    " ,": ",",
    " ' ": "'",
    " n't": "n't",
    " 'm": "'m",
    " 's": "'s",
    " 've": "'ve",
    " 're": "'re",
}


class SequenceProcessor(Processor):
    """Texts to token numbers, and the numbers of what is written to its text.

    Args:
        tokens: the tokenizer.
        source_limit: most tokens that the encoder takes, those of the frame too.
        prefix: what stands before every text, for a model of several tasks; :meth:`encode` does not add it.
        joined: whether spaces before punctuation are taken out of what is written.
        files: the tokenizer's files as they were read, to be written again.
    """

    def __init__(
        self,
        tokens: Tokens,
        source_limit: int,
        prefix: str = "",
        joined: bool = False,
        files: Mapping[str, bytes] | None = None,
    ) -> None:
        self._tokens, self.source_limit, self.prefix, self._joined = tokens, source_limit, prefix, joined
        self._files = dict(files or {})

    def save(self, folder: Path) -> None:
        for name, content in self._files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    # Texts to arrays.

    def encode(self, texts: Sequence[str], max_length: int | None = None) -> list[np.ndarray]:
        """Token numbers of each text, special ones included, int32.

        Args:
            texts: as they stand: :attr:`prefix` is the caller's to add.
            max_length: most tokens; of a longer text the beginning is kept, within its frame.
        """
        return [
            np.asarray(self._tokens.framed(self._cut(text, max_length).ids, None), "int32") for text in texts
        ]

    def spans(self, text: str, max_length: int | None = None) -> list[tuple[int, int]]:
        """Where each token of :meth:`encode` stands: first character, and the one after its last.

        Special ones stand nowhere, at (0, 0).
        """
        return self._tokens.framed(self._cut(text, max_length).spans, None, other=(0, 0))

    def _cut(self, text: str, max_length: int | None) -> Encoded:
        found = self._tokens.encode(text)
        if max_length is None:
            return found
        return found.cut(0, max(max_length - self._tokens.frame.added(False), 0))

    def pad(self, ids: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """``input_ids`` and ``attention_mask``, ``[b, s]`` in int32, of a few widths only."""
        most = max(map(len, ids))
        width = max(most, min(bucket(most, LENGTHS), self.source_limit))
        found = np.full((len(ids), width), self._tokens.pad, "int32")
        mask = np.zeros_like(found)
        for row, numbers in enumerate(ids):
            found[row, : len(numbers)] = numbers
            mask[row, : len(numbers)] = 1
        return {"input_ids": found, "attention_mask": mask}

    # Numbers to texts.

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers; special tokens are left out."""
        text = self._tokens.decode(ids)
        for apart, together in _TOGETHER.items() if self._joined else ():
            text = text.replace(apart, together)
        return text.strip()

    def tokens(self, ids: Sequence[int]) -> list[str]:
        """Each number's own piece of text, as a person reads it."""
        return [self._tokens.piece(int(number)) for number in ids]

    def is_special(self, token: int) -> bool:
        """Whether a number stands for no text: start, end, padding, mask."""
        return self._tokens.is_special(int(token))
