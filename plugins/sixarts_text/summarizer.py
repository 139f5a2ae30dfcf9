"""The families that write summaries over core's encoder–decoder: ``bart`` and ``pegasus``.

Sources: Lewis et al. 2020 (BART); Zhang et al. 2020 (PEGASUS); weight names as published with
``transformers`` (``BartForConditionalGeneration``, ``PegasusForConditionalGeneration``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from sixarts.errors import TrainingError
from sixarts.layers import sinusoids
from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts_text.summary_processor import (
    BartProcessor,
    PegasusProcessor,
    SummaryProcessor,
    task_settings,
)


class Summarizer(EncoderDecoder):
    """What these families share: a checkpoint of several tasks says how it summarizes."""

    processor_class: ClassVar[type[SummaryProcessor]] = BartProcessor
    ignored: ClassVar[tuple[str, ...]] = (*EncoderDecoder.ignored, "model.*coder.version")

    @property
    def published_settings(self) -> dict[str, Any]:
        # As published pipelines do, the task's own settings go before those of generation at large.
        return {**super().published_settings, **task_settings(self.config)}

    def learned_from(self, documents: Sequence[Any], count: int) -> Self:
        """A model sized by documents, which there is none of here.

        Raises:
            TrainingError: always; what to do instead.
        """
        raise TrainingError(
            f"a new model of family {self.family!r}; expected one with weights, since its tokenizer comes "
            "with a checkpoint; load one and fine-tune it, or take family='extractive' and call fit(examples)"
        )


class Bart(Summarizer):
    """Lewis et al. 2020: norms after each part and over the embeddings, learned positions."""

    family = "bart"
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "bart",
        "architectures": ["BartForConditionalGeneration"],
        "vocab_size": 50265,
        "pad_token_id": 1,
        "eos_token_id": 2,
        "decoder_start_token_id": 2,
        "forced_eos_token_id": 2,
    }
    norm_embedding = True
    # The layout keeps two rows before the first position.
    positions: ClassVar[Mapping[str, Any]] = {"offset": 2}


class Pegasus(Summarizer):
    """Zhang et al. 2020: norms before each part, positions by formula."""

    family = "pegasus"
    processor_class = PegasusProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "pegasus",
        "architectures": ["PegasusForConditionalGeneration"],
        "vocab_size": 50265,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
        "forced_eos_token_id": 1,
    }
    norm_first = True
    positions: ClassVar[Mapping[str, Any]] = {"formula": sinusoids}
