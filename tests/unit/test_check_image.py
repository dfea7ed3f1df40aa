"""`check-image` without an engine: which stacks are tried, what every question says to what was seen, the report."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.conformance.base import (
    Acceptance,
    Behaviour,
    Check,
    Experiment,
    ImageFacts,
    Level,
    Report,
    Result,
    RoundTrip,
    Serving,
    Status,
)
from ci.conformance.check_image import add_arguments, stacks_from
from ci.conformance.contract import CONTRACT_CHECKS
from ci.conformance.manifest import IMAGE_CHECKS
from ci.conformance.report import as_data, render
from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS, Contract, Role
from ci.runner.probe import Trace
from ci.spec.attempt import End, Ending, Evidence
from ci.spec.capture import Capture
from ci.suites.transport.judge import judge
from ci.suites.transport.words import Stack

DOCUMENT = (Path(__file__).parents[2] / "docs" / "image-contracts.md").read_text(encoding="utf-8")

TCP = Stack("tcp", "noise", "yamux")
ADDRESS = "/ip4/172.18.0.3/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
NEGOTIATED = "negotiated: transport=tcp secureChannel=noise muxer=yamux\n"
JSON = '{"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}\n'
YAML = "latency:\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n  unit: ms\n"

IMAGE = ImageFacts(
    reference="app:latest",
    digest="sha256:" + "a" * 64,
    architecture="amd64",
    host_architecture="amd64",
    user="nobody",
    entrypoint=("/app",),
    size=100 * 2**20,
)


def captured(text: str, at: float = 0.1) -> Capture:
    capture = Capture()
    if text:
        capture.write(at, text.encode())
    return capture


def trace(
    role: Role = "dialer", code: int | None = 1, seconds: float = 0.5, stderr: str = "no\n", stdout: str = ""
) -> Trace:
    end = None if code is None else End(at=seconds, exit_code=code)
    return Trace(role=role, stdout=captured(stdout), stderr=captured(stderr), end=end, seconds=seconds)


def trip(
    stdout: str = JSON,
    *,
    stack: Stack = TCP,
    published: tuple[str, ...] = (ADDRESS,),
    dialer: End | None = None,
    said: str = NEGOTIATED,
    heard: str = NEGOTIATED,
    listener_stdout: str = "",
    peer: bool = False,
) -> RoundTrip:
    evidence = Evidence(
        ending=Ending.DIALER_ENDED,
        exits={
            "dialer": dialer or End(at=0.2, exit_code=0),
            "listener": End(at=1.0, exit_code=0, stopped=True),
        },
        streams={
            ("dialer", "stdout"): captured(stdout),
            ("dialer", "stderr"): captured(said),
            ("listener", "stdout"): captured(listener_stdout),
            ("listener", "stderr"): captured(heard),
        },
        published=published,
        asked=True,
        received=True,
        elapsed=1.0,
    )
    verdict = judge(stack.case("image", "image"), evidence)
    return RoundTrip(stack=stack, evidence=evidence, verdict=verdict, peer=peer)


def acceptance(listens: bool = True, dials: bool = True, stack: Stack = TCP, **roles: Trace) -> Acceptance:
    traces: dict[Role, Trace] = {
        "listener": roles.get("listener", trace("listener", code=None if listens else 1)),
        "dialer": roles.get("dialer", trace("dialer", code=None if dials else 1)),
    }
    return Acceptance(stack=stack, listens=listens, dials=dials, traces=traces)


def behaviour(**changes: Any) -> Behaviour:
    """An image that works in every way, but for what is given."""
    seen = Behaviour(
        contract=Contract.CLASSIC,
        expected=frozenset(),
        timeout=20.0,
        acceptance=(acceptance(),),
        trips=(trip(),),
        serving=Serving(listener=trace("listener", None), dialers=(trace(code=0), trace(code=0)), stopping=0.1),
        experiments={
            check.code: Experiment(traces=(trace(seconds=2.1),), timeout=2, limit=8) for check in CONTRACT_CHECKS
        },
    )
    return replace(seen, **changes)


def ask(code: str, seen: Behaviour) -> Result:
    return next(check for check in CONTRACT_CHECKS if check.code == code).result(seen, seen.contract)


def ask_image(code: str, image: ImageFacts) -> Result:
    return next(check for check in IMAGE_CHECKS if check.code == code).result(image)


def wrong(result: Result) -> str:
    assert result.status is Status.FAILED
    assert result.finding is not None
    return "\n".join(result.finding.what)


# --- the arguments ----------------------------------------------------------------------------------------


def test_without_a_word_every_stack_there_is_is_tried_and_none_is_required() -> None:
    stacks, required = stacks_from()

    layered = len(TRANSPORTS) - len(STANDALONE)
    assert len(set(stacks)) == len(stacks) == layered * len(SECURE_CHANNELS) * len(MUXERS) + len(STANDALONE)
    assert not required


@pytest.mark.parametrize(
    ("words", "count", "required"),
    [
        ((("tcp",), ("noise",), ("yamux",)), 1, True),
        ((("quic-v1",), (), ()), 1, True),
        ((("tcp", "quic-v1"), ("noise", "tls"), ("yamux",)), 3, True),
        ((("tcp",), (), ()), len(SECURE_CHANNELS) * len(MUXERS), False),
        ((("tcp", "tcp"), ("noise",), ("yamux",)), 1, True),
        (((), ("noise",), ("yamux",)), 3 + len(STANDALONE), False),
    ],
)
def test_a_stack_named_in_full_is_required(
    words: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], count: int, required: bool
) -> None:
    stacks, must = stacks_from(*words)

    assert len(stacks) == count
    assert must is required
    assert all((stack.secure_channel is None) == (stack.transport in STANDALONE) for stack in stacks)


def test_the_arguments_give_back_the_stacks() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    words = parser.parse_args(["app", "--transport", "tcp", "--security", "tls", "--muxer", "yamux"])

    assert stacks_from(words.transport, words.security, words.muxer) == ((Stack("tcp", "tls", "yamux"),), True)
    assert (words.image, words.contract, words.peer, words.json) == ("app", None, None, False)


# --- the tables -------------------------------------------------------------------------------------------


def test_every_check_has_a_name_of_its_own_and_is_documented_as_it_is() -> None:
    checks: list[Check[Any]] = [*IMAGE_CHECKS, *CONTRACT_CHECKS]
    codes = [check.code for check in checks]

    assert len(set(codes)) == len(codes)
    for check in checks:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", check.code)
        assert f"| `{check.code}` | {check.title} | {check.level} | {check.section} |" in DOCUMENT
        assert check.why
        assert check.hint


@pytest.mark.parametrize("check", [*IMAGE_CHECKS, *CONTRACT_CHECKS], ids=lambda check: check.code)
def test_every_check_names_sections_that_exist(check: Any) -> None:
    for section in check.section.split(", "):
        heading = rf"^\| {section} \|" if section.startswith("T") else rf"^## {re.escape(section)} "
        assert re.search(heading, DOCUMENT, re.MULTILINE), section


def test_an_image_that_works_passes_every_check() -> None:
    assert {check.result(IMAGE).status for check in IMAGE_CHECKS} == {Status.PASSED}
    assert {check.result(behaviour()).status for check in CONTRACT_CHECKS} == {Status.PASSED}


def test_an_image_nothing_is_known_of_passes_nothing_that_needs_a_stack() -> None:
    seen = behaviour(acceptance=(acceptance(False, False),), trips=(), serving=None, experiments={})
    statuses = {check.code: check.result(seen).status for check in CONTRACT_CHECKS}

    assert statuses.pop("accepts-stacks") is Status.FAILED
    assert statuses.pop("refuses-clearly") is Status.PASSED
    assert set(statuses.values()) == {Status.SKIPPED}


# --- the image itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("user", "status"),
    [
        ("", Status.FAILED),
        ("0", Status.FAILED),
        ("root", Status.FAILED),
        ("0:0", Status.FAILED),
        ("root:nogroup", Status.FAILED),
        ("nobody", Status.PASSED),
        ("65534:0", Status.PASSED),
    ],
)
def test_root_is_told_from_others_by_name_and_number(user: str, status: Status) -> None:
    assert ask_image("not-root", replace(IMAGE, user=user)).status is status


@pytest.mark.parametrize(
    ("entrypoint", "status"),
    [
        (("/bin/sh", "-c", "node index.js"), Status.FAILED),
        (("bash", "-c", "npm test"), Status.FAILED),
        (("/bin/sh", "-c", "exec node index.js"), Status.PASSED),
        (("/bin/sh", "/run.sh"), Status.PASSED),
        (("/app",), Status.PASSED),
        ((), Status.PASSED),
    ],
)
def test_a_shell_that_stays_between_is_found(entrypoint: tuple[str, ...], status: Status) -> None:
    assert ask_image("exec-form-entrypoint", replace(IMAGE, entrypoint=entrypoint)).status is status


def test_another_architecture_and_a_large_size_are_found() -> None:
    foreign = ask_image("right-architecture", replace(IMAGE, architecture="arm64"))

    assert "arm64" in wrong(foreign)
    assert "amd64" in wrong(foreign)
    assert "1025 MiB" in wrong(ask_image("moderate-size", replace(IMAGE, size=1025 * 2**20)))


# --- which stacks -----------------------------------------------------------------------------------------


def test_a_refused_stack_is_a_fault_only_where_it_was_promised() -> None:
    other = Stack("ws", "noise", "yamux")
    seen = behaviour(acceptance=(acceptance(), acceptance(False, True, other)))

    assert ask("accepts-stacks", seen).status is Status.PASSED
    assert ask("accepts-stacks", replace(seen, expected=frozenset({(other, "dialer")}))).status is Status.PASSED
    promised = ask("accepts-stacks", replace(seen, expected=frozenset({(other, "listener")})))
    assert wrong(promised) == "ws, noise, yamux: the listener does not take it, its last line: no"


@pytest.mark.parametrize(
    ("listener", "words"),
    [
        (trace("listener", code=None), "published no address within 20 s and did not refuse"),
        (trace("listener", code=0), "exited 0 without having done anything"),
        (trace("listener", code=1, stderr=""), "said nothing on stderr"),
    ],
)
def test_a_refusal_must_be_clear(listener: Trace, words: str) -> None:
    seen = behaviour(acceptance=(acceptance(False, True, listener=listener),))

    assert words in wrong(ask("refuses-clearly", seen))


# --- round trips ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "seen", "words"),
    [
        ("pings-itself", trip("", dialer=End(at=1, exit_code=1)), "the dialer exited 1"),
        ("one-result", trip(JSON + JSON), "printed 2 results"),
        ("result-form", trip(YAML), "not one line of JSON"),
        ("result-form", trip(JSON.replace("lll", "ll")), "not one line of JSON"),
        ("result-form", trip(JSON.replace(", ", ",\n")), "not one line of JSON"),
        ("plausible-times", trip(JSON.replace("7.342", "1")), "took less than the ping alone"),
        ("plausible-times", trip(JSON.replace("7.113", "0")), "the ping is said to have taken 0"),
        ("plausible-times", trip(JSON.replace("7.342", "7342")), "the whole case 1.00 s"),
        (
            "clean-stdout",
            trip("> npm start\n" + JSON + "bye\n"),
            "wrote 2 more lines to stdout, the first: '> npm start'",
        ),
        ("clean-stdout", trip(listener_stdout="listening\n"), "the listener wrote to stdout: 'listening'"),
        ("leaves-promptly", trip(dialer=End(at=3.3, exit_code=0)), "stayed for 3.2 s"),
        ("leaves-promptly", trip(dialer=End(at=9, exit_code=143, stopped=True)), "had to be stopped"),
        ("one-address", trip(published=(ADDRESS, ADDRESS)), "published 2 addresses"),
        ("one-address", trip(published=("/ip4/172.18.0.3/tcp/4001",)), "lacks /p2p"),
        ("one-address", trip(published=(ADDRESS + "/tcp/1",)), "does not end in /p2p"),
        ("reports-stack", trip(said=""), "the dialer wrote no `negotiated: …` line"),
        ("reports-stack", trip(heard="hello\n"), "the listener wrote no `negotiated: …` line"),
    ],
)
def test_what_is_wrong_with_a_ping_is_said_with_its_stack(code: str, seen: RoundTrip, words: str) -> None:
    what = wrong(ask(code, behaviour(trips=(trip(), seen))))

    assert what.startswith("tcp, noise, yamux: ")
    assert words in what


def test_a_lie_about_the_stack_fails_the_ping() -> None:
    lie = trip(said=NEGOTIATED.replace("noise", "tls"))

    assert "secureChannel tls" in wrong(ask("pings-itself", behaviour(trips=(lie,))))


def test_the_form_of_the_result_depends_on_the_generation() -> None:
    unified = behaviour(contract=Contract.UNIFIED)

    for text in (YAML, "# Measurements from dialer\n" + YAML, YAML.replace("  unit: ms\n", "")):
        assert ask("result-form", replace(unified, trips=(trip(text),))).status is Status.PASSED
        assert ask("clean-stdout", replace(unified, trips=(trip(text),))).status is Status.PASSED
    for text in (JSON, YAML.replace("  ", "    ")):
        assert "YAML indented by two spaces" in wrong(ask("result-form", replace(unified, trips=(trip(text),))))


def test_what_a_peer_does_in_the_listener_s_place_is_not_held_against_the_image() -> None:
    with_peer = trip(heard="", listener_stdout="hello", published=("nonsense",), peer=True)

    for code in ("reports-stack", "clean-stdout", "one-address"):
        assert ask(code, behaviour(trips=(with_peer,))).status is Status.PASSED


def test_manners_are_not_asked_of_a_ping_that_failed() -> None:
    seen = behaviour(trips=(trip("", dialer=End(at=1, exit_code=1)),))

    assert ask("one-result", seen).status is Status.SKIPPED


@given(st.text(st.characters(exclude_characters="{}\x1b", exclude_categories=["Cs"])), st.booleans())
def test_noise_is_whatever_is_left_beside_the_result(noise: str, before: bool) -> None:
    # A comment line belongs to the unified form; a bare carriage return or the like ends a line as well.
    expected = [line for line in noise.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    stdout = f"{noise}\n{JSON}" if before else f"{JSON}{noise}"
    result = ask("clean-stdout", behaviour(trips=(trip(stdout),)))

    assert (result.status is Status.FAILED) is bool(expected)
    if expected:
        assert f"wrote {len(expected)} more line" in wrong(result)


# --- a listener's life ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serving", "words"),
    [
        (
            Serving(listener=trace("listener", 0), dialers=(trace(code=0), trace(code=1)), stopping=None),
            "dialer 2 of 2 at the same listener exited 1 after 0.5 s; the listener had left with exit code 0",
        ),
        (
            Serving(listener=trace("listener", None), dialers=(trace(code=None), trace(code=0)), stopping=0.1),
            "dialer 1 of 2 at the same listener did not end",
        ),
        (
            Serving(listener=trace("listener", 0), dialers=(trace(code=0), trace(code=0)), stopping=None),
            "the listener left with exit code 0 after pings",
        ),
        (Serving(listener=trace("listener", 3), dialers=(), stopping=None), "published nothing"),
    ],
)
def test_a_listener_that_serves_one_ping_only_is_found(serving: Serving, words: str) -> None:
    assert words in wrong(ask("keeps-serving", behaviour(serving=serving)))


def test_sigterm_is_measured_where_there_was_somebody_to_stop() -> None:
    deaf = Serving(listener=trace("listener", None), dialers=(trace(code=0),), stopping=5.2)

    assert "5.2 s after SIGTERM" in wrong(ask("stops-on-sigterm", behaviour(serving=deaf)))
    assert ask("stops-on-sigterm", behaviour(serving=replace(deaf, stopping=None))).status is Status.SKIPPED
    assert ask("stops-on-sigterm", behaviour(serving=replace(deaf, stopping=1.9))).note == "1.90 s"


# --- odd environments -------------------------------------------------------------------------------------

ODD = [
    *("listener-times-out", "dialer-gives-up", "bad-address", "dialer-times-out", "missing-redis"),
    *("unknown-transport", "unknown-secure-channel", "unknown-muxer", "missing-transport"),
]
REFUSALS = ODD[5:]
LIMITS = ["listener-times-out", "dialer-times-out"]


def tried(code: str, *traces: Trace) -> Result:
    return ask(code, behaviour(experiments={code: Experiment(traces=traces, timeout=2, limit=8)}))


@pytest.mark.parametrize("code", ODD)
def test_giving_up_is_exit_code_not_0_in_time_and_no_claim_of_success(code: str) -> None:
    assert tried(code, trace(seconds=2.2)).status is Status.PASSED
    assert "still running after 8 s" in wrong(tried(code, trace(code=None, seconds=8.1)))
    assert "exited 0 after 2.2 s" in wrong(tried(code, trace(code=0, seconds=2.2)))
    assert "printed a result" in wrong(tried(code, trace(seconds=2.2, stdout=JSON)))
    assert "the dialer exited 0" in wrong(tried(code, trace("listener", seconds=2.2), trace(code=0, seconds=2.2)))


@pytest.mark.parametrize("code", ODD)
def test_only_a_refusal_needs_a_word_on_stderr(code: str) -> None:
    silent = tried(code, trace(seconds=2.2, stderr=""))

    assert (silent.status is Status.FAILED) is (code in REFUSALS)


@pytest.mark.parametrize("code", ODD)
def test_only_a_time_limit_can_be_missed_by_being_early(code: str) -> None:
    early = tried(code, trace(seconds=0.4))

    assert (early.status is Status.FAILED) is (code in LIMITS)


# --- the report -------------------------------------------------------------------------------------------


def report(seen: Behaviour, image: ImageFacts = IMAGE) -> Report:
    results = (
        *(check.result(image) for check in IMAGE_CHECKS),
        *(check.result(seen, seen.contract) for check in CONTRACT_CHECKS),
    )
    return Report(image=image, behaviours=(seen,), results=results)


def test_recommendations_do_not_decide() -> None:
    warned = report(behaviour(), replace(IMAGE, user="root"))
    demand = report(behaviour(trips=(trip(JSON + JSON),)))

    assert (warned.passed, warned.count(Status.FAILED, Level.SHOULD)) == (True, 1)
    assert (demand.passed, demand.count(Status.FAILED, Level.MUST)) == (False, 1)


def test_the_text_says_what_why_and_what_to_do_and_ends_with_the_counts() -> None:
    text = render(report(behaviour(trips=(trip(JSON + JSON),), serving=None)))
    lines = text.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("  ✗ one-result"))

    assert lines[at + 1].strip() == "tcp, noise, yamux: the dialer printed 2 results"
    assert lines[at + 2].strip().startswith("why it matters: ")
    assert lines[at + 3].strip().startswith("do this: ")
    assert lines[at + 3].endswith("(docs/image-contracts.md, 1.2)")
    assert any(line.startswith("  – keeps-serving") for line in lines)
    total = len(IMAGE_CHECKS) + len(CONTRACT_CHECKS)
    assert lines[-1] == f"{total} checks: {total - 3} passed, 1 failed, 0 warnings, 2 skipped"


def test_every_stack_has_a_line_that_says_how_it_went() -> None:
    ws, quic = Stack("ws", "noise", "yamux"), Stack("quic-v1")
    broken = trip("", stack=quic, dialer=End(at=1, exit_code=1), said="", heard="")
    seen = behaviour(
        acceptance=(acceptance(), acceptance(False, False, ws), acceptance(stack=quic), acceptance(False, True, ws)),
        trips=(trip(), broken),
    )
    marks = [line[2] for line in render(report(seen)).splitlines()[3:7]]

    assert marks == ["✓", "–", "✗", "–"]


def test_what_an_image_says_cannot_drive_the_terminal() -> None:
    rude = trace("listener", stderr="\x1b]0;title\x07\x1b[2Jno\x08\x00\u202egood\n")
    text = render(report(behaviour(acceptance=(acceptance(False, True, listener=rude),), trips=())))

    assert "good" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)


def test_the_report_as_data_survives_json() -> None:
    seen = behaviour(trips=(trip(JSON + JSON),))
    data = json.loads(json.dumps(as_data(report(seen))))

    assert data["passed"] is False
    assert data["image"]["architecture"] == "amd64"
    assert [(it["transport"], it["secureChannel"], it["muxer"], it["outcome"]) for it in data["stacks"]] == [
        ("tcp", "noise", "yamux", "passed")
    ]
    failed = [it for it in data["checks"] if it["status"] == "failed"]
    assert [(it["code"], it["level"], it["contract"]) for it in failed] == [("one-result", "must", "classic")]
    assert failed[0]["finding"]["what"] == ["tcp, noise, yamux: the dialer printed 2 results"]
