"""What the vision plugin registers; imports nothing heavy."""

from __future__ import annotations

import base64
from pathlib import Path

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "image -> classes"
VIDEO = "video -> classes"
#: What the families for pictures read beside config and weights; and those for videos.
FILES = ("preprocessor_config.json",)
VIDEO_FILES = (*FILES, "video_preprocessor_config.json")


#: Photos for the contract and the demo, from Pixabay by way of NVIDIA's DALI_extra (`db/coco`), made small;
#: and clips of a view that moves over such photos: animated WebP, which needs no PyAV.
SAMPLES = Path(__file__).parent / "samples"


def sample(name: str) -> str:
    """A sample photo as a ``data:`` URI, which JSON can hold."""
    return "data:image/jpeg;base64," + base64.b64encode((SAMPLES / f"{name}.jpg").read_bytes()).decode()


def clip(name: str) -> str:
    """A sample clip as a ``data:`` URI."""
    return "data:image/webp;base64," + base64.b64encode((SAMPLES / f"{name}.webp").read_bytes()).decode()


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
        ),
        TaskSpec(
            name="video-classification",
            summary="What a video shows, over time.",
            task="sixarts_vision.video_task:VideoClassificationTask",
            signatures=(VIDEO,),
            default_model="starter/camera-motion",
            samples=tuple(map(clip, ("pan_right", "zoom_in"))),
            examples=tuple((clip(name), name.replace("_", " ")) for name in CLIPS),
            bad_inputs=(
                "",
                None,
                3,
                b"",
                b"bytes of no video",
                "no-such-file.mp4",
                "https://example.org/clip.mp4",
                "data:video/mp4;base64,!!",
                "data:image/png;base64,iVBORw0KGgo=",
                {"video": "a dict"},
                ["a list"],
            ),
            aliases=("video-analysis",),
            explanations={"integrated_gradients": ("class",), "occlusion": ("class",), "cam": ("class",)},
            metrics=("accuracy",),
        ),
    ]


#: Sample clips, each named after what its camera does.
CLIPS = ("pan_right", "zoom_in", "static", "tilt_up")


#: Family to its class, and what its checkpoints state as architectures.
FAMILIES = {
    "vit": ("vit:ViT", ("ViTForImageClassification",)),
    "deit": ("vit:DeiT", ("DeiTForImageClassificationWithTeacher", "DeiTForImageClassification")),
    "dinov2": ("dinov2:Dinov2", ("Dinov2ForImageClassification",)),
    "resnet": ("resnet:ResNet", ("ResNetForImageClassification",)),
    "convnext": ("convnext:ConvNext", ("ConvNextForImageClassification",)),
    "wide_resnet": ("wide_resnet:WideResNet", ("WideResNetForImageClassification",)),
}
VIDEO_FAMILIES = {
    "videomae": ("videomae:VideoMAE", ("VideoMAEForVideoClassification",)),
    "early_fusion": ("early_fusion:EarlyFusion", ("EarlyFusionForVideoClassification",)),
}


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=name,
            signature=signature,
            model=f"sixarts_vision.{model}",
            model_types=(name,),
            architectures=architectures,
            files=files,
        )
        for signature, files, families in ((SIGNATURE, FILES, FAMILIES), (VIDEO, VIDEO_FILES, VIDEO_FAMILIES))
        for name, (model, architectures) in families.items()
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/everyday-objects",
            task="image-classification",
            family="wide_resnet",
            license="other",
            summary="Ten everyday objects, small photos; trained by this project on CIFAR-10.",
            folder="sixarts_vision:starters/everyday-objects",
        ),
        ModelEntry(
            reference="starter/camera-motion",
            task="video-classification",
            family="early_fusion",
            license="apache-2.0",
            summary="What the camera does: static, pan, tilt, zoom, shake; learned from rendered clips.",
            folder="sixarts_vision:starters/camera-motion",
        ),
    ]
