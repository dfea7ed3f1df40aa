"""What `build-images` is told to build: versions, and what else a suite's cases take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ci.commands.workspace import Workspace
from ci.errors import ConfigurationError
from ci.suites.registry import SUITES

OURS = Workspace.at(Path(__file__).resolve().parents[2] / "versions.yaml")
QUIC = replace(OURS, suite=SUITES["quic"])


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        (["simulator"], ["simulator"]),
        (["iperf", "nginx"], ["nginx-v1.26", "iperf"]),
        (["quic-go-v0.65"], ["quic-go-v0.65"]),
    ],
)
def test_auxiliary_images_are_named_like_versions(terms: list[str], named: list[str]) -> None:
    assert [it.id for it in QUIC.versions_named(terms)] == named


def test_a_suite_without_a_network_has_no_simulator() -> None:
    with pytest.raises(ConfigurationError, match="simulator"):
        OURS.versions_named(["simulator"])
