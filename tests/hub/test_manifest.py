"""``sixarts.json``: written, read back, and what does not match it found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import flip_a_bit
from sixarts_hub import Manifest
from sixarts_hub.errors import Corrupt, ManifestError, UnsafeFile
from sixarts_hub.manifest import FILE, verify

pytestmark = pytest.mark.quick

MakeFolder = Callable[..., Path]


def test_of_lists_every_file_and_reads_back(make_folder: MakeFolder) -> None:
    folder = make_folder()
    (folder / ".DS_Store").write_bytes(b"x")
    golden = {"input": "I have a dog.", "answer": {"text": "我有一只狗。", "score": -0.5}, "tolerance": 1e-3}
    manifest = Manifest.of(
        folder,
        task="translation",
        family="marian",
        api="1",
        golden=golden,
        dtype="float16",
        extra={"note": "n"},
    )
    manifest.write(folder)
    assert set(manifest.files) == {"config.json", "model.safetensors", "README.md", "sub/vocab.txt"}
    assert manifest.files["config.json"].size == 2
    assert Manifest.read(folder) == manifest
    verify(folder, Manifest.read(folder))


def test_a_changed_bit_is_found_with_both_digests(make_folder: MakeFolder) -> None:
    folder = make_folder()
    manifest = Manifest.read(folder)
    flip_a_bit(folder / "model.safetensors")
    with pytest.raises(Corrupt, match=r"model\.safetensors") as caught:
        verify(folder, manifest)
    assert manifest.files["model.safetensors"].sha256 in str(caught.value)
    assert str(caught.value).count("sha256:") == 2


def test_a_missing_file_is_found(make_folder: MakeFolder) -> None:
    folder = make_folder()
    (folder / "sub/vocab.txt").unlink()
    with pytest.raises(Corrupt, match=r"received no sub/vocab\.txt"):
        verify(folder, Manifest.read(folder))


def test_a_folder_with_code_gets_no_manifest(make_folder: MakeFolder) -> None:
    folder = make_folder()
    (folder / "modeling.py").write_text("import os")
    with pytest.raises(UnsafeFile, match=r"modeling\.py"):
        Manifest.of(folder, task="t", family="f", api="1")


def test_a_write_that_fails_keeps_what_was_there(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder()
    before = (folder / FILE).read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        Manifest.read(folder).write(folder)
    assert (folder / FILE).read_bytes() == before
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_an_answer_that_is_not_json_is_refused(make_folder: MakeFolder) -> None:
    folder = make_folder()
    manifest = Manifest.of(folder, task="t", family="f", api="1", golden={"score": float("nan")})
    with pytest.raises(ManifestError, match="not JSON"):
        manifest.write(folder)


GOOD = {"format": 1, "task": "t", "family": "f", "api": "1", "files": {}}
DIGEST = "a" * 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\xff", "not JSON"),
        ("[]", "format number"),
        ("{}", "format number"),
        (json.dumps({**GOOD, "format": 2}), "upgrade"),
        (json.dumps({**GOOD, "task": 3}), "wrong type"),
        (json.dumps({"format": 1}), "missing"),
        (json.dumps({**GOOD, "files": []}), "wrong type"),
        (json.dumps({**GOOD, "files": {"a.json": {"size": 1}}}), "missing"),
        (json.dumps({**GOOD, "files": {"a.json": {"size": -1, "sha256": DIGEST}}}), "wrong type"),
        (json.dumps({**GOOD, "files": {"a.json": {"size": 1, "sha256": "../x"}}}), "wrong type"),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(text.encode("latin-1"))
    with pytest.raises(ManifestError, match=said):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("name", ["../out.json", "/etc/x.json", "modeling.py"])
def test_a_manifest_with_a_hostile_name_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({**GOOD, "files": {name: {"size": 1, "sha256": DIGEST}}}))
    with pytest.raises(UnsafeFile):
        Manifest.read(tmp_path)


def test_no_manifest_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"task\.save"):
        Manifest.read(tmp_path)
