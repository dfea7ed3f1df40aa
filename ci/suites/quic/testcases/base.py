"""What a test case is: what is run, over which network, and what must be seen for it to pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final, Literal, TypeAlias

from ci.model import Side, SuiteWords
from ci.suites.quic.captures.packets import Trace
from ci.suites.quic.materials.case_files import CaseFiles, downloads
from ci.suites.quic.words import QUIC

__all__ = ["KIB", "MIB", "PLAIN_LINK", "Beside", "Check", "Finding", "TestCase", "Traces"]

KIB: Final = 1024
MIB: Final = 1024 * KIB

# The link of nearly all test cases. Scenarios are spelt exactly as the established runner spells them, because an
# image of its simulator takes them apart by itself.
PLAIN_LINK: Final = "simple-p2p --delay=15ms --bandwidth=10Mbps --queue=25"

Beside: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Why the traffic is not what a test case wants: a sentence for people, and whose doing it is."""

    text: str
    side: Side = "unknown"


class Traces:
    """Both captures of a run, each read when it is first asked for."""

    def __init__(self, read: Callable[[Beside], Trace]) -> None:
        self._read = read

    @cached_property
    def left(self) -> Trace:
        """Beside the client: what it sent, what reached it."""
        return self._read("left")

    @cached_property
    def right(self) -> Trace:
        """Beside the server: what it sent, what reached it, behind a NAT with the client's outer address."""
        return self._read("right")


Check: TypeAlias = Callable[[Traces], "Finding | None"]


@dataclass(frozen=True, kw_only=True)
class TestCase:
    """One test case of either suite, or one measurement (contract, sections 4.2 to 4.7).

    :param client: TESTCASE of the client; the test case's name unless given
    :param server: TESTCASE of the server, likewise
    :param sizes: of the files, in bytes
    :param checks: what the traffic must show, in this order; the files are looked at before
    :param whole: the captures of which a check, or the metric, looks at packets with a short header. Of the others only
        datagrams that begin with a long header are read, a small part of a large transfer
    :param limit: seconds of wall clock, from the first start
    :param host: the server's name in URLs
    :param name_length: of file names made of random letters; slugs if None
    :param chain_length: certificates the server shows
    :param needs_key_log: without a valid key log the run says nothing: unsupported
    :param random_network: the network draws lots, so a run can be repeated with its seed, and `k of n` makes sense
    :param participants: who else takes part
    :param environment: variables of those
    :param repetitions: runs that make one result
    :param metric: of a measurement: kbit/s from the capture beside the client and the bytes that were fetched
    :param make_files: where a seed alone does not make the usual downloads
    """

    __test__: ClassVar[bool] = False  # no test to pytest

    name: str
    abbreviation: str
    description: str
    suite: SuiteWords = QUIC
    client: str = ""
    server: str = ""
    sizes: tuple[int, ...] = ()
    checks: tuple[Check, ...] = ()
    whole: tuple[Beside, ...] = ("left", "right")
    scenario: str = PLAIN_LINK
    limit: int = 60
    host: str = "server4"
    name_length: int | None = None
    chain_length: int = 1
    needs_key_log: bool = False
    random_network: bool = False
    participants: tuple[Literal["iperf_server", "iperf_client"], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    repetitions: int = 1
    metric: Callable[[Trace, int], float | Finding] | None = None
    make_files: Callable[[int], CaseFiles] | None = None

    def testcase(self, side: Literal["client", "server"]) -> str:
        """The value of TESTCASE for one side."""
        return (self.client if side == "client" else self.server) or self.name

    def case_files(self, seed: int) -> CaseFiles:
        """What this test case needs, made up from `seed`."""
        if self.make_files is not None:
            return self.make_files(seed)
        return downloads(seed, self.sizes, host=self.host, name_length=self.name_length, chain_length=self.chain_length)

    @property
    def is_measurement(self) -> bool:
        return self.metric is not None
