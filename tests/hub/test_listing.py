"""Trees of files: which names are refused, and which kinds are never fetched."""

from __future__ import annotations

import pytest

from sixarts_hub.errors import UnsafeFile
from sixarts_hub.listing import File, Listing, allowed, check_names

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up.json",
        "a/../../up.json",
        "a/./b.json",
        "a//b.json",
        "",
        "C:/windows.json",
        r"a\b.json",
        "a\0.json",
        "a\n.json",
        "aux.json",
        "sub/NUL",
        "COM1.txt",
        "trailing./a.json",
        "blank /a.json",
    ],
)
def test_hostile_names_refuse_the_tree(path: str) -> None:
    with pytest.raises(UnsafeFile, match=r"received .*; expected .*"):
        check_names(["config.json", path])


@pytest.mark.parametrize(
    "paths",
    [
        ["Config.json", "config.json"],
        ["a/B.json", "A/b.json"],
        ["caf\u00e9.json", "cafe\u0301.json"],
        ["twice.json", "twice.json"],
        ["model", "model/config.json"],
        ["Model/config.json", "model"],
    ],
)
def test_names_that_are_one_on_some_disk_refuse_the_tree(paths: list[str]) -> None:
    with pytest.raises(UnsafeFile):
        check_names(paths)


def test_usual_trees_pass() -> None:
    check_names([".gitattributes", "config.json", "1_Pooling/config.json", "onnx/model.onnx", "console.txt"])


@pytest.mark.parametrize(
    "path",
    [
        "config.json",
        "model.safetensors",
        "model-00001-of-00002.safetensors",
        "pytorch_model.bin",
        "source.spm",
        "sub/vocab.txt",
        "merges.bpe",
        "README.md",
        "LICENSE",
        "kata.bin.gz",
        "model.weights.h5",
        "CONFIG.JSON",
    ],
)
def test_data_is_allowed(path: str) -> None:
    assert allowed(path)


@pytest.mark.parametrize(
    "path",
    [
        "modeling.py",
        "model.keras",
        "model.h5",
        "model.pt",
        "model.pth",
        "weights.pkl",
        "arrays.npz",
        "arrays.npy",
        "all.zip",
        "all.tar.gz",
        "run.sh",
        "json",
        ".env.json",
        ".git/config.json",
        "a:b.json",
        "model.safetensors.py",
    ],
)
def test_what_may_carry_code_is_not(path: str) -> None:
    assert not allowed(path)


def test_a_listing_reads_back_from_its_record() -> None:
    listing = Listing("a" * 40, (File("config.json", 2, "git-sha1:" + "b" * 40),))
    assert Listing.from_dict(listing.to_dict()) == listing


@pytest.mark.parametrize(("size", "digest"), [(-1, "sha256:" + "a" * 64), (1, "sha256:zz"), ("1", "md5:aa")])
def test_a_file_without_a_digest_is_none(size: int, digest: str) -> None:
    with pytest.raises(ValueError, match="no file's"):
        File("config.json", size, digest)
