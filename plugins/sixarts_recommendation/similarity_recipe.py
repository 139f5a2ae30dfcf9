"""The recipe of the similarity starter: baskets, training, baselines, evaluation, card.

::

    python -m sixarts_recommendation.recipe similar-items groceries runs/similar-items

Every choice was made on a validation part of the baskets; the test part is measured once, on the weights that
ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.result import Metric, Metrics
from sixarts_recommendation import click_corpora, next_item_corpora
from sixarts_recommendation.ranking_metrics import of_ranks
from sixarts_recommendation.similarity_task import ranks_of

#: Shares of the baskets to learn from, to choose by, and to measure.
SHARES = (0.8, 0.1, 0.1)
NETWORK: dict[str, Any] = {"family": "item2vec", "width": 32}
TRAINING: dict[str, Any] = {"epochs": 8, "learning_rate": 5e-3, "patience": 2, "subsampling": 0.01}
#: How often two items are drawn of each test basket.
DRAWS = 5
Pair = tuple[str, str]


def similar_items(data: Path, folder: Path) -> None:
    """The starter: items of a supermarket that are alike, or go together."""
    baskets = next_item_corpora.baskets(data / "groceries.csv")
    learned, judged, held = (
        [baskets[place] for place in part] for part in click_corpora.parts(len(baskets), SHARES)
    )
    known = {item for basket in learned for item in basket}
    judged, held = (
        [[item for item in basket if item in known] for basket in part] for part in (judged, held)
    )
    task = sa.new("item-similarity", device="cpu", **NETWORK)
    print(task.fit(learned, judged, folder=folder / "run", **TRAINING), flush=True)
    task.model.stored_dtype = "float16"
    starter = sa.load("item-similarity", task.save(folder / "draft"), device="cpu")
    pairs = drawn(held)
    found = {
        relation: starter.evaluate(pairs, relation=relation, progress=False)
        for relation in ("similar", "together")
    }
    for relation, metrics in found.items():
        print(f"{relation}: {metrics}", flush=True)
    beside = baselines(learned, starter.model.items.ids, pairs)
    for name, figures in beside.items():
        print(name, {key: str(metric) for key, metric in figures.items()}, flush=True)
    starter.card = str(card(starter, len(baskets), found, beside))
    print(starter.save(folder / "similar-items"))


def drawn(baskets: Sequence[Sequence[str]], seed: int = 4) -> list[Pair]:
    """Two different items of each basket that has them, several times over."""
    random = np.random.default_rng(seed)
    found: list[Pair] = []
    for _ in range(DRAWS):
        for basket in baskets:
            if len(basket) > 1:
                one, other = random.choice(len(basket), 2, replace=False)
                found.append((basket[one], basket[other]))
    return found


def baselines(
    learned: Sequence[Sequence[str]], items: Sequence[str], pairs: Sequence[Pair]
) -> dict[str, Mapping[str, Metric]]:
    """The same figures by counting: popularity, co-occurrence, and co-occurrence over chance (lift)."""
    number = {item: place for place, item in enumerate(items)}
    bought = np.zeros((len(learned), len(items)), "float32")
    for row, basket in enumerate(learned):
        bought[row, [number[item] for item in basket]] = 1
    together = bought.T @ bought
    counts = together.diagonal()
    scores = {
        "popularity": np.tile(counts, (len(items), 1)),
        "co-occurrence": together,
        "lift": together / np.maximum(np.outer(counts, counts), 1),
    }
    places = np.array([[number[one], number[other]] for one, other in pairs])
    one = np.eye(len(items), dtype="float32")[places[:, 0]]
    return {
        name: of_ranks(ranks_of(one, table.T.astype("float32"), places), 10) for name, table in scores.items()
    }


def card(
    task: Any, count: int, found: Mapping[str, Metrics], beside: Mapping[str, Mapping[str, Metric]]
) -> Card:
    """The starter's card, with its measured figures."""
    cost = task.footprint()
    table = {f'this model, "{name}"': metrics.values for name, metrics in found.items()} | dict(beside)
    rows = "\n".join(
        f"| {name} | {_cell(figures['hr@10'])} | {_cell(figures['ndcg@10'])} | {_cell(figures['mrr'])} |"
        for name, figures in table.items()
    )
    pairs = found["similar"].count
    sections = {
        "Use": """Which items of a supermarket are alike, or are bought together, offline:

```python
import sixarts

like = sixarts.load("item-similarity")
like("butter", k=5).items
like("butter", relation="together", k=5).items
like.explain("butter").plot()
```""",
        "Data": f"""{count:,} baskets of one month at a supermarket, 169 item names: the data set `Groceries`
of the R package arules (Hahsler, Hornik and Reutterer 2006, "Implications of Probabilistic Data Modeling for
Mining Association Rules"), license GPL-3.""",
        "Training": f"""`python -m sixarts_recommendation.recipe similar-items DATA FOLDER` makes
such a folder again. Item2vec (Barkan and Koenigstein 2016): skip-gram with negative sampling over whole
baskets, {NETWORK["width"]} numbers an item,
frequent items left out now and then (from a share of {TRAINING["subsampling"]:.0%} on). {SHARES[0]:.0%} of
the baskets were learned from, {SHARES[1]:.0%} chose settings and the number of epochs.""",
        "Evaluation": f"""On the last {SHARES[2]:.0%} of the baskets: two different items are drawn {DRAWS}
times of each basket that has them, {pairs:,} pairs, and the second is ranked among all items but the first.
Measured once, on the half-precision weights that ship. 95 % bootstrap intervals over pairs.

| | HR@10 | NDCG@10 | MRR |
|---|---|---|---|
{rows}

"Similar" ranks by the cosine of vectors, and is not meant to foretell baskets, since what is alike is
often bought in the other's place; "together" ranks by what is foretold. Popularity, co-occurrence and lift
are counted on the training baskets and measured by the same code. No published figure uses this protocol.""",
        "Footprint": f"{cost.parameters:,} parameters, stored in float16.",
        "Limits": """One shop in one month of the early 2000s, 169 coarse items. What few people bought is
known badly: its neighbors may be chance. It knows items by name alone, and no new ones.""",
    }
    return Card(
        title="Similar items starter",
        task="item-similarity",
        license="gpl-3.0",
        sections=sections,
        languages=("en",),
        datasets=("groceries",),
        measured=(
            Measured(
                found["together"],
                "Groceries (arules)",
                id="groceries",
                split="test",
                options={"relation": "together"},
            ),
        ),
    )


def _cell(metric: Metric) -> str:
    return f"{metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})"
