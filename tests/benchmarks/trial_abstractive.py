"""Would a small abstractive network, learned from nothing, sum abstracts up better than their first sentence?

Run it as ``python tests/benchmarks/trial_abstractive.py DATA FOLDER``; ``pip install openpyxl`` first.
``DATA`` holds ``scitldr`` and ``meqsum``. It learns Marian's network on SciTLDR's training part and MeQSum's
questions, takes the epoch with the least loss on SciTLDR's validation part, and is judged there by ROUGE,
beside lead-1 and the starter that chooses sentences. A run that was killed goes on with the same command.
"""

from __future__ import annotations

import sys
from pathlib import Path

import sixarts as sa
from sixarts_text import rouge
from sixarts_text.abstracts_recipe import baselines, papers
from sixarts_translation import recipe

#: Words of a source that are read.
WORDS = 140
#: The starters' of translation, smaller.
NETWORK = recipe.NETWORK | {
    "d_model": 128,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_ffn_dim": 256,
    "decoder_ffn_dim": 256,
    "max_position_embeddings": 512,
    "max_length": 64,
}
TRAINING = recipe.TRAINING | {
    "epochs": 16,
    "warmup": 300,
    "average": 0,
    "subword_sampling": 0.0,
    "source_vocabulary": 6000,
    "target_vocabulary": 6000,
    "target_language": "en",
}


def main(data: Path, folder: Path) -> None:
    """Prints every figure."""
    known, judged = (papers(data / "scitldr", part) for part in ("train", "dev"))
    pairs = [(cut(paper.abstract), summary) for paper in known for summary in paper.summaries]
    pairs += [(cut(asked), short) for asked, short in questions(data / "meqsum")]
    task = sa.new("translation", family="marian", device="cpu", **NETWORK)
    sources = [cut(paper.abstract) for paper in judged]
    held = [(source, paper.summaries[0]) for source, paper in zip(sources, judged, strict=True)]
    print(task.fit(pairs, held, folder=folder, progress=False, **TRAINING), flush=True)
    print(f"{task.model.parameters:,} parameters, {len(pairs):,} pairs", flush=True)
    texts = [result.text for result in task(sources)]
    chosen = sa.load("summarization")([paper.abstract for paper in judged])
    targets = [paper.summaries for paper in judged]
    found = {
        **baselines(judged),
        "the starter, sentences chosen": rouge.measure([summary.text for summary in chosen], targets),
        "abstractive": rouge.measure(texts, targets),
    }
    for name, figures in found.items():
        print(f"{name}: {figures}", flush=True)
    for text in texts[:5]:
        print("-", text)


def cut(text: str) -> str:
    """The first words of a text, on one line."""
    return " ".join(text.split()[:WORDS])


def questions(folder: Path) -> list[tuple[str, str]]:
    """MeQSum's questions as asked, and as experts shortened them (Ben Abacha and Demner-Fushman 2019)."""
    import pandas

    table = pandas.read_excel(next(folder.glob("*.xlsx")), dtype=str).fillna("")
    return list(zip(table["CHQ"], table["Summary"], strict=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
