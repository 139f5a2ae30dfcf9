"""What the translation plugin registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "text -> text"


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="translation",
            summary="Text in one language to text in another, layout kept.",
            task="sixarts_translation.task:TranslationTask",
            signatures=(SIGNATURE,),
            default_model="starter/en-zh",
            samples=("I have a dog.", "Where is the station? I want to go home.", "Thank you very much!"),
            examples=(
                ("I have a dog.", "我有一只狗。"),
                ("I have a cat.", "我有一只猫。"),
                ("He has a dog.", "他有一只狗。"),
                ("Thank you very much!", "非常感谢！"),
                ("Where is the station?", "车站在哪里？"),
                ("I want to go home.", "我想回家。"),
                ("She likes music.", "她喜欢音乐。"),
                ("What time is it?", "现在几点了？"),
            ),
            bad_inputs=(
                "",
                "  ",
                None,
                3,
                b"bytes",
                "a\x00binary",
                "\ud800",
                ["a list"],
                {"text": "a dict"},
            ),
            explanations={
                "attention": ("token",),
                "integrated_gradients": ("token",),
                "occlusion": ("token",),
            },
            documents=(".txt", ".md", ".markdown", ".srt", ".vtt"),
            metrics=("bleu", "chrf"),
        )
    ]


#: Files of the tokenizers of many languages.
MULTILINGUAL = (
    "generation_config.json",
    "sentencepiece.bpe.model",
    "vocab.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name="m2m_100",
            signature=SIGNATURE,
            model="sixarts_translation.m2m_100:M2M100",
            model_types=("m2m_100",),
            architectures=("M2M100ForConditionalGeneration",),
            files=MULTILINGUAL,
        ),
        FamilySpec(
            name="mbart",
            signature=SIGNATURE,
            model="sixarts_translation.mbart:MBart",
            model_types=("mbart",),
            architectures=("MBartForConditionalGeneration",),
            files=MULTILINGUAL,
        ),
        FamilySpec(
            name="marian",
            signature=SIGNATURE,
            model="sixarts_translation.marian:Marian",
            model_types=("marian",),
            architectures=("MarianMTModel",),
            files=(
                "generation_config.json",
                "source.spm",
                "target.spm",
                "vocab.json",
                "target_vocab.json",
                "tokenizer_config.json",
            ),
        ),
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/en-zh",
            task="translation",
            family="marian",
            license="CC-BY-2.0",
            summary="English to Simplified Chinese, everyday sentences; trained by this project on Tatoeba.",
            languages=("en", "zh"),
            folder="sixarts_translation:starters/en-zh",
            options={"source": "en", "target": "zh"},
        ),
        ModelEntry(
            reference="starter/en-ja",
            task="translation",
            family="marian",
            license="CC-BY-2.0",
            summary="English to Japanese, everyday sentences; trained by this project on the Tanaka corpus.",
            languages=("en", "ja"),
            folder="sixarts_translation:starters/en-ja",
            options={"source": "en", "target": "ja"},
        ),
    ]
