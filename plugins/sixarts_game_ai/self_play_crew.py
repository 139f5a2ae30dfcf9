"""Self-play in processes of its own: a crew plays with the newest weights, the learner learns from it."""

from __future__ import annotations

import multiprocessing
import os
import queue
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import TrainingError
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.self_play import Samples, SelfPlay, lessons_of
from sixarts_game_ai.self_play_learner import Learner, as_array
from sixarts_game_ai.self_play_options import SelfPlayTraining

#: The file of the newest weights in a run's folder.
NEWEST = "newest.npz"
#: Seconds between two checkpoints, and between two files of weights.
CHECKPOINT_EVERY, PUBLISH_EVERY = 20.0, 8.0
#: Samples that the learner may be behind, as a share of the replay buffer.
BEHIND = 4.0


def learn_beside_crew(learner: Learner, start: Any, told: Any) -> str:
    """Learns while processes play; an iteration is over when so many positions came. Tells why it ended."""
    training, place = learner.training, learner.place
    folder = Path(str(training.folder))
    folder.mkdir(parents=True, exist_ok=True)
    publish(learner.network, folder / NEWEST)
    context = multiprocessing.get_context("spawn")
    came: Any = context.Queue(64)
    end = context.Event()
    model = learner.model
    shared = (type(model), model.config, start, training, str(folder / NEWEST), came, end)
    crew = [
        context.Process(target=play_on, args=(*shared, number), daemon=True)
        for number in range(training.workers)
    ]
    begun = saved = published = time.monotonic()
    waiting = True
    steps: list[dict[str, float]] = []
    credit, fresh = 0.0, 0
    with _running(crew, end, came):
        while True:
            spent = (time.monotonic() - begun) / 60
            done = place["iteration"] / training.iterations
            if training.minutes is not None:
                done = max(done, spent / training.minutes)
            if done >= 1:
                publish(learner.network, folder / NEWEST)
                return "iterations" if place["iteration"] >= training.iterations else "minutes"
            for samples, games in _taken(came, crew, waits=credit < training.batch_size):
                learner.replay.add(samples)
                fresh += len(samples)
                credit += len(samples) * training.reuse
                place["games"] += games
                place["positions"] += len(samples)
            if waiting:
                # Its clock starts when the crew has: until then everything is being compiled.
                begun, waiting = time.monotonic(), fresh == 0
            if credit >= training.batch_size and learner.replay.size >= training.batch_size:
                steps.append(learner.step(done))
                # What cannot be learned in time is let go.
                credit = min(credit - training.batch_size, BEHIND * training.replay)
            now = time.monotonic()
            if now - published > PUBLISH_EVERY:
                publish(learner.network, folder / NEWEST)
                published = now
            if fresh >= training.positions and steps:
                learner.close(steps, told)
                steps, fresh = [], 0
                if now - saved > CHECKPOINT_EVERY:
                    learner.save()
                    saved = now


@contextmanager
def _running(crew: list[Any], end: Any, came: Any) -> Iterator[None]:
    for process in crew:
        process.start()
    try:
        yield
    finally:
        end.set()
        for process in crew:
            process.terminate()
            process.join(10)
        came.cancel_join_thread()


def _taken(came: Any, crew: list[Any], waits: bool) -> Iterator[tuple[Samples, int]]:
    """What the crew has sent by now."""
    if waits:
        try:
            yield came.get(timeout=5)
        except queue.Empty:
            if not any(process.is_alive() for process in crew):
                raise TrainingError(
                    "every process that plays has ended; expected them to go on; see what they wrote"
                ) from None
    while True:
        try:
            yield came.get_nowait()
        except queue.Empty:
            return


def publish(network: Any, path: Path) -> None:
    """Writes a network's variables in order; the file appears whole."""
    draft = path.with_name(".draft.npz")
    with draft.open("wb") as file:
        np.savez(file, *(as_array(variable) for variable in network.variables))
    os.replace(draft, path)


def read_newest(model: Any, path: Path) -> Any:
    """Fills a model with what :func:`publish` wrote, and gives it back."""
    with np.load(path) as stored:
        for variable, name in zip(model.network.variables, stored.files, strict=True):
            variable.assign(stored[name])
    return model


def play_on(
    kind: Any,
    config: Mapping[str, Any],
    start: Any,
    training: SelfPlayTraining,
    weights: str,
    came: Any,
    end: Any,
    number: int,
) -> None:
    """One of the crew: plays until it is told to end."""
    from sixarts.device import Device

    path = Path(weights)
    processor = kind.processor_class.from_folder(path.parent, config)
    model = kind(config, processor, Device.of(), initializer="zeros")
    evaluate = evaluator(model, training.games, fixed=True)
    # Each start of a worker plays other games: what it learned from before is in the weights.
    drawn = training.seed + 7919 * (number + 1) + time.time_ns() % 2**31
    play = SelfPlay(
        start, training.games, training.search(config["discount"]), training.openings, drawn, False
    )
    read = 0.0
    with model.device.scope():
        while not end.is_set():
            stamp = path.stat().st_mtime
            if stamp != read:
                read_newest(model, path)
                read = stamp
            over = play.turn(evaluate)
            if over:
                parts = [lessons_of(game, config["discount"]) for game in over]
                came.put((Samples.joined(parts), len(over)))
