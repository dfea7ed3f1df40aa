"""The package and image registries that builds take from: does each answer from here, and what time is it there?"""

from __future__ import annotations

import email.utils
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import requests

from ci.commands.doctor_checks.asking import Trouble
from ci.commands.doctor_checks.finding import Finding, State

__all__ = ["Answer", "Registry", "ask", "judge_clock", "judge_registry", "registries"]

# Beyond this, certificates and signed package lists begin to look as if from the future, or expired.
MOST_SKEW: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Where something is downloaded from.

    :param address: of a small document every such registry has
    :param statuses: with which it answers to somebody who is not logged in
    :param impact: what is lost without it
    """

    name: str
    address: str
    statuses: tuple[int, ...] = (200,)
    impact: str

    @property
    def host(self) -> str:
        """For people: no path and no password."""
        return urlsplit(self.address).hostname or self.address


_REGISTRIES: Final = (
    Registry(
        name="PyPI",
        address="https://pypi.org/simple/uv/",
        impact="py is not built, and no wheel stands in for a missing program",
    ),
    Registry(name="npm", address="https://registry.npmjs.org/uint8arrays", impact="js and browsers are not built"),
    Registry(
        name="Go proxy",
        address="https://proxy.golang.org/github.com/libp2p/go-libp2p/@v/list",
        impact="go is not built",
    ),
    Registry(name="crates.io", address="https://index.crates.io/config.json", impact="rust is not built"),
    Registry(
        name="Debian",
        address="http://deb.debian.org/debian/dists/trixie/InRelease",
        impact="no image is built: all of them install packages",
    ),
    Registry(
        name="Docker Hub",
        address="https://registry-1.docker.io/v2/",
        statuses=(200, 401),
        impact="published images from there are not run, and a base image that is missing is made from a Debian mirror",
    ),
    Registry(
        name="ghcr.io",
        address="https://ghcr.io/v2/",
        statuses=(200, 401),
        impact="published images that are not here yet are not run",
    ),
)
# Variable → registry and the rest of the address; as the ordinary clients read them.
_ELSEWHERE: Final = (
    ("PIP_INDEX_URL", "PyPI", "/uv/"),
    ("UV_DEFAULT_INDEX", "PyPI", "/uv/"),
    ("npm_config_registry", "npm", "/uint8arrays"),
    ("GOPROXY", "Go proxy", "/github.com/libp2p/go-libp2p/@v/list"),
)


def registries(environment: Mapping[str, str]) -> tuple[Registry, ...]:
    """The registries that the clients would use under these variables."""
    found = {it.name: it for it in _REGISTRIES}
    for variable, name, path in _ELSEWHERE:
        # GOPROXY is a list of addresses, and of words such as `direct`.
        address = environment.get(variable, "").replace("|", ",").partition(",")[0].strip()
        if address.startswith(("http://", "https://")):
            found[name] = replace(found[name], address=address.rstrip("/") + path)
    return tuple(found.values())


@dataclass(frozen=True, kw_only=True)
class Answer:
    """That a registry answered.

    :param seconds: it took to answer
    :param ahead: seconds that this host's clock is ahead of the registry's, as exact as a second; None: not told
    """

    registry: Registry
    status: int
    seconds: float
    ahead: float | None

    @property
    def expected(self) -> bool:
        return self.status in self.registry.statuses


def ask(registry: Registry, environment: Mapping[str, str], *, seconds: float) -> Answer:
    """Ask for the small document and do not read it.

    :param environment: the process's own, for the bundle of authorities; proxies are found by `requests` itself
    :raises OSError: it does not answer; the message names no address, which may hold a password
    """
    started = time.monotonic()
    try:
        with requests.get(registry.address, timeout=seconds, stream=True, verify=_authorities(environment)) as response:
            date = response.headers.get("Date")
            status = response.status_code
    except (requests.RequestException, OSError, ValueError) as error:
        raise OSError(_reason(error)) from None
    return Answer(registry=registry, status=status, seconds=time.monotonic() - started, ahead=_ahead(date))


# The libraries' own words name addresses.
_WORDS: Final = (
    (requests.exceptions.ProxyError, "the proxy refuses, or does not answer"),
    (requests.exceptions.SSLError, "its certificate is not trusted here: SSL_CERT_FILE names the bundle to trust"),
    (requests.exceptions.Timeout, "no answer in time"),
)


def _authorities(environment: Mapping[str, str]) -> str | bool:
    # `requests` knows the first two by itself, and not the third, which this project's builds go by.
    if environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE"):
        return True
    return environment.get("SSL_CERT_FILE") or True


def _ahead(date: str | None) -> float | None:
    if date is None:
        return None
    try:
        # The header has whole seconds, cut off: on average it is half a second behind.
        return time.time() - (email.utils.parsedate_to_datetime(date).timestamp() + 0.5)
    except (ValueError, OverflowError):
        return None


def _reason(error: BaseException) -> str:
    causes = tuple(_causes(error, set()))
    if any(isinstance(it, ConnectionRefusedError) for it in causes):
        return "connection refused"
    if any(isinstance(it, socket.gaierror) for it in causes):
        return "its name cannot be resolved"
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    if "CA certificate bundle" in str(error):
        return "SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file"
    return f"no connection ({type(error).__name__})"


def _causes(error: object, seen: set[int]) -> Iterator[BaseException]:
    """The error and everything it was made from: libraries wrap one another's in three different ways."""
    if not isinstance(error, BaseException) or id(error) in seen:
        return
    seen.add(id(error))
    yield error
    for inner in (error.__cause__, error.__context__, getattr(error, "reason", None), *error.args):
        yield from _causes(inner, seen)


# --- judgement --------------------------------------------------------------------------------------------


def judge_registry(registry: Registry, answer: Answer | Trouble, *, unneeded: str = "") -> Finding:
    """:param unneeded: why it does not matter here whether it answers"""
    if isinstance(answer, Trouble):
        value = f"{registry.host}: {answer.text}"
    elif answer.expected:
        return Finding(name=registry.name, state=State.OK, value=f"{registry.host}, {1000 * answer.seconds:.0f} ms")
    else:
        value = f"{registry.host} answers {answer.status}"
    if unneeded:
        return Finding(name=registry.name, state=State.WARN, value=value, impact=f"nothing, {unneeded}")
    advice = "check the network and the proxy's variables (HTTPS_PROXY, NO_PROXY)"
    return Finding(name=registry.name, state=State.MISSING, value=value, impact=registry.impact, advice=advice)


def judge_clock(answers: Sequence[Answer | Trouble]) -> Finding:
    """This host's clock against the quickest answer that tells the time."""
    told = [it for it in answers if isinstance(it, Answer) and it.ahead is not None]
    if not told:
        return Finding(name="clock", state=State.OK, value="not compared: no registry tells the time")
    answer = min(told, key=lambda it: it.seconds)
    ahead = answer.ahead or 0.0
    host = answer.registry.host
    if abs(ahead) <= MOST_SKEW:
        how = f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'}" if abs(ahead) >= 2 else "agrees with"
        return Finding(name="clock", state=State.OK, value=f"{how} {host}")
    return Finding(
        name="clock",
        state=State.WARN,
        value=f"{abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} {host}",
        impact="certificates and package lists may look expired or not yet valid; results bear a wrong time",
        advice="set it (`timedatectl set-ntp true`)",
    )
