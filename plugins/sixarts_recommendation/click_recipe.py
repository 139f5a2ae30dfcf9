"""The recipes of the click models: data, training, baselines, evaluation, card.

::

    python -m sixarts_recommendation.recipe basket-items groceries runs/basket-items
    python -m sixarts_recommendation.recipe adult adult runs/adult

``adult`` is a benchmark on census records, beside published figures and boosted trees; nothing of it ships.
Every choice was made on a validation part of the training data; the test part is measured once, on the
weights that ship.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.result import Metrics
from sixarts_recommendation import click_corpora, next_item_corpora
from sixarts_recommendation.click_corpora import Candidates
from sixarts_recommendation.probability_metrics import probability_metrics

#: Shares of the baskets to learn from, to choose by, and to measure.
SHARES = (0.8, 0.1, 0.1)
#: The starter's network and its training, as the validation part chose them.
BASKETS: dict[str, Any] = {"family": "deepfm", "width": 8, "hidden": [64], "dropout": 0.2}
BASKETS_TRAINING: dict[str, Any] = {
    "epochs": 8,
    "batch_size": 1024,
    "learning_rate": 0.01,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "sampled": 0.1,
    "least": 1,
    "most": 16,
    "patience": 3,
}
#: How often each training basket is cut.
DRAWS = 5


#: The benchmark's networks, and their training, as the validation part chose them.
ADULT: dict[str, dict[str, Any]] = {
    family: {"family": family, "width": 8, "hidden": [128, 64], "dropout": 0.4, "members": 4}
    for family in ("deepfm", "dcn_v2", "wide_deep")
}
ADULT_TRAINING: dict[str, Any] = {
    "epochs": 8,
    "batch_size": 512,
    "learning_rate": 2e-3,
    "weight_decay": 0.2,
    "schedule": "cosine",
    "knots": 256,
    "target": "income",
    "positive": ">50K",
}
ADULT_SHARES = (0.85, 0.15)


def basket_items(data: Path, folder: Path) -> None:
    """The starter: whether an item is bought with what is in a basket."""
    baskets = next_item_corpora.baskets(data / "groceries.csv")
    items = sorted({item for basket in baskets for item in basket})
    learned, judged, held = (
        [baskets[place] for place in part] for part in click_corpora.parts(len(baskets), SHARES)
    )
    kept = BASKETS_TRAINING["sampled"]
    task = sa.new("click-prediction", device="cpu", **BASKETS)
    history = task.fit(
        Candidates(learned, items, DRAWS, seed=1, kept=kept),
        Candidates(judged, items, seed=2, kept=kept),
        target="bought",
        labels=["not bought", "bought"],
        folder=folder / "run",
        **BASKETS_TRAINING,
    )
    print(history, flush=True)
    task.model.stored_dtype = "float16"
    starter = sa.load("click-prediction", task.save(folder / "draft"), device="cpu")
    test = Candidates(held, items, seed=3)
    found = starter.evaluate(test, batch_size=4096)
    print(f"model: {found}", flush=True)
    beside = {
        name: probability_metrics(chances, outcomes(test))
        for name, chances in baselines(learned, items, Candidates(judged, items, seed=2), test).items()
    }
    for name, metrics in beside.items():
        print(f"{name}: {metrics}", flush=True)
    starter.card = str(basket_card(starter, len(baskets), found, beside))
    print(starter.save(folder / "basket-items"))


def adult(data: Path, folder: Path) -> None:
    """A benchmark: who earns more than 50,000 dollars, of the census of 1994, on the official test part.

    A part of the training data chooses the family; the chosen one then learns from all of it, for as many
    epochs, and is measured once.
    """
    train, test = click_corpora.adult(data)
    learned, judged = (
        [train[place] for place in part] for part in click_corpora.parts(len(train), ADULT_SHARES)
    )
    print(
        f"{len(train)} and {len(test)} records; published: NBTree 14.10 % error (accuracy .859)", flush=True
    )
    found = {}
    for family, network in ADULT.items():
        task = sa.new("click-prediction", device="cpu", **network)
        task.fit(learned, folder=folder / f"{family}-run", progress=False, **ADULT_TRAINING)
        found[family] = task.evaluate(judged, batch_size=4096, progress=False)
        print(f"validation, {family}: {found[family]}", flush=True)
    print(f"validation, boosting: {boosted(learned, judged)}", flush=True)
    chosen = min(found, key=lambda family: found[family]["log_loss"].value)
    task = sa.new("click-prediction", device="cpu", **ADULT[chosen])
    task.fit(train, folder=folder / "run", progress=False, **ADULT_TRAINING)
    metrics = task.evaluate(test, batch_size=4096, dataset="Adult, official test part", progress=False)
    print(f"test, {chosen}: {metrics}", flush=True)
    print(f"test, boosting: {boosted(train, test)}", flush=True)
    print(task.save(folder / "adult"))


def boosted(learned: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]]) -> Metrics:
    """scikit-learn's histogram gradient boosting with its defaults, by the same code."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    names = [name for name in click_corpora.ADULT if name != "income"]
    texts = [name for name in names if any(not str(row[name] or 0).isdigit() for row in learned)]
    places = {name: sorted({str(row[name]) for row in (*learned, *judged)}) for name in texts}

    def cells(rows: Sequence[Mapping[str, Any]]) -> np.ndarray:
        return np.array(
            [
                [places[name].index(str(row[name])) if name in places else float(row[name]) for name in names]
                for row in rows
            ]
        )

    rich = [np.array([row["income"] == ">50K" for row in rows], "int8") for rows in (learned, judged)]
    model = HistGradientBoostingClassifier(
        categorical_features=[name in places for name in names], random_state=0
    ).fit(cells(learned), rich[0])
    return probability_metrics(model.predict_proba(cells(judged))[:, 1], rich[1])


def outcomes(candidates: Candidates) -> np.ndarray:
    """The outcome of each record."""
    return np.array([row["bought"] for row in candidates], "int8")


def baselines(
    learned: Sequence[Sequence[str]], items: Sequence[str], judged: Candidates, test: Candidates
) -> dict[str, np.ndarray]:
    """Chances of the test's records by counting, each calibrated on the validation part (Platt 1999).

    Popularity is an item's share of the baskets. Co-occurrence is the mean, over the items that are known, of
    the share of their baskets that have the candidate, smoothed by the popularity.
    """
    from sklearn.linear_model import LogisticRegression

    number = {item: place for place, item in enumerate(items)}
    bought = np.zeros((len(learned), len(items)))
    for row, basket in enumerate(learned):
        bought[row, [number[item] for item in basket]] = 1
    popularity = (bought.sum(axis=0) + 1) / (len(learned) + 2)
    together = bought.T @ bought
    conditional = (together + 20 * popularity) / (together.diagonal()[:, None] + 20)

    def scores(candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
        popular, counted = [], []
        for known, _ in candidates.cuts():
            rows = [number[item] for item in known]
            rest = np.setdiff1d(np.arange(len(items)), rows)
            popular.append(popularity[rest])
            counted.append(conditional[rows][:, rest].mean(axis=0) if rows else popularity[rest])
        return np.concatenate(popular), np.concatenate(counted)

    found = {}
    names = ("popularity", "co-occurrence")
    for name, fit, apply in zip(names, scores(judged), scores(test), strict=True):
        odds = [np.log(part / (1 - part))[:, None] for part in (fit, apply)]
        platt = LogisticRegression(C=1e6).fit(odds[0], outcomes(judged))
        found[name] = platt.predict_proba(odds[1])[:, 1]
    return found


def basket_card(task: Any, count: int, found: Metrics, beside: Mapping[str, Metrics]) -> Card:
    """The starter's card, with its measured figures."""
    cost = task.footprint()
    rows = "\n".join(
        f"| {name} | {_cell(metrics, 'auc')} | {_cell(metrics, 'log_loss')} | {_cell(metrics, 'ece')} |"
        for name, metrics in {"this model": found, **beside}.items()
    )
    sections = {
        "Use": """How likely an item is bought with what is in a basket, offline, by the names of 169 items:

```python
import sixarts

bought = sixarts.load("click-prediction")
bought({"basket": ["whole milk", "butter"], "item": "yogurt"}).probability
bought.explain({"basket": ["whole milk", "butter"], "item": "yogurt"}).plot()
```

An item that it does not know is answered by its hash bucket, with a note.""",
        "Data": f"""{count:,} baskets of one month at a supermarket, 169 item names: the data set `Groceries`
of the R package arules (Hahsler, Hornik and Reutterer 2006, "Implications of Probabilistic Data Modeling for
Mining Association Rules"), license GPL-3.""",
        "Training": f"""`python -m sixarts_recommendation.recipe basket-items DATA FOLDER` makes such a
folder again. DeepFM (Guo et al. 2017) over the items of the basket so far and the candidate. Of a basket of
n items, 0 to n − 1, each number as likely, are known; every other item of the 169 is a candidate. All
positive candidates and {BASKETS_TRAINING["sampled"]:.0%} of the negative ones were learned from, and the
log-odds are corrected for that (He et al. 2014, section 6.3): the probabilities are those over all
candidates. {SHARES[0]:.0%} of the baskets were learned from, {SHARES[1]:.0%} chose settings and the number
of epochs.""",
        "Evaluation": f"""On the last {SHARES[2]:.0%} of the baskets, each cut once, all other items of the
169 as candidates: {found.count:,} records. Measured once, on the half-precision weights that ship. 95 %
bootstrap intervals over records.

| | AUC | log loss | calibration error |
|---|---|---|---|
{rows}

Popularity is an item's share of the baskets; co-occurrence the mean share of the known items' baskets that
have the candidate, too. Both are calibrated on the validation part and measured by the same code. No
published figure uses this protocol.""",
        "Footprint": f"{cost.parameters:,} parameters, stored in float16.",
        "Limits": """One shop in one month of the early 2000s, 169 coarse items, no prices or persons. Baskets
have no order, so that "so far" is a random part of what was bought, not the first part. A probability is
that of the item among the rest of the same basket, not of a click or of an answer to a recommendation.""",
    }
    return Card(
        title="Basket items starter",
        task="click-prediction",
        license="gpl-3.0",
        sections=sections,
        languages=("en",),
        datasets=("groceries",),
        measured=(Measured(found, "Groceries (arules)", id="groceries", split="test"),),
    )


def _cell(metrics: Metrics, name: str) -> str:
    metric = metrics[name]
    return f"{metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})"
