"""KerasHub's BART presets as a family that summarizes: the same logits, the same text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_preset_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_presets import change

import sixarts as sa
from everywhere import everywhere
from hostile import mutated_json
from sixarts.checkpoint import open_weights
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError, SixartsError, TrainingError
from sixarts.layout import needed_files
from sixarts.plugins import registry
from sixarts.readers.json_file import json_object
from sixarts_hub.listing import File, Listing
from sixarts_kerashub.bart import Bart
from sixarts_kerashub.table import BART

pytest.importorskip("keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'")

MANY_NETWORKS = True
TASK = "summarization"
TEXTS = [reference.LINES[0], "good film"]
WRITTEN = ["the fox", "a film"]


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("bart") / "preset"
    return folder, reference.saved_bart(folder)


@pytest.fixture
def copy(preset: tuple[Path, Any], tmp_path: Path) -> Path:
    """A preset to damage."""
    return Path(shutil.copytree(preset[0], tmp_path / "copy"))


def test_logits_and_greedy_text_are_keras_hubs(preset: tuple[Path, Any], backends: Mapping[str, Any]) -> None:
    folder, task = preset
    arrays = reference.bart_arrays(task, TEXTS, WRITTEN)
    wanted, seen = np.asarray(task(arrays)), arrays["decoder_padding_mask"].astype(bool)
    texts = [task.generate(text, max_length=12).strip() for text in TEXTS]
    assert np.ptp(wanted) > 0.5 and any(texts)
    for name, found in everywhere(backends, reference, "bart_answers", folder, arrays, TEXTS).items():
        np.testing.assert_allclose(found["logits"][seen], wanted[seen], rtol=1e-4, atol=1e-4, err_msg=name)
        assert found["texts"] == texts, name


def test_a_saved_model_is_the_same_to_the_last_bit(preset: tuple[Path, Any], tmp_path: Path) -> None:
    task = reference.summarizer(preset[0])
    assert task.model.hidden_constants() == []
    task.save(tmp_path / "saved")
    before, after = Bart.open_weights(preset[0]), open_weights(tmp_path / "saved")
    assert set(before) == set(after)
    assert all(np.array_equal(after.read(name), before.read(name)) for name in after)
    again = sa.load(TASK, tmp_path / "saved", device="cpu")
    text = "A good film. A bad dog."
    assert again(text).to_dict() == task(text).to_dict()


def test_a_summary_and_why(preset: tuple[Path, Any]) -> None:
    task = reference.summarizer(preset[0])
    text = "The quick fox jumps over a lazy dog. It is good food."
    answer = task(text, max_length=8, beams=2)
    assert answer.text and answer.score < 0
    # Start, forced beginning, and no more than six beside them.
    assert 0 < len(task.model.processor.encode([answer.text])[0]) - 2 <= 6
    found = task.explain(text, "attention", max_length=8)
    assert np.isfinite(found.values).all() and np.ptp(found.values) > 0


def test_a_network_of_its_own_examples_learns(preset: tuple[Path, Any]) -> None:
    task = sa.load(TASK, preset[0], device="cpu")
    before = np.array(to_numpy(task.model.target_embedding.embeddings))
    task.fit([("a good film", "good"), ("a bad dog", "bad")], epochs=1, progress=False)
    assert not np.array_equal(before, to_numpy(task.model.target_embedding.embeddings))


def test_how_keras_hubs_published_summarizer_writes(tmp_path: Path) -> None:
    reference.saved_bart(tmp_path / "a", card="Load `hf://keras/bart_large_en_cnn`.")
    model = Bart.from_folder(tmp_path / "a")
    found = model.search
    assert (found.beams, found.length_penalty, found.no_repeat_ngram_size) == (4, 2.0, 3)
    # No more than this small one can write.
    assert (found.min_length, found.max_length, found.forced_bos) == (56, 48, 0)
    model.save(tmp_path / "b")
    assert Bart.from_folder(tmp_path / "b").search == found


def test_a_preset_without_a_task_is_whole(copy: Path) -> None:
    """Nothing of it is a head."""
    (copy / "task.json").unlink()
    (copy / "task.weights.h5").unlink(missing_ok=True)
    assert Bart.from_folder(copy).search.start == 2


def test_the_hub_is_asked_for_its_own_files() -> None:
    config = b'{"registered_name": "keras_hub>BartBackbone", "config": {}}'
    names = [*("config.json", "model.weights.h5", "task.json", "preprocessor.json", "tokenizer.json")]
    names += [f"assets/tokenizer/{name}" for name in ("vocabulary.json", "merges.txt")]
    others = ("assets/tokenizer/code.py", "metadata.json", "model.keras", "task.weights.h5")
    files = tuple(File(name, len(config), "sha256:" + "0" * 64) for name in (*names, *others))
    found = needed_files(Listing("0" * 40, files), lambda name: config, registry().families(BART.signature))
    assert found == sorted(names)


def test_a_new_network_has_no_tokenizer(preset: tuple[Path, Any]) -> None:
    config = json.loads((preset[0] / "config.json").read_text())
    wanted = {name: config[name] for name in ("registered_name", "config")}
    task = sa.new(TASK, family=BART.family, device="cpu", **wanted)
    with pytest.raises(TrainingError, match="comes with a preset"):
        task.fit([("a", "b")] * 4, progress=False)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_layers": 3}, "missing"),
        ({"num_layers": 10**6}, "a whole number from 1 to 128"),
        ({"num_heads": 3}, "divisor"),
        ({"num_heads": 1}, "of another shape"),
        ({"vocabulary_size": 100}, "not of one preset"),
        ({"vocabulary_size": "many"}, "a whole number"),
        ({"vocabulary_size": 2**24, "hidden_dim": 2**15}, "more numbers than the weights have bytes"),
        ({"max_sequence_length": 2}, "expected 6|of another shape"),
        ({"stem": 1}, "which BartBackbone does not take"),
        ({"dropout": None}, "lacks dropout"),
    ],
)
def test_a_setting_that_will_not_do_is_named(changes: dict[str, Any], told: str, copy: Path) -> None:
    stated = json.loads((copy / "config.json").read_text())["config"] | changes
    change(copy / "config.json", config={name: value for name, value in stated.items() if value is not None})
    with pytest.raises(CheckpointError, match=told):
        Bart.from_folder(copy)


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("config.json", "keras_hub>T5Backbone", "expected BartBackbone"),
        ("task.json", "keras_hub>BartTextClassifier", "expected BartSeq2SeqLM"),
        ("tokenizer.json", "keras_hub>RobertaTokenizer", "expected BartTokenizer"),
        ("preprocessor.json", "os>system", "expected a class of KerasHub"),
    ],
)
def test_other_classes_are_refused(file: str, name: str, told: str, copy: Path) -> None:
    change(copy / file, registered_name=name)
    with pytest.raises(CheckpointError, match=told):
        Bart.from_folder(copy)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_json_gives_a_configuration_or_an_error_of_ours(
    data: st.DataObject, preset: tuple[Path, Any]
) -> None:
    base = json.loads((preset[0] / "config.json").read_text())
    try:
        Bart.configure(**json_object(data.draw(mutated_json(base)), "config.json"))
    except SixartsError as error:
        assert len(str(error)) < 5000
