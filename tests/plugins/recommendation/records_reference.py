"""The click families and the towers as NumPy formulas over a folder's weights; and ours, for workers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.checkpoint import open_weights

Weights = Mapping[str, np.ndarray]


def weights_of(folder: Path) -> dict[str, np.ndarray]:
    stored = open_weights(folder)
    return {name: stored.read(name).astype("float64") for name in stored}


def owners_of(schema: Mapping[str, Any]) -> np.ndarray:
    """The column of each slot, from the schema's file alone."""
    slots = [
        {"numeric": 3, "multi": column.get("most", 1)}.get(column["kind"], 1) for column in schema["columns"]
    ]
    return np.repeat(np.arange(len(slots)), slots)


def pooled(table: np.ndarray, schema: Any, arrays: Weights) -> np.ndarray:
    """Each column's weighted sum of rows, ``[b, f, width]``."""
    owners = owners_of(schema)
    rows = table[arrays["ids"]] * (arrays["ids"] > 0)[..., None] * arrays["weights"][..., None]
    found = np.zeros((len(rows), owners.max() + 1, rows.shape[-1]))
    for slot, owner in enumerate(owners):
        found[:, owner] += rows[:, slot]
    return found


def dense(w: Weights, name: str, x: np.ndarray) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def deep(w: Weights, at: str, x: np.ndarray, layers: int) -> np.ndarray:
    for place in range(layers):
        x = np.maximum(dense(w, f"{at}.deep.{place}", x), 0)
    return x


def published_logits(folder: Path, arrays: Weights) -> np.ndarray:
    """Log-odds ``[b, members]`` by the papers' equations."""
    config = json.loads((folder / "config.json").read_text())
    schema = json.loads((folder / "schema.json").read_text())
    w = weights_of(folder)
    columns = pooled(w["table.weight"], schema, arrays)
    linear = config["model_type"] != "dcn_v2"
    part = config["width"] + linear
    formula = {"deepfm": _deepfm, "dcn_v2": _dcn_v2, "wide_deep": _wide_deep}[config["model_type"]]
    inputs = sum(column["kind"] != "cross" for column in schema["columns"])
    return np.concatenate(
        [
            formula(w, f"members.{m}", columns[..., m * part : (m + 1) * part], config, inputs)
            for m in range(config["members"])
        ],
        axis=1,
    )


def _deepfm(w: Weights, at: str, columns: np.ndarray, config: Any, inputs: int) -> np.ndarray:
    vectors = columns[..., 1:]
    # Equation 2, as the sum over pairs that it is.
    pairs = sum(
        (vectors[:, i] * vectors[:, j]).sum(axis=-1)
        for i in range(vectors.shape[1])
        for j in range(i + 1, vectors.shape[1])
    )
    hidden = deep(w, at, vectors.reshape(len(vectors), -1), len(config["hidden"]))
    first = columns[..., 0].sum(axis=1)
    return (first + pairs)[:, None] + dense(w, f"{at}.odds", hidden)


def _wide_deep(w: Weights, at: str, columns: np.ndarray, config: Any, inputs: int) -> np.ndarray:
    vectors = columns[:, :inputs, 1:]
    hidden = deep(w, at, vectors.reshape(len(vectors), -1), len(config["hidden"]))
    return columns[..., 0].sum(axis=1)[:, None] + dense(w, f"{at}.odds", hidden)


def _dcn_v2(w: Weights, at: str, columns: np.ndarray, config: Any, inputs: int) -> np.ndarray:
    first = columns.reshape(len(columns), -1)
    x = first
    for place in range(config["crosses"]):
        name = f"{at}.cross.{place}"
        inner = x @ w[f"{name}.down.weight"].T if config["rank"] else x
        x = first * dense(w, name, inner) + x  # equation 1, or 2 with a matrix of low rank
    if config["structure"] == "stacked":
        return dense(w, f"{at}.odds", deep(w, at, x, len(config["hidden"])))
    hidden = deep(w, at, first, len(config["hidden"]))
    return dense(w, f"{at}.odds", np.concatenate([x, hidden], axis=1))


def published_towers(folder: Path, arrays: Weights) -> np.ndarray:
    """Scores of each row's user for each row's item, with the correction and without the wrong negatives."""
    config = json.loads((folder / "config.json").read_text())
    schema = json.loads((folder / "schema.json").read_text())
    w = weights_of(folder)
    item = pooled(w["item.table.weight"], schema, arrays)
    item = _tower(w, "item", item.reshape(len(item), -1), config)
    past = w["user.table.weight"][arrays["history"]]
    there = arrays["history"] > 0
    mean = (past * there[..., None]).sum(axis=1) / np.maximum(there.sum(axis=1), 1)[:, None]
    user = _tower(w, "user", mean, config)
    scores = user @ item.T / config["temperature"] - arrays["log_q"][None]
    for row, number in enumerate(arrays["numbers"]):
        for other, again in enumerate(arrays["numbers"]):
            if row != other and number == again:
                scores[row, other] = -1e9
    return scores


def _tower(w: Weights, at: str, x: np.ndarray, config: Any) -> np.ndarray:
    for place in range(len(config["hidden"])):
        x = np.maximum(dense(w, f"{at}.dense.{place}", x), 0)
    x = dense(w, f"{at}.out", x)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def published_products(folder: Path, arrays: Weights) -> np.ndarray:
    """Item2vec's products of an item's first vector with others' second ones."""
    w = weights_of(folder)
    return np.einsum(
        "bd,bcd->bc", w["first.weight"][arrays["item"][:, 0]], w["second.weight"][arrays["others"]]
    )


# Ours; run in workers, too.


def logits(task: str, folder: Path, arrays: Weights) -> np.ndarray:
    """What a saved model's network gives."""
    import sixarts as sa

    return np.asarray(sa.load(task, folder, device="cpu").model(dict(arrays))["logits"])


def answers(task: str, folder: Path, inputs: Any) -> list[Any]:
    """What a saved model answers."""
    import sixarts as sa

    return [answer.to_dict() for answer in sa.load(task, folder, device="cpu")(inputs)]
