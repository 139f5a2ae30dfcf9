"""What the plugin offers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

#: The version of Sixarts' plugin contract that this was written for.
API_VERSION = "1"

SIGNATURE = "text -> classes"


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="language-identification",
            summary="The language that a text is written in.",
            task="sixarts_language_id.task:LanguageIdentification",
            signatures=(SIGNATURE,),
            default_model="starter/six-languages",
            samples=(
                "Where is the station?",
                "Der Zug fährt um acht Uhr ab, und ich habe noch keine Fahrkarte.",
                "我们明天去看海。",
            ),
            examples=(
                ("The tea is still warm.", "en"),
                ("My sister lives by the sea.", "en"),
                ("Der Tee ist noch warm.", "de"),
                ("Meine Schwester wohnt am Meer.", "de"),
                ("Le thé est encore chaud.", "fr"),
                ("Ma sœur habite au bord de la mer.", "fr"),
                ("El té todavía está caliente.", "es"),
                ("Mi hermana vive junto al mar.", "es"),
            ),
            bad_inputs=("", " \n", None, 3, b"bytes", "12:30", ["a list"]),
            aliases=("langid",),
            explanations={"occlusion": ("label",)},
            metrics=("accuracy",),
        )
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name="ngram-bag",
            signature=SIGNATURE,
            model="sixarts_language_id.family:NgramBag",
            model_types=("ngram-bag",),
        )
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/six-languages",
            task="language-identification",
            family="ngram-bag",
            license="CC0-1.0",
            summary="Chinese, English, French, German, Italian and Spanish, everyday sentences.",
            languages=("de", "en", "es", "fr", "it", "zh"),
            folder="sixarts_language_id:starters/six-languages",
        )
    ]
