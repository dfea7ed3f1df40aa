"""tshark, and how it is asked: every field a check may ask for at once.

It writes some seventy bytes of text for one byte captured and is through with 10 MiB of traffic in two seconds. It and
editcap are those of the helper image, one version for everybody, and read in a sandbox: captures and key logs come from
images that nobody vouches for, and Wireshark takes apart hundreds of protocols.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ci.errors import EngineError
from ci.model import ReasonCode
from ci.spec.sandbox import OpenSandbox, ProgramFailedError, ProgramLateError, Sandbox
from ci.suites.quic.captures.dissected import datagrams
from ci.suites.quic.captures.files import UnreadableCaptureError
from ci.suites.quic.captures.packets import Datagram

__all__ = ["dissect", "with_secrets"]

# Ten times what the largest capture of the suites takes on a slow machine.
TIME_LIMIT_SECONDS: Final = 300.0

# Ports say nothing here: a NAT may map the client to any, and a server may prefer another of its own. Whatever UDP the
# captures hold is QUIC, or no business of the endpoints.
ARGUMENTS: Final = (
    *("-n", "-T", "ek", "-J", "frame ip ipv6 udp quic"),
    *("-d", "udp.port==1-65535,quic", "--disable-protocol", "http3"),
    # Beside `crosstraffic` half of all frames and more; taking them apart takes as long as the rest.
    *("--disable-protocol", "tcp"),
)
# What an ICMP error quotes is not a second packet, and what is shorter than its own header is none.
DATAGRAMS: Final = "udp.length >= 8 && !icmp && !icmpv6"


def dissect(
    sandbox: Sandbox, file: str, key_log: str | None, *, whole: bool, capture: Path, seconds: float = TIME_LIMIT_SECONDS
) -> dict[int, Datagram]:
    """The UDP datagrams in a capture by the numbers of their frames, with what there is of QUIC in each.

    :param file: where it is, or a copy of it, in the sandbox; so is the key log
    :param whole: False leaves out datagrams that begin with a short header, and so have nothing else in them
    :param capture: what it is called in messages
    :param seconds: how long it may take
    :raises UnreadableCaptureError: it is not whole
    :raises EngineError: the engine broke, or `tshark-late`
    """
    secrets = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    wanted = DATAGRAMS if whole else f"{DATAGRAMS} && quic.header_form == 1"
    command = ["tshark", *ARGUMENTS, "-Y", wanted, *secrets, "-r", file]
    try:
        return dict(datagrams(_lines(sandbox.run(command, seconds=seconds))))
    except ValueError as error:
        raise UnreadableCaptureError(capture, f"tshark wrote what is not JSON ({error})") from error
    except ProgramFailedError as error:
        problem = _without_noise(error.complaint) or error.message
        raise UnreadableCaptureError(capture, problem) from error
    except ProgramLateError as error:
        raise EngineError(
            ReasonCode.TSHARK_LATE.value,
            f"tshark was not through the capture {capture.name} after {seconds:g} s",
            why="the capture is much larger than those of the test cases are, or this host is overloaded",
        ) from error


def with_secrets(capture: Path, key_log: bytes, open_sandbox: OpenSandbox) -> bytes:
    """A copy of a capture that people can open without a key log.

    :param key_log: as Wireshark reads it
    :raises EngineError: editcap fails, or the engine
    :raises OSError: the capture cannot be read
    """
    with open_sandbox() as sandbox:
        file, secrets = sandbox.write("capture", capture.read_bytes()), sandbox.write("keys.log", key_log)
        try:
            command = ["editcap", "--inject-secrets", f"tls,{secrets}", file, "-"]
            return b"".join(sandbox.run(command, seconds=TIME_LIMIT_SECONDS))
        except ProgramFailedError as error:
            complaint = _without_noise(error.complaint)
            raise EngineError("editcap", f"editcap could not put secrets into {capture.name}: {complaint}") from error


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines only: where the last one is torn, how the program has ended is known before it is looked at."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _without_noise(text: str) -> str:
    """What a program of Wireshark's complains about, in one line, without its warning of being root."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("Running as user"))
