"""`check-image` for endpoints on real containers that misbehave. A fake speaks no QUIC, so nothing is fetched here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from ci.conformance.base import Status
from ci.conformance.check_endpoint import Surroundings, check_endpoint
from ci.conformance.endpoint import EndpointReport, EndpointRole
from ci.conformance.endpoint_report import render_endpoint
from ci.engines.docker.networks import NetworkEngine, NetworkSlot
from ci.suites.registry import SUITES

if TYPE_CHECKING:
    from fake_peers import DockerPeers

    from ci.engines.docker.daemon import Daemon
    from ci.spec.sandbox import OpenSandbox

CLAIMS = 'ENV CLAIMS="handshake transfer"'


@pytest.fixture(scope="module")
def network_slot(daemon: Daemon, helper_image: str) -> Iterator[NetworkSlot]:
    with NetworkEngine(daemon, helper=helper_image).slot(3) as slot:
        yield slot


@pytest.fixture
def check(
    daemon: Daemon,
    network_slot: NetworkSlot,
    endpoints: DockerPeers,
    open_sandbox: OpenSandbox,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., EndpointReport]:
    monkeypatch.setattr("ci.conformance.endpoint_laboratory.REFUSAL_SECONDS", 2.0)
    monkeypatch.setattr("ci.conformance.endpoint_laboratory.CLAIM_SECONDS", 1.0)

    def run(role: EndpointRole, behaviour: str, *peers: str, claims: str = CLAIMS) -> EndpointReport:
        return check_endpoint(
            daemon,
            network_slot,
            endpoints(behaviour, dockerfile=claims),
            SUITES["quic"].words,
            (role,),
            Surroundings(peers=tuple((it, endpoints(it)) for it in peers), simulator=endpoints("stays"), seeded=False),
            open_sandbox=open_sandbox,
        )

    return run


def by_status(report: EndpointReport, status: Status) -> set[str]:
    return {result.code for result in report.all_results if result.status is status}


def test_a_server_that_claims_two_test_cases_and_serves_nothing(check: Callable[..., EndpointReport]) -> None:
    report = check("server", "stays", "good")
    [seen] = report.behaviours

    assert {name for name, taken in seen.claims.items() if taken} == {"handshake", "transfer"}, render_endpoint(report)
    assert len(seen.claims) > 5
    assert by_status(report, Status.FAILED) == {"first-case", "second-case"}
    assert {"refuses-unknown", "claims-basics", "stops-on-sigterm", "nothing-else"} <= by_status(report, Status.PASSED)
    assert not report.passed


def test_a_client_that_fails_is_told_its_own_words(check: Callable[..., EndpointReport]) -> None:
    report = check("client", "fails", "stays", "ignores-term")

    assert by_status(report, Status.FAILED) == {"first-case", "second-case"}
    for peer in ("stays", "ignores-term"):  # none of them helps
        said = f"handshake with {peer}: failed: the client exited 1; the last line of the client: I cannot"
        assert said in render_endpoint(report)


def test_a_server_that_does_not_listen_to_signals(check: Callable[..., EndpointReport]) -> None:
    report = check("server", "ignores-term", "good", claims='ENV CLAIMS="handshake"')

    assert by_status(report, Status.FAILED) == {"first-case", "claims-basics", "stops-on-sigterm"}
    assert "killed after 10 s" in render_endpoint(report)


@pytest.mark.parametrize(("behaviour", "said"), [("fails", "exited 1, not 127"), ("stays", "still running after 2 s")])
def test_an_endpoint_that_takes_everything_is_found_out(
    check: Callable[..., EndpointReport], behaviour: str, said: str
) -> None:
    report = check("client", behaviour, "fails", claims="")

    assert report.behaviours[0].claims == {}
    assert "refuses-unknown" in by_status(report, Status.FAILED)
    assert said in render_endpoint(report)
