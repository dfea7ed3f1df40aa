"""Local processes as a command gets them: toolchains and builds of this user, and slots that need no container."""

from __future__ import annotations

from ci.engines.backend import Backend, EngineOptions, no_network
from ci.engines.local.builds import Builds
from ci.engines.local.engine import LocalEngine

__all__ = ["open_backend"]


def open_backend(options: EngineOptions, reason: str) -> Backend:
    """:param reason: why it was chosen"""
    builds = Builds.of_user(options.root, options.environment)
    return Backend(
        why=f"engine: local processes, {reason}",
        small=True,
        provider=builds,
        prepare=lambda *_: None,
        engine=lambda: LocalEngine(builds.program, redis_server=str(builds.redis_server()), run=options.run),
        network=no_network,
    )
