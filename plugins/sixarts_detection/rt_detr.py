"""The ``rt_detr`` family: a detector without suppression that keeps up with a camera.

Source: Zhao et al. 2024; weight names as published with ``transformers`` (``RTDetrForObjectDetection``), e.g.
``PekingU/rtdetr_r18vd`` and ``PekingU/rtdetr_r50vd``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np

from sixarts.checkpoint import Target
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError
from sixarts.labeled import labels_of
from sixarts.networks import published
from sixarts.networks.published import Targets
from sixarts.readers.limits import NAME, TRUTH, check, number, some, whole
from sixarts_detection import backbone, layout
from sixarts_detection.detection_model import DetectionModel
from sixarts_detection.detection_processor import ScaledProcessor
from sixarts_detection.hybrid_encoder import HybridEncoder, Units
from sixarts_detection.refinement import RefiningDecoder
from sixarts_detection.rt_detr_backbone import DeepResidual, trunk_of

#: What a configuration may say; each far beyond what is published.
LIMITS = {
    "num_queries": whole(1, 2**14),
    "d_model": whole(1, 2**14),
    "encoder_hidden_dim": whole(4, 2**14),
    "encoder_layers": whole(0, 128),
    "decoder_layers": whole(1, 128),
    "encoder_attention_heads": whole(1, 2**10),
    "decoder_attention_heads": whole(1, 2**10),
    "encoder_ffn_dim": whole(1, 2**17),
    "decoder_ffn_dim": whole(1, 2**17),
    "num_feature_levels": whole(1, 16),
    "decoder_n_points": whole(1, 64),
    "encode_proj_layers": (
        lambda value: type(value) is list and all(type(place) is int and 0 <= place < 16 for place in value),
        "a list of levels",
    ),
    "decoder_in_channels": some(whole(1, 2**14), 16),
    "positional_encoding_temperature": number(1e-3, 1e9),
    "encoder_activation_function": NAME,
    "decoder_activation_function": NAME,
    "activation_function": NAME,
    "hidden_expansion": number(1e-3, 16),
    "layer_norm_eps": number(0, 1),
    "batch_norm_eps": number(0, 1),
    "dropout": number(0, 1),
    "attention_dropout": number(0, 1),
    "activation_dropout": number(0, 1),
    "normalize_before": TRUTH,
    "learn_initial_query": TRUTH,
    "freeze_backbone_batch_norms": TRUTH,
    "num_denoising": whole(0, 2**14),
    "initializer_bias_prior_prob": number(1e-9, 1 - 1e-9),
    "anchor_image_size": some(whole(1, 4096), 2),
}


class RtDetr(DetectionModel):
    """Trunk, an encoder over several scales, and a decoder that refines the boxes of chosen cells.

    Attributes:
        earlier: logits and boxes of the chosen cells and of the decoder's blocks but the last, as tensors of
            the network, ``[b, blocks, n, …]``: what published training looks at beside the answer.
    """

    family = "rt_detr"
    processor_class = ScaledProcessor
    scoring = "sigmoid"
    #: Queries start from the cells that promise most, which are other ones in another picture.
    steady = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "model_type": "rt_detr",
        "architectures": ["RTDetrForObjectDetection"],
        "num_queries": 300,
        "d_model": 256,
        "encoder_hidden_dim": 256,
        "encoder_layers": 1,
        "decoder_layers": 6,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 1024,
        "decoder_ffn_dim": 1024,
        "num_feature_levels": 3,
        "decoder_n_points": 4,
        "encode_proj_layers": [2],
        "decoder_in_channels": [256, 256, 256],
        "positional_encoding_temperature": 10000,
        "encoder_activation_function": "gelu",
        "decoder_activation_function": "relu",
        "activation_function": "silu",
        "hidden_expansion": 1.0,
        "layer_norm_eps": 1e-5,
        "batch_norm_eps": 1e-5,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
        "eval_size": None,
        "normalize_before": False,
        "learn_initial_query": False,
        "freeze_backbone_batch_norms": True,
        "num_denoising": 100,
        "initializer_bias_prior_prob": None,
        "anchor_image_size": None,
    }
    settings = frozenset(defaults) | {"backbone_config", "id2label", "label2id"}
    ignored = ("*.num_batches_tracked",)
    fused = False

    @property
    def most(self) -> int:
        """As many detections as queries, of all pairs of a query and a class."""
        return int(self.config["num_queries"])

    @property
    def head(self) -> tuple[str, ...]:
        heads = [f"model.decoder.class_embed.{place}" for place in range(self.config["decoder_layers"])]
        names = [f"{at}.{part}" for at in (*heads, "model.enc_score_head") for part in ("weight", "bias")]
        return (*names, "model.denoising_class_embed.weight")

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = {**cls.defaults, **config}
        check(full, LIMITS, optional=True)
        seen = len(backbone.levels(trunk_of(full)))
        for side, width in (("encoder", "encoder_hidden_dim"), ("decoder", "d_model")):
            heads = full[f"{side}_attention_heads"]
            if full[width] % heads or (side == "encoder" and full[width] % 4):
                raise CheckpointError(
                    f"{width}={full[width]} with {side}_attention_heads={heads}; expected a multiple of the "
                    "heads, and of 4 in the encoder"
                )
        told = full["decoder_in_channels"]
        if told != [full["encoder_hidden_dim"]] * seen or full["num_feature_levels"] < seen:
            raise CheckpointError(
                f"decoder_in_channels={told} and num_feature_levels={full['num_feature_levels']}; expected "
                f"encoder_hidden_dim={full['encoder_hidden_dim']} for each of the trunk's {seen} scales"
            )
        if any(place >= seen for place in full["encode_proj_layers"]):
            raise CheckpointError(
                f"encode_proj_layers={full['encode_proj_layers']}; expected numbers from 0 to {seen - 1}"
            )
        return full

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        self._check_size()
        pixels, x = self.pixels(None, None)
        settings = trunk_of(c)
        self.trunk = DeepResidual(settings, policy, initializer)
        stages = self.trunk(x)
        self.joints = Units(policy, initializer, ("0", "1"))
        scales = [
            self.joints(stages[level], f"encoder_input_proj.{place}", c["encoder_hidden_dim"])
            for place, level in enumerate(backbone.levels(settings))
        ]
        self.encoder = HybridEncoder(c, policy, initializer)
        scales = self.encoder(scales)
        epsilon = c["batch_norm_eps"]
        sources = [
            self.joints(scale, f"decoder_input_proj.{place}", c["d_model"], epsilon=epsilon)
            for place, scale in enumerate(scales)
        ]
        for place in range(len(scales), c["num_feature_levels"]):
            at = f"decoder_input_proj.{place}"
            sources.append(self.joints(scales[-1], at, c["d_model"], 3, 2, epsilon=epsilon))
        self.decoder = RefiningDecoder(c, len(labels_of(c)), initializer, dtype=policy, name="decoder")
        logits, boxes, *self.earlier = self.decoder(sources)
        self._keep_norms()
        return self.closed({"pixel_values": pixels}, logits, boxes)

    def _check_size(self) -> None:
        """Holds pictures against the one size that anchors were published for.

        Raises:
            CheckpointError: the processor gives another.
        """
        size = self.config["anchor_image_size"]
        given = self.processor.size
        if size is not None and given != {"height": size[0], "width": size[-1]}:
            raise CheckpointError(
                f"preprocessor_config.json has size {given}, config.json anchor_image_size {size}; "
                "expected the same; check that both files are of one model"
            )

    def _keep_norms(self) -> None:
        """Batch norms stay as they were trained: by other statistics, other cells would become queries."""
        for units in (self.trunk.units, self.joints.found, self.encoder.units.found):
            for _, scale in units.values():
                scale.trainable = False

    def with_labels(self, labels: Sequence[str]) -> Self:
        """As everywhere; cells are chosen for a new class as they are for the known ones on average."""
        other = super().with_labels(labels)
        if self.built:
            new = [place for place, label in enumerate(labels) if label not in self.processor.labels]
            heads = (self.decoder.first_classes, other.decoder.first_classes)
            for mine, its in zip(*(head.variables for head in heads), strict=True):
                value = np.array(to_numpy(its))
                value[..., new] = to_numpy(mine).mean(axis=-1, keepdims=True)
                its.assign(value)
        return other

    def freeze(self, frozen: bool) -> None:
        """As everywhere; of the decoder, what tells classes apart is its head."""
        super().freeze(frozen)
        heads = [self.decoder.first_classes, *self.decoder.class_heads]
        for layer in self.decoder._flatten_layers(include_self=False, recursive=False):
            layer.trainable = not frozen or layer in heads
        self._keep_norms()

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        decoder = self.decoder
        found = self.trunk.targets("model.backbone.model.") | self.joints.targets("model.")
        found |= self.encoder.targets("model.encoder.")
        found |= published.dense("model.enc_output.0", decoder.output_dense)
        found |= published.norm("model.enc_output.1", decoder.output_norm)
        found |= published.dense("model.enc_score_head", decoder.first_classes)
        found |= layout.perceptron("model.enc_bbox_head", decoder.first_boxes)
        found |= layout.perceptron("model.decoder.query_pos_head", decoder.query_head)
        if decoder.denoised is not None:
            found[("model.denoising_class_embed.weight",)] = Target(decoder.denoised, np.transpose)
        if decoder.queries is not None:
            found[("model.weight_embedding.weight",)] = Target(decoder.queries)
        for place, block in enumerate(decoder.blocks):
            at = f"model.decoder.layers.{place}"
            found |= layout.block(at, block)
            found |= published.norm(f"{at}.encoder_attn_layer_norm", block.cross_attention_norm)
            found |= _deformable(f"{at}.encoder_attn", block.cross_attention)
        return layout.spelled(found) | self._heads()

    def _heads(self) -> Targets:
        """The heads of the decoder's blocks, which files of 2024 may name without the decoder, too."""
        heads: Targets = {}
        for place, layer in enumerate(self.decoder.class_heads):
            heads |= published.dense(f"model.decoder.class_embed.{place}", layer)
        for place, layer in enumerate(self.decoder.box_heads):
            heads |= layout.perceptron(f"model.decoder.bbox_embed.{place}", layer)
        return {(name, name.removeprefix("model.decoder.")): target for (name,), target in heads.items()}

    def processor_for(self, labels: Sequence[str]) -> ScaledProcessor:
        if self.built:
            return self.processor.relabeled(labels)
        size = self.config["anchor_image_size"] or [640]
        stated = {"height": size[0], "width": size[-1]}
        return ScaledProcessor(
            {"image_processor_type": "RTDetrImageProcessor", "size": stated},
            labels,
            backbone.seen_strides(trunk_of(self.config)),
        )


def _deformable(at: str, layer: Any) -> Targets:
    found = published.dense(f"{at}.sampling_offsets", layer.offsets)
    found |= published.dense(f"{at}.attention_weights", layer.weights_of)
    found |= published.dense(f"{at}.value_proj", layer.value)
    return found | published.dense(f"{at}.output_proj", layer.out)
