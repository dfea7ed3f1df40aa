"""Calling git, with the workflow's token where that is needed and never on a command line."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from ci.errors import ConfigurationError, EngineError

__all__ = ["IDENTITY", "authorization", "git", "push_refused", "pushed"]

_AUTHOR: Final = {"name": "interop matrix", "email": "interop-matrix@users.noreply.github.com"}
# Words in front of `commit` and the like.
IDENTITY: Final = tuple(word for key, value in _AUTHOR.items() for word in ("-c", f"user.{key}={value}"))
# How git words that somebody else has pushed meanwhile.
_OVERTAKEN: Final = ("fetch first", "non-fast-forward", "cannot lock ref", "stale info")


def git(where: Path, *words: str) -> str:
    """What it prints.

    :raises ConfigurationError: it failed
    :raises EngineError: there is no git
    """
    done = _run(where, words)
    if done.returncode != 0:
        raise _failed(words, done.stderr)
    return done.stdout


def pushed(where: Path, *words: str) -> bool:
    """Push; False where somebody else has pushed meanwhile.

    :raises ConfigurationError: the remote refuses for another reason
    """
    done = _run(where, ("push", "--quiet", *words))
    if done.returncode == 0:
        return True
    if any(it in done.stderr for it in _OVERTAKEN):
        return False
    raise _failed(["push"], done.stderr)


def push_refused(remote: str, what: str, branch: str, attempts: int) -> ConfigurationError:
    """What to raise where a push was made anew so often that there is no use in it any more."""
    return ConfigurationError(
        "push-refused",
        f"{remote} refused {what} on {branch} {attempts} times",
        why="the branch is protected, or changes faster than this job can follow",
        hint="let the job's token push to the branch (permissions: contents: write)",
    )


def _run(where: Path, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
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


def _failed(words: Sequence[str], stderr: str) -> ConfigurationError:
    options = iter(words)
    verb = next((word for word in options if word != "-c" or not next(options, "")), "")
    return ConfigurationError(
        "git-failed",
        f"`git {verb}` failed: {stderr.strip() or 'it said nothing'}",
        why="the branch does not exist on the remote, or the token may not write to it",
        hint="check the branch's name and the permissions of the job",
    )
