"""A translation model from nothing: tokenizers and network are made by the first ``fit``.

A handful of sentences teaches it just these; real data makes a real model, by the same few lines.
Run it as ``python examples/new_model.py``.
"""

from __future__ import annotations

import sixarts as sa

#: English to German; any two languages would do.
PAIRS = [
    ("The dog sleeps.", "Der Hund schläft."),
    ("The cat sleeps.", "Die Katze schläft."),
    ("The child sleeps.", "Das Kind schläft."),
    ("The dog eats.", "Der Hund frisst."),
    ("The cat eats.", "Die Katze frisst."),
    ("The child reads.", "Das Kind liest."),
    ("The dog is small.", "Der Hund ist klein."),
    ("The cat is small.", "Die Katze ist klein."),
    ("The child is small.", "Das Kind ist klein."),
]
#: Values of the family's `config.json`; all others keep the layout's defaults.
TINY = {
    "d_model": 48,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "max_position_embeddings": 32,
    "max_length": 32,
    "dropout": 0.0,
}


def main() -> None:
    translate = sa.new("translation", family="marian", **TINY)
    history = translate.fit(
        PAIRS,
        epochs=60,
        batch_size=9,
        learning_rate=1e-2,
        source_vocabulary=60,
        target_vocabulary=60,
        source_language="en",
        target_language="de",
        seed=0,
    )
    print(history)
    print(f"{translate.model.parameters:,} parameters; made new: {', '.join(history.replaced)}")
    for source, target in PAIRS[:3]:
        print(f"{source} → {translate(source).text}  (taught: {target})")
    # On the sentences that it was taught, which says that training works and nothing more.
    print(translate.evaluate(PAIRS))


if __name__ == "__main__":
    main()
