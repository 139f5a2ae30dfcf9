"""Recommendations for anybody: from a basket, and from a log of one's own, for new users too.

Run it as ``python examples/recommend.py [FOLDER]``. The log here is made up; yours is a CSV or Parquet
file, a data frame, or anything that yields rows.
"""

import csv
import sys
import tempfile
from pathlib import Path

import numpy as np

import sixarts as sa

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

recommend = sa.load("next-item-prediction", device="cpu")
print("basket:", recommend(["whole milk", "butter"], k=3))
print("of these:", recommend(["whole milk", "butter"], k=2, allowed={"curd", "beef", "yogurt"}).items)
why = recommend.explain(["ham", "flour", "sugar"])
print("why:", why)
why.plot().savefig(folder / "because.png", dpi=150)

# A log: people read a series in order, and start where they like.
random = np.random.default_rng(0)
series = [[f"{name} {part}" for part in range(1, 7)] for name in ("Dune", "Emma", "Holmes")]
log = folder / "log.csv"
with log.open("w", newline="", encoding="utf-8") as file:
    rows = csv.writer(file)
    rows.writerow(["reader", "book", "day"])
    for reader in range(150):
        books = series[reader % 3]
        for day, book in enumerate(books[random.integers(0, 3) :]):
            rows.writerow([f"r{reader}", book, day])

own = sa.new("next-item-prediction", family="sasrec", hidden_size=16, max_length=8, device="cpu")
columns = {"user": "reader", "item": "book", "time": "day"}
history = own.fit(log, epochs=20, batch_size=32, learning_rate=0.01, remember=True, progress=False, **columns)
print("learned:", history.replaced[0])
print("a new reader:", own(["Dune 2", "Dune 3"], k=1).items)
print("reader r4 is through with", own.model.processor.items.ids[own.model.processor.tails.of("r4")[-1]])
print("reader r4:", own({"user": "r4"}, k=2).items)
print("an id that nobody knows:", own(["Dune 2", "Duen 3"], k=1))

# A new book keeps the others where they are.
more = own.fit(
    [["Dune 5", "Dune 6", "Dune 7"]] * 40, epochs=5, batch_size=32, learning_rate=0.01, progress=False
)
print("later:", more.replaced[0], "->", own(["Dune 5", "Dune 6"], k=1).items)
print("measured on the log itself:", own.evaluate(log, progress=False, k=3, **columns)["hr@3"])
