"""What is cached: listed, sized, verified, removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from server import HubServer

from conftest import FILES, NAME, contents, flip_a_bit
from sixarts_hub import Hub, Reference
from sixarts_hub.errors import BadReference, Corrupt, ManifestError, NotFound

pytestmark = pytest.mark.quick

MakeFolder = Callable[..., Path]
SHARED = {"model.safetensors": b"w" * 5000, "config.json": b"one"}


def on_disk(home: Path) -> int:
    return sum(path.lstat().st_size for path in home.rglob("*") if path.is_symlink() or path.is_file())


def rot(path: Path) -> None:
    """Change one bit and leave the file's time as it was, as only a disk does."""
    before = path.stat()
    flip_a_bit(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_nothing_cached(hub: Hub) -> None:
    assert (hub.cached(), hub.size(), hub.verify()) == ([], 0, [])


def test_cached_lists_each_commit(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, SHARED)
    hub.pull(NAME)
    second = server.add("a-b/c_d", {"config.json": b"two", "sub/vocab.txt": b"v"})
    hub.pull(f"a-b/c_d@{second}")
    other, model = hub.cached()
    assert model.reference == Reference("repo", NAME, "main")
    assert (model.commit, model.revision, model.size) == (first, "main", 5003)
    assert model.files == ("config.json", "model.safetensors")
    assert hub.pull(model.reference).path == model.path
    assert other.reference == Reference("repo", "a-b/c_d", second)
    assert (other.revision, other.files) == (None, ("config.json", "sub/vocab.txt"))


def test_size_counts_shared_content_once(server: HubServer, hub: Hub) -> None:
    server.add(NAME, SHARED)
    hub.pull(NAME)
    before = hub.size()
    server.add(NAME, {**SHARED, "config.json": b"two"})
    hub.pull(NAME, update=True)
    assert 5000 < before < hub.size() < before + 3000
    assert hub.size() == on_disk(hub.home)


def test_remove_a_commit_keeps_what_others_use(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, SHARED)
    hub.pull(NAME)
    second = server.add(NAME, {**SHARED, "config.json": b"two"})
    hub.pull(NAME, update=True)
    before = hub.size()
    freed = hub.remove(f"{NAME}@{first}")
    assert 0 < freed == before - hub.size() < 5000
    assert [entry.commit for entry in hub.cached()] == [second]
    assert contents(hub.pull(NAME).path) == {**SHARED, "config.json": b"two"}
    freed = hub.remove(f"{NAME}@main")
    assert freed > 5000
    assert hub.cached() == []


def test_a_removed_branch_is_resolved_anew(server: HubServer, hub: Hub) -> None:
    server.add(NAME, SHARED)
    hub.pull(NAME)
    hub.remove(f"{NAME}@main")
    moved = server.add(NAME, FILES)
    assert hub.pull(NAME).commit == moved


def test_remove_a_model_frees_all_of_it(server: HubServer, hub: Hub) -> None:
    server.add(NAME, SHARED)
    server.add("me/other", {"config.json": b"other"})
    hub.pull("me/other")
    alone = hub.size()
    hub.pull(NAME)
    assert hub.remove(NAME) > 5000
    assert hub.size() == alone
    assert [entry.reference.name for entry in hub.cached()] == ["me/other"]


def test_remove_what_is_not_cached(server: HubServer, hub: Hub, make_folder: MakeFolder) -> None:
    server.add(NAME, SHARED)
    hub.pull(NAME)
    with pytest.raises(NotFound, match=f"one of {NAME}"):
        hub.remove("me/other")
    with pytest.raises(NotFound):
        hub.remove(f"{NAME}@dev")
    folder = make_folder()
    with pytest.raises(BadReference, match="not cached"):
        hub.remove(folder)
    assert folder.is_dir()


def test_verify_finds_what_rotted_under_the_same_time(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    server.add("me/other", FILES)
    hub.pull("me/other")
    rot(hub.pull(NAME).path / "model.safetensors")
    (bad, error), (good, none) = hub.verify()
    assert (bad.reference.name, good.reference.name, none) == (NAME, "me/other", None)
    assert isinstance(error, Corrupt)
    assert "model.safetensors" in str(error)
    assert [error for _, error in hub.verify("me/other")] == [None]
    # And what it found is repaired by the next use, though the stamp looked right.
    hub.pull(NAME)
    assert [error for _, error in hub.verify(NAME)] == [None]


def test_verify_needs_no_network(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    asked = len(server.requests)
    hub.verify()
    assert len(server.requests) == asked


def test_verify_a_starter_and_a_folder(make_folder: MakeFolder, home: Path) -> None:
    folder = make_folder("en-zh")
    hub = Hub(home, offline=True, starters={"en-zh": lambda: folder})
    for reference in ("starter/en-zh", str(folder)):
        ((entry, error),) = hub.verify(reference)
        assert (entry.path, entry.commit, error) == (folder, None, None)
        assert "sub/vocab.txt" in entry.files
    hub.pull("starter/en-zh")
    rot(folder / "sub/vocab.txt")
    ((_, error),) = hub.verify("starter/en-zh")
    assert isinstance(error, Corrupt)
    with pytest.raises(Corrupt):
        hub.pull("starter/en-zh")
    (folder / "sixarts.json").unlink()
    ((_, error),) = hub.verify(folder)
    assert isinstance(error, ManifestError)


def test_verify_what_is_not_cached(hub: Hub) -> None:
    with pytest.raises(NotFound):
        hub.verify(NAME)
