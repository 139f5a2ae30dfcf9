"""What an endpoint may say and be sent: failures in our words, hostile answers refused, tokens kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from server import Answer, HubServer, Request, as_json, failure

from conftest import FILES, NAME, contents
from sixarts_hub import Hub
from sixarts_hub.endpoint import Endpoint
from sixarts_hub.errors import Corrupt, HubError, NotFound, Unreachable, UnsafeFile

pytestmark = pytest.mark.quick

Alter = Callable[[Request, Answer], Answer]


def on(pattern: str, change: Callable[[Answer], Answer]) -> Alter:
    """Changes the answers to requests that have ``pattern`` in ``METHOD path``."""
    return lambda request, answer: change(answer) if pattern in str(request) else answer


def headers(**changed: str) -> Callable[[Answer], Answer]:
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda answer: replace(answer, headers={**answer.headers, **names})


# Failures.


@pytest.mark.parametrize(
    ("reference", "said"),
    [("me/nothing", "does not exist, or is private"), (f"{NAME}@nothing", "revision does not exist")],
)
def test_what_is_not_there_is_not_found(reference: str, said: str, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    with pytest.raises(NotFound, match=rf"{reference}.*received .*{said}; expected .*; check"):
        hub.pull(reference)
    assert hub.cached() == []


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (failure("GatedRepo", 403), NotFound, "gated"),
        (Answer(401), HubError, "log in"),
        (Answer(403), HubError, "permission"),
        (Answer(500), Unreachable, "status 500"),
        (Answer(429), Unreachable, "status 429"),
        (
            Answer(200, {"Content-Type": "text/html"}, b"<html>Log in to the hotel</html>"),
            Unreachable,
            "proxies",
        ),
        (as_json({"id": NAME}), Unreachable, "40 hex"),
        (as_json([]), Unreachable, "not a hub's"),
    ],
)
def test_failures_are_told(
    answer: Answer, kind: type[HubError], said: str, server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    server.alter = on("/revision/", lambda _: answer)
    with pytest.raises(kind, match=said) as caught:
        hub.pull(NAME)
    assert type(caught.value) is kind


def test_no_one_listens(home: Path) -> None:
    server = HubServer()
    server.close()
    with pytest.raises(Unreachable, match=r"expected one; check the network"):
        Hub(home, endpoint=server.url, offline=False).pull(NAME)


def test_what_is_cached_needs_no_endpoint(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    pulled = hub.pull(NAME)
    server.close()
    assert hub.pull(NAME) == pulled


def test_a_silent_endpoint_is_not_waited_for(
    server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)

    def stall(answer: Answer) -> Answer:
        time.sleep(3)
        return answer

    server.alter = on("/revision/", stall)
    monkeypatch.setattr("sixarts_hub.guard.READ_SECONDS", 0.2)
    with pytest.raises(Unreachable, match=r"Timeout.*tried 5 times"):
        hub.pull(NAME)


def test_a_home_that_cannot_be_written(server: HubServer, tmp_path: Path) -> None:
    server.add(NAME, FILES)
    (tmp_path / "file").write_text("a file where the home should be")
    with pytest.raises(HubError, match="SIXARTS_HOME"):
        Hub(tmp_path / "file", endpoint=server.url, offline=False).pull(NAME)


def test_a_file_that_is_shorter_than_listed_is_corrupt(server: HubServer, hub: Hub) -> None:
    server.add(NAME, {"config.json": b"{}" * 50})
    server.alter = on("GET /me/model/resolve", lambda answer: replace(answer, body=answer.body[:7]))
    with pytest.raises(Corrupt, match=r"of 7 bytes, git-sha1:\w+; expected 100 bytes, git-sha1:\w+"):
        hub.pull(NAME)
    assert not [path for path in contents(hub.home) if "blobs" in path]


# Hostile answers.


@pytest.mark.parametrize("commit", ["../../../etc", "main", "A" * 40, "a" * 39, "a" * 40 + "\n", 7, None])
def test_a_commit_that_is_no_commit_touches_no_path(commit: object, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    server.alter = on("/revision/", lambda _: as_json({"id": NAME, "sha": commit}))
    with pytest.raises(Unreachable, match="nothing was written"):
        hub.pull(NAME)
    assert not hub.home.exists()


@pytest.mark.parametrize(
    "change",
    [
        headers(X_Repo_Commit="../../../../escaped"),
        headers(X_Repo_Commit="b" * 40),
        headers(ETag='"../../../../escaped"'),
        headers(ETag='W/"../../../../escaped"'),
        headers(ETag=""),
        headers(X_Linked_ETag='"../../../../escaped"'),
        lambda answer: replace(
            headers(ETag='"../../../../escaped"', Location="https://elsewhere.invalid/x")(answer), status=302
        ),
        lambda answer: Answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": "../../../../escaped"}),
    ],
)
def test_headers_that_become_paths_are_checked(
    change: Callable[[Answer], Answer], server: HubServer, hub: Hub, tmp_path: Path
) -> None:
    server.add(NAME, {"config.json": b"{}"})
    server.alter = on("resolve", change)
    with pytest.raises(Unreachable, match="nothing was written"):
        hub.pull(NAME)
    assert not [path for path in tmp_path.rglob("*") if "escaped" in path.name]
    assert b"{}" not in contents(hub.home).values()
    assert len(server.seen("resolve")) == 1, "what is refused is not asked for again"


def test_a_redirect_within_the_endpoint_is_followed(server: HubServer, hub: Hub) -> None:
    server.add(NAME, {"config.json": b"{}"})
    server.repos["me/renamed"] = server.repos[NAME]

    def moved(request: Request, answer: Answer) -> Answer:
        if "/me/model/resolve/" in request.path:
            headers = {"Location": request.path.replace("/me/model/", "/me/renamed/"), "ETag": 'W/"29-x"'}
            return Answer(307, headers)
        return answer

    server.alter = moved
    assert contents(hub.pull(NAME).path) == {"config.json": b"{}"}


@pytest.mark.parametrize(
    "files",
    [
        {"../outside.json": b""},
        {"/absolute.json": b""},
        {"Config.json": b"", "config.json": b""},
        {"model": b"", "model/config.json": b""},
    ],
)
def test_a_tree_with_hostile_names_is_refused_up_front(
    files: dict[str, bytes], server: HubServer, hub: Hub
) -> None:
    server.add(NAME, {"README.md": b"", **files})
    with pytest.raises(UnsafeFile):
        hub.pull(NAME)
    assert not server.seen("resolve")
    assert not hub.home.exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "file", "path": "config.json", "size": 2, "oid": "../x"},
        {"type": "file", "path": "config.json", "size": -2, "oid": "a" * 40},
        {"type": "file", "path": "config.json"},
        {"type": "file", "path": 7, "size": 2, "oid": "a" * 40},
        "config.json",
    ],
)
def test_a_tree_that_is_none_is_refused(entry: object, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    server.alter = on("/tree/", lambda _: as_json([entry]))
    with pytest.raises((Unreachable, UnsafeFile)):
        hub.pull(NAME)


def test_a_tree_without_end_is_refused(server: HubServer, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.add(NAME, FILES)
    server.alter = on("/tree/", headers(Link=f'<{server.url}/api/models/{NAME}/tree/main>; rel="next"'))
    monkeypatch.setattr("sixarts_hub.fetch._MOST_FILES", 100)
    with pytest.raises(Unreachable, match="more than 100 files"):
        hub.pull(NAME)


# Tokens, and other users of the client.


def test_a_token_goes_to_its_endpoint_only(server: HubServer, home: Path) -> None:
    storage = HubServer()
    try:
        server.add(NAME, {"model.safetensors": b"weights"})
        storage.add(NAME, {"model.safetensors": b"weights"})

        def redirect(request: Request, answer: Answer) -> Answer:
            if "resolve" in request.path:
                return replace(
                    answer, status=302, headers={**answer.headers, "Location": storage.url + request.path}
                )
            return answer

        server.alter = redirect
        hub = Hub(home, endpoint=server.url, token="hf_secret", offline=False)
        assert contents(hub.pull(NAME).path) == {"model.safetensors": b"weights"}
        assert all(request.authorized for request in server.requests)
        assert storage.requests
        assert not any(request.authorized for request in storage.requests)
        assert "hf_secret" not in repr(hub.endpoint)
    finally:
        storage.close()


def test_a_token_does_not_follow_the_next_page_elsewhere(server: HubServer, home: Path) -> None:
    elsewhere = HubServer()
    try:
        server.add(NAME, {"config.json": b"{}"})
        elsewhere.alter = lambda request, answer: as_json([])
        server.alter = on("/tree/", headers(Link=f'<{elsewhere.url}/api/next>; rel="next"'))
        Hub(home, endpoint=server.url, token="hf_secret", offline=False).pull(NAME)
        assert [request.authorized for request in elsewhere.requests] == [False]
    finally:
        elsewhere.close()


def test_a_stored_login_is_not_sent_to_an_address_in_code(
    server: HubServer, hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(NAME, FILES)
    monkeypatch.setenv("HF_TOKEN", "hf_stored")
    hub.pull(NAME)
    assert not any(request.authorized for request in server.requests)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    Hub(home, offline=False).pull(NAME, update=True)
    assert server.requests[-1].authorized


@pytest.mark.parametrize(
    "url", ["ftp://hub", "hub.example", "https://", "https://me:pw@hub", "https://hub?x=1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(HubError, match="expected https://HOST") as caught:
        Endpoint.of(url)
    assert "pw" not in str(caught.value)


def test_a_token_does_not_travel_in_the_open() -> None:
    with pytest.raises(HubError, match="not encrypted"):
        Endpoint.of("http://hub.example", "hf_secret")
    assert Endpoint.of("http://hub.example").library_token is False
    assert Endpoint.of("http://localhost:8000", "hf_secret").library_token == "hf_secret"
    assert Endpoint.of().library_token is None


def test_other_users_of_the_client_see_no_difference(server: HubServer, hub: Hub) -> None:
    from huggingface_hub import get_hf_file_metadata

    server.add(NAME, FILES)
    hub.pull(NAME)
    server.alter = on("HEAD", headers(ETag='"v1"'))
    seen = get_hf_file_metadata(f"{server.url}/{NAME}/resolve/main/config.json", token="hf_own")
    assert seen.etag == "v1"
    assert server.requests[-1].authorized
