"""Everything `doctor` asks, side by side, each question with a time limit of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from ci.commands.doctor_checks.asking import Asked, Trouble
from ci.commands.doctor_checks.docker_facts import DockerFacts, look_at_docker
from ci.commands.doctor_checks.network_facts import NetworkFacts, look_at_network
from ci.commands.doctor_checks.registries import Answer, ask, registries
from ci.commands.doctor_checks.tools import TOOLS, Tool, find_tool
from ci.engines.local.builds import Builds
from ci.errors import EngineError

__all__ = ["Answers", "ask_everything"]

REGISTRY_SECONDS: Final = 3.0
# A container is started for it, and on a busy host that takes its time.
DOCKER_SECONDS: Final = 8.0
# Two are started for this.
NETWORK_SECONDS: Final = 8.0
TOOL_SECONDS: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What was answered in time.

    :param tools: by program; None where there is none
    :param missing: by language, what its recipe for processes says is not here
    :param registries: by name
    """

    docker: DockerFacts | EngineError
    network: NetworkFacts | Trouble
    tools: Mapping[str, Tool | None]
    missing: Mapping[str, str]
    registries: Mapping[str, Answer | Trouble]


def ask_everything(environment: Mapping[str, str]) -> Answers:
    """Takes as long as the slowest answer, and no longer than the longest of the limits. Never raises."""
    docker = Asked(partial(_docker_or_why_not, environment), seconds=DOCKER_SECONDS)
    network = Asked(partial(look_at_network, environment), seconds=NETWORK_SECONDS)
    asked = {
        it.name: Asked(partial(ask, it, environment, seconds=REGISTRY_SECONDS), seconds=REGISTRY_SECONDS)
        for it in registries(environment)
    }
    tools = {it.program: Asked(partial(find_tool, it, environment), seconds=TOOL_SECONDS) for it in TOOLS}
    # Some tools take their time to say their version, and an answer that is missing would pass for nothing missing.
    recipes = Asked(partial(_missing, environment), seconds=DOCKER_SECONDS)
    answer = docker.answer()
    found = {name: it.answer() for name, it in tools.items()}
    missing = recipes.answer()
    return Answers(
        docker=_no_use(answer) if isinstance(answer, Trouble) else answer,
        network=network.answer(),
        tools={name: None if isinstance(it, Trouble) else it for name, it in found.items()},
        missing={} if isinstance(missing, Trouble) else missing,
        registries={name: it.answer() for name, it in asked.items()},
    )


def _missing(environment: Mapping[str, str]) -> Mapping[str, str]:
    # Nothing is built, and nothing looked up, so neither folder matters.
    return Builds(root=Path(), cache=Path(), environment=environment).missing()


def _docker_or_why_not(environment: Mapping[str, str]) -> DockerFacts | EngineError:
    try:
        return look_at_docker(environment)
    except EngineError as error:
        return error


def _no_use(trouble: Trouble) -> EngineError:
    return EngineError(
        "engine-unreachable",
        f"the Docker engine is of no use: {trouble.text}",
        hint="look at `docker info` and the engine's log",
    )
