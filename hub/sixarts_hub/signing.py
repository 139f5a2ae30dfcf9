"""Signatures in the open standard: ``model.sig`` read, verified and made.

The format is OpenSSF Model Signing (https://github.com/ossf/model-signing-spec): a Sigstore bundle, which is
a DSSE envelope around an in-toto statement with the digest of every file. What it says is read here, with the
base install; whether it holds is left to the ``model-signing`` library.

Verified: keys on the curves P-256, P-384 and P-521 and certificates of a given authority, over whole files
with SHA-256. Not verified: keyless identities, whose root of trust would have to be fetched. As in the
library, neither the expiry nor the revocation of a certificate is looked at.
"""

from __future__ import annotations

import base64
import contextlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sixarts_hub.errors import BadSignature, HubError, MissingExtra
from sixarts_hub.listing import SIGNATURE, visible
from sixarts_hub.manifest import FILE as MANIFEST
from sixarts_hub.manifest import Manifest, verify
from sixarts_hub.records import write_atomically
from sixarts_hub.strict_json import parse

_PREDICATE = "https://model_signing/signature/v1.0"
_SIZE_LIMIT = 16 << 20
_HEX = re.compile(r"[0-9a-f]{64}")
#: What a bundle says of its signer, and the PEM that can vouch for such a one.
_MATERIALS = {"publicKey": "PUBLIC KEY", "x509CertificateChain": "CERTIFICATE"}


@dataclass(frozen=True)
class Signature:
    """A ``model.sig`` as it was read; whether it holds is another question.

    Attributes:
        subject: the model, for messages.
        data: the bundle.
        digests: ``"sha256:<hex>"`` by path; ``None`` if it does not list whole files with SHA-256.
        kind: the PEM that can vouch for its signer: ``"PUBLIC KEY"``, ``"CERTIFICATE"``, or ``None``.
    """

    subject: str
    data: bytes
    digests: Mapping[str, str] | None
    kind: str | None

    @classmethod
    def read(cls, path: Path, subject: str) -> Signature:
        """Read a bundle.

        Raises:
            BadSignature: it is none.
        """
        with path.open("rb") as stream:
            data = stream.read(_SIZE_LIMIT + 1)
        try:
            if len(data) > _SIZE_LIMIT:
                raise ValueError(f"more than {_SIZE_LIMIT} bytes")
            bundle = _object(parse(data))
            payload = base64.b64decode(_object(bundle["dsseEnvelope"])["payload"], validate=True)
            digests = _digests(_object(parse(payload)))
            material = _object(bundle["verificationMaterial"])
        except (ValueError, KeyError, TypeError) as error:
            raise BadSignature(
                f"received a {SIGNATURE} of {subject} that is no signature ({_line(error)}); expected a "
                "Sigstore bundle as `sixarts sign` or `model_signing sign` writes it; ask its owner to sign "
                "it again"
            ) from error
        kind = next((pem for name, pem in _MATERIALS.items() if name in material), None)
        return cls(subject, data, digests, kind)

    def verify(self, path: Path, anchors: Mapping[Path, bytes]) -> None:
        """Hold the signature at ``path`` against each anchor of its kind until one vouches for it.

        Args:
            path: where it was read.
            anchors: what is trusted, as :func:`anchor` reads it.

        Raises:
            BadSignature: none does.
            MissingExtra: the library is not installed.
        """
        if self.digests is None:
            raise BadSignature(
                f"received a signature of {self.subject} that does not list whole files with SHA-256; "
                "expected the standard's default; ask its owner to sign it again"
            )
        fitting = [trusted for trusted, pem in anchors.items() if self.kind and _begins(self.kind) in pem]
        if not fitting:
            raise self._stranger(anchors)
        reasons = []
        for trusted in fitting:
            try:
                signed = _VERIFIERS[str(self.kind)](trusted, path)
            except MissingExtra:
                raise
            except Exception as error:  # whatever the library makes of hostile bytes, they are no signature
                reasons.append(f"{trusted}: {_line(error)}")
                continue
            if signed == self.digests:
                return
            reasons.append(f"{trusted}: other digests were signed than are listed")
        raise BadSignature(
            f"received a signature of {self.subject} that does not hold ({'; '.join(reasons)}); expected one "
            "by whom is trusted; take it from its source again, or trust its signer as well if you know them"
        )

    def _stranger(self, anchors: Mapping[Path, bytes]) -> BadSignature:
        trusted = ", ".join(map(str, anchors))
        if self.kind is None:
            return BadSignature(
                f"received a signature of {self.subject} by an identity without a key; expected one by "
                f"{trusted}; keyless identities are not supported, verify it with `model_signing verify "
                "sigstore`"
            )
        return BadSignature(
            f"received a signature of {self.subject} by a {self.kind.lower()}; expected one by {trusted}; "
            "trust its signer as well if you know them"
        )


def anchor(path: Path) -> bytes:
    """A file to trust: a public key, or certificates of authorities, in PEM.

    Raises:
        HubError: it cannot be read, or is neither.
    """
    advice = "correct SIXARTS_TRUST or trust="
    try:
        with path.open("rb") as stream:
            data = stream.read(_SIZE_LIMIT)
    except OSError as error:
        raise HubError(
            f"received {path} to trust, which cannot be read ({error.strerror}); expected a public key or a "
            f"certificate in PEM; {advice}"
        ) from error
    if not any(_begins(kind) in data for kind in _MATERIALS.values()):
        raise HubError(
            f"received {path} to trust, which is neither a public key nor a certificate in PEM; expected "
            f"{_begins('PUBLIC KEY').decode()} or {_begins('CERTIFICATE').decode()} in it; {advice}"
        )
    return data


def sign(folder: Path, key: Path, certificate: Path | None = None, authorities: Sequence[Path] = ()) -> Path:
    """Sign ``sixarts.json`` and every file that it lists, or in its absence every file of a kind allowed.

    Args:
        folder: the model folder; ``model.sig`` is written into it.
        key: the private key, PEM without a password, on the curve P-256, P-384 or P-521.
        certificate: of that key, PEM; without one, whoever verifies needs the public key.
        authorities: certificates between that one and the authority that is trusted, PEM.

    Raises:
        Corrupt: a file is not what the manifest says.
        MissingExtra: the library is not installed.
        HubError: the key or a certificate cannot be used.
    """
    signing, hashing = _library("signing"), _library("hashing")
    manifest = Manifest.read(folder) if (folder / MANIFEST).is_file() else None
    if manifest:
        verify(folder, manifest)
    paths = [*manifest.files, MANIFEST] if manifest else visible(folder)

    class Listed(hashing.Config):  # type: ignore[misc, name-defined]
        """Hashes the model's files, whatever else lies in its folder."""

        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            return super().hash(model_path, files_to_hash=[folder / path for path in paths])

    draft = folder / f".{SIGNATURE}.draft"
    try:
        config = signing.Config().set_hashing_config(Listed().set_ignored_paths(paths=[SIGNATURE]))
        if certificate:
            # The library takes no empty chain, and a chain that names the certificate again is as good.
            chain = authorities or [certificate]
            config.use_certificate_signer(
                private_key=key, signing_certificate=certificate, certificate_chain=chain
            )
        else:
            config.use_elliptic_key_signer(private_key=key)
        config.sign(folder, draft)
        write_atomically(folder / SIGNATURE, draft.read_bytes())
    except Exception as error:  # the library lets through what several others raise
        raise HubError(
            f"received {type(error).__name__} ({_line(error)}) on signing {folder} with {key}; expected a "
            "private key on P-256, P-384 or P-521, in PEM and without a password, and the certificate of "
            "that key if one is given; `openssl ecparam -name prime256v1 -genkey -noout -out KEY` makes a key"
        ) from error
    finally:
        draft.unlink(missing_ok=True)
    return folder / SIGNATURE


def _digests(statement: Mapping[str, Any]) -> dict[str, str] | None:
    """What an in-toto statement lists, if it lists whole files with SHA-256."""
    if statement["predicateType"] != _PREDICATE:
        return None
    predicate = _object(statement["predicate"])
    way = _object(predicate["serialization"])
    if (way["method"], way["hash_type"]) != ("files", "sha256"):
        return None
    digests: dict[str, str] = {}
    for resource in predicate["resources"]:
        path, digest = resource["name"], resource["digest"]
        if not isinstance(path, str) or path in digests:
            raise ValueError(f"{str(path)[:80]!r} is no name, or stands there twice")
        if resource["algorithm"] != "sha256" or not isinstance(digest, str) or not _HEX.fullmatch(digest):
            raise ValueError(f"{path[:80]!r} has no SHA-256")
        digests[path] = f"sha256:{digest}"
    return digests


def _by_key(trusted: Path, signature: Path) -> dict[str, str]:
    return _signed(lambda config: config.use_elliptic_key_verifier(public_key=trusted), signature)


def _by_certificate(trusted: Path, signature: Path) -> dict[str, str]:
    return _signed(lambda config: config.use_certificate_verifier(certificate_chain=[trusted]), signature)


_VERIFIERS = {"PUBLIC KEY": _by_key, "CERTIFICATE": _by_certificate}


def _signed(trusting: Callable[[Any], Any], signature: Path) -> dict[str, str]:
    """The digests that were signed, once the signature holds.

    The library would hash a whole folder, links refused, and compare. Ours hold links, and only files that
    are in use, and are hashed elsewhere; so what it compares with is somebody who takes note.
    """
    verifying, hashing = _library("verifying"), _library("hashing")

    class Noting(hashing.Config):  # type: ignore[misc, name-defined]
        digests: Mapping[str, str]

        def hash(self, model_path: Any, *, files_to_hash: Any = None) -> Any:
            return self

        def add_ignored_paths(self, *, model_path: Any, paths: Any) -> None:
            """Nothing is hashed, so nothing is ignored."""

        def __eq__(self, signed: Any) -> bool:
            self.digests = {
                each.identifier: f"{each.digest.algorithm}:{each.digest.digest_hex}"
                for each in signed.resource_descriptors()
            }
            return True

    noting = Noting()
    # The library prints a remark on older bundles, and standard output is for answers.
    with contextlib.redirect_stdout(sys.stderr):
        trusting(verifying.Config().set_hashing_config(noting)).verify(signature.parent, signature)
    return dict(noting.digests)


def _library(module: str) -> Any:
    """A module of ``model-signing``, which takes half a second to import."""
    from importlib import import_module

    try:
        return import_module(f"model_signing.{module}")
    except ImportError as error:
        raise MissingExtra(
            "received a signature to verify or a folder to sign; expected the library model-signing, of "
            f"which {error.name or 'a part'} is missing; install it with `pip install 'sixarts[signing]'`"
        ) from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{str(value)[:40]!r} is not an object")
    return value


def _begins(kind: str) -> bytes:
    return f"-----BEGIN {kind}-----".encode()


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200] or type(error).__name__
