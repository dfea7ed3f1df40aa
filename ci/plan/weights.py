"""How long cases take, as recorded from earlier runs: a small committed file, name of the case → seconds.

A case without a record gets the median of its class: the same two families (in either role) over the same
transport or test case; else the same transport or test case; else all recorded cases; else a constant.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.util.atomic import write_atomically
from ci.util.suggest import shown, shown_path

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["DEFAULT_SECONDS", "estimate", "load_weights", "save_weights"]

# Two container starts, a handshake and a ping. As long as nothing is recorded all cases weigh the same, and
# then only the total that `list` shows depends on it.
DEFAULT_SECONDS: Final = 2.0

# Nobody waits a day for one case: a larger number is a mistake, most likely milliseconds.
_LONGEST_SECONDS: Final = 24 * 3600.0


def load_weights(path: Path) -> dict[str, float]:
    """Read a file of weights: one JSON object, name of a case → seconds, taken to the nearest 0.1 s.

    :raises ConfigurationError: the file cannot be read or is something else
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, a name twice, nested without end
        raise _unusable(path, shown(str(error))) from None
    if not isinstance(document, dict):
        raise _unusable(path, "it must hold one JSON object")
    for name, seconds in document.items():
        number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        if not number or not 0 <= seconds <= _LONGEST_SECONDS:  # false for NaN, too
            raise _unusable(path, f"`{shown(name)}` has no sensible number of seconds: {shown(repr(seconds))}")
    return {name: round(float(seconds), 1) for name, seconds in document.items()}


def save_weights(path: Path, seconds: Mapping[str, float]) -> None:
    """Write a file of weights, one case a line in the order of names, so that a change of few is a small diff."""
    rows = (f"{json.dumps(name)}: {round(seconds[name], 1)}" for name in sorted(seconds))
    write_atomically(path, ("{\n" + ",\n".join(rows) + "\n}\n").encode())


def estimate(cases: Sequence[Case], families: Mapping[str, str], weights: Mapping[str, float]) -> tuple[float, ...]:
    """Seconds for each case, in the order given.

    :param cases: the whole matrix, so that medians do not depend on what is selected
    :param families: version id → family
    :param weights: recorded seconds by name of the case; others than `cases` play no part
    """
    recorded = [weights.get(case.name) for case in cases]
    classes: dict[Hashable, list[float]] = {}
    for case, seconds in zip(cases, recorded, strict=True):
        if seconds is not None:
            for group in _classes(case, families):
                classes.setdefault(group, []).append(seconds)
    medians = {group: round(statistics.median(known), 1) for group, known in classes.items()}
    return tuple(
        seconds
        if seconds is not None
        else next((medians[group] for group in _classes(case, families) if group in medians), DEFAULT_SECONDS)
        for case, seconds in zip(cases, recorded, strict=True)
    )


def _classes(case: Case, families: Mapping[str, str]) -> Iterator[Hashable]:
    """The classes of a case, the narrowest first."""
    what = case.words[0]
    yield frozenset((families[case.first], families[case.second])), what
    yield what
    yield None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"`{name}` is there twice")
        found[name] = value
    return found


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        "bad-weights",
        f"cannot use the weights in {shown_path(path)}: {reason}",
        why="it is a JSON object, name of a case → seconds",
        hint="restore the committed file; `{}` is a valid one",
    )
