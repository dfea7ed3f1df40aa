"""`python -m ci COMMAND …`: the only place that turns an error into text and an exit status."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ci.commands.registry import COMMANDS
from ci.errors import ExitCode, InteropError
from ci.terminal.interrupts import Interrupted, raised
from ci.terminal.output import Output, standard_output
from ci.terminal.spelling import spelled
from ci.util.arguments import Parser
from ci.util.host_trouble import host_trouble
from ci.util.text import printable_lines

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["command_line", "main", "program"]


def program() -> int:
    """The process: one command, whatever becomes of its output.

    :return: exit status of the command; `ENGINE` for one that is green and whose output was lost on the way
    """
    output, sys.stdout = standard_output()
    try:
        code = main(output=output)
    except SystemExit as end:  # of `--help`
        code = int(end.code or 0)
    sys.stdout.flush()
    if output.trouble is None or output.left:
        return code
    _also_said(f"error: standard output could not be written to its end: {output.trouble.strerror}")
    return code or int(ExitCode.ENGINE)


def main(words: Sequence[str] | None = None, *, output: Output | None = None) -> int:
    """Run one command.

    :param words: command line without the program's name; the process's own by default
    :param output: what `sys.stdout` writes to, where that may fail
    :return: exit status, see `ci.errors.ExitCode`
    """
    console = functools.cache(_console)

    def complain(text: str) -> None:
        console().error(text)
        if output is not None and output.trouble is not None:
            _also_said(f"error: {text}")

    words = sys.argv[1:] if words is None else words
    parser = command_line(words)
    try:
        if not words:
            parser.print_help()
            return int(ExitCode.CONFIGURATION)
        arguments = parser.parse_args(words)
        arguments.words = tuple(words[1:])  # as typed: what is to be typed again is made of them
        with raised():
            return int(arguments.run(arguments, console()))
    except KeyboardInterrupt as request:
        if not isinstance(request, Interrupted):
            complain("interrupted")
        elif str(request):  # else that has been said
            complain(f"interrupted by {request}")
        return int(ExitCode.INTERRUPTED)
    except Exception as error:
        trouble = host_trouble(error) if isinstance(error, OSError) else error
        if isinstance(trouble, InteropError):
            complain(spelled(f"{trouble}\n  reference: {trouble.reference}"))
            return int(trouble.exit_code)
        complain(f"this is a bug of this program, please report it with the following:\n{traceback.format_exc()}")
        return int(ExitCode.BUG)


def _also_said(text: str) -> None:
    """Where standard output is lost, the other one may still have a reader."""
    # Not through `sys.stderr`: what it could not write it tries again at the end, and makes the exit status 120 (3.13).
    with contextlib.suppress(OSError):
        os.write(2, f"{printable_lines(text)}\n".encode(errors="backslashreplace"))


def _console() -> Console:
    # Not at the top: what draws tables and live views takes longer to import than `--help` takes to print.
    from ci.terminal.console import Console  # noqa: PLC0415

    return Console.for_stream(sys.stdout, os.environ)


def command_line(words: Sequence[str] | None = None) -> Parser:
    """The parser of all commands, with the arguments of the one that is asked for.

    :param words: command line without the program's name; None: with the arguments of every command
    """
    parser = Parser(
        prog="ci",
        description="Runs implementations of a network protocol against each other and publishes the matrix.",
        epilog="example: nox -s list -- --help\n"
        "exit status: 0 green, 1 red cells, 2 bad configuration, 3 nothing selected, 4 results incomplete,\n"
        "             5 image build, 6 engine, 7 others outstanding, 70 bug, 130 interrupted",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        it = commands.add_parser(command.name, help=command.help)
        if words is None or list(words[:1]) == [command.name]:
            command.configure(it)
    return parser


if __name__ == "__main__":
    sys.exit(program())
