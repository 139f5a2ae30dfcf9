"""Sixarts: a task's name to a trained Keras model's answer.

::

    import sixarts as sa

    translate = sa.load("translation")
    translate("I have a dog.")

Everything here is imported on first use, so ``import sixarts`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import errors
    from .batching import Batch
    from .catalog import models
    from .device import Device, devices
    from .explanation import Explanation
    from .hookspecs import hookimpl
    from .loading import load, new
    from .model import Model, Processor
    from .plugins import plugins, tasks
    from .result import Failure, Metrics, Result
    from .spec import FamilySpec, ModelEntry, TaskSpec
    from .task import Options, Task

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "Device",
    "Explanation",
    "Failure",
    "FamilySpec",
    "Metrics",
    "Model",
    "ModelEntry",
    "Options",
    "Processor",
    "Result",
    "Task",
    "TaskSpec",
    "__version__",
    "devices",
    "errors",
    "hookimpl",
    "load",
    "models",
    "new",
    "plugins",
    "tasks",
]

#: Public name to the module that holds it.
_HOMES = {
    "Batch": "batching",
    "Device": "device",
    "Explanation": "explanation",
    "Failure": "result",
    "FamilySpec": "spec",
    "Metrics": "result",
    "Model": "model",
    "ModelEntry": "spec",
    "Options": "task",
    "Processor": "model",
    "Result": "result",
    "Task": "task",
    "TaskSpec": "spec",
    "devices": "device",
    "hookimpl": "hookspecs",
    "load": "loading",
    "models": "catalog",
    "new": "loading",
    "tasks": "plugins",
}
#: Public names that are modules; ``plugins`` is callable as well.
_MODULES = ("errors", "plugins")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _HOMES:
        value = getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
