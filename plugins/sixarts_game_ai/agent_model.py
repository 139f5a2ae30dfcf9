"""Networks of agents: a body that reads the observation, and heads on it.

The body goes by the observation: dense layers for numbers, one small convolution for planes (Young and Tian
2019), three for frames (Mnih et al. 2015). Weights begin orthogonal (Saxe et al. 2014), drawn in NumPy, so
that one seed begins alike on every backend.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.model import Model
from sixarts.networks.published import Targets, convolution, dense
from sixarts.readers.limits import NAME, TRUTH, Limit, one_of, some, whole
from sixarts_game_ai.agent_processor import AgentProcessor
from sixarts_game_ai.flat_network import FlatNetwork

BODIES = ("auto", "dense", "planes", "frames")
#: Channels, kernel and stride of the convolutions for frames.
FRAMES = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
LIMITS: dict[str, Limit] = {
    "model_type": NAME,
    "body": one_of(*BODIES),
    "hidden": some(whole(1, 2**13), 8),
    "channels": some(whole(1, 2**10), 4),
    "activation": one_of("tanh", "relu", "silu", "gelu"),
    "shared": TRUTH,
    "dueling": TRUTH,
}


class AgentModel(Model):
    """A network of observations ``[b, …]``, of one family.

    Settings: ``body``, by the observation where it is ``"auto"``; ``hidden``, widths of the dense layers;
    ``channels`` of the convolutions for planes; ``activation``.
    """

    processor_class = AgentProcessor
    cut = "observation"
    fused = True
    limits = LIMITS
    defaults: ClassVar[Mapping[str, Any]] = {
        "body": "auto",
        "hidden": [64, 64],
        "channels": [16],
        "activation": "tanh",
    }
    #: What a behavior's examples are learned from: the output that names actions.
    taught: ClassVar[str]

    def sized(self, processor: AgentProcessor) -> dict[str, Any]:
        """The body that the observation asks for."""
        body = self.config["body"]
        shape = processor.spaces.inputs
        if body == "auto":
            large = len(shape) == 3 and min(shape[:2]) >= 36
            body = "dense" if len(shape) != 3 else "frames" if large else "planes"
        return {**self.config, "body": body}

    def heads(self, build: Building) -> dict[str, Any]:
        """A family's outputs, by name."""
        raise NotImplementedError

    def build(self, initializer: str) -> keras.Model:
        # An observation of planes is small numbers; of frames, gray from 0 to 255.
        spaces = self.processor.spaces
        pictures = spaces.dtype != "float32"
        observation = keras.Input(spaces.inputs, dtype="uint8" if pictures else "float32", name="observation")
        scale = 1 / 255 if spaces.dtype == "uint8" else 1.0
        x = layers.Rescaling(scale, dtype="float32", name="scaled")(observation)
        if len(spaces.inputs) != 3:
            # A place for each number, whose attributions are then told apart.
            x = layers.Reshape((math.prod(spaces.inputs), 1), name="parts")(x)
        self.embedded = x
        build = Building(self.config, self.device.policy, initializer == "zeros", x)
        outputs = self.heads(build)
        self._targets = build.targets
        return keras.Model({"observation": observation}, outputs, name=self.family)

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        return self._targets

    def take(self, vector: np.ndarray, processor: AgentProcessor) -> None:
        """Takes over weights, as :class:`FlatNetwork` has them, and a processor."""
        FlatNetwork(self.network).assign(vector)
        self._processor = processor

    def best(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The actions that a policy without noise takes, as the network gives them."""
        named = outputs[self.taught]
        return named if self.processor.spaces.continuous else named.argmax(axis=-1)

    def flops(self) -> float:
        """Operations for one observation: two for each weight of a layer, at each place that uses it."""
        total = 0.0
        for layer in self.network.layers:
            if isinstance(layer, layers.Dense):
                total += 2.0 * math.prod(layer.kernel.shape)
            elif isinstance(layer, Convolution):
                places = math.prod(layer.output.shape[1:3])
                total += 2.0 * math.prod(layer.kernel.shape) * places
        return total


class Building:
    """Layers of one network under construction, and the names of their weights.

    Args:
        config: the network's.
        policy: of its layers' dtypes.
        blank: whether weights are zeros, since a file of them follows.
        inputs: the observation.
    """

    def __init__(self, config: Mapping[str, Any], policy: str, blank: bool, inputs: Any) -> None:
        self.config, self.policy, self.blank, self.inputs = config, policy, blank, inputs
        self.targets: Targets = {}

    def body(self, name: str) -> Any:
        """The observation after a body of its own, ``[b, width]``."""
        return self.deep(name, self.features(name))

    def features(self, name: str) -> Any:
        """The observation after the convolutions, where the body has any, flat."""
        x, body = self.inputs, self.config["body"]
        if body == "planes":
            for place, channels in enumerate(self.config["channels"]):
                x = self.convolved(x, f"{name}.conv.{place}", channels, 3, 1)
        elif body == "frames":
            for place, (channels, kernel, stride) in enumerate(FRAMES):
                x = self.convolved(x, f"{name}.conv.{place}", channels, kernel, stride)
        return layers.Flatten(name=flat(f"{name}.flat"))(x)

    def deep(self, name: str, x: Any) -> Any:
        """The dense layers."""
        for place, width in enumerate(self.config["hidden"]):
            x = self.dense(
                x, f"{name}.dense.{place}", width, math.sqrt(2), activation=self.config["activation"]
            )
        return x

    def dense(self, x: Any, name: str, width: int, gain: float, **how: Any) -> Any:
        """One dense layer, its weights entered."""
        layer = layers.Dense(
            width, kernel_initializer=self.drawn(gain), dtype=self.policy, name=flat(name), **how
        )
        x = layer(x)
        self.targets |= dense(name, layer)
        return x

    def convolved(self, x: Any, name: str, channels: int, kernel: int, stride: int) -> Any:
        """One convolution with its activation, its weights entered."""
        layer = Convolution(
            channels,
            kernel,
            stride,
            activation=self.config["activation"],
            initializer=self.drawn(math.sqrt(2)),
            dtype=self.policy,
            name=flat(name),
        )
        x = layer(x)
        self.targets |= convolution(name, layer)
        return x

    def drawn(self, gain: float) -> Any:
        """How a kernel begins."""
        return "zeros" if self.blank else Orthogonal(gain)


class Orthogonal(keras.initializers.Initializer):
    """Orthogonal weights times ``gain`` (Saxe et al. 2014), drawn by NumPy's own generator.

    ``keras.utils.set_random_seed`` seeds it as it does the others, and it draws alike on every backend.
    """

    def __init__(self, gain: float) -> None:
        self.gain = gain

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        across = shape[-1]
        rows = math.prod(shape[:-1])
        drawn = np.random.normal(size=(max(rows, across), min(rows, across)))
        basis, upper = np.linalg.qr(drawn)
        basis *= np.sign(np.diag(upper))
        value = self.gain * (basis.T if rows < across else basis)
        return ops.convert_to_tensor(value.reshape(shape).astype("float32"), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class Convolution(layers.Layer):
    """A convolution without padding, as one product with every patch side by side.

    Learning is a loop in one compiled function, and there XLA's own convolutions are thirty times slower on
    a CPU; of these small ones the patches cost little.

    Args:
        channels: that come out.
        kernel: its side.
        stride: from patch to patch; divides the kernel's side.
        activation: of what comes out.
        initializer: of the kernel.
    """

    def __init__(
        self, channels: int, kernel: int, stride: int, activation: str, initializer: Any, **how: Any
    ) -> None:
        super().__init__(**how)
        self.channels, self.side, self.stride = channels, kernel, stride
        self.activation, self.initializer = keras.activations.get(activation), initializer
        self.use_bias = True

    def build(self, shape: Any) -> None:
        self.kernel = self.add_weight(
            (self.side, self.side, shape[-1], self.channels), initializer=self.initializer, name="kernel"
        )
        self.bias = self.add_weight((self.channels,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        # Squares of the stride's side become one place first, so that a patch is a few of those.
        step, count = self.stride, self.side // self.stride
        tall, wide = (self._out(side) for side in x.shape[1:3])
        high, across, depth = tall + count - 1, wide + count - 1, x.shape[3]
        x = ops.reshape(x[:, : high * step, : across * step], (-1, high, step, across, step, depth))
        x = ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, high, across, step * step * depth))
        patches = [
            x[:, row : row + tall, column : column + wide] for row in range(count) for column in range(count)
        ]
        kernel = ops.reshape(self.kernel, (count, step, count, step, depth, self.channels))
        kernel = ops.reshape(ops.transpose(kernel, (0, 2, 1, 3, 4, 5)), (-1, self.channels))
        return self.activation(ops.matmul(ops.concatenate(patches, axis=-1), kernel) + self.bias)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self._out(shape[1]), self._out(shape[2]), self.channels)

    def _out(self, side: int) -> int:
        return (side - self.side) // self.stride + 1


class Spread(layers.Layer):
    """The logarithm of a continuous action's deviation: weights, the same for every observation."""

    def __init__(self, size: int, **how: Any) -> None:
        super().__init__(**how)
        self.size = size
        self.logarithm = self.add_weight((size,), initializer="zeros", name="logarithm")

    def call(self, x: Any) -> Any:
        rows = ops.zeros_like(x[:, :1])
        return ops.cast(rows, "float32") + ops.cast(self.logarithm, "float32")[None]

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.size)


def flat(name: str) -> str:
    """A layer's name of its weights'."""
    return name.replace(".", "_")
