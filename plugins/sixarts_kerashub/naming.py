"""What Keras calls each variable of a KerasHub object in a ``.weights.h5`` file.

The names are given by Keras's own walk over a model's layers, which its reader and its writer share. The walk
is taken here as for a writer that keeps the variables themselves and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

# The walk has no public name; a Keras without it fails here, and not in silence later.
from keras.src.saving.saving_lib import H5IOStore, _save_state

#: A random layer's state is no weight: files leave it out, and no answer depends on it.
STATE = "seed_generator_state"


class _Names(H5IOStore):  # type: ignore[misc]
    """Where Keras's writer would put each variable."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.at = ""

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return False

    def __len__(self) -> int:
        return 0

    def make(self, path: str, metadata: Any = None) -> _Names:
        self.at = f"{path}/vars" if path else "vars"
        return self

    def __setitem__(self, key: str, variable: Any) -> None:
        if variable.name != STATE:
            self.found[f"{self.at}/{key}"] = variable

    def close(self) -> None:
        """There is no file."""


def named(owner: Any, without: Iterable[Any] = ()) -> dict[str, Any]:
    """Name in the file to variable.

    Args:
        owner: a Keras model.
        without: layers whose variables are in another file.

    Example::

        named(backbone)["layers/dense/vars/0"].shape
    """
    names = _Names()
    _save_state(
        owner, weights_store=names, assets_store=None, inner_path="", visited_saveables=set(map(id, without))
    )
    return names.found
