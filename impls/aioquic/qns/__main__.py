"""Become the client or the server the environment asks for; exit 127 for what neither does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine

from . import client, server
from .protocol import PeerError
from .task import UnsupportedError, from_environment
from .webtransport import client as webtransport_client


async def until_stopped(work: Coroutine[None, None, None]) -> None:
    """Do the work, and give it up in order when the runner says SIGTERM: process 1 would not even notice."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task


def main() -> int:
    """The exit code of the container."""
    task = from_environment(os.environ)
    if task.role == "server":
        run = server.run
    elif task.is_webtransport:
        run = webtransport_client.run
    else:
        run = client.run
    try:
        asyncio.run(until_stopped(run(task)))
    except asyncio.CancelledError:
        if task.role == "server":
            return 0  # no other end is in order
        print("qns: stopped before everything was there", file=sys.stderr)
        return 1
    except UnsupportedError as error:
        print(f"qns: {error}", file=sys.stderr)
        return 127
    except (PeerError, OSError, ValueError) as error:
        print(f"qns: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
