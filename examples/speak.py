"""A text, spoken: numbers as people read them, words with times, a sentence at a time, a voice of one's own.

Run it as ``python examples/speak.py [FOLDER]``; sounds and pictures go to FOLDER, a temporary one if none is
given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa
from sixarts_speech.plugin import SPOKEN, sample
from sixarts_speech.reading import normalize

NEWS = "Dr. Smith paid $3.50 for No. 12 on May 5, 1985. At 3:45 p.m. she left! Was it NASA, or the FBI?"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    speak = sa.load("text-to-speech")

    print("read as   ", normalize(NEWS))
    speech = speak(NEWS)
    print("spoken    ", speech)
    print("words     ", *speech.marks[:4], sep="  ")
    for name in ("news.wav", "news.flac", "news.ogg", "words.json"):
        speech.save(folder / name)
    speech.plot().savefig(folder / "news.png", dpi=90)

    slow = speak("Good morning!", rate=0.7, pitch=-3)
    print(f"slow       {slow.duration / speak('Good morning!').duration:.2f} times as long, and lower")

    for number, partial in enumerate(speak.live(NEWS), 1):
        # A program would play these samples now, while the next sentence is made.
        print(f"sentence {number}  {len(partial.latest) / partial.rate:.2f} s more")

    why = speak.explain("Good morning!", target="Good")
    print("why       ", why)
    why.plot().savefig(folder / "why.png", dpi=90)

    # Texts and their recordings teach it; which sound is when is searched for, not asked.
    pairs = [(text, sample(name)) for name, text in SPOKEN.items()]
    print("before    ", speak.evaluate(pairs, progress=False)["mcd"], "dB")
    speak.fit(pairs, epochs=2, progress=False)
    print("after     ", speak.evaluate(pairs, progress=False)["mcd"], "dB")

    for bad in ("\N{PARTY POPPER}", "你好"):
        try:
            speak(bad)
        except sa.errors.InputError as error:
            print("refused   ", error)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
