"""Keras's weights files: what Keras writes is read, everything else refused, and nothing runs away."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import ml_dtypes
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hostile import mutated, within
from sixarts.errors import CheckpointError
from sixarts_kerashub.weights_file import read_h5

pytestmark = pytest.mark.quick


def written(path: Path, fill: Callable[[Any], Any], **how: Any) -> Path:
    with h5py.File(path, "w", **how) as file:
        fill(file)
    return path


def plain(file: Any) -> None:
    """Groups and tensors as Keras's writer makes them."""
    for number in range(40):
        group = file.create_group(f"layers/dense_{number}/vars")
        group.attrs["name"] = f"dense_{number}"
        group["0"] = np.arange(number * 3, dtype="float32").reshape(number, 3)
    group = file.create_group("vars")
    for number, dtype in enumerate(("float16", "float64", "int32", "uint8", "int64", ">f4")):
        group[str(number)] = np.arange(4).astype(dtype)
    group["6"] = np.float32(2.5)
    group["7"] = np.zeros((0, 3), "float32")
    group.create_dataset("8", data=np.arange(3).astype(ml_dtypes.bfloat16)).attrs["dtype"] = "bfloat16"


def test_every_tensor_is_read_as_the_library_reads_it(tmp_path: Path) -> None:
    path = written(tmp_path / "a.weights.h5", plain)
    found = read_h5(path)
    with h5py.File(path) as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        assert set(found) == set(names) and len(names) == 49
        for name in names:
            value, wanted = found[name].read(), file[name][()]
            if name == "vars/8":
                assert value.dtype == ml_dtypes.bfloat16 and value.tolist() == [0, 1, 2]
            else:
                assert value.shape == wanted.shape and np.array_equal(value, wanted)


def packed(file: Any) -> None:
    file.create_dataset("a", data=np.zeros((64, 64), "float32"), compression="gzip")


def pieces(file: Any) -> None:
    file.create_dataset("a", data=np.zeros((64, 64), "float32"), chunks=(8, 8))


def elsewhere(file: Any) -> None:
    file["a"] = h5py.ExternalLink("/etc/passwd", "/")


def link(file: Any) -> None:
    file["a"] = h5py.SoftLink("/b")


def outside(file: Any) -> None:
    file.create_dataset("a", (4,), "float32", external=[("other.bin", 0, 16)])


def twice(file: Any) -> None:
    file["a"] = np.zeros(3, "float32")
    file["b"] = file["a"]


def ring(file: Any) -> None:
    file.create_group("a")["b"] = file["/"]


def words(file: Any) -> None:
    file["a"] = "text"


def never(file: Any) -> None:
    file.create_dataset("a", (10**12,), "float32")


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (packed, "packed tensors|in pieces"),
        (pieces, "in pieces"),
        (elsewhere, "link by name|the later kind"),
        (link, "link by name"),
        (outside, "other files"),
        (twice, "two places"),
        (ring, "two places"),
        (words, "stores 'a' as kind"),
        (never, "bytes for 'a'"),
    ],
)
def test_what_keras_does_not_write_is_refused(fill: Callable[[Any], Any], told: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.weights.h5", fill)
    with within(), pytest.raises(CheckpointError, match=told):
        read_h5(path)


def test_the_later_form_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "a.weights.h5", plain, libver="latest")
    with pytest.raises(CheckpointError, match="save its weights again"):
        read_h5(path)


def test_groups_within_groups_end(tmp_path: Path) -> None:
    path = written(tmp_path / "a.weights.h5", lambda file: file.create_group("/".join("a" * 80)))
    with pytest.raises(CheckpointError, match="deep"):
        read_h5(path)


@functools.cache
def sound() -> bytes:
    with tempfile.TemporaryDirectory() as place:
        return written(Path(place) / "a", plain).read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
@example(data=None)
def test_damaged_files_give_tensors_or_an_error_of_ours(data: Any) -> None:
    content = sound() if data is None else data.draw(mutated(sound()))
    with tempfile.TemporaryDirectory() as place, within():
        path = Path(place) / "a.weights.h5"
        path.write_bytes(content)
        try:
            found = read_h5(path)
            assert sum(stored.read().nbytes for stored in found.values()) <= len(content)
        except CheckpointError as error:
            assert "a.weights.h5" in str(error) and len(str(error)) < 5000 and str(error).isprintable()


@pytest.mark.parametrize("end", [0, 1, 8, 40, 95, 96, 500, 5000])
def test_a_cut_file_is_named(end: int, tmp_path: Path) -> None:
    path = tmp_path / "a.weights.h5"
    path.write_bytes(sound()[:end])
    with pytest.raises(CheckpointError, match="cut or corrupt"):
        read_h5(path)
