"""The suites over a simulated network: who takes part in a case, with which variables, files and time limit.

Facts are those of the quic-interop contract, sections 1.4 to 1.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

from ci.model import Case, Role, SuiteWords
from ci.spec.attempt import AttemptSpec, Evidence, Limits, Participant
from ci.spec.last_log_line import last_line
from ci.suites.quic.exchange import Ending, Exchange
from ci.suites.quic.exchange import Participant as Part
from ci.suites.quic.materials.case_files import CaseFiles
from ci.suites.quic.testcases.base import PLAIN_LINK, TestCase
from ci.suites.quic.testcases.registry import cases_of
from ci.suites.quic.words import QUIC, WEBTRANSPORT

__all__ = [
    "OPERATOR_VARIABLES",
    "SERVER_PORT",
    "RoleImages",
    "attempt_spec",
    "exchange_of",
    "probe_spec",
    "test_case",
    "words_of",
]

SERVER_PORT: Final = "server:443"
STOP_TIMEOUT_SECONDS: Final = 10.0  # section 1.6
# Variables of the runner's own environment that are passed on to the images (section 1.4).
OPERATOR_VARIABLES: Final = ("CLIENT_PARAMS", "SERVER_PARAMS", "CRON")
# Chromium takes more than anything else that has been tried.
MEMORY: Final = Limits(memory_bytes=2048 * 1024 * 1024, processes=2048)

# Where the folders of a run are in a container, and where a container's own are kept (section 1.5).
_INPUTS: Final[Mapping[Role, Mapping[str, str]]] = {
    "client": {"/certs": "certs", "/www": "client_www", "/downloads": "client_downloads"},
    "server": {"/certs": "certs", "/www": "server_www", "/downloads": "server_downloads"},
}
_OUTPUTS: Final[Mapping[Role, Mapping[str, str]]] = {
    "client": {"/logs": "client", "/downloads": "client_downloads"},
    "server": {"/logs": "server", "/downloads": "server_downloads"},
    "simulator": {"/logs": "sim"},
}


_SIDES: Final[tuple[Literal["server", "client"], ...]] = ("server", "client")
_ENDINGS: Final[Mapping[Role | None, Ending]] = {
    "client": Ending.CLIENT_ENDED,
    "server": Ending.SERVER_ENDED,
    None: Ending.DEADLINE,
}


class RoleImages:
    """Which version has which role, and its image.

    :param seeded: the simulator takes the seed of its lots as `--seed=N`, which a foreign one would not know
    :param operator: values of `OPERATOR_VARIABLES`
    """

    def __init__(
        self,
        by_role: Mapping[Role, tuple[str, str]],
        *,
        seeded: bool,
        operator: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._by_role = by_role
        self.seeded = seeded
        self.operator = operator

    def participant(self, role: Role, environment: Mapping[str, str]) -> Participant:
        version, image = self._by_role[role]
        return Participant(role=role, version=version, image=image, environment=environment, limits=MEMORY)


def attempt_spec(
    case: Case, test: TestCase, case_files: CaseFiles, role_images: RoleImages, folder: Path
) -> AttemptSpec:
    """One run of a test case.

    :param folder: what `prepare` has filled; what the endpoints leave is kept there too
    """
    scenario = f"{test.scenario} --seed={case_files.seed}" if role_images.seeded else test.scenario
    participants = [
        role_images.participant("simulator", {"SCENARIO": scenario, "WAITFORSERVER": SERVER_PORT}),
        *(
            role_images.participant(
                side,
                _endpoint(
                    side,
                    test.testcase(side),
                    requests=case_files.requests.get(side, ""),
                    protocols=case_files.protocols.get(side, ""),
                    operator=role_images.operator,
                ),
            )
            for side in _SIDES
        ),
    ]
    for role in test.participants:
        more = {"CLIENT": "client4", "ROLE": "server"} if role == "iperf_server" else {"ROLE": "client"}
        participants.append(role_images.participant(role, {**more, **dict(test.environment)}))
    return AttemptSpec(
        case=case,
        participants=tuple(participants),
        inputs={role: {there: folder / here for there, here in places.items()} for role, places in _INPUTS.items()},
        outputs=_OUTPUTS,
        deadline=test.limit,
        stop_timeout=STOP_TIMEOUT_SECONDS,
        outer=("simulator",),
        delivered=((f"{case_files.sender}_www", f"{case_files.receiver}_downloads"),) if case_files.files else (),
    )


def probe_spec(
    case: Case, role: Role, name: str, role_images: RoleImages, folder: Path, *, limit: float, protocols: str = ""
) -> AttemptSpec:
    """Whether an endpoint answers 127 to a test case, mostly one that does not exist (section 1.8).

    :param name: of that test case
    :param protocols: not empty makes it one of WebTransport (section 1.4)
    """
    return AttemptSpec(
        case=case,
        participants=(
            role_images.participant("simulator", {"SCENARIO": PLAIN_LINK, "WAITFORSERVER": ""}),
            role_images.participant(
                role, _endpoint(role, name, requests="", protocols=protocols, operator=role_images.operator)
            ),
        ),
        inputs={role: {there: folder / here for there, here in _INPUTS[role].items()}},
        deadline=limit,
        stop_timeout=STOP_TIMEOUT_SECONDS,
        outer=("simulator",),
    )


def _endpoint(
    role: Role, testcase: str, *, requests: str, protocols: str, operator: Mapping[str, str]
) -> dict[str, str]:
    """Every variable is there, empty where it says nothing: that is how existing images know them."""
    return {
        "ROLE": role,
        "TESTCASE": testcase,
        "REQUESTS": requests,
        "PROTOCOLS": protocols,
        "SSLKEYLOGFILE": "/logs/keys.log",
        "QLOGDIR": "/logs/qlog/",
        **{name: operator.get(name, "") for name in (f"{role.upper()}_PARAMS", "CRON")},
    }


def test_case(case: Case) -> TestCase:
    """What a case is to show.

    :raises TypeError: it is of the transport suite
    """
    if case.suite not in (QUIC, WEBTRANSPORT):
        raise TypeError(f"{case.name} is not run over a simulated network")
    return next(test for test in cases_of(case.suite) if test.name == case.words[0])


def words_of(suite: SuiteWords, role: Role) -> list[str]:
    """All values of TESTCASE that one side of a suite over a network may get, each once."""
    side: Literal["client", "server"] = "client" if role == "client" else "server"
    return list(dict.fromkeys(test.testcase(side) for test in cases_of(suite)))


def exchange_of(evidence: Evidence, folder: Path) -> Exchange:
    """What judgement looks at, out of what the attempt left behind.

    :param folder: where the attempt's folders were gathered
    """
    present: list[Part] = [participant for participant in get_args(Part) if participant in evidence.exits]
    return Exchange(
        ending=_ENDINGS.get(evidence.first, Ending.SIMULATOR_ENDED),
        exits={participant: evidence.exits[participant] for participant in present},
        last_log_line={
            participant: last_line(evidence.streams[participant, "stderr"], evidence.streams[participant, "stdout"])
            for participant in present
        },
        elapsed=evidence.elapsed,
        folder=folder,
    )
