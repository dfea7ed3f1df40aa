"""Commit the dashboard to a branch, and what is remembered of its run: nothing else, nothing when nothing changed.

The commit is made in a work tree of its own on top of the branch as the remote has it now, so neither local
changes nor commits that arrived meanwhile can get into it or be lost.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ci.reports.markers import Body, update_file
from ci.util.git import IDENTITY, git, push_refused, pushed

__all__ = ["push_dashboard"]

ATTEMPTS: Final = 4
SUBJECT: Final = "dashboard: update"


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
        given, and says whether it had to; only where the README changes
    :return: the commit's id, or None when the branch already says so
    :raises ConfigurationError: the README has no proper pair of markers, or the remote refuses for good
    """
    for _ in range(ATTEMPTS):
        git(root, "fetch", "--quiet", "--depth=1", remote, f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}")
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            git(root, "worktree", "add", "--quiet", "--detach", str(tree), f"refs/remotes/{remote}/{branch}")
            try:
                if not update_file(tree / readme, body, marker):
                    return None
                changed = [readme, *(path for path, update in others.items() if update(tree / path))]
                git(tree, "add", "--", *changed)
                git(tree, *IDENTITY, "commit", "--quiet", "--only", "-m", f"{SUBJECT} [skip ci]", "--", *changed)
                commit = git(tree, "rev-parse", "HEAD").strip()
                # Somebody else's push in between makes this one fail: then it is made anew on top of theirs.
                if pushed(tree, remote, f"HEAD:refs/heads/{branch}"):
                    return commit
            finally:
                git(root, "worktree", "remove", "--force", str(tree))
    raise push_refused(remote, "the dashboard", branch, ATTEMPTS)
