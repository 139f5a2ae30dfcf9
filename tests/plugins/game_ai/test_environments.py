"""Environments: made by id, wrapped as networks need them, side by side, and refused with a way out."""

from __future__ import annotations

import builtins
import sys
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from small_environments import Corridor

from sixarts.errors import InputError, MissingExtra, OptionError, UnknownName
from sixarts_game_ai import environments, minatar_batch
from sixarts_game_ai.agent_processor import Spaces
from sixarts_game_ai.atari import Frames, areas
from sixarts_game_ai.environments import make
from sixarts_game_ai.lanes import LaneError, LocalLanes, ProcessLanes, is_batched, open_lanes, seeds_of


@pytest.mark.quick
def test_ids_become_environments_with_spaces() -> None:
    found = Spaces.of(make("CartPole-v1"), "CartPole-v1")
    assert (found.shape, found.actions, found.continuous) == ((4,), 2, False)
    assert found.names == ("push left", "push right") and found.parts[2] == "angle"
    pendulum = Spaces.of(make("Pendulum-v1"), "Pendulum-v1")
    assert pendulum.continuous and (pendulum.low, pendulum.high) == ((-2.0,), (2.0,))
    assert Spaces.of(make("FrozenLake-v1"), "FrozenLake-v1").states == 16
    # A tuple of numbers is one array: 32 + 11 + 2 of one kind each.
    assert Spaces.of(make("Blackjack-v1"), "Blackjack-v1").shape == (45,)
    space = Spaces.of(make("MinAtar/Breakout-v1"), "MinAtar/Breakout-v1")
    assert (space.shape, space.dtype, space.actions) == ((10, 10, 4), "bool", 3)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Cartpole-v7", "CartPole-v1"),
        ("MinAtar/Breakou-v1", "MinAtar/Breakout-v1"),
        ("ALE/Breakuot-v5", "ALE/Breakout-v5"),
    ],
)
def test_unknown_ids_name_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=near):
        make(name)


@pytest.mark.quick
def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = environments.importlib.util.find_spec
    monkeypatch.setattr(
        environments.importlib.util, "find_spec", lambda name: None if name == "minatar" else real(name)
    )
    with pytest.raises(MissingExtra, match=r"MinAtar/Breakout-v1 needs minatar.*'sixarts\[game-ai\]'"):
        make("MinAtar/Breakout-v1")
    for module in [each for each in sys.modules if each.split(".")[0] == "Box2D" or "box2d" in each]:
        monkeypatch.delitem(sys.modules, module)
    imported = builtins.__import__

    def without(name: str, *how: Any) -> Any:
        if name.split(".")[0] == "Box2D":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *how)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"LunarLander-v3 .*pip install 'sixarts\[game-ai\]'"):
        make("LunarLander-v3")


@pytest.mark.quick
def test_settings_and_spaces_that_will_not_do_are_refused() -> None:
    assert make("LunarLander-v3", continuous=True).action_space.shape == (2,)
    with pytest.raises(OptionError, match="gravitas"):
        make("CartPole-v1", gravitas=3)

    class Many(Corridor):
        action_space = spaces.MultiBinary(3)

    with pytest.raises(InputError, match=r"MultiBinary.*wrap the environment"):
        make(Many)
    with pytest.raises(InputError, match="expected a Gymnasium environment"):
        make(dict)


def sided(kind: Any, count: int, steps: int) -> list[Any]:
    lanes = kind("CartPole-v1", count)
    try:
        seen = lanes.reset(3)
        told = [seen]
        random = np.random.default_rng(0)
        for _ in range(steps):
            step = lanes.step(random.integers(2, size=count))
            told.append((step.observations, step.rewards, step.terminated, step.truncated, sorted(step.last)))
        return told
    finally:
        lanes.close()


def test_lanes_are_their_environments() -> None:
    """Local lanes and those in processes do what single environments do, new episodes included."""
    found = sided(LocalLanes, 2, 60)
    singles = [gymnasium.make("CartPole-v1") for _ in range(2)]
    seen = [each.reset(seed=seed)[0] for each, seed in zip(singles, seeds_of(3, 2), strict=True)]
    assert np.array_equal(found[0], np.stack(seen))
    random, ends = np.random.default_rng(0), 0
    for observations, rewards, terminated, _, last in found[1:]:
        for lane, action in enumerate(random.integers(2, size=2)):
            state, reward, ended, cut, _ = singles[lane].step(int(action))
            ended = ended or cut
            assert reward == rewards[lane] and ended == terminated[lane] == (lane in last)
            if ended:
                ends += 1
                state = singles[lane].reset()[0]
            assert np.array_equal(state, observations[lane])
    assert ends > 1
    for one, other in zip(found[1:], sided(ProcessLanes, 2, 60)[1:], strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.quick
def test_a_truncated_episode_tells_its_last_observation() -> None:
    lanes = open_lanes(Corridor, 1)
    lanes.reset(0)
    for step in range(1, 13):
        taken = lanes.step(np.array([0]))
        assert taken.truncated[0] == (step == 12) and not taken.terminated[0]
    assert np.array_equal(taken.last[0], np.eye(5)[0]) and taken.observations[0].argmax() in (0, 1)


@pytest.mark.quick
def test_lanes_that_raise_are_closed() -> None:
    made: list[Corridor] = []

    def falling() -> Corridor:
        made.append(Corridor(breaks=3))
        return made[-1]

    lanes = open_lanes(falling, 2)
    lanes.reset(0)
    with pytest.raises(LaneError, match="falling raised ZeroDivisionError: the corridor fell in"):
        for _ in range(5):
            lanes.step(np.array([0, 0]))
    assert all(each.closed for each in made)
    with pytest.raises(OptionError, match="workers"):
        open_lanes(Corridor, 1, workers="thread")


# MinAtar for many lanes, against MinAtar.


class Told:
    """A lane's draws, as MinAtar's generator is asked for them."""

    stuck, start = 0.0, 0

    def rand(self) -> float:
        return self.stuck

    def randint(self, high: int) -> int:
        return self.start


class Drawn:
    """The lanes' draws, kept to be told."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def random_(self, size: int) -> np.ndarray:
        self.stuck = self.random.random(size)
        return self.stuck

    def integers(self, high: int, size: int) -> np.ndarray:
        self.start = self.random.integers(high, size=size)
        return self.start


#: What plays well enough that bricks and waves are cleared: a lane's game to an action of MinAtar.
PLAYERS = {
    "breakout": lambda game, random: 1 if game.ball_x < game.pos else 3 if game.ball_x > game.pos else 0,
    "space_invaders": lambda game, random: random.choice([0, 1, 3, 5, 5]),
}


@pytest.mark.parametrize(("kind", "name"), [("Breakout", "breakout"), ("SpaceInvaders", "space_invaders")])
def test_lanes_of_minatar_are_minatar(kind: str, name: str) -> None:
    """Every observation, reward and end of 1,500 steps in eight lanes, with the same draws on both sides."""
    minatar = pytest.importorskip("minatar")
    count = 8
    lanes = getattr(minatar_batch, kind)(count)
    assert is_batched(f"MinAtar/{kind}-v1")
    lanes.reset(0)
    drawn = Drawn(1)
    lanes.random = type("Random", (), {"random": drawn.random_, "integers": drawn.integers})
    lanes.begin(np.ones(count, bool))
    tellers = [Told() for _ in range(count)]
    games = [minatar.Environment(name) for _ in range(count)]
    for lane, (game, teller) in enumerate(zip(games, tellers, strict=True)):
        game.random = game.env.random = teller
        teller.start = getattr(drawn, "start", np.zeros(count, int))[lane]
        game.reset()
        assert np.array_equal(game.state(), lanes.observed()[lane])
    random, ends, total = np.random.default_rng(2), 0, 0.0
    minimal = list(lanes.actions)
    assert minimal == games[0].minimal_action_set()
    for _ in range(1500):
        chosen = [minimal.index(PLAYERS[name](game.env, random)) for game in games]
        step = lanes.step(np.array(chosen))
        for lane, (game, teller) in enumerate(zip(games, tellers, strict=True)):
            teller.stuck = drawn.stuck[lane]
            reward, ended = game.act(minimal[chosen[lane]])
            assert (reward, ended) == (step.rewards[lane], step.terminated[lane])
            total += reward
            if ended:
                ends += 1
                assert np.array_equal(game.state(), step.last[lane])
                teller.start = getattr(drawn, "start", np.zeros(count, int))[lane]
                game.reset()
            assert np.array_equal(game.state(), step.observations[lane])
    # Breakout's wall is cleared and comes again; the invaders come in waves.
    assert ends > 5 and total > 24 * count


# Atari by the protocol of Machado et al. 2018.


def test_atari_follows_the_protocol() -> None:
    pytest.importorskip("ale_py")
    game = make("ALE/Breakout-v5")
    assert game.observation_space.shape == (84, 84, 4) and game.observation_space.dtype == np.uint8
    assert game.action_space.n == 18
    assert make("ALE/Breakout-v5", full_actions=False).action_space.n == 4
    ale = game.unwrapped.ale
    assert ale.getFloat("repeat_action_probability") == 0.25
    assert ale.getInt("max_num_frames_per_episode") == 18_000
    first, _ = game.reset(seed=1)
    assert np.array_equal(first[..., 0], first[..., 3]) and first.max() > 0
    frames, lives = ale.getEpisodeFrameNumber(), ale.lives()
    seen, *_ = game.step(1)
    assert ale.getEpisodeFrameNumber() == frames + 5
    assert np.array_equal(seen[..., :3], first[..., 1:])
    ended = False
    for _ in range(400):
        _, _, ended, _, _ = game.step(1)
        if ale.lives() < lives:
            break
    assert ale.lives() < lives and not ended, "an episode goes on after a life"
    assert make("ALE/Breakout-v5", frame_skip=4).unwrapped is not None


@pytest.mark.quick
def test_frames_are_the_mean_of_their_areas_and_the_maximum_of_two() -> None:
    assert areas(84, 84) == pytest.approx(np.eye(84))
    assert areas(210, 84).sum(axis=1) == pytest.approx(np.ones(84))
    assert areas(160, 84).sum(axis=0) == pytest.approx(np.full(160, 84 / 160), abs=1e-6)

    class Blinking(gymnasium.Env[Any, Any]):
        observation_space = spaces.Box(0, 255, (84, 84), np.uint8)
        action_space = spaces.Discrete(2)

        def reset(self, **_: Any) -> tuple[np.ndarray, dict[str, Any]]:
            self.steps = 0
            return np.zeros((84, 84), "uint8"), {}

        def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
            self.steps += 1
            return np.full((84, 84), 100 * (self.steps % 2), "uint8"), 1.0, self.steps == 6, False, {}

    game = Frames(Blinking(), 4)
    game.reset()
    seen, reward, ended, *_ = game.step(0)
    # The fourth frame is dark, the third was bright.
    assert (seen[..., 3] == 100).all() and (seen[..., 2] == 0).all() and (reward, ended) == (4.0, False)
    assert game.step(0)[1:3] == (2.0, True)
