"""A document in short: what it says, where it says so, why that was picked, and what a summary made up.

Run it as ``python examples/summarize.py [FOLDER]``; pictures go to FOLDER, a temporary one if none is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa
from sixarts_text.sentences import Document

REPORT = """Bees find their way home by the sun. When clouds hide it, they look at how its light is
polarized. We show that a camera with a simple filter can do the same. Mounted on a small drone, it kept its
heading within two degrees over an hour of flight, without a compass or a satellite. The filter costs less
than a euro. Our results suggest that such sensors could serve where magnetic fields are disturbed."""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    summarize = sa.load("summarization")

    print("one sentence: ", summarize(REPORT).text)
    print("30 words:     ", summarize(REPORT, max_words=30).text)

    found = summarize(REPORT, sentences=2)
    for source in found.sources:
        print("stands at     ", source)
    found.plot().savefig(folder / "report.png", dpi=110)

    # A book is read in sections, and what was found in them is read again.
    book = "\n\n".join(f"{REPORT} Flight {number} took place in week {number}." for number in range(300))
    whole = summarize(book, sentences=2)
    print(f"a book         {len(whole.sections)} sections, {whole.rounds + 1} rounds: {whole.text}")
    partial = sum(1 for _ in summarize.live(book[:20000]))
    print(f"live           {partial} partial summaries")

    why = summarize.explain(REPORT, target=0)
    print("why            ", why)
    why.plot().savefig(folder / "why.png", dpi=110)

    # What models write is held against its document like this; so is any other text.
    ground = Document.of(REPORT).grounds
    for said in ("A camera with a simple filter finds the way.", "The filter, by Nikon, costs 40 euros."):
        print(f"support {ground.rest(said).support:.2f}   {said} Not in the report: {ground.lacks([said])}")

    try:
        summarize(REPORT, beams=4)
    except sa.errors.OptionError as error:
        print("refused       ", error)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else temporary))
