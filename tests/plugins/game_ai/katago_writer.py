"""Writes networks in KataGo's layout, with drawn weights: KataGo's own program judged the same ones."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts_game_ai.katago_design import NEW, designed
from sixarts_game_ai.katago_layout import ACTIVATIONS, BLOCKS, TRUNK, Parts, heads, shape_of, tensors

#: Versions of the format, each with what is new in it.
VERSIONS: dict[int, dict[str, Any]] = {
    8: {},
    9: {},
    10: {"blocks": 2},
    11: {"activation": "mish"},
    12: {"activation": "mish"},
    13: {"scales": {"score_mean": 15.0, "lead": 25.0, "score_stdev": 18.0}},
    14: {"activation": "mish", "nested": True},
    15: {"activation": "mish", "nested": True, "always_suicide": True},
    16: {"nested": True},
}


def drawn_tree(version: int) -> dict[str, Any]:
    """A small network of a version."""
    own = VERSIONS[version]
    new = {"channels": 12, "blocks": 3, "pooling_channels": 4, "version": version}
    tree = designed({**NEW, **new, **{key: own[key] for key in ("activation", "blocks") if key in own}})
    tree["scales"] |= own.get("scales", {})
    tree["always_suicide"] = own.get("always_suicide", False)
    if own.get("nested"):
        tree["trunk"]["blocks"] = [_nested(tree["trunk"]["blocks"], version)]
    # Not every norm has both: g170's have a bias alone where the scale would be the next layer's.
    tree["trunk"]["trunkTipBN"]["scale"] = False
    return tree


def _nested(blocks: list[dict[str, Any]], version: int) -> dict[str, Any]:
    """Blocks between a convolution that narrows and one that widens again."""
    inner = designed({**NEW, "channels": 8, "blocks": len(blocks), "pooling_channels": 4, "version": version})
    act = blocks[0]["preActivation"]["function"]
    for block in inner["trunk"]["blocks"]:
        for part in block.values():
            if isinstance(part, dict) and "function" in part:
                part["function"] = act
    norm = {"epsilon": 1e-3, "scale": True, "bias": True}
    conv = {"size": [1, 1], "dilation": [1, 1]}
    return {
        "kind": "nested_bottleneck_block",
        "name": "nested",
        "preBN": {"name": "nested/norm1", "channels": 12, **norm},
        "preActivation": {"name": "nested/actv1", "function": act},
        "preConv": {"name": "nested/w1", "in": 12, "out": 8, **conv},
        "blocks": inner["trunk"]["blocks"],
        "postBN": {"name": "nested/norm2", "channels": 8, **norm},
        "postActivation": {"name": "nested/actv2", "function": act},
        "postConv": {"name": "nested/w2", "in": 8, "out": 12, **conv},
    }


def drawn_values(tree: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Weights for it, float32."""
    random = np.random.default_rng(seed)
    found = {}
    for name, layer, part in tensors(tree):
        if part == "kernel":
            shape = shape_of("conv" if "size" in layer else "matmul" if "in" in layer else "bias", layer)
            scale = 1.4 / np.sqrt(max(1, np.prod(shape[:-1]))) if len(shape) > 1 else 0.5
            value = random.normal(0, scale, shape)
        else:
            shape = (layer["channels"],)
            value = (
                random.uniform(0.5, 1.5, shape)
                if part in ("variance", "scale")
                else random.normal(0, 0.3, shape)
            )
        found[name] = value.astype("float32")
    return found


def written(tree: Mapping[str, Any], values: Mapping[str, np.ndarray], binary: bool = True) -> bytes:
    """The unpacked file."""
    out: list[bytes] = []
    version = tree["version"]

    def say(*words: Any) -> None:
        out.append("".join(f"{word}\n" for word in words).encode())

    def numbers(name: str) -> None:
        value = values[name]
        if binary:
            out.append(b"@BIN@" + value.astype("<f4").tobytes() + b"\n")
        else:
            out.append(" ".join(f"{number:.9g}" for number in value.ravel()).encode() + b"\n")

    def layer(kind: str, node: Mapping[str, Any]) -> None:
        say(node["name"])
        if kind == "activation":
            if version >= 11:
                say(next(name for name, own in ACTIVATIONS.items() if own == node["function"]))
            return
        if kind == "norm":
            say(node["channels"], node["epsilon"], int(node["scale"]), int(node["bias"]))
            for part in ("mean", "variance", "scale", "bias"):
                if node.get(part, True):
                    numbers(f"{node['name']}/{part}")
            return
        if kind == "conv":
            say(*node["size"], node["in"], node["out"], *node["dilation"])
        elif kind == "matmul":
            say(node["in"], node["out"])
        else:
            say(node["channels"])
        numbers(node["name"])

    def parts(node: Mapping[str, Any], layout: Parts) -> None:
        for part, kind in layout:
            if kind == "blocks":
                for block in node[part]:
                    say(block["kind"], block["name"])
                    if "blocks" in block:
                        say(len(block["blocks"]))
                    parts(block, BLOCKS[block["kind"]])
            else:
                layer(kind, node[part])

    say(tree["name"], version, tree["inputs"], tree["numbers"])
    if version >= 13:
        say(*tree["scales"].values())
    if version >= 15:
        say(0, int(tree["always_suicide"]), *[0] * 6)
    trunk = tree["trunk"]
    wide = trunk["initialConv"]["out"]
    say("trunk", len(trunk["blocks"]), wide, wide, wide, 1, 4)
    if version >= 15:
        say(*[0] * 6)
    parts(trunk, TRUNK)
    for head, layout in heads(version).items():
        say(head)
        parts(tree[head], layout)
    return b"".join(out)


def drawn_file(folder: Path, version: int, suffix: str = ".bin.gz") -> Path:
    """A network file of a version, always the same one."""
    tree = drawn_tree(version)
    raw = written(tree, drawn_values(tree, version), binary=".bin" in suffix)
    path = folder / f"drawn{version}{suffix}"
    path.write_bytes(gzip.compress(raw, 1, mtime=0) if suffix.endswith(".gz") else raw)
    return path
