"""The architecture, held to: imports run in one direction, third-party packages stay where they belong."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Who may not know whom, whichever way round: an area is a module or a package with all that is in it.
STRANGERS = {
    # An engine runs programs and a suite judges what they did: neither learns the other's business.
    "engines": {"suites", "runner", "attempt", "plan", "results", "report", "commands"},
    "suites": {"engines", "runner", "attempt", "images", "local", "report", "commands"},
    "attempt": {"suites", "engines.docker", "engines.local", "images", "report", "commands"},
    "runner": {"engines.docker", "engines.local", "images", "local", "report", "commands"},
    # Programs for the local engine are built without knowing what will be run with them.
    "local": {"engines", "suites", "report", "commands"},
    # Results are read and merged on machines that have no engine.
    "merge": {"engines", "images", "local", "report", "commands"},
    # What is shown knows results, not how they came about.
    "report": {"engines", "images", "local", "runner", "attempt", "commands"},
    # Everything may complain, so complaining needs nobody.
    "errors": {"*"},
    "model": {"*"},
}

# Outside what this project is for, somebody else's well-kept library; each behind as few doors as it takes.
FENCES = {
    "cryptography": {"suites.quic.certificates"},
    "docker": {
        "engines.container_files",
        "engines.containers",
        "engines.daemon",
        "engines.docker",
        "engines.docker_address",
        "engines.docker_network",
    },
    "redis": {"rendezvous"},
    "requests": {"engines.daemon", "doctor.registries"},
    "yaml": {"yaml_source"},
    "jinja2": {"report.markdown"},
    "markdown_it": {"report.code_lines"},
    "rich": {
        "build_progress",
        "console",
        "progress",
        "report.doctor",
        "report.interop_terminal",
        "report.screen",
        "report.terminal",
    },
    "zstandard": {"archives"},
    "pathspec": {"fingerprint"},
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


def graph() -> dict[str, set[str]]:
    known = modules()
    return {
        name: {target for it in imports(path) if (target := it.removeprefix("ci.")) in known and it != target}
        for name, path in known.items()
    }


def within(name: str, area: str) -> bool:
    return area in ("*", name) or name.startswith(f"{area}.")


def test_imports_never_run_in_a_circle() -> None:
    order = list(TopologicalSorter(graph()).static_order())  # raises CycleError, which names the circle
    assert set(order) == set(modules())
    assert order[-1] == "__main__"


@pytest.mark.parametrize("area", sorted(STRANGERS))
def test_strangers_stay_strangers(area: str) -> None:
    members = {name: targets for name, targets in graph().items() if within(name, area)}
    assert members
    met = {
        f"{name} imports {target}"
        for name, targets in members.items()
        for target in targets
        if not within(target, area) and any(within(target, stranger) for stranger in STRANGERS[area])
    }
    assert met == set()


def test_only_commands_know_commands() -> None:
    users = {name for name, targets in graph().items() if any(within(target, "commands") for target in targets)}
    assert users
    assert {name for name in users if not within(name, "commands")} == {"__main__"}


@pytest.mark.parametrize("package", sorted(FENCES))
def test_third_party_packages_stay_behind_their_fence(package: str) -> None:
    users = {name for name, path in modules().items() if any(it.partition(".")[0] == package for it in imports(path))}
    assert users == FENCES[package]


def test_the_table_of_modules_names_each_once_and_none_that_is_not_there() -> None:
    """A bare name in a row stands in the folder of the row's first one, a `*` for all in a folder."""
    document = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named: list[str] = []
    for row in re.findall(r"^\| (`.+?`) \| ", document, re.MULTILINE):
        names = re.findall(r"`([^`]+)`", row)
        folder = names[0].rpartition("/")[0]
        named += [name if "/" in name or not folder else f"{folder}/{name}" for name in names]

    there = {name.replace(".", "/") for name, path in modules().items() if path.name != "__init__.py"}
    counts = Counter(one for pattern in named for one in there if fnmatchcase(one, pattern))
    assert [pattern for pattern in named if not any(fnmatchcase(one, pattern) for one in there)] == []
    assert (there - counts.keys(), {name for name, count in counts.items() if count > 1}) == (set(), set())
