"""Translate with the starter: one text, a list, a stream, live, and with options.

Needs no network: the starter model ships inside the package. Run it as ``python examples/translate.py``.
"""

from __future__ import annotations

from collections.abc import Iterator

import sixarts as sa


def diary() -> Iterator[str]:
    """Texts that come one by one, from a file or a socket, for instance."""
    yield "I got up early."
    yield "It was raining, so I read a book."
    yield ""  # nothing to translate, and the stream goes on
    yield "Good night!"


def main() -> None:
    translate = sa.load("translation")

    answer = translate("I have a dog.")
    print(f"one text      {answer.text}  (score {answer.score:.2f})")

    for answer in translate(["Where is the station?", "Thank you very much!"]):
        print(f"a list        {answer.text}")

    # Answers come in order and in constant memory; a bad input becomes a Failure, which is false.
    for answer in translate.stream(diary(), on_error="return"):
        print(f"a stream      {answer.text if answer else answer}")

    # Sentence after sentence of one text, as they are ready; lines and lists keep their layout.
    for partial in translate.live("I am tired. I want to go home.\n\n- What time is it?"):
        print(f"live          {partial.text!r}")

    print(f"greedy        {translate('She likes music.', beams=1).text}")
    sampled = translate("She likes music.", sample=True, top_p=0.9, seed=7)
    print(f"sampled       {sampled.text}")

    try:
        translate("She likes music.", beam=4)
    except sa.errors.OptionError as error:
        print(f"a wrong name  {error}")


if __name__ == "__main__":
    main()
