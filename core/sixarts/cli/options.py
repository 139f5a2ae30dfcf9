"""What the commands' parameters share: their types, and the options that only a task knows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
import typer.core

from sixarts.errors import OptionError

#: Where a command that takes a task's own options finds them in its context.
_KEY = "sixarts.options"

TaskName = Annotated[str, typer.Argument(metavar="TASK", help="A task's name or alias; see `sixarts tasks`.")]
ModelName = Annotated[
    str | None, typer.Option("--model", help="A reference; see `sixarts models`. Default: the task's own.")
]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu, gpu, gpu:1, gpu:* or tpu.")]
Precision = Annotated[str | None, typer.Option("--precision", help="float32, bfloat16 or float16.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Pairs = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the task; `--KEY VALUE` works as well."),
]


def application(**settings: Any) -> typer.Typer:
    """A Typer app with plain help: the rich one costs three times the start-up."""
    return typer.Typer(
        add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings
    )


class Plain(typer.core.TyperCommand):
    """A command whose ``--help`` costs nothing until it is asked for.

    Typer's own has no default, and it takes pydantic, 0.1 s of imports, to turn ``None`` into ``None``.
    """

    def get_help_option(self, ctx: Any) -> Any:
        """The ``--help`` option, off unless given."""
        return off_by_default(super().get_help_option(ctx))


def off_by_default(option: Any) -> Any:
    """A flag that is ``False`` and not ``None`` when it is not given."""
    if option is not None:
        option.default = False
    return option


class TaskCommand(Plain):
    """A command that keeps ``--key value`` of options it does not know, for the task to judge."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Set the unknown options aside, then parse the rest as usual."""
        names = {name: not getattr(each, "is_flag", False) for each in self.params for name in each.opts}
        rest, ctx.meta[_KEY] = set_aside(args, names | {"--help": False})
        return super().parse_args(ctx, rest)


def set_aside(arguments: Sequence[str], known: dict[str, bool]) -> tuple[list[str], dict[str, Any]]:
    """Split arguments into those that the command knows and options that it does not.

    Args:
        arguments: the command line after the command's name; all after ``--`` is left alone.
        known: the command's options, and whether each takes a value.

    >>> set_aside(["translation", "--beams", "4", "hello", "--json"], {"--json": False})
    (['translation', 'hello', '--json'], {'beams': 4})
    """
    rest: list[str] = []
    options: dict[str, Any] = {}
    left = list(arguments)
    while left:
        word = left.pop(0)
        name, equals, text = word.partition("=")
        if word == "--":
            rest += [word, *left]
            break
        if name in known:
            rest.append(word)
            if known[name] and not equals and left:
                rest.append(left.pop(0))
        elif word.startswith("--") and name[2:3].isalpha():
            if not equals and not left:
                raise OptionError(f"{word} has no value; write {word} VALUE")
            options[_key(name[2:])] = value_of(text if equals else left.pop(0))
        else:
            rest.append(word)
    return rest, options


def task_options(context: typer.Context, pairs: Iterable[str] | None) -> dict[str, Any]:
    """The task's options of this call: unknown ``--key value`` and every ``--option key=value``.

    Raises:
        OptionError: a pair has no ``=``, or one option is given twice.
    """
    options: dict[str, Any] = dict(context.meta.get(_KEY, {}))
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise OptionError(f"--option got {pair!r}; expected KEY=VALUE")
        if _key(name) in options:
            raise OptionError(f"option {name!r} is given twice; give it once")
        options[_key(name)] = value_of(text)
    return options


def value_of(text: str) -> Any:
    """A value from the command line: JSON where it is JSON, else the text itself.

    >>> value_of("4"), value_of("true"), value_of("fr")
    (4, True, 'fr')
    """
    try:
        return json.loads(text)
    except ValueError:
        return text


def _key(name: str) -> str:
    return name.replace("-", "_")
