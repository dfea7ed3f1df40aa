"""`doctor` on a real engine: what it tells, and that it leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ci.__main__ import main
from ci.doctor.docker_facts import judge_docker, look_at_docker
from ci.doctor.finding import State
from ci.engines.daemon import Daemon
from ci.errors import ExitCode
from ci.helper_image import BASE

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
