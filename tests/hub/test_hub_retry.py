"""How long an endpoint is waited for, when it is asked again, and what stands in for it."""

from __future__ import annotations

import logging
import time
from email.utils import formatdate

import pytest
from faults import ALWAYS, inject
from server import HubServer

from conftest import FILES, NAME, contents
from sixarts_hub import Hub, retry
from sixarts_hub.errors import NotFound, Unreachable
from sixarts_hub.retry import Patience, persist
from sixarts_hub.stopping import Stop, Stopped, heeded

pytestmark = pytest.mark.quick


class Clock(Stop):
    """Waits for nothing and notes how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr("sixarts_hub.retry.FIRST_WAIT", 0.5)
    monkeypatch.setattr("sixarts_hub.retry.LONGEST_WAIT", 8.0)
    clock = Clock()
    heeded.set(clock)
    return clock


def busy(retry_after: float | None = None, passing: bool = True) -> Unreachable:
    error = Unreachable("received nothing; expected something")
    error.passing, error.retry_after = passing, retry_after
    return error


def spend(times: int, error: Unreachable) -> None:
    patience = Patience()
    for _ in range(times):
        patience.spend(error)


def test_waits_grow_and_are_drawn_at_random(clock: Clock) -> None:
    for _ in range(200):
        spend(retry.ATTEMPTS - 1, busy())
    for turn, bound in enumerate((0.5, 1.0, 2.0, 4.0)):
        waits = clock.waits[turn :: retry.ATTEMPTS - 1]
        assert 0 <= min(waits) < bound / 10, "the jitter is full"
        assert bound * 0.9 < max(waits) <= bound
    assert len(set(clock.waits)) > 700


def test_waits_have_a_bound(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sixarts_hub.retry.ATTEMPTS", 2000)
    spend(1500, busy())
    assert max(clock.waits) <= 8.0


def test_the_last_attempt_is_told(clock: Clock) -> None:
    with pytest.raises(Unreachable, match="tried 5 times"):
        spend(5, busy())
    assert len(clock.waits) == 4, "nobody waits for nothing"


def test_what_does_not_pass_is_told_at_once(clock: Clock) -> None:
    error = busy(passing=False)
    with pytest.raises(Unreachable) as caught:
        persist(lambda: (_ for _ in ()).throw(error))
    assert caught.value is error
    assert not clock.waits


def test_an_endpoint_may_ask_for_time(clock: Clock) -> None:
    spend(1, busy(retry_after=42.0))
    assert clock.waits == [42.0]
    with pytest.raises(
        Unreachable, match=r"alone for 3600 s; return after \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    ):
        spend(1, busy(retry_after=3600.0))
    assert len(clock.waits) == 1


@pytest.mark.parametrize("value", ["3600", "9" * 400, "date"])
def test_an_endpoint_that_asks_for_much_is_not_waited_for(value: str, server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    asked = formatdate(time.time() + 7200, usegmt=True) if value == "date" else value
    inject(server, "status", "/revision/", code=429, retry_after=asked)
    with pytest.raises(Unreachable, match=r"status 429.*return after"):
        hub.pull(NAME)
    assert len(server.requests) == 1


@pytest.mark.parametrize("value", ["1", "date", "soon", "-5", "1e9", ""])
def test_what_an_endpoint_asks_for_is_read(value: str, server: HubServer, hub: Hub, clock: Clock) -> None:
    server.add(NAME, FILES)
    asked = formatdate(time.time() + 30, usegmt=True) if value == "date" else value
    inject(server, "status", "/revision/", code=503, retry_after=asked)
    hub.pull(NAME)
    (waited,) = clock.waits
    expected = {"1": (0.99, 1.01), "date": (25.0, 30.1)}.get(value, (0.0, 0.5))
    assert expected[0] <= waited <= expected[1]


def test_a_stop_ends_a_wait() -> None:
    stop = Stop()
    stop.set()
    heeded.set(stop)
    try:
        with pytest.raises(Stopped):
            spend(1, busy(retry_after=60.0))
    finally:
        heeded.set(Stop())


def test_what_is_denied_is_not_asked_for_again(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    with pytest.raises(NotFound):
        hub.pull("me/nothing")
    assert len(server.requests) == 1


# What stands in.


def test_an_update_that_gets_no_answer_keeps_what_is_cached(
    server: HubServer, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    server.add(NAME, FILES)
    first = hub.pull(NAME)
    server.add(NAME, {"config.json": b"newer"})
    inject(server, "status", "/revision/", times=ALWAYS, code=503)
    with caplog.at_level(logging.WARNING, "sixarts_hub"):
        assert hub.pull(NAME, update=True) == first
        assert hub.resolve(NAME, update=True) == first.commit
    assert [record.levelname for record in caplog.records if record.name == "sixarts_hub"] == ["WARNING"] * 2
    assert f"goes on with the cached {NAME}@{first.commit}" in caplog.text
    server.faults.clear()
    assert hub.pull(NAME, update=True).commit != first.commit


@pytest.mark.parametrize("asked", ["/tree/", "GET .*resolve"])
def test_an_update_that_cannot_be_fetched_keeps_what_is_cached(
    asked: str, server: HubServer, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    server.add(NAME, FILES)
    first = hub.pull(NAME)
    second = server.add(NAME, {"config.json": b"newer"})
    inject(server, "reset", asked, times=ALWAYS)
    assert hub.pull(NAME, update=True) == first
    assert "goes on with the cached" in caplog.text
    assert hub.pull(NAME).commit == first.commit
    server.faults.clear()
    assert hub.pull(NAME, update=True).commit == second


def test_an_update_that_is_wrong_does_not_pass_for_the_old(server: HubServer, hub: Hub) -> None:
    server.add(NAME, FILES)
    hub.pull(NAME)
    server.add(NAME, {"config.json": b"newer"})
    inject(server, "wrong bytes", "GET .*resolve", times=ALWAYS)
    with pytest.raises(Exception, match="expected 5 bytes"):
        hub.pull(NAME, update=True)


def test_a_branch_that_nobody_resolved_falls_back_to_the_only_commit(
    server: HubServer, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    first = server.add(NAME, FILES)
    hub.pull(f"{NAME}@{first}")
    inject(server, "reset", "/revision/", times=ALWAYS)
    assert contents(hub.pull(NAME).path)["config.json"] == FILES["config.json"]
    assert "goes on with the cached" in caplog.text
    with pytest.raises(Unreachable):
        hub.pull(f"{NAME}@main")
    server.faults.clear()
    # It is not on record: the branch is asked for again.
    second = server.add(NAME, {"config.json": b"newer"})
    assert hub.pull(f"{NAME}@{second}").commit == second
    inject(server, "reset", "/revision/", times=ALWAYS)
    with pytest.raises(Unreachable):
        hub.pull(NAME)
