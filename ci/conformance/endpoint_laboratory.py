"""How the facts about an endpoint's image are come by: it is asked, and run with a counterpart, over a network."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.conformance.endpoint import NOT_IMPLEMENTED, EndpointBehaviour, EndpointRole, KeyLog, Meeting, Refusal
from ci.engines.local.scratch import scratch_folder
from ci.errors import EngineError
from ci.model import Case, Outcome, Role
from ci.runner.attempt import attempt
from ci.runner.probe import ProbedParticipant
from ci.spec.last_log_line import last_line
from ci.suites.quic.attempt_specs import RoleImages, attempt_spec, exchange_of, probe_spec
from ci.suites.quic.captures.files import UnreadableCaptureError
from ci.suites.quic.captures.key_logs import valid_key_log
from ci.suites.quic.captures.packets import PacketType
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.judge import judge
from ci.suites.quic.materials.case_files import CaseFiles, prepare
from ci.suites.quic.materials.received import PROTOCOL_FILE
from ci.suites.quic.materials.seeded import Draw
from ci.suites.quic.testcases.registry import cases_of
from ci.suites.quic.words import WEBTRANSPORT

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.model import SuiteWords
    from ci.spec.attempt import AttemptSpec, Evidence, Participant
    from ci.spec.sandbox import OpenSandbox
    from ci.suites.quic.testcases.base import TestCase

__all__ = ["EndpointLaboratory", "basics_of"]

# How long an endpoint may take to say that it does not know a test case; what a run of the matrix allows, too.
REFUSAL_SECONDS: Final = 30.0
# An endpoint that has not refused a test case in this time takes it; longer where it took its time to refuse nonsense.
CLAIM_SECONDS: Final = 3.0
SLOW: Final = 4
# Started at the same time when they are asked what they do. They are alone: nobody answers them, nothing is fetched.
AT_ONCE: Final = 4
OTHER: Final[Mapping[EndpointRole, EndpointRole]] = {"client": "server", "server": "client"}
IMAGE: Final = "the image"
OPTIONAL: Final = ("SSLKEYLOGFILE", "QLOGDIR")
SEED: Final = 1


def basics_of(suite: SuiteWords) -> tuple[TestCase, ...]:
    """The two test cases that everything else is built on."""
    return cases_of(suite)[:2]


class EndpointLaboratory:
    """One image in one role, in one slot.

    :param open_sandbox: where captures are read
    :param image: its id
    :param peers: its counterparts, each by what it is called and its image; the next one is tried where a test case
        does not pass with one: no two libraries have everything in common
    :param simulator: reference of its image
    :param seeded: the simulator is ours and takes a seed
    :param tell: told in a few words what is being done
    """

    def __init__(
        self,
        slot: Slot,
        open_sandbox: OpenSandbox,
        suite: SuiteWords,
        role: EndpointRole,
        image: str,
        *,
        peers: Sequence[tuple[str, str]],
        simulator: str,
        seeded: bool,
        tell: Callable[[str], None],
    ) -> None:
        self._slot = slot
        self._read = partial(read_trace, open_sandbox=open_sandbox)
        self._suite = suite
        self._role = role
        self._known_images: dict[Role, tuple[str, str]] = {role: (IMAGE, image), "simulator": ("simulator", simulator)}
        self._peers = peers
        self._seeded = seeded
        self._tell = tell

    def observe(self) -> EndpointBehaviour:
        """Everything there is to see.

        :raises EngineError: the engine broke, or captures cannot be read here
        :raises OSError: there is no room for what containers leave
        """
        refusal = self._refuse()
        claims = self._ask_claims(refusal) if refusal.exit_code == NOT_IMPLEMENTED else {}
        basics = basics_of(self._suite)
        meetings: dict[str, Meeting] = {}
        for test in basics:
            value = test.testcase(self._role)
            if claims.get(value, True):
                meetings[value] = self._meet_somebody(test)
        first = basics[0]
        bare = None
        if (met := meetings.get(first.testcase(self._role))) is not None and met.verdict.outcome is Outcome.PASSED:
            self._tell(f"{self._role}: {first.name} without {' and '.join(OPTIONAL)}")
            bare = self._meet(first, next(it for it in self._peers if it[0] == met.peer), without=OPTIONAL)
        return EndpointBehaviour(
            role=self._role,
            refusal=refusal,
            stop_timeout=10.0,
            claims=claims,
            basics=tuple(test.testcase(self._role) for test in basics),
            meetings=meetings,
            bare=bare,
        )

    def _role_images(self, peer: tuple[str, str]) -> RoleImages:
        return RoleImages({**self._known_images, OTHER[self._role]: peer}, seeded=self._seeded)

    def _case(self, name: str, peer: str) -> Case:
        client, server = (IMAGE, peer) if self._role == "client" else (peer, IMAGE)
        return self._suite.case(client, server, name)

    # --- alone ----------------------------------------------------------------------------------------

    def _refuse(self) -> Refusal:
        name = Draw(SEED, f"check/{self._role}").slug()
        self._tell(f"{self._role}: a test case nobody knows")
        with _folder(CaseFiles(seed=SEED)) as folder:
            asked = self._probe(name, folder, limit=REFUSAL_SECONDS)
            evidence = self._attempt(asked, folder)
        end = evidence.exits.get(self._role)
        by_itself = None if end is None or end.stopped else end
        return Refusal(
            name=name,
            exit_code=None if by_itself is None else by_itself.exit_code,
            seconds=evidence.elapsed if by_itself is None else by_itself.at,
            limit=REFUSAL_SECONDS,
            said=last_line(evidence.streams[self._role, "stderr"], evidence.streams[self._role, "stdout"]),
        )

    def _probe(self, name: str, folder: Path, *, limit: float) -> AttemptSpec:
        peer = self._peers[0]  # it takes no part
        return probe_spec(self._case(name, peer[0]), self._role, name, self._role_images(peer), folder, limit=limit)

    def _ask_claims(self, refusal: Refusal) -> dict[str, bool]:
        """Start it with every value of TESTCASE there is, and see which it refuses."""
        values = list(dict.fromkeys(test.testcase(self._role) for test in cases_of(self._suite)))
        timeout = max(CLAIM_SECONDS, SLOW * refusal.seconds)
        self._tell(f"{self._role}: which of {len(values)} test cases it takes")
        taken: dict[str, bool] = {}
        with _folder(CaseFiles(seed=SEED)) as folder:
            self._slot.restore(self._role)
            for start in range(0, len(values), AT_ONCE):
                taken |= self._start_with(values[start : start + AT_ONCE], folder, timeout)
        return taken

    def _start_with(self, values: Sequence[str], folder: Path, timeout: float) -> dict[str, bool]:
        changed = threading.Condition()
        prepared = []
        all_probed: dict[str, ProbedParticipant] = {}
        try:
            for value in values:
                asked = self._probe(value, folder, limit=timeout)
                participant = _with(asked.participant(self._role), self._something_to_do())
                all_probed[value] = ProbedParticipant(participant, changed)
                running = self._slot.prepare(
                    participant, all_probed[value], {"check": value}, asked.inputs.get(self._role, {})
                )
                prepared.append((all_probed[value], running))
            for probed, running in prepared:
                probed.start(running)
            with changed:
                changed.wait_for(lambda: all(it.end or it.lost_because for it in all_probed.values()), timeout=timeout)
                # Read before they are removed, which they die of.
                ends = {value: it.end for value, it in all_probed.items()}
                lost = next((it.lost_because for it in all_probed.values() if it.lost_because), None)
        finally:
            for _, running in prepared:
                running.remove()
        if lost is not None:
            raise EngineError("engine-lost", f"the engine lost sight of the {self._role}: {lost}")
        return {value: end is None or end.exit_code != NOT_IMPLEMENTED for value, end in ends.items()}

    def _something_to_do(self) -> dict[str, str]:
        """A request, and what tells the two suites apart for a program that does both."""
        requests = "https://server4:443/some/file" if self._role == "client" else ""
        return {"REQUESTS": requests, "PROTOCOLS": "one another" if self._suite is WEBTRANSPORT else ""}

    # --- with the counterpart -------------------------------------------------------------------------

    def _meet_somebody(self, test: TestCase) -> Meeting:
        """With the first counterpart it passes with; else with the first."""
        met: list[Meeting] = []
        for peer in self._peers:
            self._tell(f"{self._role}: {test.name} with {peer[0]}")
            met.append(self._meet(test, peer))
            if met[-1].verdict.outcome is Outcome.PASSED:
                break
        best = met[-1] if met[-1].verdict.outcome is Outcome.PASSED else met[0]
        return replace(best, others=tuple(it for it in met if it is not best))

    def _meet(self, test: TestCase, peer: tuple[str, str], *, without: Sequence[str] = ()) -> Meeting:
        case_files = test.case_files(SEED)
        with _folder(case_files) as folder:
            spec = attempt_spec(self._case(test.name, peer[0]), test, case_files, self._role_images(peer), folder)
            changed = tuple(_without(it, without) if it.role == self._role else it for it in spec.participants)
            evidence = self._attempt(replace(spec, participants=changed), folder)
            verdict = judge(test, case_files, exchange_of(evidence, folder), read=self._read)
            end = evidence.exits.get(self._role)
            return Meeting(
                peer=peer[0],
                verdict=verdict,
                end=end,
                stopping=end.at - evidence.elapsed if end is not None and end.stopped else None,
                strays=tuple(_strays(case_files, folder, self._role)),
                key_log=self._key_log(folder) if verdict.outcome is Outcome.PASSED and not without else None,
                qlog=any(path.is_file() for path in (folder / self._role / "qlog").rglob("*")),
            )

    def _key_log(self, folder: Path) -> KeyLog:
        path = folder / self._role / "keys.log"
        if not valid_key_log(path):
            return "missing"
        try:
            trace = self._read(folder / "sim" / "trace_node_left.pcap", [path])
        except UnreadableCaptureError:
            return "useless"
        return "good" if any(it.decrypted for it in trace.packets("server", PacketType.ONE_RTT)) else "useless"

    def _attempt(self, spec: AttemptSpec, folder: Path) -> Evidence:
        self._slot.restore(*spec.roles)
        return attempt(self._slot, spec, labels={"check": self._role}, cancelled=threading.Event(), folder=folder)


@contextmanager
def _folder(case_files: CaseFiles) -> Iterator[Path]:
    """Where an attempt finds its case_files and leaves what it leaves; gone with the block."""
    with scratch_folder("check") as folder:
        prepare(case_files, folder)
        yield folder


def _with(participant: Participant, changes: Mapping[str, str]) -> Participant:
    return replace(participant, environment={**participant.environment, **changes})


def _without(participant: Participant, names: Sequence[str]) -> Participant:
    return replace(
        participant, environment={name: it for name, it in participant.environment.items() if name not in names}
    )


def _strays(case_files: CaseFiles, folder: Path, role: EndpointRole) -> Iterator[str]:
    """Files this role has saved that it was not asked to save."""
    wanted = {file.name for file in case_files.files} if case_files.receiver == role else set()
    if case_files.protocol is not None:
        wanted.add(PROTOCOL_FILE)
    root = folder / f"{role}_downloads"
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name not in wanted:
            yield name
