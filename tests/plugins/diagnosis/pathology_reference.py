"""Small networks for pictures and tiles: the papers' formulas in plain PyTorch, and ours on any backend.

The first half imports PyTorch and runs in the tests' own process; the second half runs in the workers too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def attention_mil(weights: dict[str, np.ndarray], bag: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits and attention of Ilse, Tomczak and Welling 2018, equations 8 and 9, for one bag ``[n, d]``."""
    import torch

    w = {name: torch.from_numpy(value.astype("float64")) for name, value in weights.items()}
    h = torch.relu(torch.from_numpy(bag.astype("float64")) @ w["embed.weight"].T + w["embed.bias"])
    inner = torch.tanh(h @ w["attention.value.weight"].T + w["attention.value.bias"])
    if "attention.gate.weight" in w:
        inner = inner * torch.sigmoid(h @ w["attention.gate.weight"].T + w["attention.gate.bias"])
    a = torch.softmax((inner @ w["attention.score.weight"].T + w["attention.score.bias"])[:, 0], dim=0)
    z = (a[:, None] * h).sum(dim=0)
    return (z @ w["classifier.weight"].T + w["classifier.bias"]).numpy(), a.numpy()


def cnn(weights: dict[str, np.ndarray], config: dict[str, Any], pixels: np.ndarray) -> np.ndarray:
    """Logits of the ``cnn`` family, in PyTorch's own layers: ``[b, h, w, 3]`` to ``[b, classes]``."""
    import torch
    from torch.nn import functional

    w = {name: torch.from_numpy(value.astype("float64")) for name, value in weights.items()}
    given = torch.from_numpy(np.transpose(pixels, (0, 3, 1, 2)).astype("float64"))
    chances = []
    for member in range(config["members"]):
        x = given
        for stage in range(len(config["widths"])):
            if stage:
                x = functional.max_pool2d(x, 2)
            for turn in (0, 1):
                name = f"member_{member}.stage.{stage}.{turn}"
                x = functional.conv2d(x, w[f"{name}.convolution.weight"], padding=1)
                kept = [w[f"{name}.normalization.{part}"] for part in ("running_mean", "running_var")]
                scale = [w[f"{name}.normalization.{part}"] for part in ("weight", "bias")]
                x = torch.relu(functional.batch_norm(x, *kept, *scale, eps=1e-5))
        logits = x.mean(dim=(2, 3)) @ w["head.weight"][member] + w["head.bias"][member]
        chances.append(torch.softmax(logits, dim=1))
    scores = torch.stack(chances).mean(dim=0).log()
    return (scores - scores.mean(dim=1, keepdim=True)).numpy()


# Ours.


def outputs(family: str, folder: str | Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the network of a model folder gives."""
    from sixarts.device import Device
    from sixarts.loading import resolve
    from sixarts.plugins import registry

    spec = registry().task("pathology-classification")
    found = next(
        each
        for signature in spec.signatures
        for each in registry().families(signature)
        if each.name == family
    )
    return dict(resolve(found.model).from_folder(Path(folder), Device.of("cpu"))(arrays))


def randomized(model: Any, seed: int) -> None:
    """Draws every weight of a model: none is left at a value that hides a mistake."""
    random = np.random.default_rng(seed)
    for variable in model.variables:
        drawn = random.normal(0, 0.5, variable.shape).astype("float32")
        variable.assign(np.abs(drawn) + 0.5 if "variance" in variable.path else drawn)
