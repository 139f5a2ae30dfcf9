"""Leases: held by those who use a model, let go of by a kill, no hindrance where nothing can be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sixarts_hub import leases
from sixarts_hub.errors import DiskError, Locked

pytestmark = pytest.mark.quick

HOUR = 3600.0
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    return tmp_path / "models--me--model" / "sixarts" / "0.lease"


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a program in a process of its own, and returns once it says something."""
    started: list[subprocess.Popen[str]] = []

    def run(program: str) -> subprocess.Popen[str]:
        code = f"import sys, time, os; from pathlib import Path; from sixarts_hub import leases\n{program}"
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def holding(lease: Path) -> str:
    """A program that holds a lease until its input ends."""
    return f"leases.hold(Path({str(lease)!r})); print('ready', flush=True); sys.stdin.read()"


def test_what_another_process_holds_is_refused_with_its_number(lease: Path, start: Start) -> None:
    child = start(holding(lease))
    with pytest.raises(Locked, match="me/model") as refused, leases.exclusive("me/model", lease):
        pass
    if sys.platform == "linux":
        assert f"process {child.pid} uses" in str(refused.value)


def test_a_killed_process_lets_go(lease: Path, start: Start) -> None:
    child = start(holding(lease))
    child.send_signal(signal.SIGKILL)
    child.wait()
    with leases.exclusive("me/model", lease):
        pass


def test_several_hold_and_all_must_let_go(lease: Path, start: Start) -> None:
    first, second = start(holding(lease)), start(holding(lease))
    first.communicate("")
    with pytest.raises(Locked), leases.exclusive("me/model", lease):
        pass
    second.communicate("")
    with leases.exclusive("me/model", lease):
        pass


def test_one_process_holds_at_once_and_gives_up_what_it_asks_for_itself(lease: Path) -> None:
    leases.hold(lease)
    leases.hold(lease)
    assert leases.holds(lease)
    with leases.exclusive("me/model", lease):
        pass
    assert not leases.holds(lease)


def test_a_refusal_leaves_every_lease_as_it_was(lease: Path, start: Start) -> None:
    mine, theirs = lease.with_name("mine.lease"), lease.with_name("theirs.lease")
    leases.hold(mine)
    start(holding(theirs))
    with pytest.raises(Locked), leases.exclusive("me/model", mine, theirs):
        pass
    assert leases.holds(mine)
    program = f"""
try:
    with leases.exclusive("me/model", Path({str(mine)!r})): print("free", flush=True)
except leases.Locked: print("ready", flush=True)
"""
    start(program)


def test_what_this_process_shares_with_another_is_refused_and_kept(lease: Path, start: Start) -> None:
    leases.hold(lease)
    start(holding(lease))
    with pytest.raises(Locked), leases.exclusive("me/model", lease):
        pass
    assert leases.holds(lease)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_holds_for_itself(lease: Path, start: Start) -> None:
    # In another process, so that this one, which has threads, does not fork.
    program = f"""
lease = Path({str(lease)!r})
leases.hold(lease)
ask, answer = os.pipe()
child = os.fork()
if not child:
    os.read(ask, 1)
    os._exit(0)
while len(leases._holders(lease).split(",")) < 2:
    time.sleep(0.01)
try:
    with leases.exclusive("me/model", lease): print("free", flush=True)
except leases.Locked as error: print("ready", flush=True)
os.write(answer, b"x")
os.waitpid(child, 0)
with leases.exclusive("me/model", lease): print("free at last", flush=True)
"""
    child = start(program)
    assert child.communicate()[0] == "free at last\n"


def test_a_use_waits_for_a_removal_that_ends(lease: Path, start: Start) -> None:
    program = f"""
with leases.exclusive("me/model", Path({str(lease)!r})):
    print("ready", flush=True)
    time.sleep(0.3)
    os.unlink({str(lease)!r})
"""
    start(program)
    leases.hold(lease)
    assert leases.holds(lease)
    assert lease.is_file()


def test_a_removal_that_does_not_end_is_named(
    lease: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "PATIENCE_SECONDS", 0.1)
    child = start(
        f"with leases.exclusive('me/model', Path({str(lease)!r})):\n"
        "    print('ready', flush=True); sys.stdin.read()"
    )
    with pytest.raises(Locked, match="expected the removal") as refused:
        leases.hold(lease)
    if sys.platform == "linux":
        assert str(child.pid) in str(refused.value)


def test_a_lease_that_was_removed_under_its_holder_is_taken_anew(lease: Path) -> None:
    leases.hold(lease)
    lease.unlink()
    assert not leases.holds(lease)
    leases.hold(lease)
    assert leases.holds(lease)


@pytest.mark.skipif(leases.flock is None, reason="no flock here")
def test_a_lease_that_is_replaced_while_it_is_locked_is_looked_at_again(
    lease: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Between opening it and locking it, a removal ends and the next user makes and holds a new one.
    opened, users = leases._opened, []

    def overtaken(path: Path) -> int:
        descriptor = opened(path)
        if not users:
            path.unlink()
            users.append(opened(path))
            leases.flock(users[0], leases.LOCK_SH)
        return descriptor

    monkeypatch.setattr(leases, "_opened", overtaken)
    with pytest.raises(Locked), leases.exclusive("me/model", lease):
        pass
    os.close(users[0])
    with leases.exclusive("me/model", lease):
        pass


def test_a_home_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    lease = tmp_path / "file" / "sixarts" / "0.lease"
    leases.hold(lease)
    with leases.shared(lease):
        assert not leases.holds(lease)
    with pytest.raises(DiskError, match="by hand"), leases.exclusive("me/model", lease):
        pass


def test_a_lease_that_others_made_is_held_for_reading(lease: Path, start: Start) -> None:
    with leases.shared(lease):
        pass
    lease.chmod(0o444)
    lease.parent.chmod(0o555)
    try:
        start(holding(lease))
        with pytest.raises(Locked), leases.exclusive("me/model", lease):
            pass
    finally:
        lease.parent.chmod(0o755)


def test_use_is_recorded_once_an_hour_and_never_set_back(lease: Path) -> None:
    assert leases.last_use(lease) is None
    now = time.time()
    leases.hold(lease)
    for recorded, kept in ((now - HOUR / 2, True), (now + 9 * HOUR, True), (now - 2 * HOUR, False)):
        os.utime(lease, (recorded, recorded))
        leases.hold(lease)
        used = leases.last_use(lease)
        assert used is not None
        assert abs(used - (recorded if kept else now)) < 60
