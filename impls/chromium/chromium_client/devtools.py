"""The DevTools protocol over the browser's own pipe: commands, their results, and events.

https://chromedevtools.github.io/devtools-protocol/, with messages that end with a zero byte.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable
from typing import Any

#: Bytes of the longest message: the largest file of the suite has 2 MB, and comes as base64 in JSON.
LONGEST_MESSAGE = 64 * 1024 * 1024


class DevToolsError(Exception):
    """The browser refused a command, a script failed, or the browser is gone."""


class DevTools:
    """One browser that was started with `--remote-debugging-pipe`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._reading = asyncio.create_task(self._read())

    def on(self, method: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Call a handler with the parameters of every event of this name."""
        self._handlers[method] = handler

    async def call(self, method: str, parameters: dict[str, Any] | None = None, *, session: str | None = None) -> Any:
        """The result of a command, for the browser or for one attached page."""
        if self._reading.done():
            raise DevToolsError("the browser is gone")
        number = next(self._ids)
        command: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if session is not None:
            command["sessionId"] = session
        self._results[number] = result = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(command).encode() + b"\0")
        answer = await result
        if "error" in answer:
            raise DevToolsError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    async def _read(self) -> None:
        try:
            while True:
                message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                if "id" in message:
                    self._results.pop(message["id"]).set_result(message)
                elif handler := self._handlers.get(message["method"]):
                    handler(message["params"])
        except asyncio.IncompleteReadError:
            self._give_up("the browser is gone")
        except OSError as error:  # of a handler, who could not write a file
            self._give_up(str(error))

    def _give_up(self, reason: str) -> None:
        for result in self._results.values():
            if not result.done():
                result.set_exception(DevToolsError(reason))
        self._results.clear()


class Page:
    """One page, and functions called in it."""

    def __init__(self, devtools: DevTools, session: str) -> None:
        self._devtools = devtools
        self._session = session

    async def call(self, function: str, *arguments: Any) -> Any:
        """Call a function with arguments that JSON can express; returns what its promise does."""
        expression = f"{function}({', '.join(map(json.dumps, arguments))})"
        answer = await self._devtools.call(
            "Runtime.evaluate",
            {"expression": expression, "awaitPromise": True, "returnByValue": True},
            session=self._session,
        )
        if details := answer.get("exceptionDetails"):
            thrown = details.get("exception", {}).get("description") or details["text"]
            raise DevToolsError(thrown.partition("\n    at ")[0])
        return answer["result"].get("value")


async def open_page(devtools: DevTools, url: str, *, binding: str, handler: Callable[[str], None]) -> Page:
    """Open a page and wait until it is loaded; a function in it, named `binding`, calls the handler with a string."""
    loaded = asyncio.Event()
    devtools.on("Page.loadEventFired", lambda _: loaded.set())
    devtools.on("Runtime.bindingCalled", lambda event: handler(event["payload"]))
    target = (await devtools.call("Target.createTarget", {"url": "about:blank"}))["targetId"]
    session = (await devtools.call("Target.attachToTarget", {"targetId": target, "flatten": True}))["sessionId"]
    for domain in ("Page", "Runtime"):
        await devtools.call(f"{domain}.enable", session=session)
    await devtools.call("Runtime.addBinding", {"name": binding}, session=session)
    await devtools.call("Page.navigate", {"url": url}, session=session)
    await loaded.wait()
    return Page(devtools, session)
