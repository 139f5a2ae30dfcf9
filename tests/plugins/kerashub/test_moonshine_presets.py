"""KerasHub's Moonshine presets as a family that recognizes speech: the same logits, the same text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import moonshine_reference as reference
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moonshine_reference import RATE, sound
from test_presets import change

import sixarts as sa
from everywhere import everywhere
from hostile import mutated_json
from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError, OptionError, SixartsError, TrainingError
from sixarts.layout import needed_files
from sixarts.plugins import registry
from sixarts.readers.json_file import json_object
from sixarts.testing import CHECKS, Skipped, Subject
from sixarts_hub.listing import File, Listing
from sixarts_kerashub.moonshine import Moonshine
from sixarts_kerashub.table import MOONSHINE

pytest.importorskip("keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'")

MANY_NETWORKS = True
TASK = "automatic-speech-recognition"
#: Checks of the contract that ask for the task's own model.
OF_STARTERS = ("golden_answer_holds", "backends_agree")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Any]]:
    place = tmp_path_factory.mktemp("moonshine")
    return {name: (place / name, reference.saved(place / name, name)) for name in reference.NETWORKS}


@pytest.fixture(scope="module")
def folder(presets: dict[str, tuple[Path, Any]]) -> Path:
    return presets["published"][0]


@pytest.fixture
def listen(folder: Path) -> Any:
    """Shared; a test that changes a task loads its own."""
    return reference.task(folder)


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """A preset to damage."""
    return Path(shutil.copytree(folder, tmp_path / "copy"))


# The same as KerasHub.


def test_logits_and_greedy_text_are_keras_hubs(
    presets: dict[str, tuple[Path, Any]], backends: Mapping[str, Any]
) -> None:
    """Ours of sounds of unlike length in one batch, KerasHub's of each alone."""
    other = presets["other"][0]
    found = everywhere(backends, reference, "answers", presets["published"][0])
    answers = {("published", where): answer for where, answer in found.items()}
    answers["other", "here"] = reference.answers(other)
    for (name, where), (ours, heard) in answers.items():
        logits, texts = reference.published(presets[name][1])
        assert all(texts) and len(set(texts)) > 1
        for one, wanted in zip(ours, logits, strict=True):
            assert np.ptp(wanted) > 0.5
            np.testing.assert_allclose(one, wanted, rtol=1e-4, atol=1e-4, err_msg=f"{name} on {where}")
        assert heard == texts, f"{name} on {where}"


def test_a_sample_of_0_is_a_sample(presets: dict[str, tuple[Path, Any]]) -> None:
    """KerasHub 0.32 counts it as padding, and hears that much less of the end; told better, it hears all."""
    import keras

    folder, task = presets["published"]
    samples = sound(4, 0.8)
    samples[2000:6000] = 0
    arrays = {**task.preprocessor({"audio": samples[None], "text": ["one"]})[0]}
    short = keras.ops.convert_to_numpy(task(arrays))
    arrays["encoder_padding_mask"] = keras.ops.ones((1, len(samples)), "bool")
    whole = keras.ops.convert_to_numpy(task(arrays))
    listen = reference.task(folder)
    read = np.asarray(keras.ops.convert_to_numpy(arrays["decoder_token_ids"]))
    ours = listen.model({**listen.listening.arrays([samples]), "decoder_input_ids": read})["logits"]
    count = int(np.asarray(keras.ops.convert_to_numpy(arrays["decoder_padding_mask"])).sum())
    np.testing.assert_allclose(ours[0, :count], whole[0, :count], rtol=1e-4, atol=1e-4)
    assert np.abs(short[0, :count] - whole[0, :count]).max() > 1e-3


def test_a_saved_model_is_the_same_to_the_last_bit(folder: Path, listen: Any, tmp_path: Path) -> None:
    assert listen.model.hidden_constants() == []
    listen.save(tmp_path / "saved")
    before, after = Moonshine.open_weights(folder), open_weights(tmp_path / "saved")
    # Of positions a formula is kept.
    assert set(before) - set(after) == {name for name in before if "rotary" in name} != set()
    assert set(after) < set(before)
    assert all(np.array_equal(after.read(name), before.read(name)) for name in after)
    again = sa.load(TASK, tmp_path / "saved", device="cpu")
    x = (sound(5, 0.7), RATE)
    assert again(x).to_dict() == listen(x).to_dict()


# The contract.


class OfPreset(Subject):
    """The task with a preset for its model."""

    folder: Path

    def fresh(self, model: Any = None) -> Any:
        return super().fresh(model or self.folder)


@pytest.fixture(scope="module")
def subject(folder: Path) -> Subject:
    own = Subject.of(TASK)
    spec = replace(own.spec, explanations={"occlusion": ("word",)})
    found = OfPreset(own.name, own.plugin, own.offers, spec)
    found.folder = folder
    return found


@pytest.mark.parametrize(
    "check", [check for name, check in CHECKS.items() if check.scope == "task" and name not in OF_STARTERS]
)
def test_every_check_of_the_contract_holds(check: Callable[[Subject], None], subject: Subject) -> None:
    try:
        check(subject)
    except Skipped as reason:
        pytest.skip(str(reason))


# Sounds, long and short and silent.


def test_silence_does_not_become_words(listen: Any) -> None:
    quiet, loud = np.zeros(RATE, "float32"), sound(1, 1.0)
    found = listen([(quiet, RATE), (loud, RATE), (quiet, RATE)])
    assert [bool(answer.text) for answer in found] == [False, True, False]
    assert found[0].duration == 1.0 and not found[0].segments
    assert found[1].text == listen((loud, RATE)).text


@pytest.mark.parametrize("samples", [160, 894, 895, 1600])
def test_a_sound_of_a_moment_is_answered(samples: int, listen: Any) -> None:
    """Of the shortest there can be: of fewer than 895 samples KerasHub makes nothing."""
    assert listen.model.shortest == 895
    assert listen((sound(1, 1.0)[:samples], RATE)).duration == round(samples / RATE, 3)


def test_a_long_sound_is_cut_where_it_is_quiet(listen: Any) -> None:
    loud, soft = sound(1, 0.7), sound(2, 0.1) * 1e-3
    samples = np.concatenate([loud, soft, sound(3, 0.5), soft, loud])
    found = listen((samples, RATE), window=1.0, overlap=0.45)
    cuts = [part.start for part in found.segments]
    assert cuts[0] == 0 and len(cuts) == 3 and 0.7 < cuts[1] < 0.8 and 1.3 < cuts[2] < 1.4
    assert found.text == " ".join(part.text for part in found.segments)
    assert found.duration == round(len(samples) / RATE, 3) == round(found.segments[-1].end, 3)
    first = listen((samples[: round(found.segments[0].end * RATE)], RATE))
    assert found.segments[0].text == first.text and found.picture is not None
    assert "-->" in found.to_srt() and found.plot().axes


def test_a_sound_without_end_takes_no_memory(listen: Any) -> None:
    """Windows are cut as they are asked for, none is longer than it may be, and none is kept."""
    taken = 0

    def chunks() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield sound(taken % 7, 0.5)

    pieces = listen.pieces((chunks(), RATE), listen.chosen(window=2.0, overlap=0.2, delay=1.0))
    sizes = [len(next(pieces).window.samples) for _ in range(40)]
    assert max(sizes) <= 2 * RATE and taken * 0.5 < 45


def test_a_stream_is_answered_as_it_comes(listen: Any) -> None:
    samples, taken = np.concatenate([sound(5, 2.0), sound(6, 1.1)]), []

    def chunks() -> Iterator[np.ndarray]:
        for start in range(0, len(samples), RATE // 4):
            taken.append(start)
            yield samples[start : start + RATE // 4]

    options = {"delay": 0.5, "window": 1.6, "overlap": 0.3}
    partial = listen.live((chunks(), RATE), **options)
    first = next(partial)
    assert first.duration == 0.5 and len(taken) == 2, "an answer waits for no more than it needs"
    *_, last = (first, *partial)
    # What was heard while it grew is heard again in whole: the last answer is the file's.
    whole = listen((samples, RATE), **options)
    assert last.text == whole.text and last.duration == whole.duration
    assert [part.end for part in last.segments] == [part.end for part in whole.segments]


# Options.


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"translate": True}, "translate=True; .*choose a Whisper model"),
        ({"prompt": "Bob"}, "prompt='Bob'"),
        ({"language": "en"}, "language='en'"),
        ({"words": True}, "words=True; .*Whisper or CTC"),
        ({"build_on": True}, "build_on"),
        ({"temperatures": (0.0,)}, "temperatures"),
        ({"no_speech": None}, "no_speech=None"),
        ({"language_model": "x.arpa", "beams": 2}, "language_model='x.arpa'; .*choose a CTC model"),
        ({"window": 65.0}, "window=65; expected at most 64 seconds"),
        ({"max_new_tokens": reference.LIMIT - 1}, f"expected at most {reference.LIMIT - 2}"),
    ],
)
def test_what_it_cannot_follow_is_refused(options: dict[str, Any], told: str, listen: Any) -> None:
    with pytest.raises(OptionError, match=told):
        listen("no-such-file.wav", **options)


def test_fewer_tokens_and_more_beams(listen: Any) -> None:
    x = (sound(1, 0.8), RATE)
    arrays = listen.listening.arrays([x[0]])
    options = listen.chosen(max_new_tokens=3)
    tokens = listen.model.written(arrays, listen.listening.search(options))["tokens"]
    assert tokens.shape[1] <= 3
    assert listen(x).text.startswith(listen(x, max_new_tokens=3).text)
    one, four = (
        listen.model.written(arrays, listen.listening.search(listen.chosen(beams=beams)))["scores"][0]
        for beams in (1, 4)
    )
    assert four >= one - 1e-6


# Explaining and learning.


def test_a_stretch_that_makes_a_word(listen: Any) -> None:
    x = (sound(1, 0.7), RATE)
    found = listen.explain(x, "occlusion")
    assert found.answer == listen(x).text and len(found.target_labels) == len(found.answer.split())
    # No time of a word is known, and none is drawn.
    assert found.spoken == () and found.plot().axes
    assert np.isfinite(found.values).all() and found.values.max() > 0
    last = listen.explain(x, "occlusion", target=len(found.target_labels) - 1)
    np.testing.assert_allclose(last.values[0], found.values[-1], atol=1e-5)
    with pytest.raises(OptionError, match="expected method='occlusion'"):
        listen.explain(x, "integrated_gradients")


def test_a_lesson_is_a_sound_and_its_tokens(listen: Any) -> None:
    """The text begins as one that is written does; that fit lowers the loss, the contract tells."""
    sounds, texts = [sound(1, 0.6), sound(2, 1.2), sound(3, 0.4)], [" one two ", "nine", ""]
    examples = [((samples, RATE), text) for samples, text in zip(sounds, texts, strict=True)]
    (lesson,) = listen.learn(examples, listen.Training(batch_size=8), 0)
    processor = listen.model.processor
    assert lesson.arrays["input_values"].shape == (4, 24_000)
    lengths = [len(samples) for samples in sounds]
    read, said = lesson.arrays["decoder_input_ids"], lesson.targets["logits"]
    weights = lesson.weights["logits"]
    for row in range(3):
        (place,) = [at for at, length in enumerate(lengths) if length == lesson.arrays["lengths"][row]]
        ids = processor.encode(texts[place].strip()).ids
        whole = [processor.start, processor.start, *ids, processor.end]
        assert read[row, : len(whole) - 1].tolist() == whole[:-1]
        told = weights[row] > 0
        assert said[row][told].tolist() == whole[2:] and not told[0]
    # What fills up the batch counts for nothing.
    assert not weights[3].any()


def test_what_no_lesson_can_be_is_refused(folder: Path) -> None:
    task = sa.load(TASK, folder, device="cpu")
    x = (sound(1, 0.3), RATE)
    with pytest.raises(OptionError, match=r"mask=0\.1; .*no features"):
        task.fit([(x, "one")], mask=0.1, progress=False)
    with pytest.raises(SixartsError, match=f"expected at most {reference.LIMIT}"):
        task.fit([(x, "one two three four five " * 9)], epochs=1, progress=False)


def test_a_new_network_has_no_tokenizer(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    wanted = {name: config[name] for name in ("registered_name", "config")}
    task = sa.new(TASK, family=MOONSHINE.family, device="cpu", **wanted)
    with pytest.raises(TrainingError, match="comes with a preset"):
        task.fit([((sound(1, 0.3), RATE), "one")], progress=False)


# Presets that will not do.


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"encoder_num_layers": 3}, "missing"),
        ({"encoder_num_layers": 10**6}, "comes to 1000000"),
        ({"hidden_dim": 32}, "of another shape"),
        ({"decoder_num_heads": 32}, "makes no kerashub-moonshine model"),
        ({"vocabulary_size": 9}, "not of one preset"),
        ({"vocabulary_size": 2**20, "hidden_dim": 2**16}, "more numbers than the weights have bytes"),
        ({"rope_theta": 77.0}, "as config.json has it"),
        ({"stem": 1}, "which MoonshineBackbone does not take"),
        ({"hidden_dim": None}, "lacks hidden_dim"),
    ],
)
def test_a_setting_that_will_not_do_is_named(changes: dict[str, Any], told: str, copy: Path) -> None:
    stated = json.loads((copy / "config.json").read_text())["config"] | changes
    change(copy / "config.json", config={name: value for name, value in stated.items() if value is not None})
    with pytest.raises(CheckpointError, match=told):
        Moonshine.from_folder(copy)


@pytest.mark.parametrize(
    ("file", "name", "told"),
    [
        ("config.json", "keras_hub>WhisperBackbone", "expected MoonshineBackbone"),
        ("task.json", "keras_hub>MoonshineTextClassifier", "expected MoonshineAudioToText"),
        ("tokenizer.json", "keras_hub>LlamaTokenizer", "expected MoonshineTokenizer"),
        ("preprocessor.json", "os>system", "expected a class of KerasHub"),
        ("audio_converter.json", "keras_hub>WhisperAudioConverter", "expected MoonshineAudioConverter"),
    ],
)
def test_other_classes_are_refused(file: str, name: str, told: str, copy: Path) -> None:
    change(copy / file, registered_name=name)
    with pytest.raises(CheckpointError, match=told):
        Moonshine.from_folder(copy)


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [("sampling_rate", 0, "has sampling_rate 0"), ("do_normalize", "yes", "expected true or false")],
)
def test_a_converter_that_cannot_be_followed(setting: str, value: Any, told: str, copy: Path) -> None:
    stated = json.loads((copy / "audio_converter.json").read_text())["config"] | {setting: value}
    change(copy / "audio_converter.json", config=stated)
    with pytest.raises(CheckpointError, match=told):
        Moonshine.from_folder(copy)


def test_a_preset_that_lacks_a_part(copy: Path) -> None:
    # The preprocessor holds the converter, too; nothing of the network is a head.
    (copy / "audio_converter.json").unlink()
    (copy / "task.json").unlink()
    assert Moonshine.from_folder(copy).processor.rate == RATE
    (copy / "preprocessor.json").unlink()
    with pytest.raises(CheckpointError, match="says nowhere how sounds are prepared"):
        Moonshine.from_folder(copy)
    (copy / "model.weights.h5").unlink()
    with pytest.raises(CheckpointError, match=r"has no model\.weights\.h5"):
        Moonshine.from_folder(copy)


def test_the_hub_is_asked_for_its_own_files() -> None:
    config = b'{"registered_name": "keras_hub>MoonshineBackbone", "config": {}}'
    names = [*("config.json", "model.weights.h5", "task.json", "preprocessor.json", "tokenizer.json")]
    names += ["audio_converter.json", "assets/tokenizer/vocabulary.spm"]
    others = ("assets/tokenizer/code.py", "metadata.json", "model.keras", "task.weights.h5")
    files = tuple(File(name, len(config), "sha256:" + "0" * 64) for name in (*names, *others))
    families = registry().families(MOONSHINE.signature)
    assert needed_files(Listing("0" * 40, files), lambda name: config, families) == sorted(names)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_json_gives_a_configuration_or_an_error_of_ours(data: st.DataObject, folder: Path) -> None:
    base = json.loads((folder / "config.json").read_text())
    try:
        Moonshine.configure(**json_object(data.draw(mutated_json(base)), "config.json"))
    except SixartsError as error:
        assert len(str(error)) < 5000
