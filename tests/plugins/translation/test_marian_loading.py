"""Marian checkpoints as people publish them: every kind of weights file, and files that do not fit."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from reference import PAD, configuration, saved, source

from sixarts.errors import CheckpointError, UnsafePickle


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    """Where a checkpoint goes."""
    return lambda: tmp_path / "published"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """One network, for what does not change it."""
    place = tmp_path_factory.mktemp("marian") / "small"
    return place, saved(place, configuration(), seed=3)


def logits_of(model: Any) -> np.ndarray:
    arrays = source(2) | {"decoder_input_ids": np.tile(np.array([PAD, 5, 9], "int32"), (3, 1))}
    return np.asarray(model(arrays)["logits"])


def published_logits(model: Any) -> np.ndarray:
    arrays = source(2) | {"decoder_input_ids": np.tile(np.array([PAD, 5, 9], "int32"), (3, 1))}
    return np.asarray(reference.teacher_forced(model, arrays)["logits"])


def from_folder(place: Path, **device: Any) -> Any:
    from sixarts.device import Device
    from sixarts_translation.marian import Marian

    return Marian.from_folder(place, Device.of("cpu", **device))


def as_bin(place: Path, model: Any, **extra: Any) -> None:
    """The file that old repositories publish: every tensor, tied ones twice, the table of positions too."""
    import torch

    state = {name: value.clone() for name, value in model.state_dict().items()} | extra
    torch.save(state, place / "pytorch_model.bin")
    (place / "model.safetensors").unlink()


def test_from_a_bin_with_tables_of_positions(folder: Any) -> None:
    place = folder()
    model = saved(place, configuration(), seed=1)
    table = model.model.encoder.embed_positions.weight.detach().clone()
    as_bin(
        place,
        model,
        **{f"model.{side}.embed_positions.weight": table for side in ("encoder", "decoder")},
    )
    np.testing.assert_allclose(logits_of(from_folder(place)), published_logits(model), atol=1e-4, rtol=1e-4)


def test_a_half_precision_table_of_positions_survives_a_save(folder: Any, tmp_path: Path) -> None:
    place = folder()
    model = saved(place, configuration(), seed=1).half()
    tables = {
        f"model.{side}.embed_positions.weight": model.model.encoder.embed_positions.weight.detach().clone()
        for side in ("encoder", "decoder")
    }
    as_bin(place, model, **tables)
    ours = from_folder(place)
    ours.save(tmp_path / "again")
    assert np.array_equal(logits_of(from_folder(tmp_path / "again")), logits_of(ours))


def test_from_shards(folder: Any) -> None:
    place = folder()
    model = saved(place, configuration(), seed=2, max_shard_size="6KB")
    assert len(list(place.glob("model-*.safetensors"))) > 1
    assert not (place / "model.safetensors").exists()
    np.testing.assert_allclose(logits_of(from_folder(place)), published_logits(model), atol=1e-4, rtol=1e-4)


def weights(place: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return dict(load_file(place / "model.safetensors"))


def rewrite(place: Path, tensors: Mapping[str, np.ndarray]) -> None:
    from safetensors.numpy import save_file

    save_file(dict(tensors), place / "model.safetensors")


def test_without_the_bias_of_the_logits(folder: Any) -> None:
    """A buffer of zeros that some files leave out."""
    place = folder()
    model = saved(place, configuration(), seed=4)
    model.final_logits_bias.zero_()
    tensors = weights(place)
    del tensors["final_logits_bias"]
    rewrite(place, tensors)
    np.testing.assert_allclose(logits_of(from_folder(place)), published_logits(model), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_half_precision_file_is_kept_so(folder: Any, tmp_path: Path, dtype: str) -> None:
    import torch
    from transformers import MarianMTModel

    from sixarts.checkpoint import open_weights

    place = folder()
    model = saved(place, configuration(share_encoder_decoder_embeddings=False), seed=5)
    model.to(getattr(torch, dtype)).save_pretrained(place)
    ours = from_folder(place)
    assert ours.stored_dtype == dtype
    before = logits_of(ours)
    # The published class rounds its table of positions too, unless it is loaded in full precision.
    full = MarianMTModel.from_pretrained(place, dtype=torch.float32).eval()
    np.testing.assert_allclose(before, published_logits(full), atol=1e-4, rtol=1e-4)
    ours.save(tmp_path / "again")
    again = open_weights(tmp_path / "again")
    assert {again.dtype(name) for name in again} == {dtype}
    assert np.array_equal(logits_of(from_folder(tmp_path / "again")), before)


@pytest.mark.parametrize(("shared", "tied"), [*itertools.product([True, False], repeat=2)])
def test_the_published_class_reads_what_we_save(
    folder: Any, tmp_path: Path, shared: bool, tied: bool
) -> None:
    from transformers import MarianMTModel

    place = folder()
    config = configuration(share_encoder_decoder_embeddings=shared, tie_word_embeddings=tied)
    model = saved(place, config, seed=6)
    from_folder(place).save(tmp_path / "again")
    read, report = MarianMTModel.from_pretrained(tmp_path / "again", output_loading_info=True)
    # A table that stands beside untied ones, and that nothing reads.
    assert report["missing_keys"] <= ({"model.shared.weight"} if shared and not tied else set())
    assert not report["unexpected_keys"]
    assert np.array_equal(published_logits(read.eval()), published_logits(model))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_compute_is_near(small: tuple[Path, Any], precision: str) -> None:
    place, model = small
    ours = from_folder(place, precision=precision)
    assert {str(v.dtype) for v in ours.variables if "seed" not in v.path} == {"float32"}
    wanted, found = published_logits(model), logits_of(ours)
    assert found.dtype == np.float32
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert 1e-6 < error < (0.05 if precision == "bfloat16" else 0.01)
    searches = [{}, {"num_beams": 3}]
    narrow = reference.searched(str(place), source(3), searches, precision=precision)
    for half, full in zip(narrow, reference.searched(str(place), source(3), searches), strict=True):
        assert np.isfinite(half["scores"]).all()
        np.testing.assert_allclose(half["scores"][:, 0], full["scores"][:, 0], atol=0.3)


# Files that do not fit.

FIRST = "model.encoder.layers.0.fc1.weight"


def missing(tensors: dict[str, np.ndarray]) -> None:
    del tensors[FIRST]


def extra(tensors: dict[str, np.ndarray]) -> None:
    tensors["model.encoder.layers.7.fc1.weight"] = np.zeros((2, 2), "float32")


def not_a_number(tensors: dict[str, np.ndarray]) -> None:
    tensors[FIRST][0, 0] = np.nan


def misshapen(tensors: dict[str, np.ndarray]) -> None:
    tensors[FIRST] = tensors[FIRST][:, :-1].copy()


def transposed(tensors: dict[str, np.ndarray]) -> None:
    tensors[FIRST] = tensors[FIRST].T.copy()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing, ("missing (1)", FIRST)),
        (extra, ("extra (1)", "layers.7.fc1.weight")),
        (not_a_number, ("NaN", FIRST)),
        (misshapen, ("shape", FIRST)),
        (transposed, ("shape", FIRST)),
    ],
)
def test_weights_that_do_not_fit_are_named(folder: Any, spoil: Any, words: tuple[str, ...]) -> None:
    place = folder()
    saved(place, configuration(), seed=7)
    tensors = weights(place)
    spoil(tensors)
    rewrite(place, tensors)
    with pytest.raises(CheckpointError) as caught:
        from_folder(place)
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.quick
def test_a_config_of_another_size_is_refused(folder: Any) -> None:
    place = folder()
    saved(place, configuration(), seed=7)
    path = place / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "encoder_layers": 2}))
    with pytest.raises(CheckpointError, match=r"layers\.1\."):
        from_folder(place)


@pytest.mark.quick
def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    from sixarts_translation.marian import Marian

    with pytest.raises(CheckpointError, match="encoder_attention_heads=3"):
        Marian.configure(d_model=16, encoder_attention_heads=3)


@pytest.mark.quick
def test_a_checkpoint_without_the_head_is_refused(folder: Any) -> None:
    import sixarts as sa

    place = folder()
    saved(place, configuration(), seed=7)
    path = place / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "architectures": ["MarianModel"]}))
    with pytest.raises(CheckpointError, match=r"MarianModel.*MarianMTModel"):
        sa.load("translation", place)


class Hostile:
    """Pickles as a call of ``os.system``."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        import os

        return os.system, (self.command,)


@pytest.mark.quick
@pytest.mark.parametrize("zipped", [True, False])
def test_a_bin_that_runs_code_is_refused(folder: Any, tmp_path: Path, zipped: bool) -> None:
    import torch

    place = folder()
    model = saved(place, configuration(), seed=7)
    state = {**model.state_dict(), "model.shared.weight": Hostile(f"touch {tmp_path}/ran")}
    torch.save(state, place / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
    (place / "model.safetensors").unlink()
    with pytest.raises(UnsafePickle, match="system"):
        from_folder(place)
    (place / "pytorch_model.bin").write_bytes(pickle.dumps(Hostile(f"touch {tmp_path}/ran")))
    with pytest.raises(CheckpointError):
        from_folder(place)
    assert not (tmp_path / "ran").exists()


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("vocab.json", b"{", "vocab.json is not JSON"),
        ("vocab.json", b"[]", "expected an object"),
        ("vocab.json", b'{"a": 1}', "lacks </s>, <unk>"),
        ("vocab.json", b'{"</s>": 0, "<unk>": 1, "a": 40}', "vocab_size=40"),
        ("vocab.json", b'{"</s>": 0, "<unk>": 1, "a": "two"}', "vocab.json"),
        ("vocab.json", b'{"</s>": 0, "<unk>": 1, "a": -1}', "vocab.json"),
        ("vocab.json", b'{"</s>": 0, "<unk>": 1, "a": 1.5}', "vocab.json"),
        ("source.spm", b"\x00\x01not a model", "source.spm is no SentencePiece model"),
        ("target.spm", b"", "target.spm is empty"),
        ("tokenizer_config.json", b"nonsense", "tokenizer_config.json is not JSON"),
        ("generation_config.json", b"7", "expected an object"),
    ],
)
def test_files_that_are_not_what_they_should_be(folder: Any, name: str, content: bytes, words: str) -> None:
    place = folder()
    saved(place, configuration(), seed=7)
    (place / name).write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        from_folder(place)
    assert words in str(caught.value)


@pytest.mark.quick
@pytest.mark.parametrize(
    "name", ["source.spm", "target.spm", "vocab.json", "config.json", "model.safetensors"]
)
def test_a_missing_file_is_named(folder: Any, name: str) -> None:
    place = folder()
    saved(place, configuration(), seed=7)
    (place / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        from_folder(place)
