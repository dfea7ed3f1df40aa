"""What a run asks of this client: the environment of the container contract, taken apart."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

#: By what each test case asks for files; None: it asks for none.
TESTCASES: dict[str, str | None] = {
    "handshake": None,
    "transfer": None,
    "transfer-unidirectional-receive": "unidirectional",
    "transfer-bidirectional-receive": "bidirectional",
    "transfer-datagram-receive": "datagram",
}


class UnsupportedError(Exception):
    """The browser does not do this test case; the exit code is 127."""


@dataclass(frozen=True)
class Task:
    """One run: one session at `url`, in which `names` are fetched `how`. Folders are those of the endpoint."""

    testcase: str
    url: str
    names: tuple[str, ...]
    how: str | None
    protocols: tuple[str, ...]
    www: Path
    downloads: Path
    key_log: Path | None


def from_environment(environment: Mapping[str, str]) -> Task:
    """The task of this container; `UnsupportedError` for what a browser cannot be, `ValueError` for nonsense."""
    testcase, protocols = environment.get("TESTCASE", ""), tuple(environment.get("PROTOCOLS", "").split())
    if environment.get("ROLE") != "client" or testcase not in TESTCASES or not protocols:
        raise UnsupportedError(f"a browser is no {environment.get('ROLE')} in {testcase!r} without WebTransport")
    url, names = one_session(environment.get("REQUESTS", "").split())
    key_log = environment.get("SSLKEYLOGFILE")
    endpoint = urlsplit(url).path.strip("/")
    return Task(
        testcase=testcase,
        url=url,
        names=tuple(names),
        how=TESTCASES[testcase],
        protocols=protocols,
        www=Path("/www") / endpoint,
        downloads=Path("/downloads") / endpoint,
        key_log=Path(key_log) if key_log else None,
    )


def one_session(urls: list[str]) -> tuple[str, list[str]]:
    """The URL of the session, which ends with the endpoint, and the files wanted there.

    A browser makes a connection for every session, and the suite allows one: so there can be one endpoint only.
    """
    sessions: set[str] = set()
    names = []
    for url in urls:
        parts = urlsplit(url)
        endpoint, _, name = parts.path.lstrip("/").partition("/")
        sessions.add(f"{parts.scheme}://{parts.netloc}/{endpoint}")
        if name:
            names.append(name)
    if len(sessions) != 1:
        raise ValueError(f"REQUESTS name {len(sessions)} endpoints instead of one")
    return sessions.pop(), names


def certificate_hash(chain: Path) -> bytes:
    """SHA-256 of the first certificate of a PEM file, by which the browser will know the server."""
    end = "-----END CERTIFICATE-----\n"
    leaf = chain.read_text(encoding="ascii").partition(end)[0] + end
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(leaf)).digest()
