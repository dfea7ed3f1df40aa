"""`check-image`: hold one image to the container contract, for the person who is writing it.

The image is started in both roles over every stack, made to ping itself, and put into the situations that a
matrix brings about by accident: no listener, no Redis, a stack it does not know. What it is held to is in
`ci.conformance.contract`, how the facts are come by in `ci.conformance.laboratory`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ci.conformance.base import Behaviour, ImageFacts, Report, Result, Status
from ci.conformance.contract import CONTRACT_CHECKS
from ci.conformance.laboratory import Laboratory
from ci.conformance.manifest import IMAGE_CHECKS
from ci.errors import ConfigurationError
from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS, Contract, Role
from ci.suites.transport.words import TRANSPORT, Stack
from ci.util.arguments import seconds

if TYPE_CHECKING:
    import argparse

    from ci.engines.base import Slot
    from ci.engines.docker.daemon import Daemon

__all__ = ["add_arguments", "check", "stacks_from"]

PATIENCE_SECONDS: Final = 20.0


# --- the command's arguments ------------------------------------------------------------------------------


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`IMAGE` and what narrows the check; `stacks_from` reads the stacks back."""
    parser.add_argument(
        "image", metavar="IMAGE", help="name or id of an image the engine has, or the image.json of a version"
    )
    for name, known in (("transport", TRANSPORTS), ("security", SECURE_CHANNELS), ("muxer", MUXERS)):
        parser.add_argument(
            f"--{name}", action="append", choices=known, default=[], help=f"only this {name}; may be repeated"
        )
    parser.add_argument(
        "--contract",
        choices=[*(str(it) for it in Contract), "both"],
        help="the generations it must speak; left out, both are tried and one will do",
    )
    parser.add_argument(
        "--peer",
        metavar="IMAGE",
        help="listens where the image only dials (browsers); quic, webtransport: its counterpart, instead of ours",
    )
    parser.add_argument(
        "--timeout",
        type=seconds("--timeout"),
        default=PATIENCE_SECONDS,
        metavar="SECONDS",
        help="how long a role may take to publish or ask for an address (default: %(default).0f)",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def stacks_from(
    transports: Iterable[str] = (), secure_channels: Sequence[str] = (), muxers: Sequence[str] = ()
) -> tuple[tuple[Stack, ...], bool]:
    """The stacks to try; whether they are named in full, and so all of them must be accepted."""
    wanted = tuple(dict.fromkeys(transports))
    layers = tuple(itertools.product(secure_channels or SECURE_CHANNELS, muxers or MUXERS))
    layered = tuple(
        Stack(transport, channel, muxer)
        for transport in wanted or TRANSPORTS
        if transport not in STANDALONE
        for channel, muxer in layers
    )
    alone = tuple(Stack(transport) for transport in wanted or TRANSPORTS if transport in STANDALONE)
    return (*layered, *alone), bool(wanted) and (not layered or bool(secure_channels and muxers))


# --- the whole of it --------------------------------------------------------------------------------------


def check(
    daemon: Daemon,
    slot: Slot,
    image: str,
    *,
    stacks: Sequence[Stack] | None = None,
    required: bool = False,
    contracts: Sequence[Contract] | None = None,
    peer: str | None = None,
    timeout: float = PATIENCE_SECONDS,
    tell: Callable[[str], None] = lambda _: None,
) -> Report:
    """Hold an image to the container contract.

    :param slot: where it runs
    :param stacks: which ones to try; None for all there are
    :param required: none of them may be refused
    :param contracts: the generations it must speak; None to try both and be content with one
    :param peer: an image that listens where this one only dials
    :param timeout: seconds a role may take to publish or to ask for an address
    :param tell: told in a few words what is being done, for the one who waits
    :raises ConfigurationError: the engine has no such image
    :raises EngineError: the engine or Redis broke; says nothing about the image
    """
    facts = inspect(daemon, image)
    others = inspect(daemon, peer).digest if peer is not None else None
    tried = tuple(stacks) if stacks is not None else stacks_from()[0]
    expected: frozenset[tuple[Stack, Role]] = frozenset()
    if required:
        roles: tuple[Role, ...] = TRANSPORT.roles if peer is None else ("dialer",)
        expected = frozenset(itertools.product(tried, roles))

    behaviours: list[Behaviour] = []
    for contract in contracts if contracts is not None else tuple(Contract):
        laboratory = Laboratory(slot, facts.digest, contract, peer=others, timeout=timeout, tell=tell)
        seen = laboratory.observe(tried, expected)
        behaviours.append(seen)
        # What one generation has shown the other need not search for, only confirm.
        if taken := frozenset(
            (it.stack, role) for it in seen.acceptance for role in TRANSPORT.roles if it.accepted(role)
        ):
            expected |= taken
            tried = tuple(stack for stack in tried if any((stack, role) in expected for role in TRANSPORT.roles))

    speaks = [seen.contract for seen in behaviours if any(it.listens or it.dials for it in seen.acceptance)]
    results = [it.result(facts) for it in IMAGE_CHECKS]
    for seen in behaviours:
        if contracts is None and speaks and seen.contract not in speaks:
            results.append(_not_spoken(seen.contract))
        else:
            results += [it.result(seen, seen.contract) for it in CONTRACT_CHECKS]
    return Report(image=facts, behaviours=tuple(behaviours), results=tuple(results))


def _not_spoken(contract: Contract) -> Result:
    first = CONTRACT_CHECKS[0]
    return Result(
        code=first.code,
        level=first.level,
        title=first.title,
        section=first.section,
        contract=contract,
        status=Status.SKIPPED,
        note="the image does not speak this generation; one is enough",
    )


def inspect(daemon: Daemon, image: str) -> ImageFacts:
    """What the engine knows of an image.

    :raises ConfigurationError: it has no such image
    :raises EngineError: it does not answer
    """
    found = daemon.image(image)
    if found is None:
        raise ConfigurationError(
            "no-such-image",
            f"the engine has no image {image}",
            why="it was not built or pulled yet, or is called differently",
            hint="look at `docker images`; `docker pull` it, or name it by its id",
        )
    config = found.get("Config") or {}
    return ImageFacts(
        reference=image,
        digest=found["Id"],
        architecture=found["Architecture"],
        host_architecture=daemon.call(daemon.api.version)["Arch"],
        user=config.get("User") or "",
        entrypoint=tuple(config.get("Entrypoint") or config.get("Cmd") or ()),
        size=int(found["Size"]),
    )
