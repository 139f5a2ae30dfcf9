"""Descriptions of new networks in KataGo's layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sixarts.errors import OptionError
from sixarts_game_ai.katago_layout import CHANNELS_CAP, NUMBERS, PLANES, SCALES, VERSIONS, policies, scores

#: What a new network is made of.
NEW = {"version": 10, "channels": 96, "blocks": 6, "pooling_channels": 32, "activation": "relu"}


def designed(new: Mapping[str, Any]) -> dict[str, Any]:
    """The description of a new network: ordinary blocks, every third one pooling, as g170's are.

    Args:
        new: values of all of :data:`NEW`.
    """
    version, wide, count = new["version"], new["channels"], new["blocks"]
    narrow, act = new["pooling_channels"], new["activation"]
    for name, value in (("channels", wide), ("blocks", count), ("pooling_channels", narrow)):
        if type(value) is not int or not 1 <= value <= min(CHANNELS_CAP, 1024):
            raise OptionError(f"{name}={value!r}; expected a whole number from 1 to 1024")
    if type(version) is not int or version not in VERSIONS:
        raise OptionError(f"version={version!r}; expected {VERSIONS[0]} to {VERSIONS[-1]}")
    if act not in ("relu", "mish"):
        raise OptionError(f"activation={act!r}; expected 'relu' or 'mish'")

    def conv(name: str, side: int, inside: int, out: int) -> dict[str, Any]:
        return {"name": name, "size": [side, side], "in": inside, "out": out, "dilation": [1, 1]}

    def norm(name: str, channels: int) -> dict[str, Any]:
        return {"name": name, "channels": channels, "epsilon": 1e-3, "scale": True, "bias": True}

    def matmul(name: str, inside: int, out: int) -> dict[str, Any]:
        return {"name": name, "in": inside, "out": out}

    def function(name: str) -> dict[str, Any]:
        return {"name": name, "function": act}

    def bias(name: str, channels: int) -> dict[str, Any]:
        return {"name": name, "channels": channels}

    def block(place: int) -> dict[str, Any]:
        name = f"rconv{place + 1}"
        pools = place % 3 == 2
        regular = max(1, wide - narrow) if pools else wide
        made = {
            "kind": "gpool_block" if pools else "ordinary_block",
            "name": name,
            "preBN": norm(f"{name}/norm1", wide),
            "preActivation": function(f"{name}/actv1"),
            "regularConv": conv(f"{name}/w1a" if pools else f"{name}/w1", 3, wide, regular),
        }
        if pools:
            made |= {
                "gpoolConv": conv(f"{name}/w1b", 3, wide, narrow),
                "gpoolBN": norm(f"{name}/norm1b", narrow),
                "gpoolActivation": function(f"{name}/actv1b"),
                "gpoolToBiasMul": matmul(f"{name}/w1r", 3 * narrow, regular),
            }
        return made | {
            "midBN": norm(f"{name}/norm2", regular),
            "midActivation": function(f"{name}/actv2"),
            "finalConv": conv(f"{name}/w2", 3, regular, wide),
        }

    count_of = policies(version)
    policy = {
        "p1Conv": conv("p1/w", 1, wide, narrow),
        "g1Conv": conv("g1/w", 1, wide, narrow),
        "g1BN": norm("g1/norm", narrow),
        "g1Activation": function("g1/actv"),
        "gpoolToBiasMul": matmul("matmulg2w", 3 * narrow, narrow),
        "p1BN": norm("p1/norm", narrow),
        "p1Activation": function("p1/actv"),
        "p2Conv": conv("p2/w", 1, narrow, count_of),
        "gpoolToPassMul": matmul("matmulpass", 3 * narrow, narrow if version >= 15 else count_of),
    }
    if version >= 15:
        policy |= {
            "gpoolToPassBias": bias("passbias", narrow),
            "passActivation": function("passactv"),
            "gpoolToPassMul2": matmul("matmulpass2", narrow, count_of),
        }
    return {
        "model_type": "katago",
        "name": f"new-b{count}c{wide}",
        "version": version,
        "inputs": PLANES,
        "numbers": NUMBERS,
        "scales": dict(SCALES),
        "always_suicide": False,
        "trunk": {
            "initialConv": conv("conv1", 5, PLANES, wide),
            "initialMatMul": matmul("ginputw", NUMBERS, wide),
            "blocks": [block(place) for place in range(count)],
            "trunkTipBN": norm("trunk/norm", wide),
            "trunkTipActivation": function("trunk/actv"),
        },
        "policyHead": policy,
        "valueHead": {
            "v1Conv": conv("v1/w", 1, wide, narrow),
            "v1BN": norm("v1/norm", narrow),
            "v1Activation": function("v1/actv"),
            "v2Mul": matmul("v2/w", 3 * narrow, 2 * narrow),
            "v2Bias": bias("v2/b", 2 * narrow),
            "v2Activation": function("v2/actv"),
            "v3Mul": matmul("v3/w", 2 * narrow, 3),
            "v3Bias": bias("v3/b", 3),
            "sv3Mul": matmul("sv3/w", 2 * narrow, scores(version)),
            "sv3Bias": bias("sv3/b", scores(version)),
            "vOwnershipConv": conv("vownership/w", 1, narrow, 1),
        },
    }
