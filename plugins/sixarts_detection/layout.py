"""Names of weights that the published detectors share, and the two spellings that files hold them in.

Source: ``transformers``, whose files keep the names of its first release while its networks have new ones
(5.24, ``conversion_mapping.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sixarts.networks import published
from sixarts.networks.published import Targets

#: First spelling to the later one, as patterns.
RENAMED = {
    r"backbone\.conv_encoder": "backbone",
    r"\.out_proj\.": ".o_proj.",
    r"(layers\.\d+)\.(fc[12])\.": r"\1.mlp.\2.",
    r"encoder\.encoder\.(\d+)\.layers": r"encoder.aifi.\1.layers",
}


def spelled(found: Targets, renamed: Mapping[str, str] = RENAMED) -> Targets:
    """Weights under both spellings: a file holds one of them, and the first is written.

    >>> list(spelled({("model.encoder.layers.0.fc1.bias",): None}))
    [('model.encoder.layers.0.fc1.bias', 'model.encoder.layers.0.mlp.fc1.bias')]
    """
    both: Targets = {}
    for names, target in found.items():
        later = [_renamed(name, renamed) for name in names]
        both[tuple(dict.fromkeys([*names, *later]))] = target
    return both


def _renamed(name: str, renamed: Mapping[str, str]) -> str:
    for pattern, new in renamed.items():
        name = re.sub(pattern, new, name)
    return name


def attention(at: str, layer: Any) -> Targets:
    """The projections of an attention."""
    names = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "out": "out_proj"}
    return published.attention({part: f"{at}.{name}" for part, name in names.items()}, layer)


def block(at: str, layer: Any) -> Targets:
    """What blocks of encoders and decoders have in common: self-attention, feed-forward, two norms."""
    found = attention(f"{at}.self_attn", layer.attention)
    found |= published.norm(f"{at}.self_attn_layer_norm", layer.attention_norm)
    found |= published.dense(f"{at}.fc1", layer.feed_forward.inner)
    found |= published.dense(f"{at}.fc2", layer.feed_forward.outer)
    return found | published.norm(f"{at}.final_layer_norm", layer.norm)


def perceptron(at: str, layer: Any) -> Targets:
    """A stack of dense layers."""
    found: Targets = {}
    for place, dense in enumerate(layer.layers):
        found |= published.dense(f"{at}.layers.{place}", dense)
    return found
