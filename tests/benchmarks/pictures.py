"""The classifiers that ``bench_images.py`` compares, each in a process of its own: ours on a backend, and the
``transformers`` image pipeline on PyTorch. Both read one folder of random weights and the same JPEG files.
"""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

THREADS = 2
SIZE = (480, 640)


def write_model(folder: str, kind: str) -> None:
    """Random weights of ViT-B/16's or ResNet-50's size, in the layout that is published."""
    import torch
    import transformers

    torch.manual_seed(0)
    labels = {number: f"class {number}" for number in range(1000)}
    made = {
        "vit": lambda: transformers.ViTForImageClassification(transformers.ViTConfig(id2label=labels)),
        "resnet": lambda: transformers.ResNetForImageClassification(
            transformers.ResNetConfig(id2label=labels)
        ),
    }[kind]()
    made.eval().save_pretrained(folder)
    processor = {
        "vit": {"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224}},
        "resnet": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
    }[kind]
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(processor))


def write_photos(folder: str, count: int) -> None:
    """JPEG files of soft shapes and noise, as large as photos on the web."""
    from PIL import Image

    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    for number in range(count):
        draw = np.random.default_rng(number)
        soft = np.stack(
            [np.sin(rows / draw.uniform(20, 90) + columns / draw.uniform(20, 90)) for _ in range(3)], -1
        )
        pixels = (soft + 1) * 100 + draw.normal(0, 12, (*SIZE, 3))
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(f"{folder}/{number:03}.jpg", quality=90)


@functools.cache
def ours(folder: str) -> Any:
    import sixarts as sa

    return sa.load("image-classification", folder, device="cpu")


def ours_classify(folder: str, photos: list[str], batch: int) -> tuple[float, list[str]]:
    """Seconds from files to labels, and the labels."""
    task = ours(folder)
    begin = time.perf_counter()
    found = list(task.stream(photos, batch_size=batch, progress=False))
    return time.perf_counter() - begin, [one.label for one in found]


def ours_network(folder: str, batches: int, batch: int) -> float:
    """Seconds for so many batches through the network alone."""
    model = ours(folder).model
    pixels = np.random.default_rng(0).normal(size=(batch, 224, 224, 3)).astype("float32")
    begin = time.perf_counter()
    for _ in range(batches):
        model({"pixel_values": pixels})
    return time.perf_counter() - begin


@functools.cache
def theirs(folder: str) -> Any:
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    return transformers.pipeline("image-classification", model=folder, device="cpu")


def transformers_classify(folder: str, photos: list[str], batch: int) -> tuple[float, list[str]]:
    import torch

    pipe = theirs(folder)
    begin = time.perf_counter()
    with torch.inference_mode():
        found = pipe(photos, batch_size=batch, top_k=5)
    return time.perf_counter() - begin, [one[0]["label"] for one in found]
