"""Our starter of Go against GNU Go, over GTP: wins with a 95 % interval (Wilson).

``python tests/benchmarks/match_gnugo.py 9 40`` plays 40 games on 9 × 9, colors in turn, komi 7.5, area
scoring. GNU Go takes dead stones off the board before it passes (``--capture-all-dead``), so that a
finished game is counted as it stands, by both programs; where they differ GNU Go's word counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

COLORS = ("black", "white")


class Gnugo:
    """GNU Go at the other end of a pipe."""

    def __init__(self, level: int, seed: int, program: str) -> None:
        self.process = subprocess.Popen(
            [
                *(program, "--mode", "gtp", "--level", str(level), "--seed", str(seed)),
                *("--chinese-rules", "--positional-superko"),
                *("--capture-all-dead", "--play-out-aftermath"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, line: str) -> str:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = []
        while (text := self.process.stdout.readline()) != "\n":
            if not text:
                raise RuntimeError(f"GNU Go ended at {line!r}")
            answer.append(text.strip())
        found = "\n".join(answer)
        if not found.startswith("="):
            raise RuntimeError(f"GNU Go: {line!r}: {found}")
        return found[1:].strip()


def game(number: int, size: int, visits: int, level: int, model: str, program: str) -> dict:
    """One game; ours is black in the even ones."""
    from sixarts_game_ai.go_engine import GoEngine, network
    from sixarts_game_ai.gtp import Gtp

    if not hasattr(game, "network"):
        game.network = network(model)
    begun = time.perf_counter()
    ours = Gtp(GoEngine(game.network, visits, lanes=8, seed=number), size, 7.5, "tromp-taylor")
    theirs = Gnugo(level, number, program)

    def ask(line: str) -> str:
        found = "".join(ours.answer(line)).strip()
        if not found.startswith("="):
            raise RuntimeError(f"ours: {line!r}: {found}")
        return found[1:].strip()

    for line in (f"boardsize {size}", "clear_board", "komi 7.5"):
        theirs.ask(line)
    mine = number % 2
    moves, spent, passes, result = [], 0.0, 0, ""
    while not result and len(moves) < 3 * size * size:
        mover = len(moves) % 2
        began = time.perf_counter()
        if mover == mine:
            move = ask(f"genmove {COLORS[mover]}")
            spent += time.perf_counter() - began
            if move != "resign":
                theirs.ask(f"play {COLORS[mover]} {move}")
        else:
            move = theirs.ask(f"genmove {COLORS[mover]}")
            if move.lower() != "resign":
                ask(f"play {COLORS[mover]} {move}")
        if move.lower() == "resign":
            result = f"{'WB'[mover]}+R"
        moves.append(move)
        passes = passes + 1 if move.lower() == "pass" else 0
        if passes == 2:
            result = theirs.ask("final_score")
    own = ask("final_score")
    theirs.process.stdin.write("quit\n")
    theirs.process.stdin.close()
    theirs.process.wait(10)
    won = result[:1] == "BW"[mine]
    return {
        "game": number,
        "ours": COLORS[mine],
        "result": result or "unfinished",
        "counted": own,
        "won": won,
        "moves": len(moves),
        "seconds_per_move": round(spent / max(1, len(moves) / 2), 3),
        "minutes": round((time.perf_counter() - begun) / 60, 2),
        "record": " ".join(moves),
    }


def wilson(wins: int, games: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    z, share = 1.959964, wins / games
    middle = (share + z * z / (2 * games)) / (1 + z * z / games)
    half = z * math.sqrt(share * (1 - share) / games + z * z / (4 * games * games)) / (1 + z * z / games)
    return max(0.0, middle - half), min(1.0, middle + half)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("games", type=int)
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--level", type=int, default=10)
    parser.add_argument("--model", default="starter/go")
    parser.add_argument("--gnugo", default=shutil.which("gnugo") or "/usr/games/gnugo")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--log", type=Path, help="a line of JSON a game; those that are there are kept")
    chosen = parser.parse_args()
    if not os.access(chosen.gnugo, os.X_OK):
        sys.exit(f"no program {chosen.gnugo}; install GNU Go (apt-get install gnugo)")
    done = {}
    if chosen.log and chosen.log.exists():
        done = {each["game"]: each for each in map(json.loads, chosen.log.read_text().splitlines())}
    left = [number for number in range(chosen.games) if number not in done]
    settings = (chosen.size, chosen.visits, chosen.level, chosen.model, chosen.gnugo)
    with ProcessPoolExecutor(chosen.processes) as pool:
        waiting = [pool.submit(game, number, *settings) for number in left]
        for each in waiting:
            played = each.result()
            done[played["game"]] = played
            if chosen.log:
                with chosen.log.open("a") as file:
                    file.write(json.dumps(played) + "\n")
            print({name: value for name, value in played.items() if name != "record"}, flush=True)
    found = [done[number] for number in sorted(done) if number < chosen.games]
    wins = sum(each["won"] for each in found)
    low, high = wilson(wins, len(found))
    odd = sum(each["result"] != each["counted"] and not each["result"].endswith("R") for each in found)
    print(
        f"{chosen.size} x {chosen.size}, {chosen.visits} visits, level {chosen.level}: {wins} of "
        f"{len(found)} ({wins / len(found):.1%}, 95 % interval {low:.1%} to {high:.1%}); "
        f"counted otherwise by us: {odd}"
    )


if __name__ == "__main__":
    main()
