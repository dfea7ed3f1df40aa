"""Which tool is taken: the one on PATH where it will do, else the wheel's."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from stand_ins import tool

from ci.engines.local.toolchains import Tool, Toolchains, host_platform
from ci.errors import EngineError
from ci.images.build_commands import Commands, build_environment
from ci.images.caches.folder import Cache


def toolchains(tmp_path: Path, path: str | None = None) -> Toolchains:
    """With `tmp_path/bin` on PATH, and the cache in `tmp_path/cache`."""
    path = str(tmp_path / "bin") if path is None else path
    commands = Commands(build_environment({"PATH": path}, tmp_path / "cache"))
    return Toolchains(Cache(tmp_path / "cache"), commands, path=path)


@pytest.mark.parametrize("version", ["22.0.0", "24.1.0"])
def test_a_node_that_is_new_enough_is_taken_with_its_npm(tmp_path: Path, version: str) -> None:
    node = tool(tmp_path / "bin", "node", f"echo v{version}")
    npm = tool(tmp_path / "bin", "npm", "")
    tools = toolchains(tmp_path)
    assert tools.node == Tool(program=str(node), version=tuple(map(int, version.split("."))))
    assert tools.npm(tools.node) == (str(npm),)


@pytest.mark.parametrize(
    "script", ["echo v21.9.9", "echo v9.0.0", "echo command not found; exit 127", "echo nonsense", "kill -9 $$"]
)
def test_an_old_or_broken_node_is_passed_over(tmp_path: Path, script: str) -> None:
    tool(tmp_path / "bin", "node", script)
    tool(tmp_path / "bin", "npm", "")
    assert toolchains(tmp_path).node.wheel == "node"


def test_a_node_without_npm_is_passed_over(tmp_path: Path) -> None:
    tool(tmp_path / "bin", "node", "echo v24.1.0")
    tools = toolchains(tmp_path)
    assert tools.node.wheel == "node"
    program, script = tools.npm(tools.node)
    assert program == tools.node.program
    assert script.endswith("/lib/node_modules/npm/bin/npm-cli.js")


@pytest.mark.parametrize(("version", "wheel"), [("1.20.14", "go"), ("1.21", None), ("1.26.8", None), ("1.9", "go")])
def test_a_go_that_can_fetch_toolchains_is_taken(tmp_path: Path, version: str, wheel: str | None) -> None:
    tool(tmp_path / "bin", "go", f'[ "$1" = version ] && echo "go version go{version} linux/amd64"')
    assert toolchains(tmp_path).go.wheel == wheel


@pytest.mark.parametrize(
    ("answer", "wheel"),
    [
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", None),
        ("Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64", "redis"),
        ("Redis server v=5.0 sha=0", "redis"),
    ],
)
def test_the_newer_redis_server_is_taken(tmp_path: Path, answer: str, wheel: str | None) -> None:
    tool(tmp_path / "bin", "redis-server", f"echo '{answer}'")
    assert toolchains(tmp_path).redis.wheel == wheel


def test_cargo_has_no_wheel(tmp_path: Path) -> None:
    assert toolchains(tmp_path).cargo is None
    tool(tmp_path / "bin", "cargo", "echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)'")
    found = toolchains(tmp_path).cargo
    assert found is not None
    assert (found.version, found.label) == ((1, 95, 0), "1.95.0")


def test_nothing_on_path_at_all(tmp_path: Path) -> None:
    tools = toolchains(tmp_path, path="")
    assert [it.wheel for it in (tools.uv, tools.node, tools.go, tools.redis)] == ["uv", "node", "go", "redis"]
    assert tools.cargo is None


def test_what_is_chosen_depends_on_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`go` in a folder with a go.mod answers with the version that file asks for."""
    tool(tmp_path / "bin", "go", '[ -f go.mod ] && exit 1; echo "go version go1.26.0 linux/amd64"')
    (tmp_path / "go.mod").touch()
    monkeypatch.chdir(tmp_path)
    assert toolchains(tmp_path).go.wheel is None


def test_a_tool_of_path_needs_no_installing(tmp_path: Path) -> None:
    server = tool(tmp_path / "bin", "redis-server", "echo 'Redis server v=99.0.0'")
    assert toolchains(tmp_path).redis_server() == server
    assert not (tmp_path / "cache").exists()


def test_a_wheel_that_cannot_be_had_is_explained(tmp_path: Path) -> None:
    environment = build_environment({"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}, tmp_path / "cache")
    environment |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    tools = Toolchains(Cache(tmp_path / "cache"), Commands(environment), path="")
    with pytest.raises(EngineError, match="there is no redis-server here") as caught:
        tools.redis_server()
    assert caught.value.reference == "no-redis"
    assert host_platform() in caught.value.why
    assert "toolchain-redis.log" in caught.value.message
    assert not tools.is_there(tools.redis)


def test_a_python_without_pip_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(EngineError, match="has no pip") as caught:
        toolchains(tmp_path, path="").redis_server()
    assert "nox -s" in caught.value.hint


@pytest.mark.parametrize("name", ["uv", "node", "go", "redis"])
def test_every_toolchain_is_one_locked_package(name: str) -> None:
    text = resources.files("ci").joinpath(f"data/toolchains/{name}.txt").read_text(encoding="utf-8")
    pins = re.findall(r"(?m)^[a-z-]+==[0-9.]+ \\$", text)
    assert len(pins) == 1
    # At least one for each of Linux and macOS.
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= 2


def test_the_platform_is_one_whoever_asks_first() -> None:
    """Python's own table of it is there in parts while a thread fills it."""
    script = (
        "import sys; from concurrent.futures import ThreadPoolExecutor\n"
        "from ci.engines.local.toolchains import host_platform\n"
        "sys.setswitchinterval(1e-6)\n"
        "with ThreadPoolExecutor(16) as pool: print(len(set(pool.map(lambda _: host_platform(), range(64)))))\n"
    )
    root = Path(__file__).resolve().parents[2]
    said = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True).stdout
    assert said == "1\n"
