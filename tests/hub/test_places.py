"""Places by URL scheme: a bucket on a server that speaks S3, memory, disk; held to what a hub is held to."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import FILES, contents, flip_a_bit
from sixarts_hub import (
    BadReference,
    BadSignature,
    Corrupt,
    Hub,
    HubError,
    Manifest,
    MissingExtra,
    NotFound,
    Offline,
    Reference,
    UnsafeFile,
)
from sixarts_hub.lockfile import Lockfile
from sixarts_hub.locking import check, lock, match
from sixarts_hub.reference import masked
from sixarts_hub.signing import sign

BUCKET = "models"


class Bucket:
    """A bucket on a server on loopback that speaks S3; it counts what it is asked for."""

    def __init__(self) -> None:
        from moto.server import ThreadedMotoServer

        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self.requests: list[str] = []
        self.ranges: list[tuple[str, str]] = []
        #: Called with method and path before a request is answered.
        self.meanwhile: Callable[[str, str], None] = lambda method, path: None
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        served = self._server._server.app  # type: ignore[union-attr]

        def counting(environ: Any, start: Any) -> Any:
            call = environ["REQUEST_METHOD"], environ["PATH_INFO"]
            self.requests.append(" ".join(call))
            self.ranges.append((call[1], environ.get("HTTP_RANGE", "")))
            self.meanwhile(*call)
            return served(environ, start)

        self._server._server.app = counting  # type: ignore[union-attr]
        self.client.create_bucket(Bucket=BUCKET)
        self.requests.clear()

    @property
    def client(self) -> Any:
        import boto3

        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def fill(self, prefix: str, files: dict[str, bytes]) -> str:
        for path, body in files.items():
            self.put(f"{prefix}/{path}", body)
        self.requests.clear()
        return f"s3://{BUCKET}/{prefix}"

    def gets(self, name: str) -> list[str]:
        return [line for line in self.requests if line.startswith("GET") and line.endswith(name)]

    def close(self) -> None:
        self._server.stop()


@pytest.fixture(scope="module")
def served() -> Iterator[Bucket]:
    keys = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "a-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in (*keys, "AWS_ENDPOINT_URL")}
    os.environ.update(keys)
    bucket = Bucket()
    os.environ["AWS_ENDPOINT_URL"] = bucket.url
    yield bucket
    bucket.close()
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@pytest.fixture
def bucket(served: Bucket) -> Iterator[Bucket]:
    """The bucket, empty."""
    for entry in served.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        served.client.delete_object(Bucket=BUCKET, Key=entry["Key"])
    served.requests.clear()
    yield served
    served.meanwhile = lambda method, path: None


@pytest.fixture
def hub(home: Path) -> Hub:
    return Hub(home, offline=False)


def model(make_folder: Callable[..., Path], **how: Any) -> dict[str, bytes]:
    return contents(make_folder(**how))


#: Where a test puts files, by scheme; the same is true of each.
Placed = Callable[[dict[str, bytes]], str]


@pytest.fixture(params=["s3", pytest.param("memory", marks=pytest.mark.quick), "file"])
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Placed:
    """Puts files at a place of each kind and gives its address."""
    if request.param == "s3":
        bucket: Bucket = request.getfixturevalue("bucket")
        return lambda files: bucket.fill("team/model", files)

    def placed(files: dict[str, bytes]) -> str:
        import fsspec

        address = f"memory://{tmp_path.name}/m" if request.param == "memory" else f"file://{tmp_path}/place"
        opened = fsspec.filesystem(request.param)
        root = address.removeprefix(f"{request.param}://")
        for path, body in files.items():
            opened.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
            opened.pipe(f"{root}/{path}", body)
        return address

    return placed


def test_a_model_with_a_manifest(hub: Hub, put: Placed, make_folder: Callable[..., Path]) -> None:
    files = model(make_folder)
    address = put({**files, "stray.txt": b"not listed", "evil.py": b"import os"})
    pulled = hub.pull(address)
    assert contents(pulled.path) == files
    assert pulled.commit == hashlib.sha256(files["sixarts.json"]).hexdigest()[:40]
    assert pulled.manifest is not None and pulled.manifest.task == "translation"
    assert str(pulled.reference) == address


def test_a_second_load_asks_nothing(
    hub: Hub, home: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    files = model(make_folder)
    first = hub.pull(put(files)).path
    put({"config.json": b"changed since"})
    import fsspec.core

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the place was opened")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fsspec.core, "url_to_fs", forbidden)
        patch.setattr(socket.socket, "connect", forbidden)
        for offline in (False, True):
            again = Hub(home, offline=offline).pull(str(hub.cached()[0].reference))
            assert (again.path, contents(again.path)) == (first, files)


def test_an_update_takes_what_is_there_now(hub: Hub, put: Placed, make_folder: Callable[..., Path]) -> None:
    old, new = model(make_folder), model(make_folder, name="new", weights=b"others" * 99)
    address = put(old)
    before = hub.pull(address)
    put(new)
    assert hub.pull(address).commit == before.commit
    after = hub.pull(address, update=True)
    assert contents(after.path) == new
    assert hub.pull(address).path == after.path
    # What both have is here once, and came once.
    (blob,) = {path.resolve() for path in hub.home.rglob("snapshots/*/config.json")}
    assert blob.read_bytes() == old["config.json"]
    # The old commit is still here, by its name, and is nowhere else.
    assert contents(hub.pull(f"{address}@{before.commit}").path) == old
    assert {str(entry.reference) for entry in hub.cached()} == {address, f"{address}@{before.commit}"}
    assert hub.remove(f"{address}@{before.commit}") > 0
    with pytest.raises(NotFound, match=f"received {after.commit}, which lies there now"):
        hub.pull(f"{address}@{before.commit}")


def test_a_foreign_checkpoint_is_recorded_at_first(
    hub: Hub, home: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    chosen = ("config.json", "model.safetensors")
    address = put({**FILES, "sub/vocab.json": b"{}"})
    pulled = hub.pull(address, lambda listing, read: [path for path in listing.paths if path in chosen])
    assert set(contents(pulled.path)) == set(chosen)
    assert pulled.manifest is None
    weights = pulled.path / "model.safetensors"
    flip_a_bit(weights)
    expected = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    with pytest.raises(Corrupt, match=expected):
        Hub(home, offline=True).pull(address, lambda *_: chosen)
    # With the place at hand, what is wrong is fetched anew.
    assert hub.pull(address, lambda *_: chosen).path == pulled.path
    assert weights.read_bytes() == FILES["model.safetensors"]


def test_wrong_bytes_of_the_right_length(
    hub: Hub, home: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    files = model(make_folder)
    right = files["model.safetensors"]
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    address = put({**files, "model.safetensors": wrong})
    with pytest.raises(Corrupt) as caught:
        hub.pull(address)
    for digest in (hashlib.sha256(wrong).hexdigest(), hashlib.sha256(right).hexdigest()):
        assert digest in str(caught.value)
    assert "fetched twice" in str(caught.value)
    assert not list(home.rglob("snapshots/*/model.safetensors"))
    assert [path.read_bytes() for path in home.rglob("quarantine/*")] == [wrong]
    # Once it is mended, the next call takes it: nothing of the failure was recorded.
    put({"model.safetensors": right})
    assert contents(hub.pull(address).path) == files


def test_an_upload_that_was_not_over(hub: Hub, put: Placed, make_folder: Callable[..., Path]) -> None:
    files = model(make_folder)
    weights = files.pop("model.safetensors")
    address = put(files)
    with pytest.raises(HubError, match=r"model\.safetensors"):
        hub.pull(address)
    put({"model.safetensors": weights})
    assert contents(hub.pull(address).path) == {**files, "model.safetensors": weights}


def test_offline_names_what_is_missing(home: Path, put: Placed, make_folder: Callable[..., Path]) -> None:
    address = put(model(make_folder))
    with pytest.raises(Offline, match=f"sixarts pull {address}"):
        Hub(home, offline=True).pull(address)
    pulled = Hub(home, offline=False).pull(address)
    (pulled.path / "sub" / "vocab.txt").unlink()
    with pytest.raises(Offline, match=r"sub/vocab\.txt is not cached"):
        Hub(home, offline=True).pull(address)


def test_nothing_is_there(hub: Hub, put: Placed) -> None:
    address = put({"config.json": b"{}"})
    with pytest.raises(NotFound, match="check the address"):
        hub.pull(f"{address}-elsewhere")


def test_code_is_never_fetched(hub: Hub, home: Path, put: Placed) -> None:
    address = put(FILES)
    hub.pull(address)
    assert not [path for path in home.rglob("*") if path.is_file() and b"import os" in path.read_bytes()]
    with pytest.raises(UnsafeFile, match=r"modeling\.py"):
        hub.pull(address, lambda *_: ["modeling.py"], update=True)


def test_push_and_pull(hub: Hub, tmp_path: Path, put: Placed, make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    (folder / ".hidden").write_bytes(b"")
    address = put({"left.txt": b"of somebody else"})
    planned = hub.push(folder, address, dry_run=True)
    assert planned.commit is None
    assert {file.standing for file in planned.files} == {"new"}
    with pytest.raises(HubError):
        Hub(tmp_path / "other", offline=False).pull(address, lambda *_: ["sixarts.json"])
    pushed = hub.push(folder, address)
    assert str(pushed).startswith(f"{address}@{pushed.commit}: 5 new")
    pulled = Hub(tmp_path / "other", offline=False).pull(address)
    whole = {path: body for path, body in contents(folder).items() if path != ".hidden"}
    assert (contents(pulled.path), pulled.commit) == (whole, pushed.commit)
    assert {file.standing for file in hub.push(folder, address, dry_run=True).files} == {"unchanged"}


def test_pushing_moves_what_a_load_means(hub: Hub, put: Placed, make_folder: Callable[..., Path]) -> None:
    address = put(model(make_folder))
    hub.pull(address)
    pushed = hub.push(make_folder("new", weights=b"better" * 50), address)
    assert hub.pull(address).commit == pushed.commit


def test_a_push_that_no_place_takes(
    hub: Hub, home: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    folder, address = make_folder(), put({"left.txt": b""})
    for options in ({"private": True}, {"create_pr": True}, {"token": "t"}, {"revision": "dev"}):
        with pytest.raises(HubError, match=next(iter(options))):
            hub.push(folder, address, **options)
    with pytest.raises(Offline):
        Hub(home, offline=True).push(folder, address)
    assert {file.standing for file in Hub(home, offline=True).push(folder, address, dry_run=True).files} == {
        "unknown"
    }
    flip_a_bit(folder / "config.json")
    with pytest.raises(Corrupt):
        hub.push(folder, address)
    with pytest.raises(NotFound):
        hub.pull(address, lambda *_: ["sixarts.json"])


def test_a_signature_goes_along(
    home: Path, tmp_path: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / "key", tmp_path / "key.pub"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    folder, address = make_folder(), put({"left.txt": b""})
    hub = Hub(home, offline=False, trust=public, require_signature=True)
    hub.push(folder, address)
    with pytest.raises(BadSignature, match=f"received {address} without a signature"):
        hub.pull(address)
    sign(folder, private)
    hub.push(folder, address)
    pulled = hub.pull(address, update=True)
    assert (pulled.path / "model.sig").is_file()
    # Weights and manifest of somebody else, under the signature that was there.
    new = model(make_folder, name="new", weights=b"others" * 99)
    put(new)
    with pytest.raises((BadSignature, Corrupt), match=r"sixarts\.json|model\.safetensors"):
        hub.pull(address, update=True)
    # Who publishes anew takes the old signature away.
    hub.push(tmp_path / "new", address)
    assert contents(Hub(home, offline=False).pull(address, update=True).path) == new


def test_the_cache_tells_of_places(
    hub: Hub, home: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    address = put(model(make_folder))
    pulled = hub.pull(address)
    assert hub.resolve(address) == pulled.commit
    (entry,) = hub.cached()
    assert (str(entry.reference), entry.commit, entry.path) == (address, pulled.commit, pulled.path)
    assert hub.size() > entry.size
    assert hub.verify() == hub.verify(address) == [(entry, None)]
    flip_a_bit(pulled.path / "config.json")
    ((_, problem),) = Hub(home, offline=True).verify(address)
    assert isinstance(problem, Corrupt)
    assert hub.verify(address, repair=True) == [(entry, None)]
    assert hub.prune(keep_last=0, dry_run=True).in_use == (entry,)
    assert hub.remove(address) >= entry.size
    assert hub.cached() == []
    with pytest.raises(NotFound):
        hub.verify(address)


def test_names_that_differ_by_case_are_two_places(hub: Hub, bucket: Bucket) -> None:
    lower = bucket.fill("team/model", {"config.json": b'{"a": 1}'})
    upper = bucket.fill("team/Model", {"config.json": b'{"a": 2}'})
    folders = {hub.pull(address).path for address in (lower, upper)}
    assert len({str(path.parents[1]).casefold() for path in folders}) == 2
    assert {str(entry.reference) for entry in hub.cached()} == {lower, upper}


@pytest.mark.parametrize("body", [b"", b"x"], ids=["empty", "full"])
@pytest.mark.parametrize(
    "key", ["sub\\vocab.txt", "sub//vocab.txt", "../up.txt", "./here.txt", "CON", "Config.json"]
)
def test_hostile_keys(key: str, body: bytes, hub: Hub, home: Path, bucket: Bucket) -> None:
    address = bucket.fill("team/model", {"config.json": b"{}", key: body})
    with pytest.raises(UnsafeFile):
        hub.pull(address)
    assert not [line for line in bucket.requests if line.startswith("GET") and "config" in line]
    assert not list(home.rglob("*.json"))


def test_folders_as_consoles_draw_them(hub: Hub, bucket: Bucket) -> None:
    address = bucket.fill("team/model", {"": b"", "config.json": b"{}", "sub/": b"", "sub/vocab.txt": b"a"})
    bucket.put("team/modelling/config.json", b"another's")
    assert contents(hub.pull(address).path) == {"config.json": b"{}", "sub/vocab.txt": b"a"}
    bucket.put("team/model/full/", b"content under a name of no file")
    with pytest.raises(UnsafeFile):
        hub.pull(address, update=True)


def test_a_file_that_is_changed_while_it_is_fetched(hub: Hub, home: Path, bucket: Bucket) -> None:
    address = bucket.fill("team/model", FILES)
    changed = FILES["model.safetensors"][::-1]

    def change(method: str, path: str) -> None:
        if method == "GET" and path.endswith("model.safetensors"):
            bucket.meanwhile = lambda method, path: None
            bucket.put("team/model/model.safetensors", changed)

    bucket.meanwhile = change
    with pytest.raises((Corrupt, NotFound)):
        hub.pull(address)
    assert not list(home.rglob("snapshots/*/model.safetensors"))
    # The next call finds one model, the new one.
    pulled = hub.pull(address)
    assert (pulled.path / "model.safetensors").read_bytes() == changed


def test_a_file_that_changed_between_listing_and_fetch(hub: Hub, bucket: Bucket) -> None:
    address = bucket.fill("team/model", FILES)

    def choose(listing: Any, read: Callable[[str], bytes]) -> list[str]:
        read("config.json")
        bucket.put("team/model/model.safetensors", FILES["model.safetensors"][::-1])
        return ["config.json", "model.safetensors"]

    with pytest.raises(Corrupt, match="while it was changed"):
        hub.pull(address, choose)


def size_of(path: Path) -> int:
    """Bytes of a file; none of one that has just become whole, and has another name."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_killed_in_the_middle(home: Path, hub: Hub, bucket: Bucket, make_folder: Callable[..., Path]) -> None:
    weights = os.urandom(40 << 20)
    files = model(make_folder, weights=weights)
    address = bucket.fill("team/model", files)
    program = f"from sixarts_hub import Hub; Hub({str(home)!r}, offline=False).pull({address!r})"
    partly = threading.Event()
    bucket.meanwhile = lambda method, path: None
    process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        arrived = [size_of(path) for path in home.rglob("*.incomplete")]
        if any(0 < size < len(weights) and size > 1 << 20 for size in arrived):
            partly.set()
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.kill()
    process.wait(60)
    assert partly.is_set() and process.returncode == -signal.SIGKILL
    for path in home.rglob("snapshots/*/model.safetensors"):
        pytest.fail(f"{path} is taken for whole")
    kept = max(path.stat().st_size for path in home.rglob("*.incomplete"))
    bucket.ranges.clear()
    with pytest.raises(Offline):
        Hub(home, offline=True).pull(address)
    assert contents(hub.pull(address).path) == files
    asked = [ranged for path, ranged in bucket.ranges if path.endswith("model.safetensors") and ranged]
    assert asked and min(int(ranged.partition("=")[2].partition("-")[0]) for ranged in asked) == kept


def test_no_permission_and_no_server(
    hub: Hub, home: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, make_folder: Callable[..., Path]
) -> None:
    bucket.fill("team/model", model(make_folder))
    with pytest.raises(NotFound, match="not-a-bucket-here"):
        hub.pull("s3://not-a-bucket-here/model")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", gone)
    program = (
        "import logging\nfrom sixarts_hub import Hub, HubError\n"
        f"try:\n    Hub({str(home / 'other')!r}, offline=False).pull('s3://{BUCKET}/team/model')\n"
        "except HubError as error:\n    print(type(error).__name__, error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
    assert done.stdout.startswith("Unreachable"), done.stdout + done.stderr
    assert "a-secret-key" not in done.stdout + done.stderr


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "s3://me:TOPSECRET@bucket/model",
        "s3://bucket/model?token=TOPSECRET",
        "s3://bucket/model#TOPSECRET",
        "sftp://me:TOPSECRET@host/model",
        "https://me:TOPSECRET@host/model?X-Amz-Signature=TOPSECRET",
        "hf://me:TOPSECRET@host/model",
        "s3://me:TOP/TOPSECRET@bucket/model",
    ],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(
    text: str, hub: Hub, make_folder: Callable[..., Path]
) -> None:
    for attempt in (Reference.parse, hub.pull, hub.remove, lambda text: hub.push(make_folder(), text)):
        with pytest.raises(BadReference) as caught:
            attempt(text)
        assert "TOPSECRET" not in str(caught.value)
        break_free = caught.value.__cause__ or caught.value.__context__
        assert break_free is None or "TOPSECRET" not in str(break_free)
        if attempt == hub.remove:
            break
    assert "TOPSECRET" not in masked(text)


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket",
        "s3://bucket/",
        "s3://",
        "s3:///model",
        "s3://bucket//model",
        "s3://bucket/../model",
        "s3://bucket/a::zip://b",
        "simplecache::s3://bucket/model",
        "zip://model.zip",
        "file://model",
        "file:///",
        "s3://bucket/mo\\del",
        "s3://bucket/mo\u200bdel",
        "s3://bucket/" + "x" * 1100,
        "S3://bucket/model",
    ],
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(BadReference):
        Reference.parse(text)


@pytest.mark.quick
@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/model",
        "gs://bucket/team/model",
        "az://container/model",
        "abfs://container@account.dfs.core.windows.net/model",
        "sftp://me@host:2022/srv/model",
        "memory://model",
        "file:///srv/models/mine",
        "s3://bucket/model@v2",
        "s3://bucket/model@" + "0" * 40,
        "s3://bucket/模型/Model 1",
    ],
)
def test_addresses_that_are_read(text: str, home: Path) -> None:
    reference = Reference.parse(text)
    assert (reference.kind, str(reference)) == ("place", text)
    assert reference.revision == ("0" * 40 if text.endswith("@" + "0" * 40) else None)
    from sixarts_hub.place_mirror import PlaceCache

    cache = PlaceCache(home)
    cache.folder(reference.name).mkdir(parents=True)
    assert cache.names() == [reference.name]


def test_an_address_that_is_too_long_for_a_folder(hub: Hub) -> None:
    with pytest.raises(BadReference, match="a shorter address"):
        hub.pull("memory://" + "模" * 60)


def test_what_opens_a_place_is_not_installed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme, module, line in (("gs", "gcsfs", r"sixarts\[places\]"), ("az", "adlfs", "pip install adlfs")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtra, match=line):
            hub.pull(f"{scheme}://bucket/model")


def test_a_place_whose_sizes_are_not_known(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    known = MemoryFileSystem.find
    fsspec_memory = MemoryFileSystem()
    fsspec_memory.pipe("/sizeless/m/config.json", b"{}")

    def find(self: Any, *args: Any, **how: Any) -> Any:
        return {name: {**info, "size": None} for name, info in known(self, *args, **how).items()}

    monkeypatch.setattr(MemoryFileSystem, "find", find)
    with pytest.raises(HubError, match="of the size None"):
        hub.pull("memory://sizeless/m")


def test_a_file_that_is_longer_than_listed(hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was listed bounds what is written."""
    from fsspec.implementations.memory import MemoryFileSystem

    known = MemoryFileSystem.find
    opened = MemoryFileSystem()
    opened.pipe("/long/m/config.json", b"x" * (8 << 20))

    def find(self: Any, *args: Any, **how: Any) -> Any:
        return {name: {**info, "size": 10} for name, info in known(self, *args, **how).items()}

    monkeypatch.setattr(MemoryFileSystem, "find", find)
    with pytest.raises(Corrupt, match="more than 10 bytes"):
        hub.pull("memory://long/m")
    assert sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) < 10_000


def test_links_at_a_place_on_disk_are_not_followed(hub: Hub, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (place / "config.json").write_bytes(b"{}")
    (place / "link.txt").symlink_to(tmp_path / "secret.txt")
    (place / "loop").symlink_to(place)
    assert contents(hub.pull(f"file://{place}").path) == {"config.json": b"{}"}


def test_a_lock_holds_a_place_to_its_content(
    hub: Hub, tmp_path: Path, put: Placed, make_folder: Callable[..., Path]
) -> None:
    address = put({**FILES, "vocab.txt": b"a"})
    reference = Reference.parse(address)
    entry = lock(hub, reference, lambda *_: ["config.json", "model.safetensors"])
    assert entry.endpoint is None and entry.commit == hub.pull(address).commit
    lockfile = Lockfile({address: entry}, tmp_path / "sixarts.lock")
    lockfile.write()
    lockfile = Lockfile.read(lockfile.path)
    machine = Hub(tmp_path / "machine", offline=False, lock=lockfile)
    with pytest.raises(Offline):
        check(Hub(tmp_path / "machine", offline=True), reference, entry)
    match(machine, reference, entry)
    check(Hub(tmp_path / "machine", offline=True), reference, entry)
    assert set(contents(machine.pull(address).path)) == {"config.json", "model.safetensors"}
    put({"config.json": b"other than locked"})
    with pytest.raises(NotFound, match="which lies there now"):
        match(Hub(tmp_path / "third", offline=False), reference, entry)


def test_a_plan_says_what_differs(hub: Hub, put: Placed, make_folder: Callable[..., Path]) -> None:
    folder = make_folder()
    address = put(contents(folder))
    (folder / "README.md").write_bytes(b"# Another card")
    Manifest.of(folder, task="translation", family="marian", api="1").write(folder)
    standings = {file.path: file.standing for file in hub.push(folder, address, dry_run=True).files}
    assert standings["README.md"] == standings["sixarts.json"] == "changed"
    assert standings["model.safetensors"] == "unchanged"
    assert json.loads((folder / "sixarts.json").read_bytes())["format"] == 1


def test_from_a_bucket_to_a_translation(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Published, fetched, loaded, verified, listed and removed by the names that people use."""
    import sixarts as sa
    from sixarts.cli import main
    from sixarts.hubs import default_hub

    monkeypatch.setenv("SIXARTS_HOME", str(tmp_path / "home"))
    address = f"s3://{BUCKET}/translation/en-zh"
    starter = default_hub().pull("starter/en-zh").path
    assert main(["push", str(starter), address]) == 0
    commit = capsys.readouterr().out.strip()
    assert main(["pull", address]) == 0
    assert Path(capsys.readouterr().out.strip()).name == commit
    bucket.requests.clear()
    task = sa.load("translation", address)
    assert task.reference == f"{address}@{commit}"
    assert task("I have a dog.").text == sa.load("translation")("I have a dog.").text
    assert not bucket.requests
    for command in (["verify", address], ["cache", "verify"], ["cache", "list"], ["cache", "list", "--json"]):
        assert main(command) == 0
        assert address in capsys.readouterr().out
    assert main(["verify", f"{address}-elsewhere"]) == 1
    monkeypatch.setenv("SIXARTS_OFFLINE", "1")
    assert main(["pull", address]) == 0
    assert main(["cache", "remove", address]) == 0
    assert main(["pull", address]) == 1
    assert f"sixarts pull {address}" in capsys.readouterr().err
