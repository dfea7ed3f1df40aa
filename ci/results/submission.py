"""Results that a stranger's pull request has made, held against what is known here before anybody believes them.

A pull request runs its own code, so what it reports is a claim. What can be checked is checked: that the file is one of
ours and no larger than it needs to be, that it is of the suite it is named for, and, where it says that it ran the plan
of the branch, that its cases are those of that plan.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.results.merged import Merged
from ci.results.merged_file import merged_from
from ci.util.given_files import read_given
from ci.util.suggest import shown

if TYPE_CHECKING:
    from ci.model import Suites

__all__ = ["KnownPlan", "Submission", "submissions"]

# The results of a hundred thousand cases have a third of a gigabyte; no suite has ten thousand.
MOST_BYTES: Final = 64 << 20
MOST_ARTIFACTS: Final = 1000
_NAME: Final = re.compile("report-([a-z][a-z0-9-]{0,31})")


@dataclass(frozen=True, kw_only=True)
class KnownPlan:
    """A plan of the branch that the pull request is for, worked out here.

    :param cases: keys of its selected cases
    """

    digest: str
    cases: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What came in one artifact.

    :param name: of the artifact
    :param merged: the results; None where they are refused
    :param refused: why
    :param own_plan: it ran another plan than the branch has: with other versions, sources or cases
    """

    name: str
    merged: Merged | None = None
    refused: str | None = None
    own_plan: bool = False


def submissions(folder: Path, suites: Suites, plans: Callable[[str], Collection[KnownPlan]]) -> Iterator[Submission]:
    """Each artifact of results below a folder, in the order of their names; what is something else is passed over.

    :param plans: of a suite, as the branch has them
    """
    for path in sorted(folder.iterdir())[:MOST_ARTIFACTS]:
        found = _NAME.fullmatch(path.name)
        if found is None:
            continue
        name = path.name
        try:
            yield _examined(path, found[1], suites, plans)
        except ConfigurationError as error:
            yield Submission(name=name, refused=error.message)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            yield Submission(name=name, refused=f"its merged.json cannot be read: {shown(reason)}")


def _examined(path: Path, suite: str, suites: Suites, plans: Callable[[str], Collection[KnownPlan]]) -> Submission:
    """:raises ConfigurationError, OSError, ValueError: it cannot be read"""
    file = path / "merged.json"
    if suite not in suites:
        return Submission(name=path.name, refused=f"there is no suite `{suite}`")
    if path.is_symlink() or not path.is_dir() or file.is_symlink():
        return Submission(name=path.name, refused="it holds a link where a file should be")
    merged = merged_from(read_given(file, most_bytes=MOST_BYTES), suites, where=f"{path.name}/merged.json")
    known = next((it for it in plans(suite) if it.digest == merged.plan), None)
    if (objection := _objection(merged, suite, known)) is not None:
        return Submission(name=path.name, refused=objection)
    return Submission(name=path.name, merged=merged, own_plan=known is None)


def _objection(merged: Merged, suite: str, known: KnownPlan | None) -> str | None:
    """What cannot be true of these results."""
    if merged.suite.name != suite:
        return f"it holds results of the suite {merged.suite}"
    keys = [case.key for case in merged.cases]
    if len(set(keys)) != len(keys):
        return "a case is in it twice"
    if known is not None and frozenset(keys) != known.cases:
        return "it says that it ran the plan of the branch, and has other cases than that"
    return None
