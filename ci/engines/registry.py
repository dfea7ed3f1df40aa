"""The engines, a line each, in the order in which they are tried where nobody has chosen one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from ci.errors import EngineError

if TYPE_CHECKING:
    from ci.engines.backend import Backend, EngineOptions

__all__ = ["AUTO", "ENGINES", "EngineKind", "open_backend"]

# Not an engine: the first one that answers.
AUTO: Final = "auto"


@dataclass(frozen=True, kw_only=True)
class EngineKind:
    """An engine as it is asked for.

    :param opener: `module:name` of what makes its `Backend` of `EngineOptions` and the reason why it was chosen; raises
        `EngineError` where it does not answer
    :param called: in a few words, for `--help`
    """

    opener: str
    called: str

    def open(self, options: EngineOptions, reason: str) -> Backend:
        module, _, name = self.opener.partition(":")
        return cast("Backend", getattr(importlib.import_module(module), name)(options, reason))


ENGINES: Final[dict[str, EngineKind]] = {
    "docker": EngineKind(opener="ci.engines.docker.backend:open_backend", called="containers"),
    "local": EngineKind(opener="ci.engines.local.backend:open_backend", called="processes of this machine"),
}


def open_backend(choice: str, options: EngineOptions) -> Backend:
    """The engine of the user's choice.

    :param choice: a name in `ENGINES`, or `AUTO`
    :raises EngineError: what was asked for does not answer, or nothing does
    """
    if choice != AUTO:
        return ENGINES[choice].open(options, "as asked for")
    reason = "because it answers"
    trouble: EngineError | None = None
    for kind in ENGINES.values():
        try:
            return kind.open(options, reason)
        except EngineError as error:
            trouble = trouble or error
            reason = f"because {trouble.message.splitlines()[0]}"
    assert trouble is not None  # noqa: S101 -- there is an engine
    raise trouble
