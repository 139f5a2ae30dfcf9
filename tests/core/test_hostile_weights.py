"""Weights files made or damaged to hurt their reader: tensors or a typed error, in little memory and time."""

from __future__ import annotations

import functools
import io
import json
import os
import pickletools
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pickled import ORDERED, REBUILD, archive, legacy, plain, program, storage, tensor, text

import sixarts.readers.archive
from hostile import VALUES, confined, mutated, mutated_json, within
from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError
from sixarts.readers.pickled import TEXT_CAP

pytestmark = pytest.mark.quick

many = settings(max_examples=120, deadline=None)


def attempt(name: str, data: bytes, **others: bytes) -> str:
    """Read everything of a weights file, or be refused by name; nothing else may come, nor take long.

    Returns:
        What was said, or nothing where it could be read.
    """
    with tempfile.TemporaryDirectory() as place, within():
        folder = Path(place)
        for other, content in ({name: data} | others).items():
            (folder / other).write_bytes(content)
        try:
            weights = open_weights(folder)
            for known in weights:
                value = weights.read(known)
                assert value.shape == weights.shape(known)
                # A tensor is no larger than what it was read from: nothing is made of nothing.
                assert value.nbytes <= sum(path.stat().st_size for path in folder.iterdir())
        except CheckpointError as error:
            assert name.split(".")[0] in str(error) and len(str(error)) < 5000
            assert str(error).isprintable()
            return str(error)
    return ""


# safetensors -----------------------------------------------------------------------------------------

HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
    "b.bias": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
    "none": {"dtype": "I64", "shape": [0, 7], "data_offsets": [32, 32]},
    "scalar": {"dtype": "F8_E4M3", "shape": [], "data_offsets": [32, 33]},
}
BODY = bytes(range(33))


def safe(header: Any = HEADER, body: bytes = BODY, length: int | None = None) -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + body


def test_the_files_that_are_damaged_here_are_whole() -> None:
    assert not attempt("model.safetensors", safe())
    assert not attempt("pytorch_model.bin", saved(True)) and not attempt("pytorch_model.bin", saved(False))
    assert not attempt("model.safetensors.index.json", json.dumps(INDEX).encode(), **SHARDS)


@many
@given(mutated_json(HEADER), st.sampled_from([None, 0, 1, 2**31, 2**63, 2**64 - 1]), st.integers(-3, 3))
def test_a_safetensors_header_that_lies(header: bytes, length: int | None, more: int) -> None:
    attempt("model.safetensors", safe(header, (BODY + bytes(3))[: len(BODY) + more], length))


@many
@given(mutated(safe()))
def test_a_safetensors_file_of_damaged_bytes(data: bytes) -> None:
    attempt("model.safetensors", data)


TENSOR = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "BF16", "F64", "BOOL", "F4", "f32", ""]),
        "shape": st.lists(st.integers(-1, 5) | st.sampled_from(VALUES), max_size=3),
        "data_offsets": st.lists(st.integers(-1, 40) | st.sampled_from(VALUES), min_size=2, max_size=2),
    }
)


@many
@given(st.dictionaries(st.text(max_size=3), TENSOR, max_size=4), st.binary(max_size=64))
def test_safetensors_headers_of_any_tensors(header: dict[str, Any], body: bytes) -> None:
    attempt("model.safetensors", safe(header, body))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"a": HEADER["a.weight"] | {"data_offsets": [-(10**58), 10**58]}}, "offsets of 'a'"),
        ({"a": HEADER["a.weight"] | {"data_offsets": [False, True]}}, "offsets of 'a'"),
        ({"a": HEADER["a.weight"] | {"shape": [2**63, 1]}}, "offsets of 'a'"),
        ({"a": HEADER["a.weight"] | {"shape": [2**62, 2**62]}}, "a tensor of shape"),
        (b'{"a":' + b"1" * 10_000 + b"}", "a number of 10000 digits"),
        (b'{"a": NaN}', "NaN"),
        (b"{" + b'"a":{},' * 2_000_000 + b'"b":{}}', "lists and objects"),
    ],
)
def test_what_a_safetensors_header_cannot_say(header: Any, said: str) -> None:
    assert said in attempt("model.safetensors", safe(header))


# Shards ----------------------------------------------------------------------------------------------

SHARDS = {
    "model-1.safetensors": safe(),
    "model-2.safetensors": safe({"c": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}}, b"abc"),
}
INDEX = {
    "metadata": {"total_size": 36},
    "weight_map": {name: "model-1.safetensors" for name in HEADER if name[0] != "_"}
    | {"c": "model-2.safetensors"},
}


@many
@given(mutated_json(INDEX))
def test_an_index_that_lies(data: bytes) -> None:
    attempt("model.safetensors.index.json", data, **SHARDS)


@pytest.mark.parametrize("name", ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"])
def test_weights_that_are_no_file(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)  # into which nobody writes
    with within(), pytest.raises(CheckpointError, match="no regular file"):
        open_weights(tmp_path)


# Pickles ---------------------------------------------------------------------------------------------


@functools.cache
def saved(new: bool) -> bytes:
    """What PyTorch itself writes."""
    state = {
        "a": torch.arange(6.0).reshape(2, 3).T,
        "b": torch.ones(3, dtype=torch.bfloat16),
        "c": torch.tensor(1),
    }
    state["d"] = torch.nn.Parameter(state["a"][1])
    out = io.BytesIO()
    torch.save(state, out, _use_new_zipfile_serialization=new)
    return out.getvalue()


@many
@given(st.booleans().flatmap(lambda new: mutated(saved(new))))
def test_a_real_file_of_damaged_bytes(data: bytes) -> None:
    attempt("pytorch_model.bin", data)


ARGUMENTS: dict[str, st.SearchStrategy[bytes]] = {
    "stringnl": st.sampled_from([b"'a'\n", b"''\n", b"a\n", b"'\\x00'\n", b"'\n"]),
    "stringnl_noescape": st.sampled_from([b"0\n", b"evil\n", b"\n"]),
    "stringnl_noescape_pair": st.sampled_from(
        [b"os\nsystem\n", b"collections\nOrderedDict\n", b"torch\nFloatStorage\n"]
    ),
    "decimalnl_short": st.sampled_from([b"1\n", b"-1\n", b"01\n", b"x\n", b"1" * 5000 + b"\n"]),
    "decimalnl_long": st.sampled_from([b"1L\n", b"9" * 5000 + b"L\n", b"\n"]),
    "floatnl": st.sampled_from([b"1.5\n", b"nan\n", b"1e999\n", b"x\n"]),
    "unicodestringnl": st.sampled_from([b"a\n", b"\\ud800\n", b"\\u12\n"]),
    "float8": st.binary(min_size=8, max_size=8),
    "uint1": st.integers(0, 255).map(lambda value: bytes([value])),
    "uint2": st.binary(min_size=2, max_size=2),
    "int4": st.sampled_from([0, 1, -1, 2**31 - 1, -(2**31)]).map(functools.partial(struct.pack, "<i")),
    "uint4": st.sampled_from([0, 1, 2**31, 2**32 - 1]).map(functools.partial(struct.pack, "<I")),
    "uint8": st.sampled_from([0, 1, 2**40, 2**63, 2**64 - 1]).map(functools.partial(struct.pack, "<Q")),
}
#: Bytes of the length that stands before each counted argument.
COUNTED = {"1": "<B", "4": "<i", "8": "<Q"}


@st.composite
def operations(draw: st.DrawFn) -> bytes:
    """One operation of Python's pickle machine, of all that there are; its argument may lie."""
    operation = draw(st.sampled_from(pickletools.opcodes))
    code = operation.code.encode("latin-1")
    if operation.arg is None:
        return code
    name = operation.arg.name
    if name in ARGUMENTS:
        return code + draw(ARGUMENTS[name])
    content = draw(st.binary(max_size=6) | st.sampled_from([b"storage", b"torch", b"\xff\xff", b"a" * 20]))
    form = "<I" if name[-1] == "4" and name != "long4" else COUNTED[name[-1]]
    honest = draw(st.integers(0, 3)) > 0
    size = len(content) if honest else draw(st.sampled_from([0, 255, 2**31 - 1, 2**40]))
    return (
        code
        + struct.pack(form, size % 256 ** struct.calcsize(form) if form != "<i" else size % 2**31)
        + content
    )


HELPFUL = st.sampled_from(
    [
        *(
            b"(",
            b"t",
            b"u",
            b"}",
            b"]",
            b")",
            b"R",
            b"Q",
            b"b",
            b"s",
            b"a",
            b"e",
            b"q\x00",
            b"h\x00",
            b"\x94",
            b"N",
        ),
        *(
            text("a"),
            text("storage"),
            storage(),
            tensor(),
            ORDERED,
            ORDERED + b")R",
            REBUILD,
            program(a=tensor()),
        ),
        *(plain(2**40), plain((2, 2)), tensor(size=(2**20, 2**20), stride=(0, 0)), tensor(offset=2**62)),
    ]
)


@settings(max_examples=250, deadline=None)
@given(st.lists(operations() | HELPFUL, max_size=30), st.sampled_from([archive, legacy]))
def test_programs_of_every_operation(pieces: list[bytes], make: Callable[..., Path]) -> None:
    with tempfile.TemporaryDirectory() as place:
        data = make(Path(place), b"\x80\x02" + b"".join(pieces) + b".").read_bytes()
    attempt("pytorch_model.bin", data)


def number(value: int) -> bytes:
    """An integer of any length, as ``LONG4``."""
    digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<i", len(digits)) + digits


def slow_programs() -> dict[str, bytes]:
    """Programs of a megabyte or two that would keep a kind machine busy for minutes to hours."""
    long, again = "x" * 2**20, b"h\x00Ns" * 200_000
    return {
        "hashing a number": b"\x80\x02}" + number(2 ** (8 * 2**20)) + b"q\x00Ns" + again + b".",
        "comparing texts": b"\x80\x02}" + text(long) + b"Ns" + text(long) + b"q\x00Ns" + again + b".",
        "joining texts": b"\x80\x04" + text(long) + text(long) + b"\x93.",
        "printing a number": b"\x80\x02}" + number(2**400_000) + b"Ns.",
        "marks in marks": b"\x80\x02" + b"(" * 500_000 + b"t" * 500_000 + b".",
        "lists grown by themselves": b"\x80\x02]q\x00" + b"(h\x00e" * 300_000 + b".",
        "the same storage again": b"\x80\x02](" + storage() * 20_000 + b"e.",
        "text in digits": b"\x80\x02L" + b"9" * 10**6 + b"L\n.",
        "calls in calls": b"\x80\x02" + ORDERED * 50_000 + b")R" * 50_000 + b".",
    }


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize("slow", slow_programs())
def test_a_slow_program_ends_soon(slow: str, make: Callable[..., Path], tmp_path: Path) -> None:
    data = make(tmp_path, slow_programs()[slow]).read_bytes()
    assert attempt("pytorch_model.bin", data)


def test_names_of_any_usual_length_are_read(tmp_path: Path) -> None:
    name = "x" * TEXT_CAP
    data = archive(tmp_path, program(**{name: tensor()})).read_bytes()
    assert not attempt("pytorch_model.bin", data)
    data = archive(tmp_path, program(**{name + "x": tensor()})).read_bytes()
    assert f"a text of {TEXT_CAP + 1} characters" in attempt("pytorch_model.bin", data)


# Archives --------------------------------------------------------------------------------------------

#: Where a field lies in a local header, an entry of the directory, and the directory's end; and its size.
LOCAL = {
    "flags": (6, 2),
    "method": (8, 2),
    "packed": (18, 4),
    "size": (22, 4),
    "name": (26, 2),
    "extra": (28, 2),
}
CENTRAL = {
    "version": (6, 2),
    "flags": (8, 2),
    "method": (10, 2),
    "crc": (16, 4),
    "packed": (20, 4),
    "size": (24, 4),
    "name": (28, 2),
    "extra": (30, 2),
    "comment": (32, 2),
    "disk": (34, 2),
    "offset": (42, 4),
    "first letter": (46, 1),
}
END = {
    "disk": (4, 2),
    "here": (8, 2),
    "entries": (10, 2),
    "size": (12, 4),
    "offset": (16, 4),
    "comment": (20, 2),
}
PARTS = {b"PK\x03\x04": LOCAL, b"PK\x01\x02": CENTRAL, b"PK\x05\x06": END}


def fields(data: bytes) -> list[tuple[int, int]]:
    """Place and size of every field of an archive's headers."""
    found = []
    for magic, layout in PARTS.items():
        at = data.find(magic)
        while at >= 0:
            found += [(at + place, size) for place, size in layout.values() if at + place + size <= len(data)]
            at = data.find(magic, at + 1)
    return found


@functools.cache
def plain_archive() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        state = program(a=tensor(), b=tensor(within=storage(key="1")))
        return archive(Path(place), state, {"0": bytes(16), "1": bytes(range(16))}).read_bytes()


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_an_archive_whose_headers_lie(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([plain_archive(), saved(True)])))
    for at, size in data.draw(st.lists(st.sampled_from(fields(bytes(body))), min_size=1, max_size=3)):
        value = data.draw(
            st.sampled_from([0, 1, 8, 99, 2**16 - 1, 2**31, 2**32 - 2, 2**32 - 1]) | st.integers(0, len(body))
        )
        body[at : at + size] = (value % 256**size).to_bytes(size, "little")
    attempt("pytorch_model.bin", bytes(body))


def patched(data: bytes, magic: bytes, which: int, **values: int) -> bytes:
    """An archive with fields of its n-th header of a kind set."""
    body, at = bytearray(data), -1
    for _ in range(which + 1):
        at = data.index(magic, at + 1)
    for name, value in values.items():
        place, size = PARTS[magic][name.replace("_", " ")]
        body[at + place : at + place + size] = value.to_bytes(size, "little")
    return bytes(body)


def wide(data: bytes, size: int) -> bytes:
    """An archive whose end says in 64 bits that its directory has this size."""
    end = data.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<I", data, end + 16)[0]
    far = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 4, 4, size, start)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    return data[:end] + far + locator + patched(data[end:], b"PK\x05\x06", 0, size=2**32 - 1)


LYING: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a directory larger than the file": (
        lambda whole: patched(whole, b"PK\x05\x06", 0, size=2**32 - 2),
        "cut or corrupt",
    ),
    "a directory of an exabyte": (lambda whole: wide(whole, 2**60), "cut or corrupt"),
    "a directory beyond 64 bits": (lambda whole: wide(whole, 2**64 - 1), "cut or corrupt"),
    "an entry larger than the file": (
        lambda whole: patched(whole, b"PK\x01\x02", 2, size=2**31, packed=2**31),
        "an end inside 'archive/data/0'",
    ),
    "an entry that is packed": (lambda whole: patched(whole, b"PK\x01\x02", 0, packed=3), "compressed"),
    "an entry that is deflated": (lambda whole: patched(whole, b"PK\x01\x02", 2, method=8), "compressed"),
    "an entry that is encrypted": (lambda whole: patched(whole, b"PK\x01\x02", 2, flags=1), "encrypted"),
    "an entry where none is": (lambda whole: patched(whole, b"PK\x01\x02", 2, offset=7), "no entry where"),
    "an entry beyond the file": (
        lambda whole: patched(whole, b"PK\x01\x02", 2, offset=2**31),
        "no entry where",
    ),
    "another name in the directory": (
        lambda whole: whole.replace(b"archive/data/0", b"archive/data/2", 1),
        "'archive/data/2' where its directory has 'archive/data/0'",
    ),
    "a name that eats the data": (
        lambda whole: patched(whole, b"PK\x03\x04", 2, name=60_000),
        "cut or corrupt",
    ),
    "room before the data that eats them": (
        lambda whole: patched(whole, b"PK\x03\x04", 2, extra=60_000),
        "an end inside 'archive/data/0'",
    ),
}


@pytest.mark.parametrize("lie", LYING)
def test_what_an_archive_cannot_say(lie: str) -> None:
    make, said = LYING[lie]
    assert said in attempt("pytorch_model.bin", make(plain_archive()))


def test_a_directory_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sixarts.readers.archive, "DIRECTORY_CAP", 200)
    assert "a directory of" in attempt("pytorch_model.bin", plain_archive())


def test_storages_do_not_lie_over_each_other() -> None:
    whole = plain_archive()
    places = [at for at in range(len(whole)) if whole.startswith(b"PK\x03\x04", at)]
    # The second storage's entry points at the first one, and the header there bears its name.
    data = bytearray(patched(whole, b"PK\x01\x02", 3, offset=places[2]))
    name = data.index(b"archive/data/0", places[2])
    data[name : name + 14] = b"archive/data/1"
    assert "where its directory has" in attempt("pytorch_model.bin", bytes(data))
    inside = bytearray(
        bytes(16) + b"PK\x03\x04" + bytes(22) + struct.pack("<HH", 14, 0) + b"archive/data/1" + bytes(16)
    )
    with tempfile.TemporaryDirectory() as place:
        state = program(a=tensor(within=storage(count=len(inside) // 4)), b=tensor(within=storage(key="1")))
        nested = archive(Path(place), state, {"0": bytes(inside), "1": bytes(16)}).read_bytes()
    hidden = nested.index(bytes(inside)) + 16
    assert "over another" in attempt("pytorch_model.bin", patched(nested, b"PK\x01\x02", 3, offset=hidden))


def test_a_checksum_is_not_what_holds_a_file() -> None:
    """PyTorch can leave it out; the hub's digests hold the whole file."""
    assert not attempt("pytorch_model.bin", patched(plain_archive(), b"PK\x01\x02", 2, crc=1))


# Memory ----------------------------------------------------------------------------------------------


def write_bomb(path: Path, kind: str) -> None:
    """A file that states, or costs, far more than it is."""
    if kind == "archive":
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", program(a=tensor()))
            for count in range(20_000):
                file.writestr(f"archive/data/{count}", b"")
        return
    contents = {
        "length": struct.pack("<Q", 2**62) + b"{}",
        "likely length": struct.pack("<Q", 2**24) + b"{}",
        "objects": safe(b"{" + b'"a":{},' * 200_000 + b'"b":{}}'),
        "names": safe(b"{" + b",".join(b'"%d":0' % name for name in range(100_000)) + b"}"),
        "numbers": safe(b'{"a":{"dtype":"F32","shape":[' + b"1000," * 500_000 + b"1]}}"),
        "tensor": safe({"a": {"dtype": "F32", "shape": [2**50], "data_offsets": [0, 2**52]}}, bytes(100)),
        "directory": wide(plain_archive(), 2**32),
        "memo": b"\x80\x02Nr\xff\xff\xff\xff.",
        "text": b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b"short.",
        "values": b"\x80\x02" + b"}" * 1_900_000 + b".",
    }
    path.write_bytes(contents[kind])


@pytest.mark.parametrize(
    ("kind", "name", "ratio"),
    [
        ("length", "model.safetensors", 0),
        ("likely length", "model.safetensors", 0),
        ("objects", "model.safetensors", 40),
        ("names", "model.safetensors", 40),
        ("numbers", "model.safetensors", 40),
        ("tensor", "model.safetensors", 0),
        ("archive", "pytorch_model.bin", 20),
        ("directory", "pytorch_model.bin", 0),
        ("memo", "pytorch_model.bin", 0),
        ("text", "pytorch_model.bin", 0),
        ("values", "pytorch_model.bin", 100),
    ],
)
def test_memory_is_bounded_by_what_the_file_is(kind: str, name: str, ratio: int, tmp_path: Path) -> None:
    """In a process without Keras that may not take a gigabyte: so many bytes a byte, and a megabyte."""
    write_bomb(tmp_path / name, kind)
    said = confined(
        """
        import pathlib, tracemalloc
        from sixarts.checkpoint import open_weights
        from sixarts.errors import CheckpointError
        tracemalloc.start()
        try:
            open_weights(pathlib.Path(sys.argv[1]))
        except CheckpointError as error:
            assert len(str(error)) < 5000
        print(tracemalloc.get_traced_memory()[1])
        assert not {"keras", "tensorflow", "torch", "jax"} & sys.modules.keys()
        """,
        str(tmp_path),
    )
    assert int(said) < 2**20 + ratio * (tmp_path / name).stat().st_size
