"""The text of a lock: read back as written, refused when hostile, asked what a reference means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts_hub import Lockfile, Reference
from sixarts_hub.errors import HubError, LockfileError, UnsafeFile
from sixarts_hub.lockfile import Entry
from sixarts_hub.manifest import FileEntry

pytestmark = pytest.mark.quick

COMMIT, OTHER = "a" * 40, "b" * 40
SHA = "0" * 64
HUB = "https://huggingface.co"
FILES = {"config.json": FileEntry(24, SHA), "sub/vocab.txt": FileEntry(0, "f" * 64)}
MODEL = Entry(FILES, COMMIT, HUB, task="translation")
STARTER = Entry({"sixarts.json": FileEntry(9, SHA)}, release="sixarts 0.1.0", task="translation")


def plain(**changes: Any) -> dict[str, Any]:
    """An entry as it stands in the file."""
    files = {"config.json": {"size": 24, "sha256": SHA}}
    return {"endpoint": HUB, "commit": COMMIT, "files": files, **changes}


def written(path: Path, models: Any, version: Any = 1) -> Path:
    path.write_text(json.dumps({"format": version, "models": models}))
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    entries = {"me/model@dev": MODEL, "starter/en-zh": STARTER, "hf://starter/model": MODEL}
    lock = Lockfile(entries, tmp_path / "sixarts.lock")
    lock.write()
    assert Lockfile.read(lock.path) == lock
    assert lock.path.read_text().endswith("}\n")


def test_the_text_is_sorted_and_stable(tmp_path: Path) -> None:
    turned = Entry(dict(reversed(FILES.items())), COMMIT, HUB)
    first = Lockfile({"a/b": MODEL, "a/a": turned}, tmp_path / "first")
    second = Lockfile({"a/a": turned, "a/b": MODEL}, tmp_path / "second")
    first.write()
    second.write()
    text = first.path.read_text()
    assert text == second.path.read_text()
    assert text.index('"a/a"') < text.index('"a/b"')
    # A file's digest on a line of its own: a change reads well as a difference.
    assert sum(SHA in line for line in text.splitlines()) == 2


def test_what_a_reference_means() -> None:
    lock = Lockfile({"me/model": MODEL, "me/old@v1": Entry(FILES, OTHER, HUB), "starter/en-zh": STARTER})
    assert lock.find(Reference.parse("me/model")) is MODEL
    assert lock.find(Reference.parse("me/model@main")) is MODEL
    assert lock.find(Reference.parse(f"me/model@{COMMIT}"), update=True) is MODEL
    assert lock.find(Reference.parse("starter/en-zh"), update=True) is STARTER
    # These say by themselves what they mean.
    assert lock.find(Reference.parse("./folder")) is None
    assert lock.find(Reference.parse(f"me/else@{COMMIT}")) is None
    for absent in ("me/model@v1", "me/old", "me/else", "starter/en-fr", "hf://starter/en-zh"):
        with pytest.raises(LockfileError, match="sixarts lock"):
            lock.find(Reference.parse(absent))
    with pytest.raises(LockfileError, match="update=True"):
        lock.find(Reference.parse("me/model"), update=True)
    assert lock.key(Reference.parse("me/model@main")) == "me/model"
    assert lock.key(Reference.parse("me/model@dev")) == "me/model@dev"


def test_a_folder_of_the_same_name_nearby_makes_no_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert "me/model" in Lockfile.read(written(tmp_path / "lock", {"me/model": plain()})).entries


@pytest.mark.parametrize(
    "models",
    [
        [],
        {"me/model": None},
        {"me/model": []},
        {"../up": plain()},
        {"./folder": plain()},
        {"me/model@": plain()},
        {"me": plain()},
        {"hf://me/model": plain()},
        {"https://evil.example/me/model": plain()},
        {f"me/model@{OTHER}": plain()},
        {"me/model": plain(commit="../../etc")},
        {"me/model": plain(commit=COMMIT.upper())},
        {"me/model": plain(commit=None)},
        {"me/model": plain(endpoint=None)},
        {"me/model": plain(endpoint="file:///etc")},
        {"me/model": plain(endpoint="https://user:pass@hub.example")},
        {"me/model": plain(task="\x1b[2J")},
        {"me/model": plain(task=7)},
        {"me/model": plain(files={})},
        {"me/model": plain(files=["config.json"])},
        {"me/model": plain(files={"config.json": {"size": -1, "sha256": SHA}})},
        {"me/model": plain(files={"config.json": {"size": True, "sha256": SHA}})},
        {"me/model": plain(files={"config.json": {"size": 1.5, "sha256": SHA}})},
        {"me/model": plain(files={"config.json": {"size": 1, "sha256": "0" * 63}})},
        {"me/model": plain(files={"config.json": {"size": 1}})},
        {"starter/en-zh": plain()},
        {"starter/en-zh": {"files": {"config.json": {"size": 1, "sha256": SHA}}}},
    ],
)
def test_a_hostile_entry_is_refused(tmp_path: Path, models: Any) -> None:
    with pytest.raises(LockfileError, match="expected what `sixarts lock` writes"):
        Lockfile.read(written(tmp_path / "lock", models))


@pytest.mark.parametrize(
    "name", ["../up.json", "/etc/passwd", "a\\b.json", "nul.json", "run.py", ".hidden.json"]
)
def test_a_hostile_name_is_refused(tmp_path: Path, name: str) -> None:
    files = {name: {"size": 1, "sha256": SHA}}
    with pytest.raises(UnsafeFile, match="me/model"):
        Lockfile.read(written(tmp_path / "lock", {"me/model": plain(files=files)}))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"{" * 10,
        b'{"format": 1, "models": {}, "models": {}}',
        b'{"format": true, "models": {}}',
        b'{"format": 1}',
        b'{"format": 1' + b"0" * 5000 + b"}",
        b" " * ((16 << 20) + 1),
    ],
    ids=["empty", "binary", "deep", "cut", "twice", "bool", "bare", "number", "huge"],
)
def test_a_text_that_is_no_lock_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "lock"
    path.write_bytes(text)
    with pytest.raises(LockfileError, match="expected what `sixarts lock` writes"):
        Lockfile.read(path)


def test_what_is_missing_or_newer_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="sixarts lock REFERENCE"):
        Lockfile.read(tmp_path / "sixarts.lock")
    with pytest.raises(LockfileError, match="cannot be read"):
        Lockfile.read(tmp_path)
    with pytest.raises(LockfileError, match="pip install -U"):
        Lockfile.read(written(tmp_path / "lock", {}, version=2))


def test_a_lock_that_cannot_be_written_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LockfileError, match="on writing"):
        Lockfile({"me/model": MODEL}, tmp_path / "file" / "sixarts.lock").write()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(["me/model", "starter/en-zh", "format", "config.json", "../x"]) | st.text(max_size=20)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "endpoint": st.just(HUB) | ANYTHING,
        "commit": st.just(COMMIT) | ANYTHING,
        "task": ANYTHING,
        "release": ANYTHING,
        "files": st.dictionaries(
            NAMES, st.fixed_dictionaries({"size": ANYTHING, "sha256": st.just(SHA) | ANYTHING}), max_size=3
        )
        | ANYTHING,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, ENTRIES | ANYTHING, max_size=3))
def test_whatever_it_holds_it_is_read_or_refused(models: Any) -> None:
    try:
        lock = Lockfile._from_json({"format": 1, "models": models}, Path("sixarts.lock"))
    except HubError:
        return
    for key, entry in lock.entries.items():
        assert not key.startswith("/")
        assert ".." not in f"{key}/{entry.commit}/{'/'.join(entry.files)}".split("/")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,0123456789eE.-ntf\\u', max_size=60).map(str.encode))
def test_whatever_the_bytes_are_only_our_errors_come(tmp_path_factory: Any, text: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.lock"
    path.write_bytes(text)
    with pytest.raises(LockfileError):
        Lockfile.read(path)
