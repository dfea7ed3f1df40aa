"""Whether what endpoints answer with 127 can be believed (quic-interop contract, section 1.8).

One that does not answer 127 to a test case that does not exist would be taken for one that fails what it never claimed
to do. Each is asked once per run and role, within a time limit, and the answer is kept with the results. One that
answers 127 to a test case that does exist is asked about the others, unless it has been seen doing any: if it does
nothing at all, its program is missing, and that is no answer.
"""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.model import Outcome, Reason, ReasonCode, Verdict
from ci.spec.last_log_line import last_line
from ci.suites.quic.attempt_specs import probe_spec, words_of
from ci.suites.quic.materials.case_files import CaseFiles, prepare
from ci.suites.quic.materials.seeded import Draw
from ci.suites.quic.words import WEBTRANSPORT
from ci.util.atomic import write_atomically
from ci.util.text import strip_ansi

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.model import Case, Role
    from ci.spec.attempt import End
    from ci.spec.capture import Capture
    from ci.suites.base import TryOut
    from ci.suites.quic.attempt_specs import RoleImages

__all__ = ["COMPLIANCE_FILE", "Compliance"]

COMPLIANCE_FILE: Final = "compliance.json"
UNSUPPORTED: Final = 127
# Of the container runtime, not of the endpoint.
UNSTARTABLE: Final = (125, 126)
# An endpoint decides before it does anything else; an image that starts slowly still has its time.
LIMIT_SECONDS: Final = 30.0
# How often, until it is believed that an endpoint does not end: a host can be busy once.
MOST_TRIES: Final = 3
# Whether there is a program at all: a client has to wait for the simulator before it looks for it.
PROGRAM_LIMIT_SECONDS: Final = 10.0
# What an endpoint does that answers 127 to all test cases; no test case is called that.
NOTHING: Final = "nothing"
# Of what an endpoint wrote last, of each stream.
MOST_LINES: Final = 10
LONGEST_LINE: Final = 500


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """:param exit_code: None if it did not end in time
    :param words: what it said last, for a sentence
    :param lines: the last ones by stream
    """

    exit_code: int | None
    words: str
    lines: Mapping[str, list[str]]


@dataclass
class Compliance:
    """The answers of one shard's endpoints, by image and role. Safe to use from several workers.

    :param folder: of the shard; what an earlier part of the same run has found is taken over from there
    :param factor: for slow hosts: the time limit, times this
    """

    folder: Path
    factor: float = 1.0
    _answers: dict[str, dict[str, object]] = field(default_factory=dict, init=False)
    _locks: dict[str, threading.Lock] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        try:
            known = json.loads((self.folder / COMPLIANCE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return  # none yet, or torn: it is asked again
        if isinstance(known, dict):
            # Who did not end in time is asked again as well.
            self._answers = {
                key: answer
                for key, answer in known.items()
                if isinstance(answer, dict) and isinstance(answer.get("exit"), int)
            }

    def settled(self, case: Case, role_images: RoleImages) -> bool:
        """Whether both endpoints have been asked, and there is no objection."""
        with self._lock:
            answers = [self._answers.get(_key(role_images, role), {}) for role in case.suite.roles]
        return all(it.get("exit") == UNSUPPORTED and it.get("does") != NOTHING for it in answers)

    def objection(self, case: Case, role_images: RoleImages, try_out: TryOut) -> Verdict | None:
        """Why a case with these two endpoints would say nothing; None if it is worth running.

        :raises EngineError: the engine or the simulator broke
        :raises OSError, Cancelled: see `ci.runner.attempt.attempt`
        """
        for role in case.suite.roles[::-1]:
            answer = self._answer(case, role_images, role, try_out)
            exit_code = answer.get("exit")
            if exit_code in UNSTARTABLE:
                text = f"{answer['version']} cannot be started as {role}: exit code {exit_code}{_words(answer)}"
                return _verdict(Outcome.ERROR, ReasonCode.CONTAINER_START, text, role)
            if exit_code != UNSUPPORTED:
                said = f"exits {exit_code}" if exit_code is not None else "does not end"
                text = f"{answer['version']} {said} when asked as {role} for a test case that does not exist, not 127"
                return _verdict(Outcome.NOT_RUN, ReasonCode.NOT_COMPLIANT, text + _words(answer), role)
            if answer.get("does") == NOTHING:
                return _without_program(answer, role)
        return None

    def reconsidered(
        self,
        case: Case,
        role_images: RoleImages,
        try_out: TryOut,
        exits: Mapping[Role, End],
        verdict: Verdict,
    ) -> Verdict:
        """The verdict of a case that was run, or an error where it rests on an endpoint that does nothing at all.

        :param exits: how everybody ended
        :raises EngineError, OSError, Cancelled: see `objection`
        """
        for role in case.suite.roles:
            answer, key = self._answer(case, role_images, role, try_out), _key(role_images, role)
            end = exits.get(role)
            own = None if end is None or end.stopped else end.exit_code
            if own == UNSUPPORTED:
                with self._lock_of(key):
                    if "does" not in answer:
                        self._note(key, self._does(case, role_images, role, try_out))
                if answer["does"] == NOTHING:
                    return _without_program(answer, role)
            elif "does" not in answer and (own is not None or verdict.outcome is Outcome.PASSED):
                self._note(key, {"does": case.words[0]})
        return verdict

    def _answer(self, case: Case, role_images: RoleImages, role: Role, try_out: TryOut) -> dict[str, object]:
        key = _key(role_images, role)
        # Cases that need the same answer wait for it; others go on.
        with self._lock_of(key):
            if key not in self._answers:
                name = Draw(0, f"{case.first}/{case.second}/{role}").slug()
                for _ in range(MOST_TRIES):
                    answer = self._ask(case, role_images, role, name, LIMIT_SECONDS, try_out)
                    if answer.exit_code is not None:
                        break
                participant = role_images.participant(role, {})
                known: dict[str, object] = {"version": participant.version, "role": role, "image": participant.image}
                known |= {"exit": answer.exit_code, "compliant": answer.exit_code == UNSUPPORTED}
                self._note(key, {**known, "lastWords": answer.words, "lastLines": answer.lines})
            return self._answers[key]

    def _does(self, case: Case, role_images: RoleImages, role: Role, try_out: TryOut) -> dict[str, object]:
        """The first test case that an endpoint does not answer with 127; if it is none, what it wrote last."""
        protocols = "probe" if case.suite is WEBTRANSPORT else ""
        said = None
        for name in words_of(case.suite, role):
            limit = PROGRAM_LIMIT_SECONDS
            answer = self._ask(case, role_images, role, name, limit, try_out, protocols=protocols)
            if answer.exit_code != UNSUPPORTED:
                return {"does": name}
            # What it refuses, it may refuse in silence; what it cannot do, it complains about.
            said = said or (answer if answer.words else None)
        return {"does": NOTHING} | ({} if said is None else {"lastWords": said.words, "lastLines": said.lines})

    def _ask(
        self,
        case: Case,
        role_images: RoleImages,
        role: Role,
        name: str,
        limit: float,
        try_out: TryOut,
        *,
        protocols: str = "",
    ) -> _Answer:
        scratch = self.folder / f".probe-{case.versions[role]}-{role}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            prepare(CaseFiles(seed=0), scratch)
            spec = probe_spec(case, role, name, role_images, scratch, limit=limit * self.factor, protocols=protocols)
            evidence = try_out(spec, scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if evidence.first == "simulator":
            words = last_line(evidence.streams["simulator", "stderr"], evidence.streams["simulator", "stdout"])
            raise EngineError(
                "simulator",
                f"the simulator ended as soon as it was started: {words or 'it wrote nothing'}",
                why="its image is broken, or this host does not let it send and receive packets",
                hint="`nox -s doctor -- --suite quic` says what is missing; its log lines stand above",
            )
        end = evidence.exits.get(role)
        stderr, stdout = evidence.streams[role, "stderr"], evidence.streams[role, "stdout"]
        return _Answer(
            exit_code=None if end is None or end.stopped else end.exit_code,
            words=last_line(stderr, stdout),
            lines={"stderr": _tail(stderr), "stdout": _tail(stdout)},
        )

    def _lock_of(self, key: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _note(self, key: str, facts: Mapping[str, object]) -> None:
        with self._lock:
            self._answers.setdefault(key, {}).update(facts)
            text = json.dumps(self._answers, indent=2, sort_keys=True) + "\n"
            write_atomically(self.folder / COMPLIANCE_FILE, text.encode())


def _key(role_images: RoleImages, role: Role) -> str:
    participant = role_images.participant(role, {})
    return f"{participant.version} {role} {participant.image}"


def _without_program(answer: Mapping[str, object], role: Role) -> Verdict:
    text = (
        f"{answer['version']} answers 127 to every test case there is as {role}: its program is missing, or its script"
        f" cannot be run{_words(answer)}"
    )
    return _verdict(Outcome.ERROR, ReasonCode.CONTAINER_START, text, role)


def _words(answer: Mapping[str, object]) -> str:
    words = answer.get("lastWords")
    return f"; its last line: {words}" if words else "; it wrote nothing"


def _tail(stream: Capture) -> list[str]:
    lines = [line.strip()[:LONGEST_LINE] for line in strip_ansi(stream.text()).splitlines() if line.strip()]
    return lines[-MOST_LINES:]


def _verdict(outcome: Outcome, code: ReasonCode, text: str, role: Role) -> Verdict:
    return Verdict(outcome=outcome, reason=Reason(code=code, text=text, side=role))
