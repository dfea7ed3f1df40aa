"""The words of the suites quic and webtransport: their roles, and their test cases in the order they are run."""

from __future__ import annotations

from typing import Final

from ci.model import Param, SuiteWords

__all__ = ["QUIC", "WEBTRANSPORT"]


def _suite(name: str, example: str, *test_cases: str, measurements: tuple[str, ...] = ()) -> SuiteWords:
    return SuiteWords(
        name=name,
        roles=("client", "server"),
        params=(Param(key="testCase", called="test case", dimension="test", words=test_cases),),
        example=example,
        marker=name.upper(),
        contract="quic-interop",
        row_keys=("role",),
        second_named_first=True,
        measurements=frozenset(measurements),
    )


# quic-interop contract, section 4.2.
QUIC: Final = _suite(
    "quic", "aioquic-v1.7 x quic-go-v0.65 (retry)",
    "handshake", "transfer", "longrtt", "chacha20", "multiplexing", "retry", "resumption", "zerortt", "http3",
    "blackhole", "keyupdate", "ecn", "amplificationlimit", "handshakeloss", "transferloss", "handshakecorruption",
    "transfercorruption", "ipv6", "v2", "rebind-port", "rebind-addr", "connectionmigration", "goodput", "crosstraffic",
    measurements=("goodput", "crosstraffic"),
)  # fmt: skip
# Section 4.7.
WEBTRANSPORT: Final = _suite(
    "webtransport", "aioquic-v1.7 x aioquic-v1.7 (handshake)",
    "handshake", "transfer-unidirectional-receive", "transfer-unidirectional-send", "transfer-bidirectional-receive",
    "transfer-bidirectional-send", "transfer-datagram-receive", "transfer-datagram-send",
)  # fmt: skip
