"""Which of KerasHub's classes are known, and which of our signatures they serve: data alone.

A preset's JSON names classes by package and module. Here a class is known by its name, and taken from
KerasHub's public namespace under that name; what a stranger's file says of modules is never looked at.

Not here: KerasHub's Whisper, T5 and T5Gemma, of which none is published for a task of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: Names under which KerasHub registered its classes, the present one first.
PACKAGES = ("keras_hub", "keras_nlp")


@dataclass(frozen=True)
class Bridge:
    """A kind of KerasHub task, as one family.

    Attributes:
        family: the family's name.
        signature: what it maps; core matches it with tasks.
        model: dotted path of its :class:`sixarts.model.Model`.
        task: how the names of KerasHub's classes for it end, e.g. ``"ImageClassifier"``.
        stems: how they begin, e.g. ``"ViT"`` of ``ViTBackbone`` and ``ViTImageClassifier``.
        files: what is read beside ``config.json`` and the weights.
        weights: weights files, all of them needed, to where their tensors stand among the model's.
        parts: settings of a backbone that are KerasHub objects themselves, to their class.
    """

    family: str
    signature: str
    model: str
    task: str
    stems: tuple[str, ...]
    files: tuple[str, ...]
    weights: Mapping[str, str]
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def registered_names(self) -> tuple[str, ...]:
        """What ``config.json`` of such a preset may state: the backbone's registered name."""
        return tuple(f"{package}>{stem}Backbone" for stem in self.stems for package in PACKAGES)


IMAGE_CLASSIFIER = Bridge(
    family="kerashub-image-classifier",
    signature="image -> classes",
    model="sixarts_kerashub.image_classifier:ImageClassifier",
    task="ImageClassifier",
    stems=(
        *("CSPNet", "DeiT", "DenseNet", "EfficientNet", "HGNetV2", "MiT", "MobileNet", "MobileNetV5"),
        *("ResNet", "SwinTransformer", "VGG", "ViT", "Xception"),
    ),
    files=("task.json", "preprocessor.json", "image_converter.json"),
    weights={"model.weights.h5": "backbone", "task.weights.h5": "head"},
)

OBJECT_DETECTOR = Bridge(
    family="kerashub-object-detector",
    signature="image -> boxes",
    model="sixarts_kerashub.object_detector:ObjectDetector",
    task="ObjectDetector",
    stems=("DFine",),
    files=("task.json", "preprocessor.json", "image_converter.json"),
    weights={"model.weights.h5": "backbone"},
    parts={"backbone": "HGNetV2Backbone"},
)

#: Published ones look through a ResNet.
RETINA_NET = Bridge(
    family="kerashub-retinanet",
    signature="image -> boxes",
    model="sixarts_kerashub.retina_net:RetinaNet",
    task="ObjectDetector",
    stems=("RetinaNet",),
    files=("task.json", "preprocessor.json", "image_converter.json"),
    weights={"model.weights.h5": "backbone", "task.weights.h5": "head"},
    parts={"image_encoder": "ResNetBackbone"},
)

#: Files of a tokenizer, whichever kind it is.
TOKENIZER = ("tokenizer.json", *(f"assets/tokenizer/{name}" for name in ("vocabulary.*", "merges.txt")))

TEXT_CLASSIFIER = Bridge(
    family="kerashub-text-classifier",
    signature="text -> classes",
    model="sixarts_kerashub.text_classifier:TextClassifier",
    task="TextClassifier",
    stems=("Albert", "Bert", "DebertaV3", "DistilBert", "FNet", "Roberta", "XLMRoberta"),
    files=("task.json", "preprocessor.json", *TOKENIZER),
    weights={"model.weights.h5": "backbone", "task.weights.h5": "head"},
)

#: Published is one that was trained to summarize.
BART = Bridge(
    family="kerashub-bart",
    signature="text -> summary",
    model="sixarts_kerashub.bart:Bart",
    task="Seq2SeqLM",
    stems=("Bart",),
    files=("task.json", "preprocessor.json", *TOKENIZER),
    weights={"model.weights.h5": "backbone"},
)

MOONSHINE = Bridge(
    family="kerashub-moonshine",
    signature="audio -> transcript",
    model="sixarts_kerashub.moonshine:Moonshine",
    task="AudioToText",
    stems=("Moonshine",),
    files=("task.json", "preprocessor.json", "audio_converter.json", *TOKENIZER),
    weights={"model.weights.h5": "backbone"},
)

BRIDGES = (IMAGE_CLASSIFIER, OBJECT_DETECTOR, RETINA_NET, TEXT_CLASSIFIER, BART, MOONSHINE)
