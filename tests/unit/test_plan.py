"""The plan: its document, its digest, its slices."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.config.catalogue import Catalogue, load
from ci.errors import ConfigurationError, NothingSelectedError
from ci.model import BuildRecipe, Contract, PublishedImage, Transport, Version
from ci.plan.plan import make_plan
from ci.plan.shard import Shard, assign, slice_of
from ci.results.plan_file import read_plan
from ci.suites.registry import SUITES, known_suites

DATA = Path(__file__).parent.parent / "data"
PUBLISHED = load(DATA / "versions-2026.yaml", known_suites())

GO = Version(
    id="go-v1",
    family="go",
    source=BuildRecipe(folder="impls/go/v1"),
    transports=(Transport(name="tcp"), Transport(name="quic-v1")),
    secure_channels=("noise", "tls"),
    muxers=("yamux",),
)
RUST = dataclasses.replace(GO, id="rust-v1", family="rust", source=PublishedImage(reference="rust:1"))
KEYS = {"impls/go/v1": "0a" * 32}


def digest(*versions: Version, **options: Any) -> str:
    return make_plan(
        Catalogue(suites=known_suites(), versions=versions),
        suite=SUITES["transport"],
        **({"fingerprints": KEYS} | options),
    ).digest


def test_document() -> None:
    plan = make_plan(
        Catalogue(suites=known_suites(), versions=(GO, RUST)),
        suite=SUITES["transport"],
        selects=["dialer:go and listener:rust"],
        ignores=["tls"],
        weights={"go-v1 x rust-v1 (quic-v1)": 1.5},
        fingerprints=KEYS,
    )
    document = json.loads(plan.to_json())
    assert list(document) == ["schema", "plan", "cases"]
    assert document["schema"] == 1
    assert document["plan"] == plan.digest
    assert len(document["cases"]) == 12
    by_name = {case["name"]: case for case in document["cases"]}
    assert by_name["go-v1 x rust-v1 (quic-v1)"] == {
        "name": "go-v1 x rust-v1 (quic-v1)",
        "key": plan.cases[1].case.key,
        "dialer": "go-v1",
        "listener": "rust-v1",
        "transport": "quic-v1",
        "secureChannel": None,
        "muxer": None,
        "selected": True,
        "why": "--select dialer:go and listener:rust",
        "seconds": 1.5,
    }
    layered = by_name["go-v1 x rust-v1 (tcp, tls, yamux)"]
    assert (layered["transport"], layered["secureChannel"], layered["muxer"]) == ("tcp", "tls", "yamux")
    assert (layered["selected"], layered["why"]) == (False, "--ignore tls")
    assert {one.case.name for one in plan.selected} == {
        "go-v1 x rust-v1 (quic-v1)",
        "go-v1 x rust-v1 (tcp, noise, yamux)",
    }


def test_one_line_per_case() -> None:
    plan = make_plan(PUBLISHED, suite=SUITES["transport"])
    lines = plan.to_json().splitlines()
    assert len(lines) == 1 + len(plan.cases)
    for line, planned in zip(lines[1:], plan.cases, strict=True):
        assert line.startswith(f'{{"name": "{planned.case.name}", ')


def test_document_can_be_read_again() -> None:
    plan = make_plan(PUBLISHED, suite=SUITES["transport"], selects=["go", "tcp"], ignores=["tls"])
    assert read_plan(plan.to_json().encode(), known_suites()) == plan
    with_more = json.loads(plan.to_json()) | {"later": 1}
    with_more["cases"][0]["later"] = 2
    assert read_plan(json.dumps(with_more).encode(), known_suites()) == plan


CASE = json.loads(make_plan(PUBLISHED, suite=SUITES["transport"]).to_json())["cases"][0]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "Expecting value"),
        ("[]", "Expected `object`, got `array`"),
        ("1", "Expected `object`, got `int`"),
        ("{}", "schema"),
        ({"schema": 2, "plan": "sha256:0", "cases": []}, "it is of format 2, and this version reads format 1"),
        ({"schema": 1, "cases": []}, "plan"),
        ({"schema": 1, "plan": 1, "cases": []}, "Expected `str`, got `int` - at `$.plan`"),
        ({"schema": 1, "plan": "sha256:0", "cases": [CASE, CASE]}, "holds two cases of the key"),
        (
            {"schema": 1, "plan": "sha256:0", "cases": [CASE | {"name": "other"}]},
            "do not belong to its fields",
        ),
        (
            {"schema": 1, "plan": "sha256:0", "cases": [CASE | {"key": "0" * 16}]},
            "do not belong to its fields",
        ),
        ({"schema": 1, "plan": "sha256:0", "cases": [CASE | {"dialer": None}]}, "got `null` - at `$.cases[0].dialer`"),
        (
            {"schema": 1, "plan": "sha256:0", "cases": [CASE | {"selected": 1}]},
            "Expected `bool`, got `int` - at `$.cases[0].selected`",
        ),
        ({"schema": 1, "plan": "sha256:0", "cases": [CASE | {"seconds": "1"}]}, "got `str` - at `$.cases[0].seconds`"),
        ({"schema": 1, "plan": "sha256:0", "cases": [CASE | {"seconds": float("nan")}]}, "NaN is not a JSON value"),
        ({"schema": 1, "plan": "sha256:0", "cases": [CASE | {"seconds": -1}]}, ">= 0.0 - at `$.cases[0].seconds`"),
        ({"schema": 1, "plan": "sha256:0", "cases": ["x"]}, "Expected `object`, got `str` - at `$.cases[0]`"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_refuses_other_documents(document: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_plan((document if isinstance(document, str) else json.dumps(document)).encode(), known_suites())
    assert caught.value.reference == "plan-malformed"
    assert said in caught.value.message


def test_digest_looks_like_one() -> None:
    assert digest(GO, RUST).startswith("sha256:")
    assert len(digest(GO, RUST)) == len("sha256:") + 64


@pytest.mark.parametrize(
    "changed",
    [
        dataclasses.replace(RUST, source=PublishedImage(reference="rust:2")),
        dataclasses.replace(RUST, source=BuildRecipe(folder="impls/go/v1")),
        dataclasses.replace(RUST, source=BuildRecipe(folder="impls/go/v1", image_file="other-image.json")),
        dataclasses.replace(RUST, contract=Contract.UNIFIED),
        dataclasses.replace(RUST, timeout_seconds=60),
        dataclasses.replace(RUST, family="crab"),
        dataclasses.replace(RUST, id="rust-v2"),
        dataclasses.replace(RUST, muxers=("yamux", "mplex")),
        dataclasses.replace(RUST, secure_channels=("noise",)),
        dataclasses.replace(RUST, transports=(Transport(name="tcp"), Transport(name="quic-v1", dial_only=True))),
    ],
)
def test_digest_names_what_is_run(changed: Version) -> None:
    assert digest(GO, changed) != digest(GO, RUST)


def test_digest_depends_on_keys_weights_and_selection() -> None:
    digests = [
        digest(GO, RUST),
        digest(GO, RUST, fingerprints={"impls/go/v1": "0b" * 32}),
        digest(GO, RUST, weights={"go-v1 x go-v1 (quic-v1)": 9.0}),
        digest(GO, RUST, ignores=["tls"]),
        digest(GO, RUST, selects=["go and rust"]),
    ]
    assert len(set(digests)) == len(digests)


def test_digest_does_not_depend_on_what_does_not_matter() -> None:
    turned = dataclasses.replace(
        RUST, transports=RUST.transports[::-1], secure_channels=("tls", "noise"), owner="libp2p/rust-libp2p"
    )
    assert digest(turned, GO) == digest(GO, RUST)
    assert digest(GO, RUST, selects=["go", "rust"]) == digest(GO, RUST)
    assert digest(GO, RUST, ignores=["tls"]) == digest(GO, RUST, ignores=["security:tls", "* x * (tcp, tls, *)"])
    elsewhere = {"rust-v1 x rust-v1 (quic-v1)": 9.0}  # the median of quic-v1 changes, but is not used
    everything = {"go-v1 x go-v1 (quic-v1)": 2.0, "go-v1 x rust-v1 (quic-v1)": 2.0}
    assert digest(GO, RUST, selects=["go-v1 x * (quic-v1)"], weights=everything) == digest(
        GO, RUST, selects=["go-v1 x * (quic-v1)"], weights=everything | elsewhere
    )
    unused = dataclasses.replace(RUST, id="other-v1", family="other")
    assert digest(GO, RUST, unused, ignores=["other"]) == digest(GO, RUST)


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_the_order_of_rows(random: Random) -> None:
    versions = list(PUBLISHED.versions)
    random.shuffle(versions)
    assert digest(*versions) == digest(*PUBLISHED.versions)


def test_a_content_key_is_needed_only_where_it_is_used() -> None:
    with pytest.raises(ConfigurationError, match="go-v1: the content key of impls/go/v1 is not known"):
        digest(GO, RUST, fingerprints={})
    assert digest(GO, RUST, fingerprints={}, ignores=["go"])


def test_errors_of_the_selection_pass_through() -> None:
    with pytest.raises(NothingSelectedError):
        make_plan(PUBLISHED, suite=SUITES["transport"], ignores=["*"])


def test_slices_hold_each_selected_case_once() -> None:
    plan = make_plan(
        PUBLISHED, suite=SUITES["transport"], selects=["go"], weights={"go-v0.46 x go-v0.46 (quic-v1)": 60.0}
    )
    slices = [slice_of(plan, Shard(index, 7)) for index in range(1, 8)]
    assert sorted(one.case.name for part in slices for one in part) == sorted(one.case.name for one in plan.selected)
    seconds = {one.case.name: one.seconds for one in plan.selected}
    assigned = assign([one.case for one in plan.selected], seconds, 7)
    assert [tuple(one.case for one in part) for part in slices] == list(assigned)
    loads = [sum(one.seconds for one in part) for part in slices]
    assert max(loads) <= plan.seconds / 7 + 60
    for part in slices:
        assert [one.seconds for one in part] == sorted((one.seconds for one in part), reverse=True)
