"""What somebody said last: often the whole reason.

The last line itself is seldom it where a program ends in a trace: that line is a frame, a brace, a hint or a rule of
dashes. Traces of Python, Go, Rust, JavaScript and the JVM are read for the lines that name what went wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ci.util.text import BECAUSE_OF, clip_middle, strip_ansi

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci.spec.capture import Capture

__all__ = ["last_line"]

# Bytes: with a sentence around it, it fits into a reason's text.
MOST: Final = 800
# Nobody's last trace is longer, and no line of it: a flood costs no more than this.
MOST_LINES: Final = 500
LONGEST_LINE: Final = 4096

WORD: Final = re.compile(r"\w")
# Python: the rules and bars that its groups of exceptions are drawn with, what begins a trace, what links two.
RAIL: Final = re.compile(r"^ *[|+] ")
TRACEBACK: Final = re.compile(r"(?:Exception Group )?Traceback \(most recent call last\):$")
LINKS: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
GROUP: Final = re.compile(r"(?:[\w.]*\.)?(?:(?:Base)?ExceptionGroup|MultiError)\b")
# Go and Rust.
GO_PANIC: Final = re.compile(r"(?:panic|fatal error): ")
GO_FRAME: Final = re.compile(r"\s+\S+\.(?:go|s):\d+|exit status \d+$|created by ")
RUST_PANIC: Final = re.compile(r"thread '.*panicked at ")
RUST_REST: Final = re.compile(r"stack backtrace:$|note: .*RUST_BACKTRACE|\s+\d+: |\s+at \S+:\d+$")
# JavaScript and the JVM: a headline, then nothing but frames, causes and properties.
FRAME: Final = re.compile(r"\s+at .*[(:/]")
CAUSE: Final = re.compile(r"(?:\s+\[cause\]: |Caused by: |\s+(?=[\w.]*(?:Error|Exception): ))(?P<what>.*)")
BESIDE: Final = re.compile(r"\s+\.\.\. \d+ |\s+[\w$\[\]]+: |\s+Suppressed: |Node\.js v\d")


def last_line(*streams: Capture, most: int = MOST) -> str:
    """What the first of these streams that holds anything ends with: its last line, or what its last trace is about.

    Exceptions with a cause are named with it, `outer <- cause`. Empty if nobody wrote anything.

    :param most: bytes, beginning and end of what is longer
    """
    for stream in streams:
        lines = [clip_middle(line.rstrip(), LONGEST_LINE) for line in strip_ansi(stream.text()).splitlines()]
        lines = [line for line in lines if line.strip()][-MOST_LINES:]
        if lines:
            words = _python(lines) or _panic(lines) or _stack(lines) or _last(lines)
            shown = "".join(it if it.isprintable() else "\N{REPLACEMENT CHARACTER}" for it in words.strip())
            return clip_middle(shown, most)
    return ""


def _last(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if WORD.search(line)), lines[-1])


def _python(lines: Sequence[str]) -> str:
    """The exceptions of a trace that ends the stream; of a group those that are in it."""
    chains: list[list[str]] = []  # each with its causes first
    linked = in_trace = False
    for line in lines:
        bare = RAIL.sub("", line)
        if TRACEBACK.match(bare.strip()):
            if not linked and "|" not in line:
                chains = []  # a trace of its own
            in_trace = True
        elif in_trace and bare[:1] not in (" ", "+"):
            in_trace = False
            if GROUP.match(bare):
                continue
            if linked and chains:
                chains[-1].append(bare)
            else:
                chains.append([bare])
            linked = False
        elif bare in LINKS:
            linked = True
        elif not in_trace and WORD.search(bare) and bare == line and not line.lstrip().startswith("+"):
            chains = []  # something else was said after it
    return "; ".join(dict.fromkeys(BECAUSE_OF.join(dict.fromkeys(reversed(chain))) for chain in chains))


def _panic(lines: Sequence[str]) -> str:
    for number in range(len(lines) - 1, -1, -1):
        if GO_PANIC.match(lines[number]):
            return lines[number] if GO_FRAME.match(lines[-1]) else ""
        if RUST_PANIC.match(lines[number]):
            end = next((at for at in range(number, len(lines)) if RUST_REST.match(lines[at])), len(lines))
            if end == len(lines) or not all(map(RUST_REST.match, lines[end:])):
                return ""
            return " ".join(line.strip() for line in lines[number:end])
    return ""


def _stack(lines: Sequence[str]) -> str:
    causes: list[str] = []
    frames = False
    for line in reversed(lines):
        if FRAME.match(line):
            frames = True
        elif cause := CAUSE.match(line):
            causes.insert(0, _opened(cause["what"]))
        elif WORD.search(line) and not BESIDE.match(line):
            return BECAUSE_OF.join([_opened(line), *causes]) if frames else ""
    return ""


def _opened(line: str) -> str:
    """Without the bracket and brace that Node puts around an error with properties."""
    line = line.strip().removesuffix("{").strip()
    return line[1:-1] if line.startswith("[") and line.endswith("]") else line
