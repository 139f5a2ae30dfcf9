"""Search and sampling over a network that is a table, held against every sequence there is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from sixarts.device import Device, backend
from sixarts.errors import OptionError
from sixarts.generation import CHUNK, Generator, Search, largest
from sixarts.step_cache import past_bias, write_position

EOS, START = 0, 3
#: How much less likely a token gets each time that it was produced: it is known from the cache alone.
AGAIN = 0.7


class Table:
    """Logits ``[v, v]`` by the last token, given as an input; less for tokens that the cache remembers."""

    def __init__(self) -> None:
        self.device = Device.of("cpu")
        self.variables: list[Any] = []

    def encode(self, inputs: Mapping[str, Any]) -> Any:
        return ops.convert_to_tensor(inputs["table"])

    def empty_cache(self, rows: int, beams: int, length: int) -> Any:
        return {"seen": ops.zeros((rows, length * beams, 1))}

    def step(self, tokens: Any, index: Any, cache: Any, memory: Any, ancestors: Any) -> tuple[Any, Any]:
        rows, beams = tokens.shape
        size = memory.shape[-1]
        new = ops.reshape(ops.cast(tokens, "float32"), (rows, beams, 1))
        seen = write_position(cache["seen"], new, index, 1)
        past = past_bias(index, seen.shape[1] // beams, ancestors, "float32")[:, 0] == 0
        hits = ops.logical_and(seen[:, None] == ops.arange(size, dtype="float32"), past[..., None])
        counts = ops.sum(ops.cast(hits, "float32"), axis=2)
        last = ops.cast(tokens[..., None] == ops.arange(size, dtype="int32"), "float32")
        chosen = ops.sum(last[..., None] * memory[:, None], axis=2)
        return chosen - AGAIN * counts, {"seen": seen}


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(Table())


def tables(seed: int, rows: int = 6, size: int = 4) -> dict[str, np.ndarray]:
    return {"table": np.random.default_rng(seed).normal(0, 2, (rows, size, size)).astype("float32")}


def score(table: np.ndarray, tokens: tuple[int, ...]) -> float:
    """The log-probability of a sequence after the start token."""
    total, seen = 0.0, np.zeros(len(table))
    for before, token in itertools.pairwise((START, *tokens)):
        seen[before] += 1
        logits = table[before] - AGAIN * seen
        total += logits[token] - np.log(np.exp(logits).sum())
    return float(total)


def best(table: np.ndarray, max_length: int, penalty: float) -> tuple[float, tuple[int, ...]]:
    """The best of all sequences that end, or are full."""
    found = []
    for length in range(1, max_length):
        for tokens in itertools.product(range(len(table)), repeat=length):
            whole = EOS not in tokens[:-1] and (tokens[-1] == EOS or length == max_length - 1)
            if whole:
                found.append((score(table, tokens) / length**penalty, tokens))
    return max(found)


def trimmed(tokens: np.ndarray) -> tuple[int, ...]:
    """What comes after the start token, up to the end."""
    found = tokens[1:].tolist()
    return tuple(found[: found.index(EOS) + 1] if EOS in found else found)


def search(**options: Any) -> Search:
    return Search(**{"start": START, "eos": (EOS,), "pad": START, "max_length": 5} | options)


@pytest.mark.parametrize("penalty", [0.0, 0.5, 1.0, 2.0])
def test_wide_beams_find_the_best_sequence_of_all(generator: Generator, penalty: float) -> None:
    """With more beams than there are open hypotheses nothing is lost on the way."""
    inputs = tables(int(penalty * 10))
    found = generator(inputs, search(beams=40, length_penalty=penalty, early_stopping="never"))
    for row, table in enumerate(inputs["table"]):
        value, tokens = best(table, 5, penalty)
        assert trimmed(found["tokens"][row, 0]) == tokens
        assert found["scores"][row, 0] == pytest.approx(value, abs=1e-4)


def test_every_beam_carries_its_own_score_and_cache(generator: Generator) -> None:
    inputs = tables(3, rows=4)
    found = generator(inputs, search(beams=3, max_length=8, length_penalty=0.8))
    for row, table in enumerate(inputs["table"]):
        hypotheses = [trimmed(tokens) for tokens in found["tokens"][row]]
        assert len(set(hypotheses)) == 3
        for tokens, value in zip(hypotheses, found["scores"][row], strict=True):
            assert value == pytest.approx(score(table, tokens) / len(tokens) ** 0.8, abs=1e-4)
        assert list(found["scores"][row]) == sorted(found["scores"][row], reverse=True)


def test_greedy_takes_the_likeliest_each_time(generator: Generator) -> None:
    inputs = tables(4)
    found = generator(inputs, search(max_length=9))
    for row, table in enumerate(inputs["table"]):
        tokens: list[int] = []
        while len(tokens) < 8 and EOS not in tokens:
            seen = np.bincount([START, *tokens], minlength=4)
            tokens.append(int(np.argmax(table[[START, *tokens][-1]] - AGAIN * seen)))
        assert trimmed(found["tokens"][row, 0]) == tuple(tokens)
        assert found["scores"][row, 0] == pytest.approx(score(table, tuple(tokens)) / len(tokens), abs=1e-4)


@pytest.mark.parametrize("beams", [1, 3])
def test_sequences_grow_beyond_the_first_stage(generator: Generator, beams: int) -> None:
    """A table that counts 1, 2, 1, 2, … and ends at the very last position."""
    table = np.full((1, 4, 4), -50, "float32")
    table[0, [START, 1, 2], [1, 2, 1]] = 50
    found = generator({"table": table}, search(beams=beams, max_length=150, forced_eos=EOS))
    assert trimmed(found["tokens"][0, 0]) == (*([1, 2] * 75)[:148], EOS)


@pytest.mark.parametrize("beams", [1, 3])
def test_it_stops_when_every_row_is_done(generator: Generator, beams: int) -> None:
    table = np.zeros((2, 4, 4), "float32")
    table[:, :, EOS] = 50
    table[1, START] = [0, 50, 0, 0]
    found = generator({"table": table}, search(beams=beams, max_length=100, early_stopping=True))
    assert found["tokens"].shape[-1] < 8
    assert [trimmed(row[0]) for row in found["tokens"]] == [(EOS,), (1, EOS)]
    assert (found["tokens"][0, 0, 2:] == START).all()


@pytest.mark.parametrize("beams", [1, 4])
def test_what_is_suppressed_never_comes(generator: Generator, beams: int) -> None:
    inputs = tables(5, rows=8)
    found = generator(inputs, search(beams=beams, max_length=12, suppress=((2,), (1, 1), (3, 1, 3))))
    for tokens in found["tokens"].reshape(-1, found["tokens"].shape[-1]):
        text = (START, *trimmed(tokens))
        assert 2 not in text
        assert (1, 1) not in itertools.pairwise(text)
        assert (3, 1, 3) not in zip(text, text[1:], text[2:], strict=False)


def ngrams(text: Sequence[int], size: int) -> list[tuple[int, ...]]:
    return list(zip(*(text[start:] for start in range(size)), strict=False))


@pytest.mark.parametrize(("beams", "size"), [(1, 1), (1, 2), (3, 2), (3, 3)])
def test_no_ngram_comes_twice(generator: Generator, beams: int, size: int) -> None:
    inputs = tables(8, rows=8, size=9)
    how = search(beams=beams, max_length=9 if size == 1 else 40, no_repeat_ngram_size=size, eos=(8,))
    repeated = 0
    for options, allowed in ((how, 0), (replace(how, no_repeat_ngram_size=0), 8 * beams)):
        found = generator(inputs, options)["tokens"]
        texts = [[START, *tokens[1:].tolist()] for tokens in found.reshape(-1, found.shape[-1])]
        ended = [text[: text.index(8) + 1] if 8 in text else text for text in texts]
        repeated = sum(len(set(ngrams(text, size))) < len(ngrams(text, size)) for text in ended)
        assert repeated <= allowed
    assert repeated > 0  # without the option they do come


@pytest.mark.parametrize("beams", [1, 3])
def test_nothing_of_the_source_is_repeated(generator: Generator, beams: int) -> None:
    """What is not seen of it may come, and each row has a source of its own."""
    size, rows = 6, 5
    source = np.random.default_rng(2).integers(1, size, (rows, 12)).astype("int32")
    mask = np.ones_like(source)
    mask[:, 6:] = 0
    inputs = tables(9, rows, size) | {"input_ids": source, "attention_mask": mask}
    how = search(beams=beams, max_length=14, encoder_no_repeat_ngram_size=2, eos=(EOS,))
    found = generator(inputs, how)["tokens"]
    hidden = 0
    for row in range(rows):
        seen, unseen = (set(ngrams(part.tolist(), 2)) for part in (source[row, :6], source[row, 6:]))
        for tokens in found[row]:
            pairs = ngrams([START, *trimmed(tokens)], 2)
            assert not seen & set(pairs)
            hidden += len((unseen - seen) & set(pairs))
    assert hidden
    free = generator(inputs, replace(how, encoder_no_repeat_ngram_size=0))["tokens"]
    assert free.shape != found.shape or not np.array_equal(free, found)


def test_a_source_without_tokens_has_none_to_repeat(generator: Generator) -> None:
    with pytest.raises(OptionError, match="reads no tokens"):
        generator(tables(9), search(encoder_no_repeat_ngram_size=2))


@pytest.mark.parametrize("beams", [1, 3])
def test_no_end_comes_too_soon(generator: Generator, beams: int) -> None:
    """The start counts; several ends are held back alike; the longest length goes before the shortest."""
    table = np.zeros((2, 4, 4), "float32")
    table[:, :, EOS], table[:, :, 2] = 9, 8
    for shortest, longest, place in ((7, 20, 6), (0, 20, 0), (9, 5, 3)):
        how = search(beams=beams, max_length=longest, min_length=shortest, eos=(EOS, 2), early_stopping=True)
        tokens = generator({"table": table}, how)["tokens"][:, 0]
        after = [row[1:].tolist() for row in tokens]
        ends = [
            min((row.index(end) for end in (EOS, 2) if end in row), default=len(row) - 1) for row in after
        ]
        assert ends == [place, place]


@pytest.mark.parametrize("penalty", [1.7, 0.5])
def test_tokens_that_came_are_penalized(generator: Generator, penalty: float) -> None:
    inputs = tables(10, rows=6, size=6)
    found = generator(inputs, search(max_length=12, repetition_penalty=penalty))
    for row, table in enumerate(inputs["table"]):
        tokens: list[int] = []
        while len(tokens) < 11 and EOS not in tokens:
            seen = np.bincount([START, *tokens], minlength=6)
            logits = table[[START, *tokens][-1]] - AGAIN * seen
            less = np.where(logits < 0, logits * penalty, logits / penalty)
            tokens.append(int(np.argmax(np.where(seen > 0, less, logits))))
        assert trimmed(found["tokens"][row, 0]) == tuple(tokens)


def test_the_first_token_may_be_forced(generator: Generator) -> None:
    inputs = tables(11, rows=3)
    how = search(max_length=6, forced_bos=2)
    assert (generator(inputs, how)["tokens"][:, 0, 1] == 2).all()
    # What a caller forces goes before it, also where that is nothing.
    own = generator(inputs, how, forced=np.array([[1], [2], [1]]))["tokens"]
    assert own[:, 0, 1].tolist() == [1, 2, 1]
    free = generator(inputs, how, forced=np.zeros((3, 0)))["tokens"]
    assert np.array_equal(free, generator(inputs, replace(how, forced_bos=None))["tokens"])


def test_another_value_compiles_nothing() -> None:
    generator = Generator(Table())
    for shortest, penalty in ((3, 1.2), (5, 0.8)):
        generator(tables(12), search(max_length=8, min_length=shortest, repetition_penalty=penalty))
        assert len(generator._compiled) == 2


def test_several_ends(generator: Generator) -> None:
    found = generator(tables(6, rows=8), search(eos=(EOS, 2), max_length=20))
    for tokens in found["tokens"][:, 0]:
        after = tokens[1:].tolist()
        first = next(place for place, token in enumerate(after) if token in (EOS, 2))
        assert set(after[first + 1 :]) <= {START}


def test_a_draw_depends_on_the_seed_alone(generator: Generator) -> None:
    drawn = search(sample=True, max_length=12)
    one, same, other = (generator(tables(7), drawn, seed=seed)["tokens"] for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_draws_stay_within_top_k_and_top_p(generator: Generator) -> None:
    table = np.log(np.array([[[0.05, 0.5, 0.3, 0.15]] * 4], "float32")).repeat(500, axis=0)
    for options, allowed in (
        ({"top_k": 2}, {1, 2}),
        ({"top_p": 0.45}, {1}),
        ({"top_p": 0.6}, {1, 2}),
        ({"top_k": 3, "top_p": 0.99}, {1, 2, 3}),
        ({}, {0, 1, 2, 3}),
    ):
        found = generator({"table": table}, search(sample=True, max_length=2, **options), seed=3)
        # The start token was seen once and is less likely for that; the order stays.
        assert set(found["tokens"][:, 0, 1].tolist()) == allowed, options


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"beams": 0}, "beams=0; expected at least 1"),
        ({"max_length": 1}, "max_length=1"),
        ({"temperature": 0.0}, "temperature=0.0; expected above 0"),
        ({"temperature": float("nan")}, "temperature=nan"),
        ({"length_penalty": float("inf")}, "length_penalty=inf"),
        ({"top_k": -1}, "top_k=-1"),
        ({"top_p": 0.0}, "top_p=0.0"),
        ({"early_stopping": "sometimes"}, "early_stopping='sometimes'"),
        ({"beams": 2, "sample": True}, "sample=True; expected beams=1"),
        ({"min_length": -1}, "min_length=-1; expected 0 or more"),
        ({"repetition_penalty": 0.0}, "repetition_penalty=0.0; expected above 0"),
        ({"repetition_penalty": float("nan")}, "repetition_penalty=nan"),
        ({"no_repeat_ngram_size": -2}, "no_repeat_ngram_size=-2"),
        ({"encoder_no_repeat_ngram_size": -1}, "encoder_no_repeat_ngram_size=-1"),
    ],
)
def test_searches_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        search(**options)
    assert words in str(caught.value)


@pytest.mark.quick
def test_published_settings() -> None:
    found = Search.from_config(
        {
            "decoder_start_token_id": 9,
            "pad_token_id": 9,
            "eos_token_id": [0, 4],
            "bad_words_ids": [[9], [0], [1, 2]],
            "num_beams": 4,
            "max_length": 512,
            "early_stopping": None,
            "forced_eos_token_id": 0,
            "something_else": 1,
        }
    )
    assert found == Search(
        start=9, pad=9, eos=(0, 4), suppress=((9,), (1, 2)), beams=4, max_length=512, forced_eos=0
    )
    assert found.with_options(beams=None, top_k=5, unknown=1) == Search(
        start=9, pad=9, eos=(0, 4), suppress=((9,), (1, 2)), beams=4, max_length=512, forced_eos=0, top_k=5
    )


@pytest.mark.quick
def test_published_settings_of_summaries() -> None:
    """Lengths in new tokens go before those that count the start."""
    common = {"decoder_start_token_id": 2, "pad_token_id": 1, "eos_token_id": 2, "max_length": 142}
    said = {
        "min_length": 56,
        "no_repeat_ngram_size": 3,
        "encoder_no_repeat_ngram_size": 4,
        "repetition_penalty": 1.5,
        "forced_bos_token_id": 0,
    }
    plain = Search(start=2, pad=1, eos=(2,), max_length=142)
    told = {"no_repeat_ngram_size": 3, "encoder_no_repeat_ngram_size": 4, "repetition_penalty": 1.5}
    assert Search.from_config(common | said) == replace(plain, min_length=56, forced_bos=0, **told)
    new = {"max_new_tokens": 60, "min_new_tokens": 10}
    assert Search.from_config(common | said | new) == replace(
        plain, min_length=11, max_length=61, forced_bos=0, **told
    )
    assert plain.with_options(max_length=9, **new) == replace(plain, min_length=11, max_length=61)
    assert plain.with_options(max_new_tokens=None) == plain


@pytest.mark.quick
@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(1, 6), st.floats(0.1, 3), st.integers(0, 50))
def test_options_change_only_themselves(beams: int, temperature: float, top_k: int) -> None:
    found = search().with_options(beams=beams, temperature=temperature, top_k=top_k)
    assert (found.beams, found.temperature, found.top_k, found.max_length) == (beams, temperature, top_k, 5)


@pytest.mark.quick
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([3, CHUNK, 9 * CHUNK, 9 * CHUNK + 5, 3000]),
    data=st.data(),
)
@settings(max_examples=40, deadline=None)
def test_the_largest_are_those_of_a_sort(seed: int, size: int, data: st.DataObject) -> None:
    """Also where many are equal, or minus infinity."""
    random = np.random.default_rng(seed)
    scores = random.integers(-3, data.draw(st.sampled_from([-2, 2, 10**6])), (2, 3, size)).astype("float32")
    scores[random.random(scores.shape) < 0.2] = -np.inf
    count = data.draw(st.integers(1, min(size, 12)))
    values, places = (ops.convert_to_numpy(found) for found in largest(ops.convert_to_tensor(scores), count))
    expected = np.argsort(-scores, axis=-1, kind="stable")[..., :count]
    np.testing.assert_array_equal(values, np.take_along_axis(scores, expected, axis=-1))
    np.testing.assert_array_equal(np.take_along_axis(scores, places, axis=-1), values)
    assert (places < size).all()
    if backend() != "torch":  # whose own top_k takes any of equals
        finite = np.isfinite(values)
        np.testing.assert_array_equal(places[finite], expected[finite])
