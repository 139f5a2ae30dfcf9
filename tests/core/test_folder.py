"""Saving: a model folder appears whole, or the old one stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_networks import fake_task
from test_training import killed

from sixarts.errors import SixartsError
from sixarts.folder import golden_difference, save_task
from sixarts_hub import Manifest
from sixarts_hub.manifest import verify

pytestmark = pytest.mark.quick


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_folder_is_whole_and_verifiable(tmp_path: Path) -> None:
    folder = save_task(fake_task("words"), tmp_path / "deep" / "model")
    assert set(content(folder)) == {"config.json", "vocab.json", "README.md", "sixarts.json"}
    manifest = Manifest.read(folder)
    verify(folder, manifest)
    assert manifest.task == "fake" and manifest.family == "fake"
    assert manifest.golden is not None and manifest.golden["answer"] == {"text": "words"}
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
    assert folder.stat().st_mode & 0o777 == 0o755


def test_saving_again_replaces_what_was_there(tmp_path: Path) -> None:
    folder = save_task(fake_task("words"), tmp_path / "model")
    (folder / "stale.json").write_text("{}")
    save_task(fake_task("other words"), folder)
    assert "stale.json" not in content(folder)
    assert content(folder)["vocab.json"] == b'"other words"'
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_save_that_fails_leaves_the_old_folder_and_no_litter(tmp_path: Path, error: Any) -> None:
    folder = save_task(fake_task("words"), tmp_path / "model")
    before = content(folder)

    def fail() -> None:
        raise error

    with pytest.raises(error):
        save_task(fake_task("newer words", fail), folder)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_killed_save_leaves_the_old_folder(tmp_path: Path) -> None:
    folder = save_task(fake_task("words"), tmp_path / "model")
    before = content(folder)
    killed(f"save_until_killed({str(folder)!r})", KERAS_BACKEND="numpy")
    assert content(folder) == before
    verify(folder, Manifest.read(folder))
    # The next save is not in the way of what the killed one left.
    save_task(fake_task("newer words"), folder)
    assert content(folder)["vocab.json"] == b'"newer words"'
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "and has cleared it"


def test_a_link_to_a_folder_stays_one(tmp_path: Path) -> None:
    save_task(fake_task("words"), tmp_path / "model")
    (tmp_path / "link").symlink_to("model")
    assert save_task(fake_task("newer words"), tmp_path / "link") == tmp_path / "link"
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "model")["vocab.json"] == b'"newer words"'


def test_what_is_no_model_folder_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(SixartsError, match="holds files that are no model"):
        save_task(fake_task("words"), tmp_path)
    with pytest.raises(SixartsError, match="is a file"):
        save_task(fake_task("words"), tmp_path / "thesis.txt")
    assert content(tmp_path) == {"thesis.txt": b"precious"}
    (tmp_path / "empty").mkdir()
    assert save_task(fake_task("words"), tmp_path / "empty").is_dir()


class Answer:
    """A task that gives one answer to everything."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, x: Any) -> Any:
        return self

    def to_dict(self) -> Any:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"text": "a", "scores": [0.5, 1.00001]}, None),
        ({"text": "b", "scores": [0.5, 1.0]}, "answer.text is 'b', expected 'a'"),
        ({"text": "a", "scores": [0.5, 1.1]}, r"answer.scores\[1\] is 1.1, expected 1.0 within 0.001"),
        ({"text": "a", "scores": [0.5]}, "answer.scores is"),
        ({"text": "a"}, "answer.scores is None"),
        ({"text": "a", "scores": [0.5, 1.0], "more": 1}, None),
        ({"text": "a", "scores": [0.5, float("nan")]}, r"answer.scores\[1\] is nan"),
    ],
)
def test_golden_answers(answer: Any, words: str | None) -> None:
    import re

    golden = {"input": "x", "answer": {"text": "a", "scores": [0.5, 1.0]}, "tolerance": 1e-3}
    found = golden_difference(Answer(answer), json.loads(json.dumps(golden)))
    assert found is None if words is None else re.search(words, str(found))
