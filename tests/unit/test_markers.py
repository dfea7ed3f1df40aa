from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.errors import ConfigurationError
from ci.reports.markers import Pair, check_file, replace, section, update_file
from ci.suites.registry import SUITES

MARKERS = [suite.words.marker for suite in SUITES.values()]
INTEROP = MARKERS[0]
START, END = Pair(INTEROP).start, Pair(INTEROP).end
WORDS = [word for marker in MARKERS for word in (Pair(marker).start, Pair(marker).end)]
README = b"# Title\n\n" + START + b"\nold\n" + END + b"\n\ntail"
any_bytes = st.lists(
    st.one_of(
        st.binary(max_size=8),
        st.sampled_from((b"\n", b"\r\n", b"\r", b" ", b"x " + START, END + b" y", b"`" + WORDS[2] + b"`", b"\xff")),
    ),
    max_size=8,
).map(b"".join)
bodies = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4).map("\n".join)


def free_of_fences_and_markers(text: bytes) -> bool:
    if any(line.strip() in WORDS for line in text.split(b"\n")):
        return False
    for word in WORDS:
        text = text.replace(word, b"")
    return b"```" not in text and b"~~~" not in text and b"<" not in text


outside = any_bytes.filter(free_of_fences_and_markers)


def of_suite(text: bytes, marker: str) -> bytes:
    """The same file with the markers of another suite in the place of the first one's."""
    return text.replace(START, Pair(marker).start).replace(END, Pair(marker).end)


@unhurried
@given(outside, outside, outside, bodies, st.sampled_from((b"\n", b"\r\n")), st.sampled_from(MARKERS))
def test_outside_bytes_never_change(
    before: bytes, old: bytes, after: bytes, body: str, line_end: bytes, marker: str
) -> None:
    head = before + b"\n" + Pair(marker).start + line_end
    tail = Pair(marker).end + b"\n" + after
    text = head + old + b"\n" + tail
    new = replace(text, body, marker)
    assert new.startswith(head)
    assert new.endswith(tail)
    assert replace(new, body, marker) == new
    assert replace(replace(text, "other", marker), body, marker) == new
    assert section(new.decode("utf-8", "replace"), marker).encode() == new[len(head) : len(new) - len(tail)]
    inside = new[len(head) : len(new) - len(tail)]
    assert inside.count(b"\n") == inside.count(line_end)
    assert (
        inside.replace(line_end, b"\n").strip(b"\n") == body.replace("\r\n", "\n").encode().strip(b"\n") or "\r" in body
    )


def test_only_what_is_between_is_replaced() -> None:
    assert replace(README, "new", INTEROP) == b"# Title\n\n" + START + b"\nnew\n" + END + b"\n\ntail"
    assert replace(README, "new\n", INTEROP) == replace(README, "new", INTEROP)
    assert replace(README, "", INTEROP) == b"# Title\n\n" + START + b"\n" + END + b"\n\ntail"
    assert replace(README.decode(), "né", INTEROP) == replace(README, "né", INTEROP).decode()


def test_crlf_files_stay_crlf() -> None:
    text = README.replace(b"\n", b"\r\n")
    assert replace(text, "a\nb\r\nc", INTEROP) == text.replace(b"old", b"a\r\nb\r\nc")


def test_a_byte_order_mark_stays() -> None:
    assert replace(b"\xef\xbb\xbf" + START + b"\n" + END, "x", INTEROP) == b"\xef\xbb\xbf" + START + b"\nx\n" + END


def test_blank_space_beside_a_marker_stays() -> None:
    assert replace(b"  " + START + b" \t\n   " + END, "x", INTEROP) == b"  " + START + b" \t\nx\n   " + END


@pytest.mark.parametrize(
    "quoted",
    [
        b"Write `" + START + b"` and `" + END + b"`.\n",
        b"```\n" + START + b"\n" + END + b"\n```\n",
        b"~~~html\n" + START + b"\n```\n" + END + b"\n~~~~\n",
        b"  ````\n" + START + b"\n```\n" + END + b"\n````  \n",
        b"```not a fence``` " + b"\n",
        # A fence that begins on the line of a list item, and one deep in a list.
        b"- ```\n  " + START + b"\n  " + END + b"\n  ```\n",
        b"1. one\n\n   * two\n\n     ~~~\n     " + START + b"\n     " + END + b"\n     ~~~\n",
        # Such a fence ends with its item, closed or not.
        b"* ```md\n  " + START + b"\n  " + END + b"\n\n",
        b"> ```\n> x\n",
        b"\n    " + START + b"\n    " + END + b"\n\n",
        b"\n\t" + START + b"\n\t" + END + b"\n\n",
        b"* a\n\n      " + START + b"\n      " + END + b"\n\n",
        b"<pre>\n" + START + b"\n" + END + b"\n</pre>\n",
        b"<PRE lang=x>\n\n" + START + b"\n\n" + END + b"\n</pre>\n",
        b"<!-- like this:\n" + START + b"\n",
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_quoted_markers_are_text(quoted: bytes, line_end: bytes) -> None:
    text = (quoted + README + b"\n\n" + quoted).replace(b"\n", line_end)
    old, new = (line_end + word + line_end for word in (b"old", b"new"))
    assert replace(text, "new", INTEROP) == text.replace(old, new)


def test_only_an_example_is_no_place(tmp_path: Path) -> None:
    """What is shown as code stays an example, also where there is nothing else."""
    path = tmp_path / "README.md"
    for example in (
        b"- ```\n  " + START + b"\n  " + END + b"\n  ```\n",
        b"\n    " + START + b"\n    " + END + b"\n",
        b"<pre>\n" + START + b"\n" + END + b"\n</pre>\n",
    ):
        path.write_bytes(example)
        with pytest.raises(ConfigurationError) as caught:
            update_file(path, "new", INTEROP)
        assert caught.value.reference == "markers-missing"
        assert path.read_bytes() == example


def test_markers_in_other_html_and_in_lists_count() -> None:
    for around in (b"<div align=center>\n%s\n</div>\n", b"- item\n\n%s\n", b"text\n%s\ntext\n"):
        text = around % (START + b"\nold\n" + END)
        assert replace(text, "new", INTEROP) == text.replace(b"old", b"new")


def test_an_open_fence_between_the_markers_does_not_hide_the_end() -> None:
    assert replace(README.replace(b"old", b"```"), "new", INTEROP) == README.replace(b"old", b"new")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (b"", "markers-missing"),
        (START, "markers-missing"),
        (END, "markers-missing"),
        (START + END, "markers-missing"),
        (START + b" x\n" + END, "markers-missing"),
        (README.decode().encode("utf-16"), "markers-missing"),
        (END + b"\n" + START, "markers-reversed"),
        (README + b"\n" + README, "markers-doubled"),
        (START + b"\n" + README, "markers-doubled"),
        (README + b"\n" + END, "markers-doubled"),
    ],
)
@pytest.mark.parametrize("marker", MARKERS)
def test_a_file_without_one_pair_is_left_alone(tmp_path: Path, text: bytes, reference: str, marker: str) -> None:
    text = of_suite(text, marker)
    path = tmp_path / "README.md"
    path.write_bytes(text)
    with pytest.raises(ConfigurationError) as caught:
        update_file(path, "new", marker)
    assert caught.value.reference == reference
    assert str(path) in caught.value.message
    assert path.read_bytes() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("marker", MARKERS)
@pytest.mark.parametrize("word", WORDS)
def test_a_body_cannot_bring_markers_of_any_suite(word: bytes, marker: str) -> None:
    for body in (word.decode(), f"a\n  {word.decode()}\r\nb"):
        with pytest.raises(ConfigurationError, match="holds a marker itself"):
            replace(of_suite(README, marker), body, marker)


# --- several dashboards in one file -----------------------------------------------------------------------


def test_the_established_bytes() -> None:
    assert Pair("INTEROP").start == b"<!--INTEROP_DASHBOARD_START-->"
    assert Pair("QUIC").end == b"<!--QUIC_DASHBOARD_END-->"
    assert len(set(WORDS)) == 2 * len(MARKERS)


def test_each_dashboard_has_its_own_place() -> None:
    text = b"\n".join(of_suite(README, marker) for marker in MARKERS)
    for marker in MARKERS:
        text = replace(text, f"of {marker}\n```", marker)
    for marker in MARKERS:
        assert section(text.decode(), marker) == f"of {marker}\n```\n"
        text = replace(text, "old", marker)
    assert text == b"\n".join(of_suite(README, marker) for marker in MARKERS)


def test_other_dashboards_need_not_be_there() -> None:
    with pytest.raises(ConfigurationError, match="no line consists of <!--QUIC_DASHBOARD_START-->"):
        replace(README, "new", "QUIC")
    assert replace(README, "new", "INTEROP") == README.replace(b"old", b"new")


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (README + b"\n" + WORDS[2] + b"\n", "markers-missing"),
        (WORDS[3] + b"\n" + README, "markers-missing"),
        (WORDS[3] + b"\n" + WORDS[2] + b"\n" + README, "markers-reversed"),
        (README + 2 * (b"\n" + WORDS[2] + b"\n" + WORDS[3]), "markers-doubled"),
        (b"\n".join((START, WORDS[2], WORDS[3], END)), "markers-nested"),
        (b"\n".join((WORDS[2], START, END, WORDS[3])), "markers-nested"),
        (b"\n".join((START, WORDS[2], END, WORDS[3])), "markers-nested"),
        (b"\n".join((WORDS[2], START, WORDS[3], END)), "markers-nested"),
    ],
)
@pytest.mark.parametrize("marker", ["INTEROP", "QUIC"])
def test_a_file_with_any_broken_pair_is_left_alone(tmp_path: Path, text: bytes, reference: str, marker: str) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(text)
    for act in (update_file, check_file):
        with pytest.raises(ConfigurationError) as caught:
            act(path, "new", marker)
        assert caught.value.reference == reference
    assert path.read_bytes() == text


def test_pairs_may_touch() -> None:
    text = b"\n".join(WORDS)
    for marker in MARKERS:
        text = replace(text, marker, marker)
    assert text.splitlines() == [
        line for marker in MARKERS for line in (Pair(marker).start, marker.encode(), Pair(marker).end)
    ]


# --- files ------------------------------------------------------------------------------------------------


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_bytes(README)
    return path


def test_a_file_is_written_only_when_it_changes(readme: Path) -> None:
    assert update_file(readme, "new", INTEROP)
    assert readme.read_bytes() == replace(README, "new", INTEROP)
    before = readme.stat()
    assert not update_file(readme, "new", INTEROP)
    assert (readme.stat().st_ino, readme.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755])
def test_the_mode_stays(readme: Path, mode: int) -> None:
    readme.chmod(mode)
    update_file(readme, "new", INTEROP)
    assert stat.S_IMODE(readme.stat().st_mode) == mode


def test_a_link_stays_a_link(readme: Path, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    link = tmp_path / "docs" / "index.md"
    link.symlink_to("../README.md")
    assert update_file(link, "new", INTEROP)
    assert link.is_symlink()
    assert readme.read_bytes() == replace(README, "new", INTEROP)
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["index.md"]


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="only root gives files away")
def test_the_owner_stays(readme: Path) -> None:
    os.chown(readme, 12345, 23456)
    update_file(readme, "new", INTEROP)
    assert (readme.stat().st_uid, readme.stat().st_gid) == (12345, 23456)


def test_drift_is_a_short_diff(readme: Path) -> None:
    diff = check_file(readme, "new", INTEROP)
    assert diff is not None
    assert diff.splitlines()[2:] == [
        "@@ -3,3 +3,3 @@",
        f" {START.decode()}",
        "-old",
        "+new",
        f" {END.decode()}",
    ]
    assert readme.read_bytes() == README
    update_file(readme, "new", INTEROP)
    assert check_file(readme, "new", INTEROP) is None


def test_a_long_diff_is_cut(readme: Path) -> None:
    diff = check_file(readme, "\n".join(map(str, range(500))), INTEROP)
    assert diff is not None
    assert len(diff.splitlines()) == 41
    assert "more lines" in diff


def test_drift_in_line_ends_only_is_said(readme: Path) -> None:
    readme.write_bytes(README.replace(b"old\n", b"old\r\n"))
    diff = check_file(readme, "old", INTEROP)
    assert diff is not None
    assert "only in line ends" in diff


@pytest.mark.parametrize("name", ["absent.md", "."])
def test_what_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    for act in (update_file, check_file):
        with pytest.raises(ConfigurationError, match="cannot read"):
            act(tmp_path / name, "new", INTEROP)
