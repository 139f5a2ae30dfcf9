"""Clips for the published implementation and for ours on any backend; see :mod:`vision_reference`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import vision_reference


def published_logits(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Logits for ``[b, frames, height, width, 3]``."""
    import torch

    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(np.transpose(pixels, (0, 1, 4, 2, 3))))
        return np.asarray(model(pixel_values=given).logits)


def logits(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """Logits for ``[b, frames, height, width, 3]``; run in a worker, too."""
    task = vision_reference.task(folder, "video-classification")
    return np.asarray(task.model({"pixel_values": pixels})["logits"])
