"""The page in a real browser: what a reader does with it, and what a stranger's results must not do to it."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from runs import FAILED, PLANNED_OUT, QUIC, RED, YAMUX, attempt, merged_of

from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.base import ReportOptions
from ci.reports.page.report import HTML
from ci.results.history import Cell, HistoryRun
from ci.results.merged import Merged
from ci.results.records import Attempt, EvidenceFile, changed
from ci.suites.quic.words import QUIC as QUIC_SUITE

Opened = Callable[..., Page]

VERSIONS = ("go-v0.51", "js-v3.3", "rust-v0.57")
REDDISH = ("go-v0.51", "js-v3.3")
FLAKY = ("js-v3.3", "go-v0.51")
KNOWN = Expectation(id="go-forgets", select=("dialer:go",), expect=Expected.FAIL, reason="see there")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        if os.environ.get("INTEROP_REQUIRE_BROWSER"):
            pytest.fail("there is no `chromium`, and INTEROP_REQUIRE_BROWSER is set")
        pytest.skip("there is no `chromium` (apt-get install chromium)")
    with sync_playwright() as playwright:
        # Its own sandbox does not start where these tests run as root.
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    """Opens the page of a run from the file system. Whatever it complains of or fetches fails the test."""
    troubles: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 800})

    def watch(page: Page) -> None:
        page.on("console", lambda it: troubles.append(it.text) if it.type in ("error", "warning") else None)
        page.on("pageerror", lambda it: troubles.append(str(it)))
        page.on("dialog", lambda it: troubles.append(f"dialog {it.message}"))
        page.on("request", lambda it: None if it.url.startswith(("file:", "data:")) else troubles.append(it.url))

    context.on("page", watch)

    def open_page(
        merged: Merged,
        options: ReportOptions | None = None,
        *,
        fragment: str = "",
        change: tuple[str, str] = ("", ""),
    ) -> Page:
        text = HTML.render(merged, options or ReportOptions(urls={}, log_dir="."))
        path = tmp_path / "report.html"
        path.write_text(text.replace(*change) if any(change) else text, encoding="utf-8")
        page = context.new_page()
        page.goto(f"{path.as_uri()}{fragment}")
        page.locator("#view > *").first.wait_for()
        return page

    yield open_page
    context.close()
    assert troubles == []


def case(first: str, second: str) -> Case:
    return YAMUX.case(first, second)


def attempts(one: Case, *, red: bool = True) -> list[Attempt]:
    if one.pair == REDDISH and red and one.words == ("tcp", "noise", "yamux"):
        return [attempt(one, FAILED, RED), attempt(one, FAILED, RED, attempt=2, kind="retry")]
    if one.pair == FLAKY and one.words == ("quic-v1",):
        return [attempt(one, FAILED, RED), attempt(one, attempt=2, kind="retry")]
    return [attempt(one)]


def a_run(*, red: bool = True) -> Merged:
    cases = [stack.case(one, two) for stack in (YAMUX, QUIC) for one in VERSIONS for two in VERSIONS]
    return merged_of({one: attempts(one, red=red) for one in cases})


def test_a_cell_is_found_and_opened_by_keyboard_and_closed_again(opened: Opened) -> None:
    page = opened(a_run())
    page.locator("button.cell").first.focus()
    page.keyboard.press("ArrowRight")
    focused = page.locator("button.cell:focus")
    expect(focused).to_have_attribute("aria-label", "go-v0.51 dialer, js-v3.3 listener, tcp, noise, yamux: "
                                      "unexpectedly red, dialer-exit")  # fmt: skip
    page.keyboard.press("Enter")
    panel = page.locator("#panel")
    expect(panel).to_contain_text("dialer exited 1 after 12 ms")
    expect(panel).to_contain_text("The dialer exited with another code than 0.")
    expect(panel.get_by_role("tab")).to_have_count(2)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(page.locator("button.cell:focus")).to_have_attribute("data-key", case(*REDDISH).key)
    page.keyboard.press("ArrowDown")
    expect(page.locator("button.cell:focus")).to_have_attribute("data-key", case("js-v3.3", "js-v3.3").key)


def test_filters_say_what_they_hide_and_can_be_taken_away(opened: Opened) -> None:
    page = opened(a_run())
    page.locator("#filters .chip", has_text="flaky").click()
    expect(page.locator("#shown")).to_contain_text("1 case shown, 17 hidden by")
    expect(page.locator("button.cell")).to_have_count(1)
    page.get_by_role("button", name="clear all").click()
    expect(page.locator("#shown")).to_have_text("18 cases")
    page.keyboard.press("/")
    page.keyboard.type("rust !quic-v1")
    expect(page.locator("#shown")).to_contain_text("5 cases shown")
    page.get_by_label("dialer", exact=True).select_option("rust-v0.57")
    expect(page.locator("#shown")).to_contain_text("3 cases shown")


def test_a_link_shows_another_reader_the_same_and_back_goes_back(opened: Opened) -> None:
    page = opened(a_run())
    page.locator("#filters .chip", has_text="unexpectedly red").click()
    page.locator("button.cell").click()
    expect(page.locator("#panel")).to_contain_text("go-v0.51 x js-v3.3")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#panel")).to_contain_text("go-v0.51 x js-v3.3 (tcp, noise, yamux)")
    expect(other.locator("#shown")).to_contain_text("1 case shown")
    page.go_back()
    expect(page.locator("#panel")).to_be_hidden()
    page.go_back()
    expect(page.locator("#shown")).to_have_text("18 cases")


def test_the_difference_names_what_newly_failing_cases_have_in_common(opened: Opened) -> None:
    options = ReportOptions(urls={}, log_dir=".", baseline=a_run(red=False))
    page = opened(a_run(), options, fragment="#view=difference")
    expect(page.locator("#view")).to_contain_text("1 newly failing")
    page.get_by_role("button", name="go-v0.51 x js-v3.3").click()
    expect(page.locator("#panel")).to_contain_text("newly failing")


def test_what_was_expected_says_by_what_and_why(opened: Opened) -> None:
    run = a_run()
    cases = tuple(replace(it, expectation=KNOWN) if it.pair == REDDISH else it for it in run.cases)
    page = opened(replace(run, cases=cases), fragment="#view=causes")
    page.get_by_role("button", name="go-forgets").click()
    page.locator("#filters .chip", has_text="red or flaky as expected").click()
    page.locator("button.line").click()
    expect(page.locator("#panel")).to_contain_text("see there")


def test_what_is_flaky_as_expected_is_not_shown_as_red(opened: Opened) -> None:
    run = a_run()
    known = replace(KNOWN, expect=Expected.FLAKY)
    cases = tuple(replace(it, expectation=known) if it.result.flaky is not None else it for it in run.cases)
    page = opened(replace(run, cases=cases))
    expect(page.locator("button.cell.expected")).to_have_text("≈ 13 ms")
    expect(page.locator("button.cell.expected")).to_have_attribute("aria-label", re.compile("flaky as expected"))


def test_versions_without_a_result_are_named_and_shown_to_who_asks(opened: Opened) -> None:
    cases = {it: [attempt(it)] for it in (case("a", "a"), case("a", "b"), case("b", "a"))}
    out = [case("a", "gone"), case("gone", "a"), case("gone", "gone")]
    page = opened(merged_of({**cases, **{it: [attempt(it, Outcome.NOT_RUN, PLANNED_OUT)] for it in out}}))
    expect(page.locator("button.cell")).to_have_count(3)
    expect(page.locator("#view")).to_contain_text("in no table: gone.")
    page.locator("#filters .chip", has_text="left out of the plan").click()
    expect(page.locator("button.cell")).to_have_count(3)
    expect(page.locator("tbody th")).to_have_text(["a", "gone"])


def test_plots_have_their_numbers_as_text(opened: Opened) -> None:
    page = opened(a_run(), fragment="#view=plots")
    expect(page.locator("td.heat").first).to_have_text("12.5")
    expect(page.locator("circle.point")).to_have_count(17)


def test_a_pair_has_a_cell_for_each_test_case(opened: Opened) -> None:
    cases = [QUIC_SUITE.case("a-v1", "b-v1", test) for test in ("handshake", "http3", "retry")]
    page = opened(merged_of({it: [attempt(it, metrics={})] for it in cases}))
    expect(page.locator("button.cell")).to_have_text(["✔H", "✔Ht", "✔R"])
    expect(page.locator(".legend")).to_contain_text("Ht http3")


def test_history_is_a_strip(opened: Opened) -> None:
    key = case(*REDDISH).key
    runs = tuple(
        HistoryRun(
            run=f"r{number}",
            time=f"2026-11-{number + 1:02}T00:00:00.000Z",
            suite="transport",
            cells={key: Cell(outcome=Outcome.PASSED if number % 3 else FAILED)},
        )
        for number in range(12)
    )
    page = opened(a_run(), ReportOptions(urls={}, log_dir=".", history=runs), fragment=f"#cell={key}")
    expect(page.locator(".strip")).to_have_text("✘✔✔✘✔✔✘✔✔✘✔✔")
    expect(page.locator("#panel")).to_contain_text("flaky, not green in at least 14 % of runs")


def with_output(run: Merged, folder: Path, text: str, *, size: int | None = None) -> Merged:
    """The run, with this as what its red case left behind."""
    data = text.encode()
    path = "js_go/tcp/output.txt"
    place = folder / "r1" / "shard-1-of-1" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    file = EvidenceFile(
        role="both", stream="output", path=path, size=len(data) if size is None else size,
        sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    return replace(
        run,
        cases=tuple(
            replace(it, attempts=tuple(changed(one, evidence=(file,)) for one in it.attempts))
            if it.key == case(*REDDISH).key
            else it
            for it in run.cases
        ),
    )


OUTPUT = (
    "+  0.010 redis           | BLPOP listenerAddr\n+  0.450 listener/stderr | ready\n"
    "+  0.500 dialer/stderr   | no common protocol\n+  0.512 runner          | dialer exited 1\n"
)


def test_the_timeline_has_a_lane_for_each_participant_and_zooms_to_the_end(opened: Opened, tmp_path: Path) -> None:
    run = with_output(a_run(), tmp_path, OUTPUT)
    options = ReportOptions(urls={}, log_dir=".", folder=tmp_path / "r1")
    page = opened(run, options, fragment=f"#cell={case(*REDDISH).key}")
    expect(page.locator(".lanes .lane")).to_have_text(["redis", "listener", "dialer", "runner"])
    expect(page.locator(".log li")).to_have_count(4)
    page.get_by_role("button", name="first end").click()
    expect(page.locator(".log li")).to_have_count(2)  # what was within a tenth of the whole before
    page.locator(".lanes").focus()
    page.keyboard.press("Home")
    expect(page.locator(".log li")).to_have_count(4)


def test_evidence_that_is_not_what_its_record_says_is_not_shown(opened: Opened, tmp_path: Path) -> None:
    run = with_output(a_run(), tmp_path, OUTPUT, size=7)
    options = ReportOptions(urls={}, log_dir=".", folder=tmp_path / "r1")
    page = opened(run, options, fragment=f"#cell={case(*REDDISH).key}")
    expect(page.locator("#panel")).to_contain_text("its evidence is not at hand, was altered")


HOSTILE = (
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "\x00\x1b[31m\ud800",
    "'\"--><svg onload=alert(1)>", "{{ 7 * 7 }}", "__proto__",
)  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_names_and_reasons_hold_is_text(opened: Opened, text: str) -> None:
    one = YAMUX.case(f"a{text}", f"b{text}")
    reason = Reason(code=ReasonCode.DIALER_EXIT, text=text, side="dialer")
    tried = attempt(one, FAILED, reason, warnings=(text,), published=(text,), repro=text, host={text: text})
    run = merged_of({one: [tried]})
    entry = replace(KNOWN, reason=text, link="javascript:alert(1)")
    run = replace(run, cases=tuple(replace(it, expectation=entry) for it in run.cases))
    page = opened(run, fragment=f"#cell={one.key}")
    expect(page.locator("#panel .attempt")).to_be_visible()
    for view in ("list", "plots", "causes", "matrix"):
        page.goto(page.url.partition("#")[0] + f"#view={view}&cell={one.key}")
        expect(page.locator("#view > *").first).to_be_visible()
    assert page.locator("img").count() == page.locator('a[href^="javascript"]').count() == 0
    assert page.evaluate("document.scripts.length") == 3


def test_details_that_cannot_be_read_cost_only_themselves(opened: Opened) -> None:
    page = opened(a_run(), fragment=f"#cell={case(*REDDISH).key}", change=('class="details">', 'class="details">AAAA'))
    expect(page.locator("#panel")).to_contain_text("The details of this case cannot be shown")
    expect(page.locator("button.cell")).to_have_count(18)


def test_of_thousands_of_cells_those_far_away_are_not_made(opened: Opened) -> None:
    names = [f"v{number:02}" for number in range(100)]
    page = opened(merged_of({it: [attempt(it)] for one in names for two in names for it in [case(one, two)]}))
    expect(page.locator("#shown")).to_have_text("10,000 cases")
    assert 0 < page.locator("button.cell").count() < 6000
    page.get_by_role("button", name="Cases").click()
    assert 0 < page.locator("button.line").count() < 100


def test_a_phone_has_no_need_to_scroll_sideways(opened: Opened) -> None:
    page = opened(a_run())
    page.set_viewport_size({"width": 320, "height": 640})
    for view in ("matrix", "list", "plots", "causes"):
        page.goto(page.url.partition("#")[0] + f"#view={view}")
        expect(page.locator("#view > *").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 320, view


def test_without_scripts_what_is_not_green_is_listed(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(HTML.render(a_run(), ReportOptions(urls={}, log_dir=".")), encoding="utf-8")
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(path.as_uri())
    expect(page.locator("#static tbody tr")).to_have_count(2)
    expect(page.locator("#static")).to_contain_text("go-v0.51 x js-v3.3 (tcp, noise, yamux)")
    page.context.close()
