"""What ``bench_recommendation.py`` runs in workers: histories that are made up, ours, and a plain SASRec."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

#: Sizes of the network and of a batch, the same on both sides.
SETTINGS: dict[str, Any] = {
    "max_length": 50,
    "hidden_size": 64,
    "num_layers": 2,
    "num_heads": 2,
    "inner_size": 256,
    "dropout": 0.2,
}
BATCH, RATE = 128, 1e-3


def histories(users: int, items: int) -> list[list[int]]:
    """Histories whose lengths are those of shops: 9 items on average, few of 50, popular items most often."""
    random = np.random.default_rng(0)
    lengths = np.minimum(4 + random.geometric(0.2, users), SETTINGS["max_length"] + 1)
    drawn = np.minimum(random.zipf(1.3, int(lengths.sum())), items) - 1
    return [part.tolist() for part in np.split(drawn, np.cumsum(lengths)[:-1])]


def ours(users: int, items: int, epochs: int) -> list[float]:
    """Seconds of each epoch but the first, which compiles."""
    import sixarts as sa

    rows = histories(users, items)
    # Every item is there, so that the table has its size.
    rows.append(list(range(items)))
    task = sa.new("next-item-prediction", family="sasrec", device="cpu", **SETTINGS)
    begun: list[float] = []
    learn = task.learn

    def timed(*arguments: Any) -> Any:
        begun.append(time.perf_counter())
        return learn(*arguments)

    task.learn = timed
    found = {"epochs": epochs + 1, "batch_size": BATCH, "learning_rate": RATE, "hold_out": 0.0}
    task.fit(rows, progress=False, **found)
    begun.append(time.perf_counter())
    return np.diff(begun)[1:].tolist()


def plain(users: int, items: int, epochs: int) -> list[float]:
    """The same with PyTorch alone, as it is commonly written: rows padded to the longest of their batch."""
    import torch
    from torch import nn

    rows = histories(users, items)
    network = _plain(items)
    optimizer = torch.optim.AdamW(network.parameters(), RATE, betas=(0.9, 0.98), weight_decay=0.0)
    loss_of = nn.CrossEntropyLoss(ignore_index=-1)
    random, times = np.random.default_rng(0), []
    for _ in range(epochs + 1):
        begin = time.perf_counter()
        order = random.permutation(len(rows))
        for start in range(0, len(order), BATCH):
            chosen = [rows[place] for place in order[start : start + BATCH]]
            width = max(map(len, chosen)) - 1
            inputs = np.zeros((len(chosen), width), "int64")
            targets = np.full((len(chosen), width), -1, "int64")
            for place, row in enumerate(chosen):
                inputs[place, : len(row) - 1] = np.array(row[:-1]) + 1
                targets[place, : len(row) - 1] = row[1:]
            wanted = torch.from_numpy(targets)
            real = wanted >= 0
            # As here, nothing is scored for padding.
            loss = loss_of(network(torch.from_numpy(inputs), real), wanted[real])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            float(loss)
        times.append(time.perf_counter() - begin)
    return times[1:]


def _plain(items: int) -> Any:
    import torch
    from torch import nn

    width = SETTINGS["hidden_size"]

    class SASRec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(items + 1, width, padding_idx=0)
            self.positions = nn.Embedding(SETTINGS["max_length"], width)
            self.dropout = nn.Dropout(SETTINGS["dropout"])
            block = nn.TransformerEncoderLayer(
                width,
                SETTINGS["num_heads"],
                SETTINGS["inner_size"],
                SETTINGS["dropout"],
                "gelu",
                batch_first=True,
                norm_first=True,
            )
            self.blocks = nn.TransformerEncoder(
                block, SETTINGS["num_layers"], nn.LayerNorm(width), enable_nested_tensor=False
            )

        def forward(self, rows: Any, real: Any) -> Any:
            length = rows.shape[1]
            x = self.dropout(self.table(rows) * width**0.5 + self.positions(torch.arange(length)))
            mask = nn.Transformer.generate_square_subsequent_mask(length)
            return self.blocks(x, mask=mask, is_causal=True)[real] @ self.table.weight[1:].T

    return SASRec()
