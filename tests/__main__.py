"""All tests, a part in a process each, two at a time: ``python tests``, with any of pytest's options.

TensorFlow never lets go of what XLA compiled for it, and one process that compiles for every family's
networks grows beyond what a laptop has. ``pytest PATH`` runs one part of them as ever.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
#: Folders of plugins' tests that share a process; one that none names has a process of its own.
TOGETHER = (("detection", "kerashub", "vision"), ("diagnosis", "recommendation"))
#: Those that take longest begin first, so that none runs alone at the end.
LONGEST = ("text", "translation")
#: Parts that run at once: a third would want more memory than a laptop has.
BESIDE = 2
#: What pytest's last line counts, e.g. ``12 passed``.
COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def parts() -> list[list[str]]:
    """Paths for each process."""
    plugins = HERE / "plugins"
    alone = sorted({path.name for path in plugins.iterdir() if path.is_dir()}.difference(*TOGETHER))
    groups = [*TOGETHER, *((name,) for name in alone if not name.startswith("_"))]
    groups.sort(key=lambda names: names[0] not in LONGEST)
    first = sorted(str(path) for path in HERE.iterdir() if _holds_tests(path) and path != plugins)
    return [first, *([str(plugins / name) for name in group] for group in groups)]


def _holds_tests(path: Path) -> bool:
    return path.name.startswith("test_") or any(path.glob("test_*.py"))


def run(paths: list[str], options: list[str], threads: int) -> tuple[Counter[str], int]:
    """Runs a part and passes on what it says; what was counted, and pytest's exit code."""
    command = [sys.executable, "-m", "pytest", *options, *paths]
    # Small networks gain nothing from a second thread, and it would wait for the part beside this one.
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent, env={**limits, **os.environ}
    )
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        # Whole lines, so that parts do not write into one another's.
        print(line, end="", flush=True)
        last = line if " in " in line and COUNTED.search(line) else last
    counts = Counter({kind.rstrip("s"): int(count) for count, kind in COUNTED.findall(last)})
    return counts, process.wait()


def main(options: list[str]) -> int:
    """Runs every part, says at the end what there was in all; 0 where nothing failed."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = min(BESIDE, cores)
    with ThreadPoolExecutor(beside) as pool:
        ended = list(pool.map(lambda paths: run(paths, options, max(cores // beside, 1)), parts()))
    total: Counter[str] = sum((counts for counts, _ in ended), Counter())
    print(f"{total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped")
    # A part that options leave nothing of ends with 5.
    failed = any(code not in (0, 5) for _, code in ended)
    return int(failed or not total["passed"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
