"""Episodes as moving pictures: mp4 by PyAV, GIF by Pillow, one frame in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sixarts.errors import OptionError
from sixarts.media.video import write_video

#: Suffixes that a film may have.
SUFFIXES = (".mp4", ".mkv", ".webm", ".gif")
#: Frames a second where the environment states none; a film's smallest side in pixels.
RATE, SIDE = 15.0, 160
#: Pictures that an episode keeps for its plot, and frames that a GIF may have.
KEPT, MOST = 64, 3000


def check_film(path: str | Path) -> Path:
    """The path, if a film can be written there.

    Raises:
        OptionError: another suffix, or a folder that is not there.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise OptionError(f"render={str(path)!r}; expected a file ending in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise OptionError(f"render={str(path)!r}; expected a folder that is there; make {path.parent}")
    return path


def picture(environment: Any, observation: np.ndarray) -> np.ndarray:
    """What an environment shows now, ``[height, width, 3]`` ``uint8``, of at least :data:`SIDE` pixels.

    One that cannot draw itself is shown by its observation, where that is a picture.
    """
    shown = environment.render() if environment.render_mode == "rgb_array" else None
    if shown is None:
        shown = planes(observation)
    shown = np.asarray(shown)
    if shown.dtype.kind == "f":
        shown = np.rint(shown * 255).astype("uint8")
    factor = max(1, -(-SIDE // min(shown.shape[:2])))
    return np.ascontiguousarray(shown.repeat(factor, axis=0).repeat(factor, axis=1))


def planes(observation: np.ndarray) -> np.ndarray:
    """An observation of planes in colors, the last plane on top; the last of several gray frames."""
    seen = np.asarray(observation)
    if seen.ndim != 3:
        raise OptionError(
            f"render for an environment without pictures, observed as {seen.shape}; expected one that has "
            "render_mode 'rgb_array'; leave render out"
        )
    if seen.dtype == np.uint8:
        return np.repeat(seen[..., -1:], 3, axis=-1) if seen.shape[-1] != 3 else seen
    from matplotlib import colormaps

    colors = (colormaps["tab10"](np.arange(seen.shape[-1]) % 10)[:, :3] * 255).astype("uint8")
    shown = np.zeros((*seen.shape[:2], 3), "uint8")
    for plane, color in zip(np.moveaxis(seen, -1, 0), colors, strict=True):
        shown[plane > 0] = color
    return shown


def write_film(path: Path, frames: Iterable[np.ndarray], rate: float) -> None:
    """Writes a film; what its suffix says.

    Raises:
        MissingExtra: PyAV is not installed, and it is no GIF.
    """
    if path.suffix.lower() != ".gif":
        write_video(path, frames, rate)
        return
    from PIL import Image

    # A GIF counts hundredths of a second, and viewers slow down what is quicker than two.
    shown = max(2, round(100 / rate)) * 10
    every = max(1, round(rate * shown / 1000))
    pictures = (Image.fromarray(frame).quantize(64) for frame in every_nth(frames, every))
    first = next(pictures)
    first.save(path, save_all=True, append_images=pictures, duration=shown, loop=0, optimize=False)


def every_nth(frames: Iterable[np.ndarray], count: int) -> Iterator[np.ndarray]:
    """One frame of so many, and no more than :data:`MOST`; the others are still made."""
    for number, frame in enumerate(frames):
        if number % count == 0 and number // count < MOST:
            yield frame
