from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminals import File, pseudo_terminal

from ci.commands.doctor_checks.asking import Asked, Trouble
from ci.commands.doctor_checks.coverage import coverage_of
from ci.commands.doctor_checks.docker_facts import DockerFacts, judge_docker
from ci.commands.doctor_checks.examine import Examined, examine
from ci.commands.doctor_checks.finding import Diagnosis, Finding, Section, State
from ci.commands.doctor_checks.host import Disk, disk, judge_disk, judge_memory, judge_python, memory
from ci.commands.doctor_checks.network_facts import NetworkFacts, judge_network
from ci.commands.doctor_checks.questions import ask_everything
from ci.commands.doctor_checks.table import as_data, show
from ci.commands.doctor_checks.tools import TOOLS, Tool, ToolWanted, find_tool, judge_tool, usable
from ci.commands.workspace import Workspace
from ci.config.catalogue import load
from ci.engines.docker import requirements as in_docker
from ci.engines.docker.conflicting_networks import ConflictingNetwork, conflicting
from ci.engines.docker.helper_image import BASE, BUILD_BASE, helper_tag
from ci.engines.local import requirements as as_process
from ci.engines.local.builds import Builds
from ci.engines.requirements import HostFacts
from ci.errors import ConfigurationError, ExitCode
from ci.images.base import Unavailable
from ci.model import BuildRecipe, PublishedImage, Transport, Version
from ci.suites.registry import SUITES, known_suites
from ci.terminal.console import Console

CHECKOUT = Path(__file__).resolve().parents[2]
REACHED: Final = ("PyPI", "npm", "Go proxy", "crates.io", "Debian", "Docker Hub", "ghcr.io")


# --- questions --------------------------------------------------------------------------------------------


def test_a_question_is_answered() -> None:
    assert Asked(lambda: 7, seconds=30).answer() == 7


def test_a_question_that_raises_is_trouble_in_its_own_words() -> None:
    def question() -> int:
        raise LookupError("nothing there")

    assert Asked(question, seconds=30).answer() == Trouble("nothing there")


def test_nobody_waits_for_a_question_that_hangs() -> None:
    released = threading.Event()

    def question() -> int:
        released.wait()
        return 1

    asked = Asked(question, seconds=0.05)
    try:
        assert asked.answer() == Trouble("no answer within 0.05 s")
    finally:
        released.set()


# --- programs ---------------------------------------------------------------------------------------------

WANTED = ToolWanted(program="tool", oldest=(22,), impact="much", advice="install it")


def on_path(folder: Path, script: str, program: str = "tool") -> dict[str, str]:
    path = folder / program
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v22.3.0", (22, 3, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64", (7, 0, 15)),
        ("none of your business", None),
    ],
)
def test_a_program_says_its_version(tmp_path: Path, said: str, version: tuple[int, ...] | None) -> None:
    environment = on_path(tmp_path, f"echo '{said}'")
    assert find_tool(WANTED, environment) == Tool(path=str(tmp_path / "tool"), version=version)


@pytest.mark.parametrize("script", ["echo 30.1; exit 1", "exec sleep 60", "exec cat"], ids=["fails", "hangs", "reads"])
def test_a_program_that_does_not_say_its_version_is_not_used(tmp_path: Path, script: str) -> None:
    environment = on_path(tmp_path, script) | {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    tool = find_tool(WANTED, environment, seconds=0.5)
    assert tool is not None
    assert not usable(WANTED, tool)
    assert "does not say its version" in judge_tool(WANTED, tool, can_stand_in=False).value


def test_no_program() -> None:
    assert find_tool(WANTED, {"PATH": "/nowhere"}) is None
    found = judge_tool(WANTED, None, can_stand_in=True)
    assert (found.state, found.value, found.impact, found.advice) == (
        State.MISSING,
        "not on PATH",
        "much",
        "install it",
    )


def test_a_program_without_the_one_it_needs_beside_it_is_none(tmp_path: Path) -> None:
    """Node without npm, which the builds do not take either."""
    environment = on_path(tmp_path, "echo 24.1")
    wanted = replace(WANTED, beside="helper")
    assert find_tool(wanted, environment) is None
    assert judge_tool(wanted, None, can_stand_in=False).value == "not on PATH with its helper"
    on_path(tmp_path, "", "helper")
    assert usable(wanted, find_tool(wanted, environment))


def test_what_the_main_job_has_no_use_for_is_only_a_warning() -> None:
    assert judge_tool(replace(WANTED, optional=True), None, can_stand_in=False).state is State.WARN


@pytest.mark.parametrize(
    ("version", "good"), [((22,), True), ((22, 0, 1), True), ((100, 0), True), ((21, 99), False), ((9,), False)]
)
def test_versions_are_compared_by_number(version: tuple[int, ...], good: bool) -> None:
    assert usable(WANTED, Tool(path="/tool", version=version)) is good


def test_a_wheel_stands_in_where_wheels_can_be_had() -> None:
    wanted = ToolWanted(program="tool", oldest=(22,), stand_in="the wheel tool-bin")
    old = Tool(path="/tool", version=(20, 1))
    there = judge_tool(wanted, old, can_stand_in=True)
    assert there.state is State.OK
    assert there.value == "20.1 (/tool), older than 22; instead: the wheel tool-bin"
    assert judge_tool(wanted, old, can_stand_in=False).state is State.MISSING


# --- the machine ------------------------------------------------------------------------------------------


def fake_system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


MEMINFO = "MemTotal:       8000 kB\nMemFree:        100 kB\nMemAvailable:   6000 kB\nHugePages_Total:       0\n"


@pytest.mark.parametrize(
    ("files", "total", "available"),
    [
        ({}, 8000 * 1024, 6000 * 1024),
        ({"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "1\n"}, 8000 * 1024, 6000 * 1024),
        ({"sys/fs/cgroup/memory.max": "5000\n", "sys/fs/cgroup/memory.current": "2000\n"}, 5000, 3000),
        (
            {
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1\n",
            },
            8000 * 1024,
            6000 * 1024,
        ),
    ],
    ids=["no-cgroup", "no-limit", "limit", "no-limit-v1"],
)
def test_memory_within_the_limit(tmp_path: Path, files: dict[str, str], total: int, available: int) -> None:
    found = memory(fake_system(tmp_path, {"proc/meminfo": MEMINFO, **files}))
    assert (found.total, found.available) == (total, available)


def test_memory_of_a_system_without_proc(tmp_path: Path) -> None:
    assert memory(tmp_path).total > 0


def test_little_memory_is_a_warning(tmp_path: Path) -> None:
    found = judge_memory(memory(fake_system(tmp_path, {"proc/meminfo": MEMINFO})), 4)
    assert found.state is State.WARN
    assert "--workers 1" in found.advice


def test_room_where_nothing_is_yet(tmp_path: Path) -> None:
    found = disk(tmp_path / "not" / "yet")
    assert found.writable
    assert found.free > 0
    assert judge_disk("d", found, 0, advice="a").state is State.OK
    assert judge_disk("d", found, 0, advice="a").value.endswith("nothing more needed")
    assert judge_disk("d", found, found.free + 1, advice="a").state is State.WARN


def test_a_folder_that_cannot_be_written() -> None:
    found = Disk(folder=Path("/data"), free=1 << 40, writable=False)
    assert judge_disk("d", found, 0, advice="name another").state is State.MISSING
    assert judge_disk("d", found, 0, must_write=False, advice="").state is State.OK


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10, 1), State.OK), ((3, 14, 9), State.OK), ((3, 15, 0), State.WARN)]
)
def test_python(version: tuple[int, int, int], state: State) -> None:
    assert judge_python(version).state is state


# --- the impact of what is missing --------------------------------------------------------------------------

TCP = (Transport(name="tcp"),)


def version(name: str, family: str, local: str | None = None, image: str | None = None) -> Version:
    source = BuildRecipe(folder=f"impls/{family}/{name}") if image is None else PublishedImage(reference=image)
    return Version(
        id=name,
        family=family,
        source=source,
        transports=TCP,
        secure_channels=("noise",),
        muxers=("yamux",),
        local=local,
    )


PY = version("py-v1", "py", "python")
JS = version("js-v1", "js", "node")
RUST = version("rust-v2", "rust", "rust")
OLD_RUST = version("rust-v1", "rust", image="ghcr.io/somebody/rust:1")
BROWSER = version("chromium-js-v1", "chromium-js")
VERSIONS = (PY, JS, RUST, OLD_RUST, BROWSER)


def engine(
    *images: str,
    ipv6: bool | Trouble | None = True,
    sealed: bool | Trouble | None = True,
    storage: str = "overlay2",
) -> DockerFacts:
    return DockerFacts(
        address="unix:///var/run/docker.sock",
        version="20.10.24",
        api="1.41",
        platform="linux/amd64",
        cgroup="2",
        storage=storage,
        processors=2,
        memory=1 << 32,
        root=None,
        images=frozenset(images),
        ipv6=ipv6,
        sealed=sealed,
    )


def situation(
    docker: DockerFacts | None = None,
    *,
    usable: str = "",
    missing: dict[str, str] | None = None,
    out_of_reach: str = "",
    can_cache: bool = True,
    cached: bool = False,
    can_bootstrap: bool = False,
) -> HostFacts:
    gone = out_of_reach.split(",")
    return HostFacts(
        images=None if docker is None else docker.images,
        tags={it.id: f"interop/{it.id}:key" for it in VERSIONS},
        usable=frozenset(usable.split()),
        missing=(missing or {}) | ({} if "cargo" in usable else {"rust": "cargo"}),
        reachable={name: name not in gone for name in REACHED},
        can_cache=can_cache,
        cached=cached,
        can_bootstrap=can_bootstrap,
    )


BASES = (BASE, BUILD_BASE, helper_tag())


@pytest.mark.parametrize(
    ("here", "of", "lack"),
    [
        (situation(), PY, "needs Docker"),
        (situation(engine(*BASES, "interop/py-v1:key")), PY, None),
        (situation(engine(*BASES, "interop/py-v1:key"), out_of_reach="PyPI,Debian,Docker Hub"), PY, None),
        (situation(engine(*BASES, "interop/py-v1:older")), PY, "building images needs docker and make"),
        (situation(engine(*BASES), usable="docker make"), PY, None),
        (situation(engine(*BASES), usable="docker make", out_of_reach="PyPI"), PY, "PyPI is out of reach"),
        (situation(engine(*BASES), usable="docker make", out_of_reach="PyPI"), BROWSER, None),
        (situation(engine(), usable="docker make"), PY, None),
        (situation(engine(), usable="docker make", out_of_reach="Docker Hub"), PY, "no base image"),
        (situation(engine(), usable="docker make", out_of_reach="Docker Hub", can_bootstrap=True), PY, None),
        (situation(engine("interop/py-v1:key"), out_of_reach="Debian"), PY, "the Debian mirror is out of reach"),
        (situation(engine(*BASES)), OLD_RUST, None),
        (situation(engine(*BASES), out_of_reach="ghcr.io"), OLD_RUST, "ghcr.io is out of reach"),
        (situation(engine(*BASES, "ghcr.io/somebody/rust:1"), out_of_reach="ghcr.io"), OLD_RUST, None),
    ],
)
def test_what_keeps_a_version_from_running_in_a_container(here: HostFacts, of: Version, lack: str | None) -> None:
    found = in_docker.missing_requirement(here, of)
    assert found is None if lack is None else lack in (found or "")


@pytest.mark.parametrize(
    ("reference", "lack"),
    [
        ("ghcr.io/a/b:1", None),
        ("a/b:1", "Docker Hub is out of reach"),
        ("debian:trixie", "Docker Hub is out of reach"),
        ("localhost:5000/a:1", None),
        ("quay.io/a/b:1", None),
        (f"sha256:{'0' * 64}", "there is no such image in the engine"),
    ],
)
def test_where_an_image_is_pulled_from(reference: str, lack: str | None) -> None:
    here = situation(engine(*BASES), out_of_reach="Docker Hub")
    assert in_docker.missing_requirement(here, version("x-v1", "x", image=reference)) == lack


@pytest.mark.parametrize(
    ("here", "of", "lack"),
    [
        (situation(), PY, None),
        (situation(), JS, None),
        (situation(), OLD_RUST, "needs Docker"),
        (situation(), BROWSER, "needs Docker"),
        (situation(), RUST, "needs cargo"),
        (situation(usable="cargo"), RUST, None),
        (situation(usable="cargo", out_of_reach="crates.io"), RUST, "crates.io is out of reach"),
        (situation(out_of_reach="PyPI"), JS, "needs redis-server, or PyPI for a wheel of it"),
        (situation(usable="redis-server", out_of_reach="PyPI"), JS, "needs node, or PyPI for a wheel of it"),
        (situation(usable="redis-server node", out_of_reach="PyPI"), JS, None),
        (situation(usable="redis-server node", out_of_reach="PyPI"), PY, "PyPI is out of reach"),
        (situation(out_of_reach="PyPI,npm", cached=True), JS, None),
        (situation(can_cache=False), PY, "needs a cache folder that can be written"),
        (situation(missing={"python": "a Python up to 3.13"}), PY, "needs a Python up to 3.13"),
        (situation(missing={"python": "a Python up to 3.13"}), JS, None),
    ],
)
def test_what_keeps_a_version_from_running_as_a_process(here: HostFacts, of: Version, lack: str | None) -> None:
    assert as_process.missing_requirement(here, of) == lack


def test_what_a_process_needs_is_asked_of_those_who_build_it(tmp_path: Path) -> None:
    """The `doctor` that called cargo 1.86 good enough, where the recipe for rust wants 1.89."""
    environment = on_path(tmp_path, "echo 'cargo 1.86.0 (abc 2025-03-01)'", "cargo")
    answers = ask_everything(environment | {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"})
    builds = Builds(root=CHECKOUT, cache=tmp_path, environment=environment)
    refused = builds.find(replace(RUST, id="rust-v2"))
    assert isinstance(refused, Unavailable)
    assert refused.text == f"rust-v2 needs {answers.missing['rust']}"
    assert "cargo 1.89 or newer, and PATH has 1.86.0" in answers.missing["rust"]
    [wanted] = [it for it in TOOLS if it.program == "cargo"]
    assert not usable(wanted, answers.tools["cargo"])


def test_room_is_needed_for_what_runs_and_is_not_there() -> None:
    here = situation(engine(*BASES, "interop/py-v1:key"), usable="docker make", out_of_reach="ghcr.io")
    assert in_docker.room(here, PY) == 0
    assert in_docker.room(here, JS) > 0
    assert in_docker.room(here, BROWSER) > 0
    assert in_docker.room(here, OLD_RUST) == 0
    assert as_process.room(here, PY) > 0
    assert as_process.room(here, BROWSER) == 0


def test_the_impact_of_having_no_docker_and_no_cargo() -> None:
    found = coverage_of(VERSIONS, lambda it: as_process.missing_requirement(situation(), it), SUITES["transport"])
    assert found.numbers == "2 of 5 versions (2 of 4 families), 4 of 25 cells"
    assert found.losses == ("not run: rust-v2 (needs cargo)", "not run: rust-v1, chromium-js (needs Docker)")


@given(st.lists(st.sampled_from([None, "a", "b"]), min_size=5, max_size=5))
def test_every_version_runs_or_its_loss_is_named(reasons: list[str | None]) -> None:
    lacks = dict(zip((it.id for it in VERSIONS), reasons, strict=True))
    found = coverage_of(VERSIONS, lambda it: lacks[it.id], SUITES["transport"])
    assert found.versions == reasons.count(None)
    assert found.cells == found.versions**2
    for it in VERSIONS:
        reason = lacks[it.id]
        named = [why for why, names in found.not_run.items() if it.id in names or it.family in names]
        assert named == ([] if reason is None else [reason])
        assert reason is not None or it.family in found.families


# --- Docker -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "name", "state", "words"),
    [
        (engine(), "engine", State.OK, "20.10.24, API 1.41, linux/amd64"),
        (engine(storage="vfs"), "storage", State.WARN, "vfs"),
        (engine(), "ipv6", State.OK, "tried"),
        (engine(ipv6=None), "ipv6", State.OK, "not tried"),
        (engine(ipv6=False), "ipv6", State.WARN, "no IPv6 loopback"),
        (engine(sealed=None), "isolation", State.OK, "not tried"),
        (engine(sealed=False), "isolation", State.WARN, "keeps a link-local IPv6 address"),
        (engine(sealed=Trouble("no more networks")), "isolation", State.WARN, "no more networks"),
        (engine(ipv6=Trouble("no such sysctl")), "ipv6", State.MISSING, "no such sysctl"),
        (engine(BASE), "base image", State.OK, BASE),
        (engine(), "base image", State.OK, "not here yet"),
    ],
)
def test_what_the_engine_offers(facts: DockerFacts, name: str, state: State, words: str) -> None:
    [found] = [it for it in judge_docker(facts) if it.name == name]
    assert found.state is state
    assert words in found.value


# --- the whole --------------------------------------------------------------------------------------------


@pytest.fixture
def cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Variables of a host with no engine and no network: every proxy refuses."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port, and nobody answers
        proxy = f"http://somebody:a-password@127.0.0.1:{closed.getsockname()[1]}"
        variables = {
            "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
            "HOME": str(tmp_path),
            "PATH": str(tmp_path / "empty"),
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield variables


def test_a_host_that_has_nothing(cut_off: dict[str, str], tmp_path: Path) -> None:
    workspace = Workspace.at(CHECKOUT / "versions.yaml")
    found = examine(Examined(catalogue=workspace, results=tmp_path / "results", environment=cut_off))

    assert found.engine is None
    assert found.exit_code is ExitCode.ENGINE
    states = {(section.title, it.name): it for section in found.sections for it in section.findings}
    assert states["Docker", "engine"].state is State.MISSING
    assert states["Docker", "engine"].impact.startswith("0 of ")
    assert states["Without Docker", "node"].state is State.MISSING
    assert states["Registries", "PyPI"].state is State.MISSING
    assert states["Registries", "ghcr.io"].state is State.WARN
    assert states["This host", "versions"].state is State.OK
    assert all(it.advice for it in states.values() if it.state is State.MISSING)
    assert "a-password" not in json.dumps(as_data(found))


def test_programs_and_a_cache_make_the_local_engine_do(cut_off: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    on_path(tmp_path / "empty", "echo Redis server v=7.2.0", "redis-server")
    (tmp_path / "cache" / "something").mkdir(parents=True)
    workspace = Workspace.at(CHECKOUT / "versions.yaml")
    environment = cut_off | {"INTEROP_CACHE": str(tmp_path / "cache")}
    found = examine(Examined(catalogue=workspace, results=tmp_path, environment=environment))

    assert (found.engine, found.why, found.exit_code) == ("local", "no Docker engine answers", ExitCode.GREEN)
    assert found.summary[0].startswith("local: ")
    assert any("needs cargo" in sentence for sentence in found.summary)


def test_a_host_that_cannot_keep_results(cut_off: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cache" / "something").mkdir(parents=True)
    (tmp_path / "file").touch()
    workspace = Workspace.at(CHECKOUT / "versions.yaml")
    environment = cut_off | {"INTEROP_CACHE": str(tmp_path / "cache")}
    found = examine(Examined(catalogue=workspace, results=tmp_path / "file" / "results", environment=environment))

    assert (found.engine, found.exit_code) == (None, ExitCode.ENGINE)
    assert found.why == f"results cannot be written to {tmp_path}/file/results"


def test_a_broken_catalogue_is_a_finding(cut_off: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "versions.yaml").write_text("schema: 7\nversoins: []\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / "versions.yaml", known_suites())
    found = examine(Examined(catalogue=caught.value, results=tmp_path, environment=cut_off))

    assert not found.ready
    assert found.exit_code is ExitCode.CONFIGURATION
    [broken] = [it for it in found.sections[0].findings if it.name == "versions"]
    assert broken.value.endswith("versions.yaml: 3 mistakes")
    assert "nox -s list" in broken.advice


def test_every_tool_is_looked_for_once() -> None:
    names = [it.program for it in TOOLS]
    assert len(names) == len(set(names))


# --- what is printed --------------------------------------------------------------------------------------

DIAGNOSIS = Diagnosis(
    sections=(
        Section(
            title="This host",
            findings=(
                Finding(name="python", state=State.OK, value="3.12.4"),
                Finding(
                    name="memory",
                    state=State.WARN,
                    value="1.0 GB free",
                    impact="builds of rust may fail",
                    advice="close something",
                ),
            ),
        ),
        Section(
            title="Docker",
            findings=(
                Finding(
                    name="engine",
                    state=State.MISSING,
                    value="no Docker engine answers",
                    impact="3 of 9 families run",
                    advice="start it",
                ),
            ),
        ),
    ),
    engine="local",
    why="no Docker engine answers",
    summary=("local: 8 of 22 versions", "not run: rust, chromium-js (needs Docker)"),
    exit_code=ExitCode.GREEN,
)


def test_in_a_log_every_finding_is_one_line() -> None:
    file = File()
    show(file.console, DIAGNOSIS)
    assert file.text.splitlines() == [
        "This host",
        "  ok       python  3.12.4",
        "  warn     memory  1.0 GB free; impact: builds of rust may fail; do this: close something",
        "",
        "Docker",
        "  missing  engine  no Docker engine answers; impact: 3 of 9 families run; do this: start it",
        "",
        "The main job can run: engine local, because no Docker engine answers.",
        "local: 8 of 22 versions",
        "not run: rust, chromium-js (needs Docker)",
    ]


def long_words(width: int) -> Diagnosis:
    """What must be wrapped at every width."""
    finding = Finding(
        name="memory",
        state=State.MISSING,
        value=" ".join(f"value-{n}" for n in range(width // 4)),
        impact=" ".join(f"cost-{n}" for n in range(width // 4)),
        advice=" ".join(f"advice-{n}" for n in range(width // 4)),
    )
    return replace(DIAGNOSIS, sections=(*DIAGNOSIS.sections, Section(title="Long", findings=(finding,))))


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("colour", [True, False])
def test_on_a_terminal_nothing_is_cut_off(width: int, colour: bool) -> None:
    environment = {"TERM": "xterm", "COLUMNS": str(width), "LINES": "40"} | ({} if colour else {"NO_COLOR": "1"})
    diagnosis = long_words(width)
    with pseudo_terminal() as (stream, screen):
        show(Console.for_stream(stream, environment), diagnosis)
    assert ("\x1b[" in screen.text) is colour
    plain = screen.text if not colour else ""
    assert all(len(line) <= width for line in plain.splitlines())
    for section in diagnosis.sections:
        for finding in section.findings:
            for word in f"{finding.value} {finding.impact} {finding.advice}".split():
                assert word in screen.text
    assert "✘" in screen.text


def test_hostile_text_is_only_text() -> None:
    finding = Finding(name="engine", state=State.MISSING, value="[red]x[/]\x1b[2J\n::error::b", impact="\x1b]0;t\x07")
    diagnosis = Diagnosis(
        sections=(Section(title="Docker", findings=(finding,)),),
        engine=None,
        why="",
        summary=(),
        exit_code=ExitCode.ENGINE,
    )
    file = File({"GITHUB_ACTIONS": "true"})
    show(file.console, diagnosis)
    assert "\x1b" not in file.text
    assert "[red]x[/]" in file.text
    assert not any(line.strip().startswith("::") for line in file.text.splitlines())


def test_the_data_is_json() -> None:
    data = json.loads(json.dumps(as_data(DIAGNOSIS)))
    assert data["schema"] == 1
    assert data["ready"] is True
    assert data["engine"] == "local"
    assert data["sections"][0]["findings"][1]["state"] == "warn"
    assert {"name", "state", "value", "impact", "advice"} == set(data["sections"][0]["findings"][0])


# --- the suites over a simulated network ------------------------------------------------------------------


def test_networks_on_the_subnets_of_the_contract_are_named() -> None:
    def network(name: str, *subnets: str) -> dict[str, object]:
        return {"Name": name, "IPAM": {"Config": [{"Subnet": it} for it in subnets]}}

    found = conflicting(
        [
            network("bridge", "172.17.0.0/16"),
            network("leftnet", "193.167.0.0/24", "fd00:cafe:cafe::/64"),
            network("other6", "fd00:cafe:caff::/64"),
            network("wide", "193.0.0.0/8"),
            {"Name": "host", "IPAM": {"Config": None}},
            {"Name": "none", "IPAM": None},
            {"Name": "plugin", "IPAM": {"Config": [{}]}},
        ]
    )
    assert list(map(str, found)) == ["leftnet (193.167.0.0/24)", "leftnet (fd00:cafe:cafe::/64)", "wide (193.0.0.0/8)"]


@pytest.mark.parametrize(
    ("network", "masquerades"),
    [
        ({"Driver": "bridge"}, True),
        ({"Driver": "bridge", "Options": None}, True),
        ({"Driver": "bridge", "Internal": True}, False),
        ({"Driver": "bridge", "Options": {"com.docker.network.bridge.enable_ip_masquerade": "false"}}, False),
        ({"Driver": "macvlan"}, False),
    ],
)
def test_whether_the_engine_rewrites_what_leaves_a_network(network: dict[str, object], masquerades: bool) -> None:
    [found] = conflicting([{"Name": "net", "IPAM": {"Config": [{"Subnet": "193.167.0.0/24"}]}, **network}])
    assert found.rewrites is masquerades


def test_a_masqueraded_network_that_has_nobodys_address_spoils_nothing() -> None:
    network = {"Name": "net", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "193.167.77.0/24"}]}}
    assert [it.rewrites for it in conflicting([network])] == [False]


RIVAL: Final = ConflictingNetwork(name="leftnet", subnet="193.167.0.0/24", rewrites=False)
GOOD_NETWORK: Final = NetworkFacts(ipv4=True, ipv6=True, memlock=True)


@pytest.mark.parametrize(
    ("facts", "name", "state", "playable"),
    [
        (GOOD_NETWORK, None, State.OK, True),
        (NetworkFacts(ipv4=None, ipv6=None, memlock=None), None, State.OK, True),
        (replace(GOOD_NETWORK, ipv4=False), "addresses", State.MISSING, False),
        (replace(GOOD_NETWORK, ipv6=False), "ipv6 addresses", State.MISSING, False),
        (replace(GOOD_NETWORK, ipv4=Trouble("no such sysctl")), "addresses", State.MISSING, False),
        (replace(GOOD_NETWORK, memlock=Trouble("rlimit")), "locked memory", State.WARN, True),
        (replace(GOOD_NETWORK, conflicting=(RIVAL,)), "subnets", State.WARN, True),
        (replace(GOOD_NETWORK, conflicting=(RIVAL, replace(RIVAL, rewrites=True))), "subnets", State.MISSING, False),
    ],
)
def test_what_the_engine_offers_for_a_simulated_network(
    facts: NetworkFacts, name: str | None, state: State, playable: bool
) -> None:
    found = {it.name: it for it in judge_network(facts)}
    assert (facts.missing_requirement is None) is playable
    assert [it.name for it in found.values() if it.state is not State.OK] == ([] if name is None else [name])
    if name is not None:
        assert found[name].state is state
        assert found[name].impact
        assert found[name].advice


def test_versions_of_other_suites_are_not_counted_for_the_main_job(cut_off: dict[str, str], tmp_path: Path) -> None:
    workspace = Workspace.at(CHECKOUT / "versions.yaml")
    found = examine(Examined(catalogue=workspace, results=tmp_path, environment=cut_off))
    findings = {(section.title, it.name): it for section in found.sections for it in section.findings}
    transport = len(workspace.catalogue.of(SUITES["transport"].words))

    assert f"of {len({it.family for it in workspace.catalogue.of(SUITES['transport'].words)})} families" in (
        findings["Docker", "engine"].impact
    )
    assert transport < len(workspace.catalogue.versions)
    assert findings["Simulated network (quic, webtransport)", "engine"].state is State.MISSING
    assert "suite quic: nothing runs (needs Docker)" in found.summary
    assert "suite webtransport: nothing runs (needs Docker)" in found.summary


def test_docker_hub_has_two_names() -> None:
    here = situation(engine(*BASES), out_of_reach="Docker Hub")
    for reference in ("cloudflare/quiche-qns:latest", "docker.io/cloudflare/quiche-qns:latest"):
        assert (
            in_docker.missing_requirement(here, version("quiche-v1", "quiche", image=reference))
            == "Docker Hub is out of reach"
        )
