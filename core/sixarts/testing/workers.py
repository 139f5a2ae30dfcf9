"""One process a Keras backend, kept for a whole session: a backend is one per process, and slow to import.

::

    for name, worker in workers().items():
        answer = worker.call("my_tests.networks:answer", folder, arrays)
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import os
import pickle
import queue
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any

#: Keras backends, and what each imports.
BACKENDS = {"tensorflow": "tensorflow", "jax": "jax", "torch": "torch"}

_HEAD = struct.Struct("<Q")
_SERVE = "from sixarts.testing.workers import serve; serve()"


class WorkerError(RuntimeError):
    """A worker that died, or an error in it that cannot be sent."""


def installed_backends() -> tuple[str, ...]:
    """Names of the Keras backends that this environment has."""
    return tuple(name for name, module in BACKENDS.items() if importlib.util.find_spec(module))


@lru_cache(maxsize=1)
def workers() -> dict[str, Worker]:
    """A worker for each installed backend but this process's own; each starts with its first call."""
    from sixarts.device import backend

    return {name: Worker(name) for name in installed_backends() if name != backend()}


class Worker:
    """A process that runs Keras on one backend and ends with this one.

    Args:
        backend: what ``KERAS_BACKEND`` is there.
        environment: further variables of its environment.
    """

    def __init__(self, backend: str, environment: Mapping[str, str] | None = None) -> None:
        self.backend = backend
        self._environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {}), "KERAS_BACKEND": backend}
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<worker: Keras on {self.backend}>"

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Runs a function there and returns its result.

        Args:
            function: ``"package.module:function"``, found on this process's ``sys.path``.
            *args, **kwargs: anything that pickles.

        Raises:
            WorkerError: the worker died; its last output is in the message.
            Exception: whatever the function raised, with the worker's traceback as a note.
        """
        request = pickle.dumps((sys.path, function, args, kwargs))
        with self._lock:
            process = self._process or self._started()
            try:
                _send(process.stdin, request)
                answer = _receive(process.stdout)
            except (OSError, EOFError):
                raise self._died(process) from None
            except BaseException:
                self._stop()  # a late answer would be taken for the next call's
                raise
        done, value, trace = pickle.loads(answer)
        if done:
            return value
        value.add_note(f"in the worker on {self.backend}:\n{trace}")
        raise value

    def close(self) -> None:
        """Ends the process; the next call starts another."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe and pipe.close()

    def _started(self) -> subprocess.Popen[bytes]:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115, it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; {_SERVE}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **self._environment},
        )
        atexit.register(self.close)
        return self._process

    def _died(self, process: subprocess.Popen[bytes]) -> WorkerError:
        self._stop()
        tail = ""
        if self._log is not None:
            self._log.seek(0)
            tail = self._log.read()[-2000:].decode(errors="replace").strip()
        return WorkerError(f"the worker on {self.backend} ended (exit code {process.returncode}): {tail}")


def serve() -> None:
    """The worker's side: answers requests from standard input until it closes, or the parent dies."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the code under test prints must not mix with answers
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                requests.put(_receive(sys.stdin.buffer))
        except (EOFError, OSError):
            os._exit(0)  # also in the middle of a call

    threading.Thread(target=read, daemon=True).start()
    while True:
        _send(answers, _answered(requests.get()))


def _answered(request: bytes) -> bytes:
    try:
        path, function, args, kwargs = pickle.loads(request)
        sys.path[:] = path
        module, _, name = function.partition(":")
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        return pickle.dumps((True, found(*args, **kwargs), ""))
    except Exception as error:
        return _failed(error, traceback.format_exc())


def _failed(error: Exception, trace: str) -> bytes:
    try:
        answer = pickle.dumps((False, error, trace))
        pickle.loads(answer)
    except Exception:
        answer = pickle.dumps((False, WorkerError(f"{type(error).__name__}: {error}"), trace))
    return answer


def _send(pipe: Any, message: bytes) -> None:
    pipe.write(_HEAD.pack(len(message)))
    pipe.write(message)
    pipe.flush()


def _receive(pipe: Any) -> bytes:
    (size,) = _HEAD.unpack(_exactly(pipe, _HEAD.size))
    return _exactly(pipe, size)


def _exactly(pipe: Any, size: int) -> bytes:
    found: bytes = pipe.read(size)
    if len(found) < size:
        raise EOFError
    return found
