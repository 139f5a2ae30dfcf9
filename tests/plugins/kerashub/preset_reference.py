"""Small random presets that KerasHub itself saves, its answers, and ours on any backend."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 32
_SHAPE = {"image_shape": (SIDE, SIDE, 3)}
_TOKENS: dict[str, Any] = {"patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, **_SHAPE}

#: Beginning of a class's name to settings of its backbone and of its head.
NETWORKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "CSPNet": (
        {
            "stem_filters": 4,
            "stem_kernel_size": 3,
            "stem_strides": 1,
            "stackwise_depth": [1, 1],
            "stackwise_strides": [1, 2],
            "stackwise_num_filters": [8, 16],
            "block_type": "dark_block",
            "stage_type": "csp",
            "bottle_ratio": [0.5],
            "expand_ratio": [2.0],
        },
        {},
    ),
    "DeiT": ({**_TOKENS, "intermediate_dim": 12, "dropout_rate": 0.1}, {}),
    "DenseNet": ({"stackwise_num_repeats": [1, 2], "growth_rate": 4}, {}),
    "EfficientNet": (
        {
            "stackwise_width_coefficients": [1.0, 1.0],
            "stackwise_depth_coefficients": [1.0, 1.0],
            "stackwise_kernel_sizes": [3, 3],
            "stackwise_num_repeats": [1, 1],
            "stackwise_input_filters": [8, 8],
            "stackwise_output_filters": [8, 8],
            "stackwise_expansion_ratios": [1, 2],
            "stackwise_strides": [1, 2],
            "stackwise_squeeze_and_excite_ratios": [0.25, 0.25],
            "stackwise_block_types": ["v1", "v1"],
            "stackwise_force_input_filters": [0, 0],
            "min_depth": 4,
            "input_shape": (SIDE, SIDE, 3),
        },
        {},
    ),
    "HGNetV2": (
        {
            "depths": [1, 1],
            "embedding_size": 4,
            "hidden_sizes": [8, 12],
            "stem_channels": [3, 4, 4],
            "hidden_act": "relu",
            "use_learnable_affine_block": True,
            "stackwise_stage_filters": [[4, 4, 8, 1, 1, 3], [8, 6, 12, 1, 2, 3]],
            "apply_downsample": [False, True],
            "use_lightweight_conv_block": [False, True],
            **_SHAPE,
        },
        {},
    ),
    "MiT": (
        {
            "layerwise_depths": [1, 1],
            "num_layers": 2,
            "layerwise_num_heads": [1, 2],
            "layerwise_sr_ratios": [2, 1],
            "max_drop_path_rate": 0.1,
            "layerwise_patch_sizes": [7, 3],
            "layerwise_strides": [4, 2],
            "hidden_dims": [8, 8],
            **_SHAPE,
        },
        {"pooling": "max"},
    ),
    "MobileNet": (
        {
            "stackwise_expansion": [[4], [8]],
            "stackwise_num_blocks": [1, 1],
            "stackwise_num_filters": [[4], [8]],
            "stackwise_kernel_size": [[3], [5]],
            "stackwise_num_strides": [[2], [2]],
            "stackwise_se_ratio": [[0.25], [None]],
            "stackwise_activation": [["relu"], ["hard_swish"]],
            "stackwise_padding": [[1], [2]],
            "output_num_filters": 12,
            "depthwise_filters": 8,
            "depthwise_stride": 2,
            "depthwise_residual": False,
            "last_layer_filter": 8,
            "input_num_filters": 8,
            **_SHAPE,
        },
        {"num_features": 6},
    ),
    "MobileNetV5": (
        {
            "stackwise_block_types": [["er"], ["uir", "uir"]],
            "stackwise_num_blocks": [1, 2],
            "stackwise_num_filters": [[8], [8, 8]],
            "stackwise_strides": [[2], [2, 1]],
            "stackwise_act_layers": [["relu"], ["relu", "relu"]],
            "stackwise_exp_ratios": [[4.0], [6.0, 6.0]],
            "stackwise_se_ratios": [[0.0], [0.0, 0.0]],
            "stackwise_dw_kernel_sizes": [[0], [5, 5]],
            "stackwise_exp_kernel_sizes": [[3], [0, 0]],
            "stackwise_pw_kernel_sizes": [[1], [0, 0]],
            "stackwise_use_cpe": [[False], [False, False]],
            **{
                f"stackwise_{name}": [[0], [0, 0]]
                for name in ("dw_start_kernel_sizes", "dw_end_kernel_sizes", "num_heads", "key_dims")
            },
            **{f"stackwise_{name}": [[0], [0, 0]] for name in ("value_dims", "kv_strides")},
            "use_msfa": False,
            **_SHAPE,
        },
        {"head_hidden_size": 8},
    ),
    # KerasHub takes no narrower one.
    "ResNet": (
        {
            "input_conv_filters": [8, 64],
            "input_conv_kernel_sizes": [3, 3],
            "stackwise_num_filters": [64],
            "stackwise_num_blocks": [1],
            "stackwise_num_strides": [1],
            "block_type": "basic_block_vd",
        },
        {"activation": "softmax"},
    ),
    "SwinTransformer": (
        {
            "embed_dim": 8,
            "depths": [2, 2],
            "num_heads": [2, 2],
            "window_size": 4,
            "patch_size": 2,
            **_SHAPE,
        },
        {},
    ),
    "VGG": (
        {"stackwise_num_repeats": [1, 1], "stackwise_num_filters": [4, 6], **_SHAPE},
        {"pooling": "flatten", "pooling_hidden_dim": 8},
    ),
    "ViT": ({**_TOKENS, "mlp_dim": 12}, {"intermediate_dim": 5}),
    "Xception": (
        {
            "stackwise_conv_filters": [[4, 4], [8, 8], [8, 8]],
            "stackwise_pooling": [False, True, False],
            **_SHAPE,
        },
        {},
    ),
}
CONVERTER = {"image_size": (SIDE, SIDE), "scale": [0.017, 0.0175, 0.0174], "offset": [-2.1, -2.0, -1.8]}


def saved(folder: Path, stem: str, classes: int = 3, **head: Any) -> Any:
    """A KerasHub image classifier, saved as a preset, with every weight drawn."""
    import keras_hub

    backbone, settings = NETWORKS[stem]
    models = keras_hub.models
    converter = getattr(keras_hub.layers, f"{stem}ImageConverter")(**CONVERTER)
    task = getattr(models, f"{stem}ImageClassifier")(
        backbone=getattr(models, f"{stem}Backbone")(**backbone),
        num_classes=classes,
        preprocessor=getattr(models, f"{stem}ImageClassifierPreprocessor")(converter),
        **settings | head,
    )
    return drawn_and_saved(task, folder, len(stem))


def saved_detector(folder: Path, classes: int = 3, **converter: Any) -> Any:
    """A small D-FINE, in the same way."""
    import keras_hub

    models, stages = keras_hub.models, ["stage1", "stage2"]
    trunk = NETWORKS["HGNetV2"][0] | {"out_features": stages}
    backbone = models.DFineBackbone(
        backbone=models.HGNetV2Backbone(**trunk),
        **dict.fromkeys(("encoder_hidden_dim", "hidden_dim", "encoder_ffn_dim", "decoder_ffn_dim"), 16),
        **dict.fromkeys(("num_attention_heads", "decoder_attention_heads"), 2),
        **dict.fromkeys(("num_feature_levels", "num_decoder_layers", "num_lqe_layers"), 2),
        **dict.fromkeys(("hidden_expansion", "depth_multiplier"), 0.5),
        num_labels=classes,
        num_denoising=100,
        learn_initial_query=False,
        num_queries=10,
        anchor_image_size=(SIDE, SIDE),
        feat_strides=[4, 8],
        encoder_in_channels=[8, 12],
        decoder_in_channels=[16, 16],
        encode_proj_layers=[1],
        num_encoder_layers=1,
        eval_idx=-1,
        decoder_n_points=[2, 2],
        lqe_hidden_dim=8,
        out_features=stages,
        **_SHAPE,
    )
    prepared = keras_hub.layers.DFineImageConverter(**CONVERTER | converter)
    task = models.DFineObjectDetector(
        backbone=backbone,
        num_classes=classes,
        preprocessor=models.DFineObjectDetectorPreprocessor(prepared),
    )
    return drawn_and_saved(task, folder, 1)


#: Height and width of what a small RetinaNet sees: five levels, the last of less than a cell each way.
CANVAS = (64, 96)


def saved_retina_net(folder: Path, classes: int = 3, **head: Any) -> Any:
    """A small RetinaNet over a ResNet, in the same way; pictures are padded, as for published ones."""
    import keras_hub

    models, stages = keras_hub.models, [1, 1, 1, 1]
    trunk = {"stackwise_num_filters": [64, 8, 8, 8], "stackwise_num_strides": [1, 2, 2, 2]}
    backbone = models.RetinaNetBackbone(
        models.ResNetBackbone(**NETWORKS["ResNet"][0] | trunk | {"stackwise_num_blocks": stages}),
        min_level=3,
        max_level=7,
        use_p5=True,
    )
    aspect = {"image_size": CANVAS, "crop_to_aspect_ratio": False, "pad_to_aspect_ratio": True}
    prepared = keras_hub.layers.RetinaNetImageConverter(**CONVERTER | aspect)
    task = models.RetinaNetObjectDetector(
        backbone,
        classes,
        pre_logits_num_conv_layers=1,
        preprocessor=models.RetinaNetObjectDetectorPreprocessor(prepared),
        **head,
    )
    return drawn_and_saved(task, folder, 4)


def drawn_and_saved(task: Any, folder: Path, seed: int) -> Any:
    """Draws every weight, so that none has a value that hides a mistake, and saves the preset."""
    random = np.random.default_rng(seed)
    for variable in task.variables:
        # Positions are a formula's.
        if variable.name in ("seed_generator_state", "inv_freq"):
            continue
        drawn = random.normal(size=tuple(variable.shape)).astype("float32")
        if "variance" in variable.name:
            drawn = np.abs(drawn) + 0.5
        elif drawn.ndim >= 2:
            drawn *= 1.2 * float(np.prod(drawn.shape[:-1])) ** -0.5
        else:
            drawn = drawn * 0.2 + (1.0 if variable.name in ("gamma", "scale") else 0.0)
        variable.assign(drawn)
    task.save_to_preset(str(folder))
    return task


def pictures(count: int = 2) -> np.ndarray:
    """Pictures that are wider than high, ``[count, 40, 56, 3]``."""
    return np.random.default_rng(7).integers(0, 256, (count, 40, 56, 3)).astype("uint8")


def published(task: Any, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KerasHub's own prepared pictures, and its own answers."""
    import keras

    prepared = task.preprocessor(images)
    return tuple(np.asarray(keras.ops.convert_to_numpy(x)) for x in (prepared, task(prepared)))


# Ours, on any backend.


@functools.lru_cache(maxsize=16)
def task(folder: Path) -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load("image-classification", folder, device="cpu")


def answers(folder: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """What our processor makes of pictures, and our network's logits for them."""
    loaded = task(folder)
    arrays = loaded.model.processor.arrays(list(images))
    return {**arrays, **loaded.model(arrays)}


def all_answers(folders: list[Path], images: np.ndarray) -> list[dict[str, np.ndarray]]:
    """The same for several presets."""
    return [answers(folder, images) for folder in folders]


@functools.lru_cache(maxsize=4)
def detector(folder: Path) -> Any:
    """The model alone, whatever tasks are installed."""
    from sixarts_kerashub.object_detector import ObjectDetector
    from sixarts_kerashub.retina_net import RetinaNet

    anchored = "RetinaNet" in (folder / "config.json").read_text()
    return (RetinaNet if anchored else ObjectDetector).from_folder(folder)


def detections(folder: Path, images: np.ndarray) -> dict[str, np.ndarray]:
    """What our processor makes of pictures, and our detector's candidates in them."""
    model = detector(folder)
    arrays = model.processor.arrays(list(images))
    return {**arrays, **model(arrays)}
