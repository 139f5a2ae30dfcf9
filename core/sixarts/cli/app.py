"""The command group: builtin commands from a table, plugins' from the registry, each loaded when called."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import typer.core
import typer.main

import sixarts
from sixarts.errors import UnknownName
from sixarts.plugins import registry, resolve

from .options import Plain, application, off_by_default
from .table import COMMANDS

#: 128 and the number of SIGPIPE.
CLOSED_PIPE = 141


class LazyGroup(typer.core.TyperGroup):
    """A group that knows its commands' names and help without importing them.

    Contexts and formatters are ``Any``: Typer carries its own copy of Click in some versions and
    the installed one in others.
    """

    def get_help_option(self, ctx: Any) -> Any:
        """The ``--help`` option, off unless given; see :class:`Plain`."""
        return off_by_default(super().get_help_option(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a reader that went away gives the code that a shell gives for it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise typer.Exit(CLOSED_PIPE) from None

    def list_commands(self, ctx: Any) -> list[str]:
        """Builtin commands in the table's order, then those of plugins."""
        return [*COMMANDS, *registry().commands()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; a builtin one needs no registry."""
        if cmd_name in COMMANDS:
            return _built(cmd_name, COMMANDS[cmd_name][0])
        if cmd_name.startswith("-"):
            return None
        try:
            return _built(cmd_name, registry().command(cmd_name))
        except UnknownName as error:
            known = self.list_commands(ctx)
            raise UnknownName("command", cmd_name, known, "`sixarts --help` lists them") from error

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list under ``--help``, from the tables alone."""
        rows = [(name, help_line) for name, (_, help_line) in COMMANDS.items()]
        plugins = registry().commands().items()
        rows += [(name, f"Added by {path.partition('.')[0].partition(':')[0]}.") for name, path in plugins]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _built(name: str, path: str) -> Any:
    """A Typer app or a plain function, as the parser's command."""
    found = resolve(path)
    if not isinstance(found, typer.Typer):
        function, found = found, application()
        found.command(name, cls=Plain)(function)
    command = typer.main.get_command(found)
    command.name = name
    return command


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sixarts {sixarts.__version__}")
        raise typer.Exit()


def command() -> Any:
    """The whole ``sixarts`` command, ready to parse."""
    app = application(cls=LazyGroup, invoke_without_command=True)

    @app.callback()
    def _root(
        context: typer.Context,
        version: Annotated[
            bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
        ] = False,
    ) -> None:
        """Six arts of deep learning: name a task, get a trained model's answer."""
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())

    return typer.main.get_command(app)
