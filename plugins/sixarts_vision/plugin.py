"""What the vision plugin registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "image -> classes"
#: What the families for pictures read beside config and weights.
FILES = ("preprocessor_config.json",)


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="image-classification",
            summary="What a picture shows.",
            task="sixarts_vision.image_task:ImageClassificationTask",
            signatures=(SIGNATURE,),
            default_model="starter/everyday-objects",
            samples=(),
            aliases=("image-recognition",),
            metrics=("accuracy",),
        )
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name="resnet9",
            signature=SIGNATURE,
            model="sixarts_vision.resnet9:ResNet9",
            model_types=("resnet9",),
            architectures=("ResNet9ForImageClassification",),
            files=FILES,
        ),
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return []
