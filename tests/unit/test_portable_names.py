"""Names of strangers' files: any system holds them, and they can be had back."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.util.portable_names import PortableNames, is_short, original_name, portable_name

# Any name a Linux file system holds: bytes without NUL and slash, as Python shows them.
NAMES = (
    st.binary(min_size=1, max_size=40)
    .map(lambda name: name.replace(b"\0", b"?").replace(b"/", b"\\"))
    .filter(lambda name: name not in (b".", b".."))
    .map(os.fsdecode)
)


@pytest.mark.parametrize(
    ("name", "portable"),
    [
        ("keys.log", "keys.log"),
        ("0a1b_server.sqlog", "0a1b_server.sqlog"),
        ("a\\b", "a%5Cb"),
        ("12:30?", "12%3A30%3F"),
        ('"<>|*', "%22%3C%3E%7C%2A"),
        ("line\r\nfeed", "line%0D%0Afeed"),
        ("100%", "100%25"),
        (".hidden", "%2Ehidden"),
        ("dot.", "dot%2E"),
        ("con.log", "%63on.log"),
        ("Käse", "K%C3%A4se"),
    ],
)
def test_what_it_becomes(name: str, portable: str) -> None:
    assert portable_name(name) == portable
    assert original_name(portable) == name


@unhurried
@given(NAMES)
def test_any_name_comes_back_and_offends_nobody(name: str) -> None:
    portable = portable_name(name)
    assert original_name(portable) == name
    assert re.fullmatch(r"[ -~]+", portable)
    assert not set('"<>|*?:\\/') & set(portable)
    assert portable[0] not in ". "
    assert portable[-1] not in ". "


@unhurried
@given(
    st.lists(
        st.lists(st.sampled_from(["a", "A", "b", "aB", "Ab", "1"]), min_size=1, max_size=3).map(tuple), unique=True
    )
)
def test_no_two_files_differ_in_case_alone(files: list[tuple[str, ...]]) -> None:
    # What a file system that tells upper from lower case can hold at all: no file is also a folder.
    files = [it for it in files if not any(other[: len(it)] == it for other in files if other != it)]
    names = PortableNames()
    paths = [names.add(parts) for parts in files]
    assert [original_name(path or "") for path in paths] == ["/".join(parts) for parts in files]
    folded = [(path or "").lower() for path in paths]
    assert len(set(folded)) == len(folded)
    assert not any(one.startswith(f"{other}/") for one in folded for other in folded)


def test_a_path_that_no_system_takes() -> None:
    names = PortableNames()
    assert names.add(("x" * 256,)) is None
    assert names.add(("?" * 90,)) is None  # three characters each
    assert names.add(("x" * 255,)) == "x" * 255


def test_a_path_that_evidence_may_not_have() -> None:
    assert is_short("x" * 150)
    assert not is_short("x" * 151)
    assert not is_short("/".join(["deep"] * 40))
