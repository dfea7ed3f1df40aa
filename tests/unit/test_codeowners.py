"""CODEOWNERS names, for each folder of implementations, the projects that its rows in `versions.yaml` name."""

from __future__ import annotations

from pathlib import Path

from ci.config.catalogue import load
from ci.model import BuildRecipe
from ci.suites.registry import known_suites

ROOT = Path(__file__).resolve().parents[2]
OWNERS = ROOT / ".github" / "CODEOWNERS"


def test_each_folder_of_implementations_belongs_to_the_owners_of_its_rows() -> None:
    owners: dict[str, set[str]] = {}
    for version in load(ROOT / "versions.yaml", known_suites()).versions:
        if isinstance(version.source, BuildRecipe) and version.owner:
            family = "/".join(version.source.folder.split("/")[:2])
            owners.setdefault(family, set()).add(f"@{version.owner}")
    wanted = [f"/{family}/ {' '.join(sorted(names))}" for family, names in sorted(owners.items())]
    written = [line for line in OWNERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert written == wanted, "write these lines into .github/CODEOWNERS:\n" + "\n".join(wanted)
