"""Training: resumption after a kill, Ctrl-C, early stopping, averaging, schedules, refusals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import equal, examples, fit, lessons, network, values

from sixarts.checkpoint import open_weights
from sixarts.errors import OptionError, TrainingError
from sixarts.resuming import Checkpoints
from sixarts.training import History, Lesson, Training

HERE = Path(__file__).parent


def killed(call: str, **environment: str) -> None:
    """Runs ``small_networks.<call>`` in a process, and kills it without warning when it says so."""
    code = f"import sys; sys.path[:0] = [{str(HERE)!r}]; import small_networks; small_networks.{call}"
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert child.stdout is not None and child.stderr is not None
    try:
        said = child.stdout.readline()
        if said != "now\n":
            child.kill()
            raise AssertionError(f"the child said {said!r}: {child.stderr.read()[-2000:]}")
        child.send_signal(signal.SIGKILL)
        assert child.wait(60) == -signal.SIGKILL
    finally:
        child.kill()
        child.stdout.close()
        child.stderr.close()


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """In another process, with dropout: the same weights and history as an unbroken run, to the bit."""
    whole = network()
    history = fit(whole)
    killed(f"train_until_killed({str(tmp_path)!r})")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000002"]
    resumed = network(seed=9)
    assert fit(resumed, folder=tmp_path) == history
    assert equal(values(resumed), values(whole))


@pytest.fixture(autouse=True)
def ctrl_c_is_heard() -> Iterator[None]:
    """A process that was started in the background ignores SIGINT, and Python with it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupting(at: tuple[int, int]) -> Any:
    """Lessons in whose middle somebody presses Ctrl-C."""

    def given(epoch: int) -> Iterator[Lesson]:
        for number, lesson in enumerate(lessons(epoch)):
            if (epoch, number) == at:
                signal.raise_signal(signal.SIGINT)
            yield lesson

    return given


def test_ctrl_c_keeps_what_was_learned(tmp_path: Path) -> None:
    net = network()
    before = values(net)
    history = fit(net, interrupting((1, 2)), folder=tmp_path)
    assert history.stopped == "interrupted" and len(history.metrics["loss"]) == 1
    two_epochs = network()
    fit(two_epochs, epochs=1)
    assert not equal(values(net), before)
    # The steps of the broken epoch count too.
    assert not equal(values(net), values(two_epochs))
    whole = network()
    wanted = fit(whole)
    assert fit(net, folder=tmp_path) == wanted
    assert equal(values(net), values(whole))


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    net = network()
    history = fit(net, folder=tmp_path)

    def never(epoch: int) -> Any:
        raise AssertionError(f"epoch {epoch} again")

    again = network(seed=4)
    assert fit(again, never, folder=tmp_path) == history
    assert equal(values(again), values(net))


def held_out() -> list[Lesson]:
    x, y = examples()
    return [Lesson({"x": x}, {"y": y}, {"y": np.ones(len(x), "float32")})]


def worsening(epoch: int) -> list[Lesson]:
    """From the third epoch on, what is learned is wrong."""
    wrong = np.float32(0 if epoch < 2 else 50)
    return [Lesson(part.arrays, {"y": part.targets["y"] + wrong}, part.weights) for part in lessons(epoch)]


def test_patience_ends_a_run_and_keeps_the_best(tmp_path: Path) -> None:
    net = network(dropout=0.0)
    history = fit(net, worsening, held_out, epochs=20, patience=2, folder=tmp_path)
    assert history.stopped == "patience"
    epochs = history.best_epoch + 1
    assert history.best_epoch == int(np.argmin(history.metrics["val_loss"]))
    assert len(history.metrics["val_loss"]) == epochs + 2 < 20
    best = network(dropout=0.0)
    fit(best, worsening, held_out, epochs=epochs)
    assert equal(values(net), values(best))
    # The same call again does no more than that.
    again = network(seed=7, dropout=0.0)
    assert fit(again, worsening, held_out, epochs=20, patience=2, folder=tmp_path) == history
    assert equal(values(again), values(best))


def test_without_validation_the_best_loss_counts() -> None:
    net = network(dropout=0.0)
    history = fit(net, worsening, epochs=3)
    assert history.best_epoch == int(np.argmin(history.metrics["loss"])) != 2


def test_the_last_epochs_are_averaged() -> None:
    each = []
    for epochs in (3, 4, 5):
        net = network(dropout=0.0)
        # Ever better, so that each run's result is its last epoch.
        history = fit(net, epochs=epochs)
        assert history.best_epoch == epochs - 1
        each.append(values(net))
    averaged = network(dropout=0.0)
    fit(averaged, epochs=5, average=3)
    for found, *parts in zip(values(averaged), *each, strict=True):
        np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-6)


def test_the_last_epochs_weights_can_be_taken_as_they_are(tmp_path: Path) -> None:
    net = network(dropout=0.0)
    history = fit(net, worsening, epochs=3, average=1, folder=tmp_path)
    assert history.best_epoch != 2
    stored = open_weights(tmp_path / "checkpoint-000003")
    for place, value in enumerate(values(net)):
        np.testing.assert_allclose(value, stored.read(f"network.{place}"), atol=1e-7)


def test_the_seed_decides_everything() -> None:
    losses = [fit(network(), seed=seed).metrics["loss"] for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]


def test_weights_of_zero_teach_nothing() -> None:
    """Rows that only fill a batch up."""

    def filled(epoch: int) -> list[Lesson]:
        return [
            Lesson(
                {"x": np.concatenate([part.arrays["x"], np.full((4, 4), 9, "float32")])},
                {"y": np.concatenate([part.targets["y"], np.full((4, 1), -50, "float32")])},
                {"y": np.concatenate([part.weights["y"], np.zeros(4, "float32")])},
            )
            for part in lessons(epoch)
        ]

    def mean(y_true: Any, y_pred: Any) -> Any:
        return (y_true - y_pred) ** 2

    import keras

    from sixarts.device import Device
    from sixarts.training import train

    found = []
    for source in (lessons, filled):
        net = network(dropout=0.0)
        loss = keras.losses.MeanSquaredError(reduction="mean_with_sample_weight")
        history = train(
            net, source, Training(epochs=2, progress=False), loss={"y": loss}, device=Device.of("cpu")
        )
        found.append((history.metrics["loss"], values(net)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    for one, other in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


# Refusals.


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    def broken(epoch: int) -> list[Lesson]:
        part = lessons(epoch)[0]
        return [Lesson(part.arrays, {"y": part.targets["y"] * np.nan}, part.weights)]

    with pytest.raises(TrainingError, match="loss is nan at step 0; expected a finite one"):
        fit(network(), broken)


def test_no_examples() -> None:
    with pytest.raises(TrainingError, match="no example came"):
        fit(network(), lambda epoch: [])


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    fit(network(), folder=tmp_path, epochs=1)
    with pytest.raises(TrainingError, match=r"other options \(learning_rate, seed\)"):
        fit(network(), folder=tmp_path, epochs=1, learning_rate=5e-3, seed=3)
    # What decides nothing of the outcome may differ.
    assert fit(network(), folder=tmp_path, epochs=1, patience=3).stopped == "epochs"


def test_drafts_are_never_taken_for_checkpoints(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.latest() is None
    checkpoints.write(3, {"a": np.zeros(2, "float32")}, {})
    (tmp_path / ".draft-000004").mkdir()
    (tmp_path / ".draft-000004" / "model.safetensors").write_bytes(b"half")
    latest = checkpoints.latest()
    assert latest is not None and latest.name == "checkpoint-000003"
    checkpoints.write(4, {"a": np.ones(2, "float32")}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-000004"]


@pytest.mark.quick
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"epochs": 0}, "epochs=0; expected 1 or more"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"warmup": -1}, "warmup=-1"),
        ({"average": -1}, "average=-1"),
        ({"schedule": "cosin"}, "schedule='cosin'; expected one of constant, linear, cosine"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError) as caught:
        Training(**options)
    assert words in str(caught.value)


@pytest.mark.quick
def test_schedules() -> None:
    def rates(schedule: str, warmup: int = 0) -> list[float]:
        training = Training(schedule=schedule, learning_rate=2.0, warmup=warmup)
        return [round(training.rate(step, step / 8), 4) for step in (0, 4, 8)]

    assert rates("constant") == [2, 2, 2]
    assert rates("linear") == [2, 1, 0]
    assert rates("cosine") == [2, 1, 0]
    assert rates("constant", warmup=8) == [0.25, 1.25, 2]
    assert rates("inverse_sqrt", warmup=4) == [
        0.5,
        round(2 * (4 / 5) ** 0.5, 4),
        round(2 * (4 / 9) ** 0.5, 4),
    ]


@pytest.mark.quick
def test_a_history_prints_and_plots() -> None:
    history = History({"loss": [3.0, 2.0], "val_loss": [3.0, 4.0], "learning_rate": [1.0, 1.0]}, 0)
    assert str(history).startswith("best epoch 1 of 2: loss 3.0000, val_loss 3.0000")
    assert len(history.plot().axes[0].lines) == 3
    assert history.to_dict()["metrics"]["loss"] == [3.0, 2.0]
