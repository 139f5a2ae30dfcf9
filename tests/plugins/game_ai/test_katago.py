"""KataGo's networks: inputs and answers against its own program, its files, and broken ones."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import katago_reference as reference
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from katago_writer import VERSIONS, drawn_file, drawn_tree, drawn_values, written

from everywhere import everywhere
from sixarts.errors import CheckpointError, InputError, OptionError
from sixarts_game_ai.go_planes import planes
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.katago import Katago
from sixarts_game_ai.katago_file import read_network

MANY_NETWORKS = True

#: Positions whose answers are compared on every backend: of each size and of several rules.
ROWS = [0, 7, 33, 48, 61, 90, 118, 150, 181, 199]
#: Versions with all that may differ between backends: mish, nested blocks, a layer more for the pass.
EVERYWHERE = (11, 15)


def test_planes_are_katagos_own() -> None:
    seen = {"ladder": 0, "ko": 0, "phases": 0, "passes": 0}
    for row in reference.positions():
        mine = planes([row["position"]])
        wrong = np.argwhere(mine["spatial"][0] != row["spatial"])
        assert not wrong.size, (row["position"], wrong[:5])
        np.testing.assert_allclose(mine["global"][0], row["global"], atol=1e-5)
        seen["ladder"] += bool(row["spatial"][..., 14].any())
        seen["ko"] += bool(row["spatial"][..., 6].any())
        seen["phases"] += bool(row["global"][12])
        seen["passes"] += bool(row["global"][:5].any())
    assert len(reference.positions()) == 240
    # The comparison says something of each of them.
    assert seen["ladder"] > 100 and seen["ko"] > 30 and min(seen.values()) >= 15


@pytest.mark.parametrize("size", [7, 9, 11, 13, 19])
def test_a_batch_is_its_rows(size: int) -> None:
    rows = [row["position"] for row in reference.positions() if row["position"].size == size][:6]
    together = planes(rows)
    for place, position in enumerate(rows):
        alone = planes([position])
        for name, value in alone.items():
            np.testing.assert_array_equal(together[name][place], value[0])


def test_answers_are_katagos_on_every_backend(backends: dict[str, Any]) -> None:
    wanted = [reference.positions()[row] for row in ROWS]
    for backend, answers in everywhere(backends, reference, "starter_answers", ROWS).items():
        for expected, given_ in zip(wanted, answers, strict=True):
            for name in ("policy", "ownership"):
                np.testing.assert_allclose(given_[name], expected[name], atol=1e-3, err_msg=backend)
            np.testing.assert_allclose(given_["white"][:3], expected["white"][:3], atol=1e-3)
            np.testing.assert_allclose(given_["white"][3:], expected["white"][3:], rtol=1e-3, atol=5e-3)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_is_read_as_katago_reads_it(version: int, backends: dict[str, Any]) -> None:
    stored = json.loads((reference.HERE / "katago_versions.json").read_text())
    wanted = {key.partition(" ")[2]: value for key, value in stored.items() if key.split()[0] == str(version)}
    moves = {rules: value["moves"] for rules, value in wanted.items()}
    others = backends if version in EVERYWHERE else {}
    for backend, answers in everywhere(others, reference, "drawn_answers", version, moves).items():
        for expected, said in zip(wanted.values(), answers, strict=True):
            np.testing.assert_allclose(said["policy"], expected["policy"], atol=1e-4, err_msg=backend)
            np.testing.assert_allclose(said["ownership"].ravel(), expected["ownership"], atol=1e-3)
            np.testing.assert_allclose(said["white"][:3], expected["white"][:3], atol=1e-4)
            np.testing.assert_allclose(said["white"][3:], expected["white"][3:5], rtol=1e-3, atol=5e-3)
            np.testing.assert_allclose(said["squared"], expected["white"][5], rtol=1e-3, atol=5e-3)


def test_decimal_files_are_the_same_network(tmp_path: Path) -> None:
    tree, binary = read_network(drawn_file(tmp_path, 14))
    again, decimal = read_network(drawn_file(tmp_path, 14, ".txt.gz"))
    assert tree == again and list(binary) == list(decimal)
    for name in binary:
        np.testing.assert_array_equal(binary.read(name), decimal.read(name))


def test_a_network_is_saved_and_read_again(tmp_path: Path) -> None:
    model = Katago.from_file(drawn_file(tmp_path, 15), board_size=9, rules="japanese")
    model.save(tmp_path / "saved")
    again = Katago.from_folder(tmp_path / "saved")
    position = again.processor.start().play(40)
    assert position.game == "go(board_size=9,komi=6.5,rules=japanese)"
    for name, value in model(model.processor.arrays([position])).items():
        np.testing.assert_array_equal(value, again(again.processor.arrays([position]))[name])


def test_a_published_file_beside_a_config_is_a_model_folder(tmp_path: Path) -> None:
    drawn_file(tmp_path, 10).rename(tmp_path / "model.bin.gz")
    (tmp_path / "config.json").write_text('{"model_type": "katago"}')
    model = Katago.from_folder(tmp_path)
    assert model.config["version"] == 10 and not model.hidden_constants()


def test_a_network_gives_every_input_and_refuses_others() -> None:
    model = Katago.from_folder(reference.STARTER)
    start = model.processor.start()
    assert start.game == "go(board_size=19,komi=7.5,rules=tromp-taylor)"
    with pytest.raises(InputError, match="expected Go"):
        model.processor.check(object())
    with pytest.raises(InputError, match="several sizes"):
        model.processor.arrays([start, GoPosition(9)])
    with pytest.raises(OptionError, match="board_size"):
        Katago.configure(board_size=25)
    with pytest.raises(OptionError, match="channels"):
        Katago.configure(channels=0)
    with pytest.raises(OptionError, match="expected 8 to 16"):
        Katago.configure(version=17)


# Files that are not what their name says.


@pytest.fixture(scope="module")
def raw() -> bytes:
    tree = drawn_tree(8)
    return written(tree, drawn_values(tree, 8))


def stored(folder: Path, raw: bytes, name: str = "net.bin.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(raw, 1) if name.endswith(".gz") else raw)
    return path


@pytest.mark.quick
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[: len(raw) // 2], "cut"),
        (lambda raw: raw[:40], "end of the file|cut|no word|bytes left"),
        (lambda raw: b"", "end of the file"),
        (lambda raw: raw + b"more", "bytes more than a network"),
        (lambda raw: raw.replace(b"\n8\n", b"\n7\n", 1), "version 7, which has other inputs"),
        (lambda raw: raw.replace(b"\n8\n", b"\n17\n", 1), "version 17, which has parts"),
        (lambda raw: raw.replace(b"\n22\n", b"\n13\n", 1), "planes"),
        (lambda raw: raw.replace(b"trunk\n3\n", b"trunk\n999999\n", 1), "blocks"),
        (lambda raw: raw.replace(b"ordinary_block", b"transformer_attention_block", 1), "transformer_att"),
        (lambda raw: raw.replace(b"conv1\n5\n5\n22\n12", b"conv1\n5\n5\n22\n4000", 1), "bytes left"),
        (lambda raw: raw.replace(b"conv1\n5\n5", b"conv1\n4\n5", 1), "expected odd sides"),
        (lambda raw: raw.replace(b"@BIN@", b"@TXT@", 1), "no @BIN@"),
        (lambda raw: raw.replace(b"ginputw", b"conv1", 1), "second weight 'conv1'"),
        (lambda raw: raw.replace(b"@BIN@" + raw.split(b"@BIN@")[1][:4], b"@BIN@\x00\x00\xc0\x7f", 1), "NaN"),
        (lambda raw: b"\xff" * 5000, "no word"),
        (lambda raw: b"x" * 5000, "no word"),
    ],
)
def test_a_broken_file_is_told_by_where_it_broke(
    change: Any, message: str, raw: bytes, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message) as told:
        read_network(stored(tmp_path, change(raw)))
    assert "net.bin.gz" in str(told.value)


@pytest.mark.quick
def test_files_that_are_no_gzip_or_unpack_without_end(raw: bytes, tmp_path: Path) -> None:
    for content, message in (
        (b"PK\x03\x04 a zip", "no gzip file"),
        (gzip.compress(raw)[:-900], "cut"),
        (gzip.compress(raw[:1000] + bytes(2**27), 9), "unpacks to more than"),
    ):
        path = tmp_path / "net.bin.gz"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message):
            read_network(path)
    for name, message in (("net.onnx", "expected a network file"), ("none.bin.gz", "is no file")):
        with pytest.raises(CheckpointError, match=message):
            read_network(tmp_path / name)


@pytest.mark.quick
@settings(derandomize=True, max_examples=120, deadline=None, database=None)
@given(data=st.data())
def test_any_damage_is_an_error_of_ours_or_harmless(
    data: st.DataObject, raw: bytes, tmp_path_factory: Any
) -> None:
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        # Half of the damage is in the words, which are few.
        high = 400 if data.draw(st.booleans()) else len(damaged) - 1
        damaged[data.draw(st.integers(0, high))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(damaged)
    try:
        tree, weights = read_network(path)
    except CheckpointError:
        return
    assert tree["version"] == 8 and all(np.isfinite(weights.read(name)).all() for name in weights)


@pytest.mark.quick
@settings(derandomize=True, max_examples=80, deadline=None, database=None)
@given(data=st.data())
def test_a_strangers_description_is_refused_before_anything_is_built(data: st.DataObject) -> None:
    tree = drawn_tree(15)
    node: Any = tree
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and data.draw(st.booleans()):
            node = node[key]
            continue
        break
    if key in ("model_type", "name", "kind"):
        return
    node[key] = data.draw(st.sampled_from([None, -1, 0, 10**9, 2.5, "x", [], {}, [1], float("nan"), True]))
    if key in ("epsilon",) or isinstance(node[key], bool) or key == "always_suicide":
        return
    with pytest.raises((CheckpointError, OptionError)):
        Katago.configure(**tree)
