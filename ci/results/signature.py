"""What two failures have in common: a reason's text with everything that varies from run to run put out.

Expectations are matched against this and reports cluster by it, so a change of the rules changes `VERSION`.
"""

from __future__ import annotations

import re
from typing import Final

from ci.util.text import printable

__all__ = ["VERSION", "normalise", "signature"]

VERSION: Final = 2

_BASE58: Final = "[1-9A-HJ-NP-Za-km-z]"
# Order matters: what contains numbers goes before numbers.
_VARYING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        # libp2p peer ids: Ed25519, secp256k1 and RSA keys in base58, or the CID form
        rf"\b(?:12D3KooW{_BASE58}{{20,}}|16Uiu2{_BASE58}{{20,}}|Qm{_BASE58}{{40,}}|bafz[a-z2-7]{{20,}})",
        # the certificate hashes in an address: multihashes in base64url, or whatever stands in their place
        r"(?<=/certhash/)[\w=-]+",
        r"\buEi[\w-]{40,}",
        # UUIDs and long hexadecimal words (at least one digit, or "deadbeef" would be no word any more)
        r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
        r"\b0[xX][0-9a-fA-F]+\b",
        r"\b(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}\b",
        # IPv4 with or without port, IPv6 with or without brackets
        r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\w.]*\d)",
        r"\[[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\](?::\d+)?",
        r"(?<![\w:])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4})?(?![\w:])|(?<![\w:])::(?:[0-9a-fA-F]{1,4})(?![\w:])",
        # durations as Go, Rust, Python and people print them: 1m30.5s, 12ms, 180 seconds
        r"(?<![\w.])(?:\d+(?:\.\d+)?(?:ns|us|µs|μs|ms|s|m|h))+(?!\w)",
        r"(?<![\w.])\d+(?:\.\d+)? ?(?:(?:nano|micro|milli)?seconds?|secs?|minutes?|mins?|hours?)\b",
        # numbers that are not part of a word: `quic-v1` and `ip4` keep theirs
        r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?(?![\w])",
    )
)


# What `clip_middle` leaves of a text that was too long. Where exactly it was cut depends on the lengths of what varies,
# so only as much beside the cut counts as is there in any case.
_CUT: Final = re.compile(r"… \[\d+ bytes left out\] …")
_SURE: Final = 160


def normalise(text: str) -> str:
    """The text as one line, with numbers, hex, addresses, certificate hashes, peer ids and durations as `*`."""
    first, *rest = (_put_out(part) for part in _CUT.split(printable(text), maxsplit=1))
    return "…".join([first[:_SURE], rest[0][-_SURE:]]) if rest else first


def _put_out(text: str) -> str:
    for pattern in _VARYING:
        text = pattern.sub("*", text)
    return text


def signature(text: str) -> str:
    """The normalised text, marked with the version of the rules: `v2:dial * refused`."""
    return f"v{VERSION}:{normalise(text)}"
