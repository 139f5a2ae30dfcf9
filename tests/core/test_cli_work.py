"""The commands that do something: run, explain, evaluate, footprint, fit, pull, verify, cache, demo."""

from __future__ import annotations

import io
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import History, Shouting, plugin, starter_entry, task_spec

import sixarts
from sixarts.cli import caching, fetching, main
from sixarts.errors import Corrupt, SixartsError
from sixarts.plugins import Registry, registry
from sixarts_hub.manifest import Manifest

pytestmark = pytest.mark.quick

Pipe = Callable[[bytes], None]


@pytest.fixture
def only() -> Iterator[Callable[..., Registry]]:
    """Makes the given modules the only plugins of the process."""
    with pytest.MonkeyPatch.context() as patch:

        def use(**modules: object) -> Registry:
            found = Registry.from_modules(modules)
            patch.setattr(Registry, "discover", lambda: found)
            registry.cache_clear()
            return found

        yield use
    registry.cache_clear()


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch, only: Callable[..., Registry]) -> Shouting:
    """The task that ``sixarts.load`` and ``sixarts.new`` give."""
    task = Shouting()
    only(shout=plugin(sixarts_tasks=[task_spec()], sixarts_models=[starter_entry("acme:starters/shout")]))

    def load(name: str, model: str | None = None, **options: Any) -> Shouting:
        if name != "shouting":
            raise sixarts.errors.UnknownTask("task", name, ["shouting"])
        task.called = {"model": model} | options
        return task

    def new(name: str, **options: Any) -> Shouting:
        task.called = {"new": name} | options
        return task

    monkeypatch.setitem(vars(sixarts), "load", load)
    monkeypatch.setitem(vars(sixarts), "new", new)
    return task


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """Puts bytes on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


# run


def test_run_answers_an_argument(shouting: Shouting, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shouting", "good morning", "早安"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("GOOD MORNING\n早安\n", "")
    assert shouting.called == {"model": None, "device": "auto", "precision": None}


def test_run_answers_each_that_a_word_stands_for(
    shouting: Shouting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "shouting", "both", "all"]) == 0
    assert capsys.readouterr().out == "YOU\nME\nALL\n"


def test_run_passes_options_on(shouting: Shouting) -> None:
    arguments = ["run", "shouting", "--beams", "4", "hey", "--length-penalty=0.8", "--language", "fr"]
    arguments += [
        "--option",
        "sample=true",
        "--model",
        "acme/big",
        "--device",
        "cpu",
        "--precision",
        "bfloat16",
    ]
    assert main(arguments) == 0
    assert shouting.called == {
        "model": "acme/big",
        "device": "cpu",
        "precision": "bfloat16",
        "beams": 4,
        "length_penalty": 0.8,
        "language": "fr",
        "sample": True,
    }


@pytest.mark.usefixtures("shouting")
def test_run_takes_all_after_two_dashes_as_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shouting", "--", "--beams", "-x"]) == 0
    assert capsys.readouterr().out == "--BEAMS\n-X\n"


@pytest.mark.usefixtures("shouting")
def test_run_answers_a_pipe_line_by_line(pipe: Pipe, capsys: pytest.CaptureFixture[str]) -> None:
    pipe("\ufeffgood\r\nmörgen".encode())
    assert main(["run", "shouting", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"text": "GOOD"},
        {"text": "MÖRGEN"},
    ]


@pytest.mark.usefixtures("shouting")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"good\nm\xf6rgen\n", "line 2 of standard input has byte 0xf6 at column 2; expected UTF-8 text"),
        (b"good\nnight\n\0\x01\n", "line 3 of standard input is binary"),
    ],
)
def test_run_names_a_bad_line_and_keeps_what_was_done(
    pipe: Pipe, capsys: pytest.CaptureFixture[str], data: bytes, message: str
) -> None:
    pipe(data)
    assert main(["run", "shouting"]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith("GOOD\n")
    assert message in printed.err


@pytest.mark.usefixtures("shouting")
@pytest.mark.parametrize(
    ("suffix", "expected"),
    [(".txt", "GOOD\nNIGHT\n"), (".jsonl", '{"text": "GOOD"}\n{"text": "NIGHT"}\n')],
)
def test_run_from_file_to_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str, expected: str
) -> None:
    source, output = tmp_path / "in.txt", tmp_path / f"out{suffix}"
    source.write_text("good\nnight\n")
    assert main(["run", "shouting", "--file", str(source), "--output", str(output)]) == 0
    assert output.read_text() == expected
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"wrote 2 answers to {output}\n"


def test_run_keeps_what_was_done_on_interrupt(
    shouting: Shouting, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shouting.interrupt_at = 2
    output = tmp_path / "out.jsonl"
    assert main(["run", "shouting", "a", "b", "c", "--output", str(output)]) == 130
    assert output.read_text() == '{"text": "A"}\n{"text": "B"}\n'
    assert f"interrupted; 2 answers are in {output}" in capsys.readouterr().err


@pytest.mark.usefixtures("shouting")
def test_run_goes_on_after_a_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "shouting", "a", " ", "c", "--on-error", "return"]) == 1
    printed = capsys.readouterr()
    assert printed.out == "A\n\nC\n"
    assert printed.err == "error: input 1: empty text\n"
    assert main(["run", "shouting", "a", " ", "c"]) == 1
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("A\n", "error: input 1: empty text; expected words\n")


@pytest.mark.usefixtures("shouting")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "shoutin", "a"], "no task 'shoutin'; the nearest: 'shouting'"),
        (["run", "shouting", "a", "--file", "in.txt"], "got inputs and --file"),
        (
            ["run", "shouting", "a", "--output", "out.csv"],
            "'out.csv'; expected a name that ends in .jsonl or",
        ),
        (["run", "shouting", "a", "--on-error", "skip"], "--on-error got 'skip'"),
        (["run", "shouting", "a", "--beams"], "--beams has no value; write --beams VALUE"),
        (["run", "shouting", "a", "--option", "beams"], "--option got 'beams'; expected KEY=VALUE"),
        (["run", "shouting", "a", "--beams", "4", "--option", "beams=5"], "'beams' is given twice"),
        (["explain", "shouting", "a", "--output", "x.pdf"], "expected a name that ends in one of .html"),
        (["explain", "shouting", "a", "--method", "magic"], "no method 'magic'"),
    ],
)
def test_mistakes(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("shouting")
def test_run_without_input_on_a_terminal(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert main(["run", "shouting"]) == 2
    assert "got no input" in capsys.readouterr().err


# explain, evaluate, footprint


@pytest.mark.usefixtures("shouting")
def test_explain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "shouting", "good morning"]) == 0
    assert "  MORNING ← morning -0.70, good +0.20, ! +0.10" in capsys.readouterr().out
    assert main(["explain", "shouting", "good morning", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["method"] == "gradients"
    starts = {".html": b"<!doctype html>", ".png": b"\x89PNG", ".svg": b"<?xml", ".json": b'{"method"'}
    for suffix, start in starts.items():
        output = tmp_path / f"why{suffix}"
        assert main(["explain", "shouting", "good morning", "--output", str(output)]) == 0
        assert output.read_bytes().startswith(start)


@pytest.mark.usefixtures("shouting")
def test_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "pairs.tsv"
    data.write_text("a\tA\nb\tB\n")
    assert main(["evaluate", "shouting", "--data", str(data)]) == 0
    printed = capsys.readouterr()
    assert re.search(r"^accuracy +0\.5 +0\.4 to 0\.6$", printed.out, re.MULTILINE)
    assert printed.err == "2 examples; by ear\n"
    assert main(["evaluate", "shouting", "--data", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["values"]["accuracy"]["value"] == 0.5
    assert main(["evaluate", "shouting", "--data", str(tmp_path / "none.tsv")]) == 1


@pytest.mark.usefixtures("shouting")
def test_footprint(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["footprint", "shouting"]) == 0
    assert capsys.readouterr().out.startswith("10 parameters")
    assert main(["footprint", "shouting", "hey", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seconds"] == 0.5


# fit


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    file = tmp_path / "pairs.tsv"
    file.write_text("a\tA\n")
    return file


def test_fit(shouting: Shouting, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine"
    arguments = ["fit", "shouting", "--data", str(pairs), "--validation", str(pairs), "--output", str(output)]
    assert main([*arguments, "--epochs", "3", "--learning-rate", "1e-3", "--warmup", "9", "--to", "fr"]) == 0
    assert shouting.called["examples"] == shouting.called["validation"] == [("a", "A")]
    assert shouting.called["to"] == "fr"
    assert shouting.called["fit"] == {
        "folder": tmp_path / "mine.training",
        "epochs": 3,
        "learning_rate": 1e-3,
        "warmup": 9,
    }
    assert (output / "config.json").is_file()
    assert capsys.readouterr().out == f"{output}\n"


def test_fit_a_new_model(shouting: Shouting, pairs: Path, tmp_path: Path) -> None:
    arguments = [
        "fit",
        "shouting",
        "--data",
        str(pairs),
        "--output",
        str(tmp_path / "mine"),
        "--new",
        "shouter",
    ]
    assert main([*arguments, "--layers", "4"]) == 0
    assert shouting.called["family"] == "shouter"
    assert shouting.called["layers"] == 4
    assert main([*arguments, "--model", "acme/big"]) == 2


@pytest.mark.parametrize("told", [True, False])
def test_fit_interrupted(
    shouting: Shouting,
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    told: bool,
) -> None:
    def interrupted(*_: Any, **__: Any) -> History:
        raise KeyboardInterrupt

    if told:
        shouting.history = History(stopped="interrupted")
    else:
        monkeypatch.setattr(shouting, "fit", interrupted)
    output = tmp_path / "mine"
    assert main(["fit", "shouting", "--data", str(pairs), "--output", str(output)]) == 130
    assert "interrupted; the same command goes on from" in capsys.readouterr().err
    assert not output.exists()


# pull, verify, cache


class FakeHub:
    """The hub with one cached model and one starter."""

    home = Path("/home/sixarts")
    offline = False

    def __init__(self, folder: Path, golden: dict[str, Any] | None) -> None:
        self.folder = folder
        self.problem: SixartsError | None = None
        self.repairable = False
        (folder / "config.json").write_text("{}")
        Manifest.of(folder, task="shouting", family="shouter", api="1", golden=golden).write(folder)

    def pull(self, reference: str, choose: Any = None, update: bool = False) -> Any:
        commit = ("b" if update else "a") * 40
        return types.SimpleNamespace(path=self.folder, reference=reference, commit=commit)

    def entry(self, reference: str) -> Any:
        return types.SimpleNamespace(
            reference=reference,
            commit="a" * 40,
            revision="main",
            path=self.folder,
            size=2_000_000,
            files=("config.json", "sixarts.json"),
            used=datetime(2020, 1, 1, tzinfo=UTC),
        )

    def cached(self) -> list[Any]:
        return [self.entry("acme/big")]

    def verify(self, reference: str | None = None, repair: bool = False) -> list[Any]:
        return [(self.entry(reference or "acme/big"), None if repair and self.repairable else self.problem)]

    def size(self) -> int:
        return 2_000_000

    def remove(self, reference: str) -> int:
        return 2_000_000


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shouting: Shouting) -> FakeHub:
    folder = tmp_path / "model"
    folder.mkdir()
    fake = FakeHub(folder, {"input": "a", "answer": {"text": "A"}})
    for module in (fetching, caching):
        monkeypatch.setattr(module, "default_hub", lambda offline=None: fake)
    monkeypatch.setattr(fetching, "hub_for", lambda reference: fake)
    return fake


def golden(monkeypatch: pytest.MonkeyPatch, problem: str | None) -> None:
    """Let the golden check say ``problem``."""
    module = types.ModuleType("sixarts.folder")
    module.golden_difference = lambda task, golden: problem  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sixarts.folder", module)


def test_pull(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pull", "acme/big", "--update"]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{hub.folder}\n"
    assert printed.err == f"acme/big is at commit {'b' * 40}\n"


@pytest.mark.usefixtures("hub")
def test_verify_checks_files_and_golden_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    golden(monkeypatch, None)
    assert main(["verify"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split() for line in lines] == [["starter/shout", "ok", "ok"], ["acme/big", "ok", "ok"]]
    golden(monkeypatch, "expected 'A', got 'B'")
    assert main(["verify", "acme/big"]) == 1
    assert re.search(r"acme/big +ok +FAILED: expected 'A', got 'B'", capsys.readouterr().out)


def test_verify_names_a_corrupt_file(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.problem = Corrupt("model.safetensors differs")
    assert main(["verify", "acme/big"]) == 1
    assert "FAILED: model.safetensors differs" in capsys.readouterr().out
    assert main(["cache", "verify"]) == 1
    assert "FAILED: model.safetensors differs" in capsys.readouterr().out
    hub.repairable = True
    assert main(["cache", "verify", "--no-repair"]) == 1
    assert "FAILED: model.safetensors differs" in capsys.readouterr().out
    hub.offline = True
    assert main(["cache", "verify"]) == 1
    hub.offline = False
    capsys.readouterr()
    assert main(["cache", "verify"]) == 0
    assert "repaired: model.safetensors differs" in capsys.readouterr().out


def test_cache(hub: FakeHub, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "list"]) == 0
    assert re.search(r"acme/big +a{12} +main +2\.0 MB +\d{4} days ago +2", capsys.readouterr().out)
    assert main(["cache", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["files"] == ["config.json", "sixarts.json"]
    assert main(["cache", "size"]) == main(["cache", "size", "--json"]) == main(["cache", "verify"]) == 0
    assert capsys.readouterr().out.startswith('2.0 MB\n{\n  "bytes": 2000000\n}\n')
    assert main(["cache", "remove", "acme/big"]) == 0
    assert capsys.readouterr().err == "freed 2.0 MB\n"


# demo


class Page(HTMLParser):
    """What a page shows, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.usefixtures("hub")
def test_demo(only: Callable[..., Registry], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = task_spec(samples=("good <b>morning</b>",), explanations={"gradients": ("word",)})
    lacking = task_spec("whispering", requires=("no_such_library",), extra="soft")
    only(**{"acme:shout": plugin(sixarts_tasks=[spec, lacking])})
    output = tmp_path / "demo.html"
    assert main(["demo", "--output", str(output)]) == 0
    printed = capsys.readouterr()
    assert "GOOD <B>MORNING</B>" in printed.out
    assert "pip install" in printed.out
    assert f"wrote {output}" in printed.err
    text = output.read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert "good &lt;b&gt;morning&lt;/b&gt;" in text
    assert "<td>good</td>" in text
    assert "pip install &#x27;acme[soft]&#x27;" in text


@pytest.mark.usefixtures("hub")
def test_demo_goes_on_after_a_task_that_breaks(
    only: Callable[..., Registry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, worse = task_spec(samples=("fine", "broken")), task_spec("absent")
    only(shout=plugin(sixarts_tasks=[bad, worse]))
    output = tmp_path / "demo.html"
    assert main(["demo", "--output", str(output)]) == 1
    shown = capsys.readouterr().out
    assert "FINE" in shown
    text = output.read_text(encoding="utf-8")
    assert "answer to broken: too loud" in text
    assert "loading: no task &#x27;absent&#x27;" in text
    assert main(["demo", "--output", str(output), "--task", "shoutin"]) == 2


@pytest.mark.usefixtures("hub")
def test_demo_of_one_task(only: Callable[..., Registry], tmp_path: Path) -> None:
    only(shout=plugin(sixarts_tasks=[task_spec(), task_spec("absent")]))
    assert main(["demo", "--output", str(tmp_path / "demo.html"), "--task", "shouting"]) == 0
