"""What a family learns and answers with tables of its own, and with keras-rs's; run here and in workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

BASKETS = [["a", "b", "c"], ["b", "c", "d", "e"], ["e", "a"], ["d", "c", "b", "a", "e"], ["c", "e", "d"]]
CLICKS = [
    {"site": site, "age": age, "tags": tags, "click": click}
    for site, age, tags, click in [
        ("a", 3.0, ["x"], 1),
        ("b", None, [], 0),
        ("a", 8.5, ["y", "x"], 0),
        ("c", 1.0, ["z"], 1),
    ]
]
ASKED: dict[str, Any] = {
    "click-prediction": {"site": "a", "age": 2.0, "tags": ["x", "z"]},
    "item-similarity": "c",
    "next-item-prediction": ("a", "c"),
}


def learned(task: str, family: str, fit: dict[str, Any], folder: str) -> dict[str, list[np.ndarray]]:
    """Every weight, and what is answered, of a table of the network's own and of keras-rs's."""
    import keras_rs  # noqa: F401  its import draws numbers

    import sixarts as sa
    from sixarts.compiled import to_numpy
    from sixarts.device import backend

    found: dict[str, list[np.ndarray]] = {}
    for distributed in (False, True):
        made = sa.new(task, family=family, device="cpu", distributed=distributed)
        examples: Any = CLICKS if task == "click-prediction" else BASKETS
        made.fit(examples, epochs=2, batch_size=2, seed=5, progress=False, **fit)
        place = Path(folder) / f"{backend()}-{distributed}"
        again = sa.load(task, made.save(place), device="cpu")
        assert again.model.config["distributed"] is distributed
        for model, when in ((made.model, "learned"), (again.model, "loaded")):
            for names, target in model.targets(frozenset()).items():
                weight = target.stored(to_numpy(target.variable))
                found.setdefault(f"{when} {names[0]}", []).append(weight)
        for asked, when in ((made, "learned"), (again, "loaded")):
            answer = asked(ASKED[task])
            scores = answer.probability if task == "click-prediction" else answer.scores
            found.setdefault(f"{when} answer", []).append(np.array(scores))
    return found
