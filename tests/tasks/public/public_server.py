"""A local server with the routes of the GDC API and of Xena's hubs, which misbehaves on demand."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Service:
    """What the server serves and how.

    Attributes:
        files: path → content; `/data/ID` and Xena's paths.
        cases, hits: hits of the cases and files endpoints.
        trouble: path → what goes wrong, in turn, once each: an HTTP status, `cut` (half the bytes, then the line
            breaks), `short` (half the bytes with a length that fits), `flip` (a wrong byte), `slow` (a pause between
            small pieces), `redirect`, `whole` (ignores the range), `empty` (an answer without hits).
        asked: path → requests; `ranges` the ranges that were asked for, `sent` the bytes sent per path.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    hits: list[dict[str, Any]] = field(default_factory=list)
    trouble: dict[str, list[Any]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    queries: list[dict[str, list[str]]] = field(default_factory=list)
    version: str = '"1"'


class Handler(BaseHTTPRequestHandler):
    """One request; `service` is set by `handler`."""

    service: Service
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        self.service.asked[split.path] += 1
        waiting = self.service.trouble.get(split.path, [])
        trouble = waiting.pop(0) if waiting else None
        if isinstance(trouble, int):
            self._answer(trouble, b"{}", {"Retry-After": "0"} if trouble == 429 else {})
        elif trouble == "redirect":
            self._answer(302, b"", {"Location": self.path + ("&" if split.query else "?") + "again=1"})
        elif split.path in {"/cases", "/files"}:
            self._page(
                self.service.cases if split.path == "/cases" else self.service.hits, parse_qs(split.query), trouble
            )
        elif split.path in self.service.files:
            self._file(split.path, self.service.files[split.path], trouble)
        else:
            self._answer(404, b"absent", {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _page(self, hits: list[dict[str, Any]], query: dict[str, list[str]], trouble: object) -> None:
        self.service.queries.append(query)
        begin, size = int(query["from"][0]), int(query["size"][0])
        filters = json.loads(query["filters"][0])["content"]
        projects = next(f["content"]["value"] for f in filters if f["content"]["field"].endswith("project_id"))
        wanted = [hit for hit in hits if (hit.get("project") or hit["cases"][0]["project"])["project_id"] in projects]
        shown = [] if trouble == "empty" else wanted[begin : begin + size]
        data = {"hits": shown, "pagination": {"count": len(shown), "total": len(wanted), "from": begin}}
        self._answer(200, json.dumps({"data": data, "warnings": {}}).encode(), {})

    def _file(self, path: str, content: bytes, trouble: object) -> None:
        asked, begin = self.headers.get("Range"), 0
        same = self.headers.get("If-Range") in (None, self.service.version)
        if asked:
            self.service.ranges.append((path, asked))
        if asked and same and trouble != "whole":
            begin = int(asked.removeprefix("bytes=").rstrip("-"))
        if begin >= len(content) and begin:
            self._answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            return
        part = content[begin:]
        if trouble == "flip":
            part = bytes([part[0] ^ 1]) + part[1:]
        if trouble == "short":
            part = part[: len(part) // 2]
        self.send_response(206 if begin else 200)
        self.send_header("Content-Length", str(len(part)))
        self.send_header("ETag", self.service.version)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if trouble == "cut":
            part = part[: len(part) // 2]
        for start in range(0, len(part), 4096):
            self.wfile.write(part[start : start + 4096])
            self.service.sent[path] += len(part[start : start + 4096])
            if trouble == "slow":
                time.sleep(0.02)
        if trouble == "cut":
            self.wfile.flush()
            self.close_connection = True
            self.connection.shutdown(2)


def handler(service: Service) -> type[Handler]:
    """The handler of one service."""
    return type("Bound", (Handler,), {"service": service})


@contextmanager
def served(service: Service) -> Iterator[str]:
    """The server's address while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(service))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
