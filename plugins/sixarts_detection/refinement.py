"""RT-DETR's decoder: the most promising cells become queries, and every block moves their boxes a little.

Source: Zhao et al. 2024, section 4.3, over the two stages of Zhu et al. 2021, appendix A.4.
Shapes: ``b`` pictures, ``s`` cells of all scales, ``n`` queries, ``d`` width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from sixarts.errors import InputError
from sixarts_detection.deformable import DeformableBlock
from sixarts_detection.transformer import Perceptron

#: A side of the box that each cell of the finest scale proposes, as a share of the picture.
SIDE = 0.05
#: Boxes nearer to the border, or larger, propose nothing.
MARGIN = 1e-2
#: What stands for a box at infinity, whose sigmoid is 1.
FAR = 1e4


class RefiningDecoder(keras.layers.Layer):  # type: ignore[misc]
    """Features of several scales to classes and boxes of ``n`` queries.

    Args:
        config: the detector's.
        classes: how many.
        initializer: of the kernels.
    """

    def __init__(self, config: Mapping[str, Any], classes: int, initializer: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.config, self.classes = dict(config), classes
        self.initializer, c, width = initializer, config, config["d_model"]
        likely = c.get("initializer_bias_prior_prob") or 1 / (classes + 1)
        start: Any = keras.initializers.Constant(-math.log(1 / likely - 1))
        policy = {"dtype": self.dtype_policy}

        def dense(size: int, name: str, bias: Any = "zeros") -> Any:
            return keras.layers.Dense(
                size, kernel_initializer=initializer, bias_initializer=bias, name=name, **policy
            )

        def boxes(name: str) -> Perceptron:
            return Perceptron([width, width, 4], initializer, "zeros", name=name, **policy)

        bias = "zeros" if initializer == "zeros" else start
        self.output_dense = dense(width, "output_dense")
        self.output_norm = keras.layers.LayerNormalization(
            epsilon=c["layer_norm_eps"], name="output_norm", **policy
        )
        self.first_classes, self.first_boxes = dense(classes, "first_classes", bias), boxes("first_boxes")
        self.query_head = Perceptron([2 * width, width], initializer, name="query_head", **policy)
        self.blocks = [
            DeformableBlock(
                levels=c["num_feature_levels"],
                points=c["decoder_n_points"],
                width=width,
                heads=c["decoder_attention_heads"],
                inner=c["decoder_ffn_dim"],
                activation_name=c["decoder_activation_function"],
                dropout=c["dropout"],
                attention_dropout=c["attention_dropout"],
                activation_dropout=c["activation_dropout"],
                epsilon=c["layer_norm_eps"],
                initializer=initializer,
                name=f"block_{place}",
                **policy,
            )
            for place in range(c["decoder_layers"])
        ]
        self.class_heads = [dense(classes, f"classes_{place}", bias) for place in range(len(self.blocks))]
        self.box_heads = [boxes(f"boxes_{place}") for place in range(len(self.blocks))]

    def build(self, shapes: Any) -> None:
        c, width = self.config, self.config["d_model"]
        for layer in self._flatten_layers(include_self=False, recursive=False):
            if not layer.built:
                layer.build((None, None, 4 if layer is self.query_head else width))
        drawn = self.initializer if self.initializer == "zeros" else "glorot_uniform"
        # What published training starts denoised queries from: kept, so that nothing of a file is lost.
        self.denoised = (
            self.add_weight(name="denoised", shape=(width, self.classes + 1), initializer=drawn)
            if c["num_denoising"] > 0
            else None
        )
        self.queries = (
            self.add_weight(name="queries", shape=(c["num_queries"], width), initializer=drawn)
            if c["learn_initial_query"]
            else None
        )
        self.built = True

    def compute_output_spec(self, sources: Any, training: bool = False) -> Any:
        rows, count, blocks = sources[0].shape[0], self.config["num_queries"], len(self.blocks)
        return tuple(
            keras.KerasTensor((rows, *middle, count, last), "float32")
            for middle in ((), (blocks,))
            for last in (self.classes, 4)
        )

    def call(self, sources: Sequence[Any], training: bool = False) -> tuple[Any, Any, Any, Any]:
        """Classes and boxes of the last block, and of all that was before it.

        Args:
            sources: each scale's features, ``[b, height, width, d]``.

        Returns:
            Logits ``[b, n, classes]`` and boxes ``[b, n, 4]``; then the same of the cells that were chosen
            and of every block but the last, on an axis after the first: what published training looks at.
        """
        grids = [tuple(source.shape[1:3]) for source in sources]
        memory = ops.concatenate(
            [
                ops.reshape(source, (-1, source.shape[1] * source.shape[2], source.shape[3]))
                for source in sources
            ],
            axis=1,
        )
        x, logits, far = self._chosen(memory, grids)
        boxes = ops.sigmoid(far)
        found = [(logits, boxes)]
        for block, classes, moved in zip(self.blocks, self.class_heads, self.box_heads, strict=True):
            before = ops.stop_gradient(boxes)
            queries = self.query_head(ops.cast(before, self.compute_dtype))
            x = block(x, queries, memory, before, grids=grids, training=training)
            boxes = ops.sigmoid(ops.cast(moved(x), "float32") + unsquashed(before))
            found.append((ops.cast(classes(x), "float32"), boxes))
        earlier = [ops.stack(parts, axis=1) for parts in zip(*found[:-1], strict=True)]
        return (*found[-1], *earlier)

    def _chosen(self, memory: Any, grids: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Features, logits and unsquashed boxes of the cells that promise most, ``[b, n, …]`` each.

        Cells that promise exactly as much come in an order that backends do not agree on; those at the
        border, which promise nothing, are all the same.

        Raises:
            InputError: there are fewer cells than queries.
        """
        count = self.config["num_queries"]
        anchors, useful = anchors_of(grids)
        if count > len(anchors):
            raise InputError(
                f"a picture of {len(anchors)} cells for {count} queries; expected a larger size in "
                "preprocessor_config.json"
            )
        useful = ops.convert_to_tensor(useful.astype("float32"))
        features = self.output_norm(self.output_dense(memory * ops.cast(useful, memory.dtype)))
        logits = ops.cast(self.first_classes(features), "float32")
        boxes = ops.cast(self.first_boxes(features), "float32") + ops.convert_to_tensor(anchors)
        best = ops.top_k(ops.max(logits, axis=-1), count)[1][..., None]
        features, logits, boxes = (
            ops.take_along_axis(part, best, axis=1) for part in (features, logits, boxes)
        )
        if self.queries is None:
            return ops.stop_gradient(features), logits, boxes
        table = ops.cast(self.queries, features.dtype)[None]
        return ops.broadcast_to(table, ops.shape(features)), logits, boxes


def anchors_of(grids: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """The box that each cell proposes, unsquashed, ``[s, 4]``, and whether it may, ``[s, 1]``."""
    found = []
    for level, (height, width) in enumerate(grids):
        rows, columns = np.mgrid[:height, :width].astype("float32") + 0.5
        sides = np.full_like(rows, SIDE * 2.0**level)
        found.append(np.stack([columns / width, rows / height, sides, sides], axis=-1).reshape(-1, 4))
    boxes = np.concatenate(found)
    useful = ((boxes > MARGIN) & (boxes < 1 - MARGIN)).all(axis=-1, keepdims=True)
    inner = np.where(useful, boxes, 0.5)
    return np.where(useful, np.log(inner / (1 - inner)), FAR).astype("float32"), useful


def unsquashed(shares: Any) -> Any:
    """What the sigmoid of gives ``shares``, kept from infinity."""
    shares = ops.clip(shares, 0.0, 1.0)
    return ops.log(ops.maximum(shares, 1e-5) / ops.maximum(1.0 - shares, 1e-5))
