"""What can be said without a browser: tasks, and the protocol it is driven by."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from chromium_client.devtools import DevTools, DevToolsError, Page
from chromium_client.session import readable_files
from chromium_client.task import UnsupportedError, certificate_hash, from_environment, one_session

RECEIVE = {
    "ROLE": "client",
    "TESTCASE": "transfer-datagram-receive",
    "REQUESTS": "https://server4:443/fox/a https://server4:443/fox/b",
    "PROTOCOLS": "one two",
}


def test_a_task_is_what_the_environment_says() -> None:
    task = from_environment(RECEIVE)
    assert task.url == "https://server4:443/fox"
    assert task.names == ("a", "b")
    assert task.how == "datagram"
    assert task.protocols == ("one", "two")
    assert (task.www, task.downloads) == (Path("/www/fox"), Path("/downloads/fox"))
    assert task.key_log is None


@pytest.mark.parametrize(
    "changed",
    [
        {"ROLE": "server"},
        {"TESTCASE": "dry-tired-chameleon"},
        {"TESTCASE": "transfer-datagram-send"},
        {"TESTCASE": "handshake", "PROTOCOLS": ""},  # the one of the QUIC suite
    ],
)
def test_the_rest_is_unsupported(changed: dict[str, str]) -> None:
    with pytest.raises(UnsupportedError):
        from_environment(RECEIVE | changed)


def test_there_is_one_session() -> None:
    assert one_session(["https://server4:443/fox"]) == ("https://server4:443/fox", [])
    for urls in ([], ["https://server4/fox/a", "https://server4/hen/a"]):
        with pytest.raises(ValueError, match="endpoints instead of one"):
            one_session(urls)


def test_the_hash_is_that_of_the_leaf(tmp_path: Path) -> None:
    leaf, other = b"leaf in DER", b"its issuer in DER"
    pem = "".join(
        f"-----BEGIN CERTIFICATE-----\n{base64.b64encode(der).decode()}\n-----END CERTIFICATE-----\n"
        for der in (leaf, other)
    )
    (tmp_path / "cert.pem").write_text(pem)
    assert certificate_hash(tmp_path / "cert.pem") == hashlib.sha256(leaf).digest()


class Browser:
    """The other end of the pipe: answers each command with what a function makes of it."""

    def __init__(self, answer: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> None:
        self.reader = asyncio.StreamReader()
        self._answer = answer

    def write(self, data: bytes) -> None:
        assert data.endswith(b"\0")
        for message in self._answer(json.loads(data[:-1])):
            self.reader.feed_data(json.dumps(message).encode() + b"\0")


def drive(
    answer: Callable[[dict[str, Any]], list[dict[str, Any]]],
    use: Callable[[DevTools, Browser], Coroutine[None, None, Any]],
) -> Any:
    async def main() -> Any:
        browser = Browser(answer)
        return await asyncio.wait_for(use(DevTools(browser.reader, browser), browser), 10)  # type: ignore[arg-type]

    return asyncio.run(main())


def test_a_function_is_called_with_its_arguments() -> None:
    commands = []

    def answer(command: dict[str, Any]) -> list[dict[str, Any]]:
        commands.append(command)
        event = {"method": "Runtime.bindingCalled", "params": {"payload": "first"}}
        return [event, {"id": command["id"], "result": {"result": {"value": 42}}}]

    heard = []

    async def use(devtools: DevTools, _: Browser) -> Any:
        devtools.on("Runtime.bindingCalled", lambda event: heard.append(event["payload"]))
        return await Page(devtools, "the session").call("interop.open", "it's", ["a", 1])

    assert drive(answer, use) == 42
    assert heard == ["first"]
    assert commands[0]["sessionId"] == "the session"
    assert commands[0]["params"]["expression"] == 'interop.open("it\'s", ["a", 1])'


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"error": {"message": "no such method"}}, "no such method"),
        (
            {
                "result": {
                    "result": {},
                    "exceptionDetails": {"text": "", "exception": {"description": "E: x\n    at y"}},
                }
            },
            "^E: x$",
        ),
    ],
)
def test_what_fails_in_the_browser_fails_here(answer: dict[str, Any], message: str) -> None:
    async def use(devtools: DevTools, _: Browser) -> None:
        await Page(devtools, "session").call("interop.close")

    with pytest.raises(DevToolsError, match=message):
        drive(lambda command: [{"id": command["id"], **answer}], use)


def test_a_browser_that_dies_is_noticed() -> None:
    async def use(devtools: DevTools, browser: Browser) -> None:
        asyncio.get_running_loop().call_later(0.01, browser.reader.feed_eof)
        with pytest.raises(DevToolsError, match="gone"):
            await devtools.call("Browser.getVersion")
        with pytest.raises(DevToolsError, match="gone"):
            await devtools.call("Browser.getVersion")

    drive(lambda _: [], use)


def test_a_folder_that_is_not_there_offers_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"x")
    assert readable_files(tmp_path / "there") == {"file": "eA=="}
    assert readable_files(tmp_path / "elsewhere") == {}
