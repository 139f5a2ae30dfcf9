"""Where a run of training stands, on disk: numbered folders, each there as a whole or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.checkpoint import write_weights
from sixarts.errors import TrainingError


class Checkpoints:
    """Numbered checkpoint folders of one run; only whole ones are ever seen."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def write(self, number: int, tensors: Mapping[str, np.ndarray], notes: Mapping[str, Any]) -> None:
        """Writes one, then removes the older ones."""
        self.folder.mkdir(parents=True, exist_ok=True)
        final = self.folder / f"checkpoint-{number:06d}"
        draft = self.folder / f".draft-{number:06d}"
        for stale in self.folder.glob(".draft-*"):
            shutil.rmtree(stale, ignore_errors=True)
        draft.mkdir()
        write_weights(draft / "model.safetensors", tensors)
        with (draft / "state.json").open("w", encoding="utf-8") as file:
            json.dump(notes, file, default=str)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
        for old in self._all():
            if old != final:
                shutil.rmtree(old, ignore_errors=True)

    def latest(self) -> Path | None:
        """The newest whole checkpoint."""
        found = self._all()
        return found[-1] if found else None

    def resumed(self, options: Mapping[str, Any]) -> tuple[Path, dict[str, Any]] | None:
        """The newest whole checkpoint and its notes, for a run with these options to go on from.

        Raises:
            TrainingError: it is of a run with others.
        """
        found = self.latest()
        if found is None:
            return None
        notes: dict[str, Any] = json.loads((found / "state.json").read_text(encoding="utf-8"))
        ours, theirs = json.loads(json.dumps(options, default=str)), notes["options"]
        changed = [name for name in {**ours, **theirs} if ours.get(name) != theirs.get(name)]
        if changed:
            raise TrainingError(
                f"{self.folder} holds a run with other options ({', '.join(changed)}); "
                "expected the same ones; give them, or another folder"
            )
        return found, notes

    def _all(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if re.fullmatch(r"checkpoint-\d{6}", path.name))
