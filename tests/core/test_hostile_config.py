"""``config.json`` and its kin, made or damaged to hurt their reader: a model, or an error of ours."""

from __future__ import annotations

import json
import os
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hostile import mutated, mutated_json, within
from sixarts.blank import SPARE, blank_zeros
from sixarts.checkpoint import write_weights
from sixarts.errors import CheckpointError, SixartsError, UnknownFamily
from sixarts.layout import family_of, needed_files
from sixarts.model import Processor
from sixarts.networks.encoder_decoder import EncoderDecoder
from sixarts.readers.json_file import read_json, read_optional_json
from sixarts.readers.limits import POSITIONS_CAP, TRANSFORMER, check_transformer, search_limits
from sixarts.spec import FamilySpec
from sixarts_hub.listing import File, Listing

pytestmark = pytest.mark.quick

many = settings(max_examples=100, deadline=None)

CONFIG: dict[str, Any] = {
    "model_type": "plain",
    "architectures": ["PlainForTests"],
    "vocab_size": 11,
    "d_model": 8,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 6,
    "decoder_ffn_dim": 5,
    "max_position_embeddings": 16,
    "activation_function": "relu",
    "dropout": 0.1,
    "attention_dropout": 0.0,
    "activation_dropout": 0,
    "scale_embedding": True,
    "share_encoder_decoder_embeddings": True,
    "tie_word_embeddings": True,
    "decoder_vocab_size": None,
    "pad_token_id": 1,
    "eos_token_id": [2],
    "decoder_start_token_id": 1,
    "forced_eos_token_id": None,
    "bad_words_ids": [[1], [3, 4]],
    "max_length": 20,
    "num_beams": 2,
    "length_penalty": 1.0,
    "early_stopping": "never",
    "do_sample": False,
    "temperature": 1.0,
    "top_k": 50,
    "top_p": 1,
    "renormalize_logits": False,
}
FAMILY = FamilySpec("plain", "text -> text", "m:M", ("plain",), ("PlainForTests",), ("*.txt",))
HOSTILE = [None, True, "8", 0, -1, 2.5, 10**12, 2**63, [], [8], {}, float("1e308"), "x" * 10_000]


class Nothing(Processor):
    """A processor without files."""

    @classmethod
    def from_folder(cls, folder: Path, config: Any) -> Nothing:
        return cls()


class Plain(EncoderDecoder):
    """An encoder–decoder with nothing of its own."""

    family = "plain"
    processor_class = Nothing


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder, whole, a few kilobytes large."""
    place = tmp_path_factory.mktemp("plain")
    model = Plain(Plain.configure(**CONFIG), Nothing())
    tensors = {
        names[0]: target.value(target.variable.numpy())
        for names, target in model.targets(frozenset()).items()
    }
    write_weights(place / "model.safetensors", tensors)
    (place / "config.json").write_text(json.dumps(CONFIG))
    return place


def opened(folder: Path, **changes: Any) -> Plain:
    """The model of a folder whose ``config.json`` is changed."""
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    return Plain.from_folder(folder)


def test_the_folder_that_is_damaged_here_is_whole(folder: Path) -> None:
    assert opened(folder).search.beams == 2


# Files -----------------------------------------------------------------------------------------------


@many
@given(mutated_json(CONFIG) | mutated(json.dumps(CONFIG).encode()))
def test_a_json_file_is_an_object_or_refused(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as place, within():
        path = Path(place) / "config.json"
        path.write_bytes(data)
        try:
            assert isinstance(read_json(path), dict) and read_optional_json(path) == json.loads(data)
        except CheckpointError as error:
            assert "config.json" in str(error) and len(str(error)) < 1000


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b'{"a":' * 990 + b"1" + b"}" * 990, b'{"a": ' + b"1" * 5000 + b"}"]
)
def test_what_python_s_own_parser_trips_over(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(CheckpointError, match="is not JSON"):
        read_json(tmp_path / "config.json")


def test_a_json_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").mkdir()
    os.mkfifo(tmp_path / "b.json")
    (tmp_path / "c.json").write_bytes(b"")
    os.truncate(tmp_path / "c.json", 2**36)  # which takes no place on the disk
    for name in ("a.json", "b.json", "c.json"):
        with within(5), pytest.raises(CheckpointError, match="cannot be read"):
            read_json(tmp_path / name)


# Families and their files ----------------------------------------------------------------------------


def typed(call: Any) -> None:
    with within():
        try:
            call()
        except SixartsError as error:
            assert len(str(error)) < 3000 and str(error).replace("\n", "").isprintable()


@many
@given(mutated_json({"model_type": "plain", "architectures": ["PlainForTests"]}))
def test_a_family_is_found_or_not(data: bytes) -> None:
    def find() -> None:
        with tempfile.TemporaryDirectory() as place:
            (Path(place) / "config.json").write_bytes(data)
            assert family_of([FAMILY], read_json(Path(place) / "config.json")) == FAMILY

    typed(find)


@pytest.mark.parametrize(
    "value", [7, True, "PlainForTests", {"PlainForTests": 1}, [["PlainForTests"]], [None]]
)
def test_architectures_of_another_kind_are_no_head(value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json states architectures"):
        family_of([FAMILY], {"model_type": "plain", "architectures": value})


@pytest.mark.parametrize("value", [7, ["plain"], {}, None, "x" * 10**6])
def test_a_model_type_of_another_kind_is_of_no_family(value: Any) -> None:
    with pytest.raises(UnknownFamily) as caught:
        family_of([FAMILY], {"model_type": value})
    assert len(str(caught.value)) < 1000


LISTED = {
    "sixarts.json": {"files": {"config.json": {}, "model.safetensors": {}}},
    "config.json": {"model_type": "plain", "architectures": ["PlainForTests"]},
    "model.safetensors.index.json": {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}},
}


@many
@given(data=st.data())
def test_what_a_repository_says_of_itself_is_believed_in_part_only(data: st.DataObject) -> None:
    contents = {name: json.dumps(value).encode() for name, value in LISTED.items()}
    if data.draw(st.booleans()):
        del contents["sixarts.json"]
    hurt = data.draw(st.sampled_from(sorted(contents)))
    contents[hurt] = data.draw(mutated_json(LISTED[hurt]))
    files = tuple(File(name, len(content), "sha256:" + "0" * 64) for name, content in contents.items())

    def need() -> None:
        found = needed_files(Listing("0" * 40, files), contents.__getitem__, [FAMILY])
        assert all(isinstance(name, str) for name in found)

    typed(need)


# Settings --------------------------------------------------------------------------------------------


@many
@given(mutated_json(CONFIG))
def test_settings_fit_or_are_refused_before_anything_is_built(data: bytes) -> None:
    with within():
        try:
            config = json.loads(data)
            full = Plain.configure(**config)
        except (
            ValueError,
            RecursionError,
            TypeError,
            AttributeError,
        ):  # no JSON, or no object: not of interest here
            return
        assert full["d_model"] % full["encoder_attention_heads"] == 0
        assert full["d_model"] * full["max_position_embeddings"] <= POSITIONS_CAP
        assert all(limit[0](full[name]) for name, limit in TRANSFORMER.items() if name in full)


@pytest.mark.parametrize("name", [*TRANSFORMER, "decoder_vocab_size"])
def test_each_setting_has_a_kind_and_a_limit(name: str) -> None:
    refused = 0
    for value in HOSTILE:
        try:
            check_transformer(CONFIG | {name: value})
        except CheckpointError as error:
            refused += 1
            assert name in str(error) and "expected" in str(error) and len(str(error)) < 500
    assert refused >= len(HOSTILE) - 3


@pytest.mark.parametrize("name", search_limits(11))
def test_each_setting_of_a_search_has_a_kind_and_a_limit(name: str, folder: Path) -> None:
    fits, _ = search_limits(11)[name]
    assert name not in CONFIG or CONFIG[name] is None or fits(CONFIG[name])
    assert sum(map(fits, HOSTILE)) <= 4
    for value in ("x", {}, [[]], [11], -7e9):
        assert not fits(value)


@pytest.mark.parametrize(
    "changes",
    [
        {"pad_token_id": 11},
        {"eos_token_id": []},
        {"num_beams": 10**9},
        {"bad_words_ids": [[1]] * 5000},
        {"bad_words_ids": [[]]},
        {"max_length": "long"},
        {"temperature": [1]},
    ],
)
@pytest.mark.parametrize("where", ["config.json", "generation_config.json"])
def test_a_search_that_cannot_be_is_refused_when_it_is_read(
    changes: dict[str, Any], where: str, folder: Path
) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    kept = CONFIG if where == "config.json" else {}
    (folder / where).write_text(json.dumps(kept | changes))
    try:
        with pytest.raises(CheckpointError, match=next(iter(changes))):
            Plain.from_folder(folder)
    finally:
        (folder / "generation_config.json").unlink(missing_ok=True)


# Networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"vocab_size": 2**24},
        {"vocab_size": 2**24, "d_model": 2**15, "max_position_embeddings": 16},
        {"d_model": 2**15, "max_position_embeddings": 2**10},
        {"encoder_ffn_dim": 2**18, "d_model": 2**12},
        {"decoder_vocab_size": 2**24},
        {"share_encoder_decoder_embeddings": False, "vocab_size": 2**23},
        {"encoder_layers": 4, "d_model": 1024},
    ],
)
def test_a_network_larger_than_its_weights_is_refused_before_it_is_there(
    changes: dict[str, Any], folder: Path
) -> None:
    """Up to 2 TiB are asked for; the file has a few kilobytes."""
    tracemalloc.start()
    try:
        with within(60), pytest.raises(CheckpointError, match="than the weights have bytes"):
            opened(folder, **changes)
        assert tracemalloc.get_traced_memory()[1] < 2**29
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", [name for name in TRANSFORMER if name in CONFIG])
@pytest.mark.parametrize("value", [10**12, -1, True, "8", None], ids=repr)
def test_each_known_setting_of_another_kind_or_size_is_refused(name: str, value: Any, folder: Path) -> None:
    if name == "activation_function" and value == "8":
        with pytest.raises(CheckpointError, match="makes no plain model"):
            opened(folder, activation_function="8")
    elif value is True and isinstance(CONFIG[name], bool):
        opened(folder, **{name: value})
    else:
        with within(), pytest.raises(CheckpointError, match=name):
            opened(folder, **{name: value})


@pytest.mark.parametrize("name", ["cls", "self", "config", "config.json", "", "\0"])
def test_a_setting_of_any_name_is_kept(name: str, folder: Path) -> None:
    assert opened(folder, **{name: 1}).config[name] == 1


@settings(max_examples=8, deadline=None)
@given(data=mutated_json(CONFIG))
def test_a_folder_whose_config_lies_is_a_model_or_a_typed_error(folder: Path, data: bytes) -> None:
    (folder / "config.json").write_bytes(data)

    def load() -> None:
        assert Plain.from_folder(folder).search.max_length >= 2

    with within(60):
        typed(load)


def test_whatever_a_family_s_reading_does_becomes_one_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (
        KeyError("a"),
        TypeError("b"),
        MemoryError("c"),
        RecursionError("d"),
        OSError("e"),
        ZeroDivisionError(),
    ):

        def fail(*_: Any, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(Nothing, "from_folder", fail)
        with pytest.raises(CheckpointError, match=type(error).__name__):
            opened(folder)


def test_a_network_may_be_as_large_as_its_file() -> None:
    import keras

    with blank_zeros(1000):
        zeros = keras.initializers.get("zeros")
        assert keras.ops.shape(zeros((SPARE // 2,), "float32")) == (SPARE // 2,)
        zeros((SPARE // 2 + 1000,), "float32")
        with pytest.raises(CheckpointError, match="not of one model"):
            zeros((1,), "float32")
    with blank_zeros(1000):
        keras.initializers.get("zeros")((SPARE + 1000,), "float32")
