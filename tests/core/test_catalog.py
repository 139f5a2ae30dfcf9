"""The catalog: what plugins list, what a hub lists, and which of it a family here can load."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from cli_fakes import plugin, task_spec

import sixarts as sa
from sixarts import FamilySpec, ModelEntry
from sixarts.catalog import RemoteEntry
from sixarts.cli import main
from sixarts.errors import Offline, OptionError, UnknownTask, Unreachable
from sixarts.plugins import Registry, registry

pytestmark = pytest.mark.quick

SHOUTER = FamilySpec("shouter", "text -> text", "acme:Shouter", ("shouter",), ("ShouterForShouting",))
WHISPER = FamilySpec(
    "whisper", "text -> text", "acme:Whisper", ("soft",), requires=("no_such_library",), extra="soft"
)


def entry(reference: str, *languages: str, task: str = "shouting") -> ModelEntry:
    return ModelEntry(reference, task, "shouter", "MIT", languages=languages)


@pytest.fixture(autouse=True)
def only(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """One task, two families, four entries."""
    found = Registry.from_modules(
        {
            "acme:shout": plugin(
                sixarts_tasks=[task_spec(aliases=("shout",)), task_spec("humming")],
                sixarts_families=[SHOUTER, WHISPER],
                sixarts_models=[
                    entry("acme/de", "de", "en"),
                    entry("acme/at", "de-AT"),
                    entry("acme/fr", "fr"),
                    entry("acme/hum", "de", task="humming"),
                ],
            )
        }
    )
    monkeypatch.setattr(Registry, "discover", lambda: found)
    registry.cache_clear()
    yield found
    registry.cache_clear()


@pytest.fixture
def server(everybodys: Any) -> Any:
    return everybodys


@pytest.fixture
def listed(server: Any) -> Callable[..., None]:
    """Puts a repository on the hub, as a search shows it."""

    def add(name: str, config: Any, *paths: str, **shown: Any) -> None:
        server.add(name, dict.fromkeys(paths or ("config.json", "model.safetensors"), b""))
        stated = {"pipeline_tag": "shouting", "config": config, "tags": ["de", "license:mit"], "downloads": 1}
        server.repos[name].listed = stated | shown

    return add


GOOD = {"model_type": "shouter", "architectures": ["ShouterForShouting"]}


def references(entries: list[ModelEntry]) -> list[str]:
    return [found.reference for found in entries]


# What plugins list.


def test_entries_are_chosen_by_task_language_and_words() -> None:
    assert references(sa.models()) == ["acme/de", "acme/at", "acme/fr", "acme/hum"]
    assert references(sa.models("shouting")) == references(sa.models(task="shout"))
    assert references(sa.models(task="shouting", language="DE")) == ["acme/de", "acme/at"]
    assert references(sa.models(language="de-at")) == ["acme/at"]
    assert references(sa.models(language="de", search="HUM")) == ["acme/hum"]
    assert sa.models(language="d") == []
    with pytest.raises(UnknownTask):
        sa.models(task="shoutin")


def test_the_command_takes_the_task_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--task", "shouting", "--language", "fr"]) == 0
    assert "acme/fr" in (shown := capsys.readouterr().out) and "acme/de" not in shown
    assert main(["models", "shouting", "--json", "--search", "/at"]) == 0
    assert [found["reference"] for found in json.loads(capsys.readouterr().out)] == ["acme/at"]
    assert main(["models", "shouting", "--task", "humming"]) == 2
    assert main(["models", "--language", "sw"]) == 0
    assert "no model in the catalog is like that" in capsys.readouterr().err


# What the hub lists.


def remote(**options: Any) -> dict[str, RemoteEntry]:
    found = sa.models("shouting", remote=True, **options)
    assert all(isinstance(each, RemoteEntry) for each in found)
    return {each.reference: each for each in found}  # type: ignore[misc]


def test_each_model_is_marked_by_what_loads_here(listed: Callable[..., None]) -> None:
    listed("a/good", GOOD, downloads=9)
    listed("a/pickle", GOOD, "config.json", "pytorch_model.bin", downloads=8)
    listed("a/flax", GOOD, "config.json", "flax_model.msgpack", downloads=7)
    listed("a/headless", {"model_type": "shouter", "architectures": ["ShouterModel"]}, downloads=6)
    listed("a/other", {"model_type": "t5"}, downloads=5)
    listed("a/nothing", None, downloads=4)
    listed("a/soft", {"model_type": "soft"}, downloads=3)
    listed("a/gated", GOOD, gated="manual", downloads=2)
    found = remote()
    unloadable = ["a/flax", "a/headless", "a/other", "a/nothing", "a/soft", "a/gated"]
    assert list(found) == ["a/good", "a/pickle", *unloadable]
    good = found["a/good"]
    assert (
        good.loads
        and not good.pickled
        and (good.family, good.license, good.downloads) == ("shouter", "mit", 9)
    )
    assert good.languages == ("de",) and good.task == "shouting"
    assert found["a/pickle"].loads and found["a/pickle"].pickled
    obstacles = {name: each.obstacle for name, each in found.items() if not each.loads}
    assert list(obstacles) == unloadable
    assert "none of model.safetensors" in obstacles["a/flax"]
    assert obstacles["a/headless"] == "architectures ['ShouterModel'] without the head of ShouterForShouting"
    assert obstacles["a/other"] == "no family here reads model_type 't5'"
    assert obstacles["a/nothing"] == "its config.json states no model_type"
    assert "pip install 'acme[soft]'" in obstacles["a/soft"]
    assert obstacles["a/gated"] == "access must be asked for"


def test_the_hub_is_asked_for_task_language_words_and_so_many(
    server: Any, listed: Callable[..., None]
) -> None:
    listed("a/one", GOOD)
    listed("a/two", GOOD, tags=["fr"])
    listed("b/one", GOOD, downloads=5)
    listed("c/hum", GOOD, pipeline_tag="humming")
    assert list(remote(language="de")) == ["b/one", "a/one"]
    assert list(remote(search="two")) == ["a/two"]
    assert list(remote(limit=1)) == ["b/one"]
    assert server.requests[0].asked["sort"] == ["downloads"]
    assert not server.requests[0].authorized


def test_the_command_marks_them_too(listed: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    listed("a/pickle", GOOD, "config.json", "pytorch_model.bin", downloads=1234)
    listed("a/other", {"model_type": "t5"})
    assert main(["models", "--task", "shouting", "--remote"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["REFERENCE", "DOWNLOADS", "LICENSE", "LOADS", "HERE"]
    assert first.split(maxsplit=3) == ["a/pickle", "1,234", "mit", "yes: shouter, tensors of a pickle"]
    assert second.endswith("no: no family here reads model_type 't5'")
    assert main(["models", "shouting", "--remote", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(each["loads"], each["pickled"]) for each in shown] == [(True, True), (False, False)]
    assert main(["models", "--task", "humming", "--remote"]) == 0
    assert capsys.readouterr().err == "the hub lists no such model\n"


def test_a_task_must_be_named() -> None:
    with pytest.raises(OptionError, match="without a task"):
        sa.models(remote=True)


@pytest.mark.usefixtures("server")
def test_offline_no_hub_is_asked(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXARTS_OFFLINE", "1")
    with pytest.raises(Offline, match="`sixarts models`"):
        sa.models("shouting", remote=True)
    assert not server.requests


def test_hostile_entries_do_no_harm(server: Any, listed: Callable[..., None]) -> None:
    for name in ("../etc", "a/b@c", "a/\x1b[2J", "a", "a/" + "b" * 300):
        listed(name, GOOD)
    listed("a/odd", ["no", "mapping"], tags=["de", 3, "\x1b[31m", "license:\x1b[2J"], downloads="many")
    listed("a/wild", {"model_type": ["shouter"], "architectures": "x" * 500})
    listed("a/liar", {"model_type": "\x1b[2J" * 50})
    found = remote()
    assert set(found) == {"a/odd", "a/wild", "a/liar"}
    assert found["a/odd"].downloads is None and found["a/odd"].license == ""
    assert not any(each.loads for each in found.values())
    assert all(each.obstacle.isprintable() and len(each.obstacle) < 120 for each in found.values())


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"{}", b"[[]]", b"[null]", b"", b"[{}]", b'[{"id": "a/b", "siblings": [3]}]', b"[" * 100_000],
)
def test_an_answer_that_is_no_hubs_is_a_typed_error(server: Any, body: bytes) -> None:
    server.alter = lambda request, answer: replace(answer, status=200, body=body)
    with pytest.raises(Unreachable):
        sa.models("shouting", remote=True)


def test_a_hub_that_is_ill_is_a_typed_error(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    server.alter = lambda request, answer: replace(answer, status=503, body=b"")
    assert main(["models", "shouting", "--remote"]) == 1
    assert "status 503" in capsys.readouterr().err
