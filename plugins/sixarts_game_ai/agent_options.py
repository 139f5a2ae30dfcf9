"""Options of ``game-agent``: of its calls, and of its learning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from sixarts.errors import OptionError
from sixarts.task import Options
from sixarts.training import Training
from sixarts_game_ai.lanes import WORKERS


@dataclass(frozen=True)
class AgentOptions(Options):
    """Options of a call of ``game-agent``.

    Attributes:
        batch_size: observations that go through the network together.
        environment: where it acts; chooses the model in :func:`sixarts.load`, and is the model's own by
            default.
    """

    batch_size: int = 256
    environment: str | None = None


#: What a family learns by, where the call states nothing.
USUAL: dict[str, dict[str, Any]] = {
    "ppo": {
        "lanes": 8,
        "learning_rate": 1e-3,
        "clip_norm": 0.5,
        "discount": 0.99,
        "minibatch": 256,
        "fading": True,
    },
    "dqn": {
        "lanes": 4,
        "learning_rate": 1e-3,
        "clip_norm": 10.0,
        "discount": 0.99,
        "minibatch": 64,
        "fading": False,
    },
}


@dataclass(frozen=True)
class AgentTraining(Training):
    """Options of ``fit``: of learning in an environment, and of learning from examples.

    Examples take ``epochs``, ``batch_size`` and what every task's ``fit`` has. In an environment these count:

    Attributes:
        steps: of the environment, all lanes together.
        lanes: environments side by side.
        workers: ``"local"``, ``"processes"`` or ``"auto"``; see :func:`sixarts_game_ai.lanes.open_lanes`.
        settings: of the environment, e.g. ``{"continuous": True}``.
        target: it stops once the mean return of the last 100 episodes reaches this; ``None`` never.
        every: steps after which the policy is judged without noise, and a checkpoint is written; episodes
            are begun anew there, so that a resumed run goes as an unbroken one.
        judged: episodes by which it is judged; the best judged weights are the result. 0 takes the last.
        learning_rate, clip_norm, lanes, discount, fading, minibatch: by the family where they are ``None``.
        discount: γ, of a reward one step later.
        fading: whether learning rate and clipping fade to 0 over the steps.
        minibatch: rows of a minibatch.
        normalize: whether observations are brought to mean 0 and deviation 1, by running statistics.
        normalize_rewards: whether rewards are divided by the deviation of their discounted sums.

    PPO:

    Attributes:
        rollout: steps of each lane before an update.
        passes: over each rollout.
        trace: λ of generalized advantage estimation.
        clip: ε of the clipped objective.
        clip_value: whether the value's change is clipped, too.
        entropy: weight of the policy's entropy.
        value_weight: weight of the value's loss.

    DQN:

    Attributes:
        double: whether the online network chooses the action whose value is taken (van Hasselt et al. 2016).
        n_step: steps whose rewards are taken before a value is (Sutton 1988).
        prioritized: α of prioritized replay (Schaul et al. 2016); 0 draws evenly.
        correction: β of its weights at the beginning; 1 at the end.
        replay: transitions that are kept.
        warm: steps before the first update.
        train_every: steps of the environment between updates.
        updates: minibatches of an update.
        sync: minibatches after which the target network is renewed.
        exploration: share of random actions at the end.
        exploring: share of the steps over which it falls there, from 1.
    """

    learning_rate: float | None = None  # type: ignore[assignment]
    clip_norm: float | None = None  # type: ignore[assignment]
    steps: int = 100_000
    lanes: int | None = None
    workers: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)
    target: float | None = None
    every: int = 50_000
    judged: int = 20
    discount: float | None = None
    fading: bool | None = None
    normalize: bool = False
    normalize_rewards: bool = False
    rollout: int = 32
    passes: int = 10
    minibatch: int | None = None
    trace: float = 0.95
    clip: float = 0.2
    clip_value: bool = False
    entropy: float = 0.0
    value_weight: float = 0.5
    double: bool = True
    n_step: int = 1
    prioritized: float = 0.0
    correction: float = 0.4
    replay: int = 100_000
    warm: int = 1000
    train_every: int = 256
    updates: int = 128
    sync: int = 100
    exploration: float = 0.05
    exploring: float = 0.2

    def __post_init__(self) -> None:
        # What every task's training checks, with a rate that is set later.
        replace_none = self.learning_rate is None
        if replace_none:
            object.__setattr__(self, "learning_rate", 1e-3)
        super().__post_init__()
        if replace_none:
            object.__setattr__(self, "learning_rate", None)
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name}={value!r}; expected 1 or more")
        for name in ("judged", "warm"):
            if getattr(self, name) < 0:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 or more")
        for name in ("discount", "trace", "prioritized", "correction", "exploration", "exploring"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise OptionError(f"{name}={value!r}; expected 0 to 1")
        if not self.clip > 0:
            raise OptionError(f"clip={self.clip!r}; expected more than 0")
        if self.workers not in WORKERS:
            raise OptionError(f"workers={self.workers!r}; expected one of {', '.join(WORKERS)}")

    def of(self, family: str) -> AgentTraining:
        """With the family's own values where none are stated."""
        stated = {name: value for name, value in USUAL[family].items() if getattr(self, name) is None}
        return replace(self, **stated)

    def rate_of(self, done: float) -> float:
        """The learning rate when this share of the steps is over."""
        assert self.learning_rate is not None
        return self.learning_rate * (max(1.0 - done, 0.0) if self.fading else 1.0)


_POSITIVE = (
    "steps",
    "lanes",
    "every",
    "rollout",
    "passes",
    "minibatch",
    "n_step",
    "replay",
    "train_every",
    "updates",
    "sync",
)

__all__ = ["USUAL", "AgentOptions", "AgentTraining", "fields"]
