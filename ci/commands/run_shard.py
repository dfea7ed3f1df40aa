"""`run-shard`: one deterministic slice of the plan, resumable."""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ci.commands.case_runs import add_case_arguments, add_time_arguments, open_cases
from ci.commands.engine_choice import add_engine_argument, add_image_arguments, backend_to_run_on
from ci.commands.given_runs import given_run
from ci.commands.latest import mark_latest
from ci.commands.package_lists import keep_package_lists
from ci.commands.workspace import RUN_VARIABLE, Workspace, add_selection_arguments, selection_words, version_words
from ci.engines.backend import Backend
from ci.engines.registry import AUTO, ENGINES
from ci.errors import ExitCode, InteropError
from ci.images.base import Image, Provider, Unavailable
from ci.images.caches.folder import Stopped
from ci.model import Case, Outcome, ReasonCode
from ci.plan.parallel_job import AUTO as AUTO_SHARD
from ci.plan.parallel_job import shard_of_job
from ci.plan.shard import Shard, slice_of
from ci.results.expectations import red_as_expected, unexpectedly_red
from ci.results.host_load import load_note
from ci.results.records import RunStart
from ci.results.reuse import Reusable, reusable
from ci.results.shard_file import ResultsWriter, finished_cases, put_aside, read_shard, red_cases, shard_folder, tries
from ci.runner.retry import RETRY_CASES, RETRY_SECONDS
from ci.runner.shard import Runner, Settings, Summary
from ci.runner.workers import AUTO as AUTO_WORKERS
from ci.terminal.interrupts import interruptible
from ci.terminal.progress import Progress
from ci.terminal.spelling import say_next
from ci.util.arguments import whole_number
from ci.util.atomic import write_atomically
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.records import Attempt, Object
    from ci.terminal.console import Console

Images: TypeAlias = "Mapping[str, Future[Image | Unavailable]]"

# As GitHub sets it.
ATTEMPT_VARIABLE: Final = "GITHUB_RUN_ATTEMPT"

__all__ = [
    "Images",
    "add_run_arguments",
    "configure",
    "engine_to_go_on_with",
    "repro_command",
    "repro_words",
    "run",
    "run_one_shard",
]


def add_worker_argument(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--workers",
        type=_worker_count,
        default=AUTO_WORKERS,
        metavar="N",
        help="cases at once (default: auto: as many as there are cores, more while these have nothing to do)",
    )


def _worker_count(text: str) -> int:
    return AUTO_WORKERS if text == AUTO else whole_number("--workers", minimum=1, maximum=1024)(text)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how to run")
    add_worker_argument(group)
    group.add_argument(
        "--no-overlap",
        dest="overlap",
        action="store_false",
        help="create the containers of a case when its turn comes, not while the case before it runs",
    )
    group.add_argument(
        "--retries",
        type=whole_number("--retries", minimum=0, maximum=100),
        default=1,
        metavar="N",
        help="how often a red case is tried again, alone (default: 1)",
    )
    group.add_argument(
        "--retry-cases",
        type=whole_number("--retry-cases", minimum=0),
        default=RETRY_CASES,
        metavar="N",
        help=f"how many red cases a shard tries again at most (default: {RETRY_CASES})",
    )
    group.add_argument(
        "--retry-minutes",
        type=whole_number("--retry-minutes", minimum=0, maximum=1440),
        default=int(RETRY_SECONDS / 60),
        metavar="N",
        help=f"for how long (default: {RETRY_SECONDS / 60:g})",
    )
    group.add_argument(
        "--confirm",
        type=whole_number("--confirm", minimum=0, maximum=100),
        default=0,
        metavar="N",
        help="run a case that passed although it was expected to fail N times more, alone (default: 0)",
    )
    add_time_arguments(group)
    add_case_arguments(group)
    group.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    group.add_argument(
        "--run",
        dest="run_name",
        metavar="NAME",
        help="default: $INTEROP_RUN, else named after the plan; of `interop` after time and process",
    )
    group.add_argument(
        "--reuse",
        metavar="RUN",
        help="an earlier run, or the address of its merged.json: what was green there at the first attempt, on equal "
        "images, code, parameters and limits, is not run again",
    )
    group.add_argument("--verify", action="store_true", help="run everything, whatever --reuse says, and compare")
    group.add_argument("--fresh", action="store_true", help="put earlier results of this shard aside and start over")
    group.add_argument(
        "--accept-red", action="store_true", help="exit 0 although cells are red: a dashboard of them is the purpose"
    )
    add_image_arguments(parser)
    add_engine_argument(parser)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Runs a deterministic slice of the cases. After an interruption the same command goes on."
    parser.epilog = "example: nox -s run-shard -- 3/8"
    parser.add_argument(
        "shard", metavar="INDEX/COUNT", help="3/8 is the third of eight; auto: what the CI provider says"
    )
    add_selection_arguments(parser)
    add_run_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    shard = shard_of_job(os.environ) if arguments.shard == AUTO_SHARD else Shard.parse(arguments.shard)
    workspace = Workspace.from_arguments(arguments)
    name = workspace.run_name(arguments.run_name)
    engine = engine_to_go_on_with(arguments, shard_folder(arguments.results, name, str(shard)), console)
    backend = backend_to_run_on(engine, arguments, workspace, console, run=name)
    console.info(backend.why)

    def find(cases: Sequence[Case], pool: ThreadPoolExecutor, _: Progress) -> Images:
        ids = dict.fromkeys(name for case in cases for name in case.pair)
        versions = [workspace.versions[name] for name in ids]
        # Built ones first: they are there at once, while a pull may take its time.
        versions.sort(key=lambda version: version.source.__class__.__name__)
        support = workspace.suite.auxiliary_images.needed(cases, workspace.simulator)
        return {version.id: pool.submit(backend.provider.find, version) for version in (*support, *versions)}

    folder, summary = run_one_shard(arguments, workspace, shard, backend, find, console)
    attempts = read_shard(folder).attempts
    if (note := load_note(attempts)) is not None:
        console.warn(note)
    console.info(f"results: {folder}")
    if summary.cancelled:
        console.info("to go on: the same command")
    else:
        purpose = "" if shard.count == 1 else f"when all {shard.count} shards have run"
        say_next(console, "merge-results", *selection_words(arguments), purpose=purpose)
    accepted = arguments.accept_red or not unexpectedly_red(attempts, folder, workspace.expected.by_key)
    return exit_code(summary, accept_red=accepted)


def engine_to_go_on_with(arguments: argparse.Namespace, folder: Path, console: Console) -> str:
    """The engine asked for; where that is left to us, the one that a shard was begun with.

    A cell of local processes among those of containers would be of another experiment.
    """
    if arguments.engine != AUTO or arguments.fresh:
        return str(arguments.engine)
    return engine_of(arguments, (it.engine for it in read_shard(folder).attempts), console)


def engine_of(arguments: argparse.Namespace, described: Iterable[Object], console: Console) -> str:
    """The engine asked for; where that is left to us, the one of those that attempts were made with."""
    if arguments.engine != AUTO:
        return str(arguments.engine)
    used = {engine.get("name") for engine in described}
    for name in ENGINES:
        if name in used:
            console.info(f"engine: {name}, with which this was begun; --engine takes another")
            return name
    return AUTO


def start_of(run: str, plan: str, shard: str, *, rerun: bool = False) -> RunStart:
    """The first line of a shard that is run here and now."""
    return RunStart(
        run=run,
        plan=plan,
        shard=shard,
        ci_attempt=_ci_attempt(os.environ),
        tool_version=_tool_version(),
        commit=_commit(),
        rerun=rerun,
        host=_host(),
    )


def run_one_shard(
    arguments: argparse.Namespace,
    workspace: Workspace,
    shard: Shard,
    backend: Backend,
    images: Callable[[Sequence[Case], ThreadPoolExecutor, Progress], Images],
    console: Console,
    *,
    listed_later: bool = False,
) -> tuple[Path, Summary]:
    """Run what is left of a shard and return its folder and what came of it.

    :param images: begins to look for the images of these cases, in the pool's threads, and shows what it builds
    :param listed_later: the caller lists the red cases, if the run comes to its end
    """
    name = workspace.run_name(arguments.run_name)
    seconds = {one.case: one.seconds for one in slice_of(workspace.plan, shard)}
    planned = list(seconds)
    folder = shard_folder(arguments.results, name, str(shard))
    if arguments.fresh:
        put_aside(folder)
    earlier = read_shard(folder)
    finished = finished_cases(earlier.attempts)
    left = [case for case in planned if case.key not in finished]
    console.info(
        f"shard {shard} of run {name}: {counted(len(planned), 'case')}"
        + (f", {len(planned) - len(left)} of them finished earlier" if finished else "")
    )
    start = start_of(name, workspace.plan.digest, str(shard))
    if not left and earlier.end is not None:
        console.info("every case of this shard has a result already; --fresh runs them again")
        return folder, Summary(outcomes={it.key: it.outcome for it in earlier.attempts})
    earlier_results: Reusable = {}
    if arguments.reuse is not None:
        earlier_results = reusable(given_run(arguments.reuse), workspace.expected.by_key)

    # A CI provider names its runs itself, and uploads what lies there.
    if RUN_VARIABLE not in os.environ:
        mark_latest(arguments.results, name)
    with (
        ResultsWriter(folder, start) as writer,
        interruptible(console, stop=backend.provider.stop) as cancelled,
        ThreadPoolExecutor(max_workers=4, thread_name_prefix="image") as pool,
        _stopping(backend.provider),
        Progress(
            console,
            len(left),
            arguments.workers,
            expected={case.name: seconds[case] for case in left},
            alone=[case.name for case in left if case.alone],
        ) as progress,
    ):
        write_atomically(folder / "plan.json", workspace.plan.to_json().encode())
        foreseen = red_as_expected(earlier.attempts, folder, workspace.expected.by_key)
        red = {case: n for case, n in red_cases(planned, earlier.attempts).items() if case.key not in foreseen}
        due = [*left, *red]
        found = images(due, pool, progress)
        progress.awaits(found.values())
        try:
            case_runner = open_cases(arguments, workspace, backend, due, found, folder)
        except (InteropError, Stopped):
            if not cancelled.is_set():
                raise
            # It waited for what was called off.
            return folder, _cut_short(planned, earlier.attempts, console)
        runner = Runner(
            case_runner=case_runner,
            writer=writer,
            start=start,
            folder=folder,
            progress=progress,
            settings=Settings(
                workers=arguments.workers,
                overlap=arguments.overlap,
                retries=arguments.retries,
                retry_cases=arguments.retry_cases,
                retry_seconds=arguments.retry_minutes * 60.0,
                confirm=arguments.confirm,
                expected=workspace.expected.by_key,
                reusable=earlier_results,
                verify=arguments.verify,
                repro=partial(repro_command, arguments),
            ),
            cancelled=cancelled,
        )
        summary = runner.run(left, found, red=red, tried=tries(earlier.attempts), planned=planned)
        keep_package_lists(folder, found, backend.provider)
        reported = len({*finished, *summary.outcomes} & {case.key for case in planned})
        if not (summary.cancelled or summary.lost):
            writer.finish(planned=len(planned), reported=reported)
        if listed_later and not (summary.cancelled or summary.lost):
            progress.listed_later()
    for note in summary.notes:
        console.info(note)
    if summary.lost is not None:
        if summary.lost.reference == "results-gone":
            raise summary.lost
        console.error(f"{summary.lost}\n  reference: {summary.lost.reference}")
    summary.outcomes = {it.key: it.outcome for it in earlier.attempts} | summary.outcomes
    if summary.cancelled:
        console.info(_so_far(planned, summary), style="bold")
    return folder, summary


def _cut_short(planned: Sequence[Case], earlier: Sequence[Attempt], console: Console) -> Summary:
    """Of a run that was interrupted before anything ran."""
    summary = Summary(cancelled=True, outcomes={it.key: it.outcome for it in earlier})
    console.info(_so_far(planned, summary), style="bold")
    return summary


def _so_far(planned: Sequence[Case], summary: Summary) -> str:
    """What an interrupted run came to."""
    counts = Counter(summary.outcomes[case.key] for case in planned if case.key in summary.outcomes)
    done = f"interrupted after {counts.total()} of {counted(len(planned), 'case')}"
    came_to = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome])
    return f"{done}: {came_to}" if came_to else done


def repro_command(arguments: argparse.Namespace, name: str) -> str:
    """The command that runs this case of this run once more; nothing in a name means anything to a shell."""
    first, *words = repro_words(arguments, name)
    return " ".join([f'nox -s repro -- "{first}"', *map(shlex.quote, words)])


def repro_words(arguments: argparse.Namespace, name: str) -> list[str]:
    """The words of `repro` for this case of this run."""
    words = [name, *version_words(arguments)]
    if arguments.timeout is not None:
        words += ["--timeout", f"{arguments.timeout:g}"]
    if arguments.timeout_factor != 1:
        words += ["--timeout-factor", f"{arguments.timeout_factor:g}"]
    if arguments.engine != "auto":
        words += ["--engine", arguments.engine]
    if arguments.strict_exit:
        words.append("--strict-exit")
    return words


def exit_code(summary: Summary, *, accept_red: bool) -> ExitCode:
    """What the shard says by itself; the merge has the last word on the run."""
    if summary.cancelled:
        return ExitCode.INTERRUPTED
    codes = {it.code for it in summary.reasons.values() if it is not None}
    if ReasonCode.BUG in codes:
        return ExitCode.BUG
    outcomes = set(summary.outcomes.values())
    if {Outcome.FAILED, Outcome.TIMED_OUT} & outcomes and not accept_red:
        return ExitCode.FAILED
    if summary.lost is not None:
        return summary.lost.exit_code
    if ReasonCode.BUILD_FAILED in codes:
        return ExitCode.BUILD
    # A shard that tried nothing is not green: nobody would learn of an outage of the registry.
    incomplete = summary.left or Outcome.ERROR in outcomes or outcomes == {Outcome.NOT_RUN}
    return ExitCode.INCOMPLETE if incomplete else ExitCode.GREEN


@contextmanager
def _stopping(provider: Provider) -> Iterator[None]:
    """However the run ends: nothing is built any more once it has."""
    try:
        yield
    finally:
        provider.stop()


def _ci_attempt(environment: Mapping[str, str]) -> int:
    """Which attempt at this job of CI it is.

    :raises ConfigurationError: `bad-value`
    """
    return whole_number(ATTEMPT_VARIABLE, minimum=1)(environment.get(ATTEMPT_VARIABLE) or "1")


def _tool_version() -> str:
    try:
        return version("interop-matrix")
    except PackageNotFoundError:
        return "checkout"


def _commit() -> str | None:
    """Of the checkout this is run in, with a mark where it was changed; None where it is none."""
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _host() -> dict[str, str | int]:
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "cpus": os.cpu_count() or 1,
    }
