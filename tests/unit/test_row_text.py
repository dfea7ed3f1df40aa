"""A row added to versions.yaml: where it goes, and that nothing else changes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ci.config.catalogue import load
from ci.config.edit import NewRow, VersionsText, first_row
from ci.config.row import is_plain
from ci.config.yaml_source import Problems, as_word, read
from ci.suites.registry import known_suites

ROW = first_row("zig-v1.0", "zig", "impls/zig/v1.0")


def with_row(text: bytes, row: NewRow) -> tuple[bytes, list[str], list[str]]:
    """A file with a row added, and the ids in it before and after."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder)
        (checkout / "impls/zig/v1.0").mkdir(parents=True)
        (checkout / "impls/zig/v1.0/Makefile").touch()
        path = checkout / "versions.yaml"
        path.write_bytes(text)
        before = [version.id for version in load(path, known_suites()).versions]
        added = VersionsText(path).with_rows([row])
        path.write_bytes(added)
        return added, before, [version.id for version in load(path, known_suites()).versions]


GAPS = st.text(alphabet=" \n", max_size=3).map(lambda gap: gap + "\n")
COMMENTS = st.sampled_from(["", "  # a comment", "    # - id: no-row", "#", "      # x: [y"])


@settings(max_examples=60)
@given(
    margin=st.integers(min_value=0, max_value=4),
    count=st.integers(min_value=1, max_value=4),
    comments=st.lists(COMMENTS, min_size=12, max_size=12),
    tail=st.sampled_from(
        ["", "\n", "\n\n", "\n# the end", "\n  # of a row?\n", "\naliases:\n  it: row-v0\n", "   # end"]
    ),
    newline=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from(["", "\ufeff"]),
    behind=st.integers(min_value=0, max_value=4),
)
def test_a_row_is_added_and_every_other_byte_stays(
    margin: int, count: int, comments: list[str], tail: str, newline: str, mark: str, behind: int
) -> None:
    lines = ["schema: 1", comments[0], "versions:"]
    for number in range(count):
        fields = [f"- id: row-v{number}", "  family: row", "  image: example.org/row:1", "  transports: [quic-v1]"]
        lines += [comments[1 + number], *(" " * margin + field for field in fields)]
        lines[-1] += f"  {comments[6 + number].strip()}"
    text = (mark + "\n".join(lines) + tail).replace("\n", newline).encode()
    after = f"row-v{behind}" if behind < count else None

    added, before, ids = with_row(text, NewRow(text=ROW, after=after))

    place = before.index(after) + 1 if after is not None else len(before)
    assert ids == [*before[:place], "zig-v1.0", *before[place:]]
    indented = "".join(f"{newline}{' ' * margin}{line}" for line in ROW.split("\n"))
    assert added.replace((newline + indented).encode(), b"", 1) == text


WORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True) | st.sampled_from(
    ["no", "on", "Yes", "null", "1", "1.0", "1e5", "0x1f", "0o7", "1_0", "2001-01-01", ".5", "true"]
)


@given(WORDS.filter(is_plain))
def test_a_word_is_written_as_yaml_reads_it_back(word: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "words.yaml")
        path.write_text(f"word: {as_word(word)}\n", encoding="utf-8")
        problems = Problems()
        root = read(path, problems)
        assert root is not None
        entries = root.entries("the file", problems, ["word"])
        assert entries is not None
        assert entries["word"].word("it", problems) == word
        assert not problems.found
