"""Why a text is of a class: a signed value for each of its words, by two methods.

Sources: Sundararajan et al. 2017 (integrated gradients), Li et al. 2016 ("Understanding Neural Networks
through Representation Erasure", occlusion).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from sixarts.batching import rows_bucket
from sixarts.errors import InputError
from sixarts.explanation import Attribution
from sixarts_text.word_scores import REST, Spread, WordScores

#: Rows with a word hidden that go through the network together.
TOGETHER = 32
UNIT = "log-odds"


def attribute(task: Any, x: Any, method: str, target: Any, options: Any) -> WordScores:
    """Explains the class of one text that the model takes at once; see ``SentimentTask.attribute``."""
    pieces = list(task.pieces(x, options))
    if len(pieces) != 1:
        raise InputError(
            f"a text of {len(pieces)} windows; expected one that the model takes at once: explain a part of "
            "it, e.g. the characters of a window that the answer names"
        )
    answer = task(x, **vars(options))
    label = task.label_of(target, answer)
    processor = task.model.processor
    spread = Spread(x if isinstance(x, tuple) else (x,), processor.places(pieces[0]))
    arrays = {name: np.array(array) for name, array in processor.arrays(pieces).items()}
    values, rest, totals = _METHODS[method](task, pieces[0], arrays, spread, processor.labels.index(label))
    labels = spread.labels
    if rest is not None and abs(rest) > 1e-6:
        labels, values = [*labels, REST], np.append(values, rest)
    return WordScores(
        method=method,
        target=label,
        input_labels=tuple(labels),
        target_labels=(label,),
        values=values[None],
        signed=True,
        totals=totals,
        answer=answer.label,
        unit=UNIT if method == "integrated_gradients" else f"{UNIT} lost without it",
        texts=spread.texts,
        spans=tuple(spread.spans),
    )


def _integrated_gradients(task: Any, piece: Any, arrays: Any, spread: Spread, place: int) -> Any:
    """Each word's part of the class's log-odds, against a text that says nothing."""
    baseline = task.model.processor.baseline(arrays, piece)
    values, totals = _scorer(task).integrated_gradients(arrays, baseline, [place])
    found, rest = spread.over_words(values[0])
    return found, rest, totals


def _occlusion(task: Any, piece: Any, arrays: Any, spread: Spread, place: int) -> Any:
    """What of the class's log-odds is lost when a word is hidden."""
    count = len(spread.spans)
    scores: list[float] = []
    for start in range(0, count + 1, TOGETHER):
        words = range(start, min(start + TOGETHER, count + 1))
        # The last batch is filled up by the whole text, so that few shapes compile.
        many = {
            name: np.repeat(array, rows_bucket(len(words), TOGETHER), axis=0)
            for name, array in arrays.items()
        }
        for row, word in enumerate(words):
            # The first row is the text as it is.
            if word > 0:
                task.model.processor.without(many, row, spread.columns_of(word - 1))
        scores += _scorer(task).score(many, place).tolist()[: len(words)]
    return scores[0] - np.array(scores[1:]), None, None


def _scorer(task: Any) -> Attribution:
    """Scores a class by its log-odds; compiled once for each model."""
    made: dict[str, Any] = vars(task.model).setdefault("_attributions", {})
    if "scorer" not in made:
        made["scorer"] = Attribution(task.model, _log_odds(task.model.processor.exclusive))
    found: Attribution = made["scorer"]
    return found


def _log_odds(exclusive: bool) -> Callable[[Any, Any], Any]:
    """Log-odds of one class in each row: against all others together, or of a label that stands alone."""

    def score(outputs: Any, place: Any) -> Any:
        logits = outputs["logits"]
        own = ops.take(logits, place, axis=-1)
        if not exclusive or logits.shape[-1] == 1:
            return own
        chosen = ops.cast(ops.arange(logits.shape[-1]) == place, logits.dtype)
        return own - ops.logsumexp(logits - 1e9 * chosen, axis=-1)

    return score


_METHODS = {"integrated_gradients": _integrated_gradients, "occlusion": _occlusion}
