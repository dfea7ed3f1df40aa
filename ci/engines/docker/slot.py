"""What every slot made of containers has: a pod for each role, and the containers of the attempt prepared last."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ci.engines.docker.containers import UNSTARTABLE, DockerParticipant, Pod, create_participant
from ci.engines.docker.files import put_folders, take_folder

if TYPE_CHECKING:
    from ci.engines.base import RunningParticipant, Sink
    from ci.engines.docker.daemon import Daemon
    from ci.engines.restrictions import Restrictions
    from ci.model import Role
    from ci.spec.attempt import Participant

__all__ = ["ContainerSlot"]


class ContainerSlot:
    """:param helper: reference of our own image

    :param prefix: what the names of its containers begin with
    """

    def __init__(self, daemon: Daemon, helper: str, prefix: str) -> None:
        self.daemon = daemon
        self._helper = helper
        self._prefix = prefix
        self._count = 0
        self.pods: dict[Role, str] = {}
        # Of the attempt prepared last.
        self.containers: dict[Role, str] = {}

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
        self._count += 1
        role = participant.role
        running = create_participant(
            Pod(daemon=self.daemon, container=self.pods[role], helper=self._helper),
            participant,
            sink,
            name=f"{self._prefix}-{self._count}-{role.replace('_', '-')}",
            labels=labels,
            restrictions=restrictions,
            unstartable=unstartable,
        )
        if isinstance(running, DockerParticipant):
            self.containers[role] = running.container
            if inputs:
                put_folders(self.daemon, running.container, inputs)
        return running

    def collect(self, role: Role, source: str, target: Path, *, most_bytes: int) -> bool:
        """Copy a folder out of the container of this role, which has ended; whether all of it was copied."""
        container = self.containers.get(role)
        if container is None:
            return True
        return take_folder(self.daemon, container, source, target, most_bytes=most_bytes)
