"""A network that plays Go: thinks with what it thought before, resigns, and says which stones are dead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from sixarts_game_ai.evaluation import Evaluation
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.go_area import independent
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.search import Search
from sixarts_game_ai.search_settings import SearchSettings
from sixarts_game_ai.searched import Searched, Tree

#: Mean ownership of a chain, for its own color, below which it counts as dead.
DEAD = -0.3
#: Own turns in a row that look lost before the engine resigns.
PATIENCE = 3
#: Suffixes of networks as KataGo publishes them.
PUBLISHED = (".bin.gz", ".txt.gz")


class GoEngine:
    """Searches positions of Go with a network.

    Args:
        model: of family ``katago``.
        visits: of the root after a search, those of an earlier search counted.
        lanes: leaves that are evaluated together.
        seed: of the search.
        resign: chance of winning below which a game is given up; 0 plays to the end.
    """

    def __init__(
        self, model: Any, visits: int = 100, lanes: int = 8, seed: int = 0, resign: float = 0.02
    ) -> None:
        self.model, self.visits, self.seed, self.resign = model, visits, seed, resign
        self.settings = SearchSettings(simulations=visits, lanes=lanes, transpositions=False)
        self.evaluate = evaluator(model, lanes)
        self.tree: Tree | None = None
        self.lost = 0

    def forget(self) -> None:
        """Begins anew, as for another game."""
        self.tree, self.lost = None, 0

    def begin(self, position: GoPosition, seconds: float | None = None, visits: int | None = None) -> Search:
        """A search that can be taken round by round; it goes on from the last one where it can.

        Args:
            position: not finished.
            seconds: wall time, if there is a limit.
            visits: of the root; the engine's own by default.
        """
        tree = self._known(position)
        wanted = (self.visits if visits is None else visits) - (0 if tree is None else tree.visits)
        settings = replace(self.settings, simulations=max(1, wanted), seconds=seconds)
        return Search([position], self.evaluate, settings, self.seed, [tree])

    def think(
        self,
        position: GoPosition,
        seconds: float | None = None,
        visits: int | None = None,
        stop: Callable[[], bool] | None = None,
    ) -> Searched:
        """What a search finds; see :meth:`begin`."""
        found = self.begin(position, seconds, visits).run(stop)[0]
        self.tree = found.tree
        return found

    def move(self, position: GoPosition, seconds: float | None = None) -> int | None:
        """The action to play, or ``None`` to resign."""
        found = self.think(position, seconds)
        chance = float(found.wdl[0] + found.wdl[1] / 2)
        hopeless = chance < self.resign and len(position.history) > position.board.geometry.count // 6
        self.lost = self.lost + 1 if hopeless else 0
        return None if self.lost >= PATIENCE else found.best

    def cleaning(self, position: GoPosition, seconds: float | None = None) -> int:
        """The action to play where dead stones are to be taken: no pass as long as the other has some."""
        found = self.think(position, seconds)
        other = position.board.stones[1 - position.player]
        bits = position.board.geometry.bits
        if found.best != position.passing or not any(bits[dead] & other for dead in self.dead(position)):
            return found.best
        moves = [int(action) for action in found.actions if action != position.passing]
        return moves[0] if moves else position.passing

    def look(self, *positions: GoPosition) -> Evaluation:
        """What the network says without search."""
        return self.evaluate(positions)

    def ownership(self, position: GoPosition) -> np.ndarray:
        """Whose each point will be, ``[size, size]``: 1 is black's, -1 white's; both may be to move."""
        pair = [_open(position).with_player(player) for player in (0, 1)]
        owned = self.look(*pair).extras["ownership"]
        return np.asarray((owned[0] - owned[1]) / 2)

    def dead(self, position: GoPosition) -> list[int]:
        """Actions of stones that will be taken, or could be."""
        owned = self.ownership(position).reshape(-1)
        found: list[int] = []
        for color, sign in ((0, 1.0), (1, -1.0)):
            for chain in position.board.chains[color]:
                points = points_of(position, chain.stones)
                if sign * owned[points].mean() < DEAD:
                    found += points
        return sorted(found)

    def seki(self, position: GoPosition, dead: list[int]) -> list[int]:
        """Actions of stones that live without territory."""
        cleared = position.dead_removed(dead)
        black, white, _ = independent(cleared.board, position.rules.suicide, territory=False, stones=False)
        left = [stones & ~sound for stones, sound in zip(cleared.board.stones, (black, white), strict=True)]
        owned = self.ownership(position).reshape(-1)
        # Before the last neutral points are filled, everything touches one: what surely lives is no seki.
        unsure = [points_of(position, stones) for stones in left]
        return sorted(
            action
            for sign, points in zip((1.0, -1.0), unsure, strict=True)
            for action in points
            if sign * owned[action] < 0.5
        )

    def final_score(self, position: GoPosition) -> float:
        """Black's points more than white's, as if the game ended now and dead stones were taken off.

        A game that rules without judgment ended is counted as it stands.
        """
        if position.finished and not position.rules.friendly_pass and position.rules.scoring == "area":
            return position.score()
        return position.dead_removed(self.dead(position)).score()

    def _known(self, position: GoPosition) -> Tree | None:
        """What the last search knows of a position that came after it."""
        tree, self.tree = self.tree, None
        if tree is None:
            return None
        root = tree.position
        length = len(root.history)
        if root.game != position.game or position.history[:length] != root.history:
            return None
        for action in position.history[length:]:
            tree = tree.after(action)
            if tree is None:
                return None
        reached = tree.position
        same = (
            reached.movers == position.movers
            and reached.player == position.player
            and reached.start is position.start
            and reached.board.stones == position.board.stones
            and reached.phase == position.phase
        )
        return tree if same and not reached.finished else None


def network(model: str) -> Any:
    """A model of family ``katago``, by its file or by reference.

    Raises:
        OptionError: a model that plays another game.
    """
    from sixarts.errors import OptionError
    from sixarts_game_ai.katago import Katago

    if model.lower().endswith(PUBLISHED):
        return Katago.from_file(model)
    import sixarts

    found = sixarts.load("game-strategy", model).model
    if not isinstance(found, Katago):
        raise OptionError(f"{model} is of family {found.family}; expected one of family katago, for Go")
    return found


def points_of(position: GoPosition, stones: int) -> list[int]:
    """The actions of a set of points."""
    bits = position.board.geometry.bits
    return [action for action, bit in enumerate(bits) if bit & stones]


def _open(position: GoPosition) -> GoPosition:
    """The position as one that is not over, for a network to look at."""
    return position.resumed() if position.finished else position
