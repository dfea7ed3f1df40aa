"""The published pages: a folder per suite on a branch of their own, of which only the newest state is kept."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Final

from ci.util.git import IDENTITY, git, push_refused, pushed

__all__ = ["copy_folder", "push_pages"]

ATTEMPTS: Final = 4
SUBJECT: Final = "pages: update"
_FOLDER: Final = re.compile("[a-z][a-z0-9-]{0,31}")


def push_pages(
    root: Path, name: str, fill: Callable[[Path, Path], None], *, branch: str, remote: str = "origin"
) -> str | None:
    """Replace one folder of the branch, leave the others, and push.

    The branch never has more than one commit: evidence of some hundred megabytes a week is nothing to keep for ever.

    :param root: a clone of the repository
    :param name: of the folder
    :param fill: given the folder that is replaced, which need not be there, and the new one, which is empty
    :return: the commit's id, or None where nothing would change
    :raises ConfigurationError: the remote refuses for good
    """
    reference = f"refs/heads/{branch}"
    for _ in range(ATTEMPTS):
        old = git(root, "ls-remote", remote, reference).partition("\t")[0]
        with tempfile.TemporaryDirectory() as scratch:
            tree = Path(scratch) / "tree"
            git(Path(scratch), "init", "--quiet", str(tree))
            git(tree, "remote", "add", "origin", git(root, "remote", "get-url", remote).strip())
            if old:
                git(tree, "fetch", "--quiet", "--depth=1", "origin", old)
                git(tree, "read-tree", "-u", "--reset", old)
            replaced = Path(scratch) / "replaced"
            if (tree / name).is_dir():
                (tree / name).rename(replaced)
            (tree / name).mkdir()
            fill(replaced, tree / name)
            (tree / ".nojekyll").touch()
            (tree / "index.html").write_text(_index(tree), encoding="utf-8")
            # Whatever the user ignores elsewhere is meant here.
            git(tree, "-c", "core.excludesFile=", "add", "--all", "--force")
            content = git(tree, "write-tree").strip()
            if old and git(tree, "rev-parse", f"{old}^{{tree}}").strip() == content:
                return None
            commit = git(tree, *IDENTITY, "commit-tree", "-m", f"{SUBJECT} [skip ci]", content).strip()
            # Somebody else's push in between makes this one fail: then it is made anew on top of theirs.
            if pushed(tree, f"--force-with-lease={reference}:{old}", "origin", f"{commit}:{reference}"):
                return commit
    raise push_refused(remote, "the pages", branch, ATTEMPTS)


def _index(tree: Path) -> str:
    """A page that leads to those of the suites."""
    names = sorted(it.name for it in tree.iterdir() if _FOLDER.fullmatch(it.name) and (it / "index.html").is_file())
    links = "".join(f'<li><a href="{escape(name)}/">{escape(name)}</a></li>' for name in names)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Interoperability</title><h1>Interoperability</h1><ul>{links}</ul></html>\n"
    )


def copy_folder(source: Path, target: Path) -> None:
    """The regular files of a folder; links in it lead nowhere."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True, ignore=_no_links)


def _no_links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_symlink()]
