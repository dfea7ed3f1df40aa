"""`python -m ci COMMAND …`: the only place that turns an error into text and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from ci.arguments import Parser
from ci.commands import (
    build_images,
    check_image,
    doctor,
    export_results,
    gc,
    init,
    interop,
    list_cases,
    merge_results,
    repro,
    run_shard,
    update_readme,
)
from ci.console import Console
from ci.errors import ExitCode, InteropError
from ci.host_trouble import host_trouble

__all__ = ["command_line", "main"]

COMMANDS = (
    interop,
    list_cases,
    build_images,
    run_shard,
    merge_results,
    update_readme,
    export_results,
    repro,
    check_image,
    doctor,
    gc,
    init,
)


def main(words: Sequence[str] | None = None) -> int:
    """Run one command.

    :param words: command line without the program's name; the process's own by default
    :return: exit status, see `ci.errors.ExitCode`
    """
    console = Console.for_stream(sys.stdout, os.environ)
    words = sys.argv[1:] if words is None else words
    parser = command_line()
    try:
        if not words:
            parser.print_help()
            return int(ExitCode.CONFIGURATION)
        arguments = parser.parse_args(words)
        arguments.words = tuple(words[1:])  # as typed: what is to be typed again is made of them
        return int(arguments.run(arguments, console))
    except KeyboardInterrupt:
        console.error("interrupted")
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has left (`… | head`): nothing to say and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.GREEN)
    except Exception as error:
        trouble = host_trouble(error) if isinstance(error, OSError) else error
        if isinstance(trouble, InteropError):
            console.error(f"{trouble}\n  reference: {trouble.reference}")
            return int(trouble.exit_code)
        console.error(f"this is a bug of this program, please report it with the following:\n{traceback.format_exc()}")
        return int(ExitCode.BUG)


def command_line() -> Parser:
    """The parser of all commands."""
    parser = Parser(
        prog="ci",
        description="Runs implementations of a network protocol against each other and publishes the matrix.",
        epilog="example: nox -s list -- --help\n"
        "exit status: 0 green, 1 red cells, 2 bad configuration, 3 nothing selected, 4 results incomplete,\n"
        "             5 image build, 6 engine, 70 bug, 130 interrupted",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
