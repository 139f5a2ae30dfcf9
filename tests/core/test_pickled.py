"""PyTorch's ``.bin`` files: every honest one reads as PyTorch reads it, and no other does anything."""

from __future__ import annotations

import ast
import io
import pickle
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sixarts.readers.pickled
import sixarts.readers.stored
from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError, UnsafePickle

pytestmark = pytest.mark.quick

ZIP, LEGACY = {"_use_new_zipfile_serialization": True}, {"_use_new_zipfile_serialization": False}
BOTH = pytest.mark.parametrize("form", [ZIP, LEGACY], ids=["zip", "legacy"])


# Honest files --------------------------------------------------------------------------------------


def bits(tensor: torch.Tensor) -> bytes:
    """A tensor's elements, row-major, whatever its dtype."""
    whole = tensor.detach().clone(memory_format=torch.contiguous_format)
    return whole.reshape(-1).view(torch.uint8).numpy().tobytes()


def check(folder: Path, tensors: dict[str, torch.Tensor], form: dict[str, bool]) -> None:
    """Save with PyTorch, read here, compare shape, dtype and every bit."""
    path = folder / "pytorch_model.bin"
    torch.save(tensors, path, **form)
    weights = open_weights(folder)
    assert list(weights) == list(tensors)
    for name, tensor in tensors.items():
        value = weights.read(name)
        assert value.shape == weights.shape(name) == tuple(tensor.shape)
        assert value.dtype.name == weights.dtype(name) == str(tensor.dtype).removeprefix("torch.")
        assert value.flags.c_contiguous and value.tobytes() == bits(tensor)


DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
]


@st.composite
def views(draw: st.DrawFn, base: torch.Tensor) -> torch.Tensor:
    """Some view of a storage: cut, turned, stepped over, repeated, with axes put in or taken out."""
    view = base
    for _ in range(draw(st.integers(0, 4))):
        axis = draw(st.integers(0, view.ndim - 1)) if view.ndim else None
        kind = draw(st.sampled_from(["cut", "turn", "pick", "put", "repeat"]))
        if kind == "cut" and axis is not None:
            start = draw(st.integers(0, view.shape[axis]))
            length = draw(st.integers(0, view.shape[axis] - start))
            view = view.narrow(axis, start, length)
            index = [slice(None)] * view.ndim
            index[axis] = slice(None, None, draw(st.integers(1, 3)))
            view = view[tuple(index)]
        elif kind == "turn" and axis is not None:
            view = view.transpose(axis, draw(st.integers(0, view.ndim - 1)))
        elif kind == "pick" and axis is not None and view.shape[axis]:
            view = view.select(axis, draw(st.integers(0, view.shape[axis] - 1)))
        elif kind == "put" and view.ndim < 5:
            view = view.unsqueeze(draw(st.integers(0, view.ndim)))
        elif kind == "repeat" and axis is not None and view.shape[axis] == 1:
            view = view.expand(*(3 if place == axis else -1 for place in range(view.ndim)))
    return view


@st.composite
def states(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    """Tensors under names, several of one storage."""
    state: dict[str, torch.Tensor] = {}
    for _ in range(draw(st.integers(0, 3))):
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        count = int(np.prod(shape, dtype=int))
        dtype = draw(st.sampled_from(DTYPES))
        start = draw(st.integers(-100, 100))
        base = torch.arange(start, start + count).reshape(shape).to(dtype)
        for name in draw(st.lists(st.text(max_size=6), min_size=1, max_size=3)):
            state[name] = draw(views(base))
    return state


@settings(max_examples=100, deadline=None)
@given(states(), st.sampled_from([ZIP, LEGACY]))
def test_every_state_dict_reads_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, state: dict[str, torch.Tensor], form: dict[str, bool]
) -> None:
    check(tmp_path_factory.mktemp("state"), state, form)


@BOTH
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_module_s_state_dict_reads(tmp_path: Path, form: dict[str, bool], protocol: int) -> None:
    module = torch.nn.Sequential(torch.nn.Embedding(7, 4), torch.nn.LSTM(4, 3), torch.nn.BatchNorm1d(3))
    check(tmp_path, module.state_dict(), form)  # an OrderedDict with _metadata
    torch.save(module.state_dict(), tmp_path / "pytorch_model.bin", pickle_protocol=protocol, **form)
    assert len(open_weights(tmp_path)) == len(module.state_dict())


@BOTH
def test_parameters_and_tied_weights_read(tmp_path: Path, form: dict[str, bool]) -> None:
    shared = torch.nn.Parameter(torch.randn(4, 3))
    state = {"shared": shared, "head": shared, "turned": shared.T, "row": shared[2], "no": torch.ones(1)}
    check(tmp_path, state, form)
    weights = open_weights(tmp_path)
    assert weights.stored("shared") == weights.stored("head") != weights.stored("turned")


@BOTH
def test_numbers_that_are_not_finite_keep_their_bits(tmp_path: Path, form: dict[str, bool]) -> None:
    check(tmp_path, {"a": torch.tensor([float("nan"), float("inf"), -0.0])}, form)


def test_a_big_endian_archive_reads(tmp_path: Path) -> None:
    data = np.arange(4, dtype=">f4").tobytes()
    archive(tmp_path, program(a=tensor()), {"0": data}, order=b"big")
    assert open_weights(tmp_path).read("a").tolist() == [[0, 1], [2, 3]]
    archive(tmp_path, program(a=tensor()), {"0": data}, order=b"middle")
    with pytest.raises(CheckpointError, match="cut or corrupt"):
        open_weights(tmp_path)


def test_only_what_is_read_is_held(tmp_path: Path) -> None:
    state = {str(rank): torch.ones(2**20) for rank in range(8)}
    torch.save(state, tmp_path / "pytorch_model.bin")
    tracemalloc.start()
    try:
        weights = open_weights(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
        assert weights.read("3").sum() == 2**20
        assert tracemalloc.get_traced_memory()[1] < 5.5 * 2**20
    finally:
        tracemalloc.stop()


@BOTH
def test_reading_needs_no_pytorch(
    tmp_path: Path, form: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model.bin", **form)
    monkeypatch.setitem(sys.modules, "torch", None)  # an import of it now fails
    assert open_weights(tmp_path).read("a").tolist() == [1, 1]


def test_the_reader_imports_neither_pytorch_nor_an_unpickler() -> None:
    for module in (sixarts.readers.pickled, sixarts.readers.stored):
        tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {name.split(".")[0] for name in names} & {"torch", "pickle", "importlib", "marshal"}


# Files made by hand ------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def plain(value: Any) -> bytes:
    """The operations that put plain data on the stack."""
    return pickle.dumps(value, 2)[2:-1]


def storage(kind: bytes = b"ctorch\nFloatStorage\n", key: str = "0", count: Any = 4) -> bytes:
    return b"(" + text("storage") + kind + text(key) + text("cpu") + plain(count) + b"tQ"


def tensor(
    offset: Any = 0, size: Any = (2, 2), stride: Any = (2, 1), within: bytes | None = None, flags: Any = None
) -> bytes:
    head = b"ctorch._utils\n_rebuild_tensor_v2\n(" + (storage() if within is None else within)
    view = plain(offset) + plain(size) + plain(stride)
    return head + view + b"\x89ccollections\nOrderedDict\n)R" + plain(flags) + b"tR"


def program(**values: bytes) -> bytes:
    return b"\x80\x02}(" + b"".join(text(name) + value for name, value in values.items()) + b"u."


def archive(
    folder: Path,
    code: bytes,
    storages: dict[str, bytes] | None = None,
    order: bytes = b"little",
    method: int = zipfile.ZIP_STORED,
    more: tuple[str, ...] = (),
) -> Path:
    """A zip archive as PyTorch writes it, of this pickle and these storages."""
    path = folder / "pytorch_model.bin"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("archive/data.pkl", code)
        file.writestr("archive/byteorder", order)
        for key, data in (storages if storages is not None else {"0": bytes(16)}).items():
            file.writestr(f"archive/data/{key}", data)
        for name in more:
            file.writestr(name, code)
    return path


def legacy(folder: Path, code: bytes, tail: bytes | None = None) -> Path:
    """The older format, of this pickle; by default with the storage of ``tensor``."""
    path = folder / "pytorch_model.bin"
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    tail = pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(16) if tail is None else tail
    path.write_bytes(b"".join(head) + code + tail)
    return path


def alone(folder: Path, code: bytes) -> Path:
    """A bare pickle."""
    path = folder / "pytorch_model.bin"
    path.write_bytes(code if code.startswith(b"\x80") else b"\x80\x02" + code)
    return path


def test_files_made_by_hand_are_honest_until_they_are_changed(tmp_path: Path) -> None:
    for make in (archive, legacy):
        make(tmp_path, program(a=tensor()))
        assert open_weights(tmp_path).read("a").tolist() == [[0, 0], [0, 0]]


SYSTEM = b"cos\nsystem\n"
ORDERED = b"ccollections\nOrderedDict\n"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def named(module: str, name: str) -> bytes:
    """``STACK_GLOBAL``, as protocol 4 names things."""
    return text(module) + text(name) + b"\x93"


#: What an attacker writes, with COMMAND where a shell command goes, and what the error must name.
ATTACKS: dict[str, tuple[bytes, str]] = {
    "global and reduce": (SYSTEM + b"(COMMANDtR.", "'os.system'"),
    "posix": (b"cposix\nsystem\n(COMMANDtR.", "'posix.system'"),
    "stack global": (b"\x80\x04" + named("os", "system") + b"COMMAND\x85R.", "'os.system'"),
    "a name alone, never called": (SYSTEM + b".", "'os.system'"),
    "inst": (b"(COMMANDios\nsystem\n.", "INST on 'os.system'"),
    "obj": (b"(" + SYSTEM + b"COMMANDo.", "'os.system'"),
    "obj on an allowed name": (b"(" + ORDERED + b"o.", "OBJ"),
    "inst on an allowed name": (b"(icollections\nOrderedDict\n.", "INST on 'collections.OrderedDict'"),
    "newobj": (b"cbuiltins\nobject\n)\x81.", "'builtins.object'"),
    "newobj on an allowed name": (ORDERED + b")\x81.", "NEWOBJ"),
    "newobj_ex": (ORDERED + b")}\x92.", "NEWOBJ_EX"),
    "extension registry": (b"\x82\x01.", "EXT1"),
    "in a persistent id": (
        b"(" + text("storage") + SYSTEM + text("0") + text("cpu") + b"K\x04tQ.",
        "'os.system'",
    ),
    "in a tensor's arguments": (program(a=tensor(within=SYSTEM + b"COMMAND\x85R")), "'os.system'"),
    "as a value": (program(a=SYSTEM + b"COMMAND\x85R"), "'os.system'"),
    "as a key": (b"}" + SYSTEM + b"K\x01s.", "'os.system'"),
    "in a build's state": (ORDERED + b")R}" + text("x") + SYSTEM + b"COMMAND\x85Rsb.", "'os.system'"),
    "getattr chain": (
        b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n" + text("os") + b"tR.",
        "'builtins.getattr'",
    ),
    "eval": (b"c__builtin__\neval\n(COMMANDtR.", "'__builtin__.eval'"),
    "torch.load": (b"ctorch\nload\n(COMMANDtR.", "'torch.load'"),
    "torch.hub.load": (b"ctorch.hub\nload\n(COMMANDtR.", "'torch.hub.load'"),
    "load from bytes": (b"ctorch.storage\n_load_from_bytes\n.", "'torch.storage._load_from_bytes'"),
    "another rebuild": (b"ctorch._utils\n_rebuild_sparse_tensor\n.", "_rebuild_sparse_tensor"),
    "numpy": (b"cnumpy.core.multiarray\n_reconstruct\n.", "'numpy.core.multiarray._reconstruct'"),
    "an allowed name's attribute": (
        b"\x80\x04" + named("torch._utils", "_rebuild_tensor_v2.__globals__") + b".",
        "'torch._utils._rebuild_tensor_v2.__globals__'",
    ),
    "an allowed name's method": (ORDERED[:-1] + b".fromkeys\n.", "'collections.OrderedDict.fromkeys'"),
    "a name that is no string": (b"\x80\x04]" + text("system") + b"\x93.", "uses a list as a str"),
    "build on a function": (REBUILD + b"}" + text("__code__") + b"Nsb.", "uses a _Global as a dict"),
    "build on a class": (ORDERED + b"}" + text("__call__") + b"Nsb.", "uses a _Global as a dict"),
    "build on a tensor": (
        tensor() + b"}" + text("offset") + plain(2**40) + b"sb.",
        "uses a _Tensor as a dict",
    ),
    "build with slots": (ORDERED + b")RN}" + text("__class__") + b"Ns\x86b.", "uses a tuple as a dict"),
    "ordered dict of arguments": (ORDERED + b"](K\x01K\x02\x86e\x85R.", "collections.OrderedDict on other"),
    "ordered dict of no tuple": (ORDERED + b"]R.", "calls 'collections.OrderedDict'"),
    "too few arguments": (REBUILD + b")R.", "_rebuild_tensor_v2 on other"),
    "a storage that is none": (REBUILD + b"(NK\x00))\x89NtR.", "uses a NoneType as a _Storage"),
    "a size that is none": (tensor(size=[2, 2]) + b".", "uses a list as a tuple"),
    "a parameter of no tensor": (
        b"ctorch._utils\n_rebuild_parameter\n(N\x88NtR.",
        "uses a NoneType as a _Tensor",
    ),
    "a call of a storage class": (b"ctorch\nFloatStorage\nK\x01\x85R.", "calls 'torch.FloatStorage'"),
    "a call of a string": (text("eval") + text("1") + b"\x85R.", "calls 'str'"),
    "a text persistent id": (b"Pevil\n.", "PERSID on 'evil'"),
    "a persistent id of no tuple": (text("evil") + b"Q.", "no storage of tensors"),
    "a persistent module": (b"(" + text("module") + ORDERED + text("f") + text("s") + b"tQ.", "no storage"),
    "a view of a storage": (storage()[:-2] + b"(K\x00ttQ.", "no storage"),
    "a storage of negative size": (storage(count=-4) + b".", "no storage"),
    "a key of a dict that is a tuple": (b"})K\x01s.", "uses a tuple as a str"),
    "an out-of-band buffer": (b"\x97.", "NEXT_BUFFER"),
}


@pytest.mark.parametrize("make", [archive, legacy, alone])
@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_named_and_nothing_of_it_runs(tmp_path: Path, attack: str, make: Any) -> None:
    canary = tmp_path / "canary"
    code, said = ATTACKS[attack]
    make(tmp_path, code.replace(b"COMMAND", text(f"touch {canary}")))
    with pytest.raises(UnsafePickle) as caught:
        open_weights(tmp_path)
    assert said in str(caught.value) and "pytorch_model.bin" in str(caught.value)
    assert not canary.exists()


def test_the_attacks_are_real(tmp_path: Path) -> None:
    """Python's own machine runs them; the first, here, on a harmless command."""
    canary = tmp_path / "canary"
    code = ATTACKS["global and reduce"][0]
    pickle.loads(code.replace(b"COMMAND", text(f"touch {canary}")))
    assert canary.exists()


def test_a_state_dict_s_attributes_are_left_out(tmp_path: Path) -> None:
    state = ORDERED + b")R(" + text("a") + tensor() + b"u}" + text("__class__") + text("evil") + b"sb."
    archive(tmp_path, state)
    assert list(open_weights(tmp_path)) == ["a"]


#: Tensors that lie about their storage, and sizes that no memory holds.
LIES: dict[str, bytes] = {
    "size": tensor(size=(3, 2)),
    "stride": tensor(stride=(2**40, 1)),
    "huge stride": tensor(stride=(2**62, 2**62)),
    "stride beyond 64 bits": tensor(stride=(2**70, 1)),
    "offset": tensor(offset=1),
    "huge offset": tensor(offset=2**62),
    "negative offset": tensor(offset=-1),
    "negative stride": tensor(offset=3, stride=(-2, -1)),
    "negative size": tensor(size=(-2, -2)),
    "size that is a truth": tensor(size=(True, 2)),
    "size that is a fraction": tensor(size=(2.0, 2)),
    "size that is a text": tensor(size=("2", 2)),
    "more sizes than strides": tensor(size=(2, 2, 1)),
    "more strides than sizes": tensor(stride=(2, 1, 1)),
    "too many axes": tensor(size=(1,) * 50, stride=(1,) * 50),
    "axes without end": tensor(size=(2**62,) * 20_000, stride=(0,) * 20_000),
    "repeated beyond memory": tensor(size=(2**50,), stride=(0,)),
    "empty beyond what NumPy can": tensor(size=(0, 2**62), stride=(1, 1)),
    "negated view": tensor(flags={"neg": True}),
    "storage larger than its data": tensor(within=storage(count=5)),
    "storage smaller than its data": tensor(within=storage(count=3), size=(1, 1)),
    "storage that is not there": tensor(within=storage(key="1")),
    "storage up the tree": tensor(within=storage(key="../data/0")),
    "storage at the root": tensor(within=storage(key="/etc/passwd")),
    "storage of two sizes": tensor(within=storage(count=3), size=(1, 1)),
}


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize("lie", LIES)
def test_a_tensor_lies_inside_its_storage(tmp_path: Path, lie: str, make: Any) -> None:
    make(tmp_path, program(a=tensor(), b=LIES[lie]))
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        open_weights(tmp_path)


@pytest.mark.parametrize(
    "value", [b"K\x01", b"N", text("one"), b"]", b"}", b"ctorch\nFloatStorage\n", storage()]
)
def test_a_value_that_is_no_tensor_is_named(tmp_path: Path, value: bytes) -> None:
    archive(tmp_path, program(a=tensor(), epoch=value))
    with pytest.raises(CheckpointError, match="'epoch', a "):
        open_weights(tmp_path)


def test_a_name_is_a_text_and_the_whole_is_a_dict(tmp_path: Path) -> None:
    archive(tmp_path, b"\x80\x02}K\x01" + tensor() + b"s.")
    with pytest.raises(CheckpointError, match="'1', a _Tensor"):
        open_weights(tmp_path)
    archive(tmp_path, b"\x80\x02](" + tensor() + b"e.")
    with pytest.raises(CheckpointError, match="a list where a dict"):
        open_weights(tmp_path)


# Bombs -------------------------------------------------------------------------------------------------


def bombs() -> dict[str, bytes]:
    nested = b")" + b"q\x00h\x00\x86" * 300  # each holds the one before twice
    return {
        "memo far away": b"\x80\x02Nr\xff\xff\xff\xff.",
        "string of four gigabytes": b"\x80\x02X\xff\xff\xff\xffshort.",
        "string of an exabyte": b"\x80\x04\x8d" + b"\xff" * 7 + b"\x0fshort.",
        "integer of two gigabytes": b"\x80\x02\x8b\xff\xff\xff\x7fshort.",
        "tuples in tuples, as a module's name": b"\x80\x04" + nested + text("x") + b"\x93.",
        "tuples in tuples, as a key": b"\x80\x02}" + nested + b"Ns.",
        "tuples in tuples, as a view": storage()[:-2] + nested + b"tQ.",
        "a million tuples deep": b"\x80\x02)" + b"\x85" * 1_000_000 + b".",
        "a list in itself": b"\x80\x02]q\x00h\x00a.",
        "operations without end": b"\x80\x02" + b"N" * 2_100_000 + b".",
        "nothing on the stack": b"\x80\x02R.",
        "no mark": b"\x80\x02t.",
        "no end": b"\x80\x02N",
        "nothing": b"\x80\x02.",
        "a memo never set": b"\x80\x02h\x07.",
    }


@pytest.mark.parametrize("make", [archive, legacy])
@pytest.mark.parametrize("bomb", bombs())
def test_a_bomb_costs_neither_time_nor_memory(tmp_path: Path, bomb: str, make: Any) -> None:
    make(tmp_path, bombs()[bomb])
    with pytest.raises(CheckpointError) as caught:
        open_weights(tmp_path)
    assert len(str(caught.value)) < 1000


def test_a_memo_far_away_takes_no_memory(tmp_path: Path) -> None:
    archive(tmp_path, bombs()["memo far away"])
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            open_weights(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_pickle_is_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sixarts.readers.pickled, "PICKLE_CAP", 100)
    archive(tmp_path, program(a=tensor()))
    with pytest.raises(CheckpointError, match=r"'archive/data\.pkl' of .* bytes, more than 100"):
        open_weights(tmp_path)
    legacy(tmp_path, program(a=tensor()))
    with pytest.raises(CheckpointError, match="cut or corrupt"):
        open_weights(tmp_path)


# Archives ------------------------------------------------------------------------------------------------


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    bomb = tensor(size=(2**22,), stride=(1,), within=storage(count=2**22))
    path = archive(tmp_path, program(a=bomb), {"0": bytes(2**24)}, method=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 2**16
    with pytest.raises(CheckpointError, match="compressed or encrypted"):
        open_weights(tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("more", "said"),
    [("archive/data.pkl", "two entries of one name"), ("other/data.pkl", "2 entries data.pkl")],
)
def test_an_archive_holds_one_of_each(tmp_path: Path, more: str, said: str) -> None:
    archive(tmp_path, program(a=tensor()), more=(more,))
    with pytest.raises(CheckpointError, match=said):
        open_weights(tmp_path)


def test_entries_of_hostile_names_touch_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    archive(folder, program(a=tensor()), more=("../evil", "/evil", "archive/../../evil", "C:\\evil"))
    assert open_weights(folder).read("a").shape == (2, 2)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "pytorch_model.bin"]


@pytest.mark.parametrize(
    ("start", "said"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "pointer that Git LFS left"),
        (b"<html>", "starts with b'<htm'"),
        (b"", "starts with b''"),
        (b"PK\x03\x04", "cut or corrupt"),
        (pickle.dumps([1, 2], 2), "PyTorch did not write"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path: Path, start: bytes, said: str) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(start)
    with pytest.raises(CheckpointError, match=said):
        open_weights(tmp_path)


@pytest.mark.parametrize(
    "tail",
    [
        b"",
        pickle.dumps(["0"], 2),
        pickle.dumps(["1"], 2) + struct.pack("<q", 4) + bytes(16),
        pickle.dumps([], 2) + struct.pack("<q", 4) + bytes(16),
        pickle.dumps("0", 2) + struct.pack("<q", 4) + bytes(16),
        pickle.dumps([["0"]], 2) + struct.pack("<q", 4) + bytes(16),
        pickle.dumps(["0"], 2) + struct.pack("<q", 5) + bytes(20),
        pickle.dumps(["0"], 2) + struct.pack("<q", 4) + bytes(15),
    ],
)
def test_storages_of_the_older_format_are_all_there(tmp_path: Path, tail: bytes) -> None:
    legacy(tmp_path, program(a=tensor()), tail)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
        open_weights(tmp_path)


@BOTH
def test_a_file_cut_anywhere_is_refused_by_name(tmp_path: Path, form: dict[str, bool]) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save({"a": torch.ones(2, 3), "b": torch.arange(3)}, path, **form)
    whole = path.read_bytes()
    for end in range(0, len(whole), 3):
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"pytorch_model\.bin"):
            open_weights(tmp_path)


def attempt(folder: Path) -> None:
    """Read everything, or be refused with an error of ours; nothing else may come."""
    try:
        weights = open_weights(folder)
        for name in weights:
            assert weights.read(name).shape == weights.shape(name)
    except CheckpointError:
        pass


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([archive, legacy]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1),
)
def test_flipped_bytes_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, make: Any, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("flip")
    path = make(folder, program(a=tensor(), b=tensor(size=(2,), stride=(2,))))
    body = bytearray(path.read_bytes())
    for at, byte in flips[:4]:
        body[at % len(body)] = byte
    path.write_bytes(body)
    attempt(folder)


PIECES = [
    *(bytes([code]) for code in b"()}]NKMQRab0tuse\x81\x85\x86\x87\x88\x89\x93\x94"),
    *(b"q\x00", b"h\x00", b"K\x01", b"\x8a\x01\x05", text("a"), text("storage"), text("torch")),
    *(ORDERED, REBUILD, SYSTEM, storage(), tensor(), b"ctorch._utils\n_rebuild_parameter\n"),
]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_program_is_read_or_refused_and_nothing_else(pieces: list[bytes]) -> None:
    machine = sixarts.readers.pickled.TensorUnpickler(io.BytesIO(b"\x80\x02" + b"".join(pieces) + b"."))
    try:
        machine.load()
    except (UnsafePickle, *sixarts.readers.pickled.MALFORMED):
        pass
