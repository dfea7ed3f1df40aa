"""What a case may leave in the network namespace of a pod, and how that is seen and undone before the next one.

The containers of a case are gone when this is asked, and with them their processes and what those held open. What
stays is the kernel's: sockets without an owner that still have something to say, connections that it keeps track of,
neighbours it has learned of. Where participants may configure their interfaces, also what they have made of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["LOOK", "LOOK_AT_ALL", "Namespace"]

_COUNT: Final = "/proc/sys/net/netfilter/nf_conntrack_count"

# Forgets what the kernel has learned of others, then tells what there is, in sections. This is done between all cases,
# so hardly a program is started for it. Of a number of the kernel's a shell reads the first digit and no more. Sockets
# are counted, not listed: for a list the kernel goes through all that the host might have, which takes it 10 ms. The
# counts leave out what is over at both ends and only waits for its name to be free (TIME_WAIT).
LOOK: Final = f"""
echo "[neighbours]"
printf 'neighbour flush all\\nneighbour show nud all\\n' | ip -o -batch -
count=0
read -r count 2>/dev/null <{_COUNT} || true
[ "$count" = 0 ] || conntrack --flush 2>/dev/null
echo "[connections]"
read -r count 2>/dev/null <{_COUNT} || true
echo "$count"
echo "[sockets]"
for name in sockstat sockstat6; do
    while read -r line; do echo "$line"; done </proc/net/$name
done
"""
LOOK_AT_ALL: Final = f"""{LOOK}
echo "[links]"
ip -o link show
echo "[rules]"
ip rule show
ip -6 rule show
echo "[addresses]"
ip -o address show
echo "[routes]"
ip route show
ip -6 route show
echo "[filters]"
nft --stateless list ruleset
cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true
"""


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """What there is in a namespace, by what people call it: as many of the kinds as were asked for."""

    found: Mapping[str, frozenset[str]]

    @classmethod
    def parse(cls, text: str) -> Namespace:
        """Read what `LOOK` or `LOOK_AT_ALL` writes."""
        sections: dict[str, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith("[") and line.endswith("]"):
                lines = sections.setdefault(line[1:-1], [])
            elif line.strip():
                lines.append(line)
        readers = {"sockets": _sockets, "neighbours": _neighbours, "connections": _connections, "links": _links}
        return cls(found={kind: frozenset(readers.get(kind, iter)(lines)) for kind, lines in sections.items()})

    def differences(self, before: Namespace) -> tuple[str, ...]:
        """What is there now and was not before, or the other way round; empty where a case left nothing.

        Neighbours come and go by themselves, also without a case: of these only new ones count.
        """
        said = []
        for kind, now in self.found.items():
            earlier = before.found.get(kind, frozenset())
            said += [f"{kind}: {it}" for it in sorted(now - earlier)]
            if kind != "neighbours":
                said += [f"{kind}: no more {it}" for it in sorted(earlier - now)]
        return tuple(said)


def _sockets(lines: Iterable[str]) -> Iterator[str]:
    """Of each kind how many there are, and of fragments how many packets wait for their other parts."""
    for line in lines:
        kind, _, counts = line.partition(": inuse ")
        if counts:
            yield f"{counts.split()[0]} {kind} in use"


def _neighbours(lines: Iterable[str]) -> Iterator[str]:
    """Without those that the kernel makes by itself for groups, and those it has just been told to forget."""
    for line in lines:
        words = line.split()
        if words[-1] not in ("NOARP", "FAILED"):
            yield " ".join(words[:5])


def _connections(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() != "0":
            yield f"{line.strip()} tracked"


def _links(lines: Iterable[str]) -> Iterator[str]:
    """Name, size of packets, queue and address; not whether it is up, which is set with the address (`places`)."""
    for line in lines:
        words = line.split()
        known = {name: words[words.index(name) + 1] for name in ("mtu", "qdisc", "link/ether") if name in words}
        yield " ".join((words[1], *(f"{name} {value}" for name, value in known.items())))
