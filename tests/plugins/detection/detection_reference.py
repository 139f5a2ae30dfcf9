"""Small random detectors: the answers of the published implementation, and ours on any backend.

The first part imports PyTorch and runs in the tests' own process; the second part runs in the workers too.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings

LABELS = {"0": "ant", "1": "bee", "2": "cow"}

#: Examples are the same in every run, and none is made smaller: a compile is dear.
drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    phases=(Phase.generate,),
    max_examples=2,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


# The published implementation.


def published(kind: str, config: Any, seed: int) -> Any:
    """A model of ``transformers`` with every weight drawn: none is left at a value that hides a mistake."""
    import torch
    import transformers

    model = getattr(transformers, f"{kind}ForObjectDetection")(config).eval()
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


def saved(folder: Path, model: Any, processor: Mapping[str, Any]) -> None:
    """The published model in ``folder``, as its own library saves it."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(dict(processor)))


def named() -> dict[int, str]:
    """The classes, as configurations of ``transformers`` take them."""
    return {int(number): label for number, label in LABELS.items()}


def published_answers(model: Any, pixels: np.ndarray, extents: Sequence[Any] = ()) -> dict[str, np.ndarray]:
    """Logits and boxes for ``[b, height, width, 3]``, each picture by itself, without what is around it."""
    import torch

    found: dict[str, list[np.ndarray]] = {"logits": [], "boxes": []}
    for row, image in enumerate(pixels):
        height, width = extents[row] if len(extents) else image.shape[:2]
        given = np.transpose(image[None, :height, :width], (0, 3, 1, 2))
        with torch.no_grad():
            answer = model(pixel_values=torch.from_numpy(np.ascontiguousarray(given)))
        found["logits"].append(answer.logits[0].numpy())
        found["boxes"].append(answer.pred_boxes[0].numpy())
    return {name: np.stack(rows) for name, rows in found.items()}


def everywhere(backends: Mapping[str, Any], function: str, *args: Any) -> dict[str, Any]:
    """What a function of this module returns here and in each worker, all at once."""
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, f"{__name__}:{function}", *args)
            for name, worker in backends.items()
        }
        here = globals()[function](*args)
        return {"here": here, **{name: future.result() for name, future in waiting.items()}}


def held(
    folders: Any,
    backends: Mapping[str, Any],
    family: str,
    theirs: Any,
    processor: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    within: float = 1e-4,
) -> Path:
    """Logits and boxes everywhere as the published model has them; saved again, the same weights.

    Args:
        folders: pytest's ``tmp_path_factory``.
        backends: a worker each.
        family: name of ours.
        theirs: the published model.
        processor: content of ``preprocessor_config.json``.
        arrays: the network's inputs.
        within: tolerance, relative and absolute.

    Returns:
        The folder of the published model.
    """
    folder = folders.mktemp(family)
    saved(folder, theirs, processor)
    wanted = published_answers(theirs, arrays["pixel_values"], arrays.get("extent", ()))
    assert wanted["logits"].std() > 1e-2
    for backend, got in everywhere(backends, "answers", folder, family, arrays).items():
        for name in wanted:
            np.testing.assert_allclose(got[name], wanted[name], rtol=within, atol=within, err_msg=backend)
    saved_again(folder, family, folders.mktemp("again"))
    return folder


# Ours, on any backend.


@functools.lru_cache(maxsize=4)
def model(folder: Path, family: str) -> Any:
    """The model of a folder."""
    from sixarts.device import Device
    from sixarts_detection.plugin import FAMILIES

    module, _, name = FAMILIES[family][0].partition(":")
    kind = getattr(importlib.import_module(f"sixarts_detection.{module}"), name)
    return kind.from_folder(folder, Device.of("cpu"))


def answers(folder: Path, family: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The network's outputs."""
    return {name: np.asarray(value) for name, value in model(folder, family)(arrays).items()}


def saved_again(folder: Path, family: str, copy: Path) -> None:
    """Holds that a folder which is loaded and saved has the same weights, bit for bit, and loads again."""
    from sixarts.checkpoint import open_weights

    ours = model(folder, family)
    assert ours.hidden_constants() == []
    ours.save(copy)
    before, after = open_weights(folder), open_weights(copy)
    kept = [name for name in before if "num_batches_tracked" not in name]
    assert set(after) == set(kept), set(after) ^ set(kept)
    for name in kept:
        np.testing.assert_array_equal(before.read(name), after.read(name), err_msg=name)
    model.__wrapped__(copy, family)
