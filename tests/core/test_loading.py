"""``load`` and ``new``: what is not there gets the nearest names, before anything is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sixarts as sa
from sixarts.errors import (
    CheckpointError,
    DeviceError,
    NotFound,
    OptionError,
    UnknownFamily,
    UnknownModel,
    UnknownTask,
)
from sixarts.layout import family_of, needed_files
from sixarts.spec import FamilySpec
from sixarts.testing.offline import no_sockets
from sixarts_hub import Listing
from sixarts_hub.listing import File

pytestmark = pytest.mark.quick


class Never:
    """A hub that nothing may be asked of."""

    def pull(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the hub was asked")


@pytest.mark.parametrize(
    ("task", "options", "error", "words"),
    [
        ("translatoin", {}, UnknownTask, "nearest: 'translation'"),
        ("translation", {"beems": 4}, OptionError, "nearest: beams"),
        ("translation", {"beams": "four"}, OptionError, "expected int"),
        ("translation", {"device": "gpuu"}, DeviceError, "here: cpu:0"),
        ("translation", {"device": "tpu"}, DeviceError, "here: cpu:0"),
        ("translation", {"precision": "int4"}, DeviceError, "expected one of float32"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_fetched(
    task: str, options: dict[str, Any], error: Any, words: str
) -> None:
    with no_sockets(), pytest.raises(error, match=words):
        sa.load(task, hub=Never(), **options)  # type: ignore[arg-type]


def test_unknown_models(tmp_path: Path) -> None:
    with no_sockets():
        with pytest.raises(UnknownModel, match="nearest: 'starter/en-zh'"):
            sa.load("translation", "starter/en-hz")
        with pytest.raises((NotFound, CheckpointError)):
            sa.load("translation", tmp_path / "nowhere")
        with pytest.raises(CheckpointError, match=r"config\.json"):
            sa.load("translation", tmp_path)


def config(folder: Path, **content: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({"model_type": "mariam"}, UnknownFamily, "nearest: 'marian'"),
        ({}, UnknownFamily, "None"),
        (
            {"model_type": "marian", "architectures": ["MarianModel"]},
            CheckpointError,
            "expected one of MarianMTModel",
        ),
    ],
)
def test_folders_of_no_known_family(tmp_path: Path, content: dict[str, Any], error: Any, words: str) -> None:
    with no_sockets(), pytest.raises(error, match=words):
        sa.load("translation", config(tmp_path, **content))


def test_a_manifest_of_another_task_is_refused(tmp_path: Path) -> None:
    from sixarts_hub import Manifest

    Manifest.of(config(tmp_path, model_type="vit"), task="image-classification", family="vit", api="1").write(
        tmp_path
    )
    with pytest.raises(UnknownFamily, match=r"'vit'.*image-classification"):
        sa.load("translation", tmp_path)


def test_new_needs_a_family_that_serves_the_task() -> None:
    with pytest.raises(UnknownFamily, match="family of translation 'marain'; the nearest: 'marian'"):
        sa.new("translation", family="marain")
    with pytest.raises(UnknownTask):
        sa.new("translatoin")
    with pytest.raises(OptionError, match=r"no setting 'd_modle'.*d_model"):
        sa.new("translation", family="marian", d_modle=64)
    with pytest.raises(UnknownFamily, match="mbart"):
        sa.new("translation")
    small = {"d_model": 8, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    assert not sa.new("translation", family="marian", device="cpu", **small).model.built


# Layouts.

FAMILIES = (
    FamilySpec("one", "a -> b", "m:M", ("alpha",), ("AlphaForB",), ("vocab.json", "*.spm")),
    FamilySpec("two", "a -> b", "m:M", ("beta", "gamma")),
)


def listing(*paths: str) -> Listing:
    return Listing("a" * 40, tuple(File(path, 1, f"sha256:{'0' * 64}") for path in paths))


def reader(**files: Any) -> Any:
    contents = {name.replace("__", "."): value for name, value in files.items()}
    return lambda name: json.dumps(contents[name]).encode()


def test_only_what_the_family_reads_is_fetched() -> None:
    there = ["config.json", "vocab.json", "source.spm", "README.md", "flax_model.msgpack", "notes.txt"]
    read = reader(config__json={"model_type": "alpha"})
    for weights, taken in (
        (["model.safetensors", "pytorch_model.bin"], "model.safetensors"),
        (["pytorch_model.bin"], "pytorch_model.bin"),
    ):
        found = needed_files(listing(*there, *weights), read, FAMILIES)
        assert found == sorted(["config.json", "vocab.json", "source.spm", "README.md", taken])


def test_shards_come_with_their_index() -> None:
    index = {
        "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}
    }
    read = reader(config__json={"model_type": "beta"}, model__safetensors__index__json=index)
    paths = ["config.json", "model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors"]
    assert needed_files(listing(*paths, "model-3.safetensors"), read, FAMILIES) == sorted(paths)


def test_our_own_folders_say_what_they_hold() -> None:
    read = reader(sixarts__json={"files": {"config.json": {}, "model.safetensors": {}}})
    found = needed_files(listing("sixarts.json", "config.json", "model.safetensors", "x.bin"), read, FAMILIES)
    assert found == ["config.json", "model.safetensors", "sixarts.json"]


@pytest.mark.parametrize(
    ("paths", "files", "words"),
    [
        (["README.md"], {}, r"no config\.json \(it has README\.md\)"),
        ([], {}, "it has no files"),
        (["config.json"], {"config__json": {"model_type": "beta"}}, r"none of model\.safetensors"),
        (["config.json"], {"config__json": [1]}, "holds a JSON list"),
    ],
)
def test_repositories_that_cannot_be_read(paths: list[str], files: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        needed_files(listing(*paths), reader(**files), FAMILIES)


def test_a_family_is_found_by_type_and_head() -> None:
    assert family_of(FAMILIES, {"model_type": "alpha", "architectures": ["AlphaForB"]}).name == "one"
    assert family_of(FAMILIES, {"model_type": "gamma", "architectures": ["Anything"]}).name == "two"
    with pytest.raises(CheckpointError, match=r"AlphaModel.*expected one of AlphaForB"):
        family_of(FAMILIES, {"model_type": "alpha", "architectures": ["AlphaModel"]})
    with pytest.raises(UnknownFamily, match="known: 'alpha', 'beta', 'gamma'"):
        family_of(FAMILIES, {"model_type": "zzz"})


def test_a_family_is_found_by_what_keras_registered() -> None:
    keras = FamilySpec("three", "a -> b", "m:M", registered_names=("acme>Delta",))
    known = (*FAMILIES, keras)
    assert family_of(known, {"registered_name": "acme>Delta"}).name == "three"
    assert family_of(known, {"registered_name": "acme>Delta", "model_type": "beta"}).name == "two"
    with pytest.raises(UnknownFamily, match=r"Keras's 'acme>Dalta'; the nearest: 'acme>Delta'"):
        family_of(known, {"registered_name": "acme>Dalta"})
    for odd in ({}, {"registered_name": ["acme>Delta"]}, {"registered_name": None}):
        with pytest.raises(UnknownFamily, match="model_type"):
            family_of(known, odd)
