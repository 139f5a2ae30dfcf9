"""How the families of published classifiers read texts, each by its layout of a tokenizer's files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sixarts.readers.text_processor import TextProcessor
from sixarts.readers.tokenizer_layouts import BYTE_PAIRS, DEBERTA, FAIRSEQ


class RobertaProcessor(TextProcessor):
    """RoBERTa's: byte pairs; positions are counted from after the padding token's number on."""

    layout = BYTE_PAIRS

    @classmethod
    def positions(cls, config: Mapping[str, Any]) -> int:
        return int(config["max_position_embeddings"]) - int(config["pad_token_id"]) - 1


class XLMRobertaProcessor(RobertaProcessor):
    """XLM-RoBERTa's: SentencePiece, numbered as fairseq does."""

    layout = FAIRSEQ


class DebertaProcessor(TextProcessor):
    """DeBERTa's, from its second version on: SentencePiece."""

    layout = DEBERTA
