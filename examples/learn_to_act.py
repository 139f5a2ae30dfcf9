"""Agents: what to do now, an episode as a film, why; and an environment of one's own, learned by acting.

Run it as ``python examples/learn_to_act.py [FOLDER]``. Any Gymnasium environment will do, by its id or as a
class; this one is a room that is to be kept at 21 degrees.
"""

import sys
import tempfile
from pathlib import Path

import gymnasium
import numpy as np

import sixarts as sa

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
folder.mkdir(parents=True, exist_ok=True)

balance = sa.load("game-agent", environment="CartPole-v1", device="cpu")
tilted = (0.0, 0.1, 0.05, 0.4)  # position, velocity, angle, angular velocity
print("now:      ", balance(tilted))
why = balance.explain(tilted)
print("why:      ", why)
why.plot().savefig(folder / "why.png", dpi=150)
episode = balance.run_episode(seed=1, render=folder / "pole.gif", longest=120)
print("film:     ", f"{episode.length} steps, {episode.ended}")
episode.plot().savefig(folder / "episode.png", dpi=150)
print("measured: ", balance.evaluate(episodes=10)["mean"])


class Room(gymnasium.Env):
    """Degrees above 21, and outside; heating takes 0 to 1, and a fifth of the warmth is lost each step."""

    observation_space = gymnasium.spaces.Box(-30, 30, (2,), np.float32)
    action_space = gymnasium.spaces.Box(0, 1, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.room, self.outside, self.step_number = 0.0, float(self.np_random.uniform(-20, 0)), 0
        return self.seen(), {}

    def step(self, action):
        self.room += 0.2 * (self.outside - self.room) + 4.0 * float(action[0])
        self.step_number += 1
        return self.seen(), -abs(self.room) / 5, False, self.step_number == 20, {}

    def seen(self):
        return np.array([self.room, self.outside], "float32")


heat = sa.new("game-agent", family="ppo", device="cpu", hidden=[32])
learning = {"steps": 24_576, "lanes": 16, "discount": 0.9, "learning_rate": 3e-3, "every": 8192}
history = heat.fit(Room, normalize=True, progress=False, **learning)
print("learned:  ", f"judged {history.judged['return'][0]:.1f}, then {history.judged['return'][-1]:.1f}")
history.plot().savefig(folder / "learning.png", dpi=150)
cold, mild = heat([(0.0, -20.0), (0.0, -2.0)])
print("heating:  ", f"{cold.action[0]:.2f} in the cold, {mild.action[0]:.2f} when it is mild")
heat.save(folder / "heating")

for wrong in ((0.0, "warm"), (0.0, float("nan"))):
    try:
        heat(wrong)
    except ValueError as error:
        print("refused:  ", error)
