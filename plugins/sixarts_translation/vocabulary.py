"""New tokenizers from examples: two SentencePiece models and their vocabularies."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from sixarts.errors import TrainingError
from sixarts_translation.marian_processor import MarianProcessor


def train_processor(
    examples: Sequence[tuple[str, str]],
    source_size: int,
    target_size: int,
    seed: int = 0,
    source_language: str = "",
    target_language: str = "",
    fold_case: bool = False,
) -> MarianProcessor:
    """Trains a unigram tokenizer a side (Kudo 2018).

    Args:
        examples: pairs of source and target text.
        source_size, target_size: most pieces of each; fewer where the text has fewer.
        seed: of SentencePiece's own random choices.
        source_language, target_language: codes that are kept with the tokenizer.
        fold_case: whether upper and lower case of the source are one.
    """
    rule = "nmt_nfkc_cf" if fold_case else "nmt_nfkc"
    source = train_pieces((pair[0] for pair in examples), source_size, seed, rule)
    # A target is learned as it is written: full-width punctuation must come out full-width again.
    target = train_pieces((pair[1] for pair in examples), target_size, seed, "identity")
    settings = {"source_lang": source_language, "target_lang": target_language, "model_max_length": 512}
    return MarianProcessor(
        source, target, _vocabulary(source), _vocabulary(target), {k: v for k, v in settings.items() if v}
    )


def train_pieces(texts: Iterable[str], size: int, seed: int, normalization: str) -> bytes:
    """A serialized SentencePiece unigram model of at most ``size`` pieces.

    Args:
        normalization: SentencePiece's rule, e.g. ``"nmt_nfkc"`` or ``"identity"``.
    """
    import sentencepiece

    out = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=out,
            vocab_size=size,
            hard_vocab_limit=False,
            character_coverage=0.9998,
            model_type="unigram",
            normalization_rule_name=normalization,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise TrainingError(
            f"no tokenizer of {size} pieces can be trained on these texts ({error}); give more text, "
            "or another vocabulary size"
        ) from error
    return out.getvalue()


def _vocabulary(model: bytes) -> dict[str, int]:
    """The end first, as Marian numbers it; padding third, so that it is the same in both vocabularies."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
    words = ["</s>", "<unk>", "<pad>"]
    words += [
        pieces.id_to_piece(i)
        for i in range(pieces.get_piece_size())
        if not (pieces.is_control(i) or pieces.is_unknown(i))
    ]
    return {word: number for number, word in enumerate(words)}
