"""What the plugin registers of ``item-similarity``: plain data, nothing heavy."""

from __future__ import annotations

from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

SIGNATURE = "item -> ranking"

TASK = TaskSpec(
    name="item-similarity",
    summary="Which items are like an item, or go with it: of a catalog, by what people had together.",
    task="sixarts_recommendation.similarity_task:ItemSimilarity",
    signatures=(SIGNATURE,),
    default_model="starter/similar-items",
    samples=("butter", "bottled beer", {"history": ["flour", "sugar", "baking powder"]}),
    examples=(
        ("butter", "curd"),
        ("bottled beer", "liquor"),
        ("flour", "sugar"),
        ("ham", "processed cheese"),
        ("root vegetables", "other vegetables"),
        ("popcorn", "salty snack"),
        ("sausage", "rolls/buns"),
        ("tropical fruit", "citrus fruit"),
    ),
    bad_inputs=(
        None,
        3.5,
        "no such item",
        "",
        7,
        True,
        b"butter",
        ("butter", "curd"),
        {},
        {"history": []},
        {"history": ["butter", "no such item"]},
        {"color": "red"},
    ),
    explanations={"integrated_gradients": ("neighbor",)},
    metrics=("hr@10", "ndcg@10", "mrr"),
)

FAMILY_SPECS = [
    FamilySpec.own(
        "sixarts_recommendation",
        model,
        SIGNATURE,
        files=("items.json", "schema.json", "catalog.safetensors"),
    )
    for model in ("item2vec:Item2Vec", "two_tower:TwoTower")
]

MODELS = [
    ModelEntry(
        reference="starter/similar-items",
        task="item-similarity",
        family="item2vec",
        license="GPL-3.0",
        summary="Similar items among 169 of a supermarket, by what was bought together.",
        languages=("en",),
        folder="sixarts_recommendation:starters/similar-items",
    )
]
