"""`doctor` on a real engine: what it tells, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from docker.types import IPAMConfig, IPAMPool

from ci.__main__ import main
from ci.commands.doctor_checks.docker_facts import judge_docker, look_at_docker
from ci.commands.doctor_checks.finding import State
from ci.commands.doctor_checks.network_facts import look_at_network
from ci.engines.docker.conflicting_networks import ConflictingNetwork
from ci.engines.docker.daemon import LABEL, Daemon
from ci.engines.docker.helper_image import BASE
from ci.engines.docker.networks import NetworkEngine
from ci.errors import ExitCode

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]


def test_an_engine_that_runs_cases_is_found_to_do_so(daemon: Daemon, helper_image: str) -> None:
    version = daemon.api.version()
    facts = look_at_docker(os.environ)

    assert (facts.version, facts.api) == (version["Version"], version["ApiVersion"])
    assert facts.platform == f"{version['Os']}/{version['Arch']}"
    assert {helper_image, BASE} <= facts.images
    # The slots of the other tests could not be made without this.
    assert facts.ipv6 is True
    assert facts.sealed is True
    assert all(it.state is not State.MISSING for it in judge_docker(facts))


def test_the_data_names_the_engine(
    daemon: Daemon, helper_image: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["doctor", "--json", "--versions", str(ROOT / "versions.yaml"), "--results", str(tmp_path)]
    code = main(words)
    data = json.loads(capsys.readouterr().out)

    # Whether anything can run depends on the images and the network this host has; what is said has to agree.
    assert code == (ExitCode.GREEN if data["ready"] else ExitCode.ENGINE)
    [section] = [it for it in data["sections"] if it["title"] == "Docker"]
    findings = {it["name"]: it for it in section["findings"]}
    assert daemon.api.version()["Version"] in findings["engine"]["value"]
    assert findings["helper image"]["value"] == helper_image


def test_an_engine_that_has_slots_over_a_simulated_network_is_found_to_do_so(daemon: Daemon, helper_image: str) -> None:
    before = {it["Id"] for it in daemon.api.containers(all=True)}
    facts = look_at_network(os.environ)

    assert helper_image
    # The slots of the other tests could not be made without these.
    assert (facts.ipv4, facts.ipv6) == (True, True)
    assert facts.missing_requirement is None
    engine = NetworkEngine(daemon, helper=helper_image)
    assert (facts.memlock is True) == bool(engine.locks_memory)
    mine = [it for it in daemon.api.containers(all=True) if it["Id"] not in before]
    assert not [it for it in mine if it["Labels"].get(f"{LABEL}.run") == "doctor"]


def test_a_network_of_somebody_else_on_these_subnets_is_named(daemon: Daemon) -> None:
    pool = IPAMPool(subnet="193.167.77.0/24")
    name = f"{daemon.prefix}-rival"
    network = daemon.api.create_network(name, ipam=IPAMConfig(pool_configs=[pool]), internal=True)["Id"]
    try:
        assert (
            ConflictingNetwork(name=name, subnet="193.167.77.0/24", rewrites=False)
            in look_at_network(os.environ).conflicting
        )
    finally:
        daemon.api.remove_network(network)
