"""The families of many languages against the published implementation, on every backend that is installed."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
import reference_languages
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import same_tokens
from reference_languages import EOS, LAYOUTS, PAD, padded, saved
from test_marian_reference import drawn, everywhere

import sixarts as sa
from sixarts.errors import InputError, OptionError
from sixarts_translation.multilingual_processor import MultilingualProcessor

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("languages")
    yield lambda: place / str(next(numbers))


@pytest.fixture(scope="module", params=LAYOUTS)
def layout(request: pytest.FixtureRequest, folder: Any) -> tuple[str, Path, Any]:
    """One small model a layout."""
    place = folder()
    return request.param, place, saved(place, request.param, seed=5)


def arrays_of(seed: int, rows: int = 3) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return padded([[*random.integers(4, 100, random.integers(2, 12)).tolist(), EOS] for _ in range(rows)])


# Networks.


@st.composite
def changes(draw: st.DrawFn) -> dict[str, Any]:
    heads, other_heads = draw(st.sampled_from([(1, 1), (2, 4), (4, 2), (3, 1)]))
    return {
        "d_model": draw(st.sampled_from([4, 5, 8])) * max(heads, other_heads),
        "encoder_layers": draw(st.integers(1, 3)),
        "decoder_layers": draw(st.integers(1, 3)),
        "encoder_attention_heads": heads,
        "decoder_attention_heads": other_heads,
        "encoder_ffn_dim": draw(st.sampled_from([5, 16])),
        "decoder_ffn_dim": draw(st.sampled_from([7, 33])),
        "max_position_embeddings": draw(st.sampled_from([16, 31, 64])),
        "scale_embedding": draw(st.booleans()),
        "activation_function": draw(st.sampled_from(["relu", "gelu", "swish"])),
    }


@pytest.mark.parametrize("name", ["m2m100", "mbart50"])
@pytest.mark.parametrize("tied", [True, False])
def test_network_and_cached_steps(name: str, tied: bool, folder: Any, backends: dict[str, Any]) -> None:
    @settings(drawn, max_examples=2)
    @given(changes(), st.integers(0, 2**20), st.integers(2, 9))
    def check(config: dict[str, Any], seed: int, length: int) -> None:
        place = folder()
        model = saved(place, name, seed, tie_word_embeddings=tied, **config)
        target = np.random.default_rng(seed).integers(4, 100, (3, length)).astype("int32")
        target[:, 0] = EOS
        arrays = arrays_of(seed) | {"decoder_input_ids": target}
        wanted = reference.teacher_forced(model, arrays)
        seen = arrays["attention_mask"].astype(bool)
        for backend, found in everywhere(backends, "answers", str(place), arrays).items():
            for what, ours, theirs in (
                ("encoder", found["encoder"][seen], wanted["encoder"][seen]),
                ("logits", found["logits"], wanted["logits"]),
                ("cached logits", found["steps"], wanted["logits"]),
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=f"{what} on {backend}")

    check()


# Search.


@pytest.mark.parametrize(
    ("beams", "search"),
    [
        (1, {}),
        (4, {"length_penalty": 0.6, "early_stopping": True}),
        (3, {"forced_eos_token_id": EOS, "length_penalty": 2.0, "max_length": 9}),
        (5, {"early_stopping": "never", "bad_words_ids": [[PAD], [7, 8]]}),
    ],
)
def test_sequences_in_a_language(
    layout: tuple[str, Path, Any], backends: dict[str, Any], beams: int, search: dict[str, Any]
) -> None:
    name, place, model = layout
    processor = reference.opened(str(place)).processor
    inputs = arrays_of(beams, rows=4)
    opening = processor.opening(f">>{LAYOUTS[name][2]}<< x")
    if opening.start is None:
        (forced,) = opening.forced
        theirs, ours = {"forced_bos_token_id": forced}, {"forced": np.full((4, 1), forced)}
    else:
        theirs, ours = {"decoder_start_token_id": opening.start}, {"start": np.full(4, opening.start)}
    wanted = reference_languages.generated(model, inputs, search | theirs, beams)
    common = {"pad_token_id": PAD, "eos_token_id": EOS, "decoder_start_token_id": EOS, "num_beams": beams}
    answers = everywhere(backends, "searched", str(place), inputs, [common | search], **ours)
    for backend, (found,) in answers.items():
        assert same_tokens(found["tokens"], wanted["tokens"], PAD), backend
        if beams > 1:
            np.testing.assert_allclose(found["scores"], wanted["scores"], rtol=1e-4, atol=1e-4)


def test_rows_of_one_batch_in_several_languages(folder: Any) -> None:
    place = folder()
    saved(place, "m2m100", seed=6)
    translate = sa.load("translation", place, device="cpu", source="en", max_length=12)
    texts = [">>fr<< the quick fox", ">>de<< the quick fox", ">>Japanese<< the lazy dog"]
    together = [answer.text for answer in translate(texts)]
    assert together == [translate(text).text for text in texts]
    codes = [">>fr<<", ">>de<<", ">>ja<<"]
    again = [
        translate(text[text.index("<<") + 3 :], target=code[2:-2]).text
        for text, code in zip(texts, codes, strict=True)
    ]
    assert together == again


# Tokens.


@pytest.fixture(scope="module")
def tokenizer(layout: tuple[str, Path, Any], folder: Any) -> tuple[Any, Path]:
    """The published tokenizer of the layout, and where it is saved as one file."""
    name, place, _ = layout
    saved_to = folder()
    return reference_languages.published_tokenizer(place, name, saved_to), saved_to


#: Text that every published tokenizer cuts alike: at the rims, and where mBART's published conversion lost
#: SentencePiece's normalization, they differ from each other.
WORDS = unicodedata.normalize("NFKC", reference.TEXT).split()
TEXTS = (
    st.text(max_size=30)
    .map(lambda text: unicodedata.normalize("NFKC", text))
    .map(lambda text: " ".join("".join(c for c in text if unicodedata.category(c)[0] != "C").split()))
)


@settings(drawn, max_examples=80)
@given(text=st.one_of(TEXTS, st.lists(st.sampled_from(WORDS), max_size=9).map("  ".join)))
def test_tokens_are_the_published_ones(
    layout: tuple[str, Path, Any], tokenizer: tuple[Any, Path], text: str
) -> None:
    name, place, _ = layout
    source, target = LAYOUTS[name][1:]
    theirs, _ = tokenizer
    ours = reference.opened(str(place)).processor
    # What looks like a special token is one to them and text to us.
    assume(not any(word in text for word in theirs.all_special_tokens))
    tokens = theirs(text)["input_ids"]
    assert ours.encode(text, source) == tokens
    assert ours.encode_target(text, target) == theirs(text_target=text)["input_ids"]
    said = theirs.decode(tokens, skip_special_tokens=True).replace(f"__{source}__", "")
    assert ours.decode([token for token in tokens if token != EOS]) == said.strip()


def test_one_file_holds_the_same(layout: tuple[str, Path, Any], tokenizer: tuple[Any, Path]) -> None:
    """What is saved of a fine-tuned model is read as what was published."""
    name, place, _ = layout
    model = reference.opened(str(place))
    one, other = MultilingualProcessor.from_folder(tokenizer[1], model.config), model.processor
    assert one.codes == other.codes
    source = LAYOUTS[name][1]
    for text in (" ".join(WORDS), "dog", "two  spaces", "漢字 fox"):
        assert one.encode(text, source) == other.encode(text, source), text
        assert one.decode(one.encode(text, source)[: -1 - one.code_last]) == other.decode(
            other.encode(text, source)[: -1 - one.code_last]
        )
    # A text is text: no special token can be smuggled in.
    for processor in (one, other):
        assert processor.encode("a</s>b", source).count(EOS) == 1
        assert processor.encode(f"a {source} b", source).count(processor.codes[source]) == 1


# Languages.


def test_languages_by_name_and_code(layout: tuple[str, Path, Any], tmp_path: Path) -> None:
    name, place, _ = layout
    source, target = LAYOUTS[name][1:]
    from sixarts_translation.languages import display_name

    translate = sa.load("translation", place, device="cpu", max_length=8)
    text = "the lazy dog"
    wanted = translate(text, source=source, target=target)
    assert translate(text, source="English", target=display_name(target).split(" (")[0]) == wanted
    assert translate(f">>{target}<< {text}", source="en") == wanted
    with pytest.raises(OptionError, match="none is chosen; give source="):
        translate(text, target=target)
    with pytest.raises(OptionError, match="none is chosen; give target="):
        translate(text, source=source)
    with pytest.raises(OptionError, match=r"nearest: .*French"):
        translate(text, source=source, target="Frensh")
    with pytest.raises(InputError, match="Klingon"):
        translate(f">>Klingon<< {text}", source=source)
    again = sa.load("translation", translate.save(tmp_path / "m"), device="cpu", max_length=8)
    assert again(text, source=source, target=target) == wanted


def test_fine_tuning_in_one_direction(folder: Any) -> None:
    place = folder()
    saved(place, "mbart", seed=7)
    translate = sa.load("translation", place, device="cpu", source="en", target="ro", max_length=12)
    pairs = [("the lazy dog", "quick fox"), ("quick fox", "the lazy dog")]
    translate.fit(pairs, epochs=60, learning_rate=1e-2, label_smoothing=0.0, batch_size=2)
    assert [answer.text for answer in translate([one for one, _ in pairs])] == [other for _, other in pairs]


def test_an_explanation_leaves_the_language_out(folder: Any) -> None:
    place = folder()
    saved(place, "nllb", seed=8)
    translate = sa.load("translation", place, device="cpu", source="en", target="fr", max_length=6)
    found = translate.explain("the lazy dog", method="attention")
    assert found.input_labels[0] == "eng_Latn" and "fra_Latn" not in found.target_labels
    assert found.values.shape == (len(found.target_labels), len(found.input_labels))


def test_the_checkpoint_names_its_target(folder: Any) -> None:
    place = folder()
    saved(place, "mbart", seed=9, decoder_start_token_id=reference_start("mbart"))
    processor = reference.opened(str(place)).processor
    assert processor.default_target == "ro_RO"
    translate = sa.load("translation", place, device="cpu", source="en_XX", max_length=6)
    assert translate("the lazy dog") == translate("the lazy dog", target="Romanian")


def reference_start(name: str) -> int:
    """The number of the layout's target language."""
    import sentencepiece

    from sixarts_translation.published_languages import LANGUAGES

    size = sentencepiece.SentencePieceProcessor(model_proto=reference_languages.pieces()).get_piece_size()
    return size + 1 + LANGUAGES[reference_languages.CLASSES[name]].index(LAYOUTS[name][2])
