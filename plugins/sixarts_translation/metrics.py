"""BLEU and chrF by sacrebleu, with bootstrap confidence intervals and sacrebleu's signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from sixarts.errors import MissingExtra
from sixarts.result import Metric, Metrics

#: Tokenization of BLEU for languages written without spaces; all others use sacrebleu's default.
TOKENIZERS = {
    "zh": "zh",
    "zho": "zh",
    "cmn": "zh",
    "cmn_hans": "zh",
    "cmn_hant": "zh",
    "ja": "ja-mecab",
    "jpn": "ja-mecab",
    "ko": "ko-mecab",
    "kor": "ko-mecab",
}
#: Resamples of the test set (Koehn 2004).
RESAMPLES = 1000


def measure(answers: Sequence[str], targets: Sequence[str], language: str = "") -> Metrics:
    """Corpus BLEU (Papineni et al. 2002; Post 2018) and chrF (Popović 2015).

    Args:
        answers: translations.
        targets: one reference each.
        language: ISO code of the target language; it decides BLEU's tokenization.
    """
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError:
        raise MissingExtra(
            "evaluate needs sacrebleu, which is not installed; pip install 'sixarts[eval]'"
        ) from None
    scorers = {
        "bleu": BLEU(tokenize=TOKENIZERS.get(language.lower(), "13a"), effective_order=False),
        "chrf": CHRF(),
    }
    return _measured(scorers, answers, targets)


def measure_tokens(answers: Sequence[str], targets: Sequence[str], language: str) -> Metrics:
    """BLEU on lower-case tokens, as papers on Multi30k report it (Wu et al. 2021, section 4.1).

    Both sides are made lower-case, their punctuation normalized and their words cut by Moses' rules (Koehn et
    al. 2007), in the order in which Multi30k's own tokenized files were made.

    Args:
        answers: translations, as a person would write them.
        targets: one reference each, likewise.
        language: ISO code of the target language.
    """
    try:
        from sacrebleu.metrics import BLEU
        from sacremoses import MosesPunctNormalizer, MosesTokenizer
    except ImportError:
        raise MissingExtra(
            "this measure needs sacrebleu and sacremoses; pip install 'sixarts[recipes]'"
        ) from None
    normalizer, tokenizer = MosesPunctNormalizer(language), MosesTokenizer(language)

    def cut(texts: Sequence[str]) -> list[str]:
        lower = (normalizer.normalize(text.lower()) for text in texts)
        return [tokenizer.tokenize(text, escape=False, return_str=True) for text in lower]

    found = _measured({"bleu_tokens": BLEU(tokenize="none", force=True)}, cut(answers), cut(targets))
    return replace(found, protocol=f"{found.protocol}, on lower-case Moses tokens")


def _measured(scorers: Mapping[str, Any], answers: Sequence[str], targets: Sequence[str]) -> Metrics:
    values, signatures = {}, []
    # sacrebleu's own bootstrap needs at least two sentences to resample.
    resamples = RESAMPLES if len(answers) > 1 else 1
    for name, scorer in scorers.items():
        score = scorer.corpus_score(list(answers), [list(targets)], n_bootstrap=resamples)
        spread = getattr(score, "_ci", 0.0) or 0.0
        center = getattr(score, "_mean", score.score) if resamples > 1 else score.score
        low, high = min(center - spread, score.score), max(center + spread, score.score)
        values[name] = Metric(float(score.score), *map(float, np.clip([low, high], 0, 100)))
        signatures.append(f"{name}|{scorer.get_signature()}")
    return Metrics(values, "; ".join(signatures), len(answers))
