"""Text to the tokens of published summarizers and back: BART's, Pegasus's and T5's tokenizers.

Source: ``transformers`` 5.24, ``models/{bart,pegasus,t5}/tokenization_*.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from sixarts.errors import CheckpointError
from sixarts.readers.sequence_processor import SHORTEST, SequenceProcessor
from sixarts.readers.text_processor import most_tokens
from sixarts.readers.tokenizer_layouts import BYTE_PAIRS, PEGASUS, T5, Layout, read_tokens

#: Most characters of what stands before every text.
PREFIX_CAP = 1000


def task_settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """How the authors of a checkpoint of several tasks summarize: ``task_specific_params.summarization``.

    >>> task_settings({"task_specific_params": {"summarization": {"num_beams": 4}}})
    {'num_beams': 4}
    """
    tasks = config.get("task_specific_params")
    found = tasks.get("summarization") if isinstance(tasks, Mapping) else None
    return found if isinstance(found, Mapping) else {}


class SummaryProcessor(SequenceProcessor):
    """Texts to token numbers, and the numbers of a summary to its text."""

    #: How the tokenizer's files lie where there is no ``tokenizer.json``.
    layout: ClassVar[Layout] = BYTE_PAIRS
    #: The setting that says how many tokens the encoder takes, and what it is where it is silent.
    longest: ClassVar[tuple[str, int]] = ("max_position_embeddings", 1024)

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
        limit = most_tokens(int(config.get(setting) or usual), settings)
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
