"""Starting Chromium, and ending it so that its logs are complete."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from .devtools import LONGEST_MESSAGE, DevTools, DevToolsError

PROGRAM = "/usr/bin/chromium-headless-shell"

ARGUMENTS = (
    "--remote-debugging-pipe",
    # the container's root may not do what its sandbox needs
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--user-data-dir=/tmp/chromium",
    # there is no internet to talk to
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)

#: Seconds a browser has to end by itself, which is when it completes its logs.
FAREWELL = 5.0


@asynccontextmanager
async def chromium(*, key_log: Path | None, net_log: Path) -> AsyncIterator[DevTools]:
    """A running browser."""
    logs = [f"--log-net-log={net_log}", "--net-log-capture-mode=Default"]
    if key_log:
        logs.append(f"--ssl-key-log-file={key_log}")
    # Its pipe are the descriptors 3 and 4, and ours its standard input and output.
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        'exec "$@" 3<&0 4>&1 0</dev/null 1>&2',
        "sh",
        PROGRAM,
        *ARGUMENTS,
        *logs,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LONGEST_MESSAGE,
    )
    assert process.stdin is not None  # noqa: S101 -- both are pipes
    assert process.stdout is not None  # noqa: S101
    devtools = DevTools(process.stdout, process.stdin)
    try:
        yield devtools
    finally:
        try:
            async with asyncio.timeout(FAREWELL):
                with suppress(DevToolsError):
                    await devtools.call("Browser.close")
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
