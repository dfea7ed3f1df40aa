"""What the Docker engine is like, and whether it has what runs need."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ci.commands.doctor_checks.asking import Trouble
from ci.commands.doctor_checks.finding import Finding, State
from ci.commands.doctor_checks.host import gigabytes
from ci.engines.docker.daemon import TROUBLE, Daemon, connect
from ci.engines.docker.helper_image import BASE, BUILD_BASE, helper_tag
from ci.engines.docker.sealed_network import create_network, seal
from ci.errors import EngineError
from ci.util.text import counted

__all__ = ["DockerFacts", "judge_docker", "look_at_docker"]

# Where every process sees its network's loopback address, if the network has IPv6.
_HAS_LOOPBACK: Final = ["grep", "-q", "^00000000000000000000000000000001 ", "/proc/net/if_inet6"]


@dataclass(frozen=True, kw_only=True)
class DockerFacts:
    """An engine that answers and is new enough.

    :param address: where it is, and the context that says so
    :param platform: such as `linux/amd64`
    :param memory: bytes the engine has; on some systems it lives in a small virtual machine
    :param root: where it stores images, if that folder is this host's
    :param images: every tag, digest reference and id it has
    :param ipv6: whether a container got an IPv6 loopback; None where there was no image to try with
    :param sealed: whether a network can be kept free of the host's addresses; None as above
    """

    address: str
    version: str
    api: str
    platform: str
    cgroup: str
    storage: str
    processors: int
    memory: int
    root: Path | None
    images: frozenset[str]
    ipv6: bool | Trouble | None
    sealed: bool | Trouble | None


def look_at_docker(environment: Mapping[str, str]) -> DockerFacts:
    """:raises EngineError: no engine answers, or it is too old, or it fails meanwhile"""
    client = connect(environment)
    try:
        daemon = Daemon(client, run="doctor")
        version = daemon.call(daemon.api.version)
        info = daemon.call(daemon.api.info)
        images = frozenset(_names(daemon.call(daemon.api.images)))
        return DockerFacts(
            address=str(client.address),
            version=version["Version"],
            api=version["ApiVersion"],
            platform=f"{version['Os']}/{version['Arch']}",
            cgroup=str(info.get("CgroupVersion", "1")),
            storage=info["Driver"],
            processors=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
            root=_visible(info["DockerRootDir"]) if client.address.is_local else None,
            images=images,
            ipv6=_try_ipv6(daemon, images),
            sealed=_try_to_seal(daemon, images),
        )
    finally:
        client.close()


def _names(images: Any) -> Iterator[str]:
    for image in images:
        yield image["Id"]
        yield from image.get("RepoTags") or ()
        yield from image.get("RepoDigests") or ()


def _visible(root: str) -> Path | None:
    try:
        os.stat(root)  # noqa: PTH116 -- exists() takes "may not be seen" for "is not there" on some versions
    except PermissionError:
        return Path(root).parent
    except OSError:
        return None
    return Path(root)


def _try_ipv6(daemon: Daemon, images: frozenset[str]) -> bool | Trouble | None:
    """Ask a container that is set up as those of a slot are, but without a network."""
    image = next((it for it in (helper_tag(), BASE) if it in images), None)
    if image is None:
        return None
    api = daemon.api
    try:
        container = api.create_container(
            image,
            _HAS_LOOPBACK,
            labels=daemon.labels(role="probe"),
            host_config=api.create_host_config(
                network_mode="none", cap_drop=["ALL"], sysctls={"net.ipv6.conf.all.disable_ipv6": "0"}
            ),
        )["Id"]
        try:
            api.start(container)
            return bool(api.wait(container)["StatusCode"] == 0)
        finally:
            daemon.remove(container)
    except TROUBLE as error:
        return Trouble(str(error))


def _try_to_seal(daemon: Daemon, images: frozenset[str]) -> bool | Trouble | None:
    """Make a network as slots have them."""
    helper = helper_tag()
    if helper not in images:
        return None
    try:
        network = create_network(daemon, daemon.name("doctor"), internal=True)
        try:
            return seal(daemon, helper, [network])
        finally:
            daemon.quietly(daemon.api.remove_network, network)
    except EngineError as error:
        return Trouble(error.message)


# --- judgement --------------------------------------------------------------------------------------------


def judge_docker(facts: DockerFacts) -> tuple[Finding, ...]:
    """What the engine offers, a line each."""
    return (
        Finding(
            name="engine",
            state=State.OK,
            value=f"{facts.version}, API {facts.api}, {facts.platform}, at {facts.address}",
        ),
        Finding(
            name="resources",
            state=State.OK,
            value=f"{counted(facts.processors, 'processor')}, {gigabytes(facts.memory)} of memory",
        ),
        Finding(name="cgroup", state=State.OK, value=f"version {facts.cgroup}"),
        _storage(facts),
        _ipv6(facts),
        _isolation(facts),
        _image("base image", BASE, facts),
        _image("build base", BUILD_BASE, facts),
        _image("helper image", helper_tag(), facts),
    )


def _storage(facts: DockerFacts) -> Finding:
    if facts.storage != "vfs":
        return Finding(name="storage", state=State.OK, value=facts.storage)
    return Finding(
        name="storage",
        state=State.WARN,
        value="vfs, which copies whole images",
        impact="every container takes the room and the time of a copy of its image",
        advice="let the engine use overlay2, or fuse-overlayfs where that is not possible",
    )


def _ipv6(facts: DockerFacts) -> Finding:
    if facts.ipv6 is True:
        return Finding(name="ipv6", state=State.OK, value="a container has an IPv6 loopback (tried)")
    if facts.ipv6 is None:
        return Finding(name="ipv6", state=State.OK, value="not tried: there is no image to try with yet")
    if isinstance(facts.ipv6, Trouble):
        # Without that setting no slot can be made, so this is no matter of IPv6 alone.
        return Finding(
            name="ipv6",
            state=State.MISSING,
            value=f"a container with net.ipv6.conf.all.disable_ipv6=0 does not start: {facts.ipv6.text}",
            impact="no case can run in containers",
            advice="boot the host without `ipv6.disable=1` and load the kernel's module ipv6",
        )
    return Finding(
        name="ipv6",
        state=State.WARN,
        value="a container has no IPv6 loopback (tried)",
        impact="peers that use ::1 fail",
        advice="look at net.ipv6.conf.all.disable_ipv6 in a container",
    )


def _isolation(facts: DockerFacts) -> Finding:
    if facts.sealed is True:
        return Finding(name="isolation", state=State.OK, value="the host has no address on a case's network (tried)")
    if facts.sealed is None:
        return Finding(name="isolation", state=State.OK, value="not tried: there is no helper image yet")
    why = f": {facts.sealed.text}" if isinstance(facts.sealed, Trouble) else " (tried)"
    return Finding(
        name="isolation",
        state=State.WARN,
        value=f"the host keeps a link-local IPv6 address on a case's network{why}",
        impact="images under test reach services of this host that listen at all IPv6 addresses",
        advice="let the engine run containers with `--network host --cap-add NET_ADMIN`, or run only images you trust",
    )


def _image(name: str, tag: str, facts: DockerFacts) -> Finding:
    there = tag in facts.images
    return Finding(name=name, state=State.OK, value=tag if there else f"{tag} is not here yet: the first run makes it")
