"""`http://…` and `https://…`: images on a web server, read by anybody and written with PUT where it allows that.

Credentials come from the address or from `~/.netrc`, as curl reads it; no message names them.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

import requests
import urllib3

from ci.errors import ConfigurationError
from ci.images.caches.base import CacheOutageError
from ci.images.caches.entries import ArchiveCache
from ci.images.caches.folder import Stopped

if TYPE_CHECKING:
    from requests.auth import AuthBase

    from ci.images.caches.base import Limits

__all__ = ["WebFiles", "open_web"]

_BLOCK: Final = 1 << 18
_NOT_THERE: Final = (404, 410)
# Asked again once: the next answer may be another.
_MAY_PASS: Final = (429, 500, 502, 503, 504)
_TRIES: Final = 2


def open_web(url: str, limits: Limits) -> ArchiveCache:
    """:raises ConfigurationError: it is no address"""
    parts = urlsplit(url)
    if not parts.hostname or parts.query or parts.fragment:
        raise ConfigurationError(
            "no-such-cache",
            f"`{_without_secrets(url)}` is no address of a folder on a web server",
            hint="such as https://example.org/images",
        )
    return ArchiveCache(WebFiles(url, limits, called=_without_secrets(url)))


def _without_secrets(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


class WebFiles:
    """Files below an address.

    :param url: to which `/` and a file's name are added
    :param called: what messages call it
    :param auth: who signs requests; without it they are anonymous, but for what the address and `~/.netrc` say
    :param hides: 403 may also mean that there is no such file
    :param read_only: why nothing is written
    """

    def __init__(
        self,
        url: str,
        limits: Limits,
        *,
        called: str,
        auth: AuthBase | None = None,
        hides: bool = False,
        read_only: str | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._limits = limits
        self._called = called
        self._auth = auth
        self._hides = hides
        self._told = False
        self._read_only = read_only

    def describe(self) -> str:
        return self._called

    def read(self, name: str, *, most_bytes: int) -> bytes | None:
        with self._got(name) as response:
            if response is None:
                return None
            content = b"".join(self._blocks(response, name, most=most_bytes, seconds=self._limits.answer))
            _refuse_short(response, name, len(content))
            return content

    @contextmanager
    def local(self, name: str, *, size: int) -> Iterator[Path | None]:
        with tempfile.TemporaryDirectory(prefix="interop-image-") as scratch:
            path = Path(scratch) / "image"
            with self._got(name) as response:
                if response is not None:
                    seconds = self._limits.answer + size / self._limits.slowest
                    with path.open("wb") as file:
                        for block in self._blocks(response, name, most=size, seconds=seconds):
                            file.write(block)
                    _refuse_short(response, name, path.stat().st_size)
            yield path if response is not None else None

    def write(self, name: str, content: Path) -> None:
        if self._read_only is not None:
            raise CacheOutageError(self._read_only)
        size = content.stat().st_size

        def put() -> requests.Response:
            with content.open("rb") as file:
                return requests.put(
                    self._address(name),
                    data=file if size else b"",
                    auth=self._auth,
                    headers={"Content-Type": "application/octet-stream"},
                    timeout=(self._limits.connect, self._limits.silence + size / self._limits.slowest),
                    allow_redirects=False,
                )

        with self._asked(put, name) as response:
            if response.status_code not in (200, 201, 204):
                raise CacheOutageError(f"it does not take {name}: {_said(response)}")

    def _address(self, name: str) -> str:
        return f"{self._url}/{name}"

    @contextmanager
    def _got(self, name: str) -> Iterator[requests.Response | None]:
        def get() -> requests.Response:
            # As it is: an archive is compressed already, and its digest is that of the bytes kept.
            return requests.get(
                self._address(name),
                stream=True,
                auth=self._auth,
                headers={"Accept-Encoding": "identity"},
                timeout=(self._limits.connect, self._limits.silence),
            )

        with self._asked(get, name) as response:
            if response.status_code in _NOT_THERE:
                yield None
            elif response.status_code == 403 and self._hides:
                if not self._told:
                    self._told = True
                    raise OSError(f"it answers {_said(response)}: there is no {name}, or it is not for us to read")
                yield None
            elif response.status_code == 200:
                yield response
            else:
                raise CacheOutageError(f"it answers {_said(response)} to {name}")

    def _asked(self, ask: Callable[[], requests.Response], name: str) -> requests.Response:
        """An answer, after a second question where that may help.

        :raises CacheOutageError: nobody answers
        """
        for number in range(1, _TRIES + 1):
            last = number == _TRIES
            try:
                response = ask()
            except requests.RequestException as error:
                if last:
                    raise CacheOutageError(f"it does not answer to {name}: {_reason(error)}") from error
                pause = 1.0
            else:
                if last or response.status_code not in _MAY_PASS:
                    return response
                pause = _pause(response)
                response.close()
            if self._limits.stopped.wait(min(pause, self._limits.pause)):
                raise Stopped
        raise AssertionError("unreachable")

    def _blocks(self, response: requests.Response, name: str, *, most: int, seconds: float) -> Iterator[bytes]:
        """What comes, as long as it is neither too much nor too slow.

        :raises CacheOutageError: it is too slow, or breaks off
        :raises OSError: it is too much
        """
        until = time.monotonic() + seconds
        got = 0
        while True:
            try:
                # What has come, and not until a block is full: that may take for ever.
                block = response.raw.read1(_BLOCK)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise CacheOutageError(f"{name} broke off after {got} bytes: {_reason(error)}") from error
            if not block:
                return
            got += len(block)
            if got > most:
                raise OSError(f"{name} is longer than the {most} bytes it should have")
            if time.monotonic() > until:
                raise CacheOutageError(f"{name} is too slow: {got} bytes in {seconds:.0f} s")
            if self._limits.stopped.is_set():
                raise Stopped
            yield block


def _refuse_short(response: requests.Response, name: str, got: int) -> None:
    """Not every version of the library notices."""
    told = response.headers.get("Content-Length", "")
    if told.isascii() and told.isdigit() and int(told) != got:
        raise CacheOutageError(f"{name} broke off after {got} of {told} bytes")


def _pause(response: requests.Response) -> float:
    told = response.headers.get("Retry-After", "")
    return float(told) if told.isascii() and told.isdigit() else 1.0


def _said(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason}".strip()


def _reason(error: BaseException) -> str:
    """In a few words: what the library says has addresses of objects in it, and may have a password."""
    cause = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    text = str(cause) if isinstance(cause, OSError) else ""
    return text.rpartition(": ")[2] or type(cause).__name__
