"""The task for medical pictures: learning, calibrated answers, slides, bad input, and privacy."""

from __future__ import annotations

import json
import logging
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import sixarts as sa
from sixarts.errors import InputError, OptionError
from sixarts.result import Failure
from sixarts.testing.checks_model import value
from sixarts_diagnosis.clinical_metrics import SENSITIVITY
from sixarts_diagnosis.diagnosis import NOTICE
from sixarts_diagnosis.pathology_task import FILE, PathologyTask

SIDE = 16
TINY = {"image_size": SIDE, "widths": [6, 8], "members": 2, "dropout": 0.0}
LEARNING: dict[str, Any] = {
    "epochs": 8,
    "batch_size": 32,
    "learning_rate": 0.01,
    "calibration": 0.4,
    "disease": "spot",
    "seed": 1,
    "progress": False,
}


def tissue(label: str, seed: int) -> np.ndarray:
    """Pink tissue, with a dark spot somewhere or without; some are hard to tell."""
    random = np.random.default_rng([seed, label == "spot"])
    picture = np.tile(np.array((205.0, 110.0, 160.0)), (SIDE, SIDE, 1)) + random.normal(
        0, 12, (SIDE, SIDE, 1)
    )
    if label == "spot":
        top, left = random.integers(1, SIDE - 6, 2)
        picture[top : top + 5, left : left + 5] -= random.uniform(5, 70)
    return picture.clip(0, 255).astype("uint8")


def cases(count: int, first: int = 0) -> list[tuple[np.ndarray, str]]:
    return [
        (tissue(label, seed), label) for seed in range(first, first + count) for label in ("clear", "spot")
    ]


@pytest.fixture(scope="module")
def taught() -> Any:
    task = sa.new("pathology", family="cnn", device="cpu", **TINY)
    history = task.fit(cases(120), **LEARNING)
    assert history.metrics["loss"][-1] < history.metrics["loss"][0]
    return task


def test_the_answer_carries_what_must_not_be_missed(taught: Any) -> None:
    found = taught(tissue("spot", 900))
    assert found.disease == "spot" and found.probability == found.probabilities["spot"]
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-6)
    assert found.coverage == 0.9 and found.label in found.prediction_set
    assert found.notice == NOTICE and NOTICE in str(found) and NOTICE in found._repr_html_()
    json.dumps(found.to_dict(), allow_nan=False)


def test_sets_cover_and_figures_are_those_of_a_clinic(taught: Any) -> None:
    found = taught.evaluate(cases(150, 1000), progress=False)
    assert found["auc"].value > 0.9 and found["accuracy"].value > 0.8
    assert {SENSITIVITY, "brier", "coverage", "abstained"} <= set(found.values)
    # 300 new cases, 96 to calibrate with: three deviations of the share and of its threshold.
    assert found["coverage"].value > 0.9 - 3 * (0.09 / 300 + 0.09 / 96) ** 0.5
    assert found["calibration error"].value < 0.12


def test_what_is_unlike_the_examples_is_abstained_from(taught: Any) -> None:
    random = np.random.default_rng(0)
    strange = [random.integers(0, 256, (40, 40, 3)).astype("uint8"), 255 - tissue("spot", 1)]
    for picture in strange:
        found = taught(picture)
        assert found.abstained and found.distance > 1 and found.decided is None
        assert str(found).startswith("ABSTAINED")
    usual = [taught(picture).abstained for picture, _ in cases(50, 2000)]
    assert np.mean(usual) < 0.1


def test_examples_held_aside_are_not_learned_from(taught: Any) -> None:
    examples = cases(20)
    training = taught.Training(
        **{
            **LEARNING,
            "batch_size": 1,
            "shift": 0.0,
            "rotate": 0.0,
            "zoom": 0.0,
            "contrast": 0.0,
            "brightness": 0.0,
        }
    )
    lessons = list(taught.learn(examples, training, 0))
    assert len(lessons) == 24
    seen = {lesson.arrays["pixel_values"].tobytes() for lesson in lessons}
    aside = [x for (x, _), held in zip(examples, taught._aside(examples, training), strict=True) if held]
    assert len(aside) == 16
    assert not seen & {taught.arrays([x])["pixel_values"].tobytes() for x in aside}
    judged = taught.learn(examples, taught.judging(training), 0)
    assert len(judged) == 40  # what validates is all of it


def test_labels_may_count_alike(taught: Any) -> None:
    examples = [(tissue("clear", seed), "clear") for seed in range(9)] + [(tissue("spot", 0), "spot")]
    training = taught.Training(batch_size=10, calibration=0.0, balance=True)
    lesson = next(iter(taught.learn(examples, training, 0)))
    weights = lesson.weights["logits"]
    clear, spot = (weights[lesson.targets["logits"] == place].sum() for place in (0, 1))
    assert clear == pytest.approx(5) and spot == pytest.approx(5)


def test_saved_with_what_it_knows_of_itself(taught: Any, tmp_path: Path) -> None:
    folder = taught.save(tmp_path / "model")
    again = sa.load("pathology-classification", folder, device="cpu")
    picture = tissue("spot", 77)
    assert again(picture).to_dict() == taught(picture).to_dict()
    assert again.reliability.thresholds == taught.reliability.thresholds
    assert json.loads((folder / FILE).read_text())["disease"] == "spot"
    # Without that file it answers, and says that nobody calibrated it.
    (folder / FILE).unlink()
    (folder / "sixarts.json").unlink()
    bare = sa.load("pathology-classification", folder, device="cpu")
    found = bare(picture)
    assert (found.prediction_set, found.coverage, found.abstained) == ((), 0.0, False)
    assert "never calibrated" in str(bare.reliability)
    assert bare.reliability.familiarity is None and found.distance == 0


def test_a_strangers_calibration_is_read_strictly(taught: Any, tmp_path: Path) -> None:
    folder = taught.save(tmp_path / "model")
    (folder / "sixarts.json").unlink()
    said = json.loads((folder / FILE).read_text())
    for wrong in ({"reliability": 3}, {"reliability": {**said["reliability"], "thresholds": [0.1]}}):
        (folder / FILE).write_text(json.dumps(wrong))
        with pytest.raises(sa.errors.CheckpointError, match="reliability"):
            sa.load("pathology-classification", folder, device="cpu")


def test_probabilities_are_moved_to_another_prevalence(taught: Any, tmp_path: Path) -> None:
    task = sa.load("pathology", taught.save(tmp_path / "model"), device="cpu")
    usual, picture = task.reliability, tissue("spot", 31)
    task.calibrate(cases(60, 3000))
    even = task(picture).probability  # as many cases as controls
    task.calibrate(cases(60, 3000), prevalence=0.1)
    rare = task(picture).probability
    odds = np.log(rare / (1 - rare)) - np.log(even / (1 - even))
    assert odds == pytest.approx(np.log(0.1 / 0.9), abs=1e-6)
    assert task.reliability.familiarity is usual.familiarity and task.reliability.count == 120
    for wrong in (0.0, 1.0, 2):
        with pytest.raises(OptionError, match="prevalence"):
            task.calibrate(cases(60, 3000), prevalence=wrong)


@pytest.mark.parametrize("method", ["cam", "occlusion", "integrated_gradients"])
def test_explanations_lie_over_the_picture(taught: Any, method: str) -> None:
    picture = tissue("clear", 5)
    picture[9:14, 9:14] = 60
    found = taught.explain(picture, method, target="spot")
    assert found.target_labels == ("spot",) and found.picture.shape == (SIDE, SIDE, 3)
    grid = found.values.reshape(found.grid)
    tall, wide = found.grid
    inside = grid[tall // 2 :, wide // 2 :].mean()
    if method != "cam":  # four cells are a coarse map
        assert inside > grid[: tall // 2, : wide // 2].mean()
    found.plot()
    with pytest.raises(OptionError, match="expected a class"):
        taught.explain(picture, method, target="sppot")


# Slides.


@pytest.fixture(scope="module")
def slide() -> np.ndarray:
    """Glass with a band of tissue, whose right half is spotted."""
    picture = np.full((SIDE * 5, SIDE * 6, 3), 244, "uint8")
    for row in (1, 2, 3):
        for column in range(6):
            part = tissue("spot" if column > 2 else "clear", 5000 + 10 * row + column)
            picture[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE] = part
    return picture


def test_a_slide_is_judged_tile_by_tile(taught: Any, slide: np.ndarray) -> None:
    found = taught(slide, tile=SIDE)
    assert found.tiles == 18 and found.places.min(axis=0).tolist() == [SIDE, 0]
    heat = found.heatmap()
    assert heat.shape == (5, 6) and np.isnan(heat[[0, 4]]).all()
    assert np.nanmean(heat[:, 3:]) > np.nanmean(heat[:, :3]) + 0.3
    assert found.probability == pytest.approx(float(found.scores.mean()), abs=1e-6)
    alone = taught(slide[SIDE : 2 * SIDE, :SIDE])
    assert found.scores[0] == pytest.approx(alone.probability, abs=1e-5)
    assert found.prediction_set == () and found.coverage == 0  # measured of pictures, not of slides
    assert NOTICE in str(found)
    found.plot()
    assert taught(slide, tile=SIDE, tissue=0.0).tiles == 30


def test_slides_and_pictures_stream_together(taught: Any, slide: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(slide).save(tmp_path / "slide.png")
    found = list(taught.stream([str(tmp_path / "slide.png"), slide], tile=SIDE, batch_size=4, progress=False))
    assert found[0].source.endswith("slide.png") and found[1].source == ""
    assert np.allclose(found[0].scores, found[1].scores, atol=1e-5)
    with pytest.raises(InputError, match="smaller tile="):
        taught(slide, tile=512)
    blank = np.full((64, 64, 3), 240, "uint8")
    blank[0, 0] = (255, 0, 0)
    mixed = taught([slide, np.full((8, 8, 3), 9, "uint8")], tile=SIDE, on_error="return")
    assert isinstance(mixed[1], Failure) and mixed[0].tiles == 18
    with pytest.raises(InputError, match="a map of its tiles already"):
        taught.explain(slide, tile=SIDE)


def test_tiles_of_slides_are_pooled_by_attention(taught: Any, slide: np.ndarray, tmp_path: Path) -> None:
    bag = taught.features(slide, tile=SIDE)
    assert bag.features.shape == (18, 2 * 8) and bag.grid.size == slide.shape[:2]
    # A slide is of the disease where one of its tiles is: which one is not told.
    random = np.random.default_rng(0)
    told = {}
    for label in ("clear", "spot"):
        pictures = np.stack([tissue(label, 7000 + seed) for seed in range(40)])
        told[label] = np.concatenate([taught.features(part, tile=SIDE).features for part in pictures])
    bags = []
    for number in range(80):
        rows = random.choice(told["clear"], random.integers(3, 9))
        if number % 2:
            rows[random.integers(len(rows))] = random.choice(told["spot"])
        bags.append((rows, "spot" if number % 2 else "clear"))
    pooled = sa.new("pathology", family="attention_mil", device="cpu", hidden_size=16, attention_size=8)
    with pytest.raises(InputError, match="expected the features of a slide's tiles"):
        pooled.fit([("a.png", "spot")])
    pooled.fit(bags, epochs=40, learning_rate=0.01, calibration=0.25, disease="spot", progress=False)
    assert pooled.evaluate(bags, progress=False)["auc"].value > 0.85
    again = sa.load("pathology", pooled.save(tmp_path / "pooled"), device="cpu")
    found = again(bag)
    assert found.tiles == 18 and found.scores.max() == 1 and found.coverage == 0.9
    right = found.places[:, 1] >= 3 * SIDE
    assert found.scores[right].mean() > found.scores[~right].mean()
    found.plot()
    plain = again(bag.features)
    assert plain.probability == pytest.approx(found.probability, abs=1e-6)
    for method in ("cam", "occlusion", "integrated_gradients"):
        why = again.explain(bag, method)
        assert why.values.shape == (1, 18) and why.input_labels[0] == f"tile at {SIDE}, 0"
    with pytest.raises(InputError, match="5 features; expected 16"):
        again(np.zeros((3, 5), "float32"))


# What it says of bad ones, and to whom.


@pytest.mark.parametrize("bad", ["gone.png", b"", 3, None, "x.svs", np.zeros((2, 2, 7), "uint8")])
def test_bad_pictures_are_named_before_any_compute(taught: Any, bad: Any) -> None:
    with pytest.raises(InputError, match=r"^input 1: .*expected"):
        taught([tissue("clear", 0), bad])


@pytest.mark.parametrize("wrong", [{"tile": 3}, {"tile": -1}, {"tissue": 1.5}, {"tiles": 16}])
def test_options_are_held_to_limits(taught: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))[:4]):
        taught(tissue("clear", 0), **wrong)


def test_no_pixel_is_kept_or_logged(
    taught: Any, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with caplog.at_level(logging.DEBUG, "sixarts"):
        found = taught(tissue("spot", 3))
    assert not caplog.records and capsys.readouterr() == ("", "")
    assert not [each.name for each in fields(found) if isinstance(getattr(found, each.name), np.ndarray)]
    folder = taught.save(tmp_path / "model")
    weights = set(load_file(folder / "model.safetensors"))
    assert not [name for name in weights if "example" in name]
    assert not list(Path(folder).glob("*.png"))


def test_a_picture_is_drawn_from_where_it_lies(taught: Any, tmp_path: Path) -> None:
    path = tmp_path / "spot.png"
    Image.fromarray(tissue("spot", 8)).save(path)
    found = taught(path)
    assert str(found).startswith(f"{path}: ") and len(found.plot().axes) == 2
    path.unlink()
    assert len(found.plot().axes) == 1  # the bars alone


# Families of other plugins.


ENCODERS = {"ViT": {"image_size": 16, "patch_size": 8}, "Dinov2": {"image_size": 14, "patch_size": 7}}


@pytest.mark.parametrize("kind", ENCODERS)
def test_published_encoders_answer_and_learn(kind: str, tmp_path: Path) -> None:
    """A folder as `transformers` writes it, with a classifier on a pathology encoder."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    settings = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    made = getattr(transformers, f"{kind}Config")(
        **ENCODERS[kind], **settings, id2label={0: "clear", 1: "spot"}, label2id={"clear": 0, "spot": 1}
    )
    model = getattr(transformers, f"{kind}ForImageClassification")(made).eval()
    model.save_pretrained(tmp_path)
    side = ENCODERS[kind]["image_size"]
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "ViTImageProcessor", "size": {"height": side, "width": side}})
    )
    task = sa.load("pathology-classification", tmp_path, device="cpu")
    assert isinstance(task, PathologyTask)
    picture = tissue("spot", 0)
    with torch.no_grad():
        pixels = np.transpose(task.arrays([picture])["pixel_values"], (0, 3, 1, 2))
        wanted = torch.softmax(model(torch.from_numpy(pixels.copy())).logits, dim=1)[0].numpy()
    found = task(picture)
    assert found.probability == pytest.approx(float(wanted[1]), abs=1e-4) and found.disease == "spot"
    assert found.prediction_set == () and found.coverage == 0
    task.fit(cases(40), epochs=2, learning_rate=1e-3, calibration=0.5, freeze=True, progress=False)
    again = sa.load("pathology-classification", task.save(tmp_path / "mine"), device="cpu")
    assert again(picture).to_dict() == task(picture).to_dict()
    assert again(picture).coverage == 0.9 and again.reliability.familiarity is not None
    assert again.explain(picture, "cam").values.max() > 0


def test_a_trained_network_keeps_its_norms(taught: Any, tmp_path: Path) -> None:
    task = sa.load("pathology", taught.save(tmp_path / "model"), device="cpu")
    before = {each.path: value(each) for each in task.model.variables}
    task.fit(cases(4), epochs=1, batch_size=8, learning_rate=0.01, calibration=0.0, progress=False)
    after = {each.path: value(each) for each in task.model.variables}
    moved = {path for path, old in before.items() if not np.array_equal(old, after[path])}
    assert moved and not [path for path in moved if "_norm/" in path]
    assert [path for path in before if "_norm/moving_mean" in path]
    # Those cases are few, and none was held aside: nothing of its reliability is known any more.
    assert task.reliability.thresholds == () and task.reliability.familiarity is None
    assert all(layer.trainable for layer in task.model.network.layers)
