"""The container contract as questions to what an image did (docs/image-contracts.md, sections 1.1 to 1.9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from ci.conformance.base import Answer, Behaviour, Check, Level, last_line
from ci.conformance.trips import (
    PROMPT_SECONDS,
    clean_stdout,
    each_trip,
    leaves_promptly,
    one_address,
    one_result,
    plausible_times,
    reports_stack,
    result_form,
    verdict,
)
from ci.suites.transport.ping_record import find_records

if TYPE_CHECKING:
    from ci.conformance.base import Experiment
    from ci.runner.probe import Trace

__all__ = ["CONTRACT_CHECKS"]

STOP_SECONDS: Final = 2.0  # T14
# Giving up a little early is no fault: programs keep a reserve for tidying up.
EARLY: Final = 0.75


# --- which stacks -----------------------------------------------------------------------------------------


def _accepts(seen: Behaviour) -> Answer:
    works = [it for it in seen.acceptance if it.listens or it.dials]
    if not works:
        first = seen.acceptance[0].traces.values() if seen.acceptance else ()
        said = "; ".join(f"{trace.role}: {last_line(trace)}" for trace in first)
        return Answer(wrong=(f"no stack is accepted by either role ({said})",))
    refused = tuple(
        f"{it.stack}: the {role} does not take it, {last_line(trace)}"
        for it in seen.acceptance
        for role, trace in it.traces.items()
        if (it.stack, role) in seen.expected and not it.accepted(role)
    )
    return Answer(wrong=refused, note=f"{len(works)} of {len(seen.acceptance)} tried")


def _refuses_clearly(seen: Behaviour) -> Answer:
    wrong = []
    for it in seen.acceptance:
        for role, trace in it.traces.items():
            if it.accepted(role):
                continue
            if trace.end is None:
                did = "published no address" if role == "listener" else "did not ask for an address"
                wrong.append(f"{it.stack}: the {role} {did} within {seen.timeout:.0f} s and did not refuse either")
            elif trace.end.exit_code == 0:
                wrong.append(f"{it.stack}: the {role} exited 0 without having done anything; {last_line(trace)}")
            elif trace.stderr.total == 0:
                wrong.append(f"{it.stack}: the {role} exited {trace.end.exit_code} and said nothing on stderr")
    return Answer(wrong=tuple(wrong))


# --- a listener's life ------------------------------------------------------------------------------------


def _keeps_serving(seen: Behaviour) -> Answer:
    if seen.serving is None:
        return Answer(skipped=True, note="needs a listener that works")
    if not seen.serving.dialers:
        return Answer(wrong=(f"started once more, the listener published nothing; {last_line(seen.serving.listener)}",))
    for number, dialer in enumerate(seen.serving.dialers, start=1):
        if dialer.end is None or dialer.end.exit_code != 0:
            did = "did not end" if dialer.end is None else f"exited {dialer.end.exit_code}"
            listener = seen.serving.listener.end
            gone = f"; the listener had left with exit code {listener.exit_code}" if listener is not None else ""
            what = f"dialer {number} of 2 at the same listener {did} after {dialer.seconds:.1f} s{gone}"
            return Answer(wrong=(f"{what}; {last_line(dialer)}",))
    if seen.serving.listener.end is not None:
        return Answer(wrong=(f"the listener left with exit code {seen.serving.listener.end.exit_code} after pings",))
    return Answer()


def _stops(seen: Behaviour) -> Answer:
    if seen.serving is None:
        return Answer(skipped=True, note="needs a listener that works")
    seconds = seen.serving.stopping
    if seconds is None:
        return Answer(skipped=True, note="the listener had left before")
    if seconds > STOP_SECONDS:
        return Answer(wrong=(f"the listener ran on for {seconds:.1f} s after SIGTERM",))
    return Answer(note=f"{seconds:.2f} s")


# --- odd environments -------------------------------------------------------------------------------------


def _in(code: str, judge: Callable[[Experiment, Trace], Iterator[str]]) -> Callable[[Behaviour], Answer]:
    def ask(seen: Behaviour) -> Answer:
        experiment = seen.experiments.get(code)
        if experiment is None:
            return Answer(skipped=True, note="needs a stack the role accepts, with that part in it")
        return Answer(
            wrong=tuple(f"the {trace.role} {what}" for trace in experiment.traces for what in judge(experiment, trace)),
            note=", ".join(_outline(trace) for trace in experiment.traces),
        )

    return ask


def _outline(trace: Trace) -> str:
    ending = "running" if trace.end is None else f"exit code {trace.end.exit_code}"
    return f"{trace.role}: {ending} after {trace.seconds:.1f} s"


def _gives_up(experiment: Experiment, trace: Trace) -> Iterator[str]:
    """Ends non-zero within its time limit, and claims no success."""
    if trace.end is None:
        yield (
            f"was still running after {experiment.limit:.0f} s, its time limit was {experiment.timeout:.0f} s; "
            f"{last_line(trace)}"
        )
    elif trace.end.exit_code == 0:
        yield f"exited 0 after {trace.seconds:.1f} s; {last_line(trace)}"
    if find_records(trace.stdout.text()):
        yield "printed a result although no ping can have been answered"


def _waits(experiment: Experiment, trace: Trace) -> Iterator[str]:
    """Gives up at its time limit, not before."""
    yield from _gives_up(experiment, trace)
    if trace.end is not None and trace.seconds < experiment.timeout * EARLY:
        yield (
            f"gave up after {trace.seconds:.1f} s, its time limit was {experiment.timeout:.0f} s; {last_line(trace)}"
        )


def _refuses(experiment: Experiment, trace: Trace) -> Iterator[str]:
    """Ends non-zero at once, and says why."""
    yield from _gives_up(experiment, trace)
    if trace.end is not None and trace.stderr.total == 0:
        yield f"exited {trace.end.exit_code} and said nothing on stderr"


# --- the table --------------------------------------------------------------------------------------------

EXIT_CODES: Final = "the runner, and every CI around it, believes exit codes"
WAITS: Final = "a side that never gives up keeps its worker for minutes, one that claims success paints a cell green"
BOUND: Final = "start one clock when the program starts and bound every wait by it, dialing and Redis included"
SAY: Final = "what is not refused at once is waited for; and without a word nobody tells a missing feature from a crash"


def _check(
    code: str,
    title: str,
    section: str,
    ask: Callable[[Behaviour], Answer],
    why: str,
    hint: str,
    level: Level = Level.MUST,
) -> Check[Behaviour]:
    return Check(code=code, title=title, section=section, ask=ask, why=why, hint=hint, level=level)


def _refusal(part: str) -> Check[Behaviour]:
    code = f"unknown-{part.replace(' ', '-')}"
    return _check(
        code,
        f"a {part} nobody knows is refused at once",
        "1.4",
        _in(code, _refuses),
        SAY,
        f"compare the {part} with what the program can do before anything else, and exit non-zero if it is not there",
    )


CONTRACT_CHECKS: Final[tuple[Check[Behaviour], ...]] = (
    _check(
        "accepts-stacks",
        "stacks are accepted",
        "1.1",
        _accepts,
        "a version row promises its stacks; a refused one is a red cell against every other version",
        "see what the roles say above, and compare the variables they are given with the contract",
    ),
    _check(
        "refuses-clearly",
        "what is not accepted is refused at once, with a word on stderr",
        "1.4",
        _refuses_clearly,
        SAY,
        "decide from the variables alone, before Redis is touched, and exit non-zero with one line on stderr",
    ),
    _check(
        "pings-itself",
        "the image pings itself over every stack it accepts",
        "1.2",
        each_trip(verdict, passed_only=False),
        "what does not work with itself will not work with others",
        "run both roles by hand with this stack and read both sides' logs",
    ),
    _check(
        "one-result",
        "the dialer prints exactly one result",
        "1.2",
        each_trip(one_result),
        "the first result counts, so a second one means that something else was measured",
        "ping once, print once, exit",
    ),
    _check(
        "result-form",
        "the result has the form of this generation",
        "1.2, 1.6",
        each_trip(result_form),
        "this runner reads any form, others read only this one",
        "print it as the contract shows it, to the letter",
    ),
    _check(
        "plausible-times",
        "the times are plausible",
        "1.2",
        each_trip(plausible_times),
        "times are published and compared; wrong ones are worse than none",
        "take handshakePlusOneRTTMillis from before dialing to the pong, pingRTTMilllis from ping to pong; "
        "both in milliseconds, by a monotonic clock",
    ),
    _check(
        "clean-stdout",
        "nothing but the result is on stdout",
        "1.2",
        each_trip(clean_stdout),
        "runners have to find the result among it",
        "send all logging to stderr",
        Level.SHOULD,
    ),
    _check(
        "leaves-promptly",
        f"the dialer exits within {PROMPT_SECONDS:.0f} s of its result",
        "1.2, T10",
        each_trip(leaves_promptly),
        "every case pays for the wait, and the runner warns about each",
        "close the host, or exit the process once the result is flushed",
    ),
    _check(
        "one-address",
        "the listener publishes one address others can reach",
        "1.3, T16",
        each_trip(one_address, passed_only=False),
        "dialers take the first value as it is; some refuse an address without its peer id",
        "publish one address of the shared network that ends in /p2p/<own peer id>",
    ),
    _check(
        "reports-stack",
        "both roles report what was negotiated",
        "1.9",
        each_trip(reports_stack),
        "a green cell proves the stack it is named after only if the connection says so itself",
        "write `negotiated: transport=… secureChannel=… muxer=…` to stderr once connected, from the live connection",
        Level.SHOULD,
    ),
    _check(
        "keeps-serving",
        "the listener serves a second dialer",
        "1.2",
        _keeps_serving,
        "dialers retry, and some ping more than once",
        "serve until killed; do not count pings",
    ),
    _check(
        "stops-on-sigterm",
        f"SIGTERM ends the listener within {STOP_SECONDS:.0f} s",
        "1.4, T14",
        _stops,
        f"after {STOP_SECONDS:.0f} s it is killed, so every case with this listener takes that much longer",
        "exit 0 on SIGTERM; mind that a shell entrypoint keeps the signal from the program",
        Level.SHOULD,
    ),
    _check(
        "listener-times-out",
        "a listener nobody stops exits non-zero at its time limit",
        "1.2",
        _in("listener-times-out", _waits),
        "a listener that leaves with 0 claims a success nobody has seen; one that stays outlives its case",
        "read the timeout variable and exit 1 when it has passed",
    ),
    _check(
        "dialer-gives-up",
        "a dialer whose listener is gone exits non-zero within its time limit",
        "1.2, T15",
        _in("dialer-gives-up", _gives_up),
        WAITS,
        BOUND,
    ),
    _check(
        "bad-address",
        "a dialer given something that is no address exits non-zero",
        "1.3",
        _in("bad-address", _gives_up),
        EXIT_CODES,
        "parse what comes out of Redis and exit non-zero when it is no multiaddr",
    ),
    _check(
        "dialer-times-out",
        "a dialer nobody gives an address exits non-zero at its time limit",
        "1.2, T17",
        _in("dialer-times-out", _waits),
        WAITS,
        BOUND,
    ),
    _refusal("transport"),
    _refusal("secure channel"),
    _refusal("muxer"),
    _check(
        "missing-transport",
        "without a transport the program refuses to run",
        "1.7",
        _in("missing-transport", _refuses),
        "a default hides a misspelt variable: the wrong stack is tested and the cell is green",
        "give the transport no default",
    ),
    _check(
        "missing-redis",
        "without Redis both roles exit non-zero within their time limit",
        "1.3, T1",
        _in("missing-redis", _gives_up),
        EXIT_CODES,
        BOUND,
    ),
)
