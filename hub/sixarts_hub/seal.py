"""What a signature says of a model's files, and whose signatures count.

A digest says that bytes are what ``sixarts.json`` or the hub says; a signature says who said so. Without
anybody to trust, a signature must still say what the files are; with somebody, it must be theirs and cover
every file in use.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sixarts_hub.digest import sha256
from sixarts_hub.errors import BadSignature, HubError
from sixarts_hub.listing import SIGNATURE, File, visible
from sixarts_hub.manifest import FILE as MANIFEST
from sixarts_hub.manifest import Manifest
from sixarts_hub.records import read_record, write_record

_YES = {"1", "true", "yes", "on"}
_log = logging.getLogger("sixarts_hub")


@dataclass(frozen=True)
class Trust:
    """Whose signatures count.

    Attributes:
        anchors: PEM files, each a public key or certificates of authorities; one that vouches is enough.
        required: whether what nobody signed is refused.
        records: folder where it is remembered which signatures hold; ``None`` to forget.
    """

    anchors: tuple[Path, ...] = ()
    required: bool = False
    records: Path | None = None

    @classmethod
    def of(
        cls,
        anchors: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None = None,
        required: bool | None = None,
        records: Path | None = None,
    ) -> Trust:
        """What is given, else what the environment says.

        Args:
            anchors: one path or several; ``SIXARTS_TRUST``, separated as in ``PATH``, when left out.
            required: ``SIXARTS_REQUIRE_SIGNATURE`` when left out.
            records: as the attribute.

        Raises:
            HubError: signatures are required and nobody is trusted.
        """
        if anchors is None:
            anchors = [part for part in os.environ.get("SIXARTS_TRUST", "").split(os.pathsep) if part]
        elif isinstance(anchors, str | os.PathLike):
            anchors = [anchors]
        if required is None:
            required = os.environ.get("SIXARTS_REQUIRE_SIGNATURE", "").strip().lower() in _YES
        if required and not anchors:
            raise HubError(
                "received the wish for signatures and nobody to trust; expected a public key or a "
                "certificate in PEM, as anybody can sign; set SIXARTS_TRUST to its path or pass trust="
            )
        return cls(tuple(Path(anchor).expanduser() for anchor in anchors), required, records)


@dataclass(frozen=True)
class Seal:
    """What the signature of one model says.

    Attributes:
        subject: the model, for messages.
        digests: ``"sha256:<hex>"`` by path; ``None`` where the signature counts in a way that is not read.
        verified: whether somebody who is trusted made it.
    """

    subject: str
    digests: Mapping[str, str] | None
    verified: bool

    def held(self, file: File) -> File:
        """The file with the digest that was signed.

        Raises:
            BadSignature: another digest was signed, or a trusted signature does not cover the file.
        """
        if file.path == SIGNATURE or self.digests is None:
            return file
        signed = self.digests.get(file.path)
        if signed is None:
            if self.verified:
                raise self.uncovered(file.path)
            return file
        if file.digest.startswith("sha256:") and file.digest != signed:
            raise BadSignature(
                f"received {file.path} of {self.subject} as {file.digest}; expected {signed}, which was "
                "signed; take it from its source again, or ask its owner to sign it again"
            )
        return File(file.path, file.size, signed)

    def check_names(self, paths: Iterable[str]) -> None:
        """Hold the names that are there against those that were signed.

        Raises:
            BadSignature: a signed file is not there.
        """
        if gone := sorted(set(self.digests or ()) - set(paths)):
            raise BadSignature(
                f"received {self.subject} without {', '.join(gone[:5])}; expected every file that was "
                "signed; take it from its source again, or ask its owner to sign it again"
            )

    def uncovered(self, path: str) -> BadSignature:
        """The error for a file that a trusted signature does not cover."""
        return BadSignature(
            f"received {path} of {self.subject}, which its signature does not cover; expected every file in "
            "use to be signed; ask its owner to sign it again"
        )


def opened(path: Path, subject: str, trust: Trust) -> Seal:
    """The signature at ``path``, read, and verified where somebody is trusted.

    Args:
        path: of ``model.sig``.
        subject: the model, for messages.
        trust: whose signatures count.

    Raises:
        BadSignature: it is no signature, or not one by anybody who is trusted.
        MissingExtra: it has to be verified and the library is not installed.
    """
    from sixarts_hub import signing

    signature = signing.Signature.read(path, subject)
    if not trust.anchors:
        state = "unverified" if signature.digests is not None else "neither read nor verified"
        advice = "set SIXARTS_TRUST to the public key or the authority of whoever signed it"
        _log.warning("%s is signed, and the signature is %s; %s", subject, state, advice)
        return Seal(subject, signature.digests, verified=False)
    anchors = {anchor: signing.anchor(anchor) for anchor in trust.anchors}
    parts = [hashlib.sha256(part).digest() for part in (signature.data, *anchors.values())]
    key = f"{hashlib.sha256(b''.join(parts)).hexdigest()}.signature.json"
    if trust.records is None or read_record(trust.records / key) is not True:
        signature.verify(path, anchors)
        if trust.records is not None:
            write_record(trust.records / key, True)
    return Seal(subject, signature.digests, verified=True)


def of_folder(folder: Path, subject: str, trust: Trust) -> Seal | None:
    """The signature of a folder on disk, as :func:`opened`; ``None`` where there is none and may be none.

    Raises:
        BadSignature, MissingExtra: as :func:`opened` and :func:`refuse_unsigned` say.
    """
    path = folder / SIGNATURE
    if path.is_file():
        return opened(path, subject, trust)
    refuse_unsigned(subject, trust)
    return None


def check_own_signature(folder: Path, manifest: Manifest) -> None:
    """Hold a folder against its own signature, whoever made it; without one there is nothing to hold.

    Raises:
        BadSignature: it covers not every file, or says other than the files are.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        return
    from sixarts_hub.signing import Signature

    digests = Signature.read(path, str(folder)).digests
    own = files_in(folder, manifest, Seal(str(folder), digests, verified=True))
    if any(file.path == MANIFEST and sha256(folder / MANIFEST) != file.digest for file in own):
        raise BadSignature(
            f"received {folder}, of which {MANIFEST} was changed since it was signed; expected it as it was; "
            f"sign it again with `sixarts sign`, or remove {SIGNATURE}"
        )


def refuse_unsigned(subject: str, trust: Trust) -> None:
    """Refuse a model that nobody signed where ``trust`` asks for signatures.

    Raises:
        BadSignature: it does.
    """
    if trust.required:
        raise BadSignature(
            f"received {subject} without a signature; expected {SIGNATURE} by somebody who is trusted, as "
            "SIXARTS_REQUIRE_SIGNATURE asks; ask its owner to sign it, or lift the requirement"
        )


def files_in(folder: Path, manifest: Manifest | None, seal: Seal | None) -> list[File]:
    """What of a folder is to be checked: what its manifest lists, and what its signature says of it.

    Args:
        folder: on disk, fetched by nobody.
        manifest: what its ``sixarts.json`` says, if it has one; without, its files of a kind allowed count.
        seal: what its signature says, if it has one.

    Raises:
        BadSignature: a signed file is not there, a file in use is not covered, or the two contradict.
    """
    listed = {file.path: file for file in manifest.expected()} if manifest else {}
    if seal is None or seal.digests is None:
        return list(listed.values())
    there = visible(folder)
    seal.check_names(there)
    for path in (*listed, MANIFEST) if manifest else there:
        if path in listed:
            listed[path] = seal.held(listed[path])
        elif path in seal.digests:
            listed[path] = File(path, (folder / path).stat().st_size, seal.digests[path])
        elif seal.verified:
            raise seal.uncovered(path)
    return list(listed.values())
