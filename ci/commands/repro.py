"""`repro`: one case in the foreground, as often as it takes, with everything there is to see."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.commands.build_images import found_or_built
from ci.commands.case_runs import add_time_arguments, add_try_arguments, done, open_cases
from ci.commands.engine_choice import add_engine_argument, add_image_arguments, backend_for, image_choice
from ci.commands.repro_loop import Repeat, Try, pass_rate
from ci.commands.repro_output import LiveOutput
from ci.commands.workspace import Workspace, add_version_arguments, version_words
from ci.engines.backend import Backend
from ci.engines.docker.daemon import LABEL
from ci.engines.docker.engine import DockerEngine, DockerSlot
from ci.engines.docker.images import Images
from ci.engines.docker.networks import NetworkSlot
from ci.engines.docker.shell import NO_SHELL, open_shell
from ci.engines.docker.slot import ContainerSlot
from ci.engines.docker.tcpdump import packets
from ci.errors import ConfigurationError, EngineError, ExitCode
from ci.images.base import Image
from ci.model import Outcome, PublishedImage, Verdict, Version
from ci.plan.case_lookup import find_case
from ci.runner.base import After
from ci.runner.inbox import Cancelled
from ci.runner.schedule import Ready
from ci.suites.registry import SUITES
from ci.terminal.interrupts import interruptible
from ci.terminal.progress import OUTCOME_STYLES
from ci.terminal.spelling import say_next
from ci.util.arguments import whole_number

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.runner.case import EngineCases
    from ci.spec.attempt import Participant
    from ci.terminal.console import Console

__all__ = ["configure", "run"]

UNTIL_FAIL_TIMES: Final = 100
NEED_DOCKER: Final = ("--pcap", "--shell", "--keep")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs one case, shows what both sides write while they write it, and says how to run it by hand."
    )
    parser.epilog = (
        'example: nox -s repro -- "py-v0.8 x go-v0.51 (wss, noise, yamux)"\n'
        'example: nox -s repro -- "js-v3.3 x rust-v0.57 (tcp, tls, yamux)" --until-fail --quiet --pcap\n'
        'example: nox -s repro -- "aioquic-v1.7 x quic-go-v0.65 (retry)" --suite quic --seed 7 --pcap'
    )
    parser.add_argument("case", nargs="+", metavar="CASE", help="its name as `list` prints it, in quotes")
    add_version_arguments(parser)
    group = parser.add_argument_group("how often")
    group.add_argument(
        "--times",
        type=whole_number("--times", minimum=1, maximum=100_000),
        metavar="N",
        help=f"run it N times and say how many passed (default: 1, with --until-fail {UNTIL_FAIL_TIMES})",
    )
    group.add_argument("--until-fail", action="store_true", help="stop at the first try that does not pass")
    add_time_arguments(group)
    seeds = "of files, names and losses, for every try; else try N has that of attempt N in a run"
    add_try_arguments(group, seed=seeds)
    group = parser.add_argument_group("what to see")
    group.add_argument("--quiet", action="store_true", help="do not show what everybody writes")
    group.add_argument(
        "--pcap",
        action="store_true",
        help="keep the packets of both sides with the evidence; quic, webtransport: decrypted, too",
    )
    group.add_argument("--shell", action="store_true", help="a shell on the side that failed, before it is removed")
    group.add_argument("--keep", action="store_true", help="leave the containers of the last try as they are")
    group.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    add_image_arguments(parser)
    add_engine_argument(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    case = find_case(" ".join(arguments.case), workspace.catalogue.versions, workspace.suite)
    # As for the stages of a run: the captures of a try are kept where somebody wants to see them.
    arguments.captures = "all" if arguments.pcap else "red"
    folder = _new_folder(arguments.results)
    try:
        backend = backend_for(
            arguments.engine,
            workspace,
            console,
            run=folder.name,
            images=image_choice(arguments, console),
            keep=arguments.keep,
        )
        console.info(backend.why)
        _check_flags(arguments, backend)
        taking_part = (workspace.versions[case.first], workspace.versions[case.second])
        versions = tuple(
            dict.fromkeys((*taking_part, *workspace.suite.auxiliary_images.needed([case], workspace.simulator)))
        )
        images = found_or_built(versions, backend, console, purpose=f"{case.name} cannot be run")
        found = {name: done(image) for name, image in images.items()}
        case_runner = open_cases(arguments, workspace, backend, [case], found, folder)
        names = {images[it.id].digest: _called(it, images[it.id]) for it in versions}
        return _Session(arguments, console, case_runner, folder).run(Ready(case, images), names)
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


class _Session:
    """One call of the command."""

    def __init__(self, arguments: argparse.Namespace, console: Console, case_runner: EngineCases, folder: Path) -> None:
        self._arguments = arguments
        self._console = console
        self._case_runner = case_runner
        self._folder = folder
        self._times: int = arguments.times or (UNTIL_FAIL_TIMES if arguments.until_fail else 1)

    def run(self, ready: Ready, names: Mapping[str, str]) -> ExitCode:
        """:param names: what people call an image, by its digest"""
        arguments, console = self._arguments, self._console
        roles = self._case_runner.roles(ready)
        done: list[Try] = []
        by_hand: list[str] = []
        cut_short = False
        try:
            with interruptible(console) as cancelled, self._case_runner.slot(0) as slot:
                repeat = Repeat(
                    ready=ready,
                    case_runner=self._case_runner,
                    slot=slot,
                    folder=self._folder,
                    cancelled=cancelled,
                    live=lambda: None if arguments.quiet else LiveOutput(console, roles),
                    over=lambda number, verdict, participants: self._over(slot, number, verdict, participants),
                    around=lambda scratch: self._around(slot, scratch),
                )
                console.info(ready.case.name, style="bold")
                for one in repeat.tries(self._times, until_fail=arguments.until_fail):
                    done.append(one)
                    self._report(one)
                by_hand = self._by_hand(done[-1], names)
        except Cancelled:
            cut_short = True
        if len(done) > 1:
            for line in pass_rate(done):
                console.info(line)
        if by_hand:
            console.info("\nthe same by hand:", style="bold")
            for line in by_hand:
                console.info(line)
        if arguments.keep and not cut_short:
            self._say_what_stays()
        if len(done) == 1 and not cut_short:
            again = [ready.case.name, *version_words(arguments), "--times", "10"]
            say_next(console, "repro", *again, purpose="how often that happens")
        return ExitCode.INTERRUPTED if cut_short else _exit_code(done)

    # --- around a try -----------------------------------------------------------------------------------

    def _around(self, slot: Slot, scratch: Path) -> AbstractContextManager[object]:
        engine = self._case_runner.engine
        if self._arguments.pcap and isinstance(engine, DockerEngine):
            assert isinstance(slot, DockerSlot)  # noqa: S101 -- its own
            files = {role: scratch / f"{role}.pcap" for role in slot.pods}
            return packets(engine.daemon, slot, helper=engine.helper, files=files, warn=self._console.warn)
        return nullcontext()  # over a simulated network the simulator records them itself

    def _over(self, slot: Slot, number: int, verdict: Verdict, participants: Sequence[Participant]) -> After:
        after = After.CLEAR
        failed = verdict.outcome is not Outcome.PASSED
        if self._arguments.shell and failed:
            self._shell(slot, verdict, participants)
            after = After.LOOKED
        last = number == self._times or (self._arguments.until_fail and failed)
        return After.LEAVE if self._arguments.keep and last else after

    def _shell(self, slot: Slot, verdict: Verdict, participants: Sequence[Participant]) -> None:
        reason = verdict.reason
        by_role = {participant.role: participant for participant in participants}
        # Where nobody in particular failed: on the side that begins.
        roles = SUITES[self._arguments.suite].words.roles
        blamed = reason.side if reason is not None and reason.side in by_role else roles[0]
        participant = by_role[blamed]
        if not (self._console.terminal and sys.stdin.isatty()):
            self._console.warn("no shell: --shell needs a terminal to give it to")
            return
        self._console.info(f"{verdict.outcome}: {reason.text if reason else ''}", style=OUTCOME_STYLES[verdict.outcome])
        self._console.info(
            f"a shell on the {participant.role}'s side ({participant.version}); `exit` goes on", style="bold"
        )
        capabilities = ("NET_ADMIN", "NET_RAW") if isinstance(slot, NetworkSlot) else ()
        assert isinstance(slot, ContainerSlot)  # noqa: S101 -- see `_check_flags`
        if open_shell(slot, participant, capabilities=capabilities) in NO_SHELL:
            self._console.warn(f"the image of {participant.version} seems to hold no /bin/sh")

    def _by_hand(self, last: Try, names: Mapping[str, str]) -> list[str]:
        if last.by_hand is None:
            return []
        try:
            return last.by_hand(names)
        except OSError as error:
            self._console.warn(f"no commands to run it by hand: what they need cannot be written: {error}")
            return []

    # --- words ------------------------------------------------------------------------------------------

    def _report(self, one: Try) -> None:
        console, verdict = self._console, one.verdict
        head = f"{verdict.outcome} after {one.seconds:.2f} s"
        if self._times > 1:
            head = f"try {one.number}: {head}"
        if one.seed is not None:
            head += f" (seed {one.seed})"
        console.info(head, style=OUTCOME_STYLES[verdict.outcome])
        if verdict.reason is not None:
            console.info(f"  {verdict.reason.code}, {verdict.reason.side}: {verdict.reason.text}")
        for what, facts in (("", verdict.metrics), ("negotiated: ", verdict.negotiated or {})):
            if facts:
                console.info(f"  {what}" + ", ".join(f"{name} {value}" for name, value in facts.items()))
        for warning in verdict.warnings:
            console.info(f"  warning: {warning}")
        if one.folder is not None:
            console.info(f"  evidence: {one.folder}")
            self._say_where_packets_are(one.folder)

    def _say_where_packets_are(self, folder: Path) -> None:
        console = self._console
        recorded = self._case_runner.suite.captures_in(folder)
        for path in (*sorted(folder.glob("*.pcap")), *recorded):
            console.info(f"  packets: {path}")
        if not (recorded and self._arguments.pcap):
            return
        try:
            copies = self._case_runner.suite.decrypted(folder)
        except EngineError as error:
            console.warn(f"no decrypted copies: {error.message}")
            return
        if not copies:
            console.info("  not decrypted: neither side left a key log with the secrets of a handshake")
        for path in copies.values():
            console.info(f"  decrypted: {path}")
        for path in list(copies.values())[:1]:
            name = shlex.quote(str(path))
            console.info(f"  to open it: wireshark {name}")
            console.info(f"  or: tshark -r {name} -d udp.port==443,quic -Y quic")

    def _say_what_stays(self) -> None:
        mine = f"label={LABEL}.run={self._folder.name}"
        console = self._console
        console.info("\nkept: the containers of the last try, and the networks and helpers they need", style="bold")
        console.info(f"docker ps -a --filter {mine}")
        console.info("to remove them:", style="bold")
        containers, networks = f"$(docker ps -aq --filter {mine})", f"$(docker network ls -q --filter {mine})"
        console.info(f"docker rm -f -v {containers} && docker network rm {networks}")
        console.info("or leave it to `nox -s gc -- --yes`, once they are old enough")


def _called(version: Version, image: Image) -> str:
    """The name under which the engine finds this very image; an id says nothing to a reader."""
    if isinstance(version.source, PublishedImage):
        return version.source.reference
    return Images.tag(version, image.build_key or "")


def _exit_code(done: Iterable[Try]) -> ExitCode:
    outcomes = {one.verdict.outcome for one in done}
    if any(it.conclusive and it is not Outcome.PASSED for it in outcomes):
        return ExitCode.FAILED
    return ExitCode.GREEN if outcomes <= {Outcome.PASSED} else ExitCode.INCOMPLETE


def _new_folder(results: Path) -> Path:
    """A folder of this call's own, made at once: its name also tells the containers of two calls apart."""
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 100):
        folder = results / (f"repro-{moment}" if number == 1 else f"repro-{moment}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(
                "results-unwritable",
                f"{folder} cannot be made: {error.strerror or error}",
                why="the folder belongs to somebody else, or the disk is full or read-only",
                hint="choose another folder with --results",
            ) from error
        return folder
    raise ConfigurationError(
        "results-in-use", f"{results} has a hundred folders of this very second", hint="try again in a second"
    )


def _check_flags(arguments: argparse.Namespace, backend: Backend) -> None:
    """Processes share this host's network and end with their slot: there is nothing to record, enter or leave."""
    given = [flag for flag in NEED_DOCKER if getattr(arguments, flag.removeprefix("--"))]
    # A simulated network takes Docker anyway, and says so by itself.
    simulated = SUITES[arguments.suite].simulated_network
    if given and backend.small and not simulated:
        raise ConfigurationError(
            "needs-docker",
            f"{' and '.join(given)} cannot be had with local processes: that needs Docker",
            why=backend.why,
            hint="leave it out, or start Docker and use --engine docker",
        )
    if arguments.seed is not None and not simulated:
        raise ConfigurationError(
            "no-seed",
            f"--seed means nothing in the suite {arguments.suite}",
            why="its cases have no files, and no network that loses packets",
            hint="leave it out, or name the suite: `--suite quic`",
        )
