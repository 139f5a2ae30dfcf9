"""Tokens: sent to the endpoint that they were given for, and found in no log, no text and no error."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import ALWAYS, inject
from server import Answer, HubServer, as_json

from conftest import FILES, NAME, contents
from sixarts_hub import Hub
from sixarts_hub.endpoint import Endpoint, is_private
from sixarts_hub.errors import HubError, Unreachable

pytestmark = pytest.mark.quick

TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"


@pytest.fixture
def elsewhere() -> Iterator[HubServer]:
    """Another endpoint."""
    server = HubServer()
    yield server
    server.close()


def texts(error: BaseException | None) -> Iterator[str]:
    """Everything that an error and what led to it say, in every form."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield from (str(link), repr(link), repr(link.args), *getattr(link, "__notes__", ()))
        yield "".join(traceback.format_exception(link))
        waiting += [link.__cause__, link.__context__]


def echo(token: str) -> Answer:
    """A failure that says back what it was sent, wherever there is room."""
    body = json.dumps({"error": f"bad {token}", "errors": [{"message": f"Bearer {token}"}], token: token})
    return Answer(400, {"Content-Type": "application/json", "X-Error-Message": f"no {token}"}, body.encode())


#: What goes wrong while a token is in use.
TROUBLES = [
    ("status", "/revision/", {"code": 401}),
    ("status", "/tree/", {"code": 403}),
    ("status", "GET .*resolve", {"code": 503}),
    ("reset", "GET .*resolve", {}),
    ("cut", "/tree/", {"at": 5}),
    ("wrong bytes", "GET .*resolve", {}),
    ("page", "/revision/", {}),
    ("header", "GET .*resolve", {"X_Repo_Commit": TOKEN}),
    ("header", "GET .*resolve", {"ETag": f'"{TOKEN}"'}),
    ("answer", "/revision/", {"answer": echo(TOKEN)}),
    ("answer", "/tree/", {"answer": echo(TOKEN)}),
    ("answer", "GET .*resolve", {"answer": echo(TOKEN)}),
    ("answer", "/revision/", {"answer": as_json({"id": NAME, "sha": TOKEN})}),
    (
        "answer",
        "/tree/",
        {"answer": as_json([{"type": "file", "path": f"../{TOKEN}", "size": 1, "oid": "a" * 40}])},
    ),
    ("answer", "/tree/", {"answer": as_json([{"type": TOKEN}, TOKEN])}),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: f"{trouble[0]} {trouble[1]}")
def test_no_text_holds_the_token(
    trouble: tuple[str, str, dict[str, object]],
    server: HubServer,
    home: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fault, asked, arguments = trouble
    server.add(NAME, FILES)
    hub = Hub(home, endpoint=server.url, token=TOKEN, offline=False)
    hub.pull(NAME)
    server.add(NAME, {**FILES, "config.json": b"newer"})
    inject(server, fault, asked, times=ALWAYS, **arguments)
    # What the client library and its transport log of an answer's headers at this level is theirs.
    level = logging.INFO if "ETag" in arguments or "X_Repo_Commit" in arguments or fault == "answer" else 1
    caught: list[BaseException] = []
    with caplog.at_level(level):
        for reference, update in ((NAME, True), (f"{NAME}@dev", False), ("me/nothing", False)):
            try:
                hub.pull(reference, update=update)
            except HubError as error:
                caught.append(error)
    assert caught
    assert any(request.authorized for request in server.requests)
    for error in caught:
        for text in texts(error):
            assert TOKEN not in text
    assert TOKEN not in caplog.text
    assert not [record for record in caplog.records if TOKEN in str(vars(record))]
    assert TOKEN not in "".join(capfd.readouterr())
    assert TOKEN not in repr(hub.endpoint)
    assert not [path for path in home.rglob("*") if TOKEN in str(path)]
    assert not [path for path in home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]


def test_a_failed_push_does_not_tell_it(
    server: HubServer, home: Path, make_folder: object, caplog: pytest.LogCaptureFixture
) -> None:
    assert callable(make_folder)
    inject(server, "answer", "POST .*/preupload/", times=ALWAYS, answer=echo(TOKEN))
    with caplog.at_level(logging.INFO), pytest.raises(HubError) as caught:
        Hub(home, endpoint=server.url, token=TOKEN, offline=False).push(make_folder(), NAME)
    assert not [text for text in texts(caught.value) if TOKEN in text]
    assert TOKEN not in caplog.text


def test_an_uncaught_error_does_not_tell_it(server: HubServer, home: Path) -> None:
    inject(server, "answer", "/revision/", times=ALWAYS, answer=echo(TOKEN))
    program = (
        "import sys, sixarts_hub\n"
        "sixarts_hub.Hub(sys.argv[1], endpoint=sys.argv[2], offline=False).pull('me/model')"
    )
    environment = {"HF_TOKEN": TOKEN, "HF_ENDPOINT": server.url, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program, str(home), server.url],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert "status 400" in done.stderr
    assert server.requests[-1].authorized
    assert TOKEN not in done.stderr + done.stdout


# Where it goes.


@pytest.mark.parametrize("asked", ["/revision/", "/tree/", "GET .*resolve"])
def test_a_token_does_not_follow_a_redirect_elsewhere(
    asked: str, server: HubServer, elsewhere: HubServer, home: Path
) -> None:
    commit = server.add(NAME, FILES)
    assert elsewhere.add(NAME, FILES) == commit
    inject(server, "redirect", asked, times=ALWAYS, url=elsewhere.url)
    hub = Hub(home, endpoint=server.url, token=TOKEN, offline=False)
    assert "model.safetensors" in contents(hub.pull(NAME).path)
    assert all(request.authorized for request in server.requests)
    assert elsewhere.requests
    assert not any(request.authorized for request in elsewhere.requests)
    assert not any(TOKEN in str(vars(request)) for request in elsewhere.requests)


def test_a_hub_does_not_use_another_hubs_token(
    server: HubServer, elsewhere: HubServer, tmp_path: Path
) -> None:
    for at in (server, elsewhere):
        at.add(NAME, FILES)
    Hub(tmp_path / "one", endpoint=server.url, token=TOKEN, offline=False).pull(NAME)
    Hub(tmp_path / "two", endpoint=elsewhere.url, offline=False).pull(NAME)
    assert server.requests[0].authorized
    assert not any(request.authorized for request in elsewhere.requests)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://hub.example", True),
        ("http://hub.example", False),
        ("http://127.0.0.1:80", True),
        ("http://[::1]:80", True),
        ("http://localhost", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://[2001:db8::1]", False),
        ("ftp://127.0.0.1", False),
        ("", False),
    ],
)
def test_what_may_be_sent_a_token(url: str, private: bool) -> None:
    assert is_private(url) is private


def test_an_encrypted_address_does_not_send_on_in_the_open(monkeypatch: pytest.MonkeyPatch) -> None:
    import httpx2

    from sixarts_hub import guard

    request = httpx2.Request("GET", "https://hub.example/me/model/resolve/main/config.json")
    headers = {"Location": "http://storage.example/x"}
    with guard.watch("https://hub.example", "c" * 40), pytest.raises(Unreachable, match="not encrypted"):
        guard._on_response(httpx2.Response(302, headers=headers, request=request))


def test_the_loopback_hub_would_tell(server: HubServer) -> None:
    """The grep above finds what is there to find."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger("sixarts_hub").addHandler(handler)
    try:
        logging.getLogger("sixarts_hub").warning("%s", echo(TOKEN).body)
    finally:
        logging.getLogger("sixarts_hub").removeHandler(handler)
    assert TOKEN in stream.getvalue()
    assert TOKEN in set(texts(ValueError(TOKEN)))


def test_an_endpoint_shows_no_token() -> None:
    endpoint = Endpoint.of("https://hub.example", TOKEN)
    assert TOKEN not in f"{endpoint} {endpoint!r}"
    with pytest.raises(HubError) as caught:
        Endpoint.of("http://hub.example", TOKEN)
    assert not [text for text in texts(caught.value) if TOKEN in text]
