"""The ``marian`` family against the published implementation, on every backend that is installed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import EOS, PAD, WORDS, configuration, same_tokens, saved, source

#: Examples are the same in every run: a compile is dear, and what fails must fail again.
drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def everywhere(backends: Mapping[str, Any], function: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What a function of ``reference`` returns here and in each worker, all at once."""
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, f"reference:{function}", *args, **kwargs)
            for name, worker in backends.items()
        }
        here = getattr(reference, function)(*args, **kwargs)
        return {"here": here, **{name: future.result() for name, future in waiting.items()}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Makes folders of their own: models are remembered by their folder's name."""
    numbers = itertools.count()
    place = tmp_path_factory.mktemp("marian")
    yield lambda: place / str(next(numbers))


@pytest.fixture(scope="module")
def small(folder: Any) -> tuple[Path, Any]:
    """One network, for what does not depend on the architecture."""
    place = folder()
    return place, saved(place, configuration(), seed=3)


# Architecture.


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    heads, other_heads = draw(st.sampled_from([(1, 1), (2, 4), (4, 2), (3, 1)]))
    each = draw(st.sampled_from([2, 3, 8]))
    return configuration(
        vocab_size=draw(st.sampled_from([WORDS, 57])),
        d_model=each * max(heads, other_heads),
        encoder_layers=draw(st.integers(1, 3)),
        decoder_layers=draw(st.integers(1, 3)),
        encoder_attention_heads=heads,
        decoder_attention_heads=other_heads,
        encoder_ffn_dim=draw(st.sampled_from([5, 16, 40])),
        decoder_ffn_dim=draw(st.sampled_from([7, 16, 33])),
        max_position_embeddings=draw(st.sampled_from([16, 31, 128])),
        scale_embedding=draw(st.booleans()),
    )


@pytest.mark.parametrize(
    ("shared", "tied", "activation"),
    [(True, True, "swish"), (False, True, "gelu"), (True, False, "relu"), (False, False, "gelu_new")],
)
def test_network_and_cached_steps(
    shared: bool, tied: bool, activation: str, folder: Any, backends: dict[str, Any]
) -> None:
    @settings(drawn, max_examples=2)
    @given(configurations(), st.integers(0, 2**20), st.integers(2, 9))
    def check(config: dict[str, Any], seed: int, length: int) -> None:
        config |= {
            "share_encoder_decoder_embeddings": shared,
            "tie_word_embeddings": tied,
            "activation_function": activation,
        }
        if not shared:
            config["decoder_vocab_size"] = WORDS
        place = folder()
        model = saved(place, config, seed)
        random = np.random.default_rng(seed)
        target = random.integers(1, WORDS - 1, (3, length)).astype("int32")
        target[:, 0] = PAD
        arrays = source(seed, length=12) | {"decoder_input_ids": target}
        wanted = reference.teacher_forced(model, arrays)
        for backend, found in everywhere(backends, "answers", str(place), arrays).items():
            # Padding positions of the encoder's output are read by nobody.
            seen = arrays["attention_mask"].astype(bool)
            for name, ours, theirs in (
                ("encoder", found["encoder"][seen], wanted["encoder"][seen]),
                ("logits", found["logits"], wanted["logits"]),
                ("cached logits", found["steps"], wanted["logits"]),
            ):
                np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4, err_msg=f"{name} on {backend}")

    check()


def test_positions_matter(small: tuple[Path, Any]) -> None:
    """The check above can fail: tokens in another order give another answer."""
    place, _ = small
    arrays = source(1) | {"decoder_input_ids": np.full((3, 2), PAD, "int32")}
    turned = arrays | {"input_ids": arrays["input_ids"][:, ::-1].copy()}
    one, other = (reference.answers(str(place), a)["logits"] for a in (arrays, turned))
    assert np.abs(one - other)[0].max() > 1e-2


# Search.

SEARCHES = st.fixed_dictionaries(
    {
        "num_beams": st.integers(1, 5),
        "early_stopping": st.sampled_from([False, True, "never"]),
        "length_penalty": st.sampled_from([1.0, 0.0, 0.6, 2.0, -0.5]),
        "max_length": st.sampled_from([2, 3, 9, 20, 32, 33, 45]),
        "forced_eos_token_id": st.sampled_from([None, EOS]),
        "renormalize_logits": st.booleans(),
        "eos_token_id": st.sampled_from([EOS, [EOS, 5]]),
        "bad_words_ids": st.sampled_from(
            [None, [[PAD]], [[PAD], [3, 4], [4, 4]], [[EOS], [7], [2, 2, 2], [PAD, 11]], [[8, 9]]]
        ),
    }
)


def check_search(
    place: Path, model: Any, search: dict[str, Any], inputs: Any, backends: dict[str, Any]
) -> None:
    """All hypotheses and scores of a search are the published ones, on every backend given."""
    if search["num_beams"] == 1:
        search = {**search, "early_stopping": False, "length_penalty": 1.0}
    wanted = reference.generated(model, inputs, search)
    for backend, (found,) in everywhere(backends, "searched", str(place), inputs, [search]).items():
        assert same_tokens(found["tokens"], wanted["tokens"]), (backend, found["tokens"], wanted["tokens"])
        if "scores" in wanted:
            np.testing.assert_allclose(found["scores"], wanted["scores"], rtol=1e-4, atol=1e-4)


@settings(drawn, max_examples=10)
@given(SEARCHES, st.integers(0, 2**20))
def test_sequences_are_the_published_ones(
    small: tuple[Path, Any], backends: dict[str, Any], search: dict[str, Any], seed: int
) -> None:
    check_search(*small, search, source(seed), backends)


@pytest.mark.parametrize("beams", [2, 3, 4, 5])
def test_beams_with_length_penalty(small: tuple[Path, Any], backends: dict[str, Any], beams: int) -> None:
    """As published checkpoints are set: padding suppressed, the end forced."""
    search = {
        "num_beams": beams,
        "length_penalty": [0.6, 1.0, 1.4, 2.0][beams - 2],
        "early_stopping": [False, True, "never", True][beams - 2],
        "max_length": [40, 12, 20, 36][beams - 2],
        "bad_words_ids": [[PAD]],
        "forced_eos_token_id": EOS,
        "renormalize_logits": True,
    }
    check_search(*small, search, source(100 + beams, rows=4), backends)


def test_a_suppressed_end_still_ends(small: tuple[Path, Any]) -> None:
    """Published checkpoints may list the end among bad words; the published search leaves it out."""
    place, model = small
    search = {"num_beams": 3, "bad_words_ids": [[EOS], [PAD]], "max_length": 24}
    check_search(place, model, search, source(5), {})
    (found,) = reference.searched(str(place), source(5), [search])
    assert (found["tokens"] == EOS).any()


def test_padding_changes_no_row(small: tuple[Path, Any]) -> None:
    """A row of a batch of mixed lengths is answered as it is alone."""
    place, _ = small
    inputs = source(0, rows=4, length=9)
    assert len(set(inputs["attention_mask"].sum(axis=1))) > 2
    for search, rows in (({"max_length": 24}, [1]), ({"num_beams": 4, "max_length": 24}, [2, 3])):
        (together,) = reference.searched(str(place), inputs, [search])
        for row in rows:
            size = int(inputs["attention_mask"][row].sum())
            alone = {name: array[row : row + 1, :size] for name, array in inputs.items()}
            (single,) = reference.searched(str(place), alone, [search])
            assert same_tokens(single["tokens"], together["tokens"][row : row + 1])
            np.testing.assert_allclose(single["scores"][0], together["scores"][row], rtol=1e-5, atol=1e-5)


# Sampling.


def test_one_seed_means_one_answer_everywhere(small: tuple[Path, Any], backends: dict[str, Any]) -> None:
    place, _ = small
    search = {"do_sample": True, "temperature": 0.9, "top_k": 20, "top_p": 0.95, "max_length": 24}
    found = {seed: everywhere(backends, "searched", str(place), source(7), [search], seed) for seed in (0, 1)}
    for answers in found.values():
        first = answers["here"][0]["tokens"]
        assert all(np.array_equal(first, other[0]["tokens"]) for other in answers.values())
    assert not same_tokens(found[0]["here"][0]["tokens"], found[1]["here"][0]["tokens"])


def test_sampling_from_one_token_is_greedy(small: tuple[Path, Any]) -> None:
    place, _ = small
    greedy, one, narrow = reference.searched(
        str(place),
        source(8),
        [{}, {"do_sample": True, "top_k": 1}, {"do_sample": True, "top_p": 1e-6}],
        seed=4,
    )
    assert same_tokens(one["tokens"], greedy["tokens"])
    assert same_tokens(narrow["tokens"], greedy["tokens"])


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"), [(1.0, 0, 1.0), (0.7, 0, 1.0), (1.0, 5, 1.0), (1.0, 0, 0.6)]
)
def test_sampling_draws_from_the_distribution(
    small: tuple[Path, Any], temperature: float, top_k: int, top_p: float
) -> None:
    """Pearson's chi-square of the first token of many rows against what the logits say."""
    place, _ = small
    rows = 4000
    inputs = {name: np.repeat(array[:1], rows, axis=0) for name, array in source(9).items()}
    logits = reference.answers(
        str(place),
        {name: array[:1] for name, array in inputs.items()}
        | {"decoder_input_ids": np.array([[PAD]], "int32")},
    )["logits"][0, 0].astype("float64")
    shares = np.exp(logits / temperature - np.max(logits / temperature))
    shares /= shares.sum()
    order = np.argsort(-shares)
    kept = np.ones(WORDS, bool)
    if top_k:
        kept[order[top_k:]] = False
    if top_p < 1:
        before = np.cumsum(shares[order]) - shares[order]
        kept[order[before >= top_p]] = False
    shares = np.where(kept, shares, 0)
    shares /= shares.sum()
    search = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p, "max_length": 2}
    (found,) = reference.searched(str(place), inputs, [search], seed=6)
    counts = np.bincount(found["tokens"][:, 0, 1], minlength=WORDS)
    assert not counts[~kept].any()
    # Cells of fewer than five expected draws are put together, as the test demands.
    large = shares * rows >= 5
    observed = np.append(counts[large], counts[~large].sum())
    expected = np.append(shares[large], shares[~large].sum()) * rows
    some = expected > 0
    chi_square = ((observed[some] - expected[some]) ** 2 / expected[some]).sum()
    freedom = some.sum() - 1
    assert chi_square < freedom + 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("beams", [1, 3])
def test_the_step_is_compiled_or_traced_on_every_backend(
    small: tuple[Path, Any], backends: dict[str, Any], beams: int
) -> None:
    """Python runs it a few times to see what it does, and not once a token."""
    search = {"num_beams": beams, "max_length": 30, "eos_token_id": WORDS - 2}
    arguments = (str(small[0]), source(3), search)
    found = {name: worker.call("reference:python_steps", *arguments) for name, worker in backends.items()}
    found["here"] = reference.python_steps(*arguments)
    assert all(steps <= 3 and length > 6 for steps, length in found.values()), found
