"""What learning counts with, against plain loops: advantages, returns, priorities, statistics, figures."""

from __future__ import annotations

import importlib
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sixarts_game_ai.advantages import discounted, generalized_advantages
from sixarts_game_ai.episode_scores import FIGURES, bootstrapped, interquartile_mean
from sixarts_game_ai.replay import Replay, Waiting
from sixarts_game_ai.running_statistics import RunningStatistics

pytestmark = pytest.mark.quick
quickly = settings(max_examples=25, deadline=None)


@quickly
@given(st.integers(1, 12), st.integers(1, 3), st.integers(0, 2**31), st.floats(0.5, 1), st.floats(0, 1))
def test_advantages_are_sums_of_surprises(
    steps: int, lanes: int, seed: int, discount: float, trace: float
) -> None:
    random = np.random.default_rng(seed)
    rewards, values = random.normal(size=(2, steps, lanes))
    ended, after = random.random((steps, lanes)) < 0.3, random.normal(size=lanes)
    found = generalized_advantages(rewards, values, ended, after, discount, trace)
    for lane in range(lanes):
        for step in range(steps):
            total, weight = 0.0, 1.0
            for later in range(step, steps):
                over = ended[later, lane]
                following = after[lane] if later + 1 == steps else values[later + 1, lane]
                surprise = rewards[later, lane] + discount * following * (not over) - values[later, lane]
                total += weight * surprise
                weight *= discount * trace
                if over:
                    break
            assert found[step, lane] == pytest.approx(total, abs=1e-9)


@quickly
@given(st.integers(1, 10), st.integers(0, 2**31))
def test_discounted_sums_begin_anew_with_an_episode(steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rewards, ended = random.normal(size=(steps, 1)), random.random((steps, 1)) < 0.4
    before = random.normal(size=1)
    found, total = discounted(rewards, ended, before, 0.9), float(before[0])
    for step in range(steps):
        total = total * 0.9 + rewards[step, 0]
        assert found[step, 0] == pytest.approx(total)
        total = 0.0 if ended[step, 0] else total


@quickly
@given(st.integers(1, 4), st.integers(1, 15), st.integers(0, 2**31))
def test_returns_over_n_steps_stop_at_the_end_of_an_episode(n: int, steps: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    rewards = random.normal(size=steps)
    ends = random.choice(["", "terminated", "truncated"], p=[0.6, 0.2, 0.2], size=steps)
    replay = Replay(64, (1,), "float32")
    waiting = Waiting(replay, n, 0.9)
    for step in range(steps):
        waiting.add(np.array([step]), step % 3, rewards[step])
        waiting.pass_on(np.array([step + 0.5]), ends[step] == "terminated", bool(ends[step]))
    at = 0
    for step in range(steps):
        last = next((k for k in range(step, steps) if ends[k] or k == step + n - 1), None)
        if last is None:  # its rewards are still to come
            continue
        count = last - step + 1
        wanted = sum(0.9**k * rewards[step + k] for k in range(count))
        got = {name: array[at] for name, array in replay.arrays.items()}
        assert got["observations"][0] == step and got["actions"] == step % 3
        assert got["returns"] == pytest.approx(wanted, abs=1e-5)
        assert got["after"][0] == last + 0.5
        assert got["discounts"] == pytest.approx(0 if ends[last] == "terminated" else 0.9**count)
        at += 1
    assert at == replay.count


def filled(alpha: float, errors: np.ndarray, size: int = 8) -> Replay:
    replay = Replay(size, (), "int64", alpha)
    for place in range(len(errors)):
        replay.add(observations=place, actions=0, returns=0, after=0, discounts=0)
    replay.found(np.arange(len(errors)), errors)
    return replay


def test_transitions_are_drawn_by_their_errors() -> None:
    errors = np.array([0.1, 1.0, 4.0, 0.0])
    drawn = filled(0.5, errors).draw(np.random.default_rng(0), 200_000, 0.7)
    chances = (errors + 1e-6) ** 0.5
    chances /= chances.sum()
    shares = np.bincount(drawn.rows, minlength=4) / len(drawn.rows)
    assert shares == pytest.approx(chances, abs=0.005)
    # Weights undo it, and are 1 at most (Schaul et al. 2016, section 3.4).
    weights = (4 * chances) ** -0.7
    assert drawn.weights == pytest.approx((weights / weights.max())[drawn.rows], rel=1e-5)
    assert (drawn.arrays["observations"] == drawn.rows).all()


def test_without_priorities_all_are_drawn_alike() -> None:
    drawn = filled(0.0, np.array([0.1, 1.0, 4.0, 0.0])).draw(np.random.default_rng(0), 100_000, 0.7)
    assert np.bincount(drawn.rows) / len(drawn.rows) == pytest.approx([0.25] * 4, abs=0.01)
    assert (drawn.weights == 1).all()


def test_the_oldest_transitions_go_first() -> None:
    replay = Replay(3, (), "int64")
    for place in range(5):
        replay.add(observations=place, actions=0, returns=0, after=0, discounts=0)
    assert sorted(replay.arrays["observations"]) == [2, 3, 4]
    again = Replay(3, (), "int64")
    again.restore(replay.tensors(), replay.next, replay.highest)
    for each in (replay, again):
        each.add(observations=5, actions=0, returns=0, after=0, discounts=0)
    assert (again.arrays["observations"] == replay.arrays["observations"]).all()


@quickly
@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 2**31))
def test_running_statistics_are_those_of_all_rows(sizes: list[int], seed: int) -> None:
    random = np.random.default_rng(seed)
    batches = [random.normal(3, 2, (size, 2)) for size in sizes]
    found = RunningStatistics()
    for batch in batches:
        found = found.updated(batch)
    rows = np.concatenate(batches)
    assert found.mean == pytest.approx(rows.mean(axis=0))
    assert found.variance == pytest.approx(rows.var(axis=0))
    assert RunningStatistics.of(found.told()).count == len(rows)


@pytest.mark.parametrize("count", [4, 7, 100])
def test_figures_are_rliables(count: int) -> None:
    metrics = pytest.importorskip("rliable.metrics")
    runs = returns_of(count)[:, None]  # runs down, one task across
    assert interquartile_mean(returns_of(count)) == pytest.approx(metrics.aggregate_iqm(runs), rel=1e-12)
    assert FIGURES["mean"](returns_of(count)) == pytest.approx(metrics.aggregate_mean(runs))
    assert FIGURES["median"](returns_of(count)) == pytest.approx(np.median(runs))


def test_intervals_are_rliables() -> None:
    metrics, library = pytest.importorskip("rliable.metrics"), rliable()
    runs = returns_of(100)[:, None]
    for name, theirs in (("iqm", metrics.aggregate_iqm), ("mean", metrics.aggregate_mean)):
        ours = bootstrapped(returns_of(100), FIGURES[name])
        _, bounds = library.get_interval_estimates(
            {"a": runs}, lambda scores, theirs=theirs: np.array([theirs(scores)]), reps=4000
        )
        low, high = bounds["a"][:, 0]
        # Both draw: their ends agree to a twentieth of the interval.
        room = 0.05 * (high - low)
        assert ours.low == pytest.approx(low, abs=room) and ours.high == pytest.approx(high, abs=room)


def returns_of(count: int) -> np.ndarray:
    return np.random.default_rng(count).gamma(2.0, 50.0, count)


def rliable() -> Any:
    """Its library, whose bootstrap is of a package that some versions of pandas break by a decorator."""
    pytest.importorskip("rliable.metrics")
    undecorated = mock.patch(
        "pandas.util._decorators.deprecate_kwarg", lambda *_, **__: lambda function: function
    )
    try:
        with undecorated:
            return importlib.import_module("rliable.library")
    except Exception as error:
        pytest.skip(f"rliable does not import: {error}")
