"""Publishing: one commit, what the manifest lists and nothing else, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from server import Answer, HubServer, Request

from conftest import NAME, contents, flip_a_bit
from sixarts_hub import Hub
from sixarts_hub.errors import BadReference, Corrupt, HubError, ManifestError, NotFound

pytestmark = [
    pytest.mark.quick,
    # The client library's own, on every upload.
    pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning"),
]

MakeFolder = Callable[..., Path]


@pytest.fixture
def writer(server: HubServer, home: Path) -> Hub:
    return Hub(home, endpoint=server.url, token="hf_writer", offline=False)


def test_what_is_pushed_is_what_is_pulled(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    folder = make_folder()
    commit = writer.push(folder, NAME, message="First")
    pulled = writer.pull(NAME)
    assert pulled.commit == commit == server.repos[NAME].branches["main"]
    assert contents(pulled.path) == contents(folder)
    assert len(server.seen("POST .*/commit/")) == 1, "one commit"


def test_only_what_the_manifest_lists_is_published(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    folder = make_folder()
    (folder / "password.txt").write_text("secret")
    commit = writer.push(folder, NAME)
    assert "password.txt" not in server.repos[NAME].commits[commit]


def test_a_second_push_follows_the_first(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    first = writer.push(make_folder("one"), NAME)
    writer.pull(NAME)
    folder = make_folder("two", weights=b"better" * 100)
    second = writer.push(folder, f"hf://{NAME}")
    assert second != first
    assert writer.pull(NAME).commit == second, "who published it means it"
    assert contents(writer.pull(NAME).path) == contents(folder)


def test_a_branch_that_moved_meanwhile_stays(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    server.add(NAME, {"config.json": b"1"})
    moved: list[str] = []

    def move(request: Request, answer: Answer) -> Answer:
        if "preupload" in request.path and not moved:
            moved.append(server.add(NAME, {"config.json": b"theirs"}))
        return answer

    server.alter = move
    with pytest.raises(HubError, match=r"status 412.*push again"):
        writer.push(make_folder(), NAME)
    assert server.repos[NAME].branches["main"] == moved[0]


@pytest.mark.parametrize("damage", ["flip", "unlink", "manifest"])
def test_a_folder_that_is_not_whole_is_not_published(
    damage: str, server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    folder = make_folder()
    if damage == "flip":
        flip_a_bit(folder / "model.safetensors")
    else:
        (folder / ("config.json" if damage == "unlink" else "sixarts.json")).unlink()
    with pytest.raises((Corrupt, ManifestError)):
        writer.push(folder, NAME)
    assert not server.requests


def test_without_a_token_it_says_to_log_in(server: HubServer, hub: Hub, make_folder: MakeFolder) -> None:
    with pytest.raises(HubError, match=r"status 401.*log in"):
        hub.push(make_folder(), NAME)
    assert hub.push(make_folder("again"), NAME, token="hf_writer")


def test_private_is_never_published_openly(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    writer.push(make_folder("new"), "me/secret", private=True)
    assert server.repos["me/secret"].private
    server.add(NAME, {"config.json": b"1"})
    with pytest.raises(HubError, match=r"public already; .*nothing was uploaded"):
        writer.push(make_folder("old"), NAME, private=True)
    assert len(server.repos[NAME].commits) == 1


def test_a_branch_that_does_not_exist(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    server.add(NAME, {"config.json": b"1"})
    with pytest.raises(NotFound, match="revision does not exist"):
        writer.push(make_folder(), NAME, revision="dev")
    server.add(NAME, {"config.json": b"1"}, branch="dev")
    commit = writer.push(make_folder("again"), NAME, revision="dev")
    assert server.repos[NAME].branches["dev"] == commit


@pytest.mark.parametrize("name", ["model", "me/mo--del", "me/model/more", "../me"])
def test_a_name_that_is_none(name: str, writer: Hub, make_folder: MakeFolder) -> None:
    with pytest.raises(BadReference):
        writer.push(make_folder(), name)


def test_a_push_is_quiet_where_there_is_no_terminal(
    writer: Hub, make_folder: MakeFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    writer.push(make_folder(), NAME)
    writer.pull(NAME)
    assert capfd.readouterr() == ("", "")
