"""The task for pictures: learning, answering, explaining, and what it says of bad ones."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import vision_reference as reference
from PIL import Image, ImageDraw

import sixarts as sa
from sixarts.errors import CheckpointError, InputError, OptionError
from sixarts.result import Failure

SIDE = 24
SHAPES = ("disk", "square", "stripes")
TINY = {"image_size": 16, "width": 8, "blocks": 1}
LEARNING: dict[str, Any] = {
    "epochs": 12,
    "batch_size": 16,
    "learning_rate": 0.01,
    "shift": 0.05,
    "erase": 0.0,
    "progress": False,
}


def drawn(shape: str, seed: int) -> Image.Image:
    """A light shape on a dark ground, somewhere."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (SIDE, SIDE), tuple(random.integers(0, 60, 3).tolist()))
    draw, color = ImageDraw.Draw(image), tuple(random.integers(160, 255, 3).tolist())
    left, top = random.integers(1, 8, 2).tolist()
    if shape == "disk":
        draw.ellipse((left, top, left + 13, top + 13), fill=color)
    elif shape == "square":
        draw.rectangle((left, top, left + 13, top + 13), outline=color, width=2)
    else:
        for line in range(top % 4, SIDE, 4):
            draw.line((0, line, SIDE, line), fill=color)
    return image


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each shape, with its pictures."""
    place = tmp_path_factory.mktemp("shapes")
    for shape in SHAPES:
        (place / shape).mkdir()
        for seed in range(20):
            drawn(shape, seed).save(place / shape / f"{seed:02}.png")
    return place


@pytest.fixture(scope="module")
def taught(tree: Path) -> Any:
    task = sa.new("image-classification", family="wide_resnet", device="cpu", **TINY)
    history = task.fit(tree, **LEARNING)
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    assert history.replaced == ("head of 0 classes by one of 3",)
    return task


def test_a_folder_a_class_is_learned(taught: Any) -> None:
    held_out = [(drawn(shape, seed), shape) for shape in SHAPES for seed in range(100, 115)]
    measured = taught.evaluate(held_out, progress=False)
    assert measured["accuracy"].value >= 0.9
    assert measured["accuracy"].low < measured["accuracy"].value < measured["accuracy"].high + 1e-9
    assert taught.model.processor.labels == SHAPES


def test_answers_tell_where_they_came_from(taught: Any, tree: Path) -> None:
    path = tree / "disk" / "03.png"
    found = taught(path)
    assert found.label == "disk" and found.source == str(path)
    assert str(found).startswith(f"{path}: disk (")
    assert list(found.scores) == sorted(found.scores, key=found.scores.__getitem__, reverse=True)
    assert sum(found.scores.values()) == pytest.approx(1, abs=1e-5)
    assert found.score == found.scores["disk"]
    assert taught(path, top=1).scores == {"disk": found.score}
    assert taught(path.read_bytes()).source == ""
    assert "image" not in found.to_dict()
    json.dumps(found.to_dict())


def test_answers_hold_no_pictures(taught: Any, tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "disk.png"
    path.write_bytes((tree / "disk" / "04.png").read_bytes())
    found = taught(path)
    assert found.image == path
    assert len(found.plot().axes) == 2
    path.unlink()
    assert len(found.plot().axes) == 1  # the bars alone


def test_folders_and_patterns_stand_for_many(taught: Any, tree: Path) -> None:
    found = taught(tree / "square")
    assert len(found) == 20 and [Path(one.source).stem for one in found] == [f"{n:02}" for n in range(20)]
    assert len(taught(str(tree / "*" / "0?.png"))) == 30
    assert len(list(taught.stream(tree / "disk", progress=False))) == 20
    assert [one.label for one in taught([tree / "disk" / "01.png", tree / "stripes" / "01.png"])] == [
        "disk",
        "stripes",
    ]


def test_a_stream_goes_on_after_a_bad_picture(taught: Any, tree: Path, tmp_path: Path) -> None:
    whole = (tree / "disk" / "00.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-40])
    inputs = [
        tree / "disk" / "00.png",
        tmp_path / "cut.png",
        tmp_path / "gone.png",
        tree / "square" / "00.png",
    ]
    found = list(taught.stream(inputs, on_error="return", progress=False))
    assert [type(one) for one in found[1:3]] == [Failure, Failure]
    assert "cut.png" in found[1].error and "cut or damaged" in found[1].error and found[1].index == 1
    assert "gone.png" in found[2].error and found[2].index == 2
    assert (found[0].label, found[3].label) == ("disk", "square")
    with pytest.raises(InputError, match=r"^input 1: .*cut\.png"):
        list(taught.stream(inputs, progress=False))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="Windows has no such permissions")
def test_a_file_that_may_not_be_read_is_named(taught: Any, tmp_path: Path) -> None:
    folder = tmp_path / "looks-like.png"
    folder.mkdir()
    with pytest.raises(InputError, match="no regular file"):
        taught([str(folder)])


@pytest.mark.parametrize("method", ["cam", "integrated_gradients", "occlusion"])
def test_explanations_lie_over_the_picture(taught: Any, method: str) -> None:
    picture = Image.new("RGB", (48, 36), (20, 20, 20))
    picture.paste(drawn("square", 2), (20, 6))
    found = taught.explain(picture, method)
    assert found.picture.shape == (36, 48, 3) and found.region == (0, 0, 36, 48)
    assert found.values.shape == (1, found.grid[0] * found.grid[1])
    assert found.target == found.answer == taught(picture).label
    other = taught.explain(picture, method, target="disk")
    assert other.target_labels == ("disk",)
    if method == "integrated_gradients":
        assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02)
    assert found.to_html().count("<rect") == found.values.size
    found.plot()


def test_an_unknown_class_is_refused_with_the_nearest(taught: Any) -> None:
    with pytest.raises(OptionError, match="square"):
        taught.explain(drawn("disk", 1), target="sqare")


def test_other_classes_get_a_new_head(taught: Any, tree: Path, tmp_path: Path) -> None:
    """What is known of a class stays; everything but the head stays as it was when frozen."""
    task = sa.load("image-classification", taught.save(tmp_path / "taught"), device="cpu")
    trunk = [np.array(value) for value in task.model.network.get_layer("stem").get_weights()]
    kernel = np.array(task.model.dense.get_weights()[0])
    wider = task.model.with_labels(["ring", "square", "disk"])
    assert np.array_equal(wider.dense.get_weights()[0][:, 1:], kernel[:, [1, 0]])
    pairs = [(drawn("disk", seed), "ball") for seed in range(8)]
    pairs += [(drawn("square", seed), "square") for seed in range(8)]
    history = task.fit(pairs, **{**LEARNING, "epochs": 3, "freeze": True})
    assert history.replaced == ("head of 3 classes by one of 2, 1 of them kept",)
    assert task.model.processor.labels == ("ball", "square")
    for before, after in zip(trunk, task.model.network.get_layer("stem").get_weights(), strict=True):
        assert np.array_equal(before, after)
    assert task.model.parameters > 1000, "freezing ends with fit"
    again = sa.load("image-classification", task.save(tmp_path / "two"), device="cpu")
    assert again(pairs[0][0]).to_dict() == task(pairs[0][0]).to_dict()


def test_pairs_from_a_file(taught: Any, tree: Path) -> None:
    listed = tree / "pairs.tsv"
    listed.write_text("disk/00.png\tdisk\nsquare/00.png\tsquare\n")
    try:
        assert taught.evaluate(listed, progress=False).count == 2
    finally:
        listed.unlink()
    with pytest.raises(InputError, match="no folder"):
        taught.read_examples(tree / "disk")


# Published checkpoints.


def vit(folder: Path, **changes: Any) -> Path:
    config = {
        "hidden_size": 8,
        "num_attention_heads": 2,
        "num_hidden_layers": 1,
        "intermediate_size": 8,
        "patch_size": 4,
        "image_size": 16,
        "architectures": ["ViTForImageClassification"],
    } | changes
    reference.saved(folder, "ViT", config, {"image_processor_type": "ViTImageProcessor", "size": 16}, 0)
    return folder


def test_a_published_checkpoint_from_a_photo_to_its_label(tmp_path: Path) -> None:
    task = sa.load("image-classification", vit(tmp_path), device="cpu")
    found = task(drawn("disk", 0))
    assert set(found.scores) == {"ant", "bee", "cow"}
    seen = task.explain(drawn("disk", 0))
    assert seen.grid == (4, 4) and seen.unit == "attention rollout"
    assert task.footprint(drawn("disk", 0), repeats=1).flops > 0
    history = task.fit([(drawn(shape, 0), shape) for shape in SHAPES], epochs=1, progress=False)
    assert history.replaced == ("head of 3 classes by one of 3",)


def test_a_checkpoint_without_its_head_is_refused(tmp_path: Path) -> None:
    config = json.loads((vit(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": ["ViTModel"]}))
    with pytest.raises(CheckpointError, match="ViTForImageClassification"):
        sa.load("image-classification", tmp_path)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"num_attention_heads": 3}, "divide"),
        ({"patch_size": 32}, "at least one patch"),
        ({"hidden_size": 2**40}, "hidden_size"),
        ({"num_channels": 4}, "num_channels"),
        ({"image_size": 20}, "of one model"),
        ({"id2label": {"0": "a", "2": "b"}}, "names no class 1"),
        ({"id2label": ["a"]}, "id2label"),
        ({"hidden_act": "no_such"}, "no_such"),
    ],
)
def test_a_damaged_configuration_is_named(wrong: dict[str, Any], told: str, tmp_path: Path) -> None:
    config = json.loads((vit(tmp_path) / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | wrong))
    with pytest.raises(CheckpointError, match=told):
        sa.load("image-classification", tmp_path)
