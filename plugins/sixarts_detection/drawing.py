"""Detections drawn: on the picture itself, as a figure, over the time of a video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sixarts_detection.detections import Detections, VideoDetections

#: One for each class, told apart by people who see red and green alike (Okabe and Ito 2008).
COLORS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
#: Most boxes that each get their name; with more, a legend tells the classes.
NAMED = 20


def colors_of(labels: Sequence[str]) -> dict[str, str]:
    """A color for each class, in order of their names."""
    return {label: COLORS[place % len(COLORS)] for place, label in enumerate(sorted(set(labels)))}


def drawn(picture: np.ndarray, found: Detections, colors: dict[str, str] | None = None) -> np.ndarray:
    """A copy of the picture with boxes and names, in lines that fit its size."""
    from matplotlib import font_manager
    from PIL import Image, ImageDraw, ImageFont

    from sixarts.pictures import drawable

    colors = colors or colors_of(found.labels)
    image = Image.fromarray(picture)
    side = min(image.size)
    line, letter = max(round(side / 240), 1), max(round(side / 36), 9)
    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), letter)
    pen = ImageDraw.Draw(image)
    # The surest is drawn last, so that nothing covers it.
    for place in reversed(range(len(found))):
        label, color = found.labels[place], colors.get(found.labels[place], COLORS[0])
        left, top, right, bottom = (float(end) for end in found.boxes[place])
        pen.rectangle((left, top, max(right, left), max(bottom, top)), outline=color, width=line)
        if len(found) <= NAMED:
            text = f"{drawable([label])[0]} {found.scores[place]:.0%}"
            at = (left, max(top - letter * 1.25, 0.0))
            pen.rectangle(pen.textbbox(at, text, font), fill=color)
            pen.text(at, text, "white", font)
    return np.asarray(image)


def figure(found: Detections) -> Any:
    """The picture with its boxes; how many there are of each class."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch, Rectangle

    from sixarts.pictures import drawable, fonts_for

    height, width = found.size
    scale = 7.0 / max(height, width)
    sheet = Figure(
        figsize=(max(width * scale, 2.5) + 0.2, max(height * scale, 2.0) + 0.6), layout="constrained"
    )
    axes = sheet.add_subplot()
    shown = found.picture() if found.image is not None else np.full((height, width, 3), 245, "uint8")
    axes.imshow(shown, extent=(0, width, height, 0))
    colors = colors_of(found.labels)
    fonts = fonts_for(drawable(colors)) or ["DejaVu Sans"]
    for place, (left, top, right, bottom) in enumerate(found.boxes):
        label = found.labels[place]
        color = colors[label]
        axes.add_patch(
            Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=color, linewidth=1.6)
        )
        if len(found) <= NAMED:
            axes.annotate(
                f"{drawable([label])[0]} {found.scores[place]:.0%}",
                (left, top),
                (0, 2),
                textcoords="offset points",
                fontsize=8,
                family=fonts,
                color="white",
                bbox={"facecolor": color, "edgecolor": color, "pad": 1.2},
                annotation_clip=True,
                clip_on=True,
            )
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    handles = [
        Patch(color=colors[label], label=f"{drawable([label])[0]}: {count}")
        for label, count in found.counts.items()
    ]
    if handles:
        sheet.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), 4),
            frameon=False,
            prop={"family": fonts, "size": 9},
        )
    else:
        axes.set_title("nothing found", fontsize=9)
    return sheet


def timeline(found: VideoDetections) -> Any:
    """How many of each class there are, over time."""
    from matplotlib.figure import Figure

    from sixarts.pictures import drawable, fonts_for

    labels = sorted({label for frame in found.frames for label in frame.labels})
    colors, names = colors_of(labels), drawable(labels)
    sheet = Figure(figsize=(7, 3), layout="constrained")
    axes = sheet.add_subplot()
    for label, name in zip(labels, names, strict=True):
        counts = [frame.labels.count(label) for frame in found.frames]
        axes.step(found.times, counts, where="post", color=colors[label], label=name)
    axes.set(xlabel="seconds", ylabel="how many", ylim=(0, None))
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.spines[["top", "right"]].set_visible(False)
    if labels:
        axes.legend(frameon=False, prop={"family": fonts_for(names) or ["DejaVu Sans"]})
    return sheet
