"""The detectors that ``bench_detection.py`` compares, each in a process of its own: ours on a backend, and
``transformers`` on PyTorch. Both read one folder of random weights and the same JPEG files.
"""

from __future__ import annotations

import functools
import json
import time
from pathlib import Path
from typing import Any

from pictures import THREADS

#: Low enough that random weights find something.
THRESHOLD = 0.0


def write_model(folder: str, kind: str) -> None:
    """Random weights of DETR-R50's or RT-DETR-R18's size, in the layout that is published."""
    import torch
    import transformers

    torch.manual_seed(0)
    made, processor = {"detr": _detr, "rt_detr": _rt_detr}[kind](transformers)
    made.eval().save_pretrained(folder)
    (Path(folder) / "preprocessor_config.json").write_text(json.dumps(processor))


def _detr(transformers: Any) -> tuple[Any, dict[str, Any]]:
    backbone = transformers.ResNetConfig(out_features=["stage4"])
    config = transformers.DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=backbone,
        use_pretrained_backbone=False,
        num_labels=91,
    )
    size = {"shortest_edge": 800, "longest_edge": 1333}
    return transformers.DetrForObjectDetection(config), {
        "image_processor_type": "DetrImageProcessor",
        "size": size,
    }


def _rt_detr(transformers: Any) -> tuple[Any, dict[str, Any]]:
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=64,
        hidden_sizes=[64, 128, 256, 512],
        depths=[2, 2, 2, 2],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = transformers.RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[128, 256, 512],
        hidden_expansion=0.5,
        decoder_layers=3,
        num_labels=80,
    )
    model = transformers.RTDetrForObjectDetection(config)
    # New heads answer alike everywhere, so that which cells are chosen would be a matter of ties.
    for name, weight in model.named_parameters():
        if weight.dim() == 2 and ("score_head" in name or "class_embed" in name):
            weight.data.normal_(0, weight.shape[1] ** -0.5)
    return model, {
        "image_processor_type": "RTDetrImageProcessor",
        "size": {"height": 640, "width": 640},
        "do_normalize": False,
    }


@functools.cache
def ours(folder: str) -> Any:
    import sixarts as sa

    return sa.load("object-detection", folder, device="cpu")


def ours_detect(folder: str, photos: list[str], batch: int) -> tuple[float, list[float]]:
    """Seconds from files to boxes, and the score of each photo's surest."""
    task = ours(folder)
    begin = time.perf_counter()
    found = list(task.stream(photos, batch_size=batch, threshold=THRESHOLD, progress=False))
    return time.perf_counter() - begin, [float(one.scores[0]) for one in found]


@functools.cache
def theirs(folder: str) -> Any:
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    return transformers.AutoImageProcessor.from_pretrained(
        folder
    ), transformers.AutoModelForObjectDetection.from_pretrained(folder).eval()


def transformers_detect(folder: str, photos: list[str], batch: int) -> tuple[float, list[float]]:
    import torch
    from PIL import Image

    processor, model = theirs(folder)
    begin, found = time.perf_counter(), []
    with torch.inference_mode():
        for start in range(0, len(photos), batch):
            images = [Image.open(photo).convert("RGB") for photo in photos[start : start + batch]]
            inputs = processor(images=images, return_tensors="pt")
            sizes = [image.size[::-1] for image in images]
            results = processor.post_process_object_detection(model(**inputs), THRESHOLD, target_sizes=sizes)
            found += [float(result["scores"].max()) for result in results]
    return time.perf_counter() - begin, found
