"""The one way to write to a terminal or to a CI's log.

One `Console` is made from a stream and passed to all code that writes. What the stream can show is
decided once, when it is made. Everything printed may contain other people's text, so escape sequences and
control characters are taken out, markup is never interpreted, and on GitHub no line but ours can act as a
workflow command.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, TextIO, TypeAlias

import rich.console
from rich.text import Text

from ci.util.text import printable, printable_lines

__all__ = ["ANNOTATIONS", "Console", "escape_data", "escape_property"]

Level: TypeAlias = Literal["warning", "error"]

# GitHub shows this many annotations of a kind per step and drops the rest silently.
ANNOTATIONS: Final = 10
_STYLES: Final[Mapping[Level, str]] = {"warning": "yellow", "error": "bold red"}
_COMMAND: Final = re.compile(r"^(\s*)::", re.MULTILINE)


def escape_data(text: str) -> str:
    """Text as a workflow command's message."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Text as the value of a workflow command's property."""
    return escape_data(text).replace(":", "%3A").replace(",", "%2C")


class Console:
    """Where output goes and what it can show.

    :param terminal: a person watches, and lines can be redrawn
    :param colour: ANSI colours are wanted
    :param github: the output is read by GitHub Actions, which understands groups and annotations
    :param environment: consulted for the terminal's kind and size only

    Safe to use from several threads.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        terminal: bool,
        colour: bool,
        github: bool,
        environment: Mapping[str, str],
    ) -> None:
        self.terminal = terminal
        self.colour = colour
        self.github = github
        self._stream = stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self.unicode = self._encoding.lower().replace("-", "").replace("_", "").startswith("utf")
        self._lock = threading.RLock()
        self._annotated: Counter[Level] = Counter()
        self.rich = rich.console.Console(
            file=stream,
            # Rich shows colours only where it believes in a terminal.
            force_terminal=terminal or colour,
            force_interactive=terminal,
            no_color=not colour,
            # What is no terminal says nothing of its colours; these sixteen are understood everywhere.
            color_system=("auto" if terminal else "standard") if colour else None,
            markup=False,
            emoji=False,
            highlight=False,
            _environ=environment,
        )

    @staticmethod
    def for_stream(stream: TextIO, environment: Mapping[str, str]) -> Console:
        """A console for the stream; heeds `NO_COLOR`, `FORCE_COLOR`, `TERM` and `GITHUB_ACTIONS`.

        `NO_COLOR` wins over `FORCE_COLOR`; both count when they are not empty, and `FORCE_COLOR=0` is a no.
        """
        github = environment.get("GITHUB_ACTIONS") == "true"
        terminal = stream.isatty() and environment.get("TERM") != "dumb" and not github
        forced = environment.get("FORCE_COLOR", "") not in ("", "0")
        colour = not environment.get("NO_COLOR") and (forced or terminal)
        return Console(stream, terminal=terminal, colour=colour, github=github, environment=environment)

    # --- lines --------------------------------------------------------------------------------------------

    def info(self, text: str, *, style: str = "") -> None:
        """Print the text as it is, but harmless."""
        self._print(self._harmless(text), style)

    def labelled(self, label: str, text: str, *, label_style: str, style: str = "") -> None:
        """Print the text as `info` does, each of its lines behind a label with a colour of its own."""
        for line in self._harmless(text).split("\n"):
            self.line(Text.assemble((self.encodable(label), label_style), (self.encodable(line), style)))

    def warn(self, text: str, *, title: str | None = None) -> None:
        """Something is odd, and the work goes on."""
        self._annotate("warning", text, title)

    def error(self, text: str, *, title: str | None = None) -> None:
        """Something failed."""
        self._annotate("error", text, title)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Lines that belong together; GitHub folds them."""
        title = printable(title)
        if not self.github:
            self._print(title, "bold")
            yield
            return
        self._print(f"::group::{escape_data(title)}")
        try:
            yield
        finally:
            self._print("::endgroup::")

    def show(self, renderable: rich.console.RenderableType) -> None:
        """Print a Rich table or the like; its texts must be `Text` made by `styled`."""
        with self._lock:
            self.rich.print(renderable)

    def line(self, text: Text) -> None:
        """Print one line put together from texts made by `styled`; it is not wrapped."""
        with self._lock:
            # A log is searched, so its lines stay whole; a terminal wraps by itself.
            self.rich.print(text, soft_wrap=True)

    def styled(self, text: str, style: str = "") -> Text:
        """One line of harmless text for a table."""
        return Text(self.encodable(printable(text)), style=style)

    def encodable(self, text: str) -> str:
        """The text with what the stream's encoding lacks as escapes."""
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def symbol(self, symbol: str, plain: str) -> str:
        """A sign where the stream can show it, else a plain word."""
        return symbol if self.unicode else plain

    # --- inside -------------------------------------------------------------------------------------------

    def _annotate(self, level: Level, text: str, title: str | None) -> None:
        with self._lock:
            self._annotated[level] += 1
            if self.github and self._annotated[level] <= ANNOTATIONS:
                name = "" if title is None else f" title={escape_property(printable(title))}"
                self._print(f"::{level}{name}::{escape_data(printable_lines(text))}")
                return
        head = f"{level}: " if title is None else f"{level}: {printable(title)}: "
        self._print(self._harmless(head + text), _STYLES[level])

    def _harmless(self, text: str) -> str:
        text = printable_lines(text)
        if self.github:
            # A command is a line that begins with two colons, or `##[` anywhere in it.
            text = _COMMAND.sub(r"\1: :", text).replace("##[", "# #[")
        return text

    def _print(self, text: str, style: str = "") -> None:
        text = self.encodable(text)
        if self.terminal or self.colour:
            self.line(Text(text, style=style))
            return
        # Nothing is drawn around it and nothing coloured: Rich would write the same and take ten times as long.
        with self._lock:
            self._stream.write(f"{text}\n")
            self._stream.flush()
