"""Cases over a simulated network as a run has them: test files, seeds, repetitions, what is asked first, evidence."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.model import Outcome
from ci.spec.sandbox import shared
from ci.suites.quic.attempt_specs import OPERATOR_VARIABLES, RoleImages, attempt_spec, exchange_of, test_case
from ci.suites.quic.captures.key_logs import key_logs
from ci.suites.quic.captures.packet_log import packet_log
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.compliance import Compliance
from ci.suites.quic.decrypted import captures_below, decrypted_copies
from ci.suites.quic.judge import RATE, judge, judge_ending
from ci.suites.quic.materials.case_files import prepare
from ci.suites.quic.testcases.measurements import summary
from ci.util.portable_names import is_short

if TYPE_CHECKING:
    from ci.model import Case, Role, Verdict
    from ci.spec.attempt import AttemptSpec, Evidence, Surroundings
    from ci.spec.sandbox import OpenSandbox
    from ci.suites.base import Captures, Repetition, RunOptions, TryOut
    from ci.suites.quic.captures.packets import Trace
    from ci.suites.quic.testcases.base import TestCase
    from ci.util.json_document import Json

__all__ = ["NetworkCaseRun", "NetworkRun", "open_run"]

# Made from the seed, so they can be made again; a private key is nothing to publish.
SUPPLIED: Final = ("certs", "client_www", "server_www")
RECEIVED: Final = ("client_downloads", "server_downloads")
# No participant is called that.
PACKETS: Final = "packets"


def open_run(options: RunOptions) -> NetworkRun:
    return NetworkRun(
        auxiliary=options.auxiliary,
        compliance=Compliance(options.folder, factor=options.timeout_factor),
        seeded=not options.foreign_simulator,
        seed=options.seed,
        seeds=options.seeds,
        deadline=options.timeout,
        factor=options.timeout_factor,
        captures=options.captures,
        open_sandbox=options.open_sandbox,
        operator={name: value for name in OPERATOR_VARIABLES if (value := options.environment.get(name))},
    )


@dataclass(frozen=True, kw_only=True)
class NetworkRun:
    """A `SuiteRun` of quic or webtransport.

    :param auxiliary: images of the simulator and of the iperf pair, by the version id of each
    :param compliance: what is known of who answers to unknown test cases
    :param seeded: the simulator is ours and draws its lots from a seed it is given
    :param seed: for every case, instead of one of its own
    :param seeds: for these cases, by key
    :param deadline: seconds for every case, instead of its own
    :param factor: for slow hosts: a case's own limit, times this
    :param captures: of which results the captures are kept
    :param open_sandbox: where captures are read
    :param operator: variables of the runner's environment that are passed on to the images, by name
    """

    auxiliary: Mapping[str, str]
    compliance: Compliance
    seeded: bool
    seed: int | None
    seeds: Mapping[str, int]
    deadline: float | None
    factor: float
    captures: Captures
    open_sandbox: OpenSandbox
    operator: Mapping[str, str]

    def describe(self) -> Mapping[str, Json]:
        return {"simulator": self.auxiliary["simulator"]}

    def inputs(self, case: Case, images: Mapping[str, str]) -> Mapping[str, Json]:
        """The same images in the same roles over the same network, asked the same thing."""
        return {
            "suite": case.suite.name,
            "testCase": case.words[0],
            **{role: images[version] for role, version in case.versions.items()},
            "simulator": self.auxiliary["simulator"],
            "seed": self.seed,
            "operator": dict(self.operator),
        }

    def case_run(self, case: Case, images: Mapping[str, str], *, identity: str, number: int) -> NetworkCaseRun:
        del identity  # containers of an attempt share nothing with those of another
        test = test_case(case)
        limit = test.limit * self.factor if self.deadline is None else self.deadline
        by_role: dict[Role, tuple[str, str]] = {
            **{role: (version, images[version]) for role, version in case.versions.items()},
            "simulator": ("simulator", self.auxiliary["simulator"]),
        }
        if "iperf" in self.auxiliary:
            by_role["iperf_client"] = by_role["iperf_server"] = ("iperf", self.auxiliary["iperf"])
        return NetworkCaseRun(
            case=case,
            test=replace(test, limit=max(1, int(limit))),
            role_images=RoleImages(by_role, seeded=self.seeded, operator=self.operator),
            seed=self.seeds.get(case.key, _seed(f"{case.key}/{number}")) if self.seed is None else self.seed,
            compliance=self.compliance,
            captures=self.captures,
            open_sandbox=self.open_sandbox,
        )

    def captures_in(self, folder: Path) -> Sequence[Path]:
        return captures_below(folder)

    def decrypted(self, folder: Path) -> Mapping[Path, Path]:
        return decrypted_copies(folder, self.open_sandbox)


@dataclass(frozen=True, kw_only=True)
class NetworkCaseRun:
    """See `ci.suites.base.CaseRun`."""

    case: Case
    test: TestCase
    role_images: RoleImages
    seed: int
    compliance: Compliance
    captures: Captures
    open_sandbox: OpenSandbox
    has_files: bool = True

    @property
    def roles(self) -> tuple[Role, ...]:
        return (*self.case.suite.roles, "simulator", *self.test.participants)

    @property
    def repetitions(self) -> tuple[str, ...]:
        count = self.test.repetitions
        return tuple(f"{number}/" for number in range(1, count + 1)) if count > 1 else ("",)

    @property
    def limits(self) -> Mapping[str, Json]:
        return {"deadlineSeconds": self.test.limit, "repetitions": self.test.repetitions}

    @property
    def settled(self) -> bool:
        return self.compliance.settled(self.case, self.role_images)

    def objection(self, try_out: TryOut) -> Verdict | None:
        return self.compliance.objection(self.case, self.role_images, try_out)

    def write_inputs(self, number: int, folder: Path) -> None:
        prepare(self.test.case_files(self.seed + number), folder)

    def drop_inputs(self, folder: Path) -> None:
        for name in SUPPLIED:
            shutil.rmtree(folder / name, ignore_errors=True)

    def spec(self, number: int, folder: Path | None, surroundings: Surroundings) -> AttemptSpec:
        del surroundings  # the contract's
        return attempt_spec(
            self.case, self.test, self.test.case_files(self.seed + number), self.role_images, _there(folder)
        )

    def has_result(self, stdout: str) -> bool:
        del stdout
        return False

    def early_verdict(
        self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings
    ) -> Verdict | None:
        del number, surroundings
        if "simulator" in evidence.exits:
            return None  # what its end means its captures say, and they are not here yet
        return judge_ending(self.test, exchange_of(evidence, _there(folder)))

    def judge(self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings) -> Verdict:
        del surroundings
        with shared(self.open_sandbox) as open_sandbox:
            return self._judged(number, evidence, _there(folder), open_sandbox)

    def _judged(self, number: int, evidence: Evidence, place: Path, open_sandbox: OpenSandbox) -> Verdict:
        exchange = exchange_of(evidence, place)
        read = partial(_read_and_log, place, open_sandbox)
        verdict = judge(self.test, self.test.case_files(self.seed + number), exchange, read=read)
        if verdict.outcome in (Outcome.FAILED, Outcome.TIMED_OUT) and not (place / PACKETS).exists():
            # Decided without a look at the traffic, which is read all the same: it may show why. Whatever that does to
            # its readers, the verdict stands.
            with contextlib.suppress(Exception):
                read(exchange.capture("left"), key_logs(place), whole=True)
        return verdict

    def concluded(self, verdicts: Sequence[Verdict]) -> Verdict:
        """The first that did not pass, or what all of them measured, as mean and sample deviation."""
        last = verdicts[-1]
        if last.outcome is not Outcome.PASSED or len(verdicts) == 1:
            return last
        rates = [verdict.metrics[RATE] for verdict in verdicts]
        measured = summary(rates)
        each = {f"{RATE}{number}": rate for number, rate in enumerate(rates, 1)}
        return replace(last, metrics={RATE: measured.mean, f"{RATE}Deviation": measured.deviation, **each})

    def reconsidered(self, verdict: Verdict, evidence: Evidence, try_out: TryOut) -> Verdict:
        return self.compliance.reconsidered(self.case, self.role_images, try_out, evidence.exits, verdict)

    def facts(self, folder: Path, run: Sequence[tuple[Repetition, Mapping[str, Json]]]) -> Mapping[str, Json]:
        facts = []
        for repetition, participants in run:
            place = folder / repetition.where
            self._drop(place, repetition.verdict)
            facts.append(_facts(repetition, participants, _drop_long_names(place)))
        return {"repetitions": facts}

    def _drop(self, place: Path, verdict: Verdict) -> None:
        red = verdict.outcome not in (Outcome.PASSED, Outcome.UNSUPPORTED)
        self.drop_inputs(place)
        for name in () if red else RECEIVED:
            shutil.rmtree(place / name, ignore_errors=True)
        if not red and self.captures == "red":
            for path in (place / "sim").glob("*.pcap"):
                path.unlink()

    def owner(self, name: str) -> str:
        return _owner(name)


def _read_and_log(
    folder: Path, open_sandbox: OpenSandbox, capture: Path, key_logs: Sequence[Path], *, whole: bool
) -> Trace:
    """Read a capture for the judge, and leave what it holds as lines for people."""
    trace = read_trace(capture, key_logs, open_sandbox, whole=whole)
    (folder / PACKETS).mkdir(exist_ok=True)
    (folder / PACKETS / f"{capture.stem.rpartition('_')[2]}.txt").write_text(packet_log(trace), encoding="utf-8")
    return trace


def _there(folder: Path | None) -> Path:
    if folder is None:
        raise EngineError("no-folder", "a case over a simulated network is run without a folder for its files")
    return folder


def _seed(identity: str) -> int:
    """The same for the same attempt of the same case, on every host."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4], "big") >> 1


def _drop_long_names(place: Path) -> dict[str, set[str]]:
    """Remove what was judged, but has a longer name than evidence may have: in which folders, by whose they are."""
    found: dict[str, set[str]] = {}
    for path in place.rglob("*"):
        name = path.relative_to(place).as_posix()
        if path.is_file() and not is_short(name):
            path.unlink()
            found.setdefault(_owner(name), set()).add(name.partition("/")[0])
    return found


def _facts(
    repetition: Repetition, participants: Mapping[str, Json], left_out: Mapping[str, set[str]]
) -> dict[str, Json]:
    evidence = repetition.evidence
    cut: dict[str, set[str]] = {role: set(names) for role, names in evidence.cut.items()}
    for role, names in left_out.items():
        cut.setdefault(role, set()).update(names)
    return {
        "seed": repetition.seed,
        "first": evidence.first,
        "elapsed": round(evidence.elapsed, 3),
        "outcome": repetition.verdict.outcome.value,
        "notKeptWhole": {role: sorted(names) for role, names in cut.items()},
        "roles": participants,
    }


def _owner(name: str) -> str:
    """By the folder it was gathered in."""
    parts = PurePosixPath(name).parts
    first = parts[1] if parts[0].isdigit() and len(parts) > 1 else parts[0]
    owner = first.partition("_")[0]
    return {"sim": "simulator"}.get(owner, owner)
