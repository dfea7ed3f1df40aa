"""Become the client the environment asks for; exit 127 for what a browser is not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from .devtools import DevToolsError
from .session import run
from .task import Task, UnsupportedError, from_environment


async def until_stopped(task: Task) -> None:
    """Do the work, and give it up in order when the runner says SIGTERM: process 1 would not even notice."""
    work = asyncio.ensure_future(run(task))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    await work


def main() -> int:
    """The exit code of the container."""
    try:
        asyncio.run(until_stopped(from_environment(os.environ)))
    except UnsupportedError as error:
        print(f"chromium: {error}", file=sys.stderr)
        return 127
    except asyncio.CancelledError:
        print("chromium: stopped before everything was there", file=sys.stderr)
        return 1
    except (DevToolsError, OSError, ValueError) as error:
        print(f"chromium: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
