"""The recipe of the starter ``en-zh``: data, tokenizer, training, evaluation, card.

::

    python -m sixarts_translation.recipe cmn.txt.gz runs/en-zh

``cmn.txt.gz`` holds tab-separated English–Chinese pairs, one a line: the Tatoeba export of
manythings.org/anki (CC BY 2.0 FR) as republished at YC-Coder-Chen/English-Chinese-Translator. A run that was
killed goes on with the same command (subword cuts are drawn anew, see ``subword_sampling``). Every choice was
made on the validation part; the test part is measured once, by this program, when training is over.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import sixarts as sa
from sixarts.card import Card
from sixarts.training import History

#: The network: 3.6 million parameters, under 8 MB in half precision with its tokenizers.
NETWORK = {
    "d_model": 192,
    "encoder_layers": 3,
    "decoder_layers": 3,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 512,
    "decoder_ffn_dim": 512,
    "max_position_embeddings": 256,
    "activation_function": "relu",
    "scale_embedding": True,
    "dropout": 0.3,
    "attention_dropout": 0.1,
    "activation_dropout": 0.1,
    "num_beams": 4,
    "max_length": 128,
    "length_penalty": 1.0,
    "early_stopping": True,
}
TRAINING = {
    "epochs": 60,
    "batch_size": 64,
    "learning_rate": 1e-3,
    "schedule": "linear",
    "warmup": 800,
    "weight_decay": 0.01,
    "average": 5,
    "label_smoothing": 0.1,
    "subword_sampling": 0.5,
    "source_vocabulary": 2600,
    "target_vocabulary": 3200,
    "source_language": "en",
    "target_language": "zh",
    "seed": 0,
}
#: Shares of the data, in thousandths of the English sides.
VALIDATION, TEST = 25, 50


class Split(NamedTuple):
    """Pairs for training, validation and test; no English side is in two of them."""

    train: list[tuple[str, str]]
    validation: list[tuple[str, str]]
    test: list[tuple[str, str]]


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """Tab-separated pairs, plain or gzipped, without repetitions."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t")[:2] for line in file if line.strip()]
    return list(dict.fromkeys((source.strip(), target.strip()) for source, target in rows))


def simplified(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Pairs with Traditional Chinese turned into Simplified by OpenCC, without repetitions.

    Half of Tatoeba's sentences are in one script and half in the other, and nothing in the English says
    which is wanted.
    """
    from opencc import OpenCC

    convert = OpenCC("t2s").convert
    return list(dict.fromkeys((source, convert(target)) for source, target in pairs))


def split(pairs: Iterable[tuple[str, str]]) -> Split:
    """A split by a hash of the English side, letters and digits only: it depends on nothing else.

    >>> parts = split([("Hi.", "嗨。"), ("Hi!", "你好。")])
    >>> sorted(map(len, parts))
    [0, 0, 2]
    """
    parts = Split([], [], [])
    for pair in pairs:
        key = re.sub(r"[^a-z0-9]+", " ", pair[0].lower()).strip()
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 1000
        part = parts.test if place < TEST else parts.validation if place < TEST + VALIDATION else parts.train
        part.append(pair)
    return parts


def main(arguments: list[str] | None = None) -> None:
    """Runs the recipe; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m sixarts_translation.recipe", description=main.__doc__)
    parser.add_argument("data", type=Path, help="tab-separated pairs, plain or gzipped")
    parser.add_argument("folder", type=Path, help="where checkpoints and the finished model go")
    parser.add_argument("--epochs", type=int, default=TRAINING["epochs"])
    chosen = parser.parse_args(arguments)

    parts = split(simplified(read_pairs(chosen.data)))
    counts = (
        f"{len(parts.train)} for training, {len(parts.validation)} for validation, {len(parts.test)} for test"
    )
    print(f"pairs: {counts}", flush=True)
    task = sa.new("translation", family="marian", **NETWORK)
    history = task.fit(
        parts.train,
        parts.validation,
        **{**TRAINING, "epochs": chosen.epochs, "folder": chosen.folder / "checkpoints"},
    )
    print(history, flush=True)
    if history.stopped == "interrupted":
        raise SystemExit(130)
    task.model.stored_dtype = "float16"
    # What ships is the rounded model, so that is what is measured.
    starter = sa.load("translation", task.save(chosen.folder / "draft"))
    held_out = starter.evaluate(parts.test)
    print(held_out, flush=True)
    starter.card = str(card(starter, counts, held_out, history))
    print(starter.save(chosen.folder / "en-zh"))


def card(task: sa.Task, counts: str, held_out: sa.Metrics, history: History) -> Card:
    """The starter's card, with its measured figures."""
    cost = task.footprint()
    figures = "\n".join(
        f"| {name} | {metric.value:.1f} | {metric.low:.1f} to {metric.high:.1f} |"
        for name, metric in held_out.values.items()
    )
    sections = {
        "Use": """English to Simplified Chinese, offline, inside the package:

```python
import sixarts

translate = sixarts.load("translation")
translate("I have a dog.").text
```""",
        "Data": f"""English–Chinese sentence pairs of [Tatoeba](https://tatoeba.org), CC BY 2.0 FR, in the
export of manythings.org/anki as republished at `YC-Coder-Chen/English-Chinese-Translator` (commit `9663dba`).
Thanks to Tatoeba's authors; that export carries no names. Traditional characters were turned into Simplified
ones by OpenCC, since half of the sentences are in one script and half in the other.

Pairs: {counts}, split by a hash of the English side, so that no English sentence is in two parts.""",
        "Training": f"""`python -m sixarts_translation.recipe cmn.txt.gz FOLDER` makes such a folder again:
tokenizers and network from nothing, {len(history.metrics["loss"])} epochs, the mean of the last
{TRAINING["average"]} epochs' weights. Words were cut anew each epoch by SentencePiece, whose
draws no seed fixes from one process to the next: another run gives weights that differ a little. Choices were
made on the validation part.""",
        "Evaluation": f"""On the {held_out.count} held-out pairs, beam {NETWORK["num_beams"]}, measured
once by the recipe, on the half-precision weights that ship; 95 % intervals by bootstrap.

| metric | value | interval |
|---|---|---|
{figures}

Protocol: `{held_out.protocol}`. The references are in Simplified Chinese, too. No published figure uses
this split.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16. {cost.flops or 0:.3g} operations
for "{task.spec.samples[0]}".""",
        "Limits": """Everyday sentences of about ten words, as in phrase books. Names, figures and technical
text come out wrong, and a word that the data lacks is guessed. For quality, load a checkpoint from the hub.
Tatoeba's sentences are volunteers' and not free of bias.""",
    }
    return Card(
        title="English to Chinese starter",
        task="translation",
        license="cc-by-2.0",
        sections=sections,
        languages=("en", "zh"),
        datasets=("tatoeba",),
        metrics=("bleu", "chrf"),
    )


if __name__ == "__main__":
    main()
