"""Whether a red case is red in the way that was expected: by its reason, and by what its sides wrote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.model import Expected, Outcome
from ci.results.aggregate import CaseVerdict, aggregate_attempts, verdict
from ci.util.given_files import open_given

if TYPE_CHECKING:
    from ci.model import Expectation
    from ci.results.aggregate import Result
    from ci.results.merged import MergedCase
    from ci.results.records import Attempt

__all__ = ["differs", "held_against", "red_as_expected", "unexpectedly_red", "written_lines"]

# Of the streams of one attempt: what is looked for stands near an end of them, and they are hostile.
MOST_BYTES: Final = 1 << 20
LONGEST_LINE: Final = 4000
STREAMS: Final = frozenset({"stdout", "stderr"})


def held_against(
    expectation: Expectation | None, case: MergedCase, folders: Mapping[tuple[str, str], Path]
) -> MergedCase:
    """The case, with what is known of it.

    :param folders: of the shard that holds the evidence of an attempt, by its run and key
    """
    if expectation is None:
        return case
    if case.result.outcome is Outcome.PASSED and case.result.flaky is None:
        return replace(case, expectation=expectation)  # there is nothing that could be another failure
    other = _differs_in(expectation, case.result, case.counted, lambda it: folders.get((it.run, it.key)))
    return replace(case, expectation=expectation, differs=other)


def unexpectedly_red(attempts: Iterable[Attempt], folder: Path, expected: Mapping[str, Expectation]) -> frozenset[str]:
    """The cases of one shard that are red and were not expected to be, or not like that: their keys.

    :param folder: of the shard
    """
    by_key: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        by_key.setdefault(attempt.key, []).append(attempt)
    found = set()
    for key, of_case in by_key.items():
        result = aggregate_attempts(of_case)
        if result is None or result.outcome not in (Outcome.FAILED, Outcome.TIMED_OUT):
            continue
        known = expected.get(key)
        other = known is not None and _differs_in(known, result, of_case, lambda _: folder)
        if verdict(result, known, differs=other) is CaseVerdict.UNEXPECTED:
            found.add(key)
    return frozenset(found)


def red_as_expected(attempts: Sequence[Attempt], folder: Path, expected: Mapping[str, Expectation]) -> frozenset[str]:
    """The cases of one shard that were to fail, and did, in the way that was foreseen: their keys.

    :param folder: of the shard
    """
    foreseen = {
        it.key
        for it in attempts
        if it.outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
        and it.key in expected
        and expected[it.key].expect is Expected.FAIL
    }
    return frozenset(foreseen - unexpectedly_red(attempts, folder, expected)) if foreseen else frozenset()


def _differs_in(
    expectation: Expectation,
    result: Result,
    attempts: Iterable[Attempt],
    folder_of: Callable[[Attempt], Path | None],
) -> bool:
    """Whether the attempt that speaks for a case is red in another way than is expected.

    :param folder_of: of the shard that holds an attempt's evidence
    """
    speaks = next((it for it in attempts if it.reason == result.reason), None)
    folder = None if speaks is None else folder_of(speaks)
    return differs(expectation, result, () if speaks is None or folder is None else written_lines(speaks, folder))


def differs(expectation: Expectation, result: Result, written: Iterable[str]) -> bool:
    """Whether a red result is another one than is expected; the first red attempt speaks for the case.

    :param written: lines that its sides wrote, read only where the reason does not decide
    """
    reason = result.reason
    if expectation.code is not None and (reason is None or reason.code is not expectation.code):
        return True
    if expectation.matches is None:
        return False
    pattern = re.compile(expectation.matches)
    texts = () if reason is None else (reason.text,)
    return not any(pattern.search(text) for text in (*texts, *written))


def written_lines(attempt: Attempt, folder: Path) -> Iterator[str]:
    """What the sides of an attempt wrote, line by line, as far as it was kept; nothing of what is not there.

    :param folder: of the shard that its paths are relative to, and that holds no link out of it
    """
    for file in attempt.evidence:
        if file.stream in STREAMS:
            try:
                with open_given(folder / file.path) as opened:
                    data = opened.read(MOST_BYTES)
            except (OSError, ValueError):
                continue
            for line in data.decode("utf-8", errors="replace").splitlines():
                yield line[:LONGEST_LINE]
