"""What a KataGo network is made of: its parts in the order of its file, and how their sizes go together.

A network is described by a tree of plain values that ``config.json`` holds: the parts of each block and head
under KataGo's names for them, each with the name that its weights have.

Source: the published networks, and what KataGo's own program reads of them (versions 8 to 16 of its format).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from sixarts.errors import CheckpointError
from sixarts_hub.strict_json import short

#: Versions of the format that are read; 3 to 7 have other inputs, 17 has transformer blocks.
VERSIONS = range(8, 17)
PLANES, NUMBERS = 22, 19
#: Names in files to Keras's.
ACTIVATIONS = {
    "ACTIVATION_IDENTITY": "linear",
    "ACTIVATION_RELU": "relu",
    "ACTIVATION_MISH": "mish",
    "ACTIVATION_SILU": "silu",
}

Parts = tuple[tuple[str, str], ...]
#: Part to its kind, in a file's order.
ORDINARY: Parts = (
    ("preBN", "norm"),
    ("preActivation", "activation"),
    ("regularConv", "conv"),
    ("midBN", "norm"),
    ("midActivation", "activation"),
    ("finalConv", "conv"),
)
POOLING: Parts = (
    ("preBN", "norm"),
    ("preActivation", "activation"),
    ("regularConv", "conv"),
    ("gpoolConv", "conv"),
    ("gpoolBN", "norm"),
    ("gpoolActivation", "activation"),
    ("gpoolToBiasMul", "matmul"),
    ("midBN", "norm"),
    ("midActivation", "activation"),
    ("finalConv", "conv"),
)
NESTED: Parts = (
    ("preBN", "norm"),
    ("preActivation", "activation"),
    ("preConv", "conv"),
    ("blocks", "blocks"),
    ("postBN", "norm"),
    ("postActivation", "activation"),
    ("postConv", "conv"),
)
BLOCKS = {"ordinary_block": ORDINARY, "gpool_block": POOLING, "nested_bottleneck_block": NESTED}
TRUNK: Parts = (
    ("initialConv", "conv"),
    ("initialMatMul", "matmul"),
    ("blocks", "blocks"),
    ("trunkTipBN", "norm"),
    ("trunkTipActivation", "activation"),
)
POLICY: Parts = (
    ("p1Conv", "conv"),
    ("g1Conv", "conv"),
    ("g1BN", "norm"),
    ("g1Activation", "activation"),
    ("gpoolToBiasMul", "matmul"),
    ("p1BN", "norm"),
    ("p1Activation", "activation"),
    ("p2Conv", "conv"),
    ("gpoolToPassMul", "matmul"),
)
#: What heads of policies have beside, from version 15 on.
PASS: Parts = (("gpoolToPassBias", "bias"), ("passActivation", "activation"), ("gpoolToPassMul2", "matmul"))
VALUE: Parts = (
    ("v1Conv", "conv"),
    ("v1BN", "norm"),
    ("v1Activation", "activation"),
    ("v2Mul", "matmul"),
    ("v2Bias", "bias"),
    ("v2Activation", "activation"),
    ("v3Mul", "matmul"),
    ("v3Bias", "bias"),
    ("sv3Mul", "matmul"),
    ("sv3Bias", "bias"),
    ("vOwnershipConv", "conv"),
)

#: Multipliers of outputs, which files state from version 13 on; these are everyone else's.
SCALES = {
    "td_score": 20.0,
    "score_mean": 20.0,
    "score_stdev": 20.0,
    "lead": 20.0,
    "variance_time": 40.0,
    "value_error": 0.25,
    "score_error": 30.0,
}

#: Most channels of a layer, sides of a convolution, blocks in a row, and nested blocks.
CHANNELS_CAP, SIDE_CAP, BLOCKS_CAP, DEPTH_CAP = 4096, 15, 256, 4
NAME_CAP = 200


def heads(version: int) -> dict[str, Parts]:
    """The parts of both heads."""
    return {"policyHead": POLICY + (PASS if version >= 15 else ()), "valueHead": VALUE}


def policies(version: int) -> int:
    """How many policies a network gives: the first is the one that is played by."""
    return 4 if version >= 16 else 2 if version >= 12 else 1


def scores(version: int) -> int:
    """How many numbers about the score it gives."""
    return 6 if version >= 9 else 4


def tensors(tree: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Every weight of a network, in a file's order.

    Returns:
        The name of a tensor, the layer that has it, and the part of the layer: ``"kernel"`` (of a
        convolution, a product or a bias), ``"mean"``, ``"variance"``, ``"scale"`` or ``"bias"``.
    """
    for kind, layer in layers_of(tree):
        if kind == "norm":
            for part in ("mean", "variance", "scale", "bias"):
                if layer.get(part, True):
                    yield f"{layer['name']}/{part}", layer, part
        elif kind != "activation":
            yield layer["name"], layer, "kernel"


def layers_of(tree: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kinds and descriptions of all layers, in a file's order."""
    yield from _layers(tree["trunk"], TRUNK)
    for head, parts in heads(tree["version"]).items():
        yield from _layers(tree[head], parts)


def _layers(node: Mapping[str, Any], parts: Parts) -> Iterator[tuple[str, dict[str, Any]]]:
    for part, kind in parts:
        if kind == "blocks":
            for block in node[part]:
                yield from _layers(block, BLOCKS[block["kind"]])
        else:
            yield kind, node[part]


def shape_of(kind: str, layer: Mapping[str, Any]) -> tuple[int, ...]:
    """The shape of a layer's tensors, as files have them."""
    if kind == "conv":
        return (*layer["size"], layer["in"], layer["out"])
    return (layer["in"], layer["out"]) if kind == "matmul" else (layer["channels"],)


def check(tree: Mapping[str, Any]) -> None:
    """Holds a description against the layout.

    Raises:
        CheckpointError: a part that is missing or of another kind, a size that does not fit its neighbor.
    """
    version = tree.get("version")
    if type(version) is not int or version not in VERSIONS:
        raise CheckpointError(
            f"a network of version {short(version)}; expected {VERSIONS[0]} to {VERSIONS[-1]}, without "
            "transformer blocks; choose another network"
        )
    if (tree.get("inputs"), tree.get("numbers")) != (PLANES, NUMBERS):
        raise _misfit("inputs", (tree.get("inputs"), tree.get("numbers")), (PLANES, NUMBERS))
    scales = tree.get("scales")
    if not isinstance(scales, Mapping) or set(scales) != set(SCALES):
        raise _misfit("scales", scales, sorted(SCALES))
    for name, value in scales.items():
        if type(value) not in (int, float) or not 0 < value < 1e6:
            raise _misfit(f"scale {name}", value, "a positive number")
    if type(tree.get("always_suicide")) is not bool:
        raise _misfit("always_suicide", tree.get("always_suicide"), "true or false")
    trunk = _node(tree, "trunk", TRUNK, 0)
    wide = trunk["initialConv"]["out"]
    _fits(trunk["initialConv"], "in", PLANES)
    _fits(trunk["initialMatMul"], "in", NUMBERS)
    _fits(trunk["initialMatMul"], "out", wide)
    _fits(trunk["trunkTipBN"], "channels", wide)
    _check_blocks(trunk["blocks"], wide)
    _check_policy(_node(tree, "policyHead", heads(version)["policyHead"], 0), wide, version)
    _check_value(_node(tree, "valueHead", VALUE, 0), wide, version)
    found: dict[str, int] = {}
    for name, _, _ in tensors(tree):
        found[name] = found.get(name, 0) + 1
    twice = [name for name, count in found.items() if count > 1]
    if twice:
        raise CheckpointError(f"two weights are called {twice[0][:NAME_CAP]!r}; expected a name for each")


def _check_blocks(blocks: list[dict[str, Any]], wide: int) -> None:
    for block in blocks:
        _fits(block["preBN"], "channels", wide)
        if block["kind"] == "nested_bottleneck_block":
            _fits(block["preConv"], "in", wide)
            inner = block["preConv"]["out"]
            _check_blocks(block["blocks"], inner)
            _fits(block["postBN"], "channels", inner)
            _fits(block["postConv"], "in", inner)
            _fits(block["postConv"], "out", wide)
            continue
        _fits(block["regularConv"], "in", wide)
        middle = block["regularConv"]["out"]
        if block["kind"] == "gpool_block":
            _fits(block["gpoolConv"], "in", wide)
            pooled = block["gpoolConv"]["out"]
            _fits(block["gpoolBN"], "channels", pooled)
            _fits(block["gpoolToBiasMul"], "in", 3 * pooled)
            _fits(block["gpoolToBiasMul"], "out", middle)
        _fits(block["midBN"], "channels", middle)
        _fits(block["finalConv"], "in", middle)
        _fits(block["finalConv"], "out", wide)


def _check_policy(head: Mapping[str, Any], wide: int, version: int) -> None:
    count = policies(version)
    _fits(head["p1Conv"], "in", wide)
    _fits(head["g1Conv"], "in", wide)
    middle, pooled = head["p1Conv"]["out"], head["g1Conv"]["out"]
    _fits(head["g1BN"], "channels", pooled)
    _fits(head["gpoolToBiasMul"], "in", 3 * pooled)
    _fits(head["gpoolToBiasMul"], "out", middle)
    _fits(head["p1BN"], "channels", middle)
    _fits(head["p2Conv"], "in", middle)
    _fits(head["p2Conv"], "out", count)
    _fits(head["gpoolToPassMul"], "in", 3 * pooled)
    if version >= 15:
        between = head["gpoolToPassMul"]["out"]
        _fits(head["gpoolToPassBias"], "channels", between)
        _fits(head["gpoolToPassMul2"], "in", between)
        _fits(head["gpoolToPassMul2"], "out", count)
    else:
        _fits(head["gpoolToPassMul"], "out", count)


def _check_value(head: Mapping[str, Any], wide: int, version: int) -> None:
    _fits(head["v1Conv"], "in", wide)
    pooled = head["v1Conv"]["out"]
    _fits(head["v1BN"], "channels", pooled)
    _fits(head["v2Mul"], "in", 3 * pooled)
    middle = head["v2Mul"]["out"]
    _fits(head["v2Bias"], "channels", middle)
    _fits(head["v3Mul"], "in", middle)
    _fits(head["v3Mul"], "out", 3)
    _fits(head["v3Bias"], "channels", 3)
    _fits(head["sv3Mul"], "in", middle)
    _fits(head["sv3Mul"], "out", scores(version))
    _fits(head["sv3Bias"], "channels", scores(version))
    _fits(head["vOwnershipConv"], "in", pooled)
    _fits(head["vOwnershipConv"], "out", 1)


def _node(tree: Mapping[str, Any], name: str, parts: Parts, depth: int) -> Mapping[str, Any]:
    """A part of the tree, each of whose own parts is of its kind."""
    node = tree.get(name)
    if not isinstance(node, Mapping):
        raise _misfit(name, node, "an object")
    _check_node(name, node, parts, depth)
    return node


def _check_node(name: str, node: Mapping[str, Any], parts: Parts, depth: int) -> None:
    for part, kind in parts:
        found = node.get(part)
        if kind == "blocks":
            if type(found) is not list or not 0 < len(found) <= BLOCKS_CAP or depth >= DEPTH_CAP:
                raise _misfit(f"{name}: blocks", found, f"a list of 1 to {BLOCKS_CAP}")
            for block in found:
                if not isinstance(block, Mapping) or block.get("kind") not in BLOCKS:
                    raise _misfit(f"{name}: a block", block, f"one of {', '.join(BLOCKS)}")
                _named(name, block)
                _check_node(block["name"], block, BLOCKS[block["kind"]], depth + 1)
        elif not isinstance(found, Mapping):
            raise _misfit(f"{name}: {part}", found, f"a layer of kind {kind}")
        else:
            _named(f"{name}: {part}", found)
            _check_layer(kind, found)


def _named(where: str, node: Mapping[str, Any]) -> None:
    name = node.get("name")
    if not (isinstance(name, str) and 0 < len(name) <= NAME_CAP and name.isascii() and name.isprintable()):
        raise _misfit(f"{where}: name", name, f"1 to {NAME_CAP} ASCII characters")


def _check_layer(kind: str, layer: Mapping[str, Any]) -> None:
    name = layer["name"]
    if kind == "activation":
        if layer.get("function") not in ACTIVATIONS.values():
            raise _misfit(f"{name}: function", layer.get("function"), ", ".join(ACTIVATIONS.values()))
        return
    sizes = {"conv": ("in", "out"), "matmul": ("in", "out")}.get(kind, ("channels",))
    for size in sizes:
        if type(layer.get(size)) is not int or not 0 < layer[size] <= CHANNELS_CAP:
            raise _misfit(f"{name}: {size}", layer.get(size), f"1 to {CHANNELS_CAP} channels")
    if kind == "conv":
        for what in ("size", "dilation"):
            pair = layer.get(what)
            sound = type(pair) is list and len(pair) == 2
            if not sound or not all(type(side) is int and 0 < side <= SIDE_CAP for side in pair):  # type: ignore[union-attr]
                raise _misfit(f"{name}: {what}", pair, f"two numbers from 1 to {SIDE_CAP}")
        if any(side % 2 == 0 for side in layer["size"]):
            raise _misfit(f"{name}: size", layer["size"], "odd sides")
    if kind == "norm":
        epsilon = layer.get("epsilon")
        if type(epsilon) not in (int, float) or not 0 < epsilon < 1 or not math.isfinite(epsilon):
            raise _misfit(f"{name}: epsilon", epsilon, "a number from 0 to 1")
        if type(layer.get("scale")) is not bool or type(layer.get("bias")) is not bool:
            raise _misfit(f"{name}: scale, bias", (layer.get("scale"), layer.get("bias")), "true or false")


def _fits(layer: Mapping[str, Any], size: str, expected: int) -> None:
    if layer[size] != expected:
        raise _misfit(f"{layer['name']}: {size}", layer[size], expected)


def _misfit(what: str, found: Any, expected: Any) -> CheckpointError:
    return CheckpointError(
        f"{what} is {short(found)}; expected {expected}; the network is damaged, or of another kind"
    )
