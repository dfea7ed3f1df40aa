"""Which of several changed images broke a case: what to run, and what follows from how often that passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.model import Outcome
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.comparison import Culprit, Difference
    from ci.results.merged import MergedCase

__all__ = ["Bisected", "Round", "bisected", "changed_images", "digests_of", "smallest"]


@dataclass(frozen=True, kw_only=True)
class Round:
    """:param what: the images it was run with, in words

    :param passed: how often it passed, of how many tries
    """

    what: str
    passed: int
    of: int


@dataclass(frozen=True, kw_only=True)
class Bisected:
    """:param conclusion: what follows, in a sentence

    :param image: the version whose image broke the case; None where no single one was shown to
    """

    case: Case
    rounds: tuple[Round, ...]
    conclusion: str
    image: str | None = None


def smallest(culprit: Culprit) -> Difference:
    """The case of a group that takes the least time."""
    return min(culprit.failing, key=lambda it: (_milliseconds(it.head), it.case.name))


def _milliseconds(case: MergedCase | None) -> float:
    attempts = () if case is None else case.counted
    return min((it.durations.get("total", 0.0) for it in attempts if it.outcome is Outcome.FAILED), default=1e9)


def digests_of(case: MergedCase) -> dict[str, str]:
    """The images that a case was run on last, by version; the simulator's among them."""
    roles = next((it.roles for it in reversed(case.counted) if it.roles), {})
    return {it.version: it.image_digest for it in roles.values() if it.image_digest is not None}


def changed_images(base: Mapping[str, str], head: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name, digest in head.items() if name in base and base[name] != digest)


def bisected(
    case: Case,
    base: Mapping[str, str],
    head: Mapping[str, str],
    passes: Callable[[Mapping[str, str]], int],
    *,
    times: int,
) -> Bisected:
    """Run a case with the images of either run, then with one at a time put back.

    :param base: digests by version
    :param passes: run the case `times` times with these images; how often it passed
    """
    changed = changed_images(base, head)
    if not changed:
        text = "its images are the same in both runs: what broke it is something else, of what changed or by chance"
        return Bisected(case=case, rounds=(), conclusion=text)
    rounds: list[Round] = []

    def play(what: str, images: Mapping[str, str]) -> int:
        rounds.append(Round(what=what, passed=passes(images), of=times))
        return rounds[-1].passed

    def conclude(text: str, image: str | None = None) -> Bisected:
        return Bisected(case=case, rounds=tuple(rounds), conclusion=text, image=image)

    if now := play("the images of head", head):
        return conclude(
            f"not reproduced here: {now} of {counted(times, 'try', 'tries')} with the images of head passed"
        )
    if (then := play("the images of base", {**head, **base})) < times:
        return conclude(f"no image broke it: with those of base, too, only {then} of {times} passed here")
    if len(changed) == 1:
        return conclude(_proved(changed[0], base, head), changed[0])
    flipping = [it for it in _swapped(changed, base, head, play) if rounds[-1].passed == times]
    if len(flipping) == 1:
        return conclude(_proved(flipping[0], base, head), flipping[0])
    names = ", ".join(flipping or changed)
    return conclude(f"any of these put back helps: {names}" if flipping else f"none of these alone broke it: {names}")


def _swapped(
    changed: tuple[str, ...],
    base: Mapping[str, str],
    head: Mapping[str, str],
    play: Callable[[str, Mapping[str, str]], int],
) -> Iterator[str]:
    for name in changed:
        play(f"{name} of base, the others of head", {**head, name: base[name]})
        yield name


def _proved(name: str, base: Mapping[str, str], head: Mapping[str, str]) -> str:
    return f"the image of {name} broke it: {base[name][:19]} → {head[name][:19]}"
