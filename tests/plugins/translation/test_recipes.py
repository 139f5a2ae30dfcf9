"""The recipes' data: read as published, and no source in two parts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sixarts_translation import corpora
from sixarts_translation.recipe import RECIPES

pytestmark = pytest.mark.quick


def write(folder: Path, name: str, *lines: str) -> None:
    with gzip.open(folder / f"{name}.gz", "wt", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))


def test_small_parallel_enja(tmp_path: Path) -> None:
    write(tmp_path, "train.en", "i 'm late .", "he can 't go , sir .", "the cat !")
    write(tmp_path, "train.ja", "遅 れ た 。", "行 け ま せ ん 。", "猫 ！")
    for name in ("dev", "test"):
        (tmp_path / f"{name}.en").write_text("the cat .\n" if name == "dev" else "a dog .\n")
        (tmp_path / f"{name}.ja").write_text("猫 。\n" if name == "dev" else "犬 。\n")
    parts = corpora.small_parallel_enja(tmp_path)
    assert parts.train == [("i'm late.", "遅れた。"), ("he can't go, sir.", "行けません。")]
    assert (parts.validation, parts.test) == ([("the cat.", "猫。")], [("a dog.", "犬。")])


def test_multi30k(tmp_path: Path) -> None:
    for name in ("train", "val", "test_2016_flickr"):
        write(tmp_path, f"{name}.en", f"A {name}.", "Two\u2028men.")
        write(tmp_path, f"{name}.de", f"Ein {name}.", "Zwei Männer.")
    parts = corpora.multi30k_en_de(tmp_path)
    assert parts.test == [("A test_2016_flickr.", "Ein test_2016_flickr."), ("Two\u2028men.", "Zwei Männer.")]
    assert str(parts) == "2 for training, 2 for validation, 2 for test"


def test_tatoeba_is_split_by_its_english(tmp_path: Path) -> None:
    pytest.importorskip("opencc")
    rows = [f"Sentence {i}.\t句子{i}。" for i in range(400)] + ["Sentence 7!\t句子。", "Hi.\t語言"]
    (tmp_path / "cmn.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    parts = corpora.tatoeba_en_zh(tmp_path / "cmn.txt")
    assert sum(map(len, parts)) == 402 and len(parts.train) > 300 and parts.validation and parts.test
    where = [
        part
        for part in parts
        if any(source.startswith("Sentence 7") and len(source) < 12 for source, _ in part)
    ]
    assert len(where) == 1
    assert any(target == "语言" for part in parts for _, target in part)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_states_what_the_family_and_fit_take(name: str) -> None:
    from sixarts_translation.marian import Marian
    from sixarts_translation.task import TranslationTraining

    recipe = RECIPES[name]
    assert recipe.network.keys() <= Marian.settings
    TranslationTraining(**recipe.training)
    Marian.configure(**recipe.network, vocab_size=100)
