"""Manifests, listings, references and the cache's own records, as an enemy or a failing disk writes them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from server import HubServer

from conftest import FILES, NAME
from hostile import confined, mutated, mutated_json, within
from sixarts_hub import Hub, Manifest, Reference
from sixarts_hub.cache import Cache
from sixarts_hub.errors import BadReference, HubError, ManifestError, UnsafeFile
from sixarts_hub.listing import DIGEST, File, Listing, allowed, check_names, checksum
from sixarts_hub.manifest import FILE
from sixarts_hub.records import read_record
from sixarts_hub.strict_json import CONTAINERS_CAP, DEPTH_CAP, SIZE_CAP, parse, short

pytestmark = pytest.mark.quick

many = settings(max_examples=200, deadline=None)
few = settings(max_examples=25, deadline=None)

MANIFEST = {
    "format": 1,
    "task": "translation",
    "family": "marian",
    "api": "1",
    "dtype": "float16",
    "files": {
        "config.json": {"size": 2, "sha256": "a" * 64},
        "sub/vocab.txt": {"size": 10**9, "sha256": "b" * 64},
        "LICENSE": {"size": 0, "sha256": "c" * 64},
    },
    "golden": {"input": "a", "answer": {"text": "b", "scores": [0.5, -1]}, "tolerance": 1e-4},
    "note": ["extra"],
}
MANIFEST_TEXT = json.dumps(MANIFEST).encode()


# JSON ------------------------------------------------------------------------------------------------


@many
@given(mutated_json(MANIFEST) | mutated(MANIFEST_TEXT) | st.binary(max_size=50))
def test_json_has_one_meaning_or_is_refused(data: bytes) -> None:
    with within():
        try:
            value = parse(data)
        except ValueError as error:
            assert len(str(error)) < 500
        else:
            again = json.dumps(value, ensure_ascii=False, allow_nan=False)
            assert parse(again.encode()) == value == json.loads(data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a": 1, "b": 2, "a": 1}', "the name 'a' twice"),
        (b'[{"x": {"a": 1, "a": 2}}]', "the name 'a' twice"),
        (b"[NaN]", "NaN"),
        (b"-Infinity", "Infinity"),
        (b"1e999", "too large"),
        (b"1" * 61, "61 digits"),
        (b'"\\ud800"', "surrogates"),
        (b'{"\\uDC00": 1}', "surrogates"),
        (b"[" * DEPTH_CAP + b"[]" + b"]" * DEPTH_CAP, "levels"),
        (b'{"a":' * 100_000, "levels"),
        (b"[" + b"[]," * CONTAINERS_CAP + b"[]]", "lists and objects"),
        (b" " * SIZE_CAP + b"1", "bytes"),
        (b"\xef\xbb\xbf1", "BOM"),
        (b"\xff\xfe1\0", "utf-8"),
        (b"", "Expecting value"),
    ],
)
def test_what_is_no_strict_json_says_why(text: bytes, said: str) -> None:
    with within(), pytest.raises(ValueError, match=said):
        parse(text)


def test_what_people_publish_is_json() -> None:
    assert parse(b'{"model_max_length": 1000000000000000019884624838656}')["model_max_length"] > 2**64
    assert parse('["\\ud83d\\ude42", "\\\\ud800", "🙂"]'.encode()) == ["🙂", "\\ud800", "🙂"]
    assert parse(b"[" * DEPTH_CAP + b"]" * DEPTH_CAP)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner), max_leaves=50))
def test_a_value_in_a_message_is_short(value: Any) -> None:
    assert len(short(value)) <= 120 and short(value).isprintable()


# Manifests -------------------------------------------------------------------------------------------


def check_manifest(data: bytes) -> None:
    """One that can be trusted with paths, or an error of ours."""
    with tempfile.TemporaryDirectory() as place, within():
        folder = Path(place)
        (folder / FILE).write_bytes(data)
        try:
            manifest = Manifest.read(folder)
        except (ManifestError, UnsafeFile) as error:
            assert len(str(error)) < 1500 and str(error).isprintable()
            return
        for file in manifest.expected():
            assert allowed(file.path) and DIGEST.fullmatch(file.digest) and 0 <= file.size < 2**63
            assert (folder / file.path).resolve().is_relative_to(folder.resolve())
            assert not (folder / file.path).exists()  # no name that the disk cannot even look for
        assert all(map(str.isprintable, (manifest.task, manifest.family, manifest.api)))
        assert manifest.golden is None or {"input", "answer"} <= manifest.golden.keys()
        (folder / "again").mkdir()
        manifest.write(folder / "again")
        assert Manifest.read(folder / "again") == manifest


@many
@given(mutated_json(MANIFEST))
def test_a_manifest_that_lies_is_read_or_refused(data: bytes) -> None:
    check_manifest(data)


@many
@given(mutated(MANIFEST_TEXT))
def test_a_manifest_of_damaged_bytes_is_read_or_refused(data: bytes) -> None:
    check_manifest(data)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": True},
        {"format": 0},
        {"format": 1.0},
        {"task": ""},
        {"task": "a\nb"},
        {"family": "x" * 1000},
        {"dtype": 16},
        {"golden": "a"},
        {"golden": {"input": 1}},
        {"files": {"a.json": {"size": True, "sha256": "a" * 64}}},
        {"files": {"a.json": {"size": 2**63, "sha256": "a" * 64}}},
        {"files": {"a.json": {"size": 1.0, "sha256": "a" * 64}}},
        {"files": {"a.json": {"size": 1, "sha256": "unknown"}}},
        {"files": {"a.json": [1, "a" * 64]}},
    ],
)
def test_a_manifest_s_values_are_of_their_kinds(changes: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(MANIFEST | changes))
    with pytest.raises(ManifestError, match=r"received .*; expected .*; "):
        Manifest.read(tmp_path)


def test_a_manifest_that_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(ManifestError, match="regular file"):
        Manifest.read(tmp_path)
    (tmp_path / FILE).rmdir()
    os.mkfifo(tmp_path / FILE)
    with within(), pytest.raises(ManifestError, match="regular file"):  # nobody writes into the pipe
        Manifest.read(tmp_path)


def test_a_golden_answer_that_no_file_can_hold_is_not_written(tmp_path: Path) -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    for answer in ("\ud800", deep):
        manifest = Manifest("t", "f", "1", {}, {"input": 1, "answer": answer})
        with pytest.raises(ManifestError, match="not JSON"):
            manifest.write(tmp_path)
        assert not list(tmp_path.iterdir())


#: What costs a parser most.
COSTLY = {
    "empty objects": '"[" + "{}," * 200_000 + "{}]"',
    "small objects": '"[" + \'{"a":0},\' * 200_000 + "{}]"',
    "too many objects": '"[" + "{}," * 5_000_000 + "{}]"',
    "texts": '"[" + \'"一",\' * 400_000 + "0]"',
    "numbers": '"[" + "1e9," * 500_000 + "0]"',
    "names": '"{" + ",".join(f\'"{i}":0\' for i in range(200_000)) + "}"',
    "depth": '"[" * 16_000_000',
    "one name of many folders": 'named("a/" * 2_000_000 + "b.json")',
    "one name of many marks": 'named("\\u0316\\u0301" * 1_000_000 + "b.json")',
}


@pytest.mark.parametrize("costly", COSTLY)
def test_a_manifest_costs_memory_by_its_size(costly: str, tmp_path: Path) -> None:
    """At most 40 bytes a byte: the parser's own price of what is small."""
    said = confined(
        """
        import pathlib, tracemalloc
        from sixarts_hub import Manifest
        from sixarts_hub.errors import HubError
        def named(name):
            entry = '{"size":1,"sha256":"' + "0" * 64 + '"}'
            return '{"format":1,"task":"t","family":"f","api":"1","files":{"' + name + '":' + entry + "}}"
        folder = pathlib.Path(sys.argv[1])
        (folder / "sixarts.json").write_text(eval(sys.argv[2]), encoding="utf-8")
        size = (folder / "sixarts.json").stat().st_size
        tracemalloc.start()
        try:
            Manifest.read(folder)
        except HubError as error:
            print(tracemalloc.get_traced_memory()[1] / size, len(str(error)))
        """,
        str(tmp_path),
        COSTLY[costly],
    )
    ratio, length = map(float, said.split())
    assert ratio < 40 and length < 1500


# Names -----------------------------------------------------------------------------------------------

PARTS = st.sampled_from(
    [
        "a",
        "A",
        "con",
        "é",
        "e\u0301",
        "ß",
        "SS",
        "ſ",
        "K",
        "İ",
        "ı",
        "..",
        ".",
        "",
        " ",
        "x" * 300,
        "\ud800",
        "\\",
    ]
) | st.text(max_size=4)
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


@many
@given(st.lists(NAMES, max_size=5))
def test_a_tree_that_passes_makes_as_many_files_as_it_has_names(names: list[str]) -> None:
    with within():
        try:
            check_names(names)
        except UnsafeFile as error:
            assert str(error).isprintable() and len(str(error)) < 1000
            return
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x"):
                assert path.resolve() == folder.resolve() / name
        assert len([path for path in folder.rglob("*") if path.is_file()]) == len(names)


@many
@given(st.text(min_size=1, max_size=6), st.sampled_from(["NFC", "NFD"]))
def test_two_spellings_of_one_name_never_pass(name: str, form: Any) -> None:
    for other in (
        name.casefold(),
        unicodedata.normalize(form, name),
        unicodedata.normalize(form, name.casefold()),
    ):
        if other != name:
            with pytest.raises(UnsafeFile):
                check_names([name, other])


@pytest.mark.parametrize(
    "name", ["a/" * 500_000 + "b", "x" * 256, "é" * 128 + ".json", "a\ud800.json", "\u0301\u0316" * 500_000]
)
def test_a_name_that_no_disk_takes_is_refused_at_once(name: str) -> None:
    with within(5), pytest.raises(UnsafeFile, match=r"bytes|surrogate"):
        check_names([name])


# References ------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    [
        "starter/",
        "hf://",
        "s3://",
        "file://",
        "./",
        "../",
        "~",
        "/",
        "@",
        "@main",
        "me",
        "model",
        "--",
        "..",
        ".git",
    ]
) | st.text(max_size=5)


@many
@given(st.lists(WORDS, max_size=6).map("".join))
def test_a_reference_reads_back_or_is_refused(text: str) -> None:
    with within():
        try:
            reference = Reference.parse(text)
        except BadReference as error:
            assert len(str(error)) < 1500
            return
    assert Reference.parse(str(reference)) == reference
    if reference.kind == "repo":
        owner, name = reference.name.split("/")
        check_names([owner, name])
        assert "--" not in reference.name  # what the cache writes for the stroke


@pytest.mark.parametrize("text", ["a/" * 10**6, "me/" + "m" * 10**7, "hf://" + "a" * 10**7, "x" * 10**7])
def test_a_reference_without_end_is_refused_at_once(text: str) -> None:
    with within(5), pytest.raises(BadReference):
        Reference.parse(text)


# Listings and the cache's own records ----------------------------------------------------------------

LISTING = {
    "commit": "a" * 40,
    "files": {
        "config.json": {"size": 2, "digest": "git-sha1:" + "b" * 40},
        "sub/model.safetensors": {"size": 10**9, "digest": "sha256:" + "c" * 64},
    },
}


@many
@given(mutated_json(LISTING))
def test_a_listing_that_lies_is_read_or_refused(data: bytes) -> None:
    with within():
        try:
            value = parse(data)
            if isinstance(value, dict) and isinstance(value.get("commit"), str):
                value["check"] = checksum(value["commit"], value.get("files"))  # whoever lies counts it, too
            listing = Listing.from_dict(value)
        except ValueError:
            return
    assert Listing.from_dict(listing.to_dict()) == listing
    check_names([*listing.paths, listing.commit])


@pytest.mark.parametrize(
    "value", [None, [], "x", {}, {"commit": "a", "files": []}, {"commit": "..", "files": {}}]
)
def test_what_is_no_listing_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no listing"):
        Listing.from_dict(value)


@pytest.mark.parametrize("text", [b"[" * 200_000, b"\xff", b"1" * 5000, b'{"a": NaN}', b""])
def test_a_record_that_is_none_reads_as_missing(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "record.json").write_bytes(text)
    assert read_record(tmp_path / "record.json") is None


@pytest.fixture(scope="module")
def published() -> Iterator[tuple[HubServer, str]]:
    """A hub with one model, for as many pulls as it takes."""
    server = HubServer()
    yield server, server.add(NAME, FILES)
    server.close()


@few
@given(data=st.data())
def test_a_cache_whose_records_are_damaged_gives_the_right_bytes_or_an_error(
    published: tuple[HubServer, str], data: st.DataObject
) -> None:
    server, _ = published
    with tempfile.TemporaryDirectory() as place:
        whole = Hub(place, endpoint=server.url, offline=False).pull(NAME, progress=False)
        wanted = {path.name: _sha(path) for path in whole.path.iterdir()}
        records = sorted(
            path
            for path in Path(place).rglob("*")
            if path.is_file() and path.parent.name in ("sixarts", "refs") and path.suffix != ".lease"
        )
        assert records
        for record in data.draw(st.lists(st.sampled_from(records), min_size=1, unique=True)):
            content = record.read_bytes()
            if record.suffix == ".json" and data.draw(st.booleans()):
                record.write_bytes(data.draw(mutated_json(json.loads(content))))
            else:
                record.write_bytes(data.draw(mutated(content)))
        with within(30):
            try:
                again = Hub(place, endpoint=server.url, offline=True).pull(NAME, progress=False)
            except HubError as error:
                assert len(str(error)) < 3000
            else:
                for path in again.path.iterdir():
                    assert wanted[path.name] == _sha(path)
            healed = Hub(place, endpoint=server.url, offline=False)
            try:
                again = healed.pull(NAME, progress=False)
            except HubError:
                again = healed.pull(NAME, update=True, progress=False)
            assert {path.name: _sha(path) for path in again.path.iterdir()}.items() <= wanted.items()
            assert (again.path / "config.json").read_bytes() == FILES["config.json"]


def test_a_listing_of_another_commit_is_not_taken(tmp_path: Path) -> None:
    cache = Cache(tmp_path, "https://hub.example")
    cache.keep_listing(NAME, Listing("a" * 40, ()))
    assert cache.listing(NAME, "a" * 40) == Listing("a" * 40, ())
    (record,) = tmp_path.rglob("*.listing.json")
    for commit in ("b" * 40, "..", "a/b", ""):
        record.write_text(json.dumps({"commit": commit, "files": {}, "check": checksum(commit, {})}))
        assert cache.listing(NAME, "a" * 40) is None


def test_a_bit_flipped_in_a_listing_costs_a_request_and_no_more(
    published: tuple[HubServer, str], tmp_path: Path
) -> None:
    server, _ = published
    hub = Hub(tmp_path, endpoint=server.url, offline=False)
    hub.pull(NAME, progress=False)
    (record,) = tmp_path.rglob("*.listing.json")
    whole = record.read_text()
    digest = json.loads(whole)["files"]["config.json"]["digest"]
    record.write_text(whole.replace(digest, digest[:-1] + ("0" if digest[-1] != "0" else "1")))
    before = server.fetched("config.json")
    again = Hub(tmp_path, endpoint=server.url, offline=False).pull(NAME, progress=False)
    assert (again.path / "config.json").read_bytes() == FILES["config.json"]
    assert server.fetched("config.json") == before and record.read_text() == whole


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_s_size_is_a_whole_number_that_a_disk_can_hold() -> None:
    for size in (True, 1.0, "1", None, -1, 2**63):
        with pytest.raises(ValueError, match="no file's"):
            File("a.json", size, "sha256:" + "a" * 64)  # type: ignore[arg-type]
