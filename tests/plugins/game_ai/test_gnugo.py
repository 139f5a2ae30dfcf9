"""Rules of Go against GNU Go's, where it is installed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess

import numpy as np
import pytest

from sixarts_game_ai.go_rules import GoPosition

PROGRAM = shutil.which("gnugo", path=f"{os.environ.get('PATH', '')}:/usr/games")

pytestmark = [
    pytest.mark.quick,
    pytest.mark.skipif(PROGRAM is None, reason="GNU Go is not installed (apt-get install gnugo)"),
]


@pytest.mark.parametrize("size", [5, 9, 19])
def test_moves_and_captures_are_gnugos(size: int) -> None:
    draw = random.Random(size)
    script, boards = [f"boardsize {size}", "clear_board", "komi 7.5"], []
    for _ in range(3):
        position = GoPosition(size, 7.5, "chinese-ogs")
        script.append("clear_board")
        for _ in range(2 * size * size):
            color = "bw"[position.player]
            script += [f"all_legal {color}", "list_stones b", "list_stones w"]
            boards.append(position)
            moves = [int(action) for action in np.flatnonzero(position.legal())[:-1]]
            if not moves:
                break
            action = draw.choice(moves)
            script.append(f"play {color} {position.notation(action)}")
            position = position.play(action)
    done = subprocess.run(
        [str(PROGRAM), "--mode", "gtp", "--positional-superko", "--chinese-rules"],
        input="\n".join([*script, "quit"]) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    answers = [each.strip() for each in done.stdout.split("\n\n") if each.strip()]
    assert all(each.startswith("=") for each in answers)
    told = dict.fromkeys(("all_legal", "list_stones b", "list_stones w"))
    place = 0
    for line, answer in zip(script, answers, strict=False):
        kind = "all_legal" if line.startswith("all_legal") else line
        if kind not in told:
            continue
        told[kind] = set(answer[1:].split())
        if kind == "list_stones w":
            position, place = boards[place], place + 1
            legal = {position.notation(int(a)) for a in np.flatnonzero(position.legal())[:-1]}
            assert legal == told["all_legal"], str(position)
            for color, sign in ((0, "b"), (1, "w")):
                mine = {position.notation(a) for a in range(position.passing) if position.color(a) == color}
                assert mine == told[f"list_stones {sign}"]
    assert place == len(boards) > 2 * size
