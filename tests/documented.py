"""What documentation lists, for tests that hold it against what is really written."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["case_json_keys"]

FORMAT = Path(__file__).resolve().parents[1] / "docs" / "results-format.md"


def case_json_keys() -> frozenset[str]:
    """The keys that `docs/results-format.md` explains under `case.json`."""
    text = FORMAT.read_text(encoding="utf-8").partition("### `case.json`\n")[2].partition("\n#")[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return frozenset(key for row in rows for key in re.findall(r"`(\w+)`", row))
