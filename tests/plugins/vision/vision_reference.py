"""Small random networks for pictures: the answers of the published implementation, and ours on any backend.

The first half imports PyTorch and runs in the tests' own process; the second half runs in the workers too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

LABELS = {"0": "ant", "1": "bee", "2": "cow"}


# The published implementation.


def published(kind: str, config: Mapping[str, Any], seed: int) -> Any:
    """A model of ``transformers`` with every weight drawn: none is left at a value that hides a mistake."""
    import torch
    import transformers

    head = config["architectures"][0]
    named = {int(number): label for number, label in LABELS.items()}
    settings = {name: value for name, value in config.items() if name != "architectures"}
    made = getattr(transformers, f"{kind}Config")(**settings, id2label=named)
    model = getattr(transformers, head)(made).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in [*model.named_parameters(), *model.named_buffers()]:
            if not weight.is_floating_point():
                continue
            drawn = torch.randn(weight.shape, generator=random)
            if "running_var" in name:
                weight.copy_(drawn.abs() + 0.5)
            elif weight.dim() >= 2:
                weight.copy_(drawn * 1.2 * weight[0].numel() ** -0.5 if weight.shape[0] > 1 else drawn * 0.3)
            else:
                weight.copy_(drawn * 0.2 + (1.0 if name.endswith("weight") else 0.0))
    return model


def saved(folder: Path, kind: str, config: Mapping[str, Any], processor: Mapping[str, Any], seed: int) -> Any:
    """The published model in ``folder``, as its own library saves it."""
    model = published(kind, config, seed)
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(processor)))
    return model


def published_logits(model: Any, pixels: np.ndarray) -> np.ndarray:
    """Logits for ``[b, height, width, 3]``."""
    import torch

    with torch.no_grad():
        given = torch.from_numpy(np.ascontiguousarray(np.transpose(pixels, (0, 3, 1, 2))))
        return np.asarray(model(pixel_values=given).logits)


# Ours, on any backend.


@functools.lru_cache(maxsize=4)
def task(folder: Path, name: str = "image-classification") -> Any:
    """The task, as anybody would load it."""
    import sixarts

    return sixarts.load(name, folder)


def logits(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """Logits for ``[b, height, width, 3]``."""
    return np.asarray(task(folder).model({"pixel_values": pixels})["logits"])


def saved_again(folder: Path, copy: Path) -> bool:
    """Whether a folder that is loaded and saved holds the same weights, bit for bit."""
    from sixarts.checkpoint import open_weights

    task(folder).save(copy)
    before, after = open_weights(folder), open_weights(copy)
    kept = [name for name in before if "num_batches_tracked" not in name and not name.endswith("mask_token")]
    assert set(after) == set(kept), set(after) ^ set(kept)
    return all(np.array_equal(before.read(name), after.read(name)) for name in kept)
