"""The recipes of models for pictures: data, training, calibration, evaluation, card.

::

    python -m sixarts_diagnosis.recipe pneumonia pneumoniamnist runs/pneumonia

A run that was killed goes on with the same command. Every choice was made on the validation part; the test
part is measured once, by this program, on the half-precision weights that ship.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.training import History
from sixarts_diagnosis import pathology_corpora as corpora

#: Name to what reads its data, what of the network is its own, and what of the training is.
RECIPES: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "pneumonia": (corpora.pneumonia, {"image_size": 28}, {}),
    "malaria": (
        corpora.malaria,
        {"image_size": 50},
        {"orientation": "any", "rotate": 45.0, "disease": "parasitized", "epochs": 25},
    ),
}
NETWORK = {"widths": [16, 32, 64], "members": 3, "dropout": 0.3}
TRAINING: dict[str, Any] = {
    "epochs": 20,
    "batch_size": 64,
    "learning_rate": 3e-3,
    "schedule": "cosine",
    "warmup": 74,
    "weight_decay": 0.05,
    "label_smoothing": 0.1,
    "average": 5,
    "shift": 0.1,
    "rotate": 12.0,
    "zoom": 0.15,
    "contrast": 0.3,
    "brightness": 0.3,
    "balance": True,
    # The validation part calibrates: all of the training part is learned from.
    "calibration": 0.0,
    "seed": 0,
}
#: Decisions at a probability of one half are then those that weigh both mistakes alike.
PREVALENCE = 0.5


def run(name: str, data: Path, folder: Path, epochs: int | None = None) -> Path:
    """Makes a model and its card.

    Args:
        name: one of :data:`RECIPES`.
        data: the folder of the data as it is published.
        folder: where checkpoints and the finished model go.
        epochs: other than the recipe's own; the figures are for these.

    Raises:
        SystemExit: training was interrupted; the same command goes on.
    """
    read, network, own = RECIPES[name]
    parts = read(data)
    print(f"pictures: {parts}", flush=True)
    training = {**TRAINING, **own, **({"epochs": epochs} if epochs else {})}
    task = sa.new("pathology-classification", family="cnn", **NETWORK, **network)
    history = task.fit(parts.train, parts.validation, **training, folder=folder / "checkpoints")
    if history.stopped == "interrupted":
        print(history, flush=True)
        raise SystemExit(130)
    for epoch, figures in enumerate(zip(*history.metrics.values(), strict=True), 1):
        named = zip(history.metrics, figures, strict=True)
        print(f"epoch {epoch}: " + ", ".join(f"{title} {figure:.4g}" for title, figure in named))
    task.model.stored_dtype = "float16"
    starter = sa.load(task.name, task.save(folder / "draft"))
    starter.calibrate(parts.validation, prevalence=PREVALENCE, sets="by class")
    print("reliability:", starter.reliability, flush=True)
    print("validation:", starter.evaluate(parts.validation), flush=True)
    held_out = starter.evaluate(parts.test)
    print("test:", held_out, flush=True)
    unlike = abstentions(starter, [picture for picture, _ in parts.test])
    print("abstained from:", unlike, flush=True)
    starter.card = str(CARDS[name](parts, starter, held_out, history, unlike))
    place: Path = starter.save(folder / name)
    print(place)
    return place


def abstentions(task: Any, pictures: list[np.ndarray]) -> dict[str, float]:
    """The share of pictures that a model abstains from: as they are, and made into what it never saw."""
    random = np.random.default_rng(0)
    made = {
        "as they are": pictures,
        "upside down": [picture[::-1] for picture in pictures],
        "as negatives": [255 - picture for picture in pictures],
        "noise": [random.integers(0, 256, picture.shape).astype("uint8") for picture in pictures],
    }
    return {
        name: float(np.mean([answer.abstained for answer in task(list(each))])) for name, each in made.items()
    }


def pneumonia_card(
    parts: corpora.Parts, task: Any, found: sa.Metrics, history: History, unlike: dict[str, float]
) -> Card:
    """The card of ``starter/pneumonia``, with its measured figures."""
    cost = task.footprint()
    figures = "\n".join(
        f"| {name} | {each.value:.3f} | {each.low:.3f} to {each.high:.3f} |"
        for name, each in found.values.items()
    )
    away = ", ".join(f"{name} {share:.0%}" for name, share in unlike.items())
    sections = {
        "Use": """Whether a small chest X-ray of a child shows pneumonia, offline, inside the package:

```python
import sixarts

diagnose = sixarts.load("pathology-classification")
print(diagnose("chest.png"))
```

It shows what the task gives: a calibrated probability, a set of labels with its coverage, abstaining, and
where in the picture it looked. **It is decision support for a qualified professional and no medical device;
it was not tested as one.** Pictures of 28 × 28 pixels show no doctor enough.""",
        "Data": f"""PneumoniaMNIST (Yang et al. 2023, "MedMNIST v2"), CC BY 4.0, made of the chest X-rays of
children in Guangzhou by Kermany et al. 2018: {parts}, MedMNIST's own parts. The file that this was made from
was put together from public copies of them; eight validation pictures are in the training part, too, and no
test picture is.""",
        "Training": f"""`python -m sixarts_diagnosis.recipe pneumonia DATA FOLDER` makes such a folder again:
{NETWORK["members"]} small convolutional networks that learn apart, {len(history.metrics["loss"])} epochs of
AdamW, both labels weighed alike, pictures moved, turned, scaled and lit at random (never mirrored: a heart
has its side), the last {TRAINING["average"]} epochs' weights averaged. Choices were made on the validation
part, which also calibrated it: {task.reliability}. Probabilities are for a prevalence of {PREVALENCE:.0%}, so
that a decision at one half weighs both mistakes alike; `calibrate(cases, prevalence=…)` moves them to that of
another clinic.""",
        "Evaluation": f"""The official test part, {found.count} pictures, measured once by the recipe, on the
half-precision weights ({found.protocol}):

| figure | value | 95 % interval |
|---|---|---|
{figures}

Published on the same part: ResNet-18 accuracy .854, AUC .944 (Yang et al. 2023, table 3, 28 × 28 pixels);
their best, by automated search, accuracy .946. A support vector machine on pixels has .857 and .950 (measured
by us).

The test part is of other patients, with fewer cases of pneumonia than the training part. The coverage that
sets state holds among cases like those of the validation part; what it was on the test part stands in the
table. Of the test part it abstains from: {away}.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16.""",
        "Limits": """Children of one hospital, one view, 28 × 28 pixels, two labels: other diseases of the
lung are called one of these. Groups (age, sex, scanner) are not in the data, so that gaps between them were
not measured. It abstains from what looks unlike an X-ray of a chest, which does not find every such
picture.""",
    }
    return Card(
        title="Pneumonia starter",
        task="pathology-classification",
        license="cc-by-4.0",
        sections=sections,
        datasets=("pneumoniamnist",),
        measured=(Measured(found, "PneumoniaMNIST, test part", id="pneumoniamnist"),),
    )


def malaria_card(
    parts: corpora.Parts, task: Any, found: sa.Metrics, history: History, unlike: dict[str, float]
) -> Card:
    """The card of the malaria benchmark, whose weights do not ship."""
    lines = "; ".join(f"{name} {each}" for name, each in found.values.items())
    sections = {
        "Use": "A benchmark: whether a cell of a blood smear holds a parasite. No medical device.",
        "Data": f"""Cells of blood smears of the US National Library of Medicine (Rajaraman et al. 2018), gray
and 50 × 50 pixels as a public repository has them: {parts}, in parts by the patient's code in the names.""",
        "Training": f"""`python -m sixarts_diagnosis.recipe malaria DATA FOLDER`: {history}.""",
        "Evaluation": f"""{lines}; {found.protocol}. Published: ResNet-50 .957 at full size and in color, by
patient, on 27,558 cells (Rajaraman et al. 2018); here are 1,500 gray and small ones.""",
        "Footprint": f"{task.footprint().parameters:,} parameters.",
        "Limits": f"Gray and small pictures; not for use. Abstained from: {unlike}.",
    }
    return Card(
        title="Malaria benchmark", task="pathology-classification", license="other", sections=sections
    )


CARDS = {"pneumonia": pneumonia_card, "malaria": malaria_card}


if __name__ == "__main__":
    import sys

    run(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
