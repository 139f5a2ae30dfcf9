"""Replacing a folder: at every moment the old or the new is there whole, and what a kill left is cleared."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import contents
from sixarts_hub import Hub, Reference, exchange
from sixarts_hub.errors import NotFound
from sixarts_hub.exchange import drafting, recover, replace_folder

pytestmark = pytest.mark.quick

FILES = 4
#: A program that replaces a folder for ever, and says so after the first time.
WRITER = """
import sys
from pathlib import Path
from sixarts_hub import exchange

folder = Path(sys.argv[1])
if sys.argv[2] == "renames":
    exchange._exchange = lambda one, other: False
number = 0
while True:
    number += 1
    with exchange.drafting(folder) as draft:
        for file in range(4):
            (draft / str(file)).write_text(str(number))
        exchange.replace_folder(draft, folder)
    if number == 1:
        print("now", flush=True)
"""
#: A program that is between the two renames when it says so.
BETWEEN = """
import sys, time
from pathlib import Path
from sixarts_hub import exchange

folder, rename = Path(sys.argv[1]), Path.rename
exchange._exchange = lambda one, other: False

def stopping(self, target):
    if self.name.endswith(".draft"):
        print("now", flush=True)
        sys.stdin.readline()
    return rename(self, target)

Path.rename = stopping
with exchange.drafting(folder) as draft:
    (draft / "0").write_text("new")
    exchange.replace_folder(draft, folder)
"""


def started(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A process that runs the program and has come to where it says so."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout and child.stderr
    if (said := child.stdout.readline()) != "now\n":
        child.kill()
        raise AssertionError(f"the child said {said!r}: {child.stderr.read()[-2000:]}")
    return child


def end(child: subprocess.Popen[str]) -> None:
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=60)


@pytest.fixture(params=["exchange", "renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways to replace a folder: names that are exchanged in one step, and two renames."""
    if request.param == "renames":
        monkeypatch.setattr(exchange, "_exchange", lambda one, other: False)
    yield request.param


def saved(folder: Path, text: str) -> None:
    with drafting(folder) as draft:
        (draft / "0").write_text(text)
        replace_folder(draft, folder)


def test_a_folder_is_made_and_replaced(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "deep" / "model"
    saved(folder, "one")
    (folder / "stale").write_text("")
    saved(folder, "two")
    assert contents(folder) == {"0": b"two"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges two names")
def test_linux_exchanges_names_in_one_step(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    (other / "full").mkdir(parents=True)
    assert exchange._exchange(one, other)
    assert (one / "full").is_dir() and not any(other.iterdir())
    with pytest.raises(FileNotFoundError):
        exchange._exchange(one, tmp_path / "nothing")


def test_a_draft_that_fails_leaves_nothing(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "model"
    saved(folder, "old")
    with pytest.raises(KeyError), drafting(folder) as draft:
        (draft / "0").write_text("new")
        raise KeyError
    assert contents(folder) == {"0": b"old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_killed_at_any_moment_the_folder_is_whole(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "model"
    moments = random.Random(3)
    for _ in range(6):
        child = started(WRITER, str(folder), way)
        time.sleep(moments.uniform(0, 0.05))
        end(child)
        if way == "exchange":
            assert folder.is_dir(), "there is no moment without a folder"
        assert recover(folder)
        found = contents(folder)
        assert len(found) == FILES and len(set(found.values())) == 1, "all files are of one save"
    saved(folder, "last")
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "what the killed left is cleared"


def test_killed_between_two_renames_the_old_folder_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    saved(folder, "old")
    end(started(BETWEEN, str(folder)))
    assert not folder.exists()
    assert recover(folder)
    assert contents(folder) == {"0": b"old"}


@pytest.mark.parametrize("spelled", ["{}", "./model", "model"])
def test_whoever_looks_for_it_puts_it_back(
    spelled: str, tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    saved(folder, "old")
    end(started(BETWEEN, str(folder)))
    pulled = hub.pull(spelled.format(folder))
    assert contents(pulled.path) == {"0": b"old"}
    with pytest.raises(NotFound):
        hub.pull("./other")


def test_the_next_save_works_on_what_a_kill_left(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    saved(folder, "old")
    end(started(BETWEEN, str(folder)))
    saved(folder, "newer")
    assert contents(folder) == {"0": b"newer"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_living_writer_is_waited_for_and_its_draft_stays(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    saved(folder, "old")
    child = started(BETWEEN, str(folder))
    try:
        assert not folder.exists()
        going_on = threading.Timer(0.2, child.communicate, ("\n",))
        going_on.start()
        assert recover(folder), "once the writer goes on"
        assert contents(folder) == {"0": b"new"}, "and not the old one, put back under its hands"
        going_on.join()
    finally:
        child.kill()


def test_a_draft_in_use_is_not_swept(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with drafting(folder) as draft:
        (draft / "0").write_text("slow")
        saved(folder, "quick")
        assert (draft / "0").is_file()
        replace_folder(draft, folder)
    assert contents(folder) == {"0": b"slow"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_another_folders_drafts_stay(tmp_path: Path) -> None:
    names = (".model.2.abcd1234.draft", ".model.notes.draft", ".model.draft")
    others = [tmp_path / name for name in names]
    for other in others:
        other.mkdir()
    saved(tmp_path / "model", "one")
    assert all(other.is_dir() for other in others)


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "\ud800", "no/such/folder/at all", ""])
def test_a_name_that_no_folder_has_is_not_recovered(name: str) -> None:
    assert not recover(Path(name)) or name == ""


def test_a_reference_is_read_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Reference.parse("me/model").kind == "repo"
    assert os.listdir() == []
