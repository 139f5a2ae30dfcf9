"""Starting the backend with its start-up log held back: it is not what a command has to say."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

from sixarts.plugins import registry, require


def start_backend(task: str | None = None) -> None:
    """Imports Keras and looks for devices; what they wrote is shown only when that fails.

    A ``task`` that nobody has, or whose extra is missing, is told first: the import takes seconds.
    TensorFlow writes to the file descriptor before any of its own settings can stop it.
    ``SIXARTS_DEBUG=1`` holds nothing back.
    """
    if task is not None:
        require(registry().task(task))
    if "keras" in sys.modules or os.environ.get("SIXARTS_DEBUG"):
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            from sixarts.device import devices

            devices()
        except BaseException:
            log.seek(0)
            with contextlib.suppress(OSError):
                os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
