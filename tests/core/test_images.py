"""Images of every kind that people have, and everything that can be wrong with one."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sixarts.errors import InputError
from sixarts.media.images import PIXELS, check_image, images_in, read_image, thumbnail

pytestmark = pytest.mark.quick

COLORS = np.array(
    [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [250, 240, 230]], [[9, 8, 7], [0, 0, 0]]], "uint8"
)


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


PNG = encoded(Image.fromarray(COLORS))


def test_paths_bytes_uris_and_objects_are_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(PNG)
    uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    forms = (path, str(path), PNG, bytearray(PNG), memoryview(PNG), uri, Image.open(path), COLORS)
    for form in forms:
        check_image(form)
        assert np.array_equal(read_image(form), COLORS), type(form)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM"])
def test_formats(kind: str) -> None:
    flat = Image.new("RGB", (20, 10), (200, 100, 50))
    got = read_image(encoded(flat, kind))
    assert got.shape == (10, 20, 3)
    assert np.abs(got.astype(int) - (200, 100, 50)).max() <= 3


def test_floats_gray_alpha_and_sixteen_bits() -> None:
    assert np.array_equal(read_image(COLORS / np.float32(255)), COLORS)
    gray = COLORS[:, :, 0]
    assert np.array_equal(read_image(gray), np.repeat(gray[:, :, None], 3, axis=2))
    assert np.array_equal(read_image(gray[:, :, None]), np.repeat(gray[:, :, None], 3, axis=2))
    with_alpha = np.concatenate([COLORS, np.full((3, 2, 1), 7, "uint8")], axis=2)
    assert np.array_equal(read_image(with_alpha), COLORS)
    assert np.array_equal(read_image(encoded(Image.fromarray(with_alpha))), COLORS)
    deep = gray.astype("uint16") * 257
    assert np.array_equal(read_image(deep)[:, :, 0], gray)
    assert np.array_equal(read_image(encoded(Image.fromarray(deep)))[:, :, 0], gray)
    assert np.array_equal(read_image(gray > 100)[:, :, 0], (gray > 100) * 255)
    assert np.array_equal(read_image(COLORS.astype("int64")), COLORS)


def test_a_palette_is_looked_up() -> None:
    palette = Image.fromarray(COLORS).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert np.array_equal(read_image(encoded(palette)), COLORS)


@pytest.mark.parametrize(
    ("turned", "back"),
    [(1, lambda x: x), (3, lambda x: x[::-1, ::-1]), (6, lambda x: np.rot90(x, -1)), (8, np.rot90)],
)
def test_photos_stand_upright(turned: int, back: Any) -> None:
    """The EXIF orientation of a phone held sideways."""
    exif = Image.Exif()
    exif[0x0112] = turned
    photo = encoded(Image.fromarray(COLORS), "PNG", exif=exif)
    assert np.array_equal(read_image(photo), back(COLORS))


def header(width: int, height: int) -> bytes:
    """A PNG that states a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def animated() -> bytes:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "green", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (b"", "empty"),
        (b"some text", "of no kind that is read"),
        (PNG[:20], "cannot be read|no kind"),
        (header(20_000, 20_000), "smaller"),
        (header(PIXELS + 1, 1), "smaller"),
        (encoded(Image.new("CMYK", (4, 4)), "JPEG"), "CMYK"),
        (animated(), "3 frames"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC"),
        (b"%PDF-1.7\n", "no kind"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no kind"),
        (np.full((2, 2, 3), np.nan, "float32"), "finite"),
        (np.full((2, 2, 3), 200.0, "float32"), "0 to 1"),
        (np.zeros((2, 2, 5), "uint8"), "channels"),
        (np.zeros((2,), "uint8"), "height, width"),
        (np.zeros((0, 4, 3), "uint8"), "one pixel"),
        (np.zeros((2, 2, 3), "complex64"), "numbers"),
        (np.full((2, 2, 3), -1, "int32"), "0 to 255"),
        (np.full((2, 2, 3), 300, "uint32"), "0 to 255"),
        ("nowhere.png", "is not there"),
        ("http://example.org/a.png", "address"),
        ("data:text/plain;base64,aaaa", "data:image"),
        ("data:image/png;base64,%%%%", "base64"),
        ("a\0b", "cannot be opened|is not there"),
        (None, "expected a path"),
        (3.5, "expected a path"),
        ({}, "expected a path"),
    ],
)
def test_bad_images_are_refused_before_they_are_decoded(bad: Any, told: str) -> None:
    for look in (check_image, read_image):
        with pytest.raises(InputError, match=told) as caught:
            look(bad)
        assert "expected" in caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
def test_cut_files_are_named(kind: str, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype("uint8")
    whole = encoded(Image.fromarray(noise), kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputError, match="cut"):
        read_image(path)


def test_folders_and_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.png", "a.JPG", "inner/c.webp", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(PNG)
    found = images_in(tmp_path)
    assert found == sorted(tmp_path / name for name in ("b.png", "a.JPG", "inner/c.webp"))
    assert images_in(str(tmp_path / "*.png")) == [tmp_path / "b.png"]
    monkeypatch.chdir(tmp_path)
    assert images_in("*.png") == [Path("b.png")]
    for one in (tmp_path / "b.png", "", "missing.png", PNG, None, "data:image/png;base64,"):
        assert images_in(one) is None
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", "*.tiff"):
        with pytest.raises(InputError, match="holds no image"):
            images_in(nothing)


def test_thumbnails_keep_their_proportions() -> None:
    assert thumbnail(np.zeros((100, 50, 3), "uint8"), 10).shape == (10, 5, 3)


def cut_gif(tail: bytes) -> bytes:
    return encoded(Image.new("RGB", (4, 4), "red"), "GIF")[:-1] + tail


@pytest.mark.parametrize("tail", [b",\0\0\0", b",\0\0\0\0\1\0\1\0\x80\0\0"])
def test_a_second_frame_that_is_cut_is_named(tail: bytes) -> None:
    for look in (check_image, read_image):
        with pytest.raises(InputError, match="cut or damaged"):
            look(cut_gif(tail))


def test_a_float_picture_says_what_is_wrong_with_it() -> None:
    bright = encoded(Image.fromarray(np.full((3, 3), 7.0, "float32")), "TIFF")
    with pytest.raises(InputError, match="divide by 255"):
        read_image(bright)
