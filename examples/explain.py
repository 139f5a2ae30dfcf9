"""Which source word made which target word: three methods, drawn as PNG and as HTML.

Run it as ``python examples/explain.py [FOLDER]``; pictures go to FOLDER, a temporary one if none is given.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import sixarts as sa


def main(folder: str | None = None) -> None:
    pictures = Path(folder or tempfile.mkdtemp(prefix="sixarts-explain-"))
    pictures.mkdir(parents=True, exist_ok=True)
    translate = sa.load("translation")

    for method in translate.spec.explanations:
        explanation = translate.explain("I have a dog.", method=method)
        print(explanation)
        explanation.plot().savefig(pictures / f"{method}.png", dpi=120)
        # HTML shows Chinese characters on every machine; a plot needs a font that has them.
        page = f"<!doctype html><meta charset='utf-8'>{explanation.to_html()}"
        (pictures / f"{method}.html").write_text(page, encoding="utf-8")

    # One token of the answer alone; integrated gradients add up to what that token's score gained.
    first = translate.explain("I have a dog.", method="integrated_gradients", target=0)
    shares = ", ".join(
        f"{label} {value:+.2f}" for label, value in zip(first.input_labels, first.values[0], strict=True)
    )
    print(f"{first.target_labels[0]} ← {shares}")
    print(f"sum {first.values[0].sum():.3f}, of {first.totals[0]:.3f} {first.unit}")
    print(f"pictures in {pictures}: {', '.join(sorted(path.name for path in pictures.iterdir()))}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
