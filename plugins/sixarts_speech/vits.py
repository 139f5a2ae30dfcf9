"""The ``vits`` family: text to waveform in one network (facebook/mms-tts and others in that layout).

Source: Kim et al. 2021, "Conditional Variational Autoencoder with Adversarial Learning for End-to-End
Text-to-Speech"; weights and settings as ``transformers`` publishes them (``VitsModel``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import CheckpointError, InputError
from sixarts.layers import activation
from sixarts.model import Model
from sixarts.readers.limits import NAME, TRUTH, check, number, some, whole
from sixarts_speech.hifi_gan import HifiGan
from sixarts_speech.vits_flows import Durations, LatentFlow, StochasticDurations
from sixarts_speech.vits_layers import TextBlock, pointwise
from sixarts_speech.vits_processor import VitsProcessor

DEFAULTS: dict[str, Any] = {
    "vocab_size": 38,
    "hidden_size": 192,
    "num_hidden_layers": 6,
    "num_attention_heads": 2,
    "window_size": 4,
    "use_bias": True,
    "ffn_dim": 768,
    "ffn_kernel_size": 3,
    "flow_size": 192,
    "hidden_act": "relu",
    "layer_norm_eps": 1e-5,
    "use_stochastic_duration_prediction": True,
    "num_speakers": 1,
    "speaker_embedding_size": 0,
    "upsample_initial_channel": 512,
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "leaky_relu_slope": 0.1,
    "depth_separable_channels": 2,
    "depth_separable_num_layers": 3,
    "duration_predictor_flow_bins": 10,
    "duration_predictor_tail_bound": 5.0,
    "duration_predictor_kernel_size": 3,
    "duration_predictor_num_flows": 4,
    "duration_predictor_filter_channels": 256,
    "prior_encoder_num_flows": 4,
    "prior_encoder_num_wavenet_layers": 4,
    "wavenet_kernel_size": 5,
    "wavenet_dilation_rate": 1,
    "speaking_rate": 1.0,
    "noise_scale": 0.667,
    "noise_scale_duration": 0.8,
    "sampling_rate": 16000,
}

_ODD = (
    lambda value: type(value) is int and 1 <= value <= 255 and value % 2 == 1,
    "an odd number from 1 to 255",
)
LIMITS = {
    "vocab_size": whole(1, 2**20),
    "hidden_size": whole(1, 2**13),
    "num_hidden_layers": whole(1, 128),
    "num_attention_heads": whole(1, 256),
    "window_size": whole(1, 256),
    "use_bias": TRUTH,
    "ffn_dim": whole(1, 2**16),
    "ffn_kernel_size": whole(1, 255),
    "flow_size": (
        lambda value: type(value) is int and 2 <= value <= 2**13 and value % 2 == 0,
        "an even number from 2 to 8192",
    ),
    "hidden_act": NAME,
    "layer_norm_eps": number(0, 1),
    "use_stochastic_duration_prediction": TRUTH,
    "num_speakers": whole(1, 2**20),
    "speaker_embedding_size": whole(0, 2**13),
    "upsample_initial_channel": whole(2, 2**14),
    "upsample_rates": some(whole(1, 64), 8),
    "upsample_kernel_sizes": some(whole(1, 256), 8),
    "resblock_kernel_sizes": some(_ODD, 8),
    "resblock_dilation_sizes": some(some(whole(1, 256), 16), 8),
    "leaky_relu_slope": number(0, 1),
    "depth_separable_channels": (lambda value: value == 2, "2, a pair of channels"),
    "depth_separable_num_layers": whole(1, 32),
    "duration_predictor_flow_bins": whole(2, 256),
    "duration_predictor_tail_bound": number(1e-3, 1e3),
    "duration_predictor_kernel_size": _ODD,
    "duration_predictor_num_flows": whole(1, 32),
    "duration_predictor_filter_channels": whole(1, 2**13),
    "prior_encoder_num_flows": whole(1, 64),
    "prior_encoder_num_wavenet_layers": whole(1, 64),
    "wavenet_kernel_size": _ODD,
    "wavenet_dilation_rate": whole(1, 8),
    "speaking_rate": number(1e-2, 1e2),
    "noise_scale": number(0, 1e2),
    "noise_scale_duration": number(0, 1e2),
    "sampling_rate": whole(1000, 384_000),
}
#: Most frames of one piece of text: at 256 samples a frame and 16 kHz, some four minutes.
FRAMES = 2**14


class Plan(NamedTuple):
    """What is to be said, a row an input.

    Attributes:
        durations: frames of each symbol, ``[b, t]`` whole numbers.
        means, log_deviations: of the latent frames that each symbol gives, ``[b, t, flow_size]``.
    """

    durations: np.ndarray
    means: np.ndarray
    log_deviations: np.ndarray


class Vits(Model):
    """Symbols to a plan (durations and what each frame is like), and a plan to samples.

    Noise is drawn outside: one seed means one answer on every backend.
    """

    family = "vits"
    processor_class = VitsProcessor
    settings = frozenset(DEFAULTS)
    cut = "input_ids"
    fused = False
    #: What only training needs, and a flow that takes part in no answer (see ``StochasticDurations``).
    ignored = (
        "posterior_encoder.*",
        "duration_predictor.post_*",
        "duration_predictor.flows.1.*",
    )

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**DEFAULTS, **{name: value for name, value in config.items() if value is not None}}
        check(full, LIMITS)
        for name, wanted, words in (
            ("upsample_kernel_sizes", len(full["upsample_rates"]), "as many as upsample_rates"),
            ("resblock_dilation_sizes", len(full["resblock_kernel_sizes"]), "one for each block"),
        ):
            if len(full[name]) != wanted:
                raise CheckpointError(f"{name} has {len(full[name])} entries; expected {wanted}, {words}")
        for rate, kernel in zip(full["upsample_rates"], full["upsample_kernel_sizes"], strict=True):
            if kernel < rate or (kernel - rate) % 2:
                raise CheckpointError(
                    f"an upsampling of {rate} with a kernel of {kernel}; expected a kernel that is wider "
                    "by an even number"
                )
        if full["upsample_initial_channel"] < 2 ** len(full["upsample_rates"]):
            raise CheckpointError(
                f"upsample_initial_channel={full['upsample_initial_channel']}; expected enough to be halved "
                f"{len(full['upsample_rates'])} times"
            )
        if full["hidden_size"] % full["num_attention_heads"]:
            raise CheckpointError(
                f"hidden_size={full['hidden_size']} and num_attention_heads={full['num_attention_heads']}; "
                "expected heads that divide the width"
            )
        if full["num_speakers"] > 1 and not full["speaker_embedding_size"]:
            raise CheckpointError(
                f"num_speakers={full['num_speakers']} and speaker_embedding_size=0; expected a size that "
                "speakers can be told apart by"
            )
        activation(full["hidden_act"])
        return full

    @property
    def speakers(self) -> int:
        """How many voices it has."""
        return int(self.config["num_speakers"])

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        return math.prod(self.config["upsample_rates"])

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        voices, size = self.speakers > 1, c["flow_size"]
        self.symbols = layers.Embedding(
            c["vocab_size"],
            c["hidden_size"],
            embeddings_initializer=initializer if initializer == "zeros" else "normal",
            dtype=policy,
            name="symbols",
        )
        self.blocks = [
            TextBlock(c, initializer, dtype=policy, name=f"text_{i}") for i in range(c["num_hidden_layers"])
        ]
        self.prior = layers.Dense(2 * size, kernel_initializer=initializer, dtype=policy, name="prior")
        kind = StochasticDurations if c["use_stochastic_duration_prediction"] else Durations
        self.durations = kind(c, voices, initializer, dtype=policy, name="durations")
        self.flow = LatentFlow(c, voices, initializer, dtype=policy, name="flow")
        self.vocoder = HifiGan(
            c["upsample_initial_channel"],
            c["upsample_rates"],
            c["upsample_kernel_sizes"],
            c["resblock_kernel_sizes"],
            c["resblock_dilation_sizes"],
            c["leaky_relu_slope"],
            voices,
            initializer,
            dtype=policy,
            name="vocoder",
        )
        self.speaker = (
            layers.Embedding(
                self.speakers,
                c["speaker_embedding_size"],
                embeddings_initializer=initializer if initializer == "zeros" else "normal",
                dtype=policy,
                name="voice",
            )
            if voices
            else None
        )
        inputs = {
            "input_ids": keras.Input((None,), dtype="int32", name="input_ids"),
            "attention_mask": keras.Input((None,), dtype="int32", name="attention_mask"),
            "duration_noise": keras.Input((None, 2), name="duration_noise"),
            "frames": keras.Input((None,), dtype="int32", name="frames"),
            "noise": keras.Input((None, size), name="noise"),
        } | ({"speaker": keras.Input((1,), dtype="int32", name="speaker")} if voices else {})
        self.embedded = self.symbols(inputs["input_ids"])
        known = () if self.speaker is None else (self.speaker(inputs["speaker"]),)
        logs, means, deviations = self._planned(
            self.embedded, inputs["attention_mask"], inputs["duration_noise"], *known
        )
        stretched = Stretch(dtype=policy, name="stretch")
        frames, mask = stretched(means, deviations, inputs["frames"], inputs["noise"])
        outputs = {"waveform": self._rendered(frames, mask, *known), "log_durations": logs}
        return keras.Model(inputs, outputs, name="vits")

    def _planned(self, embedded: Any, seen: Any, noise: Any, *known: Any) -> tuple[Any, Any, Any]:
        """Logarithms of durations ``[b, t, 1]``, means and logarithms of deviations ``[b, t, flow_size]``."""
        policy, size = self.device.policy, self.config["flow_size"]
        mask = Mask(dtype=policy, name="mask")(seen)
        x = Times(math.sqrt(self.config["hidden_size"]), dtype=policy, name="scaled")(embedded, mask)
        for block in self.blocks:
            x = block(x, mask)
        x = layers.Multiply(dtype=policy, name="text")([x, mask])
        both = layers.Multiply(dtype=policy, name="priors")([self.prior(x), mask])
        means, deviations = Halves(size, dtype=policy, name="halves")(both)
        return self.durations(x, mask, noise, *known), means, deviations

    def _rendered(self, frames: Any, mask: Any, *known: Any) -> Any:
        return self.vocoder(self.flow(frames, mask, *known), mask, *known)

    @cached_property
    def _plan(self) -> Compiled:
        names = {*self.network.input} - {"frames", "noise"}
        means, deviations = self.network.get_layer("halves").output
        plan = keras.Model(
            {name: self.network.input[name] for name in names},
            {
                "log_durations": self.network.get_layer("durations").output,
                "means": means,
                "log_deviations": deviations,
            },
            name="plan",
        )
        return Compiled(lambda arrays: plan(arrays, training=False), plan.variables, self.device, fused=False)

    @cached_property
    def _render(self) -> Compiled:
        def render(frames: Any, mask: Any, speaker: Any) -> Any:
            known = () if self.speaker is None else (self.speaker(speaker),)
            return self._rendered(frames, mask, *known)

        owners = (self.flow, self.vocoder, *(() if self.speaker is None else (self.speaker,)))
        variables = [variable for owner in owners for variable in owner.variables]
        return Compiled(render, variables, self.device, fused=False)

    def plan(self, arrays: Mapping[str, np.ndarray], noise: np.ndarray, rate: float) -> Plan:
        """How long each symbol lasts, and what its frames are like.

        Args:
            arrays: ``input_ids`` and ``attention_mask`` ``[b, t]``, ``speaker`` ``[b, 1]`` of several voices.
            noise: ``[b, t, 2]``, scaled; read by stochastic durations alone.
            rate: how much faster than the voice's own.

        Raises:
            InputError: a text that would last for more than :data:`FRAMES` frames.
        """
        found = to_numpy(self._plan({**arrays, "duration_noise": noise}))
        with np.errstate(over="ignore"):
            lasting = np.exp(found["log_durations"][..., 0]) * arrays["attention_mask"] / np.float32(rate)
        total = np.ceil(lasting).sum(axis=1)
        if not (total <= FRAMES).all():
            raise InputError(
                f"a text that would be said in {float(total.max()):.0f} frames; expected at most {FRAMES}; "
                "give it in shorter pieces"
            )
        return Plan(np.ceil(lasting).astype("int64"), found["means"], found["log_deviations"])

    def render(
        self,
        means: np.ndarray,
        log_deviations: np.ndarray,
        mask: np.ndarray,
        noise: np.ndarray,
        speaker: np.ndarray | None = None,
    ) -> np.ndarray:
        """Samples ``[b, n * hop]`` of latent frames; what lies behind a row's end means nothing.

        Args:
            means, log_deviations: of each frame, ``[b, n, flow_size]``.
            mask: ``[b, n]``, 1 where a frame is.
            noise: ``[b, n, flow_size]``, scaled.
            speaker: ``[b, 1]`` of several voices.
        """
        frames = (means + noise * np.exp(log_deviations)).astype("float32")
        shown = mask[..., None].astype("float32")
        voice = np.zeros((len(frames), 1), "int32") if speaker is None else speaker
        return np.asarray(to_numpy(self._render(frames * shown, shown, voice)))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {
            ("text_encoder.embed_tokens.weight",): Target(self.symbols.embeddings)
        }
        for i, block in enumerate(self.blocks):
            found |= block.targets(f"text_encoder.encoder.layers.{i}")
        found |= pointwise("text_encoder.project", self.prior)
        found |= self.durations.targets("duration_predictor")
        found |= self.flow.targets("flow") | self.vocoder.targets("decoder")
        if self.speaker is not None:
            found[("embed_speaker.weight",)] = Target(self.speaker.embeddings)
        return found


class Mask(layers.Layer):  # type: ignore[misc]
    """``[b, t]`` of 0 and 1 to ``[b, t, 1]`` in the compute dtype."""

    def call(self, seen: Any) -> Any:
        return ops.cast(seen, self.compute_dtype)[..., None]


class Times(layers.Layer):  # type: ignore[misc]
    """Multiplied by a number and a mask."""

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, x: Any, mask: Any) -> Any:
        return x * self.factor * mask


class Halves(layers.Layer):  # type: ignore[misc]
    """The first channels and the rest, in float32."""

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, x: Any) -> tuple[Any, Any]:
        x = ops.cast(x, "float32")
        return x[..., : self.size], x[..., self.size :]


class Stretch(layers.Layer):  # type: ignore[misc]
    """What each frame is drawn from, by the number of its symbol; -1 stands for no frame."""

    def call(self, means: Any, deviations: Any, frames: Any, noise: Any) -> tuple[Any, Any]:
        mask = ops.cast(frames >= 0, means.dtype)[..., None]
        place = ops.maximum(frames, 0)[..., None]
        mean, deviation = (ops.take_along_axis(each, place, axis=1) for each in (means, deviations))
        return (mean + noise * ops.exp(deviation)) * mask, mask

    def compute_output_spec(self, means: Any, deviations: Any, frames: Any, noise: Any) -> Any:
        return (
            keras.KerasTensor((*frames.shape, means.shape[-1]), self.compute_dtype),
            keras.KerasTensor((*frames.shape, 1), self.compute_dtype),
        )
