"""Commit the dashboard to a branch, and what is remembered of its run: nothing else, nothing when nothing changed.

The commit is made in a work tree of its own on top of the branch as the remote has it now, so neither local
changes nor commits that arrived meanwhile can get into it or be lost.
"""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ci.errors import ConfigurationError, EngineError
from ci.reports.markers import Body, update_file

__all__ = ["authorization", "push_dashboard"]

ATTEMPTS: Final = 4
SUBJECT: Final = "dashboard: update"
VERBS: Final = frozenset({"fetch", "worktree", "add", "commit", "rev-parse", "push"})
AUTHOR: Final = {"name": "interop matrix", "email": "interop-matrix@users.noreply.github.com"}


def push_dashboard(
    root: Path,
    readme: str,
    body: Body,
    *,
    branch: str,
    marker: str,
    remote: str = "origin",
    others: Mapping[str, Callable[[Path], bool]] = MappingProxyType({}),
) -> str | None:
    """Put `body` between a pair of markers in the branch's README and push it.

    :param root: a clone of the repository
    :param readme: path inside the repository
    :param marker: the word in them
    :param body: or what makes it of that which the branch has there
    :param others: more files by their path inside the repository, each with what brings it up to date where it is
        given, and says whether it had to
    :return: the commit's id, or None when the branch already says so
    :raises ConfigurationError: the README has no proper pair of markers, or the remote refuses for good
    """
    for _ in range(ATTEMPTS):
        _git(root, "fetch", "--quiet", "--depth=1", remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            _git(root, "worktree", "add", "--quiet", "--detach", str(tree), f"refs/remotes/{remote}/{branch}")
            try:
                changed = [readme] if update_file(tree / readme, body, marker) else []
                changed += [path for path, update in others.items() if update(tree / path)]
                if not changed:
                    return None
                _git(tree, "add", "--", *changed)
                identity = [word for key, value in AUTHOR.items() for word in ("-c", f"user.{key}={value}")]
                _git(tree, *identity, "commit", "--quiet", "--only", "-m", f"{SUBJECT} [skip ci]", "--", *changed)
                commit = _git(tree, "rev-parse", "HEAD").strip()
                # Somebody else's push in between makes this one fail: then it is made anew on top of theirs.
                if _pushed(tree, remote, branch):
                    return commit
            finally:
                _git(root, "worktree", "remove", "--force", str(tree))
    raise ConfigurationError(
        "push-refused",
        f"{remote} refused the dashboard on {branch} {ATTEMPTS} times",
        why="the branch is protected, or changes faster than this job can follow",
        hint="let the job's token push to the branch (permissions: contents: write)",
    )


def _pushed(tree: Path, remote: str, branch: str) -> bool:
    done = _run(tree, "push", "--quiet", remote, f"HEAD:refs/heads/{branch}")
    if done.returncode == 0:
        return True
    if "fetch first" in done.stderr or "non-fast-forward" in done.stderr or "cannot lock ref" in done.stderr:
        return False
    raise _failed(["push"], done.stderr)


def _git(where: Path, *words: str) -> str:
    done = _run(where, *words)
    if done.returncode != 0:
        raise _failed(words, done.stderr)
    return done.stdout


def _run(where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | authorization(os.environ)
    try:
        return subprocess.run(
            ["git", *words], cwd=where, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise EngineError(
            "git-missing", f"`git` could not be started: {error}", hint="install it (`apt-get install git`)"
        ) from error


def authorization(environment: Mapping[str, str]) -> dict[str, str]:
    """The workflow's token as variables for git, for GitHub only: checkouts keep no credentials of their own.

    Not on a command line, which every user of the machine can read. Git takes them from version 2.31 on.
    """
    token = environment.get("GITHUB_TOKEN", "").strip()
    if not token:
        return {}
    server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
    secret = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    given = environment.get("GIT_CONFIG_COUNT", "")
    number = int(given) if given.isascii() and given.isdigit() else 0  # git itself refuses anything else
    return {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": f"http.{server}/.extraheader",
        f"GIT_CONFIG_VALUE_{number}": f"Authorization: basic {secret}",
    }


def _failed(words: tuple[str, ...] | list[str], stderr: str) -> ConfigurationError:
    verb = next((word for word in words if word in VERBS), "")
    return ConfigurationError(
        "git-failed",
        f"`git {verb}` failed: {stderr.strip() or 'it said nothing'}",
        why="the branch does not exist on the remote, or the token may not write to it",
        hint="check the branch's name and the permissions of the job",
    )
