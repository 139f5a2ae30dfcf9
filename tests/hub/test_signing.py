"""Signatures: made, verified, contradicted, stripped; by keys and certificates, like the standard's tool."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from server import HubServer

from conftest import NAME, contents, flip_a_bit
from sixarts_hub import BadSignature, Corrupt, Hub, HubError, Manifest, MissingExtra
from sixarts_hub.listing import SIGNATURE, allowed
from sixarts_hub.seal import Trust
from sixarts_hub.signing import sign

pytestmark = pytest.mark.quick

TOKEN = "hf_" + "a" * 34


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


@pytest.fixture
def make_key(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """Makes a private key and its public key."""

    def make(name: str = "me", curve: ec.EllipticCurve | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(curve or ec.SECP256R1())
        private, public = tmp_path / f"{name}.key", tmp_path / f"{name}.pub"
        private.write_bytes(pem_of(key))
        public.write_bytes(public_pem_of(key))
        return private, public

    return make


def certified(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: Any = None, issuer_key: Any = None
) -> Any:
    """A certificate of a key, by an authority or, without one, as an authority."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    authority = issuer is None
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if authority else issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if not authority:
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        builder = builder.add_extension(usage, critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256())


def test_a_signature_by_whom_is_trusted(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    assert sign(folder, private) == folder / SIGNATURE
    pulled = Hub(home, trust=public, require_signature=True).pull(folder)
    assert pulled.path == folder
    assert pulled.manifest is not None and SIGNATURE not in pulled.manifest.files
    # A file described anew is described without its signature, which is made over the description.
    again = Manifest.of(folder, task="translation", family="marian", api="1")
    assert again.files == pulled.manifest.files


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name)
def test_the_standards_own_tool_agrees(
    curve: ec.EllipticCurve,
    home: Path,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    folder, (private, public) = make_folder(), make_key(curve=curve)
    tool = [sys.executable, "-m", "model_signing"]
    sign(folder, private)
    check = [*tool, "verify", "key", "--public_key", str(public), "--signature", str(folder / SIGNATURE)]
    done = subprocess.run([*check, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / SIGNATURE).unlink()
    make = [*tool, "sign", "key", "--private_key", str(private), "--signature", str(folder / SIGNATURE)]
    done = subprocess.run([*make, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert Hub(home, trust=public, require_signature=True).pull(folder).path == folder


def test_a_stranger_signed(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, _), (_, others) = make_folder(), make_key(), make_key("other")
    sign(folder, private)
    with pytest.raises(BadSignature, match=r"does not hold \(.*other\.pub: Key mismatch"):
        Hub(home, trust=others).pull(folder)


def test_one_of_several_is_enough(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    folder, (private, public), (_, others) = make_folder(), make_key(), make_key("other")
    sign(folder, private)
    monkeypatch.setenv("SIXARTS_TRUST", os.pathsep.join([str(others), str(public)]))
    monkeypatch.setenv("SIXARTS_REQUIRE_SIGNATURE", "1")
    assert Hub(home).pull(folder).path == folder


def test_a_file_was_changed_after_signing(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    sign(folder, private)
    hub = Hub(home, trust=public)
    hub.pull(folder)
    flip_a_bit(folder / "model.safetensors")
    with pytest.raises(Corrupt, match=r"model\.safetensors"):
        hub.pull(folder)


def test_a_manifest_was_changed_with_the_file(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    """Who can change the weights can change their digest in the manifest; nothing but a signature sees it."""
    folder, (private, public) = make_folder(), make_key()
    sign(folder, private)
    flip_a_bit(folder / "model.safetensors")
    Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
    for trust in (public, None):
        with pytest.raises(
            BadSignature, match=r"model\.safetensors of .* as sha256:\w{64}; expected sha256:\w{64}"
        ):
            Hub(home, trust=trust).pull(folder)


def test_unverified_is_told_and_still_held_to(
    home: Path,
    caplog: pytest.LogCaptureFixture,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    folder, (private, _) = make_folder(), make_key()
    sign(folder, private)
    with caplog.at_level(logging.WARNING, "sixarts_hub"):
        Hub(home).pull(folder)
    assert "is unverified; set SIXARTS_TRUST" in caplog.text
    (folder / "sub" / "vocab.txt").unlink()
    with pytest.raises(BadSignature, match=r"without sub/vocab\.txt"):
        Hub(home).pull(folder)


def test_a_stripped_signature(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., Any]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    sign(folder, private).unlink()
    assert Hub(home, trust=public).pull(folder).path == folder
    with pytest.raises(BadSignature, match="without a signature"):
        Hub(home, trust=public, require_signature=True).pull(folder)
    starters = {"tiny": lambda: folder}
    assert (
        Hub(home, trust=public, require_signature=True, starters=starters).pull("starter/tiny").path == folder
    )


def test_a_file_that_the_signature_does_not_cover(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    sign(folder, private)
    (folder / "added.json").write_bytes(b"{}")
    Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
    with pytest.raises(BadSignature, match=r"added\.json of .* does not cover"):
        Hub(home, trust=public).pull(folder)


def test_a_foreign_folder(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    """Without ``sixarts.json`` the signature alone says what the files are."""
    folder, (private, public) = make_folder(), make_key()
    (folder / "sixarts.json").unlink()
    (folder / "modeling.py").write_bytes(b"import os")
    sign(folder, private)
    hub = Hub(home, trust=public)
    assert hub.pull(folder).manifest is None
    assert hub.verify(folder)[0][1] is None
    (folder / "more.json").write_bytes(b"{}")
    with pytest.raises(BadSignature, match=r"more\.json"):
        hub.pull(folder)
    (folder / "more.json").unlink()
    flip_a_bit(folder / "config.json")
    with pytest.raises(Corrupt, match=r"config\.json"):
        hub.pull(folder)
    assert isinstance(hub.verify(folder)[0][1], Corrupt)


def test_a_certificate(home: Path, tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    root_key, own_key, other_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    root = certified("An authority", root_key)
    paths = {}
    for name, content in {
        "key": pem_of(own_key),
        "certificate": certified("A signer", own_key, root, root_key).public_bytes(
            serialization.Encoding.PEM
        ),
        "root": root.public_bytes(serialization.Encoding.PEM),
        "other": certified("Another", other_key).public_bytes(serialization.Encoding.PEM),
        "pub": public_pem_of(own_key),
    }.items():
        paths[name] = tmp_path / f"{name}.pem"
        paths[name].write_bytes(content)
    sign(folder, paths["key"], paths["certificate"])
    assert Hub(home, trust=paths["root"], require_signature=True).pull(folder).path == folder
    with pytest.raises(BadSignature, match=r"does not hold \(.*other\.pem"):
        Hub(home, trust=paths["other"]).pull(folder)
    with pytest.raises(BadSignature, match=r"by a certificate; expected one by .*pub\.pem"):
        Hub(home, trust=paths["pub"]).pull(folder)


def forged(signature: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change what a signature says and keep its cryptographic part."""
    bundle = json.loads(signature.read_bytes())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    change(statement)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    signature.write_text(json.dumps(bundle))


def test_a_forged_statement(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    signature = sign(folder, private)
    flip_a_bit(folder / "model.safetensors")
    manifest = Manifest.of(folder, task="translation", family="marian", api="1")
    digest = manifest.files["model.safetensors"].sha256
    sealed = Hub(home, trust=public)

    def repair(statement: dict[str, Any]) -> None:
        for resource in statement["predicate"]["resources"]:
            if resource["name"] == "model.safetensors":
                resource["digest"] = digest

    forged(signature, repair)
    with pytest.raises(BadSignature, match="does not hold"):
        sealed.pull(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"dsseEnvelope": {"payload": "e30="}, "verificationMaterial": {}}',
        b'{"dsseEnvelope": {"payload": 7}, "verificationMaterial": {}}',
        b'{"dsseEnvelope": [], "verificationMaterial": {}}',
        b"[" * 100_000,
    ],
    ids=["empty", "binary", "list", "no statement", "number", "no envelope", "deep"],
)
def test_no_signature_at_all(
    content: bytes, home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (_, public) = make_folder(), make_key()
    (folder / SIGNATURE).write_bytes(content)
    for trust in (public, None):
        with pytest.raises(BadSignature, match="no signature"):
            Hub(home, trust=trust).pull(folder)


def test_a_path_that_stands_twice_in_a_statement(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    signature = sign(folder, private)
    forged(
        signature,
        lambda statement: statement["predicate"]["resources"].append(statement["predicate"]["resources"][0]),
    )
    with pytest.raises(BadSignature, match="stands there twice"):
        Hub(home, trust=public).pull(folder)


def test_a_way_of_counting_that_is_not_read(
    home: Path,
    caplog: pytest.LogCaptureFixture,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    from model_signing import hashing, signing

    folder, (private, public) = make_folder(), make_key()
    shards = hashing.Config().use_shard_serialization().set_ignored_paths(paths=[SIGNATURE])
    config = signing.Config().use_elliptic_key_signer(private_key=private).set_hashing_config(shards)
    config.sign(folder, folder / SIGNATURE)
    with pytest.raises(BadSignature, match="does not list whole files with SHA-256"):
        Hub(home, trust=public).pull(folder)
    with caplog.at_level(logging.WARNING, "sixarts_hub"):
        assert Hub(home).pull(folder).path == folder
    assert "neither read nor verified" in caplog.text


def test_keyless_identities_are_told_apart(
    home: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, public) = make_folder(), make_key()
    signature = sign(folder, private)
    bundle = json.loads(signature.read_bytes())
    bundle["verificationMaterial"] = {"certificate": {"rawBytes": ""}, "tlogEntries": []}
    signature.write_text(json.dumps(bundle))
    with pytest.raises(BadSignature, match="keyless identities are not supported"):
        Hub(home, trust=public).pull(folder)


def test_what_to_trust_must_be_there_and_be_public(
    home: Path, tmp_path: Path, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, _) = make_folder(), make_key()
    sign(folder, private)
    with pytest.raises(HubError, match=r"nowhere\.pem to trust, which cannot be read"):
        Hub(home, trust=tmp_path / "nowhere.pem").pull(folder)
    with pytest.raises(HubError, match="neither a public key nor a certificate") as caught:
        Hub(home, trust=private).pull(folder)
    assert "PRIVATE" not in str(caught.value)
    with pytest.raises(HubError, match="nobody to trust"):
        Trust.of(required=True)


def test_a_key_that_cannot_sign(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    folder, key = make_folder(), tmp_path / "k1.key"
    key.write_bytes(pem_of(ec.generate_private_key(ec.SECP256K1())))
    with pytest.raises(HubError, match="P-256"):
        sign(folder, key)
    with pytest.raises(HubError, match="FileNotFoundError"):
        sign(folder, tmp_path / "none.key")
    assert sorted(path.name for path in folder.iterdir() if "sig" in path.name) == []


def test_a_broken_folder_is_not_signed(
    make_folder: Callable[..., Path], make_key: Callable[..., Any]
) -> None:
    folder, (private, _) = make_folder(), make_key()
    flip_a_bit(folder / "model.safetensors")
    with pytest.raises(Corrupt):
        sign(folder, private)
    assert not (folder / SIGNATURE).exists()


def test_without_the_library(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    folder, (private, public) = make_folder(), make_key()
    sign(folder, private)
    for name in [name for name in sys.modules if name.partition(".")[0] == "model_signing"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    with pytest.raises(MissingExtra, match=r"pip install 'sixarts\[signing\]'"):
        Hub(home, trust=public).pull(folder)
    with pytest.raises(MissingExtra, match=r"pip install 'sixarts\[signing\]'"):
        sign(folder, private)
    # What it says is still held against the files.
    assert Hub(home).pull(folder).path == folder


def test_verified_once(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    """A second load looks the signature up; another key or another signature is verified anew."""
    folder, (private, public), (_, others) = make_folder(), make_key(), make_key("other")
    sign(folder, private)
    Hub(home, trust=public).pull(folder)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "model_signing", None)
        patch.delitem(sys.modules, "model_signing.verifying", raising=False)
        assert Hub(home, trust=public).pull(folder).path == folder
        with pytest.raises(MissingExtra):
            Hub(home, trust=others).pull(folder)
    with pytest.raises(BadSignature):
        Hub(home, trust=others).pull(folder)
    shutil.copytree(folder, folder.with_name("copy"))
    forged(folder.with_name("copy") / SIGNATURE, lambda statement: statement.update(_type="other"))
    with pytest.raises(BadSignature):
        Hub(home, trust=public).pull(folder.with_name("copy"))


def test_a_signed_model_on_a_hub(
    server: HubServer,
    home: Path,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    folder, (private, public), (_, others) = make_folder(), make_key(), make_key("other")
    sign(folder, private)
    sealed = Hub(home, server.url, offline=False, trust=public, require_signature=True)
    sealed.push(folder, NAME, token=TOKEN)
    pulled = sealed.pull(NAME)
    assert contents(pulled.path) == contents(folder)
    assert sealed.verify(NAME)[0][1] is None
    with pytest.raises(BadSignature, match="does not hold"):
        Hub(home.with_name("other"), server.url, offline=False, trust=others).pull(NAME)
    # Whom to trust is asked at every load, also of what is cached.
    with pytest.raises(BadSignature, match="does not hold"):
        Hub(home, server.url, offline=True, trust=others).pull(NAME)
    # Nothing of a model that a stranger signed was fetched but the signature.
    assert [path.name for path in home.with_name("other").rglob("snapshots/*/*")] == [SIGNATURE]


def test_a_hub_that_changes_a_signed_model(
    server: HubServer,
    home: Path,
    make_folder: Callable[..., Path],
    make_key: Callable[..., tuple[Path, Path]],
) -> None:
    """A hub gives no SHA-256 of small files, and its own word for the weights: the signature holds both."""
    folder, (private, public) = make_folder(), make_key()
    (folder / "sixarts.json").unlink()
    sign(folder, private)
    honest = contents(folder)
    hub = Hub(home, server.url, offline=False, trust=public, require_signature=True)
    for path in ("config.json", "model.safetensors"):
        server.add(NAME, {**honest, path: honest[path][:-1] + b"?"})
        with pytest.raises((BadSignature, Corrupt), match=path):
            hub.pull(NAME, update=True)
    server.add(NAME, {**honest, "added.json": b"{}"})
    with pytest.raises(BadSignature, match=r"added\.json .*does not cover"):
        hub.pull(NAME, update=True)
    # What is not used need not be covered.
    assert hub.pull(NAME, lambda *_: ["config.json"], update=True).manifest is None
    server.add(NAME, {path: body for path, body in honest.items() if path != "README.md"})
    with pytest.raises(BadSignature, match=r"without README\.md"):
        hub.pull(NAME, lambda *_: ["config.json"], update=True)
    server.add(NAME, {path: body for path, body in honest.items() if path != SIGNATURE})
    with pytest.raises(BadSignature, match="without a signature"):
        hub.pull(NAME, update=True)
    server.add(NAME, honest)
    assert contents(hub.pull(NAME, update=True).path) == honest


def test_a_published_signature_is_of_what_is_published(
    server: HubServer, hub: Hub, make_folder: Callable[..., Path], make_key: Callable[..., tuple[Path, Path]]
) -> None:
    folder, (private, _) = make_folder(), make_key()
    sign(folder, private)
    hub.push(folder, NAME, token=TOKEN)
    (folder / "README.md").write_bytes(b"# Changed")
    Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
    before = server.repos[NAME].branches["main"]
    with pytest.raises(BadSignature, match=r"README\.md"):
        hub.push(folder, NAME, token=TOKEN)
    assert server.repos[NAME].branches["main"] == before
    # Unsigned anew, it takes the old signature away.
    (folder / SIGNATURE).unlink()
    hub.push(folder, NAME, token=TOKEN)
    assert contents(hub.pull(NAME, update=True).path) == contents(folder)


def test_the_kind_is_allowed() -> None:
    assert allowed("model.sig")
    assert not allowed("weights.sig")
