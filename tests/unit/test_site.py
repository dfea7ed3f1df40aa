"""What the established runner's web page reads: names it can select by, and folders by the same names."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

import pytest
from interop_runs import case, run_of, tried

from ci.__main__ import main
from ci.errors import ExitCode
from ci.model import Case, Outcome
from ci.results.merged import MergedShard, ShardState
from ci.results.merged_file import write_merged
from ci.results.records import Attempt, EvidenceFile
from ci.results.shard_file import shard_folder

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "tests" / "data" / "matrix_page.html"
BROWSER: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# As they are in this repository's versions.yaml.
CASES: Final = [
    case(client, server, test)
    for client in ("aioquic-v1.7", "quic-go-v0.65")
    for server in ("aioquic-v1.7", "nginx-v1.26")
    for test in ("handshake", "goodput")
]
RATE: Final = {"kbps": 9123.4, "kbpsDeviation": 45.4}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The folder of a run with the evidence of all cases but one."""

    def attempt(one: Case) -> Attempt:
        where = f"{one.second}_{one.first}/{one.words[0]}"
        folder = shard_folder(tmp_path / "results", "nightly", "1/1") / where
        folder.mkdir(parents=True)
        (folder / "output.txt").write_text(one.name, encoding="utf-8")
        file = EvidenceFile(role="harness", stream="output", path=f"{where}/output.txt", size=1, sha256="0" * 64)
        return tried(one, Outcome.PASSED, run="nightly", shard="1/1", evidence=(file,), metrics=RATE)

    merged = run_of({one: [attempt(one)] for one in CASES})
    shards = (MergedShard(shard="1/1", state=ShardState.COMPLETE, run="nightly"),)
    folder = tmp_path / "results" / "nightly"
    write_merged(folder / "merged.json", dataclasses.replace(merged, shards=shards))
    return folder


def export(results: Path, *words: str) -> int:
    versions = ["--versions", str(ROOT / "versions.yaml")]
    return main(["export-results", str(results / "merged.json"), "--format", "quic-interop-runner", *versions, *words])


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_logs_lie_where_the_page_links_to(results: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert export(results, "--site", str(site)) == ExitCode.GREEN
    document = read(site / "latest" / "result.json")
    for client in document["clients"]:
        for server in document["servers"]:
            for test in ("handshake", "goodput"):
                text = (site / document["log_dir"] / f"{server}_{client}" / test / "output.txt").read_text()
                assert text == f"{document['versions'][client]} x {document['versions'][server]} ({test})"
    assert len(list((site / "nightly").glob("*_*/*/output.txt"))) == len(CASES)


def test_runs_are_named_in_order(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site"
    for name in ("2026-11-21T03:15", "2026-11-22T03:15", "2026-11-21T03:15"):
        assert export(results, "--site", str(site), "--log-dir", name) == ExitCode.GREEN
    assert read(site / "logs.json") == ["2026-11-22T03:15", "2026-11-21T03:15"]
    assert (site / "latest").readlink() == Path("2026-11-21T03:15")
    shutil.rmtree(results / "shard-1-of-1" / "nginx-v1.26_aioquic-v1.7" / "goodput")
    capsys.readouterr()
    assert export(results, "--site", str(site), "--log-dir", "again") == ExitCode.GREEN
    assert "aioquic-v1.7 x nginx-v1.26 (goodput)" in capsys.readouterr().out


def test_nothing_but_evidence_is_copied(results: Path, tmp_path: Path) -> None:
    folder = results / "shard-1-of-1" / "nginx-v1.26_aioquic-v1.7" / "handshake"
    (folder / "link").symlink_to("/etc/passwd")
    assert export(results, "--site", str(tmp_path / "site")) == ExitCode.GREEN
    assert not [it for it in (tmp_path / "site" / "nightly").rglob("*") if it.is_symlink()]


@pytest.mark.parametrize("name", ["..", "a/b", ".hidden", ""])
def test_a_run_is_a_folder_below_the_site(
    results: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kept").touch()
    code = export(results, "--site", str(tmp_path / "site"), "--log-dir", name)
    assert code == (ExitCode.CONFIGURATION if name else ExitCode.GREEN)
    assert ("cannot be the folder of a run" in capsys.readouterr().out) == bool(name)
    assert (tmp_path / "kept").exists()


# --- in a browser -----------------------------------------------------------------------------------------


class Links(HTMLParser):
    """The links of a page, by address."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._last = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._last = (dict(attrs).get("href") or "") if tag == "a" else ""

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._last = ""

    def handle_data(self, data: str) -> None:
        if self._last:
            self.found[self._last] = data


def shown(document: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The links a browser has found a place for."""
    page = folder / "page.html"
    page.write_text(PAGE.read_text(encoding="utf-8").replace("RESULT", json.dumps(document)), encoding="utf-8")
    assert BROWSER is not None
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    done = subprocess.run(
        [BROWSER, *words, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    links = Links()
    links.feed(re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL))
    return links.found


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium on PATH")
def test_a_browser_finds_every_cell(results: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert export(results, "--site", str(site)) == ExitCode.GREEN
    document = read(site / "nightly" / "result.json")
    links = shown(document, tmp_path)
    assert len(links) == len(CASES)
    assert set(links.values()) == {"H", "G: 9123 (± 45) kbps"}
    assert all((site / link / "output.txt").is_file() for link in links)
    # With the ids as they are it finds none: this page tells the difference.
    ids = {side: [document["versions"][name] for name in document[side]] for side in ("clients", "servers")}
    assert shown({**document, **ids}, tmp_path) == {}
