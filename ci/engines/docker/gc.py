"""What runs have left behind in a Docker engine: everything that bears our label, and images named by content key.

Also the build stages that the classic builder leaves without a name: they inherit the label of the image they begin
with, which `impls/base` gives it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ci.engines.docker.daemon import LABEL, Daemon, owner_lives
from ci.engines.gc import Kind, Leftover, Owner

__all__ = ["STAGE_LABEL", "DockerLeftovers"]

STAGE_LABEL: Final = f"{LABEL}.stage"
# A content key, or the id of the image itself: impls/js tags one so that another can be built from it.
_OUR_TAG: Final = re.compile(r"interop/[a-z0-9][a-z0-9._-]*:(?:[0-9a-f]{16}|[0-9a-f]{64})")
# Nanoseconds are more than a datetime holds.
_FRACTION: Final = re.compile(r"\.\d+")
_OWNERS: Final = {True: Owner.ALIVE, False: Owner.GONE, None: Owner.UNKNOWN}


class DockerLeftovers:
    """Of one engine.

    :param current: tags that the checkout's sources resolve to now; None if that is not known, so no image goes
    """

    def __init__(self, daemon: Daemon, *, current: frozenset[str] | None) -> None:
        self._daemon = daemon
        self._api = daemon.api
        self._current = current

    # --- looking --------------------------------------------------------------------------------------

    def find(self) -> Sequence[Leftover]:
        """Containers first: what they use can only be removed after them."""
        ours = {"label": LABEL}
        containers = self._daemon.call(self._api.containers, all=True, size=True, filters=ours)
        networks = self._daemon.call(self._api.networks, filters=ours)
        volumes = self._daemon.call(self._api.volumes, filters=ours)["Volumes"] or ()
        return [
            *(
                self._owned(
                    Kind.CONTAINER,
                    it["Names"][0].lstrip("/") if it["Names"] else it["Id"][:12],
                    it["Id"],
                    it["Labels"],
                    created=float(it["Created"]),
                    size=int(it.get("SizeRw") or 0),
                )
                for it in containers
            ),
            *(
                self._owned(Kind.NETWORK, it["Name"], it["Id"], it["Labels"], created=_moment(it["Created"]))
                for it in networks
            ),
            *(
                self._owned(
                    Kind.VOLUME, it["Name"], it["Name"], it["Labels"], created=_moment(it.get("CreatedAt") or "")
                )
                for it in volumes
            ),
            *self._images(),
        ]

    @staticmethod
    def _owned(
        kind: Kind,
        name: str,
        handle: str,
        labels: Mapping[str, str],
        *,
        created: float | None,
        size: int | None = None,
        needed: str = "",
    ) -> Leftover:
        return Leftover(
            kind=kind,
            name=name,
            handle=handle,
            age=_age(labels, created),
            size=size,
            owner=_OWNERS[owner_lives(labels)],
            host=labels.get(f"{LABEL}.host", ""),
            needed=needed,
        )

    def _images(self) -> Iterator[Leftover]:
        """Every tag of ours is a leftover of its own: one of two names of the same image may be out of date."""
        used = {it["ImageID"] for it in self._daemon.call(self._api.containers, all=True)}
        for image in self._daemon.call(self._api.images):
            # The engine's word for an untagged image is a tag of none.
            tags = [it for it in image.get("RepoTags") or () if it != "<none>:<none>"]
            labels = image.get("Labels") or {}
            ours = tags if LABEL in labels else [tag for tag in tags if _OUR_TAG.fullmatch(tag)]
            if not ours and (tags or labels.keys().isdisjoint((LABEL, STAGE_LABEL))):
                continue
            needed = "a container uses it" if image["Id"] in used else ""
            for tag in ours or [""]:
                handle = tag or image["Id"]
                name = tag or f"{'stage' if STAGE_LABEL in labels else 'untagged'} {_short(image['Id'])}"
                # A stage is of no image in particular, so it is current or not with none.
                why = needed or ("" if STAGE_LABEL in labels and not tag else self._needed(tag, tags))
                if f"{LABEL}.pid" in labels:
                    yield self._owned(
                        Kind.IMAGE, name, handle, labels, created=image["Created"], size=image["Size"], needed=why
                    )
                else:
                    yield Leftover(
                        kind=Kind.IMAGE,
                        name=name,
                        handle=handle,
                        age=_age(labels, self._last_tagged(handle, float(image["Created"]))),
                        size=int(image["Size"]),
                        owner=Owner.SHARED,
                        needed=why,
                    )

    def _needed(self, tag: str, tags: Sequence[str]) -> str:
        if self._current is None:
            return "which images are current cannot be told: see `nox -s list`"
        if tag in self._current:
            return "it is current"
        # An alias by the image's own id serves builds as long as the image itself is current.
        alias = len(tag.rpartition(":")[2]) == 64
        return "it is current under another name" if alias and not self._current.isdisjoint(tags) else ""

    def _last_tagged(self, image: str, created: float) -> float:
        """When it was built or last given a name: a build that changes nothing finds its old image and tags it."""
        found = self._daemon.image(image) or {}
        tagged = _moment(str((found.get("Metadata") or {}).get("LastTagTime") or ""))
        return created if tagged is None else max(created, tagged)

    # --- removing -------------------------------------------------------------------------------------

    def remove(self, it: Leftover) -> None:
        """Never by force where something may still need it: then the engine refuses, and that is reported."""
        if it.kind is Kind.CONTAINER:
            self._daemon.call(self._api.remove_container, it.handle, force=True, v=True)
        elif it.kind is Kind.NETWORK:
            self._daemon.call(self._api.remove_network, it.handle)
        elif it.kind is Kind.VOLUME:
            self._daemon.call(self._api.remove_volume, it.handle)
        else:
            remove: Any = self._api.remove_image  # the SDK leaves this part of it untyped
            self._daemon.call(remove, it.handle)


def _short(identity: str) -> str:
    return identity.removeprefix("sha256:")[:12]


def _age(labels: Mapping[str, str], created: float | None) -> float | None:
    """By the label, which is the owner's word, else by the engine's."""
    stamp = labels.get(f"{LABEL}.created", "")
    moment = float(stamp) if stamp.isdigit() and len(stamp) < 12 else created
    return None if moment is None else max(0.0, time.time() - moment)


def _moment(text: str) -> float | None:
    """Seconds since 1970 of the engine's timestamps; None for what is none, and for its zero, the year 1."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub("", text).replace("Z", "+00:00"))
        return moment.timestamp() if moment.year > 1 else None
    except (ValueError, OverflowError):
        return None
