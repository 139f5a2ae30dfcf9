"""Inputs and examples from files: what cannot be read is named by its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import InputError
from sixarts.files import lines, pairs

pytestmark = pytest.mark.quick


def written(folder: Path, content: bytes, name: str = "in.txt") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeffone\r\n two \n\nthree\u2028x".encode())
    assert list(lines(path)) == ["one", " two ", "", "three\u2028x"]
    assert list(lines(written(tmp_path, b""))) == []


@settings(deadline=None, derandomize=True, database=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00\ufeff"), min_size=1)
    )
)
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = written(tmp_path_factory.mktemp("lines"), "\n".join(texts).encode())
    assert list(lines(path)) == texts


def test_lines_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    found = lines(written(tmp_path, b"good\n\xff\xfe bad\n"))
    assert next(found) == "good"
    with pytest.raises(InputError, match=r"line 2: byte 1 \(0xff\) is not UTF-8"):
        next(found)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\n\x00\x01\x02\n", "line 2: NUL bytes"),
        ("héllo".encode("latin-1"), r"line 1: byte 2 \(0xe9\) is not UTF-8"),
        ("wide".encode("utf-16"), "line 1: "),
        (b"\x89PNG\r\n\x1a\n", "line 1: byte 1"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        list(lines(written(tmp_path, content)))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        with pytest.raises(InputError, match=f"{path} cannot be read"):
            list(lines(path))


def test_pairs(tmp_path: Path) -> None:
    assert pairs(written(tmp_path, b"a\tb\n\nc\td\te\n")) == [("a", "b"), ("c", "d")]
    rows = '{"input": "a", "target": "b"}\n\n{"input": 1, "target": [2], "more": 3}\n'
    assert pairs(written(tmp_path, rows.encode(), "in.jsonl")) == [("a", "b"), (1, [2])]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("in.tsv", b"a\tb\nc d\n", "line 2: 'c d' has no tab"),
        ("in.jsonl", b'{"input": 1, "target": 2}\n\n{"input": 1}\n', "line 3: .*'target'"),
        ("in.jsonl", b"[1, 2]\n", "line 1: .*expected an object"),
        ("in.jsonl", b"{\n", "line 1: .*expected an object"),
    ],
)
def test_bad_pairs_are_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pairs(written(tmp_path, content, name))
