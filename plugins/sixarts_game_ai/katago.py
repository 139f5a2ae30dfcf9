"""KataGo's networks: residual blocks over the board, with pooled views of all of it (Wu 2019).

Weights keep the names and orientations of KataGo's own files, whose layouts of versions 8 to 16 are read,
nested bottlenecks included. The network takes boards of any one size a batch; only the planes state it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target, Weights, open_weights
from sixarts.device import Device
from sixarts.model import WEIGHTS, Model
from sixarts_game_ai.katago_design import NEW, designed
from sixarts_game_ai.katago_file import read_network
from sixarts_game_ai.katago_layout import NUMBERS, PLANES, check, tensors
from sixarts_game_ai.katago_processor import KatagoProcessor

#: A published network beside its ``config.json``.
PUBLISHED = "model.bin.gz"
#: Every convolution states it: the user's Keras may be set to the other order.
CHANNELS = "channels_last"


class Pooled(layers.Layer):  # type: ignore[misc]
    """Views of the whole board: means and largest values of its channels, told of the board's size.

    Args:
        largest: whether the third view is the largest value, as in blocks; a value head has a second function
            of the size in its place.
    """

    def __init__(self, largest: bool, **rest: Any) -> None:
        super().__init__(**rest)
        self.largest = largest

    def call(self, x: Any, inside: Any) -> Any:
        """``x`` ``[b, h, w, c]`` and the plane of the board ``[b, h, w]`` to ``[b, 3 c]``."""
        area = ops.sum(inside, axis=(1, 2))[:, None]
        mean = ops.sum(x, axis=(1, 2)) / area
        side = (ops.sqrt(area) - 14.0) * 0.1
        third = ops.max(x, axis=(1, 2)) if self.largest else mean * (side * side - 0.1)
        return ops.concatenate([mean, mean * side, third], axis=-1)

    def compute_output_shape(self, x_shape: Any, inside_shape: Any) -> tuple[Any, ...]:
        return (x_shape[0], 3 * x_shape[-1])


class Spread(layers.Layer):  # type: ignore[misc]
    """Adds numbers ``[b, c]`` to every point ``[b, h, w, c]``."""

    def call(self, x: Any, numbers: Any) -> Any:
        return x + numbers[:, None, None, :]

    def compute_output_shape(self, x_shape: Any, numbers_shape: Any) -> Any:
        return x_shape


class Policy(layers.Layer):  # type: ignore[misc]
    """The first of a network's policies: logits of points ``[b, h, w, n]`` and of the pass ``[b, n]``."""

    def call(self, points: Any, passing: Any) -> Any:
        flat = ops.reshape(points[..., :1], (ops.shape(points)[0], -1))
        return ops.concatenate([flat, passing[:, :1]], axis=-1)

    def compute_output_shape(self, points_shape: Any, passing_shape: Any) -> tuple[Any, ...]:
        return (points_shape[0], None)


class Chances(layers.Layer):  # type: ignore[misc]
    """Logits of win, loss and no result ``[b, 3]`` as those of win, draw and loss."""

    def call(self, x: Any) -> Any:
        return ops.stack([x[:, 0], x[:, 2], x[:, 1]], axis=-1)

    def compute_output_shape(self, x_shape: Any) -> Any:
        return x_shape


class Plane(layers.Layer):  # type: ignore[misc]
    """One plane of several, ``[b, h, w, n]`` to ``[b, h, w]``."""

    def call(self, x: Any) -> Any:
        return x[..., 0]

    def compute_output_shape(self, x_shape: Any) -> Any:
        return x_shape[:-1]


class Katago(Model):
    """A KataGo network over ``spatial`` ``[b, h, w, 22]`` and ``global`` ``[b, 19]``.

    It gives ``policy`` logits ``[b, h w + 1]``, ``wdl`` logits ``[b, 3]`` of the mover (a game without result
    is a draw), ``score`` ``[b, 4 or 6]`` before its scales, and ``ownership`` ``[b, h, w]`` before ``tanh``.
    """

    family: ClassVar[str] = "katago"
    processor_class: ClassVar[type[Any]] = KatagoProcessor
    settings: ClassVar[frozenset[str]] = frozenset({*NEW, "board_size", "komi", "rules"})
    # TensorFlow's own convolutions are faster on a CPU than XLA's.
    fused: ClassVar[bool] = False
    cut = "spatial"
    #: KataGo's own program trains its networks; here they play.
    learns = False

    @classmethod
    def from_file(cls, path: str | Path, device: Device | None = None, **game: Any) -> Katago:
        """A network as KataGo publishes it, ``*.bin.gz`` or ``*.txt.gz``.

        Args:
            path: the file.
            device: where it runs.
            **game: ``board_size``, ``komi`` and ``rules`` of the game that it plays when none is named.

        Raises:
            CheckpointError: what is wrong with the file.
        """
        tree, weights = read_network(path)
        config = cls.configure(**tree, **game)
        made = cls(config, KatagoProcessor(config), device, initializer="zeros")
        with made.device.scope():
            made.load_weights(weights)
        return made

    @classmethod
    def read_config(cls, folder: Path) -> dict[str, Any]:
        """``config.json``, completed by a published network beside it."""
        config = super().read_config(folder)
        if "trunk" not in config and not (folder / WEIGHTS).exists() and (folder / PUBLISHED).exists():
            return {**read_network(folder / PUBLISHED)[0], **config}
        return config

    @classmethod
    def open_weights(cls, folder: Path) -> Weights:
        """The folder's weights, or a published network's."""
        if not (folder / WEIGHTS).exists() and (folder / PUBLISHED).exists():
            return read_network(folder / PUBLISHED)[1]
        return open_weights(folder)

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        """A published network's description, or one of a new network with some of :data:`NEW`."""
        game = KatagoProcessor.game_of(config)
        if "trunk" in config:
            check(config)
            return {**config, **game}
        return {**designed({**NEW, **{name: config[name] for name in NEW if name in config}}), **game}

    def build(self, initializer: str) -> keras.Model:
        """The network, layer after layer as its file has them."""
        return _Builder(self, initializer).network()

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        """KataGo's names to variables; orientations are Keras's own."""
        network = self.network
        parts = {"mean": "moving_mean", "variance": "moving_variance", "scale": "gamma", "bias": "beta"}
        found = {}
        for name, layer, part in tensors(self.config):
            made = network.get_layer(_keras_name(layer["name"]))
            variable = getattr(made, parts.get(part, "kernel"))
            found[(name,)] = Target(variable)
        return found


class Bias(layers.Layer):  # type: ignore[misc]
    """A number for each channel."""

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(shape=(shape[-1],), initializer="zeros", name="kernel")

    def call(self, x: Any) -> Any:
        return x + ops.cast(self.kernel, x.dtype)

    def compute_output_shape(self, x_shape: Any) -> Any:
        return x_shape


def _keras_name(name: str) -> str:
    """A layer's name in Keras; neither slashes nor dots go with all backends."""
    return re.sub(r"[^0-9A-Za-z_]", "_", name)


class _Builder:
    """Builds the layers of a description."""

    def __init__(self, model: Katago, initializer: str) -> None:
        self.model, self.tree, self.policy = model, model.config, model.device.policy
        self.initializer = initializer

    def network(self) -> keras.Model:
        model, tree = self.model, self.tree
        spatial = keras.Input((None, None, PLANES), dtype="float32", name="spatial")
        numbers = keras.Input((NUMBERS,), dtype="float32", name="global")
        model.embedded = layers.Identity(dtype=self.policy, name="planes")(spatial)
        self.inside = Plane(dtype=self.policy, name="board")(model.embedded)
        trunk = tree["trunk"]
        x = self.conv(trunk["initialConv"], model.embedded)
        x = self.spread("numbers_spread", x, self.matmul(trunk["initialMatMul"], numbers))
        x = self.blocks(trunk["blocks"], x)
        x = self.active(trunk, "trunkTipBN", "trunkTipActivation", x)
        outputs = {"policy": self.policy_head(x), **self.value_head(x)}
        outputs = {
            name: layers.Activation("linear", dtype="float32", name=name)(value)
            for name, value in outputs.items()
        }
        return keras.Model({"spatial": spatial, "global": numbers}, outputs, name="katago")

    def blocks(self, blocks: list[dict[str, Any]], x: Any) -> Any:
        kinds = {
            "ordinary_block": self.ordinary,
            "gpool_block": self.pooling,
            "nested_bottleneck_block": self.nested,
        }
        for block in blocks:
            x = layers.Add(dtype=self.policy, name=f"{_keras_name(block['name'])}_sum")(
                [x, kinds[block["kind"]](block, x)]
            )
        return x

    def ordinary(self, block: dict[str, Any], x: Any) -> Any:
        x = self.conv(block["regularConv"], self.active(block, "preBN", "preActivation", x))
        return self.conv(block["finalConv"], self.active(block, "midBN", "midActivation", x))

    def pooling(self, block: dict[str, Any], x: Any) -> Any:
        name = _keras_name(block["name"])
        x = self.active(block, "preBN", "preActivation", x)
        pooled = self.conv(block["gpoolConv"], x)
        pooled = self.active(block, "gpoolBN", "gpoolActivation", pooled)
        pooled = self.pooled(f"{name}_pooled", pooled, largest=True)
        x = self.conv(block["regularConv"], x)
        x = self.spread(f"{name}_spread", x, self.matmul(block["gpoolToBiasMul"], pooled))
        return self.conv(block["finalConv"], self.active(block, "midBN", "midActivation", x))

    def nested(self, block: dict[str, Any], x: Any) -> Any:
        x = self.conv(block["preConv"], self.active(block, "preBN", "preActivation", x))
        x = self.blocks(block["blocks"], x)
        return self.conv(block["postConv"], self.active(block, "postBN", "postActivation", x))

    def policy_head(self, x: Any) -> Any:
        head = self.tree["policyHead"]
        pooled = self.active(head, "g1BN", "g1Activation", self.conv(head["g1Conv"], x))
        pooled = self.pooled("policy_pooled", pooled, largest=True)
        x = self.spread(
            "policy_spread", self.conv(head["p1Conv"], x), self.matmul(head["gpoolToBiasMul"], pooled)
        )
        points = self.conv(head["p2Conv"], self.active(head, "p1BN", "p1Activation", x))
        passing = self.matmul(head["gpoolToPassMul"], pooled)
        if "gpoolToPassMul2" in head and self.tree["version"] >= 15:
            passing = self.activation(head["passActivation"], self.bias(head["gpoolToPassBias"], passing))
            passing = self.matmul(head["gpoolToPassMul2"], passing)
        return Policy(dtype=self.policy, name="policy_points")(points, passing)

    def value_head(self, x: Any) -> dict[str, Any]:
        head = self.tree["valueHead"]
        x = self.active(head, "v1BN", "v1Activation", self.conv(head["v1Conv"], x))
        pooled = self.pooled("value_pooled", x, largest=False)
        pooled = self.bias(head["v2Bias"], self.matmul(head["v2Mul"], pooled))
        pooled = self.activation(head["v2Activation"], pooled)
        owned = self.conv(head["vOwnershipConv"], x)
        return {
            "wdl": Chances(dtype=self.policy, name="chances")(
                self.bias(head["v3Bias"], self.matmul(head["v3Mul"], pooled))
            ),
            "score": self.bias(head["sv3Bias"], self.matmul(head["sv3Mul"], pooled)),
            "ownership": Plane(dtype=self.policy, name="ownership_plane")(owned),
        }

    def active(self, node: Mapping[str, Any], norm: str, act: str, x: Any) -> Any:
        return self.activation(node[act], self.norm(node[norm], x))

    def norm(self, layer: dict[str, Any], x: Any) -> Any:
        return layers.BatchNormalization(
            epsilon=layer["epsilon"],
            scale=layer["scale"],
            center=layer["bias"],
            dtype=self.policy,
            name=_keras_name(layer["name"]),
        )(x)

    def activation(self, layer: dict[str, Any], x: Any) -> Any:
        return layers.Activation(layer["function"], dtype=self.policy, name=_keras_name(layer["name"]))(x)

    def conv(self, layer: dict[str, Any], x: Any) -> Any:
        return layers.Conv2D(
            layer["out"],
            tuple(layer["size"]),
            padding="same",
            dilation_rate=tuple(layer["dilation"]),
            use_bias=False,
            kernel_initializer=self.initializer,
            data_format=CHANNELS,
            dtype=self.policy,
            name=_keras_name(layer["name"]),
        )(x)

    def matmul(self, layer: dict[str, Any], x: Any) -> Any:
        return layers.Dense(
            layer["out"],
            use_bias=False,
            kernel_initializer=self.initializer,
            dtype=self.policy,
            name=_keras_name(layer["name"]),
        )(x)

    def bias(self, layer: dict[str, Any], x: Any) -> Any:
        return Bias(dtype=self.policy, name=_keras_name(layer["name"]))(x)

    def spread(self, name: str, x: Any, numbers: Any) -> Any:
        return Spread(dtype=self.policy, name=name)(x, numbers)

    def pooled(self, name: str, x: Any, largest: bool) -> Any:
        return Pooled(largest, dtype=self.policy, name=name)(x, self.inside)
