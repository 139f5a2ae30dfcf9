"""What the tiny plugin registers."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

TASK = TaskSpec(
    name="mood",
    summary="Whether a text is glad or sad.",
    task="tiny_art.task:MoodTask",
    signatures=("text -> mood",),
    default_model="starter/mood",
    samples=("good day", "bad luck; a good friend", "so sad"),
    examples=(("good day", "glad"), ("bad luck", "sad"), ("good friend", "glad"), ("so sad", "sad")),
    bad_inputs=("", None, 3, ["a list"]),
    explanations={"attention": ("mood",), "integrated_gradients": ("mood",), "occlusion": ("mood",)},
    metrics=("accuracy",),
)
FAMILY = FamilySpec("mood", "text -> mood", "tiny_art.model:Mood", ("mood",), files=("vocab.json",))
STARTER = ModelEntry(
    reference="starter/mood",
    task="mood",
    family="mood",
    license="CC0-1.0",
    summary="Trained on four texts.",
    folder="tiny_art:starters/mood",
)


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [TASK]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [FAMILY]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [STARTER]
