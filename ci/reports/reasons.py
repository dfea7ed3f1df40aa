"""What each reason code means: docs/reasons.md is made of this, and reports show it beside a code.

`nox -s documents` writes the page; a test holds it to what is here, and this to the codes there are.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.model import Outcome, ReasonCode

__all__ = ["EXPLANATIONS", "PAGE", "Explanation", "page"]

PAGE: Final = "docs/reasons.md"


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """:param outcome: which a case has then

    :param means: what was seen, in a sentence
    :param usually: what that usually comes from
    :param advice: what to do
    """

    outcome: Outcome
    means: str
    usually: str
    advice: str


def _explained(outcome: Outcome, means: str, usually: str, advice: str) -> Explanation:
    return Explanation(outcome=outcome, means=means, usually=usually, advice=advice)


_F, _T, _U, _N, _E = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.ERROR)
_LOGS: Final = (
    "read the last line of the side that is named, then `output.txt` in the case's folder: both sides by time"
)
_AGAIN: Final = "run the same command again: it goes on where it stopped"

EXPLANATIONS: Final[Mapping[ReasonCode, Explanation]] = {
    # failed
    ReasonCode.NEVER_PUBLISHED: _explained(
        _F,
        "The listener left, or the dialer gave up, before Redis had an address in the form that the contract has.",
        "a listener that exits 0 too early, or one that writes its address with SET in place of RPUSH",
        "compare the listener with docs/image-contracts.md; `check-image` tries it alone",
    ),
    ReasonCode.DIALER_EXIT: _explained(
        _F,
        "The dialer exited with another code than 0.",
        "the connection, its negotiation or the ping failed, and the dialer says so in its last line",
        _LOGS,
    ),
    ReasonCode.LISTENER_EXIT: _explained(
        _F,
        "The listener exited before the dialer was done.",
        "it does not know the stack it was asked for, or a panic ends it when somebody connects",
        _LOGS,
    ),
    ReasonCode.SIGNAL: _explained(
        _F,
        "A side was ended by a signal that this tool did not send.",
        "a crash of native code (SIGSEGV, SIGABRT), or a program that kills itself",
        "`repro -- --shell` opens a shell where it crashed; look for a known crash of that version",
    ),
    ReasonCode.OUT_OF_MEMORY: _explained(
        _F,
        "The kernel ended a side that used more memory than a case may.",
        "a leak, or a buffer as large as the other side asks for",
        "the limit is told in docs/image-contracts.md; run it alone under it",
    ),
    ReasonCode.NO_RESULT: _explained(
        _F,
        "The dialer exited 0 and printed no result.",
        "it writes its result to standard error, or not before it exits",
        "the contract wants one JSON object, or YAML, on standard output: docs/image-contracts.md",
    ),
    ReasonCode.BAD_RESULT: _explained(
        _F,
        "The result cannot be true: no two finite times that are not negative; or a side calls only some attempts "
        "unsupported.",
        "times in another unit, NaN, or a program that does not know beforehand what it can do",
        "print milliseconds as plain decimals",
    ),
    ReasonCode.WRONG_STACK: _explained(
        _F,
        "A side reports, from the live connection, another stack than was asked for.",
        "a default of the library won over the stack of the case",
        "configure that stack alone on both sides, so that nothing else can be negotiated",
    ),
    ReasonCode.CLIENT_EXIT: _explained(
        _F,
        "The client ended first, with another code than 0.",
        "the handshake or a transfer failed, and the client says so in its last line",
        _LOGS,
    ),
    ReasonCode.SERVER_EXIT: _explained(
        _F,
        "The server ended first, with another code than 0.",
        "a crash, or a certificate or folder it could not read",
        _LOGS,
    ),
    ReasonCode.WRONG_FILES: _explained(
        _F,
        "What arrived is not what was sent: a file is missing, too much, or has other content.",
        "a transfer that ended early, or one written to another folder than the contract has",
        "the reason names the file; compare it with what `client_www` or `server_www` held",
    ),
    ReasonCode.WRONG_TRAFFIC: _explained(
        _F,
        "All files arrived, but the packets do not show what the test case is about.",
        "the feature was not used, was used too late, or by the wrong side",
        "`repro --pcap` keeps both captures and decrypted copies; docs/quic-contract.md has each rule",
    ),
    # unsupported
    ReasonCode.EXIT_127: _explained(
        _U,
        "A side exited 127: it says itself that it does not do this test case.",
        "the feature is not implemented",
        "nothing: the contract has this answer",
    ),
    ReasonCode.NO_KEY_LOG: _explained(
        _U,
        "The test case can be judged only in decrypted packets, and neither side left a key log.",
        "the library cannot write one, or `SSLKEYLOGFILE` is not handed to it",
        "let one side write the secrets to the file that `SSLKEYLOGFILE` names",
    ),
    # timed out
    ReasonCode.BEFORE_PUBLISH: _explained(
        _T,
        "The deadline passed, or the server's first answer was waited for in vain, before there was anything to dial.",
        "a listener that waits for something, or a server that drops the first packet without a word",
        _LOGS,
    ),
    ReasonCode.NOT_CONSUMED: _explained(
        _T,
        "An address was there, and the dialer did not fetch it until the deadline.",
        "it asked once, too early, and not again; or it asked for another key",
        "use BLPOP on the key of the contract",
    ),
    ReasonCode.DIALING: _explained(
        _T,
        "The dialer had the address, and neither failed nor succeeded until the deadline.",
        "each side waits for the other: a negotiation that neither begins, or a lost message nobody repeats",
        "run it again with `repro -- --pcap`; the last packets say who was to speak next",
    ),
    ReasonCode.STOPPING: _explained(
        _T,
        "The dialer printed its result and did not exit (only with `--strict-exit`).",
        "an open connection or a timer keeps its event loop alive",
        "close the host, then exit",
    ),
    ReasonCode.EXCHANGING: _explained(
        _T,
        "The deadline passed while client, server or both were still running.",
        "a stalled connection; or this host is too slow for the time the test case has",
        "look at the load in the record; `--timeout-factor` gives slow hosts more time",
    ),
    # not run
    ReasonCode.PLANNED_OUT: _explained(
        _N,
        "The engine that runs here cannot run a version of this case, as was known beforehand.",
        "local processes: the version has no recipe, or its compiler is missing",
        "`doctor` says what is missing and what that affects",
    ),
    ReasonCode.IMAGE_UNAVAILABLE: _explained(
        _N,
        "A published image could not be pulled.",
        "the registry is out of reach, the tag is gone, or it needs a login",
        _AGAIN,
    ),
    ReasonCode.SHARD_MISSING: _explained(
        _N,
        "No results of the shard that owed this case were given to the merge.",
        "its job was cancelled, or its artifact was not fetched",
        "run that shard, then merge again",
    ),
    ReasonCode.SHARD_TRUNCATED: _explained(
        _N,
        "The shard that owed this case was cut short before it came to it.",
        "a killed job, a full disk, a reboot",
        _AGAIN,
    ),
    ReasonCode.CANCELLED: _explained(
        _N, "The run was interrupted before it came to this case.", "Ctrl-C, or a cancelled job", _AGAIN
    ),
    ReasonCode.BUILD_FAILED: _explained(
        _N,
        "The image of a version did not build.",
        "a package registry out of reach, or a dependency that was withdrawn",
        "the reason names the log; `build-images -- VERSION` builds it alone",
    ),
    ReasonCode.NOT_COMPLIANT: _explained(
        _N,
        "A side does not answer 127 to a test case that does not exist, so nobody could tell what it does not do.",
        "the image takes whatever it is asked for",
        "exit 127 for every value of TESTCASE you do not know; `check-image` shows it",
    ),
    # error
    ReasonCode.ENGINE_LOST: _explained(
        _E,
        "The engine stopped answering, or somebody else stopped or removed a container.",
        "a restarted daemon, a full disk, a clean-up job on the same host",
        f"look at `docker info` and the daemon's log, then {_AGAIN}",
    ),
    ReasonCode.REDIS_LOST: _explained(
        _E, "The Redis of a slot went away while a case used it.", "the host is out of memory", _AGAIN
    ),
    ReasonCode.CONTAINER_START: _explained(
        _E,
        "The image could not be started.",
        "no such entry point or user in it, or a file of it that may not be executed",
        "`docker run --rm IMAGE` says the same",
    ),
    ReasonCode.ILLEGAL_INSTRUCTION: _explained(
        _E,
        "A program was built for another processor.",
        "an image of another architecture, or one built with `-march=native` elsewhere",
        "build it for this processor",
    ),
    ReasonCode.SIMULATOR: _explained(
        _E,
        "The simulated network, or the competing flow, ended before the exchange was over.",
        "the simulator crashed, or did not know the scenario",
        "its output is in the case's folder, `simulator.*.txt`",
    ),
    ReasonCode.CAPTURE_UNREADABLE: _explained(
        _E,
        "A capture is not whole, or none at all.",
        "the simulator was killed while it wrote, or the disk is full",
        _AGAIN,
    ),
    ReasonCode.TSHARK_LATE: _explained(
        _E,
        "A capture was not read within its time limit.",
        "it is much larger than those of the test cases are, or this host is overloaded",
        "run it again when it is quieter",
    ),
    ReasonCode.NOT_JUDGED: _explained(
        _E,
        "What reads the results of a case failed.",
        "the engine is in trouble, or evidence nobody had thought of",
        "the reason has its words; report it with the evidence if it comes again",
    ),
    ReasonCode.DISK_FULL: _explained(
        _E, "There was no room for the files of a case.", "results and images of earlier runs", "`gc` lists them"
    ),
    ReasonCode.FILES_UNWRITABLE: _explained(
        _E,
        "The files of a case could not be written.",
        "a folder of another user, or a read-only file system",
        "give `--results` a folder that is yours",
    ),
    ReasonCode.SET_ASIDE: _explained(
        _E,
        "The case was not tried: its version broke what cases run on several times in a row.",
        "an image that takes down its Redis, its network or the engine",
        "run that version alone; a resumed shard tries all of these cases again",
    ),
    ReasonCode.BUG: _explained(
        _E,
        "A mistake of this tool.",
        "an answer or a file nobody had thought of",
        "report it with the traceback in `errors/` of the shard's folder",
    ),
}


def page() -> str:
    """docs/reasons.md."""
    lines = [
        "# Reasons",
        "",
        "Why a case is not green, in one word of a closed list: `reason.code` in [results](results-format.md) and in",
        "[expectations](expectations.md). Written by `nox -s documents`.",
    ]
    for outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.ERROR):
        lines += ["", f"## {outcome.replace('-', ' ').capitalize()}"]
        for code, it in EXPLANATIONS.items():
            if it.outcome is outcome:
                lines += [
                    "",
                    f"### {code}",
                    "",
                    it.means,
                    "",
                    f"* Usually: {it.usually}.",
                    f"* What to do: {it.advice}.",
                ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(sys.argv[1]) / PAGE).write_text(page(), encoding="utf-8")
