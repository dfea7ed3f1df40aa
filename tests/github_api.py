"""GitHub's API as far as a report on a pull request takes it, on loopback, with what was asked of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Api", "github_api"]


@dataclass
class Api:
    """:ivar pulls: open pull requests, number → newest commit

    :ivar comments: number → comments, each with who wrote it
    :ivar checks: as they were asked for
    :ivar refuses: paths that are answered with 403
    """

    token: str
    url: str = ""
    pulls: dict[int, str] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    refuses: str | None = None
    pages: dict[str, bytes] = field(default_factory=dict)

    def answer(self, method: str, path: str, content: Any) -> tuple[int, Any]:
        path, _, query = path.partition("?")
        if self.refuses is not None and self.refuses in path:
            return 403, {"message": "Resource not accessible by integration"}
        kind, *parts = path.removeprefix("/repos/owner/name/").split("/")
        if kind == "commits":
            pulls = [number for number, commit in self.pulls.items() if commit == parts[0]]
            return 200, [{"number": it, "state": "open", "head": {"sha": parts[0]}} for it in pulls]
        if kind == "check-runs":
            self.checks.append(content)
            return 201, {}
        assert kind == "issues"
        return self._comments(method, parts, content, page=int(query.rpartition("page=")[2] or 1))

    def _comments(self, method: str, parts: list[str], content: Any, *, page: int) -> tuple[int, Any]:
        if parts[0] == "comments":
            [comment] = [it for found in self.comments.values() for it in found if it["id"] == int(parts[1])]
            comment["body"] = content["body"]
            return 200, {}
        comments = self.comments.setdefault(int(parts[0]), [])
        if method == "GET":
            return 200, comments[(page - 1) * 100 : page * 100]
        comments.append({"id": 1000 + len(comments), "user": {"type": "Bot"}, "body": content["body"]})
        return 201, {}


@contextmanager
def github_api(token: str) -> Iterator[Api]:
    api = Api(token=token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(size)) if size else None
            if self.path in api.pages:
                self._send(200, api.pages[self.path])
                return
            if self.headers["Authorization"] != f"Bearer {api.token}":
                self._send(401, b"{}")
                return
            status, answer = api.answer(self.command, self.path, content)
            self._send(status, json.dumps(answer).encode())

        do_POST = do_PATCH = do_GET  # noqa: N815 -- the names they are looked up by

        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as it is called there
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield api
        server.shutdown()
        thread.join()
