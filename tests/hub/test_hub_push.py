"""Publishing: one commit, what the manifest lists and nothing else, or nothing at all."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from server import Answer, HubServer, Request, as_json, with_body

from conftest import NAME, contents, flip_a_bit
from sixarts_hub import Hub, Pushed
from sixarts_hub.errors import (
    BadReference,
    Corrupt,
    HubError,
    ManifestError,
    NotFound,
    Offline,
    Unreachable,
)

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
    pushed = writer.push(folder, NAME, message="First")
    pulled = writer.pull(NAME)
    assert pulled.commit == pushed.commit == server.repos[NAME].branches["main"]
    assert contents(pulled.path) == contents(folder)
    assert len(server.seen("POST .*/commit/")) == 1, "one commit"


def test_only_what_the_manifest_lists_is_published(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    folder = make_folder()
    (folder / "password.txt").write_text("secret")
    commit = writer.push(folder, NAME).commit
    assert "password.txt" not in server.repos[NAME].commits[commit]


def test_a_second_push_follows_the_first(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    first = writer.push(make_folder("one"), NAME)
    writer.pull(NAME)
    folder = make_folder("two", weights=b"better" * 100)
    second = writer.push(folder, f"hf://{NAME}").commit
    assert second != first.commit
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
    commit = writer.push(make_folder("again"), NAME, revision="dev").commit
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


# Pull requests.


def test_a_pull_request_leaves_the_branch(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    before = server.add(NAME, {"config.json": b"theirs", "notes.txt": b"stay"})
    pulled = writer.pull(NAME)
    folder = make_folder()
    pushed = writer.push(folder, NAME, create_pr=True)
    repo = server.repos[NAME]
    assert (pushed.pull_request, pushed.url) == (1, f"{server.url}/{NAME}/discussions/1")
    assert repo.branches == {"main": before, "refs/pr/1": pushed.commit}
    assert repo.commits[str(pushed.commit)] == {**contents(folder), "notes.txt": b"stay"}
    assert writer.pull(NAME).commit == pulled.commit == before, "what is proposed is not what is loaded"
    assert writer.push(make_folder("two", b"more"), NAME, create_pr=True).pull_request == 2


def test_a_pull_request_needs_a_repository(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        writer.push(make_folder(), NAME, create_pr=True)
    assert not server.repos and not server.seen("POST")


# What would be sent.


def standings(pushed: Pushed) -> dict[str, str]:
    return {file.path: file.standing for file in pushed.files}


def test_a_dry_run_writes_nothing_and_tells_all(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    folder = make_folder()
    new = writer.push(folder, NAME, dry_run=True)
    assert set(standings(new).values()) == {"new"} and set(standings(new)) == set(contents(folder))
    assert new.commit is None and "would be created" in new.note
    held = {**contents(folder), "model.safetensors": b"other", "config.json": b"[]"}
    del held["sixarts.json"]
    server.add(NAME, held)
    planned = writer.push(folder, NAME, dry_run=True)
    assert standings(planned) == {
        "README.md": "unchanged",
        "config.json": "changed",
        "model.safetensors": "changed",
        "sixarts.json": "new",
        "sub/vocab.txt": "unchanged",
    }
    assert {file.path: file.size for file in planned.files} == {
        path: len(content) for path, content in contents(folder).items()
    }
    assert not server.seen("POST|PUT"), "no write request"
    pushed = writer.push(folder, NAME)
    assert standings(pushed) == standings(planned), "it did what it said"
    assert "1 new" in str(pushed) and str(pushed.commit) in str(pushed)


def test_a_dry_run_offline_opens_no_socket(server: HubServer, home: Path, make_folder: MakeFolder) -> None:
    offline = Hub(home, endpoint=server.url, offline=True)
    planned = offline.push(make_folder(), NAME, dry_run=True)
    assert set(standings(planned).values()) == {"unknown"} and "network is off" in planned.note
    with pytest.raises(Offline):
        offline.push(make_folder("two"), NAME)
    assert not server.requests


def test_a_dry_run_without_an_answer_tells_so(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    server.alter = lambda request, answer: Answer(503)
    planned = writer.push(make_folder(), NAME, dry_run=True)
    assert set(standings(planned).values()) == {"unknown"} and "status 503" in planned.note


def test_a_dry_run_refuses_what_a_push_would(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    server.add(NAME, {"config.json": b"1"})
    with pytest.raises(HubError, match="public already"):
        writer.push(make_folder(), NAME, private=True, dry_run=True)
    with pytest.raises(NotFound, match="revision does not exist"):
        writer.push(make_folder("two"), NAME, revision="dev", dry_run=True)
    damaged = make_folder("three")
    flip_a_bit(damaged / "model.safetensors")
    with pytest.raises(Corrupt):
        writer.push(damaged, NAME, dry_run=True)


def test_what_the_branch_holds_already_makes_no_commit(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    folder = make_folder()
    first = writer.push(folder, NAME)
    writes = len(server.seen("POST|PUT"))
    again = writer.push(folder, NAME)
    assert again.commit == first.commit and set(standings(again).values()) == {"unchanged"}
    assert "no commit" in again.note
    assert server.seen("POST|PUT")[writes:] == ["POST /api/repos/create"]
    assert writer.push(folder, NAME, create_pr=True).pull_request is None


# Interrupted and refused.

STEPS = ("create", "revision/main", "tree", "preupload", "batch", "storage", "verify")


@pytest.mark.parametrize("step", STEPS)
def test_a_push_that_fails_on_the_way_publishes_nothing(
    step: str, server: HubServer, writer: Hub, make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = server.add(NAME, {"config.json": b"theirs"})
    # The library waits for itself between its attempts to store a large file.
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)
    server.alter = lambda request, answer: Answer(500) if step in request.path else answer
    with pytest.raises(HubError):
        writer.push(make_folder(), NAME)
    assert server.repos[NAME].branches == {"main": before}
    assert not server.seen("POST .*/commit/")
    server.alter = lambda request, answer: answer
    assert writer.push(make_folder("again"), NAME).commit == server.repos[NAME].branches["main"]


@pytest.mark.parametrize("step", ["storage", "preupload"])
def test_an_interrupted_push_publishes_nothing(
    step: str, server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    before = server.add(NAME, {"config.json": b"theirs"})
    main = threading.get_ident()

    def interrupt(request: Request, answer: Answer) -> Answer:
        if step in request.path:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.2)
        return answer

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    server.alter = interrupt
    try:
        with pytest.raises(KeyboardInterrupt):
            writer.push(make_folder(), NAME)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert server.repos[NAME].branches == {"main": before} and not server.seen("POST .*/commit/")


def test_a_lost_answer_to_the_commit_is_found_out(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    server.add(NAME, {"config.json": b"theirs"})
    folder = make_folder()
    # The commit is made, and its answer lost.
    server.alter = lambda request, answer: Answer(502) if "/commit/" in request.path else answer
    pushed = writer.push(folder, NAME)
    assert pushed.commit == server.repos[NAME].branches["main"]
    assert contents(folder).items() <= server.repos[NAME].commits[pushed.commit].items()
    assert len(server.seen("POST .*/commit/")) == 1, "asked once: twice would be two commits"
    with pytest.raises(Unreachable, match=r"pull request was opened is not known; see .*/discussions"):
        writer.push(make_folder("two", b"more"), NAME, create_pr=True)


@pytest.mark.parametrize(
    ("meanwhile", "said"), [(False, "nothing was published"), (True, "another's commit")]
)
def test_a_commit_that_was_not_made_is_told(
    meanwhile: bool, said: str, server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    before = server.add(NAME, {"config.json": b"theirs"})

    def refuse(request: Request, answer: Answer) -> Answer:
        if "/commit/" not in request.path:
            return answer
        server.repos[NAME].branches["main"] = before
        if meanwhile:
            server.add(NAME, {"config.json": b"a third one's"})
        return Answer(504)

    server.alter = refuse
    with pytest.raises(Unreachable, match=said):
        writer.push(make_folder(), NAME)


def test_a_gitignore_that_leaves_out_the_weights_is_told(
    server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    before = server.add(NAME, {".gitignore": b"*.safetensors"})

    def ignoring(request: Request, answer: Answer) -> Answer:
        if "preupload" not in request.path:
            return answer
        return with_body(answer, answer.body.replace(b'"shouldIgnore": false', b'"shouldIgnore": true '))

    server.alter = ignoring
    with pytest.raises(HubError, match=r"\.gitignore .* leaves out README.md; .*nothing was published"):
        writer.push(make_folder(), NAME)
    assert server.repos[NAME].branches["main"] == before


@pytest.mark.parametrize("oid", ["../../etc", "", "0" * 39, None, 7])
def test_a_hostile_commit_is_not_taken_for_one(
    oid: object, server: HubServer, writer: Hub, make_folder: MakeFolder
) -> None:
    def hostile(request: Request, answer: Answer) -> Answer:
        if "/commit/" not in request.path:
            return answer
        return as_json({"commitUrl": f"{server.url}/{NAME}/commit/x", "commitOid": oid})

    server.alter = hostile
    assert writer.push(make_folder(), NAME).commit == server.repos[NAME].branches["main"], "looked up"
    with pytest.raises(Unreachable, match="whether the pull request was opened is not known"):
        writer.push(make_folder("two", b"more"), NAME, create_pr=True)


def test_no_token_is_in_any_error(server: HubServer, writer: Hub, make_folder: MakeFolder) -> None:
    server.alter = lambda request, answer: Answer(403, {"X-Error-Message": str(request.headers)})
    with pytest.raises(HubError) as caught:
        writer.push(make_folder(), NAME)
    assert "hf_writer" not in str(caught.value)
