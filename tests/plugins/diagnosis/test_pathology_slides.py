"""Slides: read a region at a time, cut where there is tissue, joined to one answer with a map."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sixarts.errors import InputError
from sixarts_diagnosis.acquisition import Acquisition
from sixarts_diagnosis.image_diagnosis import SlideDiagnosis
from sixarts_diagnosis.slides import PictureSlide, check_scan, is_scan, open_slide, opened_slide
from sixarts_diagnosis.tiles import otsu, tiles, tissue

pytestmark = pytest.mark.quick
PINK, GLASS = (200, 90, 150), (244, 243, 245)


def stained(tall: int = 160, wide: int = 240) -> np.ndarray:
    """Glass with a square of tissue in its upper left quarter."""
    slide = np.empty((tall, wide, 3), "uint8")
    slide[:] = GLASS
    slide[32:96, 64:128] = PINK
    noise = np.random.default_rng(0).integers(-6, 7, slide.shape[:2])
    return (slide.astype(int) + noise[:, :, None]).clip(0, 255).astype("uint8")


def test_tiles_lie_where_there_is_tissue() -> None:
    slide = PictureSlide(stained())
    found = list(tiles(slide, 32, 16, 0.5))
    assert [(tile.top, tile.left) for tile in found] == [(32, 64), (32, 96), (64, 64), (64, 96)]
    assert {tile.read().shape for tile in found} == {(16, 16, 3)}
    assert np.abs(found[0].read().mean(axis=(0, 1)) - PINK).max() < 3
    assert len(list(tiles(slide, 32, 16, 0))) == 5 * 8  # 0 takes them all, the last rows whole


def test_what_is_left_at_the_border_is_glass_beyond_it() -> None:
    slide = PictureSlide(stained(50, 80))
    found = list(tiles(slide, 32, 32, 0))
    assert [(tile.top, tile.left) for tile in found] == [
        (0, 0),
        (0, 32),
        (0, 64),
        (32, 0),
        (32, 32),
        (32, 64),
    ]
    assert (found[-1].read()[18:] == 255).all() and (found[-1].read()[:, 16:] == 255).all()


def test_gray_slides_have_tissue_everywhere_and_empty_glass_is_told() -> None:
    gray = np.random.default_rng(0).integers(0, 255, (64, 64, 1)).repeat(3, axis=2).astype("uint8")
    assert tissue(gray).all()
    assert 0.1 < tissue(stained()).mean() < 0.13
    with pytest.raises(InputError, match=r"without tissue.*tissue=0"):
        list(tiles(PictureSlide(stained()), 160, 16, 0.9))
    with pytest.raises(InputError, match=r"160 × 240.*smaller tile="):
        list(tiles(PictureSlide(stained()), 200, 16))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 255), min_size=2, max_size=60))
def test_otsu_parts_values_best(values: list[int]) -> None:
    given_ = np.array(values)

    def apart(limit: float) -> float:
        low, high = given_[given_ <= limit], given_[given_ > limit]
        return 0.0 if not (len(low) and len(high)) else len(low) * len(high) * (low.mean() - high.mean()) ** 2

    best = max(apart(limit) for limit in range(256))
    assert apart(otsu(given_)) == pytest.approx(best, rel=1e-9)


class StandIn:
    """A slide of any size that is drawn as it is read, and counts what is held of it."""

    def __init__(self, tall: int, wide: int) -> None:
        self.size, self.read, self.closed = (tall, wide), 0, False

    def region(self, top: int, left: int, side: int, pixels: int) -> np.ndarray:
        self.read += 1
        return np.full((pixels, pixels, 3), (top // side + left // side) % 2 * 200 + 20, "uint8")

    def overview(self, side: int) -> np.ndarray:
        return np.full((side, side * self.size[1] // self.size[0], 3), PINK, "uint8")

    def close(self) -> None:
        self.closed = True


def test_tiles_come_one_at_a_time_from_any_reader() -> None:
    slide = StandIn(1_000_000, 1_000_000)
    running = tiles(slide, 500, 8)
    first = [next(running) for _ in range(3)]
    assert slide.read == 0 and [tile.left for tile in first] == [0, 500, 1000]
    assert first[0].read().mean() == 20 and first[1].read().mean() == 220 and slide.read == 2
    with opened_slide(slide) as same:
        assert same is slide
    assert not slide.closed  # it was open before


def tiled_tiff(path: Path, picture: np.ndarray, side: int = 64) -> Path:
    """A slide in plain tiled TIFF, as OpenSlide reads it; sides are multiples of ``side``."""
    tall, wide, _ = picture.shape
    cut = [
        picture[top : top + side, left : left + side].tobytes()
        for top in range(0, tall, side)
        for left in range(0, wide, side)
    ]
    count, size = len(cut), side * side * 3
    entries = 11
    extra = 8 + 2 + 12 * entries + 4
    offsets = [extra + 6 + 8 * count + number * size for number in range(count)]
    fields = [
        (256, 4, 1, wide),
        (257, 4, 1, tall),
        (258, 3, 3, extra),
        (259, 3, 1, 1),
        (262, 3, 1, 2),
        (277, 3, 1, 3),
        (284, 3, 1, 1),
        (322, 4, 1, side),
        (323, 4, 1, side),
        (324, 4, count, extra + 6),
        (325, 4, count, extra + 6 + 4 * count),
    ]
    out = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", entries)
    for tag, kind, number, value in fields:
        packed = struct.pack("<HH", value, 0) if kind == 3 and number == 1 else struct.pack("<I", value)
        out += struct.pack("<HHI", tag, kind, number) + packed
    out += struct.pack("<I", 0) + struct.pack("<3H", 8, 8, 8)
    out += struct.pack(f"<{count}I", *offsets) + struct.pack(f"<{count}I", *[size] * count)
    path.write_bytes(out + b"".join(cut))
    return path


def test_openslide_gives_what_a_picture_gives(tmp_path: Path) -> None:
    pytest.importorskip("openslide")
    picture = stained(192, 256)
    slide, plain = open_slide(tiled_tiff(tmp_path / "slide.tif", picture)), PictureSlide(picture)
    assert type(slide).__name__ == "OpenSlideReader" and slide.size == plain.size == (192, 256)
    for place in ((0, 0, 32, 32), (40, 70, 64, 16), (170, 240, 32, 32)):
        one, other = slide.region(*place), plain.region(*place)
        assert one.shape == other.shape and np.abs(one.astype(int) - other).max() <= 1
    assert slide.overview(64).shape == (48, 64, 3)
    assert [(t.top, t.left) for t in tiles(slide, 32, 8, 0.5)] == [
        (t.top, t.left) for t in tiles(plain, 32, 8, 0.5)
    ]


def test_scans_are_looked_at_before_they_are_read(tmp_path: Path) -> None:
    assert is_scan(tmp_path / "a.SVS") and not is_scan("a.png") and not is_scan(b"a.svs") and not is_scan("")
    with pytest.raises(InputError, match="is not there"):
        check_scan(str(tmp_path / "gone.svs"))
    (tmp_path / "text.svs").write_bytes(b"no slide at all")
    with pytest.raises(InputError, match=r"no slide that OpenSlide knows|pip install 'sixarts\[slides\]'"):
        check_scan(tmp_path / "text.svs")


def test_a_missing_openslide_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openslide", None)
    (tmp_path / "a.svs").write_bytes(b"x")
    with pytest.raises(InputError, match=r"pip install 'sixarts\[slides\]'"):
        check_scan(tmp_path / "a.svs")


def test_a_slide_is_drawn_with_its_map(tmp_path: Path) -> None:
    Image.fromarray(stained()).save(tmp_path / "slide.png")
    found = SlideDiagnosis(
        label="ill",
        probability=0.7,
        probabilities={"ill": 0.7, "well": 0.3},
        disease="ill",
        source=str(tmp_path / "slide.png"),
        size=(160, 240),
        side=32.0,
        places=np.array([(32, 64), (32, 96)]),
        scores=np.array([0.9, 0.5]),
        unit="probability of ill",
        tiles=2,
    )
    heat = found.heatmap()
    assert heat.shape == (5, 8) and heat[1, 2] == 0.9 and heat[1, 3] == 0.5 and np.isnan(heat).sum() == 38
    figure = found.plot()
    assert len(figure.axes) == 3  # the slide, its bars, the scale of colors
    figure.savefig(tmp_path / "map.png", dpi=40)
    (tmp_path / "slide.png").unlink()
    found.plot().savefig(tmp_path / "map.png", dpi=40)  # the map alone
    assert isinstance(found.to_dict()["scores"], list)


# How pictures are changed while a network learns.


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from(["mirrored", "any"]))
def test_orientations_move_pixels_and_change_none(seed: int, orientation: Any) -> None:
    pictures = np.random.default_rng(seed).normal(size=(6, 9, 9, 2)).astype("float32")
    found = Acquisition(orientation=orientation)(pictures, (seed,))
    turns = range(4) if orientation == "any" else (0,)
    for one, other in zip(pictures, found, strict=True):
        ways = [np.rot90(one[:, ::step], turn) for step in (1, -1) for turn in turns]
        assert any(np.allclose(way, other, atol=1e-5) for way in ways)


def test_changes_go_by_their_key_and_their_sizes() -> None:
    pictures = np.random.default_rng(0).normal(size=(4, 12, 8, 3)).astype("float32")
    change = Acquisition(shift=0.1, rotate=10, zoom=0.1, contrast=0.2, brightness=0.2)
    assert np.array_equal(change(pictures, (1, 2)), change(pictures, (1, 2)))
    assert not np.allclose(change(pictures, (1, 2)), change(pictures, (1, 3)))
    assert np.array_equal(Acquisition()(pictures, (0,)), pictures)
    light = Acquisition(brightness=0.5)(pictures, (0,)) - pictures
    assert np.ptp(light, axis=(1, 2, 3)).max() < 1e-5 and 0.01 < np.abs(light).max() <= 0.5
    even = np.ones((2, 8, 8, 1), "float32")
    moved = Acquisition(shift=0.3, rotate=45, zoom=0.5)(even, (0,))
    assert np.allclose(moved, 1)  # borders are mirrored, so that nothing comes in from outside
