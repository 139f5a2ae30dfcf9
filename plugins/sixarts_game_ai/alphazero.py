"""The ``alphazero`` family: a residual network over a board's planes.

Source: Silver et al. 2018, "A general reinforcement learning algorithm that masters chess, shogi, and Go
through self-play". Beside the policy there are win, draw and loss, as Leela Chess Zero has them, and a value
that shrinks with every ply until the end, which is what the search makes large: it prefers quick wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.model import Model
from sixarts.networks.published import convolution, dense, norm
from sixarts.readers.limits import NAME, check, number, only, whole
from sixarts_game_ai.board_processor import BoardProcessor

DEFAULTS: dict[str, Any] = {
    "model_type": "alphazero",
    "architectures": ["AlphaZeroForGameStrategy"],
    "game": "connect_four",
    "planes": None,
    "actions": None,
    "filters": 32,
    "blocks": 5,
    "policy_filters": 16,
    "value_filters": 8,
    "value_hidden": 128,
    "discount": 0.985,
}
_LIMITS = {
    "game": NAME,
    "actions": whole(1, 2**20),
    "filters": whole(1, 4096),
    "blocks": whole(1, 256),
    "policy_filters": whole(1, 1024),
    "value_filters": whole(1, 1024),
    "value_hidden": whole(1, 2**14),
    "discount": number(0.1, 1),
}
CHANNELS = "channels_last"


class AlphaZero(Model):
    """A stem, residual blocks of two convolutions of 3 × 3, a policy head and a value head.

    Inputs: ``planes`` ``[b, rows, columns, planes]``. Outputs: ``policy`` and ``wdl`` (logits), ``value``.

    Example::

        sixarts.new("game-strategy", family="alphazero", game="hex(board_size=5)", filters=64, blocks=6)
    """

    family = "alphazero"
    processor_class = BoardProcessor
    settings = frozenset(DEFAULTS)
    cut = "planes"

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        only(config, DEFAULTS, cls.family)
        full = {**DEFAULTS, **config}
        check(full, _LIMITS, optional=True)
        if full["planes"] is not None:
            planes, (fits, words) = full["planes"], whole(1, 1024)
            if not (isinstance(planes, list) and len(planes) == 3 and all(map(fits, planes))):
                raise CheckpointError(f"planes={planes!r}; expected rows, columns and planes, each {words}")
        return full

    def sized(self, processor: Any) -> dict[str, Any]:
        return {
            **self.config,
            "game": processor.game,
            "planes": list(processor.shape),
            "actions": processor.actions,
        }

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        he = initializer if initializer == "zeros" else "he_normal"
        self.convolutions: dict[str, tuple[Any, Any]] = {}
        self.denses: dict[str, Any] = {}

        def normed(x: Any, name: str, filters: int, size: int) -> Any:
            kernel = layers.Conv2D(
                filters,
                size,
                padding="same",
                use_bias=False,
                kernel_initializer=he,
                data_format=CHANNELS,
                dtype=policy,
                name=name,
            )
            scale = layers.BatchNormalization(epsilon=1e-5, momentum=0.98, dtype=policy, name=f"{name}_norm")
            self.convolutions[name] = (kernel, scale)
            return scale(kernel(x))

        def relu(x: Any, name: str) -> Any:
            return layers.Activation("relu", dtype=policy, name=name)(x)

        def full(x: Any, name: str, units: int, **more: Any) -> Any:
            layer = layers.Dense(units, kernel_initializer=more.pop("drawn", he), name=name, **more)
            self.denses[name] = layer
            return layer(x)

        planes = keras.Input(tuple(c["planes"]), dtype="float32", name="planes")
        self.embedded = layers.Activation("linear", dtype="float32", name="board")(planes)
        x = relu(normed(self.embedded, "stem", c["filters"], 3), "stem_relu")
        for block in range(c["blocks"]):
            name = f"block_{block}"
            inner = relu(normed(x, f"{name}_1", c["filters"], 3), f"{name}_1_relu")
            inner = normed(inner, f"{name}_2", c["filters"], 3)
            x = relu(layers.Add(dtype=policy, name=f"{name}_add")([x, inner]), f"{name}_relu")
        small = initializer if initializer == "zeros" else keras.initializers.RandomNormal(stddev=0.01)
        moves = relu(normed(x, "policy_conv", c["policy_filters"], 1), "policy_relu")
        moves = layers.Flatten(data_format=CHANNELS, dtype=policy, name="policy_flat")(moves)
        worth = relu(normed(x, "value_conv", c["value_filters"], 1), "value_relu")
        worth = layers.Flatten(data_format=CHANNELS, dtype=policy, name="value_flat")(worth)
        worth = full(worth, "value_hidden", c["value_hidden"], activation="relu", dtype=policy)
        outputs = {
            "policy": full(moves, "policy", c["actions"], drawn=small, dtype="float32"),
            "wdl": full(worth, "wdl", 3, drawn=small, dtype="float32"),
            "value": Column(name="value_column", dtype="float32")(
                full(worth, "value", 1, drawn=small, activation="tanh", dtype="float32")
            ),
        }
        return keras.Model({"planes": planes}, outputs, name=self.family)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found: dict[tuple[str, ...], Target] = {}
        for name, (kernel, scale) in self.convolutions.items():
            found |= convolution(f"{name}.convolution", kernel) | norm(f"{name}.normalization", scale)
        for name, layer in self.denses.items():
            found |= dense(name, layer)
        return found

    def flops(self) -> float:
        """Multiplications and additions of one position."""
        rows, columns, planes = self.config["planes"]
        cells, width = rows * columns, self.config["filters"]
        kernels = 9 * planes * width + 2 * self.config["blocks"] * 9 * width * width
        heads = width * (self.config["policy_filters"] + self.config["value_filters"])
        flat = sum(layer.kernel.shape[0] * layer.kernel.shape[1] for layer in self.denses.values())
        return float(2 * (cells * (kernels + heads) + flat))


class Column(layers.Layer):  # type: ignore[misc]
    """``[b, 1]`` to ``[b]``."""

    def call(self, x: Any) -> Any:
        return ops.squeeze(x, axis=-1)

    def compute_output_shape(self, shape: Any) -> Any:
        return shape[:-1]
