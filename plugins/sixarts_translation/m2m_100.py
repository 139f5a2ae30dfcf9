"""The ``m2m_100`` family: M2M-100 and NLLB-200, as ``facebook/m2m100_*`` and ``facebook/nllb-200-*`` lie.

Source: Fan et al. 2021 (M2M-100); NLLB Team 2022; weight names as published with ``transformers``
(``M2M100ForConditionalGeneration``). NLLB's mixture of experts (``nllb-moe``) is another network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts_translation.multilingual_processor import MultilingualProcessor


def geometric_sinusoids(length: int, width: int) -> np.ndarray:
    """As :func:`sixarts.layers.sinusoids`, with wave lengths up to 10000; an odd last column is zero.

    Source: the table of tensor2tensor and fairseq.

    >>> geometric_sinusoids(2, 4).round(3).tolist()
    [[0.0, 0.0, 1.0, 1.0], [0.8410000205039978, 0.0, 0.5400000214576721, 1.0]]
    """
    half = width // 2
    rates = np.exp(np.arange(half, dtype="float32") * np.float32(-np.log(10000) / (half - 1)))
    angles = np.arange(length, dtype="float32")[:, None] * rates
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    return np.pad(table, ((0, 0), (0, width % 2))).astype("float32")


class M2M100(EncoderDecoder):
    """M2M-100's network: norms before each part, positions by formula, no bias on the logits."""

    family = "m2m_100"
    processor_class = MultilingualProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "m2m_100",
        "architectures": ["M2M100ForConditionalGeneration"],
        "vocab_size": 128112,
        "activation_function": "relu",
        "attention_dropout": 0.1,
        "scale_embedding": True,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
    }
    norm_first = True
    bias_logits = False
    # Positions are numbered from the padding token's number on, plus one.
    positions: ClassVar[Mapping[str, Any]] = {"formula": geometric_sinusoids, "offset": 2}
    # Some files carry the formula's tables and fairseq's version marks.
    ignored: ClassVar[tuple[str, ...]] = (
        *EncoderDecoder.ignored,
        "model.*.embed_positions.weights",
        "model.*.version",
        "final_logits_bias",
    )
