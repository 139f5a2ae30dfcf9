"""Start-up against the libraries that it stands on: ratios of medians over interleaved pairs.

Run it as ``python tests/benchmarks/bench_startup.py [PAIRS]``. Each pair runs both commands as whole
processes, one after the other, so that a busy machine slows both alike. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from statistics import median

PAIRS = 15

#: An installed library has its bytecode on disk; ours must be let have it as well.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

#: What the shell runs: the installed command where there is one.
SIXARTS = (
    [shutil.which("sixarts") or ""]
    if shutil.which("sixarts")
    else [sys.executable, "-c", "import sys; from sixarts.cli import main; sys.exit(main())"]
)
PLUGGY = [sys.executable, "-c", "import pluggy"]
TYPER = [sys.executable, "-c", "import typer"]

#: Name, command, what it is held against, and the largest ratio allowed.
CASES = [
    ("import sixarts / import pluggy", [sys.executable, "-c", "import sixarts"], PLUGGY, 3.0),
    ("sixarts --help / import typer", [*SIXARTS, "--help"], TYPER, 2.0),
    ("sixarts tasks / import typer", [*SIXARTS, "tasks"], TYPER, 2.0),
]


def seconds(command: list[str]) -> float:
    """Wall time of one whole process."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT)
    return time.perf_counter() - start


def compare(command: list[str], base: list[str], pairs: int) -> tuple[float, float]:
    """Median seconds of both commands over interleaved runs, after one that warms the disk's cache."""
    seconds(command), seconds(base)
    times = [(seconds(command), seconds(base)) for _ in range(pairs)]
    mine, theirs = zip(*times, strict=True)
    return median(mine), median(theirs)


def main(pairs: int = PAIRS) -> int:
    """Print each ratio with its limit; returns the exit code."""
    broken = 0
    for name, command, base, limit in CASES:
        mine, theirs = compare(command, base, pairs)
        ratio = mine / theirs
        broken += ratio > limit
        verdict = "ok" if ratio <= limit else "TOO SLOW"
        print(f"{name:<32} {ratio:.2f}x of at most {limit:.0f}x  ({mine:.3f} s / {theirs:.3f} s)  {verdict}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
