"""The recipe of ``starter/six-languages``: data, training, evaluation, card.

Run it as ``python train.py FOLDER`` once the plugin is installed; it takes under a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sixarts_language_id.corpus import split

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.training import History

TRAINING = {"epochs": 30, "batch_size": 32, "learning_rate": 0.02, "seed": 0}


def main(folder: str | None = None) -> None:
    """Trains, measures and saves the starter."""
    train, test = split()
    identify = sa.new("language-identification", family="ngram-bag")
    history = identify.fit(train, **TRAINING)
    print(history)
    identify.model.stored_dtype = "float16"
    with tempfile.TemporaryDirectory() as place:
        # What ships is the rounded model, so that is what is measured.
        starter = sa.load("language-identification", identify.save(Path(place) / "draft"))
        held_out = starter.evaluate(test)
        print(held_out)
        starter.card = str(card(starter, len(train), held_out, history))
        print(starter.save(folder or Path(place) / "six-languages"))


def card(task: sa.Task, learned: int, held_out: sa.Metrics, history: History) -> Card:
    """The model card, with the measured figure."""
    accuracy = held_out["accuracy"]
    sections = {
        "Use": '`sixarts.load("language-identification")("Wo ist der Bahnhof?").label`',
        "Data": f"{learned} everyday sentences in six languages, written for this plugin, CC0.",
        "Training": f"`python train.py FOLDER`: {len(history.metrics['loss'])} epochs, from nothing.",
        "Evaluation": f"Accuracy {accuracy.value:.3f} on {held_out.count} held-out sentences of that kind "
        f"(95 % Wilson interval {accuracy.low:.3f} to {accuracy.high:.3f}), measured by the recipe on the "
        "half-precision weights that ship. No published figure uses this split.",
        "Footprint": f"{task.model.parameters:,} parameters, stored in float16.",
        "Limits": "Knows six languages, and names one of them for a text in any other. Single words are "
        "guessed.",
    }
    languages = task.model.processor.labels
    measured = (Measured(held_out, "Everyday sentences in six languages"),)
    return Card("Six languages", task.name, "cc0-1.0", sections, languages, measured=measured)


if __name__ == "__main__":
    main(*sys.argv[1:2])
