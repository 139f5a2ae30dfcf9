"""The ``mbart`` family: mBART and mBART-50, in the layout of ``facebook/mbart-large-*``.

Source: Liu et al. 2020 (mBART); Tang et al. 2020 (mBART-50); weight names as published with ``transformers``
(``MBartForConditionalGeneration``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts_translation.multilingual_processor import MultilingualProcessor


class MBart(EncoderDecoder):
    """mBART's network: norms before each part and over the embeddings, learned positions."""

    family = "mbart"
    processor_class = MultilingualProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "mbart",
        "architectures": ["MBartForConditionalGeneration"],
        "vocab_size": 50265,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "forced_eos_token_id": 2,
    }
    norm_first = True
    norm_embedding = True
    # The layout keeps two rows before the first position.
    positions: ClassVar[Mapping[str, Any]] = {"offset": 2}

    @classmethod
    def configure(cls, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        if full.get("decoder_start_token_id") is None:
            full["decoder_start_token_id"] = full["eos_token_id"]
        return full
