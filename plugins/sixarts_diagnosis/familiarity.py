"""Whether a case is like those that a model learned from: its distance from them, and where that ends.

The distance is Mahalanobis' over features, with a covariance of a few main directions and an even rest
(Tipping and Bishop 1999, probabilistic principal components; Lee et al. 2018 for its use on networks), drawn
towards an even one (Chen et al. 2010, OAS). What is kept are means and directions, never a case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from sixarts.errors import CheckpointError

#: Share of the cases that were learned from which lie within the limit, where nobody states another.
QUANTILE = 0.99
#: Main directions that are kept at most.
RANK = 32
#: Fewest cases from which a distance means something.
FEWEST = 20
#: Parts in which distances are measured by the others, so that no case measures itself.
FOLDS = 5
#: Most features of a stranger's model.
FEATURES_CAP = 1 << 16


@dataclass(frozen=True)
class Familiarity:
    """Where the cases lie that a model learned from.

    Attributes:
        mean: of the features ``[d]``.
        directions: main ones ``[r, d]``, of length 1.
        spreads: variance along each ``[r]``.
        rest: variance along every other direction.
        limit: distance beyond which a case is unlike them.
        quantile: share of them that lies within it.
    """

    mean: np.ndarray
    directions: np.ndarray
    spreads: np.ndarray
    rest: float
    limit: float
    quantile: float = QUANTILE

    @classmethod
    def of(cls, features: np.ndarray, quantile: float = QUANTILE, rank: int = RANK) -> Self | None:
        """Measures cases that a model learned from; ``None`` where they are fewer than :data:`FEWEST`.

        Args:
            features: ``[n, d]``, on like scales.
            quantile: share of the cases that is to lie within the limit.
            rank: main directions at most.
        """
        features = np.asarray(features, "float64")
        count = len(features)
        if count < FEWEST:
            return None
        part = np.arange(count) % FOLDS
        part = np.random.default_rng(0).permutation(part)
        distances = np.concatenate(
            [
                cls._measured(features[part != fold], quantile, rank).distance(features[part == fold])
                for fold in range(FOLDS)
            ]
        )
        whole = cls._measured(features, quantile, rank)
        limit = float(np.quantile(distances, quantile))
        return cls(whole.mean, whole.directions, whole.spreads, whole.rest, limit, quantile)

    @classmethod
    def _measured(cls, features: np.ndarray, quantile: float, rank: int) -> Self:
        count, width = features.shape
        mean = features.mean(axis=0)
        _, sizes, directions = np.linalg.svd(features - mean, full_matrices=False)
        spreads = sizes**2 / count
        total, squares = float(spreads.sum()), float((spreads**2).sum())
        even = max(total / width, 1e-12)
        apart = (count + 1 - 2 / width) * (squares - total**2 / width)
        share = 1.0 if apart <= 0 else min(1.0, ((1 - 2 / width) * squares + total**2) / apart)
        kept = min(rank, len(spreads), width)
        rest = (total - float(spreads[:kept].sum())) / (width - kept) if width > kept else 0.0
        return cls(
            mean,
            directions[:kept],
            (1 - share) * spreads[:kept] + share * even,
            (1 - share) * rest + share * even,
            1.0,
            quantile,
        )

    def distance(self, features: np.ndarray) -> np.ndarray:
        """The distance of each case ``[n]``, of features ``[n, d]``."""
        away = np.asarray(features, "float64") - self.mean
        along = away @ self.directions.T
        beside = np.maximum((away**2).sum(axis=1) - (along**2).sum(axis=1), 0.0)
        return np.asarray(np.sqrt((along**2 / self.spreads).sum(axis=1) + beside / self.rest))

    def share(self, features: np.ndarray) -> np.ndarray:
        """The distance of each case as a share of the limit ``[n]``; beyond 1 it is unlike the others."""
        return np.asarray(self.distance(features) / self.limit)

    def to_config(self) -> dict[str, Any]:
        """As ``config.json`` keeps it."""
        return {
            "mean": self.mean.tolist(),
            "directions": self.directions.tolist(),
            "spreads": self.spreads.tolist(),
            "rest": self.rest,
            "limit": self.limit,
            "quantile": self.quantile,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """What :meth:`to_config` wrote, or a stranger.

        Raises:
            CheckpointError: it is no such thing.
        """
        try:
            mean, directions, spreads = (
                np.array(config[name], "float64") for name in ("mean", "directions", "spreads")
            )
            rest, limit, quantile = (float(config[name]) for name in ("rest", "limit", "quantile"))
            width = mean.shape[0]
            fits = (
                width <= FEATURES_CAP
                and directions.shape == (len(spreads), width)
                and spreads.ndim == 1
                and len(spreads) <= width
                and all(np.isfinite(each).all() for each in (mean, directions, spreads))
                and bool((spreads > 0).all())
                and rest > 0
                and limit > 0
                and np.isfinite([rest, limit]).all()
                and 0 < quantile < 1
            )
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            fits = False
        if not fits:
            raise CheckpointError(
                "familiarity in config.json is no mean, directions, spreads, rest, limit and quantile that "
                "fit one another; expected what fit wrote; fetch the model again"
            )
        return cls(mean, directions, spreads, rest, limit, quantile)
