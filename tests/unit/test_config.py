"""versions.yaml: what is read, and how every mistake is reported."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import cast

import jsonschema
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ci.config.catalogue import Catalogue, load
from ci.config.row import KEYS
from ci.config.schema import versions_schema
from ci.config.yaml_source import SourceError
from ci.errors import ConfigurationError
from ci.model import BuildRecipe, Contract, PublishedImage, Transport
from ci.suites.registry import known_suites

CHECKOUT = Path(__file__).parents[2]
DIGEST = "sha256:" + "0a" * 32

GOOD_ROW = """\
  - id: go-v1
    family: go
    image: example.org/go:1
    transports: [tcp, quic-v1]
    secureChannels: [noise]
    muxers: [yamux]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in ("impls/go/v0.51", "impls/js/v3"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "Makefile").write_text("all:\n", encoding="utf-8")
    (tmp_path / "impls/go/empty").mkdir()
    return tmp_path


def catalogue(checkout: Path, rows: str, *, aliases: str = "", head: str = "schema: 1\n") -> Catalogue:
    file = checkout / "versions.yaml"
    text = head + (f"aliases:\n{aliases}" if aliases else "") + f"versions:\n{rows}"
    file.write_text(text, encoding="utf-8")
    return load(file, known_suites())


def row(**changed: str | None) -> str:
    """A good row with keys changed, or left out where None."""
    keys: dict[str, str | None] = {
        "id": "v1",
        "family": "f",
        "image": "example.org/x:1",
        "transports": "[tcp]",
        "secureChannels": "[noise]",
        "muxers": "[yamux]",
    }
    lines = [f"{key}: {value}" for key, value in (keys | changed).items() if value is not None]
    return "  - " + "\n    ".join(lines) + "\n"


def mistakes(caught: pytest.ExceptionInfo[SourceError]) -> list[str]:
    """`line:column: text` of each."""
    return [f"{p.place.line}:{p.place.column}: {p.text}" for p in caught.value.problems]


# --- what is read ------------------------------


def test_the_committed_catalogue_is_right() -> None:
    ids = {version.id for version in load(CHECKOUT / "versions.yaml", known_suites()).versions}
    published = {"c-v0.0.1", "dotnet-v1.0", "eth-p2p-z-v0.0.1", "jvm-v1.2", "jvm-v1.3", "nim-v1.14"}
    assert ids >= published | {f"go-v0.{n}" for n in (46, 47, 48)} | {f"rust-v0.{n}" for n in (53, 54, 55)}


def test_the_documentation_is_right(checkout: Path) -> None:
    text = (CHECKOUT / "docs" / "versions.md").read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    (checkout / "versions.yaml").write_text(example, encoding="utf-8")
    assert [version.id for version in load(checkout / "versions.yaml", known_suites()).versions] == ["go-v0.51"]
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, row(zzzzzz="1"))
    keys = mistakes(caught)[0].partition("the keys are ")[2].split(", ")
    assert keys[0] == "id"
    assert not [key for key in keys if f"`{key}`" not in text]


def test_reads_every_key(checkout: Path) -> None:
    read = catalogue(
        checkout,
        """\
  - id: chromium-js-v3
    family: chromium-js
    build: impls/js/v3
    imageFile: chromium-image.json
    transports: [tcp, ws, webrtc-direct]
    dialOnly: [ws]
    secureChannels: [noise, tls]
    muxers: [yamux, mplex]
    contract: unified
    timeoutSecs: 60
    owner: libp2p/js-libp2p
    local: node
"""
        + GOOD_ROW,
        aliases="  browsers: chromium-*\n  both: [chromium-*, family:go]\n",
    )
    js, go = read.versions
    assert js.source == BuildRecipe(folder="impls/js/v3", image_file="chromium-image.json")
    assert js.transports == (
        Transport(name="tcp"),
        Transport(name="ws", dial_only=True),
        Transport(name="webrtc-direct"),
    )
    assert (js.family, js.secure_channels, js.muxers) == ("chromium-js", ("noise", "tls"), ("yamux", "mplex"))
    assert (js.contract, js.timeout_seconds, js.owner) == (Contract.UNIFIED, 60, "libp2p/js-libp2p")
    assert (js.local, go.local) == ("node", None)
    assert go.source == PublishedImage(reference="example.org/go:1")
    assert (go.contract, go.timeout_seconds, go.owner) == (Contract.CLASSIC, None, None)
    assert dict(read.aliases) == {"browsers": ("chromium-*",), "both": ("chromium-*", "family:go")}
    assert read.by_id() == {"chromium-js-v3": js, "go-v1": go}


@pytest.mark.parametrize(
    "reference",
    [
        "go:1",
        "a/b/c:v1.2_3-x",
        "localhost:5000/go:1",
        "registry.example:443/a__b/c--d:1",
        f"ghcr.io/a/b@{DIGEST}",
        f"ghcr.io/a/b:1@{DIGEST}",
        DIGEST,
    ],
)
def test_accepts_image_references(checkout: Path, reference: str) -> None:
    (version,) = catalogue(checkout, row(image=reference)).versions
    assert version.source == PublishedImage(reference=reference)


def test_byte_order_mark_and_foreign_line_ends(checkout: Path) -> None:
    file = checkout / "versions.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + f"schema: 1\nversions:\n{GOOD_ROW}".replace("\n", "\r\n").encode())
    assert [version.id for version in load(file, known_suites()).versions] == ["go-v1"]


def test_extra_rows_come_last_and_need_no_schema(checkout: Path) -> None:
    (checkout / "mine.yaml").write_text(f"versions:\n{row(id='mine')}", encoding="utf-8")
    catalogue(checkout, GOOD_ROW)
    read = load(checkout / "versions.yaml", known_suites(), extra=[checkout / "mine.yaml"])
    assert [version.id for version in read.versions] == ["go-v1", "mine"]


# --- mistakes in a row: the key, its value, what is said, and the column it is said at ---

MISTAKES = [
    pytest.param({"colour": "red"}, "10:5: unknown key `colour`: the keys are id, family", id="unknown key"),
    pytest.param({"muxer": "[yamux]"}, "10:5: unknown key `muxer`: did you mean `muxers`?", id="near key"),
    pytest.param({"<<": "{}"}, "10:5: unknown key `<<`", id="merge key"),
    pytest.param({"id": None}, "4:5: the version lacks `id`", id="no id"),
    pytest.param({"family": None}, "4:5: the version lacks `family`", id="no family"),
    pytest.param({"image": None}, "4:5: the version lacks `build` (a folder) or `image`", id="no source"),
    pytest.param({"transports": None}, "4:5: the version lacks `transports`", id="no transports"),
    pytest.param({"id": "1.0"}, '4:9: `id` must be a word, YAML reads `1.0` as a number: write "1.0"', id="number"),
    pytest.param({"id": "yes"}, "4:9: `id` must be a word, YAML reads `yes` as a truth value", id="boolean"),
    pytest.param({"id": "2026-01-02"}, "4:9: `id` must be a word, YAML reads `2026-01-02` as a date", id="date"),
    pytest.param({"id": ""}, "4:8: `id` is empty", id="nothing"),
    pytest.param({"id": '" "'}, "4:9: `id` is empty", id="blank"),
    pytest.param({"id": "[a]"}, "4:9: `id` must be a word, this is a list", id="list for a word"),
    pytest.param({"id": "a x b"}, "4:9: id `a x b`: use letters, digits, `.`, `_` and `-` (` x `", id="a x b"),
    pytest.param({"id": "é"}, "4:9: id `é`: use letters", id="not ascii"),
    pytest.param({"id": '"a\\nb"'}, "4:9: id `a\\nb`: use letters", id="line break"),
    pytest.param({"id": '"\\uD800"'}, "4:9: id `\\ud800`: use letters", id="lone surrogate"),
    pytest.param({"id": "a" * 65}, "4:9: id `aaa", id="endless"),
    pytest.param({"id": "tcp"}, "4:9: id `tcp` is a word that selections need", id="id is a transport"),
    pytest.param({"family": "a/b"}, "5:13: family `a/b`: use letters", id="family"),
    pytest.param(
        {"build": "impls/go/v0.51"},
        "6:12: `build` and `image` exclude each other: keep one",
        id="two sources",
    ),
    pytest.param(
        {"image": None, "build": "impls/go/v0.50"},
        "9:12: there is no folder `impls/go/v0.50` in the checkout: did you mean `impls/go/v0.51`?",
        id="no such folder",
    ),
    pytest.param(
        {"image": None, "build": "impls/go/empty"},
        "9:12: folder `impls/go/empty` has no Makefile",
        id="no Makefile",
    ),
    pytest.param({"image": None, "build": "../go"}, "9:12: `../go` must be a folder inside", id="outside"),
    pytest.param({"image": None, "build": "/impls/go/v0.51"}, "9:12: `/impls/go/v0.51` must be", id="absolute"),
    pytest.param({"imageFile": "image.json"}, "10:16: `imageFile` belongs to `build`", id="imageFile alone"),
    pytest.param(
        {"image": None, "build": "impls/go/v0.51", "imageFile": "../image.json"},
        "10:16: imageFile `../image.json` must be a bare name",
        id="imageFile elsewhere",
    ),
    pytest.param({"image": "go"}, "6:12: image `go` names no tag and no digest", id="no tag"),
    pytest.param({"image": "localhost:5000/go"}, "6:12: image `localhost:5000/go` names no tag", id="port only"),
    pytest.param({"image": "Go:1"}, "6:12: image `Go:1`: `Go` is not a repository name: upper case", id="upper"),
    pytest.param({"image": "a//b:1"}, "6:12: image `a//b:1`: `a//b` is not a repository name", id="slashes"),
    pytest.param({"image": "a:-1"}, "6:12: image `a:-1`: `-1` is not a tag", id="bad tag"),
    pytest.param({"image": "a@sha256:0a"}, "6:12: image `a@sha256:0a`: after `@` stands", id="bad digest"),
    pytest.param({"image": "https://a/b:1"}, "6:12: image `https://a/b:1`: `https://a/b` is not", id="a URL"),
    pytest.param(
        {"transports": "[tcp, quicv1]"},
        "7:23: unknown transport `quicv1`: did you mean `quic-v1`",
        id="transport",
    ),
    pytest.param({"transports": "[TCP]"}, "7:18: unknown transport `TCP`: did you mean `tcp`?", id="case"),
    pytest.param({"transports": "[tcp, tcp]"}, "7:23: transport `tcp` is listed twice", id="twice"),
    pytest.param({"transports": "tcp"}, "7:17: `transports` must be a list, this is text", id="word for a list"),
    pytest.param({"transports": "[]"}, "7:17: `transports` lists nothing", id="empty list"),
    pytest.param({"transports": "[tcp, no]"}, "7:23: a transport must be a word", id="boolean in a list"),
    pytest.param(
        {"transports": "[tcp, {name: ws, onlyDial: true}]"},
        "7:23: a transport is one word: write the name here and list it under `dialOnly`",
        id="older form",
    ),
    pytest.param({"dialOnly": "[ws]"}, "10:16: `ws` is marked dial-only and not listed", id="dial-only"),
    pytest.param({"dialOnly": "[tcp, tcp]"}, "10:21: transport `tcp` is listed twice", id="dial-only twice"),
    pytest.param({"secureChannels": "[nose]"}, "8:22: unknown secure channel `nose`: did you mean `noise`?", id="s"),
    pytest.param({"muxers": "[yamuxx]"}, "9:14: unknown muxer `yamuxx`: did you mean `yamux`?", id="muxer"),
    pytest.param({"secureChannels": None}, "8:13: `muxers` without `secureChannels`", id="muxers alone"),
    pytest.param({"muxers": None}, "8:21: `secureChannels` without `muxers`", id="secure channels alone"),
    pytest.param(
        {"secureChannels": None, "muxers": None},
        "4:5: the version lacks `secureChannels` and `muxers`, which tcp needs",
        id="layered without layers",
    ),
    pytest.param({"transports": "[quic-v1]"}, "8:21: `secureChannels` has no use here", id="layers without layered"),
    pytest.param({"contract": "modern"}, "10:15: unknown contract `modern`: it is classic or unified", id="modern"),
    pytest.param({"contract": "clasic"}, "10:15: unknown contract `clasic`: did you mean `classic`?", id="clasic"),
    *(
        pytest.param({"timeoutSecs": text}, "10:18: `timeoutSecs` must be a whole number from 1 to 3600", id=text)
        for text in (
            "0",
            "-1",
            "3601",
            "1.5",
            "1e3",
            "0x10",
            "010",
            "1_0",
            "1:00",
            '"60"',
            "true",
            "[1]",
            "~",
        )
    ),
    pytest.param({"local": "go"}, "10:12: `local` belongs to `build`: without sources there is nothing", id="local"),
    pytest.param(
        {"local": "pyton", "build": "impls/go/v0.51", "image": None},
        "9:12: unknown local language `pyton`: did you mean `python`?",
        id="pyton",
    ),
    pytest.param(
        {"local": "cobol", "build": "impls/go/v0.51", "image": None},
        "9:12: unknown local language `cobol`: it is one of python, node, go, rust",
        id="cobol",
    ),
    pytest.param({"owner": "a b"}, "10:12: owner `a b` must be a GitHub name", id="owner"),
    pytest.param({"owner": "*x"}, "10:12: `*x`: YAML aliases are not used here", id="alias"),
    pytest.param({"owner": "&x a"}, "10:12: `&x`: YAML anchors are not used here", id="anchor"),
    pytest.param({"owner": "!!python/name:os.system a"}, "10:12: `!!python/name:os.system`: YAML tags", id="tag"),
]


@pytest.mark.parametrize(("changed", "said"), MISTAKES)
def test_one_mistake_in_a_row(checkout: Path, changed: dict[str, str | None], said: str) -> None:
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, row(**changed), head="# puts the row on line 4\nschema: 1\n")
    (found,) = mistakes(caught)
    assert found.startswith(said)


def test_a_key_twice(checkout: Path) -> None:
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, row() + "    id: y\n")
    assert mistakes(caught) == [f"9:5: key `id` is given twice, first at {checkout / 'versions.yaml'}:3:5: keep one"]


def test_all_mistakes_at_once_in_order(checkout: Path) -> None:
    rows = row(id="a x b", muxers="[yamuxx]") + row(transports="[tcq]") + row()
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, rows, aliases="  tls: x\n  gone: nobody\n")
    assert [text.partition(": ")[0] for text in mistakes(caught)] == ["3:3", "6:9", "11:14", "15:18", "18:9"]
    message = str(caught.value)
    assert "5 mistakes" in message
    assert message.count("versions.yaml:") == 7  # the headline, five places, and the place of the first `v1`
    assert caught.value.exit_code == 2


# --- whole files ------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "1:1: the file is empty", id="empty"),
        pytest.param(b"# only\n", "1:1: the file is empty", id="comment only"),
        pytest.param(b"---\n", "2:1: the file must be a mapping", id="empty document"),
        pytest.param(b"- a\n", "1:1: the file must be a mapping (`key: value` lines), this is a list", id="list"),
        pytest.param(b"schema: 1\nversions: []\n", "2:11: `versions` lists nothing", id="no rows"),
        pytest.param(b"schema: 1\n", "1:1: key `versions` is missing", id="no versions"),
        pytest.param(b"versions:\n" + GOOD_ROW.encode(), "1:1: key `schema` is missing", id="no schema"),
        pytest.param(b"schema: 2\nversions:\n" + GOOD_ROW.encode(), "1:9: `schema` (this tool", id="schema"),
        pytest.param(b"schema: 1\nversions:\n  - x\n", "3:5: a version must be a mapping", id="word for a row"),
        pytest.param(b"schema: 1\n\tversions: x\n", "2:1: a tab: use spaces", id="tab"),
        pytest.param(b"schema: 1\nid: \xe9\n", "2:5: byte 0xe9 is not UTF-8", id="latin-1"),
        pytest.param("schema: 1\n".encode("utf-16"), "1:1: byte 0xff is not UTF-8", id="utf-16"),
        pytest.param(b"a: b\n\x07", "2:1: character U+0007 may not stand", id="bell"),
        pytest.param(b"a: [1\n", "2:1: not YAML:", id="open bracket"),
        pytest.param(b"a: b: c\n", "1:5: not YAML:", id="two colons"),
        pytest.param(b'a: "\\UFFFFFFFF"\n', "1:", id="impossible escape"),
        pytest.param(b"a: 1\n---\nb: 2\n", "2:1: a second document begins here", id="two documents"),
        pytest.param(b"a: " + b"[" * 2000, "1:19: nested more than 16 levels deep", id="deep"),
        pytest.param(
            b"schema: 1\nversions:\n  - ? [a]\n    : b\n",
            "3:7: a key must be a word, this is a list",
            id="list for a key",
        ),
        pytest.param(b"#" * (4 << 20) + b"\n", "1:1: the file is larger than 4 MiB", id="huge"),
    ],
)
def test_files_that_are_something_else(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "versions.yaml"
    file.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        load(file, known_suites())
    assert any(text.startswith(said) for text in mistakes(caught))


def test_a_bomb_of_aliases_is_only_a_mistake(tmp_path: Path) -> None:
    levels = [f"l{n}: &l{n} [" + ", ".join([f"*l{n - 1}"] * 9) + "]" for n in range(1, 30)]
    file = tmp_path / "versions.yaml"
    file.write_text("l0: &l0 [x]\n" + "\n".join(levels) + "\n", encoding="utf-8")
    with pytest.raises(SourceError, match="YAML aliases are not used here"):
        load(file, known_suites())


@pytest.mark.parametrize("name", ["gone.yaml", "."])
def test_files_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path / name, known_suites())
    assert caught.value.reference == "no-versions-file"


def test_an_id_taken_in_another_file(checkout: Path) -> None:
    extra = checkout / "mine.yaml"
    extra.write_text(f"aliases: {{}}\nversions:\n{GOOD_ROW}", encoding="utf-8")
    catalogue(checkout, GOOD_ROW)
    with pytest.raises(SourceError) as caught:
        load(checkout / "versions.yaml", known_suites(), extra=[extra])
    assert mistakes(caught) == [
        "1:1: unknown key `aliases`: the keys are schema, versions",
        f"3:9: version id `go-v1` is already taken at {checkout / 'versions.yaml'}:3:9",
    ]


# --- aliases ------------------------------


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        pytest.param("  a: nobody\n", ["3:6: alias `a`: `nobody` matches nothing"], id="nothing"),
        pytest.param("  a: go-v2\n", ["3:6: alias `a`: `go-v2` matches nothing: did you mean `go-v1`"], id="near"),
        pytest.param("  a: ''\n", ["3:6: alias `a` is empty"], id="empty"),
        pytest.param("  a:\n", ["3:5: alias `a` is empty"], id="null"),
        pytest.param("  a: []\n", ["3:6: the alias is empty"], id="empty list"),
        pytest.param("  a: [go, 1]\n", ["3:11: alias `a` must be a word"], id="number in a list"),
        pytest.param("  a: {b: c}\n", ["3:6: alias `a` must be a word, this is a mapping"], id="mapping"),
        pytest.param("  a: go and\n", ["3:6: alias `a`: `go and`: ` and ` stands between"], id="malformed"),
        pytest.param("  a: ~a\n", ["3:6: alias `a`: `~a` leads back to itself: a → a"], id="circle of one"),
        pytest.param(
            "  a: [go, b]\n  b: not ~a\n",
            ["3:11: alias `a`: `~a` leads back to itself: a → b → a", "4:6: alias `b`: `~b` leads back"],
            id="circle of two",
        ),
        pytest.param("  go: tcp\n", ["3:3: alias `go` hides a family of the same name"], id="family"),
        pytest.param("  go-v1: tcp\n", ["3:3: alias `go-v1` hides a version of the same name"], id="version"),
        pytest.param("  webrtc: tcp\n", ["3:3: alias `webrtc` hides a transport"], id="transport"),
        pytest.param("  tls: tcp\n", ["3:3: alias `tls` hides a secure channel"], id="secure channel"),
        pytest.param("  mplex: tcp\n", ["3:3: alias `mplex` hides a muxer"], id="muxer"),
        pytest.param("  and: tcp\n", ["3:3: alias `and` hides a word of the selection language"], id="and"),
        pytest.param("  a b: tcp\n", ["3:3: alias `a b`: use letters"], id="space"),
    ],
)
def test_mistakes_in_aliases(checkout: Path, aliases: str, said: list[str]) -> None:
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, GOOD_ROW, aliases=aliases)
    found = mistakes(caught)
    assert len(found) == len(said)
    for text, start in zip(found, said, strict=True):
        assert text.startswith(start)


def test_an_alias_that_names_a_broken_row_is_no_second_mistake(checkout: Path) -> None:
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, row(id="1.0", transports="[tcq]"), aliases="  a: [f, tcp]\n")
    assert not any("alias" in text for text in mistakes(caught))


# --- anything at all ------------------------------

YAML_PIECES = st.sampled_from(
    [
        "schema: 1\n",
        "versions:\n",
        "aliases:\n",
        GOOD_ROW,
        "  - id: ",
        "\n",
        "    ",
        "- ",
        ": ",
        "? ",
        "*a",
        "&a ",
        "!t ",
        "tcp",
        "tls",
        "1",
        "\t",
        "\r",
        "é",
        "\x00",
        *"[]{}'\"\\|>%@#~",
    ]
)


@settings(max_examples=150)
@given(st.lists(YAML_PIECES | st.text(max_size=3), max_size=12).map("".join))
@example("schema: 1\nversions:\n  - 'id'\n")
@example("%YAML 9.9\n---\na: b\n")
@example("? \n")
def test_any_text_is_read_or_refused_in_words_fit_to_print(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "versions.yaml")
        file.write_bytes(text.encode("utf-8", errors="surrogatepass"))
        said = ""
        try:
            load(file, known_suites())
        except ConfigurationError as error:
            said = str(error)
        assert all(line.isprintable() for line in said.split("\n"))


# --- suites over a simulated network ----------------------------------------------------------------------

NETWORK_ROW = {"transports": None, "secureChannels": None, "muxers": None}


def test_an_endpoint_needs_no_transports(checkout: Path) -> None:
    text = row(**NETWORK_ROW, suites="[webtransport, quic]", role="server", url="https://example.org/project")
    [version] = catalogue(checkout, text).versions
    assert version.suites == ("quic", "webtransport")
    assert (version.part, version.url, version.transports) == ("server", "https://example.org/project", ())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({**NETWORK_ROW, "suites": "[quik]"}, "unknown suite `quik`: did you mean `quic`?"),
        ({"suites": "[quic]"}, "`transports` belongs to versions of the suite transport"),
        ({"suites": "[transport, quic]"}, "no image follows two contracts"),
        ({"role": "client"}, "`role` belongs to versions of the suite quic or webtransport"),
        ({**NETWORK_ROW, "suites": "[quic]", "role": "servant"}, "unknown role `servant`: did you mean `server`?"),
        ({**NETWORK_ROW, "suites": "[quic]", "url": "example.org"}, "must begin with https://"),
        ({"family": "retry"}, "family `retry` is a word that selections need for something else"),
        ({"id": "quic"}, "id `quic` is a word that selections need for something else"),
    ],
)
def test_mistakes_about_suites_are_told(checkout: Path, changed: dict[str, str | None], said: str) -> None:
    with pytest.raises(SourceError) as caught:
        catalogue(checkout, row(**changed))
    assert said in "\n".join(mistakes(caught))


# --- the schema ---------------------------------------------------------------------------------------------

SCHEMA = json.loads((CHECKOUT / "docs/versions.schema.json").read_text(encoding="utf-8"))
# What no schema can say: words that mean something else, the checkout, references, what YAML has and this file has not.
READER_ALONE = {
    *("id is a transport", "no such folder", "no Makefile", "outside", "absolute", "dial-only", "owner"),
    *(
        "no tag",
        "port only",
        "upper",
        "slashes",
        "bad tag",
        "bad digest",
        "a URL",
        "0x10",
        "010",
        "1_0",
        "1:00",
        "anchor",
    ),
    "merge key",
}


def is_valid(text: str) -> bool:
    document = yaml.safe_load(text)
    for entry in document.get("expectations", ()) if isinstance(document, dict) else ():
        # To editors, which read YAML 1.2, a day is a text.
        entry |= {key: it.isoformat() for key, it in entry.items() if isinstance(it, date)}
    return jsonschema.Draft7Validator(SCHEMA).is_valid(document)


def test_the_published_schema_is_made_of_the_readers_words() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert versions_schema(known_suites()) == SCHEMA, "write it: python -m ci.config.schema > docs/versions.schema.json"


@pytest.mark.parametrize(
    "path", [CHECKOUT / "versions.yaml", *sorted((CHECKOUT / "tests/data").rglob("versions*.yaml"))], ids=str
)
def test_what_is_right_is_valid(path: Path) -> None:
    assert is_valid(path.read_text(encoding="utf-8"))


def test_the_schema_has_every_key_of_a_row() -> None:
    assert set(SCHEMA["properties"]["versions"]["items"]["properties"]) == set(KEYS)


def test_editors_find_the_schema() -> None:
    first = (CHECKOUT / "versions.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/versions.schema.json"


def test_the_schema_refuses_what_the_reader_does_but_for_what_no_schema_can_say() -> None:
    accepted = set()
    for mistake in MISTAKES:
        try:
            if is_valid(f"schema: 1\nversions:\n{row(**cast('dict[str, str | None]', mistake.values[0]))}"):
                accepted.add(mistake.id)
        except yaml.YAMLError:
            pass
    assert accepted == READER_ALONE
