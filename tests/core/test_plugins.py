"""The registry: every hook, every way in which a plugin can fail, and names that two plugins claim."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cli_fakes import HEAVY, plugin, starter_entry, task_spec

import sixarts
from sixarts import discovery
from sixarts.errors import AmbiguousName, MissingExtra, PluginError, UnknownFamily, UnknownName, UnknownTask
from sixarts.hookspecs import HOOKS, hookimpl
from sixarts.plugins import PluginState, Registry, registry, require, resolve
from sixarts.spec import FamilySpec, ModelEntry

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
SHOUTER = FamilySpec("shouter", "text -> text", "acme.model:Shouter")


def state_of(module: object, **environment: str) -> PluginState:
    return Registry.from_modules({"acme:shout": module}, environment).states[0]


def install(folder: Path, distribution: str, entries: dict[str, str], body: str = "") -> None:
    """Write a distribution with a plugin module as an installer would."""
    info = folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n\nVersion: this is prose\n"
        + "word " * 4000
    )
    lines = [f"{name} = {module}" for name, module in entries.items()]
    (info / "entry_points.txt").write_text("[sixarts]\n" + "\n".join(lines) + "\n")
    for module in entries.values():
        (folder / f"{module}.py").write_text(
            body
            or 'from sixarts import hookimpl\nAPI_VERSION = "1"\n'
            f'@hookimpl\ndef sixarts_commands():\n    return {{"{module}": "{module}:f"}}\n'
        )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder on the path, and no other plugin but those installed there."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("SIXARTS_PLUGINS", "SIXARTS_DISABLE_PLUGINS", "SIXARTS_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# Every hook.


def test_sixarts_tasks() -> None:
    found = Registry.from_modules({"acme:shout": plugin(sixarts_tasks=[task_spec(aliases=("shout",))])})
    assert [spec.name for spec in found.tasks()] == ["shouting"]
    for name in ("shouting", "shout", "acme:shouting", "acme:shout"):
        assert found.task(name).summary == "Say it louder."


def test_sixarts_families() -> None:
    found = Registry.from_modules({"shout": plugin(sixarts_families=[SHOUTER])})
    assert found.families() == found.families("text -> text") == [found.family("shouter")] == [SHOUTER]
    assert found.families("image -> classes") == []
    with pytest.raises(UnknownFamily, match="no family 'shoutre'; the nearest: 'shouter'"):
        found.family("shoutre")


def test_sixarts_models() -> None:
    entry = ModelEntry("acme/big", "shout", "shouter", "MIT")
    found = Registry.from_modules(
        {"shout": plugin(sixarts_tasks=[task_spec(aliases=("shout",))], sixarts_models=[entry])}
    )
    assert found.models() == found.models("shouting") == found.models("shout") == [entry]


def test_sixarts_hubs() -> None:
    found = Registry.from_modules({"shout": plugin(sixarts_hubs={"acme": "acme.hub:Hub"})})
    assert found.hubs() == {"acme": "acme.hub:Hub"}


def test_sixarts_commands() -> None:
    found = Registry.from_modules({"shout": plugin(sixarts_commands={"shout": "acme.cli:app"})})
    assert found.commands() == {"shout": "acme.cli:app"}
    assert found.command("shout") == "acme.cli:app"
    with pytest.raises(UnknownName, match="no command 'shuot'"):
        found.command("shuot")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_tested_and_documented(hook: str) -> None:
    assert f"def test_{hook}(" in Path(__file__).read_text(encoding="utf-8")
    assert hook in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


# Every way to fail, each with its reason; a good plugin beside it works.


def _takes_an_argument(config: Any) -> list[Any]:
    return []


def _raises() -> list[Any]:
    raise RuntimeError("no luck")


def _wrapper() -> Any:
    return (yield)


def _unmarked() -> Any:
    module = plugin()
    module.sixarts_tasks = list  # type: ignore[attr-defined]
    return module


def _wrapping() -> Any:
    module = plugin()
    module.sixarts_tasks = hookimpl(wrapper=True)(_wrapper)  # type: ignore[attr-defined]
    return module


BROKEN = {
    "misspelt": (plugin(sixarts_task=[]), "no hook is called 'sixarts_task'; did you mean 'sixarts_tasks'"),
    "argument": (plugin(sixarts_tasks=_takes_an_argument), r"'sixarts_tasks'.*'config'.*take no arguments"),
    "raises": (plugin(sixarts_tasks=_raises), "RuntimeError: no luck"),
    "type": (plugin(sixarts_tasks=task_spec()), "returned TaskSpec; expected a list of TaskSpec"),
    "item": (plugin(sixarts_tasks=["shouting"]), "returned str at position 0; expected TaskSpec"),
    "mapping": (plugin(sixarts_commands=["shout"]), "sixarts_commands returned list; expected a dict"),
    "path": (plugin(sixarts_commands={"shout": "acme.cli"}), "'acme.cli'; expected a dotted path"),
    "name": (plugin(sixarts_tasks=[task_spec("Shout!")]), "named 'Shout!'; expected lower case"),
    "string": (plugin(sixarts_tasks=[task_spec(aliases="shout")]), "aliases .*type str; expected a tuple"),
    "twice": (plugin(sixarts_tasks=[task_spec(), task_spec()]), "declares task 'shouting' twice"),
    "folder": (
        plugin(sixarts_models=[starter_entry("acme:../../etc")]),
        "'acme:../../etc'; expected 'package",
    ),
    "absolute": (plugin(sixarts_models=[starter_entry("acme:/etc")]), "'acme:/etc'; expected 'package"),
    "stray": (
        plugin(sixarts_models=[starter_entry("acme:x", "acme/big")]),
        "expected a reference that starts",
    ),
    "unmarked": (_unmarked(), "sixarts_tasks is not marked as a hook; put @hookimpl above it"),
    "wrapper": (_wrapping(), "sixarts_tasks is a wrapper"),
    "empty": (plugin(), "it has no hook; expected at least one of sixarts_tasks"),
    "version": (plugin(api=None, sixarts_tasks=[]), 'states no API_VERSION; write API_VERSION = "1"'),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_is_named_and_the_others_work(case: str) -> None:
    module, reason = BROKEN[case]
    good = plugin(sixarts_tasks=[task_spec("whispering")])
    found = Registry.from_modules({"bad:shout": module, "good:whisper": good})
    states = {state.distribution: state for state in found.states}
    assert states["good"].state == "ok"
    assert states["bad"].state == "broken"
    assert re.search(reason, states["bad"].reason), states["bad"].reason
    assert [spec.name for spec in found.tasks()] == ["whispering"]


def test_a_plugin_that_fails_halfway_is_taken_back_whole() -> None:
    found = Registry.from_modules({"shout": plugin(sixarts_families=[SHOUTER], sixarts_tasks=_raises)})
    assert found.families() == []


def test_an_unknown_optional_hook_is_no_error() -> None:
    module = plugin(sixarts_tasks=[])
    module.sixarts_someday = hookimpl(optionalhook=True)(_raises)  # type: ignore[attr-defined]
    assert state_of(module).state == "ok"


def test_a_plugin_of_another_api_version() -> None:
    state = state_of(plugin(api="2", sixarts_tasks=[]))
    assert state.state == "incompatible"
    assert "written for plugin API 2, this Sixarts has 1" in state.reason


def test_one_module_under_two_names() -> None:
    module = plugin(sixarts_tasks=[task_spec()])
    found = Registry.from_modules({"a": module, "b": module})
    assert [state.state for state in found.states] == ["ok", "broken"]
    assert "registered already, as local:a" in found.states[1].reason


def test_a_failure_is_mentioned_where_a_name_is_missed() -> None:
    found = Registry.from_modules(
        {"shout": plugin(sixarts_task=[]), "ok": plugin(sixarts_tasks=[task_spec()])}
    )
    with pytest.raises(UnknownTask, match="no task 'shoutin'; the nearest: 'shouting'; not loaded: shout"):
        found.task("shoutin")


# Optional dependencies.


def test_a_task_whose_library_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = task_spec(requires=("no_such_library",), extra="loud")
    found = Registry.from_modules({"acme:shout": plugin(sixarts_tasks=[spec])})
    assert found.states[0].state == "needs-extra"
    assert "needs no_such_library; install with: pip install 'acme[loud]'" in found.states[0].reason
    assert found.task("shouting") is spec
    monkeypatch.setattr(Registry, "discover", lambda: found)
    registry.cache_clear()
    try:
        with pytest.raises(MissingExtra, match=r"pip install 'acme\[loud\]'"):
            require(spec)
        require(task_spec(requires=("json",)))
    finally:
        registry.cache_clear()


def test_a_missing_extra_at_import(installed: Path) -> None:
    body = "from sixarts.errors import MissingExtra\nraise MissingExtra('pip install acme[loud]')\n"
    install(installed, "acme", {"shout": "acme_missing_extra"}, body)
    state = next(s for s in Registry.discover().states if s.name == "shout")
    assert (state.state, state.reason) == ("needs-extra", "pip install acme[loud]")


# Names that two plugins claim.


def test_two_distributions_claim_one_name() -> None:
    one, two = task_spec(aliases=("loud",)), task_spec(summary="Say it even louder.")
    found = Registry.from_modules(
        {"acme:shout": plugin(sixarts_tasks=[one]), "Best_Shouts:shout": plugin(sixarts_tasks=[two])}
    )
    assert [state.state for state in found.states] == ["conflict", "conflict"]
    assert "this plugin's is 'acme:shouting'" in found.states[0].reason
    with pytest.raises(AmbiguousName, match="'acme:shouting' or 'best-shouts:shouting'"):
        found.task("shouting")
    assert found.task("acme:shouting") is found.task("loud") is one
    assert found.task("best-shouts:shouting") is found.task("Best_Shouts:shouting") is two
    assert [found.spelling(spec) for spec in found.tasks()] == ["acme:shouting", "best-shouts:shouting"]


def test_two_plugins_of_one_distribution_claim_one_name() -> None:
    found = Registry.from_modules(
        {"acme:a": plugin(sixarts_families=[SHOUTER]), "acme:b": plugin(sixarts_families=[SHOUTER])}
    )
    with pytest.raises(AmbiguousName, match="'a:shouter' or 'b:shouter'"):
        found.family("shouter")
    with pytest.raises(AmbiguousName, match="'a:shouter' or 'b:shouter'"):
        found.family("acme:shouter")
    assert found.family("b:shouter") is SHOUTER


def test_an_alias_does_not_take_a_name() -> None:
    found = Registry.from_modules(
        {
            "acme:a": plugin(sixarts_tasks=[task_spec()]),
            "best:b": plugin(sixarts_tasks=[task_spec("yelling", aliases=("shouting",))]),
        }
    )
    with pytest.raises(AmbiguousName):
        found.task("shouting")
    assert found.task("best:shouting").name == found.task("yelling").name == "yelling"


def test_names_of_sixarts_itself_are_taken() -> None:
    module = plugin(sixarts_commands={"run": "acme.cli:run"}, sixarts_hubs={"hf": "acme.hub:Hub"})
    found = Registry.from_modules({"acme:shout": module})
    assert found.commands() == {"acme:run": "acme.cli:run"}
    assert found.hubs() == {"acme:hf": "acme.hub:Hub"}
    assert found.states[0].state == "conflict"
    assert "command 'run' is Sixarts' own; this plugin's is 'acme:run'" in found.states[0].reason


# What the environment chooses.


@pytest.mark.parametrize(
    ("environment", "loaded"),
    [
        ({}, ["shouting", "whispering"]),
        ({"SIXARTS_PLUGINS": "shout"}, ["shouting"]),
        ({"SIXARTS_PLUGINS": "best, acme:shout"}, ["shouting", "whispering"]),
        ({"SIXARTS_PLUGINS": ""}, []),
        ({"SIXARTS_DISABLE_PLUGINS": "acme"}, ["whispering"]),
        ({"SIXARTS_DISABLE_PLUGINS": "*"}, []),
        ({"SIXARTS_PLUGINS": "shout", "SIXARTS_DISABLE_PLUGINS": "shout"}, []),
    ],
)
def test_the_environment_chooses(environment: dict[str, str], loaded: list[str]) -> None:
    modules = {
        "acme:shout": plugin(sixarts_tasks=[task_spec()]),
        "best:whisper": plugin(sixarts_tasks=[task_spec("whispering")]),
    }
    found = Registry.from_modules(modules, environment)
    assert [spec.name for spec in found.tasks()] == loaded
    assert {state.state for state in found.states} <= {"ok", "disabled"}


def test_a_chosen_plugin_that_is_not_there_is_told() -> None:
    found = Registry.from_modules({"shout": plugin(sixarts_tasks=[])}, {"SIXARTS_PLUGINS": "shoot"})
    state = next(state for state in found.states if state.name == "shoot")
    assert state.state == "broken"
    assert "did you mean 'shout'?" in state.reason


def test_strict_makes_a_failure_an_error() -> None:
    strict = {"SIXARTS_STRICT_PLUGINS": "1"}
    with pytest.raises(PluginError, match="plugin 'shout' of acme is broken: no hook is called"):
        state_of(plugin(sixarts_task=[]), **strict)
    assert state_of(plugin(sixarts_tasks=[]), **strict).state == "ok"


# Real entry points.


def test_installed_plugins_are_found_with_their_distribution(installed: Path) -> None:
    install(installed, "Acme.Shouts", {"shout": "acme_real"})
    found = Registry.discover()
    state = next(state for state in found.states if state.name == "shout")
    assert (state.distribution, state.version, state.state) == ("acme-shouts", "1.2", "ok")
    assert found.command("acme_real") == "acme_real:f"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import no_such_library", "it imports 'no_such_library', which is not installed"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_a_module_that_does_not_import(installed: Path, body: str, reason: str) -> None:
    module = f"acme_fails_{abs(hash(body))}"
    install(installed, "acme", {"shout": module}, body)
    install(installed, "good", {"whisper": f"{module}_good"})
    states = {state.name: state for state in Registry.discover().states}
    assert states["shout"].state == "broken"
    assert reason in states["shout"].reason
    assert states["whisper"].state == "ok"


def test_one_entry_point_name_in_two_distributions(installed: Path) -> None:
    install(installed, "acme", {"shout": "acme_twin"})
    install(installed, "best", {"shout": "best_twin"})
    found = Registry.discover()
    assert {s.distribution for s in found.states if s.name == "shout" and s.state == "ok"} == {"acme", "best"}


def test_a_hundred_plugins_are_found_in_a_tenth_of_a_second(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        install(installed, f"acme-{number}", {f"shout-{number}": f"acme_plugin_{number}"})
        __import__(f"acme_plugin_{number}")  # their own import is not ours
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        found = Registry.discover()
        seconds.append(time.perf_counter() - start)
    assert sum(state.name.startswith("shout-") for state in found.states if state.state == "ok") == 100
    assert min(seconds) < 0.1


# Starters.


def test_a_starter_is_located_without_importing_its_package(installed: Path) -> None:
    folder = installed / "acme_starters" / "starters" / "shout"
    folder.mkdir(parents=True)
    (installed / "acme_starters" / "__init__.py").write_text("raise RuntimeError('imported')")
    entry = starter_entry("acme_starters:starters/shout")
    found = Registry.from_modules({"acme:shout": plugin(sixarts_models=[entry])})
    assert found.starters() == {"shout": "acme_starters:starters/shout"}
    assert found.starter_folder("starter/shout") == found.starter_folder("shout") == folder
    assert found.starter_folder("acme/big") is None
    assert "acme_starters" not in sys.modules


def test_a_starter_whose_folder_is_gone() -> None:
    found = Registry.from_modules({"acme:x": plugin(sixarts_models=[starter_entry("json:no/such")])})
    with pytest.raises(
        PluginError, match="'json:no/such', and no such folder is installed; install acme again"
    ):
        found.starter_folder("starter/shout")


# Dotted paths.


@pytest.mark.parametrize(
    ("dotted", "reason"),
    [
        ("no_such_module:Name", "it imports 'no_such_module', which is not installed"),
        ("json:Jsondecoder", "names 'Jsondecoder', which json does not have; did you mean 'JSONDecoder'?"),
    ],
)
def test_a_dotted_path_that_leads_nowhere(dotted: str, reason: str) -> None:
    with pytest.raises(PluginError) as caught:
        resolve(dotted)
    assert reason in str(caught.value)


def test_a_dotted_path_may_go_inside() -> None:
    assert resolve("json:JSONDecoder.decode") is json.JSONDecoder.decode


# The public face.


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LC_ALL": "C"},
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    "code",
    [
        "import sixarts as sa; sa.plugins(); from sixarts.plugins import hookimpl",
        "from sixarts.plugins import hookimpl; import sixarts as sa; sa.plugins()",
        "from sixarts import plugins, hookimpl; plugins()",
        "import sixarts.plugins, sixarts.errors; sixarts.plugins(); sixarts.plugins.registry()",
    ],
)
def test_plugins_is_a_module_and_a_function_in_any_order(code: str) -> None:
    assert run_python(f"{code}; print('done')") == "done"


@pytest.mark.parametrize("code", ["import sixarts", "import sixarts.plugins; sixarts.plugins()"])
def test_importing_and_discovering_loads_nothing_heavy(code: str) -> None:
    assert run_python(f"{code}; import sys; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_every_public_name_is_where_the_face_looks_for_it() -> None:
    """Read and not imported: half of them would bring Keras."""
    package = Path(sixarts.__file__).parent
    assert {*sixarts._HOMES, *sixarts._MODULES, "__version__"} == {*sixarts.__all__} <= {*dir(sixarts)}
    for name, home in sixarts._HOMES.items():
        body = ast.parse((package / f"{home}.py").read_text(encoding="utf-8")).body
        assigned = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
        names = {getattr(node, "name", None) for node in body} | {getattr(t, "id", None) for t in assigned}
        assert name in names, (name, home)


def test_a_name_that_is_not_public() -> None:
    with pytest.raises(AttributeError, match="module 'sixarts' has no attribute 'lod'"):
        _ = sixarts.lod


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sixarts.__version__ == project["version"]


def test_discovery_reads_the_group_that_the_project_registers_in() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert discovery.GROUP in project["entry-points"]
