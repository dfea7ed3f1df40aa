"""How the facts about an image are come by: it is run in both roles, in ordinary and in odd environments.

Nothing is judged here but round trips, and those by the suite itself; the questions are in the modules beside it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ci.conformance.base import Acceptance, Behaviour, Experiment, RoundTrip, Serving
from ci.model import TRANSPORTS, Contract, PublishedImage, Role, Transport, Version
from ci.runner.attempt import attempt
from ci.runner.probe import probe
from ci.suites.transport.judge import has_result
from ci.suites.transport.running import TransportRun
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.runner.probe import Trace
    from ci.spec.attempt import AttemptSpec, Coordination, Participant

__all__ = ["Laboratory"]

# Time limits the image is given, in seconds.
SHORT_SECONDS: Final = 2
DIAL_SECONDS: Final = 5
LONG_SECONDS: Final = 120
# How long beyond its limit it is watched, and how long a refusal may take; or three times as long as it took to
# start when all was well, where that is more: a slow start on a busy host is no fault of the program.
GRACE_SECONDS: Final = 6.0
REFUSAL_SECONDS: Final = 15.0
SLOW_START: Final = 3
# Longer than the two seconds it is granted (T14), so that slow and deaf can be told apart.
STOP_SECONDS: Final = 5.0

CLOSED_PORT: Final = "127.0.0.1:1"
NO_ADDRESS: Final = "this is no address"
UNKNOWN: Final = "no-such-thing"

# Where nobody answers, for images whose listeners are not at hand; the network is reserved for documentation.
NOBODY: Final = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"
DEAD_ADDRESSES: Final[Mapping[str, str]] = {
    "tcp": f"/ip4/192.0.2.1/tcp/4001/p2p/{NOBODY}",
    "ws": f"/ip4/192.0.2.1/tcp/4001/ws/p2p/{NOBODY}",
    "wss": f"/ip4/192.0.2.1/tcp/4001/tls/ws/p2p/{NOBODY}",
    "quic-v1": f"/ip4/192.0.2.1/udp/4001/quic-v1/p2p/{NOBODY}",
}

# What the parts of an environment are called (contract, sections 1.1 and 1.6).
VARIABLES: Final[Mapping[Contract, Mapping[str, str]]] = {
    Contract.CLASSIC: {
        "transport": "transport",
        "secure channel": "security",
        "muxer": "muxer",
        "redis": "redis_addr",
        "timeout": "test_timeout_seconds",
    },
    Contract.UNIFIED: {
        "transport": "TRANSPORT",
        "secure channel": "SECURE_CHANNEL",
        "muxer": "MUXER",
        "redis": "REDIS_ADDR",
        "timeout": "TEST_TIMEOUT_SECS",
    },
}


class Laboratory:
    """One image under one generation of the contract, in one slot.

    :param peer: an image that listens where this one only dials
    :param timeout: seconds a role may take to publish or to ask for an address
    :param tell: told in a few words what is being done
    """

    def __init__(
        self,
        slot: Slot,
        image: str,
        contract: Contract,
        *,
        peer: str | None,
        timeout: float,
        tell: Callable[[str], None],
    ) -> None:
        self._slot = slot
        self._contract = contract
        self._peer = peer
        self._timeout = timeout
        self._tell = tell
        self._start_seconds = 0.0
        self._images = {"image": image, "peer": peer or image}
        self._suite = TransportRun(
            {
                name: Version(
                    id=name,
                    family=name,
                    source=PublishedImage(reference=reference),
                    transports=tuple(Transport(name=transport) for transport in TRANSPORTS),
                    contract=contract,
                    timeout_seconds=max(1, round(timeout)),
                )
                for name, reference in self._images.items()
            }
        )

    def observe(self, stacks: Sequence[Stack], expected: frozenset[tuple[Stack, Role]]) -> Behaviour:
        """Everything there is to see.

        :raises EngineError: the engine or Redis broke
        """
        acceptance = tuple(self._accept(stack) for stack in stacks)
        trips = tuple(trip for it in acceptance for trip in self._round_trips(it))
        served = {trip.stack for trip in trips if trip.passed and not trip.peer}
        return Behaviour(
            contract=self._contract,
            expected=expected,
            timeout=self._timeout,
            acceptance=acceptance,
            trips=trips,
            serving=next((self._serve(it.stack) for it in acceptance if it.stack in served), None),
            experiments=dict(self._experiments(acceptance, trips)),
        )

    # --- over every stack -----------------------------------------------------------------------------

    def _accept(self, stack: Stack) -> Acceptance:
        """Start both roles and see whether they come as far as Redis."""
        self._tell(f"{self._contract}: {stack}: is it accepted?")
        spec = self._spec(stack)
        with probe(self._slot, {"check": "accept"}) as it:
            listener, dialer = it.start(spec.participant("listener"), spec.participant("dialer"))
            decided = it.wait(
                lambda: (
                    (listener.end is not None or bool(it.published(_meet(spec).listener_key)))
                    and (dialer.end is not None or it.asked(_meet(spec).dialer_key))
                ),
                self._timeout,
            )
            it.sync()
            seen = Acceptance(
                stack=stack,
                listens=bool(it.published(_meet(spec).listener_key)),
                dials=it.asked(_meet(spec).dialer_key),
                traces={"listener": listener.trace(), "dialer": dialer.trace()},
            )
        if decided:  # else this was how long we waited, not how long it took
            slowest = max((trace.seconds for role, trace in seen.traces.items() if seen.accepted(role)), default=0.0)
            self._start_seconds = max(self._start_seconds, slowest)
        return seen

    def _round_trips(self, accepted: Acceptance) -> Iterator[RoundTrip]:
        """One, where the image dials and somebody listens."""
        peer = not accepted.listens
        if not accepted.dials or (peer and self._peer is None):
            return
        self._tell(f"{self._contract}: {accepted.stack}: ping")
        case = accepted.stack.case("image", "peer" if peer else "image")
        evidence = attempt(
            self._slot,
            self._spec(accepted.stack, listener=case.second),
            has_result=has_result,
            labels={"check": "ping"},
            cancelled=threading.Event(),
        )
        if peer and not evidence.published:
            return  # the peer does not listen there: nothing is learnt about this image
        verdict = self._suite.judge(case, evidence, self._slot.surroundings)
        yield RoundTrip(stack=accepted.stack, evidence=evidence, verdict=verdict, peer=peer)

    # --- over one that works --------------------------------------------------------------------------

    def _serve(self, stack: Stack) -> Serving:
        self._tell(f"{self._contract}: {stack}: a listener and two dialers")
        spec = self._spec(stack)
        with probe(self._slot, {"check": "serve"}) as it:
            # Its own time limit is not what is looked at here: it must outlast both dialers.
            limit = {VARIABLES[self._contract]["timeout"]: str(round(3 * spec.deadline))}
            (listener,) = it.start(_changed(spec.participant("listener"), limit))
            it.wait(lambda: listener.end is not None or bool(it.published(_meet(spec).listener_key)), self._timeout)
            traces: list[Trace] = []
            for address in it.published(_meet(spec).listener_key)[:1] * 2:
                if traces:
                    # The first one has taken the address away; the second gets what the listener said.
                    it.push(_meet(spec).dialer_key, address)
                (dialer,) = it.start(spec.participant("dialer"))
                it.wait_ended([dialer], spec.deadline)
                traces.append(dialer.trace())
            seen = listener.trace()
            stopping = listener.stop(STOP_SECONDS) if seen.end is None else None
        return Serving(listener=seen, dialers=tuple(traces), stopping=stopping)

    def _experiments(
        self, acceptance: Sequence[Acceptance], trips: Sequence[RoundTrip]
    ) -> Iterator[tuple[str, Experiment]]:
        """The odd environments, each over a stack that its roles are known to accept, best one that works."""
        working = {trip.stack for trip in trips if trip.passed}
        ordered = sorted(acceptance, key=lambda it: it.stack not in working)
        listening = next((self._spec(it.stack) for it in ordered if it.listens), None)
        dialing = next((self._spec(it.stack) for it in ordered if it.dials), None)
        parts = VARIABLES[self._contract]
        short = {parts["timeout"]: str(SHORT_SECONDS)}
        long = {parts["timeout"]: str(LONG_SECONDS)}

        if listening is not None:
            yield "listener-times-out", self._run("a listener alone", [listening.participant("listener")], short)
        if dialing is not None:
            dead = _dead_address(Stack.of(dialing.case), trips)
            if dead is not None:
                patient = {parts["timeout"]: str(DIAL_SECONDS)}
                yield (
                    "dialer-gives-up",
                    self._run("nobody answers", [dialing.participant("dialer")], patient, dialing, dead),
                )
            yield "bad-address", self._run("no address", [dialing.participant("dialer")], short, dialing, NO_ADDRESS)
            yield "dialer-times-out", self._run("a dialer alone", [dialing.participant("dialer")], short)

        both = [spec.participant("listener") for spec in [listening] if spec] + [
            spec.participant("dialer") for spec in [dialing] if spec
        ]
        if not both:
            return
        yield "missing-redis", self._run("no Redis", both, {**short, parts["redis"]: CLOSED_PORT})
        yield "missing-transport", self._run("no transport", both, {**long, parts["transport"]: None})
        for part in ("transport", "secure channel", "muxer"):
            if concerned := [participant for participant in both if parts[part] in participant.environment]:
                code = f"unknown-{part.replace(' ', '-')}"
                yield code, self._run(f"an unknown {part}", concerned, {**long, parts[part]: UNKNOWN})

    def _run(
        self,
        what: str,
        participants: Sequence[Participant],
        changes: Mapping[str, str | None],
        spec: AttemptSpec | None = None,
        address: str | None = None,
    ) -> Experiment:
        """Run participants with these variables changed (None: left out) until they end, or long enough.

        :param address: published beforehand under the key of this spec's dialer
        """
        self._tell(f"{self._contract}: {what}")
        timeout = int(changes[VARIABLES[self._contract]["timeout"]] or 0)
        slow = SLOW_START * self._start_seconds
        limit = max(REFUSAL_SECONDS, slow) if timeout == LONG_SECONDS else timeout + max(GRACE_SECONDS, slow)
        with probe(self._slot, {"check": "experiment"}) as it:
            if spec is not None and address is not None:
                it.push(_meet(spec).dialer_key, address)
            all_probed = it.start(*(_changed(participant, changes) for participant in participants))
            it.wait_ended(all_probed, limit)
            traces = tuple(probed.trace() for probed in all_probed)
        return Experiment(traces=traces, timeout=timeout, limit=limit)

    def _spec(self, stack: Stack, *, listener: str = "image") -> AttemptSpec:
        return self._suite.attempt_spec(
            stack.case("image", listener),
            images=self._images,
            surroundings=self._slot.surroundings,
            attempt="check",
        )


def _meet(spec: AttemptSpec) -> Coordination:
    assert spec.coordination is not None  # noqa: S101 -- every case of the transport suite has it
    return spec.coordination


def _changed(participant: Participant, changes: Mapping[str, str | None]) -> Participant:
    environment = {**participant.environment, **changes}
    return replace(participant, environment={name: value for name, value in environment.items() if value is not None})


def _dead_address(stack: Stack, trips: Sequence[RoundTrip]) -> str | None:
    """Where somebody listened a moment ago; else one made up, where that is possible."""
    for trip in trips:
        if trip.stack == stack and trip.evidence.published:
            return trip.evidence.published[0]
    return DEAD_ADDRESSES.get(stack.transport)
