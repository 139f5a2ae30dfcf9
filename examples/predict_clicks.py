"""How likely a click is: a model of one's own from a CSV file, its figures, a new site, and why.

Run it as ``python examples/predict_clicks.py [FOLDER]``; table, model and picture go to FOLDER, or to a
temporary one. The clicks are made up, so that what is to be found is known: the young click on games, in the
evening more than by day.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from pathlib import Path

import sixarts as sa
from sixarts.errors import InputError

COLUMNS = ("site", "device", "age", "hour", "interests", "click")


def rows(count: int, seed: int) -> list[dict[str, object]]:
    """Made-up impressions of an advertisement for a game."""
    draw, found = random.Random(seed), []
    for _ in range(count):
        site, device = draw.choice(["news", "games", "mail"]), draw.choice(["phone", "desktop"])
        age, hour = draw.randint(16, 80), draw.randint(0, 23)
        interests = draw.sample(["sport", "cooking", "gaming"], draw.randint(0, 2))
        chance = 0.05 + 0.3 * (site == "games" and age < 40) + 0.2 * ("gaming" in interests)
        click = int(draw.random() < chance + 0.15 * (hour >= 18))
        found.append(dict(zip(COLUMNS, (site, device, age, hour, "|".join(interests), click), strict=True)))
    return found


def write(path: Path, table: list[dict[str, object]]) -> Path:
    with path.open("w", newline="") as file:
        (writer := csv.DictWriter(file, COLUMNS)).writeheader()
        writer.writerows(table)
    return path


def main(folder: str | None = None) -> None:
    place = Path(folder or tempfile.mkdtemp(prefix="sixarts-clicks-"))
    place.mkdir(parents=True, exist_ok=True)
    train, test = (write(place / f"{name}.csv", rows(n, n)) for name, n in (("train", 4000), ("test", 1000)))

    # The schema comes from the table: what is text, what is a number, which values there are.
    predict = sa.new("click-prediction", family="dcn_v2", width=8, hidden=[32], dropout=0.2)
    named = {"target": "click", "labels": ["ignored", "clicked"], "multi": ["interests"]}
    print(predict.fit(train, test, **named, epochs=10, learning_rate=5e-3, patience=3).replaced[0])
    print(predict.evaluate(test))

    person = {"site": "games", "device": "phone", "age": 22, "hour": 20, "interests": ["gaming"]}
    print(predict(person))
    print(predict({**person, "age": 70, "site": "a new site"}))
    try:
        predict([person, {**person, "age": None}])
    except InputError as error:
        print(f"refused: {error}")

    predict.explain(person).plot().savefig(place / "why.png", dpi=120)
    print(f"saved to {predict.save(place / 'clicks')}")
    bought = sa.load("click-prediction")  # the starter knows 169 items of a supermarket
    for item in ("whole milk", "liquor"):
        print(item, bought({"basket": ["butter", "curd"], "item": item}))
    print("like butter:", *sa.load("item-similarity")("butter", k=3).items, sep="\n  ")


if __name__ == "__main__":
    main(*sys.argv[1:2])
