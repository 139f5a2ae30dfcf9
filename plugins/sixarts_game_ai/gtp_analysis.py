"""What analysis over GTP tells of a search: a line for each move, as Leela Zero and KataGo write it."""

from __future__ import annotations

import numpy as np

from sixarts_game_ai.go_engine import GoEngine
from sixarts_game_ai.go_rules import GoPosition
from sixarts_game_ai.searched import Searched, Tree

#: Moves that are told of, and of how long a variation.
MOVES, PLIES = 10, 16


def info(engine: GoEngine, found: Searched, lz: bool) -> str:
    """A line on the moves of a search, the best first.

    Args:
        engine: whose network is asked for the score after each move.
        found: the search.
        lz: whether numbers are written as Leela Zero does, in ten-thousandths.
    """
    position = found.position
    tried = [place for place in range(len(found.actions)) if found.visits[place] > 0][:MOVES] or [0]
    after = [position.play(int(found.actions[place])) for place in tried]
    open_ones = [place for place, each in enumerate(after) if not each.finished]
    leads = np.array([(1 - 2 * position.player) * each.score() if each.finished else 0.0 for each in after])
    if open_ones:
        evaluated = engine.look(*[after[place] for place in open_ones])
        leads[open_ones] = -evaluated.extras["lead"]
    parts = []
    for order, (place, lead) in enumerate(zip(tried, leads, strict=True)):
        action = int(found.actions[place])
        win = min(1.0, max(0.0, (float(found.values[place]) + 1) / 2))
        prior = float(found.priors[place])
        way = " ".join(_variation(position, action, found.tree))
        common = f"info move {position.notation(action)} visits {int(found.visits[place])}"
        if lz:
            told = f"winrate {round(1e4 * win)} prior {round(1e4 * prior)} lcb {round(1e4 * win)}"
        else:
            told = (
                f"utility {found.utilities[place]:.5f} winrate {win:.5f} scoreMean {lead:.3f} "
                f"scoreLead {lead:.3f} prior {prior:.5f} lcb {win:.5f}"
            )
        parts.append(f"{common} {told} order {order} pv {way}")
    return " ".join(parts)


def _variation(position: GoPosition, action: int, tree: Tree) -> list[str]:
    """A move and what is most visited after it."""
    written = [position.notation(action)]
    below = tree.after(action)
    while below is not None and len(written) < PLIES:
        tried = below.children()
        if not tried or not tried[0][1]:
            break
        written.append(below.position.notation(tried[0][0]))
        below = tried[0][2]
    return written


def report(engine: GoEngine, position: GoPosition) -> str:
    """What the network says of a position without search, for white, as KataGo writes it."""
    position = position.resumed() if position.finished else position
    said = engine.look(position)
    size, sign = position.size, 1.0 if position.player else -1.0
    win, void, loss = said.wdl[0] if position.player else said.wdl[0][::-1]
    legal = position.legal()
    lines = [
        "symmetry 0",
        f"whiteWin {win:.6f}",
        f"whiteLoss {loss:.6f}",
        f"noResult {void:.6f}",
        f"whiteLead {sign * said.extras['lead'][0]:.3f}",
        f"whiteScoreSelfplay {sign * said.extras['score'][0]:.3f}",
        "policy",
    ]
    for row in range(size):
        each = range(row * size, (row + 1) * size)
        lines.append(" ".join(f"{said.policy[0][a]:8.6f}" if legal[a] else "     NAN" for a in each))
    lines += [f"policyPass {said.policy[0][-1]:8.6f}", "whiteOwnership"]
    lines += [" ".join(f"{sign * value:9.7f}" for value in row) for row in said.extras["ownership"][0]]
    return "\n".join(lines)
