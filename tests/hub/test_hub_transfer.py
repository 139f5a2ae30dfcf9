"""A file on its way, and all that can go wrong with it: what arrives is whole, and no byte comes twice."""

from __future__ import annotations

import hashlib
import os
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from faults import ALWAYS, HTML, inject
from server import HubServer, as_json, git_sha1

from conftest import NAME, contents, flip_a_bit
from sixarts_hub import Hub
from sixarts_hub.errors import Corrupt, HubError, Unreachable

pytestmark = pytest.mark.quick

SIZE = 300_000
WEIGHTS = random.Random(7).randbytes(SIZE)
FILES = {"config.json": b'{"model_type": "marian"}', "model.safetensors": WEIGHTS}
WEIGHTS_AT = r"GET .*resolve.*\.safetensors"
TREE = f"GET /api/models/{NAME}/tree"
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()


@pytest.fixture
def short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for, in the order of size that they have."""
    monkeypatch.setattr("sixarts_hub.guard.READ_SECONDS", 0.12)
    monkeypatch.setattr("sixarts_hub.wire.PACE_SECONDS", 0.12)
    monkeypatch.setattr("sixarts_hub.wire.HEADER_SECONDS", 0.2)


def partial(home: Path) -> list[int]:
    """Sizes of what has arrived in part."""
    return [path.stat().st_size for path in home.rglob("*.incomplete")]


def quarantined(home: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(home.rglob("quarantine/*"))]


#: What passes: the fault, and its arguments.
PASSING: list[tuple[str, dict[str, Any]]] = [
    *[("status", {"code": code}) for code in (408, 429, 500, 502, 503, 504)],
    ("status", {"code": 503, "retry_after": "0"}),
    ("status", {"code": 429, "retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}),
    ("reset", {"at": 0}),
    ("reset", {"at": 100_000}),
    ("cut", {"at": 0}),
    ("cut", {"at": 100_000}),
    ("stall", {"at": 0}),
    ("stall", {"at": 100_000}),
    ("trickle", {}),
    ("headers trickle", {}),
    ("hang", {}),
]
SPOILED: list[tuple[str, dict[str, Any]]] = [("wrong bytes", {}), ("page", {}), ("longer", {})]


def named(case: tuple[str, dict[str, Any]]) -> str:
    return "-".join([case[0], *map(str, case[1].values())])


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("case", [*PASSING, *SPOILED, ("no length", {})], ids=named)
def test_a_fault_that_passes_is_not_seen(
    case: tuple[str, dict[str, Any]], server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    inject(server, case[0], WEIGHTS_AT, **case[1])
    assert contents(hub.pull(NAME).path) == FILES
    assert server.faults[0].left == 0
    assert not partial(hub.home)


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize("case", [*PASSING, ("page", {})], ids=named)
@pytest.mark.parametrize("asked", ["/revision/", "/tree/"])
def test_a_fault_of_the_api_that_passes(
    case: tuple[str, dict[str, Any]], asked: str, server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    if "at" in case[1]:
        case = (case[0], {"at": case[1]["at"] // 10_000})
    inject(server, case[0], asked, **case[1])
    if case[0] == "page":
        with pytest.raises(Unreachable, match=r"not a hub's.*proxies"):
            hub.pull(NAME)
    assert contents(hub.pull(NAME).path) == FILES


@pytest.mark.usefixtures("short_limits")
@pytest.mark.parametrize(
    ("asked", "case"),
    [
        *[(WEIGHTS_AT, case) for case in PASSING],
        *[("/tree/", case) for case in (("status", {"code": 503}), ("hang", {}), ("headers trickle", {}))],
    ],
    ids=lambda part: named(part) if isinstance(part, tuple) else part,
)
def test_a_fault_that_stays_is_told_after_some_attempts(
    case: tuple[str, dict[str, Any]], asked: str, server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    if case[1].get("at"):
        # So that five attempts do not bring all of it.
        case = (case[0], {"at": 10_000})
    inject(server, case[0], asked, times=ALWAYS, **case[1])
    with pytest.raises(Unreachable, match=r"received .*; expected .*tried 5 times"):
        hub.pull(NAME)
    assert len(server.seen(asked)) == 5
    server.faults.clear()
    assert contents(hub.pull(NAME).path) == FILES


def test_a_file_that_fails_stops_the_others(server: HubServer, hub: Hub) -> None:
    server.add(NAME, {**FILES, "other.safetensors": WEIGHTS[::-1]})
    inject(server, "stall", r"GET .*resolve/.*/other\.safetensors", times=ALWAYS, at=1000)
    inject(server, "wrong bytes", r"GET .*resolve/.*/model\.safetensors", times=ALWAYS)
    with pytest.raises(Corrupt, match=r"model\.safetensors"):
        hub.pull(NAME)
    # Though the limit of a silence is far away.
    assert not [thread for thread in threading.enumerate() if thread.name == "sixarts-crew"]
    server.faults.clear()
    assert contents(hub.pull(NAME).path)["other.safetensors"] == WEIGHTS[::-1]


# Going on.


def test_a_cut_file_goes_on_where_it_was_cut(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    for _ in range(3):
        inject(server, "cut", WEIGHTS_AT, at=50_000)
    assert contents(hub.pull(NAME).path) == FILES
    asked = [request.range for request in server.requests if request.path.endswith(".safetensors")]
    assert asked == [None, 50_000, 100_000, 150_000]
    assert server.fetched("model.safetensors") == SIZE


@pytest.mark.usefixtures("short_limits")
def test_what_arrived_is_used_by_the_next_pull(server: HubServer, hub: Hub, home: Path) -> None:
    server.add(NAME, FILES)
    inject(server, "stall", WEIGHTS_AT, times=ALWAYS, at=20_000)
    with pytest.raises(Unreachable):
        hub.pull(NAME)
    assert partial(home) == [5 * 20_000]
    server.faults.clear()
    assert contents(Hub(home, endpoint=server.url, offline=False).pull(NAME).path) == FILES
    assert server.fetched("model.safetensors") == SIZE
    assert server.fetched("config.json") == len(FILES["config.json"])


def test_attempts_that_bring_much_are_not_counted(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sixarts_hub.transfer.ENOUGH", 10_000)
    server.add(NAME, FILES)
    inject(server, "cut", WEIGHTS_AT, times=ALWAYS, at=20_000)
    assert contents(hub.pull(NAME).path) == FILES
    assert len(server.seen(WEIGHTS_AT)) == 15


@pytest.mark.parametrize("fault", ["ignored ranges", "misplaced"])
def test_a_part_from_elsewhere_is_not_appended(fault: str, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    inject(server, "cut", WEIGHTS_AT, at=50_000)
    inject(server, fault, WEIGHTS_AT)
    assert contents(hub.pull(NAME).path) == FILES
    assert not quarantined(hub.home)


def leave_a_part(home: Path, server: HubServer, hub: Hub, content: bytes) -> None:
    """Put ``content`` where the weights arrive."""
    hub.pull(NAME, lambda listing, read: ["config.json"])
    blobs = next(home.rglob("blobs"))
    (blobs / f"{SHA256}.incomplete").write_bytes(content)


@pytest.mark.parametrize(
    ("content", "fetched"),
    [
        (b"", SIZE),
        (WEIGHTS[:1000], SIZE - 1000),
        (WEIGHTS, 0),
        (b"\0" * 1000, SIZE - 1000 + SIZE),
        (b"\0" * SIZE, SIZE),
        (WEIGHTS + b"more", SIZE),
    ],
    ids=["empty", "a part", "all", "another's part", "all zeros, as after a power cut", "too much"],
)
def test_a_part_is_held_against_the_digest(
    content: bytes, fetched: int, server: HubServer, hub: Hub, home: Path
) -> None:
    server.add(NAME, FILES)
    leave_a_part(home, server, hub, content)
    assert contents(hub.pull(NAME).path) == FILES
    assert server.fetched("model.safetensors") == fetched


def test_a_part_longer_than_what_the_server_has(server: HubServer, hub: Hub, home: Path) -> None:
    commit = server.add(NAME, FILES)
    leave_a_part(home, server, hub, WEIGHTS[:2000])
    server.repos[NAME].commits[commit] = {**FILES, "model.safetensors": WEIGHTS[:1000]}
    with pytest.raises(Corrupt, match=rf"of 1000 bytes, sha256:\w+; expected {SIZE} bytes, sha256:{SHA256}"):
        hub.pull(NAME)
    assert server.seen(WEIGHTS_AT)


# Wrong content.


@pytest.mark.parametrize("case", SPOILED, ids=named)
@pytest.mark.parametrize("path", FILES)
def test_what_stays_wrong_is_corrupt(
    path: str, case: tuple[str, dict[str, Any]], server: HubServer, hub: Hub, home: Path
) -> None:
    server.add(NAME, FILES)
    inject(server, case[0], rf"GET .*resolve.*{path}", times=ALWAYS, **case[1])
    with pytest.raises(Corrupt, match=rf"received {path} .*; expected {len(FILES[path])} bytes, .*twice"):
        hub.pull(NAME)
    assert len(server.seen(f"GET .*resolve.*{path}")) == 2
    assert not list(home.rglob(f"snapshots/*/{path}"))
    keys = {git_sha1(FILES[path]), hashlib.sha256(FILES[path]).hexdigest()}
    assert not [key for key in keys if list(home.rglob(f"{key}.incomplete"))]
    # Kept for a look, one of it, and never more than was announced.
    assert len(quarantined(home)) <= 1
    assert all(len(content) <= len(FILES[path]) for content in quarantined(home))
    server.faults.clear()
    assert contents(hub.pull(NAME).path) == FILES


def test_both_digests_are_told(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    inject(server, "wrong bytes", WEIGHTS_AT, times=ALWAYS)
    wrong = hashlib.sha256(bytes(byte ^ 1 for byte in WEIGHTS)).hexdigest()
    with pytest.raises(Corrupt, match=rf"sha256:{wrong}; expected {SIZE} bytes, sha256:{SHA256}"):
        hub.pull(NAME)


def test_a_page_in_place_of_a_file_is_told_with_its_digest(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    inject(server, "page", WEIGHTS_AT, times=ALWAYS)
    with pytest.raises(Corrupt, match=f"of {len(HTML)} bytes, sha256:{hashlib.sha256(HTML).hexdigest()}"):
        hub.pull(NAME)


def test_the_quarantine_does_not_grow(server: HubServer, hub: Hub, home: Path) -> None:
    files = {f"model-{number}.safetensors": bytes([number]) * 100 for number in range(10)}
    server.add(NAME, files)
    for _ in range(2):
        folder = hub.pull(NAME).path
        for path in files:
            flip_a_bit(folder / path)
    hub.pull(NAME)
    assert len(quarantined(home)) == 4


def test_a_tree_that_changes_between_two_requests(server: HubServer, hub: Hub, home: Path) -> None:
    first = server.add(NAME, FILES)
    other = server.add(NAME, {**FILES, "model.safetensors": WEIGHTS[::-1]}, branch="dev")
    # Bytes of another commit under its own name, then under the name that was asked for.
    inject(server, "header", WEIGHTS_AT, X_Repo_Commit=other)
    with pytest.raises(Unreachable, match=f"received the commit '{other}'.*expected {first}"):
        hub.pull(NAME)
    server.repos[NAME].commits[first] = server.repos[NAME].commits[other]
    with pytest.raises(Corrupt, match=SHA256):
        hub.pull(NAME)
    assert not list(home.rglob("snapshots/*/model.safetensors"))


@pytest.mark.parametrize("dropped", ["X_Repo_Commit", "ETag"])
def test_dropped_headers_are_refused(dropped: str, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    inject(server, "header", WEIGHTS_AT, times=ALWAYS, **{dropped: None})
    with pytest.raises(Unreachable, match="nothing was written"):
        hub.pull(NAME)
    assert len(server.seen(WEIGHTS_AT)) == 1


# What no digest covers.


def without_digests(server: HubServer) -> None:
    """Let the tree tell names and sizes only."""
    tree = [{"type": "file", "path": path, "size": len(body)} for path, body in FILES.items()]
    inject(server, "answer", TREE, times=ALWAYS, answer=as_json(tree))


def test_what_no_digest_covers_is_recorded_and_held_from_then_on(
    server: HubServer, hub: Hub, home: Path
) -> None:
    server.add(NAME, FILES)
    without_digests(server)
    folder = hub.pull(NAME).path
    assert contents(folder) == FILES
    flip_a_bit(folder / "model.safetensors")
    with pytest.raises(Corrupt, match=f"sha256:{SHA256}"):
        Hub(home, endpoint=server.url, offline=True).pull(NAME)
    ((_, problem),) = hub.verify(NAME)
    assert isinstance(problem, Corrupt)
    assert contents(hub.pull(NAME).path) == FILES
    (folder / "model.safetensors").resolve().unlink()
    inject(server, "wrong bytes", WEIGHTS_AT, times=ALWAYS)
    with pytest.raises(Corrupt, match=f"sha256:{SHA256}"):
        hub.pull(NAME)


def test_what_no_digest_covers_is_not_put_together_from_parts(
    server: HubServer, hub: Hub, home: Path
) -> None:
    server.add(NAME, FILES)
    without_digests(server)
    inject(server, "cut", WEIGHTS_AT, times=5, at=10_000)
    with pytest.raises(HubError):
        hub.pull(NAME)
    assert contents(hub.pull(NAME).path) == FILES
    assert [request.range for request in server.requests][-1] is None


# Where it lies.


def test_a_file_put_in_the_place_of_another_is_hashed_again(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    content = (hub.pull(NAME).path / "model.safetensors").resolve()
    before = content.stat()
    other = content.with_name("other")
    other.write_bytes(WEIGHTS[::-1])
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, content)
    assert contents(hub.pull(NAME).path) == FILES


def test_what_a_commit_shares_with_another_is_fetched_once(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, FILES)
    second = server.add(NAME, {**FILES, "config.json": b"{}"}, branch="dev")
    folders = [hub.pull(f"{NAME}@{commit}").path for commit in (first, second)]
    assert [contents(folder)["config.json"] for folder in folders] == [FILES["config.json"], b"{}"]
    assert contents(folders[1])["model.safetensors"] == WEIGHTS
    assert server.fetched("model.safetensors") == SIZE
    assert hub.pull(f"{NAME}@{first}").path == folders[0], "side by side"


def test_a_disk_without_links_gets_copies(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    server.add(NAME, FILES)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "symlink_to", refuse)
        folder = hub.pull(NAME).path
        assert contents(folder) == FILES
        assert not (folder / "config.json").is_symlink()
        flip_a_bit(folder / "model.safetensors")
        assert contents(hub.pull(NAME).path) == FILES
    assert server.fetched("model.safetensors") == SIZE
    asked = len(server.requests)
    assert hub.pull(NAME).path == folder
    assert len(server.requests) == asked


def test_links_survive_a_move_of_the_cache(server: HubServer, hub: Hub, home: Path) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    moved = home.rename(home.with_name("moved"))
    asked = len(server.requests)
    assert contents(Hub(moved, endpoint=server.url, offline=False).pull(NAME).path) == FILES
    assert len(server.requests) == asked
