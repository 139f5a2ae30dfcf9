"""KerasHub's text classifier presets as a family of ours: the same answers, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import text_preset_reference as reference
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from test_presets import change, trunk, without

import sixarts as sa
from hostile import mutated_json, within
from sixarts.checkpoint import open_weights
from sixarts.errors import CheckpointError, SixartsError, TrainingError
from sixarts_hub import Hub
from sixarts_kerashub.preset_texts import round_robin
from sixarts_kerashub.preset_tokens import KINDS, read_tokens
from sixarts_kerashub.table import TEXT_CLASSIFIER
from sixarts_kerashub.unicode_folding import folded

pytest.importorskip("keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'")

MANY_NETWORKS = True
pytestmark = pytest.mark.filterwarnings("ignore:a text of .* is longer:UserWarning")
TASK = "sentiment-analysis"
STEMS = TEXT_CLASSIFIER.stems
PAIRS = [
    (reference.LINES[0], "bad film"),
    ("food", reference.LINES[3]),
    tuple(reference.HARD[:2]),
]
#: No mask and Fourier transforms, relative positions: what other backends are asked for.
ELSEWHERE = ("FNet", "DebertaV3")
#: What only some kinds of tokenizers can be told.
TOLD: dict[str, dict[str, Any]] = {
    "Bert": {"lowercase": True, "strip_accents": True},
    "DistilBert": {"lowercase": True},
    "Roberta": {"add_prefix_space": True},
}
#: More pieces than a vocabulary may have.
MANY = b"\n".join(b"%x" % number for number in range(2**20))
#: Without runs of spaces, which KerasHub 0.32 splits in ways of its own; see below.
PLAIN = [text for text in (*reference.HARD, *reference.LINES) if "  " not in text]


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Stem to its preset's folder and KerasHub's own task, made when asked for."""
    place, made = tmp_path_factory.mktemp("presets"), {}

    def preset(stem: str) -> tuple[Path, Any]:
        if stem not in made:
            told = TOLD.get(stem, {})
            made[stem] = (place / stem, reference.saved(place / stem, stem, **told))
        return made[stem]

    yield preset
    reference.task.cache_clear()


@pytest.fixture
def copy(presets: Any, tmp_path: Path) -> Any:
    """A preset to damage."""

    def copied(stem: str = "Bert", name: str = "copy") -> Path:
        return Path(shutil.copytree(presets(stem)[0], tmp_path / name))

    return copied


def same_answers(found: list[tuple[list[int], np.ndarray]], task: Any, inputs: list[Any], where: str) -> None:
    """Holds ours against KerasHub's own: the same numbers, and logits within 1e-4."""
    for x, mine, theirs in zip(inputs, found, reference.published(task, inputs), strict=True):
        assert mine[0] == theirs[0], (where, x)
        np.testing.assert_allclose(mine[1], theirs[1], rtol=1e-4, atol=1e-4, err_msg=where)
    assert np.ptp([logits for _, logits in found]) > 0.1


def test_the_table_is_all_that_keras_hub_offers() -> None:
    import keras_hub

    ending = TEXT_CLASSIFIER.task
    offered = {name.removesuffix(ending) for name in dir(keras_hub.models) if name.endswith(ending)} - {""}
    # Of RoFormer, which has no tokenizer of its own, and of ESM, which reads proteins, none is published.
    others = {"Bart", "Moonshine"}
    assert offered - {"ESM", "RoformerV2"} == set(STEMS) == set(reference.NETWORKS) == set(KINDS) - others


@pytest.mark.parametrize("stem", STEMS)
def test_a_preset_answers_as_keras_hub_does(stem: str, presets: Any, tmp_path: Path) -> None:
    """Texts, pairs, and what is cut; and its weights, saved in our layout, are the same to the last bit."""
    folder, task = presets(stem)
    same_answers(reference.answers(folder, [*PLAIN, *PAIRS]), task, [*PLAIN, *PAIRS], stem)
    mine = reference.task(folder)
    assert mine.model.hidden_constants() == []
    mine.save(tmp_path / "saved")
    before, after = type(mine.model).open_weights(folder), open_weights(tmp_path / "saved")
    assert set(after) == {name for name in before if not name.startswith("head/optimizer/")}
    assert all(np.array_equal(after.read(name), before.read(name)) for name in after)
    again = sa.load(TASK, tmp_path / "saved", device="cpu")
    assert again(PLAIN[0]).to_dict() == mine(PLAIN[0]).to_dict()


def test_other_backends_answer_alike(presets: Any, backends: Mapping[str, Any]) -> None:
    made, inputs = [presets(stem) for stem in ELSEWHERE], [*PLAIN[:3], *PAIRS]
    ask = ("text_preset_reference:all_answers", [folder for folder, _ in made], inputs)
    with ThreadPoolExecutor() as pool:
        asked = {name: pool.submit(worker.call, *ask) for name, worker in backends.items()}
        for name, waiting in asked.items():
            for found, (folder, task) in zip(waiting.result(), made, strict=True):
                same_answers(found, task, inputs, f"{folder.name} on {name}")


# Texts.

texts = st.text(max_size=30) | st.lists(st.sampled_from(PLAIN), min_size=1, max_size=2).map(" ".join)


@pytest.mark.parametrize(
    ("stem", "told"),
    [
        ("Bert", {}),
        ("Bert", {"lowercase": True}),
        ("Bert", {"strip_accents": True}),
        ("Bert", TOLD["Bert"]),
        ("Albert", {}),
        ("XLMRoberta", {}),
        ("DebertaV3", {}),
    ],
)
@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=texts)
@example(text=" ".join(reference.HARD))
def test_tokens_are_keras_hubs_own(stem: str, told: dict[str, Any], text: str, tokenizers: Any) -> None:
    theirs, ours = tokenizers(stem, **told)
    found = ours.encode(text)
    assert found.ids == [int(token) for token in theirs(text)]
    assert all(0 <= start <= end <= len(text) for start, end in found.spans)
    assert found.spans == sorted(found.spans)


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """KerasHub's tokenizer of a kind and ours of the files that it saves."""
    made: dict[Any, Any] = {}

    def make(stem: str, **told: Any) -> Any:
        key = (stem, *told)
        if key not in made:
            theirs, folder = reference.tokenizer(stem, **told), tmp_path_factory.mktemp(stem)
            theirs.save_to_preset(str(folder))
            made[key] = theirs, read_tokens(folder, stem)[0]
        return made[key]

    return make


def test_byte_pairs_are_those_that_the_weights_were_trained_with(tokenizers: Any, tmp_path: Path) -> None:
    """Where spaces stand in a row KerasHub 0.32 has two ways, which differ, and neither is RoBERTa's.

    On Python's strings it takes the pattern by which texts are split for a text itself, so that none is.
    """
    import transformers

    vocabulary, merges = reference.byte_pairs()
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    (tmp_path / "merges.txt").write_text("\n".join(merges) + "\n")
    first = transformers.RobertaTokenizer.from_pretrained(tmp_path)
    theirs, ours = tokenizers("Roberta")
    for text in (*reference.HARD, *reference.LINES):
        wanted = first(text, add_special_tokens=False)["input_ids"]
        assert ours.encode(text).ids == wanted
        assert ([int(token) for token in theirs(text)] == wanted) == (text in PLAIN), text


def test_case_is_folded_as_keras_hub_folds_it() -> None:
    from keras_hub.src.utils.tensor_utils import casefold_utf8

    # All that is changed, or that may join what stands before it.
    every = (chr(number) for number in range(0x110000) if not 0xD800 <= number < 0xE000)
    letters = [sign for sign in every if casefold_utf8(sign) != sign or unicodedata.combining(sign)]
    assert len(letters) > 10_000
    for start in range(0, len(letters), 97):
        word = "".join(letters[start : start + 97])
        found, spans = folded(word, [(place, place + 1) for place in range(len(word))])
        assert found == casefold_utf8(word) and len(spans) == len(found)


def test_special_tokens_in_a_text_are_text(tokenizers: Any) -> None:
    for stem in STEMS:
        ours = tokenizers(stem)[1]
        special = set(ours.framed([], None))
        for text in ("a [CLS] b [SEP] [PAD]", "a <s> b </s> <pad> <mask> [MASK]"):
            assert special.isdisjoint(ours.encode(text).ids), stem


def test_pairs_are_cut_as_the_preset_says(tmp_path: Path) -> None:
    task = reference.saved(tmp_path, "Bert", truncate="waterfall")
    same_answers(reference.answers(tmp_path, PAIRS), task, PAIRS, "waterfall")
    # What is written down is followed; the first gets the odd one where they take turns.
    assert [round_robin(9, 9, room) for room in (7, 8)] == [(4, 3), (4, 4)]


def test_long_texts_are_read_in_windows(presets: Any) -> None:
    task = reference.task(presets("Roberta")[0])
    text = " ".join(reference.LINES)
    answer = task(text)
    assert len(answer.windows) > 3 and answer.windows[-1].end == len(text)
    with pytest.warns(UserWarning, match="left out"):
        task(text, long="truncate")


# What everyone gets.


@pytest.mark.parametrize("stem", ["Bert", "DistilBert", "FNet", "XLMRoberta"])
@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_explanations(stem: str, method: str, presets: Any) -> None:
    found = reference.task(presets(stem)[0]).explain("a good film, not bad", method)
    assert np.isfinite(found.values).all() and np.ptp(found.values) > 0
    if method == "integrated_gradients":
        assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02, abs=1e-3)


def test_other_classes_are_learned_on_what_the_preset_knows(presets: Any, tmp_path: Path) -> None:
    task = sa.load(TASK, presets("DistilBert")[0], device="cpu")
    before = trunk(task)
    examples = [("great good love", "up"), ("bad awful hate", "down")] * 4
    history = task.fit(examples, epochs=1, learning_rate=0.01, freeze=True, progress=False)
    assert history.replaced == ("head of 3 classes by one of 2",)
    assert all(np.array_equal(before[names], value) for names, value in trunk(task).items())
    task.fit(examples, epochs=12, learning_rate=0.02, progress=False)
    assert task("great good love").label == "up" and task("bad awful hate").label == "down"
    again = sa.load(TASK, task.save(tmp_path / "two"), device="cpu")
    assert again("bad awful hate").to_dict() == task("bad awful hate").to_dict()
    assert task.footprint("great", repeats=1).flops > 0


def test_a_new_network_has_no_tokenizer(presets: Any) -> None:
    config = reference.task(presets("Bert")[0]).model.config
    wanted = {name: config[name] for name in ("registered_name", "config", "head")}
    task = sa.new(TASK, family=TEXT_CLASSIFIER.family, device="cpu", **wanted)
    with pytest.raises(TrainingError, match="comes with a preset"):
        task.fit([("a", "b")] * 4, progress=False)


def test_labels(copy: Any) -> None:
    folder = copy()
    assert sa.load(TASK, folder).model.processor.labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    change(folder / "config.json", id2label={"0": "ant", "1": "bee", "2": "cow"})
    assert set(sa.load(TASK, folder, device="cpu")("a film").scores) == {"ant", "bee", "cow"}


def test_classes_that_do_not_exclude_one_another(tmp_path: Path) -> None:
    task = reference.saved(tmp_path, "DistilBert", head={"activation": "sigmoid"})
    mine = reference.task(tmp_path)
    scores = mine("a film").scores
    wanted = reference.published(task, ["a film"])[0][1]
    assert [scores[f"LABEL_{place}"] for place in range(3)] == pytest.approx(wanted.tolist(), abs=1e-4)
    assert not mine.model.processor.exclusive


def test_a_preset_comes_from_our_hub_pinned(server: Any, presets: Any, tmp_path: Path) -> None:
    """Its own files and no others."""
    for stem in ("Roberta", "Albert"):
        place = presets(stem)[0]
        files = {
            str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()
        }
        commit = server.add(f"keras/{stem}", {**files, "model.keras": b"not read", "assets/code.py": b""})
        task = sa.load(TASK, f"keras/{stem}", hub=Hub(tmp_path, endpoint=server.url, offline=False))
        assert task.reference == f"keras/{stem}@{commit}"
        fetched = {line.rsplit("/", 1)[-1] for line in server.seen(rf"GET .*{stem}/resolve/")}
        assert {"model.weights.h5", "task.weights.h5", "tokenizer.json"} <= fetched
        assert any(name.startswith("vocabulary.") for name in fetched)
        assert not fetched & {"model.keras", "code.py", "metadata.json"}


# Heads that would be random.


def test_a_head_that_is_not_there_is_refused(copy: Any) -> None:
    folder = copy("DistilBert")
    without(folder / "task.weights.h5", "layers/dense_1")
    with pytest.raises(CheckpointError, match=r"missing \(\d\): 'head/layers/"):
        sa.load(TASK, folder)
    (folder / "task.weights.h5").unlink()
    with pytest.raises(CheckpointError, match=r"no task\.weights\.h5.* random"):
        sa.load(TASK, folder)


def test_a_head_that_keras_hub_drew_while_it_converted_is_refused(tmp_path: Path) -> None:
    """KerasHub 0.32 converts DistilBERT's classifiers without their heads, and says nothing."""
    import keras_hub
    import transformers

    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "vocab.txt").write_text("\n".join(reference.word_pieces()))
    (tmp_path / "first" / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    sizes = {
        "dim": 8,
        "n_layers": 1,
        "n_heads": 2,
        "hidden_dim": 12,
        "vocab_size": len(reference.word_pieces()),
    }
    config = transformers.DistilBertConfig(**sizes, id2label={0: "no", 1: "yes"})
    transformers.DistilBertForSequenceClassification(config).save_pretrained(tmp_path / "first")
    task = keras_hub.models.TextClassifier.from_preset(str(tmp_path / "first"), num_classes=2)
    task.save_to_preset(str(tmp_path / "second"))
    with pytest.raises(CheckpointError, match=r"biases are all 0.* that was trained"):
        sa.load(TASK, tmp_path / "second")


# What strangers' files say.


@pytest.mark.parametrize(
    ("stem", "file", "changes", "told"),
    [
        ("Bert", "tokenizer.json", {"split": False}, "expected True"),
        ("Bert", "tokenizer.json", {"sequence_length": 7}, "expected None"),
        ("Bert", "tokenizer.json", {"oov_token": "[NONE]"}, "lacks"),
        ("Bert", "tokenizer.json", {"suffix_indicator": "#" * 500}, "a short text"),
        ("Albert", "tokenizer.json", {"add_bos": True}, "expected False"),
        ("Bert", "preprocessor.json", {"truncate": "longest"}, "round_robin or waterfall"),
        ("Bert", "preprocessor.json", {"sequence_length": 4}, "expected 6"),
        ("Bert", "preprocessor.json", {"sequence_length": "many"}, "expected 6"),
        ("Bert", "config.json", {"max_sequence_length": 10**9}, "expected 6|a whole number"),
        ("Bert", "config.json", {"vocabulary_size": 9}, "not of one preset"),
        ("Bert", "config.json", {"vocabulary_size": 2**20}, "of another shape"),
        ("Albert", "config.json", {"num_layers": 1000, "num_inner_repetitions": 1000}, "at most 1024"),
        ("Bert", "task.json", {"activation": "relu"}, "expected one of"),
        ("Bert", "task.json", {"num_classes": 4}, "of another shape"),
    ],
)
def test_a_setting_that_will_not_do_is_named(
    stem: str, file: str, changes: dict[str, Any], told: str, copy: Any
) -> None:
    folder = copy(stem)
    stated = json.loads((folder / file).read_text())["config"]
    change(folder / file, config=stated | changes)
    with within(), pytest.raises(CheckpointError, match=told):
        sa.load(TASK, folder)


@pytest.mark.parametrize("file", ["tokenizer.json", "preprocessor.json"])
def test_other_classes_than_the_networks_are_refused(file: str, copy: Any) -> None:
    folder = copy()
    for other in ("keras_hub>GPT2Tokenizer", "keras_hub>RobertaTextClassifierPreprocessor", "os>system", 3):
        change(folder / file, registered_name=other)
        with pytest.raises(CheckpointError, match=r"expected (a class of KerasHub|BertT)"):
            sa.load(TASK, folder)


@pytest.mark.parametrize(
    ("stem", "file", "content", "told"),
    [
        ("Bert", "vocabulary.txt", b"[UNK]\nword\n", r"lacks \[CLS\], \[SEP\], \[PAD\]"),
        ("Bert", "vocabulary.txt", b"[UNK]\n\xff\xfe", "makes no tokenizer"),
        ("Bert", "vocabulary.txt", b"[UNK]\n" + b"a" * 2000, "2000 characters"),
        (
            "Bert",
            "vocabulary.txt",
            b"[UNK]\n" + MANY,
            "at most 1048576",
        ),
        ("Roberta", "vocabulary.json", b"[1, 2]", "expected an object"),
        ("Roberta", "vocabulary.json", b'{"a": -1}', "whole numbers from 0"),
        ("Roberta", "vocabulary.json", b'{"a": 1}', "makes no tokenizer|lacks"),
        ("Roberta", "merges.txt", b"a b c\n", "expected two pieces"),
        ("Roberta", "merges.txt", b"alone\n", "expected two pieces"),
        ("Roberta", "merges.txt", b"unheard of\n", "makes no tokenizer"),
        ("Albert", "vocabulary.spm", b"", "empty"),
        ("Albert", "vocabulary.spm", b"\x00" * 100, "no SentencePiece model"),
    ],
)
def test_vocabularies_that_make_no_tokenizer(
    stem: str, file: str, content: bytes, told: str, copy: Any
) -> None:
    folder = copy(stem)
    (folder / "assets" / "tokenizer" / file).write_bytes(content)
    with within(), pytest.raises(CheckpointError, match=told):
        sa.load(TASK, folder)
    (folder / "assets" / "tokenizer" / file).unlink()
    with pytest.raises(CheckpointError, match=f"has no assets/tokenizer/{file}"):
        sa.load(TASK, folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_tokenizer_json_that_lies(data: st.DataObject, copy: Any, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    if not folder.exists():
        copy()
    base = json.loads((reference_of(folder)).read_text())
    (folder / "tokenizer.json").write_bytes(data.draw(mutated_json(base)))
    with within():
        try:
            assert read_tokens(folder, "Bert")[0].encode("a good film 😀").ids
        except SixartsError as error:
            assert len(str(error)) < 2000


def reference_of(folder: Path) -> Path:
    """The file as KerasHub wrote it."""
    kept = folder / "kept.json"
    if not kept.exists():
        shutil.copy(folder / "tokenizer.json", kept)
    return kept
