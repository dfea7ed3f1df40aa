"""Whether this host's engine can give containers the network that the suites quic and webtransport are run over."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

from ci.commands.doctor_checks.asking import Trouble
from ci.commands.doctor_checks.finding import Finding, State
from ci.engines.docker.conflicting_networks import CONTRACT_SUBNETS, ConflictingNetwork, conflicting
from ci.engines.docker.daemon import TROUBLE, Daemon, connect
from ci.engines.docker.helper_image import helper_tag
from ci.engines.docker.places import MEMLOCK, POD_SYSCTLS
from ci.spec.attempt import MIB
from ci.spec.network import PLACES

__all__ = ["NetworkFacts", "judge_network", "look_at_network"]

_CLIENT: Final = PLACES["client"]
# What a slot does to its pods, in a container without any network: 0, or which of both families it was that failed.
_GIVE_ADDRESSES: Final = (
    f"ip address add {_CLIENT.ipv4}/24 dev lo || exit 4; ip -6 address add {_CLIENT.ipv6}/64 dev lo || exit 6"
)
LONGEST: Final = 100
_NEEDS_ADDRESSES: Final = "no case of the suites quic and webtransport can be run"


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """What was tried on an engine that answers.

    :param ipv4: a container could give itself an address of the contract; None where there was no image to try with
    :param ipv6: likewise
    :param memlock: a container got the contract's limit for locked memory
    :param conflicting: networks of others on the contract's subnets
    """

    ipv4: bool | Trouble | None
    ipv6: bool | Trouble | None
    memlock: bool | Trouble | None
    conflicting: tuple[ConflictingNetwork, ...] = ()

    @property
    def missing_requirement(self) -> str | None:
        """What keeps every case from being run; None if nothing that was found does."""
        if not all(it is True or it is None for it in (self.ipv4, self.ipv6)):
            return "containers cannot be given addresses"
        if rewriting := [it.name for it in self.conflicting if it.rewrites]:
            return f"the engine masquerades {' and '.join(dict.fromkeys(rewriting))}"
        return None


def look_at_network(environment: Mapping[str, str]) -> NetworkFacts:
    """:raises EngineError: no engine answers, or it is too old, or it fails meanwhile"""
    client = connect(environment)
    try:
        daemon = Daemon(client, run="doctor")
        found = tuple(conflicting(daemon.call(daemon.api.networks)))
        if daemon.image(helper_tag()) is None:
            return NetworkFacts(ipv4=None, ipv6=None, memlock=None, conflicting=found)
        with ThreadPoolExecutor() as pool:
            addressed = pool.submit(_status, daemon, ["sh", "-c", _GIVE_ADDRESSES], cap_add=["NET_ADMIN"])
            limit = {"Name": "memlock", "Soft": MEMLOCK, "Hard": MEMLOCK}
            locked = pool.submit(_status, daemon, ["true"], ulimits=[limit])
            status, memlock = addressed.result(), locked.result()
        if isinstance(status, Trouble):
            return NetworkFacts(ipv4=status, ipv6=status, memlock=_is_zero(memlock), conflicting=found)
        return NetworkFacts(ipv4=status != 4, ipv6=status == 0, memlock=_is_zero(memlock), conflicting=found)
    finally:
        client.close()


def _status(daemon: Daemon, command: list[str], **more: Any) -> int | Trouble:
    """The exit status of a command in a container set up as a pod is, but without a network."""
    api = daemon.api
    try:
        container = api.create_container(
            helper_tag(),
            command,
            labels=daemon.labels(role="probe"),
            host_config=api.create_host_config(network_mode="none", cap_drop=["ALL"], sysctls=POD_SYSCTLS, **more),
        )["Id"]
        try:
            api.start(container)
            return int(api.wait(container)["StatusCode"])
        finally:
            daemon.remove(container)
    except TROUBLE as error:
        # The engine's own words, without the address of what it was asked for.
        said = str(getattr(error, "explanation", None) or error)
        return Trouble(said if len(said) <= LONGEST else f"… {said[-LONGEST:]}")


def _is_zero(status: int | Trouble) -> bool | Trouble:
    return status if isinstance(status, Trouble) else status == 0


# --- judgement --------------------------------------------------------------------------------------------


def judge_network(facts: NetworkFacts) -> tuple[Finding, ...]:
    """What there is for a simulated network, a line each."""
    return (
        _addresses("addresses", "IPv4", facts.ipv4, "let containers have the capability NET_ADMIN"),
        _addresses(
            "ipv6 addresses", "IPv6", facts.ipv6, "boot the host without `ipv6.disable=1`; load the module ipv6"
        ),
        _memlock(facts.memlock),
        _rivals(facts.conflicting),
    )


def _addresses(name: str, family: str, found: bool | Trouble | None, advice: str) -> Finding:
    if found is None:
        return Finding(name=name, state=State.OK, value="not tried: the helper image is not here yet")
    if found is True:
        return Finding(name=name, state=State.OK, value=f"a container can give itself {family} addresses (tried)")
    why = f": {found.text}" if isinstance(found, Trouble) else ""
    return Finding(
        name=name,
        state=State.MISSING,
        value=f"a container cannot give itself {family} addresses{why}",
        impact=_NEEDS_ADDRESSES,
        advice=advice,
    )


def _memlock(found: bool | Trouble | None) -> Finding:
    name, want = "locked memory", f"{MEMLOCK // MIB} MiB"
    if found is None:
        return Finding(name=name, state=State.OK, value="not tried: the helper image is not here yet")
    if found is True:
        return Finding(name=name, state=State.OK, value=f"endpoints may lock {want} (tried)")
    why = f": {found.text}" if isinstance(found, Trouble) else ""
    return Finding(
        name=name,
        state=State.WARN,
        value=f"endpoints cannot be allowed to lock {want}{why}",
        impact="they run with this host's limit: implementations that use io_uring or large rings may fail",
        advice="raise the engine's own limit: `LimitMEMLOCK=infinity` in its unit, or `--default-ulimit`",
    )


def _rivals(found: tuple[ConflictingNetwork, ...]) -> Finding:
    name, ours = "subnets", " and ".join(map(str, CONTRACT_SUBNETS))
    if not found:
        return Finding(name=name, state=State.OK, value=f"no other network of this engine is on {ours}")
    if rewriting := [it for it in found if it.rewrites]:
        return Finding(
            name=name,
            state=State.MISSING,
            value=f"on {ours}, and masqueraded: {', '.join(map(str, rewriting))}",
            impact=f"{_NEEDS_ADDRESSES}: packets of slots, which have the same addresses, are rewritten as well",
            advice="remove it, or give it other subnets: "
            f"`docker network rm {' '.join(dict.fromkeys(it.name for it in rewriting))}`",
        )
    return Finding(
        name=name,
        state=State.WARN,
        value=f"on {ours}: {', '.join(map(str, found))}",
        impact="nothing: slots keep these addresses to themselves; but a capture of this host's packets shows "
        "the same addresses twice",
        advice="`docker network rm` it if it is a leftover of the established runner",
    )
