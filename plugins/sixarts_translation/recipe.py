"""The recipes of the translation models: data, tokenizers, training, evaluation, card.

::

    python -m sixarts_translation.recipe en-zh cmn.txt.gz runs/en-zh
    python -m sixarts_translation.recipe en-ja small_parallel_enja runs/en-ja
    python -m sixarts_translation.recipe multi30k multi30k runs/multi30k

A run that was killed goes on with the same command, and takes the steps that an unbroken one would have
taken. Every choice was made on the validation part; the test part is measured once, by this program, when
training is over. ``multi30k`` is a benchmark: its data's license does not let its weights ship.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.training import History
from sixarts_translation import corpora
from sixarts_translation.metrics import measure_tokens

#: The starters' network: 3.6 million parameters, under 8 MB in half precision with its tokenizers.
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
    "seed": 0,
}


@dataclass(frozen=True)
class Words:
    """What only a recipe's author can say on a card."""

    title: str
    source: str
    target: str
    license: str
    dataset: str
    dataset_id: str
    data: str
    limits: str
    compare: str


@dataclass(frozen=True)
class Recipe:
    """What one recipe trains.

    Attributes:
        corpus: the data's path to its parts.
        network: what the family's configuration takes.
        training: what ``fit`` takes.
        words: for the card.
        on_tokens: whether BLEU is measured on lower-case tokens, too, since published figures are.
    """

    corpus: Callable[[Path], corpora.Split]
    network: Mapping[str, Any]
    training: Mapping[str, Any]
    words: Words
    on_tokens: bool = False


_EVERYDAY = """Everyday sentences of about ten words, as in phrase books. Names, figures and technical
text come out wrong, and a word that the data lacks is guessed. For quality, load a checkpoint from the
hub. Tatoeba's sentences are volunteers' and not free of bias."""

RECIPES = {
    "en-zh": Recipe(
        corpora.tatoeba_en_zh,
        NETWORK,
        TRAINING | {"target_language": "zh"},
        Words(
            title="English to Chinese starter",
            source="English",
            target="Simplified Chinese",
            license="cc-by-2.0",
            dataset="Tatoeba, English to Simplified Chinese",
            dataset_id="tatoeba",
            data="""English–Chinese sentence pairs of [Tatoeba](https://tatoeba.org), CC BY 2.0 FR, in
the export of manythings.org/anki as republished at `YC-Coder-Chen/English-Chinese-Translator` (commit
`9663dba`). Thanks to Tatoeba's authors; that export carries no names. Traditional characters were
turned into Simplified ones by OpenCC, since half of the sentences are in one script and half in the
other. The split is by a hash of the English side, so that no English sentence is in two parts.""",
            limits=_EVERYDAY,
            compare="The references are in Simplified Chinese, too. No published figure uses this split.",
        ),
    ),
    "en-ja": Recipe(
        corpora.small_parallel_enja,
        NETWORK | {"dropout": 0.2},
        TRAINING
        | {
            "target_language": "ja",
            "fold_case": True,
            "epochs": 16,
            "batch_size": 128,
            "learning_rate": 2e-3,
            "subword_sampling": 0.0,
        },
        Words(
            title="English to Japanese starter",
            source="English",
            target="Japanese",
            license="cc-by-2.0",
            dataset="small_parallel_enja, English to Japanese",
            dataset_id="small_parallel_enja",
            data="""`odashi/small_parallel_enja` (commit `312408a`): pairs of four to sixteen words from
the Tanaka corpus (Tatoeba), CC BY. Its English is lower-case; spaces between words and marks were put
back as they are written. Sources of its dev and test parts were taken out of its training part.""",
            limits=_EVERYDAY,
            compare="No published figure is known to us.",
        ),
    ),
    "multi30k": Recipe(
        corpora.multi30k_en_de,
        NETWORK | {"num_beams": 5},
        TRAINING
        | {
            "target_language": "de",
            "fold_case": True,
            "source_vocabulary": 5000,
            "target_vocabulary": 5000,
            "epochs": 30,
            "batch_size": 128,
            "learning_rate": 2e-3,
            # Whole words are learned in far fewer steps; dropout alone keeps 29,000 captions from being known
            # by heart.
            "subword_sampling": 0.0,
        },
        Words(
            title="English to German captions",
            source="English",
            target="German",
            license="other",
            dataset="Multi30k test2016, English to German",
            dataset_id="multi30k",
            data="""Multi30k (Elliott et al. 2016), task 1, as published at `multi30k/dataset` (commit
`a3d2e0d`). Its license is not stated there; it is taken for non-commercial, so these weights do not
ship.""",
            limits="Captions of photographs, and nothing else.",
            compare="""Published, as `bleu_tokens`: 41.02, Transformer-Tiny with 2.6 million parameters (Wu et
al. 2021). `bleu` is on text as it is written.""",
        ),
        on_tokens=True,
    ),
}


def main(arguments: list[str] | None = None) -> None:
    """Runs a recipe; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m sixarts_translation.recipe", description=main.__doc__)
    parser.add_argument("name", choices=RECIPES, help="which recipe")
    parser.add_argument("data", type=Path, help="the data as published: see `corpora`")
    parser.add_argument("folder", type=Path, help="where checkpoints and the finished model go")
    parser.add_argument("--epochs", type=int, help="other than the recipe's own; the figures are for these")
    chosen = parser.parse_args(arguments)

    recipe = RECIPES[chosen.name]
    parts = recipe.corpus(chosen.data)
    print(f"pairs: {parts}", flush=True)
    task = sa.new("translation", family="marian", **recipe.network)
    training = dict(recipe.training)
    if chosen.epochs:
        training["epochs"] = chosen.epochs
    history = task.fit(parts.train, parts.validation, **training, folder=chosen.folder / "checkpoints")
    if history.stopped == "interrupted":
        print(history, flush=True)
        raise SystemExit(130)
    for epoch, figures in enumerate(zip(*history.metrics.values(), strict=True), 1):
        named = zip(history.metrics, figures, strict=True)
        print(f"epoch {epoch}: " + ", ".join(f"{name} {figure:.4g}" for name, figure in named))
    print(history, flush=True)
    task.model.stored_dtype = "float16"
    # What ships is the rounded model, so that is what is measured.
    starter = sa.load("translation", task.save(chosen.folder / "draft"))
    held_out = starter.evaluate(parts.test)
    if recipe.on_tokens:
        held_out = with_tokens(starter, parts.test, held_out)
    print(held_out, flush=True)
    starter.card = str(card(starter, chosen.name, parts, held_out, history))
    print(starter.save(chosen.folder / chosen.name))


def with_tokens(task: sa.Task, pairs: list[corpora.Pair], measured: sa.Metrics) -> sa.Metrics:
    """What was measured, with BLEU on lower-case tokens beside it."""
    answers = [answer.text for answer in task.stream([source for source, _ in pairs])]
    language = task.model.processor.settings["target_lang"]
    more = measure_tokens(answers, [target for _, target in pairs], language)
    return replace(
        measured,
        values={**measured.values, **more.values},
        protocol=f"{measured.protocol}; {more.protocol}",
    )


def card(task: sa.Task, name: str, parts: corpora.Split, held_out: sa.Metrics, history: History) -> Card:
    """The model's card, with its measured figures."""
    recipe = RECIPES[name]
    words, beams = recipe.words, recipe.network["num_beams"]
    source, target = recipe.training["source_language"], recipe.training["target_language"]
    cost = task.footprint()
    sampling = recipe.training["subword_sampling"]
    cut = f"were cut anew each epoch (Kudo 2018, alpha {sampling})" if sampling else "were cut in one way"
    figures = "\n".join(
        f"| {name} | {metric.value:.1f} | {metric.low:.1f} to {metric.high:.1f} |"
        for name, metric in held_out.values.items()
    )
    sections = {
        "Use": f"""{words.source} to {words.target}, offline, inside the package:

```python
import sixarts

translate = sixarts.load("translation", source="{source}", target="{target}")
translate("I have a dog.").text
```""",
        "Data": f"{words.data}\n\nPairs: {parts}.",
        "Training": f"""`python -m sixarts_translation.recipe {name} DATA FOLDER` makes such a folder again:
tokenizers and network from nothing, {len(history.metrics["loss"])} epochs, the mean of the last
{recipe.training["average"]} epochs' weights. Words {cut}. The same machine and
versions of libraries give the same weights. Choices were made on the validation part.""",
        "Evaluation": f"""On the {held_out.count} held-out pairs, beam {beams}, measured once by the recipe,
on the half-precision weights; 95 % intervals by bootstrap.

| metric | value | interval |
|---|---|---|
{figures}

Protocol: `{held_out.protocol}`. {words.compare}""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16. {cost.flops or 0:.3g} operations
for "{task.spec.samples[0]}".""",
        "Limits": words.limits,
    }
    return Card(
        title=words.title,
        task="translation",
        license=words.license,
        sections=sections,
        languages=(source, target),
        datasets=(words.dataset_id,),
        measured=(Measured(held_out, words.dataset, id=words.dataset_id, options={"beams": beams}),),
    )


if __name__ == "__main__":
    main()
