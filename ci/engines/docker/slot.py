"""What every slot made of containers has: a pod for each role, and the containers of the attempt prepared last."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.docker.containers import UNSTARTABLE, DockerParticipant, Pod, create_participant
from ci.engines.docker.daemon import LABEL
from ci.engines.docker.files import put_folders
from ci.engines.docker.namespaces import Namespace
from ci.engines.docker.pod_shell import PodShell, open_shell
from ci.errors import EngineError

if TYPE_CHECKING:
    from typing import Any

    from ci.engines.base import RunningParticipant, Sink
    from ci.engines.docker.daemon import Daemon
    from ci.engines.restrictions import Restrictions
    from ci.model import Role
    from ci.spec.attempt import Participant

__all__ = ["ContainerSlot"]

# What two peers still have to say to each other when both have just been ended, the kernel says in this time.
SETTLE_SECONDS: Final = 0.2
PAUSE_SECONDS: Final = 0.02


class ContainerSlot:
    """:param helper: reference of our own image

    :param prefix: what the names of its containers begin with
    """

    def __init__(self, daemon: Daemon, helper: str, prefix: str) -> None:
        self.daemon = daemon
        self._helper = helper
        self._prefix = prefix
        self._count = itertools.count(1)
        self.generation = 0
        self.pods: dict[Role, str] = {}
        # Of the attempt prepared last.
        self.containers: dict[Role, str] = {}
        self._shells: dict[Role, PodShell] = {}
        self._untouched: dict[Role, Namespace] = {}

    def create(
        self,
        participant: Participant,
        sink: Sink,
        labels: Mapping[str, str],
        inputs: Mapping[str, Path],
        *,
        restrictions: Restrictions,
        unstartable: int = UNSTARTABLE,
    ) -> RunningParticipant:
        """Create a participant's container beside the pod of its role, not started, its inputs in it.

        :param unstartable: see `create_participant`
        :raises EngineError: the engine is in trouble
        :raises OSError: an input cannot be read
        """
        role = participant.role
        running = create_participant(
            Pod(daemon=self.daemon, container=self.pods[role], helper=self._helper),
            participant,
            sink,
            name=f"{self._prefix}-{next(self._count)}-{role.replace('_', '-')}",
            labels={**labels, "slot": self._prefix},
            restrictions=restrictions,
            unstartable=unstartable,
        )
        if isinstance(running, DockerParticipant):
            self.containers[role] = running.container
            if inputs:
                put_folders(self.daemon, running.container, inputs)
        return running

    # --- between cases --------------------------------------------------------------------------------

    def running(self, parts: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        """Of these containers of the slot the ones that run, as the engine lists them.

        What runs besides is of a case that is over, and is removed.

        :raises EngineError: the engine is in trouble
        """
        listed = self.daemon.call(self.daemon.api.containers, filters={"label": f"{LABEL}.slot={self._prefix}"})
        wanted = set(parts)
        for it in listed:
            if it["Id"] not in wanted:
                self.daemon.remove(it["Id"])
        return {it["Id"]: it for it in listed if it["Id"] in wanted}

    def ask(self, role: Role, script: str) -> str:
        """Run a script in a pod.

        :raises EngineError: it fails, or the pod is dead
        """
        if role not in self._shells:
            self._shells[role] = open_shell(self.daemon, self.pods[role])
        return self._shells[role].run(script)

    def remember(self, role: Role, script: str) -> None:
        """Note what there is in the namespace of a pod that no case has seen yet.

        :param script: what of it, see `ci.engines.docker.namespaces`
        :raises EngineError: the pod is dead
        """
        self._untouched[role] = Namespace.parse(self.ask(role, script))

    def dirty(self, roles: Sequence[Role], script: Callable[[Role], str]) -> list[Role]:
        """The roles in the namespaces of whose pods something of a case is left, or whose pods are dead.

        :param script: see `remember`
        """
        with ThreadPoolExecutor(max_workers=len(roles)) as pool:
            clean = list(pool.map(lambda role: self._is_untouched(role, script(role)), roles))
        return [role for role, it in zip(roles, clean, strict=True) if not it]

    def _is_untouched(self, role: Role, script: str) -> bool:
        """Whether nothing of a case is left in the namespace of a pod, now or in a moment."""
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            try:
                if not Namespace.parse(self.ask(role, script)).differences(self._untouched[role]):
                    return True
            except EngineError:
                return False
            if time.monotonic() > until:
                return False
            time.sleep(PAUSE_SECONDS)

    def drop_pod(self, role: Role) -> None:
        """Remove a pod, and whatever was known of it."""
        if (shell := self._shells.pop(role, None)) is not None:
            shell.close()
        self._untouched.pop(role, None)
        if (pod := self.pods.pop(role, None)) is not None:
            self.daemon.remove(pod)
