"""What the vision plugin registers; imports nothing heavy."""

from __future__ import annotations

import base64
from pathlib import Path

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "image -> classes"
#: What the families for pictures read beside config and weights.
FILES = ("preprocessor_config.json",)


#: Photos for the contract and the demo, from Pixabay by way of NVIDIA's DALI_extra (`db/coco`), made small.
SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    """A sample photo as a ``data:`` URI, which JSON can hold."""
    return "data:image/jpeg;base64," + base64.b64encode((SAMPLES / f"{name}.jpg").read_bytes()).decode()


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="image-classification",
            summary="What a picture shows.",
            task="sixarts_vision.image_task:ImageClassificationTask",
            signatures=(SIGNATURE,),
            default_model="starter/everyday-objects",
            samples=tuple(map(sample, ("cat", "dog", "dog_3"))),
            examples=(
                (sample("horse"), "horse"),
                (sample("cat"), "cat"),
                (sample("car"), "automobile"),
                *((sample(name), "dog") for name in ("dog", "dog_2", "dog_3")),
            ),
            bad_inputs=(
                "",
                None,
                3,
                b"",
                b"bytes of no image",
                "no-such-file.jpg",
                "https://example.org/cat.jpg",
                "data:image/png;base64,!!",
                {"image": "a dict"},
                ["a list"],
            ),
            aliases=("image-recognition",),
            explanations={"cam": ("class",), "integrated_gradients": ("class",), "occlusion": ("class",)},
            metrics=("accuracy",),
        )
    ]


#: Family to its class, and what its checkpoints state as architectures.
FAMILIES = {
    "vit": ("vit:ViT", ("ViTForImageClassification",)),
    "deit": ("vit:DeiT", ("DeiTForImageClassificationWithTeacher", "DeiTForImageClassification")),
    "dinov2": ("dinov2:Dinov2", ("Dinov2ForImageClassification",)),
    "resnet": ("resnet:ResNet", ("ResNetForImageClassification",)),
    "convnext": ("convnext:ConvNext", ("ConvNextForImageClassification",)),
    "resnet9": ("resnet9:ResNet9", ("ResNet9ForImageClassification",)),
}


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=name,
            signature=SIGNATURE,
            model=f"sixarts_vision.{model}",
            model_types=(name,),
            architectures=architectures,
            files=FILES,
        )
        for name, (model, architectures) in FAMILIES.items()
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/everyday-objects",
            task="image-classification",
            family="resnet9",
            license="other",
            summary="Ten everyday objects, small photos; trained by this project on CIFAR-10.",
            folder="sixarts_vision:starters/everyday-objects",
        )
    ]
