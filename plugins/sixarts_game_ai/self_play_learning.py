"""Learning by self-play: games in batches, and what they teach.

In one process, games and learning take turns; with ``workers``, processes play games with the newest weights
that the learner wrote, and it learns for as long as there is something new.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from sixarts.progress import progress_bar
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.self_play import SelfPlay, lessons_of
from sixarts_game_ai.self_play_crew import learn_beside_crew
from sixarts_game_ai.self_play_learner import Learner
from sixarts_game_ai.self_play_options import SelfPlayHistory, SelfPlayTraining


def reinforce(
    model: Any,
    start: Any,
    training: SelfPlayTraining,
    told: Callable[[Learner], Mapping[str, float]] | None = None,
) -> SelfPlayHistory:
    """Learns a game by playing it against itself.

    Args:
        model: an ``alphazero`` model of the game, which learns in place.
        start: the position that games begin with.
        training: the options.
        told: called after each iteration; what it returns is kept beside the losses.

    Raises:
        TrainingError: a loss that is not finite, or a folder with a run of other options.
    """
    with model.device.scope():
        learner = Learner(model, training)
        try:
            if training.workers:
                stopped = learn_beside_crew(learner, start, told)
            else:
                stopped = _alone(learner, start, told)
        except KeyboardInterrupt:
            stopped = "interrupted"
        learner.save()
    return SelfPlayHistory(learner.metrics, stopped)


def _alone(learner: Learner, start: Any, told: Any) -> str:
    """Games and learning take turns in this process."""
    training, model, place = learner.training, learner.model, learner.place
    discount = model.config["discount"]
    evaluate = evaluator(model, training.games)
    drawn = training.seed + 1 + 1009 * place["iteration"]
    play = SelfPlay(start, training.games, training.search(discount), training.openings, drawn)
    begun = time.monotonic()
    label = f"self-play of {model.processor.game}"
    with progress_bar(label, training.iterations * training.positions, training.progress) as advance:
        while place["iteration"] < training.iterations:
            fresh = 0
            while fresh < training.positions:
                for game in play.turn(evaluate):
                    samples = lessons_of(game, discount)
                    learner.replay.add(samples)
                    fresh += len(samples)
                    place["games"] += 1
                    advance(len(samples))
            place["positions"] += fresh
            spent = (time.monotonic() - begun) / 60
            done = (place["iteration"] + 1) / training.iterations
            if training.minutes is not None:
                done = max(done, spent / training.minutes)
            steps = max(1, round(fresh * training.reuse / training.batch_size))
            learner.close([learner.step(done) for _ in range(steps)], told)
            learner.save()
            if training.minutes is not None and spent >= training.minutes:
                return "minutes"
    return "iterations"
