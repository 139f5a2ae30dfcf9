"""The ``marian`` family: the encoder–decoder of Marian NMT, in the layout of ``Helsinki-NLP/opus-mt-*``.

Source: Junczys-Dowmunt et al. 2018 (Marian); Tiedemann and Thottingal 2020 (OPUS-MT); weight names as
published with ``transformers`` (``MarianMTModel``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sixarts.layers import sinusoids
from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts_translation.marian_processor import MarianProcessor


class Marian(EncoderDecoder):
    """Marian's network: norms after each part, positions by formula; two vocabularies or one."""

    family = "marian"
    processor_class = MarianProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "marian",
        "architectures": ["MarianMTModel"],
        "vocab_size": 58101,
        "share_encoder_decoder_embeddings": True,
    }
    positions: ClassVar[Mapping[str, Any]] = {"formula": sinusoids}
    settings = EncoderDecoder.settings | {"share_encoder_decoder_embeddings", "decoder_vocab_size"}

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        full["decoder_vocab_size"] = full.get("decoder_vocab_size") or full["vocab_size"]
        full.setdefault("pad_token_id", full["decoder_vocab_size"] - 1)
        full.setdefault("eos_token_id", 0)
        if full.get("decoder_start_token_id") is None:
            full["decoder_start_token_id"] = full["pad_token_id"]
        full.setdefault("forced_eos_token_id", full["eos_token_id"])
        return full

    def sized(self, processor: Any) -> dict[str, Any]:
        words = processor.target_vocabulary
        return {
            **self.config,
            "vocab_size": len(processor.vocabulary),
            "decoder_vocab_size": len(words),
            "share_encoder_decoder_embeddings": False,
            "pad_token_id": words["<pad>"],
            "decoder_start_token_id": words["<pad>"],
            "eos_token_id": words["</s>"],
            "forced_eos_token_id": words["</s>"],
            "bad_words_ids": [[words["<pad>"]], [words["<unk>"]]],
        }
