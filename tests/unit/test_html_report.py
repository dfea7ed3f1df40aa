"""The HTML page as bytes: what is in it, what cannot end it, and the folder that is served."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import FAILED, QUIC, RED, YAMUX, attempt, merged_of

from ci.model import Reason, ReasonCode
from ci.reports.base import ReportOptions
from ci.reports.evidence_files import place_of
from ci.reports.page.folder import lay_out_page
from ci.reports.page.labels import short_labels
from ci.reports.page.report import HTML
from ci.reports.page.timeline import FIRST_LINES, LAST_LINES, timeline
from ci.results.merged import Merged
from ci.results.records import Attempt, EvidenceFile, changed
from ci.suites.quic.words import QUIC as QUIC_SUITE

OPTIONS = ReportOptions(urls={}, log_dir=".")
CASE = YAMUX.case("a-v1", "b-v1")


class Elements(HTMLParser):
    """The scripts of a page, by their id or class, and every element's name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: list[tuple[str | None, str]] = []
        self.names: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        found = dict(attrs)
        if tag == "script":
            self.scripts.append((found.get("id") or found.get("class"), ""))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""

    def handle_data(self, data: str) -> None:
        if self.names and self.names[-1] == "script" and self.scripts[-1][1] == "":
            self.scripts[-1] = (self.scripts[-1][0], data)


def page(merged: Merged, options: ReportOptions = OPTIONS) -> Elements:
    return Elements(HTML.render(merged, options))


def details(elements: Elements) -> list[dict[str, Any]]:
    blocks = [text for name, text in elements.scripts if name == "details"]
    return [it for block in blocks for it in json.loads(gzip.decompress(base64.b64decode(block)))]


@given(st.text(max_size=40) | st.sampled_from(["</script><b>", "<!--", "]]>", "&lt;", "\ud800", "\x00"]))
def test_no_text_of_a_result_adds_an_element(text: str) -> None:
    def a_page(words: str) -> Elements:
        reason = Reason(code=ReasonCode.DIALER_EXIT, text=words, side="dialer")
        one = YAMUX.case(f"a{words}", "b")
        return page(merged_of({one: [attempt(one, FAILED, reason, repro=words, host={words: words})]}))

    assert a_page(text).names == a_page("harmless").names


def test_equal_results_are_equal_pages_and_only_its_own_script_may_run() -> None:
    run = merged_of({CASE: [attempt(CASE, FAILED, RED)]})
    assert HTML.render(run, OPTIONS) == HTML.render(run, OPTIONS)
    elements = page(run)
    own = elements.scripts[-1][1]
    digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in elements.policy
    assert "default-src 'none'" in elements.policy
    assert "unsafe" not in elements.policy


def test_every_case_is_in_the_page_with_its_attempts() -> None:
    cases = [stack.case(f"a{number}", "b") for number in range(201) for stack in (YAMUX, QUIC)]
    elements = page(merged_of({it: [attempt(it, FAILED, RED), attempt(it, attempt=2, kind="retry")] for it in cases}))
    data = json.loads(elements.scripts[0][1])
    assert re.findall("." * 16, data["keys"]) == [it.key for it in cases]
    assert [len(it["attempts"]) for it in details(elements)] == [2] * 402
    assert {data["verdicts"][it] for it in data["cases"]["verdict"]} == {"flaky"}


@given(st.lists(st.text(max_size=12), unique=True, max_size=40))
def test_labels_are_as_many_as_words_and_all_different(words: list[str]) -> None:
    labels = short_labels(words)
    assert len(set(labels)) == len(labels) == len(words)


def test_labels_of_the_quic_test_cases_are_short() -> None:
    assert max(map(len, short_labels(QUIC_SUITE.params[0].words))) <= 2


# --- evidence ---------------------------------------------------------------------------------------------


def kept(folder: Path, path: str, data: bytes, *, stream: str = "output", role: str = "both") -> EvidenceFile:
    place = folder / "shard-1-of-1" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return EvidenceFile(role=role, stream=stream, path=path, size=len(data), sha256=digest)


def red(*files: EvidenceFile) -> Attempt:
    return changed(attempt(CASE, FAILED, RED), evidence=files)


def test_a_timeline_has_the_beginning_and_the_end(tmp_path: Path) -> None:
    count = FIRST_LINES + LAST_LINES + 7
    text = "".join(f"+{number / 1000:8.3f} dialer/stderr   | line {number}\n" for number in range(count))
    lines, out = timeline(red(kept(tmp_path, "a_b/tcp/output.txt", text.encode())), tmp_path)
    assert out == 7
    assert (lines[0].text, lines[-1].text, lines[-1].at) == ("line 0", f"line {count - 1}", count - 1)


def test_packets_have_a_clock_of_their_own(tmp_path: Path) -> None:
    said = kept(tmp_path, "b_a/retry/output.txt", b"+   0.100 client/stdout | hello\n")
    seen = kept(
        tmp_path, "b_a/goodput/2/packets/left.txt", b"+  0.041 client | 1200 bytes: Initial #0 (CRYPTO)\n",
        stream="left.txt", role="packets",
    )  # fmt: skip
    lines, _ = timeline(red(said, seen), tmp_path)
    assert [(it.clock, it.lane, it.text) for it in lines] == [
        ("", "client", "hello"),
        ("packets left, repetition 2", "client", "1200 bytes: Initial #0 (CRYPTO)"),
    ]


@pytest.mark.parametrize(
    "data",
    [b"\x00" * 1000, b"+" * (5 << 20), b"+  1.0 a/b | " + b"x" * (5 << 20), b"\xff\xfe\n+ 9.9", "+ ١.٢ a | b".encode()],
    ids=["nul", "five megabytes", "one long line", "no utf-8", "other digits"],
)
def test_whatever_is_in_a_file_harms_no_page(tmp_path: Path, data: bytes) -> None:
    run = merged_of({CASE: [red(kept(tmp_path, "a_b/tcp/output.txt", data))]})
    assert len(HTML.render(run, replace(OPTIONS, folder=tmp_path))) < 200_000


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "a/../../../secret.txt", "a\x00b", "link/secret.txt"])
def test_evidence_outside_its_shard_is_not_looked_at(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (tmp_path / "run" / "shard-1-of-1").mkdir(parents=True)
    (tmp_path / "run" / "shard-1-of-1" / "link").symlink_to(tmp_path)
    digest = hashlib.sha256(b"secret").hexdigest()
    file = EvidenceFile(role="both", stream="output", path=path, size=6, sha256=digest)
    assert place_of(red(file), file, tmp_path / "run") is None
    honest = kept(tmp_path / "run", "a_b/tcp/output.txt", b"secret")
    assert place_of(red(honest), honest, tmp_path / "run") is not None


@pytest.mark.parametrize("run", ["../r1", "/tmp", "..", "r1"])  # noqa: S108 -- somebody else's words
def test_a_run_of_whatever_name_is_looked_for_inside_the_results(tmp_path: Path, run: str) -> None:
    file = kept(tmp_path / "results", "a_b/tcp/output.txt", b"x")
    found = place_of(changed(red(file), run=run), file, tmp_path / "results")
    assert found is None or found.is_relative_to(tmp_path / "results")


def test_shards_are_found_where_ci_has_fetched_them(tmp_path: Path) -> None:
    fetched = tmp_path / "downloaded"
    file = kept(fetched / "results-1-attempt-1" / "r1", "a_b/tcp/output.txt", b"x")
    other = kept(fetched / "results-1-attempt-2" / "r1", "a_b/tcp/output.txt", b"y")
    first, second = (place_of(red(it), it, fetched) for it in (file, other))
    assert first is not None
    assert second is not None
    assert (first.read_bytes(), second.read_bytes()) == (b"x", b"y")


def test_the_folder_has_the_evidence_of_what_is_red_and_serves_no_strangers_page(tmp_path: Path) -> None:
    other = YAMUX.case("b-v1", "a-v1")
    log = kept(tmp_path / "r1", "a_b/tcp/output.txt", b"+   0.1 dialer | x\n")
    evil = kept(tmp_path / "r1", "a_b/tcp/logs/x.html", b"<script>alert(1)</script>", stream="x.html")
    green = kept(tmp_path / "r1", "b_a/tcp/output.txt", b"+   0.1 dialer | y\n")
    run = merged_of({CASE: [red(log, evil)], other: [changed(attempt(other), evidence=(green,))]})
    site = tmp_path / "site"
    made = lay_out_page(run, replace(OPTIONS, folder=tmp_path / "r1"), site)
    assert (made.files, made.left_out) == (2, 0)
    assert sorted(it.relative_to(site).as_posix() for it in site.rglob("*") if it.is_file()) == [
        "badge.json",
        "evidence/r1/a_b/tcp/logs/x.html.txt",
        "evidence/r1/a_b/tcp/output.txt",
        "index.html",
        "merged.json",
    ]
    files = details(Elements((site / "index.html").read_text(encoding="utf-8")))[0]["attempts"][0]["evidence"]
    assert [it[-1] for it in files] == ["evidence/r1/a_b/tcp/output.txt", "evidence/r1/a_b/tcp/logs/x.html.txt"]


def test_what_there_is_no_room_for_is_counted(tmp_path: Path) -> None:
    files = [kept(tmp_path / "r1", f"a_b/tcp/{name}.txt", b"x" * 600) for name in "ab"]
    run = merged_of({CASE: [red(*files)]})
    made = lay_out_page(run, replace(OPTIONS, folder=tmp_path / "r1"), tmp_path / "site", most_bytes=1000)
    assert (made.files, made.left_out) == (1, 1)
