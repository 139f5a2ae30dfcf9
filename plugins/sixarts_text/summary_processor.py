"""Text to the tokens of published summarizers and back: BART's, Pegasus's and T5's tokenizers.

Source: ``transformers`` 5.24, ``models/{bart,pegasus,t5}/tokenization_*.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from sixarts.batching import LENGTHS, bucket
from sixarts.errors import CheckpointError
from sixarts.model import Processor
from sixarts_text.text_processor import UNLIMITED
from sixarts_text.tokenizer_layouts import BYTE_PAIRS, PEGASUS, T5, Layout, read_tokens
from sixarts_text.tokens import Encoded, Tokens

#: Shortest source that a model must take: a token, and what stands around it.
SHORTEST = 4
#: Most characters of what stands before every text.
PREFIX_CAP = 1000
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


def task_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the authors of a checkpoint of several tasks summarize: ``task_specific_params.summarization``.

    >>> task_settings({"task_specific_params": {"summarization": {"num_beams": 4}}})
    {'num_beams': 4}
    """
    tasks = config.get("task_specific_params")
    found = tasks.get("summarization") if isinstance(tasks, Mapping) else None
    return found if isinstance(found, Mapping) else {}


class SummaryProcessor(Processor):
    """Texts to token numbers, and the numbers of a summary to its text.

    Args:
        tokens: the tokenizer.
        source_limit: most tokens that the encoder takes, those of the frame too.
        prefix: what stands before every text, for a model of several tasks; :meth:`encode` does not add it.
        joined: whether spaces before punctuation are taken out of what is written.
        files: the tokenizer's files as they were read, to be written again.
    """

    #: How the tokenizer's files lie where there is no ``tokenizer.json``.
    layout: ClassVar[Layout] = BYTE_PAIRS
    #: The setting that says how many tokens the encoder takes, and what it is where it is silent.
    longest: ClassVar[tuple[str, int]] = ("max_position_embeddings", 1024)

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

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        tokens, files, settings = read_tokens(folder, cls.layout)
        # A published vocabulary may be one smaller than its tokenizer, whose mask no text is ever read as.
        if tokens.plain_size > config["vocab_size"]:
            raise CheckpointError(
                f"the tokenizer in {folder} numbers its pieces up to {tokens.plain_size - 1}, and "
                f"config.json has vocab_size={config['vocab_size']}; expected more; the two are not of one "
                "model"
            )
        setting, usual = cls.longest
        limit = int(config.get(setting) or usual)
        stated = settings.get("model_max_length")
        if type(stated) in (int, float) and 0 < stated < UNLIMITED:
            limit = min(limit, int(stated))
        if limit < SHORTEST:
            raise CheckpointError(f"a model of {limit} tokens; expected {SHORTEST} or more; see config.json")
        prefix = task_settings(config).get("prefix") or ""
        if not isinstance(prefix, str) or len(prefix) > PREFIX_CAP:
            raise CheckpointError(
                f"prefix={str(prefix)[:60]!r} in config.json; expected a text of at most {PREFIX_CAP} "
                "characters"
            )
        joined = settings.get("clean_up_tokenization_spaces") is True and not tokens.by_bytes
        return cls(tokens, limit, prefix, joined, files)

    def save(self, folder: Path) -> None:
        for name, content in self._files.items():
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


class BartProcessor(SummaryProcessor):
    """BART's: byte pairs, ``<s> A </s>``."""


class PegasusProcessor(SummaryProcessor):
    """Pegasus's: SentencePiece, with 103 numbers set aside before its pieces; ``<n>`` is a new line."""

    layout = PEGASUS

    def decode(self, ids: Sequence[int]) -> str:
        return super().decode(ids).replace("<n>", "\n")


class T5Processor(SummaryProcessor):
    """T5's: SentencePiece, with sentinels after its pieces."""

    layout = T5
    # Positions are relative: what a T5 was trained with is its limit.
    longest = ("n_positions", 512)
