"""Random changes of pictures and the boxes in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from sixarts_detection.boxes import areas

#: What of an object must be left in the picture for it to be learned.
LEFT = 0.3


def changed(
    image: np.ndarray, boxes: np.ndarray, training: Any, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of the same size: mirrored, drawn nearer or farther, in other light.

    Args:
        image: ``[height, width, 3]``, ``uint8``.
        boxes: ``[n, 4]``, in its pixels.
        training: with ``flip``, ``flip_vertical``, ``zoom`` and ``light``.
        random: what is drawn from.

    Returns:
        The picture, the boxes that are left in it, and which of them those are.
    """
    boxes = boxes.astype("float32")
    height, width = image.shape[:2]
    if training.flip and random.random() < 0.5:
        image, boxes = image[:, ::-1], _mirrored(boxes, 0, width)
    if training.flip_vertical and random.random() < 0.5:
        image, boxes = image[::-1], _mirrored(boxes, 1, height)
    kept = np.arange(len(boxes))
    if training.zoom:
        image, boxes, kept = _zoomed(image, boxes, training.zoom, random)
    if training.light:
        image = _lit(image, training.light, random)
    return np.ascontiguousarray(image), boxes, kept


def _mirrored(boxes: np.ndarray, axis: int, length: int) -> np.ndarray:
    mirrored = boxes.copy()
    mirrored[:, axis], mirrored[:, axis + 2] = length - boxes[:, axis + 2], length - boxes[:, axis]
    return mirrored


def _zoomed(
    image: np.ndarray, boxes: np.ndarray, zoom: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A window of the picture, or a frame around it, of the picture's own proportions."""
    height, width = image.shape[:2]
    factor = float(np.exp(random.uniform(-np.log1p(zoom), np.log1p(zoom))))
    tall, wide = height / factor, width / factor
    # Where the window is larger than the picture, the picture lies anywhere in it.
    top, left = (
        random.uniform(*sorted((0.0, side - part))) for side, part in ((height, tall), (width, wide))
    )
    middle = tuple(int(value) for value in image.mean(axis=(0, 1)))
    around = int(np.ceil(max(0.0, -top, -left, top + tall - height, left + wide - width)))
    source = Image.fromarray(image)
    if around:
        framed = Image.new("RGB", (width + 2 * around, height + 2 * around), middle)
        framed.paste(source, (around, around))
        source = framed
    window = (left + around, top + around, left + around + wide, top + around + tall)
    seen = source.resize((width, height), Image.Resampling.BILINEAR, box=window)
    moved = (boxes - np.array([left, top, left, top])) * factor
    cut = np.clip(moved, 0, [width, height, width, height])
    kept = np.flatnonzero(areas(cut) > LEFT * areas(moved))
    return np.asarray(seen), cut[kept].astype("float32"), kept


def _lit(image: np.ndarray, light: float, random: np.random.Generator) -> np.ndarray:
    """Other brightness, contrast and tint: each channel's values scaled and moved."""
    scale = 1 + random.uniform(-light, light) + random.uniform(-light / 2, light / 2, 3)
    move = 255 * random.uniform(-light / 2, light / 2)
    middle = image.mean(axis=(0, 1))
    return ((image - middle) * scale + middle + move).clip(0, 255).astype("uint8")
