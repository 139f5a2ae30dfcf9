"""A review of a whole game of Go: how the chances went, and the moves that lost most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import InputError, OptionError
from sixarts.result import Result
from sixarts_game_ai.evaluator import evaluator
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.search import search
from sixarts_game_ai.search_settings import SearchSettings
from sixarts_game_ai.searched import Searched
from sixarts_game_ai.sgf import GameRecord, read_record

#: Positions that are searched side by side.
TOGETHER = 8


@dataclass(frozen=True)
class ReviewedMove:
    """A move of the game beside what the search would have played.

    Attributes:
        number: of the move, from 1.
        color: ``"black"`` or ``"white"``.
        move, best: as people write them, e.g. ``"Q16"``.
        win_rate: black's chance after the move, a draw counted as half.
        lead: black's points ahead after the move, as the network sees it.
        lost_win_rate: what the mover's chance lost by the move; negative where the search was too gloomy.
        lost_points: the same in points.
        variation: how the search would have gone on instead.
    """

    number: int
    color: str
    move: str
    best: str
    win_rate: float
    lead: float
    lost_win_rate: float
    lost_points: float
    variation: tuple[str, ...]


@dataclass(frozen=True)
class Review(Result):
    """A game with a judgment of every move.

    Attributes:
        moves: all that were reviewed.
        win_rates, leads: black's, before the first move and after each; leads are in points.
        names: of black and of white; empty where the record has none.
        result: as the record has it.
        game: size, komi and rules.
        simulations: of the search at each position.
    """

    moves: tuple[ReviewedMove, ...]
    win_rates: tuple[float, ...]
    leads: tuple[float, ...]
    names: tuple[str, str]
    result: str
    game: str
    simulations: int

    def worst(self, count: int = 5) -> tuple[ReviewedMove, ...]:
        """The moves that lost the largest share of the mover's chances, worst first."""
        order = sorted(self.moves, key=lambda each: (-each.lost_win_rate, -each.lost_points, each.number))
        return tuple(order[:count])

    def __str__(self) -> str:
        lines = [f"{self.game}, {len(self.moves)} moves, result {self.result or 'unknown'}; lost most:"]
        for each in self.worst():
            lines.append(
                f"  {each.number:3} {each.color:5} {each.move:4} lost {each.lost_win_rate:6.1%} and "
                f"{each.lost_points:5.1f} points; {each.best} was better: {' '.join(each.variation[:6])}"
            )
        return "\n".join(lines)

    def plot(self) -> Any:
        """Black's chance and lead over the game, with the moves that lost most."""
        from sixarts_game_ai.review_picture import review_figure

        return review_figure(self)


def review(
    source: str | Path | GameRecord,
    model: Any,
    *,
    simulations: int = 100,
    lanes: int = 8,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Review:
    """Searches every position of a game.

    Args:
        source: an SGF file, the text of one, or a record.
        model: of family ``katago``.
        simulations: of the search at each position.
        lanes: leaves of one position that are evaluated together.
        seed: of the search.
        progress: told how many positions of how many are done.

    Raises:
        InputError: no game, or one that breaks its rules; the message names the move.
        OptionError: a model of another game.
    """
    if getattr(model, "family", "") != "katago":
        raise OptionError(
            f"a review with a model of family {getattr(model, 'family', '?')}; expected one that plays Go, "
            "of family katago: load it with game='go'"
        )
    record = source if isinstance(source, GameRecord) else read_record(source)
    if not record.moves:
        raise InputError(f"{record.source} has no moves; expected a game to review")
    positions = record.positions()
    looked = [_to_search(position, record, place) for place, position in enumerate(positions)]
    evaluate = evaluator(model, lanes)
    settings = SearchSettings(simulations=simulations, lanes=lanes, together=False, transpositions=False)
    found: list[Searched | None] = [None] * len(positions)
    leads = np.zeros(len(positions))
    open_ones = [place for place, position in enumerate(looked) if not position.finished]
    for begin in range(0, len(open_ones), TOGETHER):
        places = open_ones[begin : begin + TOGETHER]
        chunk = [looked[place] for place in places]
        for place, each in zip(places, search(chunk, evaluate, settings, seed), strict=True):
            found[place] = each
        said = evaluate(chunk).extras["lead"]
        leads[places] = said * np.array([1 - 2 * position.player for position in chunk])
        if progress is not None:
            progress(begin + len(places), len(open_ones))
    for place, position in enumerate(looked):
        if position.finished:
            leads[place] = 0.0 if position.void else position.score()
    chances = [_chance(position, each) for position, each in zip(looked, found, strict=True)]
    moves = [_judged(record, looked, found, chances, leads, place) for place in range(len(record.moves))]
    return Review(
        moves=tuple(moves),
        win_rates=tuple(round(each, 6) for each in chances),
        leads=tuple(round(float(each), 3) for each in leads),
        names=record.names,
        result=record.result,
        game=record.start.game,
        simulations=simulations,
    )


def _to_search(position: GoPosition, record: GameRecord, place: int) -> GoPosition:
    """The position with whoever moved next in the record to move."""
    if position.finished or place >= len(record.moves):
        return position
    return position.with_player(record.moves[place][0])


def _chance(position: GoPosition, found: Searched | None) -> float:
    """Black's chance, a draw counted as half."""
    if found is None:
        return (position.value() + 1) / 2
    own = float(found.wdl[0] + found.wdl[1] / 2)
    return own if position.player == 0 else 1 - own


def _judged(
    record: GameRecord,
    positions: list[GoPosition],
    found: list[Searched | None],
    chances: list[float],
    leads: np.ndarray,
    place: int,
) -> ReviewedMove:
    player, action = record.moves[place]
    position, searched = positions[place], found[place]
    sign = 1 if player == 0 else -1
    best, variation = position.notation(action), (position.notation(action),)
    if searched is not None:
        best = position.notation(searched.best)
        variation = tuple(position.notation(each) for each in searched.variation)
    # What the search itself would have played loses nothing, however its judgment changes with depth.
    same = searched is not None and searched.best == action
    return ReviewedMove(
        number=place + 1,
        color=("black", "white")[player],
        move=position.notation(action),
        best=best,
        win_rate=round(chances[place + 1], 6),
        lead=round(float(leads[place + 1]), 3),
        lost_win_rate=0.0 if same else round(sign * (chances[place] - chances[place + 1]), 6),
        lost_points=0.0 if same else round(sign * float(leads[place] - leads[place + 1]), 3),
        variation=variation,
    )
