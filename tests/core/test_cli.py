"""The command itself: start-up, help, errors and exit codes, lists, and the commands of plugins."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from cli_fakes import HEAVY, plugin, starter_entry, task_spec

import sixarts
from sixarts.cli import doctor, main
from sixarts.cli.table import COMMANDS
from sixarts.plugins import Registry, registry

pytestmark = pytest.mark.quick

ROOT = Path(__file__).parents[2]
Offer = Callable[..., Registry]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Offer]:
    """Makes the given modules the only plugins of the process."""

    def use(**modules: object) -> Registry:
        found = Registry.from_modules(modules)
        monkeypatch.setattr(Registry, "discover", lambda: found)
        registry.cache_clear()
        return found

    yield use
    registry.cache_clear()


def command_module(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    """A module ``acme_cli`` with the given commands."""
    module = types.ModuleType("acme_cli")
    vars(module).update(functions)
    monkeypatch.setitem(sys.modules, "acme_cli", module)


# Start-up.


@pytest.mark.parametrize("arguments", [[], ["--help"], ["--version"], ["tasks"], ["tasks", "--json"]])
def test_light_commands_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from sixarts.cli import main; "
        f"code = main({arguments}); sys.exit(code or [m for m in {HEAVY} if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.replace("no plugin offers a task\n", "")) == (0, "")


def test_help_loads_no_command() -> None:
    code = (
        "import sys; from sixarts.cli import main; main(['--help']); "
        "assert not [m for m in sys.modules if m in ('sixarts.cli.running', 'sixarts.cli.demo')]"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


# Help and documentation.


def test_help_lists_every_command(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer(shout=plugin(sixarts_commands={"shout": "acme_cli:shout"}))
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z]", shown, re.MULTILINE), name
    assert re.search(r"^  shout +Added by acme_cli\.$", shown, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_own_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: sixarts {name} " in shown
    assert "╭" not in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert f"sixarts {name}" in (ROOT / "README.md").read_text(encoding="utf-8")


# Errors and exit codes.


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["taks"], 2, "error: no command 'taks'; the nearest: 'tasks'"),
        (["tasks", "--jsn"], 2, "error: No such option: --jsn"),
        (["models", "shoutin"], 2, "error: no task 'shoutin'; the nearest: 'shouting'"),
        (["run"], 2, "error: Missing argument 'TASK'"),
        (["push", "no/such/folder", "acme/big"], 1, "error: got 'no/such/folder', which is no folder"),
    ],
)
def test_a_mistake_is_one_line(
    offer: Offer, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    offer(shout=plugin(sixarts_tasks=[task_spec()]))
    assert main(arguments) == code
    printed = capsys.readouterr()
    assert printed.err.startswith(message)
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_debug_shows_the_traceback(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    offer()
    monkeypatch.setenv("SIXARTS_DEBUG", "1")
    with pytest.raises(sixarts.errors.UnknownTask):
        main(["models", "shouting"])


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(32, "Broken pipe"), 141, ""),
        (PermissionError(13, "Permission denied", "x"), 1, "error: [Errno 13] Permission denied: 'x'\n"),
        (sixarts.errors.DeviceError("no gpu"), 1, "error: no gpu\n"),
        (sixarts.errors.OptionError("no beams"), 2, "error: no beams\n"),
    ],
)
def test_exit_codes(
    offer: Offer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail() -> None:
        raise error

    command_module(monkeypatch, fail=fail)
    offer(shout=plugin(sixarts_commands={"fail": "acme_cli:fail"}))
    assert main(["fail"]) == code
    assert capsys.readouterr().err == said


def test_a_bug_is_not_hidden(offer: Offer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    command_module(monkeypatch, fail=fail)
    offer(shout=plugin(sixarts_commands={"fail": "acme_cli:fail"}))
    with pytest.raises(ZeroDivisionError):
        main(["fail"])


def test_a_closed_pipe_is_left_quietly() -> None:
    code = (
        "import sys; from sixarts.cli import main, output, listing\n"
        "import sixarts; sixarts.devices = lambda: [str(n) for n in range(200000)]\n"
        "sys.exit(main(['devices']))"
    )
    asked = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert asked.stdout is not None and asked.stderr is not None
    assert asked.stdout.readline() == b"0\n"
    asked.stdout.close()
    assert asked.stderr.read() == b""
    asked.stderr.close()
    assert asked.wait() == 141


# Commands of plugins.


def test_a_plugin_command_is_a_function_or_an_app(
    offer: Offer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shout(text: str, times: int = 1) -> None:
        print(text.upper() * times)

    app = typer.Typer()
    app.command("loud")(shout)
    app.command("soft")(lambda: print("hush"))
    command_module(monkeypatch, shout=shout, app=app)
    offer(shout=plugin(sixarts_commands={"shout": "acme_cli:shout", "voices": "acme_cli:app"}))
    assert main(["shout", "hey", "--times", "2"]) == main(["voices", "soft"]) == 0
    assert capsys.readouterr().out == "HEYHEY\nhush\n"


def test_a_plugin_command_that_does_not_import(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer(shout=plugin(sixarts_commands={"shout": "no_such_module:shout"}))
    assert main(["shout"]) == 1
    assert "imports 'no_such_module', which is not installed" in capsys.readouterr().err
    assert main(["--help"]) == 0


def test_a_plugin_command_does_not_replace_a_builtin_one(
    offer: Offer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command_module(monkeypatch, tasks=lambda: print("mine"))
    offer(**{"acme:shout": plugin(sixarts_commands={"tasks": "acme_cli:tasks"})})
    assert main(["tasks"]) == main(["acme:tasks"]) == 0
    assert capsys.readouterr().out == "mine\n"


# Lists.


def test_tasks(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    lacking = task_spec("whispering", requires=("no_such_library",), extra="soft")
    offer(**{"acme:shout": plugin(sixarts_tasks=[task_spec(aliases=("shout",)), lacking])})
    assert main(["tasks"]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["TASK", "ALIASES", "MODEL", "SUMMARY"]
    assert first.split(maxsplit=3) == ["shouting", "shout", "starter/shout", "Say it louder."]
    assert "pip install 'acme[soft]'" in second
    assert main(["tasks", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(task["name"], bool(task["lacks"])) for task in shown] == [
        ("shouting", False),
        ("whispering", True),
    ]


def test_contested_tasks_are_listed_by_the_names_that_work(
    offer: Offer, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(**{"acme:a": plugin(sixarts_tasks=[task_spec()]), "best:b": plugin(sixarts_tasks=[task_spec()])})
    assert main(["tasks"]) == 0
    assert re.findall(r"^\w+:\w+", capsys.readouterr().out, re.MULTILINE) == [
        "acme:shouting",
        "best:shouting",
    ]


def test_models(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer(shout=plugin(sixarts_tasks=[task_spec()], sixarts_models=[starter_entry("acme:starters/shout")]))
    assert main(["models", "shouting"]) == 0
    assert "starter/shout  shouting  shouter  1.5 MB  CC0-1.0" in capsys.readouterr().out
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["reference"] == "starter/shout"


def test_plugins(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer(shout=plugin(sixarts_task=[]))
    assert main(["plugins"]) == 0
    assert "shout   local 0       broken  no hook is called 'sixarts_task'" in capsys.readouterr().out
    assert main(["plugins", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "broken"


def test_devices(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(vars(sixarts), "devices", lambda: ["cpu", "gpu:0"])
    assert main(["devices"]) == main(["devices", "--json"]) == 0
    assert capsys.readouterr().out == 'cpu\ngpu:0\n[\n  "cpu",\n  "gpu:0"\n]\n'


def test_empty_lists_say_so(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer()
    assert main(["tasks"]) == main(["models"]) == main(["plugins"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == [
        "no plugin offers a task",
        "the catalog is empty",
        "no plugin is installed",
    ]


# Doctor.


@pytest.fixture
def quick_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A doctor that does not start a backend, on a machine without Keras settings."""
    monkeypatch.setitem(doctor.SECTIONS, "devices", lambda: ["cpu"])
    monkeypatch.setenv("SIXARTS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_tells_of_a_broken_plugin(offer: Offer, capsys: pytest.CaptureFixture[str]) -> None:
    offer(shout=plugin(sixarts_task=[]))
    assert main(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert f"sixarts          {sixarts.__version__}" in shown
    assert re.search(r"name +tensorflow\n +why +the default of Keras", shown)
    assert "shout (local 0)  broken: no hook is called 'sixarts_task'; did you mean 'sixarts_tasks'?" in shown


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_as_json(
    offer: Offer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(shout=plugin(sixarts_tasks=[]))
    monkeypatch.setenv("SIXARTS_OFFLINE", "1")
    assert main(["doctor", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["versions"]["python"].startswith("3.")
    assert shown["cache"] | {"folder": ""} == {"folder": "", "size": "0 B", "models": 0, "offline": True}
    assert shown["plugins"][0]["state"] == "ok"


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_survives_every_illness(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ill() -> Any:
        raise RuntimeError("Keras is broken")

    for name in doctor.SECTIONS:
        monkeypatch.setitem(doctor.SECTIONS, name, ill)
    assert main(["doctor"]) == 0
    assert capsys.readouterr().out.count("error  RuntimeError: Keras is broken") == len(doctor.SECTIONS)


def test_doctor_asks_for_devices_in_another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"returncode": 0, "stdout": 'noise\n["cpu", "gpu:0"]\n', "stderr": ""}
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: types.SimpleNamespace(**answers))
    assert doctor.devices() == ["cpu", "gpu:0"]
    answers |= {"returncode": 1, "stderr": "Traceback\nImportError: libcudnn is missing\n"}
    with pytest.raises(RuntimeError, match="the backend does not load: ImportError: libcudnn is missing"):
        doctor.devices()


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_says_why_a_backend_is_active(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = tmp_path / "keras" / "keras.json"
    settings.parent.mkdir()
    settings.write_text('{"backend": "jax"}')
    assert doctor.backend() | {"problem": ""} == {"name": "jax", "why": f"{settings} says so", "problem": ""}
    settings.write_text("no json")
    assert doctor.backend()["why"] == "the default of Keras"
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    assert doctor.backend()["why"] == "KERAS_BACKEND is set"
    assert doctor.backend()["problem"].startswith("unknown; expected one of tensorflow")
