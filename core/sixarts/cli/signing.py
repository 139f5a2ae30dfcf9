"""``sixarts sign``: a signature over a model folder, in the open standard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sixarts.errors import NotFound


def sign(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A model folder.")],
    key: Annotated[Path, typer.Option("--key", help="A private key: PEM, elliptic curve, no password.")],
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="The key's certificate, in PEM.")
    ] = None,
    authority: Annotated[
        list[Path] | None,
        typer.Option("--authority", help="A certificate between that and the trusted one; repeatable."),
    ] = None,
) -> None:
    """Sign a model folder: write model.sig over sixarts.json and every file that it lists.

    Who trusts the public key, or the certificate's authority, sets SIXARTS_TRUST to its path.
    """
    if not folder.is_dir():
        raise NotFound(f"got {str(folder)!r}, which is no folder; expected one that `sixarts fit` saved")
    from sixarts_hub.signing import sign as signed

    print(signed(folder, key, certificate, authority or ()))
