"""From a typed name to the case, or to why there is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.errors import ConfigurationError
from ci.model import Part, PublishedImage, Transport, Version
from ci.plan.case_lookup import find_case
from ci.suites.registry import SUITES
from ci.suites.transport.cases import cases


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
        find_case(name, VERSIONS, SUITES["transport"])
    return caught.value


@pytest.mark.parametrize("case", cases(VERSIONS), ids=str)
def test_every_case_is_found_by_its_name(case: object) -> None:
    assert find_case(str(case), VERSIONS, SUITES["transport"]) == case


@pytest.mark.parametrize(
    "name",
    [
        "  go-v1   x  py-v1 (tcp,noise,yamux) ",
        "go-v1 × py-v1 (tcp , noise , yamux)",
        "go-v1\tx\npy-v1 (tcp, noise, yamux)",
    ],
)
def test_how_its_words_are_spaced_does_not_matter(name: str) -> None:
    assert find_case(name, VERSIONS, SUITES["transport"]).name == "go-v1 x py-v1 (tcp, noise, yamux)"


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
        found = find_case(name, VERSIONS, SUITES["transport"])
    except ConfigurationError as error:
        said = error
    else:
        assert found in cases(VERSIONS)
        return
    assert said.why
    assert said.hint
    assert "\x1b" not in str(said)


# --- over a simulated network -----------------------------------------------------------------------------


def endpoint(id_: str, *suites: str, part: Part = "both") -> Version:
    return Version(
        id=id_,
        family=id_.partition("-")[0],
        source=PublishedImage(reference=id_),
        transports=(),
        suites=suites or ("quic",),
        part=part,
    )


ALL = (
    *VERSIONS,
    endpoint("aioquic-v1", "quic", "webtransport"),
    endpoint("quic-go-v1"),
    endpoint("nginx-v1", part="server"),
    endpoint("chrome-v1", part="client"),
)


def refused_in(suite: str, name: str) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        find_case(name, ALL, SUITES[suite])
    return caught.value


@pytest.mark.parametrize("suite", SUITES)
def test_every_case_of_every_suite_is_found_by_its_name(suite: str) -> None:
    of_suite = SUITES[suite].cases([it for it in ALL if suite in it.suites])
    assert of_suite
    for case in of_suite[:: 1 + len(of_suite) // 20]:
        assert find_case(case.name, ALL, SUITES[suite]) == case


def test_a_test_case_of_two_suites_is_that_of_the_suite_that_was_named() -> None:
    name = "aioquic-v1 x aioquic-v1 (handshake)"
    assert find_case(name, ALL, SUITES["quic"]).suite is SUITES["quic"].words
    assert find_case(name, ALL, SUITES["webtransport"]).suite is SUITES["webtransport"].words


@pytest.mark.parametrize(
    ("suite", "name", "hint"),
    [
        ("transport", "aioquic-v1 x quic-go-v1 (retry)", "say `--suite quic`"),
        ("transport", "aioquic-v1 x aioquic-v1 (handshake)", "say `--suite quic` or `--suite webtransport`"),
        ("quic", "go-v1 x py-v1 (tcp, noise, yamux)", "say `--suite transport`"),
        ("webtransport", "aioquic-v1 x quic-go-v1 (retry)", "say `--suite quic`"),
    ],
)
def test_a_case_of_another_suite_says_of_which(suite: str, name: str, hint: str) -> None:
    error = refused_in(suite, name)

    assert (error.reference, error.hint) == ("other-suite", hint)


@pytest.mark.parametrize(
    ("name", "reference", "why", "hint"),
    [
        (
            "aioquic-v1 x quic-go-v1 (rety)",
            "unknown-case",
            "`rety` is no test case of quic: did you mean `retry`?",
            "`aioquic-v1 x quic-go-v1 (retry)`",
        ),
        (
            "aioquic-v1 x quic-go-v1 (transfer-datagram-send)",
            "unknown-case",
            "`transfer-datagram-send` is no test case of quic (but of webtransport)",
            "try `",
        ),
        ("go-v1 x quic-go-v1 (retry)", "unknown-case", "go-v1 takes part in transport, not in quic", "try `"),
        ("quic-go-v2 x quic-go-v1 (retry)", "unknown-case", "did you mean `quic-go-v1`?", "try `"),
        ("nginx-v1 x quic-go-v1 (retry)", "case-excluded", "nginx-v1 is a server only", "try `"),
        ("quic-go-v1 x chrome-v1 (retry)", "case-excluded", "chrome-v1 is a client only", "try `"),
        ("aioquic-v1 x quic-go-v1 (retry, ecn)", "case-excluded", "one test case", "try `"),
        ("zebra", "unknown-case", "a name is like `aioquic-v1.7 x quic-go-v0.65 (retry)`", "--suite quic"),
    ],
)
def test_no_case_of_this_suite_says_why(name: str, reference: str, why: str, hint: str) -> None:
    error = refused_in("quic", name)

    assert error.reference == reference
    assert why in error.why
    assert hint in error.hint


def test_what_is_near_in_another_suite_names_it() -> None:
    assert refused_in("transport", "aioquic-v1 x quic-go-v1 (rety)").hint.endswith("with --suite quic")
