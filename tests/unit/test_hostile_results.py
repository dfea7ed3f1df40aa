"""Merged results that a stranger has made or a disk has damaged: every command that reads them says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import FAILED, RED, YAMUX, attempt, merged_of

from ci.__main__ import main
from ci.errors import ExitCode
from ci.reports.registry import REPORTS
from ci.results.merged_file import write_merged

CASE = YAMUX.case("a-v1", "b-v1")
Damage = Callable[[dict[str, Any]], bytes]


def changed(**fields: Any) -> Damage:
    return lambda it: json.dumps({**it, **fields}).encode()


def in_case(**fields: Any) -> Damage:
    return lambda it: json.dumps({**it, "cases": [{**it["cases"][0], **fields}]}).encode()


def in_attempt(**fields: Any) -> Damage:
    def damage(it: dict[str, Any]) -> bytes:
        case = it["cases"][0]
        return json.dumps({**it, "cases": [{**case, "attempts": [{**case["attempts"][0], **fields}]}]}).encode()

    return damage


DAMAGES: dict[str, Damage] = {
    "cut off": lambda it: json.dumps(it).encode()[:-200],
    "empty": lambda _: b"",
    "no JSON": lambda _: b"<html>404</html>",
    "NUL bytes": lambda it: json.dumps(it).encode().replace(b'"a-v1"', b'"a\x00v1"'),
    "not UTF-8": lambda it: json.dumps(it).encode().replace(b'"a-v1"', b'"a\xff"'),
    "nested": lambda _: b"[" * 100_000,
    "another format": changed(schema=99),
    "another suite": changed(suite="nobody's"),
    "no cases": changed(cases=None),
    "a forged key": in_case(key="0" * 16),
    "a forged name": in_case(case="go-v1 x go-v2 (tcp, noise, yamux)"),
    "an outcome of its own": in_case(outcome="splendid"),
    "an expectation that is not there": in_case(expectation="mine"),
    "a shard outside": in_attempt(shard="9/8"),
    "no time": in_attempt(startedAt="yesterday"),
    "numbers that are none": in_attempt(metrics={"pingRTTMilllis": "fast"}),
}
COMMANDS = (
    *(["report", "FILE", "--format", name, "-o", "-"] for name in REPORTS),
    ["compare", "FILE", "GOOD"],
    ["compare", "GOOD", "FILE"],
    ["history", "--add", "FILE"],
    ["update-readme", "FILE", "--check"],
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:4]))
def test_damaged_results_are_refused_with_a_sentence(
    words: list[str], damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    write_merged(good, merged_of({CASE: [attempt(CASE, FAILED, RED, started_at="2026-11-21T10:30:00.000Z")]}))
    bad.write_bytes(DAMAGES[damage](json.loads(good.read_bytes())))
    before = sorted(it.name for it in tmp_path.iterdir())
    code = main([{"FILE": "bad.json", "GOOD": "good.json"}.get(word, word) for word in words])
    captured = capsys.readouterr()
    said = captured.out + captured.err
    assert code == ExitCode.CONFIGURATION, said
    assert "bad.json" in said
    assert "Traceback" not in said
    assert sorted(it.name for it in tmp_path.iterdir()) == before
