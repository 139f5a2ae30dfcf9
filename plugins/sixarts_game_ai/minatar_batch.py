"""MinAtar's Breakout and Space Invaders for many lanes at once, in NumPy, for training.

The rules are those of Young and Tian 2019 ("MinAtar: An Atari-Inspired Testbed", version 1.0.15), with the
actions that have an effect and sticky actions of .1; a test plays both side by side, step by step.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sixarts_game_ai.lanes import Step

SIDE = 10
#: How likely the last action is done once more in place of the new one.
STICKY = 0.1
#: Steps after which an episode is cut: MinAtar's own go on for ever, and some agents do, too.
LONGEST = 10_000


class Game:
    """What the games share: lanes, sticky actions, new episodes.

    Args:
        count: how many lanes.

    Attributes:
        random: what sticky actions and beginnings are drawn from.
        channels: planes of an observation.
        actions: MinAtar's numbers of the actions that have an effect.
    """

    channels: ClassVar[int]
    actions: ClassVar[tuple[int, ...]]

    def __init__(self, count: int) -> None:
        self.count = count
        self.lanes = np.arange(count)
        self._names = np.array(self.actions)
        self.random = np.random.default_rng(0)

    def reset(self, seed: int) -> np.ndarray:
        """Begins every lane's episode anew, ``[lanes, 10, 10, channels]``."""
        self.random = np.random.default_rng(seed)
        self.last_action = np.zeros(self.count, "int64")
        self.steps = np.zeros(self.count, "int64")
        self.begin(np.ones(self.count, bool))
        return self.observed()

    def step(self, actions: np.ndarray) -> Step:
        """One step of every lane."""
        wanted = self._names[actions]
        stuck = self.random.random(self.count) < STICKY
        # As MinAtar's own, the last action is kept over the end of an episode.
        self.last_action = np.where(stuck, self.last_action, wanted)
        rewards, terminated = self.play(self.last_action)
        self.steps += 1
        truncated = (self.steps >= LONGEST) & ~terminated
        ended = terminated | truncated
        last: dict[int, np.ndarray] = {}
        if ended.any():
            seen = self.observed()
            last = {int(lane): seen[lane] for lane in np.flatnonzero(ended)}
            self.begin(ended)
            self.steps[ended] = 0
        return Step(self.observed(), rewards.astype("float32"), terminated, truncated, last)

    def close(self) -> None:
        """Nothing is held."""

    def begin(self, which: np.ndarray) -> None:
        """Begins new episodes in these lanes."""
        raise NotImplementedError

    def play(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Plays one step; rewards, and where the episode ended."""
        raise NotImplementedError

    def observed(self) -> np.ndarray:
        """What every lane shows, a fresh array."""
        raise NotImplementedError


class Breakout(Game):
    """A paddle, a ball, three rows of bricks."""

    channels = 4
    actions = (0, 1, 3)

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.bricks = np.zeros((count, SIDE, SIDE), bool)
        self.x, self.y, self.pos, self.direction, self.last_x, self.last_y = (
            np.zeros(count, "int64") for _ in range(6)
        )
        self.strike = np.zeros(count, bool)

    def begin(self, which: np.ndarray) -> None:
        start = self.random.integers(2, size=self.count)
        self.x = np.where(which, start * 9, self.x)
        self.direction = np.where(which, 2 + start, self.direction)
        self.y[which], self.pos[which], self.strike[which] = 3, 4, False
        self.bricks[which] = False
        self.bricks[which, 1:4] = True
        self.last_x[which], self.last_y[which] = self.x[which], 3

    def play(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.pos = np.clip(self.pos + (actions == 3) - (actions == 1), 0, SIDE - 1)
        self.last_x, self.last_y = self.x, self.y
        old_x, way = self.x, self.direction
        # Directions: 0 up left, 1 up right, 2 down right, 3 down left.
        x = old_x + np.where((way == 1) | (way == 2), 1, -1)
        y = self.y + np.where(way >= 2, 1, -1)
        side = (x < 0) | (x > 9)
        x = np.clip(x, 0, 9)
        way = np.where(side, _MIRRORED[way], way)
        top = y < 0
        way = np.where(top, _FLIPPED[way], way)
        y = np.where(top, 0, y)
        brick = ~top & self.bricks[self.lanes, y, x]
        hit = brick & ~self.strike
        self.bricks[self.lanes[hit], y[hit], x[hit]] = False
        bottom = ~top & ~brick & (y == 9)
        if bottom.any():
            empty = bottom & ~self.bricks.any(axis=(1, 2))
            self.bricks[empty, 1:4] = True
        straight = bottom & (old_x == self.pos)
        corner = bottom & ~straight & (x == self.pos)
        way = np.where(hit | straight, _FLIPPED[way], np.where(corner, _BACK[way], way))
        self.y = np.where(hit | straight | corner, self.last_y, y)
        self.x, self.direction, self.strike = x, way, brick
        return hit, bottom & ~straight & ~corner

    def observed(self) -> np.ndarray:
        seen = np.zeros((self.count, SIDE, SIDE, 4), bool)
        seen[self.lanes, 9, self.pos, 0] = True
        seen[self.lanes, self.y, self.x, 1] = True
        seen[self.lanes, self.last_y, self.last_x, 2] = True
        seen[..., 3] = self.bricks
        return seen


#: Direction after a wall at a side, after a ceiling, and after the paddle's corner.
_MIRRORED, _FLIPPED, _BACK = np.array([1, 0, 3, 2]), np.array([3, 2, 1, 0]), np.array([2, 3, 0, 1])

#: Space Invaders' timers.
SHOT, MOVE, ENEMY_SHOT = 5, 12, 10
#: By the cannon's column, columns in the order in which an alien that shoots is looked for.
_NEAREST = np.array([sorted(range(SIDE), key=lambda column: abs(column - pos)) for pos in range(SIDE)])


class SpaceInvaders(Game):
    """A cannon below, aliens that come down."""

    channels = 6
    actions = (0, 1, 3, 5)

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.shots, self.bombs, self.aliens = (np.zeros((count, SIDE, SIDE), bool) for _ in range(3))
        self.pos, self.way, self.interval, self.move_timer, self.bomb_timer, self.shot_timer = (
            np.zeros(count, "int64") for _ in range(6)
        )

    def begin(self, which: np.ndarray) -> None:
        self.pos[which], self.way[which], self.shot_timer[which] = 5, -1, 0
        self.interval[which] = self.move_timer[which] = MOVE
        self.bomb_timer[which] = ENEMY_SHOT
        self.shots[which] = self.bombs[which] = self.aliens[which] = False
        self.aliens[which, 0:4, 2:8] = True

    def play(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lanes = self.lanes
        fired = (actions == 5) & (self.shot_timer == 0)
        self.shots[lanes[fired], 9, self.pos[fired]] = True
        self.shot_timer[fired] = SHOT
        self.pos = np.clip(self.pos + (actions == 3) - (actions == 1), 0, SIDE - 1)
        self.shots = np.concatenate([self.shots[:, 1:], np.zeros_like(self.shots[:, :1])], axis=1)
        self.bombs = np.concatenate([np.zeros_like(self.bombs[:, :1]), self.bombs[:, :-1]], axis=1)
        ended = self.bombs[lanes, 9, self.pos] | self.aliens[lanes, 9, self.pos]
        moving = np.flatnonzero(self.move_timer == 0)
        if len(moving):
            aliens, way = self.aliens[moving], self.way[moving]
            self.move_timer[moving] = np.minimum(aliens.sum(axis=(1, 2)), self.interval[moving])
            edge = np.where(way < 0, aliens[:, :, 0].any(axis=1), aliens[:, :, 9].any(axis=1))
            ended[moving] |= edge & aliens[:, 9].any(axis=1)
            down = np.roll(aliens, 1, axis=1)
            aside = np.where(
                (way < 0)[:, None, None], np.roll(aliens, -1, axis=2), np.roll(aliens, 1, axis=2)
            )
            self.aliens[moving] = np.where(edge[:, None, None], down, aside)
            self.way[moving] = np.where(edge, -way, way)
            ended[moving] |= self.aliens[moving, 9, self.pos[moving]]
        shooting = np.flatnonzero(self.bomb_timer == 0)
        if len(shooting):
            self.bomb_timer[shooting] = ENEMY_SHOT
            aliens = self.aliens[shooting]
            order = _NEAREST[self.pos[shooting]]
            there = np.take_along_axis(aliens.any(axis=1), order, axis=1)
            column = order[np.arange(len(shooting)), there.argmax(axis=1)]
            of_column = aliens[np.arange(len(shooting)), :, column]
            self.bombs[shooting, SIDE - 1 - of_column[:, ::-1].argmax(axis=1), column] = True
        killed = self.aliens & self.shots
        self.aliens &= ~killed
        self.shots &= ~killed
        self.shot_timer -= self.shot_timer > 0
        self.move_timer -= 1
        self.bomb_timer -= 1
        rewards = killed.sum(axis=(1, 2))
        # Only a lane that lost an alien can have lost its last.
        hit = np.flatnonzero(rewards)
        won = hit[~self.aliens[hit].any(axis=(1, 2))]
        self.interval[won] -= self.interval[won] > 6
        self.aliens[won, 0:4, 2:8] = True
        return rewards, ended

    def observed(self) -> np.ndarray:
        seen = np.zeros((self.count, SIDE, SIDE, 6), bool)
        seen[self.lanes, 9, self.pos, 0] = True
        seen[..., 1] = self.aliens
        left = (self.way < 0)[:, None, None]
        seen[..., 2] = self.aliens & left
        seen[..., 3] = self.aliens & ~left
        seen[..., 4] = self.shots
        seen[..., 5] = self.bombs
        return seen
