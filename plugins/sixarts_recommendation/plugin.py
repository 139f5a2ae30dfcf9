"""What the recommendation plugin registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec
from sixarts_recommendation import click_spec, next_item_spec, similarity_spec

API_VERSION = "1"


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [click_spec.TASK, similarity_spec.TASK, next_item_spec.TASK]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [*click_spec.FAMILY_SPECS, *similarity_spec.FAMILY_SPECS, *next_item_spec.FAMILY_SPECS]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [*click_spec.MODELS, *similarity_spec.MODELS, *next_item_spec.MODELS]
