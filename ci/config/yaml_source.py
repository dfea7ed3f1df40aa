"""YAML files as trees with places, so that every mistake can say where it is.

Only nodes are composed, no objects are ever constructed. Anchors, aliases and tags are refused: a list of
versions needs none, and an alias can blow a small file up to any size. Tabs are refused everywhere, because
YAML allows them only where nobody can see the difference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import yaml

from ci.errors import ConfigurationError
from ci.util.given_files import open_given
from ci.util.suggest import did_you_mean, shown, shown_path
from ci.util.text import counted

if TYPE_CHECKING:  # the stubs have two classes where the library has one
    from yaml._yaml import Mark as _ForeignMark

    _AnyMark: TypeAlias = yaml.Mark | _ForeignMark

__all__ = ["Node", "Place", "Problem", "Problems", "SourceError", "as_word", "parse", "read"]

_MAXIMUM_DEPTH: Final = 16  # a catalogue needs five levels; composing recurses once per level
_MAXIMUM_BYTES: Final = 4 << 20
_TEXT: Final = "tag:yaml.org,2002:str"
_REFUSED: Final = "!refused"  # tag of a node whose mistake is already noted


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """Where something stands: the file as the user named it, line and column from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{shown_path(Path(self.file))}:{self.line}:{self.column}"


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """One mistake at one place."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class SourceError(ConfigurationError):
    """A file with mistakes, all of them: `problems` in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = counted(len(problems), "mistake")
        files = ", ".join(dict.fromkeys(shown_path(Path(problem.place.file)) for problem in problems))
        lines = [f"{files}: {count}", *(f"  {problem}" for problem in problems)]
        super().__init__(
            "bad-versions-file",
            "\n".join(lines),
            hint="correct each line; docs/versions.md lists every key",
        )


@dataclass
class Problems:
    """Collects mistakes while the reading goes on."""

    found: list[Problem] = field(default_factory=list)

    def add(self, place: Place, text: str) -> None:
        self.found.append(Problem(place=place, text=text))

    def raise_if_any(self) -> None:
        if self.found:
            raise SourceError(sorted(dict.fromkeys(self.found)))


@dataclass(frozen=True, kw_only=True)
class Node:
    """One YAML node and the typed questions a reader may ask it.

    Each question answers None after it has noted the mistake, so that reading can go on.
    """

    yaml_node: yaml.Node
    file: str

    @property
    def place(self) -> Place:
        mark = self.yaml_node.start_mark
        return Place(file=self.file, line=mark.line + 1, column=mark.column + 1)

    @property
    def start(self) -> int:
        """Index of its first character in the file's text."""
        return self.yaml_node.start_mark.index

    @property
    def end(self) -> int:
        """Index after its last character; comments behind it are not part of it, which YAML's own end mark blurs."""
        leaf = self.yaml_node
        while isinstance(leaf, yaml.CollectionNode) and not leaf.flow_style and leaf.value:
            leaf = leaf.value[-1][1] if isinstance(leaf, yaml.MappingNode) else leaf.value[-1]
        return leaf.end_mark.index

    @property
    def in_brackets(self) -> bool:
        """Whether it is a list or mapping written as `[…]` or `{…}`."""
        return isinstance(self.yaml_node, yaml.CollectionNode) and bool(self.yaml_node.flow_style)

    def words(self) -> Iterator[tuple[int, int, str]]:
        """Every word in it that is written as it reads, with where it starts and ends; keys are left out."""
        if isinstance(self.yaml_node, yaml.ScalarNode):
            if self.yaml_node.style in (None, '"', "'"):
                yield self.start, self.end, self.yaml_node.value
            return
        for item in self.yaml_node.value:
            value = item[1] if isinstance(self.yaml_node, yaml.MappingNode) else item
            yield from Node(yaml_node=value, file=self.file).words()

    @property
    def kind(self) -> str:
        """What the node is, in words for a message."""
        if isinstance(self.yaml_node, yaml.MappingNode):
            return "a mapping"
        if isinstance(self.yaml_node, yaml.SequenceNode):
            return "a list"
        tag = self.yaml_node.tag.rpartition(":")[2]
        named = {"str": "text", "null": "empty", "bool": "a truth value", "timestamp": "a date"}
        return named.get(tag, "a number" if tag in ("int", "float") else "something else")

    def entries(self, what: str, problems: Problems, known: Sequence[str]) -> dict[str, Node] | None:
        """The entries of a mapping whose keys must be among `known`."""
        entries = self.any_entries(what, problems)
        if entries is None:
            return None
        for name, (key, _) in list(entries.items()):
            if name not in known:
                near = did_you_mean(name, known) or f": the keys are {', '.join(known)}"
                problems.add(key.place, f"unknown key `{shown(name)}`{near}")
                del entries[name]
        return {name: value for name, (_, value) in entries.items()}

    def any_entries(self, what: str, problems: Problems) -> dict[str, tuple[Node, Node]] | None:
        """The entries of a mapping, key text → (key, value); keys must be words and differ."""
        if not isinstance(self.yaml_node, yaml.MappingNode):
            self._refuse(problems, f"{what} must be a mapping (`key: value` lines), this is {self.kind}")
            return None
        entries: dict[str, tuple[Node, Node]] = {}
        for key_node, value_node in self.yaml_node.value:
            key = Node(yaml_node=key_node, file=self.file)
            name = key.word("a key", problems)
            if name is None:
                continue
            if name in entries:
                first = entries[name][0].place
                problems.add(key.place, f"key `{shown(name)}` is given twice, first at {first}: keep one")
                continue
            entries[name] = (key, Node(yaml_node=value_node, file=self.file))
        return entries

    def items(self, what: str, problems: Problems) -> tuple[Node, ...] | None:
        """The items of a list."""
        if not isinstance(self.yaml_node, yaml.SequenceNode):
            self._refuse(problems, f"{what} must be a list, this is {self.kind}: write `[…]` around it")
            return None
        return tuple(Node(yaml_node=item, file=self.file) for item in self.yaml_node.value)

    def word(self, what: str, problems: Problems) -> str | None:
        """A text that is not blank."""
        node = self.yaml_node
        if not isinstance(node, yaml.ScalarNode):
            self._refuse(problems, f"{what} must be a word, this is {self.kind}")
        elif self.kind == "empty" or (node.tag == _TEXT and not node.value.strip()):
            self._refuse(problems, f"{what} is empty: write a word or leave it out")
        elif node.tag in (_TEXT, "tag:yaml.org,2002:merge"):  # a merge key is an unknown key like any other
            return str(node.value)
        else:
            text = shown(node.value)
            self._refuse(problems, f'{what} must be a word, YAML reads `{text}` as {self.kind}: write "{text}"')
        return None

    def date(self, what: str, problems: Problems) -> date | None:
        """A day, `2026-11-02`, with or without quotes."""
        node = self.yaml_node
        text = node.value if isinstance(node, yaml.ScalarNode) else self.kind
        try:
            if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):  # no other form that a later Python may read
                return date.fromisoformat(text)
        except ValueError:
            pass
        self._refuse(problems, f"{what} must be a day such as 2026-11-02, not `{shown(text)}`")
        return None

    def whole_number(self, what: str, problems: Problems, *, maximum: int) -> int | None:
        """A plain decimal from 1 to `maximum`; none of YAML's other spellings of numbers."""
        node = self.yaml_node
        text = node.value if isinstance(node, yaml.ScalarNode) else self.kind
        quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
        plain = text.isascii() and text.isdigit() and text[0] != "0" and not quoted
        if plain and len(text) <= len(str(maximum)) and int(text) <= maximum:
            return int(text)
        allowed = "1" if maximum == 1 else f"a whole number from 1 to {maximum}"
        advice = ": leave out the quotes" if quoted else ""
        self._refuse(problems, f"{what} must be {allowed}, not `{shown(text)}`{advice}")
        return None

    def _refuse(self, problems: Problems, text: str) -> None:
        if self.yaml_node.tag != _REFUSED:
            problems.add(self.place, text)


def read(path: Path, problems: Problems) -> Node | None:
    """The one document of a YAML file, or None after noting why there is none.

    :raises ConfigurationError: the file cannot be read at all
    """
    text = _text(path, problems)
    return None if text is None else parse(text, str(path), problems)


def parse(text: str, file: str, problems: Problems) -> Node | None:
    """The one document of a text, or None after noting why there is none.

    :param file: what it is called in messages
    """
    return _compose(text, file, problems) if _without_tabs(text, file, problems) else None


def as_word(text: str) -> str:
    """The text as YAML reads it back: with quotes where it would be taken for a number, a truth value or the like.

    :param text: without anything that would need escapes, such as an id
    """
    tag = yaml.resolver.Resolver().resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    return text if tag == _TEXT else f'"{text}"'


def _text(path: Path, problems: Problems) -> str | None:
    try:
        with open_given(path) as file:
            data = file.read(_MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL in it
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            "no-versions-file",
            f"cannot read {shown_path(path)}: {reason}",
            why="the list of versions is looked for in the checkout's root unless another file is named",
            hint="run from the root of the checkout, or check the path",
        ) from None
    if len(data) > _MAXIMUM_BYTES:
        problems.add(Place(file=str(path)), f"the file is larger than {_MAXIMUM_BYTES >> 20} MiB")
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", errors="replace")
        place = _place_after(before, str(path))
        problems.add(place, f"byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8")
        return None


def _without_tabs(text: str, file: str, problems: Problems) -> bool:
    lines = text.split("\n") if "\t" in text else []
    for number, line in enumerate(lines, 1):
        column = line.find("\t") + 1
        if column:
            problems.add(Place(file=file, line=number, column=column), "a tab: use spaces")
    return not lines


def _compose(text: str, file: str, problems: Problems) -> Node | None:
    try:
        loader = _Loader(text, file, problems)
    except yaml.reader.ReaderError as error:
        place = _place_after(text[: error.position], file)
        problems.add(place, f"character U+{ord(text[error.position]):04X} may not stand in a YAML file")
        return None
    try:
        return loader.only_document()
    except _TooDeepError:
        return None
    except yaml.MarkedYAMLError as error:
        said = "; ".join(part for part in (error.problem, error.context) if part)
        problems.add(_place_of(error.problem_mark or error.context_mark, file), f"not YAML: {shown(said)}")
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF"
        problems.add(_place_of(loader.get_mark(), file), f"not YAML: {shown(str(error))}")
    finally:
        loader.dispose()
    return None


def _place_of(mark: _AnyMark | None, file: str) -> Place:
    return Place(file=file, line=mark.line + 1, column=mark.column + 1) if mark else Place(file=file)


def _place_after(text: str, file: str) -> Place:
    return Place(file=file, line=text.count("\n") + 1, column=len(text) - (text.rfind("\n") + 1) + 1)


class _TooDeepError(Exception):
    """Nesting nobody writes on purpose."""


class _Loader(yaml.SafeLoader):
    """Composes nodes and notes what is not allowed here."""

    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._depth = 0
        super().__init__(text)

    def only_document(self) -> Node | None:
        root = self.get_node() if self.check_node() else None
        if root is None:
            self._problems.add(Place(file=self._file), "the file is empty: it needs at least `versions:`")
            return None
        if self.check_node():
            place = _place_of(self._next_event().start_mark, self._file)
            self._problems.add(place, "a second document begins here: keep one, without `---` between")
            return None
        return Node(yaml_node=root, file=self._file)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self._next_event()
        place = _place_of(event.start_mark, self._file)
        if isinstance(event, yaml.AliasEvent):
            name = shown(event.anchor or "")
            self._problems.add(place, f"`*{name}`: YAML aliases are not used here, write it out")
            super().get_event()  # type: ignore[no-untyped-call]
            return yaml.ScalarNode(_REFUSED, name, event.start_mark, event.end_mark)  # type: ignore[arg-type]
        if event.anchor is not None:
            self._problems.add(place, f"`&{shown(event.anchor)}`: YAML anchors are not used here, leave it out")
            event.anchor = None
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problems.add(place, f"`{shown(tag)}`: YAML tags are not used here, leave it out")
            event.tag = None
        if self._depth >= _MAXIMUM_DEPTH:
            self._problems.add(place, f"nested more than {_MAXIMUM_DEPTH} levels deep")
            raise _TooDeepError
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def _next_event(self) -> Any:
        return super().peek_event()  # type: ignore[no-untyped-call]
