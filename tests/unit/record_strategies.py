"""Hypothesis strategies for records: all that a runner may write, and hostile text where text is free."""

from __future__ import annotations

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ci.model import Outcome, Reason, ReasonCode
from ci.results.records import KINDS, Attempt, EvidenceFile, Reused, RoleRecord, RunEnd, RunStart
from ci.suites.registry import SUITES

# For tests that draw whole records or write files.
unhurried: Final = settings(max_examples=50)

HOSTILE: Final = (
    "", "\x00", "\x1b[31mred\x1b[0m", "\x1b]8;;http://x\x07", "</script><b>", "a|b", "`code`", "line\nline",
    "\r\n", "\ud800", "../../etc/passwd", "::error::x", "%0A", "[bold]x[/bold]", "[/]", "é́ 🎧", "\u202eabc",
    "=1+1", "<!--x-->",
)  # fmt: skip
texts = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))
lone_surrogates = st.text(st.characters(), max_size=20)
words = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
finite = st.one_of(
    st.integers(min_value=0, max_value=2**53), st.floats(min_value=0, allow_nan=False, allow_infinity=False)
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), finite, texts)
objects = st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=3)), max_size=3)
digests = st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)
shards = st.integers(1, 40).flatmap(lambda count: st.integers(1, count).map(lambda index: f"{index}/{count}"))
suites = st.sampled_from([suite.words for suite in SUITES.values()])
parameters = suites.flatmap(
    lambda suite: st.tuples(words, *[st.none() | words] * (len(suite.params) - 1)).map(
        lambda given: suite.case("a", "b", *given).named_params
    )
)
roles = st.sampled_from([*(role for suite in SUITES.values() for role in suite.words.roles), "simulator"])
optional_texts = st.none() | texts

reasons = st.builds(
    Reason,
    code=st.sampled_from(ReasonCode),
    text=st.one_of(texts, lone_surrogates),
    side=roles | st.sampled_from(("both", "harness", "unknown")),
    phase=optional_texts,
)
role_records = st.builds(
    RoleRecord,
    version=texts,
    family=texts,
    image_digest=st.none() | digests,
    build_key=optional_texts,
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    oom=st.booleans(),
)
evidence_files = st.builds(
    EvidenceFile,
    role=st.sampled_from(("dialer", "listener", "harness")),
    stream=words,
    path=st.from_regex(r"[a-z]{1,5}(/[a-z0-9.]{1,5}x)?", fullmatch=True),
    size=st.integers(0, 2**40),
    sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    truncated=st.booleans(),
)
starts = st.builds(
    RunStart,
    run=words,
    plan=digests,
    shard=shards,
    tool_version=texts,
    ci_attempt=st.integers(1, 9),
    host=objects,
    schema=st.just(1),
)
ends = st.builds(RunEnd, planned=st.integers(0, 10**6), reported=st.integers(0, 10**6), ok=st.booleans())
attempts = st.builds(
    Attempt,
    run=words,
    plan=digests,
    shard=shards,
    case=texts,
    key=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    params=parameters,
    outcome=st.sampled_from(Outcome),
    ci_attempt=st.integers(1, 9),
    roles=st.dictionaries(roles, role_records),
    inputs=optional_texts,
    attempt=st.integers(1, 9),
    of=st.integers(1, 9),
    kind=st.sampled_from(KINDS),
    supersedes=optional_texts,
    reason=st.none() | reasons,
    started_at=st.sampled_from((None, "2026-11-21T10:30:00Z", "2026-11-21T10:30:00.125Z")),
    durations=st.dictionaries(words, finite, max_size=3),
    metrics=st.dictionaries(words, finite, max_size=3),
    negotiated=st.none() | st.dictionaries(words, texts, max_size=3),
    published=st.lists(texts, max_size=3).map(tuple),
    warnings=st.lists(texts, max_size=3).map(tuple),
    engine=objects,
    host=objects,
    evidence=st.lists(evidence_files, max_size=3).map(tuple),
    seed=st.none() | st.integers(),
    limits=objects,
    repro=optional_texts,
    reused=st.none() | st.builds(Reused, run=words, attempt=st.integers(1, 9)),
    schema=st.just(1),
).map(lambda one: replace(one, suite="quic" if "testCase" in one.params else "transport"))
records = st.one_of(starts, attempts, ends)
