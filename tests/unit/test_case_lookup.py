"""From a typed name to the case, or to why there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.case_lookup import find_case
from ci.errors import ConfigurationError
from ci.model import PublishedImage, Transport, Version
from ci.suites.transport_cases import cases


def version(
    id_: str, *transports: str, dial_only: tuple[str, ...] = (), muxers: tuple[str, ...] = ("yamux",)
) -> Version:
    return Version(
        id=id_,
        family=id_.partition("-")[0],
        source=PublishedImage(reference=id_),
        transports=tuple(Transport(name=name, dial_only=name in dial_only) for name in transports),
        secure_channels=("noise",),
        muxers=muxers,
    )


VERSIONS = (
    version("go-v1", "tcp", "ws", "quic-v1"),
    version("py-v1", "tcp", "ws", muxers=("yamux", "mplex")),
    version("chromium-v1", "ws", dial_only=("ws",)),
)


def refused(name: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        find_case(name, VERSIONS)
    return caught.value


@pytest.mark.parametrize("case", cases(VERSIONS), ids=str)
def test_every_case_is_found_by_its_name(case: object) -> None:
    assert find_case(str(case), VERSIONS) == case


@pytest.mark.parametrize(
    "name",
    [
        "  go-v1   x  py-v1 (tcp,noise,yamux) ",
        "go-v1 × py-v1 (tcp , noise , yamux)",
        "go-v1\tx\npy-v1 (tcp, noise, yamux)",
    ],
)
def test_how_its_words_are_spaced_does_not_matter(name: str) -> None:
    assert find_case(name, VERSIONS).name == "go-v1 x py-v1 (tcp, noise, yamux)"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("go-v1 x chromium-v1 (ws, noise, yamux)", "chromium-v1 only dials, and never listens on, ws"),
        ("chromium-v1 x chromium-v1 (ws, noise, yamux)", "chromium-v1 only dials, and never listens on, ws"),
        ("py-v1 x go-v1 (quic-v1)", "py-v1 does not speak quic-v1"),
        ("py-v1 x py-v1 (quic-v1)", "py-v1 does not speak quic-v1"),
        ("go-v1 x py-v1 (tcp, noise, mplex)", "go-v1 has no mplex"),
        ("go-v1 x py-v1 (tcp, tls, yamux)", "go-v1 has no tls; py-v1 has no tls"),
        ("go-v1 x go-v1 (quic-v1, noise, yamux)", "quic-v1 brings its own security"),
        ("go-v1 x go-v1 (tcp)", "tcp needs a secure channel and a muxer"),
        ("go-v1 x go-v1 (tcp, yamux, noise)", "the secure channel stands second"),
        ("go-v1 x go-v1 (noise)", "a stack begins with its transport"),
        ("go-v1 x go-v1 ()", "a stack begins with its transport"),
        ("go-v1 x go-v1 (tcp, noise, yamux, yamux)", "each once"),
    ],
)
def test_a_case_outside_the_matrix_says_why(name: str, why: str) -> None:
    error = refused(name)

    assert error.reference == "case-excluded"
    assert why in error.why
    assert error.why.count("does not speak") <= 1


@pytest.mark.parametrize(
    ("name", "why", "hint"),
    [
        (
            "go-v2 x py-v1 (tcp, noise, yamux)",
            "no version is called `go-v2`: did you mean `go-v1`?",
            "go-v1 x py-v1 (tcp",
        ),
        (
            "go-v1 x py-v1 (tcp, noise, yamx)",
            "`yamx` is no part of a stack: did you mean `yamux`?",
            "(tcp, noise, yamux)",
        ),
        ("go-v1 py-v1 (tcp, noise, yamux)", "a name is like", "`go-v1 x py-v1 (tcp, noise, yamux)`"),
        ("zebra", "a name is like", "nox -s list"),
    ],
)
def test_an_unknown_name_suggests_a_known_one(name: str, why: str, hint: str) -> None:
    error = refused(name)

    assert error.reference == "unknown-case"
    assert why in error.why
    assert hint in error.hint


@given(st.text(max_size=60) | st.from_regex(r"\S{1,8} x \S{1,8} \([a-z, 0-9-]{0,30}\)", fullmatch=True))
def test_any_text_is_a_case_or_an_explained_mistake(name: str) -> None:
    try:
        found = find_case(name, VERSIONS)
    except ConfigurationError as error:
        said = error
    else:
        assert found in cases(VERSIONS)
        return
    assert said.why
    assert said.hint
    assert "\x1b" not in str(said)
