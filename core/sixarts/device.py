"""Where a model runs: one device or many, and in which precision.

The Keras backend is one per process: ``KERAS_BACKEND``, else Keras's own configuration. Nothing here
switches it. Devices are checked against what the backend really sees, since TensorFlow falls back to
the CPU without a word.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sixarts.errors import DeviceError, nearest

#: Precision to the Keras dtype policy that layers get. The narrow ones keep their variables in float32,
#: so that saving loses nothing and training stays stable.
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}

_NAME = re.compile(r"(cpu|gpu|tpu)(?::(\d+|\*))?")


def backend() -> str:
    """Name of the active Keras backend: ``"tensorflow"``, ``"jax"`` or ``"torch"``."""
    import keras

    return str(keras.config.backend())


@functools.cache
def devices() -> tuple[str, ...]:
    """Names of the devices that the active backend sees, e.g. ``("cpu:0", "gpu:0")``."""
    found = _SEEN[backend()]()
    return tuple(sorted(found, key=lambda name: (name.split(":")[0], int(name.split(":")[1]))))


def _seen_by_tensorflow() -> list[str]:
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        with contextlib.suppress(RuntimeError):  # set too late: TensorFlow already holds the GPU
            tf.config.experimental.set_memory_growth(gpu, True)
    return [
        f"{kind.lower()}:{index}"
        for kind in ("CPU", "GPU", "TPU")
        for index, _ in enumerate(tf.config.list_logical_devices(kind))
    ]


def _seen_by_jax() -> list[str]:
    import jax

    found = {f"{_jax_kind(device)}:{device.id}" for device in jax.devices()}
    return sorted(found | {f"cpu:{device.id}" for device in jax.devices("cpu")})


def _jax_kind(device: Any) -> str:
    return {"cuda": "gpu", "rocm": "gpu"}.get(device.platform, str(device.platform))


def _seen_by_torch() -> list[str]:
    import torch

    return ["cpu:0"] + [f"gpu:{index}" for index in range(torch.cuda.device_count())]


_SEEN = {"tensorflow": _seen_by_tensorflow, "jax": _seen_by_jax, "torch": _seen_by_torch}


@dataclass(frozen=True)
class Device:
    """A checked device with its precision; make one with :meth:`of`.

    Attributes:
        names: the devices used, e.g. ``("gpu:0",)``; more than one runs data-parallel.
        precision: ``"float32"``, ``"bfloat16"`` or ``"float16"``.
    """

    names: tuple[str, ...]
    precision: str = "float32"

    @classmethod
    def of(cls, name: str | Device = "auto", precision: str | None = None) -> Device:
        """The device that ``name`` means here.

        Args:
            name: ``"auto"`` (an accelerator if there is one), ``"cpu"``, ``"gpu"``, ``"gpu:1"``, ``"tpu"``,
                or ``"gpu:*"`` for all of a kind.
            precision: ``"float32"`` (the default), ``"bfloat16"`` or ``"float16"``.

        Raises:
            DeviceError: no such device here, or no such precision; the message lists those that are.
        """
        if isinstance(name, Device):
            return name if precision is None else cls(name.names, _checked_precision(precision))
        precision = _checked_precision(precision or "float32")
        here = devices()
        if name == "auto":
            name = next((seen for kind in ("tpu", "gpu") for seen in here if seen.startswith(kind)), "cpu:0")
        match = _NAME.fullmatch(str(name).lower())
        if not match:
            near = nearest(str(name), [*here, "auto", "cpu", "gpu", "tpu", "gpu:*"])
            hint = f"; the nearest: {', '.join(near)}" if near else ""
            raise DeviceError(
                f"device {name!r} is none of auto, cpu, gpu, gpu:N, gpu:*, tpu{hint}; here: {', '.join(here)}"
            )
        kind, which = match.groups()
        chosen = tuple(
            seen
            for seen in here
            if seen.split(":")[0] == kind and (which == "*" or seen.split(":")[1] == (which or "0"))
        )
        if kind == "tpu" and which is None:
            chosen = tuple(seen for seen in here if seen.startswith("tpu"))
        if not chosen:
            raise DeviceError(
                f"device {name!r} is not seen by Keras on {backend()}; here: {', '.join(here)}; "
                "install that backend's accelerator build, or choose one of these"
            )
        if len(chosen) > 1 and backend() != "jax":
            raise DeviceError(
                f"device {name!r} means {len(chosen)} devices, which needs Keras on JAX, and this process "
                f"runs on {backend()}; set KERAS_BACKEND=jax, or name one device"
            )
        return cls(chosen, precision)

    @property
    def policy(self) -> str:
        """The Keras dtype policy that a model's layers are built with."""
        return PRECISIONS[self.precision]

    @contextlib.contextmanager
    def scope(self) -> Iterator[None]:
        """Within it, variables are created and functions run on this device."""
        import keras

        if len(self.names) > 1:
            with keras.distribution.DataParallel(devices=list(self.names), auto_shard_dataset=False).scope():
                yield
        else:
            name = self.names[0]
            # Keras on PyTorch moves a parameter to "cpu:0" by copying it into a plain tensor.
            with keras.device("cpu" if name == "cpu:0" and backend() == "torch" else name):
                yield

    def __str__(self) -> str:
        return f"{', '.join(self.names)} ({self.precision})"


def _checked_precision(precision: str) -> str:
    if precision not in PRECISIONS:
        raise DeviceError(f"precision {precision!r} is unknown; expected one of {', '.join(PRECISIONS)}")
    return precision
