"""What the plugin registers of ``click-prediction``: plain data, nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

SIGNATURE = "record -> probability"
EXTRA = "recommendation"
REQUIRES = ("keras_rs", "sklearn")
#: Families, and the modules that each needs.
FAMILIES = {"deepfm:DeepFM": ("keras_rs",), "dcn_v2:DCNv2": ("keras_rs",), "wide_deep:WideDeep": ()}


def _basket(item: str, *basket: str) -> dict[str, object]:
    return {"basket": list(basket), "item": item}


TASK = TaskSpec(
    name="click-prediction",
    summary="How likely an outcome is, of a user, an item and what is around: a click, a purchase.",
    task="sixarts_recommendation.click_task:ClickPrediction",
    signatures=(SIGNATURE,),
    default_model="starter/basket-items",
    samples=(
        _basket("whole milk", "other vegetables", "root vegetables", "yogurt"),
        _basket("whole milk"),
        _basket("a new kind of tea", "coffee"),
    ),
    examples=(
        (_basket("whole milk", "butter", "curd"), "bought"),
        (_basket("liquor", "butter", "curd"), "not bought"),
        (_basket("bottled beer", "liquor"), "bought"),
        (_basket("frozen dessert", "whole milk"), "not bought"),
        (_basket("root vegetables", "other vegetables", "whole milk"), "bought"),
        (_basket("newspapers", "liquor"), "not bought"),
        (_basket("rolls/buns", "sausage"), "bought"),
        (_basket("dog food", "sausage"), "not bought"),
    ),
    bad_inputs=(
        None,
        "whole milk",
        3,
        {},
        {"basket": ["butter"]},
        {"basket": ["butter"], "item": None},
        {"basket": ["butter"], "item": float("nan")},
        {"basket": ["butter"], "item": ["whole milk"]},
        {"basket": 3, "item": "whole milk"},
        {"baskets": ["butter"], "item": "whole milk"},
        ("whole milk", "butter"),
    ),
    aliases=("ctr",),
    explanations={"integrated_gradients": ("log-odds",), "occlusion": ("log-odds",)},
    metrics=("auc", "log_loss", "accuracy", "ece"),
    extra=EXTRA,
    requires=REQUIRES,
)

FAMILY_SPECS = [
    FamilySpec.own(
        "sixarts_recommendation",
        model,
        SIGNATURE,
        files=("schema.json",),
        extra=EXTRA if requires else None,
        requires=requires,
    )
    for model, requires in FAMILIES.items()
]

MODELS = [
    ModelEntry(
        reference="starter/basket-items",
        task="click-prediction",
        family="deepfm",
        license="GPL-3.0",
        summary="Whether an item is bought with what is in a basket; 169 items of a supermarket.",
        languages=("en",),
        folder="sixarts_recommendation:starters/basket-items",
    )
]
