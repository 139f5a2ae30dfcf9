"""Every file in ``examples/`` runs as it stands, and the third-party plugin there keeps the contract.

All run in one worker process, which imports Keras once. The plugin is found as an installer leaves it: a
package beside a record of its metadata.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sixarts.testing import Worker

EXAMPLES = Path(__file__).parents[1] / "examples"
PLUGIN = EXAMPLES / "language_id"
OFFLINE = {"SIXARTS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg"}

#: Example to what it must print, and the files that it must leave in the folder that it is given.
SHOWN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "translate.py": (("one text", "a stream      InputError", "live", "the nearest: beams"), ()),
    "explain.py": (("attention:", "nats"), ("attention.png", "attention.html", "occlusion.png")),
    "fine_tune.py": (("same answers to the last bit",), ("tea-house/sixarts.json", "checkpoints")),
    "new_model.py": (("made new: tokenizers", "bleu"), ()),
    "teach_classes.py": (("head of 10 classes by one of 3", "the whole network: accuracy"), ()),
    "count_cells.py": (("picture 0:", "cells cut out", "occlusion: "), ("picture-0.png", "why.png")),
    "recommend.py": (
        ("a new reader: ('Dune 4',)", "never seen in training", "1 new items"),
        ("because.png",),
    ),
    "predict_clicks.py": (
        ("auc ", "is new, and shares a hash bucket", "refused: input 1", "like butter"),
        ("why.png",),
    ),
    "diagnose.py": (
        ("no medical device", "ABSTAINED", "mmol/l of cholesterol", "would turn to", "gap by bmi"),
        ("why.png", "turns.png", "diabetes/schema.json"),
    ),
    "summarize.py": (("one sentence:  We show that", "sections, ", "refused"), ("report.png", "why.png")),
    "speak.py": (
        ("doctor smith paid three dollars and fifty cents", "sentence 3", "refused    a text of which"),
        ("news.ogg", "words.json", "news.png", "why.png"),
    ),
    "play_games.py": (
        ("(win in 3;", "proven         win in 3", "refused        move 7", "self-play      2 iterations"),
        ("board.png", "tree.png", "why.png"),
    ),
    "learn_to_act.py": (
        ("push right", "120 steps, truncated", "500 [500, 500]", "in the cold", "expected 2 finite numbers"),
        ("why.png", "pole.gif", "episode.png", "learning.png", "heating/environment.json"),
    ),
    "hub_folder.py": (("golden", "differs in: nothing", "one bit flipped:"), ("en-zh/README.md",)),
}


def record(site: Path) -> None:
    """Installs the plugin into ``site``: its package, and a dist-info made from its pyproject.toml."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name in project["entry-points"]["sixarts"].values():
        package = name.partition(".")[0]
        (site / package).symlink_to(PLUGIN / package, target_is_directory=True)
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    metadata = {"Metadata-Version": "2.4", "Name": project["name"], "Version": project["version"]}
    (info / "METADATA").write_text("".join(f"{key}: {value}\n" for key, value in metadata.items()))
    lines = [
        line
        for group, names in project["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the plugin is installed."""
    place = tmp_path_factory.mktemp("site")
    record(place)
    return place


@pytest.fixture(scope="module")
def worker(site: Path) -> Iterator[Worker]:
    """A process that is offline and has the plugin installed."""
    made = Worker(os.environ.get("KERAS_BACKEND", "tensorflow"), {**OFFLINE, "PYTHONPATH": str(site)})
    yield made
    made.close()


def sixarts(site: Path, *arguments: str) -> str:
    """Standard output of the ``sixarts`` command."""
    code = "import sys; from sixarts.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **OFFLINE, "PYTHONPATH": str(site), "COLUMNS": "160"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# In the worker.


def run_file(site: str, path: str, arguments: list[str], folder: str) -> tuple[str, list[str]]:
    """Runs a file as a script from an empty ``folder``; what it printed, and what it left there."""
    sys.path.insert(0, site)
    before, sys.argv = (os.getcwd(), sys.argv), [path, *arguments]
    os.chdir(folder)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(path, run_name="__main__")
    finally:
        os.chdir(before[0])
        sys.argv = before[1]
    return printed.getvalue(), os.listdir(folder)


def contract(site: str) -> tuple[str, list[str], int]:
    """The contract's report on the plugin, the checks that did not pass, and how many there were."""
    from sixarts.testing import check_plugin

    sys.path.insert(0, site)
    report = check_plugin("language-id")
    failed = [str(outcome) for outcome in report.outcomes if outcome.status != "passed"]
    return str(report), failed, len(report.outcomes)


def doctests(site: str, names: list[str]) -> Mapping[str, tuple[int, int]]:
    """Module name to how many of its doctests failed, and how many there are."""
    sys.path.insert(0, site)
    return {name: tuple(doctest.testmod(importlib.import_module(name))) for name in names}


# The tests.


def test_every_example_is_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SHOWN)


@pytest.mark.parametrize("name", list(SHOWN))
def test_example_runs(name: str, worker: Worker, site: Path, tmp_path: Path) -> None:
    given, empty = tmp_path / "given", tmp_path / "empty"
    empty.mkdir()
    printed, left = worker.call(
        "test_examples:run_file", str(site), str(EXAMPLES / name), [str(given)], str(empty)
    )
    texts, files = SHOWN[name]
    for text in texts:
        assert text in printed, printed
    for file in files:
        assert (given / file).exists(), f"{name} left no {file}"
    assert not left, f"{name} wrote {left} where it was started"


@pytest.mark.parametrize("name", list(SHOWN))
def test_example_is_short_and_says_what_it_is(name: str) -> None:
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert text.startswith('"""') and "Run it as ``python examples/" + name in text
    assert 20 <= text.count("\n") <= 70


@pytest.mark.quick
def test_plugin_is_listed_once_installed(site: Path) -> None:
    listed = sixarts(site, "tasks")
    assert "language-identification" in listed and "langid" in listed and "starter/six-languages" in listed


def test_plugin_runs_from_the_command_line(site: Path) -> None:
    printed = sixarts(
        site, "run", "langid", "Wo ist der Bahnhof?", "我们明天去看海。", "--json", "--top", "2"
    )
    answers = [json.loads(line) for line in printed.splitlines()]
    assert [answer["label"] for answer in answers] == ["de", "zh"]
    assert all(len(answer["scores"]) == 2 for answer in answers)


def test_plugin_keeps_the_contract(worker: Worker, site: Path) -> None:
    report, failed, count = worker.call("test_examples:contract", str(site))
    assert count > 30 and not failed, report


def test_plugin_recipe_makes_its_starter(worker: Worker, site: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    made = tmp_path / "six-languages"
    worker.call("test_examples:run_file", str(site), str(PLUGIN / "train.py"), [str(made)], str(empty))
    shipped = PLUGIN / "sixarts_language_id" / "starters" / "six-languages"
    stated = [float(re.search(r"Accuracy ([\d.]+)", _card(folder))[1]) for folder in (made, shipped)]
    # One sentence more or less, on another machine's arithmetic.
    assert stated[0] == pytest.approx(stated[1], abs=0.02)
    assert (made / "config.json").read_bytes() == (shipped / "config.json").read_bytes()


def _card(folder: Path) -> str:
    return (folder / "README.md").read_text(encoding="utf-8")


def test_plugin_doctests(worker: Worker, site: Path) -> None:
    names = [f"sixarts_language_id.{name}" for name in ("corpus", "family", "plugin", "task")]
    found = worker.call("test_examples:doctests", str(site), names)
    assert all(failed == 0 for failed, _ in found.values()), found
    assert sum(count for _, count in found.values()) >= 3
