"""Publishing a model: complete or not at all, and what comes back answers to the bit as what was sent."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sixarts as sa
from sixarts import card_text
from sixarts.card_check import check
from sixarts.cli import main
from sixarts.errors import CardError, CheckpointError, Corrupt, OptionError
from sixarts.plugins import Registry, registry
from sixarts.publishing import push_folder
from sixarts_hub import Hub, Manifest

# The client library's own, on every upload.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

NAME = "me/mood"
TEXTS = ["good day", "so sad", "a friend; bad luck", "x"]
SAID = {
    "title": "Mood",
    "license": "cc0-1.0",
    "languages": "en",
    "use": "To see whether a text is glad.",
    "data": "Four texts of this test, CC0.",
    "limits": "Knows four texts.",
}


@pytest.fixture(scope="module", autouse=True)
def tiny() -> Iterator[None]:
    """The tiny plugin of the contract's tests is the only one."""
    site = str(Path(__file__).parents[1] / "contract" / "tiny")
    before = {name for name in sys.modules if name.partition(".")[0] == "tiny_art"}
    with pytest.MonkeyPatch.context() as patch:
        for name in before:
            patch.delitem(sys.modules, name)
        patch.syspath_prepend(site)
        found = Registry.from_modules({"tiny": importlib.import_module("tiny_art.plugin")})
        patch.setattr(Registry, "discover", lambda: found)
        registry.cache_clear()
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny_art"]:
        del sys.modules[name]
    registry.cache_clear()


def opened(task: str, folder: Path) -> Any:
    return sa.load(task, folder, hub=Hub(offline=True))


@pytest.fixture(scope="module")
def saved(tiny: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a model that learned, was measured, and has a complete card."""
    task = sa.new("mood", device="cpu")
    task.fit(list(task.spec.examples), epochs=3, learning_rate=0.02, progress=False)
    task.evaluate(list(task.spec.examples), dataset="Four texts", split="train", batch_size=2)
    task.footprint(repeats=1)
    assert task.describe(**SAID) == []
    return task.save(tmp_path_factory.mktemp("saved") / "mood")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    import shutil

    return Path(shutil.copytree(saved, tmp_path / "mood"))


@pytest.fixture
def server(everybodys: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A hub that everybody asks, as one who may write."""
    monkeypatch.setenv("HF_TOKEN", "hf_writer")
    return everybodys


def test_what_is_pushed_comes_back_to_the_bit(server: Any, folder: Path, tmp_path: Path) -> None:
    task = sa.load("mood", folder, device="cpu")
    pushed = task.push(NAME, private=True, message="First")
    assert server.repos[NAME].private and server.repos[NAME].branches["main"] == pushed.commit
    fresh = Hub(tmp_path / "fresh", offline=False)
    again = sa.load("mood", NAME, device="cpu", hub=fresh)
    assert again(TEXTS) == task(TEXTS), "equal to the bit, scores included"
    assert again.reference == f"{NAME}@{pushed.commit}" and again.card == task.card


def test_the_card_says_what_was_measured(folder: Path) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard((folder / "README.md").read_text()).data
    (accuracy,) = data.eval_results
    assert (accuracy.metric_type, accuracy.dataset_name, accuracy.dataset_split) == (
        "accuracy",
        "Four texts",
        "train",
    )
    assert accuracy.metric_args["examples"] == 4 and accuracy.metric_args["options"] == {"batch_size": 2}
    told = card_text.sections(card_text.read((folder / "README.md").read_text())[1])
    assert "Started from new mood. Trained on 4 examples: best epoch 3 of 3" in told["Training"]
    assert "parameters" in told["Footprint"] and "median of 1 calls" in told["Footprint"]


def test_training_begins_the_card_anew(folder: Path) -> None:
    task = sa.load("mood", folder, device="cpu")
    task.fit(list(task.spec.examples), epochs=1, progress=False)
    assert task.card == "", "the old figures and words are another model's"
    assert "license is unknown" in check(task.describe() and task.card)[0]
    with pytest.raises(OptionError, match="the nearest: license"):
        task.describe(licence="mit")


def test_a_card_that_is_not_complete_is_not_published(server: Any) -> None:
    task = sa.load("mood", _plain_folder(server), device="cpu")
    with pytest.raises(CardError, match=r"license is unknown.*## Limits is not stated.*task\.describe\("):
        task.push(NAME)
    with pytest.raises(CardError):
        task.push(NAME, dry_run=True)
    assert not server.requests and not server.repos
    task.describe(**SAID, evaluation="On no data.", training="By hand.")
    assert task.push(NAME, dry_run=True).commit is None
    assert not server.seen("POST|PUT")
    assert task.push(NAME).commit == server.repos[NAME].branches["main"]


def _plain_folder(server: Any) -> Path:
    """A model without a card, saved by whoever did not describe it."""
    import os

    task = sa.new("mood", device="cpu")
    task.adapt([], None)
    return task.save(Path(os.environ["SIXARTS_HOME"]).parent / "plain")


def test_a_golden_answer_that_does_not_hold_is_not_published(server: Any, folder: Path) -> None:
    manifest = Manifest.read(folder)
    assert manifest.golden is not None
    wrong = {**manifest.golden, "answer": {**manifest.golden["answer"], "score": 0.123}}
    replace(manifest, golden=wrong).write(folder)
    with pytest.raises(CheckpointError, match=r"answer\.score is .*expected 0\.123 .*nothing was published"):
        push_folder(folder, NAME, opened)
    assert main(["push", str(folder), NAME, "--dry-run"]) == 1
    assert not server.requests


def test_a_call_with_other_defaults_records_the_usual_answer(
    server: Any, folder: Path, tmp_path: Path
) -> None:
    task = sa.load("mood", folder, device="cpu", invert=True)
    again = task.save(tmp_path / "inverted")
    assert Manifest.read(again).golden == Manifest.read(folder).golden
    assert task.push(NAME).commit


def test_a_damaged_folder_is_not_published(server: Any, folder: Path) -> None:
    (folder / "vocab.json").write_bytes(b"{}")
    with pytest.raises(Corrupt):
        push_folder(folder, NAME, opened)
    assert not server.requests


# The commands.


def test_push_from_the_command_line(server: Any, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", str(folder), NAME, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert "model.safetensors" in printed.out and "new" in printed.out
    assert "dry run: nothing was sent" in printed.err and not server.repos
    assert main(["push", str(folder), NAME, "--message", "First"]) == 0
    assert capsys.readouterr().out == f"{server.repos[NAME].branches['main']}\n"
    assert main(["card", "write", str(folder), "--limits", "Knows four texts, not five."]) == 0
    assert main(["push", str(folder), NAME, "--dry-run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out.partition("README.md\n")[2])
    standings = {file["path"]: file["standing"] for file in shown["files"]}
    assert standings["README.md"] == standings["sixarts.json"] == "changed"
    assert standings["model.safetensors"] == "unchanged"
    assert main(["push", str(folder), NAME, "--create-pr"]) == 0
    assert capsys.readouterr().out == f"{server.url}/{NAME}/discussions/1\n"


def test_a_card_is_completed_from_the_command_line(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _plain_folder(server)
    examples = folder.parent / "pairs.tsv"
    examples.write_text("good day\tglad\nso sad\tsad\n")
    assert main(["push", str(folder), NAME]) == 1
    assert f"`sixarts card write {folder} --license" in capsys.readouterr().err
    assert main(["card", "check", str(folder)]) == 1
    assert "## Limits is not stated yet" in capsys.readouterr().out.splitlines()
    stated = ["--license", "mit", "--data", "Two texts, CC0.", "--training", "None.", "--limits", "Many."]
    measured = ["--measure", str(examples), "--dataset", "Two texts", "--use", "None."]
    assert main(["card", "write", str(folder), *stated, *measured]) == 0
    printed = capsys.readouterr()
    assert (
        printed.out == f"{folder / 'README.md'}\n"
        and "accuracy" in printed.err
        and "is complete" in printed.err
    )
    assert main(["card", "check", str(folder)]) == 0
    sa.load("mood", folder, device="cpu")
    assert main(["push", str(folder), NAME]) == 0
    assert main(["card", "write", str(folder), "--measure", str(examples)]) == 2


def test_a_card_edited_by_hand_is_taken_over(server: Any, folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text().replace("Knows four texts.", "Knows little."))
    with pytest.raises(Corrupt):
        sa.load("mood", folder)
    assert main(["card", "check", str(folder)]) == 0
    assert main(["card", "write", str(folder)]) == 0
    assert "Knows little." in sa.load("mood", folder, device="cpu").card


def test_the_card_of_a_model_on_the_hub_is_shown(
    server: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    push_folder(folder, NAME, opened)
    assert main(["card", "show", NAME]) == 0
    assert capsys.readouterr().out == (folder / "README.md").read_text()
    assert not server.seen("GET .*/resolve/.*safetensors"), "the card alone is fetched"
    assert main(["card", "check", NAME, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["card", "show", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["head"]["license"] == "cc0-1.0" and shown["sections"]["Limits"] == "Knows four texts."


def test_a_hostile_card_does_not_reach_the_terminal(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("me/evil", {"README.md": b"# \x1b[2Jboo\x07\r\n\xff\n", "config.json": b"{}"})
    assert main(["card", "show", "me/evil"]) == 0
    assert capsys.readouterr().out == "# [2Jboo\n�\n"
    server.add("me/bare", {"config.json": b"{}"})
    assert main(["card", "show", "me/bare"]) == 1
    assert "has no README.md" in capsys.readouterr().err
    assert main(["card", "check", "me/evil"]) == 1
