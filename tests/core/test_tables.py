"""Rows of tables, whatever they come from."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts.errors import InputError, MissingExtra
from sixarts.media import tables
from sixarts.media.tables import chunks, is_table, rows

pytestmark = pytest.mark.quick

TYPED = [{"age": 63, "name": "Ann", "score": 1.5}, {"age": None, "name": None, "score": None}]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(folder: Path) -> Path:
    arrow, write = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    write.write_table(arrow.Table.from_pylist(TYPED), folder / "t.parquet")
    return folder / "t.parquet"


SOURCES: dict[str, Callable[[Path], Any]] = {
    "records": lambda folder: TYPED,
    "generator": lambda folder: iter(TYPED),
    "columns": lambda folder: {name: [row[name] for row in TYPED] for name in TYPED[0]},
    "arrays": lambda folder: {
        "age": np.array([63, np.nan]),
        "name": np.array(["Ann", None], object),
        "score": np.array([1.5, np.nan], "float32"),
    },
    "jsonl": lambda folder: written(folder, "t.jsonl", "\n\n".join(map(json.dumps, TYPED)) + "\n"),
    "parquet": parquet,
    "pandas": lambda folder: pytest.importorskip("pandas").DataFrame(TYPED),
    "polars": lambda folder: pytest.importorskip("polars").DataFrame(TYPED),
    "pyarrow": lambda folder: pytest.importorskip("pyarrow").Table.from_pylist(TYPED),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_rows_from_every_source(kind: str, tmp_path: Path) -> None:
    assert list(rows(SOURCES[kind](tmp_path))) == TYPED
    found = list(chunks(SOURCES[kind](tmp_path), 1))
    assert [list(part) for part in found] == [["age", "name", "score"]] * 2
    assert found[0]["age"] == 63 and found[0]["score"] == 1.5 and found[0]["name"].tolist() == ["Ann"]
    assert [part["name"].dtype for part in found] == [object, object]


@pytest.mark.parametrize(("suffix", "separator"), [("csv", ","), ("csv", ";"), ("csv", "|"), ("tsv", "\t")])
def test_cells_of_text_stay_text(suffix: str, separator: str, tmp_path: Path) -> None:
    lines = [["id", "title"], ["007", 'He said "no"; twice, or|thrice'], ["", "two\nlines"], [" 1 ", ""]]
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(lines)
    found = list(rows(written(tmp_path, f"t.{suffix}", "\ufeff" + text.getvalue() + "\n\n")))
    assert found == [
        {"id": "007", "title": lines[1][1]},
        {"id": None, "title": "two\nlines"},
        {"id": "1", "title": None},
    ]


def test_kinds_of_columns() -> None:
    (part,) = chunks({"n": [1, 2], "x": [1, 2.5], "missing": [1, None], "none": [None, None], "s": ["1", 1]})
    assert {name: column.dtype.name for name, column in part.items()} == {
        "n": "int64",
        "x": "float64",
        "missing": "float64",
        "none": "object",
        "s": "object",
    }
    (lists,) = chunks({"l": [[1, 2], [3, 4]]})
    assert lists["l"].tolist() == [[1, 2], [3, 4]] and lists["l"].shape == (2,)
    assert np.isnan(part["missing"][1]) and part["none"].tolist() == [None, None]


def test_frames_keep_dates_and_lose_what_is_missing() -> None:
    pandas = pytest.importorskip("pandas")
    day = datetime.datetime(2026, 1, 2)
    frame = pandas.DataFrame({"day": [day, None], "n": pandas.array([1, None], "Int64")})
    assert list(rows(frame)) == [{"day": day, "n": 1}, {"day": None, "n": None}]


def test_rows_come_as_they_are_asked_for(tmp_path: Path) -> None:
    endless = ({"n": number} for number in itertools.count())
    assert next(rows(endless)) == {"n": 0}
    assert next(chunks(({"n": n} for n in itertools.count()), 3))["n"].tolist() == [0, 1, 2]
    path = written(tmp_path, "t.csv", "a,b\n" + "1,2\n" * 10_000)
    taken = chunks(path, 4096)
    assert [len(part["a"]) for part in taken] == [4096, 4096, 1808]


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"))] * 3),
        max_size=5,
    )
)
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b", "c"), *cells])
    path = written(tmp_path_factory.mktemp("tables"), "t.csv", text.getvalue())
    expected = [[cell.strip() or None for cell in row] for row in cells]
    assert [list(row.values()) for row in rows(path)] == expected


BAD: dict[str, tuple[Any, str]] = {
    "a number": (3, "int; expected a path of a table"),
    "a file of another kind": ("photo.png", "expected a table in a file of .csv"),
    "no such file": ("nowhere.csv", "nowhere.csv cannot be read"),
    "records that are none": ([{"a": 1}, 7], "row 2: int; expected a mapping"),
    "a cell for a column": ({"age": 3}, "column 'age' is int; expected a list"),
    "columns of several lengths": ({"a": [1], "b": []}, "expected as many in each"),
}
BAD_FILES = {
    "empty": ("t.csv", "", "no header"),
    "twice": ("t.csv", "a,b,a\n", "names a column twice: a"),
    "short": ("t.csv", "a,b\n1,2\nsecret\n", "row 2: 1 cells; expected 2"),
    "long": ("t.csv", "a,b\nsecret,2,3\n", "row 1: 3 cells; expected 2"),
    "open quote": ("t.csv", 'a,b\n1,"secret\n', "expected cells as CSV quotes them"),
    "not UTF-8": ("t.csv", b"a,b\nsecret\xff,1\n", "line 2: byte 7"),
    "no JSON": ("t.jsonl", '{"a": 1}\n{secret\n', "line 2: no JSON object"),
    "no object": ("t.ndjson", '["secret"]\n', "line 1: no JSON object"),
    "no Parquet": ("t.parquet", b"secret" * 9, "is no Parquet file"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_table_is_refused(kind: str) -> None:
    source, message = BAD[kind]
    with pytest.raises(InputError, match=message):
        list(rows(source))
    with pytest.raises(InputError, match=message):
        list(chunks(source))


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_is_named_and_its_cells_are_not(kind: str, tmp_path: Path) -> None:
    name, content, message = BAD_FILES[kind]
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(InputError, match=message) as caught:
        list(rows(written(tmp_path, name, content)))
    assert name in str(caught.value) and "secret" not in str(caught.value)


def test_what_is_a_table() -> None:
    assert is_table(Path("a.TSV")) and is_table("a.parquet")
    assert not any(map(is_table, ["a.txt", {"a": [1]}, [{"a": 1}], None, 3, np.zeros(3)]))
    assert is_table(pytest.importorskip("pandas").DataFrame())
    assert is_table(pytest.importorskip("polars").DataFrame())


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pytest.importorskip("pandas").DataFrame(TYPED)

    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(tables.importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"sixarts\[tables\]"):
        next(rows(frame))
