"""One function on every Keras backend that is installed, all at once."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any


def everywhere(backends: Mapping[str, Any], module: ModuleType, function: str, *args: Any) -> dict[str, Any]:
    """What a function of ``module`` returns here and in each worker, by backend; ours is ``"here"``."""
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, f"{module.__name__}:{function}", *args)
            for name, worker in backends.items()
        }
        here = getattr(module, function)(*args)
        return {"here": here, **{name: future.result() for name, future in waiting.items()}}
