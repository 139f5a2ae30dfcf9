"""A benchmark: the ensembles beside logistic regression, by three measures on four corpora; nothing ships.

::

    python -m sixarts_diagnosis.recipe beside-logistic data runs/beside-logistic

``data`` holds ``uci_heart`` and ``pima``. Measures and corpora were stated before any was looked at with so
many draws of folds, and all twelve comparisons are printed. Of twelve at 95 % one may well seem sure by
chance, so that each is told twice: by an interval of its own, and by one wide enough for all twelve.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sixarts_diagnosis import corpora
from sixarts_diagnosis.cross_validation import OUTER, baseline_odds, compared, nested
from sixarts_diagnosis.record_recipe import COMPLETE, GRID, elsewhere_odds, settled

#: How often ten folds are drawn.
REPEATS = 5
#: How many comparisons are made.
COMPARISONS = 12


def beside_logistic(data: Path, folder: Path) -> None:
    """Prints all comparisons; ``folder`` stays empty."""
    cleveland, hungary = (corpora.heart(data / "uci_heart", place) for place in ("cleveland", "hungarian"))
    setting = settled(cleveland, GRID)
    print(f"{hungary!r}, learned from Cleveland; chosen there: {setting.name}", flush=True)
    tell(hungary.labels, *elsewhere_odds(cleveland, hungary, setting))
    for corpus, grid in (
        (cleveland, GRID),
        (corpora.pima(data / "pima"), GRID),
        (corpora.breast_cancer(), COMPLETE),
    ):
        readings = [corpus.schema.read(record) for record, _ in corpus.pairs]
        theirs = baseline_odds(corpus.schema, readings, corpus.labels, REPEATS)
        ours, names = nested(corpus.schema, readings, corpus.labels, grid, REPEATS)
        chosen = {setting.name: names.count(setting.name) for setting in grid}
        print(f"{corpus!r}, nested {OUTER}-fold, {REPEATS} draws; chosen: {chosen}", flush=True)
        tell(corpus.labels, ours, theirs)


def tell(classes: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> None:
    """Prints what each measure says of two judges' log-odds ``[repeats, n]``."""
    alone = compared(classes, ours, theirs)
    together = compared(classes, ours, theirs, draws=10_000, level=1 - 0.05 / COMPARISONS)
    for name, found in alone.items():
        wide = together[name]
        print(f"  {name}: {found}: {found.verdict}", end="", flush=True)
        print(f"; with all twelve ({wide.low:+.4f} to {wide.high:+.4f}): {wide.verdict}", flush=True)
