"""One run: a session in a page, with the files on this side."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from .browser import chromium
from .devtools import DevToolsError, open_page
from .task import Task, certificate_hash

PAGE = Path(__file__).with_name("page.html")


async def run(task: Task, *, certificates: Path = Path("/certs"), logs: Path = Path("/logs")) -> None:
    """Do what the test case wants; `DevToolsError` with the page's words if something fails."""
    missing = set(task.names)

    def keep(payload: str) -> None:
        delivered: dict[str, Any] = json.loads(payload)
        if (name := delivered["name"]) in missing:
            task.downloads.mkdir(parents=True, exist_ok=True)
            (task.downloads / name).write_bytes(base64.b64decode(delivered["content"]))
            missing.discard(name)

    async with chromium(key_log=task.key_log, net_log=logs / "netlog.json") as devtools:
        devtools.on("Runtime.consoleAPICalled", tell)
        page = await open_page(devtools, PAGE.as_uri(), binding="deliver", handler=keep)
        fingerprint = base64.b64encode(certificate_hash(certificates / "cert.pem")).decode()
        await page.call("interop.give", readable_files(task.www))
        protocol = await page.call("interop.open", task.url, fingerprint, task.protocols)
        if task.testcase == "handshake":
            if not protocol:
                raise DevToolsError("the server chose no application protocol")
            (task.downloads.parent / "negotiated_protocol.txt").write_text(protocol, encoding="ascii")
        elif task.how is None:
            await page.call("interop.closed")
        else:
            await page.call("interop.fetch", task.names, task.how)
        await page.call("interop.close")
    if missing:
        raise DevToolsError(f"{len(missing)} files are missing")


def readable_files(folder: Path) -> dict[str, str]:
    """All files of a folder, as base64; none where there is no such folder, as for a session that only shakes hands."""
    if not folder.is_dir():
        return {}
    return {path.name: base64.b64encode(path.read_bytes()).decode() for path in folder.iterdir() if path.is_file()}


def tell(event: dict[str, Any]) -> None:
    """What the page writes to its console, on stderr."""
    print("page:", *(argument.get("value", "?") for argument in event["args"]), file=sys.stderr)
