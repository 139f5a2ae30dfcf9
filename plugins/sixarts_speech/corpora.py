"""Spoken digits: people's recordings, voices of free synthesizers beside them, and strings made of both."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sixarts.errors import SixartsError
from sixarts.media.audio import whole_audio
from sixarts.media.sound_augmentation import colored

RATE = 8000
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
#: Recordings of each speaker and digit that are not learned from: the set's official test part.
HELD = 5
#: A speaker's recordings of each digit.
Speaker = Mapping[str, Sequence[np.ndarray]]
Pair = tuple[tuple[np.ndarray, int], str]

#: Voices of flite, each at these stretches of time.
FLITE = dict.fromkeys(("kal", "awb", "rms", "slt"), (0.85, 1.0, 1.25))
#: Throats of espeak-ng; its accents of English, one to each throat in turn; and rates and pitches.
THROATS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 klatt klatt2 klatt3 klatt4 klatt5 klatt6 Alex Andy Denis Diogo "
    "Gene Gene2 Henrique Hugo Jacky Lee Marco Mario Michael Mike adam antonio benjamin boris caleb david ed "
    "edward edward2 gustave iven iven2 iven3 iven4 john linda marcelo max michel miguel norbert pablo paul "
    "pedro quincy rob robert sandro steph steph2 travis victor zac"
)
ACCENTS = "en-us en-gb en-gb-scotland en-029 en-gb-x-rp en-gb-x-gbclan en-gb-x-gbcwmd en-us-nyc"
PACES = ((130, 40), (160, 60), (190, 50))
#: English digits as people of other languages say them, spelled as those languages are read.
FOREIGN = {
    "cs": "zírou uan tú trí fór fajv siks sevn ejt najn",
    "da": "siro uan tu sri for faiv siks seven ejt najn",
    "de": "siro uann tu sri foar faif six sewwen äit nain",
    "el": "ζίροου ουάν του θρι φορ φάιβ σιξ σέβεν έιτ νάιν",
    "es": "siro uan tu sri for faiv six seven eit nain",
    "fi": "siirou uan tuu trii foor faiv siks seven eit nain",
    "fr": "ziro ouane tou sri fore faïve sixe séveune éïte naïne",
    "fr-be": "ziro ouane tou sri fore faïve sixe sévène eït naïne",
    "hi": "ज़ीरो वन टू थ्री फोर फाइव सिक्स सेवन एट नाइन",
    "hu": "zíró uan tú trí fór fájv sziksz szeven éjt nájn",
    "it": "siro uan tu tri foor faiv six seven eit nain",
    "nl": "ziero wan toe srie foor faaif siks sevven eet naain",
    "pl": "zirou łan tu tri for fajw siks sewen ejt najn",
    "pt": "zirou uane tu tri fór faive sics séven eite naine",
    "ro": "zirou uan tu tri for faiv sics seven eit nain",
    "ru": "зироу уан ту три фор файв сикс севен эйт найн",
    "sv": "siro oann to tri får fajv siks seven ejt najn",
    "tr": "ziro van tu tri for fayv siks sevın eyt nayn",
}
#: Throats that speak each of them.
EACH = 5


def recordings(data: str | Path) -> dict[str, dict[str, list[np.ndarray]]]:
    """Speakers of the Free Spoken Digit Dataset: speaker to digit to recordings, by their number.

    Args:
        data: a folder that holds the set's archive, or its ``recordings`` folder, at any depth.

    Raises:
        SixartsError: there is no recording.
    """
    found: dict[str, dict[str, dict[int, np.ndarray]]] = {}
    for name, content in _files(Path(data)):
        matched = re.fullmatch(r"(\d)_(\w+?)_(\d+)\.wav", name)
        if matched:
            digit, speaker, number = matched.groups()
            samples = whole_audio(content, RATE)
            found.setdefault(speaker, {}).setdefault(DIGITS[int(digit)], {})[int(number)] = samples
    if not found:
        raise SixartsError(f"{data} holds no recording such as 7_jackson_0.wav; expected the set's archive")
    return {
        speaker: {
            digit: [takes[number] for number in sorted(takes)] for digit, takes in sorted(digits.items())
        }
        for speaker, digits in sorted(found.items())
    }


def _files(data: Path) -> list[tuple[str, bytes]]:
    found = [(path.name, path.read_bytes()) for path in sorted(data.rglob("*.wav"))]
    for archive in sorted(data.rglob("recordings*.tar.gz")):
        with tarfile.open(archive) as members:
            for member in members:
                file = members.extractfile(member) if member.isfile() else None
                if file is not None and member.size < 2**20:
                    found.append((Path(member.name).name, file.read()))
    return found


def voices() -> dict[str, dict[str, list[np.ndarray]]]:
    """The same of the synthesizers flite and espeak-ng, where they are installed; else empty."""
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "said.wav"
        if shutil.which("flite"):
            for voice, stretches in FLITE.items():
                for digit in DIGITS:
                    for stretch in stretches:
                        how = ("-voice", voice, "--setf", f"duration_stretch={stretch}", "-o", str(out))
                        _add(found, f"flite {voice}", digit, ["flite", *how, "-t", digit], out)
        if shutil.which("espeak-ng"):
            for voice, spelled in espeak_voices():
                for digit, word in zip(DIGITS, spelled, strict=True):
                    for pace, pitch in PACES:
                        how = ("-v", voice, "-s", str(pace), "-p", str(pitch), "-w", str(out))
                        _add(found, f"espeak-ng {voice}", digit, ["espeak-ng", *how, word], out)
    return found


def espeak_voices() -> Iterator[tuple[str, Sequence[str]]]:
    """The voices of espeak-ng, each with how it is told the ten digits.

    >>> next(espeak_voices())[0], len(dict(espeak_voices()))
    ('en-us+m1', 156)
    """
    names = THROATS.split()
    for throat, accent in zip(names, itertools.cycle(ACCENTS.split()), strict=False):
        yield f"{accent}+{throat}", DIGITS
    # Steps of 7 meet every throat before one comes again.
    throats = itertools.cycle(names[step * 7 % len(names)] for step in range(len(names)))
    for language, spelled in FOREIGN.items():
        for throat in itertools.islice(throats, EACH):
            yield f"{language}+{throat}", spelled.split()


def _add(
    found: dict[str, dict[str, list[np.ndarray]]], voice: str, digit: str, said: list[str], out: Path
) -> None:
    out.unlink(missing_ok=True)
    done = subprocess.run(said, capture_output=True, check=False)
    if done.returncode == 0 and out.is_file():
        samples = trimmed(whole_audio(out.read_bytes(), RATE))
        if len(samples) > 0.05 * RATE:
            found.setdefault(voice, {}).setdefault(digit, []).append(samples)


def trimmed(samples: np.ndarray, decibels: float = 35.0) -> np.ndarray:
    """A sound without the silence around it.

    Args:
        samples: ``[n]``.
        decibels: below the loudest hundredth of a second, what counts as silence.
    """
    size = RATE // 100
    frames = samples[: len(samples) // size * size].reshape(-1, size)
    power = np.square(frames).mean(axis=1)
    loud = np.flatnonzero(power > power.max(initial=0) * 10 ** (-decibels / 10))
    if not len(loud):
        return samples[:0]
    return samples[max(0, loud[0] - 2) * size : (loud[-1] + 3) * size]


def first(speaker: Speaker, held: bool) -> dict[str, list[np.ndarray]]:
    """The recordings of a speaker that are not learned from, or all the others."""
    return {digit: list(takes[:HELD] if held else takes[HELD:]) for digit, takes in speaker.items()}


def strings(
    speakers: Sequence[tuple[Speaker, float]], count: int, seed: int, shortest: int = 1, longest: int = 8
) -> list[Pair]:
    """Random strings of digits, each said by one speaker, with silence of unlike lengths between them.

    Of no digits there is a room's noise.

    Args:
        speakers: each with how often it speaks.
        count: how many strings.
        seed: the same gives the same strings.
        shortest, longest: digits of a string.
    """
    random = np.random.default_rng(seed)
    shares = np.array([share for _, share in speakers], float)
    made = []
    for _ in range(count):
        speaker = speakers[int(random.choice(len(speakers), p=shares / shares.sum()))][0]
        digits = [
            DIGITS[int(random.integers(10))] for _ in range(int(random.integers(shortest, longest + 1)))
        ]
        made.append(((string_of(speaker, digits, random), RATE), " ".join(digits)))
    return made


def string_of(speaker: Speaker, digits: Sequence[str], random: np.random.Generator) -> np.ndarray:
    """Some digits said one after another, ``int16``."""
    pace = random.uniform(0.0, 0.4)
    around = (0.05, 0.5) if digits else (0.3, 1.5)
    parts = [np.zeros(int(random.uniform(*around) * RATE), "float32")]
    for digit in digits:
        takes = speaker[digit]
        take = takes[int(random.integers(len(takes)))]
        level = float(np.abs(take).max()) + 1e-6
        parts.append(take / level * 0.5 * 10 ** (random.uniform(-3, 3) / 20))
        parts.append(np.zeros(int(random.uniform(0.0, pace) * RATE), "float32"))
    parts.append(np.zeros(int(random.uniform(*around) * RATE), "float32"))
    samples = np.concatenate(parts)
    # A room is never silent: else the gaps would tell where digits are.
    samples = samples + colored(len(samples), random) * 10 ** (random.uniform(-70, -40) / 20)
    return np.asarray(np.clip(samples, -1, 1) * 32767, "int16")
