"""Sound and text as wav2vec 2.0 and HuBERT take them: raw samples, and a vocabulary that CTC spells with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.model import Processor, read_json, read_optional_json, write_json
from sixarts.readers.limits import TRUTH, check, whole
from sixarts_speech.vocabulary import Vocabulary, tokens_of

VOCABULARY, FEATURES, TOKENIZER = "vocab.json", "preprocessor_config.json", "tokenizer_config.json"
#: What is added to a sound's variance before it is divided by it.
EPSILON = 1e-7


class Wav2Vec2Processor(Processor):
    """Samples with mean 0 and variance 1, where the checkpoint says so, and how many they are.

    Args:
        vocabulary: the tokens.
        rate: samples a second.
        normalized: whether sounds are.
        stated: ``tokenizer_config.json``, kept as it came.
    """

    def __init__(
        self, vocabulary: Vocabulary, rate: int, normalized: bool, stated: Mapping[str, Any] | None = None
    ) -> None:
        self.vocabulary, self.rate, self.normalized = vocabulary, rate, normalized
        self.stated = dict(stated or {})

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        features = {
            "sampling_rate": 16_000,
            "do_normalize": True,
            **(read_optional_json(folder / FEATURES) or {}),
        }
        check(features, {"sampling_rate": whole(4_000, 96_000), "do_normalize": TRUTH})
        stated = read_optional_json(folder / TOKENIZER) or {}
        special = read_optional_json(folder / "special_tokens_map.json") or {}
        table = read_json(folder / VOCABULARY)
        language = stated.get("target_lang")
        if table and all(isinstance(entry, dict) for entry in table.values()):
            # One table a language, as MMS has them.
            if language not in table:
                raise CheckpointError(
                    f"{folder / VOCABULARY} is for {len(table)} languages, and {TOKENIZER} chooses none with "
                    "target_lang; expected one of them there"
                )
            table = table[language]
        added = added_tokens(stated)
        tokens = tokens_of({**table, **added}, config["vocab_size"], str(folder / VOCABULARY))
        pad = _text(special.get("pad_token", stated.get("pad_token", "<pad>")))
        blank = tokens.index(pad) if pad in tokens else config["pad_token_id"]
        delimiter = _text(stated.get("word_delimiter_token", "|"))
        lowered = stated.get("do_lower_case") is True
        return cls(
            Vocabulary(tokens, blank, delimiter, lowered),
            features["sampling_rate"],
            features["do_normalize"],
            {**stated, "pad_token": pad},
        )

    def save(self, folder: Path) -> None:
        vocabulary = self.vocabulary
        write_json(folder / VOCABULARY, {token: number for number, token in enumerate(vocabulary.tokens)})
        write_json(
            folder / FEATURES,
            {
                "feature_extractor_type": "Wav2Vec2FeatureExtractor",
                "feature_size": 1,
                "padding_value": 0.0,
                "sampling_rate": self.rate,
                "do_normalize": self.normalized,
            },
        )
        kept = {
            name: value
            for name, value in self.stated.items()
            if name not in ("target_lang", "added_tokens_decoder")
        }
        write_json(
            folder / TOKENIZER,
            {
                **kept,
                "tokenizer_class": "Wav2Vec2CTCTokenizer",
                "pad_token": vocabulary.tokens[vocabulary.blank],
                "word_delimiter_token": vocabulary.delimiter,
                "do_lower_case": vocabulary.lowered,
            },
        )

    def arrays(self, sounds: Sequence[np.ndarray], size: int) -> dict[str, np.ndarray]:
        values = np.zeros((len(sounds), size), "float32")
        for row, sound in enumerate(sounds):
            if self.normalized:
                sound = (sound - sound.mean()) / np.sqrt(sound.var() + EPSILON)
            values[row, : len(sound)] = sound
        return {"input_values": values, "lengths": np.array([len(sound) for sound in sounds], "int32")}


def added_tokens(stated: Mapping[str, Any]) -> dict[str, int]:
    """Tokens that a tokenizer's settings add to its vocabulary, with their numbers."""
    listed = stated.get("added_tokens_decoder") or {}
    found = {}
    for number, entry in listed.items() if isinstance(listed, Mapping) else ():
        if str(number).isdigit() and isinstance(entry, Mapping) and isinstance(entry.get("content"), str):
            found[entry["content"]] = int(number)
    return found


def _text(token: Any) -> Any:
    """A token's text: settings state it alone, or with how it is cut."""
    return token.get("content") if isinstance(token, Mapping) else token
