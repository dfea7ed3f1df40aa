"""A case over a simulated network as shell commands: what the engine does for it, for a person to do by hand.

The commands make two networks, a pod for each participant with the contract's addresses (`ci.engines.docker.networks`
says why), and the participants in them; the last ones remove all of it. What is put into the containers lies in a
folder beside the evidence, so they work as long as that folder, the images, and the certificates in it (ten days) do.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.docker.places import POD_RESTRICTIONS, POD_SYSCTLS, addressing, restrictions_of
from ci.spec.network import HOSTS, PLACES, SIDES_OF_SIMULATOR

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci.model import Role
    from ci.spec.attempt import AttemptSpec, Participant

__all__ = ["long_values", "network_lines"]

# What is longer than this nobody wants in a line: it is read from a file. Two thousand URLs are, for one.
LONG: Final = 400
_CONTINUED: Final = " \\\n    "


def long_values(spec: AttemptSpec) -> dict[str, str]:
    """Variables that are too long for a command, by the name of the file they are read from."""
    return {
        _file(participant, name): value
        for participant in spec.participants
        for name, value in participant.environment.items()
        if len(value) > LONG
    }


def network_lines(
    spec: AttemptSpec,
    folder: Path,
    *,
    helper: str,
    images: Mapping[str, str],
    locks_memory: bool,
) -> list[str]:
    """The case with nothing but `docker`: networks, pods, participants, what came of it, and their removal.

    :param folder: holds the inputs by their names, and the files of `long_values`; the outputs are put there too
    :param helper: reference of the image that holds `ip` and `sleep`
    :param images: what to call the image of each participant, by the name the spec has for it
    :param locks_memory: this host lets containers have the contract's limit for locked memory
    """
    name = f"interop-again-{spec.case.key[:8]}"
    others = [participant.role for participant in spec.participants if participant.role not in ("simulator", "client")]
    names = [f"{name}-{_dashed(participant.role)}" for participant in spec.participants]
    pods = [f"{name}-pod-{_dashed(participant.role)}" for participant in spec.participants]
    client, simulator = f"{name}-client", f"{name}-simulator"
    lines = [f"here={shlex.quote(str(folder))}", *_networks(name)]
    for participant in spec.participants:
        lines += _pod(name, participant.role, helper)
    for participant in spec.participants:
        lines.append(
            _container(name, participant, images.get(participant.image, participant.image), locks_memory=locks_memory)
        )
        for target, source in spec.inputs.get(participant.role, {}).items():
            lines.append(f'docker cp "$here"/{source.name}/. {name}-{_dashed(participant.role)}:{target} > /dev/null')
    lines += [
        f"docker start {simulator} {' '.join(f'{name}-{_dashed(role)}' for role in others)} > /dev/null",
        f'docker start -a {client}; echo "the client exited $?"',
        *(f"docker stop -t 10 {name}-{_dashed(role)} > /dev/null" for role in others),
        f"docker stop -t 10 {simulator} > /dev/null",
        *(f"docker logs {name}-{_dashed(role)}" for role in (*others, "simulator")),
        'rm -rf "$here"/evidence',
        'mkdir "$here"/evidence',
    ]
    for role, folders in spec.outputs.items():
        for inside, outside in folders.items():
            lines.append(f'docker cp {name}-{_dashed(role)}:{inside} "$here"/evidence/{outside} > /dev/null')
    lines += [
        *_compare(spec),
        f"docker rm -f -v {' '.join((*names, *pods))} > /dev/null",
        f"docker network rm {name}-left {name}-right > /dev/null",
        'ls "$here"/evidence/sim/*.pcap',
    ]
    return lines


def _networks(name: str) -> Iterator[str]:
    for side in ("left", "right"):
        option = "com.docker.network.bridge.enable_ip_masquerade=false"
        yield f"docker network create -o {option} {name}-{side} > /dev/null"


def _pod(name: str, role: Role, helper: str) -> Iterator[str]:
    """An idle container whose interfaces have the contract's addresses."""
    sides = SIDES_OF_SIMULATOR if role == "simulator" else (PLACES[role],)
    pod = f"{name}-pod-{_dashed(role)}"
    yield (
        _continued(
            ["docker", "run", "-d", "--name", pod, "--hostname", "sim" if role == "simulator" else role],
            ["--network", f"{name}-{sides[0].network}", *POD_RESTRICTIONS.flags()],
            [word for key, value in POD_SYSCTLS.items() for word in ("--sysctl", f"{key}={value}")],
            [word for host, address in HOSTS[role] for word in ("--add-host", f"{host}:{address}")],
            [helper, "sleep", "infinity"],
        )
        + " > /dev/null"
    )
    # Connected while it runs, so this interface comes second.
    for side in sides[1:]:
        yield f"docker network connect {name}-{side.network} {pod}"
    commands = [command for index, side in enumerate(sides) for command in addressing(f"eth{index}", side)]
    yield _continued(["docker", "exec", pod, "sh", "-euc"], [";\n".join(commands)])


def _container(name: str, participant: Participant, image: str, *, locks_memory: bool) -> str:
    """Created and not started, with what the engine allows it and no more: a case may fail because of it."""
    role = _dashed(participant.role)
    return (
        _continued(
            ["docker", "create", "--name", f"{name}-{role}", "--network", f"container:{name}-pod-{role}"],
            restrictions_of(participant, locks_memory=locks_memory).flags(),
        )
        + "".join(
            f"{_CONTINUED}-e {_variable(participant, key, value)}" for key, value in participant.environment.items()
        )
        + f"{_CONTINUED}{shlex.quote(image)} > /dev/null"
    )


def _variable(participant: Participant, name: str, value: str) -> str:
    if len(value) > LONG:
        return f'{name}="$(cat "$here"/{_file(participant, name)})"'
    return shlex.quote(f"{name}={value}")


def _compare(spec: AttemptSpec) -> Iterator[str]:
    """Whether what one side had is what the other one has now."""
    for had, has in spec.delivered:
        yield f'diff -r "$here"/{had} "$here"/evidence/{has} && echo \'every file has arrived, and nothing else\''


def _file(participant: Participant, name: str) -> str:
    return f"{participant.role}.{name}"


def _dashed(role: Role) -> str:
    return role.replace("_", "-")


def _continued(*parts: list[str]) -> str:
    """One command over several lines, so that it can be read."""
    return _CONTINUED.join(shlex.join(part) for part in parts if part)
