"""What a capture shows, as plain records: datagrams, the QUIC packets in each, and what could be read of those.

Nothing here knows where the records come from; the checks are functions of them. Field names are those of the
specifications (RFC 8999, 9000, 9001, 9368).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

__all__ = [
    "CLIENT_HOSTS",
    "SERVER_HOSTS",
    "SIMULATOR_HOSTS",
    "VERSION_1",
    "VERSION_2",
    "AckEcn",
    "Address",
    "Crypto",
    "Datagram",
    "Ecn",
    "Frame",
    "Packet",
    "PacketType",
    "Sender",
    "Trace",
    "side_of",
]

# The fixed addresses of the contract (section 1.1), in canonical form.
CLIENT_HOSTS: Final = frozenset({"193.167.0.100", "fd00:cafe:cafe::100"})
SERVER_HOSTS: Final = frozenset({"193.167.100.100", "fd00:cafe:cafe:100::100"})
SIMULATOR_HOSTS: Final = frozenset({"193.167.0.2", "193.167.100.2", "fd00:cafe:cafe::2", "fd00:cafe:cafe:100::2"})
# A NAT gives the client other addresses, all from its own networks.
LEFT_NETWORKS: Final = (ipaddress.ip_network("193.167.0.0/24"), ipaddress.ip_network("fd00:cafe:cafe::/64"))

VERSION_1: Final = 0x00000001
VERSION_2: Final = 0x6B3343CF

Sender: TypeAlias = Literal["client", "server"]


@lru_cache(maxsize=64)
def side_of(host: str) -> Sender | None:
    """Whose address this is; None for a stranger's. A client is known behind its NAT by the network it is in.

    :param host: canonical text, so that the spelling of an IPv6 address does not matter
    """
    if host in SERVER_HOSTS:
        return "server"
    if host in CLIENT_HOSTS:
        return "client"
    address = ipaddress.ip_address(host)
    return "client" if any(address in network for network in LEFT_NETWORKS) else None


class PacketType(str, Enum):
    """What kind of QUIC packet, whatever number its version gives to it."""

    INITIAL = "Initial"
    ZERO_RTT = "0-RTT"
    HANDSHAKE = "Handshake"
    RETRY = "Retry"
    VERSION_NEGOTIATION = "Version Negotiation"
    ONE_RTT = "1-RTT"
    UNKNOWN = "of no known type"

    __str__ = str.__str__


class Frame:
    """Frame types (RFC 9000, section 12.4) that checks ask for."""

    ACK_ECN: Final = 0x03
    PADDING: Final = 0x00
    CRYPTO: Final = 0x06
    NEW_CONNECTION_ID: Final = 0x18
    PATH_CHALLENGE: Final = 0x1A
    PATH_RESPONSE: Final = 0x1B
    CONNECTION_CLOSE: Final = frozenset({0x1C, 0x1D})
    STREAM: Final = frozenset(range(0x08, 0x10))
    STREAM_FIN: Final = 0x01  # in the type of a STREAM frame
    DATAGRAM: Final = frozenset({0x30, 0x31})
    # A packet of these alone does not use a path, it only asks whether there is one (RFC 9000, section 9.1).
    PROBING: Final = frozenset({PADDING, NEW_CONNECTION_ID, PATH_CHALLENGE, PATH_RESPONSE})


class Ecn:
    """The two bits of the IP header (RFC 3168)."""

    NOT_ECT: Final = 0
    ECT_1: Final = 1
    ECT_0: Final = 2
    CE: Final = 3


class Address(NamedTuple):
    """Host in canonical text, port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Crypto(NamedTuple):
    """A CRYPTO frame: which bytes of the handshake it carries."""

    offset: int
    length: int

    @property
    def end(self) -> int:
        return self.offset + self.length


class AckEcn(NamedTuple):
    """The counts in an ACK frame that has them."""

    ect_0: int
    ect_1: int
    ce: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Packet:
    """One QUIC packet. What is protected is empty or None unless `decrypted`.

    :param version: of a long header; None for a short one, 0 for Version Negotiation
    :param scid: source connection id in hex; None for a short header
    :param dcid: destination connection id in hex; of a short header only if the connection is known
    :param token: of an Initial, in hex; empty where its length is 0
    :param retry_token: of a Retry, in hex
    :param fixed_bit: the bit that all packets have, unless both sides agreed to do without it (RFC 9287)
    :param number: full packet number
    :param payload_length: bytes of protected payload with its authentication tag; where the header protection could
        not be removed, the 1 to 4 bytes of the packet number are counted too
    :param frames: frame types in order; padding may be counted once
    :param finished_streams: streams that a STREAM frame in this packet ends
    :param handshake_types: TLS messages that end in this packet, as far as they were put together
    :param cipher_suites: all that a ClientHello in this packet offers, or the one a ServerHello has chosen
    :param alpn: application protocols that a ClientHello offers, or the one the server's EncryptedExtensions name
    :param certificates_length: bytes of the certificate list of a Certificate message in this packet
    :param max_streams_bidi: transport parameter initial_max_streams_bidi, as often as it occurs
    """

    type: PacketType
    decrypted: bool = False
    version: int | None = None
    scid: str | None = None
    dcid: str | None = None
    token: str = ""
    retry_token: str = ""
    fixed_bit: bool = True
    number: int | None = None
    payload_length: int = 0
    key_phase: int | None = None
    frames: tuple[int, ...] = ()
    crypto: tuple[Crypto, ...] = ()
    ack_ecn: tuple[AckEcn, ...] = ()
    path_challenges: tuple[str, ...] = ()
    path_responses: tuple[str, ...] = ()
    finished_streams: tuple[int, ...] = ()
    handshake_types: tuple[int, ...] = ()
    cipher_suites: tuple[int, ...] = ()
    alpn: tuple[str, ...] = ()
    certificates_length: tuple[int, ...] = ()
    max_streams_bidi: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Datagram:
    """One UDP datagram and the QUIC packets coalesced in it.

    :param at: seconds since the first packet of the capture
    :param size: bytes of UDP payload
    :param ecn: the mark in the IPv4 or IPv6 header, see `Ecn`
    :param packets: empty where nothing in it could be taken for QUIC
    """

    at: float
    source: Address
    target: Address
    size: int
    ecn: int = Ecn.NOT_ECT
    packets: tuple[Packet, ...] = ()

    @property
    def sender(self) -> Sender | None:
        """Who sent it; None for a stranger. Packets of a client whose address was rewritten count as the client's."""
        return side_of(self.source.host)

    @property
    def receiver(self) -> Sender | None:
        return side_of(self.target.host)


class Trace:
    """One capture, in order.

    :param decrypted: a key log was at hand when it was read
    """

    def __init__(self, datagrams: tuple[Datagram, ...], *, decrypted: bool = True) -> None:
        self.datagrams = datagrams
        self.decrypted = decrypted

    def sent_by(self, sender: Sender) -> Iterator[Datagram]:
        return (datagram for datagram in self.datagrams if datagram.sender == sender)

    def packets(self, sender: Sender, *types: PacketType) -> Iterator[Packet]:
        """The packets of one side in order, of the given types or of all."""
        for datagram in self.sent_by(sender):
            for packet in datagram.packets:
                if not types or packet.type in types:
                    yield packet
