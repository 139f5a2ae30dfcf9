"""Small random voices: what the published implementation says, and ours on any backend.

The first half imports PyTorch and runs in the tests' own process; the second half runs in the workers too.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

SYMBOLS = {symbol: number for number, symbol in enumerate("_abcdefghij 'É")}


# The published implementation.


def saved(folder: Path, config: Mapping[str, Any], seed: int, old_names: bool = False) -> Any:
    """A model of ``transformers`` with every weight drawn, in ``folder`` as its own library saves it."""
    import torch
    import transformers
    from safetensors.torch import load_file, save_file

    model = transformers.VitsModel(transformers.VitsConfig(**config, vocab_size=len(SYMBOLS))).eval()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            drawn = torch.randn(weight.shape, generator=random)
            ones = name.endswith("original0") or ("norm" in name and name.endswith("weight"))
            weight.copy_(drawn * 0.3 + (1.0 if ones else 0.0))
    model.save_pretrained(folder)
    if old_names:
        # As PyTorch named the parts of a normalized weight before 2.0, and most files that are published do.
        path = folder / "model.safetensors"
        stored = load_file(path)
        for number, old in (("0", "g"), ("1", "v")):
            new = f"parametrizations.weight.original{number}"
            stored = {name.replace(new, f"weight_{old}"): value for name, value in stored.items()}
        save_file(stored, path, {"format": "pt"})
    (folder / "vocab.json").write_text(json.dumps(SYMBOLS))
    (folder / "tokenizer_config.json").write_text(json.dumps({"phonemize": False}))
    return model


def published(
    model: Any, ids: np.ndarray, noise: np.ndarray, seed: int, speaker: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """Waveform ``[samples]`` and the frames' noise ``[n, flow_size]``, for one row of symbols.

    Args:
        noise: of durations, ``[1, t, 2]``.
        seed: of the frames' noise.
    """
    import torch

    drawn: list[np.ndarray] = []

    def frames(like: Any) -> Any:
        drawn.append(np.random.default_rng(seed).standard_normal(like.shape).astype("float32"))
        return torch.from_numpy(drawn[-1])

    with (
        mock.patch("torch.randn", lambda *_, **__: torch.from_numpy(noise.transpose(0, 2, 1).copy())),
        mock.patch("torch.randn_like", frames),
        torch.no_grad(),
    ):
        answer = model(torch.from_numpy(ids).long(), speaker_id=speaker)
    return np.asarray(answer.waveform[0]), drawn[-1][0].T


# Ours, on any backend.


@functools.lru_cache(maxsize=4)
def voice(folder: Path) -> Any:
    """The model, as it is read from its folder."""
    from sixarts_speech.vits import Vits

    return Vits.from_folder(folder)


def waveforms(
    folder: Path,
    ids: np.ndarray,
    noise: np.ndarray,
    frames: np.ndarray,
    speaker: int | None,
    behind: int,
) -> dict[str, Any]:
    """The same by parts, alone and with ``behind`` frames of anything behind the end, and in one network.

    Args:
        frames: their noise, ``[n, flow_size]``.
    """
    model = voice(folder)
    length, c = ids.shape[1], model.config
    arrays = {
        "input_ids": np.pad(ids, ((0, 0), (0, 3))),
        "attention_mask": np.pad(np.ones_like(ids), ((0, 0), (0, 3))),
    }
    if speaker is not None:
        arrays["speaker"] = np.full((1, 1), speaker, "int32")
    durations = np.pad(noise, ((0, 0), (0, 3), (0, 0)), constant_values=7) * np.float32(
        c["noise_scale_duration"]
    )
    plan = model.plan(arrays, durations, 1.0)
    symbol_of = np.repeat(np.arange(length + 3), plan.durations[0])
    count = len(symbol_of)
    if count != len(frames):
        return {"frames": count}
    scaled = frames[None] * np.float32(c["noise_scale"])
    found: dict[str, Any] = {"frames": count}
    for name, more in (("alone", 0), ("followed", behind)):

        def longer(array: np.ndarray, fill: float = 9.0) -> np.ndarray:
            width = ((0, 0), (0, more), *[(0, 0)] * (array.ndim - 2))  # noqa: B023
            return np.pad(array, width, constant_values=fill).astype("float32")

        waveform = model.render(
            longer(plan.means[:, symbol_of]),
            longer(plan.log_deviations[:, symbol_of]),
            longer(np.ones((1, count)), 0.0),
            longer(scaled),
            arrays.get("speaker"),
        )
        found[name] = waveform[0, : count * model.hop]
    whole = model(
        {
            **arrays,
            "duration_noise": durations,
            "frames": np.pad(symbol_of, (0, behind), constant_values=-1)[None].astype("int32"),
            "noise": np.pad(scaled, ((0, 0), (0, behind), (0, 0))).astype("float32"),
        }
    )
    found["whole"] = whole["waveform"][0, : count * model.hop]
    found["hidden"] = model.hidden_constants()
    return found
