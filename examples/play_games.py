"""A board game: the best move, how sure it is, what would follow, and a network that learns a game anew.

Run it as ``python examples/play_games.py [FOLDER]``; pictures go to FOLDER, a temporary one if none is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    play = sa.load("game-strategy", game="connect_four")

    move = play("4455")
    print("best          ", move)
    print("proven        ", move.proven, "with", move.action, "then", " ".join(move.variation[1:]))
    move.plot().savefig(folder / "board.png", dpi=110)
    move.plot_tree().savefig(folder / "tree.png", dpi=110)

    # Several positions are searched side by side; each answer is what it would be alone.
    for position, found in zip(("", "4", "44444"), play(["", "4", "44444"], simulations=200), strict=True):
        print(f"after {position or 'nothing':<9}", found.action, f"{found.value:+.2f}")
    deeper = [found.action for found in play.live("44", simulations=200)]
    print("live          ", " ".join(deeper))

    why = play.explain("44", "occlusion", target="value")
    print("why           ", why)
    why.plot().savefig(folder / "why.png", dpi=110)

    try:
        play("44444447")
    except sa.errors.InputError as error:
        print("refused       ", str(error).splitlines()[0])

    # Any game of OpenSpiel for two who see everything: an untrained network plays it against itself.
    learn = sa.new("game-strategy", family="alphazero", game="tic_tac_toe", filters=8, blocks=1)
    history = learn.train(iterations=2, positions=200, games=32, simulations=16, progress=False)
    print("self-play     ", history)
    print("threat seen   ", learn("1425").action, learn("1425").proven)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
