"""Processes that are killed, meet, get no room or no right: nothing half-written is taken for whole."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults import ALWAYS, inject
from server import HubServer, Way

from conftest import NAME, contents
from sixarts_hub import Hub
from sixarts_hub.errors import DiskError, HubError, Locked

ROOTS = [str(Path(__file__).parents[2] / "hub")]
SIZE = 200_000
FILES = {
    f"model-{number}.safetensors": random.Random(number).randbytes(SIZE + 1000 * number)
    for number in range(5)
} | {"config.json": b"{}", "empty.txt": b""}
TOTAL = sum(map(len, FILES.values()))
#: Ctrl-C is heard even where a shell started the tests in the background, which has their children ignore it.
PULL = f"""
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path[:0] = {ROOTS!r}
from sixarts_hub import Hub
hub = Hub(sys.argv[1], endpoint=sys.argv[2], offline=False)
print("ready", flush=True)
hub.pull({NAME!r}, progress=False)
print("done", flush=True)
"""
#: Slow enough that a pull takes about a second, most of it with several files on their way.
SLOW = Way(chunk=4096, pause=0.005)
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounting takes the rights of root"
)


def child(program: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def here(home: Path) -> int:
    """Bytes of content that are on the disk, whole or not."""
    return sum(path.stat().st_size for path in home.rglob("blobs/*"))


def whole(home: Path) -> dict[str, bytes]:
    """Every blob that counts as whole, by name."""
    return {path.name: path.read_bytes() for path in home.rglob("blobs/*") if not path.suffix}


def fetched_by(server: HubServer, hub: Hub) -> int:
    """Bytes that a pull fetches which leaves everything in place."""
    server.settle()
    before = sum(map(server.fetched, FILES))
    assert contents(hub.pull(NAME).path) == FILES
    server.settle()
    return sum(map(server.fetched, FILES)) - before


# Killed.


@pytest.mark.parametrize("seed", range(20))
def test_a_pull_that_is_killed_goes_on(seed: int, server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)
    server.way = SLOW
    wanted = random.Random(seed).uniform(0, 0.95) * TOTAL
    process = child(PULL, home, server.url)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 60
        while sum(server.sent.values()) < wanted and time.monotonic() < deadline:
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate()
    kept = here(home)
    for name, content in whole(home).items():
        digests = {hashlib.sha256(content).hexdigest()}
        digests.add(hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest())
        assert name in digests, "what counts as whole is whole"
    server.settle()
    before = server.sent.copy()
    asked = len(server.requests)
    server.way = Way()
    assert contents(Hub(home, endpoint=server.url, offline=False).pull(NAME).path) == FILES
    server.settle()
    fetched = sum(server.fetched(path) for path in FILES) - sum(
        count for path, count in before.items() if "/resolve/" in path
    )
    assert fetched == TOTAL - kept, "only what is missing"
    assert not list(home.rglob("*.incomplete"))
    parts = [request for request in server.requests[asked:] if "/resolve/" in request.path]
    assert all(request.range for request in parts if before[request.path] > SIZE / 2 and kept < TOTAL)


def test_an_interruption_ends_a_pull_at_once(server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)
    inject(server, "stall", r"GET .*\.safetensors", times=ALWAYS, at=50_000)
    process = child(PULL, home, server.url)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    deadline = time.monotonic() + 60
    while here(home) < 4 * 50_000 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    # Before the 30 seconds that a silence lasts; a busy machine takes some to end a process.
    _, errors = process.communicate(timeout=25)
    assert "KeyboardInterrupt" in errors
    assert "done" not in errors
    kept = here(home)
    assert kept >= 4 * 50_000
    server.faults.clear()
    assert fetched_by(server, Hub(home, endpoint=server.url, offline=False)) == TOTAL - kept


# Meeting.


def test_eight_processes_fetch_each_file_once(server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)
    server.way = Way(chunk=1 << 14, pause=0.002)
    processes = [child(PULL, home, server.url) for _ in range(8)]
    for process in processes:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert output == "ready\ndone\n"
    server.settle()
    assert {path: server.fetched(path) for path in FILES} == {path: len(body) for path, body in FILES.items()}
    assert contents(Hub(home, endpoint=server.url, offline=True).pull(NAME).path) == FILES


HOLD = f"""
import sys, time
sys.path[:0] = {ROOTS!r}
from pathlib import Path
from sixarts_hub.locks import held
with held(Path(sys.argv[1]), "a file", Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


def lock_of(server: HubServer, hub: Hub) -> Path:
    """Where the lock of the model's one file lies."""
    server.add(NAME, {"model.safetensors": FILES["model-0.safetensors"]})
    hub.pull(NAME)
    (lock,) = hub.home.rglob("*.lock")
    hub.remove(NAME)
    lock.parent.mkdir(parents=True, exist_ok=True)
    return lock


def test_a_lock_that_another_holds_is_named(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = lock_of(server, hub)
    monkeypatch.setattr("sixarts_hub.locks.LOCK_SECONDS", 0.3)
    process = child(HOLD, lock, hub.home / "nothing", 60)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Locked, match=rf"process {process.pid} holds .*{lock.name}.*; expected"):
            hub.pull(NAME)
    finally:
        process.kill()
        process.communicate()
    # The kernel let go of it.
    assert contents(hub.pull(NAME).path) == {"model.safetensors": FILES["model-0.safetensors"]}


def test_a_lock_is_waited_for_while_its_holder_works(
    server: HubServer, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sixarts_hub.locks import held

    monkeypatch.setattr("sixarts_hub.locks.LOCK_SECONDS", 0.5)
    growing = tmp_path / "growing"
    program = HOLD.replace(
        "time.sleep(float(sys.argv[3]))",
        "for _ in range(20):\n        open(sys.argv[2], 'ab').write(b'more'); time.sleep(0.05)",
    )
    process = child(program, tmp_path / "lock", growing, 0)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with held(tmp_path / "lock", "a file", growing):
        assert growing.stat().st_size == 20 * 4
    process.communicate()


# No room.


LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n" + PULL


def test_a_file_beyond_what_is_allowed_is_told_and_goes_on(server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)
    _, errors = child(LIMITED, home, server.url).communicate(timeout=60)
    assert "DiskError" in errors
    assert "make room" in errors
    kept = here(home)
    assert 0 < kept < TOTAL
    assert max(path.stat().st_size for path in home.rglob("blobs/*")) <= 100_000
    assert fetched_by(server, Hub(home, endpoint=server.url, offline=False)) == TOTAL - kept


def test_what_cannot_fit_is_refused_before_it_is_fetched(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    monkeypatch.setattr("sixarts_hub.disk.free", lambda folder: TOTAL - 1)
    with pytest.raises(DiskError, match=rf"{TOTAL} bytes .*{TOTAL - 1} bytes are free.*nothing was fetched"):
        hub.pull(NAME)
    assert not server.seen("resolve")
    monkeypatch.setattr("sixarts_hub.disk.free", lambda folder: TOTAL)
    assert contents(hub.pull(NAME).path) == FILES


@contextmanager
def mounted(place: Path, *arguments: str) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@needs_root
def test_a_disk_that_gets_full_is_told_and_goes_on(
    server: HubServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    hub = Hub(home, endpoint=server.url, offline=False)
    with mounted(home, "-t", "tmpfs", "-o", "size=1500k", "tmpfs"):
        # Another program takes the room meanwhile, which nobody can know before.
        (home / "other").write_bytes(b"\0" * 1_000_000)
        with pytest.raises(DiskError, match="are free in"):
            hub.pull(NAME)
        assert not server.seen("resolve")
        monkeypatch.setattr("sixarts_hub.disk.free", lambda folder: None)
        with pytest.raises(DiskError, match=r"No space left.*make room"):
            hub.pull(NAME)
        kept = here(home)
        assert kept > 0
        (home / "other").unlink()
        assert fetched_by(server, hub) == TOTAL - kept


# No right.


@needs_root
def test_a_cache_that_cannot_be_written_still_loads(server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)
    pulled = Hub(home, endpoint=server.url, offline=False).pull(NAME)
    server.add("me/other", {"config.json": b"{}"})
    with mounted(home, "--bind", str(home)):
        subprocess.run(["mount", "-o", "remount,ro,bind", str(home)], check=True)
        for offline in (False, True):
            hub = Hub(home, endpoint=server.url, offline=offline)
            assert hub.pull(NAME) == pulled
            assert [problem for _, problem in hub.verify(NAME)] == [None]
        with pytest.raises(HubError, match=r"Read-only.*SIXARTS_HOME"):
            Hub(home, endpoint=server.url, offline=False).pull("me/other")


# Time.


def test_a_clock_that_goes_backwards(server: HubServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add(NAME, FILES)
    hub = Hub(home, endpoint=server.url, offline=False)
    now = time.time
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now() + 400 * 86400)
        folder = hub.pull(NAME).path
    ahead = time.time() + 400 * 86400
    for path in home.rglob("*"):
        os.utime(path, (ahead, ahead))
    asked = len(server.requests)
    again = Hub(home, endpoint=server.url, offline=False)
    assert contents(again.pull(NAME).path) == FILES
    assert [problem for _, problem in again.verify(NAME)] == [None]
    assert len(server.requests) == asked
    (folder / "config.json").resolve().unlink()
    assert contents(again.pull(NAME).path) == FILES


def test_two_versions_side_by_side(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, FILES)
    second = server.add(NAME, {**FILES, "config.json": b"[]"})
    old, new = hub.pull(f"{NAME}@{first}"), hub.pull(NAME)
    assert (old.commit, new.commit) == (first, second)
    assert contents(old.path) == FILES
    assert contents(new.path) == {**FILES, "config.json": b"[]"}
    server.settle()
    assert sum(map(server.fetched, FILES)) == TOTAL + 2
