"""What a run leaves to be run again, and on what."""

from __future__ import annotations

import io
from typing import cast

import pytest
from msgspec.structs import replace
from runs import FAILED, attempt, merged_of

from ci.commands.rerun import exit_code, pinned
from ci.errors import ExitCode
from ci.images.base import Image, Provider, Unavailable
from ci.model import Case, Expectation, Expected, Outcome, PublishedImage, Reason, ReasonCode, Version
from ci.results.merged import Merged, MergedCase
from ci.results.records import Attempt, RoleRecord
from ci.results.rerun import outstanding, recorded
from ci.suites.registry import SUITES
from ci.terminal.console import Console

QUIC = SUITES["quic"].words
RED, KNOWN, GREEN, GONE, BROKE = (QUIC.case("c", server, "retry") for server in ("s1", "s2", "s3", "s4", "s5"))
MISSING = Reason(code=ReasonCode.SHARD_MISSING, text="missing")
LOST = Reason(code=ReasonCode.ENGINE_LOST, text="lost")


def on(attempt_: Attempt, case: Case, *, seed: int, image: str = "x") -> Attempt:
    roles = {
        "client": RoleRecord(version=case.first, family="c", image_digest="sha256:c"),
        "server": RoleRecord(version=case.second, family="s", image_digest=f"sha256:{case.second}{image}"),
    }
    return replace(attempt_, roles=roles, seed=seed)


def run() -> Merged:
    merged = merged_of(
        {
            RED: [on(attempt(RED, FAILED), RED, seed=1), on(attempt(RED, FAILED, attempt=2), RED, seed=2)],
            KNOWN: [on(attempt(KNOWN, FAILED), KNOWN, seed=3)],
            GREEN: [on(attempt(GREEN), GREEN, seed=4)],
            GONE: [attempt(GONE, Outcome.NOT_RUN, MISSING)],
            BROKE: [attempt(BROKE, Outcome.ERROR, LOST)],
        }
    )
    known = Expectation(id="known", select=("x",), expect=Expected.FAIL)
    cases = (
        MergedCase(
            case=it.case, result=it.result, attempts=it.attempts, expectation=known if it.case == KNOWN else None
        )
        for it in merged.cases
    )
    return Merged(plan=merged.plan, suite=merged.suite, cases=tuple(cases))


def test_what_is_not_seen_to_be_as_it_should_be_is_outstanding() -> None:
    assert [it.case for it in outstanding(run())] == [RED, GONE, BROKE]


def test_what_was_recorded_is_taken_again() -> None:
    found = recorded(run(), [RED, GONE])
    assert found.seeds == {RED.key: 2}
    assert found.references == {RED.key: f"r1/{RED.key}/2", GONE.key: f"r1/{GONE.key}/1"}
    # The client of the case without a record ran in others.
    assert found.digests["c"] == "sha256:c"
    assert "s4" not in found.digests


class Images:
    """One image is built, others are there by their digests."""

    def __init__(self, built: str | None, *there: str) -> None:
        self._built = built
        self._there = there

    def find(self, version: Version) -> Image | Unavailable:
        reference = version.source.reference if isinstance(version.source, PublishedImage) else ""
        if reference == "example.org/a:1" and self._built is not None:
            return Image(digest=self._built, build_key="key")
        if reference in self._there:
            return Image(digest=reference)
        return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text="no")


@pytest.mark.parametrize(
    ("images", "digests", "digest"),
    [
        (Images("sha256:1"), {}, "sha256:1"),
        (Images("sha256:1"), {"a": "sha256:1"}, "sha256:1"),
        (Images("sha256:2", "sha256:1"), {"a": "sha256:1"}, "sha256:1"),
        (Images(None, "sha256:1"), {"a": "sha256:1"}, "sha256:1"),
        (Images("sha256:2"), {"a": "sha256:1"}, None),
    ],
)
def test_the_recorded_image_is_taken_and_no_other(images: Images, digests: dict[str, str], digest: str | None) -> None:
    version = Version(
        id="a",
        family="a",
        source=PublishedImage(reference="example.org/a:1"),
        transports=(),
        secure_channels=(),
        muxers=(),
    )
    found = pinned(cast("Provider", images), version, digests)
    if digest is None:
        assert isinstance(found, Unavailable)
        assert found.text == "the image that a was run on, sha256:1, is not here any more"
    else:
        assert isinstance(found, Image)
        assert found.digest == digest


def test_green_but_narrower_has_a_code_of_its_own(console: Console) -> None:
    merged = run()
    assert exit_code(merged, [GREEN], console, strict=False) is ExitCode.OUTSTANDING
    assert exit_code(merged, [GREEN, RED], console, strict=False) is ExitCode.FAILED
    well = Merged(plan="p", suite=QUIC, cases=tuple(it for it in merged.cases if it.case in (GREEN, KNOWN)))
    assert exit_code(well, [GREEN], console, strict=False) is ExitCode.GREEN


@pytest.fixture
def console() -> Console:
    return Console(io.StringIO(), terminal=False, colour=False, github=False, environment={})
