"""`repro`: one case in the foreground, as often as it takes, with everything there is to see."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.arguments import seconds, whole_number
from ci.backends import Backend, add_engine_argument, open_backend
from ci.case_lookup import find_case
from ci.commands.build_images import add_archive_argument, archives, build
from ci.commands.run_shard import interruptible
from ci.engines.daemon import LABEL
from ci.engines.docker import DockerEngine, DockerSlot
from ci.engines.packets import packets
from ci.engines.shell import NO_SHELL, open_shell
from ci.errors import BuildError, ConfigurationError, ExitCode
from ci.images import Images
from ci.inbox import Cancelled
from ci.live import LiveOutput
from ci.model import ROLES, Outcome, PublishedImage, ReasonCode, Verdict, Version
from ci.progress import OUTCOME_STYLES
from ci.provision import Image, Unavailable
from ci.repeat import After, Repeat, Try, pass_rate
from ci.suites.transport import TransportSuite
from ci.workspace import Workspace, add_version_arguments

if TYPE_CHECKING:
    from ci.console import Console
    from ci.engines.base import Engine, Slot
    from ci.model import Case
    from ci.scene import Scene

__all__ = ["add_parser", "run"]

UNTIL_FAIL_TIMES: Final = 100
NEED_DOCKER: Final = ("--pcap", "--shell", "--keep")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "repro",
        help="one case in the foreground, as often as it takes",
        description="Plays one case, shows what both sides write while they write it, and says how to play it by hand.",
        epilog='example: nox -s repro -- "py-v0.8 x go-v0.51 (wss, noise, yamux)"\n'
        'example: nox -s repro -- "js-v3.3 x rust-v0.57 (tcp, tls, yamux)" --until-fail --quiet --pcap',
    )
    parser.add_argument("case", nargs="+", metavar="CASE", help="its name as `list` prints it, in quotes")
    add_version_arguments(parser)
    group = parser.add_argument_group("how often")
    group.add_argument(
        "--times",
        type=whole_number("--times", minimum=1, maximum=100_000),
        metavar="N",
        help=f"play it N times and say how many passed (default: 1, with --until-fail {UNTIL_FAIL_TIMES})",
    )
    group.add_argument("--until-fail", action="store_true", help="stop at the first try that does not pass")
    group.add_argument("--timeout", type=seconds("--timeout"), metavar="SECONDS", help="per try")
    group.add_argument("--strict-exit", action="store_true", help="fail a dialer that stays after its result")
    group = parser.add_argument_group("what to see")
    group.add_argument("--quiet", action="store_true", help="do not show what both sides write")
    group.add_argument("--pcap", action="store_true", help="keep the packets of both sides with the evidence")
    group.add_argument("--shell", action="store_true", help="a shell on the side that failed, before it is removed")
    group.add_argument("--keep", action="store_true", help="leave the containers of the last try as they are")
    group.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    add_archive_argument(parser)
    add_engine_argument(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    case = find_case(" ".join(arguments.case), workspace.catalogue.versions)
    folder = _new_folder(arguments.results)
    try:
        backend = open_backend(
            arguments.engine,
            workspace,
            console,
            run=folder.name,
            archives=archives(arguments),
            keep=arguments.keep,
        )
        console.info(backend.why)
        engine = backend.engine()
        _check_flags(arguments, engine, backend.why)
        images = _images(workspace, case, backend, console)
        return _Session(arguments, console, engine, folder).play(workspace, case, images)
    finally:
        if not any(folder.iterdir()):
            folder.rmdir()


class _Session:
    """One call of the command."""

    def __init__(self, arguments: argparse.Namespace, console: Console, engine: Engine, folder: Path) -> None:
        self._arguments = arguments
        self._console = console
        self._engine = engine
        self._folder = folder
        self._times: int = arguments.times or (UNTIL_FAIL_TIMES if arguments.until_fail else 1)

    def play(self, workspace: Workspace, case: Case, images: Mapping[str, Image]) -> ExitCode:
        arguments, console = self._arguments, self._console
        suite = TransportSuite(workspace.versions, deadline=arguments.timeout, strict_exit=arguments.strict_exit)
        done: list[Try] = []
        by_hand: list[str] = []
        cut_short = False
        try:
            with interruptible(console) as cancelled, self._engine.slot(0) as slot:
                repeat = Repeat(
                    case=case,
                    suite=suite,
                    slot=slot,
                    images=images,
                    folder=self._folder,
                    cancelled=cancelled,
                    live=lambda: None if arguments.quiet else LiveOutput(console),
                    over=lambda number, scene, verdict: self._over(slot, number, scene, verdict),
                    around=lambda scratch: self._around(slot, scratch),
                )
                console.info(case.name, style="bold")
                for one in repeat.tries(self._times, until_fail=arguments.until_fail):
                    done.append(one)
                    self._report(one)
                names = {image.digest: _called(workspace.versions[id_], image) for id_, image in images.items()}
                by_hand = self._engine.reproduction(done[-1].scene, slot, names=names)
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
        return ExitCode.INTERRUPTED if cut_short else _exit_code(done)

    # --- around a try -----------------------------------------------------------------------------------

    def _around(self, slot: Slot, scratch: Path) -> AbstractContextManager[object]:
        engine = self._engine
        if self._arguments.pcap and isinstance(engine, DockerEngine) and isinstance(slot, DockerSlot):
            files = {role: scratch / f"{role}.pcap" for role in ROLES}
            return packets(engine.daemon, slot, helper=engine.helper, files=files)
        return nullcontext()

    def _over(self, slot: Slot, number: int, scene: Scene, verdict: Verdict) -> After:
        after = After.CLEAR
        failed = verdict.outcome is not Outcome.PASSED
        if self._arguments.shell and failed:
            self._shell(slot, scene, verdict)
            after = After.LOOKED
        last = number == self._times or (self._arguments.until_fail and failed)
        return After.LEAVE if self._arguments.keep and last else after

    def _shell(self, slot: Slot, scene: Scene, verdict: Verdict) -> None:
        reason = verdict.reason
        actor = scene.listener if reason is not None and reason.side == "listener" else scene.dialer
        if not (self._console.terminal and sys.stdin.isatty()):
            self._console.warn("no shell: --shell needs a terminal to give it to")
            return
        assert isinstance(self._engine, DockerEngine)  # noqa: S101 -- see `_check_flags`
        assert isinstance(slot, DockerSlot)  # noqa: S101
        self._console.info(f"{verdict.outcome}: {reason.text if reason else ''}", style=OUTCOME_STYLES[verdict.outcome])
        self._console.info(f"a shell on the {actor.role}'s side ({actor.version}); `exit` goes on", style="bold")
        if open_shell(self._engine.daemon, slot, actor) in NO_SHELL:
            self._console.warn(f"the image of {actor.version} seems to hold no /bin/sh")

    # --- words ------------------------------------------------------------------------------------------

    def _report(self, one: Try) -> None:
        console, verdict = self._console, one.verdict
        head = f"{verdict.outcome} after {one.seconds:.2f} s"
        if self._times > 1:
            head = f"try {one.number}: {head}"
        console.info(head, style=OUTCOME_STYLES[verdict.outcome])
        if verdict.reason is not None:
            console.info(f"  {verdict.reason.code}, {verdict.reason.side}: {verdict.reason.text}")
        for what, facts in (("", verdict.metrics), ("negotiated: ", verdict.negotiated or {})):
            if facts:
                console.info(f"  {what}" + ", ".join(f"{name} {value}" for name, value in facts.items()))
        for warning in verdict.warnings:
            console.info(f"  warning: {warning}")
        console.info(f"  evidence: {one.folder}")
        for path in sorted(one.folder.glob("*.pcap")):
            console.info(f"  packets: {path}")

    def _say_what_stays(self) -> None:
        mine = f"label={LABEL}.run={self._folder.name}"
        console = self._console
        console.info("\nkept: the containers of the last try, their network and its Redis", style="bold")
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
    return ExitCode.INCOMPLETE if Outcome.ERROR in outcomes else ExitCode.GREEN


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


def _check_flags(arguments: argparse.Namespace, engine: Engine, why: str) -> None:
    """Processes share this host's network and end with their slot: there is nothing to record, enter or leave."""
    given = [flag for flag in NEED_DOCKER if getattr(arguments, flag.removeprefix("--"))]
    if given and not isinstance(engine, DockerEngine):
        raise ConfigurationError(
            "needs-docker",
            f"{' and '.join(given)} cannot be had with local processes: that needs Docker",
            why=why,
            hint="leave it out, or start Docker and use --engine docker",
        )


def _images(workspace: Workspace, case: Case, backend: Backend, console: Console) -> dict[str, Image]:
    """Both images, built where they are missing."""
    versions = [workspace.versions[name] for name in dict.fromkeys((case.dialer, case.listener))]
    try:
        found = {version: backend.provider.find(version) for version in versions}
        missing = tuple(
            version
            for version, image in found.items()
            if isinstance(image, Unavailable) and image.code is ReasonCode.BUILD_FAILED
        )
        if missing:
            build(backend, missing, console)
            found |= {version: backend.provider.find(version) for version in missing}
    finally:
        backend.provider.stop()
    images = {}
    for version, image in found.items():
        if isinstance(image, Unavailable):
            raise BuildError(
                "image-missing",
                f"{case.name} cannot be played: {image.text}",
                why="what runs this version could be neither found nor made here",
                hint="see docs/adding-an-implementation.md, or choose a case of other versions",
            )
        images[version.id] = image
    return images
