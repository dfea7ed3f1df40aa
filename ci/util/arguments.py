"""Command lines that answer a slip of the keyboard as every other mistake is answered: what, why, what to do.

`argparse` ends the process with a line of its own making, accepts any beginning of a flag, and notices an unknown
flag only after everything else. `Parser` looks for unknown words first and raises `ConfigurationError`; `whole_number`
and `seconds` are types for numbers with bounds.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from ci.errors import ConfigurationError
from ci.util.suggest import did_you_mean, shown

__all__ = ["LONGEST_SECONDS", "Parser", "factor", "seconds", "whole_number"]

# A day: more than any case, any shard or any CI job may take, and far from where clocks overflow.
LONGEST_SECONDS: Final = 86_400.0
_NUMBER: Final = re.compile(r"-(\.?\d.*|inf.*|nan)", re.IGNORECASE)


class Parser(argparse.ArgumentParser):
    """A parser of one command, or of all of them. Epilogs are printed as they stand.

    :raises ConfigurationError: from the parsing methods, wherever `argparse` would end the process with status 2
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)
        self._commands: Any = None

    def add_subparsers(self, **kwargs: Any) -> Any:
        self._commands = super().add_subparsers(**kwargs)
        return self._commands

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        words: Sequence[str] = sys.argv[1:] if args is None else list(args)
        self._refuse_unknown(words)
        known, extra = super().parse_known_args(words, namespace)
        if extra:
            self._refuse(
                "superfluous-argument",
                f"{self.prog} does not know what to do with {_quoted(extra)}",
                why="it takes fewer arguments than it was given, or a word with spaces is not in quotes",
            )
        return known, extra

    def error(self, message: str) -> NoReturn:
        usage = " ".join(self.format_usage().split()).removeprefix(f"usage: {self.prog}")
        # What may be left out fills half a screen; `--help` has it.
        needed = re.sub(r"\[-[^][]*(?:\[[^]]*\])?[^][]*\]", "", usage).split()
        command = self.prog.partition(" ")[2] or "COMMAND"
        self._refuse(
            "bad-argument",
            f"{self.prog}: {message}",
            why=f"it is written: {' '.join(['nox', '-s', command, '--', *needed, '[FLAGS]'])}",
        )

    def _refuse_unknown(self, words: Sequence[str]) -> None:
        """Before anything else is held against the command line, so that the nearest word is the first answer."""
        for word in words:
            if word == "--":
                return
            if word.startswith("-") and len(word) > 1 and not _NUMBER.fullmatch(word):
                flag = word.partition("=")[0]
                if flag not in self._option_string_actions and not self._is_cluster(flag):
                    self._refuse(
                        "unknown-flag",
                        f"{self.prog} has no flag `{shown(flag)}`{self._meant(flag)}",
                        why="flags are written in full; none stands for another",
                    )
            elif self._commands is not None:
                if word not in self._commands.choices:
                    self._refuse(
                        "unknown-command",
                        f"there is no command `{shown(word)}`{did_you_mean(word, self._commands.choices)}",
                        why=f"the commands are {', '.join(self._commands.choices)}",
                    )
                return  # what follows is for that command's own parser

    def _is_cluster(self, flag: str) -> bool:
        """Whether it is a short flag with its value or with more short flags, `-n5`."""
        return not flag.startswith("--") and flag[:2] in self._option_string_actions

    def _meant(self, flag: str) -> str:
        """A flag of this command that is spelt about like it, or that it is the beginning of."""
        flags = [name for name in self._option_string_actions if name.startswith("--")]
        begun = sorted(name for name in flags if len(flag) > len("--") and name.startswith(flag))
        return f": did you mean `{begun[0]}`?" if begun else did_you_mean(flag, flags)

    def _refuse(self, reference: str, message: str, *, why: str) -> NoReturn:
        command = self.prog.partition(" ")[2]
        help_line = f"nox -s {command} -- --help" if command else "nox -l"
        raise ConfigurationError(reference, message, why=why, hint=f"`{help_line}` shows what there is")


def whole_number(flag: str, *, minimum: int, maximum: int = 10**6) -> Callable[[str], int]:
    """A type for `add_argument`: an integer within these bounds, both included.

    :param flag: named in the message
    """

    def parse(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text.strip()) else None
        if number is None:
            raise _bad_number(flag, text, "it is not a whole number", f"a whole number from {minimum} to {maximum}")
        if not minimum <= number <= maximum:
            raise _bad_number(flag, text, "it is out of bounds", f"a whole number from {minimum} to {maximum}")
        return number

    return parse


def seconds(flag: str) -> Callable[[str], float]:
    """A type for `add_argument`: a time in seconds, above 0 and at most a day.

    :param flag: named in the message
    """
    wanted = f"a number of seconds above 0 and up to {LONGEST_SECONDS:.0f}"
    return _number_above_0(flag, LONGEST_SECONDS, "it is not a time that one can wait for", wanted)


def factor(flag: str) -> Callable[[str], float]:
    """A type for `add_argument`: what a time is multiplied by, above 0 and at most 100.

    :param flag: named in the message
    """
    return _number_above_0(flag, 100, "it is out of bounds", "a number above 0 and up to 100")


def _number_above_0(flag: str, most: float, why: str, wanted: str) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise _bad_number(flag, text, "it is not a number", wanted) from None
        if not 0 < number <= most:  # no number at all is neither
            raise _bad_number(flag, text, why, wanted)
        return number

    return parse


def _bad_number(flag: str, text: str, why: str, wanted: str) -> ConfigurationError:
    return ConfigurationError("bad-value", f"{flag} cannot be `{shown(text)}`", why=why, hint=f"give {wanted}")


def _quoted(words: Sequence[str]) -> str:
    return ", ".join(f"`{shown(word)}`" for word in words)
