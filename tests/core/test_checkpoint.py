"""Weights files in safetensors, whole and in shards, and their strict assignment."""

from __future__ import annotations

import json
import os
import struct
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sixarts.checkpoint import Target, assign, open_weights, write_weights
from sixarts.errors import CheckpointError, UnsafePickle
from sixarts.readers.safetensors_file import CODES

pytestmark = pytest.mark.quick

DTYPES = sorted(name for name in CODES if not name.startswith(("bfloat", "float8")))


class Box:
    """A variable: a shape, a dtype, and the value that it was assigned."""

    def __init__(self, *shape: int, dtype: str = "float32") -> None:
        self.shape = shape
        self.dtype = dtype
        self.value: np.ndarray | None = None

    def assign(self, value: np.ndarray) -> None:
        assert value.shape == self.shape and value.dtype.name == self.dtype
        self.value = value


def saved(folder: Path, **tensors: np.ndarray) -> Path:
    write_weights(folder / "model.safetensors", tensors)
    return folder


def raw(folder: Path, header: Any, data: bytes = b"") -> Path:
    """A safetensors file of this header (an object, or bytes as they are)."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    return folder


def entry(dtype: Any = "F32", shape: Any = (1,), at: Any = (0, 4)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(at)}


# Writing and reading ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=8).filter(lambda name: name != "__metadata__" and name.isprintable()),
        st.sampled_from(DTYPES).flatmap(
            lambda dtype: arrays.arrays(
                dtype,
                arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
                elements={"allow_nan": False, "allow_infinity": False} if "float" in dtype else None,
            )
        ),
        max_size=5,
    ),
    st.booleans(),
)
def test_what_is_written_is_read_here_and_by_the_library(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray], turned: bool
) -> None:
    folder = tmp_path_factory.mktemp("weights")
    tensors = {name: value.T if turned else value for name, value in tensors.items()}
    saved(folder) if not tensors else write_weights(folder / "model.safetensors", tensors)
    weights = open_weights(folder)
    theirs = safetensors.numpy.load_file(folder / "model.safetensors")
    assert set(weights) == set(theirs) == set(tensors) == set(weights.keys())
    assert len(weights) == len(tensors)
    for name, value in tensors.items():
        assert weights.shape(name) == value.shape and weights.dtype(name) == value.dtype.name
        for read in (weights.read(name), theirs[name]):
            assert read.dtype == value.dtype
            np.testing.assert_array_equal(read, value)


def test_what_the_library_writes_is_read(tmp_path: Path) -> None:
    tensors = {
        "half": torch.randn(3, 2, dtype=torch.float16),
        "brain": torch.randn(5, dtype=torch.bfloat16),
        "eighth": torch.randn(4).to(torch.float8_e4m3fn),
        "scalar": torch.tensor(7),
        "none": torch.zeros(0, 3),
    }
    safetensors.torch.save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    weights = open_weights(tmp_path)
    assert weights.read("brain").dtype == ml_dtypes.bfloat16
    for name, tensor in tensors.items():
        assert weights.read(name).shape == tuple(tensor.shape)
        np.testing.assert_array_equal(weights.read(name).astype("float64"), tensor.to(torch.float64).numpy())


def test_bfloat16_is_written_as_the_library_reads_it(tmp_path: Path) -> None:
    value = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    saved(tmp_path, brain=value)
    theirs = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert theirs["brain"].dtype == torch.bfloat16 and theirs["brain"].tolist() == [[1.5, -2.0]]
    with safetensors.safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_a_dtype_casts_floats_and_nothing_else(tmp_path: Path) -> None:
    tensors = {"a": np.ones(2, "float32"), "b": np.ones(2, ">f8"), "c": np.arange(2), "d": np.array(True)}
    write_weights(tmp_path / "model.safetensors", tensors, "float16")
    weights = open_weights(tmp_path)
    assert {name: weights.dtype(name) for name in sorted(weights)} == {
        "a": "float16",
        "b": "float16",
        "c": "int64",
        "d": "bool",
    }
    with pytest.raises(CheckpointError, match=r"float99.*expected one of"):
        write_weights(tmp_path / "model.safetensors", tensors, "float99")
    with pytest.raises(CheckpointError, match="int8"):
        write_weights(tmp_path / "model.safetensors", tensors, "int8")
    with pytest.raises(CheckpointError, match="'z' is complex128"):
        saved(tmp_path, z=np.ones(1, complex))


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b": np.ones(3, "float16"), "a": np.ones((2, 2)), "c": np.zeros(1, bool)}
    saved(tmp_path, **tensors)
    first = (tmp_path / "model.safetensors").read_bytes()
    saved(tmp_path, **dict(reversed(tensors.items())))
    assert (tmp_path / "model.safetensors").read_bytes() == first


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    saved(tmp_path, a=np.ones(3, "float32"))
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="'z' has 1 of 2 numbers that are NaN"):
        saved(tmp_path, a=np.zeros(3, "float32"), z=np.array([1, np.nan], "float32"))
    with pytest.raises(CheckpointError, match="infinite in float16"):
        write_weights(tmp_path / "model.safetensors", {"a": np.array([1e6], "float32")}, "float16")
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert os.listdir(tmp_path) == ["model.safetensors"]


# Files that are not whole, or not honest -------------------------------------------------------------


def test_a_file_cut_anywhere_is_refused_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, a=np.ones((2, 3), "float32"), b=np.arange(3)) / "model.safetensors"
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(CheckpointError, match=r"model\.safetensors has .* cut or corrupt"):
            open_weights(tmp_path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="its header tells of"):
        open_weights(tmp_path)


@pytest.mark.parametrize(
    ("header", "data", "said"),
    [
        (b"{", b"", "not JSON"),
        (b"[]", b"", "expected an object"),
        (b"[" * 200_000, b"", "not JSON"),
        (b'{"a": 1, "a": 1}', b"", "the name 'a' twice"),
        ({"a": 1}, b"", "'a'"),
        ({"a": entry(dtype=1)}, bytes(4), "'a'"),
        ({"a": entry(dtype="F33")}, bytes(4), "'F33'; expected one of BOOL"),
        ({"a": entry(shape=(-1,))}, bytes(4), "'a'"),
        ({"a": entry(shape=(True,))}, bytes(4), "'a'"),
        ({"a": entry(shape=(1.0,))}, bytes(4), "'a'"),
        ({"a": entry(shape=[1] * 40)}, bytes(4), "'a'"),
        ({"a": entry(shape=[10**50] * 32)}, bytes(4), "shape"),
        ({"a": entry(shape=[0, 2**62], at=(0, 0))}, b"", "shape"),
        ({"a": entry(shape=(2,))}, bytes(4), "4 bytes for 'a' of shape"),
        ({"a": entry(at=(4, 8))}, bytes(8), "gaps"),
        ({"a": entry(at=(-4, 0))}, bytes(8), "offsets"),
        ({"a": entry(), "b": entry()}, bytes(8), "overlap"),
        ({"a": entry()}, bytes(3), "its header tells of"),
    ],
)
def test_a_header_that_lies_is_refused(tmp_path: Path, header: Any, data: bytes, said: str) -> None:
    raw(tmp_path, header, data)
    with pytest.raises(CheckpointError, match=said) as caught:
        open_weights(tmp_path)
    assert "model.safetensors" in str(caught.value) and len(str(caught.value)) < 20_000


def test_a_header_longer_than_the_file_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", 2**40) + b"{}")
    with pytest.raises(CheckpointError, match="too few"):
        open_weights(tmp_path)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_are_read_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[int, int]]
) -> None:
    folder = saved(tmp_path_factory.mktemp("flip"), a=np.ones((2, 3), "float32"), b=np.arange(3))
    body = bytearray((folder / "model.safetensors").read_bytes())
    for at, byte in flips:
        body[at % len(body)] = byte
    (folder / "model.safetensors").write_bytes(body)
    try:
        weights = open_weights(folder)
        for name in weights:
            assert weights.read(name).shape == weights.shape(name)
    except CheckpointError:
        pass


def test_a_file_that_changes_after_its_header_was_read_is_refused(tmp_path: Path) -> None:
    weights = open_weights(saved(tmp_path, a=np.ones(3, "float32")))
    saved(tmp_path, a=np.ones((3, 5), "float32"))
    with pytest.raises(CheckpointError, match="changed while it was read"):
        weights.read("a")


# Which file --------------------------------------------------------------------------------------


def test_a_folder_without_weights_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "tf_model.h5").touch()
    with pytest.raises(CheckpointError, match=r"'tf_model\.h5'; expected one of model\.safetensors, "):
        open_weights(tmp_path)
    with pytest.raises(CheckpointError, match="no files"):
        open_weights(tmp_path / "nowhere")


def test_safetensors_is_taken_and_the_pickle_beside_it_not_opened(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\n.")
    with pytest.raises(UnsafePickle):
        open_weights(tmp_path)
    assert list(open_weights(saved(tmp_path, a=np.ones(1)))) == ["a"]


def test_an_unknown_weight_gets_the_nearest(tmp_path: Path) -> None:
    weights = open_weights(saved(tmp_path, **{"encoder.weight": np.ones(1)}))
    with pytest.raises(
        CheckpointError, match=r"'encoder\.wieght' \(nearest in the file: 'encoder\.weight'\)"
    ):
        weights.read("encoder.wieght")


def index(folder: Path, places: Any, whole: str = "model.safetensors") -> Path:
    (folder / f"{whole}.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


def test_shards_are_one_file(tmp_path: Path) -> None:
    write_weights(tmp_path / "model-1.safetensors", {"a": np.ones(2), "b": np.zeros(1)})
    write_weights(tmp_path / "model-2.safetensors", {"c": np.arange(3)})
    index(tmp_path, {"a": "model-1.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"})
    weights = open_weights(tmp_path)
    assert sorted(weights) == ["a", "b", "c"]
    assert weights.read("c").tolist() == [0, 1, 2]


def test_shards_of_pickles_are_one_file(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "pytorch_model-1.bin")
    torch.save({"b": torch.zeros(1)}, tmp_path / "pytorch_model-2.bin")
    index(tmp_path, {"a": "pytorch_model-1.bin", "b": "pytorch_model-2.bin"}, "pytorch_model.bin")
    assert open_weights(tmp_path).read("a").tolist() == [1, 1]


@pytest.mark.parametrize(
    "shard",
    [
        "../secret.safetensors",
        "/etc/secret.safetensors",
        "sub/model.safetensors",
        "sub\\model.safetensors",
        "C:model.safetensors",
        "..safetensors",
        "model.bin",
        "model.safetensors.index.json",
        "a\0.safetensors",
        "a.safetensors\n",
        "",
        7,
        None,
        ["model.safetensors"],
    ],
)
def test_a_shard_is_a_plain_name_of_the_same_kind(tmp_path: Path, shard: Any) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    write_weights(tmp_path / "secret.safetensors", {"a": np.ones(1)})
    with pytest.raises(CheckpointError, match="expected a plain name"):
        open_weights(index(folder, {"a": shard}))


def test_an_index_and_its_shards_agree_or_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"'x\.safetensors', not there"):
        open_weights(index(tmp_path, {"a": "x.safetensors"}))
    write_weights(tmp_path / "x.safetensors", {"a": np.ones(1), "b": np.ones(1)})
    with pytest.raises(CheckpointError, match=r"'b' in 'x\.safetensors' that it does not list"):
        open_weights(index(tmp_path, {"a": "x.safetensors"}))
    with pytest.raises(CheckpointError, match="names that its shards lack: 'c'"):
        open_weights(index(tmp_path, dict.fromkeys("abc", "x.safetensors")))
    for places in ({}, [], None):
        with pytest.raises(CheckpointError, match="no weight_map"):
            open_weights(index(tmp_path, places))


# Assignment --------------------------------------------------------------------------------------


def test_every_variable_gets_its_weight_in_its_own_dtype(tmp_path: Path) -> None:
    kernel = np.arange(6, dtype="float16").reshape(2, 3)
    weights = open_weights(saved(tmp_path, kernel=kernel, bias=np.ones(2, "float32"), steps=np.array(5)))
    boxes = {"kernel": Box(3, 2), "bias": Box(2, dtype="bfloat16"), "steps": Box(dtype="int32")}
    targets = {name: Target(box, np.transpose if name == "kernel" else None) for name, box in boxes.items()}
    assert assign(targets, weights) == "float16"
    np.testing.assert_array_equal(boxes["kernel"].value, kernel.T)
    assert boxes["bias"].value is not None and boxes["bias"].value.tolist() == [1, 1]
    assert boxes["steps"].value == 5


def test_a_variable_needs_no_dtype(tmp_path: Path) -> None:
    class Bare:
        shape = (2,)
        value: Any = None

        def assign(self, value: Any) -> None:
            self.value = value

    bare = Bare()
    assert assign({"a": Target(bare)}, open_weights(saved(tmp_path, a=np.ones(2)))) == "float64"
    assert bare.value.dtype == "float64"


def refused(weights: Any, targets: Mapping[Any, Target], **options: Any) -> str:
    """The message of a refusal that changed no variable."""
    with pytest.raises(CheckpointError) as caught:
        assign(targets, weights, **options)
    boxes = [target.variable for target in targets.values()]
    assert all(isinstance(box, Box) and box.value is None for box in boxes)
    return str(caught.value)


def test_one_error_names_everything_that_does_not_fit(tmp_path: Path) -> None:
    weights = open_weights(
        saved(
            tmp_path,
            **{
                "fits": np.ones(1),
                "encoder.layer.0.bias": np.ones(2),
                "pooler.weight": np.ones(2),
                "kernel": np.ones((2, 3)),
                "turned": np.ones((2, 3)),
                "flat": np.ones(4),
                "mask": np.ones(4),
            },
        )
    )
    said = refused(
        weights,
        {
            "fits": Target(Box(1)),
            "encoder.layers.0.bias": Target(Box(2)),
            "kernel": Target(Box(3, 2)),
            "turned": Target(Box(2, 3), np.transpose),
            "flat": Target(Box(2, 2), lambda value: value.transpose(1, 0)),
            "mask": Target(Box(4, dtype="int32")),
        },
    )
    assert "model.safetensors does not fit the network" in said
    assert "missing (1): 'encoder.layers.0.bias' (nearest in the file: 'encoder.layer.0.bias')" in said
    assert "extra (2): " in said and "'pooler.weight'" in said
    assert "'kernel' is (2, 3) in the file, (3, 2) in the network" in said
    assert "'turned' is (2, 3) in the file, (3, 2) as it is taken, (2, 3) in the network" in said
    assert "'flat' is (4,) in the file, (2, 2) in the network (" in said
    assert "'mask' is float64 in the file, int32 in the network" in said
    assert "'fits'" not in said


def test_a_long_list_of_names_is_cut(tmp_path: Path) -> None:
    weights = open_weights(saved(tmp_path, **{f"extra{count:02}": np.ones(1) for count in range(40)}))
    said = refused(weights, {f"missing{count:02}": Target(Box(1)) for count in range(30)})
    assert "missing (30): " in said and "'missing11'" in said and "'missing12'" not in said
    assert ", and 18 more" in said and "extra (40): " in said and ", and 28 more" in said


def test_patterns_let_names_be_left(tmp_path: Path) -> None:
    weights = open_weights(
        saved(tmp_path, **{"a": np.ones(1), "x.position_ids": np.ones(1), "y": np.ones(1)})
    )
    targets = {"a": Target(Box(1))}
    assert "extra (1): 'y'" in refused(weights, targets, ignore=["*.position_ids"])
    assert assign(targets, weights, ignore=["*.position_ids", "y"]) == "float64"


def test_tied_names_stand_for_one_weight(tmp_path: Path) -> None:
    value = np.arange(4, dtype="float32")
    names = ("shared", "embed", "head")
    for present in [("shared",), ("head",), ("embed", "head"), names]:
        box = Box(4)
        weights = open_weights(saved(tmp_path, **dict.fromkeys(present, value)))
        assign({names: Target(box)}, weights)
        np.testing.assert_array_equal(box.value, value)
    assert "missing (1): 'shared' or 'embed'" in refused(
        open_weights(saved(tmp_path)), {("shared", "embed"): Target(Box(4))}
    )


@pytest.mark.parametrize("other", [np.arange(4, dtype="float32") + 1, np.arange(4, dtype="float64")])
def test_tied_names_that_differ_are_refused(tmp_path: Path, other: np.ndarray) -> None:
    weights = open_weights(saved(tmp_path, embed=np.arange(4, dtype="float32"), head=other))
    said = refused(weights, {("embed", "head"): Target(Box(4))})
    assert "'head' differs from 'embed'" in said


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_name(tmp_path: Path, bad: float) -> None:
    safetensors.numpy.save_file({"a": np.array([1, bad], "float32")}, tmp_path / "model.safetensors")
    said = refused(open_weights(tmp_path), {"a": Target(Box(2))})
    assert "model.safetensors: 'a' has 1 of 2 numbers that are NaN or infinite in float32" in said


def test_numbers_too_large_for_the_network_are_refused(tmp_path: Path) -> None:
    weights = open_weights(saved(tmp_path, a=np.array([1e6], "float32")))
    assert "NaN or infinite in float16" in refused(weights, {"a": Target(Box(1, dtype="float16"))})


# Memory ------------------------------------------------------------------------------------------


def peak(call: Callable[[], object]) -> int:
    """Bytes that a call holds at most, beyond what was held before it."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_assignment_holds_one_tensor_beside_the_network(tmp_path: Path) -> None:
    tensors = {str(rank): np.ones(2**20, "float32") for rank in range(6)}
    weights = open_weights(saved(tmp_path, **tensors))
    targets = {name: Target(Box(2**20)) for name in tensors}
    assert peak(lambda: assign(targets, weights)) < 7.5 * 2**22


def test_writing_holds_one_tensor(tmp_path: Path) -> None:
    class Lazy(dict[str, None]):
        def __getitem__(self, name: str) -> Any:
            return np.ones(2**20, "float32")

        def items(self) -> Any:
            return ((name, self[name]) for name in self)

    lazy: Any = Lazy.fromkeys("abcdef")
    assert peak(lambda: write_weights(tmp_path / "model.safetensors", lazy, "float16")) < 2.5 * 2**22
    assert (tmp_path / "model.safetensors").stat().st_size > 6 * 2**21
