"""What plots share: fonts for every script, and a figure for plain text.

Matplotlib's own font has no Chinese, Japanese or Korean; a machine may have none either. A label that no
installed font can draw is a reason to show HTML instead, never boxes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any


@functools.cache
def _fonts() -> tuple[tuple[str, frozenset[int]], ...]:
    """Family and code points of each installed font, the default first, wide-coverage ones next."""
    from matplotlib import font_manager

    found = []
    seen = set()
    default = font_manager.findfont("DejaVu Sans")
    entries = sorted(
        font_manager.fontManager.ttflist,
        key=lambda entry: (entry.fname != default, "CJK" not in entry.name, "SC" not in entry.name),
    )
    for entry in entries:
        # Matplotlib ships a font that maps every code point to a box; it draws nothing that can be read.
        if entry.name.startswith("Last Resort"):
            continue
        if entry.name in seen or entry.style != "normal" or entry.weight not in (400, "regular", "normal"):
            continue
        seen.add(entry.name)
        try:
            points = frozenset(font_manager.get_font(entry.fname).get_charmap())
        except (OSError, RuntimeError):
            continue
        found.append((entry.name, points))
    return tuple(found)


def fonts_for(texts: Iterable[str]) -> list[str] | None:
    """Font families that together draw every character of ``texts``; ``None`` when the machine has none."""
    wanted = {ord(character) for text in texts for character in text if not character.isspace()}
    chosen = []
    for name, points in _fonts():
        if wanted & points:
            chosen.append(name)
            wanted -= points
        if not wanted:
            return chosen or ["DejaVu Sans"]
    return None if wanted else ["DejaVu Sans"]


def drawable(texts: Iterable[str]) -> list[str]:
    """The texts as this machine can draw them: a character without a font becomes its code point."""
    known = frozenset().union(*(points for _, points in _fonts()))
    return [
        "".join(c if c.isspace() or ord(c) in known else f"U+{ord(c):04X} " for c in text).strip()
        for text in texts
    ]


def text_figure(text: str) -> Any:
    """A figure with a text on it."""
    import textwrap

    from matplotlib.figure import Figure

    (shown,) = drawable([text])
    rows = [row for line in shown.splitlines() or [""] for row in textwrap.wrap(line, 60) or [""]]
    figure = Figure(figsize=(6, 0.5 + 0.3 * len(rows)))
    figure.text(
        0.03, 0.5, "\n".join(rows), va="center", fontsize=12, family=fonts_for([shown]) or ["DejaVu Sans"]
    )
    return figure
