"""What a search is told: its budget, how it explores, and how it chooses at the root."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from sixarts.errors import OptionError

ROOTS = ("puct", "gumbel")


@dataclass(frozen=True)
class SearchSettings:
    """Settings of :func:`sixarts_game_ai.search.search`.

    Attributes:
        simulations: leaves that are looked at, for each root.
        seconds: wall time after which no more is begun; ``None`` knows no clock.
        lanes: leaves of one root that are evaluated together, at most. Fewer while its tree is small.
        exploration: weight of the prior in PUCT (Silver et al. 2018: 1.25).
        exploration_base: visits over which that weight grows.
        reduction: how much worse an action that nobody tried is thought to be than its position.
        virtual_loss: how much a visit that is under way counts as lost, from 0 (only as a visit) to 1.
        discount: what a value keeps with each ply; below 1, quick wins and slow losses are preferred.
        root: ``"puct"``, or ``"gumbel"``: sequential halving (Danihelka et al. 2022), for few simulations.
        considered: actions that the halving begins with.
        gumbel_noise: scale of the drawn noise; 0 takes the best.
        value_visits, value_scale: weight of values beside priors there: ``(visits + N) * scale``.
        dirichlet: concentration of the noise on the root's priors; ``None`` adds none. For training alone.
        dirichlet_share: share of that noise.
        together: whether leaves of all roots are evaluated in one call; else each root makes its own, so that
            its answer does not depend on its companions to the last bit.
        transpositions: whether positions with equal keys share what was learned of them.
        shortest: whether a search goes on for a quicker win once one is proven.
    """

    simulations: int = 800
    seconds: float | None = None
    lanes: int = 32
    exploration: float = 1.25
    exploration_base: float = 19652.0
    reduction: float = 0.2
    virtual_loss: float = 1.0
    discount: float = 1.0
    root: str = "puct"
    considered: int = 16
    gumbel_noise: float = 0.0
    value_visits: float = 50.0
    value_scale: float = 0.3
    dirichlet: float | None = None
    dirichlet_share: float = 0.25
    together: bool = True
    transpositions: bool = True
    shortest: bool = True

    def __post_init__(self) -> None:
        for name, low in (("simulations", 1), ("lanes", 1), ("considered", 1)):
            if getattr(self, name) < low:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected {low} or more")
        for name in ("exploration", "seconds", "dirichlet"):
            given = getattr(self, name)
            if given is not None and not 0 < given < math.inf:
                raise OptionError(f"{name}={given!r}; expected more than 0")
        for name in ("reduction", "gumbel_noise"):
            if not 0 <= getattr(self, name) < math.inf:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 or more")
        for name in ("virtual_loss", "dirichlet_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name}={getattr(self, name)!r}; expected 0 to 1")
        if not 0 < self.discount <= 1:
            raise OptionError(f"discount={self.discount!r}; expected more than 0, and 1 at most")
        if self.root not in ROOTS:
            raise OptionError(f"root={self.root!r}; expected one of {', '.join(ROOTS)}")


@lru_cache(maxsize=4096)
def halving(considered: int, simulations: int) -> tuple[int, ...]:
    """Sequential halving as the visits that an action must have to be tried next, one a simulation.

    Each phase visits the actions still considered alike, then drops the worse half (Karnin et al. 2013).

    >>> halving(4, 8)
    (0, 0, 0, 0, 1, 1, 2, 2)
    """
    if considered <= 1:
        return tuple(range(simulations))
    phases = math.ceil(math.log2(considered))
    found: list[int] = []
    visits = [0] * considered
    left = considered
    while len(found) < simulations:
        for _ in range(max(1, simulations // (phases * left))):
            found.extend(visits[:left])
            for place in range(left):
                visits[place] += 1
        left = max(2, left // 2)
    return tuple(found[:simulations])
