"""Every reader of a stranger's file, a moment under the fuzzer; longer runs are for people."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fuzz_readers.py")


def readers() -> list[str]:
    """Names of the readers, from the script's table; importing it needs the fuzzer."""
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [f.name for f in functions if [a.arg for a in f.args.args] == ["data"]]


def fuzz(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), name, *options, "-rss_limit_mb=2048", "-timeout=20"]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("name", readers())
def test_a_moment_of_fuzzing_finds_nothing(name: str, tmp_path: Path) -> None:
    pytest.importorskip(
        "atheris", reason="the fuzzer has wheels for Linux on x86-64 alone; pip install atheris"
    )
    done = fuzz(name, "-runs=1000", "-max_total_time=2", "-seed=1", f"-artifact_prefix={tmp_path}/")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "DONE" in done.stderr and not list(tmp_path.iterdir())


def test_the_fuzzer_can_fail(tmp_path: Path) -> None:
    pytest.importorskip(
        "atheris", reason="the fuzzer has wheels for Linux on x86-64 alone; pip install atheris"
    )
    assert "usage" in fuzz("nothing").stderr
    code = f"""
import sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
sys.argv = ["fuzz_readers.py", "strict", "-runs=100000", {f"-artifact_prefix={tmp_path}/"!r}]
import fuzz_readers
fuzz_readers.parse = lambda data: 1 if len(data) < 5 else None.missing
fuzz_readers.seeds = lambda name: []
fuzz_readers.main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0 and "AttributeError" in done.stderr + done.stdout
