"""The ``sixarts`` command.

``main`` is what the shell calls. It turns every error raised on purpose into one line on standard
error; ``SIXARTS_DEBUG=1`` shows the traceback instead. Exit codes: 0 done, 1 failed, 2 asked for
something that does not exist, 130 interrupted, 141 the reader of a pipe went away.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence

from sixarts.errors import AmbiguousName, BadReference, OptionError, SixartsError, UnknownName

__all__ = ["main"]

#: Errors about what was asked for, not about doing it.
_USAGE = (UnknownName, AmbiguousName, OptionError, BadReference)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    from .app import CLOSED_PIPE, command

    _settle_streams()
    # TensorFlow's start-up log is not the command's; who wants it sets the variable.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        code = command().main(
            list(sys.argv[1:] if arguments is None else arguments), prog_name="sixarts", standalone_mode=False
        )
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_stdout()
        return CLOSED_PIPE
    except (Exception, KeyboardInterrupt) as error:
        return _report(error)
    if code == 130:
        print("interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _report(error: BaseException) -> int:
    """Print an error as one line and return its exit code; what nobody foresaw goes on as it is."""
    if os.environ.get("SIXARTS_DEBUG", "") not in ("", "0"):
        raise error
    if isinstance(error, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        return 130
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # the parser's own, on any version
        print(f"error: {error.format_message()}", file=sys.stderr)
        context = getattr(error, "ctx", None)
        if context is not None:
            print(f"see: {context.command_path} --help", file=sys.stderr)
        return int(error.exit_code)
    if isinstance(error, SixartsError | OSError):
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, _USAGE) else 1
    raise error


def _settle_streams() -> None:
    """UTF-8 into pipes and files on every machine; a terminal shows what it can."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and stream.isatty():
            reconfigure(errors="replace")
        elif reconfigure is not None:
            reconfigure(encoding="utf-8")


def _drop_stdout() -> None:
    """Point standard output at nothing, so that the interpreter's last flush cannot fail."""
    with contextlib.suppress(OSError):  # a stream without a descriptor has nothing to flush to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
