"""What the games plugin registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec
from sixarts_game_ai import agent_spec, katago_spec, strategy_spec

API_VERSION = "1"

#: What a family maps that acts in an environment.
ENVIRONMENT = "observation -> action"


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [strategy_spec.TASK, agent_spec.TASK]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [strategy_spec.FAMILY, katago_spec.FAMILY, *agent_spec.FAMILY_SPECS]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [*strategy_spec.MODELS, *katago_spec.MODELS, *agent_spec.MODELS]


@hookimpl
def sixarts_commands() -> dict[str, str]:
    return {**strategy_spec.COMMANDS, **katago_spec.COMMANDS}
