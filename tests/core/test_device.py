"""Devices: what a name means, and what is said when it means nothing here."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sixarts import device
from sixarts.device import Device, devices
from sixarts.errors import DeviceError
from sixarts.testing.workers import Worker, installed_backends


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a CPU and two GPUs, on JAX."""
    monkeypatch.setattr(device, "devices", lambda: ("cpu:0", "gpu:0", "gpu:1"))
    monkeypatch.setattr(device, "backend", lambda: "jax")
    yield


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("auto", ("gpu:0",)),
        ("cpu", ("cpu:0",)),
        ("CPU:0", ("cpu:0",)),
        ("gpu", ("gpu:0",)),
        ("gpu:1", ("gpu:1",)),
        ("gpu:*", ("gpu:0", "gpu:1")),
        ("cpu:*", ("cpu:0",)),
    ],
)
def test_names(machine: None, name: str, wanted: tuple[str, ...]) -> None:
    assert Device.of(name).names == wanted


@pytest.mark.quick
def test_a_tpu_is_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "devices", lambda: ("cpu:0", "tpu:0", "tpu:1"))
    monkeypatch.setattr(device, "backend", lambda: "jax")
    assert Device.of("tpu").names == ("tpu:0", "tpu:1")
    assert Device.of("tpu:1").names == ("tpu:1",)


@pytest.mark.quick
@pytest.mark.parametrize("name", ["gpu:2", "gpu:7", "tpu", "tpu:*"])
def test_what_is_not_there_is_refused_with_what_is(machine: None, name: str) -> None:
    with pytest.raises(DeviceError, match=rf"{name[:3]}.*here: cpu:0, gpu:0, gpu:1"):
        Device.of(name)


@pytest.mark.quick
@pytest.mark.parametrize(
    ("name", "near"), [("gpuu", "gpu"), ("cuda", ""), ("gpu:one", "gpu:"), ("cpu 0", "cpu"), ("", "")]
)
def test_names_that_are_none_get_the_nearest(machine: None, name: str, near: str) -> None:
    with pytest.raises(DeviceError, match="none of auto") as caught:
        Device.of(name)
    assert near in str(caught.value) and "here: cpu:0, gpu:0, gpu:1" in str(caught.value)


@pytest.mark.quick
def test_many_devices_need_jax(machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "backend", lambda: "torch")
    with pytest.raises(DeviceError, match=r"2 devices.*runs on torch; set KERAS_BACKEND=jax"):
        Device.of("gpu:*")


@pytest.mark.quick
def test_precisions(machine: None) -> None:
    assert Device.of("cpu").policy == "float32"
    assert Device.of("cpu", "bfloat16").policy == "mixed_bfloat16"
    assert Device.of(Device.of("cpu"), "float16") == Device(("cpu:0",), "float16")
    assert str(Device.of("gpu:*", "bfloat16")) == "gpu:0, gpu:1 (bfloat16)"
    for wrong in ("int8", "fp16", ""):
        with pytest.raises(DeviceError, match="expected one of float32, bfloat16, float16"):
            Device.of(Device.of("cpu"), wrong)


def test_the_backend_really_sees_them() -> None:
    assert "cpu:0" in devices()
    assert Device.of().names[0] in devices()
    if not any(name.startswith("gpu") for name in devices()):
        with pytest.raises(DeviceError, match="'gpu' is not seen by Keras on"):
            Device.of("gpu")


def test_every_backend_sees_the_cpu(backends: dict[str, Worker]) -> None:
    for worker in backends.values():
        assert "cpu:0" in worker.call("sixarts.device:devices")


@pytest.mark.skipif("jax" not in installed_backends(), reason="JAX is not installed")
def test_two_devices_answer_and_train_as_one(tmp_path: Path) -> None:
    """Data-parallel on two virtual CPU devices."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[1] / "plugins" / "translation"))
    try:
        import reference
    finally:
        sys.path.pop(0)
    reference.saved(tmp_path / "m", reference.configuration(num_beams=2, bad_words_ids=[[reference.PAD]]))
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    worker = Worker("jax", {"XLA_FLAGS": flags.strip()})
    try:
        found = worker.call("small_networks:parallel_devices", str(tmp_path / "m"))
    finally:
        worker.close()
    assert found["devices"] == ("cpu:0", "cpu:1")
    assert len(found["placed"]) == 2
    one, both = found["cpu"], found["cpu:*"]
    for ours, theirs in zip([*one[0], one[1]], [*both[0], both[1]], strict=True):
        assert ours.text == theirs.text
        assert ours.score == pytest.approx(theirs.score, abs=1e-5)
    np.testing.assert_allclose(found["cpu losses"], found["cpu:* losses"], rtol=1e-5)
    for ours, theirs in zip(found["cpu weights"], found["cpu:* weights"], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.quick
def test_naming_a_device_imports_no_keras() -> None:
    code = "import sys, sixarts.device; assert 'keras' not in sys.modules, 'keras'"
    subprocess.run([sys.executable, "-c", code], check=True)
