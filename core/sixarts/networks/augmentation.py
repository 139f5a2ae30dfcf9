"""Random changes of pictures that keep what they show: Keras's own layers, one seed a batch."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import layers

from sixarts.compiled import to_numpy
from sixarts.networks.residual import CHANNELS


class Augmentation:
    """Moves, mirrors and partly hides pictures.

    Args:
        shift: how far at most, as a share of the sides; the border is mirrored into the gap.
        flip: whether left and right are swapped half of the time.
        erase: largest share of the sides that is hidden, half of the time.
    """

    def __init__(self, shift: float, flip: bool, erase: float) -> None:
        kept: list[Any] = []
        if shift:
            kept.append(
                layers.RandomTranslation(
                    shift, shift, fill_mode="reflect", interpolation="nearest", data_format=CHANNELS, seed=0
                )
            )
        if flip:
            kept.append(layers.RandomFlip("horizontal", data_format=CHANNELS, seed=1))
        if erase:
            # The mean of normalized values is 0; values have no fixed range there.
            kept.append(
                layers.RandomErasing(
                    factor=(0.5, 0.5),
                    scale=(erase * erase / 4, erase * erase),
                    fill_value=0.0,
                    value_range=(-1, 1),
                    data_format=CHANNELS,
                    seed=2,
                )
            )
        self.layers = kept

    @classmethod
    @functools.lru_cache(maxsize=8)
    def of(cls, shift: float, flip: bool, erase: float) -> Augmentation:
        """The one with these options; its layers are built once."""
        return cls(shift, flip, erase)

    def __call__(self, arrays: Mapping[str, np.ndarray], key: tuple[int, ...], device: Any) -> Any:
        """Changes ``pixel_values``; the same ``key`` gives the same changes."""
        if not self.layers:
            return arrays
        seed = zlib.crc32(repr(key).encode())
        with device.scope():
            pixels = keras.ops.convert_to_tensor(arrays["pixel_values"])
            for place, layer in enumerate(self.layers):
                layer.generator.state.assign(np.array([seed, place], "uint32"))
                pixels = layer(pixels, training=True)
            return {**arrays, "pixel_values": np.asarray(to_numpy(pixels))}
