"""What an agent's network sees and gives: spaces of an environment, normalization, names. NumPy only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError, InputError
from sixarts.model import Processor, read_json, write_json
from sixarts.readers.limits import Limit, check, number, one_of, some, whole
from sixarts_game_ai.running_statistics import RunningStatistics

FILE = "environment.json"
#: Most numbers of an observation, and of kinds of actions.
MOST_NUMBERS, MOST_ACTIONS = 2**22, 4096
#: Normalized observations and rewards go no further than this from 0, in standard deviations.
FURTHEST = 10.0


@dataclass(frozen=True)
class Spaces:
    """What is observed, and what is done.

    Attributes:
        shape: of an observation; ``()`` for a number from 0 to ``states`` − 1.
        states: how many observations there are where they are numbered, else 0.
        dtype: ``"float32"``, ``"uint8"`` (pictures) or ``"bool"`` (planes).
        actions: how many actions there are, or numbers of a continuous action.
        continuous: whether an action is an array.
        low, high: bounds of a continuous action's numbers; empty where it has none.
        start: number of the first action.
        names: of the actions, where they are known.
        parts: names of an observation's numbers, where they are known.
    """

    shape: tuple[int, ...]
    actions: int
    states: int = 0
    dtype: str = "float32"
    continuous: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    start: int = 0
    names: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @classmethod
    def of(cls, environment: Any, name: str = "") -> Self:
        """Those of a Gymnasium environment that :func:`~sixarts_game_ai.environments.make` made."""
        from gymnasium import spaces

        observed, acted = environment.observation_space, environment.action_space
        known = NAMES.get(name.partition("/")[2] or name, {})
        seen: dict[str, Any] = {"shape": (), "states": int(getattr(observed, "n", 0))}
        if isinstance(observed, spaces.Box):
            kind = observed.dtype.kind
            dtype = {"b": "bool", "u": "uint8"}.get(kind, "float32")
            seen = {"shape": tuple(map(int, observed.shape)), "dtype": dtype}
            seen["parts"] = known.get("parts", ()) if math.prod(seen["shape"]) < 64 else ()
        if isinstance(acted, spaces.Discrete):
            return cls(**seen, actions=int(acted.n), start=int(acted.start), names=_names(environment, known))
        bounds = np.isfinite(acted.low).all() and np.isfinite(acted.high).all()
        return cls(
            **seen,
            actions=int(acted.shape[0]),
            continuous=True,
            low=tuple(map(float, acted.low)) if bounds else (),
            high=tuple(map(float, acted.high)) if bounds else (),
            names=known.get("actions", ()),
        )

    @property
    def inputs(self) -> tuple[int, ...]:
        """Shape of what the network reads."""
        return self.shape if self.shape else (self.states,)

    @property
    def spatial(self) -> bool:
        """Whether an observation is a picture, or planes."""
        return len(self.shape) == 3


#: What an environment does not say of itself, by its id without the namespace.
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "CartPole-v1": {
        "actions": ("push left", "push right"),
        "parts": ("position", "velocity", "angle", "angular velocity"),
    },
    "LunarLander-v3": {
        "actions": ("nothing", "left engine", "main engine", "right engine"),
        "parts": ("x", "y", "x velocity", "y velocity", "angle", "angular velocity", "left leg", "right leg"),
    },
    "Acrobot-v1": {
        "actions": ("torque -1", "torque 0", "torque 1"),
        "parts": ("cos 1", "sin 1", "cos 2", "sin 2", "velocity 1", "velocity 2"),
    },
    "MountainCar-v0": {"actions": ("left", "nothing", "right"), "parts": ("position", "velocity")},
    "Pendulum-v1": {"actions": ("torque",), "parts": ("cos", "sin", "angular velocity")},
    "Breakout-v1": {"actions": ("nothing", "left", "right"), "parts": ()},
    "SpaceInvaders-v1": {"actions": ("nothing", "left", "right", "fire"), "parts": ()},
}


def _names(environment: Any, known: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What the environment calls its actions, else what we do."""
    told = getattr(environment.unwrapped, "get_action_meanings", None)
    found = tuple(str(name).lower() for name in told()) if told else known.get("actions", ())
    return found if len(found) == environment.action_space.n else ()


@dataclass(frozen=True)
class AgentProcessor(Processor):
    """Observations to the network's input, and its actions to the environment's.

    Attributes:
        spaces: what is observed and done.
        environment: its id, or the name of the function that made it.
        settings: what it was made with.
        normalized: whether observations are brought to mean 0 and deviation 1.
        statistics: of the observations' numbers.
        reward_scale: what a reward of the environment is divided by for the network.
        sample: an observation.
    """

    spaces: Spaces
    environment: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    normalized: bool = False
    statistics: RunningStatistics = field(default_factory=RunningStatistics)
    reward_scale: float = 1.0
    sample: Any = None

    @classmethod
    def from_folder(cls, folder: Path, config: Mapping[str, Any]) -> Self:
        told = read_json(folder / FILE)
        check(told, _LIMITS)
        lacks = _LIMITS.keys() - told.keys()
        if lacks:
            raise CheckpointError(f"{folder / FILE} lacks {', '.join(sorted(lacks))}; fetch the model again")
        spaces = Spaces(
            **{
                name: tuple(told[name]) if isinstance(told[name], list) else told[name]
                for name in Spaces.__dataclass_fields__
            }
        )
        size = math.prod(spaces.inputs)
        if not 0 < size <= MOST_NUMBERS:
            raise CheckpointError(
                f"{FILE} states observations of {size} numbers; expected 1 to {MOST_NUMBERS}"
            )
        for name in ("mean", "variance"):
            if len(told[name]) not in (0, size):
                raise CheckpointError(
                    f"{FILE}: {len(told[name])} numbers of {name}; expected {size}, or none"
                )
        if spaces.names and len(spaces.names) != spaces.actions:
            raise CheckpointError(f"{FILE}: {len(spaces.names)} names; expected {spaces.actions}")
        for name in ("low", "high"):
            if len(getattr(spaces, name)) not in (0, spaces.actions) or len(spaces.low) != len(spaces.high):
                raise CheckpointError(f"{FILE}: {name} of another length than actions")
        if (len(told["mean"]) or len(told["variance"])) and len(told["mean"]) != len(told["variance"]):
            raise CheckpointError(f"{FILE}: mean and variance of unlike lengths")
        made = cls(
            spaces,
            told["environment"],
            told["settings"],
            told["normalized"],
            RunningStatistics(
                np.array(told["mean"], "float64"), np.array(told["variance"], "float64"), told["count"]
            ),
            told["reward_scale"],
            None,
        )
        if told["sample"] is not None:
            try:
                sample = made.read(told["sample"])
            except InputError as error:
                raise CheckpointError(f"{FILE}: sample: {error.reason}") from None
            made = replace(made, sample=sample)
        return made

    def save(self, folder: Path) -> None:
        told = asdict(self.spaces)
        known = self.statistics.count > 0
        write_json(
            folder / FILE,
            {
                **{name: list(value) if isinstance(value, tuple) else value for name, value in told.items()},
                "environment": self.environment,
                "settings": dict(self.settings),
                "normalized": self.normalized,
                "mean": self.statistics.mean.ravel().tolist() if known else [],
                "variance": self.statistics.variance.ravel().tolist() if known else [],
                "count": self.statistics.count,
                "reward_scale": self.reward_scale,
                "sample": None if self.sample is None else np.asarray(self.sample).tolist(),
            },
        )

    # Observations.

    def read(self, x: Any) -> np.ndarray:
        """An observation as an array of the right shape.

        Raises:
            InputError: anything else.
        """
        wanted = self.told
        if x is None or isinstance(x, str | bytes | Mapping | set):
            raise InputError(f"{_short(x)}; expected {wanted}")
        try:
            array = np.asarray(x)
        except ValueError:
            raise InputError(f"{_short(x)} is of uneven shape; expected {wanted}") from None
        if array.dtype.kind not in "biuf":
            raise InputError(f"{_short(x)} holds {array.dtype}; expected {wanted}")
        if array.shape != self.spaces.shape:
            raise InputError(f"an observation of shape {array.shape}; expected {wanted}")
        if not np.isfinite(array).all():
            raise InputError(f"an observation with NaN or infinite numbers; expected {wanted}")
        if not self.spaces.shape and not (array == int(array) and 0 <= array < self.spaces.states):
            raise InputError(f"the observation {_short(x)}; expected {wanted}")
        if self.spaces.dtype == "uint8" and (array.min() < 0 or array.max() > 255):
            raise InputError(f"a picture with numbers from {array.min()} to {array.max()}; expected 0 to 255")
        return array.astype(self.spaces.dtype if self.spaces.shape else "int64")

    @property
    def told(self) -> str:
        """What an observation is, for messages."""
        spaces, place = self.spaces, ""
        if self.environment:
            place = f" as {self.environment.removeprefix('function ')} gives them"
        if not spaces.shape:
            return f"a whole number from 0 to {spaces.states - 1}{place}"
        size = " × ".join(map(str, spaces.shape))
        return f"{size} finite numbers{place}, as an array or a tuple"

    def arrays(self, observations: np.ndarray) -> dict[str, np.ndarray]:
        """The network's input of observations ``[b, …]``."""
        spaces = self.spaces
        if not spaces.shape:
            return {"observation": np.eye(spaces.states, dtype="float32")[observations]}
        if spaces.dtype != "float32":
            return {"observation": observations.astype("uint8", copy=False)}
        seen = observations.astype("float32", copy=False)
        return {"observation": self.statistics.applied(seen, FURTHEST) if self.normalized else seen}

    # Actions.

    def acted(self, raw: np.ndarray) -> np.ndarray:
        """The environment's actions of the network's, ``[b]`` or ``[b, actions]``."""
        spaces = self.spaces
        if not spaces.continuous:
            return raw + spaces.start
        if not spaces.low:
            return raw
        low, high = np.array(spaces.low, "float32"), np.array(spaces.high, "float32")
        return low + (np.clip(raw, -1, 1) + 1) / 2 * (high - low)

    def unacted(self, actions: np.ndarray) -> np.ndarray:
        """The network's actions of the environment's."""
        spaces = self.spaces
        if not spaces.continuous:
            return (np.asarray(actions) - spaces.start).astype("int32")
        wide = np.asarray(actions, "float32")
        if not spaces.low:
            return wide
        low, high = np.array(spaces.low, "float32"), np.array(spaces.high, "float32")
        return 2 * (wide - low) / (high - low) - 1

    def check_action(self, action: Any) -> None:
        """Raises :class:`InputError` for what is no action of the environment."""
        spaces = self.spaces
        if spaces.continuous:
            try:
                array = np.asarray(action, "float64")
            except (TypeError, ValueError):
                array = np.array(np.nan)
            if array.shape != (spaces.actions,) or not np.isfinite(array).all():
                raise InputError(f"the action {_short(action)}; expected {spaces.actions} finite numbers")
            return
        whole_ = isinstance(action, int | np.integer) and not isinstance(action, bool)
        if not whole_ or not spaces.start <= action < spaces.start + spaces.actions:
            last = spaces.start + spaces.actions - 1
            raise InputError(
                f"the action {_short(action)}; expected a whole number from {spaces.start} to {last}"
            )

    def label(self, place: int) -> str:
        """What an action is called."""
        if self.spaces.names:
            return self.spaces.names[place]
        return f"action {place + (0 if self.spaces.continuous else self.spaces.start)}"


_TEXT: Limit = (lambda value: isinstance(value, str) and len(value) <= 200, "a short text")
_NUMBER = number(-1e30, 1e30)


def _many(limit: Limit, most: int) -> Limit:
    """A list that may be empty."""
    fits, words = some(limit, most)
    return lambda value: value == [] or fits(value), words


_LIMITS: dict[str, Limit] = {
    "shape": _many(whole(1, 2**20), 4),
    "states": whole(0, 2**16),
    "dtype": one_of("float32", "uint8", "bool"),
    "actions": whole(1, MOST_ACTIONS),
    "continuous": one_of(True, False),
    "low": _many(_NUMBER, MOST_ACTIONS),
    "high": _many(_NUMBER, MOST_ACTIONS),
    "start": whole(-(2**31), 2**31),
    "names": _many(_TEXT, MOST_ACTIONS),
    "parts": _many(_TEXT, 64),
    "environment": _TEXT,
    "settings": (lambda value: isinstance(value, dict) and len(value) <= 64, "settings by name"),
    "normalized": one_of(True, False),
    "mean": _many(_NUMBER, MOST_NUMBERS),
    "variance": _many(number(0, 1e30), MOST_NUMBERS),
    "count": number(0, 1e30),
    "reward_scale": number(1e-12, 1e30),
    "sample": (lambda value: value is None or isinstance(value, list | int | float), "an observation"),
}


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
