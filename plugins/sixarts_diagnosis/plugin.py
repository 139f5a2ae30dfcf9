"""What the diagnosis plugin registers; imports nothing heavy."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

RECORDS = "record -> diagnosis"
PICTURES = "image -> classes"
TILES = "tile features -> classes"

#: Family that reads records to its class.
RECORD_FAMILIES = {
    "logistic": "logistic:Logistic",
    "mlp_ensemble": "mlp_ensemble:MlpEnsemble",
    "ft_transformer": "ft_transformer:FtTransformer",
}

#: A made-up person, as are all of these: none is a row of any data.
WELL: dict[str, Any] = {
    "age": 44,
    "sex": "female",
    "chest_pain": "non-anginal pain",
    "resting_bp": 122,
    "cholesterol": 214,
    "fasting_sugar_high": "no",
    "resting_ecg": "normal",
    "max_heart_rate": 168,
    "exercise_angina": "no",
    "st_depression": 0.3,
    "st_slope": "upsloping",
    "vessels": 0,
    "thallium": "normal",
}
ILL: dict[str, Any] = {
    **WELL,
    "age": 61,
    "sex": "male",
    "chest_pain": "asymptomatic",
    "resting_bp": 138,
    "cholesterol": 262,
    "max_heart_rate": 121,
    "exercise_angina": "yes",
    "st_depression": 2.1,
    "st_slope": "flat",
    "vessels": 2,
    "thallium": "reversible defect",
}
#: What a person knows before any examination.
LITTLE: dict[str, Any] = {
    "age": 57,
    "sex": "male",
    "chest_pain": "atypical angina",
    "resting_bp": 134,
    "max_heart_rate": 149,
    "st_depression": None,
}

#: Chest X-rays for the contract and the demo; see their README.md.
SAMPLES = Path(__file__).parent / "samples"

#: Families of this plugin that read pictures, or the tiles of slides: signature, class, files.
PICTURE_FAMILIES = {
    "cnn": (PICTURES, "cnn:Cnn", "CnnForImageDiagnosis", ("preprocessor_config.json",)),
    "attention_mil": (TILES, "attention_mil:AttentionMil", "AttentionMilForSlideDiagnosis", ()),
}


def sample(name: str) -> str:
    """A sample picture as a ``data:`` URI, which JSON can hold."""
    return "data:image/png;base64," + base64.b64encode((SAMPLES / f"{name}.png").read_bytes()).decode()


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="disease-diagnosis",
            summary="What a patient's record says of a disease: decision support, calibrated, with a stated "
            "coverage.",
            task="sixarts_diagnosis.disease_task:DiseaseDiagnosis",
            signatures=(RECORDS,),
            default_model="starter/heart",
            samples=(ILL, WELL, LITTLE),
            examples=(
                (ILL, "heart disease"),
                (WELL, "no heart disease"),
                ({**ILL, "age": 66, "vessels": 3}, "heart disease"),
                ({**WELL, "age": 39, "max_heart_rate": 175}, "no heart disease"),
                ({**WELL, "sex": "male", "chest_pain": "typical angina", "age": 52}, "heart disease"),
                ({**ILL, "vessels": 0, "thallium": "normal", "st_depression": 0.6}, "no heart disease"),
                (LITTLE, "heart disease"),
                ({**LITTLE, "sex": "female", "age": 48}, "no heart disease"),
            ),
            bad_inputs=(
                {**ILL, "age": 6100},
                {**ILL, "sex": "unknown to it"},
                {**ILL, "cholesterol": 6.8},
                {**ILL, "resting_bp": "high"},
                {**ILL, "max_heart_rate": float("inf")},
                {**ILL, "cholestrol": 240},
                {name: value for name, value in ILL.items() if name != "age"},
                {**ILL, "age": float("nan")},
                {"mean radius": 14.1, "mean texture": 19.2},
                {},
                None,
                "61, male",
                ("age", 61),
                3,
                {3: 4},
            ),
            aliases=("diagnosis",),
            explanations={
                "integrated_gradients": ("label",),
                "permutation": ("label",),
                "counterfactual": ("label",),
            },
            metrics=("auc", "accuracy", "brier", "sensitivity at 90% specificity", "coverage"),
        ),
        TaskSpec(
            name="pathology-classification",
            summary="What a picture or a whole slide says of a disease: decision support, calibrated.",
            task="sixarts_diagnosis.pathology_task:PathologyTask",
            signatures=(PICTURES, TILES),
            default_model="starter/pneumonia",
            samples=tuple(map(sample, ("pneumonia_1", "normal_1"))),
            examples=tuple(
                (sample(f"{label}_{number}"), label) for number in (1, 2) for label in ("normal", "pneumonia")
            ),
            bad_inputs=(
                "",
                None,
                3,
                b"",
                b"bytes of no image",
                "no-such-file.jpg",
                "no-such-slide.svs",
                "https://example.org/chest.jpg",
                "data:image/png;base64,!!",
                {"image": "a dict"},
                ["a list"],
            ),
            aliases=("pathology",),
            explanations={"cam": ("label",), "occlusion": ("label",), "integrated_gradients": ("label",)},
            metrics=("auc", "accuracy", "brier", "sensitivity at 90% specificity", "coverage"),
        ),
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=name,
            signature=RECORDS,
            model=f"sixarts_diagnosis.{model}",
            model_types=(name,),
            files=("schema.json", "statistics.json"),
        )
        for name, model in RECORD_FAMILIES.items()
    ] + [
        FamilySpec(
            name=name,
            signature=signature,
            model=f"sixarts_diagnosis.{model}",
            model_types=(name,),
            architectures=(architecture,),
            files=files,
        )
        for name, (signature, model, architecture, files) in PICTURE_FAMILIES.items()
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/heart",
            task="disease-diagnosis",
            family="mlp_ensemble",
            license="CC-BY-4.0",
            summary="Heart disease from 13 findings; trained by this project on Cleveland's records.",
            folder="sixarts_diagnosis:starters/heart",
        ),
        ModelEntry(
            reference="starter/breast-cancer",
            task="disease-diagnosis",
            family="mlp_ensemble",
            license="CC-BY-4.0",
            summary="Malignant or benign, from 30 measures of cell nuclei; trained by this project.",
            folder="sixarts_diagnosis:starters/breast-cancer",
        ),
        ModelEntry(
            reference="starter/pneumonia",
            task="pathology-classification",
            family="cnn",
            license="CC-BY-4.0",
            summary="Pneumonia in chest X-rays of children, 28 × 28 pixels; trained by this project.",
            folder="sixarts_diagnosis:starters/pneumonia",
        ),
    ]
