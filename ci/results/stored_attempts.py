"""Attempts that stay in a file until all of one is asked for: of a hundred thousand cases they fill gigabytes.

What most readers ask of many attempts at once (when, where, what came of it) is kept as *briefs*; for more of one
attempt, it is read again. A file is read through a descriptor that is kept open: what is put in its place meanwhile
is another file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, overload

import msgspec
from msgspec import Struct

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.results.record_lines import signed
from ci.results.records import Attempt, Moment, Object, Ordinal, Reused, changed, with_proof
from ci.util.json_document import canonical, decode_as, encoded

if TYPE_CHECKING:
    from ci.model import SuiteWords

__all__ = ["AttemptBrief", "AttemptStore", "Interned", "StoredAttempts", "attempts_object", "brief_of", "briefs_of"]


class AttemptBrief(Struct, frozen=True, kw_only=True):
    """Of an attempt what readers want of many at once. See `Attempt`."""

    run: str
    attempt: Ordinal
    outcome: Outcome
    started_at: Moment | None
    reused: Reused | None
    engine: Object
    host: Object


def brief_of(attempt: Attempt) -> AttemptBrief:
    return AttemptBrief(
        run=attempt.run,
        attempt=attempt.attempt,
        outcome=attempt.outcome,
        started_at=attempt.started_at,
        reused=attempt.reused,
        engine=attempt.engine,
        host=attempt.host,
    )


def briefs_of(attempts: Sequence[Attempt]) -> Sequence[AttemptBrief]:
    """In their order; where they are stored, without reading them."""
    return attempts.briefs if isinstance(attempts, StoredAttempts) else tuple(map(brief_of, attempts))


def signed_attempt(attempt: Attempt) -> Attempt:
    """By today's rules, whatever those of the version that wrote it were."""
    return attempt if attempt.reason is None else changed(attempt, reason=signed(attempt.reason))


def attempts_object(attempts: Iterable[Attempt]) -> bytes:
    """Attempts at one case as merged results have them, in an object of their own."""
    return canonical(_Holder(attempts=tuple(map(signed_attempt, attempts))))


class _Holder(Struct, frozen=True):
    attempts: tuple[Attempt, ...]


class AttemptStore:
    """A file in which the attempts of many cases stand, each case's as an object with the key `attempts`.

    :param file: closed with the store
    :param where: what it is, for messages
    :param canonical: of each case there is nothing else in it, in the one form that is written
    """

    def __init__(self, file: IO[bytes], suite: SuiteWords, *, where: str, canonical: bool = False) -> None:
        self.canonical = canonical
        self._lock = threading.Lock()
        self._file = file
        self._suite = suite
        self._where = where

    def raw(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._file.seek(offset)
            return self._file.read(length)

    def read(self, offset: int, length: int) -> tuple[Attempt, ...]:
        """:raises ConfigurationError: `record-malformed`"""
        try:
            found = decode_as(self.raw(offset, length).rstrip(b",\n"), _Holder).attempts
        except (ValueError, RecursionError) as error:
            raise ConfigurationError("record-malformed", f"{self._where}: {error}") from error
        return tuple(with_proof(it, self._suite) for it in found)

    def __del__(self) -> None:
        # What could not be written has had its say when that was tried.
        with contextlib.suppress(OSError):
            self._file.close()


class StoredAttempts(Sequence[Attempt]):
    """The attempts at one case, read anew whenever they are asked for.

    :param offset: of what holds them, in the store
    :param length: in bytes
    :raises ConfigurationError: `record-malformed`, whenever one is asked for
    """

    __slots__ = ("_length", "_offset", "_store", "briefs")

    def __init__(self, store: AttemptStore, offset: int, length: int, briefs: tuple[AttemptBrief, ...]) -> None:
        self._store = store
        self._offset = offset
        self._length = length
        self.briefs = briefs

    @property
    def canonical(self) -> bytes | None:
        """The object that holds them, where the store has it as it is written."""
        return self._store.raw(self._offset, self._length) if self._store.canonical else None

    def __len__(self) -> int:
        return len(self.briefs)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._read())

    @overload
    def __getitem__(self, index: int) -> Attempt: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Attempt, ...]: ...
    def __getitem__(self, index: int | slice) -> Attempt | tuple[Attempt, ...]:
        return self._read()[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._read() == tuple(other)

    def __hash__(self) -> int:
        return hash(self.briefs)

    def _read(self) -> tuple[Attempt, ...]:
        return self._store.read(self._offset, self._length)


class Interned:
    """Equal parts of thousands of records, each kept once."""

    def __init__(self) -> None:
        self._objects: dict[bytes, Object] = {}
        self._texts: dict[str, str] = {}

    def object(self, raw: msgspec.Raw) -> Object:
        """:raises msgspec.ValidationError: it is no object"""
        data = bytes(raw)
        found = self._objects.get(data)
        if found is None:
            found = self._objects[data] = decode_as(data, dict[str, Any])
        return found

    def text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def brief(self, brief: AttemptBrief) -> AttemptBrief:
        """The same, of parts that are each there once."""
        return AttemptBrief(
            run=self.text(brief.run),
            attempt=brief.attempt,
            outcome=brief.outcome,
            started_at=brief.started_at,
            reused=brief.reused,
            engine=self._equal(brief.engine),
            host=self._equal(brief.host),
        )

    def _equal(self, value: Object) -> Object:
        return self._objects.setdefault(encoded(value), value)
