"""What the text plugin registers; imports nothing heavy."""

from __future__ import annotations

from sixarts import hookimpl
from sixarts.spec import FamilySpec, ModelEntry, TaskSpec

API_VERSION = "1"

SIGNATURE = "text -> classes"

#: Settings of tokenizers, beside the files that hold their pieces.
SETTINGS = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
#: Family to its class, what its checkpoints state as architectures, and its tokenizer's files.
FAMILIES = {
    "bert": ("bert:Bert", "BertForSequenceClassification", ("vocab.txt",)),
    "distilbert": ("distilbert:DistilBert", "DistilBertForSequenceClassification", ("vocab.txt",)),
    "roberta": ("bert:Roberta", "RobertaForSequenceClassification", ("vocab.json", "merges.txt")),
    "xlm-roberta": (
        "bert:XLMRoberta",
        "XLMRobertaForSequenceClassification",
        ("sentencepiece.bpe.model",),
    ),
    "deberta-v2": ("deberta_v2:DebertaV2", "DebertaV2ForSequenceClassification", ("spm.model",)),
    "linear": ("linear:Linear", "LinearForSequenceClassification", ("ngrams.json",)),
}


@hookimpl
def sixarts_tasks() -> list[TaskSpec]:
    return [
        TaskSpec(
            name="sentiment-analysis",
            summary="What a text says: positive or negative, or any classes that a model was taught.",
            task="sixarts_text.sentiment_task:SentimentTask",
            signatures=(SIGNATURE,),
            default_model="starter/reviews",
            samples=(
                "The food was great and the staff were friendly.",
                "Terrible. It broke after two days, and nobody answers.",
                "A slow film with a good heart; I would not see it again, but I do not regret the evening "
                "that it took.",
            ),
            examples=(
                ("I love this phone.", "positive"),
                ("Great sound and a good price.", "positive"),
                ("The best pizza in town!", "positive"),
                ("A wonderful, moving film.", "positive"),
                ("It stopped working after a week.", "negative"),
                ("The service was slow and rude.", "negative"),
                ("A waste of two hours.", "negative"),
                ("I would not buy it again.", "negative"),
            ),
            bad_inputs=(
                "",
                " \n\t",
                None,
                3,
                b"caf\xe9",
                "a\x00binary",
                "\ud800",
                ("one",),
                ("one", 2),
                [3],
                {"text": "a dict"},
            ),
            aliases=("sentiment",),
            explanations={"integrated_gradients": ("class",), "occlusion": ("class",)},
            metrics=("accuracy",),
        )
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return [
        FamilySpec(
            name=name,
            signature=SIGNATURE,
            model=f"sixarts_text.{model}",
            model_types=(name,),
            architectures=(head,),
            files=files if name == "linear" else (*SETTINGS, *files),
        )
        for name, (model, head, files) in FAMILIES.items()
    ]


@hookimpl
def sixarts_models() -> list[ModelEntry]:
    return [
        ModelEntry(
            reference="starter/reviews",
            task="sentiment-analysis",
            family="linear",
            license="CC-BY-4.0",
            summary="English sentences of reviews, positive or negative; trained by this project.",
            languages=("en",),
            folder="sixarts_text:starters/reviews",
        )
    ]
