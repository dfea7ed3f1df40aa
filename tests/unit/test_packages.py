"""What dpkg has on record of an image, as a list."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ci.images.packages import package_list

STATUS = b"""Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.41-12

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2+b5
Description: shell
 Version: 99
"""


def test_what_is_installed_is_listed_and_what_compiled_it_apart() -> None:
    build = b"Package: gcc-14\nStatus: install ok installed\nArchitecture: amd64\nVersion: 14.2.0-19\n"
    assert package_list(STATUS, build) == (
        "image bash amd64 5.2.37-2+b5\nimage libc6 amd64 2.41-12\nbuild gcc-14 amd64 14.2.0-19\n"
    )
    assert package_list(STATUS.replace(b"\n\n", b"\n \n"), None) is not None


def test_an_image_without_dpkg_has_no_list() -> None:
    assert package_list(None, None) is None
    assert package_list(b"", b"\0\xff") is None


@given(st.binary())
def test_whatever_an_image_says_a_line_stays_a_line(content: bytes) -> None:
    found = package_list(content, STATUS + content) or ""
    assert all(line.isprintable() and line.startswith(("image ", "build ")) for line in found.splitlines())
