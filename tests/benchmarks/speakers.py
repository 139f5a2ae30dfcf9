"""The voices that ``bench_speech.py`` compares, each in a process of its own: ours on a backend, and
``transformers`` on PyTorch. Both read the same random weights of a published VITS's size.

Durations are drawn with no noise, so that both say as many frames.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

from recognizers import THREADS, timed

#: As checkpoints of the family ``facebook/mms-tts`` number their characters.
SYMBOLS = {symbol: number for number, symbol in enumerate("_abcdefghijklmnopqrstuvwxyz '-")}
#: A hundred characters.
TEXT = "the quick brown fox jumps over the lazy dog and then it sleeps in the warm sun until the evening com"
TEN = " ".join(
    f"This is sentence number {number}, and it is as long as the others." for number in range(10, 20)
)


def write_voice(folder: str) -> None:
    """Random weights of the published size, in the layout that is published."""
    import torch
    from transformers import VitsConfig, VitsModel

    torch.manual_seed(0)
    VitsModel(VitsConfig(vocab_size=len(SYMBOLS))).eval().save_pretrained(folder)
    (Path(folder) / "vocab.json").write_text(json.dumps(SYMBOLS))
    (Path(folder) / "tokenizer_config.json").write_text(json.dumps({"phonemize": False, "language": "eng"}))


@functools.cache
def _ours(folder: str) -> Any:
    import sixarts as sa

    return sa.load("text-to-speech", folder or None, device="cpu")


def ours_speak(folder: str) -> tuple[float, int]:
    task = _ours(folder)
    seconds, speech = timed(lambda: task(TEXT, noise_scale_duration=0.0))
    return seconds, len(speech.waveform)


@functools.cache
def _theirs(folder: str) -> Any:
    import torch
    from transformers import VitsModel

    torch.set_num_threads(THREADS)
    model = VitsModel.from_pretrained(folder).eval()
    model.noise_scale_duration = 0.0
    return model


def transformers_speak(folder: str) -> tuple[float, int]:
    import torch

    model = _theirs(folder)
    spread = [0] * (2 * len(TEXT) + 1)
    spread[1::2] = [SYMBOLS[letter] for letter in TEXT]
    with torch.inference_mode():
        seconds, answer = timed(lambda: model(torch.tensor([spread])))
    return seconds, answer.waveform.shape[1]


def starter_speak(folder: str) -> tuple[float, float, float, float]:
    """Ten sentences by the starter on one core, warmed up.

    Returns:
        Seconds that it took and seconds of sound; seconds until ``live`` gave the first sentence, and those
        that one sentence takes.
    """
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    task = _ours("")
    one = TEN.partition(".")[0] + "."
    for text in (TEN, one):
        list(task.live(text))
        task(text)
    took, speech = timed(lambda: task(TEN))
    first, _ = timed(lambda: next(task.live(TEN)))
    alone, _ = timed(lambda: task(one))
    return took, speech.duration, first, alone
