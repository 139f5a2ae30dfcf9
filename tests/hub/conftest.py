"""Fixtures of the ground floor's tests: a hub on loopback, a model on it, and a home of one's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from server import HubServer

from sixarts_hub import Hub, Manifest

NAME = "me/model"
FILES = {
    "config.json": b'{"model_type": "marian"}',
    "model.safetensors": bytes(range(256)) * 40,
    "pytorch_model.bin": b"a pickle, perhaps",
    "README.md": b"# A model",
    "modeling.py": b"import os",
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def hub(server: HubServer, home: Path) -> Hub:
    """A client of the loopback hub, with nothing cached."""
    return Hub(home, endpoint=server.url, offline=False)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "SIXARTS_HOME",
        "SIXARTS_OFFLINE",
        "SIXARTS_LOCK",
        "SIXARTS_TRUST",
        "SIXARTS_REQUIRE_SIGNATURE",
        "HF_HUB_OFFLINE",
        "HF_ENDPOINT",
        "HF_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Makes a model folder with a manifest."""

    def make(name: str = "folder", weights: bytes = b"weights" * 100) -> Path:
        folder = tmp_path / name
        (folder / "sub").mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(weights)
        (folder / "config.json").write_bytes(b"{}")
        (folder / "README.md").write_bytes(b"# Card")
        (folder / "sub" / "vocab.txt").write_bytes(b"a\nb\n")
        Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
        return folder

    return make


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many attempts as ever, without the waits in between."""
    monkeypatch.setattr("sixarts_hub.retry.FIRST_WAIT", 0.002)
    monkeypatch.setattr("sixarts_hub.retry.LONGEST_WAIT", 0.01)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def flip_a_bit(path: Path) -> None:
    """Change one bit of a file, as a failing disk would; size kept."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
