#!/usr/bin/env -S python3
# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""All commands of this project. Each session is a thin call of `python -m ci …`; `nox -s list -- --help` and so on.

Tags: `pipeline` (list, build-images, run-shard, merge-results, update-readme, export-results, interop, repro,
check-image, doctor, gc, init),
`check` (lint, types, tests: the default sessions).
"""

from __future__ import annotations

import hashlib
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import nox

try:
    import fcntl
except ImportError:  # Windows, where only the session `pure` is of use
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))

from ci.util.cache_folder import cache_candidates  # noqa: E402 -- the checkout need not be where nox looks

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "types", "tests"]

# No session wants uv, and nox tells of every command that there is none.
logging.getLogger("nox").addFilter(lambda record: record.getMessage() != "uv binary not found.")

ACTIONLINT = "v1.7.7"
# What the package needs, and what its tests and linters, or its benchmarks, need besides; made by the session `lock`.
RUN_LOCK = ROOT / "ci" / "requirements" / "run.txt"
CHECK_LOCK = ROOT / "ci" / "requirements" / "check.txt"
BENCH_LOCK = ROOT / "ci" / "requirements" / "bench.txt"


def environment(session: nox.Session, lock: Path = RUN_LOCK) -> str:
    """A virtual environment with exactly what a lock names, each file checked by its hash; returns its Python.

    One per lock, shared by all sessions that want the same and made under a file lock: shards started side by side on
    a fresh checkout must not build it twice, and the second start of anything must be quick.
    """
    key = hashlib.sha256(sys.version.encode() + lock.read_bytes()).hexdigest()[:12]
    folder = writable(session) / f"env-{lock.stem}-{key}"
    python = str(folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    with folder.with_suffix(".lock").open("w") as held:
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            session.run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(lock), external=True)
            (folder / "complete").touch()
    return python


def writable(session: nox.Session) -> Path:
    """Where environments are kept: in the checkout, or in the user's cache folder where that may not be written."""
    troubles = []
    for folder in (ROOT / ".nox", *cache_candidates(os.environ, checkout=ROOT)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            troubles.append(f"{folder}: {error.strerror}")
    return session.error(
        f"there is no folder to keep environments in: {'; '.join(troubles)}. "
        "Do this: name one that may be written: INTEROP_CACHE=/some/folder"
    )


def started_as() -> str:
    """How nox was started, so that a command can name the next one as it would be typed: `.venv/bin/nox`."""
    program, name = sys.argv[0], Path(sys.argv[0]).name
    if name == "__main__.py":
        words = [Path(sys.executable).name, "-m", "nox"]
    else:
        words = [name if shutil.which(name) == program else program]
    options = iter(sys.argv[1:])
    for word in options:
        if word == "--":
            break
        if word in ("-f", "--noxfile"):
            words += ["-f", next(options, "noxfile.py")]
    return shlex.join(words)


def pipeline(session: nox.Session, command: str) -> None:
    """Forward to `python -m ci`: its exit status (docs/commands.md) becomes ours, and signals are its own business.

    `session.run` would turn every failure into 1, and on Ctrl-C kill the command before it has cleaned up.
    """
    words = [environment(session), "-m", "ci", command, *session.posargs]
    session.log(shlex.join(words))
    if code := supervised(words):
        sys.exit(code)


def supervised(words: list[str]) -> int:
    """Run a command to its end, whatever we are sent meanwhile, and return its exit status.

    The terminal sends Ctrl-C to the command too. SIGTERM and SIGHUP may have come to us alone, so they are passed on;
    where the command got them itself, it takes both for one.
    """
    children: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: object) -> None:
        for child in children:
            child.send_signal(number)
        if not children:
            early.append(number)

    # Handled, not ignored: that would be inherited. What we were told to ignore (`nohup`), the command ignores as well.
    handlers = {signal.SIGINT: lambda *_: None, signal.SIGTERM: forward, signal.SIGHUP: forward}
    earlier = {it: signal.getsignal(it) for it in handlers if signal.getsignal(it) is not signal.SIG_IGN}
    for caught in earlier:
        signal.signal(caught, handlers[caught])
    try:
        child = subprocess.Popen(words, cwd=ROOT, env={**os.environ, "INTEROP_NOX": started_as()})
        children.append(child)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    finally:
        for caught, handler in earlier.items():
            signal.signal(caught, handler)
    return code if code >= 0 else 128 - code


@nox.session(name="interop", venv_backend="none", tags=["pipeline"])
def interop(session: nox.Session) -> None:
    """The whole job on this machine: build, run, merge, and a dashboard in a scratch copy of the README."""
    pipeline(session, "interop")


@nox.session(name="list", venv_backend="none", tags=["pipeline"])
def list_cases(session: nox.Session) -> None:
    """Which cases are selected, and what they cost; `--why` lists the others too. `--json` for programs."""
    pipeline(session, "list")


@nox.session(name="build-images", venv_backend="none", tags=["pipeline"])
def build_images(session: nox.Session) -> None:
    """Build or fetch the images of the selected versions."""
    pipeline(session, "build-images")


@nox.session(name="run-shard", venv_backend="none", tags=["pipeline"])
def run_shard(session: nox.Session) -> None:
    """Run a deterministic slice of the cases: `-- 3/8`."""
    pipeline(session, "run-shard")


@nox.session(name="merge-results", venv_backend="none", tags=["pipeline"])
def merge_results(session: nox.Session) -> None:
    """Reconcile the shards' results with the plan."""
    pipeline(session, "merge-results")


@nox.session(name="update-readme", venv_backend="none", tags=["pipeline"])
def update_readme(session: nox.Session) -> None:
    """Write the dashboard between the markers of the README; `-- --check` fails on drift."""
    pipeline(session, "update-readme")


@nox.session(name="publish-pages", venv_backend="none", tags=["pipeline"])
def publish_pages(session: nox.Session) -> None:
    """A run's page into the branch that is served: `-- FOLDER --branch gh-pages`."""
    pipeline(session, "publish-pages")


@nox.session(name="export-results", venv_backend="none", tags=["pipeline"])
def export_results(session: nox.Session) -> None:
    """Write merged results in a format that other programs read."""
    pipeline(session, "export-results")


@nox.session(venv_backend="none", tags=["pipeline"])
def report(session: nox.Session) -> None:
    """A run in a format: `-- [RUN] --format junit`."""
    pipeline(session, "report")


@nox.session(name="report-pull-request", venv_backend="none", tags=["pipeline"])
def report_pull_request(session: nox.Session) -> None:
    """What a pull request's run has made, as a check and a comment on it: `-- DOWNLOADED`."""
    pipeline(session, "report-pull-request")


@nox.session(venv_backend="none", tags=["pipeline"])
def compare(session: nox.Session) -> None:
    """Two runs, case by case: `-- BASE HEAD`."""
    pipeline(session, "compare")


@nox.session(venv_backend="none", tags=["pipeline"])
def expect(session: nox.Session) -> None:
    """Entries of `expectations:` for what a run came to and nobody expected: `-- [RUN] [--write]`."""
    pipeline(session, "expect")


@nox.session(venv_backend="none", tags=["pipeline"])
def history(session: nox.Session) -> None:
    """What cells came to, run after run: `-- "CASE"`, or `-- --add RUN`."""
    pipeline(session, "history")


@nox.session(venv_backend="none", tags=["pipeline"])
def rerun(session: nox.Session) -> None:
    """What a run left open once more, on the same images and seeds: `-- RUN [SELECTION]`."""
    pipeline(session, "rerun")


@nox.session(venv_backend="none", tags=["pipeline"])
def repro(session: nox.Session) -> None:
    """One case in the foreground, as often as it takes: `-- "CASE"`."""
    pipeline(session, "repro")


@nox.session(name="check-image", venv_backend="none", tags=["pipeline"])
def check_image(session: nox.Session) -> None:
    """Judge one image by itself: `-- IMAGE`."""
    pipeline(session, "check-image")


@nox.session(name="init", venv_backend="none", tags=["pipeline"])
def init(session: nox.Session) -> None:
    """Begin a new implementation, or a new version of one: `-- FAMILY`."""
    pipeline(session, "init")


@nox.session(venv_backend="none", tags=["pipeline"])
def doctor(session: nox.Session) -> None:
    """What this host offers, what is missing and what that affects, and whether the main job can run."""
    pipeline(session, "doctor")


@nox.session(venv_backend="none", tags=["pipeline"])
def gc(session: nox.Session) -> None:
    """List what earlier runs have left behind; `-- --yes` removes it."""
    pipeline(session, "gc")


@nox.session(venv_backend="none", tags=["check"])
def tests(session: nox.Session) -> None:
    """All tests; those that need Docker are skipped by name where there is none."""
    pytest = [environment(session, CHECK_LOCK), "-m", "pytest"]
    if session.posargs:
        session.run(*pytest, *session.posargs, external=True)
        return
    # Only what starts no engine shares the host with others of its kind.
    session.run(*pytest, "--numprocesses", str(min(4, os.cpu_count() or 1)), "tests/unit", external=True)
    session.run(*pytest, "--ignore=tests/unit", external=True)


@nox.session(venv_backend="none")
def pure(session: nox.Session) -> None:
    """The tests of what starts nothing: plans, results, reports; on systems that have no engine, too."""
    python = environment(session, CHECK_LOCK)
    names = (ROOT / "tests" / "pure.txt").read_text(encoding="utf-8").split()
    path = os.pathsep.join(str(ROOT / it) for it in ("tests", "tests/unit", "ci/data/skeleton", "."))
    words = ["-m", "pytest", "--noconftest", "-p", "elsewhere", *session.posargs]
    session.run(python, *words, *(f"tests/unit/{it}.py" for it in names), env={"PYTHONPATH": path}, external=True)


@nox.session(venv_backend="none")
def minimums(session: nox.Session) -> None:
    """The tests of what starts nothing, with the oldest version of each dependency that pyproject.toml allows."""
    uv = [environment(session, CHECK_LOCK), "-m", "uv"]
    with tempfile.TemporaryDirectory() as scratch:
        session.run(*uv, "venv", "--quiet", "--seed", "--python", sys.executable, scratch, external=True)
        install = [*uv, "pip", "install", "--quiet", "--python", scratch]
        session.run(*install, "--resolution", "lowest-direct", "-r", "pyproject.toml", external=True)
        # Of these any version will do: they test, and are not tested.
        session.run(*install, "hypothesis", "jsonschema", "nox", "pytest", external=True)
        words = [str(Path(scratch) / "bin" / "python"), "-m", "pytest", "-W", "default"]
        # Schemas are written with the locked version of their library, and what it is that another one imports when it
        # starts is no fault of ours.
        ignored = [f"--ignore=tests/unit/{it}.py" for it in ("test_schemas", "test_start_up")]
        session.run(*words, *ignored, *(session.posargs or ["tests/unit", "-m", "not docker"]), external=True)


@nox.session(venv_backend="none", tags=["check"])
def types(session: nox.Session) -> None:
    """mypy, strict."""
    session.run(environment(session, CHECK_LOCK), "-m", "mypy", *session.posargs, external=True)


def actionlint(session: nox.Session) -> None:
    """The workflows' linter has no wheel: take the one installed, else have Go fetch it."""
    if shutil.which("actionlint"):
        session.run("actionlint", external=True)
    elif shutil.which("go"):
        session.run("go", "run", f"github.com/rhysd/actionlint/cmd/actionlint@{ACTIONLINT}", external=True)
    else:
        session.warn("actionlint skipped: neither actionlint nor go is on PATH")


def validate(session: nox.Session, python: str) -> None:
    """The files that other programs read, against the schemas of these."""
    check = str(Path(python).with_name("check-jsonschema"))
    for schema, pattern in (
        ("vendor.github-workflows", ".github/workflows/*.yml"),
        ("vendor.github-actions", ".github/actions/*/action.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
        ("vendor.gitlab-ci", "docs/ci/gitlab.yml"),
    ):
        session.run(check, "--builtin-schema", schema, *sorted(map(str, ROOT.glob(pattern))), external=True)
    session.run(str(Path(python).with_name("kubernetes-validate")), "--quiet", "docs/ci/kubernetes.yaml", external=True)


@nox.session(venv_backend="none", tags=["check"])
def lint(session: nox.Session) -> None:
    """ruff, the workflows' linters, and each family's own linter where its tools are present."""
    python = environment(session, CHECK_LOCK)
    session.run(python, "-m", "ruff", "check", external=True)
    session.run(python, "-m", "ruff", "format", "--check", external=True)
    if (ROOT / ".github").is_dir():
        zizmor = str(Path(python).with_name("zizmor"))
        session.run(zizmor, "--offline", "--quiet", "--persona=pedantic", ".github", external=True)
        actionlint(session)
        validate(session, python)
    if shutil.which("make") is None:
        session.warn("the implementations are not linted: there is no make on PATH")
        return
    for makefile in sorted(ROOT.glob("impls/*/Makefile")):
        if "lint:" in makefile.read_text(encoding="utf-8"):
            # A family written in Python finds our ruff.
            path = os.pathsep.join([str(Path(python).parent), os.environ.get("PATH", os.defpath)])
            session.run(
                "make", "--no-print-directory", "-C", str(makefile.parent), "lint", env={"PATH": path}, external=True
            )


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """What cases, commands and images cost, into docs/bench; `-- --quick` only sees that it can be measured."""
    path = os.pathsep.join(str(ROOT / it) for it in ("tests", "."))
    python = environment(session, BENCH_LOCK)
    session.run(python, "-m", "bench", *session.posargs, env={"PYTHONPATH": path}, external=True)


@nox.session(venv_backend="none")
def schemas(session: nox.Session) -> None:
    """Write the JSON Schemas in docs/ anew, after a change of what they are made of."""
    session.run(environment(session), "-m", "ci.suites.schemas", "docs", external=True)


@nox.session(venv_backend="none")
def documents(session: nox.Session) -> None:
    """Write docs/reasons.md and the lists of cells in docs/findings.md anew."""
    for module in ("ci.reports.reasons", "ci.plan.findings"):
        session.run(environment(session), "-m", module, str(ROOT), external=True)


@nox.session(venv_backend="none")
def lock(session: nox.Session) -> None:
    """Bring this tool's own locked dependencies up to date; `-- --upgrade-package NAME` for one alone."""
    upgrade = session.posargs or ["--upgrade"]
    compile_ = [
        environment(session, CHECK_LOCK), "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes",
        "--python-version", "3.10", "--custom-compile-command", "nox -s lock", *upgrade, "pyproject.toml",
    ]  # fmt: skip
    session.run(*compile_, "--output-file", str(RUN_LOCK.relative_to(ROOT)), external=True)
    for group, path in (("check", CHECK_LOCK), ("bench", BENCH_LOCK)):
        more = ["--group", group, "--constraints", str(RUN_LOCK.relative_to(ROOT))]
        session.run(*compile_, *more, "--output-file", str(path.relative_to(ROOT)), external=True)


if __name__ == "__main__":
    os.chdir(ROOT)
    nox.main()
