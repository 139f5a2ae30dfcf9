"""What ``next-item-prediction`` registers; imports nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

SIGNATURE = "history -> ranking"

TASK = TaskSpec(
    name="next-item-prediction",
    summary="What comes next after a history of items: recommendations for anybody, new users too.",
    task="sixarts_recommendation.next_item_task:NextItemTask",
    signatures=(SIGNATURE,),
    default_model="starter/baskets-next",
    samples=(
        ("whole milk", "butter"),
        ("sausage", "rolls/buns", "soda", "mustard"),
        {
            "user": "somebody new",
            "history": ["curd", "yogurt", "tropical fruit", "citrus fruit", "whole milk"],
        },
    ),
    examples=(
        (("whole milk", "butter"), "yogurt"),
        (("sausage", "rolls/buns"), "soda"),
        (("tropical fruit", "citrus fruit", "root vegetables"), "other vegetables"),
        (("bottled beer",), "liquor"),
        (("flour", "sugar"), "baking powder"),
        (("ham", "white bread"), "processed cheese"),
        (("popcorn", "salty snack"), "soda"),
        (("butter", "curd"), "whole milk"),
    ),
    bad_inputs=(
        (),
        None,
        ("no such item",),
        3.5,
        "nobody",
        (float("nan"),),
        (["a", "list"],),
        ("whole milk", None),
        ("whole milk", True),
        {"user": 7},
        {"history": []},
        {"basket": ["whole milk"]},
    ),
    aliases=("user-behavior-prediction",),
    explanations={"leave_one_out": ("rank", "item"), "integrated_gradients": ("rank", "item")},
    metrics=("hr@10", "ndcg@10", "mrr", "coverage@10", "popularity@10"),
)

FAMILY_SPECS = [
    FamilySpec.own(
        "sixarts_recommendation",
        model,
        SIGNATURE,
        architectures=(f"{model.partition(':')[2]}ForNextItem",),
        files=("items.json", "users.json", "users.safetensors"),
        weights=("model.safetensors",),
    )
    for model in ("sasrec:SASRec", "bert4rec:BERT4Rec", "gru4rec:GRU4Rec")
]

MODELS = [
    ModelEntry(
        reference="starter/baskets-next",
        task="next-item-prediction",
        family="sasrec",
        license="GPL-3.0",
        summary="What else is in a supermarket basket, of 169 kinds of goods; trained by this project.",
        folder="sixarts_recommendation:starters/baskets-next",
    )
]
