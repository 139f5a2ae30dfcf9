"""Locking an application's models on one machine, and making another match."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from server import Answer, HubServer, Request

from conftest import NAME, contents, flip_a_bit
from sixarts.cli import main
from sixarts.hubs import hub_for
from sixarts.layout import needed_files
from sixarts.testing.offline import no_sockets
from sixarts_hub import Hub, Lockfile, Manifest, Reference
from sixarts_hub.crew import do_all
from sixarts_hub.errors import BadReference, Corrupt, LockfileError, NotFound, Offline, Unreachable
from sixarts_hub.locking import check, lock, match
from sixarts_hub.stopping import Stopped, heeded

pytestmark = pytest.mark.quick

MakeFolder = Callable[..., Path]
MODEL = Reference.parse(NAME)


@pytest.fixture
def model(make_folder: MakeFolder) -> dict[str, bytes]:
    """The files of a model with a manifest."""
    return contents(make_folder())


@pytest.fixture
def machine(
    server: HubServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes this process act on another machine: a home of its own, the same working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", server.url)

    def at(name: str) -> Path:
        monkeypatch.setenv("SIXARTS_HOME", str(tmp_path / name))
        return tmp_path / name

    at("one")
    return at


def fresh(server: HubServer, tmp_path: Path, name: str = "other", **settings: object) -> Hub:
    return Hub(tmp_path / name, endpoint=server.url, **{"offline": False, **settings})  # type: ignore[arg-type]


# The floor.


def test_an_entry_has_a_sha256_for_every_file(server: HubServer, hub: Hub, model: dict[str, bytes]) -> None:
    commit = server.add(NAME, {**model, "extra.txt": b"not in the manifest"})
    entry = lock(hub, MODEL, needed_files)
    assert (entry.commit, entry.endpoint, entry.task) == (commit, server.url, "translation")
    assert {path: file.sha256 for path, file in entry.files.items()} == {
        path: hashlib.sha256(content).hexdigest() for path, content in model.items()
    }
    assert hub.resolve(NAME) == commit


def test_locking_asks_the_endpoint_and_takes_no_old_answer(
    server: HubServer, hub: Hub, model: dict[str, bytes]
) -> None:
    server.add(NAME, model)
    hub.pull(NAME)
    moved = server.add(NAME, {**model, "extra.json": b"newer"})
    assert lock(hub, MODEL, needed_files).commit == moved
    offline = Hub(hub.home, endpoint=server.url, offline=True)
    with pytest.raises(Offline, match="to resolve anew"):
        lock(offline, MODEL, needed_files)
    server.alter = lambda request, answer: Answer(404) if "revision" in request.path else answer
    with pytest.raises(Exception, match="asked"):
        lock(hub, MODEL, needed_files)


def test_a_folder_cannot_be_locked(hub: Hub, make_folder: MakeFolder) -> None:
    with pytest.raises(BadReference, match="sixarts push"):
        lock(hub, Reference.parse(make_folder()), needed_files)


def test_matching_brings_the_commit_and_moves_the_branch(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path
) -> None:
    server.add(NAME, model)
    entry = lock(hub, MODEL, needed_files)
    moved = server.add(NAME, {**model, "extra.json": b"newer"})
    other = fresh(server, tmp_path)
    other.pull(f"{NAME}@{entry.commit}")
    other.pull(NAME)
    with pytest.raises(LockfileError, match=f"at {moved}; expected {entry.commit}"):
        check(other, MODEL, entry)
    match(other, MODEL, entry)
    check(other, MODEL, entry)
    offline = Hub(other.home, endpoint=server.url, offline=True)
    pulled = offline.pull(NAME)
    assert (pulled.commit, contents(pulled.path)) == (entry.commit, model)


def test_checking_opens_no_socket_and_says_what_differs(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path
) -> None:
    server.add(NAME, model)
    entry = lock(hub, MODEL, needed_files)
    other = fresh(server, tmp_path, offline=True)
    with no_sockets(), pytest.raises(Offline):
        check(other, MODEL, entry)
    assert not (tmp_path / "other" / "hub").exists()
    match(fresh(server, tmp_path), MODEL, entry)
    with no_sockets():
        check(other, MODEL, entry)
    weights = other.pull(NAME).path / "model.safetensors"
    flip_a_bit(weights)
    with no_sockets(), pytest.raises(Corrupt, match=entry.files["model.safetensors"].sha256):
        check(other, MODEL, entry)
    weights.unlink()
    with no_sockets(), pytest.raises(Offline, match=r"model\.safetensors"):
        check(other, MODEL, entry)


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_an_endpoint_that_serves_other_bytes_for_the_commit_is_caught(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path, path: str
) -> None:
    commit = server.add(NAME, model)
    entry = lock(hub, MODEL, needed_files)
    forged = model[path][:-1] + b"?"
    # The tree, the etag and the bytes agree with each other; only the lock knows better.
    server.repos[NAME].commits[commit] = {**model, path: forged}
    other = fresh(server, tmp_path)
    with pytest.raises(Corrupt) as caught:
        match(other, MODEL, entry)
    assert hashlib.sha256(forged).hexdigest() in str(caught.value)
    assert entry.files[path].sha256 in str(caught.value)
    with pytest.raises((Offline, Corrupt)):
        check(fresh(server, tmp_path, offline=True), MODEL, entry)


def test_a_file_that_is_gone_from_the_commit_is_told(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path
) -> None:
    commit = server.add(NAME, model)
    entry = lock(hub, MODEL, needed_files)
    del server.repos[NAME].commits[commit]["README.md"]
    with pytest.raises(Corrupt, match=r"README\.md.*no such file"):
        match(fresh(server, tmp_path), MODEL, entry)


def test_a_hub_with_a_lock_means_what_it_says(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path
) -> None:
    first = server.add(NAME, model)
    server.add("me/other", model)
    locked = Lockfile({NAME: lock(hub, MODEL, needed_files)})
    server.add(NAME, {**model, "extra.json": b"newer"})
    other = fresh(server, tmp_path, lock=locked)
    assert (other.pull(NAME).commit, other.resolve(f"{NAME}@main")) == (first, first)
    assert contents(other.pull(NAME).path) == model
    with pytest.raises(LockfileError, match="sixarts lock me/other"):
        other.pull("me/other")
    with pytest.raises(LockfileError, match="update=True"):
        other.pull(NAME, update=True)
    # A lock is one application's: it moves no branch of the machine.
    assert other.mirror_of(MODEL).pinned(MODEL) is None


def test_a_hub_with_a_lock_holds_files_against_it(
    server: HubServer, hub: Hub, model: dict[str, bytes], tmp_path: Path
) -> None:
    commit = server.add(NAME, model)
    entry = lock(hub, MODEL, needed_files)
    server.repos[NAME].commits[commit] = {**model, "config.json": b"[]"}
    other = fresh(server, tmp_path, lock=Lockfile({NAME: entry}))
    with pytest.raises((Corrupt, Unreachable)):
        other.pull(NAME)


def test_a_starter_is_held_against_its_manifest(make_folder: MakeFolder, home: Path) -> None:
    one, two = make_folder("one"), make_folder("two", weights=b"of another release")
    starter = Reference.parse("starter/en-zh")
    here = Hub(home, offline=True, starters={"en-zh": lambda: one})
    entry = replace(lock(here, starter, needed_files), release="acme 1.0")
    check(here, starter, entry)
    there = Hub(home, offline=True, starters={"en-zh": lambda: two})
    for act in (check, match):
        with pytest.raises(Corrupt, match=r"install acme 1\.0"):
            act(there, starter, entry)
    with pytest.raises(Corrupt):
        Hub(home, starters={"en-zh": lambda: two}, lock=Lockfile({"starter/en-zh": entry})).pull(starter)
    with pytest.raises(LockfileError):
        Hub(home, starters={"en-zh": lambda: two}, lock=Lockfile()).pull(starter)


def test_a_place_is_locked_by_its_content(hub: Hub, make_folder: MakeFolder, tmp_path: Path) -> None:
    folder = make_folder()
    place = Reference.parse(f"file://{folder.as_posix()}")
    entry = lock(hub, place, needed_files)
    assert entry.endpoint is None
    Lockfile({str(place): entry}, tmp_path / "sixarts.lock").write()
    other = Hub(tmp_path / "other", lock=Lockfile.read(tmp_path / "sixarts.lock"))
    with pytest.raises(Offline):
        check(Hub(other.home, offline=True), place, entry)
    match(other, place, entry)
    check(Hub(other.home, offline=True), place, entry)
    assert other.pull(place).commit == entry.commit
    (folder / "README.md").write_bytes(b"# Changed")
    Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
    with pytest.raises(NotFound, match=str(entry.commit)):
        match(Hub(tmp_path / "third"), place, entry)


def test_work_inside_work_stops_with_it() -> None:
    began, stopped = threading.Event(), threading.Event()

    def wait() -> None:
        began.set()
        try:
            heeded.get().wait(60)
        except Stopped:
            stopped.set()
            raise

    def fail() -> None:
        assert began.wait(60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        do_all([lambda: do_all([wait, wait]), fail])
    assert stopped.is_set()


# The commands.


def test_lock_on_one_machine_and_sync_on_another(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    commits = {f"me/model-{number}": server.add(f"me/model-{number}", model) for number in range(6)}
    assert main(["lock", *commits, "starter/en-zh"]) == 0
    assert "sixarts.lock holds 7 models" in capsys.readouterr().err
    locked = Lockfile.read("sixarts.lock")
    assert {name: locked.entries[name].commit for name in commits} == commits
    release = locked.entries["starter/en-zh"].release
    assert release is not None
    assert release.startswith("sixarts ")
    before = Path("sixarts.lock").read_bytes()

    machine("two")
    with no_sockets():
        assert main(["sync", "--check"]) == 1
    printed = capsys.readouterr()
    assert [line.partition(":")[0] for line in sorted(printed.out.splitlines())] == sorted(commits)
    assert "6 of 7 models differ" in printed.err
    assert main(["sync"]) == 0
    with no_sockets():
        assert main(["sync", "--check"]) == 0
    server.requests.clear()
    assert main(["sync"]) == 0
    assert not server.requests
    assert main(["lock"]) == 0
    assert Path("sixarts.lock").read_bytes() == before


def test_lock_moves_what_is_named_or_all(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    old = [server.add(name, model) for name in ("me/a", "me/b", "me/c")]
    assert main(["lock", "me/a", "me/b@main", "me/c"]) == 0
    new = [server.add(name, {**model, "extra.json": b"{}"}) for name in ("me/a", "me/b", "me/c")]

    def locked() -> list[str | None]:
        return [Lockfile.read("sixarts.lock").entries[name].commit for name in ("me/a", "me/b@main", "me/c")]

    assert locked() == old
    capsys.readouterr()
    assert main(["lock", "me/b"]) == 0
    assert f"me/b@main: moved from {old[1]} to {new[1]}" in capsys.readouterr().err
    assert locked() == [old[0], new[1], old[2]]
    assert main(["lock"]) == 0
    assert locked() == new
    assert main(["lock", "--remove", "me/a@main"]) == 0
    assert list(Lockfile.read("sixarts.lock").entries) == ["me/b@main", "me/c"]
    assert main(["lock", "--remove", "me/a"]) == 1
    assert "expected one of me/b@main, me/c" in capsys.readouterr().err
    assert main(["lock", "./folder"]) == 2


def test_lock_without_a_lock_says_how_to_begin(
    machine: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("lock", "sync"):
        assert main([command]) == 1
        assert "write one with `sixarts lock REFERENCE" in capsys.readouterr().err


def test_sync_brings_what_it_can_and_names_the_rest(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("me/good", "me/bad", "me/gone"):
        server.add(name, model)
    assert main(["lock", "me/good", "me/bad", "me/gone"]) == 0
    bad = server.repos["me/bad"]
    bad.commits[bad.branches["main"]]["config.json"] = b"[]"
    del server.repos["me/gone"]
    machine("two")
    capsys.readouterr()
    assert main(["sync"]) == 1
    said = capsys.readouterr().err
    assert "me/good: " in said
    assert "2 of 3 models differ" in said
    assert main(["sync", "--check"]) == 1
    told = sorted(line.partition(":")[0] for line in capsys.readouterr().out.splitlines())
    assert told == ["me/bad", "me/gone"]


def test_a_mirror_may_stand_in_and_the_locked_hub_is_asked_by_itself(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.add(NAME, model)
    assert main(["lock", NAME]) == 0
    mirror = HubServer()
    try:
        mirror.repos = server.repos
        machine("two")
        monkeypatch.delenv("HF_ENDPOINT")
        server.requests.clear()
        assert main(["sync"]) == 0
        assert server.requests
        machine("three")
        server.requests.clear()
        monkeypatch.setenv("HF_ENDPOINT", mirror.url)
        assert main(["sync"]) == 0
        assert mirror.requests
        assert not server.requests
    finally:
        mirror.close()


def test_the_environment_names_a_lock(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = server.add(NAME, model)
    assert main(["lock", NAME]) == 0
    server.add(NAME, {**model, "extra.json": b"newer"})
    machine("two")
    monkeypatch.setenv("SIXARTS_LOCK", "sixarts.lock")
    monkeypatch.delenv("HF_ENDPOINT")
    assert hub_for(NAME).pull(NAME, needed_files).commit == first
    with pytest.raises(LockfileError, match="sixarts lock me/else"):
        hub_for("me/else")
    assert main(["pull", NAME, "--update"]) == 1
    assert "update=True" in capsys.readouterr().err
    monkeypatch.setenv("SIXARTS_LOCK", "nowhere.lock")
    with pytest.raises(LockfileError, match="cannot be read"):
        hub_for(NAME)
    # What is in the cache can be looked at whatever the lock says.
    assert main(["cache", "list"]) == 0


def test_a_killed_sync_goes_on(
    server: HubServer, make_folder: MakeFolder, machine: Callable[[str], Path], tmp_path: Path
) -> None:
    names = [f"me/model-{number}" for number in range(4)]
    for number, name in enumerate(names):
        server.add(name, contents(make_folder(f"made-{number}", weights=bytes([number]) * 300_000)))
    assert main(["lock", *names]) == 0
    home = machine("two")
    whole = server.fetched("model.safetensors") // len(names)
    server.sent.clear()

    def slow(request: Request, answer: Answer) -> Answer:
        if request.method == "GET" and request.path.endswith(".safetensors"):
            return replace(answer, way=replace(answer.way, chunk=20_000, pause=0.02))
        return answer

    server.alter = slow
    command = [sys.executable, "-c", "from sixarts.cli import main; main(['sync'])"]
    for bytes_before_kill in (1, 500_000):
        child = subprocess.Popen(command, env=os.environ, stderr=subprocess.DEVNULL)
        patient_until = time.monotonic() + 60
        while server.fetched("model.safetensors") < bytes_before_kill and time.monotonic() < patient_until:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    server.alter = lambda request, answer: answer
    assert main(["sync"]) == 0
    with no_sockets():
        assert main(["sync", "--check"]) == 0
    # What had arrived was not fetched again, but for what the kills left in the air.
    assert server.fetched("model.safetensors") < len(names) * whole * 1.5
    assert not list(home.rglob("*.incomplete"))


def test_prune_and_list_by_command(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    commit = server.add(NAME, model)
    server.add("me/other", {**model, "extra.json": b"{}"})
    home = machine("one")
    pull = "from sixarts.cli import main; import sys; main(sys.argv[1:])"
    for name in (NAME, "me/other"):
        subprocess.run([sys.executable, "-c", pull, "pull", name], check=True, capture_output=True)
    for lease in home.rglob(f"{commit}.lease"):
        os.utime(lease, (time.time() - 40 * 86400,) * 2)
    assert main(["cache", "list"]) == 0
    assert "40 days ago" in capsys.readouterr().out
    assert main(["cache", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["used"].endswith("+00:00")
    assert main(["cache", "prune", "--older-than", "30d", "--keep", "me/modle"]) == 1
    assert "expected a cached model" in capsys.readouterr().err
    assert main(["cache", "prune", "--older-than", "30d", "--keep", NAME]) == 0
    assert capsys.readouterr().err == "no model goes\nfreed 0 B\n"
    assert main(["cache", "prune", "--older-than", "4w", "--dry-run", "--json"]) == 0
    planned = json.loads(capsys.readouterr().out)
    assert planned["removed"] == [f"{NAME}@{commit}"]
    assert main(["cache", "prune", "--older-than", "4w"]) == 0
    printed = capsys.readouterr()
    assert NAME in printed.out
    assert "freed" in printed.err
    assert main(["cache", "list"]) == 0
    assert NAME not in capsys.readouterr().out
    assert main(["cache", "prune", "--older-than", "30"]) == 2


def test_remove_by_command_spares_what_another_process_uses(
    server: HubServer,
    model: dict[str, bytes],
    machine: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.add(NAME, model)
    home = machine("one")
    program = (
        "import sys; from sixarts_hub import Hub\n"
        f"Hub().pull({NAME!r}); print('ready', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    try:
        assert main(["cache", "remove", NAME]) == 1
        said = capsys.readouterr().err
        assert f"received {NAME}" in said
        if sys.platform == "linux":
            assert str(child.pid) in said
        assert main(["cache", "prune", "--older-than", "0d"]) == 0
        assert "stays: a process uses it" in capsys.readouterr().err
        child.kill()
        child.wait()
        assert main(["cache", "remove", NAME]) == 0
        assert not list(home.rglob("model.safetensors"))
    finally:
        child.kill()
        child.communicate()
