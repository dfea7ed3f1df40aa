"""The architecture, held to: imports run in one direction, third-party packages stay where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Lowest first; a module may import only from layers above its own line: never from its own, never from below.
LAYERS = (
    {"errors", "image_checks", "model", "text", "atomic", "checks.ping_record", "checks.address", "capture"},
    {"provision", "suggest", "scene", "signature", "json_fields", "evidence_paths", "report.order", "report.published"},
    {"skeleton"},
    {"yaml_source", "expression", "fingerprint", "shard", "weights", "records", "plan_document", "rendezvous"},
    {"version_row", "selection", "record_json", "fold", "suites.base", "suites.transport_cases", "engines.base"},
    {"config", "row_text", "record_lines", "merged", "suites.transport_judgement", "engines.daemon"},
    {"plan", "results", "suites.transport", "engines.docker", "attempt", "probe", "archives", "helper_image"},
    {"merge", "images", "image_checks.base", "report.dashboard", "report.markers", "progress"},
    {
        "schedule",
        "evidence",
        "image_checks.laboratory",
        "image_checks.trips",
        "image_checks.manifest",
        "publish",
        "report.terminal",
        "workspace",
        "console",
    },
    {"runner", "image_checks.contract"},
    {"check_image"},
    {"report.check_image"},
    {"commands.build_images", "commands.list_cases", "commands.merge_results", "commands.update_readme"},
    {"commands.run_shard", "commands.check_image", "commands.init"},
    {"commands.interop"},
    {"commands"},
    {"__main__"},
)

# Outside what this project is for, somebody else's well-kept library; each behind as few doors as it takes.
FENCES = {
    "docker": {"engines.daemon", "engines.docker"},
    "redis": {"rendezvous"},
    "requests": {"engines.daemon"},
    "yaml": {"yaml_source"},
    "jinja2": {"report.dashboard"},
    "rich": {"console", "progress", "report.terminal"},
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
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_every_module_has_its_place() -> None:
    placed = [name for layer in LAYERS for name in layer]
    assert len(placed) == len(set(placed))
    assert set(modules()) <= set(placed)
    assert set(placed) - set(modules()) <= {"commands"}


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_run_upwards(name: str) -> None:
    level = {module: number for number, layer in enumerate(LAYERS) for module in layer}
    for imported in imports(modules()[name]):
        if imported.startswith("ci."):
            target = imported.removeprefix("ci.")
            assert level[target] < level[name], f"{name} may not import {target}"


@pytest.mark.parametrize("package", sorted(FENCES))
def test_third_party_packages_stay_behind_their_fence(package: str) -> None:
    users = {name for name, path in modules().items() if any(it.partition(".")[0] == package for it in imports(path))}
    assert users == FENCES[package]
