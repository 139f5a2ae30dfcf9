"""The recipe of the starter that sums up scientific abstracts: data, training, figures, card."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sixarts as sa
from sixarts.card import Card
from sixarts.card import Measured as OnCard
from sixarts.result import Metrics
from sixarts_text import rouge

#: What was chosen by ROUGE-1 on the validation part.
SETTINGS: dict[str, Any] = {
    "d_model": 32,
    "num_layers": 1,
    "num_heads": 4,
    "least": 4,
    "source_sentences": 32,
}
TRAINING: dict[str, Any] = {
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "weight_decay": 0.1,
    "seed": 0,
}
#: ROUGE-1 on the test part, from abstracts alone, of the data's authors' best model, CATTS.
PUBLISHED = 43.8


class Paper(NamedTuple):
    """An abstract, its sentences as the data has them, and summaries of it."""

    abstract: str
    sentences: list[str]
    summaries: list[str]


def papers(folder: Path, part: str) -> list[Paper]:
    """SciTLDR's abstracts with their summaries (Cachola et al. 2020); ``part``: train, dev or test."""
    found = []
    with gzip.open(folder / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            sentences = [" ".join(text.split()) for text in entry["source"]]
            # A line a sentence: its own boundaries are kept.
            found.append(Paper("\n".join(sentences), sentences, entry["target"]))
    return found


def abstracts(data: Path, folder: Path) -> None:
    """Trains, picks the best epoch on the validation part, and measures the test part once."""
    parts = {part: papers(data, part) for part in ("train", "dev", "test")}
    pairs = {part: [(paper.abstract, paper.summaries) for paper in found] for part, found in parts.items()}
    task = sa.new("summarization", family="extractive", device="cpu", **SETTINGS)
    history = task.fit(pairs["train"], pairs["dev"], folder=folder / "checkpoints", **TRAINING)
    print(history, flush=True)
    task.model.stored_dtype = "float16"
    starter = sa.load(task.name, task.save(folder / "draft"), device="cpu")
    for part in ("dev", "test"):
        figures = baselines(parts[part]) | {"starter": starter.evaluate(pairs[part], progress=False)}
        for name, metrics in figures.items():
            print(f"{part}, {name}: {metrics}", flush=True)
    starter.card = str(card(starter, len(parts["train"]), str(history), figures))
    print(starter.save(folder / "abstracts"))


def baselines(found: Sequence[Paper]) -> dict[str, Metrics]:
    """The first sentence of each abstract, and the best one that there is by ROUGE-1, by the same measure."""
    targets = [paper.summaries for paper in found]
    best = [
        max(paper.sentences, key=lambda sentence: rouge.of_one(sentence, paper.summaries)[0])
        for paper in found
    ]
    return {
        "lead-1": rouge.measure([paper.sentences[0] for paper in found], targets),
        "oracle": rouge.measure(best, targets),
    }


def card(task: sa.Task, learned: int, history: str, figures: Mapping[str, Metrics]) -> Card:
    """The starter's card, with its measured figures."""
    cost = task.footprint()
    measured = figures["starter"]
    names = ("rouge1", "rouge2", "rougeL")
    rows = [
        f"| {title} | "
        + " | ".join(f"{m[name].value:.1f} ({m[name].low:.1f} to {m[name].high:.1f})" for name in names)
        + " |"
        for title, m in (
            ("this starter", measured),
            ("first sentence", figures["lead-1"]),
            ("best sentence there is", figures["oracle"]),
        )
    ]
    rows.append(f"| CATTS, published | {PUBLISHED} | | |")
    sections = {
        "Use": """The sentence that says what an English scientific abstract is about, offline:

```python
import sixarts

summarize = sixarts.load("summarization")
summary = summarize(abstract)
summary.text, summary.sources
summarize(report, max_words=100).plot()
```""",
        "Data": f"""SciTLDR (Cachola, Lo, Cohan and Weld, "TLDR: Extreme Summarization of Scientific
Documents", Findings of EMNLP 2020), github.com/allenai/scitldr, license Apache-2.0: abstracts of papers on
machine learning and one-sentence summaries of them by authors and from reviews. {learned:,} abstracts were
learned from; the data's own validation part chose settings and epoch.""",
        "Training": f"""`python -m sixarts_text.recipe abstracts DATA FOLDER` makes such a folder again.
It was trained for {TRAINING["epochs"]} epochs ({history}; seed {TRAINING["seed"]}).
The network (family `extractive`) adds up {len(task.model.processor.features):,} features of a
sentence and reads the sentences around it by one transformer block. Half of the probability that it learned
to give is on the sentences that a greedy oracle takes (Nallapati et al. 2017), half goes by each sentence's
own ROUGE-1 with the summary.""",
        "Evaluation": f"""On the {measured.count} abstracts of the test part, from the abstract alone, one
sentence each, measured once, with the half-precision weights that ship; 95 % bootstrap intervals.

| | ROUGE-1 | ROUGE-2 | ROUGE-L |
|---|---|---|---|
{chr(10).join(rows)}

Protocol: {measured.protocol}. The published figure is of Cachola et al. 2020, by another implementation of
ROUGE (files2rouge); CATTS is a pretrained BART of 400 million parameters that writes its summaries.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16.""",
        "Limits": """It was taught English abstracts of papers on machine learning, and knows how authors
announce what they did ("we propose"). Nobody measured it on other kinds of text (news, letters, stories):
there it goes by where a sentence stands and what it has in common with the others. It copies sentences whole,
so that a pronoun may have lost what it stands for. That each sentence stands in the document makes no choice
of sentences a fair one.""",
    }
    return Card(
        title="Abstracts starter",
        task="summarization",
        license="apache-2.0",
        sections=sections,
        languages=("en",),
        datasets=("allenai/scitldr",),
        measured=(OnCard(measured, "SciTLDR, abstract-only", id="allenai/scitldr"),),
    )
