"""What the detection plugin registers; imports nothing heavy."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "image -> boxes"
#: What the families read beside config and weights.
FILES = ("preprocessor_config.json",)

#: Family to its class, and what its checkpoints state as architectures.
FAMILIES = {
    "detr": ("detr:Detr", ("DetrForObjectDetection",)),
    "yolos": ("yolos:Yolos", ("YolosForObjectDetection",)),
    "rt_detr": ("rt_detr:RtDetr", ("RTDetrForObjectDetection",)),
    "fcos": ("fcos:Fcos", ("FcosForObjectDetection",)),
}


#: Blood smears of the BCCD data set (MIT license), made small, and the cells in them, for the contract; from
#: the part that the starter never learned from.
SAMPLES = Path(__file__).parent / "samples"
NAMES = ("smear", "smear_2", "smear_3")


def sample(name: str) -> str:
    """A sample picture as a ``data:`` URI, which JSON can hold."""
    return "data:image/jpeg;base64," + base64.b64encode((SAMPLES / f"{name}.jpg").read_bytes()).decode()


def examples() -> tuple[tuple[str, Any], ...]:
    """The samples with the cells in them."""
    objects = json.loads((SAMPLES / "objects.json").read_text(encoding="utf-8"))
    return tuple((sample(name), objects[name]) for name in NAMES)


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="object-detection",
            summary="What is where in a picture or a video.",
            task="sixarts_detection.object_task:ObjectDetectionTask",
            signatures=(SIGNATURE,),
            default_model="starter/blood-cells",
            samples=tuple(map(sample, NAMES)),
            examples=examples(),
            bad_inputs=(
                "",
                None,
                3,
                b"",
                b"bytes of no image",
                "no-such-file.jpg",
                "no-such-file.mp4",
                "https://example.org/smear.jpg",
                "data:image/png;base64,!!",
                {"image": "a dict"},
                ["a list"],
            ),
            aliases=("detection",),
            documents=(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
            explanations={"occlusion": ("box",), "integrated_gradients": ("box",)},
            metrics=("mAP50", "mAP75", "mAP50-95"),
        )
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=name,
            signature=SIGNATURE,
            model=f"sixarts_detection.{model}",
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
            reference="starter/blood-cells",
            task="object-detection",
            family="fcos",
            license="mit",
            summary="Red cells, white cells and platelets in blood smears; trained by this project on BCCD.",
            folder="sixarts_detection:starters/blood-cells",
        )
    ]
