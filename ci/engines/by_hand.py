"""A spec as shell commands: what the engines do for a case, for a person to do by hand.

Pure functions over data. The commands make everything they need, under names of their own, and their last one
removes it; so they work on their own, today or next week, as long as the images or programs are there. Nothing
here is a comment line: not every interactive shell takes those.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from ci.engines.redis_rights import BOUNDS, participant_rules
from ci.engines.restrictions import of_participant
from ci.spec.attempt import CLASSIC_REDIS

if TYPE_CHECKING:
    from ci.engines.programs import Program
    from ci.spec.attempt import AttemptSpec, Bridge, Participant, Surroundings

__all__ = ["REDIS_SERVER", "docker_lines", "process_lines"]

# No data is ever written to disk.
_SETTINGS: Final = [
    *("--appendonly", "no", "--save", ""),
    *(word for name, value in BOUNDS.items() for word in (f"--{name}", value)),
]
# Bound to every address because it sits on two networks.
REDIS_SERVER: Final = [
    *("redis-server", "--protected-mode", "no", "--bind", "0.0.0.0"),  # noqa: S104
    *(*_SETTINGS, "--user", *participant_rules()),
]
_CONTINUED: Final = " \\\n    "


def docker_lines(spec: AttemptSpec, *, helper: str, images: Mapping[str, str]) -> list[str]:
    """The case with nothing but `docker`: a network, a Redis on it, the listener, the dialer, and their removal.

    :param helper: reference of the image that holds `redis-server`
    :param images: what to call the image of each side, by the name the spec has for it
    """
    name = f"interop-again-{spec.case.key[:8]}"
    redis = f"{name}-redis"
    lines = [
        _words("docker", "network", "create", "--internal", name),
        _continued(
            ["docker", "run", "-d", "--name", redis, "--network", name, "--network-alias", CLASSIC_REDIS.host],
            [helper, *REDIS_SERVER],
        ),
        f"docker exec {redis} sh -c 'until redis-cli ping; do sleep 0.1; done' > /dev/null 2>&1",
    ]
    if (bridge := _bridge(spec)) is not None:
        lines.append(_words("docker", "exec", "-d", redis, "sh", "-c", _carry(bridge, "redis-cli")))
    for participant in spec.participants:
        container = [
            "docker",
            "run",
            *(["-d"] if participant.role == "listener" else []),
            "--name",
            f"{name}-{participant.role}",
        ]
        run = _continued(
            [*container, "--network", name],
            _restrictions(participant),
            _variables(participant),
            [images[participant.image]],
        )
        lines.append(run if participant.role == "listener" else _with_status(run))
    lines += [
        _words("docker", "logs", f"{name}-listener"),
        _words("docker", "rm", "-f", "-v", f"{name}-dialer", f"{name}-listener", redis) + " > /dev/null",
        _words("docker", "network", "rm", name),
    ]
    return lines


def process_lines(
    spec: AttemptSpec,
    surroundings: Surroundings,
    programs: Mapping[str, Program],
    *,
    environment: Mapping[str, str],
    redis_server: str,
    redis_cli: str = "redis-cli",
) -> list[str]:
    """The case as ordinary processes: a Redis, the listener, the dialer, and their end.

    :param surroundings: where the spec tells both sides to look for Redis; nothing may listen there any more
    :param programs: what is started for a participant's `image`
    :param environment: what every program gets, unless it or the spec says otherwise
    """
    redis, password = surroundings.redis, surroundings.redis_password
    server = [redis_server, "--bind", redis.host, "--port", str(redis.port), *_SETTINGS]
    lines = [
        "home=$(mktemp -d)",
        f"{_words(*server, '--user', *participant_rules(password))} > /dev/null & redis=$!",
        "sleep 1",
    ]
    if (bridge := _bridge(spec)) is not None:
        client = [redis_cli, "-h", redis.host, "-p", str(redis.port)]
        login = ["-a", password, "--no-auth-warning"] if password else []
        lines.append(f"({_carry(bridge, *client, *login)}) > /dev/null 2>&1 &")
    for participant in spec.participants:
        run = _process(participant, programs[participant.image], environment)
        lines.append(f"{run} & listener=$!" if participant.role == "listener" else _with_status(run))
    return [*lines, 'kill $listener $redis; rm -r "$home"']


def _process(participant: Participant, program: Program, basics: Mapping[str, str]) -> str:
    """In an environment of its own, as the engine starts it: what a person's shell has set must not matter."""
    variables = {**basics, **program.environment, **participant.environment}
    settings = [f"{name}={value}" for name, value in variables.items()]
    folder = shlex.quote(program.folder) if program.folder else '"$home"'
    own = 'exec env -i HOME="$home" TMPDIR="$home"'
    return f"(cd {folder} && {own}{_CONTINUED}{_continued(settings, list(program.command))} < /dev/null)"


def _restrictions(participant: Participant) -> list[str]:
    """What the engine allows a side, and no more: a case may fail because of it."""
    return [
        *of_participant(participant.limits).flags(),
        *("--sysctl", "net.ipv6.conf.all.disable_ipv6=0"),
    ]


def _variables(participant: Participant) -> list[str]:
    return [word for name, value in participant.environment.items() for word in ("-e", f"{name}={value}")]


def _bridge(spec: AttemptSpec) -> Bridge | None:
    return spec.coordination.bridge if spec.coordination is not None else None


def _carry(bridge: Bridge, *client: str) -> str:
    """The two sides meet at different keys: hand on the one address that is expected, as what it was published.

    What a listener has published with SET is no list for the dialer either. Of several addresses only the first one
    goes over; it ends where Redis does.
    """
    ask, source, target = _words(*client), shlex.quote(bridge.source), shlex.quote(bridge.target)
    return (
        f'while kind=$({ask} type {source}); [ "$kind" = none ]; do sleep 0.1; done; '
        f'if [ "$kind" = string ]; then {ask} set {target} "$({ask} get {source})"; '
        f"else {ask} lmove {source} {target} left right; fi"
    )


def _with_status(run: str) -> str:
    return f'{run}; echo "the dialer exited $?"'


def _words(*words: str) -> str:
    return shlex.join(words)


def _continued(*parts: list[str]) -> str:
    """One command over several lines, so that it can be read."""
    return _CONTINUED.join(shlex.join(part) for part in parts if part)
