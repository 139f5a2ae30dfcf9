"""The recipes of ``next-item-prediction``: a starter of baskets, and two benchmarks of reviews.

``toys`` and ``games`` are benchmarks: nobody states a license for their data, so their weights do not ship.
Their settings are published ones; the epoch is chosen by each history's last item but one, and the last is
measured once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.result import Metric, Metrics
from sixarts_recommendation import next_item_baselines as baselines
from sixarts_recommendation import next_item_corpora as corpora
from sixarts_recommendation.items import Items
from sixarts_recommendation.sequences import from_examples

NAME = "next-item-prediction"
#: Settings that the validation baskets chose.
BASKETS: dict[str, Any] = {
    "family": "sasrec",
    "positions": False,
    "hidden_size": 32,
    "num_layers": 1,
    "num_heads": 1,
    "inner_size": 32,
    "max_length": 32,
    "dropout": 0.2,
    "item_bias": True,
    "scale_embedding": False,
    "initializer_range": 0.1,
}
BASKET_LEARNING: dict[str, Any] = {
    "epochs": 10,
    "patience": 10,
    "batch_size": 512,
    "learning_rate": 0.01,
    "weight_decay": 0.02,
    "schedule": "cosine",
}
#: Shares of the baskets to choose by and to measure, and how often each basket is learned in another order.
JUDGED, HELD, ORDERS = 0.1, 0.2, 4
SEED = 0
#: As published for this data with cross-entropy over all items; twice as wide, as validation chose.
REVIEWS: dict[str, Any] = {
    "max_length": 50,
    "hidden_size": 128,
    "num_layers": 2,
    "num_heads": 2,
    "inner_size": 256,
    "dropout": 0.5,
    "norm_first": False,
    "scale_embedding": False,
}
LEARNING: dict[str, Any] = {
    "epochs": 24,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "patience": None,
    "hold_out": 0.0,
    "seed": 0,
    "progress": False,
}
#: As wide as published, with a bias for an item that many choose. An epoch against all 23,715 items takes
#: three times as long as one against a few, and it is judged by few.
GAMES: dict[str, Any] = {**REVIEWS, "hidden_size": 64, "item_bias": True}
GAMES_LEARNING: dict[str, Any] = {
    **LEARNING,
    "epochs": 36,
    "learning_rate": 2e-3,
    "negatives": 256,
    "sampled_loss": "softmax",
}
#: After how many epochs the ranking is judged, by how many histories, drawn once.
EVERY, JUDGES = 3, 4000

Pair = tuple[list[str], str]


def baskets(data: Path, folder: Path) -> None:
    """The starter: what else is in a supermarket basket."""
    path = data / "groceries.csv" if data.is_dir() else data
    learned, judged, held = parted(corpora.baskets(path))
    # The weights that ship are measured: they are stored, and read back, in half precision.
    draft = folder / "draft"
    task = sa.new(NAME, device="cpu", **BASKETS)
    orders = in_other_orders(learned, ORDERS)
    history = task.fit(orders, judged, folder=folder / "run", seed=SEED, progress=False, **BASKET_LEARNING)
    print(f"{task.model.parameters:,} parameters; {history}", flush=True)
    task.model.stored_dtype = "float16"
    starter = sa.load(NAME, task.save(draft), device="cpu")
    found = starter.evaluate(held, progress=False)
    print(f"test: {found}", flush=True)
    beside = counted(learned, held)
    for name, metrics in beside.items():
        print(f"{name}: {metrics}", flush=True)
    starter.card = str(card(starter, len(learned), found, beside))
    print(starter.save(folder / "baskets-next"))


def parted(baskets: Sequence[list[str]]) -> tuple[list[list[str]], list[Pair], list[Pair]]:
    """Baskets to learn from, to choose by and to measure; of the last two, one item each is foretold."""
    order = np.random.default_rng(SEED).permutation(len(baskets))
    held, judged = round(HELD * len(order)), round((HELD + JUDGED) * len(order))
    parts = [[baskets[place] for place in part] for part in np.split(order, [held, judged])]
    return (
        [basket for basket in parts[2] if len(basket) > 1],
        one_hidden(parts[1], 1),
        one_hidden(parts[0], 2),
    )


def one_hidden(baskets: Sequence[list[str]], seed: int) -> list[Pair]:
    """Each basket of two or more without one of its items, drawn evenly, and that item."""
    random, found = np.random.default_rng(seed), []
    for basket in baskets:
        if len(basket) > 1:
            place = int(random.integers(len(basket)))
            found.append((basket[:place] + basket[place + 1 :], basket[place]))
    return found


def in_other_orders(baskets: Sequence[list[str]], times: int) -> list[list[str]]:
    """Each basket so many times, its items in an order that is drawn: they are listed in none."""
    random = np.random.default_rng(SEED + 5)
    return [
        [basket[place] for place in random.permutation(len(basket))]
        for _ in range(times)
        for basket in baskets
    ]


def counted(learned: Sequence[list[str]], held: Sequence[Pair]) -> dict[str, Metrics]:
    """The same figures by counting in the baskets that were learned."""
    items = Items()
    seen = from_examples(learned, items, True, "basket")
    known = len(items)
    judged = from_examples(held, items, True, "pair")
    return {
        name: baselines.measured(kind(seen, known), judged, 10, True)
        for name, kind in (("popularity", baselines.Popularity), ("co-occurrence", baselines.Together))
    }


def card(task: Any, learned: int, found: Metrics, beside: Mapping[str, Metrics]) -> Card:
    """The starter's card, with its measured figures."""
    rows = "\n".join(
        f"| {name} | {_cell(metrics['hr@10'])} | {_cell(metrics['ndcg@10'])} | {_cell(metrics['mrr'])} |"
        for name, metrics in {"this model": found, **beside}.items()
    )
    config = task.model.config
    sections = {
        "Use": """What else belongs in a supermarket basket, offline:

```python
import sixarts

recommend = sixarts.load("next-item-prediction")
recommend(["whole milk", "butter"], k=5).items
recommend.explain(["whole milk", "butter"]).plot()
```

On data of your own, `sixarts.new("next-item-prediction", family="sasrec").fit("orders.csv")` begins anew.""",
        "Data": """9,835 baskets of one month at a supermarket, 169 item names: the data set `Groceries`
of the R package arules (Hahsler, Hornik and Reutterer 2006, "Implications of Probabilistic Data Modeling for
Mining Association Rules"), license GPL-3. A basket is a set: its items are listed in no order of buying, so
"next" means "also in it".""",
        "Training": f"""`python -m sixarts_recommendation.recipe baskets-next DATA FOLDER` makes such a folder
again. {_architecture(config)} without positions, {config["hidden_size"]} numbers an item, on {learned:,}
baskets of two or more items, each in {ORDERS} orders that were drawn; cross-entropy over all items at every
place. Another {JUDGED:.0%} of the baskets chose settings and epoch.""",
        "Evaluation": f"""On {HELD:.0%} of the baskets, split by basket: of each that has two or more items,
{found.count:,} of them, one is hidden, drawn evenly, and ranked among all items that are not left in the
basket; equal scores by the lower item number. Measured once, on the half-precision weights that ship. 95 %
bootstrap intervals over baskets.

| | HR@10 | NDCG@10 | MRR |
|---|---|---|---|
{rows}

Popularity and co-occurrence (the mean cosine with the basket's items) are counted on the same training
baskets and measured by the same code. Its ten recommendations reach {found["coverage@10"].value:.0%} of the
items, and are {found["popularity@10"].value:.2f} times as popular as what was in the baskets. No published
figure uses this protocol.""",
        "Footprint": f"{task.model.parameters:,} parameters, stored in float16.",
        "Limits": """One supermarket, one month, 169 kinds of goods in English; no people, prices or times. It
shows the way of a call; people's own data makes it useful.""",
    }
    return Card(
        title="Baskets starter",
        task=NAME,
        license="gpl-3.0",
        sections=sections,
        languages=("en",),
        datasets=("arules-groceries",),
        measured=(Measured(found, "arules Groceries, one item of each basket hidden"),),
    )


def _architecture(config: Mapping[str, Any]) -> str:
    names = {"sasrec": "SASRec (Kang and McAuley 2018)", "bert4rec": "BERT4Rec (Sun et al. 2019)"}
    return names[config["model_type"]]


def _cell(metric: Metric) -> str:
    return f"{metric.value:.3f} ({metric.low:.3f} to {metric.high:.3f})"


def toys(data: Path, folder: Path) -> None:
    """S3-Rec's Amazon Toys, ranked among all items; published SASRec .0675/.0374, S3-Rec .0700/.0376.

    S3-Rec's own code ranks without the items of the history; both ways are printed.
    """
    whole = corpora.of_lines(data / "Toys_and_Games.txt.gz")
    size = len(whole.catalog)
    print(f"{len(whole):,} users, {size:,} items, {whole.count:,} interactions", flush=True)
    # Counted on what the model learns from, and once more with each history's last item but one.
    for learned_from, words in (
        (whole.without_last(2).without_last(2), ""),
        (whole.without_last(2), ", more"),
    ):
        for kind in (baselines.Popularity, baselines.LastItem):
            for exclude in (False, True):
                found = baselines.measured(kind(learned_from, size), whole, 10, exclude)
                print(f"{kind.__name__}{words}: {found}", flush=True)
    task = learned(whole, folder, REVIEWS, LEARNING)
    for exclude in (False, True):
        print(f"sasrec: {task.evaluate(whole, exclude_seen=exclude, progress=False)}", flush=True)


def games(data: Path, folder: Path) -> None:
    """SASRec's Amazon Games, among 100 drawn items; published .7318/.5308, with pre-norm .7442/.5376."""
    whole = corpora.of_pairs(data / "Video.txt.gz")
    print(f"{len(whole):,} users, {len(whole.catalog):,} items, {whole.count:,} interactions", flush=True)
    task = learned(whole, folder, GAMES, GAMES_LEARNING, negatives=100)
    found = task.evaluate(whole, exclude_seen=False, negatives=100, progress=False)
    print(f"sasrec, 100 negatives: {found}", flush=True)
    print(f"sasrec: {task.evaluate(whole, exclude_seen=False, progress=False)}", flush=True)


def learned(
    whole: Any,
    folder: Path,
    network: Mapping[str, Any],
    learning: Mapping[str, Any],
    negatives: int | None = None,
) -> Any:
    """A model that learned all but each history's last two items; its epoch is chosen by the last but one.

    It is the NDCG that chooses: the cross-entropy of held-out items rises, since the network grows too sure,
    long before rankings are at their best. A killed run goes on, and remembers its best epoch in ``folder``.

    Args:
        whole: histories.
        folder: of checkpoints.
        network, learning: settings, and options of ``fit``.
        negatives: among how many drawn items the ranking is judged; among all of them when left out.
    """
    known = whole.without_last(2)
    chosen = np.random.default_rng(SEED).permutation(len(known))[:JUDGES]
    judges = known.chosen(chosen).last(2)
    task = sa.new(NAME, family="sasrec", device="cpu", **network)
    learn, told = task.learn, folder / "best.json"

    def judged(examples: Any, training: Any, epoch: int) -> Any:
        if epoch and epoch % EVERY == 0:
            found = task.evaluate(judges, exclude_seen=False, negatives=negatives, progress=False)
            print(f"validation after {epoch} epochs: {found['hr@10']}, {found['ndcg@10']}", flush=True)
            value = found["ndcg@10"].value
            if not told.exists() or value > json.loads(told.read_text())["ndcg@10"]:
                task.save(folder / "best")
                told.write_text(json.dumps({"epoch": epoch, "ndcg@10": value}))
        return learn(examples, training, epoch)

    task.learn = judged
    history = task.fit(known.without_last(2), folder=folder / "run", **learning)
    print(f"{task.model.parameters:,} parameters; {history}", flush=True)
    print(f"best: {told.read_text()}", flush=True)
    return sa.load(NAME, folder / "best", device="cpu")
