"""Which image broke a case, for every way in which images may have to do with it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import FAILED, RED, YAMUX, attempt, merged_of

from ci.model import Case
from ci.reports.comparison import as_document, as_lines, as_markdown
from ci.results.bisection import Bisected, bisected, digests_of, smallest
from ci.results.comparison import compare
from ci.results.merged import Merged
from ci.results.records import RoleRecord, changed

CASE = YAMUX.case("a-v1", "b-v1")
BASE = {"a-v1": "sha256:a-old", "b-v1": "sha256:b-old", "simulator": "sha256:s-old"}
HEAD = {"a-v1": "sha256:a-new", "b-v1": "sha256:b-new", "simulator": "sha256:s-old"}


def found(breaks: set[str], *, times: int = 3, base: Mapping[str, str] = BASE) -> Bisected:
    """What is found where a case fails if and only if one of these images takes part."""
    return bisected(CASE, base, HEAD, lambda images: 0 if breaks & set(images.values()) else times, times=times)


@pytest.mark.parametrize("name", ["a-v1", "b-v1"])
def test_the_image_that_flips_it_is_named_with_how_often(name: str) -> None:
    it = found({HEAD[name]})
    assert it.image == name
    assert it.conclusion == f"the image of {name} broke it: {BASE[name]} → {HEAD[name]}"
    swapped = [3, 0] if name == "a-v1" else [0, 3]
    assert [(one.passed, one.of) for one in it.rounds] == [(count, 3) for count in (0, 3, *swapped)]


def test_where_one_image_changed_two_rounds_are_enough() -> None:
    it = found({HEAD["a-v1"]}, base={**BASE, "b-v1": HEAD["b-v1"]})
    assert (it.image, len(it.rounds)) == ("a-v1", 2)


def test_where_both_broke_it_neither_is_blamed_alone() -> None:
    it = found({HEAD["a-v1"], HEAD["b-v1"]})
    assert it.image is None
    assert it.conclusion == "none of these alone broke it: a-v1, b-v1"


def test_where_only_both_together_break_it_either_helps() -> None:
    it = bisected(
        CASE, BASE, HEAD, lambda images: 0 if {HEAD["a-v1"], HEAD["b-v1"]} <= set(images.values()) else 3, times=3
    )
    assert it.conclusion == "any of these put back helps: a-v1, b-v1"


def test_what_does_not_fail_here_or_always_does_is_said_to() -> None:
    assert found(set()).conclusion == "not reproduced here: 3 of 3 tries with the images of head passed"
    assert "no image broke it" in found({BASE["simulator"]}).conclusion


def test_where_no_image_changed_nothing_is_run() -> None:
    it = bisected(CASE, HEAD, HEAD, lambda _: pytest.fail("it was run"), times=3)
    assert "something else" in it.conclusion


@given(st.sets(st.sampled_from([*HEAD.values(), *BASE.values()])), st.integers(1, 5))
def test_whoever_is_named_did_it(breaks: set[str], times: int) -> None:
    it = found(breaks, times=times)
    if it.image is not None:
        assert HEAD[it.image] in breaks
        assert not breaks & ({**HEAD, it.image: BASE[it.image]}).keys()


def a_run(digest: str, *, red: bool) -> Merged:
    def tried(one: Case, seconds: float) -> list[object]:
        roles = {
            role: RoleRecord(version=version, family="x", image_digest=f"sha256:{digest}-{version}")
            for role, version in one.versions.items()
        }
        made = attempt(one, FAILED, RED) if red else attempt(one)
        return [changed(made, roles=roles, durations={"total": seconds * 1000})]

    slow, quick = YAMUX.case("a-v1", "b-v1"), YAMUX.case("b-v1", "b-v1")
    return merged_of({slow: tried(slow, 9), quick: tried(quick, 1)})  # type: ignore[dict-item]


def test_the_smallest_case_of_a_group_is_run_and_every_format_tells_of_it() -> None:
    comparison = compare(a_run("old", red=False), a_run("new", red=True))
    (culprit,) = comparison.culprits
    one = smallest(culprit)
    assert one.case.pair == ("b-v1", "b-v1")
    assert one.base is not None
    assert one.head is not None
    assert digests_of(one.head) == {"b-v1": "sha256:new-b-v1"}
    proved = [
        bisected(one.case, digests_of(one.base), digests_of(one.head), lambda it: 3 * ("old" in it["b-v1"]), times=3)
    ]
    sentence = "the image of b-v1 broke it: sha256:old-b-v1 → sha256:new-b-v1"
    assert any(line.endswith(sentence) for line in as_lines(comparison, proved))
    assert "  with the images of base: 3 of 3 passed" in list(as_lines(comparison, proved))
    assert sentence in as_markdown(comparison, proved)
    assert as_document(comparison, proved)["bisected"][0]["image"] == "b-v1"
