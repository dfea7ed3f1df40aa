from __future__ import annotations

import dataclasses
import hashlib

import pytest

from ci.model import Contract, PublishedImage, Transport, Version
from ci.spec.attempt import Address, AttemptSpec, Bridge, Coordination, Limits, Surroundings
from ci.suites.transport.running import TransportRun
from ci.suites.transport.words import Stack

LAYERED = Stack("tcp", "noise", "yamux")
STANDALONE = Stack("quic-v1")
CLASSIC, UNIFIED = Contract.CLASSIC, Contract.UNIFIED


def version(name: str, contract: Contract = CLASSIC, timeout: int | None = None) -> Version:
    return Version(
        id=name,
        family=name,
        source=PublishedImage(reference=name),
        transports=(Transport(name="tcp"), Transport(name="quic-v1")),
        contract=contract,
        timeout_seconds=timeout,
    )


def meet(spec: AttemptSpec) -> Coordination:
    assert spec.coordination is not None
    return spec.coordination


def spec_of(
    dialer: Version,
    listener: Version,
    *,
    stack: Stack = LAYERED,
    surroundings: Surroundings | None = None,
    attempt: str = "run/1/1",
    deadline: float | None = None,
    factor: float = 1.0,
) -> AttemptSpec:
    suite = TransportRun({dialer.id: dialer, listener.id: listener}, deadline=deadline, factor=factor)
    images = {dialer.id: f"sha256:{dialer.id}", listener.id: f"sha256:{listener.id}"}
    return suite.attempt_spec(
        stack.case(dialer.id, listener.id),
        images=images,
        surroundings=surroundings or Surroundings(),
        attempt=attempt,
    )


A, B = version("a"), version("b")
UA, UB = version("ua", UNIFIED), version("ub", UNIFIED)


# --- the exact environment --------------------------------------------------------------------------------


def test_classic_layered() -> None:
    spec = spec_of(A, B)
    common = {"transport": "tcp", "security": "noise", "muxer": "yamux", "ip": "0.0.0.0"}  # noqa: S104

    assert spec.participant("dialer").environment == {**common, "version": "a", "is_dialer": "true"}
    assert spec.participant("listener").environment == {**common, "version": "b", "is_dialer": "false"}


def test_classic_standalone_has_neither_security_nor_muxer() -> None:
    spec = spec_of(A, B, stack=STANDALONE)
    common = {"transport": "quic-v1", "ip": "0.0.0.0"}  # noqa: S104

    assert spec.participant("dialer").environment == {**common, "version": "a", "is_dialer": "true"}
    assert spec.participant("listener").environment == {**common, "version": "b", "is_dialer": "false"}


def test_unified_layered() -> None:
    spec = spec_of(UA, UB)
    key = hashlib.sha256(b"run/1/1 ua x ub (tcp, noise, yamux)\n").hexdigest()[:8]
    common = {
        "DEBUG": "false",
        "REDIS_ADDR": "redis:6379",
        "TEST_KEY": key,
        "TRANSPORT": "tcp",
        "SECURE_CHANNEL": "noise",
        "MUXER": "yamux",
        "LISTENER_IP": "0.0.0.0",  # noqa: S104
    }

    assert spec.participant("dialer").environment == {**common, "IS_DIALER": "true"}
    assert spec.participant("listener").environment == {**common, "IS_DIALER": "false"}
    assert meet(spec).dialer_key == meet(spec).listener_key == f"{key}_listener_multiaddr"


def test_unified_standalone_has_neither_secure_channel_nor_muxer() -> None:
    environment = spec_of(UA, UB, stack=STANDALONE).participant("dialer").environment

    assert environment["TRANSPORT"] == "quic-v1"
    assert not {"SECURE_CHANNEL", "MUXER"} & set(environment)


@pytest.mark.parametrize("stack", [LAYERED, STANDALONE], ids=str)
@pytest.mark.parametrize("timeout", [None, 30])
@pytest.mark.parametrize("dialer", Contract)
@pytest.mark.parametrize("listener", Contract)
def test_nothing_is_ever_sent_empty(stack: Stack, timeout: int | None, dialer: Contract, listener: Contract) -> None:
    """An absent variable and an empty one are different things to some images (contract, section 1.1)."""
    spec = spec_of(version("a", dialer, timeout), version("b", listener, timeout), stack=stack)

    for participant in spec.participants:
        assert all(value not in {"", "None"} for value in participant.environment.values())


def test_a_redis_elsewhere_is_told_to_both_generations() -> None:
    elsewhere = Surroundings(redis=Address(host="127.0.0.1", port=40001), listen_ip="127.0.0.1", shared_loopback=True)
    spec = spec_of(A, UB, surroundings=elsewhere)

    assert spec.participant("dialer").environment["redis_addr"] == "127.0.0.1:40001"
    assert spec.participant("dialer").environment["ip"] == "127.0.0.1"
    assert spec.participant("listener").environment["REDIS_ADDR"] == "127.0.0.1:40001"
    assert spec.participant("listener").environment["LISTENER_IP"] == "127.0.0.1"


@pytest.mark.parametrize("contract", Contract)
def test_a_password_of_redis_is_told_to_both_sides_of_both_generations(contract: Contract) -> None:
    sides = version("a", contract), version("b", contract)
    spec = spec_of(*sides, surroundings=Surroundings(redis_password="open sesame"))  # noqa: S106

    assert [participant.environment["REDIS_PASSWORD"] for participant in spec.participants] == ["open sesame"] * 2
    assert all("REDIS_PASSWORD" not in participant.environment for participant in spec_of(*sides).participants)


# --- time limits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dialer", "listener", "told", "deadline"),
    [
        (None, None, None, 190),
        (30, 60, "60", 70),
        (60, 30, "60", 70),
        (30, None, "30", 40),  # a row without a limit has no say
        (None, 300, "300", 310),
    ],
)
@pytest.mark.parametrize(("contract", "name"), [(CLASSIC, "test_timeout_seconds"), (UNIFIED, "TEST_TIMEOUT_SECS")])
def test_both_sides_get_the_longer_limit_and_the_runner_waits_longer(
    contract: Contract, name: str, dialer: int | None, listener: int | None, told: str | None, deadline: float
) -> None:
    spec = spec_of(version("a", contract, dialer), version("b", contract, listener))

    assert (
        spec.participant("dialer").environment.get(name) == spec.participant("listener").environment.get(name) == told
    )
    assert spec.deadline == deadline


@pytest.mark.parametrize(
    ("declared", "factor", "told", "deadline"),
    [(30, 2.5, "75", 85), (30, 0.1, "3", 13), (None, 2, "360", 370), (None, 1, None, 190), (7, 1.5, "11", 21)],
)
def test_on_a_slow_host_both_sides_and_the_runner_wait_longer(
    declared: int | None, factor: float, told: str | None, deadline: float
) -> None:
    dialer, listener = version("a", UNIFIED, declared), version("b", UNIFIED, declared)
    spec = spec_of(dialer, listener, factor=factor)

    assert spec.deadline == deadline
    for participant in (spec.participant("dialer"), spec.participant("listener")):
        assert participant.environment.get("TEST_TIMEOUT_SECS") == told


def test_a_deadline_may_be_given_and_changes_nothing_else() -> None:
    given, usual = spec_of(A, B, deadline=5), spec_of(A, B)

    assert given.deadline == 5
    assert dataclasses.replace(given, deadline=usual.deadline) == usual


# --- where both sides meet --------------------------------------------------------------------------------


@pytest.mark.parametrize("sides", [(A, B), (UA, UB)])
def test_the_same_generation_needs_no_bridge(sides: tuple[Version, Version]) -> None:
    assert meet(spec_of(*sides)).bridge is None


def test_different_generations_are_bridged_from_listener_to_dialer() -> None:
    key = spec_of(UA, B).participant("dialer").environment["TEST_KEY"]

    assert meet(spec_of(UA, B)).bridge == Bridge(source="listenerAddr", target=f"{key}_listener_multiaddr")
    key = spec_of(A, UB).participant("listener").environment["TEST_KEY"]
    assert meet(spec_of(A, UB)).bridge == Bridge(source=f"{key}_listener_multiaddr", target="listenerAddr")


def test_t2_every_attempt_and_every_case_has_a_key_of_its_own() -> None:
    keys = {
        meet(spec_of(dialer, listener, stack=stack, attempt=attempt)).dialer_key
        for dialer, listener in ((UA, UB), (UB, UA), (UA, UA))
        for stack in (LAYERED, STANDALONE)
        for attempt in ("1", "2")
    }

    assert len(keys) == 12


# --- the rest ---------------------------------------------------------------------------------------------


def test_sides_images_and_limits() -> None:
    spec = spec_of(A, B)

    assert [participant.role for participant in spec.participants] == ["listener", "dialer"]
    assert (spec.participant("dialer").version, spec.participant("dialer").image) == ("a", "sha256:a")
    assert (spec.participant("listener").version, spec.participant("listener").image) == ("b", "sha256:b")
    assert spec.participant("dialer").limits == spec.participant("listener").limits == Limits()


def test_a_version_may_talk_to_itself() -> None:
    spec = spec_of(A, A)

    assert spec.participant("dialer").environment["is_dialer"] != spec.participant("listener").environment["is_dialer"]
    assert spec.case.name == "a x a (tcp, noise, yamux)"
