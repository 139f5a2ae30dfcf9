"""Batches are made when asked for, hold each example once, and are the same whenever they are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from sixarts.lessons import Batches, mixed
from sixarts.training import Lesson

pytestmark = pytest.mark.quick


@dataclass(frozen=True)
class Training:
    batch_size: int = 4
    seed: int = 3


class Squares(Batches):
    """Learns squares, with something drawn beside them."""

    def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
        drawn = np.random.default_rng(key).random(len(rows))
        return Lesson({"x": rows, "drawn": drawn}, {"y": rows**2}, {"y": weights})


@pytest.mark.parametrize("count", [0, 1, 4, 11])
def test_each_example_counts_once(count: int) -> None:
    made = Squares(mixed(count, Training(), 0), Training(), 0)
    assert len(made) == len(list(made)) == -(-count // 4)
    real = [lesson.arrays["x"][lesson.weights["y"] > 0] for lesson in made]
    assert sorted(np.concatenate([np.zeros(0, int), *real]).tolist()) == list(range(count))


def test_rows_are_rounded_up_by_examples_of_the_batch() -> None:
    *_, last = Squares(mixed(11, Training(), 0), Training(), 0)
    assert last.weights["y"].tolist() == [1, 1, 1, 0]
    assert last.arrays["x"][3] == last.arrays["x"][0]


def test_what_is_drawn_hangs_on_seed_epoch_and_place() -> None:
    def drawn(epoch: int, seed: int = 3) -> list[np.ndarray]:
        training = Training(seed=seed)
        return [lesson.arrays["drawn"] for lesson in Squares(mixed(8, training, epoch), training, epoch)]

    once, twice = drawn(1), drawn(1)
    np.testing.assert_array_equal(once, twice)
    assert not np.array_equal(once[0], once[1])
    assert not np.array_equal(once, drawn(2)) and not np.array_equal(once, drawn(1, seed=4))
    assert not np.array_equal(mixed(50, Training(), 0)[0], mixed(50, Training(), 1)[0])


def test_an_error_of_a_batch_is_no_end() -> None:
    class Broken(Batches):
        def lesson(self, rows: np.ndarray, weights: np.ndarray, key: tuple[int, int, int]) -> Lesson:
            raise IndexError("a bad example")

    with pytest.raises(IndexError, match="a bad example"):
        list(Broken(mixed(3, Training(), 0), Training(), 0))
