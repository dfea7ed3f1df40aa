"""Whether endpoints answer 127 to a test case that does not exist (quic-interop contract, section 1.8).

An endpoint that does not would be taken for one that fails what it never claimed to do. Each is asked once per run and
role, within a time limit, and the answer is kept with the results.
"""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.atomic import write_atomically
from ci.errors import EngineError
from ci.last_words import last_line
from ci.model import PAIR_OF, Outcome, Reason, ReasonCode, Verdict
from ci.network_attempt import attempt
from ci.suites.network import probe_scene
from ci.suites.quic.seeded import Draw
from ci.suites.quic.supplies import Supplies, prepare

if TYPE_CHECKING:
    from ci.model import Case, Role
    from ci.network_attempt import NetworkSlot
    from ci.stage import Take
    from ci.suites.network import Cast

__all__ = ["COMPLIANCE_FILE", "Compliance"]

COMPLIANCE_FILE: Final = "compliance.json"
UNSUPPORTED: Final = 127
# Of the container runtime, not of the endpoint.
UNSTARTABLE: Final = (125, 126)
# An endpoint decides before it does anything else; an image that starts slowly still has its time.
LIMIT_SECONDS: Final = 30.0


@dataclass
class Compliance:
    """The answers of one shard's endpoints, by image and role. Safe to use from several workers.

    :param folder: of the shard; what an earlier part of the same run has found is taken over from there
    """

    folder: Path
    _answers: dict[str, dict[str, object]] = field(default_factory=dict, init=False)
    _locks: dict[str, threading.Lock] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        try:
            known = json.loads((self.folder / COMPLIANCE_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return  # none yet, or torn: it is asked again
        if isinstance(known, dict):
            self._answers = {key: answer for key, answer in known.items() if isinstance(answer, dict)}

    def objection(
        self, slot: NetworkSlot, case: Case, cast: Cast, take: Take, cancelled: threading.Event
    ) -> Verdict | None:
        """Why a case with these two endpoints would say nothing; None if it is worth playing.

        :raises EngineError: the engine or the simulator broke
        :raises OSError, Cancelled: see `ci.network_attempt.attempt`
        """
        for role in PAIR_OF[case.suite][::-1]:
            answer = self._answer(slot, case, cast, role, take, cancelled)
            if answer.get("exit") in UNSTARTABLE:
                text = f"{answer['version']} cannot be started as {role}: exit code {answer['exit']}"
                reason = Reason(code=ReasonCode.CONTAINER_START, text=text, side=role)
                return Verdict(outcome=Outcome.ERROR, reason=reason)
            if answer.get("exit") != UNSUPPORTED:
                said = f"exits {answer['exit']}" if answer.get("exit") is not None else "does not end"
                text = f"{answer['version']} {said} when asked as {role} for a test case that does not exist, not 127"
                reason = Reason(code=ReasonCode.NOT_COMPLIANT, text=text, side=role)
                return Verdict(outcome=Outcome.NOT_RUN, reason=reason)
        return None

    def _answer(
        self, slot: NetworkSlot, case: Case, cast: Cast, role: Role, take: Take, cancelled: threading.Event
    ) -> dict[str, object]:
        actor = cast.actor(role, {})
        key = f"{actor.version} {role} {actor.image}"
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        # Whoever needs the same answer waits for it; others go on.
        with lock:
            if key not in self._answers:
                exit_code = self._ask(slot, case, cast, role, take, cancelled)
                with self._lock:
                    self._answers[key] = {
                        "version": actor.version,
                        "role": role,
                        "image": actor.image,
                        "exit": exit_code,
                        "compliant": exit_code == UNSUPPORTED,
                    }
                    text = json.dumps(self._answers, indent=2, sort_keys=True) + "\n"
                    write_atomically(self.folder / COMPLIANCE_FILE, text.encode())
            return self._answers[key]

    def _ask(
        self, slot: NetworkSlot, case: Case, cast: Cast, role: Role, take: Take, cancelled: threading.Event
    ) -> int | None:
        name = Draw(0, f"{case.dialer}/{case.listener}/{role}").slug()
        scratch = self.folder / f".probe-{case.version_of(role)}-{role}"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            prepare(Supplies(seed=0), scratch)
            scene = probe_scene(case, role, name, cast, scratch, limit=LIMIT_SECONDS)
            evidence = attempt(slot, scene, scratch, labels=take.labels, cancelled=cancelled)
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
        return None if end is None or end.stopped else end.exit_code
