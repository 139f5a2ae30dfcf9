"""Images of every kind that people have, to RGB arrays: ``uint8``, ``[height, width, 3]``.

An image is a path, bytes, a ``data:`` URI, a Pillow image, or an array. What a file says of itself is looked
at before a pixel is decoded: its format, its size, its number of frames.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sixarts.errors import InputError
from sixarts.media.sources import files_in, first_line, named, opened

#: Formats that are decoded; Pillow knows many more, some of which run programs or read other files.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
#: Most pixels of one image, beyond which Pillow warns of a bomb, too; 268 MB once decoded.
PIXELS = 89_478_485
#: What one channel's largest value is, by kind of array.
_SCALES = {"uint8": 1.0, "uint16": 1 / 257, "bool": 255.0}
#: Suffixes by which a folder's images are found.
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")


def check_image(x: Any) -> None:
    """Looks at an image without decoding it.

    Raises:
        InputError: a value that is no image; a file that is not there, empty, of a format that is not read,
            with too many pixels or several frames; an array of another shape, or with values that are not
            finite.
    """
    if isinstance(x, np.ndarray):
        _check_array(x)
        return
    with _opened(x) as image, _decoding(_name(x)):
        _check_header(image, _name(x))


def read_image(x: Any) -> np.ndarray:
    """An image as ``uint8`` RGB ``[height, width, 3]``, turned upright as its EXIF data say.

    Transparency is dropped and gray becomes three equal channels, as Pillow's ``convert("RGB")`` does it;
    16 bits a channel become 8. Arrays of floats are taken for values from 0 to 1, others for 0 to 255.

    Raises:
        InputError: as :func:`check_image`, and a file whose pixels are cut or damaged.
    """
    if isinstance(x, np.ndarray):
        return _from_array(_check_array(x))
    with _opened(x) as image, _decoding(_name(x)):
        _check_header(image, _name(x))
        return np.asarray(_rgb(ImageOps.exif_transpose(image)))


def image_size(x: Any) -> tuple[int, int]:
    """Height and width of what :func:`read_image` gives, without decoding it.

    Raises:
        InputError: as :func:`check_image`.
    """
    if isinstance(x, np.ndarray):
        _check_array(x)
        return x.shape[0], x.shape[1]
    with _opened(x) as image, _decoding(_name(x)):
        _check_header(image, _name(x))
        width, height = image.size
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) in _SIDEWAYS
        return (width, height) if turned else (height, width)


#: Orientations in which phones lay a picture on its side.
_SIDEWAYS = (5, 6, 7, 8)


def images_in(x: Any) -> list[Path] | None:
    """The images that a folder or a glob pattern stands for, sorted by name; ``None`` for anything else.

    Raises:
        InputError: a folder or a pattern that holds no image.
    """
    return files_in(x, "image", SUFFIXES)


def thumbnail(image: np.ndarray, side: int = 256) -> np.ndarray:
    """The image, made so small that neither side is over ``side``."""
    small = Image.fromarray(image)
    small.thumbnail((side, side))
    return np.asarray(small)


@contextlib.contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Makes one error of what decoders do on damaged files: they fail in many ways, of one meaning."""
    try:
        yield
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(
            f"{name} is cut or damaged ({first_line(error)}); expected a whole image; get the file again"
        ) from None


_DAMAGED: tuple[type[Exception], ...] = (
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    OverflowError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)


@contextlib.contextmanager
def _opened(x: Any) -> Iterator[Image.Image]:
    """The image behind ``x``, its pixels not read yet."""
    if isinstance(x, Image.Image):
        yield x
        return
    name = named(x)
    with opened(x, "image") as source:
        try:
            image = Image.open(source, formats=FORMATS)
        except Image.DecompressionBombError:
            raise InputError(_too_large(name, "over twice Pillow's own limit of")) from None
        except UnidentifiedImageError:
            raise InputError(_unknown(name, source)) from None
        except (OSError, SyntaxError, ValueError, TypeError, EOFError) as error:
            raise InputError(
                f"{name} cannot be read as an image ({first_line(error)}); expected one of {_formats()}"
            ) from None
        with image:
            yield image


def _check_header(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > PIXELS:
        raise InputError(_too_large(name, f"{width} × {height} pixels, more than"))
    if not width * height:
        raise InputError(f"{name} is {width} × {height}; expected at least one pixel")
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # in which phones keep a second picture
        raise InputError(
            f"{name} has {frames} frames; expected a single one; choose a frame, or use a video task"
        )
    if image.mode in ("CMYK", "LAB"):
        raise InputError(
            f"{name} is {image.mode}, whose colors depend on a profile; expected RGB or gray; convert it"
        )


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow cuts 16-bit gray off at 255; it is scaled here.
        values = np.asarray(image).astype("float32") / 257
        return Image.fromarray(values.round().clip(0, 255).astype("uint8")).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_from_array(_check_array(np.asarray(image))))
    return image if image.mode == "RGB" else image.convert("RGB")


def _check_array(x: np.ndarray) -> np.ndarray:
    said = f"an array of {x.dtype} {list(x.shape)}"
    if x.dtype.kind not in "uifb":
        raise InputError(f"{said}; expected numbers: uint8, or floats from 0 to 1")
    if x.ndim not in (2, 3) or (x.ndim == 3 and x.shape[2] not in (1, 3, 4)):
        raise InputError(f"{said}; expected [height, width] or [height, width, channels] of 1, 3 or 4")
    if not x.size:
        raise InputError(f"{said}; expected at least one pixel")
    if x.shape[0] * x.shape[1] > PIXELS:
        raise InputError(_too_large(said, f"{x.shape[1]} × {x.shape[0]} pixels, more than"))
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise InputError(f"{said} with values that are not finite; expected numbers from 0 to 1")
    if x.dtype.kind == "f" and (x.min() < 0 or x.max() > 1):
        raise InputError(
            f"{said} with values from {x.min():.4g} to {x.max():.4g}; expected floats from 0 to 1; divide by "
            "255, or give uint8"
        )
    if x.dtype.kind in "iu" and x.dtype not in (np.uint8, np.uint16) and (x.min() < 0 or x.max() > 255):
        raise InputError(f"{said} with values from {x.min()} to {x.max()}; expected 0 to 255")
    return x


def _from_array(x: np.ndarray) -> np.ndarray:
    scale = 255.0 if x.dtype.kind == "f" else _SCALES.get(x.dtype.name, 1.0)
    if x.dtype != np.uint8:
        x = (x.astype("float32") * scale).round().clip(0, 255).astype("uint8")
    if x.ndim == 2:
        x = x[:, :, None]
    return np.ascontiguousarray(np.repeat(x, 3, axis=2) if x.shape[2] == 1 else x[:, :, :3])


def _name(x: Any) -> str:
    if isinstance(x, Image.Image):
        return f"a Pillow image ({x.mode}, {x.width} × {x.height})"
    return named(x)


def _unknown(name: str, source: Any) -> str:
    source.seek(0)
    head = source.read(16)
    kind = "HEIC" if head[4:8] == b"ftyp" and head[8:12] in _HEIC else "of no kind that is read"
    return f"{name} is {kind}; expected one of {_formats()}; convert it first"


#: Brands of the containers in which phones keep photos; Pillow has no decoder for them.
_HEIC = (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis", b"hevc", b"avif")


def _formats() -> str:
    return ", ".join(FORMATS)


def _too_large(name: str, found: str) -> str:
    return f"{name}: {found} {PIXELS:,}; expected a smaller image; scale it down first"
