"""Environments by their Gymnasium id, with the wrappers that networks need, and errors that say what to do.

::

    CartPole-v1, LunarLander-v3, …    as Gymnasium makes them
    MinAtar/Breakout-v1, …            Young and Tian 2019, with the actions that have an effect
    ALE/Breakout-v5, …                by the protocol of Machado et al. 2018; see :mod:`sixarts_game_ai.atari`
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

from sixarts.errors import InputError, MissingExtra, OptionError, UnknownName

#: A namespace of ids to the modules that register it, and what installs them.
NAMESPACES = {
    "ALE": ("ale_py", "sixarts[game-ai]"),
    "MinAtar": ("minatar", "sixarts[game-ai]"),
}
#: A module that an environment may lack, to what installs it.
EXTRAS = {
    "Box2D": "sixarts[game-ai]",
    "ale_py": "sixarts[game-ai]",
    "gymnasium": "sixarts[game-ai]",
    "jax": "sixarts[jax]",
    "minatar": "sixarts[game-ai]",
    "mujoco": "gymnasium[mujoco]",
    "pygame": "sixarts[game-ai]",
}
#: An id, or a function without arguments that makes an environment.
Source = str | Callable[[], Any]


def make(source: Source, *, render: bool = False, **settings: Any) -> Any:
    """A Gymnasium environment that networks can act in.

    Args:
        source: an id, or a function that makes an environment (it may take ``render_mode``).
        render: whether it can be drawn, ``"rgb_array"``.
        **settings: handed to the environment, e.g. ``continuous=True``; for Atari's games see
            :func:`sixarts_game_ai.atari.make`.

    Raises:
        UnknownName: no such id; the message has the nearest.
        MissingExtra: the environment needs a module that is not there; the message installs it.
        OptionError: settings that it does not take.
        InputError: spaces that no network here reads.
    """
    import gymnasium

    mode = "rgb_array" if render else None
    try:
        if callable(source):
            made = _called(source, mode, settings)
        elif source.startswith("ALE/"):
            from sixarts_game_ai import atari

            made = atari.make(_known(source), mode, **settings)
        else:
            extra = {} if mode is None else {"render_mode": mode}
            made = gymnasium.make(_known(source), disable_env_checker=True, **extra, **settings)
    except (gymnasium.error.DependencyNotInstalled, ModuleNotFoundError) as error:
        raise MissingExtra(_install(named(source), error)) from error
    except (TypeError, gymnasium.error.Error) as error:
        told = str(error).partition("\n")[0]
        raise OptionError(
            f"{named(source)} cannot be made ({told}); expected settings that it takes; "
            f"received {settings or 'none'}"
        ) from error
    return _readable(made, named(source))


def named(source: Source) -> str:
    """What an environment is called in messages and on cards."""
    return source if isinstance(source, str) else getattr(source, "__name__", type(source).__name__)


def is_source(x: Any) -> bool:
    """Whether ``x`` is an environment's id, or a function that makes one: no path of a file, no examples."""
    from pathlib import Path

    if isinstance(x, str):
        return not Path(x).is_file() and "\n" not in x
    return callable(x)


def _called(source: Callable[..., Any], mode: str | None, settings: Mapping[str, Any]) -> Any:
    import inspect

    try:
        takes = inspect.signature(source).parameters
    except ValueError:  # of what is built in, Python knows none
        takes = inspect.signature(lambda: None).parameters
    known = "render_mode" in takes or any(each.kind is each.VAR_KEYWORD for each in takes.values())
    extra = {"render_mode": mode} if mode is not None and known else {}
    made = source(**extra, **settings)
    if not hasattr(made, "step") or not hasattr(made, "observation_space"):
        raise InputError(
            f"{named(source)} gave {made!r:.60}; expected a Gymnasium environment (reset, step, spaces)"
        )
    return made


def _known(name: str) -> str:
    """The id itself, once whoever registers it was asked."""
    import gymnasium

    space, _, rest = name.rpartition("/")
    if space in NAMESPACES:
        module, extra = NAMESPACES[space]
        if importlib.util.find_spec(module) is None:
            raise MissingExtra(f"{name} needs {module}; install with: pip install '{extra}'")
    register(space)
    plain = rest.split(":")[-1]
    if name not in gymnasium.registry and plain not in gymnasium.registry:
        for each in NAMESPACES:
            register(each)
        known = [each for each in gymnasium.registry if not each.startswith(("phys2d/", "tabular/"))]
        raise UnknownName("environment", name, known, "any id that Gymnasium registers will do")
    return name


@functools.cache
def register(space: str) -> None:
    """Has a namespace's environments registered with Gymnasium, where its package is there."""
    import gymnasium

    if space not in NAMESPACES or importlib.util.find_spec(NAMESPACES[space][0]) is None:
        return
    if space == "ALE":
        gymnasium.register_envs(importlib.import_module("ale_py"))
    elif space == "MinAtar":
        importlib.import_module("minatar.gym").register_envs()


def _install(name: str, error: Exception) -> str:
    module = getattr(error, "name", None) or str(error)
    # By the first word that is known: a message may end with another package's own line.
    places = {module.lower().find(each.lower()): extra for each, extra in EXTRAS.items()}
    target = places[min(found)] if (found := [place for place in places if place >= 0]) else None
    told = str(error).partition("\n")[0]
    return f"{name} needs what is not installed ({told}); install with: pip install '{target or module}'"


def _readable(made: Any, name: str) -> Any:
    """The environment with an observation that is one array, and actions that a network gives."""
    from gymnasium import spaces
    from gymnasium.wrappers import FlattenObservation

    observed, acted = made.observation_space, made.action_space
    if not isinstance(observed, spaces.Box | spaces.Discrete):
        try:
            made = FlattenObservation(made)
        except (NotImplementedError, TypeError, ValueError):
            made.close()
            raise InputError(f"{name} observes {observed}; expected what can be one array") from None
    if not isinstance(acted, spaces.Discrete | spaces.Box) or (
        isinstance(acted, spaces.Box) and len(acted.shape) != 1
    ):
        made.close()
        raise InputError(
            f"{name} takes actions of {acted}; expected Discrete, or a Box of one axis; wrap the environment"
        )
    return made
