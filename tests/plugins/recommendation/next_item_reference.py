"""The three next-item networks written plainly in PyTorch: what ours are held against.

Written from the papers with PyTorch's own layers; it knows nothing of our code but the names under which a
model folder keeps its weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Self-attention by PyTorch's own, with the projections in one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.mixed = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.mixed(x, x, x, attn_mask=mask, need_weights=False)[0]


class Block(nn.Module):
    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width = config["hidden_size"]
        self.attention = Attention(width, config["num_heads"])
        self.attention_norm = nn.LayerNorm(width, eps=1e-5)
        self.inner, self.outer = (
            nn.Linear(width, config["inner_size"]),
            nn.Linear(config["inner_size"], width),
        )
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.first = config["norm_first"]
        self.activation = getattr(F, config["activation"])

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.first:
            x = x + self.attention(self.attention_norm(x), mask)
            return x + self.outer(self.activation(self.inner(self.norm(x))))
        x = self.attention_norm(x + self.attention(x, mask))
        return self.norm(x + self.outer(self.activation(self.inner(x))))


class Transformer(nn.Module):
    """SASRec, or BERT4Rec where ``both_ways``."""

    def __init__(self, config: Mapping[str, Any], both_ways: bool) -> None:
        super().__init__()
        self.config, self.both_ways = config, both_ways
        width = config["hidden_size"]
        self.reserved = 2 if both_ways else 1
        self.table = nn.Embedding(config["num_items"] + self.reserved, width, padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(config["num_items"])) if config["item_bias"] else None
        self.positions = nn.Embedding(config["max_length"], width) if config["positions"] else None
        self.positions_norm = nn.LayerNorm(width, eps=1e-5)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["num_layers"]))
        self.norm = nn.LayerNorm(width, eps=1e-5)
        self.head = nn.Linear(width, width)
        self.head_norm = nn.LayerNorm(width, eps=1e-5)

    def forward(self, history: Sequence[int]) -> torch.Tensor:
        """Scores of what comes after a history of item numbers, ``[items]``; one history, without padding."""
        most = self.config["max_length"]
        if self.both_ways:
            rows = [number + 2 for number in history][-(most - 1) :] if most > 1 else []
            rows = [*rows, 1]
        else:
            rows = [number + 1 for number in history][-most:]
        x = self.table(torch.tensor([rows]))
        if self.config["scale_embedding"]:
            x = x * self.config["hidden_size"] ** 0.5
        if self.positions is not None:
            x = x + self.positions(torch.arange(len(rows)))
            if not self.config["norm_first"]:
                x = self.positions_norm(x)
        mask = torch.zeros(len(rows), len(rows), dtype=torch.bool)
        if not self.both_ways:
            mask = torch.triu(torch.ones_like(mask), diagonal=1)
        for block in self.blocks:
            x = block(x, mask)
        if self.config["norm_first"]:
            x = self.norm(x)
        last = x[0, -1]
        if self.both_ways:
            last = self.head_norm(F.gelu(self.head(last)))
        scores = self.table.weight[self.reserved :] @ last
        return scores if self.bias is None else scores + self.bias


class Recurrent(nn.Module):
    """GRU4Rec. PyTorch's gates stand in another order than Keras's: reset, update, new."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.config = config["hidden_size"], config
        self.table = nn.Embedding(config["num_items"] + 1, width, padding_idx=0)
        self.bias = nn.Parameter(torch.zeros(config["num_items"])) if config["item_bias"] else None
        self.gru = nn.GRU(width, width, config["num_layers"], batch_first=True)
        self.out = nn.Linear(width, width)

    def forward(self, history: Sequence[int]) -> torch.Tensor:
        rows = [number + 1 for number in history][-self.config["max_length"] :]
        mixed, _ = self.gru(self.table(torch.tensor([rows])))
        scores = self.table.weight[1:] @ self.out(mixed[0, -1])
        return scores if self.bias is None else scores + self.bias


def made(family: str, config: Mapping[str, Any]) -> nn.Module:
    """A network of random weights, norms and biases included, so that every one of them counts."""
    network = Recurrent(config) if family == "gru4rec" else Transformer(config, family == "bert4rec")
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            shift = 1.0 if "norm.weight" in name or name.endswith("norm.weight") else 0.0
            parameter.copy_(shift + 0.3 * torch.randn(parameter.shape))
        network.table.weight[0] = 0
    return network.eval()


def weights(network: nn.Module, config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Its weights under the names of a model folder."""
    state = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    found = {"item_embedding": state["table.weight"]}
    if config["item_bias"]:
        found["item_bias"] = state["bias"]
    if isinstance(network, Recurrent):
        return found | _recurrent(state, config)
    if config["positions"]:
        found["positions"] = state["positions.weight"]
        if not config["norm_first"]:
            found |= _pair("positions_norm", state, "positions_norm")
    if config["norm_first"]:
        found |= _pair("norm", state, "norm")
    for number in range(config["num_layers"]):
        own = f"blocks.{number}"
        mixed = f"{own}.attention.mixed"
        for part, matrix, bias in zip(
            ("query", "key", "value"),
            np.split(state[f"{mixed}.in_proj_weight"], 3),
            np.split(state[f"{mixed}.in_proj_bias"], 3),
            strict=True,
        ):
            found |= {f"{own}.{part}.weight": matrix, f"{own}.{part}.bias": bias}
        found |= _pair(f"{own}.out", state, f"{mixed}.out_proj")
        for part in ("attention_norm", "inner", "outer", "norm"):
            found |= _pair(f"{own}.{part}", state, f"{own}.{part}")
    if network.both_ways:
        found |= _pair("head", state, "head") | _pair("head_norm", state, "head_norm")
    return found


def _pair(name: str, state: Mapping[str, np.ndarray], own: str) -> dict[str, np.ndarray]:
    return {f"{name}.{part}": state[f"{own}.{part}"] for part in ("weight", "bias")}


def _recurrent(state: Mapping[str, np.ndarray], config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    found = _pair("out", state, "out")
    for number in range(config["num_layers"]):

        def turned(name: str, number: int = number) -> np.ndarray:
            reset, update, new = np.split(state[f"gru.{name}_l{number}"], 3)
            return np.concatenate([update, reset, new])

        found |= {
            f"gru.{number}.kernel": turned("weight_ih").T.copy(),
            f"gru.{number}.recurrent_kernel": turned("weight_hh").T.copy(),
            f"gru.{number}.bias": np.stack([turned("bias_ih"), turned("bias_hh")]),
        }
    return found


def scores(network: nn.Module, histories: Sequence[Sequence[int]]) -> np.ndarray:
    """Scores of all items after each history, ``[b, items]``."""
    with torch.no_grad():
        return np.stack([network(history).numpy() for history in histories])
