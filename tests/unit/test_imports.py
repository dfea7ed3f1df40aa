"""The architecture, held to: imports run in one direction, third-party packages stay where they belong."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from ci.commands.registry import COMMANDS
from ci.suites.registry import SUITES

ROOT = Path(__file__).resolve().parents[2]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

# Every room of the package, lowest first: a module at the top, a folder, or a folder of `engines` or `suites`; what a
# suite is, all suites know.
# Each imports from rooms above it in this list, and never from the strangers that are named.
ROOMS = {
    "errors": (),
    "model": ("errors",),
    "util": ("model",),
    "spec": (),
    "terminal": ("model", "spec"),
    "config": ("spec", "terminal"),
    "images": ("spec", "terminal", "config"),
    # An engine runs programs and a suite judges what they did: neither learns the other's business.
    "engines": ("terminal", "config"),
    "engines.docker": ("terminal", "config"),
    "engines.local": ("terminal", "config", "engines.docker"),
    # Results are read and merged on machines that have no engine, and shown without knowing how they came about.
    "results": ("spec", "terminal", "config", "images", "engines", "engines.docker", "engines.local"),
    "reports": ("spec", "terminal", "config", "images", "engines", "engines.docker", "engines.local"),
    "suites.base": ("terminal", "config", "images", "engines", "engines.docker", "engines.local"),
    "suites.transport": ("config", "images", "engines", "engines.docker", "engines.local"),
    "suites.quic": ("terminal", "config", "images", "engines", "engines.docker", "engines.local", "suites.transport"),
    "suites": ("images", "engines", "engines.docker", "engines.local"),
    "plan": ("spec", "terminal", "images", "engines", "engines.docker", "engines.local", "reports"),
    "runner": ("config", "plan", "reports", "engines.local"),
    "conformance": ("config", "plan", "results", "reports", "terminal"),
    "commands": (),
    "__main__": ("runner", "engines.docker", "engines.local", "plan"),
}

# Outside what this project is for, somebody else's well-kept library; each behind as few doors as it takes.
FENCES = {
    "cryptography": {"suites.quic.materials.certificates"},
    "docker": {
        "engines.docker.files",
        "engines.docker.containers",
        "engines.docker.daemon",
        "engines.docker.engine",
        "engines.docker.address",
        "engines.docker.networks",
        "engines.docker.sandbox",
    },
    "redis": {"engines.coordination"},
    "requests": {
        "engines.docker.daemon",
        "commands.doctor_checks.registries",
        "commands.given_runs",
        "util.github",
        "images.caches.s3",
        "images.caches.web",
    },
    "yaml": {"config.yaml_source"},
    "jinja2": {"reports.markdown", "reports.page.report"},
    "markdown_it": {"reports.code_lines"},
    "rich": {
        "terminal.build_progress",
        "terminal.console",
        "terminal.progress",
        "commands.doctor_checks.table",
        "suites.quic.reports.terminal",
        "commands.closing_table",
        "reports.screen",
        "suites.transport.terminal",
    },
    "zstandard": {"images.caches.archive"},
    "requests_aws4auth": {"images.caches.s3"},
    "urllib3": {"images.caches.web"},
    "pathspec": {"images.content_key"},
    "msgspec": {
        "images.caches.entries",
        "model",
        "results.aggregate",
        "results.case_fields",
        "results.history",
        "results.merged_file",
        "results.stored_attempts",
        "results.merged_document",
        "results.plan_file",
        "results.record_lines",
        "results.records",
        "results.schema",
        "util.json_document",
    },
}


def modules() -> dict[str, Path]:
    found = {}
    for path in (ROOT / "ci").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT / "ci").with_suffix("").parts).removesuffix(".__init__")
        if name.startswith("data."):
            continue  # programs for others to run, no part of the package
        if path.name != "__init__.py" or path.stat().st_size:
            found[name] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """Also what is imported for its types alone: who only reads a type knows the module all the same."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            if node.module == "ci" or node.module.startswith("ci."):
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@cache
def graph() -> dict[str, set[str]]:
    known = modules()
    found = {
        name: {target for it in imports(path) if (target := it.removeprefix("ci.")) in known and it != target}
        for name, path in known.items()
    }
    # By its name, when it is asked for.
    found["commands.registry"] |= {f"commands.{command.module}" for command in COMMANDS}
    return found


def room_of(name: str) -> str:
    if name in ROOMS:
        return name
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] in ("engines", "suites") and len(parts) > 2 else parts[0]


@cache
def arrows() -> dict[str, set[str]]:
    """Which rooms each room imports from."""
    found: dict[str, set[str]] = {room: set() for room in ROOMS}
    for name, targets in graph().items():
        found[room_of(name)] |= {room_of(target) for target in targets} - {room_of(name)}
    return found


def test_imports_never_run_in_a_circle() -> None:
    order = list(TopologicalSorter(graph()).static_order())  # raises CycleError, which names the circle
    assert set(order) == set(modules())
    assert order[-1] == "__main__"


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_lower_ones_and_not_from_strangers(room: str) -> None:
    below = set(list(ROOMS)[: list(ROOMS).index(room)])
    assert arrows()[room] <= below - set(ROOMS[room])


def test_outside_its_folder_nothing_is_compared_with_a_suites_name() -> None:
    """What differs between suites their entries in the registry say."""
    found = [
        f"{name}:{node.lineno}"
        for name, path in modules().items()
        if not name.startswith("suites.")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Constant) and side.value in SUITES
    ]
    assert found == []


def test_there_are_few_modules_at_the_top() -> None:
    assert {name for name in modules() if "." not in name} == {"__main__", "errors", "model"}


@pytest.mark.parametrize("package", sorted(FENCES))
def test_third_party_packages_stay_behind_their_fence(package: str) -> None:
    users = {name for name, path in modules().items() if any(it.partition(".")[0] == package for it in imports(path))}
    assert users == FENCES[package]


def reach(room: str) -> set[str]:
    """All that a room imports, by way of others too."""
    return arrows()[room].union(*(reach(target) for target in arrows()[room]))


def test_the_picture_shows_the_imports_there_are() -> None:
    """Known to all, and so not drawn: errors, model, util; nor an arrow that follows from two others."""
    drawn = [room for room in reversed(ROOMS) if room not in ("errors", "model", "util", "__main__")]
    lines = []
    for room in drawn:
        direct = arrows()[room]
        targets = [it for it in drawn if it in direct and not any(it in reach(other) for other in direct - {it})]
        lines += [f"    {room} --> {' & '.join(targets)}"] if targets else []
    picture = "\n".join(["```mermaid", "flowchart TD", *lines, "```"])
    assert picture in ARCHITECTURE, f"write this into docs/architecture.md:\n{picture}"


def test_the_table_has_every_room() -> None:
    rooms = ARCHITECTURE.partition("\n## Rooms\n")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `([\w./]+)` \| ", rooms, re.MULTILINE)
    assert [name.rstrip("/").replace("/", ".").removesuffix(".py") for name in named] == list(ROOMS)


def test_every_module_begins_with_its_one_job() -> None:
    assert [name for name, path in modules().items() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


@pytest.mark.parametrize(
    "page", [ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda it: it.name
)
def test_a_page_names_files_that_are_there(page: Path) -> None:
    named = re.findall(r"`((?:ci|tests|docs)/[\w/.-]+)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert named or page.name != "architecture.md"
