"""Removing and pruning: what a process uses stays, what a kill leaves is whole or swept."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sixarts_hub import leases
from sixarts_hub.cache import Cache, Cached
from sixarts_hub.errors import Locked
from sixarts_hub.listing import File, Listing
from sixarts_hub.removal import LEFTOVER_DAYS, prune, remove, remove_all

pytestmark = pytest.mark.quick

A, B, C = "a" * 40, "b" * 40, "c" * 40
ENDPOINT = "https://hub.example"
DAY = 86400.0
WEIGHTS = b"w" * 5000


@pytest.fixture
def cache(home: Path) -> Cache:
    return Cache(home, ENDPOINT)


def fill(
    cache: Cache, name: str, commit: str, branch: str | None = None, days: float = 0.0, **files: bytes
) -> None:
    """Put a commit into the cache as a pull does; ``days`` ago it was last used."""
    files = {"config": commit.encode(), "sub/weights": WEIGHTS, **files}
    folder, listed = cache.folder(name), []
    for path, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        blob, link = folder / "blobs" / digest, cache.snapshot(name, commit) / f"{path}.json"
        for place in (blob, link):
            place.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(content)
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
        listed.append(File(f"{path}.json", len(content), f"sha256:{digest}"))
    cache.keep_listing(name, Listing(commit, tuple(listed)))
    if branch:
        cache.pin(name, branch, commit)
    lease = cache.lease(name, commit)
    with leases.shared(lease):
        os.utime(lease, (time.time() - days * DAY,) * 2)


def commits(cache: Cache, name: str | None = None) -> str:
    """The first letters of the commits that are listed, each of which must be whole."""
    found = [entry for entry in cache.cached() if name in (None, entry.reference.name)]
    for entry in found:
        listing = cache.listing(entry.reference.name, entry.path.name)
        assert listing is not None
        assert entry.files == tuple(sorted(listing.paths))
        for file in listing:
            content = (entry.path / file.path).read_bytes()
            assert f"sha256:{hashlib.sha256(content).hexdigest()}" == file.digest
    return "".join(entry.path.name[0] for entry in found)


def age(path: Path, days: float) -> Path:
    os.utime(path, (time.time() - days * DAY,) * 2, follow_symlinks=False)
    return path


@pytest.fixture
def user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that uses ``me/model`` at commit A."""
    code = (
        "import sys; from pathlib import Path; from sixarts_hub.cache import Cache\n"
        f"with Cache(Path({str(home)!r}), {ENDPOINT!r}).using('me/model', {A!r}): pass\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_what_a_process_uses_is_not_removed(cache: Cache, user: subprocess.Popen[str]) -> None:
    fill(cache, "me/model", A, "main")
    fill(cache, "me/model", B)
    with pytest.raises(Locked, match=f"me/model@{A}"):
        remove(cache, "me/model", A)
    with pytest.raises(Locked, match="received me/model, "):
        remove_all(cache, "me/model")
    assert commits(cache) == "ab"
    remove(cache, "me/model", B)
    assert commits(cache) == "a"
    user.send_signal(signal.SIGKILL)
    user.wait()
    assert remove_all(cache, "me/model") > len(WEIGHTS)
    assert (commits(cache), cache.size()) == ("", 0)


def test_prune_goes_by_last_use(cache: Cache) -> None:
    fill(cache, "me/old", A, "main", days=40)
    fill(cache, "me/older", B, "main", days=400)
    fill(cache, "me/new", C, "main", days=1)
    assert prune(cache).removed == ()
    pruned = prune(cache, timedelta(days=30))
    assert [entry.reference.name for entry in pruned.removed] == ["me/old", "me/older"]
    assert pruned.freed > 2 * len(WEIGHTS)
    assert commits(cache) == "c"
    assert cache.pinned("me/old", "main") is None


def test_a_use_makes_it_young_again(cache: Cache) -> None:
    fill(cache, "me/model", A, days=40)
    with cache.using("me/model", A):
        pass
    assert prune(cache, timedelta(days=30)) == prune(cache, timedelta(days=30), dry_run=True)
    assert commits(cache) == "a"


def test_a_clock_that_was_ahead_makes_nothing_old(cache: Cache) -> None:
    fill(cache, "me/model", A, days=-40)
    (entry,) = cache.cached()
    assert entry.used is not None
    assert abs(entry.used.timestamp() - time.time()) < 60
    assert prune(cache, timedelta(days=1)).removed == ()


def test_prune_keeps_what_is_named_and_the_last_ones(cache: Cache) -> None:
    for commit, days in ((A, 30), (B, 20), (C, 10)):
        fill(cache, "me/model", commit, days=days)
    fill(cache, "me/other", A, days=99)
    named = [entry for entry in cache.cached() if entry.reference.name == "me/other"]
    pruned = prune(cache, timedelta(days=15), named, keep_last=2)
    assert [entry.commit for entry in pruned.removed] == [A]
    pruned = prune(cache, None, named, keep_last=1)
    assert [entry.commit for entry in pruned.removed] == [B]
    assert (commits(cache, "me/model"), commits(cache, "me/other")) == ("c", "a")


def test_prune_leaves_what_is_in_use(cache: Cache, user: subprocess.Popen[str]) -> None:
    fill(cache, "me/model", A, days=99)
    fill(cache, "me/mine", B, days=99)
    leases.hold(cache.lease("me/mine", B))
    for entry in cache.cached():
        age(cache.lease(entry.reference.name, entry.path.name), 99)
    for dry_run in (True, False):
        pruned = prune(cache, timedelta(days=30), dry_run=dry_run)
        assert (pruned.removed, len(pruned.in_use)) == ((), 2)
    assert commits(cache) == "ba"
    assert leases.holds(cache.lease("me/mine", B))


def test_a_dry_run_says_what_a_run_does_and_does_nothing(cache: Cache) -> None:
    fill(cache, "me/model", A, "main", days=40)
    fill(cache, "me/model", B, days=1, extra=b"x" * 700)
    before = cache.size()
    planned = prune(cache, timedelta(days=30), dry_run=True)
    assert (cache.size(), commits(cache)) == (before, "ab")
    pruned = prune(cache, timedelta(days=30))
    assert [entry.commit for entry in planned.removed] == [entry.commit for entry in pruned.removed] == [A]
    # The weights are the other commit's as well; beside content, small records go.
    assert len(A) <= planned.freed <= pruned.freed == before - cache.size() < 2000


def test_what_nobody_recorded_a_use_of_is_as_old_as_its_folder(cache: Cache) -> None:
    fill(cache, "me/model", A)
    fill(cache, "me/young", B)
    for name, commit, days in (("me/model", A, 40), ("me/young", B, 1)):
        cache.lease(name, commit).unlink()
        age(cache.snapshot(name, commit), days)
    # To look whether it is in use is no use.
    for dry_run in (True, True, False):
        pruned = prune(cache, timedelta(days=30), dry_run=dry_run)
        assert [entry.reference.name for entry in pruned.removed] == ["me/model"]
    assert commits(cache) == "b"


def test_leftovers_go_when_they_are_old(cache: Cache) -> None:
    fill(cache, "me/model", A, "main")
    folder = cache.folder("me/model")
    made = {
        "incomplete": folder / "blobs" / f"{C}.incomplete",
        "unlinked": folder / "blobs" / C,
        "wrong": folder / "quarantine" / C,
        "temporary": folder / "sixarts" / f".{A}.listing.json.1.abcd.tmp",
        "pin": folder / "refs" / ".main.1.abcd.tmp",
        "link": cache.snapshot("me/model", A) / ".config.json.1.2.tmp",
        "record": folder / "sixarts" / f"{C}.listing.json",
        "lease": cache.lease("me/gone", C),
    }
    for path in made.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        age(path, 0) if path.exists() else path.write_bytes(b"x" * 100)
    # While they are young, a pull may go on with them.
    assert prune(cache).freed == 0
    assert all(path.exists() for path in made.values())
    for path in made.values():
        age(path, LEFTOVER_DAYS + 1)
    with leases.shared(cache.pulling("me/model")):
        prune(cache)
        assert made["incomplete"].exists()
    assert prune(cache, dry_run=True).freed == 700
    assert prune(cache).freed == 700
    assert not [path for path in made.values() if path.exists()]
    assert not cache.folder("me/gone").exists()
    assert commits(cache) == "a"


def test_content_waits_while_another_process_fetches(cache: Cache) -> None:
    fill(cache, "me/model", A)
    fill(cache, "me/model", B)
    with leases.shared(cache.pulling("me/model")):
        remove(cache, "me/model", A)
        assert commits(cache) == "b"
        blobs = list((cache.folder("me/model") / "blobs").iterdir())
        assert len(blobs) == 3
        with pytest.raises(Locked):
            remove_all(cache, "me/model")
    assert prune(cache).freed > 0
    assert len(list((cache.folder("me/model") / "blobs").iterdir())) == 2
    assert commits(cache) == "b"


def test_a_hundred_models_are_listed_whole(cache: Cache) -> None:
    for number in range(100):
        fill(cache, f"me/model-{number:03}", A, "main")
    found: list[Cached] = cache.cached()
    assert [entry.reference.name for entry in found] == [f"me/model-{number:03}" for number in range(100)]
    assert {entry.size for entry in found} == {len(A) + len(WEIGHTS)}


# Kills. A process forks a child for each try; a hook in the child counts what it does to the disk, and kills
# it at one step. Every step is tried.

_KILLED = """
import os, shutil, signal, sys
from datetime import timedelta
from pathlib import Path
from sixarts_hub.cache import Cache
from sixarts_hub.removal import prune, remove, remove_all
cache = Cache(Path(sys.argv[1]), sys.argv[2])
left = 0
def count(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
for line in sys.stdin:
    child = os.fork()
    if not child:
        left = int(line)
        sys.addaudithook(count)
        exec(sys.argv[3])
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def killer(home: Path) -> Iterator[Callable[[str, int], int]]:
    """Runs an action and kills it at a step; its exit code."""
    processes: dict[str, subprocess.Popen[str]] = {}

    def run(action: str, step: int) -> int:
        if action not in processes:
            command = [sys.executable, "-c", _KILLED, str(home), ENDPOINT, action]
            pipe = subprocess.PIPE
            processes[action] = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        process = processes[action]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{step}\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield run
    for process in processes.values():
        process.communicate()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize(
    ("action", "remaining"),
    [
        (f"remove(cache, 'me/model', {A!r})", "b"),
        ("remove_all(cache, 'me/model')", ""),
        ("prune(cache, timedelta(days=30))", "b"),
    ],
)
def test_killed_at_every_step(
    cache: Cache, home: Path, killer: Callable[[str, int], int], action: str, remaining: str
) -> None:
    steps = 0
    while True:
        fill(cache, "me/model", A, "main", days=99)
        fill(cache, "me/model", B, "dev", days=1)
        fill(cache, "me/other", C, "main", days=1)
        code = killer(action, steps)
        # Whatever is listed is whole; what was not asked to go is listed.
        assert commits(cache, "me/other") == "c"
        listed = commits(cache, "me/model")
        assert listed in ("ab", remaining)
        assert cache.pinned("me/other", "main") == C
        if code == 0:
            break
        assert code == -signal.SIGKILL
        steps += 1
        if steps % 2:
            continue  # the next round works on top of what this one left
        prune(cache)
        assert not list(home.rglob(".removed/*"))
        if listed == remaining:
            assert cache.pinned("me/model", "main") is None
            assert not list(cache.folder("me/model").rglob(f"{A}*"))
    assert steps > 5
    assert listed == remaining
    prune(cache)
    linked = {path.resolve() for path in home.rglob("*") if path.is_symlink()}
    blobs = {path.resolve() for path in home.rglob("blobs/*")}
    assert blobs == linked
