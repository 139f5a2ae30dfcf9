"""Streams: order, shared batches, windows, failures, constant memory; and batches for training."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import Engine

from sixarts.batching import TRAINING_LENGTHS, WINDOW, Batch, Round, bucket, rows_bucket, shuffled, stream
from sixarts.errors import InputError

pytestmark = pytest.mark.quick

quickly = settings(deadline=None, derandomize=True, database=None)
INPUTS = st.lists(
    st.lists(st.integers(0, 40), max_size=5) | st.sampled_from(["bad", [3, "broken"]]), max_size=30
)


def failure(error: InputError) -> Any:
    return ("failed", error.index, error.reason)


def wanted(x: Any, index: int) -> Any:
    if x == "bad":
        return ("failed", index, "it is bad")
    if "broken" in x:
        return ("failed", index, "a piece is broken")
    if 13 in x:
        return ("failed", index, "13 cannot be answered")
    return [piece**2 for piece in x]


@quickly
@given(INPUTS, st.integers(1, 5), st.booleans(), st.integers(1, 3))
def test_every_input_gets_its_own_answer_in_order(
    inputs: Any, size: int, sequential: bool, shapes: int
) -> None:
    engine = Engine(sequential, shapes)
    found = list(stream(engine, iter(inputs), None, size, failure))
    assert found == [wanted(x, index) for index, x in enumerate(inputs)]
    assert all(0 < len(batch) <= size for batch in engine.batches)
    assert all(len({piece % shapes for piece in batch}) == 1 for batch in engine.batches)


def test_pieces_of_several_inputs_share_batches_of_like_size() -> None:
    engine = Engine()
    inputs = [[n, 90 - n] for n in range(20, 36)]
    list(stream(engine, inputs, None, 4, failure))
    assert sum(map(len, engine.batches)) == 32
    assert len(engine.batches) == 8
    # Once the window is wider than a batch, small pieces do not go with large ones.
    assert all(max(batch) - min(batch) < 30 for batch in engine.batches[1:3])


def test_sequential_inputs_share_batches_too() -> None:
    engine = Engine(sequential=True)
    list(stream(engine, [[1, 2, 3], [4, 5, 6]], None, 2, failure))
    assert engine.batches == [[1, 4], [2, 5], [3, 6]]


def test_a_round_shares_batches_and_is_answered_as_a_list() -> None:
    """Pieces that are yielded together go through together, beside those of other inputs."""
    engine = Engine(sequential=True)
    sent: list[Any] = []

    def pieces(x: Any, options: Any) -> Any:
        sent.append((yield Round(x)))
        sent.append((yield sum(x)))

    engine.pieces = pieces  # type: ignore[method-assign]
    assert list(stream(engine, [[1, 2, 3], [4]], None, 4, failure)) == [[1, 4, 9, 36], [16, 16]]
    assert engine.batches == [[1, 2, 3, 4], [4, 6]]
    assert sent == [[1, 4, 9], [16], 16, 36]


def test_a_round_with_a_piece_that_fails_fails_its_input_alone() -> None:
    engine = Engine(sequential=True)

    def pieces(x: Any, options: Any) -> Any:
        yield from [(yield Round(x))][:0]

    engine.pieces = pieces  # type: ignore[method-assign]
    first, second = stream(engine, [[1, 13, 2], [4]], None, 8, failure)
    assert "13 cannot be answered" in str(first) and second == [16]


@pytest.mark.parametrize("kind", ["answered", "bad", "empty"])
def test_memory_stays_constant(kind: str) -> None:
    """Of 100,000 inputs no more than a window is looked at ahead of what was given."""
    engine = Engine()
    one: Any = {"answered": [2], "bad": "bad", "empty": []}[kind]
    given_out, furthest = 0, 0
    for _ in stream(engine, (one for _ in range(100_000)), None, 16, failure):
        given_out += 1
        furthest = max(furthest, engine.opened - given_out)
    assert given_out == 100_000
    assert furthest <= 16 * WINDOW


def test_one_endless_input_is_cut_as_it_is_answered() -> None:
    """A film is longer than memory: of its pieces, too, no more than a window waits."""
    engine, cut, most = Engine(), 0, 0

    def pieces(x: Any, options: Any) -> Any:
        nonlocal cut
        while cut < 5000:
            cut += 1
            yield 2

    def answered(batch: Any, options: Any) -> Any:
        nonlocal most
        most = max(most, cut - len(batch) - sum(map(len, engine.batches)))
        return Engine.answer_batch(engine, batch, options)

    engine.pieces, engine.answer_batch = pieces, answered  # type: ignore[method-assign]
    assert list(stream(engine, ["film"], None, 8, failure)) == [[4] * 5000]
    assert most <= 8 * WINDOW


def test_a_long_sequential_input_does_not_let_the_others_pile_up() -> None:
    engine = Engine(sequential=True)
    results = stream(
        engine, (list(range(14, 2000)) if n == 0 else [1] for n in range(100_000)), None, 4, failure
    )
    assert len(next(results)) == 1986
    assert engine.opened <= 4 * WINDOW


def test_the_first_results_come_after_one_batch() -> None:
    engine = Engine()
    next(stream(engine, ([n] for n in range(20, 1000)), None, 8, failure))
    assert len(engine.batches) == 1 and engine.opened == 8


def test_one_alone_has_no_index() -> None:
    assert list(stream(Engine(), ["bad"], None, 2, failure, single=True)) == [("failed", None, "it is bad")]


def test_what_was_checked_is_not_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Engine, "check", lambda self, x, options: asked.append(x))
    for checked in (True, False):
        assert list(stream(Engine(), [[1], [2]], None, 2, failure, checked=checked)) == [[1], [4]]
    assert asked == [[1], [2]]


def test_what_raises_ends_the_stream_after_what_came_before() -> None:
    def raising(error: InputError) -> Any:
        raise error

    found = []
    with pytest.raises(InputError, match=r"^input 2: it is bad"):
        for result in stream(Engine(), [[1], [2], "bad", [3]], None, 8, raising):
            found.append(result)
    assert found == [[1], [4]]


def test_what_cannot_be_prepared_fails_alone() -> None:
    found = list(stream(Engine(), [[n] for n in (1, 2, -17, 3, 4, -17, 5, 6)], None, 2, failure))
    assert [entry[1] for entry in found if entry[0] == "failed"] == [2, 5]
    assert [entry for entry in found if entry[0] != "failed"] == [[1], [4], [9], [16], [25], [36]]


def test_a_batch_is_prepared_while_the_one_before_is_answered() -> None:
    engine, begun = Engine(), threading.Event()
    prepare, answer_batch = engine.prepare, engine.answer_batch

    def prepared(pieces: Any, options: Any) -> Any:
        if 5 in pieces:
            begun.set()
        return prepare(pieces, options)

    def answered(pieces: Any, options: Any) -> Any:
        assert 3 not in pieces or begun.wait(30), "5 and 6 wait until 3 and 4 are answered"
        return answer_batch(pieces, options)

    engine.prepare, engine.answer_batch = prepared, answered  # type: ignore[method-assign]
    assert list(stream(engine, [[n] for n in range(1, 7)], None, 2, failure)) == [
        [n * n] for n in range(1, 7)
    ]


def test_other_errors_are_not_swallowed() -> None:
    engine = Engine()
    engine.answer = lambda piece: 1 // 0  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        list(stream(engine, [[1]], None, 8, failure))


# Shapes.


@quickly
@given(st.integers(1, 3000))
def test_buckets_hold_what_they_are_for(size: int) -> None:
    assert bucket(size) >= size and bucket(size, TRAINING_LENGTHS) >= size
    assert bucket(bucket(size)) == bucket(size)


@quickly
@given(st.integers(1, 64), st.integers(1, 64))
def test_rows_are_rounded_up_within_the_batch(rows: int, most: int) -> None:
    rows = min(rows, most)
    assert rows <= rows_bucket(rows, most) <= most


def test_a_batch_is_filled_with_its_last_row() -> None:
    import numpy as np

    batch = Batch({"x": np.array([[1], [2]])}, ["a", "b"])
    assert batch.filled(4).arrays["x"].tolist() == [[1], [2], [2], [2]]
    assert batch.filled(4).context == ["a", "b"]
    assert batch.filled(2) is batch


@quickly
@given(st.lists(st.integers(1, 200), min_size=1, max_size=80), st.integers(1, 9), st.integers(0, 99))
def test_shuffled_batches_hold_every_example_once(sizes: list[int], rows: int, seed: int) -> None:
    plan = shuffled(sizes, rows, seed, 3)
    assert sorted(index for _, indices in plan for index in indices) == list(range(len(sizes)))
    for length, indices in plan:
        assert len(indices) <= rows
        assert {bucket(sizes[index], TRAINING_LENGTHS) for index in indices} == {length}
    assert plan == shuffled(sizes, rows, seed, 3)


def test_every_epoch_has_an_order_of_its_own() -> None:
    sizes = [5] * 64
    assert len({str(shuffled(sizes, 4, seed, epoch)) for seed in (0, 1) for epoch in (0, 1)}) == 4
