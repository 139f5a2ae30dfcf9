"""The ``ctc_conv`` family: a small convolutional network over log-mel bands that spells by CTC.

Convolutions over time and frequency, which see a voice's shape wherever it lies, then residual blocks over
time alone (Collobert et al. 2016, "Wav2Letter"; Zhang et al. 2017, section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError
from sixarts.media.log_mel import DECIBEL, HOP, frames_of, log_mel
from sixarts.media.sound_augmentation import moved_bands
from sixarts.model import Processor, read_json, write_json
from sixarts.networks.published import Targets, convolution, dense, norm
from sixarts.readers.limits import TRUTH, check, either, number, only, some, whole
from sixarts_speech.ctc_model import CTCModel
from sixarts_speech.vocabulary import Vocabulary

VOCABULARY = "vocab.json"
#: A frame's mean of log-mel bands at about -60 decibels of full scale.
FLOOR = -15.0
#: Frames of the spectrogram to one of the network's.
SHRUNK = 4
LIMITS = {
    "sampling_rate": whole(4_000, 48_000),
    "bands": whole(8, 256),
    "widths": some(whole(1, 1024), 3),
    "hidden_size": whole(1, 4096),
    "blocks": whole(0, 32),
    "kernel": whole(1, 63),
    "dropout": number(0, 1),
    "words": TRUTH,
    "top_db": either(number(1, 200), (lambda value: value is None, "null")),
    "warps": either(some(number(-0.5, 0.5), 16), (lambda value: value == [], "none")),
}


class CtcConvProcessor(Processor):
    """Sound to log-mel bands, measured from its loud frames: people and microphones differ in loudness.

    Args:
        vocabulary: the tokens.
        rate: samples a second.
        bands: mel bands.
        top_db: decibels below the loud frames where hearing ends, or None for no end. Rooms and microphones
            differ most in what is faint.
    """

    def __init__(self, vocabulary: Vocabulary, rate: int, bands: int, top_db: float | None = None) -> None:
        self.vocabulary, self.rate, self.bands, self.top_db = vocabulary, rate, bands, top_db

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        table = read_json(folder / VOCABULARY)
        tokens = sorted(table, key=lambda token: table[token])
        if [table[token] for token in tokens] != list(range(len(tokens))):
            raise CheckpointError(f"{folder / VOCABULARY}; expected tokens numbered from 0 on")
        return cls(
            Vocabulary(tuple(tokens), 0, None if config["words"] else "|"),
            config["sampling_rate"],
            config["bands"],
            config["top_db"],
        )

    def save(self, folder: Path) -> None:
        write_json(
            folder / VOCABULARY, {token: number for number, token in enumerate(self.vocabulary.tokens)}
        )

    def arrays(self, sounds: Sequence[np.ndarray], size: int) -> dict[str, np.ndarray]:
        longest = shrunk(frames_of(size, self.rate)) * SHRUNK
        features = np.zeros((len(sounds), longest, self.bands), "float32")
        mask = np.zeros((len(sounds), longest), "float32")
        for row, sound in enumerate(sounds):
            levels = log_mel(sound, self.rate, self.bands)
            # Loud frames tell how loud somebody speaks; below the floor nobody does.
            loud = max(float(np.quantile(levels.mean(axis=1), 0.95)), FLOOR)
            if self.top_db is not None:
                levels = np.logaddexp(levels, loud - self.top_db * DECIBEL)
            features[row, : len(levels)] = (levels - loud) / 4.0 + 1.0
            mask[row, : len(levels)] = 1
        return {"input_features": features, "mask": mask}


def shrunk(frames: int) -> int:
    """Frames of the network for so many of the spectrogram."""
    return -(-frames // SHRUNK)


class Masked(keras.layers.Layer):  # type: ignore[misc]
    """Zeros where the sound is over, so that what fills a batch up changes nothing.

    Args:
        step: frames of the mask to one of what is masked.
    """

    def __init__(self, step: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step

    def compute_output_shape(self, x_shape: Any, heard_shape: Any) -> Any:
        return x_shape

    def call(self, x: Any, heard: Any) -> Any:
        kept = ops.cast(heard[:, :: self.step], x.dtype)
        return x * ops.reshape(kept, (*ops.shape(kept)[:2], *([1] * (len(x.shape) - 2))))


class CtcConv(CTCModel):
    """Three convolutions over time and frequency, a projection, residual blocks over time, and a head.

    With ``warps`` it answers with the mean of what it hears in the sound and in versions of it whose
    frequencies are moved by these factors (``exp(warp)``), as voices of other throats, in so many times the
    time; it learns, and explains, the sound as it is.

    Example::

        sixarts.new("automatic-speech-recognition", family="ctc_conv", words=True)
    """

    family = "ctc_conv"
    processor_class = CtcConvProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "ctc_conv",
        "architectures": ["ConvForCTC"],
        "sampling_rate": 8000,
        "bands": 40,
        "widths": [16, 32, 48],
        "hidden_size": 128,
        "blocks": 4,
        "kernel": 7,
        "dropout": 0.1,
        "words": False,
        "top_db": None,
        "warps": [],
        "vocab_size": 0,
    }
    settings = frozenset(defaults)
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        only(config, cls.defaults, cls.family)
        full = {**cls.defaults, **config}
        check(full, LIMITS)
        if len(full["widths"]) != 3:
            raise CheckpointError(f"widths={full['widths']}; expected three")
        return full

    @property
    def stride(self) -> int:  # type: ignore[override]
        return SHRUNK * round(HOP * self.config["sampling_rate"])

    @property
    def step(self) -> float:
        return HOP

    def frames(self, samples: int) -> int:
        return shrunk(frames_of(samples, self.config["sampling_rate"]))

    def sized(self, processor: Any) -> dict[str, Any]:
        words = processor.vocabulary.delimiter is None
        return {**self.config, "vocab_size": len(processor.vocabulary.tokens), "words": words}

    def processor_for(self, vocabulary: Vocabulary) -> CtcConvProcessor:
        c = self.config
        return CtcConvProcessor(vocabulary, c["sampling_rate"], c["bands"], c["top_db"])

    def with_vocabulary(self, vocabulary: Vocabulary) -> Self:
        other = self.build_for(self.processor_for(vocabulary))
        if self.built:
            mine = self.targets(frozenset())
            for names, target in other.targets(frozenset()).items():
                if not names[0].startswith("head."):
                    target.variable.assign(to_numpy(mine[names].variable))
        return other

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        he = initializer if initializer == "zeros" else "he_normal"
        self.convolutions: dict[str, tuple[Any, Any]] = {}
        self.flat: dict[str, tuple[Any, Any]] = {}

        def close(x: Any, name: str, norms: Any, step: int, active: bool = True) -> Any:
            x = norms(x)
            if active:
                x = layers.Activation("relu", dtype=policy, name=f"{name}_relu")(x)
            return Masked(step, dtype=policy, name=f"{name}_masked")(x, mask)

        def square(x: Any, name: str, width: int, strides: tuple[int, int], step: int) -> Any:
            kernel = layers.Conv2D(width, 3, strides, padding="same", use_bias=False, kernel_initializer=he,
                                   data_format="channels_last", dtype=policy, name=name)  # fmt: skip
            scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.95, dtype=policy, name=f"{name}_norm")
            self.convolutions[name] = (kernel, scale)
            return close(kernel(x), name, scale, step)

        def along(x: Any, name: str, width: int, size: int, active: bool = True) -> Any:
            kernel = layers.Conv1D(width, size, padding="same", use_bias=False, kernel_initializer=he,
                                   data_format="channels_last", dtype=policy, name=name)  # fmt: skip
            scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.95, dtype=policy, name=f"{name}_norm")
            self.flat[name] = (kernel, scale)
            return close(kernel(x), name, scale, SHRUNK, active)

        features = keras.Input((None, c["bands"]), name="input_features")
        mask = keras.Input((None,), name="mask")
        self.cut, self.embedded = "input_features", None
        x = layers.Reshape((-1, c["bands"], 1), dtype=policy, name="picture")(features)
        self.embedded = x
        first, second, third = c["widths"]
        # Strides that divide the frames keep "same" padding the same on every backend.
        x = square(x, "stem", first, (2, 2), 2)
        x = square(x, "wide", second, (2, 2), SHRUNK)
        x = square(x, "narrow", third, (1, 2), SHRUNK)
        x = layers.Reshape((-1, -(-c["bands"] // 8) * third), dtype=policy, name="flat")(x)
        x = along(x, "project", c["hidden_size"], 1)
        for place in range(c["blocks"]):
            inner = along(x, f"block_{place}_in", c["hidden_size"], c["kernel"])
            inner = layers.Dropout(c["dropout"], dtype=policy, name=f"block_{place}_dropout")(inner)
            inner = along(inner, f"block_{place}_out", c["hidden_size"], 1, active=False)
            x = layers.Add(dtype=policy, name=f"block_{place}")([x, inner])
        x = layers.Dropout(c["dropout"], dtype=policy, name="dropout")(x)
        self.head = layers.Dense(
            len(self.processor.vocabulary.tokens), kernel_initializer=initializer, dtype=policy, name="head"
        )
        logits = layers.Activation("linear", dtype="float32", name="logits")(self.head(x))
        return keras.Model([features, mask], {"logits": logits}, name="ctc_conv")

    def outputs(self, inputs: Mapping[str, Any]) -> Any:
        found = super().outputs(inputs)
        if not self.config["warps"]:
            return found
        heard = ops.log_softmax(found["logits"])
        for warp in self.config["warps"]:
            features = warped(inputs["input_features"], warp)
            other = super().outputs({**inputs, "input_features": features})
            heard = heard + ops.log_softmax(other["logits"])
        return {"logits": heard / (1 + len(self.config["warps"]))}

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {}
        for name, (kernel, scale) in self.convolutions.items():
            found |= convolution(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        for name, (kernel, scale) in self.flat.items():
            found |= along_time(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        return found | dense("head", self.head)


def warped(features: Any, warp: float) -> Any:
    """Spectrograms ``[b, frames, bands]`` whose band ``k`` is what was at ``k * exp(warp)``."""
    low, share = moved_bands(features.shape[2], warp)
    return ops.take(features, low, axis=2) * (1 - share) + ops.take(features, low + 1, axis=2) * share


def along_time(name: str, layer: Any) -> Targets:
    """A convolution over time: (out, in, width) in files, (width, in, out) here."""
    kernel = Target(
        layer.kernel,
        lambda stored: np.transpose(stored, (2, 1, 0)),
        lambda value: np.transpose(value, (2, 1, 0)),
    )
    found: Targets = {(f"{name}.weight",): kernel}
    return found | ({(f"{name}.bias",): Target(layer.bias)} if layer.use_bias else {})
