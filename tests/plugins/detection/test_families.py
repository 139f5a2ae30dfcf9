"""What published detectors' folders say, beside what their networks answer: names, labels, odd settings."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import detection_reference as reference
import numpy as np
import pytest
import test_families_detr as detr
import test_families_rt_detr as rt_detr
import test_families_yolos as yolos
import test_processors as processors
from safetensors.numpy import load_file, save_file

import sixarts
from sixarts.errors import CheckpointError, InputError
from sixarts.networks.operations import operations
from sixarts_detection import backbone, layout
from sixarts_detection.detr import Detr
from sixarts_detection.rt_detr import RtDetr
from sixarts_detection.yolos import Yolos

TRUNK = {
    "layer_type": "basic",
    "embedding_size": 8,
    "hidden_sizes": [8, 16],
    "depths": [1, 1],
    "out_features": ["stage1", "stage2"],
}
SMALL = {
    "d_model": 8,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "encoder_ffn_dim": 5,
    "decoder_ffn_dim": 6,
    "num_queries": 4,
}
RT = {
    **SMALL,
    "encoder_hidden_dim": 8,
    "decoder_in_channels": [8, 8],
    "encoder_in_channels": [1, 1],
    "num_feature_levels": 2,
    "encode_proj_layers": [1],
}
YOLOS = {
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 5,
    "patch_size": 4,
    "image_size": [16, 16],
    "num_detection_tokens": 4,
}
SQUARE = {"size": {"height": 64, "width": 96}}
PIXELS = np.random.default_rng(0).normal(size=(2, 64, 96, 3)).astype("float32")


def folder_of(family: str, folder: Path) -> Path:
    """A small published model of the family, saved."""
    made: dict[str, Callable[[], Any]] = {
        "detr": lambda: detr.published({"model_type": "resnet", **TRUNK}, SMALL),
        "rt_detr": lambda: rt_detr.published(TRUNK, RT),
        "yolos": lambda: yolos.published(YOLOS),
    }
    reference.saved(folder, made[family](), SQUARE)
    return folder


def arrays_of(family: str) -> dict[str, np.ndarray]:
    whole = {"extent": np.array([[64, 96]] * len(PIXELS), "int32")} if family == "detr" else {}
    return {"pixel_values": PIXELS, **whole}


def renamed(folder: Path, rename: Callable[[str], str]) -> None:
    """The same weights under other names."""
    path = folder / "model.safetensors"
    save_file({rename(name): value for name, value in load_file(path).items()}, path)


def reconfigured(folder: Path, **config: Any) -> None:
    """The same configuration but for these values; those that are ``None`` are left out."""
    path = folder / "config.json"
    full = {**json.loads(path.read_text()), **config}
    path.write_text(json.dumps({name: value for name, value in full.items() if value is not None}))


def as_timm(name: str) -> str:
    """The name that ``timm`` gives a weight of a trunk."""
    units = {"convolution": "conv", "normalization": "bn"}
    name = re.sub(r"embedder\.embedder\.(\w+)\.", lambda found: f"{units[found[1]]}1.", name)
    name = re.sub(
        r"encoder\.stages\.(\d)\.layers\.(\d+)\.layer\.(\d)\.(\w+)\.",
        lambda found: f"layer{int(found[1]) + 1}.{found[2]}.{units[found[4]]}{int(found[3]) + 1}.",
        name,
    )
    return re.sub(
        r"encoder\.stages\.(\d)\.layers\.(\d+)\.shortcut\.(\w+)\.",
        lambda found: f"layer{int(found[1]) + 1}.{found[2]}.downsample.{int(found[3] == 'normalization')}.",
        name,
    )


def dilate(stage: Any) -> None:
    """What ``timm`` makes of a trunk's last stage whose stride is to be 1."""
    convolutions = [layer.convolution for block in stage.layers for layer in block.layer]
    first = next(one for one in convolutions if one.kernel_size == (3, 3))
    for one in [*convolutions, stage.layers[0].shortcut.convolution]:
        one.stride = (1, 1)
        if one.kernel_size == (3, 3) and one is not first:
            one.dilation = one.padding = (2, 2)


@pytest.mark.parametrize("dilated", [False, True])
@pytest.mark.parametrize("kind", ["basic", "bottleneck"])
def test_trunks_in_timms_layout(
    kind: str, dilated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the first checkpoints have it: of the trunk no configuration but a name, and timm's own weights."""
    monkeypatch.setitem(backbone.NAMED, "resnet50", (kind, [1, 1, 1, 2]))
    widths = [64, 128, 256, 512] if kind == "basic" else [256, 512, 1024, 2048]
    trunk = {"layer_type": kind, "hidden_sizes": widths, "depths": [1, 1, 1, 2], "out_features": ["stage4"]}
    theirs = detr.published({"model_type": "resnet", **trunk}, SMALL)
    if dilated:
        dilate(theirs.model.backbone.model.encoder.stages[3])
    reference.saved(tmp_path, theirs, detr.PREPARED)
    renamed(tmp_path, as_timm)
    assert "model.backbone.conv_encoder.model.layer4.0.downsample.1.running_var" in load_file(
        tmp_path / "model.safetensors"
    )
    reconfigured(
        tmp_path, backbone_config=None, use_timm_backbone=True, backbone="resnet50", dilation=dilated
    )
    arrays = detr.canvas([(64, 96), (37, 70)], (64, 128))
    wanted = reference.published_answers(theirs, arrays["pixel_values"], arrays["extent"])
    got = reference.answers(tmp_path, "detr", arrays)
    for name in wanted:
        np.testing.assert_allclose(got[name], wanted[name], rtol=1e-4, atol=1e-4)
    if not dilated:
        reference.saved_again(tmp_path, "detr", tmp_path / "again")
    # As transformers states the same since its fifth version.
    stated = {"model_type": "timm_backbone", "backbone": "resnet50.a1_in1k", "out_indices": [1, 2, 3, 4]}
    reconfigured(
        tmp_path,
        use_timm_backbone=None,
        backbone=None,
        dilation=None,
        backbone_config={**stated, "output_stride": 16} if dilated else stated,
    )
    again = reference.model.__wrapped__(tmp_path, "detr")(arrays)
    np.testing.assert_array_equal(again["logits"], got["logits"])


def test_a_picture_beside_others_is_what_it_is_alone(tmp_path: Path) -> None:
    """The published network's padded batch is not: what its convolutions write beside a picture is read."""
    import torch

    theirs = detr.published({"model_type": "resnet", **TRUNK, "out_features": ["stage2"]}, SMALL)
    reference.saved(tmp_path, theirs, detr.PREPARED)
    arrays = detr.canvas([(64, 96), (20, 31), (64, 7)], (64, 96))
    got = reference.answers(tmp_path, "detr", arrays)
    for row in range(3):
        alone = reference.answers(
            tmp_path, "detr", {name: value[row : row + 1] for name, value in arrays.items()}
        )
        for name in got:
            np.testing.assert_allclose(alone[name][0], got[name][row], rtol=1e-5, atol=1e-5)
    wanted = reference.published_answers(theirs, arrays["pixel_values"], arrays["extent"])
    mask = np.zeros((3, 64, 96), "int64")
    for row, (height, width) in enumerate(arrays["extent"]):
        mask[row, :height, :width] = 1
    with torch.no_grad():
        pixels = torch.from_numpy(np.ascontiguousarray(np.moveaxis(arrays["pixel_values"], -1, 1)))
        padded = theirs(pixel_values=pixels, pixel_mask=torch.from_numpy(mask)).logits.numpy()
    apart = np.abs(padded - wanted["logits"]).max(axis=(1, 2))
    assert apart[0] < 1e-4 < 1e-3 < apart[1:].min()
    assert np.abs(got["logits"] - wanted["logits"]).max() < 1e-4


@pytest.mark.parametrize("family", ["detr", "rt_detr", "yolos"])
def test_detections_at_every_threshold(family: str, tmp_path: Path) -> None:
    """From pictures of several sizes to boxes in their pixels, all in one call, as published one by one."""
    import torch

    prepared = {
        "detr": {
            "image_processor_type": "DetrImageProcessor",
            "size": {"shortest_edge": 60, "longest_edge": 90},
        },
        "rt_detr": {"image_processor_type": "RTDetrImageProcessor", **SQUARE},
        "yolos": {"image_processor_type": "YolosImageProcessor", "size": 60, "max_size": 90},
    }[family]
    folder = folder_of(family, tmp_path)
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared))
    kind = {"detr": "Detr", "rt_detr": "RTDetr", "yolos": "Yolos"}[family]
    theirs = published_again(kind, folder)
    prepare = processors.reference(prepared)
    images = [processors.picture(size) for size in ((70, 90), (120, 61), (64, 96))]
    task = sixarts.load("object-detection", folder)
    for image, all_of_them in zip(images, task(images, threshold=0.0), strict=True):
        scores = np.sort(all_of_them.scores)
        assert len(scores) == 4
        # Between two scores that rounding cannot exchange.
        gaps = [(low + high) / 2 for low, high in pairwise([0.0, *scores]) if high - low > 1e-4]
        with torch.no_grad():
            answer = theirs(**prepare(image, return_tensors="pt"))
        for threshold in gaps:
            wanted = prepare.post_process_object_detection(
                answer, threshold=threshold, target_sizes=[image.shape[:2]]
            )[0]
            got = task(image, threshold=threshold)
            order = np.argsort(-wanted["scores"].numpy(), kind="stable")
            np.testing.assert_allclose(got.scores, wanted["scores"].numpy()[order], atol=1e-5)
            np.testing.assert_allclose(got.boxes, wanted["boxes"].numpy()[order], atol=0.01)
            labels = [list(reference.LABELS.values())[number] for number in wanted["labels"].numpy()[order]]
            assert list(got.labels) == labels


def published_again(kind: str, folder: Path) -> Any:
    """The published model of a folder."""
    import transformers

    return getattr(transformers, f"{kind}ForObjectDetection").from_pretrained(folder).eval()


@pytest.mark.parametrize("family", ["detr", "rt_detr", "yolos"])
def test_both_spellings_of_weights_are_read(family: str, tmp_path: Path) -> None:
    """Files hold the names of the first release; networks of today have others."""
    rules = {**layout.RENAMED, r"encoder\.mid": "encoder.interpolation.mid"}
    folder = folder_of(family, tmp_path)
    before = reference.answers(folder, family, arrays_of(family))

    def today(name: str) -> str:
        for pattern, new in rules.items():
            name = re.sub(pattern, new, name)
        return name

    renamed(folder, today)
    again = reference.model.__wrapped__(folder, family)
    np.testing.assert_array_equal(again(arrays_of(family))["boxes"], before["boxes"])


def test_heads_may_be_named_without_the_decoder(tmp_path: Path) -> None:
    """``transformers`` 4 held them twice; its files may name either, or both."""
    folder = folder_of("rt_detr", tmp_path)
    path = folder / "model.safetensors"
    weights = load_file(path)
    short = {
        name.removeprefix("model.decoder."): value.copy()
        for name, value in weights.items()
        if re.match(r"model\.decoder\.(class|bbox)_embed", name)
    }
    save_file(weights | short, path)
    reference.model.__wrapped__(folder, "rt_detr")
    save_file({name: value for name, value in (weights | short).items() if f"{name[14:]}" not in short}, path)
    reference.model.__wrapped__(folder, "rt_detr")
    save_file(weights | {"class_embed.0.bias": short["class_embed.0.bias"] + 1}, path)
    with pytest.raises(CheckpointError, match=r"class_embed\.0\.bias"):
        reference.model.__wrapped__(folder, "rt_detr")


@pytest.mark.parametrize("family", ["detr", "rt_detr", "yolos"])
def test_other_labels(family: str, tmp_path: Path) -> None:
    """What is known of a class goes with its name; what is of no class stays the last column."""
    ours = reference.model(folder_of(family, tmp_path), family)
    arrays = arrays_of(family)
    logits = ours(arrays)["logits"]
    turned = ours.with_labels(["cow", "ant", "bee"])
    none = [] if family == "rt_detr" else [3]
    np.testing.assert_allclose(turned(arrays)["logits"], logits[..., [2, 0, 1, *none]], rtol=1e-5, atol=1e-5)
    assert turned.processor.labels == ("cow", "ant", "bee")
    more = ours.with_labels(["bee", "cow", "dog", "elk"])
    got = more(arrays)["logits"]
    assert got.shape[-1] == 4 + len(none)
    if none:
        np.testing.assert_allclose(got[..., [0, 1, 4]], logits[..., [1, 2, 3]], rtol=1e-5, atol=1e-5)
    more.freeze(True)
    free = {variable.path for variable in more.network.trainable_variables}
    head = {
        target.variable.path for names, target in more.targets(frozenset()).items() if names[0] in more.head
    }
    assert head - {path for path in head if "denoised" in path} <= free
    assert len(free) < len(more.network.variables) / 2
    more.freeze(False)
    assert len(more.network.trainable_variables) > len(free)


@pytest.mark.parametrize("family", ["detr", "rt_detr", "yolos"])
def test_new_ones_learn_and_are_counted(family: str) -> None:
    """From ``sixarts.new``: every value drawn, gradients everywhere that matter, operations counted."""
    import keras

    kind = {"detr": Detr, "rt_detr": RtDetr, "yolos": Yolos}[family]
    named = {"id2label": reference.LABELS}
    trunk = {"model_type": "rt_detr_resnet" if family == "rt_detr" else "resnet", **TRUNK}
    config = {
        "detr": {**SMALL, "backbone_config": trunk, **named},
        "rt_detr": {**RT, "backbone_config": trunk, "anchor_image_size": [64, 96], **named},
        "yolos": {**YOLOS, **named},
    }[family]
    empty = kind(kind.configure(**config), None)
    ours = kind(kind.configure(**config), empty.processor_for(list(reference.LABELS.values())))
    assert ours.hidden_constants() == []
    answer = ours(arrays_of(family))
    assert answer["logits"].shape == (2, 4, 3 if family == "rt_detr" else 4)
    assert all(np.isfinite(value).all() for value in answer.values())
    assert ((answer["boxes"] >= 0) & (answer["boxes"] <= 1)).all()
    assert all(value.dtype == "float32" for value in answer.values())
    shapes = {name: value.shape[1:] for name, value in arrays_of(family).items()}
    assert operations(ours.network, shapes) > 1e5
    trained = ours.network(
        {name: keras.ops.convert_to_tensor(v) for name, v in arrays_of(family).items()}, training=True
    )
    assert np.isfinite(keras.ops.convert_to_numpy(trained["boxes"])).all()


@pytest.mark.parametrize(
    ("family", "wrong", "told"),
    [
        ("detr", {"num_queries": 0}, "num_queries"),
        ("detr", {"d_model": 10}, "d_model"),
        ("detr", {"decoder_attention_heads": 3}, "heads"),
        ("detr", {"position_embedding_type": "rotary"}, "position_embedding_type"),
        ("detr", {"backbone": "swin_tiny"}, "swin_tiny"),
        ("detr", {"backbone_config": {"model_type": "swin"}}, "swin"),
        ("detr", {"backbone_config": {"model_type": "timm_backbone", "backbone": "vit"}}, "resnet50"),
        ("detr", {"backbone_config": {"model_type": "timm_backbone", "out_indices": [1]}}, "out_indices"),
        ("detr", {"backbone_config": {"model_type": "resnet"}, "dilation": True}, "dilation"),
        ("detr", {"backbone_config": {"model_type": "resnet", "depths": [1]}}, "depths"),
        ("detr", {"backbone_config": {"model_type": "resnet", "out_features": ["stage3"]}}, "the last"),
        ("detr", {"backbone_config": {"model_type": "resnet", "depths": [10**6] * 4}}, "depths"),
        ("rt_detr", {"backbone_config": {"model_type": "hgnet_v2"}}, "hgnet_v2"),
        ("rt_detr", {"backbone_config": {"model_type": "rt_detr_resnet", "out_indices": [4, 3]}}, "in order"),
        (
            "rt_detr",
            {"backbone_config": {"model_type": "rt_detr_resnet", "layer_type": "basic"}},
            "first stage",
        ),
        ("rt_detr", {"decoder_in_channels": [256]}, "decoder_in_channels"),
        ("rt_detr", {"encode_proj_layers": [3]}, "encode_proj_layers"),
        ("rt_detr", {"encoder_attention_heads": 7}, "heads"),
        ("rt_detr", {"num_denoising": -1}, "num_denoising"),
        ("rt_detr", {"anchor_image_size": 640}, "anchor_image_size"),
        ("yolos", {"image_size": [512]}, "image_size"),
        ("yolos", {"image_size": [8, 512]}, "image_size"),
        ("yolos", {"patch_size": [16, 16]}, "patch_size"),
        ("yolos", {"num_attention_heads": 7}, "heads"),
    ],
)
@pytest.mark.quick
def test_what_cannot_be_built_is_refused(family: str, wrong: dict[str, Any], told: str) -> None:
    kind = {"detr": Detr, "rt_detr": RtDetr, "yolos": Yolos}[family]
    with pytest.raises(CheckpointError, match=told):
        kind.configure(**wrong)


def test_sizes_that_a_network_has_not_learned(tmp_path: Path) -> None:
    theirs = detr.published(
        {"model_type": "resnet", **TRUNK, "out_features": ["stage2"]},
        {**SMALL, "position_embedding_type": "learned"},
    )
    reference.saved(tmp_path, theirs, detr.PREPARED)
    with pytest.raises(InputError, match="50 places"):
        reference.answers(tmp_path, "detr", detr.canvas([(8, 8)], (8, 408)))


def test_fewer_cells_than_queries(tmp_path: Path) -> None:
    theirs = rt_detr.published(TRUNK, {**RT, "num_queries": 100})
    reference.saved(tmp_path, theirs, {"size": {"height": 16, "width": 16}})
    with pytest.raises(InputError, match="100 queries"):
        reference.answers(tmp_path, "rt_detr", {"pixel_values": PIXELS[:, :16, :16]})


def test_anchors_of_another_size(tmp_path: Path) -> None:
    folder = folder_of("rt_detr", tmp_path)
    reconfigured(folder, anchor_image_size=[32, 32])
    with pytest.raises(CheckpointError, match="anchor_image_size"):
        reference.model(folder, "rt_detr")
