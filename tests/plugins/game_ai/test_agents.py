"""The ``game-agent`` task and its starters: answers, episodes, films, explanations, bad input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agent_reference import model_of
from small_environments import Aim, Corridor

import sixarts as sa
from sixarts.errors import CheckpointError, InputError, MissingExtra, OptionError, UnknownName
from sixarts.media.video import read_video
from sixarts_game_ai.action import Action, Episode
from sixarts_game_ai.agent_processor import AgentProcessor, Spaces
from sixarts_game_ai.filming import planes
from sixarts_game_ai.recipe import RECIPES

MANY_NETWORKS = True


@pytest.fixture(scope="module")
def balance() -> Any:
    return sa.load("game-agent", environment="CartPole-v1", device="cpu")


@pytest.mark.quick
def test_an_observation_becomes_an_action(balance: Any) -> None:
    falling = balance((0.0, 0.0, 0.15, 0.8))
    assert isinstance(falling, Action) and falling.action == 1 and falling.name == "push right"
    assert sum(falling.probabilities) == pytest.approx(1) and falling.probabilities[1] > 0.5
    assert balance(np.array([0.0, 0.0, -0.15, -0.8])).action == 0
    # A list of numbers is one observation, as JSON has it; a list of observations is many.
    assert balance([0.0, 0.0, 0.15, 0.8]).to_dict() == falling.to_dict()
    assert [each.action for each in balance([(0, 0, 0.15, 0.8), [0, 0, -0.15, -0.8]])] == [1, 0]
    assert "push right" in str(falling) and falling.plot().axes


@pytest.mark.quick
def test_the_catalog_is_chosen_from_by_environment(balance: Any) -> None:
    assert balance.reference == "starter/cartpole"
    with pytest.raises(OptionError, match="LunarLander-v3"):
        sa.load("game-agent", environment="Pong-v4")
    with pytest.raises(OptionError, match="CartPole-v1"):
        balance((0, 0, 0, 0), environment="LunarLander-v3")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ((0.1, 0.2, 0.3), r"shape \(3,\); expected 4 finite numbers as CartPole-v1 gives them"),
        ((0.1, 0.2, 0.3, float("inf")), "NaN or infinite"),
        (((0.1, 0.2), (0.3,)), "uneven shape"),
        (np.zeros((1, 4)), r"shape \(1, 4\)"),
        (np.array(["a", "b", "c", "d"]), "holds <U1"),
        ({"x": 1}, "expected 4 finite numbers"),
    ],
)
def test_bad_observations_are_told_apart(balance: Any, bad: Any, told: str) -> None:
    with pytest.raises(InputError, match=told):
        balance(bad)


def test_an_episode_is_played_told_and_drawn(balance: Any) -> None:
    episode = balance.run_episode(seed=1)
    assert isinstance(episode, Episode) and episode.total == episode.length == 500
    assert episode.ended == "truncated" and episode.observations.shape == (500, 4)
    assert set(episode.actions.tolist()) <= {0, 1} and episode.rewards.sum() == 500
    again = balance.run_episode(seed=1)
    assert np.array_equal(episode.actions, again.actions) and episode.values == pytest.approx(again.values)
    assert balance.run_episode(seed=2, longest=7).length == 7
    assert len(balance.run_episode(seed=2, drawn=True, longest=50).actions) == 50
    assert episode.plot().axes and "500" in str(episode)
    json.dumps(episode.to_dict(), allow_nan=False)


def test_episodes_are_filmed(balance: Any, tmp_path: Path) -> None:
    for name in ("episode.gif", "episode.mp4"):
        episode = balance.run_episode(seed=1, longest=20, render=tmp_path / name)
        frames = list(read_video(tmp_path / name))
        # A GIF keeps frames that are alike once, and for longer.
        assert episode.path == str(tmp_path / name) and len(frames) >= (8 if name.endswith("gif") else 20)
        height, width = frames[0].image.shape[:2]
        assert (height, width) == (400, 600) and np.ptp(frames[0].image) > 100
        # The cart moves.
        assert not np.array_equal(frames[0].image, frames[-1].image)
    drawn = episode.plot()
    assert len(drawn.axes) > 2
    for wrong, told in (("episode.txt", ".gif"), ("nowhere/episode.gif", "folder")):
        with pytest.raises(OptionError, match=told):
            balance.run_episode(render=tmp_path / wrong)


@pytest.mark.quick
def test_what_cannot_draw_itself_is_drawn_by_its_planes() -> None:
    seen = np.zeros((10, 10, 3), bool)
    seen[2, 3, 0] = seen[4, 5, 2] = True
    shown = planes(seen)
    assert shown.shape == (10, 10, 3) and (shown.max(axis=-1) > 0).sum() == 2
    with pytest.raises(OptionError, match="rgb_array"):
        planes(np.zeros(4))


def test_environments_that_do_not_fit_are_refused(balance: Any, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="CartPole-v1"):
        balance.run_episode("CartPol-v1")
    with pytest.raises(InputError, match=r"\(2,\) and takes 3 actions; expected \(4,\) and 2"):
        balance.run_episode("MountainCar-v0")
    with pytest.raises(MissingExtra, match="mujoco"):
        balance.run_episode("HalfCheetah-v5")
    agent = sa.new("game-agent", family="ppo", device="cpu", hidden=[4])
    agent.fit(Corridor, steps=64, lanes=2, rollout=8, minibatch=16, passes=1, judged=0, progress=False)
    with pytest.raises(OptionError, match=r"run_episode\(environment\)"):
        agent.run_episode()
    made: list[Corridor] = []

    def falling(render_mode: str | None = None) -> Corridor:
        made.append(Corridor(render_mode, breaks=3))
        return made[-1]

    film = tmp_path / "fall.gif"
    with pytest.raises(InputError, match="falling raised ZeroDivisionError after 3 steps"):
        agent.run_episode(falling, render=film, drawn=True, seed=0)
    assert made[-1].closed and not film.exists()
    with pytest.raises(InputError, match="every episode is closed"):
        agent.evaluate(falling, episodes=2)
    assert all(each.closed for each in made)


def test_a_saved_agent_keeps_spaces_and_normalization(tmp_path: Path) -> None:
    agent = sa.new("game-agent", family="ppo", device="cpu", hidden=[4])
    options = {"steps": 256, "lanes": 4, "rollout": 8, "minibatch": 16, "passes": 1, "judged": 0}
    agent.fit("Pendulum-v1", normalize=True, normalize_rewards=True, progress=False, **options)
    loaded = sa.load("game-agent", agent.save(tmp_path / "agent"), device="cpu")
    seen = (0.6, -0.8, 2.0)
    assert loaded(seen).to_dict() == agent(seen).to_dict()
    assert loaded.model.processor.spaces == agent.model.processor.spaces
    assert loaded.model.processor.statistics.count == 256 and loaded.model.processor.reward_scale > 1
    assert -2 <= loaded(seen).action[0] <= 2
    assert loaded.run_episode(seed=0, longest=3).actions.shape == (3, 1)
    assert loaded.sample == pytest.approx(tuple(agent.model.processor.sample))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shape", [0]),
        ("shape", [2**20, 2**20]),
        ("actions", 10**9),
        ("mean", [1.0]),
        ("names", ["only one"]),
        ("reward_scale", 0),
        ("variance", [-1.0] * 4),
        ("dtype", "float64"),
        ("sample", [1, 2]),
        ("low", [1.0]),
    ],
)
def test_a_strangers_environment_file_is_held_to_limits(
    balance: Any, tmp_path: Path, name: str, value: Any
) -> None:
    place = balance.save(tmp_path / "agent")
    file = place / "environment.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: value}))
    with pytest.raises(CheckpointError):
        AgentProcessor.from_folder(place, {})
    told = json.loads(file.read_text())
    del told[name]
    file.write_text(json.dumps(told))
    with pytest.raises(CheckpointError, match=name):
        AgentProcessor.from_folder(place, {})


def test_pictures_are_explained_where_they_are() -> None:
    """Over planes, and in cells over frames; attributions of planes add up."""
    for spaces, grid in (
        (Spaces((6, 6, 2), 3, dtype="bool"), (6, 6)),
        (Spaces((40, 44, 2), 3, dtype="uint8"), (32, 32)),
    ):
        agent = sa.new("game-agent", family="dqn", device="cpu")
        agent.model = model_of("dqn", spaces, {"hidden": [8]})
        random = np.random.default_rng(0)
        seen = (
            random.random(spaces.shape) > 0.7
            if spaces.dtype == "bool"
            else random.integers(256, size=spaces.shape, dtype="uint8")
        )
        covered = agent.explain(seen, "occlusion", "value")
        assert covered.grid == tuple(min(side, 12) for side in grid)
        assert np.ptp(covered.values) > 0 and covered.plot().axes
        if spaces.dtype == "uint8":
            continue
        found = agent.explain(seen)
        assert found.grid == grid and found.values.shape == (1, grid[0] * grid[1])
        assert found.values.sum() == pytest.approx(found.totals[0], rel=0.02, abs=1e-3)
    with pytest.raises(OptionError, match="'value'"):
        agent.explain(seen, target="values")


def test_a_policy_without_noise_is_what_is_judged() -> None:
    agent = sa.new("game-agent", family="ppo", device="cpu", hidden=[4])
    options = {"steps": 64, "lanes": 2, "rollout": 8, "minibatch": 16, "passes": 1, "judged": 0}
    agent.fit(Aim, progress=False, **options)
    once, twice = (agent.evaluate(Aim, episodes=10, seed=seed) for seed in (5, 5))
    assert once.values == twice.values and once.count == 10
    assert once["mean"].value != agent.evaluate(Aim, episodes=10, seed=6)["mean"].value
    with pytest.raises(OptionError, match="episodes"):
        agent.evaluate(Aim, episodes=0)


@pytest.mark.parametrize(
    ("reference", "least"),
    [
        ("starter/cartpole", 500.0),
        ("starter/lunar-lander", 230.0),
        ("starter/minatar-breakout", 8.0),
        ("starter/minatar-space-invaders", 100.0),
    ],
)
def test_starters_play_as_their_cards_say(reference: str, least: float) -> None:
    agent = sa.load("game-agent", reference, device="cpu")
    assert agent.evaluate(episodes=8, seed=77)["mean"].value >= least


@pytest.mark.quick
def test_every_agent_that_ships_has_a_recipe() -> None:
    shipped = {entry.reference.removeprefix("starter/") for entry in sa.models(task="game-agent")}
    assert shipped <= set(RECIPES)
