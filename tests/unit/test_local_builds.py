"""From rows to programs: keys, builds by stand-in tools, failures, what a second run finds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from processes import is_running
from stand_ins import tool
from terminals import File
from waiting import eventually

from ci.commands.build_images import found_or_built
from ci.engines.backend import Backend
from ci.engines.local.builds import Builds
from ci.engines.local.recipes.base import Bench
from ci.engines.local.recipes.python import PythonRecipe, pins, replacements
from ci.engines.local.toolchains import Toolchains
from ci.errors import BuildError, EngineError
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable
from ci.images.build_commands import Commands, build_environment
from ci.images.caches.folder import Cache, Stopped
from ci.model import BuildRecipe, PublishedImage, ReasonCode, Transport, Version

# Answers like Go, and compiles a go.mod and what stands beside it into a script that says so.
GO = """
[ "$1" = version ] && { echo go version go1.26.0 linux/amd64; exit; }
echo "compiling with $GOTOOLCHAIN $GOFLAGS"
[ -f fail ] && { echo "it does not compile"; exit 1; }
[ -f wait ] && { touch "$(cat wait)"; sleep 600; }
while [ "$1" != -o ]; do shift; done
{ echo '#!/bin/sh'; echo "echo 'made by $GOTOOLCHAIN from' $(cat main.go)"; } >"$2"
chmod +x "$2"
"""


def version(name: str, *, local: str | None = "go", folder: str = "impls/go/v1") -> Version:
    return Version(
        id=name, family="f", source=BuildRecipe(folder=folder), transports=(Transport(name="tcp"),), local=local
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Two versions of a family that share a source by a link."""
    family = tmp_path / "checkout" / "impls" / "go"
    for name in ("v1", "v2"):
        (family / name).mkdir(parents=True)
        text = f"module x\n\ngo 1.2{name[1]}\n\ntoolchain go1.2{name[1]}.3\n"
        (family / name / "go.mod").write_text(text, encoding="utf-8")
        (family / name / "main.go").symlink_to("../main.go")
        (family / name / "go.sum").touch()
    (family / "main.go").write_text("one\n", encoding="utf-8")
    tool(tmp_path / "bin", "go", GO)
    return tmp_path / "checkout"


Make = Callable[[], Builds]


@pytest.fixture
def builds(tmp_path: Path, checkout: Path) -> Make:
    """Makes what a new run starts with."""
    return lambda: Builds(root=checkout, cache=tmp_path / "cache", environment={"PATH": str(tmp_path / "bin")})


def provide(builds: Builds, *versions: Version) -> dict[str, ImageReport]:
    reports: list[ImageReport] = []
    builds.provide(versions, reports.append)
    assert len(reports) == len(versions)
    return {report.version: report for report in reports}


# --- builds -----------------------------------------------------------------------------------------------


def test_a_build_becomes_a_program_and_is_found_by_the_next_run(builds: Make) -> None:
    v1, v2 = version("go-v1"), version("go-v2", folder="impls/go/v2")
    first = builds()
    assert isinstance(first.find(v1), Unavailable)
    reports = provide(first, v1, v2)
    assert {report.status for report in reports.values()} == {ImageStatus.BUILT}
    second = builds()
    again = provide(second, v1, v2)
    assert {report.status for report in again.values()} == {ImageStatus.HIT}
    assert [it.size for it in again.values()] == [it.size for it in reports.values()]
    for name, toolchain in (("go-v1", "go1.21.3"), ("go-v2", "go1.22.3")):
        image = again[name].image
        assert isinstance(image, Image)
        assert image.digest == f"local:{image.build_key}"
        program = second.program(image.digest)
        assert program is not None
        said = subprocess.run(program.command, stdout=subprocess.PIPE, text=True, check=True, env={}).stdout
        assert said == f"made by {toolchain} from one\n"
    assert second.program("local:0") is None


def test_what_a_command_found_or_built_does_not_end_what_its_engine_still_has_to_make(builds: Make) -> None:
    it = builds()
    backend = Backend(why="", small=True, provider=it, prepare=lambda *_: None, engine=no_engine, network=no_engine)
    found_or_built([version("go-v1")], backend, File().console, purpose="nothing")

    report = provide(it, version("go-v2", folder="impls/go/v2"))["go-v2"]
    assert report.status is ImageStatus.BUILT


def no_engine() -> NoReturn:
    raise AssertionError


def test_nothing_is_written_into_the_checkout(builds: Make, checkout: Path) -> None:
    before = sorted(checkout.rglob("*"))
    provide(builds(), version("go-v1"))
    assert sorted(checkout.rglob("*")) == before


def test_a_changed_source_is_another_build(builds: Make, checkout: Path) -> None:
    provide(builds(), version("go-v1"))
    (checkout / "impls" / "go" / "main.go").write_text("two\n", encoding="utf-8")
    changed = builds()
    assert isinstance(changed.find(version("go-v1")), Unavailable)
    assert provide(changed, version("go-v1"))["go-v1"].status is ImageStatus.BUILT


def test_a_failed_build_tells_the_end_of_its_log_and_keeps_no_other(builds: Make, checkout: Path) -> None:
    (checkout / "impls" / "go" / "v1" / "fail").touch()
    reports = provide(builds(), version("go-v1"), version("go-v2", folder="impls/go/v2"))
    failed = reports["go-v1"].image
    assert isinstance(failed, Unavailable)
    assert (reports["go-v1"].status, failed.code) == (ImageStatus.FAILED, ReasonCode.BUILD_FAILED)
    assert "`go build '-ldflags=-s -w' …` failed (exit 1)" in failed.text
    assert failed.text.endswith("it does not compile")
    log = failed.text.partition("the log is ")[2].partition(";")[0]
    assert Path(log).read_text(encoding="utf-8").endswith("it does not compile\n")
    assert reports["go-v2"].status is ImageStatus.BUILT
    (checkout / "impls" / "go" / "v1" / "fail").unlink()
    assert provide(builds(), version("go-v1"))["go-v1"].status is ImageStatus.BUILT


def test_a_build_can_be_called_off(builds: Make, checkout: Path, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (checkout / "impls" / "go" / "v1" / "wait").write_text(str(begun), encoding="utf-8")
    running = builds()
    reports: dict[str, ImageReport] = {}
    thread = threading.Thread(
        target=lambda: reports.update(provide(running, version("go-v1"), version("go-v2", folder="impls/go/v2")))
    )
    thread.start()
    while not begun.exists():
        thread.join(0.01)
    running.stop()
    thread.join()
    for report in reports.values():
        assert isinstance(report.image, Unavailable)
        assert (report.status, report.image.code) == (ImageStatus.UNAVAILABLE, ReasonCode.CANCELLED)
    assert len(reports) == 2
    assert list((tmp_path / "cache" / "builds").iterdir()) == []


def test_a_go_mod_must_name_its_toolchain(builds: Make, checkout: Path) -> None:
    (checkout / "impls" / "go" / "v1" / "go.mod").write_text("module x\n\ngo 1.21\n", encoding="utf-8")
    failed = provide(builds(), version("go-v1"))["go-v1"].image
    assert isinstance(failed, Unavailable)
    assert "no `toolchain` line" in failed.text


def test_node_bundles_with_npm_and_runs_what_remains(builds: Make, tmp_path: Path, checkout: Path) -> None:
    node = tool(tmp_path / "bin", "node", 'echo v24.0.0 "$@"')
    npm = """
    case "$*" in
      "ci --ignore-scripts --no-progress") mkdir node_modules ;;
      "run build") [ -d node_modules ] && node && mkdir target && echo app >target/main.js ;;
      *) exit 1 ;;
    esac
    """
    tool(tmp_path / "bin", "npm", npm)
    for name in ("package.json", "package-lock.json"):
        (checkout / "impls/go/v1" / name).touch()
    js = version("js-v1", local="node")
    running = builds()
    image = provide(running, js)["js-v1"].image
    assert isinstance(image, Image)
    program = running.program(image.digest)
    assert program is not None
    assert program.command[0] == str(node)
    app = Path(program.command[1])
    assert app.read_text(encoding="utf-8") == "app\n"
    assert sorted(it.name for it in app.parents[1].iterdir()) == ["app", "complete.json"]
    # Another Node is another experiment.
    tool(tmp_path / "bin", "node", "echo v26.0.0")
    assert isinstance(builds().find(js), Unavailable)


# --- what cannot run here ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        version("jvm-v1", local=None),
        replace(version("jvm-v1"), source=PublishedImage(reference="example.org/jvm:1"), local=None),
    ],
)
def test_a_row_without_local_runs_in_containers_only(builds: Make, row: Version) -> None:
    report = provide(builds(), row)["jvm-v1"]
    assert report.status is ImageStatus.UNAVAILABLE
    assert report.image == builds().find(row)
    assert isinstance(report.image, Unavailable)
    assert report.image.code is ReasonCode.PLANNED_OUT
    assert "only in a container" in report.image.text


@pytest.mark.parametrize(
    ("cargo", "cc", "needs"),
    [
        (None, True, "rust-v1 needs cargo, 1.89 or newer"),
        ("1.80.1", True, "rust-v1 needs cargo 1.89 or newer, and PATH has 1.80.1"),
        ("1.95.0", False, "rust-v1 needs a C compiler"),
        ("1.95.0", True, "rust-v1 is not built"),
    ],
)
def test_rust_needs_what_no_wheel_has(builds: Make, tmp_path: Path, cargo: str | None, cc: bool, needs: str) -> None:
    if cargo is not None:
        tool(tmp_path / "bin", "cargo", f"echo 'cargo {cargo} (abc 2026-01-01)'")
    if cc:
        tool(tmp_path / "bin", "cc", "")
    found = builds().find(version("rust-v1", local="rust"))
    assert isinstance(found, Unavailable)
    assert found.text.startswith(needs)


def test_a_cache_that_cannot_be_written_fails_the_build_alone(tmp_path: Path, checkout: Path) -> None:
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    broken = Builds(root=checkout, cache=tmp_path / "cache", environment={"PATH": str(tmp_path / "bin")})
    report = provide(broken, version("go-v1"))["go-v1"]
    assert report.status is ImageStatus.FAILED
    assert isinstance(report.image, Unavailable)
    assert str(tmp_path / "cache") in report.image.text


def test_no_cache_folder_is_an_error_of_the_engine(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="INTEROP_CACHE"):
        Builds.of_user(tmp_path, {"INTEROP_CACHE": str(tmp_path / "file" / "cache")})


# --- Python -----------------------------------------------------------------------------------------------


def python_recipe(tmp_path: Path, running: tuple[int, ...]) -> PythonRecipe:
    path = str(tmp_path / "bin")
    cache, commands = Cache(tmp_path / "cache"), Commands(build_environment({"PATH": path}, tmp_path / "cache"))
    toolchains = Toolchains(cache, commands, path=path)
    return PythonRecipe(Bench(cache=cache, commands=commands, toolchains=toolchains), version=running)


def test_a_python_that_packages_have_no_wheels_for_gives_way_to_an_older_one(tmp_path: Path) -> None:
    recipe = python_recipe(tmp_path, (3, 14, 0))
    assert "needs" not in (lacking := recipe.missing() or "")
    assert lacking.startswith("a Python from 3.10 to 3.13 on PATH")
    assert lacking.endswith("no wheels for 3.14")
    tool(tmp_path / "bin", "python3.13", "exit 127")  # a version manager's shim of what is not installed
    tool(tmp_path / "bin", "python3.12", "echo Python 3.12.4")
    recipe = python_recipe(tmp_path, (3, 14, 0))
    assert recipe.missing() is None
    assert recipe.ingredients()["version"] == "3.12.4"
    assert python_recipe(tmp_path, (3, 12, 1)).ingredients()["version"] == "3.12.1"


def test_whether_packages_are_compiled_is_asked_of_the_compiler(tmp_path: Path) -> None:
    running = sys.version_info[:2] if sys.version_info < (3, 14) else (3, 13)
    keys = []
    for script in (None, "exit 1", 'case "$*" in *gmp.h*) exit 0 ;; esac; exit 1'):
        if script is not None:
            tool(tmp_path / "bin", "cc", script)
        keys.append(python_recipe(tmp_path, (*running, 0)).ingredients()["fastecdsa"])
    assert keys == ["wheel", "wheel", "compiled"]


def test_replaced_packages_are_told(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(
        "a==1.0 \\\n    --hash=sha256:0\n    # via b\nb==2.0 ; sys_platform != 'win32' \\\n    --hash=sha256:1\n",
        encoding="utf-8",
    )
    (tmp_path / "overrides.txt").write_text(
        "# why\nb==3.0 ; python_version >= '3.11' \\\n    --hash=sha256:2\nb==2.5 \\\n    --hash=sha256:3\n",
        encoding="utf-8",
    )
    assert pins(tmp_path / "requirements.txt") == {"a": ["1.0"], "b": ["2.0"]}
    assert pins(tmp_path / "overrides.txt") == {"b": ["3.0", "2.5"]}
    packages = tmp_path / "env" / "lib" / "python3.12" / "site-packages"
    (packages / "b-3.0.dist-info").mkdir(parents=True)
    (note,) = replacements(tmp_path, installed=tmp_path / "env")
    assert note.startswith("b 3.0 in place of 2.0")
    (packages / "b-3.0.dist-info").rename(packages / "b-2.0.dist-info")
    assert replacements(tmp_path, installed=tmp_path / "env") == []


def test_overrides_replace_what_is_locked_and_nothing_else() -> None:
    for folder in sorted((Path(__file__).parents[2] / "impls" / "py").glob("v*")):
        assert set(pins(folder / "overrides.txt")) <= set(pins(folder / "requirements.txt"))


KEY = """
import json, sys
from pathlib import Path
from ci.engines.local.builds import Builds
from ci.model import BuildRecipe, Transport, Version
source = BuildRecipe(folder=sys.argv[1])
py = Version(id="py", family="py", source=source, transports=(Transport(name="tcp"),), local="python")
builds = Builds(root=Path(sys.argv[2]), cache=Path(sys.argv[3]), environment={"PATH": ""})
print(builds._order(py).key)
"""


def test_checkouts_with_pythons_of_their_own_share_what_is_built(tmp_path: Path) -> None:
    """Environments that hold a copy of the interpreter, as those of some systems and tools do."""
    root = Path(__file__).parents[2]
    keys = set()
    for name in ("one", "two"):
        environment = tmp_path / name / ".venv"
        # Without pip it takes no time; what our own Python has installed is there by its path.
        subprocess.run([sys.executable, "-m", "venv", "--copies", "--without-pip", environment], check=True)
        packages = [it for it in sys.path if it.endswith("-packages")]
        python = str(environment / "bin" / "python")
        words = [python, "-c", KEY, "impls/py/v0.8", str(root), str(tmp_path / "cache")]
        path = {"PYTHONPATH": os.pathsep.join([str(root), *packages])}
        keys.add(subprocess.run(words, env=path, check=True, capture_output=True, text=True).stdout)
    assert len(keys) == 1


def test_an_environment_whose_python_is_gone_is_made_again(tmp_path: Path) -> None:
    recipe = python_recipe(tmp_path, sys.version_info[:3])
    cache = Cache(tmp_path / "cache")
    python = tmp_path / "python"
    made = []

    def build(making: Path) -> None:
        made.append(making)
        python.touch()
        (making / "env" / "bin").mkdir(parents=True)
        (making / "env" / "bin" / "python").symlink_to(python)

    def usable(entry: Path) -> bool:
        return recipe.program(entry) is not None

    entry = cache.make("builds", "py-1", build, usable=usable)
    assert cache.make("builds", "py-1", build, usable=usable) == entry
    assert len(made) == 1
    python.unlink()
    assert recipe.program(entry) is None
    cache.make("builds", "py-1", build, usable=usable)
    assert len(made) == 2
    assert recipe.program(entry) is not None


@pytest.mark.parametrize(
    ("language", "missing"),
    [
        ("python", "no ping.py and no requirements.txt"),
        ("node", "no package.json and no package-lock.json"),
        ("go", "no go.sum"),
        ("rust", "no Cargo.toml and no Cargo.lock"),
    ],
)
def test_a_row_that_says_local_and_a_folder_that_is_not_made_for_it(
    builds: Make, tmp_path: Path, checkout: Path, language: str, missing: str
) -> None:
    (checkout / "impls/go/v1/go.sum").unlink(missing_ok=True)
    tool(tmp_path / "bin", "cargo", "echo 'cargo 1.95.0 (abc 2026-01-01)'")
    tool(tmp_path / "bin", "cc", "")
    report = provide(builds(), version("new-v1", local=language))["new-v1"]
    assert report.status is ImageStatus.FAILED
    assert isinstance(report.image, Unavailable)
    assert report.image.code is ReasonCode.BUILD_FAILED
    assert f"new-v1 says `local: {language}`, and {checkout}/impls/go/v1 has {missing}" in report.image.text
    assert "docs/local.md" in report.image.text


# --- commands ---------------------------------------------------------------------------------------------


def test_a_certificate_told_to_one_is_told_to_all(tmp_path: Path) -> None:
    for name in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS"):
        environment = build_environment({name: "/own.pem"}, tmp_path)
        told = [environment[it] for it in ("SSL_CERT_FILE", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "CARGO_HTTP_CAINFO")]
        assert told == ["/own.pem"] * 4
    both = build_environment({"SSL_CERT_FILE": "/a.pem", "NODE_EXTRA_CA_CERTS": "/b.pem"}, tmp_path)
    assert (both["SSL_CERT_FILE"], both["NODE_EXTRA_CA_CERTS"]) == ("/a.pem", "/b.pem")


def test_caches_are_ours_and_what_would_change_a_build_is_left_out(tmp_path: Path) -> None:
    given = {"HOME": "/home/me", "HTTPS_PROXY": "p", "PYTHONPATH": "x", "GOROOT": "x", "UV_CACHE_DIR": "/home/me/uv"}
    environment = build_environment(given, tmp_path)
    assert (environment["HOME"], environment["HTTPS_PROXY"]) == ("/home/me", "p")
    assert {"PYTHONPATH", "GOROOT"} & set(environment) == set()
    for name in ("PIP_CACHE_DIR", "UV_CACHE_DIR", "npm_config_cache", "GOMODCACHE", "GOCACHE", "GOPATH"):
        assert Path(environment[name]).is_relative_to(tmp_path)


def test_a_mirror_told_to_pip_is_told_to_uv(tmp_path: Path) -> None:
    assert build_environment({"PIP_INDEX_URL": "https://m/"}, tmp_path)["UV_DEFAULT_INDEX"] == "https://m/"


def test_commands_end_with_their_children_when_stopped(tmp_path: Path) -> None:
    commands = Commands({"PATH": "/usr/bin:/bin"})
    (tmp_path / "pids").touch()
    # The child ignores the request to end, so it takes the whole ladder.
    script = f'trap "" TERM; sh -c "trap \\"\\" TERM; echo \\$\\$ >{tmp_path}/pids; sleep 600" & wait'
    caught: list[BaseException] = []

    def run() -> None:
        try:
            commands.run(("/bin/sh", "-c", script), log=tmp_path / "log", folder=tmp_path)
        except Stopped as stopped:
            caught.append(stopped)

    thread = threading.Thread(target=run)
    thread.start()
    while not (text := (tmp_path / "pids").read_text(encoding="utf-8").strip()):
        thread.join(0.01)
    commands.stop()
    thread.join()
    assert len(caught) == 1
    # All of the group were killed at once, and its first is the one whose end is waited for.
    assert eventually(lambda: not is_running(int(text)))
    with pytest.raises(Stopped):
        commands.run(("/bin/true",), log=tmp_path / "log", folder=tmp_path)


BUILDER = """
import sys
from pathlib import Path
from ci.images.build_commands import Commands

folder = Path(sys.argv[1])
script = f"sh -c 'echo $$ >{folder}/pid; sleep 600' & wait"
Commands({"PATH": "/usr/bin:/bin"}).run(("/bin/sh", "-c", script), log=folder / "log", folder=folder)
"""


def test_a_killed_run_leaves_no_build_running(tmp_path: Path) -> None:
    (tmp_path / "pid").touch()
    words = [sys.executable, "-c", BUILDER, str(tmp_path)]
    with subprocess.Popen(words, cwd=Path(__file__).parents[2]) as run:
        while not (pid := (tmp_path / "pid").read_text(encoding="utf-8").strip()):
            assert run.poll() is None
            time.sleep(0.01)
        run.kill()
    while is_running(int(pid)):
        time.sleep(0.01)


def test_a_program_that_is_not_there_is_a_failed_build(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"(?s)`go build …` failed \(exit 127\).*/nowhere/go: No such file"):
        Commands({}).run(("/nowhere/go", "build"), log=tmp_path / "log", folder=tmp_path)
