"""What becomes of an error that comes up while one case is run, judged or kept: that case's verdict, and no other's."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.errors import EngineError
from ci.model import Case, Outcome, Reason, ReasonCode, Verdict
from ci.results.records import EvidenceFile
from ci.runner.evidence_folder import unwritable

__all__ = ["Judged", "bug_text", "error_verdict", "judged", "keep_traceback"]

# Below the shard's folder, beside the folders of the cases: an attempt that broke may have none.
ERRORS: Final = "errors"


@dataclass(frozen=True)
class Judged:
    """A verdict, and the error where there is no other verdict than that.

    :param seconds: it took to come to
    """

    verdict: Verdict
    error: Exception | None = None
    seconds: float = 0.0


def judged(case: Case, judge: Callable[[], Verdict]) -> Judged:
    """The verdict of `judge`, or why it could not come to one: never an exception, so that the evidence is kept."""
    began = time.monotonic()
    try:
        verdict, problem = judge(), None
    except Exception as error:
        verdict, problem = error_verdict(case, error, otherwise=ReasonCode.NOT_JUDGED), error
    return Judged(verdict, problem, time.monotonic() - began)


def error_verdict(case: Case, error: Exception, *, otherwise: ReasonCode = ReasonCode.ENGINE_LOST) -> Verdict:
    """`error` with the harness to blame, whatever was raised.

    :param otherwise: the code of an engine's error that has none of its own
    """
    if isinstance(error, OSError):
        error, otherwise = unwritable(case, error), ReasonCode.FILES_UNWRITABLE
    if isinstance(error, EngineError):
        code, text = _code(error.reference, otherwise), error.message
    else:
        code, text = ReasonCode.BUG, bug_text(error)
    return Verdict(outcome=Outcome.ERROR, reason=Reason(code=code, text=text, side="harness"))


def keep_traceback(folder: Path, name: str, error: Exception) -> tuple[EvidenceFile, ...]:
    """Write down where an error came from; nothing where even that cannot be written.

    :param folder: of the shard
    :param name: of the attempt, fit for a file's name
    """
    path = f"{ERRORS}/{name}.txt"
    data = "".join(traceback.format_exception(error)).encode(errors="backslashreplace")
    try:
        (folder / ERRORS).mkdir(exist_ok=True)
        (folder / path).write_bytes(data)
    except OSError:
        return ()
    digest = hashlib.sha256(data).hexdigest()
    return (EvidenceFile(role="harness", stream="traceback", path=path, size=len(data), sha256=digest),)


def _code(reference: str, otherwise: ReasonCode) -> ReasonCode:
    try:
        return ReasonCode(reference)
    except ValueError:
        return otherwise


def bug_text(error: Exception) -> str:
    """A sentence about an exception that nobody expected: `KeyError: 'udp'`, and the line that raised it."""
    told = traceback.format_exception_only(error)[-1].strip()
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"a bug of this program: {told}{where}"
