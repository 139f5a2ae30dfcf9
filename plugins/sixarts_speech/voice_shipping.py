"""How the starter voice is put together, measured and described once its network is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sixarts as sa
from sixarts.card import Card, Measured
from sixarts.plugins import registry
from sixarts.readers.json_file import read_json, read_optional_json, write_json
from sixarts.result import Metric, Metrics
from sixarts_speech import flite
from sixarts_speech.letter_to_sound import Pronouncer
from sixarts_speech.letter_to_sound_recipe import learned, words_of
from sixarts_speech.reading import normalize, tokens
from sixarts_speech.source_filter import SourceFilterVoice
from sixarts_speech.synthesis import SynthesisTask
from sixarts_speech.voice_judge import difference, forced, frame_distortion, heard, mean_of
from sixarts_speech.voice_recipe import HISTORY, STAGES, take_of, texts, trained

#: Sentences of the test part that judge.
JUDGED = 100


def made(data: Path, folder: Path) -> Path:
    """Trains the starter, or takes up its network where a run left it, and writes it with its card."""
    runs = folder.with_name(folder.name + "-runs")
    steps = read_optional_json(runs / "network" / HISTORY)
    if not set(STAGES) <= set(steps):
        trained(data, runs / "network")
        steps = read_optional_json(runs / "network" / HISTORY)
    model = SourceFilterVoice.from_folder(runs / "network")
    model.processor.pronouncer, letters = lettered(data, runs / "letters")
    print(f"letters: {letters}", flush=True)
    task = sa.load("text-to-speech", _draft(model, runs / "draft"))
    figures = measured(task, data, runs)
    for name, metric in figures.items():
        print(f"{name}: {metric}", flush=True)
    task.card = str(card(task, figures, steps, letters))
    return Path(task.save(folder))


def lettered(data: Path, folder: Path) -> tuple[Pronouncer, dict[str, Any]]:
    """How letters sound, and how often a tree that kept words aside says those right; kept in a folder."""
    if not (folder / "right.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        listed = [line for path in sorted(Path(data).rglob("*.dict")) for line in path.open(encoding="utf-8")]
        read = {
            word for text in texts(data, "train") for token in tokens(text, "en") for word in token.spoken
        }
        pronouncer, right, unseen = learned(words_of([*listed, *sorted(read)]))
        pronouncer.save(folder)
        write_json(folder / "right.json", {"right": right, "unseen": unseen, "words": len(read)})
    return Pronouncer.from_folder(folder), dict(read_json(folder / "right.json"))


def _draft(model: SourceFilterVoice, folder: Path) -> Path:
    """The model as it ships, with weights in half precision, which is what is measured."""
    model.stored_dtype = "float16"
    return SynthesisTask(registry().task("text-to-speech"), model, reference="draft").save(folder)


def measured(task: Any, data: Path, runs: Path) -> dict[str, Metric]:
    """Figures on sentences that nothing was learned from, beside the teacher's own.

    Args:
        runs: where what was heard of the teacher is kept, who says the same each time.
    """
    sentences = texts(data, "test")[:JUDGED]
    read = [normalize(sentence) for sentence in sentences]
    model, rate = task.model, task.model.rate
    spoken = [flite.said(text) for text in read]
    takes = [take_of(each, model.processor, model.hop, model.config["bands"]) for each in spoken]
    began = time.monotonic()
    mine = [task(sentence).waveform for sentence in sentences]
    took = time.monotonic() - began
    teacher = [each.samples for each in spoken]
    kept = runs / "teacher_heard.json"
    if not kept.is_file():
        write_json(kept, {"heard": heard(teacher, rate)})
    one, other, more = difference(read, heard(mine, rate), read_json(kept)["heard"])
    same = [
        frame_distortion(forced(model, take), sound, rate) for take, sound in zip(takes, teacher, strict=True)
    ]
    own = task.evaluate(
        [(text, (sound, rate)) for text, sound in zip(sentences, teacher, strict=True)], progress=False
    )
    lasting = sum(map(len, mine)) / rate
    return {
        "wer": one,
        "teacher_wer": other,
        "more_wer": more,
        "mcd_same_durations": mean_of(same),
        "mcd": own["mcd"],
        "times_real_time": Metric(lasting / took, lasting / took, lasting / took),
        "duration_ratio": mean_of([len(a) / len(b) for a, b in zip(mine, teacher, strict=True)]),
        "phones_alike": mean_of(_alike(task, sentences, takes)),
    }


def _alike(task: Any, sentences: Sequence[str], takes: Sequence[Any]) -> list[float]:
    """Share of each sentence's phones that our reading and Flite's have in common, in order."""
    from difflib import SequenceMatcher

    found = []
    for sentence, take in zip(sentences, takes, strict=True):
        mine = [number for piece in task.pieces(sentence, task.options) for number in piece.spelled.numbers]
        match = SequenceMatcher(None, mine, take.spelled.numbers, autojunk=False)
        found.append(match.ratio())
    return found


def card(
    task: Any,
    figures: Mapping[str, Metric],
    steps: Mapping[str, Any],
    letters: Mapping[str, Any],
) -> Card:
    """The model's card, with its measured figures."""
    taken = ", ".join(f"{found['steps']:,} steps of the {name} part" for name, found in steps.items())
    right, unseen, words = (letters[name] for name in ("right", "unseen", "words"))
    takes, seconds = (max(found[name] for found in steps.values()) for name in ("takes", "seconds"))
    cost = task.footprint()

    def points(name: str) -> str:
        metric = figures[name]
        return f"{metric.value:.1%} ({metric.low:.1%} to {metric.high:.1%})"

    def decibels(name: str) -> str:
        metric = figures[name]
        return f"{metric.value:.2f} dB ({metric.low:.2f} to {metric.high:.2f})"

    value, low, high = (100 * getattr(figures["more_wer"], end) for end in ("value", "low", "high"))
    more = f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
    sections = {
        "Use": """One English voice, a woman's, offline, inside the package:

```python
import sixarts

speak = sixarts.load("text-to-speech")
speech = speak("Dr. Smith paid $3.50 in 1985.")
speech.save("smith.wav")
speech.marks[0]                  # when the first word is spoken
for partial in speak.live(book): play(partial.latest)
```

`rate` and `pitch` change how it speaks; numbers, dates, money and abbreviations are read in words. Teach it
another voice with `fit`, from texts and recordings.""",
        "Data": f"""Flite 2.2's voice `slt` (Black and Lenzo 2001; Carnegie Mellon University, a free license
of the BSD kind), which is made of CMU Arctic's recordings of its speaker slt (Kominek and Black 2004; free
for any use), read {takes:,} pieces of the LJ Speech set's texts (public domain). How letters sound
is what Flite says for {words:,} words of those texts and for those that CMU's pronouncing dictionary lists
(a license of the BSD kind).""",
        "Training": f"""`python -m sixarts_speech.recipe slt DATA FOLDER` makes such a folder. Flite tells
which phone it says when, and how high, so the network learns durations, pitch and mel bands by their absolute
differences, and its vocoder, from true bands, the sound by its spectra through five windows. The acoustic
network is of FastSpeech 2's kind (Ren et al. 2021), the vocoder a neural source-filter (Wang et al. 2019):
pulses and noise through filters that a network shapes. These weights saw {takes:,} pieces,
{seconds / 60:.0f} minutes of speech, in {taken}. Letters become phones by a tree (Daelemans et al. 1997).""",
        "Evaluation": f"""**{JUDGED} sentences of the LJ Speech texts' test part**, none of which was learned
from, said by these half-precision weights and by the teacher, and heard by PocketSphinx with its own general
English models (Huggins-Daines et al. 2006), which knows neither:

| | word error rate |
|---|---|
| this voice | {points("wer")} |
| Flite's `slt`, its teacher | {points("teacher_wer")} |
| the difference, in points | {more} |

Mel-cepstral distortion from the teacher: {decibels("mcd_same_durations")} frame by frame, with the teacher's
durations and pitch; {decibels("mcd")} with its own, after dynamic time warping. It speaks
{figures["duration_ratio"].value:.2f} times as long as the teacher. Of the phones,
{figures["phones_alike"].value:.1%} are the teacher's; of {unseen:,} words that a tree had not seen,
{right:.1%} were said as Flite says them, stress included. Intervals are 95 %, by the bootstrap over
sentences.

Published for comparison: FastSpeech 2, which learned from a person's recordings (LJ Speech), has a mean
opinion score of 3.83 of 5 (Ren et al. 2021, table 1); nobody was asked for opinions here.""",
        "Footprint": f"""{cost.parameters:,} parameters, stored in float16.""",
        "Limits": """It speaks as its teacher does, a synthesizer of 2005. Names and foreign words are said by
rules. It knows how words are written, not what they mean: "read" and "lead" are said one way. It speaks
English alone; use a VITS checkpoint for other languages and for quality.""",
    }
    protocol = (
        f"PocketSphinx with Debian's en-us models on {JUDGED} sentences; mel-cepstral distortion from "
        "the teacher as evaluate has it; 95 % bootstrap over sentences"
    )
    shown = {name: figures[name] for name in ("wer", "mcd")}
    return Card(
        title="The slt voice",
        task="text-to-speech",
        license="bsd-3-clause",
        languages=("en",),
        sections=sections,
        measured=(Measured(Metrics(shown, protocol, JUDGED), "LJ Speech texts", split="test"),),
    )
