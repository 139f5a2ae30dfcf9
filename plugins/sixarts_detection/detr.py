"""The ``detr`` family: an object for each of a few learned queries, by a transformer over a residual trunk.

Source: Carion et al. 2020; weight names as published with ``transformers`` (``DetrForObjectDetection``), with
a trunk in its own layout or in ``timm``'s, as in ``facebook/detr-resnet-50`` and its dilated (DC5) kin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
from keras import layers, ops

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.networks import published
from sixarts.networks.residual import CHANNELS
from sixarts.readers.limits import NAME, TRUTH, check, number, one_of, whole
from sixarts_detection import backbone, layout
from sixarts_detection.detection_model import DetectionModel
from sixarts_detection.detection_processor import CanvasProcessor
from sixarts_detection.places import LearnedPlaces, SinePlaces
from sixarts_detection.transformer import Perceptron, PlacedBlock, Queries, QueryBlock

#: What a configuration may say; each far beyond what is published.
LIMITS = {
    "num_channels": one_of(3),
    "num_queries": whole(1, 2**14),
    "d_model": whole(4, 2**14),
    "encoder_layers": whole(0, 128),
    "decoder_layers": whole(1, 128),
    "encoder_attention_heads": whole(1, 2**10),
    "decoder_attention_heads": whole(1, 2**10),
    "encoder_ffn_dim": whole(1, 2**17),
    "decoder_ffn_dim": whole(1, 2**17),
    "activation_function": NAME,
    "dropout": number(0, 1),
    "attention_dropout": number(0, 1),
    "activation_dropout": number(0, 1),
    "position_embedding_type": one_of("sine", "learned"),
    "auxiliary_loss": TRUTH,
    "dilation": TRUTH,
    "use_timm_backbone": TRUTH,
}


def trunk_of(config: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The trunk's configuration, and whether its weights have ``timm``'s names.

    Raises:
        CheckpointError: a trunk that this cannot read.
    """
    given, dilated = config.get("backbone_config"), bool(config.get("dilation"))
    if given is None and config.get("use_timm_backbone", True):
        return backbone.named(config.get("backbone") or "resnet50", dilated), True
    if isinstance(given, Mapping) and given.get("model_type") == "timm_backbone":
        places = given.get("out_indices")
        if places is not None and (not isinstance(places, list) or places[-1:] != [4]):
            raise CheckpointError(
                f"out_indices={places} in backbone_config; expected the last stage, 4, last"
            )
        return backbone.named(given.get("backbone"), dilated or given.get("output_stride") == 16), True
    if dilated:
        raise CheckpointError(
            "dilation=True with a backbone_config; expected a trunk that is stated by its name in timm; "
            "choose another model"
        )
    settings = backbone.stated({"model_type": "resnet"} if given is None else given, "resnet")
    backbone.levels(settings)
    return settings, False


class Detr(DetectionModel):
    """Trunk, encoder, decoder, and two heads that read the decoder's queries."""

    family = "detr"
    processor_class = CanvasProcessor
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "detr",
        "architectures": ["DetrForObjectDetection"],
        "num_channels": 3,
        "num_queries": 100,
        "d_model": 256,
        "encoder_layers": 6,
        "decoder_layers": 6,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 2048,
        "decoder_ffn_dim": 2048,
        "activation_function": "relu",
        "dropout": 0.1,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "position_embedding_type": "sine",
        "auxiliary_loss": False,
        "dilation": False,
    }
    settings = frozenset(defaults) | {
        "backbone",
        "backbone_config",
        "use_timm_backbone",
        "id2label",
        "label2id",
    }
    head = ("class_labels_classifier.weight", "class_labels_classifier.bias")
    ignored = ("*.num_batches_tracked",)
    fused = False

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS, optional=True)
        trunk_of(full)
        for side in ("encoder", "decoder"):
            heads = full[f"{side}_attention_heads"]
            if full["d_model"] % heads or full["d_model"] % 4:
                raise CheckpointError(
                    f"d_model={full['d_model']} with {side}_attention_heads={heads}; "
                    "expected a multiple of 4 and of the heads"
                )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        pixels, x = self.pixels(None, None)
        extent = keras.Input((2,), dtype="int32", name="extent")
        settings, self.named = trunk_of(c)
        self.trunk = backbone.CanvasResidual(settings, policy, initializer, extent)
        x = self.trunk(x)[-1]
        stride, covered = self.trunk.at, self.trunk.covered(x)
        for _, scale in self.trunk.units.values():
            scale.trainable = False
        self.projection = layers.Conv2D(
            c["d_model"],
            1,
            kernel_initializer=initializer,
            data_format=CHANNELS,
            dtype=policy,
            name="input_projection",
        )
        x = self.projection(x)
        if c["position_embedding_type"] == "sine":
            self.cell_places: Any = SinePlaces(c["d_model"], stride, dtype=policy, name="places")
        else:
            self.cell_places = LearnedPlaces(c["d_model"], initializer, dtype=policy, name="places")
        places = self.cell_places(x, extent)
        x = layers.Reshape((-1, c["d_model"]), dtype=policy, name="cells")(x)
        mask = layers.Reshape((-1,), dtype=policy, name="seen")(covered)
        x = layers.Dropout(c["dropout"], dtype=policy, name="cells_dropout")(x)
        self.encoder = [
            PlacedBlock(**self._block("encoder", place, initializer)) for place in range(c["encoder_layers"])
        ]
        for block in self.encoder:
            x = block(x, places, mask)
        x = self._decoded(x, places, mask, initializer)
        self.classifier = layers.Dense(
            len(labels_of(c)) + 1, kernel_initializer=initializer, dtype=policy, name="classifier"
        )
        self.boxes = Perceptron([c["d_model"], c["d_model"], 4], initializer, dtype=policy, name="box_head")
        boxes = layers.Activation("sigmoid", dtype="float32", name="shares")(self.boxes(x))
        return self.closed({"pixel_values": pixels, "extent": extent}, self.classifier(x), boxes)

    def _decoded(self, memory: Any, places: Any, mask: Any, initializer: str) -> Any:
        """What the queries find in the encoder's cells, ``[b, n, d]``."""
        c, policy = self.config, self.device.policy
        keyed = layers.Add(dtype=policy, name="keyed")([memory, places])
        self.queries = Queries(c["num_queries"], c["d_model"], initializer, dtype=policy, name="queries")
        queries = self.queries(memory)
        x = ops.zeros_like(queries)
        self.decoder = [
            QueryBlock(**self._block("decoder", place, initializer)) for place in range(c["decoder_layers"])
        ]
        self.norm = layers.LayerNormalization(epsilon=1e-5, dtype=policy, name="decoder_norm")
        for block in self.decoder:
            x = block(x, queries, memory, keyed, mask)
            # As published: where the blocks' own answers are trained, each reads the last one's normed.
            x = self.norm(x) if c["auxiliary_loss"] else x
        return self.norm(x)

    def _block(self, side: str, place: int, initializer: str) -> dict[str, Any]:
        """What a block is built with."""
        c = self.config
        return {
            "width": c["d_model"],
            "heads": c[f"{side}_attention_heads"],
            "inner": c[f"{side}_ffn_dim"],
            "activation_name": c["activation_function"],
            "dropout": c["dropout"],
            "attention_dropout": c["attention_dropout"],
            "activation_dropout": c["activation_dropout"],
            "initializer": initializer,
            "dtype": self.device.policy,
            "name": f"{side}_{place}",
        }

    def freeze(self, frozen: bool) -> None:
        """As everywhere; the trunk's norms stay as they were trained, as in the paper."""
        super().freeze(frozen)
        for _, scale in self.trunk.units.values():
            scale.trainable = False

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        at = "model.backbone.conv_encoder.model."
        found = backbone.timm_targets(self.trunk.units, at) if self.named else self.trunk.targets(at)
        found |= published.convolution("model.input_projection", self.projection)
        if self.config["position_embedding_type"] == "learned":
            for part, table in (("row", self.cell_places.rows), ("column", self.cell_places.columns)):
                found[(f"model.position_embedding.{part}_embeddings.weight",)] = Target(table)
        found[("model.query_position_embeddings.weight",)] = Target(self.queries.table)
        for place, block in enumerate(self.encoder):
            found |= layout.block(f"model.encoder.layers.{place}", block)
        for place, block in enumerate(self.decoder):
            name = f"model.decoder.layers.{place}"
            found |= layout.block(name, block)
            found |= layout.attention(f"{name}.encoder_attn", block.cross_attention)
            found |= published.norm(f"{name}.encoder_attn_layer_norm", block.cross_attention_norm)
        found |= published.norm("model.decoder.layernorm", self.norm)
        found |= published.dense("class_labels_classifier", self.classifier)
        return layout.spelled(found | layout.perceptron("bbox_predictor", self.boxes))

    def processor_for(self, labels: Sequence[str]) -> CanvasProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        return CanvasProcessor({"image_processor_type": "DetrImageProcessor"}, labels)
