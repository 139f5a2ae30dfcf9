"""What all tests share: one Keras backend here, a worker for each other, no network, a home of their own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

# Before anything imports Keras: these are read once a process.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_DISABLE_XET"] = "1"  # the loopback hub speaks LFS
os.environ.pop("SIXARTS_OFFLINE", None)
os.environ.pop("SIXARTS_LOCK", None)
_HOME = tempfile.TemporaryDirectory(prefix="sixarts-tests-")
os.environ["SIXARTS_HOME"] = _HOME.name

import pytest  # noqa: E402
from server import HubServer  # noqa: E402

if TYPE_CHECKING:
    from sixarts.testing import Worker


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Nothing but this machine can be reached, in any test."""
    from sixarts.testing.offline import only_loopback

    with only_loopback():
        yield


@pytest.fixture(scope="session")
def backends() -> Iterator[dict[str, Worker]]:
    """A worker process for each installed Keras backend but this process's own, kept for the session."""
    from sixarts.testing.workers import workers

    yield workers()
    for worker in workers().values():
        worker.close()


@pytest.fixture(scope="module", autouse=True)
def without_xla(request: pytest.FixtureRequest) -> Iterator[None]:
    """In a module that says ``MANY_NETWORKS``, TensorFlow runs functions as they are.

    What XLA compiled is never let go: a process that compiles for some thousand small networks has no room
    for another mapping of memory, and ends. Tasks, starters and Marian's networks are tested with it.
    """
    if not getattr(request.module, "MANY_NETWORKS", False):
        yield
        return
    from sixarts import compiled

    plain = {
        "tensorflow": lambda function, variables, fused: compiled._for_tensorflow(function, variables, False)
    }
    with mock.patch.dict(compiled._COMPILERS, plain), without_graph_optimizer():
        yield


@contextlib.contextmanager
def without_graph_optimizer() -> Iterator[None]:
    """TensorFlow's own rewriting of graphs breaks some of them: an empty answer, or the process aborts."""
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        yield
        return
    import tensorflow as tf

    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **before})


@pytest.fixture
def server() -> Iterator[HubServer]:
    """A hub on loopback that holds nothing."""
    running = HubServer()
    yield running
    running.close()


@pytest.fixture
def everybodys(server: HubServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> HubServer:
    """The same as the hub that every command and call asks; nothing is waited for, nothing is cached."""
    for name in ("SIXARTS_OFFLINE", "HF_HUB_OFFLINE", "SIXARTS_LOCK", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("SIXARTS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("sixarts_hub.retry.FIRST_WAIT", 0.001)
    monkeypatch.setattr("sixarts_hub.retry.LONGEST_WAIT", 0.001)
    return server


def pytest_unconfigure() -> None:
    """Removes the session's home, which no test needs any more."""
    _HOME.cleanup()
