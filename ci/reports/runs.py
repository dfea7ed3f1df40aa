"""The sentences of a dashboard that say which runs its cells come from; written, and read back.

One run is one sentence. Where cells of a later run stand in place of earlier ones, a sentence counts all cells and a
list has one line per run, oldest first, so that no reader takes the section for a single run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.reports.markdown import cell, code, linkable
from ci.reports.missing import shown_and_absent
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase
    from ci.results.records import Object
    from ci.results.stored_attempts import AttemptBrief

__all__ = ["came_to", "paragraph", "read_runs", "run_sentence", "share_sentence", "with_run"]

_SENTENCE: Final = re.compile(
    r"(?:\* )?(?P<sentence>(?:\[?(?:Runs? `|A run\b)|Published before: ).*\b\d+ cases?\b.*\.)"
)


def run_sentence(merged: Merged, run_url: str | None = None) -> str:
    """What a run is and came to: "Run `nightly` of 21 November 2026 on docker 20.10.24 with 2 cores: 683 cases, …".

    :param run_url: of the CI run, linked from its name
    :raises ConfigurationError: `run-url` if the URL cannot be linked
    """
    shown, _ = shown_and_absent(merged)
    versions = f", {counted(len(shown), 'version')}" if shown else ""
    results = f"{counted(merged.counts.planned, 'case')}, {came_to(merged.cases) or 'none'}{_reused(merged.cases)}"
    return f"{_named(merged, run_url)}{_commit(merged)}{versions}: {results}."


def share_sentence(merged: Merged, taken: Sequence[MergedCase], run_url: str | None = None) -> str:
    """The same of a run of which only some cases stand in the dashboard.

    :param taken: those that do; the others had no result, and what stood there before was left
    """
    rest = merged.counts.planned - len(taken)
    left = f"; {counted(rest, 'case')} had no result and changed nothing" if rest else ""
    put = f"put in place of what stood here: {counted(len(taken), 'case')}, {came_to(taken)}{_reused(taken)}"
    return f"{_named(merged, run_url)}{_commit(merged)}, {put}{left}."


def came_to(cases: Iterable[MergedCase]) -> str:
    """How many cases had each outcome, without the zeros: `914 passed, 43 failed`."""
    outcomes = Counter(case.result.outcome for case in cases)
    return ", ".join(f"{outcomes[one]} {one.replace('-', ' ')}" for one in Outcome if outcomes[one])


def _commit(merged: Merged) -> str:
    commits = sorted({shard.commit for shard in merged.shards if shard.commit is not None})
    return f" at {' and '.join(map(code, commits))}" if 0 < len(commits) <= 2 else ""


def _reused(cases: Iterable[MergedCase]) -> str:
    """How many results are taken over, and from which runs."""
    found = Counter(it.reused.run for case in cases for it in case.counted_briefs if it.reused is not None)
    return "".join(f", {count} of them reused from run {code(run)}" for run, count in sorted(found.items()))


def paragraph(sentences: Sequence[str], total: str) -> list[str]:
    """The lines to be shown: one run's sentence, or a total and one line per run.

    :param total: what all cells of the section come to, whichever run they are of; `683 cases, 600 passed`
    """
    if len(sentences) < 2:
        return list(sentences)
    return [
        f"These cells come from {len(sentences)} runs: {total}.",
        "",
        *(f"* {sentence}" for sentence in sentences),
    ]


def read_runs(lines: Iterable[str]) -> tuple[str, ...]:
    """The sentences of a published dashboard about its runs, oldest first; none where it does not say."""
    return tuple(found["sentence"] for found in map(_SENTENCE.fullmatch, lines) if found is not None)


def _named(merged: Merged, run_url: str | None) -> str:
    runs = list(dict.fromkeys(shard.run for shard in merged.shards if shard.run is not None))
    name = f"Run{'s' if len(runs) > 1 else ''} {', '.join(map(code, runs))}" if runs else "A run"
    if run_url is not None:
        name = f"[{name}]({linkable(run_url)})"
    attempts = [attempt for case in merged.cases for attempt in case.briefs]
    began = min((attempt.started_at for attempt in attempts if attempt.started_at), default=None)
    hosts = _hosts(attempts)
    where = f" on {' and '.join(hosts)}" if 0 < len(hosts) <= 2 else f" on {len(hosts)} kinds of host" if hosts else ""
    return f"{name}{'' if began is None else f' of {_day(began)}'}{where}"


def _hosts(attempts: Iterable[AttemptBrief]) -> list[str]:
    """`docker 20.10.24 with 2 cores, 6 cases at once`, each once; none where the records do not say."""
    # Thousands of attempts share a few descriptions.
    seen = {(id(it.engine), _workers(it)): it for it in attempts}
    workers: dict[str, list[int]] = {}
    for (_, count), it in seen.items():
        if what := _engine(it.engine):
            workers.setdefault(what, []).extend([count] if count else [])
    return [f"{what}{_load(counts) if ' with ' in what else ''}" for what, counts in workers.items()]


def _workers(attempt: AttemptBrief) -> int:
    count = attempt.host.get("workers")
    return count if isinstance(count, int) else 0


def _engine(engine: Object) -> str:
    name, version, cpus = (engine.get(word) for word in ("name", "version", "cpus"))
    if not isinstance(name, str):
        return ""
    what = "local processes" if name == "local" else cell(name)
    cores = f" with {counted(cpus, 'core')}" if isinstance(cpus, int) else ""
    return f"{what}{f' {cell(version)}' if isinstance(version, str) else ''}{cores}"


def _load(workers: Sequence[int]) -> str:
    if not workers:
        return ""
    return f", {'up to ' if len(set(workers)) > 1 else ''}{counted(max(workers), 'case')} at once"


def _day(timestamp: str) -> str:
    """`21 November 2026`; whatever is no time as inert text."""
    try:
        moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except ValueError:
        return code(timestamp)
    return f"{moment.day} {moment:%B %Y}"


def with_run(runs: tuple[str, ...], sentence: str, before: int) -> tuple[str, ...]:
    """The runs that cells come from, this one among them; what came before is counted where nobody named it."""
    earlier = runs or ((f"Published before: {counted(before, 'case')}.",) if before else ())
    return (*(run for run in earlier if run != sentence), sentence)
