"""Installs the tiny plugin of these tests as an installer would, with a starter trained on the spot."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

CARD = """---
license: cc0-1.0
library_name: sixarts
pipeline_tag: mood
---

# Mood

""" + "\n".join(
    f"## {name}\n\n{said}\n"
    for name, said in {
        "Use": '`sixarts.load("mood")`',
        "Data": "Four texts, CC0.",
        "Training": "On four texts.",
        "Evaluation": "On the same four texts.",
        "Footprint": "Small.",
        "Limits": "Four texts.",
    }.items()
)


def install(site: Path) -> None:
    """Copies the plugin to ``site``, with the record that makes it a distribution."""
    shutil.copytree(Path(__file__).parent / "tiny" / "tiny_art", site / "tiny_art")
    info = site / "tiny_art-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-art\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sixarts]\ntiny = tiny_art.plugin\n")
    sys.path.insert(0, str(site))


def train_starter(site: Path) -> None:
    """Trains the starter and saves it where the plugin's catalog says."""
    import sixarts as sa

    task = sa.new("mood", device="cpu")
    task.fit(list(task.spec.examples), epochs=60, learning_rate=0.02, progress=False)
    task.card = CARD
    task.save(site / "tiny_art" / "starters" / "mood")


def disagree() -> None:
    """In a worker: makes the tiny task answer as no other backend does."""
    agree()
    from tiny_art.task import MoodTask

    MoodTask.finish = lambda self, outputs, batch, options: [0.75 for _ in batch.context]


def agree() -> None:
    """In a worker: finds the plugins that are installed now, anew."""
    from sixarts.plugins import registry
    from sixarts.testing.contract import forget_subjects

    registry.cache_clear()
    forget_subjects()
    for name in [name for name in sys.modules if name.partition(".")[0] == "tiny_art"]:
        del sys.modules[name]
