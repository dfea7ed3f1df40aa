"""Become the client or the server the environment asks for; exit 127 for what neither does."""

from __future__ import annotations

import asyncio
import os
import sys

from . import client, server
from .protocol import PeerError
from .task import UnsupportedError, from_environment
from .webtransport import client as webtransport_client


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
        asyncio.run(run(task))
    except UnsupportedError as error:
        print(f"qns: {error}", file=sys.stderr)
        return 127
    except (PeerError, OSError, ValueError) as error:
        print(f"qns: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
