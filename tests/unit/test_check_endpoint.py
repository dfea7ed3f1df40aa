"""`check-image` for endpoints without an engine: what every question says to what was seen, and the report."""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from ci.commands import check_image as command
from ci.commands.workspace import Workspace
from ci.conformance.base import ImageFacts, Result, Status
from ci.conformance.endpoint import (
    ENDPOINT_CHECKS,
    EndpointBehaviour,
    EndpointReport,
    EndpointRole,
    Meeting,
    Refusal,
    checks_for,
)
from ci.conformance.endpoint_laboratory import basics_of
from ci.conformance.endpoint_report import endpoint_data, render_endpoint
from ci.conformance.manifest import ENDPOINT_IMAGE_CHECKS
from ci.errors import ConfigurationError
from ci.model import Outcome, Reason, ReasonCode, Side, Verdict
from ci.spec.attempt import End
from ci.suites.registry import SUITES
from ci.terminal.console import Console

IMAGE = ImageFacts(
    reference="endpoint:latest",
    digest="sha256:" + "a" * 64,
    architecture="amd64",
    host_architecture="amd64",
    user="",
    entrypoint=("/endpoint.sh",),
    size=100 * 2**20,
)
REFUSAL = Refusal(name="dry-tired-cat", exit_code=127, seconds=0.4, limit=30)
MET = Meeting(
    peer="quic-go-v0.65",
    verdict=Verdict(outcome=Outcome.PASSED),
    end=End(at=9.0, exit_code=0, stopped=True),
    stopping=0.3,
    key_log="good",
    qlog=True,
)
CLAIMS = {"handshake": True, "transfer": True, "v2": False}
GOOD = EndpointBehaviour(
    role="server",
    refusal=REFUSAL,
    stop_timeout=10.0,
    claims=CLAIMS,
    basics=("handshake", "transfer"),
    meetings={"handshake": MET, "transfer": MET},
    bare=MET,
)


def not_passed(code: ReasonCode, outcome: Outcome = Outcome.FAILED, side: Side = "server") -> Meeting:
    return replace(MET, verdict=Verdict(outcome=outcome, reason=Reason(code=code, text="it said why", side=side)))


def results(seen: EndpointBehaviour) -> dict[str, Result]:
    return {check.code: check.result(seen) for check in checks_for(seen.role)}


def wrong(seen: EndpointBehaviour) -> set[str]:
    return {code for code, result in results(seen).items() if result.status is Status.FAILED}


def report(*behaviours: EndpointBehaviour) -> EndpointReport:
    found: dict[EndpointRole | None, tuple[Result, ...]] = {
        None: tuple(check.result(IMAGE) for check in ENDPOINT_IMAGE_CHECKS)
    }
    found |= {seen.role: tuple(results(seen).values()) for seen in behaviours}
    return EndpointReport(
        image=IMAGE, suite="quic", peers=("quic-go-v0.65", "aioquic-v1.7"), behaviours=behaviours, results=found
    )


# --- questions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["client", "server"])
def test_an_image_that_keeps_the_contract_passes_everything(role: EndpointRole) -> None:
    seen = replace(GOOD, role=role)

    assert {it.status for it in results(seen).values()} == {Status.PASSED}
    assert report(seen).passed


def test_a_client_is_not_asked_what_only_servers_do() -> None:
    assert set(results(GOOD)) - set(results(replace(GOOD, role="client"))) == {"answers-probe", "stops-on-sigterm"}


@pytest.mark.parametrize(
    ("seen", "codes"),
    [
        (replace(GOOD, refusal=replace(REFUSAL, exit_code=1)), {"refuses-unknown"}),
        (replace(GOOD, refusal=replace(REFUSAL, exit_code=None)), {"refuses-unknown"}),
        (replace(GOOD, claims={**CLAIMS, "transfer": False}, meetings={"handshake": MET}), {"claims-basics"}),
        (
            replace(GOOD, meetings={"handshake": not_passed(ReasonCode.SERVER_EXIT), "transfer": MET}),
            {"first-case"},
        ),
        (
            replace(
                GOOD,
                meetings={"handshake": MET, "transfer": not_passed(ReasonCode.BEFORE_PUBLISH, Outcome.TIMED_OUT)},
            ),
            {"second-case", "answers-probe"},
        ),
        (replace(GOOD, meetings={"handshake": replace(MET, strays=("tmp/x",))}), {"nothing-else"}),
        (replace(GOOD, bare=not_passed(ReasonCode.SERVER_EXIT)), {"runs-bare"}),
        (
            replace(
                GOOD, meetings={"handshake": replace(MET, stopping=10.1, end=End(at=20, exit_code=137, stopped=True))}
            ),
            {"stops-on-sigterm"},
        ),
        (replace(GOOD, meetings={"handshake": replace(MET, key_log="missing")}), {"key-log"}),
        (replace(GOOD, meetings={"handshake": replace(MET, key_log="useless")}), {"key-log"}),
        (replace(GOOD, meetings={"handshake": replace(MET, qlog=False)}), {"qlog"}),
    ],
)
def test_each_fault_is_found_and_nothing_else(seen: EndpointBehaviour, codes: set[str]) -> None:
    assert wrong(seen) == codes


def test_one_counterpart_it_passes_with_will_do() -> None:
    refused = replace(not_passed(ReasonCode.CLIENT_EXIT), peer="aioquic-v1.7")
    seen = replace(GOOD, meetings={"handshake": replace(MET, others=(refused,)), "transfer": MET})

    assert wrong(seen) == set()
    assert "with quic-go-v0.65, not with aioquic-v1.7: failed: it said why" in results(seen)["first-case"].note


def test_none_it_passes_with_names_all() -> None:
    refused = replace(not_passed(ReasonCode.CLIENT_EXIT), peer="aioquic-v1.7")
    met = replace(not_passed(ReasonCode.SERVER_EXIT), others=(refused,))
    finding = results(replace(GOOD, meetings={"handshake": met, "transfer": MET}))["first-case"].finding

    assert finding is not None
    assert [text.split(":")[0] for text in finding.what] == [
        "handshake with quic-go-v0.65", "handshake with aioquic-v1.7",
    ]  # fmt: skip


def test_recommendations_do_not_decide() -> None:
    assert report(replace(GOOD, meetings={"handshake": replace(MET, key_log="missing", qlog=False)})).passed
    assert not report(replace(GOOD, refusal=replace(REFUSAL, exit_code=1))).passed


def test_trouble_of_the_harness_is_no_fault_of_the_image() -> None:
    trouble = not_passed(ReasonCode.SIMULATOR, Outcome.ERROR, side="harness")
    seen = replace(GOOD, meetings={"handshake": trouble, "transfer": trouble}, bare=None)

    assert wrong(seen) == set()
    assert results(seen)["first-case"].status is Status.SKIPPED
    assert "could not be run: it said why" in results(seen)["first-case"].note


def test_what_it_does_is_not_guessed_where_it_refuses_nothing() -> None:
    seen = replace(GOOD, refusal=replace(REFUSAL, exit_code=None), claims={})

    assert results(seen)["claims-basics"].status is Status.SKIPPED


def test_a_server_that_was_killed_early_is_not_one_that_ran_on() -> None:
    """137 within the stop_timeout period is a signal of somebody else's: the out-of-memory killer, for one."""
    early = replace(MET, stopping=1.0, end=End(at=9, exit_code=137, stopped=True))
    assert wrong(replace(GOOD, meetings={"handshake": early})) == set()


def test_every_question_has_something_to_say_to_its_reader() -> None:
    for check in ENDPOINT_CHECKS:
        assert check.why
        assert check.hint
        assert check.title
    assert len({check.code for check in ENDPOINT_CHECKS}) == len(ENDPOINT_CHECKS)


@pytest.mark.parametrize("suite", ["quic", "webtransport"])
def test_the_basics_are_one_connection_and_then_files(suite: str) -> None:
    one, files = basics_of(suite)  # type: ignore[arg-type]
    assert one.name == "handshake"
    assert len(files.sizes) > 1


# --- the report -------------------------------------------------------------------------------------------


def test_the_report_names_roles_claims_and_faults() -> None:
    found = report(
        replace(GOOD, role="client"), replace(GOOD, refusal=replace(REFUSAL, exit_code=1, said="\x1b[31mno"))
    )
    text = render_endpoint(found)

    assert "suite quic; counterparts: quic-go-v0.65, aioquic-v1.7" in text
    assert "  claims: handshake, transfer\n  refuses: v2\n" in text
    assert "exited 1, not 127" in text
    assert "(quic-interop contract, 1.7, 1.8)" in text
    assert "\x1b" not in text
    assert text.index("as client") < text.index("as server")
    assert text.rstrip().splitlines()[-1].startswith(f"{len(found.all_results)} checks: ")


def test_the_data_holds_everything() -> None:
    data = json.loads(json.dumps(endpoint_data(report(GOOD))))

    assert data["passed"] is True
    assert data["roles"][0]["claims"] == CLAIMS
    assert data["roles"][0]["meetings"]["handshake"]["outcome"] == "passed"
    assert {it["role"] for it in data["checks"]} == {None, "server"}


# --- the command ------------------------------------------------------------------------------------------


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.configure(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("x", "--suite", "quic", "--transport", "tcp", "--muxer", "yamux"), "--transport and --muxer means nothing"),
        (("x", "--role", "client"), "--role means nothing in the suite transport"),
    ],
)
def test_arguments_of_another_suite_are_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        command.run(parse(*words), Console.for_stream(io.StringIO(), {}))


def test_the_counterparts_are_ours_and_play_both_roles() -> None:
    workspace = Workspace.at(Path(__file__).resolve().parents[2] / "versions.yaml")
    for suite in ("quic", "webtransport"):
        found = command._counterparts(workspace, SUITES[suite].words)
        assert len(found) == 2
        assert all(it.part == "both" and suite in it.suites for it in found)


def test_no_counterpart_asks_for_one(tmp_path: Path) -> None:
    (tmp_path / "versions.yaml").write_text(
        "schema: 1\nversions:\n  - {id: nginx-v1, family: nginx, suites: [quic], role: server, image: 'a/b:1'}\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        command._counterparts(Workspace.at(tmp_path / "versions.yaml"), SUITES["quic"].words)
    assert "--peer" in caught.value.hint
