"""Trees of pictures and boxes in the three layouts that people keep, and what is said of broken ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sixarts.errors import InputError
from sixarts_detection import corpora
from sixarts_detection.objects import Objects

#: Picture to the boxes in it, and their classes.
TRUTH = {
    "a.png": Objects(np.array([[2, 3, 12, 13], [0, 0, 5, 5]], "float32"), ("cat", "dog")),
    "b.png": Objects(np.zeros((0, 4), "float32"), ()),
    "c.png": Objects(np.array([[1, 1, 40, 30]], "float32"), ("dog",)),
}
NAMES = ["cat", "dog"]


def pictures(folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in TRUTH:
        Image.new("RGB", (40, 30)).save(folder / name)


def as_coco(root: Path, images: Path, file: Path) -> Path:
    pictures(images)
    numbers = {name: number for number, name in enumerate(NAMES, 5)}
    annotations: list[dict[str, Any]] = [
        {
            "image_id": number,
            "category_id": numbers[label],
            "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
        }
        for number, target in enumerate(TRUTH.values())
        for box, label in zip(target.boxes.tolist(), target.labels, strict=True)
    ]
    annotations.append({"image_id": 0, "category_id": 5, "bbox": [0, 0, 9, 9], "iscrowd": 1})
    table = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(TRUTH)],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": annotations,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(table))
    return file


def as_voc(root: Path) -> Path:
    pictures(root / "JPEGImages")
    (root / "Annotations").mkdir()
    for name, target in TRUTH.items():
        objects = "".join(
            f"<object><name>{label}</name><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin>"
            f"<xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for box, label in zip(target.boxes.tolist(), target.labels, strict=True)
        )
        # What the file calls its picture is often wrong; its own name is right.
        said = f"<annotation><filename>elsewhere.jpg</filename>{objects}</annotation>"
        (root / "Annotations" / f"{Path(name).stem}.xml").write_text(said)
    main = root / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (main / "val.txt").write_text("c 1\n")
    return root


def as_yolo(root: Path) -> Path:
    pictures(root / "images" / "train")
    (root / "labels" / "train").mkdir(parents=True)
    for name, target in TRUTH.items():
        lines = [
            f"{NAMES.index(label)} {(box[0] + box[2]) / 80} {(box[1] + box[3]) / 60} "
            f"{(box[2] - box[0]) / 40} {(box[3] - box[1]) / 30}"
            for box, label in zip(target.boxes.tolist(), target.labels, strict=True)
        ]
        if lines:
            (root / "labels" / "train" / f"{Path(name).stem}.txt").write_text("\n".join(lines) + "\n")
    (root / "data.yaml").write_text("train: images/train\nnames:\n  0: cat\n  1: dog\n")
    return root


def same(found: list[Any]) -> None:
    assert [path.name for path, _ in found] == list(TRUTH)
    for (path, target), wanted in zip(found, TRUTH.values(), strict=True):
        assert path.is_file()
        assert target.labels == wanted.labels
        np.testing.assert_allclose(target.boxes, wanted.boxes, atol=1e-4)


def test_coco_wherever_its_pictures_lie(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    same(corpora.read(as_coco(one, one / "images", one / "all.json")))
    same(corpora.read(one))
    same(corpora.read(as_coco(two, two / "val2017", two / "annotations" / "instances_val2017.json")))


def test_voc_and_its_parts(tmp_path: Path) -> None:
    root = as_voc(tmp_path / "voc")
    same(corpora.read(root))
    (only,) = corpora.read(root / "ImageSets" / "Main" / "val.txt")
    assert only[0].name == "c.png"


def test_yolo_by_folder_and_by_description(tmp_path: Path) -> None:
    root = as_yolo(tmp_path / "yolo")
    same(corpora.read(root))
    same(corpora.read(root / "data.yaml"))
    (root / "data.yaml").unlink()
    with pytest.raises(InputError, match="names no classes"):
        corpora.read(root)
    (root / "classes.txt").write_text("cat\ndog\n")
    same(corpora.read(root))


def test_broken_trees_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one of these layouts"):
        corpora.read(tmp_path)
    voc = as_voc(tmp_path / "voc")
    (voc / "Annotations" / "b.xml").write_text("<annotation>")
    with pytest.raises(InputError, match=r"b\.xml cannot be read"):
        corpora.read(voc)
    (voc / "Annotations" / "b.xml").write_text("<annotation/>")
    (voc / "JPEGImages" / "b.png").unlink()
    with pytest.raises(InputError, match="names the picture 'b'"):
        corpora.read(voc)
    coco = as_coco(tmp_path / "coco", tmp_path / "coco" / "images", tmp_path / "coco" / "all.json")
    coco.write_text('{"images": []}')
    with pytest.raises(InputError, match=r"all\.json cannot be read"):
        corpora.read(coco)
    yolo = as_yolo(tmp_path / "yolo")
    (yolo / "labels" / "train" / "a.txt").write_text("7 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match=r"a\.txt cannot be read"):
        corpora.read(yolo)
