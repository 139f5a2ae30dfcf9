"""Verifying again what is cached, and repairing it; and what cannot be repaired with the network off."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import ALWAYS, inject
from server import HubServer

from conftest import FILES, NAME, contents, flip_a_bit
from sixarts_hub import Hub, Listing
from sixarts_hub.errors import Corrupt, HubError, NotFound, Offline, Unreachable

pytestmark = pytest.mark.quick

DATA = {path: body for path, body in FILES.items() if not path.endswith(".py")}


def some(listing: Listing, read: Callable[[str], bytes]) -> list[str]:
    """What a family takes."""
    assert read("config.json")
    return ["config.json", "model.safetensors", "README.md"]


def lose(path: Path) -> None:
    path.resolve().unlink()


def unlink(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5])


@pytest.mark.parametrize("damage", [flip_a_bit, cut, lose, unlink])
@pytest.mark.parametrize("path", ["config.json", "model.safetensors"])
def test_what_is_damaged_is_repaired_and_nothing_else_is_fetched(
    path: str, damage: Callable[[Path], None], server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    folder = hub.pull(NAME, some).path
    whole = contents(folder)
    damage(folder / path)
    asked = len(server.requests)
    ((_, problem),) = hub.verify(NAME)
    assert isinstance(problem, Corrupt | Offline)
    assert path in str(problem)
    assert len(server.requests) == asked, "told without asking"
    ((_, problem),) = hub.verify(NAME, repair=True)
    assert problem is None
    assert contents(folder) == whole
    # Of a lost link the content is still here.
    needed = [] if damage is unlink else [path]
    assert [request.path.rpartition("/")[2] for request in server.requests[asked:]] == needed
    assert [problem for _, problem in hub.verify()] == [None]


def test_a_manifest_that_rotted_is_repaired(
    server: HubServer, hub: Hub, make_folder: Callable[..., Path]
) -> None:
    server.add(NAME, contents(make_folder()))
    folder = hub.pull(NAME).path
    (folder / "sixarts.json").write_bytes(b"{}")
    ((_, problem),) = hub.verify(NAME, repair=True)
    assert problem is None
    assert contents(folder) == contents(make_folder("again"))


def test_a_lost_record_is_repaired(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    next(hub.home.rglob("*.listing.json")).unlink()
    ((_, problem),) = hub.verify(NAME)
    assert isinstance(problem, NotFound)
    ((_, problem),) = hub.verify(NAME, repair=True)
    assert problem is None


@pytest.mark.parametrize(("fault", "kind"), [("wrong bytes", Corrupt), ("reset", Unreachable)])
def test_what_cannot_be_repaired_is_told(
    fault: str, kind: type[HubError], server: HubServer, hub: Hub
) -> None:
    server.add(NAME, FILES)
    server.add("me/other", FILES)
    flip_a_bit(hub.pull(NAME).path / "model.safetensors")
    hub.pull("me/other")
    inject(server, fault, times=ALWAYS)
    problems = {entry.reference.name: problem for entry, problem in hub.verify(repair=True)}
    assert isinstance(problems[NAME], kind)
    assert problems["me/other"] is None


def test_nothing_is_repaired_offline(server: HubServer, hub: Hub, home: Path) -> None:
    server.add(NAME, FILES)
    flip_a_bit(hub.pull(NAME).path / "model.safetensors")
    asked = len(server.requests)
    ((_, problem),) = Hub(home, endpoint=server.url, offline=True).verify(repair=True)
    assert isinstance(problem, Corrupt)
    assert len(server.requests) == asked


def test_one_bad_file_of_two_versions(server: HubServer, hub: Hub) -> None:
    first = server.add(NAME, FILES)
    hub.pull(NAME)
    second = server.add(NAME, {**FILES, "config.json": b"{}"})
    folder = hub.pull(NAME, update=True).path
    flip_a_bit(folder / "model.safetensors")
    assert [isinstance(problem, Corrupt) for _, problem in hub.verify()] == [True, True], "they share it"
    assert [problem for _, problem in hub.verify(repair=True)] == [None, None]
    assert len(server.seen(r"GET .*\.safetensors")) == 2
    assert {entry.commit for entry in hub.cached()} == {first, second}


# Offline.


@pytest.fixture
def no_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("way", ["SIXARTS_OFFLINE", "HF_HUB_OFFLINE", "argument"])
def test_every_missing_file_is_named_and_how_to_fetch_them(
    way: str,
    server: HubServer,
    hub: Hub,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME, lambda listing, read: ["config.json"])
    if way == "argument":
        offline = Hub(home, endpoint=server.url, offline=True)
    else:
        monkeypatch.setenv(way, "1")
        offline = Hub(home, endpoint=server.url)
    request.getfixturevalue("no_connections")
    for call in (
        lambda: offline.pull(NAME),
        lambda: offline.pull(NAME, lambda listing, read: listing.paths[:4]),
    ):
        with pytest.raises(Offline) as caught:
            call()
        missing = ", ".join(path for path in DATA if path != "config.json")
        assert re.search(rf"of which {re.escape(missing)} are not cached", str(caught.value))
        assert f"`sixarts pull {NAME}`" in str(caught.value)


def test_a_missing_manifest_does_not_hide_the_rest(
    server: HubServer, hub: Hub, home: Path, make_folder: Callable[..., Path]
) -> None:
    files = contents(make_folder())
    server.add(NAME, files)
    folder = hub.pull(NAME).path
    for path in ("sixarts.json", "config.json"):
        (folder / path).unlink()
    with pytest.raises(
        Offline, match=r"of which (sixarts.json, config.json|config.json, sixarts.json) are not"
    ):
        Hub(home, endpoint=server.url, offline=True).pull(NAME)


@pytest.mark.usefixtures("no_connections")
@pytest.mark.parametrize("reference", ["me/other", "me/other@dev", "me/other@" + "a" * 40])
def test_what_was_never_fetched_tells_how(reference: str, home: Path) -> None:
    with pytest.raises(Offline, match=f"`sixarts pull {reference}`"):
        Hub(home, offline=True).pull(reference)
