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
#: What a family that writes summaries maps.
SUMMARY = "text -> summary"
#: The same of those, whose settings of generation may lie in a file of their own.
SUMMARIZERS = {
    "bart": ("summarizer:Bart", "BartForConditionalGeneration", ("vocab.json", "merges.txt")),
    "pegasus": ("summarizer:Pegasus", "PegasusForConditionalGeneration", ("spiece.model",)),
    "t5": ("t5:T5", "T5ForConditionalGeneration", ("spiece.model",)),
}

#: Documents that were written for this list.
DOCUMENTS = (
    "Long documents are hard to read in a hurry. Many methods cut them short and lose what matters. In "
    "this paper, we propose a network that scores every sentence by its words and by the sentences "
    "around it. It has half a million weights and needs no pretraining. On abstracts of 600 papers it "
    "picks a better sentence than the first one in two of three cases.",
    "The library in Mill Lane opens again on Monday. It was closed for two years after the flood of "
    "2022. The town council paid for new shelves, and readers gave 4,000 books.",
    "A short note has one sentence.",
    "Bees find their way home by the sun. When clouds hide it, they look at how its light is polarized. "
    "We show that a camera with a simple filter can do the same. Mounted on a small drone, it kept its "
    "heading within two degrees over an hour of flight, without a compass or a satellite. The filter "
    "costs less than a euro. Our results suggest that such sensors could serve where magnetic fields "
    "are disturbed.",
)
#: Documents and what they say in short, for the contract.
SUMMARIES = (
    (
        "Rain fell on Monday. We present a new way to measure rain with phones. It is cheap.",
        "A new way to measure rain with phones.",
    ),
    (
        "Maps age quickly. In this work we introduce maps that correct themselves. Drivers liked them.",
        "We introduce maps that correct themselves.",
    ),
    (
        "Whales sing. Their songs travel far. We propose a network that tells whales apart by their songs.",
        "A network that tells whales apart by their songs.",
    ),
    (
        "Bread gets stale. We study why bread gets stale: water leaves the starch. Freezing helps.",
        "Bread gets stale because water leaves the starch.",
    ),
    (
        "We describe a lamp that needs no battery. It runs on the heat of a hand. Children built it.",
        "A lamp that runs on the heat of a hand.",
    ),
    (
        "Old photos fade. Many people scan them. Our method restores their colors from a few known ones.",
        "A method restores the colors of old photos.",
    ),
)


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
        ),
        TaskSpec(
            name="summarization",
            summary="What a document says in short, where it says so, and what of it the document lacks.",
            task="sixarts_text.summarization_task:SummarizationTask",
            signatures=(SUMMARY,),
            default_model="starter/abstracts",
            samples=DOCUMENTS,
            examples=SUMMARIES,
            bad_inputs=(
                "",
                " \n\t",
                "... !?! ---",
                None,
                3,
                b"caf\xe9",
                "a\x00binary",
                "\ud800",
                ("a pair.", "of texts."),
                ["A good document.", 3],
                {"text": "a dict"},
            ),
            documents=(".txt", ".md", ".markdown"),
            explanations={
                "integrated_gradients": ("sentence", "token"),
                "attention": ("sentence", "token"),
                "occlusion": ("sentence", "token"),
            },
            metrics=("rouge1", "rouge2", "rougeL", "rougeLsum"),
        ),
    ]


@hookimpl
def sixarts_families() -> list[FamilySpec]:
    return (
        [
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
        + [
            FamilySpec(
                name=name,
                signature=SUMMARY,
                model=f"sixarts_text.{model}",
                model_types=(name,),
                architectures=(head,),
                files=(*SETTINGS, "generation_config.json", *files),
            )
            for name, (model, head, files) in SUMMARIZERS.items()
        ]
        + [
            FamilySpec(
                name="extractive",
                signature=SUMMARY,
                model="sixarts_text.extractive:Extractive",
                model_types=("extractive",),
                architectures=("ExtractiveForSummarization",),
                files=("features.json",),
            )
        ]
    )


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
        ),
        ModelEntry(
            reference="starter/abstracts",
            task="summarization",
            family="extractive",
            license="Apache-2.0",
            summary="Picks what an English scientific abstract is about; trained by this project.",
            languages=("en",),
            folder="sixarts_text:starters/abstracts",
        ),
    ]
