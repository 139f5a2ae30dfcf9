"""Learning in environments so small that the best is known: both families, resuming, what goes wrong."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from small_environments import Aim, Corridor, Numbered

import sixarts as sa
from sixarts.errors import InputError, OptionError, TrainingError
from sixarts_game_ai import reinforcement
from sixarts_game_ai.agent_options import AgentTraining
from sixarts_game_ai.reinforcement import LearningCurve, Run

MANY_NETWORKS = True

#: Small and quick for each family.
SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"steps": 4096, "lanes": 8, "rollout": 16, "minibatch": 128, "passes": 6, "learning_rate": 5e-3},
    "dqn": {"steps": 4096, "lanes": 8, "train_every": 64, "updates": 16, "warm": 256, "sync": 32},
}
NETWORK = {"hidden": [16]}


def learner(family: str, **network: Any) -> Any:
    return sa.new("game-agent", family=family, device="cpu", **NETWORK, **network)


@pytest.mark.parametrize(
    ("family", "network", "options"),
    [
        ("ppo", {}, {}),
        ("ppo", {"shared": True}, {"normalize": True, "normalize_rewards": True, "clip_value": True}),
        ("dqn", {}, {"double": False}),
        ("dqn", {"dueling": True}, {"n_step": 3, "prioritized": 0.6, "normalize": True}),
    ],
)
def test_the_corridor_is_learned_to_its_best(family: str, network: Any, options: Any) -> None:
    agent = learner(family, **network)
    history = agent.fit(Corridor, judged=10, every=2048, progress=False, **SMALL[family], **options)
    assert isinstance(history, LearningCurve) and history.steps == 4096
    assert history.replaced == ("a network for function Corridor",)
    assert 0.8 <= max(history.judged["return"]) <= 0.85
    assert history.metrics["return"][-1] > history.metrics["return"][0]
    assert history.plot().axes and "judged" in str(history)
    found = agent.evaluate(Corridor, episodes=20)
    assert found["mean"].low >= 0.8 and found["mean"].high <= 0.85 + 1e-6 and found["length"].value <= 4
    right = agent((0.0, 0.0, 1.0, 0.0, 0.0))
    assert right.action == 1
    # From the middle, two steps are left: 1 − 2 × .05, little discounted.
    assert right.value == pytest.approx(0.9, abs=0.15)


def test_continuous_actions_are_learned() -> None:
    agent = learner("ppo")
    steps = {**SMALL["ppo"], "steps": 8192, "learning_rate": 1e-2}
    agent.fit(Aim, judged=0, entropy=0.0, progress=False, **steps)
    for wanted in (-1.5, 0.0, 1.2):
        answer = agent((wanted,))
        assert answer.action.shape == (1,) and answer.action[0] == pytest.approx(wanted, abs=0.35)
        assert 0 < answer.deviation[0] < 2
    assert agent.evaluate(Aim, episodes=50)["mean"].value > -0.3


def test_numbered_states_and_actions_that_begin_at_one() -> None:
    agent = learner("dqn")
    agent.fit(Numbered, judged=0, discount=0.0, progress=False, **{**SMALL["dqn"], "steps": 2048})
    assert [agent(state).action for state in range(3)] == [1, 2, 3]
    assert [answer.action for answer in agent([2, 0])] == [3, 1]
    with pytest.raises(InputError, match="whole number from 0 to 2"):
        agent(3)


def test_learning_stops_at_a_target() -> None:
    agent = learner("ppo")
    history = agent.fit(Corridor, target=0.3, judged=0, progress=False, **{**SMALL["ppo"], "steps": 50_000})
    assert history.stopped == "target" and history.steps < 50_000
    assert history.metrics["return"][-1] > 0


def weights_of(agent: Any) -> np.ndarray:
    return np.concatenate(
        [np.ravel(keras.ops.convert_to_numpy(each)) for each in agent.model.network.variables]
    )


@pytest.mark.parametrize("family", ["ppo", "dqn"])
def test_a_killed_run_ends_as_an_unbroken_one(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {
        **SMALL[family],
        "steps": 2048,
        "every": 512,
        "judged": 4,
        "progress": False,
        "normalize": True,
    }
    if family == "dqn":
        options |= {"prioritized": 0.5, "n_step": 2}
    whole = learner(family)
    told = whole.fit(Corridor, **options)

    class Killed(BaseException):
        """Nothing of ours catches it."""

    class Dying(Run):
        def _note(self, told: dict[str, float]) -> None:
            if self.steps > 1300:
                raise Killed
            super()._note(told)

    with monkeypatch.context() as dying, pytest.raises(Killed):
        dying.setattr(reinforcement, "Run", Dying)
        learner(family).fit(Corridor, folder=tmp_path, **options)
    again = learner(family)
    resumed = again.fit(Corridor, folder=tmp_path, **options)
    assert np.array_equal(weights_of(again), weights_of(whole))
    assert resumed.judged == told.judged and resumed.metrics == told.metrics
    assert again((0, 0, 1, 0, 0)).to_dict() == whole((0, 0, 1, 0, 0)).to_dict()
    with pytest.raises(TrainingError, match="other options"):
        learner(family).fit(Corridor, folder=tmp_path, **{**options, "steps": 4096})


def test_what_was_learned_before_an_environment_raised_is_kept() -> None:
    agent, made = learner("ppo"), []

    def collapsing() -> Corridor:
        made.append(Corridor(breaks=None if len(made) < 2 else 150))
        return made[-1]

    with pytest.raises(TrainingError, match=r"raised ZeroDivisionError: the corridor fell in; .* is kept"):
        agent.fit(collapsing, judged=0, progress=False, **SMALL["ppo"])
    assert all(each.closed for each in made)
    fresh = learner("ppo")
    fresh.fit(Corridor, judged=0, progress=False, **{**SMALL["ppo"], "steps": 128})
    assert agent((0, 0, 1, 0, 0)).probabilities[1] > fresh((0, 0, 1, 0, 0)).probabilities[1]


def test_an_interrupted_run_keeps_what_it_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(steps: int, run: Any) -> bool:
        if steps > 1000:
            raise KeyboardInterrupt
        return False

    monkeypatch.setattr(reinforcement, "Run", functools.partial(Run, watch=interrupted))
    history = learner("ppo").fit(Corridor, judged=0, progress=False, **SMALL["ppo"])
    assert history.stopped == "interrupted" and 1000 < history.steps < 1300


def test_learning_goes_on_in_the_same_environment() -> None:
    agent = learner("ppo")
    agent.fit(Corridor, judged=0, progress=False, **SMALL["ppo"])
    before = agent((0, 0, 1, 0, 0)).probabilities[1]
    again = agent.fit(Corridor, judged=0, progress=False, **{**SMALL["ppo"], "steps": 256})
    assert again.replaced == () and abs(agent((0, 0, 1, 0, 0)).probabilities[1] - before) < 0.2
    other = agent.fit(Numbered, judged=0, progress=False, **{**SMALL["ppo"], "steps": 256})
    assert other.replaced == ("a network for function Numbered, in the place of one for function Corridor",)


def test_behavior_is_learned_from_examples() -> None:
    seen = [tuple(float(place == at) for place in range(5)) for at in range(5)]
    agent = learner("ppo")
    history = agent.fit([(each, 1) for each in seen] * 4 + [(seen[0], 0)], epochs=20, progress=False)
    assert history.replaced == ("a network for the examples",)
    assert agent(seen[3]).action == 1 and agent.evaluate([(seen[3], 1)])["agreement"].value == 1.0
    aims = np.linspace(-1, 1, 16)
    aiming = learner("ppo")
    aiming.fit([((x,), (2 * x,)) for x in aims], epochs=60, learning_rate=1e-2, progress=False)
    assert aiming((0.5,)).action[0] == pytest.approx(1.0, abs=0.3)
    assert aiming.evaluate([((x,), (2 * x,)) for x in aims])["squared_error"].value < 0.1


@pytest.mark.quick
def test_options_out_of_range_are_named() -> None:
    for wrong in ({"lanes": 0}, {"discount": 1.5}, {"clip": 0.0}, {"workers": "threads"}, {"judged": -1}):
        name = next(iter(wrong))
        with pytest.raises(OptionError, match=name):
            AgentTraining(**wrong)
    agent = learner("dqn")
    with pytest.raises(OptionError, match="normalize_rewards"):
        agent.fit(Corridor, normalize_rewards=True)
    with pytest.raises(OptionError, match="use family='ppo'"):
        agent.fit(Aim)
    with pytest.raises(OptionError, match="nearest: lanes"):
        agent.fit(Corridor, lane=3)
    with pytest.raises(OptionError, match="validation"):
        agent.fit(Corridor, [((0, 0, 1, 0, 0), 1)])
