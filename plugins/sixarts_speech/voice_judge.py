"""How a voice is judged against its teacher: by a recognizer that knows neither, and by its cepstra."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from sixarts.errors import MissingExtra
from sixarts.result import Metric
from sixarts_speech.sentence import filled
from sixarts_speech.voice_lessons import Take
from sixarts_speech.voice_measures import COEFFICIENTS, DECIBELS, DRAWS, SILENCE, levels_of, series
from sixarts_speech.voice_processor import frames_of
from sixarts_speech.voice_sound import pulses
from sixarts_speech.voice_speaking import LENGTHS

#: Where Debian's package pocketsphinx-en-us keeps the models of its recognizer (a license of the BSD kind).
MODEL = Path("/usr/share/pocketsphinx/model/en-us")


def heard(waveforms: Sequence[np.ndarray], rate: int) -> list[str]:
    """What PocketSphinx understands, with its own general English models.

    Args:
        waveforms: each ``[n]``; ``rate`` is 16,000, as its models want it.

    Raises:
        MissingExtra: it is not installed.
    """
    program = shutil.which("pocketsphinx_batch")
    if program is None or not MODEL.is_dir():
        raise MissingExtra("pocketsphinx is not installed; apt-get install pocketsphinx pocketsphinx-en-us")
    with tempfile.TemporaryDirectory() as place:
        names = [f"{number:04}" for number in range(len(waveforms))]
        for name, waveform in zip(names, waveforms, strict=True):
            soundfile.write(f"{place}/{name}.wav", np.clip(waveform, -1, 1), rate, subtype="PCM_16")
        Path(place, "list").write_text("\n".join(names) + "\n", encoding="utf-8")
        subprocess.run(
            [program, "-adcin", "yes", "-cepdir", place, "-cepext", ".wav", "-ctl", f"{place}/list",
             "-hyp", f"{place}/heard", "-hmm", str(MODEL / "en-us"), "-lm", str(MODEL / "en-us.lm.bin"),
             "-dict", str(MODEL / "cmudict-en-us.dict")],
            check=True, capture_output=True,
        )  # fmt: skip
        lines = Path(place, "heard").read_text(encoding="utf-8").splitlines()
    found = {line.rsplit("(", 1)[1].split()[0]: line.rsplit("(", 1)[0].strip() for line in lines}
    return [found.get(name, "") for name in names]


def forced(model: Any, take: Take, seed: int = 0) -> np.ndarray:
    """A take as the voice says it with the take's own durations and pitch, ``[n]``."""
    durations = take.durations
    if durations is None:
        raise ValueError("a take without durations; expected one that states them")
    count = int(durations.sum())
    length = filled(count, LENGTHS)
    plan = model.plan(model.processor.pad([take.spelled]))
    sources = np.zeros((1, length * model.hop, 2), "float32")
    sources[0, : count * model.hop, 0] = pulses(take.pitch, model.hop, model.rate)
    sources[0, : count * model.hop, 1] = np.random.default_rng(seed).standard_normal(count * model.hop)
    arrays = frames_of([(durations, take.pitch)], length)
    return np.asarray(model.render(plan.hidden, {**arrays, "sources": sources})[0, : count * model.hop])


def frame_distortion(said: np.ndarray, wanted: np.ndarray, rate: int) -> float:
    """Mel-cepstral distortion frame by frame, of sounds that last alike, in decibels."""
    levels, other = levels_of(said, rate), levels_of(wanted, rate)
    count = min(len(levels), len(other))
    loudness = other[:count].mean(axis=1) * (20 / np.log(10))
    loud = loudness >= loudness.max() - SILENCE
    away = series(levels[:count][loud]) - series(other[:count][loud])
    return float(DECIBELS * np.sqrt((away[:, :COEFFICIENTS] ** 2).sum(axis=1)).mean())


def mean_of(values: Sequence[float], seed: int = 0) -> Metric:
    """A mean with its 95 % bootstrap interval."""
    array = np.asarray(values, float)
    random = np.random.default_rng(seed)
    means = array[random.integers(len(array), size=(DRAWS, len(array)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(array.mean())
    return Metric(mean, min(float(low), mean), max(float(high), mean))


def difference(
    said: Sequence[str], mine: Sequence[str], others: Sequence[str], seed: int = 0
) -> tuple[Metric, Metric, Metric]:
    """Word error rates of two voices on the same sentences, and their difference, by paired bootstrap."""
    import jiwer

    from sixarts_speech.word_errors import normalized

    rows = []
    for text, one, other in zip(said, mine, others, strict=True):
        found = [jiwer.process_words(normalized(text), normalized(each)) for each in (one, other)]
        errors = [each.substitutions + each.deletions + each.insertions for each in found]
        rows.append((*errors, found[0].hits + found[0].substitutions + found[0].deletions))
    counts = np.array(rows, float)
    random = np.random.default_rng(seed)
    draws = counts[random.integers(len(counts), size=(DRAWS, len(counts)))].sum(axis=1)
    sums = counts.sum(axis=0)

    def metric(value: float, drawn: np.ndarray) -> Metric:
        low, high = np.quantile(drawn, (0.025, 0.975))
        return Metric(float(value), min(float(low), float(value)), max(float(high), float(value)))

    return (
        metric(sums[0] / sums[2], draws[:, 0] / draws[:, 2]),
        metric(sums[1] / sums[2], draws[:, 1] / draws[:, 2]),
        metric((sums[0] - sums[1]) / sums[2], (draws[:, 0] - draws[:, 1]) / draws[:, 2]),
    )
