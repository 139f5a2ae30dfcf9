"""The recipe of the speech synthesis starter: Flite reads, and a network learns to speak like it.

::

    python -m sixarts_speech.recipe slt DATA FOLDER

``DATA`` holds the texts of the LJ Speech set (``ljs_audio_text_*_filelist.txt``) and a list of English words
(``*.dict``, a word a line). Flite tells which phones it says, when, and how high, so nothing has to be
aligned. A run that was killed goes on with the same command.
"""

from __future__ import annotations

import gzip
import multiprocessing
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.device import Device
from sixarts.readers.json_file import read_optional_json, write_json
from sixarts.training import History, Lesson, Training, train
from sixarts_speech import flite
from sixarts_speech.flite import CONSONANTS, VOWELS
from sixarts_speech.source_filter import PARTS, SourceFilterVoice
from sixarts_speech.voice_lessons import Lessons, Take, losses
from sixarts_speech.voice_processor import MARKS, START, VoiceProcessor
from sixarts_speech.voice_sound import at_frames, bands_of, octaves

#: What the voice knows: pauses, and Flite's phones, a vowel with its stress.
SYMBOLS = (START, *MARKS, *(f"{vowel}{stress}" for vowel in VOWELS for stress in "01"), *CONSONANTS)
HISTORY = "history.json"
#: Texts to learn from and to choose by; the most characters of one, and the share that is cut short.
TEXTS = {"train": 3_500, "validation": 100}
LONGEST, SHORT = 110, 0.15
NETWORK: dict[str, Any] = {
    "hidden_size": 128,
    "encoder_blocks": 3,
    "planner_blocks": 1,
    "decoder_blocks": 3,
    "vocoder_blocks": 2,
}
#: What is learned in turn, each with its share of the time and its highest learning rate: what symbols
#: become, and how bands sound. ``"whole"`` learns both at once, through the sound.
STAGES = {"acoustic": (0.36, 2e-3), "vocoder": (0.64, 3e-3)}
TRAINING: dict[str, Any] = {
    "epochs": 36,
    "batch_size": 8,
    "schedule": "cosine",
    "warmup": 50,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "seed": 0,
}
#: Frames of a stretch that a vocoder alone learns from, stretches a batch, and batches an epoch.
CROP, CROPS, ROUNDS = 50, 8, 60
#: Frames that batches are filled up to.
LENGTHS = (400, 800)


@dataclass(frozen=True)
class Timed(Training):
    """Training whose schedule goes by the clock.

    Attributes:
        minutes: after which the learning rate is zero and no epoch begins; 0 goes by ``epochs``.
        begun: when it started, by :func:`time.monotonic`.
    """

    minutes: float = 0.0
    begun: float = 0.0

    def rate(self, step: int, done: float) -> float:
        if self.minutes:
            done = min((time.monotonic() - self.begun) / (60 * self.minutes), 1.0)
        return super().rate(step, done)


def texts(data: Path, part: str) -> list[str]:
    """Sentences of one part of the LJ Speech texts: ``train``, ``val`` or ``test``."""
    found = sorted(Path(data).rglob(f"ljs_audio_text_{part}_filelist.txt*"))
    if not found:
        raise FileNotFoundError(f"{data} holds no ljs_audio_text_{part}_filelist.txt")
    content = found[0].read_bytes()
    lines = (gzip.decompress(content) if found[0].suffix == ".gz" else content).decode("utf-8").splitlines()
    return [line.partition("|")[2].strip() for line in lines if "|" in line]


def cut(sentences: Iterable[str], count: int, seed: int) -> list[str]:
    """As many pieces of the sentences, none too long, some of them a few words, drawn by the seed."""
    random = np.random.default_rng(seed)
    pieces: list[str] = []
    for sentence in sentences:
        rest = re.split(r"(?<=[,;:.?!])\s+", sentence)
        while rest:
            piece = rest.pop(0)
            while rest and len(piece) + len(rest[0]) < LONGEST:
                piece += " " + rest.pop(0)
            if len(piece) <= 1.5 * LONGEST and re.search("[a-z]", piece):
                pieces.append(piece)
    order = random.permutation(len(pieces))[:count]
    chosen = [pieces[place] for place in order]
    for place in range(int(SHORT * len(chosen))):
        words = chosen[place].split()
        start = int(random.integers(len(words)))
        few = " ".join(words[start : start + int(random.integers(1, 6))]).strip(MARKS)
        chosen[place] = (
            few + str(random.choice([".", ".", "?", "!"])) if re.search("[a-z]", few) else chosen[place]
        )
    return chosen


def take_of(utterance: flite.Utterance, processor: VoiceProcessor, hop: int, bands: int) -> Take:
    """What Flite said, as something to learn from."""
    words: list[tuple[int, list[str]]] = []
    marks: dict[int, str] = {}
    ends: list[float] = []
    owner, last = -1, -1
    for number, segment in enumerate(utterance.segments):
        if segment.phone == "pau":
            if owner >= 0 and owner in marks:
                ends[-1] = segment.end
            else:
                if owner >= 0:
                    found = [mark for mark in utterance.segments[number - 1].mark if mark in MARKS]
                    marks[owner] = found[-1] if found else ","
                ends.append(segment.end)
            continue
        if segment.word != last:
            last = segment.word
            # A possessive's ending is a word to Flite, and of its word to everybody else.
            if not (words and utterance.words[last].startswith("'") and owner not in marks):
                owner += 1
                words.append((owner, []))
        phone = segment.phone
        words[-1][1].append(f"{phone}{int(segment.stressed)}" if phone in VOWELS else phone)
        ends.append(segment.end)
    if owner not in marks:
        ends.append(len(utterance.samples) / utterance.rate)
    spelled = processor.lay(words, marks)
    frames = len(utterance.samples) // hop
    edges = np.clip(np.round(np.array(ends) * utterance.rate / hop), 0, frames).astype("int64")
    edges[-1] = frames
    durations = np.diff(edges, prepend=0)
    if len(durations) != len(spelled.numbers):
        raise ValueError(f"{len(durations)} durations of {len(spelled.numbers)} symbols")
    samples = utterance.samples[: frames * hop]
    # Half precision is sixty decibels below what sounds, and half of what goes from one process to another.
    return Take(
        spelled,
        bands_of(samples, utterance.rate, hop, bands).astype("float16"),
        at_frames(octaves(utterance.pitch), flite.STEP, frames, utterance.rate, hop),
        samples.astype("float16"),
        durations,
    )


def _spoken(job: tuple[Sequence[str], int, int]) -> list[Take]:
    processor = VoiceProcessor(SYMBOLS, "en", None)
    return [take_of(flite.said(text), processor, job[1], job[2]) for text in job[0]]


def spoken(pieces: Sequence[str], hop: int, bands: int, longest: int) -> list[Take]:
    """What Flite says for each, those of at most ``longest`` frames; on all processors."""
    jobs = [(pieces[at : at + 50], hop, bands) for at in range(0, len(pieces), 50)]
    # Forked before anything is computed: what computes has threads, which a fork would lose.
    processes = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), processes) as pool:
        found = [take for takes in pool.map(_spoken, jobs) for take in takes]
    return [take for take in found if 0 < len(take.pitch) <= longest]


def ahead(lessons: Iterable[Lesson], until: float) -> Iterator[Lesson]:
    """Lessons that are made while those before are learned; none after ``until``, by the clock."""
    waiting: queue.Queue[Any] = queue.Queue(4)
    stopped = threading.Event()

    def fill() -> None:
        for lesson in lessons:
            if stopped.is_set():
                return
            waiting.put(lesson)
        waiting.put(None)

    worker = threading.Thread(target=fill, daemon=True)
    worker.start()
    given = 0
    while (lesson := waiting.get()) is not None:
        yield lesson
        given += 1
        if given and time.monotonic() > until:
            stopped.set()
            return


def trained(
    data: Path,
    folder: Path,
    minutes: float = 0.0,
    device: str = "auto",
    stages: Mapping[str, tuple[float, float]] = STAGES,
    **changes: Any,
) -> SourceFilterVoice:
    """A network that speaks as Flite does; it and what it learned so far lie in ``folder`` after every epoch.

    Args:
        data: see the module's text.
        folder: of the network; one that is there is learned on.
        minutes: how long to learn at most; 0 for all epochs.
        device: where.
        stages: name to its share of epochs or minutes, and its learning rate.
        **changes: of :data:`TRAINING`, and ``count``, how many texts.
    """
    count, network = changes.pop("count", TEXTS["train"]), changes.pop("network", NETWORK)
    config = SourceFilterVoice.configure(**network, vocab_size=len(SYMBOLS))
    processor = VoiceProcessor(SYMBOLS, "en", None)
    started = time.monotonic()
    sound = (config["hop"], config["bands"], LENGTHS[-1])
    takes = spoken(cut(texts(data, "train"), count, 1), *sound)
    held = spoken(cut(texts(data, "val"), TEXTS["validation"], 2), *sound)
    seconds = sum(len(take.samples) for take in takes) / config["sampling_rate"]
    print(f"{len(takes)} takes, {seconds / 3600:.1f} h, in {time.monotonic() - started:.0f} s", flush=True)
    there = (folder / "config.json").is_file()
    where = Device.of(device)
    model = (
        SourceFilterVoice.from_folder(folder, where) if there else SourceFilterVoice(config, processor, where)
    )
    print(f"{model.parameters:,} parameters", flush=True)
    hop, rate = model.hop, model.rate
    lessons, judged = (Lessons(part, processor, hop, rate, PARTS, LENGTHS) for part in (takes, held))
    done = read_optional_json(folder / HISTORY)
    for name, (share, highest) in stages.items():
        if name in done:
            continue
        chosen = {**TRAINING, **changes}
        chosen["epochs"] = max(1, round(share * chosen["epochs"]))
        training = Timed(
            **chosen, learning_rate=highest, progress=False, minutes=share * minutes, begun=time.monotonic()
        )
        history, steps = _stage(name, model, lessons, judged, training, lambda: _kept(model, folder))
        done[name] = {
            "steps": steps,
            "takes": len(takes),
            "seconds": seconds,
            **{key: value[-1] for key, value in history.metrics.items()},
        }
        _kept(model, folder)
        write_json(folder / HISTORY, done)
        print(f"{name}: {done[name]}", flush=True)
    return model


def _kept(model: SourceFilterVoice, folder: Path) -> None:
    """Writes a network's folder file by file, each whole or not at all."""
    part = folder.with_name(folder.name + "-part")
    model.save(part)
    folder.mkdir(parents=True, exist_ok=True)
    for file in part.iterdir():
        file.replace(folder / file.name)


def _stage(
    name: str,
    model: SourceFilterVoice,
    lessons: Lessons,
    judged: Lessons,
    training: Timed,
    after: Callable[[], None],
) -> tuple[History, int]:
    """One stage of training, and how many steps it took."""
    network = {"acoustic": model.acoustic, "vocoder": model.vocoder, "whole": model.network}[name]
    until = training.begun + 60 * training.minutes if training.minutes else float("inf")
    taken = 0

    def made(source: Lessons, seed: int, epoch: int, rounds: int) -> Iterator[Lesson]:
        if name == "vocoder":
            return source.crops(CROPS, CROP, rounds, seed, epoch)
        return (_fitting(lesson, network) for lesson in source.epoch(training.batch_size, seed, epoch))

    def counted(epoch: int) -> Iterator[Lesson]:
        nonlocal taken
        for lesson in ahead(made(lessons, training.seed, epoch, ROUNDS), until):
            yield lesson
            taken += 1
        after()

    def learn(epoch: int) -> Iterator[Lesson]:
        if time.monotonic() > until:
            raise KeyboardInterrupt  # by which `train` ends and keeps what it learned
        return counted(epoch)

    asked = {key: loss for key, loss in losses().items() if key in network.output}
    history = train(
        network,
        learn,
        training,
        loss=asked,
        validation=lambda: made(judged, 0, 0, 4),
        device=model.device,
    )
    return history, taken


def _fitting(lesson: Lesson, network: Any) -> Lesson:
    """What of a lesson a part of the network takes and gives."""
    return Lesson(
        {name: lesson.arrays[name] for name in network.input},
        {name: lesson.targets[name] for name in network.output},
        {name: lesson.weights[name] for name in network.output},
    )
