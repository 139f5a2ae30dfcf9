"""What the tests of records share: a schema, made-up records, and plain PyTorch and NumPy implementations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sixarts_diagnosis.schema import Column, Schema

#: A value that stands in some records and must stand nowhere else.
CANARY = 61.27384950172


def schema() -> Schema:
    """Numbers and categories, some of which may be missing."""
    return Schema(
        (
            Column("age", title="age", unit="years", low=0, high=120, usual=(20, 80), required=True),
            Column("height", unit="cm", low=50, high=250, usual=(140, 200)),
            Column("temperature", title="body temperature", unit="°C", low=25, high=45, usual=(35.5, 40)),
            Column("sex", "category", categories=("female", "male"), required=True),
            Column("stage", "category", categories=("I", "II", "III")),
        ),
        "label",
    )


def records(count: int, seed: int = 0, labels: tuple[str, ...] = ("well", "ill")) -> list[Any]:
    """Made-up pairs, in which age and stage tell most of the label, and a tenth of what may be is missing."""
    random = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        age, stage = random.uniform(20, 80), int(random.integers(3))
        cells: dict[str, Any] = {
            "age": float(age),
            "height": float(random.normal(172, 9)),
            "temperature": float(random.normal(36.8, 0.5)),
            "sex": ("female", "male")[random.integers(2)],
            "stage": ("I", "II", "III")[stage],
        }
        for name in ("height", "temperature", "stage"):
            if random.random() < 0.1:
                cells[name] = None
        odds = (age - 50) / 8 + 1.5 * (stage - 1) + random.logistic()
        place = int(odds > 0) if len(labels) == 2 else int(np.clip(odds // 2 + 1, 0, len(labels) - 1))
        found.append((cells, labels[place]))
    return found


def logits(folder: Path, features: np.ndarray) -> np.ndarray:
    """Logits of a model folder, on whatever backend this process runs."""
    from sixarts.device import Device
    from sixarts.readers.json_file import read_json
    from sixarts_diagnosis.ft_transformer import FtTransformer
    from sixarts_diagnosis.logistic import Logistic
    from sixarts_diagnosis.mlp_ensemble import MlpEnsemble

    kinds = {kind.family: kind for kind in (Logistic, MlpEnsemble, FtTransformer)}
    kind = kinds[read_json(folder / "config.json")["model_type"]]
    return np.asarray(kind.from_folder(folder, Device.of("cpu"))({"features": features})["logits"])


def ft_transformer(c: dict[str, Any], weights: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """The published FT-Transformer, written with PyTorch's own modules over the same weights.

    Source: Gorishniy et al. 2021, section 3.3 and their code's ``FTTransformer`` with the class token first.
    """
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, normed: bool) -> None:
            super().__init__()
            width = c["width"]
            if normed:
                self.attention_norm = nn.LayerNorm(width)
            self.attention = nn.ModuleDict(
                {n: nn.Linear(width, width) for n in ("query", "key", "value", "out")}
            )
            self.norm = nn.LayerNorm(width)
            self.inner = nn.Linear(width, 2 * c["inner"])
            self.outer = nn.Linear(c["inner"], width)

        def attend(self, x: Any) -> Any:
            rows, tokens, width = x.shape
            heads = [
                self.attention[name](x).view(rows, tokens, c["heads"], -1).transpose(1, 2)
                for name in ("query", "key", "value")
            ]
            mixed = nn.functional.scaled_dot_product_attention(*heads)
            return self.attention["out"](mixed.transpose(1, 2).reshape(rows, tokens, width))

        def forward(self, x: Any) -> Any:
            x = x + self.attend(self.attention_norm(x) if hasattr(self, "attention_norm") else x)
            a, b = self.inner(self.norm(x)).chunk(2, dim=-1)
            return x + self.outer(a * torch.relu(b))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.ParameterDict(
                {
                    "weight": nn.Parameter(torch.zeros(sum(c["widths"]), c["width"])),
                    "bias": nn.Parameter(torch.zeros(len(c["widths"]), c["width"])),
                    "cls": nn.Parameter(torch.zeros(1, c["width"])),
                }
            )
            self.blocks = nn.ModuleList([Block(place > 0) for place in range(c["blocks"])])
            self.norm = nn.LayerNorm(c["width"])
            self.head = nn.Linear(c["width"], len(c["id2label"]))

        def forward(self, x: Any) -> Any:
            tokens, start = [self.tokens["cls"].expand(len(x), 1, -1)], 0
            for column, width in enumerate(c["widths"]):
                own = x[:, start : start + width] @ self.tokens["weight"][start : start + width]
                tokens.append((own + self.tokens["bias"][column])[:, None])
                start += width
            x = torch.cat(tokens, dim=1)
            for block in self.blocks:
                x = block(x)
            return self.head(torch.relu(self.norm(x[:, 0])))

    network = Network()
    network.load_state_dict({name: torch.tensor(value) for name, value in weights.items()}, strict=True)
    with torch.no_grad():
        return network.eval()(torch.tensor(features)).numpy()


def mlp_ensemble(c: dict[str, Any], weights: dict[str, np.ndarray], features: np.ndarray) -> np.ndarray:
    """Each member by itself in NumPy, and the logarithm of their mean probabilities."""
    from math import erf

    gelu = np.vectorize(lambda x: 0.5 * x * (1 + erf(x / np.sqrt(2))))
    chances = []
    for member in range(c["members"]):
        x = features.astype("float64")
        for place in range(c["depth"]):
            x = x @ weights[f"hidden.{place}.kernel"][member] + weights[f"hidden.{place}.bias"][member]
            x = gelu(x)
        x = x @ weights["head.kernel"][member] + weights["head.bias"][member]
        if c["linear"]:
            x = x + features @ weights["linear.kernel"][member]
        x = np.exp(x - x.max(axis=1, keepdims=True))
        chances.append(x / x.sum(axis=1, keepdims=True))
    return np.asarray(np.log(np.mean(chances, axis=0)))
