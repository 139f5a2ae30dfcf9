"""The hub's speed: a verified pull beside the plain client's unverified one, a cached load, a long list.

Run it as ``python tests/benchmarks/bench_hub.py [PAIRS] [FOLDER]``. A server on loopback, a process of its
own, sends 1 GiB of random bytes in 8 files straight from the disk's cache; FOLDER, by default a temporary
one, is where all of it lies. Both clients fetch it in turns, each time in a new process and into an empty
cache, so that a busy machine slows both alike. Exit code 1 when a limit is broken.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

PAIRS = 5
FILES = 8
FILE_BYTES = 128 << 20
#: Least speed of a verified pull against the plain client.
RATIO = 0.85
#: Longest that a pull of what is cached takes, and a list of 100 cached models, in milliseconds.
LOAD_MS = 5.0
LIST_MS = 100.0

NAME = "bench/model"
COMMIT = "c" * 40

#: What each child runs; it prints the seconds of the call alone, imports apart.
OURS = """
import sys, time
from sixarts_hub import Hub
from sixarts_hub import fetch
hub = Hub(sys.argv[1], endpoint=sys.argv[2], offline=False)
start = time.perf_counter()
hub.pull("bench/model", progress=False)
print(time.perf_counter() - start)
"""
PLAIN = """
import sys, time
from huggingface_hub import snapshot_download
from huggingface_hub.utils import disable_progress_bars
disable_progress_bars()
start = time.perf_counter()
snapshot_download("bench/model", cache_dir=sys.argv[1], endpoint=sys.argv[2], token=False)
print(time.perf_counter() - start)
"""
LOAD = """
import sys, time
from sixarts_hub import Hub
Hub(sys.argv[1], endpoint="http://127.0.0.1:1").cached
import sixarts_hub.client
start = time.perf_counter()
Hub(sys.argv[1], endpoint=sys.argv[2], offline=False).pull("bench/model")
print(time.perf_counter() - start)
"""
LIST = """
import sys, time
from sixarts_hub import Hub
hub = Hub(sys.argv[1], endpoint=sys.argv[2])
start = time.perf_counter()
assert len(hub.cached()) == 100
print(time.perf_counter() - start)
"""


def make_files(folder: Path) -> dict[str, str]:
    """Write the model's files; their SHA-256 by name."""
    digests = {}
    folder.mkdir()
    for number in range(FILES):
        path = folder / f"model-{number + 1:05}-of-{FILES:05}.safetensors"
        with path.open("wb") as stream:
            for _ in range(FILE_BYTES >> 20):
                stream.write(os.urandom(1 << 20))
        with path.open("rb") as stream:
            digests[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def serve(folder: Path) -> None:
    """Speak as much of the hub's API as a download asks for; prints the address first."""
    digests = json.loads((folder.parent / "digests.json").read_text())
    tree = [
        {
            "type": "file",
            "path": name,
            "size": FILE_BYTES,
            "oid": hashlib.sha1(name.encode()).hexdigest(),
            "lfs": {"oid": digest, "size": FILE_BYTES, "pointerSize": 134},
        }
        for name, digest in digests.items()
    ]
    siblings = [{"rfilename": name} for name in digests]
    info = {"id": NAME, "sha": COMMIT, "private": False, "siblings": siblings}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if asked := re.fullmatch(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)", self.path.partition("?")[0]):
                digest = digests[asked[1]]
                self.send_response(200)
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{digest}"')
                self.send_header("Content-Length", str(FILE_BYTES))
                self.end_headers()
                if self.command == "GET":
                    with (folder / asked[1]).open("rb") as stream:
                        self.connection.sendfile(stream)
                return
            body = json.dumps(tree if "/tree/" in self.path else info).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


def seconds(program: str, home: Path, url: str) -> float:
    """What one child measured."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("SIXARTS_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", program, str(home), url],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return float(done.stdout.split()[-1])


def fetched(program: str, home: Path, url: str) -> float:
    """Seconds of a pull into an empty cache, which is emptied again."""
    try:
        return seconds(program, home, url)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def fill(home: Path, url: str, models: int) -> None:
    """Put ``models`` models of five files, fetched from nowhere, into a cache."""
    from sixarts_hub.cache import Cache
    from sixarts_hub.listing import File, Listing

    cache = Cache(home, url)
    names = ("config.json", "generation_config.json", "model.safetensors", "source.spm", "vocab.json")
    for number in range(models):
        name, commit = f"owner/model-{number}", f"{number:040x}"
        files = tuple(
            File(path, 8, "sha256:" + f"{number * 10 + index:064x}") for index, path in enumerate(names)
        )
        cache.keep_listing(name, Listing(commit, files))
        cache.pin(name, "main", commit)
        for file in files:
            content = cache.blobs(name).path(file)
            content.parent.mkdir(parents=True, exist_ok=True)
            content.write_bytes(b"a file..")
            cache.blobs(name).link(file, cache.snapshot(name, commit) / file.path)


def said(name: str, value: float, limit: float, unit: str, within: bool, note: str) -> bool:
    """Print one line; whether its limit holds."""
    word = "of at least" if unit == "x" else "of at most"
    print(f"{name:<40} {value:.2f}{unit} {word} {limit:g}{unit}  ({note})  {'ok' if within else 'TOO SLOW'}")
    return within


def main(pairs: int = PAIRS, where: str | None = None) -> int:
    """Print each figure with its limit; returns the exit code."""
    kept = []
    with tempfile.TemporaryDirectory(dir=where) as temporary:
        folder = Path(temporary)
        (folder / "digests.json").write_text(json.dumps(make_files(folder / "files")))
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(folder / "files")], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            fetched(OURS, folder / "ours", url), fetched(PLAIN, folder / "plain", url)
            times = [
                (fetched(OURS, folder / "ours", url), fetched(PLAIN, folder / "plain", url))
                for _ in range(pairs)
            ]
            ours, plain = (median(column) for column in zip(*times, strict=True))
            note = f"{ours:.2f} s / {plain:.2f} s for 1 GiB"
            kept.append(
                said(
                    "verified pull / plain client's speed",
                    plain / ours,
                    RATIO,
                    "x",
                    plain / ours >= RATIO,
                    note,
                )
            )
            seconds(OURS, folder / "ours", url)
        finally:
            server.terminate()
            server.wait()
        loads = [1000 * seconds(LOAD, folder / "ours", url) for _ in range(2 * pairs + 1)]
        note = "the server is gone; imports apart"
        kept.append(
            said("pull of what is cached", median(loads), LOAD_MS, " ms", median(loads) <= LOAD_MS, note)
        )
        fill(folder / "many", url, 100)
        lists = [1000 * seconds(LIST, folder / "many", url) for _ in range(2 * pairs + 1)]
        note = "five files each"
        kept.append(
            said("list of 100 cached models", median(lists), LIST_MS, " ms", median(lists) <= LIST_MS, note)
        )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(Path(sys.argv[2]))
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else PAIRS, *sys.argv[2:3]))
