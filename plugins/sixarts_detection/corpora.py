"""Reads pictures and their boxes in the layouts that people keep them in: COCO, Pascal VOC, YOLO.

Sources: Lin et al. 2014 (COCO), Everingham et al. 2010 (VOC); YOLO's label files as Ultralytics documents
them.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml

from sixarts.errors import InputError
from sixarts.files import pairs
from sixarts.media.images import SUFFIXES, image_size
from sixarts_detection.objects import Objects

#: A picture's path and what is in it.
Example = tuple[Path, Objects]


def read(path: Path) -> list[Any]:
    """Examples from a file or a folder, by what it is.

    ========================= ==============================================================
    ``*.json``                COCO; pictures beside it, or in a folder that it can be guessed from
    ``ImageSets/Main/*.txt``  a part of a VOC tree
    a folder                  VOC (``Annotations``), YOLO (``labels``), or COCO (a single ``*.json``)
    ``*.yaml``                YOLO's description of a data set; its ``train`` part
    other files               pairs: ``input`` and ``target`` a line
    ========================= ==============================================================

    Raises:
        InputError: none of these; a file that is broken, a picture that is not there.
    """
    if path.is_dir():
        if (path / "Annotations").is_dir():
            return list(voc(path))
        if (path / "labels").is_dir():
            return list(yolo(path))
        found = sorted(path.glob("*.json"))
        if len(found) == 1:
            return list(coco(found[0]))
        raise InputError(
            f"{path} has no folder Annotations (VOC), no labels (YOLO) and {len(found)} .json files (COCO: "
            "expected one); expected one of these layouts"
        )
    if path.suffix == ".json":
        return list(coco(path))
    if path.suffix in (".yaml", ".yml"):
        return list(yolo_set(path))
    if path.suffix == ".txt" and path.parent.name == "Main":
        return list(voc(path.parents[2], path))
    return pairs(path)


def coco(path: Path) -> Iterator[Example]:
    """A COCO file of instances; crowds are left out, since they are no single objects."""
    with _read_as(path, "COCO's annotations"):
        table = json.loads(path.read_text(encoding="utf-8"))
        names = {entry["id"]: entry["name"] for entry in table["categories"]}
        boxes: dict[Any, list[tuple[list[float], str]]] = {entry["id"]: [] for entry in table["images"]}
        for entry in table["annotations"]:
            left, top, width, height = map(float, entry["bbox"])
            if not entry.get("iscrowd") and width > 0 and height > 0:
                box = [left, top, left + width, top + height]
                boxes[entry["image_id"]].append((box, names[entry["category_id"]]))
        split = path.stem.removeprefix("instances_")
        folders = [path.parent, path.parent / "images", path.parents[1] / split, path.parents[1] / "images"]
        for image in table["images"]:
            yield _found(folders, image["file_name"], path), _objects(boxes[image["id"]])


def voc(folder: Path, names: Path | None = None) -> Iterator[Example]:
    """A VOC tree; objects that are marked difficult stay in.

    Args:
        folder: with ``Annotations`` and ``JPEGImages``.
        names: a file with the name of a picture a line; all of them by default.
    """
    if names is None:
        files = sorted((folder / "Annotations").glob("*.xml"))
    else:
        lines = names.read_text(encoding="utf-8").split("\n")
        files = [folder / "Annotations" / f"{line.split()[0]}.xml" for line in lines if line.strip()]
    for file in files:
        with _read_as(file, "VOC's annotations"):
            root = ElementTree.fromstring(file.read_bytes())
            found = []
            for entry in root.iter("object"):
                box = [
                    float(entry.findtext(f"bndbox/{side}", "")) for side in ("xmin", "ymin", "xmax", "ymax")
                ]
                if box[2] > box[0] and box[3] > box[1]:
                    found.append((box, entry.findtext("name", "")))
            name = root.findtext("filename") or file.stem
        folders = [folder / "JPEGImages", folder / "images", folder]
        yield _found(folders, name, file, file.stem), _objects(found)


def yolo(folder: Path, images: Path | None = None, names: Any = None) -> Iterator[Example]:
    """A YOLO tree: ``images`` and ``labels`` of the same shape.

    Args:
        folder: with ``labels``, and ``data.yaml`` or ``classes.txt`` for the names of the classes.
        images: the pictures; all under ``images`` by default.
        names: of the classes, a list or a mapping from number.
    """
    names = names if names is not None else _class_names(folder)
    pictures = images or folder / "images"
    if not pictures.is_dir():
        raise InputError(f"{pictures} is no folder; expected the pictures that the label files are of")
    for picture in sorted(entry for entry in pictures.rglob("*") if entry.suffix.lower() in SUFFIXES):
        labels = _labels_beside(picture)
        found = []
        if labels.is_file():
            height, width = image_size(picture)
            with _read_as(labels, "YOLO's labels (class, center x, center y, width, height)"):
                for line in filter(str.strip, labels.read_text(encoding="utf-8").splitlines()):
                    number, *shares = line.split()
                    x, y, wide, tall = (float(share) for share in shares[:4])
                    box = [(x - wide / 2) * width, (y - tall / 2) * height]
                    box += [box[0] + wide * width, box[1] + tall * height]
                    if wide > 0 and tall > 0:
                        found.append((box, str(names[int(number)])))
        yield picture, _objects(found)


def yolo_set(path: Path, part: str = "train") -> Iterator[Example]:
    """A part of the data set that a YAML file describes."""
    with _read_as(path, "a description of a YOLO data set with train and names"):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        folder = path.parent / (table.get("path") or "")
        images, names = folder / table[part], table["names"]
    yield from yolo(folder, images, names)


def _labels_beside(picture: Path) -> Path:
    """The label file of a picture: the last ``images`` in its path is ``labels``."""
    parts = list(picture.with_suffix(".txt").parts)
    last = max((place for place, name in enumerate(parts) if name == "images"), default=None)
    if last is not None:
        parts[last] = "labels"
    return Path(*parts)


def _class_names(folder: Path) -> Any:
    described = sorted(folder.glob("*.yaml")) + sorted(folder.glob("*.yml"))
    if described:
        with _read_as(described[0], "a description of a YOLO data set with names"):
            return yaml.safe_load(described[0].read_text(encoding="utf-8"))["names"]
    for name in ("classes.txt", "labels/classes.txt", "obj.names"):
        if (folder / name).is_file():
            return [
                line.strip()
                for line in (folder / name).read_text(encoding="utf-8").splitlines()
                if line.strip()
            ]
    raise InputError(f"{folder} names no classes; expected data.yaml or classes.txt beside images and labels")


def _objects(found: list[tuple[list[float], str]]) -> Objects:
    boxes = np.array([box for box, _ in found], "float32").reshape(-1, 4)
    return Objects(boxes, tuple(label for _, label in found))


def _found(folders: list[Path], name: str, told: Path, stem: str = "") -> Path:
    """The picture of this name (or of this stem, whatever its suffix), in the first folder that has it."""
    for folder in folders:
        wanted = [folder / name] + [folder / f"{stem}{suffix}" for suffix in SUFFIXES if stem]
        for path in wanted:
            if path.is_file():
                return path
    places = ", ".join(str(folder) for folder in folders)
    raise InputError(f"{told} names the picture {name!r}, which is in none of {places}; put it there")


@contextlib.contextmanager
def _read_as(path: Path, expected: str) -> Iterator[None]:
    """Makes one error of whatever a stranger's file does to its reading."""
    try:
        yield
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {str(error)[:120]}); expected {expected}"
        ) from error


_BROKEN = (
    AttributeError,
    LookupError,
    OSError,
    TypeError,
    ValueError,
    ElementTree.ParseError,
    yaml.YAMLError,
)
