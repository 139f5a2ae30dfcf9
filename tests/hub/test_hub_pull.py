"""Pulling: the real client against the loopback hub, checked, recorded, resumed, and offline."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from server import Answer, HubServer, Request, with_body

from conftest import FILES, NAME, contents, flip_a_bit
from sixarts_hub import Hub, Listing, Manifest, Reference
from sixarts_hub.errors import (
    BadReference,
    Corrupt,
    HubError,
    ManifestError,
    NotFound,
    Offline,
    Unreachable,
    UnsafeFile,
)

pytestmark = pytest.mark.quick

MakeFolder = Callable[..., Path]
DATA = {path: body for path, body in FILES.items() if not path.endswith(".py")}


def weights_only(listing: Listing, read: Callable[[str], bytes]) -> list[str]:
    """What a family does: looks into the configuration, takes the better weights."""
    assert json.loads(read("config.json"))["model_type"] == "marian"
    assert "pytorch_model.bin" in listing
    return ["config.json", "model.safetensors"]


# What arrives.


def test_everything_that_is_data_arrives(server: HubServer, hub: Hub) -> None:
    commit = server.add(NAME, FILES)
    pulled = hub.pull(NAME, progress=False)
    assert contents(pulled.path) == DATA
    assert pulled.commit == commit
    assert pulled.reference == Reference("repo", NAME)
    assert pulled.manifest is None
    assert not server.seen(r"modeling\.py")


def test_a_manifest_chooses_the_files(server: HubServer, hub: Hub, make_folder: MakeFolder) -> None:
    folder = make_folder()
    server.add(NAME, {**contents(folder), "stray.json": b"{}"})
    pulled = hub.pull(NAME)
    assert contents(pulled.path) == contents(folder)
    assert pulled.manifest == Manifest.read(folder)


def test_the_caller_chooses_the_files(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    pulled = hub.pull(NAME, weights_only)
    assert set(contents(pulled.path)) == {"config.json", "model.safetensors"}
    assert not server.seen("pytorch_model.bin")


def test_each_revision_is_its_own_folder(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, {"config.json": b"1"})
    server.add(NAME, {"config.json": b"2"}, branch="dev/new")
    paths = {
        (hub.pull(f"{NAME}{at}").path / "config.json").read_bytes() for at in ("", "@dev/new", f"@{first}")
    }
    assert paths == {b"1", b"2"}


def test_an_empty_file_and_folders_arrive(server: HubServer, hub: Hub) -> None:
    files = {"a/b/c/empty.txt": b"", "a/config.json": b"{}"}
    server.add(NAME, files)
    assert contents(hub.pull(NAME).path) == files


@pytest.mark.parametrize("path", ["modeling.py", "nothing.json"])
def test_a_choice_that_may_not_be_is_refused(path: str, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    with pytest.raises((UnsafeFile, NotFound), match=path.replace(".", r"\.")):
        hub.pull(NAME, lambda listing, read: [path])
    assert not server.seen("resolve")


def test_a_reader_refuses_what_is_no_configuration(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    monkeypatch.setattr("sixarts_hub.snapshot._READ_LIMIT", 100)
    with pytest.raises(HubError, match=r"model\.safetensors of 10240 bytes"):
        hub.pull(NAME, lambda listing, read: [read("model.safetensors").hex()])


# What is recorded.


def test_a_branch_is_resolved_once(server: HubServer, hub: Hub, home: Path) -> None:
    first = server.add(NAME, {"config.json": b"1"})
    assert hub.pull(NAME).commit == first
    second = server.add(NAME, {"config.json": b"2"})
    asked = len(server.requests)
    again = Hub(home, endpoint=server.url, offline=False)
    assert again.pull(NAME).commit == first
    assert again.resolve(NAME) == first
    assert len(server.requests) == asked, "a recorded model needs no request"
    assert again.pull(NAME, update=True).commit == second
    assert hub.pull(NAME).commit == second
    assert hub.pull(f"{NAME}@{first}").commit == first


def test_a_branch_that_moved_to_what_is_refused_keeps_what_works(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, {"config.json": b"1"})
    hub.pull(NAME)
    server.add(NAME, {"../config.json": b"2"})
    with pytest.raises(UnsafeFile):
        hub.pull(NAME, update=True)
    assert hub.pull(NAME).commit == first


def test_resolve_is_for_repositories(hub: Hub) -> None:
    with pytest.raises(BadReference, match="has no commits"):
        hub.resolve("./folder")


def test_two_endpoints_do_not_mix(server: HubServer, home: Path) -> None:
    other = HubServer()
    try:
        server.add(NAME, {"config.json": b"ours"})
        other.add(NAME, {"config.json": b"theirs"})
        for at, body in ((server, b"ours"), (other, b"theirs")):
            pulled = Hub(home, endpoint=at.url, offline=False).pull(NAME)
            assert contents(pulled.path) == {"config.json": body}
    finally:
        other.close()


def test_the_environment_names_home_and_endpoint(
    server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    monkeypatch.setenv("SIXARTS_HOME", str(tmp_path / "there"))
    monkeypatch.setenv("HF_ENDPOINT", server.url + "/")
    assert Hub().pull(NAME).path.is_relative_to(tmp_path / "there")


# What is checked.


def tampered(request: Request, answer: Answer) -> Answer:
    """Every safetensors file arrives with its size and its headers, and one byte changed."""
    if request.method == "GET" and request.path.endswith(".safetensors"):
        return with_body(answer, b"\xff" + answer.body[1:])
    return answer


@pytest.mark.parametrize("suffix", [".safetensors", "config.json", "sixarts.json"])
def test_changed_bytes_are_never_handed_out(
    suffix: str, server: HubServer, hub: Hub, make_folder: MakeFolder
) -> None:
    server.add(NAME, contents(make_folder()))

    def tamper(request: Request, answer: Answer) -> Answer:
        if request.method == "GET" and request.path.endswith(suffix) and "resolve" in request.path:
            return with_body(answer, b"\xff" + answer.body[1:])
        return answer

    server.alter = tamper
    with pytest.raises(Corrupt, match=r"received .*sha.*expected .*sha"):
        hub.pull(NAME)
    assert len(server.seen(f"GET .*{suffix}")) == 2, "fetched once more before giving up"
    assert not [path for path in contents(hub.home) if path.endswith(suffix)], "and then moved apart"
    server.alter = lambda request, answer: answer
    assert contents(hub.pull(NAME).path) == server.repos[NAME].commits[hub.resolve(NAME)]


def test_changed_bytes_are_fetched_once_more(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    already: list[str] = []

    def tamper_once(request: Request, answer: Answer) -> Answer:
        altered = tampered(request, answer)
        if altered is not answer and not already:
            already.append(request.path)
            return altered
        return answer

    server.alter = tamper_once
    assert contents(hub.pull(NAME).path) == DATA
    assert already


def test_the_manifest_counts_more_than_the_tree(server: HubServer, hub: Hub, make_folder: MakeFolder) -> None:
    files = contents(make_folder())
    server.add(NAME, {**files, "model.safetensors": b"x" * len(files["model.safetensors"])})
    with pytest.raises(Corrupt, match=hashlib.sha256(files["model.safetensors"]).hexdigest()):
        hub.pull(NAME)


def test_a_manifest_that_lists_more_than_there_is(
    server: HubServer, hub: Hub, make_folder: MakeFolder
) -> None:
    files = contents(make_folder())
    del files["sub/vocab.txt"]
    server.add(NAME, files)
    with pytest.raises(ManifestError, match=r"sub/vocab\.txt"):
        hub.pull(NAME)


def test_a_file_that_rotted_on_disk_is_fetched_anew(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    pulled = hub.pull(NAME)
    flip_a_bit(pulled.path / "model.safetensors")
    assert contents(hub.pull(NAME).path) == DATA


def test_a_file_that_rotted_on_disk_is_refused_offline(server: HubServer, hub: Hub, home: Path) -> None:
    server.add(NAME, FILES)
    flip_a_bit(hub.pull(NAME).path / "model.safetensors")
    with pytest.raises(Corrupt, match=r"model\.safetensors.*network on"):
        Hub(home, endpoint=server.url, offline=True).pull(NAME)


def test_a_file_is_hashed_once(
    server: HubServer, hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    monkeypatch.setattr("sixarts_hub.digest._ALGORITHMS", {})
    Hub(home, endpoint=server.url, offline=False).pull(NAME)


def test_a_pull_that_was_cut_goes_on(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)

    def fail_at_weights(request: Request, answer: Answer) -> Answer:
        if request.method == "GET" and request.path.endswith(".safetensors"):
            return Answer(500)
        return answer

    server.alter = fail_at_weights
    with pytest.raises(Unreachable, match="status 500"):
        hub.pull(NAME)
    server.alter = lambda request, answer: answer
    assert contents(hub.pull(NAME).path) == DATA
    assert len(server.seen(r"GET .*config\.json")) == 1, "what had arrived is not fetched again"


def test_a_torn_record_is_made_again(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    records = [*hub.home.rglob("*.listing.json"), *hub.home.rglob("*.verified.json")]
    assert len(records) == 2
    for record in records:
        record.write_bytes(record.read_bytes()[:20])
    assert contents(hub.pull(NAME).path) == DATA


def test_threads_pull_one_model(server: HubServer, home: Path) -> None:
    server.add(NAME, FILES)

    def pull(_: int) -> dict[str, bytes]:
        return contents(Hub(home, endpoint=server.url, offline=False).pull(NAME).path)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(pull, range(8))) == [DATA] * 8
    assert len(server.seen(r"GET .*\.safetensors")) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "progress", "shown"),
    [(Terminal, True, True), (Terminal, False, False), (io.StringIO, True, False)],
)
def test_bars_show_on_a_terminal_only(
    stream: type[io.StringIO],
    progress: bool,
    shown: bool,
    server: HubServer,
    hub: Hub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.add(NAME, FILES)
    monkeypatch.setattr(sys, "stderr", stream())
    hub.pull(NAME, progress=progress)
    assert (f"{NAME}: 100%" in sys.stderr.getvalue()) is shown  # type: ignore[attr-defined]


# Offline.


def no_sockets(*_: object, **__: object) -> socket.socket:
    raise AssertionError("a socket was opened")


def test_offline_opens_no_socket(
    server: HubServer, hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    online = hub.pull(NAME, weights_only)
    offline = Hub(home, endpoint=server.url, offline=True)
    monkeypatch.setattr(socket, "socket", no_sockets)
    monkeypatch.setattr(socket, "getaddrinfo", no_sockets)
    assert offline.pull(NAME, weights_only) == online
    assert offline.pull(f"{NAME}@{online.commit}", weights_only).path == online.path
    for call in (
        lambda: offline.pull("me/other"),
        lambda: offline.pull(f"me/other@{online.commit}"),
        lambda: offline.pull(NAME),
        lambda: offline.pull(NAME, weights_only, update=True),
        lambda: offline.resolve(f"{NAME}@dev"),
        lambda: offline.push(online.path, NAME),
    ):
        with pytest.raises(Offline, match=r"received .*; expected .*; \S+"):
            call()


@pytest.mark.parametrize(
    ("variable", "value", "offline"),
    [("SIXARTS_OFFLINE", "1", True), ("HF_HUB_OFFLINE", "yes", True), ("SIXARTS_OFFLINE", "0", False)],
)
def test_the_environment_switches_the_network_off(
    variable: str, value: str, offline: bool, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    assert Hub(home).offline is offline
    assert Hub(home, offline=False).offline is False


def test_offline_does_not_import_the_client(server: HubServer, hub: Hub, home: Path) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    program = (
        "import sys, sixarts_hub\n"
        f"hub = sixarts_hub.Hub({str(home)!r}, endpoint={server.url!r}, offline=True)\n"
        f"hub.pull({NAME!r}), hub.cached(), hub.verify()\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()}
    assert "sixarts_hub" in loaded
    assert not loaded & {"huggingface_hub", "httpx2", "numpy", "keras", "sixarts", "ssl"}


# Starters and folders.


def test_a_starter_is_read_where_it_is(make_folder: MakeFolder, home: Path) -> None:
    folder = make_folder("en-zh")
    hub = Hub(home, offline=True, starters={"en-zh": lambda: folder})
    pulled = hub.pull("starter/en-zh")
    assert (pulled.path, pulled.commit, pulled.manifest) == (folder, None, Manifest.read(folder))
    assert not (home / "hub").exists()


def test_a_starter_is_hashed_once_and_again_when_it_changes(
    make_folder: MakeFolder, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder("en-zh")
    Hub(home, starters={"en-zh": lambda: folder}).pull("starter/en-zh")
    with monkeypatch.context() as patched:
        patched.setattr("sixarts_hub.digest._ALGORITHMS", {})
        Hub(home, starters={"en-zh": lambda: folder}).pull("starter/en-zh")
    flip_a_bit(folder / "model.safetensors")
    with pytest.raises(Corrupt, match="install its plugin again"):
        Hub(home, starters={"en-zh": lambda: folder}).pull("starter/en-zh")


def test_a_starter_works_where_nothing_can_be_recorded(make_folder: MakeFolder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the home should be")
    folder = make_folder("en-zh")
    hub = Hub(tmp_path / "file", starters={"en-zh": lambda: folder})
    assert hub.pull("starter/en-zh").path == folder


def test_a_starter_needs_a_manifest(make_folder: MakeFolder, home: Path) -> None:
    folder = make_folder("en-zh")
    (folder / "sixarts.json").unlink()
    with pytest.raises(ManifestError):
        Hub(home, starters={"en-zh": lambda: folder}).pull("starter/en-zh")


def test_an_unknown_starter_names_those_there_are(make_folder: MakeFolder, home: Path) -> None:
    folder = make_folder("en-zh")
    with pytest.raises(NotFound, match="starter/en-zh"):
        Hub(home, starters={"en-zh": lambda: folder}).pull("starter/en-fr")


def test_a_folder_with_a_manifest_is_checked(make_folder: MakeFolder, hub: Hub) -> None:
    folder = make_folder()
    pulled = hub.pull(str(folder))
    assert (pulled.path, pulled.manifest) == (folder, Manifest.read(folder))
    flip_a_bit(folder / "config.json")
    with pytest.raises(Corrupt, match="if you meant the change"):
        hub.pull(folder)


def test_a_stamp_is_for_the_digest_that_was_asked(make_folder: MakeFolder, hub: Hub) -> None:
    folder = make_folder()
    hub.pull(folder)
    manifest = folder / "sixarts.json"
    wrong = hashlib.sha256(b"something else").hexdigest()
    right = Manifest.read(folder).files["config.json"].sha256
    manifest.write_text(manifest.read_text().replace(right, wrong))
    with pytest.raises(Corrupt, match=wrong):
        hub.pull(folder)


def test_a_folder_without_a_manifest_is_a_foreign_checkpoint(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert hub.pull(tmp_path).manifest is None


def test_a_folder_that_is_not_there(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(NotFound, match="expected a folder that exists"):
        hub.pull(tmp_path / "nowhere")
