"""What stands before and after a Moonshine preset's network: samples at its rate, and tokens.

Source: ``keras_hub.layers.MoonshineAudioConverter`` and ``keras_hub.models.MoonshineTokenizer``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError
from sixarts.media.audio import RATES
from sixarts.model import Processor
from sixarts.readers.json_file import read_optional_json
from sixarts.readers.tokens import Encoded, Tokens
from sixarts_hub.strict_json import read_small, short
from sixarts_kerashub.preset_lengths import SETTINGS, check_fit, length_of, read_settings, settings_file
from sixarts_kerashub.preset_tokens import read_tokens
from sixarts_kerashub.reading import stated

CONVERTER = "audio_converter.json"
#: Added to a sound's variance before it is divided by.
EPSILON = 1e-7


class MoonshineProcessor(Processor):
    """Sounds to samples as the network takes them; numbers to text.

    Args:
        tokens: the tokenizer.
        limit: most tokens that are written, those that begin and end a text among them.
        rate: samples a second.
        normalize: whether each sound has mean 0 and variance 1 made of it.
        files: the preset's files as they were read, to be written again.
    """

    def __init__(
        self, tokens: Tokens, limit: int, rate: int, normalize: bool, files: Mapping[str, bytes]
    ) -> None:
        self.limit, self.rate, self.normalize = limit, rate, normalize
        self._tokens, self._files = tokens, dict(files)
        self.start, self.end = tokens.framed([], None)
        self.pad = tokens.pad

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        tokens, files = read_tokens(folder, "Moonshine")
        settings = read_settings(folder, "MoonshineAudioToTextPreprocessor")
        check_fit(tokens, config, folder)
        limit = length_of(config, settings, "decoder_sequence_length", 1024)
        rate, normalize = _converter(folder, settings)
        kept = {**files, **settings_file(folder)}
        if (path := folder / CONVERTER).is_file():
            kept[CONVERTER] = read_small(path)
        return cls(tokens, limit, rate, normalize, kept)

    def save(self, folder: Path) -> None:
        for name, content in self._files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def arrays(self, sounds: Sequence[np.ndarray], size: int, shortest: int) -> dict[str, np.ndarray]:
        """Sounds ``[n]`` filled up to ``size`` samples, and how long each is.

        Args:
            sounds: at :attr:`rate`.
            size: samples of the longest one at least.
            shortest: samples of which the network makes anything; a shorter sound ends in silence.

        Returns:
            ``input_values`` ``[b, size]`` in float32, and ``lengths`` ``[b]``.
        """
        values = np.zeros((len(sounds), max(size, shortest)), "float32")
        for row, sound in enumerate(sounds):
            values[row, : len(sound)] = self._normalized(sound)
        lengths = np.array([max(len(sound), shortest) for sound in sounds], "int32")
        return {"input_values": values, "lengths": lengths}

    def _normalized(self, sound: np.ndarray) -> np.ndarray:
        if not self.normalize or not len(sound):
            return sound
        return np.asarray((sound - sound.mean()) / np.sqrt(sound.var() + EPSILON))

    def encode(self, text: str) -> Encoded:
        """The tokens of a text and where each stands, without those that begin and end it."""
        return self._tokens.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        """The text of token numbers; special ones are left out."""
        return self._tokens.decode(ids).strip()


def _converter(folder: Path, settings: Mapping[str, Any]) -> tuple[int, bool]:
    """Samples a second, and whether sounds are normalized; KerasHub's own values where no file says.

    Raises:
        CheckpointError: another class, or a value that this cannot follow.
    """
    where = f"the audio converter in {CONVERTER}"
    said: Any = read_optional_json(folder / CONVERTER)
    if not said:
        where, said = f"the audio converter in {SETTINGS}", settings.get("audio_converter")
    if not said:
        raise CheckpointError(
            f"{folder} says nowhere how sounds are prepared (in {CONVERTER}, {SETTINGS}); expected an audio "
            "converter; save the preset with its preprocessor"
        )
    kind, found = stated(said, where)
    if kind != "MoonshineAudioConverter":
        raise CheckpointError(f"{where} is of {short(kind)}; expected MoonshineAudioConverter")
    rate, normalize = found.get("sampling_rate", 16_000), found.get("do_normalize", False)
    if type(rate) is not int or not RATES[0] <= rate <= RATES[1]:
        raise CheckpointError(
            f"{where} has sampling_rate {short(rate)}; expected a whole number from {RATES[0]:,} to "
            f"{RATES[1]:,}"
        )
    if type(normalize) is not bool:
        raise CheckpointError(f"{where} has do_normalize {short(normalize)}; expected true or false")
    return rate, normalize
