"""What holds of a plugin and its descriptions before anything is loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from sixarts.plugins import registry, resolve
from sixarts.spec import ModelEntry
from sixarts.testing.contract import Subject, check, expect, shown

#: Libraries that no plugin module may load, nor any of its hooks.
# fmt: off
HEAVY = frozenset((
    "PIL", "av", "codecarbon", "cv2", "faiss", "gymnasium", "httpx", "huggingface_hub", "jax", "jaxlib",
    "keras", "keras_hub", "keras_rs", "librosa", "matplotlib", "ml_dtypes", "numba", "numpy", "opencc",
    "pandas", "pyspiel", "requests", "rich", "sacrebleu", "safetensors", "scipy", "sentencepiece", "sklearn",
    "soundfile", "tensorflow", "tokenizers", "torch", "torchvision", "transformers", "typer",
))
# fmt: on
#: Bytes that a starter may have, all of its files together.
STARTER_CAP = 8_000_000

# A finder that notes who asks for a heavy library and refuses it: one import cannot hide another's.
_PROBE = """
import importlib, json, sys
heavy, modules, sys.path[:] = json.load(sys.stdin)
asked = {}

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in heavy:
            asked[current].append(name)
            raise ModuleNotFoundError(f"{name} is heavy", name=name)

sys.meta_path.insert(0, Finder())
for current in modules:
    asked[current] = []
    try:
        module = importlib.import_module(current.partition(":")[0])
        for name, hook in vars(module).items():
            if name.startswith("sixarts_") and hasattr(hook, "sixarts_impl"):
                hook()
    except Exception as error:
        asked[current] = asked[current] or [f"{type(error).__name__}: {error}"]
json.dump(asked, sys.stdout)
"""


@check("plugin")
def plugin_is_ok(subject: Subject) -> None:
    """The plugin loads: its state is ``ok``, or it lacks nothing but an extra."""
    state = subject.plugin
    expect(state.state in ("ok", "needs-extra"), f"the plugin is {state.state}: {state.reason}")


@check("plugin")
def import_is_light(subject: Subject) -> None:
    """Importing the plugin and asking its hooks loads no Keras, backend, NumPy or other heavy library."""
    modules = tuple(state.module for state in registry().states if state.state != "disabled")
    asked = heavy_imports(modules, tuple(sys.path))[subject.plugin.module]
    expect(not asked, f"{subject.plugin.module} imports {', '.join(asked[:5])}; import it where it is used")


@lru_cache(maxsize=8)
def heavy_imports(modules: Sequence[str], path: Sequence[str]) -> dict[str, list[str]]:
    """Module name to the heavy libraries that importing it asks for, found in one fresh process for all."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE],
        input=json.dumps([sorted(HEAVY), list(modules), list(path)]),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@check()
def spec_is_complete(subject: Subject) -> None:
    """The task states a summary, samples, examples, bad inputs, metrics and explanations."""
    spec = subject.spec
    lacks = [
        name
        for name in ("summary", "signatures", "samples", "examples", "bad_inputs", "metrics", "explanations")
        if not getattr(spec, name)
    ]
    expect(not lacks, f"the spec states no {', '.join(lacks)}; expected all of them")
    expect("\n" not in spec.summary, f"summary {shown(spec.summary)} is of several lines; expected one")
    expect(len(spec.samples) > 1, "the spec states one sample; expected two or more, of unlike size")
    expect(not spec.requires or spec.extra, f"requires={spec.requires} without extra; name what installs it")
    for example in spec.examples:
        expect(isinstance(example, tuple) and len(example) == 2, f"example {shown(example)} is no pair")
    for method, targets in spec.explanations.items():
        expect(targets, f"explanation {method!r} states no targets; expected what it explains")


@check()
def classes_are_found(subject: Subject) -> None:
    """The dotted paths of the task and of its families name classes of the right kind."""
    from sixarts.model import Model
    from sixarts.task import Options, Task
    from sixarts.training import Training

    kind = resolve(subject.spec.task)
    expect(isinstance(kind, type) and issubclass(kind, Task), f"{subject.spec.task} is no Task")
    for name, base in (("Options", Options), ("Training", Training)):
        own = getattr(kind, name)
        expect(issubclass(own, base), f"{name} of {kind.__name__} is no sixarts {name}")
        settings = getattr(own, "__dataclass_params__", None)
        expect(settings is not None and settings.frozen, f"{name} of {kind.__name__} is no frozen dataclass")
        # Inherited without @dataclass, a field that the class adds would be no option at all.
        stated = set(vars(own).get("__annotations__", ())) - {each.name for each in fields(own)}
        expect(not stated, f"{name} of {kind.__name__} lacks @dataclass: {', '.join(stated)} are no options")
    for family in subject.offers.get("sixarts_families", ()):
        model = resolve(family.model)
        expect(isinstance(model, type) and issubclass(model, Model), f"{family.model} is no Model")
        expect(model.family == family.name, f"{family.model}.family is {model.family!r}, not {family.name!r}")


@check()
def a_family_serves_it(subject: Subject) -> None:
    """At least one registered family has a signature that the task accepts."""
    signatures = subject.spec.signatures
    expect(
        any(registry().families(signature) for signature in signatures),
        f"no family has a signature of {signatures}; expected one at least",
    )


@check("plugin")
def catalog_is_complete(subject: Subject) -> None:
    """Each catalog entry names a known task and family that fit, a license, a summary, and its source."""
    names = registry()
    for entry in subject.offers.get("sixarts_models", ()):
        where = f"catalog entry {entry.reference!r}"
        spec, family = names.task(entry.task), names.family(entry.family)
        expect(
            family.signature in spec.signatures,
            f"{where}: family {family.name!r} maps {family.signature!r}; expected one of {spec.signatures}",
        )
        expect(entry.license.strip(), f"{where} states no license")
        expect(entry.summary.strip(), f"{where} states no summary")
        expect(entry.folder or entry.source, f"{where} states no source; expected where license was read")
        measured = entry.folder or not (entry.revision or entry.metric)
        expect(measured, f"{where} states a revision or metric of someone else's checkpoint")


@check()
def default_model_is_a_starter(subject: Subject) -> None:
    """What ``load`` takes when no model is named is in the catalog and ships with the plugin."""
    reference = subject.spec.default_model
    found = [entry for entry in registry().models(subject.name) if entry.reference == reference]
    expect(found, f"default_model {reference!r} is in no catalog; expected one of the task's entries")
    expect(found[0].folder, f"default_model {reference!r} is no starter; expected one that needs no network")


@check("plugin")
def starters_are_sound(subject: Subject) -> None:
    """Each starter's folder is there, has at most 8 MB and a manifest that its files match."""
    from sixarts_hub import Manifest
    from sixarts_hub.digest import sha256

    for entry, folder in _starters(subject):
        manifest = Manifest.read(folder)
        there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        extra = there - {"sixarts.json", *manifest.files}
        expect(not extra, f"{entry.reference} holds {', '.join(sorted(extra))}, which sixarts.json lacks")
        for path, listed in manifest.files.items():
            expect(path in there, f"{entry.reference} lacks {path}, which sixarts.json lists")
            same = sha256(folder / path).removeprefix("sha256:") == listed.sha256
            expect(same, f"{path} of {entry.reference} is not what sixarts.json says; save the model again")
        size = sum((folder / path).stat().st_size for path in there)
        expect(size <= STARTER_CAP, f"{entry.reference} has {size:,} bytes; expected {STARTER_CAP:,} at most")
        family = manifest.family == entry.family and manifest.task == entry.task
        expect(family, f"sixarts.json of {entry.reference} is for {manifest.task!r}, {manifest.family!r}")


@check("plugin")
def cards_are_complete(subject: Subject) -> None:
    """Each starter's card has its front matter and sections, and a stated license."""
    from sixarts.card_check import check as problems_of
    from sixarts.card_text import read

    for entry, folder in _starters(subject):
        card = folder / "README.md"
        expect(card.is_file(), f"{entry.reference} has no README.md; expected a model card")
        text = card.read_text(encoding="utf-8")
        problems = problems_of(text, entry.task)
        expect(not problems, f"the card of {entry.reference} is not complete: {'; '.join(problems)}")
        stated = str(read(text)[0]["license"])
        expect(
            stated == entry.license.lower(),
            f"the card of {entry.reference} states the license {stated!r}, the catalog {entry.license!r}",
        )


def _starters(subject: Subject) -> list[tuple[ModelEntry, Path]]:
    found: list[tuple[ModelEntry, Path]] = []
    entries: Any = subject.offers.get("sixarts_models", ())
    for entry in entries:
        if entry.folder is not None:
            folder = registry().starter_folder(entry.reference)
            assert folder is not None
            found.append((entry, folder))
    return found
