"""A small hub on loopback: what a client asks for when it lists, fetches and publishes.

Every answer is made in :meth:`HubServer.answer`. It goes through the faults that a test injected, see
``faults``, and through :attr:`HubServer.alter`, where a test changes or replaces what an endpoint says.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

LFS_SUFFIXES = (".safetensors", ".bin", ".spm")


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""
    query: str = ""

    @property
    def asked(self) -> dict[str, list[str]]:
        """The query's values, by name."""
        return parse_qs(self.query)

    @property
    def range(self) -> int | None:
        """Where the bytes asked for begin; ``None`` without a range."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return int(asked[1]) if asked else None

    @property
    def authorized(self) -> bool:
        return "authorization" in self.headers

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Way:
    """How an answer goes over the wire.

    Attributes:
        delay: seconds before its first byte.
        headers_pause: seconds between two bytes of its headers.
        chunk: bytes of the body that are sent at once.
        pause: seconds between two chunks.
        cut: the body's bytes that are sent; ``None`` for all.
        then: what happens after these: the connection stays, is closed, is reset, or falls silent.
    """

    delay: float = 0.0
    headers_pause: float = 0.0
    chunk: int = 1 << 16
    pause: float = 0.0
    cut: int | None = None
    then: Literal["keep", "close", "reset", "silence"] = "keep"


@dataclass(frozen=True)
class Answer:
    status: int = 200
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes = b""
    way: Way = Way()


@dataclass
class Fault:
    """Something wrong with the first answers to requests that have ``pattern`` in ``METHOD path``.

    Attributes:
        pattern: a regular expression.
        before: changes the request before it is answered.
        after: changes the answer.
        left: how many times more.
    """

    pattern: str
    before: Callable[[Request], Request] = lambda request: request
    after: Callable[[Request, Answer], Answer] = lambda request, answer: answer
    left: float = 1


@dataclass
class Repo:
    """Branches, and the files of every commit; ``listed`` is what a search shows beside those."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: bool = False
    listed: dict[str, Any] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        seed = repr((len(self.commits), branch, sorted(files.items())))
        commit = hashlib.sha1(seed.encode()).hexdigest()
        self.commits[commit] = files
        self.branches[branch] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        commit = self.branches.get(revision, revision)
        return commit if commit in self.commits else None


def as_json(value: Any, status: int = 200) -> Answer:
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def failure(code: str, status: int = 404) -> Answer:
    return Answer(status, {"X-Error-Code": code}, b"")


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_lfs(path: str) -> bool:
    return path.endswith(LFS_SUFFIXES)


class _Quiet(ThreadingHTTPServer):
    """Says nothing of clients that hang up, which is what many tests are about."""

    def handle_error(self, *_: object) -> None:
        pass


class HubServer:
    """Repositories in memory, served over HTTP.

    Attributes:
        url: its address.
        repos: by ``OWNER/NAME``.
        requests: every request so far, in order of arrival.
        sent: bytes of bodies that were sent so far, by path.
        faults: what goes wrong, the first that matches counts.
        way: how answers go over the wire where no fault says otherwise.
        alter: what a test does to each answer; by default nothing.
    """

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.requests: list[Request] = []
        self.sent: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.way = Way()
        self.alter: Callable[[Request, Answer], Answer] = lambda request, answer: answer
        self._uploads: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._answering = 0
        self._http = _Quiet(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._http.block_on_close = False
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    def add(self, name: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Put a commit with exactly these files on a branch; its id."""
        return self.repos.setdefault(name, Repo()).commit(dict(files), branch)

    def seen(self, pattern: str) -> list[str]:
        """Requests whose ``METHOD path`` matches."""
        return [str(request) for request in self.requests if re.search(pattern, str(request))]

    def fetched(self, path: str) -> int:
        """Bytes of a file that were sent so far, whatever its repository."""
        return sum(count for sent, count in self.sent.items() if sent.endswith(f"/{path}"))

    def settle(self) -> None:
        """Wait until no answer is on its way and no request comes, so that what was counted is all."""
        deadline, seen = time.monotonic() + 10, -1
        while (self._answering or seen != len(self.requests)) and time.monotonic() < deadline:
            seen = len(self.requests)
            # For a request that is in the socket's buffer, of a client that gave it up.
            time.sleep(0.03)

    def answer(self, request: Request) -> Answer:
        """The one place where an answer is made."""
        with self._lock:
            self.requests.append(request)
            fault = next((f for f in self.faults if f.left > 0 and re.search(f.pattern, str(request))), None)
            if fault:
                fault.left -= 1
                request = fault.before(request)
            made = Answer(404, way=self.way)
            for method, pattern, make in _ROUTES:
                if request.method in method and (match := re.fullmatch(pattern, request.path)):
                    made = replace(make(self, request, *map(unquote, match.groups())), way=self.way)
                    break
        if fault:
            made = fault.after(request, made)
        return self.alter(request, made)

    # What is read.

    def _info(self, request: Request, name: str, revision: str = "main") -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        files = self.repos[name].commits[commit]
        siblings = [{"rfilename": path} for path in files]
        return as_json({"id": name, "sha": commit, "private": self.repos[name].private, "siblings": siblings})

    def _search(self, request: Request) -> Answer:
        """Repositories with the asked task, tags and words, each as its ``listed`` says."""
        asked = request.asked
        task, words = asked.get("pipeline_tag", [""])[0], asked.get("search", [""])[0]
        tags = set(asked.get("filter", []))
        found = [
            {
                "id": name,
                "siblings": [{"rfilename": path} for path in repo.commits[repo.branches["main"]]],
                **repo.listed,
            }
            for name, repo in self.repos.items()
            if repo.listed.get("pipeline_tag") == task
            and words in name
            and tags <= {*repo.listed.get("tags", [])}
        ]
        counts = {entry["id"]: entry.get("downloads") for entry in found}
        found.sort(key=lambda entry: -count if isinstance(count := counts[entry["id"]], int) else 0)
        return as_json(found[: int(asked.get("limit", ["1000"])[0])])

    def _tree(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        return as_json([_entry(path, body) for path, body in self.repos[name].commits[commit].items()])

    def _file(self, request: Request, name: str, revision: str, path: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        body = self.repos[name].commits[commit].get(path)
        if body is None:
            return failure("EntryNotFound")
        etag = hashlib.sha256(body).hexdigest() if is_lfs(path) else git_sha1(body)
        headers = {"X-Repo-Commit": commit, "ETag": f'"{etag}"', "Accept-Ranges": "bytes"}
        if (first := request.range) is not None:
            if first >= len(body):
                return Answer(416, {**headers, "Content-Range": f"bytes */{len(body)}"})
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
            return Answer(206, headers, body[first:])
        return Answer(200, headers, body)

    def _commit(self, name: str, revision: str) -> str | Answer:
        if name not in self.repos:
            return failure("RepoNotFound")
        return self.repos[name].resolve(revision) or failure("RevisionNotFound")

    # What is written.

    def _create(self, request: Request) -> Answer:
        asked = json.loads(request.body)
        name = f"{asked['organization']}/{asked['name']}"
        answer = as_json({"url": f"{self.url}/{name}"}, 409 if name in self.repos else 200)
        if not request.authorized:
            return Answer(401)
        if name not in self.repos:
            self.repos[name] = Repo(private=asked.get("visibility") == "private")
            self.repos[name].commit({".gitattributes": b""})
        return answer

    def _validate(self, request: Request) -> Answer:
        return as_json({"errors": [], "warnings": []})

    def _preupload(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        paths = [file["path"] for file in json.loads(request.body)["files"]]
        modes = {True: "lfs", False: "regular"}
        return as_json(
            {"files": [{"path": p, "uploadMode": modes[is_lfs(p)], "shouldIgnore": False} for p in paths]}
        )

    def _batch(self, request: Request, name: str) -> Answer:
        objects = [
            {
                **{key: wanted[key] for key in ("oid", "size")},
                "actions": {
                    "upload": {"href": f"{self.url}/storage/{wanted['oid']}"},
                    "verify": {"href": f"{self.url}/verify/{wanted['oid']}"},
                },
            }
            for wanted in json.loads(request.body)["objects"]
        ]
        return as_json({"transfer": "basic", "objects": objects})

    def _store(self, request: Request, oid: str) -> Answer:
        self._uploads[oid] = request.body
        return Answer()

    def _verify(self, request: Request, oid: str) -> Answer:
        return Answer(200 if hashlib.sha256(self._uploads.get(oid, b"")).hexdigest() == oid else 422)

    def _write(self, request: Request, name: str, revision: str) -> Answer:
        commit = self._commit(name, revision)
        if isinstance(commit, Answer):
            return commit
        lines = [json.loads(line) for line in request.body.splitlines()]
        header = lines.pop(0)["value"]
        if header.get("parentCommit", commit) != commit:
            return Answer(
                412, {"X-Error-Message": "A commit has happened since. Please refresh and try again."}
            )
        files = dict(self.repos[name].commits[commit])
        for line in lines:
            value = line["value"]
            if line["key"] == "deletedFile":
                del files[value["path"]]
                continue
            stored = line["key"] == "lfsFile"
            content = self._uploads[value["oid"]] if stored else base64.b64decode(value["content"])
            files[value["path"]] = content
        answer: dict[str, Any] = {}
        if "create_pr" in request.asked:
            number = 1 + sum(branch.startswith("refs/pr/") for branch in self.repos[name].branches)
            revision = f"refs/pr/{number}"
            answer["pullRequestUrl"] = f"{self.url}/{name}/discussions/{number}"
        made = self.repos[name].commit(files, revision)
        return as_json(answer | {"commitUrl": f"{self.url}/{name}/commit/{made}", "commitOid": made})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Else a body waits for the acknowledgment of its headers, 40 ms each time.
            disable_nagle_algorithm = True

            def _serve(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self._body(headers)
                asked = urlsplit(self.path)
                with hub._lock:
                    hub._answering += 1
                try:
                    self._send(hub.answer(Request(self.command, asked.path, headers, body, asked.query)))
                finally:
                    with hub._lock:
                        hub._answering -= 1

            def _body(self, headers: dict[str, str]) -> bytes:
                if headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(headers.get("content-length", 0)))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def _send(self, answer: Answer) -> None:
                way = answer.way
                # Whoever waits here does not outlive the test.
                if hub._closing.wait(way.delay):
                    return
                headers = {"Content-Length": str(len(answer.body)), **answer.headers}
                lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
                lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
                self._write(
                    "\r\n".join([*lines, "", ""]).encode(),
                    1 if way.headers_pause else 1 << 16,
                    way.headers_pause,
                )
                if "Content-Length" in headers and headers["Content-Length"] is None:
                    self.close_connection = True
                if self.command != "HEAD":
                    body = answer.body[: way.cut]
                    self._write(body, way.chunk, way.pause, urlsplit(self.path).path)
                    self._end(way.then)

            def _write(self, data: bytes, chunk: int, pause: float, path: str | None = None) -> None:
                for start in range(0, len(data), chunk):
                    piece = data[start : start + chunk]
                    if path:
                        # Before it is sent: who has received all of it finds all counted.
                        with hub._lock:
                            hub.sent[path] += len(piece)
                    try:
                        self.connection.sendall(piece)
                    except OSError:
                        self.close_connection = True
                        return
                    if pause and hub._closing.wait(pause):
                        return

            def _end(self, then: str) -> None:
                if then == "silence":
                    self.connection.settimeout(0.05)
                    while not hub._closing.is_set():
                        # Until the other side hangs up.
                        try:
                            if not self.connection.recv(1):
                                break
                        except TimeoutError:
                            continue
                        except OSError:
                            break
                with suppress(OSError):
                    if then == "close":
                        self.connection.shutdown(socket.SHUT_WR)
                    if then == "reset":
                        # Not lingering for what was sent makes the kernel reset; closed below Python's count.
                        linger = struct.pack("ii", 1, 0)
                        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        os.close(self.connection.detach())
                if then != "keep":
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

            do_GET = do_HEAD = do_POST = do_PUT = _serve

        return Handler


def _entry(path: str, body: bytes) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": "file", "path": path, "size": len(body), "oid": git_sha1(body)}
    if is_lfs(path):
        pointer = b"version https://git-lfs.github.com/spec/v1\n" + hashlib.sha256(body).hexdigest().encode()
        entry["oid"] = git_sha1(pointer)
        entry["lfs"] = {
            "oid": hashlib.sha256(body).hexdigest(),
            "size": len(body),
            "pointerSize": len(pointer),
        }
    return entry


_NAME = r"([^/]+/[^/]+)"
_ROUTES: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", r"/api/models", HubServer._search),
    ("GET", rf"/api/models/{_NAME}", HubServer._info),
    ("GET", rf"/api/models/{_NAME}/revision/([^/]+)", HubServer._info),
    ("GET", rf"/api/models/{_NAME}/tree/([^/]+)", HubServer._tree),
    ("GET HEAD", rf"/{_NAME}/resolve/([^/]+)/(.+)", HubServer._file),
    ("POST", r"/api/repos/create", HubServer._create),
    ("POST", r"/api/validate-yaml", HubServer._validate),
    ("POST", rf"/api/models/{_NAME}/preupload/([^/]+)", HubServer._preupload),
    ("POST", rf"/{_NAME}\.git/info/lfs/objects/batch", HubServer._batch),
    ("PUT", r"/storage/([0-9a-f]{64})", HubServer._store),
    ("POST", r"/verify/([0-9a-f]{64})", HubServer._verify),
    ("POST", rf"/api/models/{_NAME}/commit/([^/]+)", HubServer._write),
]


def with_body(answer: Answer, body: bytes) -> Answer:
    """The same answer with other content, under the same headers."""
    return replace(answer, body=body)
