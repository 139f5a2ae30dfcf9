"""From the answers for tiles to that for their slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sixarts_diagnosis.diagnosis import Diagnosis
from sixarts_diagnosis.image_diagnosis import SlideDiagnosis
from sixarts_diagnosis.tiles import Grid, Tile, TileFeatures


@dataclass(frozen=True)
class TileAnswer:
    """What a network makes of one tile: what a slide's answer is joined of."""

    tile: Tile
    chances: np.ndarray
    distance: float


def joined(found: Sequence[TileAnswer], labels: Sequence[str], disease: str) -> SlideDiagnosis:
    """The answer for a slide whose tiles were judged one by one: the mean of their probabilities."""
    chances = np.stack([each.chances for each in found])
    mean, grid = chances.mean(axis=0), found[0].tile.grid
    order = np.argsort(-mean, kind="stable")
    shown = labels.index(disease) if disease else int(order[0])
    distances = np.array([each.distance for each in found])
    return SlideDiagnosis(
        label=labels[order[0]],
        probability=float(mean[shown]),
        probabilities={labels[place]: float(mean[place]) for place in order},
        # A slide is unlike what was learned from where most of its tiles are.
        abstained=bool(np.median(distances) > 1),
        distance=float(np.median(distances)),
        disease=disease,
        scores=chances[:, shown],
        unit=f"probability of {labels[shown]}",
        **_placed(grid, np.array([(each.tile.top, each.tile.left) for each in found])),
    )


def pooled(diagnosis: Diagnosis, found: TileFeatures, attention: np.ndarray) -> SlideDiagnosis:
    """The answer of a model that pools tiles, with the attention that each got."""
    own = attention[: len(found.features)]
    return SlideDiagnosis(
        **vars(diagnosis),
        scores=own / max(float(own.max()), 1e-30),
        unit="attention, as a share of the largest",
        **_placed(found.grid, found.places),
    )


def _placed(grid: Grid, places: np.ndarray) -> dict[str, Any]:
    return {
        "source": grid.source,
        "size": grid.size,
        "side": float(grid.side),
        "places": places,
        "tiles": len(places),
    }
