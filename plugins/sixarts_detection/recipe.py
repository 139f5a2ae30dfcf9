"""The recipe of the detection starter: data, training, evaluation, card.

::

    python -m sixarts_detection.recipe blood-cells BCCD runs/blood-cells

A run that was killed goes on with the same command. Every choice was made on a tenth of the training part;
the part that is measured is looked at once, by this program, when training is over.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.training import History
from sixarts_detection import corpora
from sixarts_detection.objects import objects_of

NETWORK: dict[str, Any] = {"image_size": [288, 384]}
TRAINING = {
    "epochs": 150,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "schedule": "cosine",
    "warmup": 100,
    "weight_decay": 0.05,
    "clip_norm": 10.0,
    "average": 5,
    "flip": True,
    "flip_vertical": True,
    "zoom": 0.3,
    "light": 0.2,
    "seed": 0,
}


def main(arguments: list[str] | None = None) -> None:
    """Runs a recipe; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m sixarts_detection.recipe", description=main.__doc__)
    parser.add_argument("name", choices=["blood-cells"], help="which recipe")
    parser.add_argument("data", type=Path, help="BCCD as published: Annotations, ImageSets, JPEGImages")
    parser.add_argument("folder", type=Path, help="where checkpoints and the finished model go")
    parser.add_argument("--epochs", type=int, help="other than the recipe's own; the figures are for these")
    chosen = parser.parse_args(arguments)

    parts = split(chosen.data)
    print({name: len(part) for name, part in parts.items()}, flush=True)
    task = sa.new("object-detection", family="fcos", **NETWORK)
    training = TRAINING | ({"epochs": chosen.epochs} if chosen.epochs else {})
    history = task.fit(parts["train"], parts["choose"], **training, folder=chosen.folder / "checkpoints")
    if history.stopped == "interrupted":
        print(history, flush=True)
        raise SystemExit(130)
    task.model.stored_dtype = "float16"
    # What ships is the rounded model, so that is what is measured.
    starter = sa.load("object-detection", task.save(chosen.folder / "draft"))
    starter.model.config["threshold"] = threshold = best_threshold(starter, parts["choose"])
    print("choose:", starter.evaluate(parts["choose"]), "threshold", threshold, flush=True)
    held_out, counted = starter.evaluate(parts["test"]), counts(starter, parts["test"], threshold)
    print("test:", held_out, counted, flush=True)
    starter.card = str(card(starter, parts, held_out, counted, history))
    print(starter.save(chosen.folder / chosen.name))


def split(folder: Path) -> dict[str, list[Any]]:
    """BCCD's parts: ``train``, of which a tenth by a hash of the name is ``choose``; ``val`` is ``test``."""
    known = corpora.read(folder / "ImageSets" / "Main" / "train.txt")
    kept = [zlib.crc32(path.name.encode()) % 10 == 0 for path, _ in known]
    return {
        "train": [example for example, aside in zip(known, kept, strict=True) if not aside],
        "choose": [example for example, aside in zip(known, kept, strict=True) if aside],
        "test": corpora.read(folder / "ImageSets" / "Main" / "val.txt"),
    }


def best_threshold(task: sa.Task, examples: list[Any]) -> float:
    """The score from which detections are counted, so that counts are nearest to the truth."""
    results = task([picture for picture, _ in examples], threshold=0.05)
    steps = np.arange(0.1, 0.75, 0.05).round(2)
    errors = [
        sum(
            _off(result.only(score=step), target)
            for result, (_, target) in zip(results, examples, strict=True)
        )
        for step in steps
    ]
    return float(steps[int(np.argmin(errors))])


def _off(result: Any, target: Any) -> int:
    labels = objects_of(target).labels
    return sum(abs(result.counts.get(label, 0) - labels.count(label)) for label in {*labels, *result.labels})


def counts(task: sa.Task, examples: list[Any], threshold: float) -> dict[str, tuple[float, float]]:
    """Mean absolute error of the counts in a picture, and the mean count, by class."""
    results = task([picture for picture, _ in examples], threshold=threshold)
    found = {}
    for label in task.model.processor.labels:
        truth = np.array([objects_of(target).labels.count(label) for _, target in examples])
        seen = np.array([result.counts.get(label, 0) for result in results])
        found[label] = (float(np.abs(seen - truth).mean()), float(truth.mean()))
    return found


def card(
    task: sa.Task,
    parts: dict[str, list[Any]],
    held_out: sa.Metrics,
    counted: dict[str, tuple[float, float]],
    history: History,
) -> Card:
    """The model's card, with its measured figures."""
    cost, figure = task.footprint(), held_out["mAP50"]
    by_class = ", ".join(
        f"{name.removeprefix('AP50 ')} {metric.value:.3f}"
        for name, metric in held_out.values.items()
        if name.startswith("AP50 ")
    )
    errors = ", ".join(f"{label} {error:.2f} (of {mean:.1f})" for label, (error, mean) in counted.items())
    epochs = len(history.metrics["loss"])
    sizes = ", ".join(f"{name} {len(part)}" for name, part in parts.items())
    sections = {
        "Use": """Red cells (RBC), white cells (WBC) and platelets in pictures of blood smears, and how many
there are, offline, inside the package:

```python
import sixarts

detect = sixarts.load("object-detection")
detect("smear.jpg").counts
```

This is a demonstration of a method and no medical device: do not diagnose with it.""",
        "Data": f"""BCCD (Shenggan 2017, commit `d272fb1`, MIT license): microscope pictures of 640 × 480
pixels with boxes of three classes. Pictures: {sizes}. `test` is the data set's own `val`; `choose` is a tenth
of its `train`. Pictures of one smear may lie in several parts: the data set does not say whose they are.""",
        "Training": f"""`python -m sixarts_detection.recipe blood-cells DATA FOLDER` makes such a folder
again: {epochs} epochs of AdamW, from nothing, on pictures mirrored both ways, drawn nearer and farther, and
in other light. The weights are the mean of the last {TRAINING["average"]} epochs'. Places are assigned to
objects by how well they classify and locate them (Feng et al. 2021).""",
        "Evaluation": f"""COCO's average precision by pycocotools, on {held_out.count} pictures it never saw,
measured once by the recipe, on half-precision weights: **mAP50 {figure.value:.3f}** ({figure.low:.3f} to
{figure.high:.3f}, bootstrap over pictures), mAP50-95 {held_out["mAP50-95"].value:.3f}. mAP50 by class:
{by_class}. Mean absolute error of the counts in a picture, at a threshold of
{task.model.config["threshold"]}: {errors}.

Published: YOLOv8n, pretrained on COCO, mAP50 .924 (IET Computer Vision 2025) to .935, on other splits of the
same pictures.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16.""",
        "Limits": """It knows one laboratory's smears, stain and magnification. In many of the data set's
pictures a person sees red cells that nobody boxed, above all where cells touch or the border cuts them; the
model learned to leave such cells out, too, and the counts of red cells are as uneven. It says nothing of
kinds of white cells or of sickness.""",
    }
    return Card(
        title="Blood cells starter",
        task="object-detection",
        license="mit",
        sections=sections,
        measured=(Measured(held_out, "BCCD", split="val"),),
    )


if __name__ == "__main__":
    main()
