"""`expectations:` of `versions.yaml`: what is known of cases before they run (docs/expectations.md lists every key).

Read as strictly as versions are: every mistake at once, each with its place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from ci.config.row import OWNER, URL, is_plain
from ci.config.yaml_source import Problems, parse
from ci.errors import ConfigurationError
from ci.model import Expectation, Expected, ReasonCode
from ci.util.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from ci.config.expression import Resolver
    from ci.config.yaml_source import Node, Place

__all__ = ["KEYS", "ExpectationRow", "appended", "check_expectations", "read_expectations"]

KEYS: Final = ("id", "select", "expect", "reason", "link", "since", "expires", "owner", "code", "matches")


@dataclass(frozen=True, kw_only=True)
class ExpectationRow:
    """What could be read of an entry; `expectation` is None where something essential is wrong.

    :param expressions: its selection, each with its place
    """

    id: str | None
    place: Place
    expressions: tuple[tuple[Place, str], ...]
    expectation: Expectation | None


def read_expectations(node: Node, problems: Problems) -> list[ExpectationRow]:
    """Read the list, noting every mistake in it; it may be empty, because it is hoped to become so."""
    return [_read(item, problems) for item in node.items("`expectations`", problems) or ()]


def appended(text: str, file: str, entries: str) -> str:
    """The text of a list of versions with further expectations behind those that are there.

    :param entries: as `read_expectations` reads them, indented by two
    :raises ConfigurationError: the file has mistakes
    """
    problems = Problems()
    root = parse(text, file, problems)
    problems.raise_if_any()
    found = None if root is None else root.any_entries("the file", problems)
    problems.raise_if_any()
    if not found or "expectations" not in found:
        return f"{text.rstrip()}\n\nexpectations:{entries}"
    node = found["expectations"][1]
    if node.in_brackets:
        if node.items("`expectations`", problems):
            raise ConfigurationError(
                "expectations-in-brackets",
                f"{node.place}: a list in brackets cannot be added to without touching what is there",
                hint="write one entry a line, each behind `- `",
            )
        return f"{text[: node.start].rstrip()}{entries.rstrip()}{text[node.end :]}"
    line_end = text.find("\n", node.end)  # behind a comment, if there is one
    if line_end == -1:
        return f"{text}\n{entries}"
    return f"{text[: line_end + 1]}{entries}{text[line_end + 1 :]}"


def check_expectations(rows: Sequence[ExpectationRow], resolver: Resolver, problems: Problems) -> None:
    """Note ids that are taken, and selections that mean nothing."""
    seen: dict[str, Place] = {}
    for row in rows:
        if row.id is not None and row.id in seen:
            problems.add(row.place, f"expectation `{row.id}` is already there, at {seen[row.id]}")
        if row.id is not None:
            seen.setdefault(row.id, row.place)
        for place, text in row.expressions:
            if (mistake := resolver.mistake_in(text)) is not None:
                problems.add(place, f"expectation `{row.id or '?'}`: {mistake.message}")


def _read(node: Node, problems: Problems) -> ExpectationRow:
    entries = node.entries("an expectation", problems, KEYS) or {}
    reader = _Reader(node=node, entries=entries, problems=problems)
    identifier, expect, expressions = reader.id(), reader.expect(), reader.expressions()
    code, pattern = reader.code(), reader.pattern()
    if expect is Expected.UNSUPPORTED:
        for key in ("code", "matches"):
            reader.refuse(key, f"`{key}` says how a case fails, and one that is unsupported does not")
    since, expires = reader.date("since"), reader.date("expires")
    if since is not None and expires is not None and expires <= since:
        reader.refuse("expires", f"it expires on {expires}, before it began on {since}")
    expectation = None
    if identifier is not None and expect is not None and expressions:
        expectation = Expectation(
            id=identifier,
            select=tuple(text for _, text in expressions),
            expect=expect,
            reason=reader.word("reason"),
            link=reader.matching("link", URL, "an address (https://…)"),
            since=since,
            expires=expires,
            owner=reader.matching("owner", OWNER, "a GitHub name or `name/repository`"),
            code=code,
            matches=pattern,
            place=f"{node.place.file}:{node.place.line}",
        )
    return ExpectationRow(id=identifier, place=node.place, expressions=expressions, expectation=expectation)


@dataclass(frozen=True, kw_only=True)
class _Reader:
    node: Node
    entries: dict[str, Node]
    problems: Problems

    def word(self, key: str) -> str | None:
        node = self.entries.get(key)
        return None if node is None else node.word(f"`{key}`", self.problems)

    def refuse(self, key: str, text: str) -> None:
        if key in self.entries:
            self.problems.add(self.entries[key].place, text)

    def matching(self, key: str, pattern: str, what: str) -> str | None:
        word = self.word(key)
        if word is not None and not re.fullmatch(pattern, word):
            self.refuse(key, f"{key} `{shown(word)}` must be {what}")
            return None
        return word

    def date(self, key: str) -> date | None:
        node = self.entries.get(key)
        return None if node is None else node.date(f"`{key}`", self.problems)

    def id(self) -> str | None:
        name = self.word("id") if self._required("id") else None
        if name is not None and not is_plain(name):
            self.refuse("id", f"id `{shown(name)}`: use letters, digits, `.`, `_` and `-`")
            return None
        return name

    def expect(self) -> Expected | None:
        word = self.word("expect") if self._required("expect") else None
        known = [it.value for it in Expected]
        if word is not None and word not in known:
            near = did_you_mean(word, known) or f": it is one of {', '.join(known)}"
            self.refuse("expect", f"unknown expectation `{shown(word)}`{near}")
            return None
        return None if word is None else Expected(word)

    def expressions(self) -> tuple[tuple[Place, str], ...]:
        """One expression or a list of them, joined by "or"."""
        if not self._required("select"):
            return ()
        node = self.entries["select"]
        items = node.items("`select`", self.problems) or () if node.kind == "a list" else (node,)
        if not items:
            self.refuse("select", "`select` lists nothing: name the cases")
        texts = [(item.place, item.word("`select`", self.problems)) for item in items]
        return tuple((place, text) for place, text in texts if text is not None)

    def code(self) -> ReasonCode | None:
        word = self.word("code")
        known = [it.value for it in ReasonCode]
        if word is not None and word not in known:
            self.refuse("code", f"unknown reason code `{shown(word)}`{did_you_mean(word, known)}")
            return None
        return None if word is None else ReasonCode(word)

    def pattern(self) -> str | None:
        text = self.word("matches")
        if text is None:
            return None
        try:
            re.compile(text)
        except (re.error, OverflowError, RecursionError) as error:
            self.refuse("matches", f"`{shown(text)}` is no regular expression: {error}")
            return None
        return text

    def _required(self, key: str) -> bool:
        if self.entries and key not in self.entries:
            self.problems.add(self.node.place, f"key `{key}` is missing")
        return key in self.entries
