"""The whole examination: what was answered, judged; which engine `auto` takes, and the impact of that."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.commands.doctor_checks.coverage import Coverage, coverage_of
from ci.commands.doctor_checks.docker_facts import DockerFacts, judge_docker
from ci.commands.doctor_checks.finding import Diagnosis, Finding, Section, State
from ci.commands.doctor_checks.host import disk, judge_disk, judge_load, judge_memory, judge_python, memory, writable
from ci.commands.doctor_checks.network_facts import NetworkFacts, judge_network
from ci.commands.doctor_checks.questions import Answers, ask_everything
from ci.commands.doctor_checks.registries import Answer, judge_clock, judge_registry, registries
from ci.commands.doctor_checks.tools import TOOLS, ToolWanted, judge_tool, usable
from ci.commands.workspace import Workspace, implied_suite
from ci.engines.docker import requirements as in_docker
from ci.engines.docker.images import Images
from ci.engines.local import requirements as as_process
from ci.engines.requirements import HostFacts
from ci.errors import ConfigurationError, EngineError, ExitCode
from ci.model import BuildRecipe, PublishedImage, Version
from ci.suites.registry import SUITES
from ci.util.cache_folder import CACHE_VARIABLE, cache_candidates
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.suites.base import Suite

__all__ = ["Examined", "examine"]

# Evidence and records of one run of the whole matrix.
RESULTS_BYTES: Final = 0.5e9
_FOR_IMAGES: Final = ("docker", "make")
_FOR_PROCESSES: Final = ("redis-server", "node", "go", "cargo", "gcc")


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Where to look.

    :param catalogue: the workspace, or why there is none
    :param results: folder of the results
    :param environment: variables of the process
    """

    catalogue: Workspace | ConfigurationError
    results: Path
    environment: Mapping[str, str]

    @property
    def cache(self) -> Path:
        """Where toolchains and builds are kept, or would be."""
        checkout = Path.cwd() if isinstance(self.catalogue, ConfigurationError) else self.catalogue.root
        candidates = cache_candidates(self.environment, checkout=checkout)
        return next((it for it in candidates if writable(it)), candidates[0])

    @property
    def versions(self) -> tuple[Version, ...]:
        return () if isinstance(self.catalogue, ConfigurationError) else self.catalogue.catalogue.versions

    def of(self, suite: Suite) -> tuple[Version, ...]:
        """The versions that take part in a suite."""
        return tuple(version for version in self.versions if suite.name in version.suites)


def examine(here: Examined) -> Diagnosis:
    """Never raises for what it finds, and takes about as long as the slowest question may."""
    answers = ask_everything(here.environment)
    host = _host_facts(here, answers)
    # The main job is the suite that is meant where nothing is said.
    suite = SUITES[implied_suite()]
    main = here.of(suite)
    docker = None if host.images is None else coverage_of(main, partial(in_docker.missing_requirement, host), suite)
    local = coverage_of(main, partial(as_process.missing_requirement, host), suite)
    engine, why = _choose(docker, local)
    if not writable(here.results):
        engine, why = None, f"results cannot be written to {here.results.absolute()}"
    sections = (
        Section(title="This host", findings=_host(here, answers)),
        Section(title="Docker", findings=_docker(here, host, answers, local)),
        Section(title="Simulated network (quic, webtransport)", findings=_network(host, answers)),
        Section(title="Without Docker", findings=_processes(here, host, answers)),
        Section(title="Registries", findings=_registries(here, host, answers)),
    )
    chosen = docker if engine == "docker" else local if engine == "local" else None
    summary: tuple[str, ...] = ()
    if chosen is not None and chosen.all_versions:
        summary = (f"{engine}: {chosen.numbers}", *chosen.losses)
    if engine == "docker" and local.all_versions:
        summary = (*summary, f"without Docker it would be {local.numbers}")
    summary = (*summary, *_network_suites(here, host, answers))
    return Diagnosis(sections=sections, engine=engine, why=why, summary=summary, exit_code=_exit_code(here, engine))


# --- what decides ----------------------------------------------------------------------------------------


def _host_facts(here: Examined, answers: Answers) -> HostFacts:
    docker = answers.docker if isinstance(answers.docker, DockerFacts) else None
    path = here.environment.get("PATH", os.defpath)
    return HostFacts(
        images=None if docker is None else docker.images,
        tags={} if docker is None else _tags(here.catalogue, docker.platform),
        usable=frozenset(it.program for it in TOOLS if usable(it, answers.tools[it.program])),
        missing=answers.missing,
        reachable={name: isinstance(it, Answer) and it.expected for name, it in answers.registries.items()},
        can_cache=writable(here.cache),
        cached=_has_entries(here.cache),
        can_bootstrap=os.geteuid() == 0 and shutil.which("debootstrap", path=path) is not None,
    )


def _has_entries(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def _tags(catalogue: Workspace | ConfigurationError, platform: str) -> dict[str, str]:
    if isinstance(catalogue, ConfigurationError):
        return {}
    try:
        keys: dict[str, str] = {}
        for suite in SUITES.values():
            keys |= replace(catalogue, suite=suite).content_keys(platform=platform)
    except ConfigurationError:
        return {}  # a folder that cannot be fingerprinted: `build-images` says which, and why
    return {
        it.id: Images.tag(it, keys[it.source.folder])
        for it in (*catalogue.catalogue.versions, *_auxiliary())
        if isinstance(it.source, BuildRecipe) and it.source.folder in keys
    }


# --- judging ---------------------------------------------------------------------------------------------


def _choose(docker: Coverage | None, local: Coverage) -> tuple[str | None, str]:
    """What `auto` takes here, as `interop` does, and why."""
    if docker is not None and (docker.versions or not docker.all_versions):
        return "docker", "it answers"
    if local.versions:
        if docker is None:
            return "local", "no Docker engine answers"
        return "local", "Docker answers, but none of the images is there or can be made: say `--engine local`"
    return None, "no engine answers, and what processes need is missing"


def _exit_code(here: Examined, engine: str | None) -> ExitCode:
    if isinstance(here.catalogue, ConfigurationError):
        return here.catalogue.exit_code
    return ExitCode.GREEN if engine is not None else ExitCode.ENGINE


def _host(here: Examined, answers: Answers) -> tuple[Finding, ...]:
    return (
        judge_python(),
        _catalogue(here.catalogue),
        judge_load(os.getloadavg()[0], os.cpu_count() or 1),
        _memory(),
        judge_clock(tuple(answers.registries.values())),
        _room("results", here.results, RESULTS_BYTES, advice="name another folder with `--results`"),
        *(_tool(it, answers) for it in TOOLS if it.program == "git"),
    )


def _tool(wanted: ToolWanted, answers: Answers, *, can_stand_in: bool = False) -> Finding:
    return judge_tool(wanted, answers.tools[wanted.program], can_stand_in=can_stand_in)


def _registries(here: Examined, host: HostFacts, answers: Answers) -> tuple[Finding, ...]:
    unneeded = {}
    if host.images is None:
        unneeded = dict.fromkeys(("Debian", "Docker Hub", "ghcr.io"), "only containers need it")
    elif in_docker.has_base(host) and not any(
        in_docker.registry_of(it.source.reference) == "Docker Hub" and not in_docker.has_image(host, it)
        for it in here.versions
        if isinstance(it.source, PublishedImage)
    ):
        unneeded = {"Docker Hub": "the base image is here, and no other comes from there"}
    return tuple(
        judge_registry(it, answers.registries[it.name], unneeded=unneeded.get(it.name, ""))
        for it in registries(here.environment)
    )


def _catalogue(catalogue: Workspace | ConfigurationError) -> Finding:
    if isinstance(catalogue, ConfigurationError):
        return Finding(
            name="versions",
            state=State.MISSING,
            value=catalogue.message.splitlines()[0].removesuffix(":"),
            impact="nothing can be planned",
            advice="`nox -s list` names every mistake and its place",
        )
    versions = catalogue.catalogue.versions
    families = len({it.family for it in versions})
    value = f"{counted(len(versions), 'version')} of {counted(families, 'family', 'families')}"
    return Finding(name="versions", state=State.OK, value=value)


def _memory() -> Finding:
    try:
        return judge_memory(memory(), os.cpu_count() or 1)
    except (OSError, ValueError) as error:
        return Finding(name="memory", state=State.WARN, value=f"unknown: {error}")


def _room(name: str, folder: Path, needed: float, *, must_write: bool = True, advice: str) -> Finding:
    try:
        return judge_disk(name, disk(folder.absolute()), needed, must_write=must_write, advice=advice)
    except OSError as error:
        return Finding(name=name, state=State.WARN, value=f"{folder}: {error.strerror or error}", advice=advice)


def _docker(here: Examined, host: HostFacts, answers: Answers, local: Coverage) -> tuple[Finding, ...]:
    if isinstance(answers.docker, EngineError):
        return (
            Finding(
                name="engine",
                state=State.MISSING,
                value=answers.docker.message,
                impact="; ".join([f"{len(local.families)} of {len(local.all_families)} families run", *local.losses]),
                advice=answers.docker.hint,
            ),
        )
    facts = answers.docker
    builders = (
        judge_tool(it, answers.tools[it.program], can_stand_in=False) for it in TOOLS if it.program in _FOR_IMAGES
    )
    needed = sum(in_docker.room(host, it) for it in (*here.versions, *_auxiliary()))
    room = (
        Finding(name="disk", state=State.OK, value="the engine keeps its images where this host cannot look")
        if facts.root is None
        else _room("disk", facts.root, needed, must_write=False, advice="")
    )
    built = [it for it in here.versions if isinstance(it.source, BuildRecipe)]
    there = sum(in_docker.has_image(host, it) for it in here.versions)
    images = Finding(
        name="images",
        state=State.OK,
        value=f"{there} of {len(here.versions)} are here; {len(built)} of them are built, the others pulled",
    )
    return (*judge_docker(facts), images, room, *builders)


# --- the suites over a simulated network -----------------------------------------------------------------


def _network(host: HostFacts, answers: Answers) -> tuple[Finding, ...]:
    if host.images is None:
        missing = Finding(
            name="engine",
            state=State.MISSING,
            value="no Docker engine answers",
            impact="no case of the suites quic and webtransport can be run: processes share one loopback",
            advice="see above, under Docker",
        )
        return (missing,)
    found = answers.network
    if isinstance(found, NetworkFacts):
        facts = judge_network(found)
    else:
        facts = (Finding(name="addresses", state=State.WARN, value=f"could not be tried: {found.text}"),)
    return (*facts, *(_support(host, it) for it in _auxiliary()))


def _support(host: HostFacts, version: Version) -> Finding:
    """An image that takes part in many cases and is no version's."""
    missing = in_docker.missing_requirement(host, version)
    if missing is None:
        value = host.tags.get(version.id, version.id)
        there = in_docker.has_image(host, version)
        return Finding(
            name=version.id,
            state=State.OK,
            value=value if there else f"{value} is not here yet: the first run makes it",
        )
    return Finding(
        name=version.id,
        state=State.MISSING,
        value=missing,
        impact="no case of the suites quic and webtransport can be run"
        if version == _auxiliary()[0]
        else "the measurement crosstraffic cannot be run",
        advice=f"`nox -s build-images -- --suite quic {version.id}` says what is wrong with it",
    )


def _network_suites(here: Examined, host: HostFacts, answers: Answers) -> tuple[str, ...]:
    """What of these suites runs here, a sentence each, and the impact of each missing requirement."""
    sentences: list[str] = []
    for suite in (it for it in SUITES.values() if it.auxiliary_images.all(None)):
        versions = here.of(suite)
        if not versions:
            continue
        for_all = _network_requirement(host, answers)
        if for_all is not None:
            sentences.append(f"suite {suite}: nothing runs ({for_all})")
            continue
        found = coverage_of(versions, partial(in_docker.missing_requirement, host), suite)
        sentences += [f"suite {suite}: {found.numbers}", *(f"suite {suite}: {loss}" for loss in found.losses)]
    return tuple(sentences)


def _network_requirement(host: HostFacts, answers: Answers) -> str | None:
    """What keeps every case over a simulated network from being run or judged."""
    if host.images is None:
        return "needs Docker"
    if isinstance(answers.network, NetworkFacts) and answers.network.missing_requirement is not None:
        return answers.network.missing_requirement
    missing = in_docker.missing_requirement(host, _auxiliary()[0])
    return None if missing is None else f"the simulator: {missing}"


def _processes(here: Examined, host: HostFacts, answers: Answers) -> tuple[Finding, ...]:
    wheels = host.reaches("PyPI") or host.cached
    found = [_tool(it, answers, can_stand_in=wheels) for it in TOOLS if it.program in _FOR_PROCESSES]
    # Of cargo it is said above that it is missing or too old, and the impact of that.
    missing = {name: it for name, it in answers.missing.items() if name != "rust" or "cargo" in host.usable}
    found += [_missing(here, language, what) for language, what in missing.items()]
    needed = sum(as_process.room(host, it) for it in here.versions)
    room = _room("cache", here.cache, needed, advice=f"name another folder in {CACHE_VARIABLE}")
    return (*found, room)


def _missing(here: Examined, language: str, what: str) -> Finding:
    versions = [it.id for it in here.versions if it.local == language]
    return Finding(
        name=language,
        state=State.MISSING,
        value=f"needs {what}",
        impact=f"{' and '.join(versions)} do not run as processes",
        advice="install what is named, and see that it is on PATH",
    )


def _auxiliary() -> tuple[Version, ...]:
    """What any suite's cases take beside their versions, the network that they are run over first."""
    return tuple(dict.fromkeys(it for suite in SUITES.values() for it in suite.auxiliary_images.all(None)))
