"""The families that write summaries against the published implementations, on every installed backend."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import summary_reference as reference
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from everywhere import everywhere
from hostile import mutated_json, within
from sixarts.checkpoint import open_weights, write_weights
from sixarts.errors import CheckpointError, SixartsError, TrainingError
from sixarts.layout import family_of
from sixarts.model import Model, read_json
from sixarts.plugins import registry, resolve
from sixarts_text.t5_layers import buckets

#: Examples are the same in every run: a compile is dear, and what fails must fail again. None is shrunk.
drawn = settings(
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("summaries")
    yield lambda: place / str(next(numbers))


SMALL = {
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 20,
    "decoder_ffn_dim": 12,
    "max_position_embeddings": 64,
}
SMALL_T5 = {
    "d_model": 12,
    "d_kv": 5,
    "num_heads": 3,
    "num_layers": 1,
    "d_ff": 20,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 20,
    "decoder_start_token_id": 0,
}


def small(kind: str) -> dict[str, Any]:
    return dict(SMALL_T5 if kind == "t5" else SMALL)


@pytest.fixture(scope="module")
def one(folder: Any) -> Any:
    """One network a family, for what does not depend on the architecture."""
    made: dict[str, tuple[Path, Any]] = {}

    def make(kind: str) -> tuple[Path, Any]:
        if kind not in made:
            place = folder()
            made[kind] = place, reference.saved(place, kind, small(kind), seed=3)
        return made[kind]

    return make


# Networks.


def held(place: Path, model: Any, seed: int, length: int, backends: Mapping[str, Any]) -> None:
    """Everything within 1e-4 of the published model's; saved again, the same weights."""
    target = np.random.default_rng(seed).integers(2, 60, (3, length)).astype("int32")
    target[:, 0] = model.config.decoder_start_token_id
    arrays = reference.source(model, seed) | {"decoder_input_ids": target}
    wanted = reference.teacher_forced(model, arrays)
    assert np.abs(wanted["logits"]).max() > 0.5
    # Padding positions of the encoder's output are read by nobody.
    seen = arrays["attention_mask"].astype(bool)
    for backend, found in everywhere(backends, reference, "answers", str(place), arrays).items():
        for name, ours, theirs in (
            ("encoder", found["encoder"][seen], wanted["encoder"][seen]),
            ("logits", found["logits"], wanted["logits"]),
            ("cached logits", found["steps"], wanted["logits"]),
        ):
            np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=f"{name} on {backend}")
    with tempfile.TemporaryDirectory() as copy:
        reference.opened(str(place)).save(Path(copy))
        before, after = open_weights(place), open_weights(Path(copy))
        # The library stores a table beside those that are not tied to it; nothing reads it.
        assert set(before) - set(after) <= {"model.shared.weight"} and set(after) <= set(before)
        assert all(np.array_equal(before.read(name), after.read(name)) for name in after)


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    heads, other_heads = draw(st.sampled_from([(1, 1), (2, 4), (4, 2), (3, 1)]))
    return {
        "d_model": draw(st.sampled_from([2, 3, 8])) * max(heads, other_heads) * 2,
        "encoder_layers": draw(st.integers(1, 3)),
        "decoder_layers": draw(st.integers(1, 3)),
        "encoder_attention_heads": heads,
        "decoder_attention_heads": other_heads,
        "encoder_ffn_dim": draw(st.sampled_from([5, 16, 40])),
        "decoder_ffn_dim": draw(st.sampled_from([7, 16, 33])),
        "max_position_embeddings": draw(st.sampled_from([16, 31, 128])),
        "scale_embedding": draw(st.booleans()),
        "activation_function": draw(st.sampled_from(["gelu", "relu", "swish", "gelu_new"])),
        # What old files say of a layout that has but one; published networks do not read it either.
        "add_final_layer_norm": draw(st.booleans()),
    }


@pytest.mark.parametrize(
    ("kind", "tied"), [("bart", True), ("bart", False), ("pegasus", True), ("pegasus", False)]
)
def test_bart_and_pegasus(kind: str, tied: bool, folder: Any, backends: dict[str, Any]) -> None:
    @settings(drawn, max_examples=2 if tied else 1)
    @given(configurations(), st.integers(0, 2**20), st.integers(2, 9))
    def check(config: dict[str, Any], seed: int, length: int) -> None:
        place = folder()
        model = reference.saved(place, kind, config | {"tie_word_embeddings": tied}, seed)
        held(place, model, seed, length, backends)

    check()


@st.composite
def t5_configurations(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.sampled_from([4, 6, 8, 32]))
    return {
        "d_model": draw(st.sampled_from([6, 10, 16])),
        "d_kv": draw(st.sampled_from([2, 5, 8])),
        "num_heads": draw(st.integers(1, 3)),
        "num_layers": draw(st.integers(1, 3)),
        "num_decoder_layers": draw(st.sampled_from([None, 1, 2])),
        "d_ff": draw(st.sampled_from([7, 24])),
        "relative_attention_num_buckets": count,
        "relative_attention_max_distance": draw(st.sampled_from([count, count + 3, 128])),
        "feed_forward_proj": draw(
            st.sampled_from(["relu", "gated-gelu", "gated-silu", "gelu", "gated-relu"])
        ),
        "layer_norm_epsilon": draw(st.sampled_from([1e-6, 1e-3])),
        "decoder_start_token_id": 0,
    }


@pytest.mark.parametrize("tied", [True, False])
def test_t5(tied: bool, folder: Any, backends: dict[str, Any]) -> None:
    """Version 1.1 and FLAN-T5 have a head of their own and do not scale what it reads."""

    @settings(drawn, max_examples=2)
    @given(t5_configurations(), st.integers(0, 2**20), st.integers(2, 12))
    def check(config: dict[str, Any], seed: int, length: int) -> None:
        place = folder()
        config |= {"tie_word_embeddings": tied}
        model = reference.saved(place, "t5", config, seed, untied=not tied)
        held(place, model, seed, length, backends)

    check()


@pytest.mark.parametrize("untied", [True, False])
def test_t5_as_newer_versions_save_it(untied: bool, folder: Any) -> None:
    """They say of every table that it is tied; the weights tell whether it is."""
    place = folder()
    reference.write_tokenizer(place, "t5")
    config = small("t5") | {
        "vocab_size": 420,
        "tie_word_embeddings": False,
        "feed_forward_proj": "gated-gelu",
    }
    model = reference.published("t5", config, 5, untied)
    model.save_pretrained(place)
    stated = read_json(place / "config.json")
    assert stated["tie_word_embeddings"] and not stated["scale_decoder_outputs"]
    assert ("lm_head.weight" in open_weights(place)) is untied
    held(place, model, 1, 5, {})


@pytest.mark.quick
@given(count=st.integers(2, 64), ratio=st.floats(1.1, 40), distances=st.integers(1, 300), both=st.booleans())
@settings(max_examples=150, deadline=None)
def test_distances_fall_into_the_published_buckets(
    count: int, ratio: float, distances: int, both: bool
) -> None:
    import torch
    from transformers.models.t5.modeling_t5 import T5Attention

    count = 2 * count
    farthest = int(count * ratio)
    wanted = T5Attention._relative_position_bucket(-torch.arange(distances), both, count, farthest)
    found = buckets(distances, count // 2 if both else count, farthest)
    np.testing.assert_array_equal(found, wanted.numpy())


def test_positions_and_masks_matter(one: Any) -> None:
    """The checks above can fail: tokens in another order, or not seen, give another answer."""
    for kind in reference.KINDS:
        place, model = one(kind)
        target = np.full((3, 3), model.config.decoder_start_token_id, "int32")
        arrays = reference.source(model, 1, full=True) | {"decoder_input_ids": target}
        turned = arrays | {"input_ids": arrays["input_ids"][:, ::-1].copy()}
        hidden = arrays | {"attention_mask": arrays["attention_mask"] * np.arange(12, dtype="int32") % 2}
        first, *others = (reference.answers(str(place), a)["logits"] for a in (arrays, turned, hidden))
        assert all(np.abs(first - other).max() > 1e-2 for other in others), kind


def test_positions_by_formula_need_no_table(folder: Any) -> None:
    """Of Pegasus some files carry the table, others leave it out."""
    place, copy = folder(), folder()
    model = reference.saved(place, "pegasus", SMALL, 2)
    for file in place.iterdir():
        copy.mkdir(exist_ok=True)
        (copy / file.name).write_bytes(file.read_bytes())
    weights = open_weights(place)
    kept = {name: weights.read(name) for name in weights if "embed_positions" not in name}
    assert len(kept) == len(weights) - 2
    write_weights(copy / "model.safetensors", kept)
    held(copy, model, 4, 6, {})


# Search.


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    """Every setting that published summarizers use, together with any other."""
    found = {
        "num_beams": draw(st.sampled_from([1, 2, 4])),
        "max_length": draw(st.sampled_from([9, 20, 35])),
        "no_repeat_ngram_size": draw(st.sampled_from([0, 1, 2, 3, 4])),
        "encoder_no_repeat_ngram_size": draw(st.sampled_from([0, 0, 1, 2, 3])),
        "repetition_penalty": draw(st.sampled_from([1.0, 1.3, 0.7, 2.5])),
        "min_length": draw(st.sampled_from([0, 5, 15, 40])),
        "min_new_tokens": draw(st.sampled_from([None, None, 3, 12])),
        "max_new_tokens": draw(st.sampled_from([None, None, 7])),
        "forced_bos_token_id": draw(st.sampled_from([None, 0, 9])),
        "forced_eos_token_id": draw(st.sampled_from([None, "eos"])),
        "bad_words_ids": draw(st.sampled_from([None, [[5], [8, 9]]])),
    }
    if found["num_beams"] > 1:
        found["length_penalty"] = draw(st.sampled_from([0.8, 1.0, 2.0]))
        found["early_stopping"] = draw(st.sampled_from([True, False, "never"]))
    return found


def check_search(place: Path, model: Any, search: dict[str, Any], inputs: Any, backends: Any) -> None:
    """All hypotheses and scores of a search are the published ones, on every backend given."""
    wanted = reference.generated(model, inputs, search)
    for backend, (found,) in everywhere(
        backends, reference, "searched", str(place), inputs, [search]
    ).items():
        assert reference.same_tokens(found["tokens"], wanted["tokens"], model.config), (
            backend,
            found["tokens"],
            wanted["tokens"],
        )
        if "scores" in wanted:
            np.testing.assert_allclose(found["scores"], wanted["scores"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", reference.KINDS)
def test_sequences_are_the_published_ones(kind: str, one: Any, backends: dict[str, Any]) -> None:
    place, model = one(kind)

    @settings(drawn, max_examples=3)
    @given(searches(), st.integers(0, 2**20))
    def check(search: dict[str, Any], seed: int) -> None:
        if search["forced_eos_token_id"]:
            search = {**search, "forced_eos_token_id": model.config.eos_token_id}
        # Padding of a source counts as its text there, and not here.
        full = search["encoder_no_repeat_ngram_size"] > 0
        check_search(place, model, search, reference.source(model, seed, full=full), backends)

    check()


#: As ``facebook/bart-large-cnn``, ``google/pegasus-cnn_dailymail`` and ``google-t5/t5-small`` state it.
AUTHORS: dict[str, dict[str, Any]] = {
    "bart": {
        "num_beams": 4,
        "length_penalty": 2.0,
        "no_repeat_ngram_size": 3,
        "min_length": 56,
        "max_length": 142,
        "early_stopping": True,
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 2,
    },
    "pegasus": {"num_beams": 8, "length_penalty": 0.8, "max_length": 128, "forced_eos_token_id": 1},
    "t5": {
        "num_beams": 4,
        "length_penalty": 2.0,
        "no_repeat_ngram_size": 3,
        "min_length": 30,
        "max_length": 200,
        "early_stopping": True,
    },
}


@pytest.mark.parametrize("kind", reference.KINDS)
def test_what_the_authors_say_is_the_default(kind: str, folder: Any, backends: dict[str, Any]) -> None:
    place, said = folder(), AUTHORS[kind]
    sizes = small(kind) | ({} if kind == "t5" else {"max_position_embeddings": 160})
    model = reference.saved(place, kind, sizes, seed=7)
    config = read_json(place / "config.json")
    if kind == "t5":
        config["task_specific_params"] = {"summarization": {**said, "prefix": "summarize: "}}
        (place / "generation_config.json").write_text(json.dumps({"num_beams": 1, "eos_token_id": 1}))
    else:
        (place / "generation_config.json").write_text(json.dumps(said))
    (place / "config.json").write_text(json.dumps(config))
    ours = reference.opened(str(place))
    assert ours.processor.prefix == ("summarize: " if kind == "t5" else "")
    search = ours.search
    stated = (search.beams, search.length_penalty, search.no_repeat_ngram_size, search.min_length)
    wanted = (said["num_beams"], said["length_penalty"], said.get("no_repeat_ngram_size", 0))
    assert stated == (*wanted, said.get("min_length", 0))
    assert (search.forced_bos, search.max_length) == (said.get("forced_bos_token_id"), said["max_length"])
    inputs = reference.source(model, 5)
    found = ours.generator(inputs, search)["tokens"]
    assert reference.same_tokens(found, reference.generated(model, inputs, said)["tokens"], model.config)
    with tempfile.TemporaryDirectory() as copy:
        ours.save(Path(copy))
        again = type(ours).from_folder(Path(copy))
        assert again.search == search and again.processor.prefix == ours.processor.prefix


@pytest.mark.parametrize("beams", [1, 3])
def test_the_step_is_compiled_or_traced_on_every_backend(
    one: Any, backends: dict[str, Any], beams: int
) -> None:
    """Python runs it a few times to see what it does, and not once a token."""
    place, model = one("t5")
    search = {
        "num_beams": beams,
        "max_length": 30,
        "min_length": 30,
        "no_repeat_ngram_size": 2,
        "encoder_no_repeat_ngram_size": 3,
        "repetition_penalty": 1.2,
    }
    found = everywhere(backends, reference, "python_steps", str(place), reference.source(model, 3), search)
    assert all(steps <= 3 and length > 6 for steps, length in found.values()), found


# What files say.


def family(place: Path) -> type[Model]:
    found = family_of(list(registry().families("text -> summary")), read_json(place / "config.json"))
    kind: type[Model] = resolve(found.model)
    return kind


def changed(place: Path, copy: Path, **config: Any) -> Path:
    """A copy of a folder with other values in its configuration."""
    for file in place.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    stated = json.loads((copy / "config.json").read_text()) | config
    (copy / "config.json").write_text(json.dumps(stated))
    return copy


@pytest.mark.parametrize(
    ("kind", "wrong", "told"),
    [
        ("bart", {"architectures": ["BartModel"]}, "BartForConditionalGeneration"),
        ("bart", {"architectures": ["BartForSequenceClassification"]}, "BartForConditionalGeneration"),
        ("pegasus", {"architectures": ["PegasusModel"]}, "PegasusForConditionalGeneration"),
        ("t5", {"architectures": ["T5EncoderModel"]}, "T5ForConditionalGeneration"),
        ("bart", {"d_model": 10**9}, "d_model"),
        ("bart", {"encoder_attention_heads": 3}, "divisor"),
        ("bart", {"no_repeat_ngram_size": -1}, "no_repeat_ngram_size"),
        ("bart", {"repetition_penalty": 0}, "repetition_penalty"),
        ("bart", {"forced_bos_token_id": 10**6}, "forced_bos_token_id"),
        ("bart", {"task_specific_params": {"summarization": {"num_beams": 0}}}, "num_beams"),
        ("bart", {"max_position_embeddings": 3}, "expected 4 or more"),
        ("bart", {"vocab_size": 50}, "not of one model"),
        ("t5", {"d_kv": 0}, "d_kv"),
        ("t5", {"num_layers": 10**6}, "num_layers"),
        ("t5", {"relative_attention_max_distance": 2**40}, "relative_attention_max_distance"),
        ("t5", {"relative_attention_max_distance": 4}, "half the buckets"),
        ("t5", {"feed_forward_proj": "soft-gelu"}, "feed_forward_proj"),
        ("t5", {"feed_forward_proj": "gated-nothing"}, "nothing"),
        ("t5", {"vocab_size": 2**24}, "than the weights have bytes"),
        ("t5", {"task_specific_params": {"summarization": {"prefix": "x" * 5000}}}, "prefix"),
        ("t5", {"task_specific_params": {"summarization": {"min_length": "long"}}}, "min_length"),
    ],
)
def test_configurations_that_cannot_be_followed_are_named(
    kind: str, wrong: dict[str, Any], told: str, one: Any, tmp_path: Path
) -> None:
    place = changed(one(kind)[0], tmp_path, **wrong)
    with within(60), pytest.raises(CheckpointError, match=told):
        family(place).from_folder(place)


def test_a_start_that_is_stated_nowhere_is_named(one: Any, tmp_path: Path) -> None:
    place = changed(one("pegasus")[0], tmp_path, decoder_start_token_id=None)
    (place / "generation_config.json").unlink()
    with pytest.raises(CheckpointError, match="states no decoder_start_token_id"):
        family(place).from_folder(place)


@pytest.mark.parametrize("kind", reference.KINDS)
def test_a_folder_whose_config_lies_is_a_model_or_a_typed_error(kind: str, one: Any, tmp_path: Path) -> None:
    place = changed(one(kind)[0], tmp_path)
    config = read_json(place / "config.json")

    @settings(drawn, max_examples=8)
    @given(data=mutated_json(config))
    def check(data: bytes) -> None:
        (place / "config.json").write_bytes(data)
        with within(60):
            try:
                assert family(place).from_folder(place).search.max_length >= 2
            except SixartsError as error:
                assert len(str(error)) < 3000

    check()


def test_a_vocabulary_may_be_one_smaller_than_its_tokenizer(folder: Any) -> None:
    """As that of ``facebook/bart-large-cnn``: the mask, its last token, is never read from a text."""
    place = folder()
    size = reference.write_tokenizer(place, "bart")
    vocabulary = json.loads((place / "vocab.json").read_text())
    mask = vocabulary.pop("<mask>")
    numbered = {word: number - (number > mask) for word, number in vocabulary.items()}
    (place / "vocab.json").write_text(json.dumps({**numbered, "<mask>": size - 1}))
    model = reference.published("bart", SMALL | {"vocab_size": size - 1}, 0)
    model.save_pretrained(place)
    ours = reference.opened(str(place))
    (ids,) = ours.processor.encode(["a <mask> dog"])
    assert ids.max() < size - 1


def test_a_new_model_says_where_its_tokenizer_comes_from(one: Any) -> None:
    kind = family(one("bart")[0])
    model = kind(kind.configure(**SMALL), None)
    with pytest.raises(TrainingError, match="comes with a checkpoint"):
        model.learned_from([["A sentence."]], 1)


@given(length=st.integers(1, 40))
@settings(drawn, max_examples=5)
def test_operations_grow_with_what_is_read_and_written(length: int, one: Any) -> None:
    for kind in reference.KINDS:
        model = reference.opened(str(one(kind)[0]))
        assert 0 < model.flops(length, 5, 1) < model.flops(length + 1, 5, 1) < model.flops(length + 1, 6, 2)
