"""The Debian packages that went into an image, as dpkg has them on record: what differs between two of one recipe."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["BUILD_STATUS", "MOST_STATUS_BYTES", "STATUS", "package_list"]

# Of the image itself; and of the stage that compiled its program, which `impls/image.mk` copies there.
STATUS: Final = "/var/lib/dpkg/status"
BUILD_STATUS: Final = "/usr/share/interop/build-packages"
MOST_STATUS_BYTES: Final = 8 << 20

_FIELD: Final = re.compile(
    r"^(Package|Status|Architecture|Version): ([!-~]{1,200}(?: [!-~]{1,200}){0,2})$", re.MULTILINE
)


def package_list(status: bytes | None, build_status: bytes | None) -> str | None:
    """A line per package: `build` for what only compiled the program, name, processor, version; None where none is.

    :param status: a `dpkg` status file, which an image may have filled with anything
    """
    lines = [*_packages(status, "image"), *_packages(build_status, "build")]
    return "".join(f"{line}\n" for line in lines) or None


def _packages(status: bytes | None, where: str) -> list[str]:
    found = []
    for paragraph in (status or b"").decode("utf-8", errors="replace").split("\n\n"):
        fields = dict(_FIELD.findall(paragraph))
        if fields.get("Status", "").endswith(" installed") and {"Package", "Version"} <= fields.keys():
            found.append(f"{where} {fields['Package']} {fields.get('Architecture', '')} {fields['Version']}")
    return sorted(found)
