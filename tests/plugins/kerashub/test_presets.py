"""KerasHub's image classifier presets as families of ours: the same answers, or a refusal that says why."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import preset_reference as reference
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sixarts as sa
from hostile import mutated_json
from sixarts.checkpoint import open_weights
from sixarts.classification import probabilities
from sixarts.compiled import to_numpy
from sixarts.errors import CheckpointError, MissingExtra, OptionError, SixartsError, UnknownFamily
from sixarts.layout import needed_files
from sixarts.plugins import registry
from sixarts.readers.json_file import json_object
from sixarts_hub import Hub
from sixarts_hub.listing import File, Listing
from sixarts_kerashub.reading import arguments
from sixarts_kerashub.table import IMAGE_CLASSIFIER

pytest.importorskip("keras_hub", reason="KerasHub is not installed; pip install 'sixarts[kerashub]'")

#: A convolutional network, tokens, several outputs, and a head of several layers: what workers are asked for.
ELSEWHERE = ("ResNet", "ViT", "HGNetV2", "VGG")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Stem to its preset's folder and KerasHub's own task, made when asked for."""
    place, made = tmp_path_factory.mktemp("presets"), {}

    def preset(stem: str) -> tuple[Path, Any]:
        if stem not in made:
            made[stem] = (place / stem, reference.saved(place / stem, stem))
        return made[stem]

    yield preset
    reference.task.cache_clear()


@pytest.fixture
def copy(presets: Any, tmp_path: Path) -> Any:
    """A preset to damage."""

    def copied(stem: str = "ResNet", name: str = "copy") -> Path:
        return Path(shutil.copytree(presets(stem)[0], tmp_path / name))

    return copied


def change(file: Path, **values: Any) -> None:
    """Puts values into a JSON file; ``None`` takes a name out."""
    found = json.loads(file.read_text()) | values
    file.write_text(json.dumps({name: value for name, value in found.items() if value is not None}))


def same_answers(found: Mapping[str, np.ndarray], task: Any, images: np.ndarray, where: str = "here") -> None:
    """Holds ours against KerasHub's own within 1e-4."""
    prepared, answered = reference.published(task, images)
    np.testing.assert_allclose(found["pixel_values"], prepared, rtol=1e-5, atol=1e-5, err_msg=where)
    logits = found["logits"]
    if task.get_config().get("activation") == "softmax":
        logits = probabilities(logits)
    np.testing.assert_allclose(logits, answered, rtol=1e-4, atol=1e-4, err_msg=where)
    assert np.ptp(answered) > 1e-2


def test_the_table_is_all_that_keras_hub_offers() -> None:
    import keras_hub

    ending = IMAGE_CLASSIFIER.task
    offered = {name.removesuffix(ending) for name in dir(keras_hub.models) if name.endswith(ending)} - {""}
    assert set(IMAGE_CLASSIFIER.stems) == offered == set(reference.NETWORKS)


@pytest.mark.parametrize("stem", IMAGE_CLASSIFIER.stems)
def test_a_preset_answers_as_keras_hub_does(stem: str, presets: Any, tmp_path: Path) -> None:
    """And its weights, saved in our layout, are the same to the last bit."""
    folder, task = presets(stem)
    images = reference.pictures()
    found = reference.answers(folder, images)
    same_answers(found, task, images)
    mine = reference.task(folder)
    assert mine.model.hidden_constants() == []
    mine.model.save(tmp_path)
    before, after = type(mine.model).open_weights(folder), open_weights(tmp_path)
    assert set(after) == {name for name in before if not name.startswith("head/optimizer/")}
    assert all(np.array_equal(after.read(name), before.read(name)) for name in after)


@pytest.mark.parametrize("stem", ELSEWHERE)
def test_a_saved_model_answers_to_the_last_bit_as_before(stem: str, presets: Any, tmp_path: Path) -> None:
    folder, images = presets(stem)[0], reference.pictures()
    reference.task(folder).save(tmp_path / "saved")
    again = reference.answers(tmp_path / "saved", images)
    assert np.array_equal(again["logits"], reference.answers(folder, images)["logits"])


def test_other_backends_answer_alike(presets: Any, backends: Mapping[str, Any]) -> None:
    made = [presets(stem) for stem in ELSEWHERE]
    folders, images = [folder for folder, _ in made], reference.pictures()
    with ThreadPoolExecutor() as pool:
        asked = {
            name: pool.submit(worker.call, "preset_reference:all_answers", folders, images)
            for name, worker in backends.items()
        }
        for name, waiting in asked.items():
            for found, (folder, task) in zip(waiting.result(), made, strict=True):
                same_answers(found, task, images, f"{folder.name} on {name}")


# Heads that would be random.


def without(file: Path, *paths: str) -> None:
    """Takes tensors or groups out of a weights file."""
    import h5py

    with h5py.File(file, "r+") as weights:
        for path in paths:
            del weights[path]


def test_a_preset_without_its_head_is_refused(copy: Any, tmp_path: Path) -> None:
    """KerasHub loads it with random weights and says nothing, so that two loads answer differently."""
    import keras_hub

    folder = copy("ViT")
    (folder / "task.weights.h5").unlink()
    images = reference.pictures()
    one, other = (
        reference.published(keras_hub.models.ImageClassifier.from_preset(str(folder)), images)[1]
        for _ in range(2)
    )
    assert not np.allclose(one, other, atol=1e-3)
    with pytest.raises(CheckpointError, match=r"no task\.weights\.h5.* random"):
        sa.load("image-classification", folder)


def test_a_head_that_the_file_lacks_is_named(copy: Any) -> None:
    folder = copy("ViT")
    without(folder / "task.weights.h5", "layers/dense_1")
    with pytest.raises(CheckpointError, match=r"missing \(2\): 'head/layers/dense_1/vars/0'"):
        sa.load("image-classification", folder)


def test_a_backbone_alone_is_refused(copy: Any) -> None:
    folder = copy()
    (folder / "task.json").unlink()
    with pytest.raises(CheckpointError, match=r"no task\.json.* random head"):
        sa.load("image-classification", folder)


def test_a_weight_of_the_backbone_that_is_missing_is_named(copy: Any) -> None:
    folder = copy()
    without(folder / "model.weights.h5", "layers/conv2d/vars/0")
    with pytest.raises(CheckpointError, match=r"missing .*'backbone/layers/conv2d/vars/0'"):
        sa.load("image-classification", folder)


@pytest.mark.parametrize("damage", ["nan", "extra", "shape"])
def test_weights_that_keras_would_take_in_silence_are_named(damage: str, copy: Any) -> None:
    import h5py

    folder, at = copy(), "layers/dense/vars/0"
    with h5py.File(folder / "task.weights.h5", "r+") as weights:
        if damage == "nan":
            weights[at][0, 0] = np.nan
        elif damage == "extra":
            weights["layers/dense_9/vars/0"] = np.ones(3, "float32")
        else:
            value = weights[at][:]
            del weights[at]
            weights[at] = value[:-1]
    told = {"nan": "NaN", "extra": r"extra \(1\): 'head/layers/dense_9/vars/0'", "shape": "of another shape"}
    with pytest.raises(CheckpointError, match=told[damage]):
        sa.load("image-classification", folder)


def test_what_training_left_behind_is_no_weight(presets: Any, tmp_path: Path) -> None:
    task = presets("VGG")[1]
    task.fit(reference.pictures(), np.array([0, 1]), verbose=0)
    task.save_to_preset(str(tmp_path / "trained"))
    images = reference.pictures()
    same_answers(reference.answers(tmp_path / "trained", images), task, images)


# What strangers' files say.


def test_modules_that_a_file_names_are_not_imported(copy: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A class is known by its name; what else the file says of it does nothing."""
    (tmp_path / "evil_preset.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    folder = copy("ViT")
    for name in ("config.json", "task.json", "preprocessor.json", "image_converter.json"):
        change(folder / name, module="evil_preset", class_name="Evil")
    assert sa.load("image-classification", folder, device="cpu")(reference.pictures(1)[0]).label
    assert "evil_preset" not in sys.modules


@pytest.mark.parametrize(
    ("file", "changes", "told"),
    [
        ("config.json", {"stem_act": 1}, "does not take"),
        ("config.json", {"block_type": {"module": "os", "class_name": "system"}}, "plain values"),
        ("config.json", {"stackwise_num_blocks": [10**5]}, "at most 1024"),
        ("config.json", {"stackwise_num_filters": [10**9]}, "a whole number from"),
        ("config.json", {"stackwise_num_filters": [2**20]}, "ResNetBackbone|makes no"),
        ("config.json", {"input_conv_filters": [2**19, 64]}, "more numbers than the weights have bytes"),
        ("config.json", {"input_conv_filters": [[[[[[1]]]]]]}, "lists within lists"),
        ("config.json", {"data_format": "channels_first"}, "channels_last"),
        ("config.json", {"image_shape": [64, 64, 3]}, "of one preset"),
        ("config.json", {"block_type": None}, "lacks block_type|makes no"),
        ("task.json", {"num_classes": 0}, "num_classes"),
        ("task.json", {"num_classes": 4}, "of another shape"),
        ("task.json", {"activation": "sigmoid"}, "one class"),
        ("task.json", {"pooling": "median"}, "makes no"),
    ],
)
def test_a_setting_that_will_not_do_is_named(
    file: str, changes: dict[str, Any], told: str, copy: Any
) -> None:
    folder = copy()
    settings = json.loads((folder / file).read_text())["config"]
    change(folder / file, config=settings | changes)
    with pytest.raises(CheckpointError, match=told):
        sa.load("image-classification", folder)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_hostile_json_gives_a_configuration_or_an_error_of_ours(data: Any, presets: Any) -> None:
    import keras_hub

    from sixarts_kerashub.image_classifier import ImageClassifier

    folder = presets("ViT")[0]
    base = json.loads((folder / "config.json").read_text())
    base["head"] = json.loads((folder / "task.json").read_text())
    try:
        full = ImageClassifier.configure(**json_object(data.draw(mutated_json(base)), "config.json"))
        arguments(keras_hub.models.ViTBackbone, full["config"], "config.json")
    except SixartsError as error:
        assert len(str(error)) < 5000


def test_another_task_is_refused(copy: Any) -> None:
    folder = copy()
    change(folder / "task.json", registered_name="keras_hub>ResNetImageSegmenter")
    with pytest.raises(CheckpointError, match="expected ResNetImageClassifier"):
        sa.load("image-classification", folder)


def test_another_backbone_is_refused(copy: Any) -> None:
    folder = copy()
    change(folder / "config.json", registered_name="keras_hub>SAMBackbone")
    with pytest.raises(UnknownFamily, match="keras_hub>SAMBackbone"):
        sa.load("image-classification", folder)


def test_a_folder_of_transformers_is_not_the_bridges_business(copy: Any) -> None:
    """KerasHub would convert it, and leave heads that it does not know at random."""
    from sixarts_kerashub.image_classifier import ImageClassifier

    folder = copy("ViT")
    (folder / "config.json").write_text(
        '{"model_type": "vit", "architectures": ["ViTForImageClassification"]}'
    )
    with pytest.raises(CheckpointError, match="folders of transformers have families of their own"):
        ImageClassifier.from_folder(folder)


def test_names_of_the_first_versions_are_known(copy: Any) -> None:
    folder = copy("ViT")
    change(folder / "config.json", registered_name="keras_nlp>ViTBackbone")
    assert sa.load("image-classification", folder, device="cpu").model.family == IMAGE_CLASSIFIER.family


def test_without_keras_hub_the_install_line_is_told(presets: Any, monkeypatch: Any) -> None:
    folder = presets("ViT")[0]
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(MissingExtra, match=r"pip install 'sixarts\[kerashub\]'"):
        sa.load("image-classification", folder)


# Labels.


def test_classes_that_nothing_names_have_numbers(presets: Any) -> None:
    assert reference.task(presets("ViT")[0]).model.processor.labels == ("LABEL_0", "LABEL_1", "LABEL_2")


def test_classes_are_called_as_the_configuration_says(copy: Any) -> None:
    folder = copy("ViT")
    change(folder / "config.json", id2label={"0": "ant", "1": "bee", "2": "cow"})
    task = sa.load("image-classification", folder, device="cpu")
    assert set(task(reference.pictures(1)[0]).scores) == {"ant", "bee", "cow"}
    change(folder / "config.json", id2label={"0": "ant"})
    with pytest.raises(CheckpointError, match="names 1 classes, the head"):
        sa.load("image-classification", folder)


def test_imagenets_classes_where_the_card_names_keras_hubs_preset(tmp_path: Path) -> None:
    reference.saved(tmp_path / "a", "ViT", classes=1000)
    assert sa.load("image-classification", tmp_path / "a").model.processor.labels[1] == "LABEL_1"
    (tmp_path / "a" / "README.md").write_text("Load `hf://keras/vit_base_patch16_224_imagenet`.")
    task = sa.load("image-classification", tmp_path / "a", device="cpu")
    assert task.model.processor.labels[1] == "goldfish" and len(set(task.model.processor.labels)) == 1000
    task.save(tmp_path / "b")
    assert sa.load("image-classification", tmp_path / "b").model.processor.labels[1] == "goldfish"


# What everyone gets.


def test_a_preset_comes_from_our_hub_pinned(server: Any, presets: Any, tmp_path: Path) -> None:
    """Its own files and no others."""
    files = {path.name: path.read_bytes() for path in presets("ResNet")[0].iterdir()}
    commit = server.add("keras/resnet", {**files, "model.keras": b"not read", "code.py": b"import os"})
    task = sa.load(
        "image-classification", "keras/resnet", hub=Hub(tmp_path, endpoint=server.url, offline=False)
    )
    assert task.reference == f"keras/resnet@{commit}"
    fetched = {line.rsplit("/", 1)[-1] for line in server.seen(r"GET .*/resolve/")}
    assert {"model.weights.h5", "task.weights.h5"} <= fetched
    assert not fetched & {"model.keras", "code.py", "metadata.json"}


def test_the_listing_of_a_backbone_alone_asks_for_its_weights() -> None:
    config = b'{"registered_name": "keras_hub>ResNetBackbone", "config": {}}'
    listing = Listing("0" * 40, (File("config.json", len(config), "sha256:" + "0" * 64),))
    with pytest.raises(CheckpointError, match=r"model\.weights\.h5"):
        needed_files(listing, lambda name: config, registry().families("image -> classes"))


@pytest.mark.parametrize("method", ["cam", "integrated_gradients", "occlusion"])
def test_explanations_of_convolutions(method: str, presets: Any) -> None:
    task = reference.task(presets("ResNet")[0])
    found = task.explain(reference.pictures(1)[0], method)
    assert np.isfinite(found.values).all() and np.ptp(found.values) > 0
    assert found.region == (0, 8, 40, 48)
    if method == "integrated_gradients":
        assert found.values.sum() == pytest.approx(float(found.totals[0]), rel=0.02)


def test_tokens_have_no_class_activation_map(presets: Any) -> None:
    task = reference.task(presets("ViT")[0])
    with pytest.raises(OptionError, match="integrated_gradients"):
        task.explain(reference.pictures(1)[0], "cam")
    assert np.ptp(task.explain(reference.pictures(1)[0], "occlusion").values) > 0
    assert task.footprint(reference.pictures(1)[0], repeats=1).flops > 0


def trunk(task: Any) -> dict[Any, np.ndarray]:
    """Values of the backbone's weights."""
    found = task.model.targets(frozenset()).items()
    return {n: np.array(to_numpy(t.variable)) for n, t in found if n[0].startswith("backbone/")}


def test_other_classes_are_learned_on_what_the_preset_knows(presets: Any, tmp_path: Path) -> None:
    folder = presets("VGG")[0]
    task = sa.load("image-classification", folder, device="cpu")
    before = trunk(task)
    black, white = np.zeros((40, 40, 3), "uint8"), np.full((40, 40, 3), 255, "uint8")
    pairs = [(black, "night"), (white, "day")] * 4
    history = task.fit(pairs, epochs=8, learning_rate=0.02, freeze=True, shift=0, erase=0, progress=False)
    assert history.replaced == ("head of 3 classes by one of 2",)
    assert task(black).label == "night" and task(white).label == "day"
    assert all(np.array_equal(before[names], value) for names, value in trunk(task).items())
    again = sa.load("image-classification", task.save(tmp_path / "two"), device="cpu")
    assert again(white).to_dict() == task(white).to_dict()


def test_a_new_network_of_a_presets_form(presets: Any) -> None:
    config = reference.task(presets("VGG")[0]).model.config
    wanted = {name: config[name] for name in ("registered_name", "config", "head")}
    task = sa.new("image-classification", family=IMAGE_CLASSIFIER.family, device="cpu", **wanted)
    pairs = [(picture, label) for picture, label in zip(reference.pictures(), ("a", "b"), strict=True)]
    task.fit(pairs, epochs=1, progress=False)
    assert task(pairs[0][0]).label in ("a", "b")
    with pytest.raises(CheckpointError, match="KerasHub"):
        sa.new("image-classification", family=IMAGE_CLASSIFIER.family)
