"""What stands before and after Whisper's network: log-mel features, and tokens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from sixarts.errors import CheckpointError
from sixarts.model import Processor, read_optional_json, write_json
from sixarts_speech.whisper_features import LogMel
from sixarts_speech.whisper_tokens import WhisperTokens

FEATURES = "preprocessor_config.json"
#: Where newer folders keep the same.
JOINT = "processor_config.json"


class WhisperProcessor(Processor):
    """Sound to features, tokens to text.

    Attributes:
        features: how sound becomes features.
        tokens: the tokenizer.
    """

    def __init__(self, features: LogMel, tokens: WhisperTokens) -> None:
        self.features, self.tokens = features, tokens

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        stated = read_optional_json(folder / FEATURES)
        if not stated:
            joint = read_optional_json(folder / JOINT).get("feature_extractor")
            stated = joint if isinstance(joint, dict) else {"feature_size": config["num_mel_bins"]}
        features = LogMel.from_config(stated)
        for name, found, wanted in (
            ("feature_size", features.feature_size, config["num_mel_bins"]),
            ("frames of a window", features.window_frames, 2 * config["max_source_positions"]),
        ):
            if found != wanted:
                raise CheckpointError(
                    f"{FEATURES} says {found} of {name}; expected {wanted}, as config.json does; the two are "
                    "not of one model"
                )
        tokens = WhisperTokens.from_folder(folder)
        if tokens.plain_size > config["vocab_size"]:
            raise CheckpointError(
                f"the tokenizer in {folder} numbers its pieces up to {tokens.plain_size - 1}, and "
                f"config.json has vocab_size={config['vocab_size']}; expected more; the two are not of one "
                "model"
            )
        return cls(features, tokens)

    def save(self, folder: Path) -> None:
        stated = {"feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor"}
        write_json(folder / FEATURES, {**self.features.stated, **stated})
        self.tokens.save(folder)
