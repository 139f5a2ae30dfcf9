"""Subword regularization: the tokenizer's own distribution, from a seed."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import sentencepiece
from reference import TEXT, pieces
from reference_languages import pieces as other_pieces

from sixarts.errors import OptionError
from sixarts_translation.subwords import UnigramSampler

pytestmark = pytest.mark.quick


@pytest.fixture(scope="module")
def model() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_proto=pieces())


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_cuts_come_as_often_as_their_probability(
    model: sentencepiece.SentencePieceProcessor, alpha: float
) -> None:
    text, draws = "a fox", 4000
    cuts = model.nbest_encode(text, nbest_size=512, out_type=str)
    weights = np.array(
        [math.exp(alpha * sum(model.get_score(model.piece_to_id(p)) for p in cut)) for cut in cuts]
    )
    sampler, random = UnigramSampler(model, alpha), np.random.default_rng(0)
    found = Counter(tuple(sampler.pieces(text, random)) for _ in range(draws))
    assert set(found) <= set(map(tuple, cuts))
    for cut, share in zip(cuts, weights / weights.sum(), strict=True):
        assert abs(found[tuple(cut)] / draws - share) < 5 * math.sqrt(share * (1 - share) / draws) + 1e-3


def test_a_seed_is_one_series_of_cuts(model: sentencepiece.SentencePieceProcessor) -> None:
    def series(seed: int) -> list[list[str]]:
        sampler, random = UnigramSampler(model, 0.3), np.random.default_rng(seed)
        return [sampler.pieces(word, random) for word in TEXT.split()]

    assert series(1) == series(1) != series(2)


def test_every_cut_is_the_text(model: sentencepiece.SentencePieceProcessor) -> None:
    sampler, random = UnigramSampler(model, 0.1), np.random.default_rng(3)
    for text in (TEXT, "unknown ☃☃ between", "", "a" * 60):
        cut = sampler.pieces(text, random)
        assert "".join(cut) == model.normalize(text)
    unknown = [piece for piece in sampler.pieces("a ☃☃ b", random) if "☃" in piece]
    assert unknown == ["☃☃"]


def test_only_unigram_tokenizers_can_be_sampled(model: sentencepiece.SentencePieceProcessor) -> None:
    pairs = sentencepiece.SentencePieceProcessor(model_proto=other_pieces("bpe"))
    with pytest.raises(OptionError, match="byte-pair"):
        UnigramSampler(pairs, 0.5)
    with pytest.raises(OptionError, match="more than 0"):
        UnigramSampler(model, -1.0)
