"""The ``videomae`` family: a transformer over patches of a clip, each a few frames deep.

Source: Tong et al. 2022; weight names as published with ``transformers``
(``VideoMAEForVideoClassification``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import keras
import numpy as np
from keras import layers

from sixarts.checkpoint import Target
from sixarts.errors import CheckpointError
from sixarts.layers import Positions
from sixarts.networks import published
from sixarts.networks.image_model import LIMITS, pair
from sixarts.networks.patches import Patches
from sixarts.readers.limits import POSITIONS_CAP, TRUTH, whole
from sixarts_vision.video_model import VideoModel
from sixarts_vision.vit import VisionTransformer, ViT

#: Frames between two that are taken, and frames a second, as its authors sample Kinetics.
GAP, RATE = 4, 25.0


class VideoMAE(VideoModel, VisionTransformer):
    """Blocks as in ViT; no key has a bias, positions are fixed, and there is no token but the patches."""

    family = "videomae"
    trunk = "videomae"
    tokens: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {
        **{name: value for name, value in ViT.defaults.items() if name != "qkv_bias"},
        "model_type": "videomae",
        "architectures": ["VideoMAEForVideoClassification"],
        "num_frames": 16,
        "tubelet_size": 2,
        "qv_bias": True,
        "use_mean_pooling": True,
    }
    settings = frozenset(defaults) | {"id2label", "label2id"}
    limits: ClassVar[Mapping[str, Any]] = {
        **LIMITS,
        "num_frames": whole(1, 1024),
        "tubelet_size": whole(1, 1024),
        "qv_bias": TRUTH,
        "use_mean_pooling": TRUTH,
    }

    @classmethod
    def configure(cls, /, **config: Any) -> dict[str, Any]:
        full = super().configure(**config)
        if full["num_frames"] < full["tubelet_size"]:
            raise CheckpointError(
                f"num_frames={full['num_frames']} and tubelet_size={full['tubelet_size']}; expected at least "
                "as many frames as one patch is deep"
            )
        tokens = int(np.prod(_grid(full)))
        if tokens * full["hidden_size"] > POSITIONS_CAP:
            raise CheckpointError(
                f"{tokens} patches with hidden_size={full['hidden_size']}; expected at most {POSITIONS_CAP} "
                "numbers in the table of positions; choose another model"
            )
        return full

    @property
    def seconds(self) -> float:
        return self.frames * GAP / RATE

    def build(self, initializer: str) -> keras.Model:
        c, policy = self.config, self.device.policy
        inputs, x = self.pixels()
        patch = (c["tubelet_size"], *pair(c["patch_size"]))
        self.patches = Patches(patch, c["hidden_size"], initializer, dtype=policy, name="patches")
        self.embeddings = Positions(
            int(np.prod(_grid(c))), formula=woven_sinusoids, dtype=policy, name="embeddings"
        )
        x = self.embeddings(self.patches(x))
        self.blocks = [self.block(f"block_{place}", initializer) for place in range(c["num_hidden_layers"])]
        for block in self.blocks:
            x = block(x)
        return self.closed(inputs, self.classified(x, initializer))

    @property
    def biases(self) -> tuple[str, ...]:
        # Older files call the setting as ViT does.
        biased = self.config.get("qkv_bias", self.config["qv_bias"])
        return ("query", "value", "out") if biased else ("out",)

    def classified(self, x: Any, initializer: str) -> Any:
        c, policy = self.config, self.device.policy
        self.norm = layers.LayerNormalization(
            epsilon=1e-5 if self.pooled else c["layer_norm_eps"], dtype=policy, name="norm"
        )
        self.classifier = self.dense_head("classifier", initializer)
        if self.pooled:
            x = layers.GlobalAveragePooling1D(data_format="channels_last", dtype=policy, name="pool")(x)
            return self.classifier(self.norm(x))
        return self.classifier(self.norm(x)[:, 0])

    def targets(self, names: frozenset[str]) -> Mapping[tuple[str, ...], Target]:
        found = published.patches(f"{self.trunk}.embeddings.patch_embeddings.projection", self.patches)
        for place, block in enumerate(self.blocks):
            found |= self.block_targets(f"{self.trunk}.encoder.layer.{place}", block)
        norm = "fc_norm" if self.pooled else f"{self.trunk}.layernorm"
        return found | published.norm(norm, self.norm) | self.heads()

    def block_targets(self, at: str, block: Any) -> published.Targets:
        found = super().block_targets(at, block)
        for part, name in (("query", "q_bias"), ("value", "v_bias")):
            ours = f"{at}.attention.attention.{part}.bias"
            if (ours,) in found:
                # Files have the first name; it is said that the other may come.
                found[(f"{at}.attention.attention.{name}", ours)] = found.pop((ours,))
        return found

    @property
    def pooled(self) -> bool:
        """Whether the answer is made of all tokens; of the first one else."""
        return bool(self.config["use_mean_pooling"])

    @property
    def grid(self) -> tuple[int, ...]:
        """Patches along time, rows and columns."""
        return _grid(self.config)


def _grid(config: Mapping[str, Any]) -> tuple[int, ...]:
    height, width = pair(config["image_size"])
    tall, wide = pair(config["patch_size"])
    return (config["num_frames"] // config["tubelet_size"], height // tall, width // wide)


def woven_sinusoids(length: int, width: int) -> np.ndarray:
    """Sines and cosines in turn, ``[length, width]`` in float32 (Vaswani et al. 2017, section 3.5).

    >>> woven_sinusoids(2, 4).round(3).tolist()[1]
    [0.8410000205039978, 0.5400000214576721, 0.009999999776482582, 1.0]
    """
    angles = np.arange(length)[:, None] / 10000 ** (2 * (np.arange(width) // 2) / width)
    angles[:, 0::2], angles[:, 1::2] = np.sin(angles[:, 0::2]), np.cos(angles[:, 1::2])
    return angles.astype("float32")
