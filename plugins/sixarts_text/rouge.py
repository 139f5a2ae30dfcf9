"""ROUGE by the ``rouge-score`` library, with bootstrap confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sixarts.errors import MissingExtra
from sixarts.result import Metric, Metrics
from sixarts_text.sentences import sentences_of

NAMES = ("rouge1", "rouge2", "rougeL", "rougeLsum")
#: Resamples of the test set (Koehn 2004).
RESAMPLES = 1000


def measure(answers: Sequence[str], targets: Sequence[Any]) -> Metrics:
    """ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum, F-measure in percent (Lin 2004).

    Args:
        answers: summaries.
        targets: one reference each, or several. Of several the one with the best ROUGE-1 counts, for all four
            figures, as ``cal-rouge.py`` of SciTLDR has it (Cachola et al. 2020).
    """
    found = np.array([of_one(answer, target) for answer, target in zip(answers, targets, strict=True)])
    random = np.random.default_rng(0)
    drawn = np.array(
        [found[random.integers(0, len(found), len(found))].mean(axis=0) for _ in range(RESAMPLES)]
    )
    low, high = np.quantile(drawn, (0.025, 0.975), axis=0)
    mean = found.mean(axis=0)
    several = any(not isinstance(target, str) for target in targets)
    return Metrics(
        {
            name: Metric(float(mean[n]), float(min(low[n], mean[n])), float(max(high[n], mean[n])))
            for n, name in enumerate(NAMES)
        },
        f"rouge-score {_version()}, F-measure, Porter stemming, sentences of rougeLsum by sentencex"
        + (", of several references the one with the best ROUGE-1" if several else "")
        + f"; bootstrap over examples, {RESAMPLES} resamples",
        len(answers),
    )


def of_one(answer: str, target: Any) -> list[float]:
    """The four figures of one summary, in percent."""
    references = [target] if isinstance(target, str) else list(target)
    scorer = _scorer()
    scores = [scorer.score(_by_line(reference), _by_line(answer)) for reference in references]
    best = max(scores, key=lambda score: score["rouge1"].fmeasure)
    return [100 * best[name].fmeasure for name in NAMES]


def _by_line(text: str) -> str:
    """A sentence a line, as ROUGE-Lsum takes it; the other figures see no lines."""
    return "\n".join(sentence.text for sentence in sentences_of(text)) or text


def _scorer() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtra(
            "evaluate needs rouge-score, which is not installed; pip install 'sixarts[eval]'"
        ) from None
    return RougeScorer(list(NAMES), use_stemmer=True)


def _version() -> str:
    from importlib.metadata import version

    return version("rouge-score")
