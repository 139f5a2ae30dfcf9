"""``sixarts doctor``: what is installed, what is active and why, and what is wrong.

Each section stands by itself: a broken one says so in its place, and the others are shown.
"""

from __future__ import annotations

import importlib.metadata
import json as jsonlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sixarts

from .options import AsJson
from .output import show_json, size_of

LIBRARIES = (
    "keras",
    "numpy",
    "tensorflow",
    "jax",
    "torch",
    "huggingface-hub",
    "safetensors",
    "pluggy",
    "typer",
)
BACKENDS = ("tensorflow", "jax", "torch")
#: A cold TensorFlow on a slow disk takes most of a minute to import.
SECONDS = 180


def versions() -> dict[str, str]:
    """What is installed, by the package metadata: nothing is imported."""
    found = {
        "sixarts": sixarts.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def backend() -> dict[str, str]:
    """The Keras backend that this process would take, and why."""
    name, why = _chosen_backend()
    if name not in BACKENDS:
        problem = f"unknown; expected one of {', '.join(BACKENDS)}"
    elif versions()[name] == "not installed":
        problem = f"not installed; install with: pip install {name}"
    else:
        problem = ""
    return {"name": name, "why": why} | ({"problem": problem} if problem else {})


def _chosen_backend() -> tuple[str, str]:
    """As Keras chooses: the environment, then its configuration file, then its default."""
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "KERAS_BACKEND is set"
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    file = home / "keras.json"
    try:
        stated = jsonlib.loads(file.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):
        stated = None
    if stated:
        return str(stated), f"{file} says so"
    return "tensorflow", "the default of Keras"


def devices() -> list[str]:
    """The devices, asked in another process: a backend may crash, hang or print while it is imported."""
    code = "import json, sixarts; print(json.dumps(sixarts.devices()))"
    asked = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if asked.returncode != 0:
        last = (asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"])[-1]
        raise RuntimeError(f"the backend does not load: {last}")
    found: list[str] = jsonlib.loads(asked.stdout.strip().splitlines()[-1])
    return found


def cache() -> dict[str, Any]:
    """Where the cache is, how much it holds, and whether the network is off."""
    from sixarts.hubs import default_hub

    hub = default_hub()
    return {
        "folder": str(hub.home),
        "size": size_of(hub.size()),
        "models": len(hub.cached()),
        "offline": hub.offline,
    }


def plugins() -> list[dict[str, str]]:
    """Every plugin's state, with the reason."""
    return [asdict(state) for state in sixarts.plugins()]


SECTIONS: dict[str, Callable[[], Any]] = {
    "versions": versions,
    "backend": backend,
    "devices": devices,
    "cache": cache,
    "plugins": plugins,
}


def examined(section: Callable[[], Any]) -> Any:
    """What a section found, or ``{"error": …}`` when it fails, for whatever reason."""
    try:
        return section()
    except Exception as error:  # the doctor reports every illness and dies of none
        return {"error": f"{type(error).__name__}: {error}"}


def doctor(json: AsJson = False) -> None:
    """Show versions, the backend and why it is active, devices, cache, and plugin states with reasons."""
    if json:
        return show_json({name: examined(section) for name, section in SECTIONS.items()})
    for name, section in SECTIONS.items():
        print(name)
        for line in _lines(examined(section)):
            print(f"  {line}", flush=True)
    return None


def _lines(found: Any) -> list[str]:
    if isinstance(found, dict):
        width = max(map(len, found))
        return [f"{name:<{width}}  {value}" for name, value in found.items()]
    if found and isinstance(found[0], dict):
        return [_plugin_line(state) for state in found]
    return found or ["none"]


def _plugin_line(state: dict[str, str]) -> str:
    origin = f"{state['distribution']} {state['version']}".strip()
    reason = f": {state['reason']}" if state["reason"] else ""
    return f"{state['name']} ({origin})  {state['state']}{reason}"
