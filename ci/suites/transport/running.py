"""The libp2p *transport* suite: which variables both sides get, and where they meet.

The container contract has two generations (docs/image-contracts.md). An image is given the variables of its own
generation and no others; where the two sides of a case differ, they meet at different Redis keys and the spec
asks for a bridge between them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.model import Case, Contract, Role, Verdict, Version
from ci.spec.attempt import (
    CLASSIC_REDIS,
    REDIS_PASSWORD,
    AttemptSpec,
    Coordination,
    Evidence,
    Participant,
    Surroundings,
)
from ci.suites.transport.judge import has_result, judge
from ci.suites.transport.words import TRANSPORT, Stack

if TYPE_CHECKING:
    from ci.suites.base import Repetition, RunOptions, TryOut
    from ci.util.json_document import Json

__all__ = ["TransportCaseRun", "TransportRun", "open_run"]

CLASSIC_KEY: Final = "listenerAddr"

# What existing applications give themselves when nothing is said (contract, section 1.1).
DEFAULT_TIMEOUT_SECONDS: Final = 180
# The runner waits longer than the applications do, so that their own last log line is not cut off.
APPLICATION_EXIT_SECONDS: Final = 10
STOP_TIMEOUT_SECONDS: Final = 2.0  # contract, T14


def open_run(options: RunOptions) -> TransportRun:
    return TransportRun(
        options.versions,
        deadline=options.timeout,
        factor=options.timeout_factor,
        strict_exit=options.strict_exit,
    )


class TransportRun:
    """Describes and judges transport cases. A `SuiteRun`.

    :param versions: by id
    :param deadline: seconds, instead of what the two versions of a case declare
    :param factor: for slow hosts: what is declared, and told the two sides, times this
    :param strict_exit: fail a dialer that stays after its result, instead of warning (T10)
    """

    def __init__(
        self,
        versions: Mapping[str, Version],
        *,
        deadline: float | None = None,
        factor: float = 1.0,
        strict_exit: bool = False,
    ) -> None:
        self.versions = versions
        self._deadline = deadline
        self._factor = factor
        self._strict_exit = strict_exit

    def describe(self) -> Mapping[str, Json]:
        return {}

    def inputs(self, case: Case, images: Mapping[str, str]) -> Mapping[str, Json]:
        return {
            "suite": case.suite.name,
            **{role: images[version] for role, version in case.versions.items()},
            "stack": list(case.words),
            "contracts": [self.versions[version].contract.value for version in case.pair],
        }

    def case_run(self, case: Case, images: Mapping[str, str], *, identity: str, number: int) -> TransportCaseRun:
        del number  # the identity tells one attempt from another
        return TransportCaseRun(run=self, case=case, images=images, identity=identity)

    def captures_in(self, folder: Path) -> Sequence[Path]:
        del folder  # packets are recorded by `repro --pcap` alone, beside the case
        return ()

    def decrypted(self, folder: Path) -> Mapping[Path, Path]:
        del folder
        return {}

    def attempt_spec(
        self, case: Case, *, images: Mapping[str, str], surroundings: Surroundings, attempt: str
    ) -> AttemptSpec:
        """Describe one attempt at a case.

        :param images: image reference or id by version id
        :param attempt: unique per attempt, so that stale values of an earlier one can never be met
        """
        test_key = _test_key(f"{attempt} {case.name}")
        dialer, listener = self.versions[case.first], self.versions[case.second]
        timeout = _application_timeout(dialer, listener)
        if self._factor != 1:
            # Also where neither side declares one: each would go by its own default, which knows of no slow host.
            timeout = math.ceil((timeout or DEFAULT_TIMEOUT_SECONDS) * self._factor)

        def participant(role: Role, version: Version) -> Participant:
            return Participant(
                role=role,
                version=version.id,
                image=images[version.id],
                environment=_environment(case, role, version, test_key, timeout, surroundings),
            )

        return AttemptSpec(
            case=case,
            participants=(participant("listener", listener), participant("dialer", dialer)),
            coordination=Coordination(
                listener_key=_address_key(listener.contract, test_key),
                dialer_key=_address_key(dialer.contract, test_key),
            ),
            stop_timeout=STOP_TIMEOUT_SECONDS,
            deadline=self._deadline or (timeout or DEFAULT_TIMEOUT_SECONDS) + APPLICATION_EXIT_SECONDS,
        )

    def judge(self, case: Case, evidence: Evidence, surroundings: Surroundings) -> Verdict:
        return judge(case, evidence, shared_loopback=surroundings.shared_loopback, strict_exit=self._strict_exit)


@dataclass(frozen=True, kw_only=True)
class TransportCaseRun:
    """See `ci.suites.base.CaseRun`: two programs that meet at a Redis, once, without files or chance."""

    run: TransportRun
    case: Case
    images: Mapping[str, str]
    identity: str
    roles: tuple[Role, ...] = TRANSPORT.roles
    repetitions: tuple[str, ...] = ("",)
    has_files: bool = False
    seed: None = None
    settled: bool = True

    @property
    def limits(self) -> Mapping[str, Json]:
        spec = self.spec(0, None, Surroundings())
        return {"deadlineSeconds": spec.deadline, "memoryBytes": spec.participant("dialer").limits.memory_bytes}

    def objection(self, try_out: TryOut) -> None:
        """None: what the rows say of their images is believed until it is run."""

    def write_inputs(self, number: int, folder: Path) -> None:
        """Nothing: there are no files."""

    def drop_inputs(self, folder: Path) -> None:
        """Nothing."""

    def spec(self, number: int, folder: Path | None, surroundings: Surroundings) -> AttemptSpec:
        del number, folder
        return self.run.attempt_spec(self.case, images=self.images, surroundings=surroundings, attempt=self.identity)

    def has_result(self, stdout: str) -> bool:
        return has_result(stdout)

    def early_verdict(
        self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings
    ) -> Verdict:
        return self.judge(number, evidence, folder, surroundings)

    def judge(self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings) -> Verdict:
        del number, folder
        return self.run.judge(self.case, evidence, surroundings)

    def concluded(self, verdicts: Sequence[Verdict]) -> Verdict:
        return verdicts[-1]

    def reconsidered(self, verdict: Verdict, evidence: Evidence, try_out: TryOut) -> Verdict:
        del evidence, try_out
        return verdict

    def facts(self, folder: Path, run: Sequence[tuple[Repetition, Mapping[str, Json]]]) -> Mapping[str, Json]:
        del folder
        (repetition, participants), *_ = run
        evidence, meet = repetition.evidence, repetition.spec.coordination
        return {
            "deadlineSeconds": repetition.spec.deadline,
            "published": list(evidence.published),
            "publishedBy": list(evidence.published_by),
            "asked": evidence.asked,
            "received": evidence.received,
            "ending": evidence.ending.value,
            "redisKeys": None if meet is None else {"listener": meet.listener_key, "dialer": meet.dialer_key},
            "roles": participants,
        }

    def owner(self, name: str) -> str:
        return name.partition(".")[0]


def _test_key(text: str) -> str:
    """Eight hex digits, the length existing images document (contract, section 1.6)."""
    return hashlib.sha256(f"{text}\n".encode()).hexdigest()[:8]


def _address_key(contract: Contract, test_key: str) -> str:
    return CLASSIC_KEY if contract is Contract.CLASSIC else f"{test_key}_listener_multiaddr"


def _application_timeout(*versions: Version) -> int | None:
    """The larger of the limits that the two sides declare, which both are given; None where neither declares one.

    A row without a limit has no say, as in the established runner: its image is told the other row's, and images rely
    on being given the same one on both sides.
    """
    return max((it.timeout_seconds for it in versions if it.timeout_seconds is not None), default=None)


def _environment(
    case: Case, role: Role, version: Version, test_key: str, timeout: int | None, surroundings: Surroundings
) -> dict[str, str]:
    is_dialer = "true" if role == "dialer" else "false"
    stack = Stack.of(case)
    variables: dict[str, str | int | None]
    if version.contract is Contract.CLASSIC:
        variables = {
            "version": version.id,
            "transport": stack.transport,
            "security": stack.secure_channel,
            "muxer": stack.muxer,
            "is_dialer": is_dialer,
            "ip": surroundings.listen_ip,
            "redis_addr": None if surroundings.redis == CLASSIC_REDIS else str(surroundings.redis),
            "test_timeout_seconds": timeout,
        }
    else:
        variables = {
            "DEBUG": "false",
            "IS_DIALER": is_dialer,
            "REDIS_ADDR": str(surroundings.redis),
            "TEST_KEY": test_key,
            "TRANSPORT": stack.transport,
            "SECURE_CHANNEL": stack.secure_channel,
            "MUXER": stack.muxer,
            "LISTENER_IP": surroundings.listen_ip,
            "TEST_TIMEOUT_SECS": timeout,
        }
    variables[REDIS_PASSWORD] = surroundings.redis_password
    # An absent variable and an empty one are different things to some images: never send an empty one.
    return {name: str(value) for name, value in variables.items() if value is not None}
