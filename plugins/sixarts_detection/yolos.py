"""The ``yolos`` family: a plain vision transformer with tokens that become objects.

Source: Fang et al. 2021; weight names as published with ``transformers`` (``YolosForObjectDetection``), e.g.
``hustvl/yolos-tiny``. The network takes pictures of any size: it stretches its tables of positions over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.layers import PROJECTIONS, EncoderBlock
from sixarts.networks import published
from sixarts.networks.patches import Patches, bicubic
from sixarts.readers.limits import NAME, TRUTH, check, number, one_of, some, whole
from sixarts_detection import layout
from sixarts_detection.detection_model import DetectionModel
from sixarts_detection.detection_processor import WholeProcessor
from sixarts_detection.transformer import Perceptron

#: What a configuration may say; each far beyond what is published.
LIMITS = {
    "image_size": some(whole(1, 4096), 2),
    "patch_size": whole(1, 4096),
    "num_channels": one_of(3),
    "hidden_size": whole(1, 2**14),
    "num_hidden_layers": whole(1, 256),
    "num_attention_heads": whole(1, 2**10),
    "intermediate_size": whole(1, 2**17),
    "hidden_act": NAME,
    "hidden_dropout_prob": number(0, 1),
    "attention_probs_dropout_prob": number(0, 1),
    "layer_norm_eps": number(0, 1),
    "qkv_bias": TRUTH,
    "num_detection_tokens": whole(1, 2**14),
    "use_mid_position_embeddings": TRUTH,
}
#: What the four projections of a block's attention are called in the file.
ATTENTION = {
    "query": "attention.attention.query",
    "key": "attention.attention.key",
    "value": "attention.attention.value",
    "out": "attention.output.dense",
}
#: First spelling of a weight to the later one.
RENAMED = {r"encoder\.mid_position": "encoder.interpolation.mid_position"}


class Surrounded(keras.layers.Layer):  # type: ignore[misc]
    """Puts a class token before patches and detection tokens behind them: ``[b, 1 + n + count, width]``."""

    def __init__(self, count: int, initializer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count, self.initializer = count, initializer

    def build(self, shape: Any) -> None:
        self.first, self.last = (
            self.add_weight(name=name, shape=(1, count, shape[-1]), initializer=self.initializer)
            for name, count in (("first", 1), ("last", self.count))
        )
        self.built = True

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], None if shape[1] is None else shape[1] + 1 + self.count, shape[2])

    def call(self, x: Any) -> Any:
        tokens = [ops.cast(token, x.dtype) for token in (self.first, self.last)]
        first, last = (ops.broadcast_to(token, (ops.shape(x)[0], *token.shape[1:])) for token in tokens)
        return ops.concatenate([first, x, last], axis=1)


class StretchedPlaces(keras.layers.Layer):  # type: ignore[misc]
    """Adds learned positions, those of patches stretched over the grid that is shown.

    Args:
        depth: how many tables there are; each is added at a place of its own in the network.
        count: detection tokens, which come last.
        grid: rows and columns of patches that the tables were learned on.
        patch: side of a patch in pixels.
        initializer: of the tables.
    """

    def __init__(
        self, depth: int, count: int, grid: tuple[int, int], patch: int, initializer: Any, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.depth, self.count, self.grid, self.patch = depth, count, grid, patch
        self.initializer = initializer

    def build(self, x_shape: Any, pixels_shape: Any) -> None:
        length = 1 + self.grid[0] * self.grid[1] + self.count
        self.tables = self.add_weight(
            name="tables", shape=(self.depth, 1, length, x_shape[-1]), initializer=self.initializer
        )
        self.built = True

    def compute_output_shape(self, x_shape: Any, pixels_shape: Any) -> Any:
        return x_shape

    def call(self, x: Any, pixels: Any, place: int = 0) -> Any:
        """The tokens ``x`` of the picture ``pixels`` with the positions of table ``place``."""
        shown = tuple(size // self.patch for size in pixels.shape[1:3])
        table = self.tables[place]
        if shown == self.grid:
            return x + ops.cast(table, x.dtype)
        inner = ops.reshape(table[0, 1 : -self.count], (*self.grid, -1))
        down, across = (
            ops.convert_to_tensor(bicubic(old, new)) for old, new in zip(self.grid, shown, strict=True)
        )
        # Rows first, then columns: the interpolation is separable.
        inner = ops.tensordot(down, ops.cast(inner, "float32"), axes=((1,), (0,)))
        inner = ops.transpose(ops.tensordot(across, inner, axes=((1,), (1,))), (1, 0, 2))
        inner = ops.cast(ops.reshape(inner, (1, shown[0] * shown[1], -1)), table.dtype)
        table = ops.concatenate([table[:, :1], inner, table[:, -self.count :]], axis=1)
        return x + ops.cast(table, x.dtype)


class Yolos(DetectionModel):
    """Patches and tokens through a transformer; two heads read the detection tokens."""

    family = "yolos"
    processor_class = WholeProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "yolos",
        "architectures": ["YolosForObjectDetection"],
        "image_size": [512, 864],
        "patch_size": 16,
        "num_channels": 3,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3072,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "layer_norm_eps": 1e-12,
        "qkv_bias": True,
        "num_detection_tokens": 100,
        "use_mid_position_embeddings": True,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    head = ("class_labels_classifier.layers.2.weight", "class_labels_classifier.layers.2.bias")

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS, optional=True)
        size, patch = full["image_size"], full["patch_size"]
        if full["hidden_size"] % full["num_attention_heads"]:
            raise CheckpointError(
                f"hidden_size={full['hidden_size']} and num_attention_heads={full['num_attention_heads']}; "
                "expected heads that divide the width"
            )
        if len(size) != 2 or min(size) < patch:
            raise CheckpointError(
                f"image_size={size} and patch_size={patch}; expected two sides of a patch or more"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        count, width = c["num_detection_tokens"], c["hidden_size"]
        drawn = initializer if initializer == "zeros" else keras.initializers.TruncatedNormal(0.02)
        pixels, x = self.pixels(None, None)
        self.patches = Patches(
            (c["patch_size"], c["patch_size"]), width, initializer, dtype=policy, name="patches"
        )
        self.tokens = Surrounded(count, drawn, dtype=policy, name="tokens")
        grid = tuple(size // c["patch_size"] for size in c["image_size"])

        def places(depth: int, name: str) -> StretchedPlaces:
            return StretchedPlaces(depth, count, grid, c["patch_size"], drawn, dtype=policy, name=name)

        self.patch_places = places(1, "places")
        shown, x = x, self.patch_places(self.tokens(self.patches(x)), x)
        x = layers.Dropout(c["hidden_dropout_prob"], dtype=policy, name="dropout")(x)
        last = c["num_hidden_layers"] - 1
        self.between = places(last, "places_between") if c["use_mid_position_embeddings"] and last else None
        self.blocks = [self._block(place, initializer) for place in range(last + 1)]
        for place, block in enumerate(self.blocks):
            x = block(x)
            if self.between is not None and place < last:
                x = self.between(x, shown, place=place)
        self.norm = layers.LayerNormalization(epsilon=c["layer_norm_eps"], dtype=policy, name="norm")
        x = self.norm(x)[:, -count:]
        self.classifier, self.boxes = (
            Perceptron([width, width, out], initializer, dtype=policy, name=name)
            for name, out in (("classifier", len(labels_of(c)) + 1), ("box_head", 4))
        )
        boxes = layers.Activation("sigmoid", dtype="float32", name="shares")(self.boxes(x))
        return self.closed({"pixel_values": pixels}, self.classifier(x), boxes)

    def _block(self, place: int, initializer: str) -> EncoderBlock:
        c = self.config
        return EncoderBlock(
            c["hidden_size"],
            c["num_attention_heads"],
            c["intermediate_size"],
            c["hidden_act"],
            c["hidden_dropout_prob"],
            c["attention_probs_dropout_prob"],
            epsilon=c["layer_norm_eps"],
            norm_first=True,
            biases=PROJECTIONS if c["qkv_bias"] else ("out",),
            initializer=initializer,
            dtype=self.device.policy,
            name=f"block_{place}",
        )

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        at = "vit.embeddings"
        found: published.Targets = {
            (f"{at}.cls_token",): Target(self.tokens.first),
            (f"{at}.detection_tokens",): Target(self.tokens.last),
            (f"{at}.position_embeddings",): Target(
                self.patch_places.tables, lambda stored: stored[None], lambda value: value[0]
            ),
        }
        if self.between is not None:
            found[("vit.encoder.mid_position_embeddings",)] = Target(self.between.tables)
        found |= published.patches(f"{at}.patch_embeddings.projection", self.patches)
        for place, block in enumerate(self.blocks):
            name = f"vit.encoder.layer.{place}"
            parts = {part: f"{name}.{end}" for part, end in ATTENTION.items()}
            found |= published.attention(parts, block.attention)
            found |= published.norm(f"{name}.layernorm_before", block.attention_norm)
            found |= published.norm(f"{name}.layernorm_after", block.norm)
            found |= published.dense(f"{name}.intermediate.dense", block.feed_forward.inner)
            found |= published.dense(f"{name}.output.dense", block.feed_forward.outer)
        found |= published.norm("vit.layernorm", self.norm)
        found |= layout.perceptron("class_labels_classifier", self.classifier)
        return layout.spelled(found | layout.perceptron("bbox_predictor", self.boxes), RENAMED)

    def processor_for(self, labels: Sequence[str]) -> WholeProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        low, high = sorted(self.config["image_size"])
        size = {"shortest_edge": low, "longest_edge": high}
        return WholeProcessor({"image_processor_type": "YolosImageProcessor", "size": size}, labels)
