"""The simulator's image, and a lab per module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import Lab, build_simulator

from ci.engines.daemon import Daemon


@pytest.fixture(scope="session")
def simulator_image(build_base: str) -> str:  # noqa: ARG001 -- it is built from that
    return build_simulator()


@pytest.fixture(scope="session")
def lab(daemon: Daemon, simulator_image: str) -> Iterator[Lab]:
    with Lab(daemon, simulator_image) as lab:
        yield lab
