"""Teach the starter the words of a domain, save it, load it back: the same answers.

Run it as ``python examples/fine_tune.py [FOLDER]``; the model goes to FOLDER, or to a temporary one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa

#: What a tea house says to its guests.
PAIRS = [
    ("A cup of green tea, please.", "请来一杯绿茶。"),
    ("A cup of black tea, please.", "请来一杯红茶。"),
    ("A cup of coffee, please.", "请来一杯咖啡。"),
    ("A glass of water, please.", "请来一杯水。"),
    ("Two cups of green tea, please.", "请来两杯绿茶。"),
    ("Two cups of coffee, please.", "请来两杯咖啡。"),
    ("Two glasses of water, please.", "请来两杯水。"),
    ("Two glasses of milk, please.", "请来两杯牛奶。"),
]
NEW = ["Two cups of black tea, please.", "A glass of milk, please."]


def main(folder: str | None = None) -> None:
    place = Path(folder or tempfile.mkdtemp(prefix="sixarts-fine-tune-"))
    translate = sa.load("translation")
    before = [answer.text for answer in translate(NEW)]

    # With `folder=` a run that was killed goes on where it was.
    history = translate.fit(
        PAIRS, epochs=30, batch_size=8, learning_rate=1e-3, seed=0, folder=place / "checkpoints"
    )
    losses = history.metrics["loss"]
    print(f"loss {losses[0]:.2f} → {losses[-1]:.2f} in {len(losses)} epochs")

    answers = translate(NEW)
    for text, old, new in zip(NEW, before, answers, strict=True):
        print(f"{text}\n  before: {old}\n  after:  {new.text}")

    saved = translate.save(place / "tea-house")
    again = sa.load("translation", saved)(NEW)
    assert [answer.to_dict() for answer in again] == [answer.to_dict() for answer in answers]
    print(f"saved to {saved}; loaded back, it gives the same answers to the last bit")


if __name__ == "__main__":
    main(*sys.argv[1:2])
