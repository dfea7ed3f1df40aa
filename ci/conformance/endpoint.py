"""The contract of endpoints over a simulated network as questions to what an image did.

Sections are those of the quic-interop contract: the container contract of the QUIC Interop Runner, which images of its
ecosystem keep already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ci.conformance.base import Answer, Check, ImageFacts, Level, Result, Status, count
from ci.model import Outcome, ReasonCode, Verdict
from ci.spec.attempt import End
from ci.util.text import clip_middle

__all__ = [
    "ENDPOINT_CHECKS",
    "EndpointBehaviour",
    "EndpointReport",
    "EndpointRole",
    "KeyLog",
    "Meeting",
    "Refusal",
    "checks_for",
]

EndpointRole: TypeAlias = Literal["client", "server"]
# Useless is one that opens nothing of the capture.
KeyLog: TypeAlias = Literal["missing", "useless", "good"]
NOT_IMPLEMENTED: Final = 127
KILLED: Final = 137


# --- what was seen ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What became of an endpoint that was asked for a test case that does not exist.

    :param exit_code: None if it was still running after `limit` seconds
    :param said: the last line it wrote
    """

    name: str
    exit_code: int | None
    seconds: float
    limit: float
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A test case run by the image in one role and its counterpart in the other.

    :param peer: what the counterpart is called
    :param end: of the image, by itself or stopped
    :param stopping: seconds from SIGTERM to the image's end; None where it had ended before
    :param strays: files the image has left in its /downloads that nobody asked for, at any depth
    :param key_log: None where the test case did not pass, so that nobody can expect one
    :param qlog: it left files in QLOGDIR
    :param others: the same with other counterparts, none of which passed
    """

    peer: str
    verdict: Verdict
    end: End | None
    stopping: float | None = None
    strays: tuple[str, ...] = ()
    key_log: KeyLog | None = None
    qlog: bool = False
    others: tuple[Meeting, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EndpointBehaviour:
    """Everything seen of an image in one role.

    :param claims: by value of TESTCASE, whether it is taken; empty where that cannot be told, because the image does
        not refuse what it does not know
    :param basics: the test cases it was to run with its counterpart, by the value of TESTCASE it gets in them
    :param meetings: those that were run, by the same value
    :param bare: the first of them once more, without SSLKEYLOGFILE and QLOGDIR
    """

    role: EndpointRole
    refusal: Refusal
    stop_timeout: float
    claims: Mapping[str, bool] = field(default_factory=dict)
    basics: tuple[str, ...] = ()
    meetings: Mapping[str, Meeting] = field(default_factory=dict)
    bare: Meeting | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointReport:
    """All that was learnt about one image.

    :param peers: what the counterparts are called, in the order they were tried
    :param results: of the image itself (None), and of each role it was tried in
    """

    image: ImageFacts
    suite: str
    peers: tuple[str, ...]
    behaviours: tuple[EndpointBehaviour, ...]
    results: Mapping[EndpointRole | None, tuple[Result, ...]]

    @property
    def all_results(self) -> tuple[Result, ...]:
        return tuple(result for results in self.results.values() for result in results)

    @property
    def passed(self) -> bool:
        """Whether the image keeps the contract; what this project recommends does not decide."""
        return count(self.all_results, Status.FAILED, Level.MUST) == 0


# --- questions --------------------------------------------------------------------------------------------


def _refuses(seen: EndpointBehaviour) -> Answer:
    refusal = seen.refusal
    asked = f"asked as {seen.role} for `{refusal.name}`, it"
    if refusal.exit_code == NOT_IMPLEMENTED:
        return Answer(note=f"{refusal.seconds:.1f} s")
    if refusal.exit_code is None:
        return Answer(wrong=(f"{asked} was still running after {refusal.limit:.0f} s{_words(refusal.said)}",))
    return Answer(wrong=(f"{asked} exited {refusal.exit_code}, not {NOT_IMPLEMENTED}{_words(refusal.said)}",))


def _claims(seen: EndpointBehaviour) -> Answer:
    if not seen.claims:
        return Answer(skipped=True, note="what it does cannot be told while it does not refuse what it does not know")
    taken = sum(seen.claims.values())
    missing = tuple(name for name in seen.basics if not seen.claims.get(name, True))
    wrong = tuple(f"as {seen.role} it answers {NOT_IMPLEMENTED} to `{name}`" for name in missing)
    return Answer(wrong=wrong, note=f"{taken} of {len(seen.claims)}")


def _plays(number: int) -> Callable[[EndpointBehaviour], Answer]:
    """Whether the basic test case of this number works with the counterpart."""

    def ask(seen: EndpointBehaviour) -> Answer:
        name = seen.basics[number]
        meeting = seen.meetings.get(name)
        if meeting is None:
            return Answer(skipped=True, note=f"it does not claim {name}")
        return _passed(meeting, name)

    return ask


def _passed(meeting: Meeting, name: str) -> Answer:
    verdict = meeting.verdict
    reason = verdict.reason
    if verdict.outcome is Outcome.PASSED:
        facts = [f"{key} {value}" for key, value in (verdict.negotiated or {}).items()]
        return Answer(
            note=", ".join([f"with {meeting.peer}", *facts, *(f"not {_outcome(it)}" for it in meeting.others)])
        )
    if verdict.outcome is Outcome.ERROR and reason is not None and reason.side == "harness":
        return Answer(skipped=True, note=f"{name} could not be run: {reason.text}")
    return Answer(wrong=tuple(f"{name} {_outcome(it)}" for it in (meeting, *meeting.others)))


def _outcome(meeting: Meeting) -> str:
    reason = meeting.verdict.reason
    said = reason.text if reason is not None else "no reason given"
    return f"with {meeting.peer}: {meeting.verdict.outcome}: {said}"


def _plays_bare(seen: EndpointBehaviour) -> Answer:
    if seen.bare is None:
        return Answer(skipped=True, note="needs a test case that works")
    return _passed(seen.bare, f"{seen.basics[0]} without SSLKEYLOGFILE and QLOGDIR")


def _answers_probe(seen: EndpointBehaviour) -> Answer:
    if not seen.meetings:
        return Answer(skipped=True, note="it was not started in a test case it does")
    mute = [
        name
        for name, meeting in seen.meetings.items()
        if (reason := meeting.verdict.reason) is not None and reason.code is ReasonCode.BEFORE_PUBLISH
    ]
    return Answer(wrong=tuple(f"{name}: no Version Negotiation packet within 10 s" for name in mute))


def _exact_files(seen: EndpointBehaviour) -> Answer:
    if not seen.meetings:
        return Answer(skipped=True, note="needs a test case it does")
    return Answer(
        wrong=tuple(
            f"{name}: nobody asked for {', '.join(meeting.strays[:3])}" + (" …" if len(meeting.strays) > 3 else "")
            for name, meeting in seen.meetings.items()
            if meeting.strays
        )
    )


def _stops(seen: EndpointBehaviour) -> Answer:
    stopped = {name: it for name, it in seen.meetings.items() if it.stopping is not None and it.end is not None}
    if not stopped:
        return Answer(skipped=True, note="it was never running when its counterpart had ended")
    wrong = tuple(
        f"{name}: it ran on after SIGTERM, and was killed after {seen.stop_timeout:.0f} s"
        for name, it in stopped.items()
        if it.end is not None and it.end.exit_code == KILLED and (it.stopping or 0) >= seen.stop_timeout * 0.9
    )
    slowest = max(it.stopping or 0.0 for it in stopped.values())
    codes = sorted({it.end.exit_code for it in stopped.values() if it.end is not None})
    return Answer(wrong=wrong, note="" if wrong else f"{slowest:.1f} s, exit code {', '.join(map(str, codes))}")


def _key_log(seen: EndpointBehaviour) -> Answer:
    looked_at = {name: it.key_log for name, it in seen.meetings.items() if it.key_log is not None}
    if not looked_at:
        return Answer(skipped=True, note="needs a test case that works")
    words = {
        "missing": "no secrets of a handshake in $SSLKEYLOGFILE",
        "useless": "the key log opens nothing of the capture",
    }
    return Answer(wrong=tuple(f"{name}: {words[state]}" for name, state in looked_at.items() if state != "good"))


def _qlog(seen: EndpointBehaviour) -> Answer:
    passed = {name: it for name, it in seen.meetings.items() if it.verdict.outcome is Outcome.PASSED}
    if not passed:
        return Answer(skipped=True, note="needs a test case that works")
    return Answer(wrong=tuple(f"{name}: nothing in $QLOGDIR" for name, it in passed.items() if not it.qlog))


def _words(said: str) -> str:
    return f"; its last line: {clip_middle(said, 300)}" if said else "; it wrote nothing"


# --- the table --------------------------------------------------------------------------------------------


def _check(
    code: str,
    title: str,
    section: str,
    ask: Callable[[EndpointBehaviour], Answer],
    why: str,
    hint: str,
    level: Level = Level.MUST,
) -> Check[EndpointBehaviour]:
    return Check(code=code, title=title, section=section, ask=ask, why=why, hint=hint, level=level)


PLAY_IT: Final = "give it a row in versions.yaml and run the case with `repro --pcap`: all logs are kept"

# What is asked of a server alone: a client is not waited for, and ends by itself.
OF_SERVERS: Final = ("answers-probe", "stops-on-sigterm")

ENDPOINT_CHECKS: Final[tuple[Check[EndpointBehaviour], ...]] = (
    _check(
        "refuses-unknown",
        f"a test case nobody knows is answered with exit code {NOT_IMPLEMENTED}",
        "1.7, 1.8",
        _refuses,
        "one that takes what it does not know fails what it never claimed: runners leave such an image out altogether",
        f"compare TESTCASE with what the program does before anything else, and exit {NOT_IMPLEMENTED} for the rest",
    ),
    _check(
        "claims-basics",
        "what everything else is built on is claimed",
        "4.4",
        _claims,
        "an image that does none of it says little about its library",
        "begin with one connection and one file",
        Level.SHOULD,
    ),
    _check(
        "answers-probe",
        "an unknown QUIC version is answered with Version Negotiation",
        "2.2",
        _answers_probe,
        "the simulator takes the answer for the server's being ready, and without one it ends before the client starts",
        "listen on UDP port 443 of both families within 10 s, and let the library answer unknown versions",
    ),
    _check(
        "first-case",
        "one connection with the counterpart",
        "4.3",
        _plays(0),
        "what does not work here will not work anywhere in the matrix",
        PLAY_IT,
    ),
    _check(
        "second-case",
        "several files with the counterpart",
        "4.3",
        _plays(1),
        "most test cases are this one over another network",
        PLAY_IT,
    ),
    _check(
        "nothing-else",
        "nothing but what was asked for is in /downloads",
        "4.1",
        _exact_files,
        "a file too many fails the case, and hides that something was saved under the wrong name",
        "save each file under the last part of its URL, and temporary ones elsewhere",
    ),
    _check(
        "runs-bare",
        "it works without SSLKEYLOGFILE and QLOGDIR",
        "1.4",
        _plays_bare,
        "people run images by hand, and not every runner sets both",
        "write key log and qlog only where their variable is set",
    ),
    _check(
        "stops-on-sigterm",
        "SIGTERM ends the server before it is killed",
        "1.6",
        _stops,
        "every case takes that much longer, and what was to be written at the end is lost",
        "mind that a shell in front of the program keeps the signal from it: begin its last line with `exec`",
    ),
    _check(
        "key-log",
        "the key log opens the capture",
        "4.1",
        _key_log,
        "without it eight test cases say nothing, unless the other side has written one",
        "write what the TLS library hands out in NSS format to $SSLKEYLOGFILE, and flush it before the program ends",
        Level.SHOULD,
    ),
    _check(
        "qlog",
        "it leaves a qlog",
        "1.4",
        _qlog,
        "it shows what the endpoint thought, where a capture shows what it did",
        "let the library write one file for each connection into $QLOGDIR",
        Level.SHOULD,
    ),
)


def checks_for(role: EndpointRole) -> tuple[Check[EndpointBehaviour], ...]:
    """What an image is held to in this role."""
    return tuple(it for it in ENDPOINT_CHECKS if role == "server" or it.code not in OF_SERVERS)
