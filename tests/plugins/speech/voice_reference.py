"""A small random voice of the ``source_filter`` family, and what it says on any backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sixarts_speech.source_filter import SourceFilterVoice
from sixarts_speech.voice_processor import MARKS, START, VoiceProcessor, frames_of

SYMBOLS = (START, *MARKS, *"abcdefghij'")
SMALL: dict[str, Any] = {
    "hop": 40,
    "sampling_rate": 8000,
    "bands": 12,
    "hidden_size": 10,
    "encoder_blocks": 1,
    "planner_blocks": 1,
    "decoder_blocks": 2,
    "vocoder_blocks": 1,
    "kernel": 3,
    "expansion": 2,
    "pulse_points": 6,
    "noise_points": 4,
}


def voice(**changes: Any) -> SourceFilterVoice:
    """A network with drawn weights that says the first letters of the alphabet."""
    config = SourceFilterVoice.configure(**{**SMALL, **changes}, vocab_size=len(SYMBOLS))
    model = SourceFilterVoice(config, VoiceProcessor(SYMBOLS, "en", None))
    random = np.random.default_rng(0)
    for variable in model.network.trainable_variables:
        drawn = random.standard_normal(variable.shape) * 0.3 / max(np.sqrt(variable.shape[0] / 8), 1)
        # Durations of some frames, and a sound that can be heard.
        level = {"duration": 1.5, "levels": 4.0}.get(variable.path.split("/")[0], 0.0)
        variable.assign(drawn + (level if variable.path.endswith("bias") else 0.0))
    return model


def saved(folder: Path, **changes: Any) -> Path:
    """The same, in a folder."""
    voice(**changes).save(folder)
    return folder


def told(
    folder: Path, ids: np.ndarray, places: np.ndarray, durations: np.ndarray, seed: int
) -> dict[str, Any]:
    """Plan and sound of one row, by parts, with more behind its end, and by the whole network."""
    model = SourceFilterVoice.from_folder(folder)
    random = np.random.default_rng(seed)
    count, hop = int(durations.sum()), model.hop
    pitch = random.uniform(-0.5, 0.8, count).astype("float32")
    plan = model.plan({"input_ids": ids, "places": places})
    found: dict[str, Any] = {name: value for name, value in plan._asdict().items() if name != "hidden"}
    sources = random.standard_normal((1, count * hop, 2)).astype("float32")
    for name, more in (("alone", 0), ("followed", 7)):
        arrays = frames_of([(durations, pitch)], count + more)
        arrays["sources"] = np.pad(sources, ((0, 0), (0, more * hop), (0, 0)))
        found[name] = model.render(plan.hidden, arrays)[0, : count * hop]
        found[f"whole {name}"] = model({"input_ids": ids, "places": places, **arrays})["waveform"][
            0, : count * hop
        ]
    return found
