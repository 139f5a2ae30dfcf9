"""What the contract stands on: workers, the network guard, reports and the pytest parametrization."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from sixarts.errors import InputError, UnknownName
from sixarts.testing import Check, Failed, Skipped, Subject, Worker, check_plugin, parametrize_with_checks
from sixarts.testing.offline import NetworkUsed, no_sockets, only_loopback
from sixarts.testing.report import outcome
from sixarts.testing.workers import WorkerError, installed_backends

HERE = "test_testing_support"


# What runs in a worker.


def backend_and(value: int) -> tuple[str, int]:
    import keras

    print("what is printed does not mix with answers")
    return keras.config.backend(), value


def refuse() -> None:
    raise InputError("nothing; expected something", 3)


def refuse_unsendable() -> None:
    raise UnknownName("task", "x", ["y"])


def die() -> None:
    print("last words", flush=True)
    os._exit(3)


def home() -> str:
    return os.environ["SIXARTS_HOME"]


# Workers.


def test_each_backend_answers_in_a_process_of_its_own(backends: dict[str, Worker]) -> None:
    assert set(backends) == set(installed_backends()) - {os.environ["KERAS_BACKEND"]}
    for name, worker in backends.items():
        assert worker.call(f"{HERE}:backend_and", 4) == (name, 4)
        assert worker.call(f"{HERE}:home") == os.environ["SIXARTS_HOME"]


@pytest.mark.quick
def test_a_worker_raises_what_the_function_raised() -> None:
    worker = Worker("jax")
    with pytest.raises(InputError, match="input 3: nothing") as raised:
        worker.call(f"{HERE}:refuse")
    assert raised.value.index == 3
    assert "in refuse" in raised.value.__notes__[0]
    with pytest.raises(WorkerError, match="UnknownName: no task 'x'"):
        worker.call(f"{HERE}:refuse_unsendable")
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        worker.call(f"{HERE}:nothing")
    worker.close()


@pytest.mark.quick
def test_a_worker_that_died_says_so_and_starts_again() -> None:
    worker = Worker("jax")
    with pytest.raises(WorkerError, match=r"(?s)exit code 3.*last words"):
        worker.call(f"{HERE}:die")
    assert worker.call("os:getcwd") == os.getcwd()
    worker.close()


@pytest.mark.quick
def test_a_worker_ends_when_its_parent_is_killed() -> None:
    code = (
        "import os; from sixarts.testing import Worker; w = Worker('jax');"
        "print(w.call('os:getpid'), flush=True); w.call('time:sleep', 60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        if not alive(child):
            return
        time.sleep(0.1)
    raise AssertionError("the worker outlived its parent by ten seconds")


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")  # a zombie is dead, though nobody has waited for it
    return not (stat.is_file() and ") Z " in stat.read_text())


# The network guard.


@pytest.mark.quick
def test_only_this_machine_is_reached() -> None:
    with only_loopback(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        socket.create_connection(("localhost", server.getsockname()[1])).close()
        for host in ("example.org", "192.0.2.1", "2001:db8::1"):
            with pytest.raises(NetworkUsed, match=host):
                socket.create_connection((host, 80), timeout=1)
        with pytest.raises(NetworkUsed), socket.socket() as plain:
            plain.connect(("192.0.2.1", 80))


@pytest.mark.quick
def test_no_socket_is_opened() -> None:
    with no_sockets():
        for family in (socket.AF_INET, socket.AF_INET6):
            with pytest.raises(NetworkUsed, match="a socket was opened"):
                socket.socket(family)
        for end in socket.socketpair():  # what an event loop opens is no network
            end.close()
    socket.socket().close()


@pytest.mark.quick
def test_tests_run_without_a_network() -> None:
    with pytest.raises(NetworkUsed):
        socket.getaddrinfo("example.org", 443)


# Reports and the parametrization.


def checked(error: Exception | None = None) -> Check:
    def run(subject: Subject) -> None:
        if error is not None:
            raise error

    return Check("mine", "A check of one's own.", run, "task", True)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("error", "expected", "status", "reason"),
    [
        (None, None, "passed", ""),
        (Failed("a is b"), None, "failed", "a is b"),
        (Skipped("not here"), None, "skipped", "not here"),
        (KeyError("k"), None, "failed", "KeyError: 'k'"),
        (Failed("a is b"), "known", "expected", "known"),
        (None, "known", "unexpected", "it passes, and was expected to fail: known"),
    ],
)
def test_an_outcome_tells_how_a_check_went(
    error: Exception | None, expected: str | None, status: str, reason: str
) -> None:
    found = outcome(checked(error), Subject.of("translation"), expected)
    assert (found.status, found.reason) == (status, reason)


@pytest.mark.quick
def test_a_check_runs_singly_and_a_report_prints() -> None:
    report = check_plugin("translation", checks=["spec_is_complete"])
    assert report
    assert str(report) == "✓ translation spec_is_complete\n1 passed"
    known = {("translation", "spec_is_complete"): "not yet"}
    report = check_plugin("translation", checks=["spec_is_complete"], expected_failures=known)
    assert not report
    assert "! translation spec_is_complete: it passes" in str(report)


@pytest.mark.quick
def test_unknown_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="spec_is_complete"):
        check_plugin("translation", checks=["spec_is_complet"])
    with pytest.raises(UnknownName, match="translation"):
        check_plugin("translatio")
    with pytest.raises(UnknownName, match="fit_resumes"):
        parametrize_with_checks(["translation"], {("translation", "fit_resume"): "no"})


@pytest.mark.quick
def test_the_parametrization_names_each_check_and_expects_failures_strictly() -> None:
    mark = parametrize_with_checks(["translation"], {("translation", "fit_resumes"): "not yet"})
    cases = {case.id: case for case in mark.args[1]}
    assert "translation-samples_run" in cases
    assert isinstance(cases["translation-samples_run"].values[0], partial)
    assert not cases["translation-samples_run"].marks
    (expected,) = cases["translation-fit_resumes"].marks
    assert expected.name == "xfail"
    assert expected.kwargs == {"reason": "not yet", "strict": True, "raises": Failed}
