"""A published Marian repository, from a hub on loopback to a translation."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from reference import configuration, saved

import sixarts as sa
from sixarts.errors import CheckpointError, InputError, NotFound, OptionError, UnknownFamily, UnsafePickle
from sixarts_hub import Hub

NAME = "Helsinki-NLP/opus-mt-xx-yy"


@pytest.fixture
def hub(server: Any, tmp_path: Path) -> Hub:
    return Hub(tmp_path / "home", endpoint=server.url, offline=False)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A repository as people publish it, with weights in both formats and files that nobody needs."""
    import torch

    folder = tmp_path_factory.mktemp("published")
    network = saved(folder, configuration())
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {"model.safetensors", "pytorch_model.bin", "config.json", "source.spm"} <= set(found)
    return {**found, "tf_model.h5": b"not read", "README.md": b"# A model", "modeling.py": b"import os"}


def fetched(server: Any) -> set[str]:
    """Names of the files whose content was asked for."""
    return {line.rsplit("/", 1)[-1] for line in server.seen(r"GET .*/resolve/")}


def test_safetensors_is_fetched_alone_and_answers(server: Any, hub: Hub, files: dict[str, bytes]) -> None:
    commit = server.add(NAME, files)
    task = sa.load("translation", NAME, hub=hub)
    assert task.reference == f"{NAME}@{commit}"
    assert isinstance(task("the quick dog", beams=2, max_length=12).text, str)
    names = fetched(server)
    assert "model.safetensors" in names
    assert not names & {"pytorch_model.bin", "tf_model.h5", "modeling.py"}


def test_a_repository_with_a_bin_alone_gives_the_same_answers(
    server: Any, hub: Hub, files: dict[str, bytes]
) -> None:
    server.add(NAME, files)
    server.add("me/bin", {name: body for name, body in files.items() if name != "model.safetensors"})
    texts = ["the quick brown fox", "wizards box jugs; why?"]
    first = sa.load("translation", NAME, hub=hub, max_length=12)(texts)
    second = sa.load("translation", "me/bin", hub=hub, max_length=12)(texts)
    assert [a.text for a in first] == [b.text for b in second]
    assert [a.score for a in first] == pytest.approx([b.score for b in second], abs=1e-5)


def test_a_branch_stays_at_its_commit_until_it_is_updated(
    server: Any, hub: Hub, files: dict[str, bytes]
) -> None:
    old = server.add(NAME, files)
    assert sa.load("translation", NAME, hub=hub).reference.endswith(old)
    new = server.add(NAME, {**files, "README.md": b"# Changed"})
    assert sa.load("translation", NAME, hub=hub).reference.endswith(old)
    moved = sa.load("translation", NAME, hub=hub, update=True)
    assert moved.reference.endswith(new) and moved.card == "# Changed"


def test_the_second_load_is_offline(server: Any, hub: Hub, files: dict[str, bytes]) -> None:
    server.add(NAME, files)
    sa.load("translation", NAME, hub=hub)
    asked = len(server.seen("."))
    away = Hub(hub.home, endpoint=server.url, offline=True)
    sa.load("translation", NAME, hub=away)
    assert len(server.seen(".")) == asked


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"architectures": ["MarianModel"]}, CheckpointError, "expected one of MarianMTModel"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, UnknownFamily, "'bert'"),
    ],
)
def test_a_layout_that_does_not_fit_is_refused_before_weights_are_fetched(
    server: Any, hub: Hub, files: dict[str, bytes], changed: dict[str, Any], error: type[Exception], said: str
) -> None:
    config = json.dumps({**json.loads(files["config.json"]), **changed}).encode()
    server.add(NAME, {**files, "config.json": config})
    with pytest.raises(error, match=said):
        sa.load("translation", NAME, hub=hub)
    assert "model.safetensors" not in fetched(server)


def test_a_pickle_that_names_more_than_tensors_is_refused(
    server: Any, hub: Hub, files: dict[str, bytes], tmp_path: Path
) -> None:
    import torch

    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "executed"),)

    hostile = io.BytesIO()
    torch.save({"final_logits_bias": torch.zeros(1), "trap": Trap()}, hostile)
    kept = {name: body for name, body in files.items() if name != "model.safetensors"}
    server.add(NAME, {**kept, "pytorch_model.bin": hostile.getvalue()})
    with pytest.raises(UnsafePickle, match="mkdir"):
        sa.load("translation", NAME, hub=hub)
    assert not (tmp_path / "executed").exists()


def test_mistakes_are_told_before_anything_is_fetched(server: Any, hub: Hub, files: dict[str, bytes]) -> None:
    server.add(NAME, files)
    with pytest.raises(OptionError, match="beams"):
        sa.load("translation", NAME, hub=hub, beam=3)
    assert not server.seen(".")
    with pytest.raises(NotFound, match="nobody/nothing"):
        sa.load("translation", "nobody/nothing", hub=hub)
    with pytest.raises(InputError, match="input 1: an empty text"):
        sa.load("translation", NAME, hub=hub)(["fine", ""])


def test_a_source_that_breaks_gives_what_came_before_it(tmp_path: Path) -> None:
    path = tmp_path / "in.txt"
    path.write_bytes(b"I have a dog.\n\xff\xfe\n")
    task = sa.load("translation")
    results = task.stream(task.read_inputs(path))
    assert next(results).text
    with pytest.raises(InputError, match="line 2"):
        next(results)


def test_a_task_is_published_and_comes_back_the_same(server: Any, hub: Hub, tmp_path: Path) -> None:
    task = sa.load("translation")
    folder = task.save(tmp_path / "model")
    commit = hub.push(folder, "me/again", token="secret").commit
    again = sa.load("translation", "me/again", hub=hub)
    assert again.reference == f"me/again@{commit}"
    assert again("I have a dog.") == task("I have a dog.")
    assert again.card == task.card
