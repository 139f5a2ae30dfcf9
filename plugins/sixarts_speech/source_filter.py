"""The ``source_filter`` family: symbols to durations, pitch and mel bands, and those to a sound, at once.

The acoustic network is of FastSpeech 2's kind (Ren et al. 2021): a symbol's duration and pitch are told
first, then every frame's mel bands at once. The vocoder is a neural source-filter (Wang et al. 2019; Engel et
al. 2020, "DDSP"): a network over mel bands shapes two filters, for pulses at the pitch and for noise. A
spectral loss is all that it learns from, and it hums and hisses where it should from the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.compiled import Compiled, to_numpy
from sixarts.errors import CheckpointError
from sixarts.model import Model
from sixarts.networks.published import Targets, dense
from sixarts.readers.limits import NAME, check, number, only, whole
from sixarts_speech.voice_layers import Block, Drawn, Filter, Gather, Seen
from sixarts_speech.voice_processor import VoiceProcessor

#: How a symbol stands in its word, as :mod:`sixarts_speech.voice_processor` numbers it.
PLACES = 6
#: What is told of each frame: how far in its symbol it is, how long that lasts, and the pitch.
TOLD = 3
#: Numbers that tell a symbol's pitch: in the middles of its thirds.
PARTS = 3
#: Dilations of successive blocks.
DILATIONS = (1, 2, 4)
LIMITS = {
    "sampling_rate": whole(8_000, 48_000),
    "hop": (
        lambda value: type(value) is int and 32 <= value <= 1024 and value % 2 == 0,
        "an even number from 32 to 1024",
    ),
    "bands": whole(8, 256),
    "hidden_size": whole(1, 2048),
    "encoder_blocks": whole(0, 64),
    "planner_blocks": whole(0, 64),
    "decoder_blocks": whole(0, 64),
    "vocoder_blocks": whole(0, 64),
    "kernel": (
        lambda value: type(value) is int and 1 <= value <= 63 and value % 2 == 1,
        "an odd number to 63",
    ),
    "expansion": whole(1, 16),
    "pulse_points": whole(2, 256),
    "noise_points": whole(2, 256),
    "dropout": number(0, 1),
    "vocab_size": whole(0, 2**16),
    "language": NAME,
}


class Plan(NamedTuple):
    """What is to be said.

    Attributes:
        log_durations: logarithm of each symbol's frames, ``[b, t]``.
        points: its pitch in octaves, ``[b, t, PARTS]``.
        prior: what its frames are like on average, ``[b, t, bands]``.
        hidden: its state, that its frames are made from, ``[b, t, hidden_size]``.
    """

    log_durations: np.ndarray
    points: np.ndarray
    prior: np.ndarray
    hidden: np.ndarray


class SourceFilterVoice(Model):
    """A voice that fits in a few megabytes and speaks much faster than people on one core.

    Example::

        sixarts.new("text-to-speech", family="source_filter")
    """

    family = "source_filter"
    processor_class = VoiceProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "source_filter",
        "architectures": ["SourceFilterVoice"],
        "sampling_rate": 16000,
        "hop": 160,
        "bands": 64,
        "hidden_size": 192,
        "encoder_blocks": 5,
        "planner_blocks": 2,
        "decoder_blocks": 6,
        "vocoder_blocks": 3,
        "kernel": 7,
        "expansion": 2,
        "pulse_points": 48,
        "noise_points": 24,
        "dropout": 0.05,
        "vocab_size": 0,
        "language": "en",
    }
    settings = frozenset(defaults)
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        only(config, cls.defaults, cls.family)
        full = {**cls.defaults, **config}
        check(full, LIMITS)
        return full

    def sized(self, processor: Any) -> dict[str, Any]:
        return {**self.config, "vocab_size": len(processor.symbols)}

    @property
    def rate(self) -> int:
        """Samples a second."""
        return int(self.config["sampling_rate"])

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        return int(self.config["hop"])

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        width = c["hidden_size"]
        if c["vocab_size"] != len(self.processor.symbols):
            raise CheckpointError(
                f"vocab_size={c['vocab_size']} and {len(self.processor.symbols)} symbols; expected as many"
            )
        drawn = initializer if initializer == "zeros" else "normal"

        def table(count: int, name: str) -> Any:
            return layers.Embedding(count, width, embeddings_initializer=drawn, dtype=policy, name=name)

        def line(units: int, name: str, bias: float = 0.0, dtype: Any = policy) -> Any:
            start = "zeros" if initializer == "zeros" else keras.initializers.Constant(bias)
            return layers.Dense(
                units, kernel_initializer=initializer, bias_initializer=start, dtype=dtype, name=name
            )

        self.symbols, self.places = table(c["vocab_size"], "symbols"), table(PLACES, "standing")
        self.blocks = {
            part: [
                Block(
                    width,
                    c["kernel"],
                    DILATIONS[place % len(DILATIONS)],
                    c["expansion"],
                    c["dropout"],
                    initializer,
                    dtype=policy,
                    name=f"{part}_{place}",
                )
                for place in range(c[f"{part}_blocks"])
            ]
            for part in ("encoder", "planner", "decoder", "vocoder")
        }
        self.lines = {
            # Six frames is what a phone lasts, e to the power of 1.8.
            "duration": line(1, "duration", 1.8, "float32"),
            "points": line(PARTS, "points", dtype="float32"),
            "prior": line(c["bands"], "prior", dtype="float32"),
            "inside": line(width, "told"),
            "bands": line(c["bands"], "bands", dtype="float32"),
            "heard": line(width, "heard"),
            "levels": line(2 * (c["pulse_points"] + c["noise_points"]), "levels", -0.7, "float32"),
        }
        self.gather = Gather(dtype=policy, name="gather")
        self.sounding = Seen(0, dtype=policy, name="sounding")
        self.added = layers.Add(dtype=policy, name="stretched")
        points = (c["pulse_points"], c["noise_points"])
        self.drawn = Drawn(c["sampling_rate"], c["bands"], *points, dtype="float32", name="drawn")
        self.shaped = layers.Add(dtype="float32", name="shaped")
        self.filter = Filter(c["hop"], c["sampling_rate"], *points, dtype="float32", name="filter")
        inputs = {
            "input_ids": keras.Input((None,), dtype="int32", name="input_ids"),
            "places": keras.Input((None,), dtype="int32", name="places"),
            "frames": keras.Input((None,), dtype="int32", name="frames"),
            "inside": keras.Input((None, TOLD), name="inside"),
            "sources": keras.Input((None, 2), name="sources"),
        }
        self.cut, self.embedded = "input_ids", self.symbols(inputs["input_ids"])
        hidden, plan = self._planned(self.embedded, inputs["places"])
        stretched = self.gather(hidden, inputs["frames"])
        bands, sound = self._rendered(stretched, *(inputs[name] for name in RENDERED))
        return keras.Model(inputs, {**plan, "bands": bands, "waveform": sound}, name="source_filter")

    def _planned(self, embedded: Any, places: Any) -> tuple[Any, dict[str, Any]]:
        """Symbols' hidden states ``[b, t, width]`` and what is told of each."""
        policy = self.device.policy
        mask = Seen(1, dtype=policy, name="seen")(places)
        x = layers.Add(dtype=policy, name="placed")([embedded, self.places(places)])
        for block in self.blocks["encoder"]:
            x = block(x, mask)
        # What only durations and pitch need has blocks of its own.
        told = x
        for block in self.blocks["planner"]:
            told = block(told, mask)
        return x, {
            "log_durations": layers.Reshape((-1,), dtype="float32", name="log_durations")(
                self.lines["duration"](told)
            ),
            "points": self.lines["points"](told),
            "prior": self.lines["prior"](x),
        }

    def _rendered(self, stretched: Any, frames: Any, inside: Any, sources: Any) -> tuple[Any, Any]:
        """Mel bands ``[b, f, bands]`` and samples ``[b, f * hop]`` of symbols' states, one a frame."""
        mask = self.sounding(frames)
        x = self.added([stretched, self.lines["inside"](inside)])
        for block in self.blocks["decoder"]:
            x = block(x, mask)
        bands = self.lines["bands"](x)
        return bands, self._sounded(bands, mask, sources)

    def _sounded(self, bands: Any, mask: Any, sources: Any) -> Any:
        """Samples ``[b, f * hop]`` of mel bands ``[b, f, bands]``."""
        y = self.lines["heard"](bands)
        for block in self.blocks["vocoder"]:
            y = block(y, mask)
        return self.filter(self.shaped([self.drawn(bands), self.lines["levels"](y)]), sources, mask)

    @cached_property
    def acoustic(self) -> keras.Model:
        """The network without its sound: what symbols become, for training alone."""
        given = {name: tensor for name, tensor in self.network.input.items() if name != "sources"}
        found = {name: tensor for name, tensor in self.network.output.items() if name != "waveform"}
        return keras.Model(given, found, name="acoustic")

    @cached_property
    def vocoder(self) -> keras.Model:
        """The network from mel bands on, for training alone."""
        given = {
            "bands": keras.Input((None, self.config["bands"]), name="bands"),
            "frames": keras.Input((None,), dtype="int32", name="frames"),
            "sources": keras.Input((None, 2), name="sources"),
        }
        sound = self._sounded(given["bands"], self.sounding(given["frames"]), given["sources"])
        return keras.Model(given, {"waveform": sound}, name="vocoder")

    @cached_property
    def _plan(self) -> Compiled:
        network = self.network
        plan = keras.Model(
            {name: network.input[name] for name in PLANNED},
            {
                **{name: network.output[name] for name in ("log_durations", "points", "prior")},
                "hidden": network.get_layer("gather").input[0],
            },
            name="plan",
        )
        return Compiled(lambda arrays: plan(arrays, training=False), plan.variables, self.device, self.fused)

    @cached_property
    def _render(self) -> Compiled:
        # Of frames alone, so that it is compiled for no more shapes than there are lengths.
        owners = [*self.blocks["decoder"], *self.blocks["vocoder"], *self.lines.values()]
        variables = [variable for owner in owners for variable in owner.variables]
        return Compiled(lambda *given: self._rendered(*given)[1], variables, self.device, self.fused)

    def plan(self, arrays: Mapping[str, np.ndarray]) -> Plan:
        """How long each symbol lasts and how high it is.

        Args:
            arrays: ``input_ids`` and ``places``, ``[b, t]``.
        """
        return Plan(**to_numpy(self._plan({name: arrays[name] for name in PLANNED})))

    def render(self, hidden: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Samples ``[b, f * hop]``; what lies behind a row's end means nothing.

        Args:
            hidden: of a plan, ``[b, t, hidden_size]``.
            arrays: :data:`RENDERED`, as the network takes them.
        """
        places = np.maximum(arrays["frames"], 0)[..., None]
        stretched = np.take_along_axis(hidden, places, axis=1) * (arrays["frames"] >= 0)[..., None]
        given = (stretched.astype("float32"), *(arrays[name] for name in RENDERED))
        return np.asarray(to_numpy(self._render(*given)))

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: Targets = {
            ("symbols.weight",): Target(self.symbols.embeddings),
            ("places.weight",): Target(self.places.embeddings),
        }
        for part, blocks in self.blocks.items():
            for place, block in enumerate(blocks):
                found |= block.targets(f"{part}.{place}")
        for name, layer in self.lines.items():
            found |= dense(name, layer)
        return found


#: What a plan is made from, and what frames are, beside their symbols.
PLANNED = ("input_ids", "places")
RENDERED = ("frames", "inside", "sources")
