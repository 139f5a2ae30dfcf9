"""The families that read records, against plain implementations, on every backend that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import record_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sixarts.checkpoint import open_weights
from sixarts.device import Device
from sixarts.errors import CheckpointError, OptionError
from sixarts.labeled import naming
from sixarts.testing.checks_model import randomize
from sixarts_diagnosis.ft_transformer import FtTransformer
from sixarts_diagnosis.logistic import Logistic, solved
from sixarts_diagnosis.mlp_ensemble import MlpEnsemble
from sixarts_diagnosis.record_processor import RecordProcessor

#: XLA is left out: see ``without_xla``.
MANY_NETWORKS = True

drawn = settings(
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    max_examples=2,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def processor(labels: tuple[str, ...] = ("ill", "well")) -> RecordProcessor:
    schema = reference.schema()
    readings = [schema.read(record) for record, _ in reference.records(80)]
    return RecordProcessor.learned_from(schema, readings, labels)


def made(kind: Any, seed: int, labels: tuple[str, ...] = ("ill", "well"), **config: Any) -> Any:
    """A network with weights drawn from a seed."""
    own = processor(labels)
    full = kind.configure(**naming(labels), widths=own.widths, disease="", **config)
    model = kind(full, own, Device.of("cpu"))
    randomize(model, seed)
    return model


def held(model: Any, plain: Any, folder: Path, backends: Mapping[str, Any]) -> None:
    """Logits everywhere within 1e-4 of a plain implementation's, over the file's own weights."""
    model.save(folder)
    features = model.processor.features(
        [model.processor.schema.read(record) for record, _ in reference.records(7, seed=3)]
    )
    stored = open_weights(folder)
    wanted = plain(model.config, {name: stored.read(name) for name in stored}, features)
    assert np.abs(wanted).max() > 1e-2
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(worker.call, "record_reference:logits", folder, features)
            for name, worker in backends.items()
        }
        found = {"here": reference.logits(folder, features)}
        found |= {name: future.result() for name, future in waiting.items()}
    for name, got in found.items():
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4, err_msg=name)


@drawn
@given(
    blocks=st.integers(1, 3),
    heads=st.sampled_from((1, 2, 4)),
    inner=st.integers(3, 9),
    labels=st.sampled_from((("ill", "well"), ("a", "b", "c"))),
    seed=st.integers(0, 99),
)
def test_ft_transformer_is_the_published_one(
    tmp_path_factory: pytest.TempPathFactory,
    backends: Any,
    blocks: int,
    heads: int,
    inner: int,
    labels: Any,
    seed: int,
) -> None:
    model = made(FtTransformer, seed, labels, width=8, blocks=blocks, heads=heads, inner=inner)
    held(model, reference.ft_transformer, tmp_path_factory.mktemp("ft"), backends)


@drawn
@given(
    members=st.integers(1, 4),
    depth=st.integers(1, 2),
    linear=st.booleans(),
    labels=st.sampled_from((("ill", "well"), ("a", "b", "c"))),
    seed=st.integers(0, 99),
)
def test_ensemble_is_its_members_alone(
    tmp_path_factory: pytest.TempPathFactory,
    backends: Any,
    members: int,
    depth: int,
    linear: bool,
    labels: Any,
    seed: int,
) -> None:
    model = made(MlpEnsemble, seed, labels, members=members, hidden=5, depth=depth, linear=linear)
    held(model, reference.mlp_ensemble, tmp_path_factory.mktemp("mlp"), backends)


def test_logistic_is_scikit_learns(tmp_path: Path, backends: Any) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    own = processor()
    pairs = reference.records(120, seed=5)
    features = own.features([own.schema.read(record) for record, _ in pairs])
    classes = np.array([own.labels.index(label) for _, label in pairs])
    for c in (0.1, 1.0):
        weights, bias = solved(features, classes, 2, c)
        other = linear.LogisticRegression(C=c, tol=1e-8, max_iter=5000).fit(features, classes)
        np.testing.assert_allclose(weights[:, 1] - weights[:, 0], other.coef_[0], atol=2e-3)
        np.testing.assert_allclose(bias[1] - bias[0], other.intercept_[0], atol=2e-3)
    three = np.arange(120) % 3
    weights, bias = solved(features, three, 3, 1.0)
    other = linear.LogisticRegression(tol=1e-8, max_iter=5000).fit(features, three)
    mine = features @ weights + bias
    theirs = features @ other.coef_.T + other.intercept_
    np.testing.assert_allclose(mine - mine.mean(1)[:, None], theirs - theirs.mean(1)[:, None], atol=5e-3)
    model = made(Logistic, 4)
    held(model, lambda c, w, x: x @ w["linear.weight"].T + w["linear.bias"], tmp_path, backends)


@pytest.mark.quick
def test_coefficients_can_be_read() -> None:
    model = made(Logistic, 0)
    own = model.processor
    pairs = reference.records(200, seed=5)
    features = own.features([own.schema.read(record) for record, _ in pairs])
    model.prepared(features, np.array([own.labels.index(label) for _, label in pairs]))
    found = model.coefficients("ill")
    assert next(iter(found)) == "age" and found["age"] > 1
    assert found["stage = III"] > found["stage = II"] > found["stage = I"]
    assert set(found) >= {"sex = female", "height missing"} and "age missing" not in found
    assert model.coefficients("well")["age"] == pytest.approx(-found["age"], abs=1e-6)
    with pytest.raises(OptionError, match="expected one of ill, well"):
        model.coefficients("sick")


@pytest.mark.quick
@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        (FtTransformer, {"width": 10, "heads": 4}, "heads that divide"),
        (FtTransformer, {"blocks": 10**6}, "blocks="),
        (MlpEnsemble, {"members": 0}, "members=0"),
        (MlpEnsemble, {"dropout": 2.0}, "dropout="),
        (Logistic, {"c": -1.0}, "c=-1.0"),
        (Logistic, {"disease": "flu", **naming(("ill", "well"))}, "disease in config.json is none of"),
    ],
)
def test_settings_out_of_range_are_named(kind: Any, config: Mapping[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        kind.configure(**config)
    with pytest.raises(OptionError, match="nearest"):
        kind.configure(**{next(iter(kind.defaults)) + "x": 1})


@pytest.mark.quick
def test_config_of_another_schema_is_refused(tmp_path: Path) -> None:
    model = made(MlpEnsemble, 0, members=2, hidden=3)
    model.save(tmp_path)
    text = (tmp_path / "config.json").read_text().replace('"widths": [\n    1,', '"widths": [\n    2,')
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="not of one model"):
        MlpEnsemble.from_folder(tmp_path)


@pytest.mark.quick
def test_a_held_out_record_touches_nothing_but_its_own_answer() -> None:
    """The proof that nothing leaks: a held-out record is changed beyond measure, and no other answer is."""
    pytest.importorskip("sklearn")
    from sixarts_diagnosis import cross_validation as cv
    from sixarts_diagnosis.corpora import folds
    from sixarts_diagnosis.disease_options import DiagnosisTraining
    from sixarts_diagnosis.schema import Reading

    schema = reference.schema()
    pairs = reference.records(40, seed=1)
    readings = [schema.read(record) for record, _ in pairs]
    classes = np.array([int(label == "ill") for _, label in pairs])
    part = folds(classes, 4, 0)
    learns = part[None] != np.arange(4)[:, None]
    training = DiagnosisTraining(epochs=2, batch_size=64)
    grid = [cv.Setting(str(decay), {"members": 2, "hidden": 3}, training) for decay in (1, 2)]
    changed = list(readings)
    victim = int(np.flatnonzero(part == 0)[0])
    changed[victim] = Reading((119.0, 249.0, 44.0, "male", "III"))
    flipped = classes.copy()
    flipped[victim] = 1 - flipped[victim]
    both = ((readings, classes), (changed, flipped))
    before, after = (cv.processors(schema, each, learns) for each in (readings, changed))
    assert before[0].statistics == after[0].statistics
    assert before[1].statistics != after[1].statistics, "the test could not tell"
    chosen = [cv.choices(schema, each, own, learns[:1], grid) for each, own in both]
    assert chosen[0] == chosen[1]
    one = cv.logits_of(schema, readings, classes, learns, grid[0])
    two = cv.logits_of(schema, changed, flipped, learns, grid[0])
    others = np.arange(len(classes)) != victim
    np.testing.assert_array_equal(one[0][others], two[0][others])
    assert np.abs(one[1][others] - two[1][others]).max() > 1e-6, "the test could not tell"
    model = cv.baseline(schema)
    x, y = cv.table(schema, readings), cv.table(schema, changed)
    own = learns[0]
    a = model.fit(x[own], classes[own]).decision_function(x[~own])[1:]
    b = model.fit(y[own], flipped[own]).decision_function(y[~own])[1:]
    np.testing.assert_array_equal(a, b)


@pytest.mark.quick
def test_paired_bootstrap_tells_what_is_better_and_what_is_not() -> None:
    from sixarts_diagnosis.cross_validation import compared

    random = np.random.default_rng(0)
    classes = random.integers(0, 2, 300)
    good = (classes + random.normal(0, 0.6, 300))[None]
    poor = (classes + random.normal(0, 2.0, 300))[None]
    assert compared(classes, good, poor, 200)["AUC"].verdict == "better than it"
    assert compared(classes, poor, good, 200)["AUC"].verdict == "worse than it"
    same = compared(classes, good, good, 200)["AUC"]
    assert same.difference == 0 and same.verdict == "not told apart from it"
