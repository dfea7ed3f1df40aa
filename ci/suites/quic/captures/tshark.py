"""tshark, and how it is asked: every field a check may ask for at once.

It writes some seventy bytes of text for one byte captured and is through with 10 MiB of traffic in two seconds.

4.0.17 and later will do: it and 4.4.18 give the same records of all captures in the tests. 4.0 is given easier copies
(`old_tshark`), and cannot decrypt the first v2 Initial of a client that goes on in version 2: no check does so.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

from typing_extensions import Self

from ci.errors import EngineError
from ci.suites.quic.captures.dissected import datagrams
from ci.suites.quic.captures.files import UnreadableCaptureError
from ci.suites.quic.captures.old_tshark import Moved
from ci.suites.quic.captures.packets import Datagram

__all__ = ["MATURE", "MINIMUM", "check_tshark", "dissect", "inject_secrets", "tshark_version"]

MINIMUM: Final = (4, 0, 17)
# Earlier ones are given copies, see `old_tshark`; 4.4 is known not to need them.
MATURE: Final = (4, 4, 0)
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
    file: Path, key_log: Path | None, *, whole: bool, moved: Moved, capture: Path | None = None
) -> dict[int, Datagram]:
    """The UDP datagrams in a capture by the numbers of their frames, with what there is of QUIC in each.

    :param whole: False leaves out datagrams that begin with a short header, and so have nothing else in them
    :param moved: where those really were that `file` has elsewhere
    :param capture: what `file` is a copy of
    :raises UnreadableCaptureError: it is not whole
    :raises EngineError: tshark is missing, or `tshark-late`
    """
    capture = capture or file
    secrets = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    wanted = DATAGRAMS if whole else f"{DATAGRAMS} && quic.header_form == 1"
    with _Tshark([*ARGUMENTS, "-Y", wanted, *secrets, "-r", str(file)], capture.name) as tshark:
        try:
            found = dict(datagrams(tshark.lines(), moved))
        except ValueError as error:
            tshark.wait()  # stopped in the middle of a line it is late, and the capture no worse for it
            complaint = tshark.complaint() or f"tshark wrote what is not JSON ({error})"
            raise UnreadableCaptureError(capture, complaint) from error
        if tshark.wait() != 0:
            raise UnreadableCaptureError(capture, tshark.complaint() or "tshark failed without saying why")
    return found


def inject_secrets(capture: Path, key_log: Path, target: Path) -> None:
    """Write a copy of `capture` to `target` that people can open without a key log.

    :raises EngineError: editcap is missing or fails
    """
    command = ["editcap", "--inject-secrets", f"tls,{key_log}", str(capture), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise _missing("editcap", error) from error
    if done.returncode != 0:
        raise EngineError(
            "editcap", f"editcap could not put secrets into {capture.name}: {_without_noise(done.stderr)}"
        )


def tshark_version() -> tuple[int, int, int]:
    """The version of the tshark that will be used, to be held against `MINIMUM`.

    :raises EngineError: there is none, or it does not tell
    """
    return _version_of(shutil.which("tshark") or "tshark")


@lru_cache
def check_tshark() -> None:
    """Before anything runs: without it no case could be judged."""
    found = tshark_version()
    if found < MINIMUM:
        raise EngineError(
            "tshark-old",
            f"tshark {'.'.join(map(str, found))} is too old to judge captures with",
            why=f"the oldest that will do is {'.'.join(map(str, MINIMUM))}",
            hint="take it from a newer release of your distribution",
        )


def _version_of(program: str) -> tuple[int, int, int]:
    """Asked once: it takes tshark as long to say as to read a small capture."""
    command = [program, "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except OSError as error:
        raise _missing("tshark", error) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError("tshark-late", "tshark did not tell its version within a minute") from error
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)\b", done.stdout)
    if found is None:
        raise EngineError("tshark-version", f"tshark does not tell its version: {done.stdout[:80]!r}")
    return int(found[1]), int(found[2]), int(found[3])


def _missing(program: str, error: OSError) -> EngineError:
    return EngineError(
        f"{program}-missing",
        f"`{program}` could not be started: {error}",
        why="captures are judged with Wireshark's command-line tools",
        hint="install them (`apt-get install tshark`)",
    )


# --- the process ------------------------------------------------------------------------------------------


class _Tshark:
    """tshark while it reads, with nobody's preferences, and never longer than its time limit."""

    def __init__(self, arguments: list[str], what: str) -> None:
        self._arguments = arguments
        self._what = what

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory()
        self._complaints: IO[bytes] = tempfile.TemporaryFile()
        # A user's own settings (ports, switched-off protocols, name resolution) must not decide verdicts.
        environment = {**os.environ, "HOME": self._home.name, "XDG_CONFIG_HOME": self._home.name, "LC_ALL": "C.UTF-8"}
        try:
            self._process = subprocess.Popen(
                ["tshark", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=environment,
                # Ctrl-C at a terminal is for us: a capture is not unreadable because its reader was interrupted.
                start_new_session=True,
            )
        except OSError as error:
            self._clean()
            raise _missing("tshark", error) from error
        self._late = threading.Event()
        self._timer = threading.Timer(TIME_LIMIT_SECONDS, self._give_up)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._clean()

    def _clean(self) -> None:
        self._complaints.close()
        self._home.cleanup()

    def _give_up(self) -> None:
        self._late.set()
        self._process.kill()

    def lines(self) -> Iterable[bytes]:
        return self._process.stdout or ()

    def wait(self) -> int:
        code = self._process.wait()
        if self._late.is_set():
            raise EngineError(
                "tshark-late",
                f"tshark was not through the capture {self._what} after {TIME_LIMIT_SECONDS:g} s",
                why="the capture is much larger than those of the test cases are, or this host is overloaded",
            )
        return code

    def complaint(self) -> str:
        self._process.wait()
        self._complaints.seek(0)
        return _without_noise(self._complaints.read().decode(errors="replace"))


def _without_noise(text: str) -> str:
    """What a program of Wireshark's complains about, in one line, without its warning of being root."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("Running as user"))
