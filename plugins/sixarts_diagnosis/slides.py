"""Whole slides: a region at a time from OpenSlide, or from any picture that is decoded whole.

A slide may have 100,000 pixels a side; nothing here holds more than the region that is asked for, and an
overview. Pictures that Pillow decodes whole (TIFF, PNG, arrays) stand for slides behind the same interface.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from sixarts.errors import InputError
from sixarts.media.images import read_image, thumbnail
from sixarts.media.sources import named, path_of

#: How files of scanners end, which OpenSlide alone reads.
SUFFIXES = (".svs", ".ndpi", ".mrxs", ".scn", ".vms", ".vmu", ".svslide", ".bif", ".czi")
#: Suffixes that OpenSlide may read, too: pyramids in TIFF.
TIFF = (".tif", ".tiff")


class Slide(Protocol):
    """What tiles are cut from.

    Attributes:
        size: height and width of the finest level, in pixels.
    """

    size: tuple[int, int]

    def region(self, top: int, left: int, side: int, pixels: int) -> np.ndarray:
        """A square ``[pixels, pixels, 3]`` in ``uint8``, of ``side`` pixels of the finest level."""
        ...

    def overview(self, side: int) -> np.ndarray:
        """The whole, with no side over ``side`` pixels."""
        ...

    def close(self) -> None:
        """Lets go of the file."""
        ...


class PictureSlide:
    """A picture that is decoded whole, as a slide."""

    def __init__(self, x: Any) -> None:
        self.pixels = read_image(x)
        self.size: tuple[int, int] = (self.pixels.shape[0], self.pixels.shape[1])

    def region(self, top: int, left: int, side: int, pixels: int) -> np.ndarray:
        part = self.pixels[top : top + side, left : left + side]
        if part.shape[:2] != (side, side):
            # Beyond the border a slide is empty glass.
            whole = np.full((side, side, 3), 255, "uint8")
            whole[: part.shape[0], : part.shape[1]] = part
            part = whole
        return _scaled(part, pixels)

    def overview(self, side: int) -> np.ndarray:
        return thumbnail(self.pixels, side)

    def close(self) -> None:
        """A picture in memory holds no file."""


class OpenSlideReader:
    """A slide in a scanner's format, by OpenSlide.

    Raises:
        InputError: a file that is no such slide, or is damaged.
    """

    def __init__(self, path: Path, library: Any) -> None:
        self._library, self._name = library, named(path)
        with self._reading():
            self._slide = library.OpenSlide(str(path))
            width, height = self._slide.dimensions
        self.size: tuple[int, int] = (int(height), int(width))

    def region(self, top: int, left: int, side: int, pixels: int) -> np.ndarray:
        with self._reading():
            level = self._slide.get_best_level_for_downsample(max(side / pixels, 1.0) + 1e-6)
            scale = float(self._slide.level_downsamples[level])
            read = max(1, round(side / scale))
            found = self._slide.read_region((left, top), level, (read, read))
        return _scaled(_on_glass(found), pixels)

    def overview(self, side: int) -> np.ndarray:
        with self._reading():
            return np.asarray(self._slide.get_thumbnail((side, side)).convert("RGB"))

    def close(self) -> None:
        self._slide.close()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (self._library.OpenSlideError, OSError, ValueError) as error:
            raise InputError(
                f"{self._name} is no slide that OpenSlide reads, or it is damaged ({str(error)[:200]}); "
                "expected a whole slide in a scanner's format; get the file again"
            ) from None


def is_scan(x: Any) -> bool:
    """Whether something is the path of a slide in a scanner's format.

    >>> is_scan("biopsy.svs"), is_scan("biopsy.png"), is_scan(3)
    (True, False, False)
    """
    return Path(path_of(x)).suffix.lower() in SUFFIXES if path_of(x) else False


def check_scan(x: Any) -> None:
    """Looks at a slide's file without reading a pixel.

    Raises:
        InputError: it is not there; OpenSlide is not installed, or does not know it.
    """
    path = Path(path_of(x))
    if not path.is_file():
        raise InputError(f"{named(x)} is not there, or no file; expected the path of a whole slide")
    library = _library()
    if library is None:
        raise InputError(
            f"{named(x)} is a scanner's slide, which needs OpenSlide; expected it to be installed: "
            "pip install 'sixarts[slides]'"
        )
    if library.OpenSlide.detect_format(str(path)) is None:
        raise InputError(f"{named(x)} is no slide that OpenSlide knows; expected a whole slide, undamaged")


@contextlib.contextmanager
def opened_slide(x: Any) -> Iterator[Slide]:
    """The slide behind a path, a picture in any form, or something that is a slide already.

    Raises:
        InputError: it is none.
    """
    slide = open_slide(x)
    try:
        yield slide
    finally:
        if slide is not x:
            slide.close()


def open_slide(x: Any) -> Slide:
    """The slide behind ``x``, for whoever keeps it open longer than a block; it closes when it is dropped.

    Raises:
        InputError: it is none.
    """
    if all(hasattr(x, name) for name in ("size", "region", "overview", "close")):
        return x  # type: ignore[no-any-return]
    if is_scan(x):
        check_scan(x)
        return OpenSlideReader(Path(path_of(x)), _library())
    library = _library() if Path(path_of(x) or "-").suffix.lower() in TIFF else None
    if library is not None and Path(path_of(x)).is_file() and library.OpenSlide.detect_format(path_of(x)):
        return OpenSlideReader(Path(path_of(x)), library)
    return PictureSlide(x)


def _library() -> Any:
    try:
        import openslide
    except ImportError:
        return None
    return openslide


def _on_glass(found: Image.Image) -> np.ndarray:
    """RGB on white: what a scanner left out is transparent."""
    glass = Image.new("RGBA", found.size, (255, 255, 255, 255))
    glass.alpha_composite(found.convert("RGBA"))
    return np.asarray(glass.convert("RGB"))


def _scaled(part: np.ndarray, pixels: int) -> np.ndarray:
    if part.shape[:2] == (pixels, pixels):
        return part
    return np.asarray(Image.fromarray(part).resize((pixels, pixels), Image.Resampling.BOX))
