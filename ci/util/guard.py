"""Runs one command and ends it, with all of its process group, once the other end of standard input is closed.

Started by `guarded` as a program of its own: a run that is killed can end nothing any more, and what it was building
would write on into a folder that the next run sweeps. Imports nothing of this package.
"""

import os
import signal
import subprocess
import sys
import threading

__all__: list[str] = []


def _watch() -> None:
    os.read(0, 1)  # nothing is ever written: it returns when the process that started us has ended
    os.killpg(0, signal.SIGKILL)


def _main(words: list[str]) -> int:
    # Handled, not ignored: that would be inherited. The command gets the signal itself, and we wait for it to end.
    signal.signal(signal.SIGTERM, lambda *_: None)
    threading.Thread(target=_watch, daemon=True).start()
    try:
        code = subprocess.call(words, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 -- into the build's log
        return 127
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
