"""The client of the QUIC suite: which connections it makes, and what it asks for on each."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aioquic.quic.configuration import QuicConfiguration
from aioquic.tls import SessionTicket

from .configuration import configured
from .fetcher import Fetcher, connection
from .protocol import PeerError
from .task import Task, UnsupportedError

TESTCASES = frozenset(
    "handshake transfer chacha20 retry resumption zerortt http3 keyupdate v2 multiconnect".split()  # noqa: SIM905
)

#: Seconds the server has to send a session ticket once the first file is there.
TICKET_PATIENCE = 20.0


class KeyUpdatingFetcher(Fetcher):
    """Updates the keys early enough for both sides to send with the new ones."""

    key_update_after = 100_000


async def run(task: Task) -> None:
    """Fetch everything the way the test case wants it; returns when it is on disk and the connections are closed."""
    if task.testcase not in TESTCASES:
        raise UnsupportedError(f"the client does not do {task.testcase!r}")
    with configured(task) as configuration:
        if task.testcase == "multiconnect":
            for url in task.urls:
                async with connection(url, configuration, Fetcher) as client:
                    await client.fetch([url], task.places.downloads)
        elif task.testcase in ("resumption", "zerortt"):
            await resume(task, configuration, early=task.testcase == "zerortt")
        else:
            protocol = KeyUpdatingFetcher if task.testcase == "keyupdate" else Fetcher
            async with connection(task.urls[0], configuration, protocol) as client:
                await client.fetch(task.urls, task.places.downloads)


async def resume(task: Task, configuration: QuicConfiguration, *, early: bool) -> None:
    """The first file on one connection, the others on a second that resumes it, with `early` as 0-RTT data."""
    first, *others = task.urls
    ticket: asyncio.Future[SessionTicket] = asyncio.get_running_loop().create_future()

    def keep_first(issued: SessionTicket) -> None:
        if not ticket.done():
            ticket.set_result(issued)

    async with connection(first, configuration, Fetcher, on_ticket=keep_first) as client:
        await client.fetch([first], task.places.downloads)
        try:
            resumed = replace(configuration, session_ticket=await asyncio.wait_for(ticket, TICKET_PATIENCE))
        except TimeoutError:
            raise PeerError(f"the server sent no session ticket within {TICKET_PATIENCE:.0f} s") from None
        alpn = client.alpn

    if early and alpn is not None:
        # What is sent before anything was negotiated can only be in the protocol of last time.
        resumed.alpn_protocols = [alpn]
        async with connection(first, resumed, Fetcher, wait=False) as client:
            client.speak(alpn)
            await client.fetch(others, task.places.downloads)
    else:
        async with connection(first, resumed, Fetcher) as client:
            await client.fetch(others, task.places.downloads)
