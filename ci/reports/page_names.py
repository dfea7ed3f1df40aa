"""Names that a web page can build CSS selectors, classes and folders from, in the place of version ids.

The page that shows the established runner's results puts them behind a dot or a `#` as they are, so `aioquic-v1.7`
would select nothing; and it joins two with `_` for the folder of their logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

__all__ = ["page_names"]

_OTHER: Final = re.compile(r"[^A-Za-z0-9-]")
_LETTER: Final = re.compile(r"[A-Za-z]")


def page_names(versions: Iterable[str]) -> Mapping[str, str]:
    """A name per version, no two alike in any case of letters; versions whose ids can stand keep them."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    # Those that need no change come first, so that no other takes their name.
    for version in sorted(set(versions), key=lambda it: (_plain(it) != it, it)):
        plain = name = _plain(version)
        number = 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.lower())
        names[version] = name
    return names


def _plain(version: str) -> str:
    plain = _OTHER.sub("-", version)
    return plain if _LETTER.match(plain) else f"v{plain}"
