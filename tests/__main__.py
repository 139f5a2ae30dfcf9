"""All tests, a part in a process each: ``python tests``, with any of pytest's options.

TensorFlow never lets go of what XLA compiled for it, and one process that compiles for every family's
networks grows beyond what a laptop has. ``pytest PATH`` runs one part of them as ever.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
#: Folders of plugins' tests that share a process; one that none names has a process of its own.
TOGETHER = (("detection", "kerashub", "vision"), ("diagnosis", "recommendation"))
#: What pytest's last line counts, e.g. ``12 passed``.
COUNTED = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def parts() -> list[list[str]]:
    """Paths for each process."""
    plugins = HERE / "plugins"
    alone = sorted({path.name for path in plugins.iterdir() if path.is_dir()}.difference(*TOGETHER))
    groups = [*TOGETHER, *((name,) for name in alone if not name.startswith("_"))]
    first = sorted(str(path) for path in HERE.iterdir() if _holds_tests(path) and path != plugins)
    return [first, *([str(plugins / name) for name in group] for group in groups)]


def _holds_tests(path: Path) -> bool:
    return path.name.startswith("test_") or any(path.glob("test_*.py"))


def main(options: list[str]) -> int:
    """Runs every part, says at the end what there was in all; 0 where nothing failed."""
    total: Counter[str] = Counter()
    failed = False
    for paths in parts():
        command = [sys.executable, "-m", "pytest", *options, *paths]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
        assert process.stdout is not None
        last = ""
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line if " in " in line and COUNTED.search(line) else last
        total.update({kind.rstrip("s"): int(count) for count, kind in COUNTED.findall(last)})
        # A part that options leave nothing of ends with 5.
        failed |= process.wait() not in (0, 5)
    print(f"{total['passed']} passed, {total['failed'] + total['error']} failed, {total['skipped']} skipped")
    return int(failed or not total["passed"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
