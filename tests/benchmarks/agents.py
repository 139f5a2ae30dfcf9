"""Agents for ``bench_agents.py``: ours, and Stable-Baselines3's PPO of the same sizes, each in a worker.

Both see the same numbers in as many lanes, and learn by the same rollouts, passes and minibatches. CartPole's
settings are those that RL Baselines3 Zoo tuned for Stable-Baselines3; until it is learned, ours has twice the
learning rate.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

#: Name of a case to its environment, what both learn by, and our network.
CASES: dict[str, dict[str, Any]] = {
    "CartPole": {
        "environment": "CartPole-v1",
        "lanes": 8,
        "rollout": 32,
        "minibatch": 256,
        "passes": 20,
        "discount": 0.98,
        "trace": 0.8,
        "learning_rate": 1e-3,
        "entropy": 0.0,
        "network": {},
    },
    "MinAtar Breakout": {
        "environment": "MinAtar/Breakout-v1",
        "lanes": 16,
        "rollout": 64,
        "minibatch": 256,
        "passes": 4,
        "discount": 0.99,
        "trace": 0.95,
        "learning_rate": 1e-3,
        "entropy": 0.01,
        "network": {"hidden": [128], "channels": [16], "activation": "relu"},
    },
}
#: Mean return that counts as learned, over so many episodes, asked after so many steps.
LEARNED, EPISODES, EVERY, MOST = 475.0, 20, 1024, 100_000
#: Our learning rate until CartPole is learned; with the peer's own, the median of five seeds was 14,336 steps
#: (JAX), with this one 8,192.
QUICK = 2e-3


def threads(count: int) -> None:
    """Limits PyTorch, which takes one a core otherwise."""
    import torch

    torch.set_num_threads(count)


def ours(case: str, steps: int, workers: str = "auto", count: int = 2) -> float:
    """Steps a second of our PPO, after two updates that compile."""
    import keras

    from sixarts_game_ai.lanes import open_lanes

    if keras.config.backend() == "torch":
        threads(count)
    learner, training, environment = _learner(case, 0, 100_000)
    lanes, random = open_lanes(environment, training.lanes, workers=workers), np.random.default_rng(0)
    seen = lanes.reset(0)
    with learner.device.scope():
        for _ in range(2):
            seen = learner.update(lanes, seen, random, 0.0).observations
        begin, done = time.perf_counter(), 0
        while done < steps:
            seen = learner.update(lanes, seen, random, 0.0).observations
            done += learner.rows
        learner.weights()  # what is still under way is waited for
        return done / (time.perf_counter() - begin)


def ours_until_learned(seed: int) -> int:
    """Steps until our policy without noise returns :data:`LEARNED`."""
    from sixarts_game_ai.episodes import play
    from sixarts_game_ai.lanes import open_lanes

    learner, training, environment = _learner("CartPole", seed, MOST, learning_rate=QUICK)
    model = learner.model
    lanes, random = open_lanes(environment, training.lanes), np.random.default_rng(seed)
    seen, done = lanes.reset(seed), 0
    while done < MOST:
        with learner.device.scope():
            seen = learner.update(lanes, seen, random, done / MOST).observations
        done += learner.rows
        if done % EVERY == 0:
            model.take(learner.weights(), learner.current())
            if np.mean([each.total for each in play(model, environment, EPISODES, [seed, done])]) >= LEARNED:
                return done
    return MOST


def _learner(case: str, seed: int, steps: int, **changed: Any) -> Any:
    import keras

    from sixarts.device import Device
    from sixarts_game_ai.agent_options import AgentTraining
    from sixarts_game_ai.agent_processor import AgentProcessor, Spaces
    from sixarts_game_ai.environments import make
    from sixarts_game_ai.ppo import PPO
    from sixarts_game_ai.ppo_learning import PPOLearner

    options = CASES[case] | changed
    environment, network = options.pop("environment"), options.pop("network")
    keras.utils.set_random_seed(seed)
    spaces = Spaces.of(make(environment), environment)
    model = PPO(PPO.configure(**network), None, Device.of("cpu")).build_for(
        AgentProcessor(spaces, environment)
    )
    training = AgentTraining(steps=steps, **options).of("ppo")
    learner = PPOLearner(model, training)
    learner.model = model  # type: ignore[attr-defined]
    return learner, training, environment


def theirs(case: str, steps: int, count: int = 2) -> float:
    """Steps a second of Stable-Baselines3's PPO, after two updates."""
    threads(count)
    model, options = _peer(case, 0)
    model.learn(2 * options["lanes"] * options["rollout"])
    begin = time.perf_counter()
    model.learn(steps)
    return model.num_timesteps / (time.perf_counter() - begin)


def theirs_until_learned(seed: int) -> int:
    """Steps until its policy without noise returns :data:`LEARNED`."""
    import gymnasium
    from stable_baselines3.common.callbacks import BaseCallback

    threads(1)
    model, options = _peer("CartPole", seed)
    tests = [gymnasium.make(options["environment"]) for _ in range(EPISODES)]

    class Asked(BaseCallback):
        reached = MOST

        def _on_step(self) -> bool:
            if self.num_timesteps % EVERY:
                return True
            totals, playing = np.zeros(EPISODES), list(range(EPISODES))
            seeds = np.random.SeedSequence([seed, self.num_timesteps]).generate_state(EPISODES)
            seen = [each.reset(seed=int(own))[0] for each, own in zip(tests, seeds, strict=True)]
            while playing:
                actions, _ = self.model.predict(np.stack(seen), deterministic=True)
                going = []
                for lane in playing:
                    seen[lane], reward, ended, cut, _ = tests[lane].step(int(actions[lane]))
                    totals[lane] += reward
                    if not (ended or cut):
                        going.append(lane)
                playing = going
            if totals.mean() >= LEARNED:
                self.reached = self.num_timesteps
                return False
            return True

    asked = Asked()
    model.learn(MOST, callback=asked)
    return asked.reached


def _peer(case: str, seed: int) -> Any:
    import gymnasium
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    from sixarts_game_ai.environments import register

    options = CASES[case]

    class Planes(BaseFeaturesExtractor):
        """The convolution and the dense layer that ours has."""

        def __init__(self, space: Any) -> None:
            super().__init__(space, 128)
            self.body = torch.nn.Sequential(
                torch.nn.Conv2d(4, 16, 3),
                torch.nn.ReLU(),
                torch.nn.Flatten(),
                torch.nn.Linear(1024, 128),
                torch.nn.ReLU(),
            )

        def forward(self, seen: Any) -> Any:
            return self.body(seen)

    class First(gymnasium.ObservationWrapper):  # type: ignore[type-arg]
        """Planes first, as PyTorch's convolutions have them."""

        def __init__(self, game: Any) -> None:
            super().__init__(game)
            self.observation_space = gymnasium.spaces.Box(0, 1, (4, 10, 10), np.float32)

        def observation(self, seen: np.ndarray) -> np.ndarray:
            return np.moveaxis(seen, -1, 0).astype("float32")

    register("MinAtar")
    planes = case != "CartPole"
    lanes = make_vec_env(
        options["environment"], options["lanes"], seed=seed, wrapper_class=First if planes else None
    )
    policy = {"features_extractor_class": Planes, "net_arch": []} if planes else {}
    model = PPO(
        "MlpPolicy",
        lanes,
        n_steps=options["rollout"],
        batch_size=options["minibatch"],
        n_epochs=options["passes"],
        gamma=options["discount"],
        gae_lambda=options["trace"],
        learning_rate=lambda left: options["learning_rate"] * left,
        clip_range=lambda left: 0.2 * left,
        ent_coef=options["entropy"],
        policy_kwargs=policy,
        seed=seed,
        device="cpu",
    )
    return model, options
