"""`init --into`: what an implementation's own repository needs to be run against everybody's releases."""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.commands.workspace import implied_suite
from ci.config.edit import VersionsText, first_row
from ci.config.skeleton import natural_key
from ci.errors import ConfigurationError, ExitCode
from ci.suites.registry import SUITES
from ci.terminal.spelling import spelled
from ci.util.atomic import write_atomically
from ci.util.suggest import shown, shown_path

if TYPE_CHECKING:
    from ci.config.catalogue import Catalogue
    from ci.terminal.console import Console

__all__ = ["init_outside"]

_HUB: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/([A-Za-z0-9._-]{1,100})@([0-9a-f]{40})")
_REMOTE: Final = re.compile(r"github\.com[:/]([^/]+)/([^/]+?)(?:\.git)?/?$")
_CHECKOUT: Final = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2"


@dataclass(frozen=True, kw_only=True)
class _Hub:
    """The repository that has the matrix, at a commit."""

    owner: str
    name: str
    commit: str

    @property
    def pages(self) -> str:
        return f"https://{self.owner.lower()}.github.io/{self.name}"


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What to make.

    :param stands_for: the newest version of the family that the hub has, if it has any
    """

    family: str
    hub: _Hub
    suite: str
    stands_for: str | None

    @property
    def identifier(self) -> str:
        return f"{self.family}-head"

    @property
    def baseline(self) -> str:
        return f"{self.hub.pages}/{self.suite}/merged.json"


def init_outside(
    family: str, into: Path, hub: str | None, versions: Path, catalogue: Catalogue, console: Console
) -> ExitCode:
    """Write `interop/FAMILY.yaml` and a workflow into another repository; nothing that exists is changed.

    :raises ConfigurationError: a file is there already or cannot be written; nobody knows which hub is meant
    """
    if not into.is_dir():
        raise ConfigurationError("no-repository", f"{shown_path(into)} is no folder", hint="name a repository's root")
    members = sorted((it for it in catalogue.versions if it.family == family), key=lambda it: natural_key(it.id))
    newest = members[-1] if members else None
    order = _Order(
        family=family,
        hub=_hub(hub, versions.resolve().parent),
        suite=newest.suites[0] if newest else implied_suite(),
        stands_for=newest.id if newest else None,
    )
    row = (
        first_row(order.identifier, family, "x")
        if newest is None
        else _copied(VersionsText(versions), newest.id, order)
    )
    files = {
        into / "interop" / f"{family}.yaml": _versions_file(_with_image(row, order)),
        into / ".github" / "workflows" / "interop.yml": _workflow(order),
    }
    for path in files:
        if path.exists():
            raise ConfigurationError("is-there", f"{shown_path(path)} is there already", hint="move it away first")
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode())
    except OSError as error:
        raise ConfigurationError(
            "cannot-write", f"cannot write {shown_path(into)}: {error.strerror or error}", hint="check who owns it"
        ) from error
    for path in files:
        console.info(f"made {shown_path(path)}")
    _say_next(order, into / "interop", console)
    return ExitCode.GREEN


def _copied(text: VersionsText, newest: str, order: _Order) -> str:
    """The newest row without what is the hub's business."""
    row = text.copy(newest, {newest: order.identifier})
    return re.sub(r"(?m)^ +(local|owner|imageFile): .*\n?", "", row + "\n").rstrip()


def _with_image(row: str, order: _Order) -> str:
    return re.sub(r"(?m)^( +)(?:build|image): .*$", rf"\1image: {order.identifier}:pull-request", row)


def _say_next(order: _Order, folder: Path, console: Console) -> None:
    words = [*SUITES[order.suite].words.option, "--extra-versions", str(folder / f"{order.family}.yaml")]
    words += ["--replace", f"{order.identifier}={_path(folder)}", "--select", order.identifier]
    words += ["--baseline", order.baseline]
    words += ["--stands-for", f"{order.identifier}={order.stands_for}"] if order.stands_for else []
    console.info("")
    console.info(
        f"next: say in interop/{order.family}.yaml what your implementation can do, and put a Dockerfile beside it"
    )
    console.info("      that makes an image by the contract (docs/image-contracts.md); then try it here:")
    console.info(f"      {spelled(shlex.join(['nox', '-s', 'interop', '--', *words]))}")


def _path(path: Path) -> str:
    text = str(path)
    return text if text.startswith(("/", "../", "./")) else f"./{text}"


def _hub(given: str | None, root: Path) -> _Hub:
    text = given
    if text is None:
        remote = _REMOTE.search(_git(root, "remote", "get-url", "origin"))
        commit = _git(root, "rev-parse", "HEAD")
        text = f"{remote[1]}/{remote[2]}@{commit}" if remote and commit else ""
    found = _HUB.fullmatch(text)
    if found is None:
        raise ConfigurationError(
            "no-hub",
            f"`{shown(given)}` is no repository and commit" if given else "this checkout is of no repository on GitHub",
            why="the workflow names the repository that has the matrix, and a commit of it",
            hint="--hub OWNER/NAME@COMMIT, with all 40 digits",
        )
    return _Hub(owner=found[1], name=found[2], commit=found[3])


def _git(root: Path, *words: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""
    return ""


def _versions_file(row: str) -> str:
    indented = "".join(f"  {line}\n" if line else "\n" for line in row.split("\n"))
    return f"""# What the image of a pull request can do; docs/versions.md of the hub lists every key. The image
# itself is named in the workflow, which puts it in the place of the one here.
schema: 1
versions:
{indented}"""


def _workflow(order: _Order) -> str:
    hub = order.hub
    more = [f"suite: {order.suite}"] if SUITES[order.suite].words.option else []
    more += [f"stands-for: {order.stands_for}"] if order.stands_for else []
    lines = "".join(f"          {line}\n" for line in more)
    return f"""# This repository's {order.family} against everybody's releases; only what it makes worse fails.
name: interop

on: pull_request

permissions: {{}}

concurrency:
  group: ${{{{ github.workflow }}}}-${{{{ github.ref }}}}
  cancel-in-progress: true

jobs:
  interop:
    name: interop
    runs-on: ubuntu-24.04
    timeout-minutes: 60
    permissions:
      contents: read
    steps:
      - uses: {_CHECKOUT}
        with:
          persist-credentials: false
      - uses: {hub.owner}/{hub.name}/.github/actions/run-interop@{hub.commit}
        with:
          image: ./interop # a folder with a Dockerfile; or an archive, or a reference
          version: {order.identifier}
          versions-file: interop/{order.family}.yaml
          baseline: {order.baseline}
{lines}"""
